"""Aggregates in a loop: what is kept for a group, how a row changes it, what it gives in the end.

A group's record is a row of 64-bit words: its keys, then the words of each *accumulator*. Calls
share accumulators: avg(x), sum(x) and count(x) need two. Sums of integers and decimals are exact,
in one word where that is likely to hold them (it traps when not), else in two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine.codegen.emit import DOUBLE, FLOAT, I64, I128, Emitter, NotCompiledError, Value
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.reductions import divide_exactly, exact_array
from plait.engine.kernels.views import Bools, Ints, from_stored
from plait.planner.expr import AggregateCall, Expr
from plait.planner.types import BOOL, is_decimal, is_float

_FEW_BITS = 1 << 47  # sums of values below this go into one word, and trap should they pass it


@dataclass(frozen=True)
class Accumulator:
    """`kind`: count, sum, wide_sum, float_sum, min, max, float_min, float_max. `first`: the number
    of its first word among the words of the aggregates."""

    kind: str
    arg: Expr | None
    filter: Expr | None
    first: int

    @property
    def words(self) -> int:
        return 2 if self.kind == "wide_sum" else 1

    @property
    def start(self) -> tuple[int, ...]:
        """What its words are before the first row."""
        match self.kind:
            case "min":
                return ((1 << 63) - 1,)
            case "max":
                return (-(1 << 63),)
            case "float_min":
                return (int(np.array([np.nan]).view(np.int64)[0]),)
            case "float_max":
                return (int(np.array([-np.inf]).view(np.int64)[0]),)
        return (0,) * self.words


@dataclass
class Accumulators:
    """The accumulators of some calls, each once; which of them a call reads."""

    found: list[Accumulator] = field(default_factory=list)
    words: int = 0
    values: dict[tuple[Expr | None, Expr | None], Value | None] = field(default_factory=dict)

    def add(self, kind: str, arg: Expr | None, where: Expr | None) -> Accumulator:
        for known in self.found:
            if (known.kind, known.arg, known.filter) == (kind, arg, where):
                return known
        made = Accumulator(kind, arg, where, self.words)
        self.found.append(made)
        self.words += made.words
        return made


@dataclass(frozen=True)
class Aggregate:
    """A call with its accumulators: of the value, and of how many there were (None: no matter)."""

    name: str
    call: AggregateCall
    value: Accumulator
    count: Accumulator | None


COUNTS = ("count", "size")
SUMS = ("sum", "pandas_sum", "count_merge", "avg", "count_if")
EXTREMES = ("min", "max", "bool_and", "bool_or")
KNOWN = (*COUNTS, *SUMS, *EXTREMES, "any_row")


def has_compiled_form(call: AggregateCall) -> bool:
    """Whether an aggregate may be computed in a loop, as far as its function tells."""
    return call.function in KNOWN and not call.distinct and not call.order_by


def plan_aggregate(
    name: str, call: AggregateCall, value: Value | None, into: Accumulators
) -> Aggregate:
    """The accumulators of a call whose argument is `value`."""
    if not has_compiled_form(call):
        raise NotCompiledError(f"{call} has no compiled form")
    where = call.filter
    arg = call.args[0] if call.args else None
    if call.function in ("count", "size", "any_row"):
        known = arg if value is not None and value.valid is not None else None
        return Aggregate(name, call, into.add("count", known, where), None)
    assert value is not None
    if value.codes is not None:
        raise NotCompiledError(f"{call} of strings has no compiled form")
    counted = arg if value.valid is not None else None
    count = None
    if call.function not in ("pandas_sum", "count_merge"):
        count = into.add("count", counted, where)
    if call.function in SUMS:
        if is_float(value.dtype):
            if call.dtype != pa.float64():
                raise NotCompiledError(f"{call} has no compiled form")
            kind = "float_sum"
        elif call.function == "avg" and not is_float(call.dtype):
            raise NotCompiledError(f"{call} has no compiled form")
        else:
            kind = "sum" if max(-value.low, value.high) < _FEW_BITS else "wide_sum"
        return Aggregate(name, call, into.add(kind, arg, where), count)
    if value.is_wide:
        raise NotCompiledError(f"{call} of 128-bit values has no compiled form")
    least = call.function in ("min", "bool_and")
    kind = "min" if least else "max"
    return Aggregate(
        name, call, into.add(f"float_{kind}" if is_float(value.dtype) else kind, arg, where), count
    )


def update(
    e: Emitter, acc: Accumulator, value: Value | None, mask: Any, state: Any, at: Callable[..., Any]
) -> None:
    """One more row; `at(word, kind)` gives the place of a word, `mask` whether the row counts."""
    b = e.b
    place = at(acc.first)
    if value is not None:
        mask = e.both(mask, value.valid)
    if acc.kind == "count":
        more = I64(1) if mask is None else b.zext(mask, I64)
        b.store(b.add(b.load(place, typ=I64, align=8), more), place, align=8)
        return
    assert value is not None
    word = value.ir
    if value.dtype == BOOL:
        word = b.zext(word, I64)
    match acc.kind:
        case "sum" | "wide_sum":
            kind = I64 if acc.kind == "sum" else I128
            if kind == I128 and not value.is_wide:
                word = b.sext(word, I128)
            elif kind == I64 and value.is_wide:
                word = b.trunc(word, I64)
            if mask is not None:
                word = b.select(mask, word, kind(0))
            now = b.load(place, typ=kind, align=8)
            if kind == I64:
                added = b.sadd_with_overflow(now, word)
                e.trap_if(b.extract_value(added, 1))
                word = b.extract_value(added, 0)
            else:
                word = b.add(now, word)
            b.store(word, place, align=8)
        case "float_sum":
            word = _as_double(e, value)
            if mask is not None:
                word = b.select(mask, word, DOUBLE(0.0))
            b.store(b.fadd(b.load(place, typ=DOUBLE, align=8), word), place, align=8)
        case "min" | "max":
            now = b.load(place, typ=I64, align=8)
            better = b.icmp_signed("<" if acc.kind == "min" else ">", word, now)
            b.store(b.select(e.both(mask, better), word, now), place, align=8)
        case "float_min" | "float_max":
            word = _as_double(e, value)
            now = b.load(place, typ=DOUBLE, align=8)
            # NaN is the greatest: it is never taken for the least, unless there is nothing else
            if acc.kind == "float_min":
                nan = b.fcmp_unordered("uno", now, now)
                better = b.or_(b.fcmp_ordered("<", word, now), nan)
            else:
                nan = b.fcmp_unordered("uno", word, word)
                better = b.or_(b.fcmp_ordered(">", word, now), nan)
            b.store(b.select(e.both(mask, better), word, now), place, align=8)


def _as_double(e: Emitter, value: Value) -> Any:
    return e.b.fpext(value.ir, DOUBLE) if value.ir.type == FLOAT else value.ir


def finish(aggregate: Aggregate, words: np.ndarray[Any, Any]) -> pa.Array:
    """The call's value of each group; `words` has a row of the accumulators' words for each."""
    call, acc = aggregate.call, aggregate.value
    column = np.ascontiguousarray(words[:, acc.first])
    if call.function in COUNTS:
        return from_stored(column, pa.int64())
    if call.function == "any_row":
        return from_stored(column > 0, pa.bool_())
    valid: Bools | None = None
    counts = np.zeros(0, np.int64)
    if aggregate.count is not None:
        counts = words[:, aggregate.count.first]
        valid = None if bool((counts > 0).all()) else counts > 0
    if call.function in SUMS:
        return _finish_sum(aggregate, words, column, counts, valid)
    return _finish_extreme(call, column, valid)


def _finish_sum(
    aggregate: Aggregate,
    words: np.ndarray[Any, Any],
    column: Ints,
    counts: Ints,
    valid: Bools | None,
) -> pa.Array:
    call, acc = aggregate.call, aggregate.value
    if acc.kind == "float_sum":
        sums = column.view(np.float64)
        if call.function == "avg":
            sums = sums / np.maximum(counts, 1)
        return from_stored(sums, call.dtype, valid)
    exact = Int128.of(column)
    if acc.kind == "wide_sum":
        exact = Int128(np.ascontiguousarray(words[:, acc.first + 1]), column.view(np.uint64))
    if call.function == "avg":
        t = call.args[0].dtype
        means = divide_exactly(exact, np.maximum(counts, 1), t.scale if is_decimal(t) else 0)
        return from_stored(means, call.dtype, valid)
    return exact_array(exact, call, valid)


def _finish_extreme(call: AggregateCall, column: Ints, valid: Bools | None) -> pa.Array:
    t = call.dtype
    if is_float(t):
        return from_stored(column.view(np.float64).astype(t.to_pandas_dtype()), t, valid)
    if valid is not None:
        column = np.where(valid, column, 0)
    if is_decimal(t):
        return from_stored(column, pa.decimal64(18, t.scale), valid)
    return from_stored(column, t, valid)


def starting_words(accumulators: Sequence[Accumulator]) -> list[int]:
    """The words of all accumulators before the first row."""
    return [word for acc in accumulators for word in acc.start]
