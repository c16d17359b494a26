"""DISTINCT inside aggregates as two aggregations, and orders that nobody sees left out.

    count(DISTINCT x) by k      ->  count(x) by k over (keys k, x)
    Distinct                    ->  Aggregate by all columns
    Sort                        ->  its input

Two plain aggregations both work in parallel and reduce their input early; a distinct aggregate must
see all rows of a group in one place. It is done where all aggregates of a node are over the same
distinct arguments, or do not care for repeats (min, max).

The other two need that the order of rows is not seen: DISTINCT keeps the order in which values
first occur, an aggregation does not. That is so below an aggregate without keys whose functions do
not depend on order, below a grouping nobody sees the order of, and on the build side of joins.
"""

from __future__ import annotations

from dataclasses import replace

from plait.planner.expr import AggregateCall, Column, Expr
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    LogicalPlan,
    Named,
    Project,
    Sort,
    Union,
)
from plait.planner.optimizer.rewriting import all_columns
from plait.planner.optimizer.rule import Rule, RuleContext

# the same whatever the order of the rows
_UNORDERED = frozenset(
    ("count", "size", "sum", "pandas_sum", "avg", "min", "max", "bool_and", "bool_or", "count_if")
)
_NO_REPEATS = frozenset(("min", "max", "bool_and", "bool_or"))


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    return _rewrite(plan, seen=True)


def _rewrite(plan: LogicalPlan, seen: bool) -> LogicalPlan:
    """The plan; `seen` tells whether the order of its rows matters above."""
    match plan:
        case Aggregate():
            plan = _distinct_aggregate(plan)
            calm = all(c.function in _UNORDERED for _, c in plan.aggregates)
            below = not calm or (seen and bool(plan.keys))
            return _over(plan, below)
        case Sort(limit=None, input=below_sort) if not seen:
            return _rewrite(below_sort, seen)
        case Distinct(on=None, keep="first" | "last", input=under) if (
            not seen and under.schema.fields
        ):
            return Aggregate(_rewrite(under, seen), all_columns(under.schema), ())
        case Join(left=left, right=right):
            both = plan.kind in ("right", "full")
            new_left, new_right = _rewrite(left, seen), _rewrite(right, seen and both)
            if new_left is left and new_right is right:
                return plan
            return replace(plan, left=new_left, right=new_right)
        case Filter() | Project() | Union() | Distinct(on=None):
            return _over(plan, seen)
    return _over(plan, True)


def _over(plan: LogicalPlan, seen: bool) -> LogicalPlan:
    after: LogicalPlan = plan.map_children(lambda child: _rewrite(child, seen))
    return after


def _distinct_aggregate(plan: Aggregate) -> Aggregate:
    distinct = {c.args for _, c in plan.aggregates if c.distinct}
    if len(distinct) != 1 or not all(_fits(c, distinct) for _, c in plan.aggregates):
        return plan
    (args,) = distinct
    if len(args) != 1:
        return plan
    (value,) = args
    keys: list[Named] = list(plan.keys)
    name = next((n for n, e in keys if e == value), None)
    if name is None:
        name = _name_for(value, plan)
        keys.append((name, value))
    inner = Aggregate(plan.input, tuple(keys), (), origin=plan.origin)
    column = Column(name, value.dtype)
    return replace(
        plan,
        input=inner,
        keys=tuple((n, Column(n, e.dtype)) for n, e in plan.keys),
        aggregates=tuple(
            (n, replace(c, args=(column,), distinct=False)) for n, c in plan.aggregates
        ),
    )


def _fits(call: AggregateCall, distinct: set[tuple[Expr, ...]]) -> bool:
    if call.filter is not None or call.order_by or call.args not in distinct:
        return False
    return call.distinct or call.function in _NO_REPEATS


def _name_for(value: Expr, plan: Aggregate) -> str:
    taken = set(plan.schema.names)
    name = value.name if isinstance(value, Column) else "value"
    while name in taken:
        name += "#"
    return name


REWRITE_DISTINCT = Rule("rewrite_distinct", rewrite)
