"""Aggregates over the sorted or the distinct values of a group: median, quantiles, counts, entropy.

Positions are DuckDB's: a discrete quantile is the value at ceil(n q), at least the first; an
interpolated one lies between the values around (n - 1) q. Decimals and times are interpolated in
their own type and rounded as DuckDB does.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.arguments import Argument, Rows
from plait.engine.kernels.int128 import Int128, decimal_values
from plait.engine.kernels.reductions import Aggregate, nulls_where_empty
from plait.engine.kernels.segments import Floats
from plait.engine.kernels.views import Ints, from_stored, is_stored, stored, take
from plait.errors import PlanError
from plait.planner.expr import AggregateCall
from plait.planner.types import is_date, is_decimal, is_float, is_integer

_DAY = 86_400_000_000  # microseconds
_SMALL_DECIMAL = 18  # digits; wider ones are interpolated from the lower value on


def _median(rows: Rows, call: AggregateCall) -> pa.Array:
    return _one(rows.argument(call.args[0]), 0.5, call.dtype, interpolated=True)


def _quantile(interpolated: bool) -> Aggregate:
    def compute(rows: Rows, call: AggregateCall) -> pa.Array:
        argument = rows.argument(call.args[0])
        share = rows.constant(call, 1)
        if share is None:
            return pa.nulls(rows.segments.count, call.dtype)
        if not isinstance(share, list | tuple):
            return _one(argument, share, call.dtype, interpolated=interpolated)
        inner = call.dtype.value_type
        parts = [_one(argument, q, inner, interpolated=interpolated) for q in share]
        return _lists(parts, argument, inner)

    return compute


def _lists(parts: list[pa.Array], argument: Argument, inner: pa.DataType) -> pa.Array:
    """One list a group of the parts' values for it; NULL for no values."""
    groups, width = argument.present.count, len(parts)
    filled = argument.present.filled
    if not parts:
        values = pa.array([], inner)
    else:
        together = pa.concat_arrays([p.cast(inner) for p in parts])
        at = np.arange(width) * groups + np.flatnonzero(filled)[:, None]
        values = together.take(pa.array(at.ravel()))
    offsets = np.zeros(groups + 1, np.int32)
    np.cumsum(filled * width, out=offsets[1:])
    mask = None if bool(filled.all()) else pa.array(~filled)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def _one(argument: Argument, share: float, dtype: pa.DataType, *, interpolated: bool) -> pa.Array:
    if not -1 <= share <= 1:
        raise PlanError(f"A quantile is between 0 and 1 (or -1, from the top), not {share}")
    t = argument.array.type
    between = interpolated and (is_stored(t) or is_decimal(t)) and not pat.is_boolean(t)
    sizes = argument.present.sizes
    if not between:
        return take(argument.array, _places(argument, _discrete(sizes, share)))
    exact = (sizes - 1) * abs(share)
    if share < 0:
        exact = np.maximum(sizes - 1 - exact, 0)
    exact = np.maximum(exact, 0)
    below = np.floor(exact)
    low = take(argument.array, _places(argument, below.astype(np.int64)))
    high = take(argument.array, _places(argument, np.ceil(exact).astype(np.int64)))
    values = _between(low, high, exact - below, dtype)
    valid = nulls_where_empty(argument.present)
    if isinstance(values, Int128):
        return values.to_decimal(dtype, valid)
    if is_decimal(dtype):
        return Int128.of(values).to_decimal(dtype, valid)
    return from_stored(values, dtype, valid)


def _places(argument: Argument, position: Ints) -> Ints:
    """Rows of the group's values at sorted positions; -1 for no values."""
    segments = argument.present
    if not segments.rows:
        return np.full(segments.count, -1, np.int64)
    at = np.where(segments.filled, segments.starts + position, 0)
    return np.where(segments.filled, argument.sorted_places[at], -1)


def _discrete(sizes: Ints, share: float) -> Ints:
    """The position of the value at the share, from 0."""
    exact = Fraction(repr(abs(share)))  # as it was written: 0.3 is three tenths
    if exact.denominator < 1 << 31:
        beyond = sizes * (exact.denominator - exact.numerator) // exact.denominator
    else:
        beyond = np.floor(sizes - abs(share) * sizes).astype(np.int64)
    position = np.maximum(sizes - beyond, 1) - 1
    chosen: Ints = sizes - 1 - position if share < 0 else position
    return chosen


def _between(low: pa.Array, high: pa.Array, part: Floats, dtype: pa.DataType) -> Any:
    if is_decimal(low.type):
        return _between_decimals(decimal_values(low), decimal_values(high), part, dtype)
    a, b = stored(low), stored(high)
    if is_float(dtype) and (is_integer(low.type) or is_float(low.type)):
        with np.errstate(invalid="ignore", over="ignore"):
            a, b = a.astype(np.float64), b.astype(np.float64)
            return np.where((part == 0) | (a == b), a, a + (b - a) * part)  # inf - inf is no number
    if is_date(low.type):
        a, b = a.astype(np.int64) * _DAY, b.astype(np.int64) * _DAY
    a, b = a.astype(np.int64), b.astype(np.int64)
    exact = a + (b - a) * part
    rounded = np.where(exact >= 0, np.floor(exact + 0.5), np.ceil(exact - 0.5))
    return np.where(part == 0, a, rounded.astype(np.int64))


def _between_decimals(
    low: Ints | Int128, high: Ints | Int128, part: Floats, dtype: pa.DataType
) -> Ints | Int128:
    if isinstance(low, Int128) or isinstance(high, Int128):
        wide = low if isinstance(low, Int128) else Int128.of(low)
        above = (high if isinstance(high, Int128) else Int128.of(high)).minus(wide)
        return wide.plus(above.scaled(part))
    a, b = low.astype(np.int64), high.astype(np.int64)
    if dtype.precision > _SMALL_DECIMAL:
        steps: Ints = ((b - a) * part).astype(np.int64)
        return a + steps
    return np.where(part == 0, a, (a + (b - a) * part).astype(np.int64))


def _different(rows: Rows, call: AggregateCall) -> pa.Array:
    argument = rows.argument(call.args[0])
    _, owner, _ = argument.values
    return from_stored(np.bincount(owner, minlength=argument.present.count), pa.int64())


def _entropy(rows: Rows, call: AggregateCall) -> pa.Array:
    argument = rows.argument(call.args[0])
    _, owner, times = argument.values
    share = times / argument.present.sizes[owner]
    bits = np.bincount(owner, -share * np.log2(share), minlength=argument.present.count)
    return from_stored(bits, call.dtype)


QUANTILES: dict[str, Aggregate] = {
    "median": _median,
    "quantile_cont": _quantile(True),
    "quantile_disc": _quantile(False),
    "approx_quantile": _quantile(False),
    "nunique": _different,
    "approx_count_distinct": _different,
    "entropy": _entropy,
}
