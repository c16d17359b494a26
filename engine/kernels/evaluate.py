"""Expr over one batch: the vectorised tier's interpreter.

Equal sub-expressions are worked out once a batch. What may raise (a cast, a division) in a branch
of CASE, or beside AND and OR, is computed only for the rows that depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.kernels.cast import cast
from plait.engine.kernels.registry import KERNELS
from plait.errors import PlanError
from plait.planner.expr import Call, Case, Cast, Column, Expr, Literal, columns_of
from plait.planner.risk import may_raise
from plait.planner.tree import per_node
from plait.planner.types import BOOL

Value: TypeAlias = pa.Array | pa.Scalar


class Evaluator:
    """Expressions over one batch, remembering what was computed."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._known: dict[Expr, Value] = {}

    def array(self, expr: Expr) -> pa.Array:
        """The expression's values, one for each row."""
        if not self.batch.num_rows and not isinstance(expr, Column):
            return pa.array([], expr.dtype)  # constants in it must not raise for nobody
        value = self.value(expr)
        if isinstance(value, pa.Array):
            return value
        return repeat(value, self.batch.num_rows)

    def value(self, expr: Expr) -> Value:
        """The expression's values, or one scalar when they are all the same constant."""
        match expr:
            case Column(name):
                return batches.column(self.batch, name)
            case Literal():
                return scalar(expr)
        known = self._known.get(expr)
        if known is None:
            known = self._known[expr] = self._compute(expr)
        return known

    def _compute(self, expr: Expr) -> Value:
        match expr:
            case Call("and" | "or") if may_raise(expr):
                return self._logical(expr)
            case Call("coalesce", args, dtype) if any(map(may_raise, args[1:])):
                found = [(Call("is_not_null", (a,), BOOL), a) for a in args[:-1]]
                return self._case(Case(tuple(found), args[-1], dtype))
            case Call(function, args, dtype):
                values = [self.value(a) for a in args]
                if any(isinstance(v, pa.Array) for v in values):
                    return KERNELS[function](values, dtype)
                rows = self.batch.num_rows if not args else 1
                if not args:  # random(), uuid(): one value a row; a constant has no rows to know
                    return KERNELS[function]([pa.nulls(rows)], dtype)
                # one column, so that there is a row; patterns, formats and digits stay constants
                first, *rest = values
                return batches.decode(KERNELS[function]([repeat(first, 1), *rest], dtype), dtype)[0]
            case Cast(inner, dtype, try_):
                value = self.value(inner)
                if isinstance(value, pa.Array):
                    return cast(value, dtype, try_)
                return cast(repeat(value, 1), dtype, try_)[0]
            case Case():
                return self._case(expr)
        raise PlanError(f"{type(expr).__name__} cannot be computed row by row: {expr}")

    def _logical(self, expr: Call) -> pa.Array:
        """AND or OR, what may raise only for the rows that the rest leaves open."""
        every = expr.function == "and"
        combine = pc.and_kleene if every else pc.or_kleene
        parts = sorted(_operands(expr), key=may_raise)
        result = self.array(parts[0])
        for part in parts[1:]:
            if not may_raise(part):
                result = combine(result, self.array(part))
                continue
            left = pc.fill_null(result, every)
            left = left if every else pc.invert(left)
            rows = np.flatnonzero(left.to_numpy(zero_copy_only=False))
            if len(rows) == self.batch.num_rows:
                result = combine(result, self.array(part))
                continue
            some = batches.take(self.batch.select(sorted(columns_of(part))), pa.array(rows))
            place = np.full(self.batch.num_rows, -1)
            place[rows] = np.arange(len(rows))
            # unknown in the rows already decided: that changes nothing there
            found = Evaluator(some).array(part).take(pa.array(place, mask=place < 0))
            result = combine(result, found)
        return result

    def _case(self, expr: Case) -> pa.Array:
        if any(map(may_raise, expr.children())):
            return self._case_lazy(expr)
        return self._case_eager(expr)

    def _case_eager(self, expr: Case) -> pa.Array:
        result: Value = self._branch(expr.otherwise, expr.dtype)
        for when, then in reversed(expr.branches):
            mask = pc.fill_null(self.array(when), False)
            result = pc.if_else(mask, *_same_encoding(self._branch(then, expr.dtype), result, expr))
        return result if isinstance(result, pa.Array) else repeat(result, self.batch.num_rows)

    def _branch(self, expr: Expr, dtype: pa.DataType) -> Value:
        value = self.value(expr)
        if pa.types.is_dictionary(value.type):
            assert isinstance(value, pa.Array)
            return batches.decode(value, dtype)
        return value

    def _case_lazy(self, expr: Case) -> pa.Array:
        """Each branch over the rows that no earlier condition took."""
        needed = sorted(columns_of(expr))
        left = np.arange(self.batch.num_rows)
        rest = self.batch.select(needed)
        positions: list[np.ndarray[Any, Any]] = []
        parts: list[pa.Array] = []
        for when, then in expr.branches:
            mask = pc.fill_null(Evaluator(rest).array(when), False)
            taken = batches.filter_rows(rest, mask)
            parts.append(batches.decode(Evaluator(taken).array(then), expr.dtype))
            chosen = mask.to_numpy(zero_copy_only=False)
            positions.append(left[chosen])
            left = left[~chosen]
            rest = batches.filter_rows(rest, pc.invert(mask))
        parts.append(batches.decode(Evaluator(rest).array(expr.otherwise), expr.dtype))
        positions.append(left)
        order = np.empty(self.batch.num_rows, np.int64)
        order[np.concatenate(positions)] = np.arange(self.batch.num_rows)
        return pa.concat_arrays(parts).take(pa.array(order))


