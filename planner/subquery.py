"""Expressions that hold a plan, as the SQL binder makes them; the decorrelate rule removes all.

Inside such a plan, `OuterColumn` names a column of a surrounding query. Names visible in one
statement are unique, so no depth is needed: an outer column belongs to the nearest enclosing plan
that has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from plait.planner.expr import Expr, text
from plait.planner.logical import LogicalPlan
from plait.planner.types import BOOL


@dataclass(frozen=True, eq=False, repr=False)
class OuterColumn(Expr):
    """A column of an enclosing query."""

    name: str
    dtype: pa.DataType


@dataclass(frozen=True, eq=False, repr=False)
class ScalarSubquery(Expr):
    """The one value of a plan of one column; NULL for no row, an error for more than one."""

    plan: LogicalPlan
    dtype: pa.DataType


@dataclass(frozen=True, eq=False, repr=False)
class Exists(Expr):
    """Whether the plan gives a row."""

    plan: LogicalPlan
    dtype: pa.DataType = BOOL


@dataclass(frozen=True, eq=False, repr=False)
class InSubquery(Expr):
    """`values IN (plan)` in three-valued logic; the plan has a column for each value."""

    values: tuple[Expr, ...]
    plan: LogicalPlan
    dtype: pa.DataType = BOOL


@dataclass(frozen=True, eq=False, repr=False)
class Quantified(Expr):
    """`value op ANY (plan)` or `value op ALL (plan)`; `op` is a comparison of the registry."""

    value: Expr
    op: str
    every: bool  # ALL
    plan: LogicalPlan
    dtype: pa.DataType = BOOL


SUBQUERIES = (ScalarSubquery, Exists, InSubquery, Quantified)


@text.register
def _(expr: OuterColumn) -> str:
    return f"outer.{expr.name}"


def _plan(plan: LogicalPlan) -> str:
    return f"({' <- '.join(node.label() for node in plan.walk())})"


@text.register
def _(expr: ScalarSubquery) -> str:
    return _plan(expr.plan)


@text.register
def _(expr: Exists) -> str:
    return f"EXISTS {_plan(expr.plan)}"


@text.register
def _(expr: InSubquery) -> str:
    values = ", ".join(map(text, expr.values))
    return f"({values}) IN {_plan(expr.plan)}"


@text.register
def _(expr: Quantified) -> str:
    return f"{text(expr.value)} {expr.op} {'ALL' if expr.every else 'ANY'} {_plan(expr.plan)}"
