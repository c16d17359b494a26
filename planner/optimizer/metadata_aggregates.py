"""count(*) of a whole table is what its statistics say, without reading it.

Valid only where the source counted its rows (`Statistics.exact`), as Parquet footers and tables in
memory do, and nothing filters them. Minimum and maximum are not answered so: the bounds that
sources know need not occur.
"""

from __future__ import annotations

from plait.planner.expr import Literal
from plait.planner.logical import (
    Aggregate,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
)
from plait.planner.optimizer.rule import Rule, RuleContext


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    match plan:
        case Aggregate(keys=(), aggregates=aggregates) if aggregates and all(
            call.function in ("count", "size") and not call.args and call.filter is None
            for _, call in aggregates
        ):
            rows = exact_rows(plan.input)
            if rows is not None:
                counts = tuple(Literal(rows, call.dtype) for _, call in aggregates)
                return Values(plan.schema.fields, (counts,), origin=plan.origin)
    after: LogicalPlan = plan.map_children(lambda child: rewrite(child, context))
    return after


def exact_rows(plan: LogicalPlan) -> int | None:
    """The number of rows, if it is known for certain without running anything."""
    match plan:
        case Scan(predicate=None, source=source):
            known = source.statistics
            return int(known.rows) if known.exact and known.rows is not None else None
        case Values(rows=rows):
            return len(rows)
        case Aggregate(keys=()):
            return 1
        case Project(input=below) | Window(input=below) | RowNumber(input=below):
            return exact_rows(below)
        case Sort(input=below, limit=most) | Limit(input=below, count=most):
            return _limited(exact_rows(below), most, getattr(plan, "offset", 0))
        case Union(inputs=inputs):
            counts = [exact_rows(i) for i in inputs]
            return None if None in counts else sum(n for n in counts if n is not None)
        case Join(left=left, right=right, kind="cross"):
            first, second = exact_rows(left), exact_rows(right)
            return None if first is None or second is None else first * second
        case Join(left=left, kind="mark"):
            return exact_rows(left)
    return None


def _limited(rows: int | None, most: int | None, offset: int) -> int | None:
    if rows is None:
        return None
    left = max(0, rows - offset)
    return left if most is None else min(left, most)


METADATA_AGGREGATES = Rule("metadata_aggregates", rewrite)
