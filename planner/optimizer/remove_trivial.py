"""Nodes that do nothing go, and what is known to be empty stays empty upwards.

Filter TRUE                          its input
Filter FALSE                         no rows
Filter over Filter                   one filter
Project over Project                 one projection, where nothing is computed twice
Project of just the input's columns  its input
Sort over Sort by the same keys      one sort
inner join with an empty side        no rows; likewise filters, groups, sorts of nothing
left join with an empty right side   the left side, and NULLs
cross join with one row of nothing   the other side
"""

from __future__ import annotations

from dataclasses import replace

from plait.planner.builder import merge_projections
from plait.planner.expr import FALSE, TRUE, Column, Literal, conjuncts
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
    Union,
    Values,
    Window,
)
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rewriting import all_columns, filtered, is_empty, no_rows
from plait.planner.optimizer.rule import Rule, RuleContext


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    done: dict[LogicalPlan, LogicalPlan] = {}

    def tidy(node: LogicalPlan) -> LogicalPlan:
        known = done.get(node)
        if known is None:
            # equal sub-plans become one object: whoever compares them later is done at once
            after = _step(node.map_children(tidy))
            known = done[node] = done.setdefault(after, after)
        return known

    return tidy(plan)


def _step(plan: LogicalPlan) -> LogicalPlan:
    """A node whose inputs are tidy already."""
    match plan:
        case Filter():
            return _filter(plan)
        case Project():
            return _project(plan)
        case Join():
            return _join(plan)
        case Limit(count=0) | Sort(limit=0):
            return no_rows(plan.schema)
        case Limit(count=None, offset=0, input=below):
            return below
        case Sort(keys=keys, input=Sort(keys=same, limit=None) as below) if keys == same:
            return replace(plan, input=below.input)
        case Union():
            return _union(plan)
        case Aggregate(keys=()):
            return plan  # a row also for nothing
        case Aggregate() | Sort() | Distinct() | Window() | RowNumber() | Limit():
            if is_empty(plan.input):
                return no_rows(plan.schema)
    return plan


def _filter(plan: Filter) -> LogicalPlan:
    below = plan.input
    if plan.predicate == TRUE:
        return below
    parts = conjuncts(plan.predicate)
    never = any(isinstance(p, Literal) and p.value is not True for p in parts)
    if plan.predicate == FALSE or never or is_empty(below):
        return no_rows(plan.schema)
    if isinstance(below, Filter) and not is_volatile(plan.predicate):
        return filtered(below, parts)
    return plan


def _project(plan: Project) -> LogicalPlan:
    below = plan.input
    if is_empty(below):
        return no_rows(plan.schema)
    if isinstance(below, Project):
        merged = merge_projections(below, plan.columns)
        if merged is not None:
            return _project(replace(merged, origin=plan.origin or merged.origin))
    same = all(isinstance(e, Column) and e.name == n for n, e in plan.columns)
    return below if same and plan.schema.names == below.schema.names else plan


def _union(plan: Union) -> LogicalPlan:
    kept = tuple(i for i in plan.inputs if not is_empty(i))
    if not kept:
        return no_rows(plan.schema)
    if len(kept) == 1:
        return kept[0]
    return plan if len(kept) == len(plan.inputs) else replace(plan, inputs=kept)


def _join(plan: Join) -> LogicalPlan:
    if plan.kind == "cross":
        for one, other in ((plan.left, plan.right), (plan.right, plan.left)):
            if isinstance(one, Values) and one.rows == ((),):
                return other  # beside one row without columns
    no_left, no_right = is_empty(plan.left), is_empty(plan.right)
    if not no_left and not no_right:
        return plan
    match plan.kind:
        case "inner" | "cross":
            return no_rows(plan.schema)
        case "semi":
            return no_rows(plan.schema)
        case "anti":
            return no_rows(plan.schema) if no_left else plan.left
        case "mark":
            if no_left or plan.mark is None:
                return no_rows(plan.schema)
            return Project(plan.left, (*all_columns(plan.left.schema), (plan.mark, FALSE)))
        case "left" | "single":
            return no_rows(plan.schema) if no_left else _padded(plan, plan.left)
        case "right":
            return no_rows(plan.schema) if no_right else _padded(plan, plan.right)
        case "full":
            if no_left and no_right:
                return no_rows(plan.schema)
            return _padded(plan, plan.right if no_left else plan.left)
    return plan


def _padded(plan: Join, side: LogicalPlan) -> LogicalPlan:
    """One side's rows, with NULLs for the other's columns."""
    columns = tuple(
        (f.name, Column(f.name, f.type) if f.name in side.schema else Literal(None, f.type))
        for f in plan.schema
    )
    return Project(side, columns)


REMOVE_TRIVIAL = Rule("remove_trivial", rewrite)
