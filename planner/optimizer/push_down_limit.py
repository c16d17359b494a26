"""LIMIT goes down to where rows come from, and an ORDER BY below it becomes a top-n.

    Limit n over Limit m           one limit
    Limit n over Project           Project over Limit n
    Limit n over Sort              Sort first n        (n + offset, with the offset still above)
    Limit n over Union             Union of Limit n + offset each, the limit still above
    Limit n over left join         also over its left side: each left row gives a row at least
    Limit n over mark, single join over its left side: each left row gives exactly one

Nothing moves past a filter, an aggregate or a window: they decide which rows there are. Limits from
the end (tail) go down through projections only.
"""

from __future__ import annotations

from dataclasses import replace

from plait.planner.logical import Join, Limit, LogicalPlan, Project, Sort, Union
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rule import Rule, RuleContext


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    if isinstance(plan, Limit):
        after = _limit(plan)
        if after is not plan:
            return rewrite(after, context)
    below: LogicalPlan = plan.map_children(lambda child: rewrite(child, context))
    return below


def _limit(plan: Limit) -> LogicalPlan:
    match plan.input:
        case Project() as project if not any(is_volatile(e) for _, e in project.columns):
            return replace(project, input=replace(plan, input=project.input))
        case Limit(from_end=False) as inner if not plan.from_end:
            return _merged(plan, inner)
    if plan.from_end or plan.count is None:
        return plan
    most = plan.count + plan.offset
    match plan.input:
        case Sort(limit=known) as sort:
            top = sort if known is not None and known <= most else replace(sort, limit=most)
            if not plan.offset:
                return top
            return plan if top is sort else replace(plan, input=top)
        case Union(inputs=inputs) as union:
            cut = tuple(_at_most(i, most) for i in inputs)
            if all(a is b for a, b in zip(cut, inputs, strict=True)):
                return plan
            return replace(plan, input=replace(union, inputs=cut))
        case Join(kind="left") as join:
            left = _at_most(join.left, most)
            return plan if left is join.left else replace(plan, input=replace(join, left=left))
        case Join(kind="mark" | "single") as join:
            return replace(join, left=replace(plan, input=join.left))
    return plan


def _merged(outer: Limit, inner: Limit) -> Limit:
    """The rows that two limits leave, as one."""
    counts = []
    if outer.count is not None:
        counts.append(outer.count)
    if inner.count is not None:
        counts.append(max(0, inner.count - outer.offset))
    most = min(counts) if counts else None
    return replace(inner, count=most, offset=inner.offset + outer.offset)


def _at_most(plan: LogicalPlan, most: int) -> LogicalPlan:
    """The plan with a limit, unless it has as strict a one already."""
    match plan:
        case Limit(count=int(n), from_end=False) | Sort(limit=int(n)) if n <= most:
            return plan
        case Project(input=below):
            known = _at_most(below, most)
            if known is below:
                return plan
    return Limit(plan, most)


PUSH_DOWN_LIMIT = Rule("push_down_limit", rewrite)
