"""RULES, in order with the reasons for it, and `optimize`, which runs and checks them.

After each rule the plan must have the same columns; a rule that breaks this is named in the error.
`observe` is told of every rule: EXPLAIN shows the plan rule by rule with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from plait.errors import PlanError, nearest_names
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.decorrelate import DECORRELATE
from plait.planner.optimizer.fold_constants import FOLD_CONSTANTS
from plait.planner.optimizer.infer_predicates import INFER_PREDICATES
from plait.planner.optimizer.metadata_aggregates import METADATA_AGGREGATES
from plait.planner.optimizer.order_joins import ORDER_JOINS
from plait.planner.optimizer.prune_columns import PRUNE_COLUMNS
from plait.planner.optimizer.push_down_aggregate import PUSH_DOWN_AGGREGATE
from plait.planner.optimizer.push_down_filter import PUSH_DOWN_FILTER
from plait.planner.optimizer.push_down_limit import PUSH_DOWN_LIMIT
from plait.planner.optimizer.push_down_semi_join import PUSH_DOWN_SEMI_JOIN
from plait.planner.optimizer.remove_trivial import REMOVE_TRIVIAL
from plait.planner.optimizer.rewrite_distinct import REWRITE_DISTINCT
from plait.planner.optimizer.rewriting import balanced
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.share_subplans import SHARE_SUBPLANS
from plait.planner.optimizer.simplify_expressions import SIMPLIFY_EXPRESSIONS
from plait.planner.optimizer.simplify_joins import SIMPLIFY_JOINS

RULES: tuple[Rule, ...] = (
    # constants first: everything after compares with literals
    FOLD_CONSTANTS,
    # while subqueries are still expressions, so that NOT (x IN ...) and ORs around them are plain
    SIMPLIFY_EXPRESSIONS,
    # from here on plans have no plans inside expressions
    DECORRELATE,
    # outer joins become inner ones while the filters that make them so are still above them
    SIMPLIFY_JOINS,
    # what follows from join conditions is to be pushed with the rest
    INFER_PREDICATES,
    PUSH_DOWN_FILTER,
    # filters are at the relations now, so these can be estimated
    PUSH_DOWN_SEMI_JOIN,
    ORDER_JOINS,
    # looks at the last join below each aggregate, so the order must stand
    PUSH_DOWN_AGGREGATE,
    # joins decide where order is seen; distinct aggregates become groups, which prune columns well
    REWRITE_DISTINCT,
    METADATA_AGGREGATES,
    # filters can't pass a limit, so limits sink after them
    PUSH_DOWN_LIMIT,
    # copies that were filtered alike are the same by now
    SHARE_SUBPLANS,
    # last: sees every column that the others still use
    PRUNE_COLUMNS,
    REMOVE_TRIVIAL,
)

Observe = Callable[[Rule, LogicalPlan, float], None]


@deep_trees
def optimize(
    plan: LogicalPlan,
    context: RuleContext | None = None,
    *,
    rules: Sequence[Rule] = RULES,
    disabled: Collection[str] = (),
    observe: Observe | None = None,
) -> LogicalPlan:
    """The plan after all rules but those `disabled` by name.

    `observe(rule, plan after it, seconds)` is called after each rule. Raises PlanError for a name
    that no rule has, for a rule that cannot be left out, and when a rule changes the columns.
    """
    check_disabled(disabled)
    context = context or RuleContext()
    chosen = [rule for rule in rules if rule.name not in disabled]
    try:
        return _run(plan, context, chosen, observe)
    except RecursionError:
        # conditions of hundreds of parts, as programs write them
        return _run(balanced(plan), context, chosen, observe)


def _run(
    plan: LogicalPlan, context: RuleContext, rules: Sequence[Rule], observe: Observe | None
) -> LogicalPlan:
    for rule in rules:
        start = time.perf_counter()
        after = rule.rewrite(plan, context)
        if after is not plan and not after.schema.same_as(plan.schema):
            raise PlanError(
                f"Optimizer rule {rule.name!r} changed the columns of the plan: "
                f"[{plan.schema}] became [{after.schema}]. This is a mistake in plait; "
                f"optimizer.disabled = [{rule.name!r}] leaves the rule out"
            )
        if observe is not None:
            observe(rule, after, time.perf_counter() - start)
        plan = after
    return plan


def check_disabled(disabled: Collection[str]) -> None:
    """PlanError for a name that no rule has, or that of a rule that plans can't do without."""
    by_name = {rule.name: rule for rule in RULES}
    for name in disabled:
        if name not in by_name:
            close = nearest_names(name, by_name)
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise PlanError(
                f"There is no optimizer rule {name!r}.{hint} Rules: {', '.join(by_name)}"
            )
        if by_name[name].required:
            raise PlanError(f"Optimizer rule {name!r} cannot be left out: plans need it to run")
