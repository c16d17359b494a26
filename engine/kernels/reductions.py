"""Aggregates that fold values: counts, sums, means, products, extremes, truth and bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from plait.engine.codegen import scatter
from plait.engine.codegen.text_extremes import extreme_texts
from plait.engine.kernels.arguments import Argument, Rows
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.ordinals import entry_numbers, is_text
from plait.engine.kernels.segments import Segments
from plait.engine.kernels.views import (
    Bools,
    Ints,
    from_stored,
    is_stored,
    stored,
    take,
    text_parts,
)
from plait.engine.kernels.words import words_of
from plait.errors import NumericOverflowError, UnsupportedError
from plait.planner.expr import AggregateCall, WindowCall
from plait.planner.types import is_date, is_decimal, is_float, sql_name

Aggregate = Callable[[Rows, AggregateCall], pa.Array]

_DAY = 86_400_000_000  # microseconds


def nulls_where_empty(segments: Segments) -> Bools | None:
    """Validity of results that are NULL for groups without rows."""
    return None if bool(segments.filled.all()) else segments.filled


def count(rows: Rows, call: AggregateCall) -> pa.Array:
    """How many rows, or values that are not NULL."""
    if not call.args:
        return from_stored(rows.segments.sizes, pa.int64())
    return from_stored(rows.argument(call.args[0]).present.sizes, pa.int64())


def size(rows: Rows, call: AggregateCall) -> pa.Array:
    """How many rows."""
    return from_stored(rows.segments.sizes, pa.int64())


def any_row(rows: Rows, call: AggregateCall) -> pa.Array:
    """Whether there is a row."""
    return from_stored(rows.segments.filled, pa.bool_())


def count_if(rows: Rows, call: AggregateCall) -> pa.Array:
    """How many rows are true; NULL where no row is true or false."""
    argument = rows.argument(call.args[0])
    return exact_array(argument.exact_sums, call, nulls_where_empty(argument.present))


def total(rows: Rows, call: AggregateCall) -> pa.Array:
    """The sum; NULL for no values."""
    argument = rows.argument(call.args[0])
    return _total(argument, call, nulls_where_empty(argument.present))


def total_or_zero(rows: Rows, call: AggregateCall) -> pa.Array:
    """The sum; 0 for no values."""
    return _total(rows.argument(call.args[0]), call, None)


def _total(argument: Argument, call: AggregateCall, valid: Bools | None) -> pa.Array:
    if is_float(call.dtype):
        return from_stored(argument.float_sums, call.dtype, valid)
    return exact_array(argument.exact_sums, call, valid)


def exact_array(sums: Int128, call: AggregateCall | WindowCall, valid: Bools | None) -> pa.Array:
    """Exact numbers in a call's type; NumericOverflowError when one does not fit."""
    dtype = call.dtype
    if valid is not None and bool(valid.all()):
        valid = None
    if is_decimal(dtype):
        return sums.to_decimal(dtype, valid)
    values = sums.narrow()
    if values is None:
        raise NumericOverflowError(
            f"The result of {call} does not fit {sql_name(dtype)}; "
            f"write {call.function}(x::hugeint), or cast to double"
        )
    return from_stored(values, dtype, valid)


def mean(rows: Rows, call: AggregateCall) -> pa.Array:
    """The mean: exact sums divided once; dates and times are averaged as times."""
    argument = rows.argument(call.args[0])
    valid = nulls_where_empty(argument.present)
    t = argument.array.type
    counts = np.maximum(argument.present.sizes, 1)
    if is_float(t):
        return from_stored(argument.float_sums / counts, call.dtype, valid)
    if is_float(call.dtype):
        scale = t.scale if is_decimal(t) else 0
        return from_stored(divide_exactly(argument.exact_sums, counts, scale), call.dtype, valid)
    return from_stored(_mean_time(argument, counts), call.dtype, valid)