def _operands(expr: Expr) -> list[Expr]:
    """The operands of a chain of ANDs, or of ORs, left to right."""
    found: list[Expr] = []
    stack = [expr]
    while stack:
        e = stack.pop()
        if isinstance(e, Call) and isinstance(expr, Call) and e.function == expr.function:
            stack.extend(reversed(e.args))
        else:
            found.append(e)
    return found


def _same_encoding(a: Value, b: Value, expr: Case) -> tuple[Value, Value]:
    if a.type == b.type:
        return a, b
    both = [v if isinstance(v, pa.Array) else repeat(v, 1) for v in (a, b)]
    decoded = [batches.decode(v, expr.dtype) for v in both]
    pairs = zip((a, b), decoded, strict=True)
    first, second = (d if isinstance(v, pa.Array) else d[0] for v, d in pairs)
    return first, second


@per_node
def scalar(literal: Literal) -> pa.Scalar:
    """A constant as an Arrow scalar."""
    value = list(literal.value) if isinstance(literal.value, tuple) else literal.value
    if isinstance(literal.value, pa.MonthDayNano):
        value = literal.value
    return pa.scalar(value, literal.dtype)


def repeat(value: pa.Scalar, rows: int) -> pa.Array:
    """An array of one value."""
    if not value.is_valid or not rows:  # Arrow repeats no list zero times
        return pa.nulls(rows, value.type)
    if pa.types.is_string(value.type) and rows > 16:
        codes = pa.array(np.zeros(rows, np.int8))
        return pa.DictionaryArray.from_arrays(codes, pa.array([value.as_py()], value.type))
    return pa.repeat(value, rows)


def constant(expr: Expr) -> Literal:
    """The value of an expression without columns, for constant folding; errors are raised."""
    array = batches.decode(Evaluator(batches.without_columns(1)).array(expr), expr.dtype)
    value = array[0].as_py()
    return Literal(tuple(value) if isinstance(value, list) else value, expr.dtype)


def evaluate(exprs: Sequence[Expr], batch: pa.RecordBatch) -> list[pa.Array]:
    """Several expressions over one batch; equal parts are computed once."""
    evaluator = Evaluator(batch)
    return [evaluator.array(e) for e in exprs]


__all__ = ["Evaluator", "constant", "evaluate", "repeat", "scalar"]
