"""The columns that expressions see at some operator of a loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from plait.engine.codegen.emit import Value
from plait.engine.codegen.layout import Layout
from plait.engine.codegen.scalar import Scope
from plait.planner.expr import Column, Expr, columns_of, substitute

if TYPE_CHECKING:
    from plait.engine.codegen.loop import LoopEmitter


@dataclass
class Bound:
    """A column by name: where it is stored, or how it is computed; its value once it was needed."""

    of: int
    name: str
    layout: Layout | None
    dtype: pa.DataType
    expr: Expr | None = None
    scope: Names | None = None
    value: Value | None = None


def stored_bound(bound: Bound) -> Bound:
    """The column that a plain renaming stands for."""
    while isinstance(bound.expr, Column) and bound.scope is not None:
        bound = bound.scope.columns[bound.expr.name]
    return bound


@dataclass
class Names(Scope):
    """The columns that expressions see at some operator."""

    emitter: LoopEmitter
    columns: dict[str, Bound] = field(default_factory=dict)

    def column(self, name: str) -> Value:
        return self.emitter.value_of(self.columns[name])

    def lookup(self, expr: Expr) -> Value | None:
        scope = self
        while True:
            used = columns_of(expr)
            if len(used) != 1:
                return None
            (name,) = used
            bound = scope.columns[name]
            if bound.expr is None or bound.scope is None:
                break
            expr, scope = substitute(expr, {name: bound.expr}), bound.scope
        if bound.layout is None or bound.layout.kind != "code":
            return None
        return self.emitter.answer(bound, name, expr)