def divide_exactly(
    sums: Int128, counts: Ints, scale: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Means of scaled integers as doubles, rounded once at the end."""
    divisors = counts.astype(np.longdouble) * np.longdouble(10) ** scale
    return (sums.to_longdouble() / divisors).astype(np.float64)


def _mean_time(argument: Argument, counts: Ints) -> Ints:
    """Means of counts of time. As DuckDB divides: up from more than half, towards zero below 0."""
    values = argument.numbers
    assert not isinstance(values, Int128)
    low = int(values.min()) if len(values) else 0
    per = _DAY if is_date(argument.array.type) else 1
    above = argument.present.sum_ints((values.astype(np.int64) - low) * per)
    whole, rest = above.divide(counts)
    whole += low * per
    return whole + np.where(whole >= 0, rest > counts // 2, rest > 0)


def product(rows: Rows, call: AggregateCall) -> pa.Array:
    """The product as a double; NULL for no values."""
    argument = rows.argument(call.args[0])
    with np.errstate(over="ignore", invalid="ignore"):
        values = argument.present.fold(np.multiply, argument.doubles, 1.0, neutral=1.0)
    return from_stored(values, call.dtype, nulls_where_empty(argument.present))


def product_or_one(rows: Rows, call: AggregateCall) -> pa.Array:
    """The product in the type of a sum; 1 for no values; raises when it does not fit."""
    argument = rows.argument(call.args[0])
    segments = argument.present
    if is_float(call.dtype):
        return from_stored(
            segments.fold(np.multiply, argument.doubles, 1.0, neutral=1.0), call.dtype
        )
    if is_decimal(argument.array.type):
        raise UnsupportedError(f"{call}: products of decimals are not exact; cast to double")
    assert not isinstance(argument.numbers, Int128)
    values = argument.numbers.astype(np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        near = segments.fold(np.multiply, np.abs(argument.doubles).astype(np.longdouble), 1.0)
    zero = segments.fold(np.maximum, (values == 0).view(np.int8), 0) > 0
    if bool((~(near < 2.0**63) & ~zero).any()):
        raise NumericOverflowError(
            f"The result of {call} does not fit {sql_name(call.dtype)}; cast to double"
        )
    with np.errstate(over="ignore"):
        exact = np.where(zero, 0, segments.fold(np.multiply, values, 1, neutral=1))
    return exact_array(Int128.of(exact), call, None)


# ------------------------------------------------------------------------------------- extremes


def minimum(rows: Rows, call: AggregateCall) -> pa.Array:
    """The smallest value; NaN is the greatest."""
    return _extreme(rows.argument(call.args[0]), largest=False)


def maximum(rows: Rows, call: AggregateCall) -> pa.Array:
    """The largest value; NaN is the greatest."""
    return _extreme(rows.argument(call.args[0]), largest=True)


def _extreme(argument: Argument, *, largest: bool) -> pa.Array:
    array, segments = argument.array, argument.present
    fold = segments.largest if largest else segments.smallest
    valid = nulls_where_empty(segments)
    if is_stored(array.type):
        assert not isinstance(argument.numbers, Int128)
        return from_stored(fold(argument.numbers), array.type, valid)
    if (
        isinstance(array, pa.DictionaryArray)
        and len(array.dictionary)
        and is_text(array.type.value_type)
    ):
        return _extreme_entry(argument, array, largest=largest)
    return take(array, extreme_places(argument, largest=largest))


def _extreme_entry(argument: Argument, array: pa.DictionaryArray, *, largest: bool) -> pa.Array:
    """The first or last entry of a dictionary, found among ranks of the entries."""
    segments = argument.present
    ranks = entry_numbers(array.dictionary, ordered=True)
    codes = argument.keep(stored(array.indices))
    if ranks is not None:
        codes = ranks[codes]
    best = segments.largest(codes) if largest else segments.smallest(codes)
    if ranks is not None:
        entries = np.zeros(len(ranks), np.int64)
        entries[ranks] = np.arange(len(ranks))
        best = entries[best]
    indices = from_stored(best, array.indices.type, nulls_where_empty(segments))
    return pa.DictionaryArray.from_arrays(indices, array.dictionary)


def extreme_places(argument: Argument, *, largest: bool) -> Ints:
    """The position of each group's first smallest (largest) value; -1 where there is none."""
    segments = argument.present
    if is_text(argument.array.type):
        hits = _extreme_texts(argument, largest=largest)
    else:
        values = argument.ordinals
        best = segments.largest(values) if largest else segments.smallest(values)
        hits = np.flatnonzero(values == segments.spread(best))
    result = np.full(segments.count, -1, np.int64)
    at = hits if argument.places is None else argument.places[hits]
    result[segments.codes[hits][::-1]] = at[::-1]  # the last assignment stays: the first row
    return result


def _extreme_texts(argument: Argument, *, largest: bool) -> Ints:
    """The rows, not counting NULLs, whose strings are the least (greatest) of their groups.

    Of many rows the first such in each group. Of few they are found from the front, some bytes at
    a time; there are few rows left after the first.
    """
    segments = argument.present
    if segments.rows >= scatter.LONG:
        offsets, data = text_parts(argument.array)
        groups = None if segments.count == 1 else segments.codes.astype(np.int64, copy=False)
        places = argument.places
        best = extreme_texts(
            offsets, data, segments.rows, places, groups, segments.count, greatest=largest
        )
        return best[best >= 0]
    hits = np.arange(segments.rows)
    for word in words_of(argument.array, descending=False, nulls_first=False):
        if not word.bits:
            continue
        if len(hits) <= segments.count and segments.sizes.max(initial=0) <= 1:
            break
        everything = argument.places is None and len(hits) == len(argument.array)
        rows = hits if argument.places is None else argument.places[hits]
        values = word.read(None if everything else rows)
        best = segments.largest(values) if largest else segments.smallest(values)
        same = np.flatnonzero(values == segments.spread(best))
        hits, segments = hits[same], segments.select(same)
    return hits


# -------------------------------------------------------------------------------- truth and bits


def every(rows: Rows, call: AggregateCall) -> pa.Array:
    """Whether all are true; NULL for no values."""
    return _extreme(rows.argument(call.args[0]), largest=False)


def some(rows: Rows, call: AggregateCall) -> pa.Array:
    """Whether any is true; NULL for no values."""
    return _extreme(rows.argument(call.args[0]), largest=True)


def _bits(ufunc: np.ufunc) -> Aggregate:
    def fold(rows: Rows, call: AggregateCall) -> pa.Array:
        argument = rows.argument(call.args[0])
        segments, values = argument.present, argument.numbers
        valid = nulls_where_empty(segments)
        if isinstance(values, Int128):
            halves = Int128(
                segments.fold(ufunc, values.high, 0), segments.fold(ufunc, values.low, 0)
            )
            return halves.to_decimal(call.dtype, valid)
        result = segments.fold(ufunc, values, 0)
        if is_decimal(call.dtype):
            return Int128.of(result).to_decimal(call.dtype, valid)
        return from_stored(result, call.dtype, valid)

    return fold


REDUCTIONS: dict[str, Aggregate] = {
    "count": count,
    "count_merge": total_or_zero,
    "size": size,
    "any_row": any_row,
    "count_if": count_if,
    "sum": total,
    "pandas_sum": total_or_zero,
    "avg": mean,
    "product": product,
    "prod": product_or_one,
    "min": minimum,
    "max": maximum,
    "bool_and": every,
    "bool_or": some,
    "bit_and": _bits(np.bitwise_and),
    "bit_or": _bits(np.bitwise_or),
    "bit_xor": _bits(np.bitwise_xor),
}
