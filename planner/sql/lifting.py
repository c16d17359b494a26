"""Aggregates and window calls are bound inside the expressions they stand in; here they come out.

select a + 1, sum(b) * 2 ... group by a + 1
    keys       a + 1  -> "a + 1"        every equal expression above becomes that column
    calls      sum(b) -> "sum(b)"       equal calls become one
    the rest   a bare column that is left over was not grouped: an error where it stands
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import expressions as exp

from plait.planner.expr import (
    AggregateCall,
    Call,
    Column,
    Expr,
    Literal,
    WindowCall,
    text,
)
from plait.planner.logical import Named
from plait.planner.optimizer.outer_columns import outer_of
from plait.planner.sql.binder import Context
from plait.planner.sql.scope import Scope
from plait.planner.subquery import SUBQUERIES, OuterColumn


def has_aggregate(expr: Expr) -> bool:
    """Whether an aggregate stands in an expression (not in a subquery within it)."""
    return any(isinstance(e, AggregateCall) for e in expr.walk())


def has_window(expr: Expr) -> bool:
    """Whether a window call stands in an expression."""
    return any(isinstance(e, WindowCall) for e in expr.walk())


class Grouping:
    """What is left of expressions above an Aggregate, and what that Aggregate computes."""

    def __init__(self, context: Context, keys: Sequence[Named], scope: Scope) -> None:
        self._context = context
        self._exprs = {expr for _, expr in keys}
        # a constant key would replace equal constants everywhere
        self._keys = {
            expr: Column(name, expr.dtype) for name, expr in keys if not isinstance(expr, Literal)
        }
        self._plain = {e.name for e in self._keys if isinstance(e, Column)}
        self._scope = scope
        self.calls: dict[AggregateCall, str] = {}
        self.marks: dict[Call, str] = {}  # GROUPING(...)

    def is_key(self, expr: Expr) -> bool:
        """Whether an expression is one of the grouped ones."""
        return expr in self._exprs

    def lift(self, expr: Expr, node: exp.Expr | None, name: str = "") -> Expr:
        """The expression over the Aggregate's output; `name` is preferred for a whole call."""
        key = self._keys.get(expr)
        if key is not None:
            return key
        if isinstance(expr, AggregateCall):
            if expr not in self.calls:
                self.calls[expr] = self._context.names.fresh(name, text(expr))
            return Column(self.calls[expr], expr.dtype)
        if isinstance(expr, Column):
            raise self._ungrouped(expr, expr.name, node)
        if isinstance(expr, Call) and expr.function == "grouping":
            if not all(self.is_key(arg) for arg in expr.args):
                raise self._context.source.error("GROUPING takes keys of the GROUP BY", node)
            if expr not in self.marks:
                self.marks[expr] = self._context.names.fresh(name, text(expr))
            return Column(self.marks[expr], expr.dtype)
        if isinstance(expr, SUBQUERIES):
            mine = self._scope.plan_names()
            for column in outer_of(expr):
                if column.name in mine and column.name not in self._plain:
                    raise self._ungrouped(column, column.name, node)
        lifted: Expr = expr.map_children(lambda child: self.lift(child, node))
        return lifted

    def _ungrouped(self, expr: Expr, name: str, node: exp.Expr | None) -> Exception:
        place = self._context.place(expr)
        if place is None and isinstance(expr, OuterColumn):
            place = node
        shown = place.name if isinstance(place, exp.Column) else name
        return self._context.source.error(
            f"Column {shown!r} must appear in the GROUP BY clause or be inside an aggregate; "
            f"any_value({shown}) takes any of its values",
            place or node,
        )


class Windows:
    """The window calls of a SELECT, each once, and what is left of expressions above them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.calls: dict[WindowCall, str] = {}

    def lift(self, expr: Expr, name: str = "") -> Expr:
        """The expression over the Window's output."""
        if isinstance(expr, WindowCall):
            if expr not in self.calls:
                self.calls[expr] = self._context.names.fresh(name, text(expr))
            return Column(self.calls[expr], expr.dtype)
        lifted: Expr = expr.map_children(self.lift)
        return lifted
