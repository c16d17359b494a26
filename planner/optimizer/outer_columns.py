"""Which columns of enclosing queries a plan reads, and giving them a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plait.planner.expr import Expr
from plait.planner.logical import LogicalPlan
from plait.planner.subquery import SUBQUERIES, OuterColumn

_NONE: frozenset[OuterColumn] = frozenset()


def outer_of(expr: Expr) -> frozenset[OuterColumn]:
    """The outer columns in an expression, those in plans that it holds included."""
    known: frozenset[OuterColumn] | None = expr.__dict__.get("_outer")
    if known is None:
        if isinstance(expr, OuterColumn):
            known = frozenset((expr,))
        else:
            found = [outer_of(child) for child in expr.children()]
            if isinstance(expr, SUBQUERIES):
                found.append(outer_columns(expr.plan))
            known = _NONE.union(*found)
        object.__setattr__(expr, "_outer", known)
    return known


def outer_columns(plan: LogicalPlan) -> frozenset[OuterColumn]:
    """The outer columns anywhere in a plan."""
    known: frozenset[OuterColumn] | None = plan.__dict__.get("_outer")
    if known is None:
        here = [outer_of(e) for e in plan.expressions()]
        known = _NONE.union(*here, *map(outer_columns, plan.children()))
        object.__setattr__(plan, "_outer", known)
    return known


def reads_outer(item: Expr | LogicalPlan, names: frozenset[str]) -> bool:
    """Whether an expression or plan reads one of these outer columns."""
    found = outer_of(item) if isinstance(item, Expr) else outer_columns(item)
    return any(o.name in names for o in found)


def with_outer(expr: Any, values: Mapping[str, Expr]) -> Any:
    """The expression with outer columns replaced by name; others stay."""
    if not any(o.name in values for o in outer_of(expr)):
        return expr

    def swap(e: Expr) -> Expr:
        return values.get(e.name, e) if isinstance(e, OuterColumn) else e

    return expr.transform_up(swap)


class FreshNames:
    """Gives out column names that occur nowhere in a plan."""

    def __init__(self, plan: LogicalPlan) -> None:
        self._plan = plan
        self._used: set[str] = set()
        self._count = 0

    def _collect(self, plans: Iterable[LogicalPlan]) -> None:
        stack = list(plans)
        while stack:
            node = stack.pop()
            self._used.update(node.schema.names)
            stack.extend(node.children())
            for e in node.expressions():
                stack.extend(s.plan for s in e.walk() if isinstance(s, SUBQUERIES))

    def fresh(self, base: str) -> str:
        """A new name that starts as `base` does."""
        if not self._used:  # most plans never need a new name
            self._collect([self._plan])
        stem = base.split("#")[0]
        while True:
            self._count += 1
            name = f"{stem}#{self._count}"
            if name not in self._used:
                self._used.add(name)
                return name
