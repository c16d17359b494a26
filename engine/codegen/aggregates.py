"""Aggregates in a loop: which accumulators a call needs, and what they give in the end.

Sums of integers and decimals are exact, in one word where that is likely to hold them (it traps
when not), else in two. The results are those of the kernels (`plait.engine.kernels`), states of
partial aggregates included, so that either tier may merge what the other made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import arrays
from plait.engine.codegen.accumulators import SOME, Accumulator, Accumulators
from plait.engine.codegen.emit import NotCompiledError, Value
from plait.engine.kernels import moments
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.reductions import divide_exactly, exact_array
from plait.engine.kernels.views import Bools, Ints, from_stored
from plait.planner.expr import AggregateCall, Cast, Expr
from plait.planner.types import DOUBLE, STRING, is_decimal, is_float

_FEW_BITS = 1 << 47  # sums of values below this go into one word, and trap should they pass it


@dataclass(frozen=True)
class Aggregate:
    """A call with its accumulators: of the value, and of how many there were (None: no matter)."""

    name: str
    call: AggregateCall
    value: Accumulator
    count: Accumulator | None


_COUNTS = ("count", "size", "regr_count")
_SUMS = ("sum", "pandas_sum", "count_merge", "avg", "count_if")
_FOLDS = ("product", "prod", "bit_and", "bit_or", "bit_xor")
_EXTREMES = ("min", "max", "bool_and", "bool_or")
_PICKS = {
    "first": "first_row",
    "last": "last_row",
    "any_value": "first_value",
    "pandas_first": "first_value",
    "pandas_last": "last_value",
}
_STATES = ("moments", "comoments")
_ZERO_OF_NONE = ("pandas_sum", "count_merge", "prod")
KNOWN = {
    *_COUNTS,
    *_SUMS,
    *_FOLDS,
    *_EXTREMES,
    *_PICKS,
    *_STATES,
    *moments.SINGLE,
    *moments.PAIRED,
    "any_row",
}


def has_compiled_form(call: AggregateCall) -> bool:
    """Whether an aggregate may be computed in a loop, as far as its function tells."""
    return call.function in KNOWN and not call.distinct and not call.order_by


def plan_aggregate(
    name: str, call: AggregateCall, value_of: Callable[[Expr], Value], into: Accumulators
) -> Aggregate:
    """The accumulators of a call; `value_of` emits an argument."""
    if not has_compiled_form(call):
        raise NotCompiledError(f"{call} has no compiled form")
    where = call.filter
    values = [value_of(a) for a in call.args]
    counted = call.args if any(v.valid is not None for v in values) else ()
    if call.function in _COUNTS or call.function == "any_row":
        return Aggregate(name, call, into.add("count", counted, where), None)
    if call.function in _PICKS:
        (value,) = values
        kind = ("wide_" if value.is_wide else "") + _PICKS[call.function]
        return Aggregate(name, call, into.add(kind, call.args, where, value.codes), None)
    if call.function in _STATES or call.function in moments.SINGLE | moments.PAIRED:
        return Aggregate(name, call, _plan_moments(call, value_of, into), None)
    count = None
    if call.function not in _ZERO_OF_NONE:
        count = into.add("count", counted, where)
    (value,) = values
    kind = _kind(call, value)
    return Aggregate(name, call, into.add(kind, call.args, where, value.codes), count)


def _plan_moments(
    call: AggregateCall, value_of: Callable[[Expr], Value], into: Accumulators
) -> Accumulator:
    args = tuple(a if a.dtype == DOUBLE else Cast(a, DOUBLE) for a in call.args)
    for arg in args:
        value_of(arg)
    if len(args) == 2:
        kind = "pair"
    elif call.function == "moments":
        kind = "shape" if call.dtype.get_field_index("m4") >= 0 else "moments"
    else:
        kind = "shape" if call.function in moments.SHAPES else "moments"
    return into.add(kind, args, call.filter)


def _kind(call: AggregateCall, value: Value) -> str:
    """The accumulator of a call that folds one value."""
    function = call.function
    if value.codes is not None:
        if function in ("min", "max"):
            return f"text_{function}"
        raise NotCompiledError(f"{call} of strings has no compiled form")
    floats = is_float(value.dtype)
    if function in _SUMS:
        if floats:
            if call.dtype != pa.float64():
                raise NotCompiledError(f"{call} has no compiled form")
            return "float_sum"
        if function == "avg" and not is_float(call.dtype):
            raise NotCompiledError(f"{call} has no compiled form")
        return "sum" if max(-value.low, value.high) < _FEW_BITS else "wide_sum"
    if function in _FOLDS:
        return _fold_kind(call, value)
    least = "min" if function in ("min", "bool_and") else "max"
    return f"float_{least}" if floats else f"wide_{least}" if value.is_wide else least


def _fold_kind(call: AggregateCall, value: Value) -> str:
    if call.function == "product" or is_float(call.dtype):
        if value.dtype == call.dtype == DOUBLE:
            return "float_product"
    elif not (is_decimal(value.dtype) or is_decimal(call.dtype) or value.is_wide):
        return "product" if call.function == "prod" else call.function
    raise NotCompiledError(f"{call} has no compiled form")


# ----------------------------------------------------------------------------------------- results

Records = np.ndarray[Any, np.dtype[np.int64]]


def finish(aggregate: Aggregate, words: Records, dictionaries: Sequence[pa.Array]) -> pa.Array:
    """The call's value of each group; `words` has a row of the accumulators' words for each."""
    call, acc = aggregate.call, aggregate.value
    own = words[:, acc.first : acc.first + acc.words]
    if call.function in _COUNTS:
        return from_stored(arrays.copied(own[:, 0]), call.dtype)
    if call.function == "any_row":
        return from_stored(own[:, 0] > 0, pa.bool_())
    if acc.kind in ("moments", "shape", "pair"):
        return _finish_moments(call, acc, own)
    entries = None if acc.text is None else dictionaries[acc.text]
    if call.function in _PICKS:
        valid = own[:, 0] == SOME
        return stored_column(_number(own[:, 1:]), call.dtype, _unless_all(valid), entries)
    valid = None
    counts = np.zeros(0, np.int64)
    if aggregate.count is not None:
        counts = words[:, aggregate.count.first]
        valid = _unless_all(counts > 0)
    if call.function in _SUMS:
        return _finish_sum(call, own, counts, valid)
    return stored_column(_number(own), call.dtype, valid, entries)


def _unless_all(valid: Bools) -> Bools | None:
    return None if bool(valid.all()) else valid


def _number(words: Records) -> Ints | Int128:
    """An integer of one word, or of two."""
    low = arrays.copied(words[:, 0])
    if words.shape[1] == 1:
        return low
    return Int128(arrays.copied(words[:, 1]), low.view(np.uint64))


def _narrow(words: Records) -> Ints | Int128:
    """An integer of two words only if some value needs them."""
    if words.shape[1] == 1:
        return _number(words)
    low = arrays.copied(words[:, 0])
    narrow = Int128(words[:, 1], low.view(np.uint64)).narrow()
    return _number(words) if narrow is None else narrow


def _finish_sum(call: AggregateCall, own: Records, counts: Ints, valid: Bools | None) -> pa.Array:
    sums = _narrow(own)
    t = call.args[0].dtype
    if is_float(t):
        assert not isinstance(sums, Int128)
        totals = sums.view(np.float64)
        if call.function == "avg":
            totals = totals / np.maximum(counts, 1)
        return from_stored(totals, call.dtype, valid)
    exactly = call.function != "avg" and is_decimal(call.dtype)
    if exactly and not isinstance(sums, Int128) and _has_18_digits(sums, call.dtype):
        return from_stored(sums, pa.decimal64(18, call.dtype.scale), valid)
    exact = sums if isinstance(sums, Int128) else Int128.of(sums)
    if call.function == "avg":
        scale = t.scale if is_decimal(t) else 0
        means = divide_exactly(exact, np.maximum(counts, 1), scale)
        return from_stored(means, call.dtype, valid)
    return exact_array(exact, call, valid)


def _has_18_digits(sums: Any, t: pa.DataType) -> bool:
    """Whether integers are decimals of a type, and of 64 bits."""
    most = 10 ** min(18, t.precision)
    return t.scale <= 18 and (not len(sums) or -most < int(sums.min()) <= int(sums.max()) < most)


def _finish_moments(call: AggregateCall, acc: Accumulator, own: Records) -> pa.Array:
    n, *columns = np.ascontiguousarray(own.T).view(np.float64)
    if acc.kind == "pair":
        shift_y, shift_x, mean_y, mean_x, *sums = columns
        pair = moments.Comoments(n, mean_y + shift_y, mean_x + shift_x, *sums)
        if call.function in _STATES:
            return moments.to_struct(pair, call.dtype)
        return moments.answer_array(lambda: moments.PAIRED[call.function](pair))
    shift, mean, m2, *higher = columns
    single = moments.Moments(n, mean + shift, m2, *(higher or [m2, m2]))
    if call.function in _STATES:
        return moments.to_struct(single, call.dtype)
    return moments.answer_array(lambda: moments.SINGLE[call.function](single))


def stored_column(
    values: Ints | Int128, t: pa.DataType, valid: Bools | None, entries: pa.Array | None = None
) -> pa.Array:
    """Words as an array of a logical type, NULL where not valid; numbers of strings' `entries`."""
    if isinstance(values, Int128):
        if valid is not None:
            values = Int128(np.where(valid, values.high, 0), np.where(valid, values.low, 0))
        return values.to_decimal(t, valid)
    if is_float(t):
        return from_stored(values.view(np.float64).astype(t.to_pandas_dtype()), t, valid)
    if valid is not None:
        values = np.where(valid, values, 0)
    if t == STRING:
        codes = from_stored(values, pa.int32(), valid)
        assert entries is not None
        return pa.DictionaryArray.from_arrays(codes, entries, safe=False)
    if is_decimal(t):
        return from_stored(values, pa.decimal64(18, t.scale), valid)
    return from_stored(values, t, valid)
