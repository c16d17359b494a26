"""Dates and times as numpy integers, and the calendar arithmetic shared by temporal kernels.

A date is days since 1970, a timestamp counts units since then, an interval is months, days and
nanoseconds that stay apart. Columns come in as `stored` integers with a validity; a constant
becomes an array of one element, which numpy repeats by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.encoding import Value, length_of
from plait.engine.kernels.views import Bools, Ints, from_stored, pack_bits, stored, validity
from plait.errors import ConversionError

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
SECONDS_PER_DAY = 86_400
NANOS_PER_DAY = SECONDS_PER_DAY * 1_000_000_000

INTERVAL_LAYOUT = np.dtype([("months", "i4"), ("days", "i4"), ("nanos", "i8")])


class Interval(NamedTuple):
    """Intervals as three arrays of int64."""

    months: Ints
    days: Ints
    nanos: Ints


def column_of(value: Value) -> pa.Array:
    """The argument as a column; a constant is a column of one row."""
    return value if isinstance(value, pa.Array) else pa.array([value.as_py()], value.type)


def ints_of(value: Value) -> Ints:
    """The stored integers of a date, time, timestamp or number argument, as int64."""
    if isinstance(value, pa.Scalar) and not pat.is_integer(value.type):
        value = value.cast(pa.int64() if value.type.bit_width == 64 else pa.int32())
    column = column_of(value)
    values = stored(column).astype(np.int64, copy=False)
    # pandas leaves its NaT, the least integer, where a NULL is: that must not count as an overflow
    valid = validity(column)
    return values if valid is None else np.where(valid, values, 0)


def valid_of(args: Sequence[Value]) -> Bools | None:
    """Where all arguments are there; None for everywhere."""
    found = None
    for arg in args:
        valid = validity(column_of(arg))
        if valid is not None:
            found = valid if found is None else found & valid
    if found is not None and len(found) != length_of(args):
        return np.broadcast_to(found, (length_of(args),))
    return found


def intervals_of(value: Value) -> Interval:
    """The parts of an interval argument; parts of NULLs are zero."""
    array = column_of(value)
    n = len(array)
    data = array.buffers()[1]
    if data is None or not n:
        zeros = np.zeros(n, np.int64)
        return Interval(zeros, zeros, zeros)
    parts = np.frombuffer(data, INTERVAL_LAYOUT, n, array.offset * INTERVAL_LAYOUT.itemsize)
    found = Interval(*(parts[name].astype(np.int64) for name in ("months", "days", "nanos")))
    valid = validity(array)
    return found if valid is None else Interval(*(np.where(valid, part, 0) for part in found))


def from_intervals(parts: Interval, valid: Bools | None, length: int) -> pa.Array:
    """An interval column; ConversionError when months or days pass 32 bits."""
    records = np.empty(length, INTERVAL_LAYOUT)
    for name, part in zip(("months", "days", "nanos"), parts, strict=True):
        part = np.asarray(part)
        if name != "nanos" and part.size and max(-int(part.min()), int(part.max())) >= 1 << 31:
            raise ConversionError(f"An interval of that many {name} is too long")
        records[name] = part
    bitmap = None if valid is None else pack_bits(valid)
    return pa.Array.from_buffers(
        pa.month_day_nano_interval(), length, [bitmap, pa.py_buffer(records)], null_count=-1
    )


def from_ints(values: Ints, t: pa.DataType, valid: Bools | None, length: int) -> pa.Array:
    """A column of stored integers, checked against the type's width."""
    values = np.asarray(values)
    if t.bit_width == 32 and values.dtype.itemsize > 4 and values.size:
        seen = values if valid is None else np.where(valid, values, 0)
        if int(seen.min()) < -(1 << 31) or int(seen.max()) >= 1 << 31:
            raise out_of_range(t)
    if values.shape != (length,):
        values = np.broadcast_to(values, (length,))
    return from_stored(values, t, valid)


def out_of_range(t: pa.DataType) -> ConversionError:
    """The error for a date or time beyond what its type can hold."""
    return ConversionError(f"A date or time is out of the range of {t}")


def add_checked(a: Ints, b: Ints, t: pa.DataType) -> Ints:
    """The sum of two arrays of int64; ConversionError if it wraps."""
    if a.size and b.size:
        least, most = int(a.min()) + int(b.min()), int(a.max()) + int(b.max())
        if least < -(1 << 63) or most >= 1 << 63:
            total = a + b
            if bool((((a ^ total) & (b ^ total)) < 0).any()):
                raise out_of_range(t)
            return total
    return np.asarray(a + b)


def unit_of(t: pa.DataType) -> int:
    """How many units a day has in a date, time or timestamp type."""
    return 1 if pat.is_date32(t) else SECONDS_PER_DAY * PER_SECOND[t.unit]


def add_months(days: Ints, months: Ints) -> Ints:
    """Days since 1970, so many months later; the day of the month is cut to the month's length."""
    if not months.any():
        return days
    month = days.astype("M8[D]").astype("M8[M]")
    day = days - month.astype("M8[D]").astype(np.int64)
    moved = month.astype(np.int64) + months
    first = moved.astype("M8[M]").astype("M8[D]").astype(np.int64)
    last = (moved + 1).astype("M8[M]").astype("M8[D]").astype(np.int64) - first - 1
    return np.asarray(first + np.minimum(day, last))


def civil(days: Ints) -> tuple[Ints, Ints, Ints]:
    """Year, month and day of days since 1970."""
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    year = dates.astype("M8[Y]").astype(np.int64) + 1970
    month = months.astype(np.int64) - (year - 1970) * 12 + 1
    day = days - months.astype("M8[D]").astype(np.int64) + 1
    return year, month, day


def by_day(days: Ints, function: Callable[[Ints], Ints]) -> Ints:
    """A function of days since 1970, worked out once per day if they lie close together.

    A column's days are mostly few beside its rows, and a lookup is several times faster than
    civil arithmetic.
    """
    if len(days) < 64:
        return function(days.astype(np.int64, copy=False))
    low, high = int(days.min()), int(days.max())
    if high - low > len(days):
        return function(days.astype(np.int64, copy=False))
    table = function(np.arange(low, high + 1))
    return np.asarray(table.take(days - np.asarray(low, days.dtype)))


def days_from_civil(year: Any, month: Any, day: Any) -> Ints:
    """Days since 1970 of a date; parts are not checked."""
    months = (np.asarray(year, np.int64) - 1970) * 12 + np.asarray(month, np.int64) - 1
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    return np.asarray(first + np.asarray(day, np.int64) - 1)
