"""Outer joins that a condition above makes stricter, and NOT IN where nothing is NULL.

    left join, and a NULL from the right does not pass above  ->  inner join
    full join, a NULL from the left does not pass             ->  left join; from both: inner
    single join whose right side is unique on the keys        ->  left join
    anti join with in_keys of columns that hold no NULL       ->  plain anti join

On the way down a set of columns is carried of which a NULL is rejected somewhere above. The rows a
stricter join no longer makes are rows with such a NULL, so nobody misses them (Galindo-Legaria &
Rosenthal, "Outerjoin simplification and reordering", TODS 1997). What an ON rejects holds for the
side whose rows it only matches, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plait.planner import types as t
from plait.planner.estimate import Estimator
from plait.planner.expr import Call, Column, Expr, conjunction, conjuncts
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    LogicalPlan,
    Project,
    Sort,
    Union,
)
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.unique import unique_on
from plait.planner.predicates import equi_keys, null_rejecting, strict_columns

_NONE: frozenset[str] = frozenset()


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    if not any(isinstance(node, Join) for node in plan.walk()):
        return plan
    return _strict(plan, _NONE, context.estimator)


def _strict(plan: LogicalPlan, rejected: frozenset[str], estimator: Estimator) -> LogicalPlan:
    """The plan, if rows with a NULL in a `rejected` column do not matter."""
    match plan:
        case Join():
            return _join(plan, rejected, estimator)
        case Filter(predicate=predicate):
            below = rejected | null_rejecting(predicate)
        case Project(columns=columns):
            below = _inside(columns, rejected)
        case Aggregate(keys=keys) if keys:
            below = _inside(keys, rejected)
        case Sort(limit=None) | Distinct(on=None, keep="first" | "last") | Union():
            below = rejected
        case _:
            below = _NONE
    after: LogicalPlan = plan.map_children(lambda child: _strict(child, below, estimator))
    return after


def _inside(columns: Iterable[tuple[str, Expr]], rejected: frozenset[str]) -> frozenset[str]:
    if not rejected:
        return _NONE
    return _NONE.union(*(strict_columns(e) for n, e in columns if n in rejected))


def _join(plan: Join, rejected: frozenset[str], estimator: Estimator) -> LogicalPlan:
    plan = replace_kind(plan, rejected)
    by_condition = _NONE if plan.condition is None else null_rejecting(plan.condition)
    match plan.kind:
        case "inner" | "cross":
            to_left = to_right = rejected | by_condition
        case "semi":
            to_left, to_right = rejected | by_condition, by_condition
        case "right":
            to_left, to_right = by_condition, rejected
        case "full":
            to_left = to_right = _NONE
        case _:
            to_left, to_right = rejected, by_condition
    if plan.in_keys:
        to_right = _NONE  # a NULL there makes IN unknown
    left, right = _strict(plan.left, to_left, estimator), _strict(plan.right, to_right, estimator)
    if left is not plan.left or right is not plan.right:
        plan = replace(plan, left=left, right=right)
    if plan.in_keys:
        plan = _without_nulls(plan, estimator)
    return plan


def replace_kind(plan: Join, rejected: frozenset[str]) -> Join:
    """The join with the strictest kind that gives the same rows, the rejected ones left out."""
    kind = plan.kind
    if kind not in ("left", "right", "full", "single"):
        return plan
    if kind == "single":
        keys, _ = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
        names = {k.right.name for k in keys if isinstance(k.right, Column)}
        if not unique_on(plan.right, names):
            return plan
        kind = "left"
    no_left = not rejected.isdisjoint(plan.left.schema.names)
    no_right = not rejected.isdisjoint(plan.right.schema.names)
    # whether rows without a match are still wanted
    keeps_left = kind in ("left", "full") and not no_right
    keeps_right = kind in ("right", "full") and not no_left
    new = {(True, True): "full", (True, False): "left", (False, True): "right"}.get(
        (keeps_left, keeps_right), "inner"
    )
    if new == "inner" and plan.condition is None:
        new = "cross"
    return plan if new == plan.kind else replace(plan, kind=new)


def _without_nulls(plan: Join, estimator: Estimator) -> Join:
    """`in_keys` as plain equalities where neither side can be NULL."""
    left, right = estimator.estimate(plan.left), estimator.estimate(plan.right)
    for a, b in plan.in_keys:
        if left.profile(a).nulls != 0.0 or right.profile(b).nulls != 0.0:
            return plan
    same = [Call("equal", (a, b), t.BOOL) for a, b in plan.in_keys]
    condition = conjunction([*same, *conjuncts(plan.condition)])
    return replace(plan, condition=condition, in_keys=())


SIMPLIFY_JOINS = Rule("simplify_joins", rewrite)
