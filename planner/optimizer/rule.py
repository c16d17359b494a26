"""Rule: a named, pure function from plan to plan; RuleContext: all that it may ask for.

A rule keeps the names, the types and the order of the columns, and the rows: as a bag, and in
order where they have one. It returns the very same object when it has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plait.planner.estimate import Estimator
from plait.planner.expr import Expr, Literal
from plait.planner.logical import LogicalPlan

Fold = Callable[[Expr], Literal | None]


def _leave_alone(_: Expr) -> Literal | None:
    return None


@dataclass(frozen=True)
class RuleContext:
    """What rules get besides the plan.

    fold        evaluates a constant expression; None (also where evaluation raises) leaves it alone
    settings    optimizer settings by name
    estimator   statistics of plans; it keeps what it computed, for all rules of one run
    """

    fold: Fold = _leave_alone
    settings: Mapping[str, Any] = field(default_factory=dict)
    estimator: Estimator = field(default_factory=Estimator)


@dataclass(frozen=True)
class Rule:
    """A rewrite. `required`: plans can't run without it, so it cannot be switched off."""

    name: str
    rewrite: Callable[[LogicalPlan, RuleContext], LogicalPlan]
    required: bool = False
