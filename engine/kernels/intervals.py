"""Arithmetic with dates, times, timestamps, intervals and durations: + - * / and unary minus.

Adding an interval adds its months first (the day is cut to the month's length), then its days, then
its time; taking one away adds the opposite. Two timestamps differ by whole days and a rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import (
    NANOS_PER_DAY,
    PER_SECOND,
    Interval,
    add_checked,
    add_months,
    by_day,
    from_intervals,
    from_ints,
    intervals_of,
    ints_of,
    out_of_range,
    unit_of,
    valid_of,
)
from plait.engine.kernels.encoding import Value, length_of
from plait.engine.kernels.views import Bools, Ints, from_stored, stored
from plait.errors import ComputeError, ConversionError
from plait.planner.types import is_interval

_MICROS_PER_DAY = NANOS_PER_DAY // 1000


def span_add(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The sum of two values of which at least one is a date, time or span."""
    a, b = args
    if (is_interval(a.type) and not is_interval(b.type)) or pat.is_duration(a.type):
        a, b = b, a
    if (pat.is_time(a.type) and pat.is_date(b.type)) or pat.is_integer(a.type):
        a, b = b, a
    return _move(a, b, result, 1)


def span_subtract(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The difference of two values of which at least one is a date, time or span."""
    a, b = args
    if pat.is_date(a.type) and pat.is_date(b.type):
        return from_ints(ints_of(a) - ints_of(b), result, valid_of(args), length_of(args))
    if pat.is_timestamp(a.type) and pat.is_timestamp(b.type):
        if pat.is_duration(result):
            return pc.subtract(a, b).cast(result)
        return _apart(args)
    return _move(a, b, result, -1)


def _apart(args: Sequence[Value]) -> pa.Array:
    """Two timestamps' distance as days and time, both with its sign."""
    t = args[0].type
    distance = add_checked(ints_of(args[0]), -ints_of(args[1]), t)
    units = unit_of(t)
    rest = np.fmod(distance, units)
    days = (distance - rest) // units
    nanos = rest * (1_000_000_000 // PER_SECOND[t.unit])
    valid = valid_of(args)
    if valid is not None:
        days, nanos = np.where(valid, days, 0), np.where(valid, nanos, 0)
    return from_intervals(Interval(np.zeros_like(days), days, nanos), valid, length_of(args))


def _move(base: Value, span: Value, result: pa.DataType, sign: int) -> pa.Array:
    """`base` moved by a span."""
    n, valid = length_of((base, span)), valid_of((base, span))
    t = base.type
    if is_interval(t):
        parts = (
            add_checked(x, sign * y, t)
            for x, y in zip(intervals_of(base), intervals_of(span), strict=True)
        )
        return from_intervals(Interval(*parts), valid, n)
    if pat.is_duration(t) or pat.is_duration(span.type):
        operation = pc.add_checked if sign > 0 else pc.subtract_checked
        try:
            moved = operation(_without_nulls(base), _without_nulls(span)).cast(result)
            return moved if valid is None else from_stored(stored(moved), result, valid)
        except pa.ArrowInvalid:
            raise out_of_range(result) from None
    start = ints_of(base)
    if pat.is_date(t) and pat.is_integer(span.type):
        return from_ints(add_checked(start, sign * ints_of(span), t), result, valid, n)
    if pat.is_date(t) and pat.is_time(span.type):
        return from_ints(_to_micros(start) + ints_of(span), result, valid, n)
    interval = Interval(*(sign * part for part in intervals_of(span)))
    if pat.is_time(t):
        return from_ints(_clock(start + interval.nanos // 1000), result, valid, n)
    return from_ints(_moved(start, t, interval, result, valid), result, valid, n)


def _without_nulls(value: Value) -> Value:
    """A column with zero where a NULL is: Arrow looks for overflow there too."""
    if isinstance(value, pa.Array) and value.null_count:
        return pc.fill_null(value, pa.scalar(0, pa.int64()).cast(value.type))
    return value


def _to_micros(days: Ints) -> Ints:
    return np.asarray(days * _MICROS_PER_DAY)


def _clock(micros: Ints) -> Ints:
    return np.asarray(np.mod(micros, _MICROS_PER_DAY))


def _moved(
    start: Ints, t: pa.DataType, span: Interval, result: pa.DataType, valid: Bools | None
) -> Ints:
    """A date or timestamp moved by an interval, in the units of the result."""
    per_day = unit_of(result)
    nanos_per_unit = NANOS_PER_DAY // per_day
    if valid is not None:
        start = np.where(valid, start, 0)
    if pat.is_date(t):
        days, rest = start, None
    else:
        if not span.months.any():
            return add_checked(start, span.days * per_day + span.nanos // nanos_per_unit, result)
        days = start // per_day
        rest = start - days * per_day
    if len(span.months) == 1 and len(days) > 1:
        months, more = span.months, span.days
        days = by_day(days, lambda d: add_months(d, months) + more)
    else:
        days = add_months(days, span.months) + span.days
    if days.size and max(-int(days.min()), int(days.max())) > (1 << 63) // per_day:
        raise out_of_range(result)
    moved = add_checked(days * per_day, span.nanos // nanos_per_unit, result)
    return moved if rest is None else add_checked(moved, rest, result)


def span_multiply(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A span times a number."""
    span, factor = args
    if is_interval(factor.type) or pat.is_duration(factor.type):
        span, factor = factor, span
    if pat.is_duration(result):
        return pc.multiply_checked(span, factor)
    n, valid = length_of(args), valid_of(args)
    if pat.is_integer(factor.type):
        times = ints_of(factor)
        parts = Interval(*(_times(part, times) for part in intervals_of(span)))
        return from_intervals(parts, valid, n)
    return _scaled_span(span, _floats(factor, valid), valid, n, divide=False)


def _times(part: Ints, times: Ints) -> Ints:
    with np.errstate(over="ignore"):
        found = part * times
    if bool((np.abs(part.astype(np.float64) * times) > 9.2e18).any()):
        raise ConversionError("An interval times that number is too long")
    return np.asarray(found)


def span_divide(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A span divided by a number, or a duration by a duration."""
    span, by = args
    if pat.is_duration(by.type):
        counts = [x.cast(pa.int64()).cast(pa.float64(), safe=False) for x in args]
        return pc.divide(*counts)
    if pat.is_duration(result):
        return pc.divide_checked(span.cast(pa.int64()), by.cast(pa.int64())).cast(result)
    n, valid = length_of(args), valid_of(args)
    return _scaled_span(span, _floats(by, valid), valid, n, divide=True)


def _floats(value: Value, valid: Bools | None) -> Ints:
    if isinstance(value, pa.Scalar):
        return np.array([value.as_py()], np.float64)
    values = value.fill_null(1).to_numpy(zero_copy_only=False).astype(np.float64)
    return values if valid is None else np.where(valid, values, 1.0)


def _scaled_span(
    span: Value, by: Ints, valid: Bools | None, length: int, *, divide: bool
) -> pa.Array:
    """An interval times or divided by a float; a rest of a month counts 30 days."""
    if divide and (by == 0).any():
        raise ComputeError("Division of an interval by zero")
    months, days, nanos = (p.astype(np.float64) for p in intervals_of(span))
    months, days, nanos = (p / by if divide else p * by for p in (months, days, nanos))
    if not all(np.isfinite(p).all() for p in (months, days, nanos)):
        raise ConversionError("An interval times that number is too long")
    whole_months = np.trunc(months)
    days = days + np.round((months - whole_months) * 30, 9)
    whole_days = np.trunc(days)
    micros = np.rint((nanos + np.round(days - whole_days, 12) * NANOS_PER_DAY) / 1000)
    parts = Interval(
        whole_months.astype(np.int64), whole_days.astype(np.int64), micros.astype(np.int64) * 1000
    )
    return from_intervals(parts, valid, length)


def span_negate(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The opposite span."""
    (span,) = args
    if pat.is_duration(result):
        return pc.negate_checked(span)
    parts = Interval(*(-part for part in intervals_of(span)))
    return from_intervals(parts, valid_of(args), length_of(args))
