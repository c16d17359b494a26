"""Expressions without columns become the literals that they are worth.

    o_orderdate < DATE '1993-10-01' + INTERVAL '3' MONTH  ->  o_orderdate < DATE '1994-01-01'

The runner passes in the evaluation (`RuleContext.fold`): the engine's own kernels, so that a folded
expression has the very value it would have had. Volatile functions (random) are left alone;
functions that are constant within a query (now) are folded, and equal calls get equal values.
An expression whose evaluation raises is left in the plan: it may stand in a branch that is never
taken, or over no rows at all.
"""

from __future__ import annotations

from functools import cache

from plait.planner.expr import Call, Case, Cast, Expr, Literal
from plait.planner.functions import registry
from plait.planner.functions.signature import Volatility
from plait.planner.logical import LogicalPlan, Values
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.subquery import SUBQUERIES


@cache
def _volatile(function: str) -> bool:
    return registry.scalar(function).volatility is Volatility.VOLATILE


def is_volatile(e: Expr) -> bool:
    """Whether an expression gives new values each time; kept at the node once computed."""
    known = e.__dict__.get("_volatile")
    if known is None:
        known = (isinstance(e, Call) and _volatile(e.function)) or any(
            is_volatile(child) for child in e.children()
        )
        object.__setattr__(e, "_volatile", known)
    return bool(known)


def is_constant(e: Expr) -> bool:
    """Whether an expression has the same value for all rows; kept at the node once computed."""
    known = e.__dict__.get("_constant")
    if known is None:
        match e:
            case Literal():
                known = True
            case Call(function, args):
                known = all(map(is_constant, args)) and not _volatile(function)
            case Cast(x):
                known = is_constant(x)
            case Case():
                known = all(map(is_constant, e.children()))
            case _:
                known = False
        object.__setattr__(e, "_constant", known)
    return bool(known)


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    values: dict[Expr, Expr] = {}

    def fold(e: Expr) -> Expr:
        if isinstance(e, Literal):
            return e
        if is_constant(e):
            if e not in values:
                folded = context.fold(e)
                # the parts of what cannot be evaluated may be worth folding
                values[e] = e.map_children(fold) if folded is None else folded
            return values[e]
        if isinstance(e, SUBQUERIES):
            inside = fold_plan(e.plan)
            e = e if inside is e.plan else e.map_nodes_of(LogicalPlan, fold_plan)
        return e.map_children(fold)  # type: ignore[no-any-return]

    def fold_plan(node: LogicalPlan) -> LogicalPlan:
        node = node.map_children(fold_plan)
        if isinstance(node, Values) and all(isinstance(e, Literal) for e in node.expressions()):
            return node
        return node.map_expressions(fold)  # type: ignore[no-any-return]

    return fold_plan(plan)


FOLD_CONSTANTS = Rule("fold_constants", rewrite)
