"""On which columns a plan's rows are all different, as far as the plan itself tells."""

from __future__ import annotations

from collections.abc import Collection

from plait.planner.expr import Column
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Sort,
    Values,
    Window,
)
from plait.planner.predicates import equi_keys


def unique_on(plan: LogicalPlan, names: Collection[str]) -> bool:
    """Whether no two rows agree in all of these columns (NULL agreeing with NULL).

    Without columns: whether there is at most one row.
    """
    match plan:
        case Aggregate(keys=keys):
            return all(n in names for n, _ in keys)
        case Distinct(input=below, on=on):
            return set(on if on is not None else below.schema.names) <= set(names)
        case RowNumber(input=below, name=name):
            return name in names or unique_on(below, names)
        case Values(rows=rows):
            return len(rows) <= 1
        case Limit(input=below, count=most):
            return (most is not None and most <= 1) or unique_on(below, names)
        case Sort(input=below, limit=most):
            return (most is not None and most <= 1) or unique_on(below, names)
        case Filter(input=below) | Window(input=below):
            return unique_on(below, names)
        case Project(input=below, columns=columns):
            kept = {e.name for n, e in columns if n in names and isinstance(e, Column)}
            return unique_on(below, kept)
        case Join(left=left, kind="semi" | "anti" | "mark"):
            return unique_on(left, names)
        case Join(left=left, right=right, kind="inner" | "left" | "single" | "cross"):
            if not unique_on(left, names):
                return False
            pairs, _ = equi_keys(plan.condition, left.schema, right.schema)
            found = {k.right.name for k in pairs if isinstance(k.right, Column)}
            return unique_on(right, found)
    return False
