"""Groups formed before a join where that makes it much smaller: eager aggregation.

    Aggregate by c count(o)              Aggregate by c count_merge(part)
      Join left on c = k         ->        Join left on c = k
        customers                            customers
        orders                               Aggregate by k count(o) AS part
                                               orders

Valid where every aggregate can be split into partial results and reads one side only (Yan & Larson,
"Eager aggregation and lazy aggregation", VLDB 1995): that side is grouped by all its columns that
the join's condition and the groups above read, so a partial row joins with exactly the rows that
each of its rows would have joined with. Left as they are:

* of a left join's right side, aggregates of what is not NULL for NULLs, `count(*)` among them: the
  rows without a match have no partial row;
* what may raise, for it would be computed for rows that the join drops, and what is volatile;
* groups by columns whose equal values can be told apart (0.0 and -0.0);
* joins that are read elsewhere too (GROUPING SETS, WITH): they are computed once.

It pays when few groups come out of many rows and the join would not have thrown most rows away
(TPC-H Q13); for that the estimates are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from plait.planner.cost import BUILD, OUTPUT, PROBE, group_cost, join_cost
from plait.planner.estimate import Estimator, groups
from plait.planner.expr import AggregateCall, Cast, Column, Expr, conjuncts, substitute
from plait.planner.logical import Aggregate, Join, LogicalPlan, Named, Project
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.outer_columns import FreshNames
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.physical.decompose import decompose
from plait.planner.predicates import references, strict_columns
from plait.planner.risk import may_raise, sum_may_raise
from plait.planner.types import (
    BOOL,
    INT64,
    decimal,
    digits,
    is_date,
    is_decimal,
    is_integer,
    is_string,
    is_timestamp,
)

WORTH = 0.6  # of the cost without

_SPLIT = frozenset(("count", "sum", "min", "max", "avg", "bool_and", "bool_or", "count_if"))

Calls = tuple[tuple[str, AggregateCall], ...]


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    if not any(isinstance(node, Aggregate) for node in plan.walk()):
        return plan
    shared = frozenset(p for p, count in Counter(plan.walk()).items() if count > 1)
    eager = _Eager(context.estimator, FreshNames(plan), shared)

    def push(node: LogicalPlan) -> LogicalPlan:
        if isinstance(node, Aggregate):
            node = eager.aggregate(node)
        after: LogicalPlan = node.map_children(push)
        return after

    return push(plan)


@dataclass(frozen=True)
class _Eager:
    estimator: Estimator
    names: FreshNames
    shared: frozenset[LogicalPlan]  # sub-plans that occur more than once

    def aggregate(self, plan: Aggregate) -> LogicalPlan:
        """The aggregate, or one of a join with partial groups."""
        if not plan.aggregates or not all(c.function in _SPLIT for _, c in plan.aggregates):
            return plan
        below = plan.input
        keys, wanted = plan.keys, plan.aggregates
        while isinstance(below, Project) and not any(is_volatile(e) for _, e in below.columns):
            inside = dict(below.columns)
            keys = tuple((n, substitute(e, inside)) for n, e in keys)
            wanted = tuple((n, substitute(c, inside)) for n, c in wanted)
            below = below.input
        if not isinstance(below, Join) or below.kind not in ("inner", "left"):
            return plan
        if below in self.shared or not all(_can_move(c) for _, c in wanted):
            return plan
        for side in (below.right, below.left):
            # groups are not grouped again, whatever the estimates say
            if not isinstance(side, Aggregate) and self._reads_only(wanted, below, side):
                grouped = self._grouped(plan, below, side, keys, wanted)
                if grouped is not None:
                    return grouped
        return plan

    def _reads_only(self, calls: Calls, join: Join, side: LogicalPlan) -> bool:
        """Whether partial results of this side are all that the aggregates need."""
        names = set(side.schema.names)
        padded = join.kind == "left" and side is join.right
        for _, call in calls:
            read = references(call)
            if not read <= names or (not read and call.args):
                return False
            if padded and not any(strict_columns(a) for a in call.args):
                return False
        return True

    def _grouped(
        self,
        plan: Aggregate,
        join: Join,
        side: LogicalPlan,
        keys: tuple[Named, ...],
        calls: Calls,
    ) -> LogicalPlan | None:
        above = [*conjuncts(join.condition), *(e for _, e in keys)]
        if any(map(is_volatile, above)):
            return None
        read = _references(above)
        held = tuple((f.name, Column(f.name, f.type)) for f in side.schema if f.name in read)
        if not held or not all(_equal_is_same(e.dtype) for _, e in held):
            return None
        split = decompose([(n, _with_room(c)) for n, c in calls])
        if split is None or not self._pays(plan, join, side, held):
            return None
        fresh = {name: self.names.fresh("part") for name, _ in split.partial}
        moved = {name: Column(fresh[name], call.dtype) for name, call in split.partial}
        partial = Aggregate(side, held, tuple((fresh[n], c) for n, c in split.partial))
        joined = replace(join, right=partial) if side is join.right else replace(join, left=partial)
        merged = tuple((fresh[n], substitute(c, moved)) for n, c in split.merge)
        whole = Aggregate(joined, keys, merged, origin=plan.origin)
        results: list[Named] = [(n, Column(n, e.dtype)) for n, e in keys]
        for (name, e), (_, call) in zip(split.final, calls, strict=True):
            e = substitute(e, moved)
            results.append((name, e if e.dtype == call.dtype else Cast(e, call.dtype)))
        return Project(whole, tuple(results))

    def _pays(self, plan: Aggregate, join: Join, side: LogicalPlan, held: Iterable[Named]) -> bool:
        here = self.estimator.estimate(side)
        few = groups(here.rows, [here.profile(e) for _, e in held])
        other = self.estimator.rows(join.left if side is join.right else join.right)
        out, last = self.estimator.rows(join), self.estimator.rows(plan)
        left = max(out * few / max(here.rows, 1.0), 1.0)
        before = _join_cost(join, side, other, here.rows, out) + group_cost(out, last)
        after = group_cost(here.rows, few) + _join_cost(join, side, other, few, left)
        return after + group_cost(left, min(last, left)) < WORTH * before


def _can_move(call: AggregateCall) -> bool:
    """Whether an aggregate may see rows that the join would have dropped."""
    if any(may_raise(e) or is_volatile(e) for e in call.children()):
        return False
    adds = call.function in ("sum", "avg")
    return not (adds and any(sum_may_raise(a.dtype) for a in call.args))


def _with_room(call: AggregateCall) -> AggregateCall:
    """A sum in a type that holds it: of rows that the join drops, and of parts that cancel out."""
    if call.function == "sum" and call.dtype == INT64 and digits(call.args[0].dtype)[0] > 10:
        return replace(call, dtype=decimal(38, 0))
    return call


def _equal_is_same(t: pa.DataType) -> bool:
    """Whether no function tells two values apart that form one group."""
    exact = (is_integer, is_decimal, is_string, is_date, is_timestamp)
    return t == BOOL or any(is_such(t) for is_such in exact)


def _join_cost(join: Join, side: LogicalPlan, other: float, rows: float, out: float) -> float:
    if join.kind == "inner":
        return join_cost(other, rows, out)
    build, probe = (rows, other) if side is join.right else (other, rows)
    return build * BUILD + probe * PROBE + out * OUTPUT


def _references(exprs: Iterable[Expr]) -> set[str]:
    return {name for e in exprs for name in references(e)}


PUSH_DOWN_AGGREGATE = Rule("push_down_aggregate", rewrite)
