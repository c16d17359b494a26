"""How many rows a plan may have at most: what needs no measuring, however wrong estimates are.

Tables were counted, filters leave out rows, a join by a key of one side has no more rows than the
other. Keys are taken from statistics, which may have been sampled; a bound that is wrong costs a
choice that is less good, nothing else.
"""

from __future__ import annotations

import math

from plait.planner.estimate import Estimator
from plait.planner.expr import Column, Expr
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Window,
)
from plait.planner.optimizer.unique import unique_on
from plait.planner.predicates import equi_keys


def most_rows(plan: LogicalPlan, estimator: Estimator) -> float:
    """An upper bound of the rows of a plan."""
    known = estimator.estimate(plan)
    if known.exact:
        return known.rows
    match plan:
        case Filter() | Project() | Distinct() | RowNumber() | Window() | Aggregate():
            return most_rows(plan.input, estimator)
        case Limit(count=count) | Sort(limit=count):
            most = most_rows(plan.input, estimator)
            return most if count is None else min(most, count)
        case Union():
            return sum(most_rows(part, estimator) for part in plan.inputs)
        case Join(kind="semi" | "anti" | "mark" | "single"):
            return most_rows(plan.left, estimator)
        case Join(kind="inner" | "cross" | "left"):
            return _joined(plan, estimator)
    return math.inf


def _joined(plan: Join, estimator: Estimator) -> float:
    left, right = most_rows(plan.left, estimator), most_rows(plan.right, estimator)
    pairs, _ = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
    found = [left * right]
    if _has_key(plan.right, [b for _, b, _ in pairs], estimator):
        found.append(left)
    if plan.kind == "inner" and _has_key(plan.left, [a for a, _, _ in pairs], estimator):
        found.append(right)
    return max(min(found), left) if plan.kind == "left" else min(found)


def _has_key(plan: LogicalPlan, columns: list[Expr], estimator: Estimator) -> bool:
    """Whether no two rows agree in all of these columns."""
    names = {c.name for c in columns if isinstance(c, Column)}
    if unique_on(plan, names):
        return True
    below = plan
    while isinstance(below, Filter | Project):
        below = below.input
    # where rows come more than once, a column is as unique at its origin, but not here
    known = estimator.estimate(plan)
    return isinstance(below, Scan) and any(known.column(name).unique for name in names)
