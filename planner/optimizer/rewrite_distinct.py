"""DISTINCT inside aggregates as two aggregations, and orders that nobody sees left out.

    count(DISTINCT x) by k              ->  count(x) by k over (keys k, x)
    count(DISTINCT x), sum(y) by k      ->  count(x), sum(s) by k over (sum(y) as s by k, x)
    Distinct                            ->  Aggregate by all columns
    Sort                                ->  its input

Two plain aggregations both work in parallel and reduce their input early; a distinct aggregate must
see all rows of a group in one place. It is done where the distinct aggregates of a node share one
argument, and all others do not care for repeats (min, max) or can be put together from parts.

The other two need that the order of rows is not seen: DISTINCT keeps the order in which values
first occur, an aggregation does not. That is so below an aggregate without keys whose functions do
not depend on order, below a grouping nobody sees the order of, and on the build side of joins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from plait.planner.estimate import Estimator
from plait.planner.expr import AggregateCall, Column, Expr
from plait.planner.functions.internal import PAIRS, SHAPES, SPREADS
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
from plait.planner.physical.decompose import decompose

# the same whatever the order of the rows
_UNORDERED = frozenset(
    ("count", "size", "sum", "pandas_sum", "avg", "min", "max", "bool_and", "bool_or", "count_if")
)
_SPREADS = frozenset((*SPREADS, *SHAPES, *PAIRS))
_WORTH = 0.6  # groups a row, below which grouping twice pays
_NO_REPEATS = frozenset(("min", "max", "bool_and", "bool_or"))


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    return _Rewriting(context.estimator).rewritten(plan, seen=True)


@dataclass(frozen=True)
class _Rewriting:
    estimator: Estimator

    def rewritten(self, plan: LogicalPlan, seen: bool) -> LogicalPlan:
        """The plan; `seen` tells whether the order of its rows matters above."""
        match plan:
            case Aggregate():
                plan = _distinct_aggregate(plan)
                merged = self._merged(plan)
                if merged is not None:
                    return self._over(merged, seen)
                calm = all(c.function in _UNORDERED for _, c in plan.aggregates)
                below = not calm or (seen and bool(plan.keys))
                return self._over(plan, below)
            case Sort(limit=None, input=below_sort) if not seen:
                return self.rewritten(below_sort, seen)
            case Distinct(on=None, keep="first" | "last", input=under) if (
                not seen and under.schema.fields
            ):
                return Aggregate(self.rewritten(under, seen), all_columns(under.schema), ())
            case Join(left=left, right=right):
                both = plan.kind in ("right", "full")
                new_left, new_right = (
                    self.rewritten(left, seen),
                    self.rewritten(right, seen and both),
                )
                if new_left is left and new_right is right:
                    return plan
                return replace(plan, left=new_left, right=new_right)
            case Filter() | Project() | Union() | Distinct(on=None):
                return self._over(plan, seen)
        return self._over(plan, True)

    def _over(self, plan: LogicalPlan, seen: bool) -> LogicalPlan:
        after: LogicalPlan = plan.map_children(lambda child: self.rewritten(child, seen))
        return after

    def _merged(self, plan: Aggregate) -> LogicalPlan | None:
        """Distinct aggregates of one argument beside others, which are put together from parts.

        The parts of a group come together in another order than its rows had.
        """
        distinct = {c.args for _, c in plan.aggregates if c.distinct}
        if len(distinct) != 1 or not all(map(_can_merge, (c for _, c in plan.aggregates))):
            return None
        (args,) = distinct
        if len(args) != 1:
            return None
        (value,) = args
        split = decompose([(n, c) for n, c in plan.aggregates if not c.distinct])
        if split is None:
            return None
        key = Column(_name_for(Column("#distinct", value.dtype), plan), value.dtype)
        by_value = (*plan.keys, (key.name, value))
        inner = Aggregate(plan.input, by_value, split.partial, origin=plan.origin)
        if not self._reduces(inner):
            return None
        keys = tuple((n, Column(n, e.dtype)) for n, e in plan.keys)
        counted = tuple(
            (n, replace(c, args=(key,), distinct=False)) for n, c in plan.aggregates if c.distinct
        )
        outer = Aggregate(inner, keys, (*split.merge, *counted), origin=plan.origin)
        final = dict(split.final)
        columns = ((n, final.get(n, Column(n, c.dtype))) for n, c in plan.aggregates)
        return Project(outer, (*keys, *columns))

    def _reduces(self, inner: Aggregate) -> bool:
        """Whether grouping makes far fewer rows; else it is work done twice."""
        groups = self.estimator.statistics(inner).rows
        rows = self.estimator.statistics(inner.input).rows
        return groups is None or rows is None or groups < _WORTH * rows


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


def _can_merge(call: AggregateCall) -> bool:
    if call.order_by or call.function not in _UNORDERED | _SPREADS:
        return False
    return not (call.distinct and call.filter is not None)


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
