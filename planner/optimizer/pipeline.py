"""RULES, in order with the reasons for it, and `optimize`, which runs and checks them.

After each rule the plan must have the same columns; a rule that breaks this is named in the error.
`observe` is told of every rule: EXPLAIN shows the plan rule by rule with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from plait.errors import PlanError, nearest_names
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.decorrelate import DECORRELATE
from plait.planner.optimizer.fold_constants import FOLD_CONSTANTS
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.simplify_expressions import SIMPLIFY_EXPRESSIONS

RULES: tuple[Rule, ...] = (
    # constants first: everything after compares with literals
    FOLD_CONSTANTS,
    # while subqueries are still expressions, so that NOT (x IN ...) and ORs around them are plain
    SIMPLIFY_EXPRESSIONS,
    # from here on plans have no plans inside expressions
    DECORRELATE,
)

Observe = Callable[[Rule, LogicalPlan, float], None]


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
    for rule in rules:
        if rule.name in disabled:
            continue
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
