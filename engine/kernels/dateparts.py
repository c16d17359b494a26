"""Parts of dates, timestamps, times and intervals, and truncation to them.

Everything that depends on the day alone is worked out once per day (`by_day`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import (
    PER_SECOND,
    SECONDS_PER_DAY,
    Interval,
    by_day,
    civil,
    days_from_civil,
    from_intervals,
    from_ints,
    intervals_of,
    ints_of,
    out_of_range,
    unit_of,
    valid_of,
)
from plait.engine.kernels.encoding import Kernel, Value, array_of, length_of, per_entry
from plait.engine.kernels.patterns import by_pattern
from plait.engine.kernels.views import Bools, Ints, stored, validity
from plait.errors import ComputeError, UnsupportedError
from plait.planner.functions.temporal import part_name
from plait.planner.types import is_interval

DayFunction = Callable[[Ints], Ints]


class Moments(NamedTuple):
    """Dates or timestamps in their zone: days, and units since midnight (None for dates)."""

    days: Ints
    rest: Ints | None
    per_second: int
    valid: Bools | None


def local(value: Value) -> Value:
    """A timestamp with time zone as the local time of its zone."""
    t = value.type
    if not pat.is_timestamp(t) or t.tz is None:
        return value
    if t.tz.upper() in ("UTC", "Z", "+00:00", "ETC/UTC"):
        return value.cast(pa.timestamp(t.unit))
    return pc.local_timestamp(value)


def zoned(array: pa.Array, t: pa.DataType) -> pa.Array:
    """Local times as points in time of a type with zone; others as they are."""
    if not pat.is_timestamp(t) or t.tz is None:
        return array
    return pc.assume_timezone(array, t.tz, ambiguous="earliest", nonexistent="latest").cast(t)


def days_of(value: Value) -> tuple[Ints, Bools | None]:
    """The days alone of a date or timestamp argument: int32 or int64, zero for NULL."""
    value = local(value)
    if pat.is_date(value.type) and isinstance(value, pa.Array):
        ints, valid = stored(value), validity(value)
    else:
        ints, valid = ints_of(value), valid_of((value,))
    if valid is not None:
        ints = np.where(valid, ints, np.asarray(0, ints.dtype))
    return (ints if pat.is_date(value.type) else ints // unit_of(value.type)), valid


def moments_of(value: Value) -> Moments:
    """The days and times of a date or timestamp argument."""
    value = local(value)
    ints, valid = ints_of(value), valid_of((value,))
    if valid is not None:
        ints = np.where(valid, ints, 0)
    if pat.is_date(value.type):
        return Moments(ints, None, 1, valid)
    per_day = unit_of(value.type)
    days = ints // per_day
    return Moments(days, ints - days * per_day, PER_SECOND[value.type.unit], valid)


def _week_start(days: Ints) -> Ints:
    return np.asarray(days - (days + 3) % 7)


def _iso(days: Ints) -> tuple[Ints, Ints]:
    """ISO year and week: those of the week's Thursday."""
    thursday = _week_start(days) + 3
    year = civil(thursday)[0]
    return year, (thursday - days_from_civil(year, 1, 1)) // 7 + 1


def _truncated(a: Ints, by: int) -> Ints:
    return np.asarray(np.sign(a) * (np.abs(a) // by))


def _century(year: Ints, by: int) -> Ints:
    return np.where(year > 0, (year - 1) // by + 1, _truncated(year, by) - 1)


def _yearweek(days: Ints) -> Ints:
    year, week = _iso(days)
    return np.asarray(year * 100 + np.where(year >= 0, week, -week))


DAY_PARTS: dict[str, DayFunction] = {
    "year": lambda d: civil(d)[0],
    "isoyear": lambda d: _iso(d)[0],
    "quarter": lambda d: (civil(d)[1] - 1) // 3 + 1,
    "month": lambda d: civil(d)[1],
    "week": lambda d: _iso(d)[1],
    "yearweek": _yearweek,
    "day": lambda d: civil(d)[2],
    "dayofweek": lambda d: (d + 4) % 7,
    "isodow": lambda d: (d + 3) % 7 + 1,
    "dayofyear": lambda d: d - days_from_civil(civil(d)[0], 1, 1) + 1,
    "decade": lambda d: _truncated(civil(d)[0], 10),
    "century": lambda d: _century(civil(d)[0], 100),
    "millennium": lambda d: _century(civil(d)[0], 1000),
    "era": lambda d: (civil(d)[0] > 0).astype(np.int64),
}

SUBSECONDS = {"millisecond": 1_000, "microsecond": 1_000_000, "nanosecond": 1_000_000_000}
_EPOCHS = {"epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}


def _rescaled(units: Ints, per_second: int, wanted: int) -> Ints:
    """Counts of one unit as counts of another, rounded down."""
    if wanted >= per_second:
        return units * (wanted // per_second)
    return np.asarray(units // (per_second // wanted))


def _time_part(name: str, rest: Ints, per_second: int) -> Ints:
    match name:
        case "hour":
            return rest // (3600 * per_second)
        case "minute":
            return rest // (60 * per_second) % 60
        case "second":
            return rest // per_second % 60
        case _:
            return _rescaled(rest % (60 * per_second), per_second, SUBSECONDS[name])


def part(name: str, value: Value, result: pa.DataType) -> pa.Array:
    """One part of every date, timestamp, time or interval."""
    n = length_of((value,))
    if is_interval(value.type):
        return from_ints(_interval_part(name, intervals_of(value)), result, valid_of((value,)), n)
    if pat.is_time(value.type):
        found = _clock_part(name, ints_of(value))
        return from_ints(found, result, valid_of((value,)), n)
    if name == "epoch" or name in _EPOCHS:  # a point in time, whatever its zone
        return from_ints(_since_1970(name, value), result, valid_of((value,)), n)
    if name in DAY_PARTS:
        days, valid = days_of(value)
        return from_ints(by_day(days, DAY_PARTS[name]), result, valid, n)
    days, rest, per_second, valid = moments_of(value)
    if name == "julian":
        found = days + 2440588.0
        if rest is not None:
            found = found + rest / (SECONDS_PER_DAY * per_second)
    else:
        found = np.zeros_like(days) if rest is None else _time_part(name, rest, per_second)
    return from_ints(found, result, valid, n)


def _since_1970(name: str, value: Value) -> Ints:
    ints = ints_of(value)
    per_second = 1
    if pat.is_date(value.type):
        ints = ints * SECONDS_PER_DAY
    else:
        per_second = PER_SECOND[value.type.unit]
    if name == "epoch":
        return ints / float(per_second)
    wanted = _EPOCHS[name]
    valid = valid_of((value,))
    seen = ints if valid is None else np.where(valid, ints, 0)
    if wanted > per_second and seen.size:
        factor = wanted // per_second
        if max(-int(seen.min()), int(seen.max())) * factor >= 1 << 63:
            raise out_of_range(pa.timestamp("ns"))
    if wanted < per_second:  # towards zero, unlike the fraction of a second
        return _truncated(seen, per_second // wanted)
    return _rescaled(seen, per_second, wanted)


def _clock_part(name: str, micros: Ints) -> Ints:
    if name == "epoch":
        return np.asarray(micros / 1e6)
    if name in _EPOCHS:
        return _rescaled(micros, 1_000_000, _EPOCHS[name])
    if name not in ("hour", "minute", "second", *SUBSECONDS):
        raise UnsupportedError(f"A time of day has no {name}")
    return _time_part(name, micros, 1_000_000)


def _interval_part(name: str, value: Interval) -> Ints:
    months, days, nanos = value
    micros = nanos // 1000
    years = _truncated(months, 12)
    match name:
        case "year":
            return years
        case "month":
            return np.fmod(months, 12)
        case "quarter":
            return _truncated(np.fmod(months, 12), 3) + 1
        case "day":
            return days
        case "decade":
            return _truncated(years, 10)
        case "century":
            return _truncated(years, 100)
        case "millennium":
            return _truncated(years, 1000)
        case "hour":
            return _truncated(micros, 3_600_000_000)
        case "minute":
            return np.fmod(_truncated(micros, 60_000_000), 60)
        case "second":
            return np.fmod(_truncated(micros, 1_000_000), 60)
        case "epoch":
            whole_days = years * 365.25 + np.fmod(months, 12) * 30 + days
            return np.asarray(whole_days * SECONDS_PER_DAY + micros / 1e6)
    if name in SUBSECONDS:
        return np.asarray(np.fmod(micros, 60_000_000) * SUBSECONDS[name] // 1_000_000)
    if name in _EPOCHS:
        return np.asarray((months * 30 + days) * SECONDS_PER_DAY * _EPOCHS[name]) + _rescaled(
            micros, 1_000_000, _EPOCHS[name]
        )
    raise UnsupportedError(f"An interval has no {name}")


def _part_kernel(name: str) -> Kernel:
    return per_entry(lambda args, result: part(name, args[0], result))


def date_part(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A part by its name; a column of names is taken name by name."""
    word, value = args

    def one(column: pa.Array, name: str) -> pa.Array:
        return part(part_name(name), column, result)

    return by_pattern(one, (array_of(value, length_of(args)), word), result)


# truncation


def _day_trunc(name: str) -> DayFunction | None:
    """The first day of the part a day is in."""
    match name:
        case "week" | "yearweek":
            return _week_start
        case "month":
            return lambda d: d - civil(d)[2] + 1
        case "quarter":
            return lambda d: days_from_civil(civil(d)[0], (civil(d)[1] - 1) // 3 * 3 + 1, 1)
        case "year":
            return lambda d: days_from_civil(civil(d)[0], 1, 1)
        case "isoyear":
            return lambda d: _week_start(days_from_civil(_iso(d)[0], 1, 4))
        case "decade":
            return lambda d: days_from_civil(_truncated(civil(d)[0], 10) * 10, 1, 1)
        case "century":
            return lambda d: days_from_civil(_truncated(civil(d)[0], 100) * 100, 1, 1)
        case "millennium":
            return lambda d: days_from_civil(_truncated(civil(d)[0], 1000) * 1000, 1, 1)
        case "day" | "dayofweek" | "isodow" | "dayofyear" | "julian":
            return lambda d: d
    return None


_SECONDS = {"hour": 3600, "minute": 60, "second": 1, "epoch": 1}


def truncated(value: Value, name: str) -> tuple[Ints, Bools | None]:
    """Local units since 1970 at the start of the part each date or timestamp is in."""
    on_days = _day_trunc(name)
    if on_days is not None:
        days, valid = days_of(value)
        per_day = unit_of(value.type)
        return by_day(days, lambda d: on_days(d) * per_day), valid
    days, rest, per_second, valid = moments_of(value)
    per_day = SECONDS_PER_DAY * per_second
    if rest is None:
        return days, valid
    if name in _SECONDS:
        rest = rest - rest % (_SECONDS[name] * per_second)
    elif name in SUBSECONDS:
        rest = rest - rest % max(per_second // SUBSECONDS[name], 1)
    else:
        raise UnsupportedError(f"date_trunc cannot truncate to {name}")
    return days * per_day + rest, valid


def date_trunc(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The start of the part each value is in."""
    word, value = args

    def one(column: pa.Array, name: str) -> pa.Array:
        name = part_name(name)
        n = len(column)
        if is_interval(column.type):
            return from_intervals(
                _interval_trunc(name, intervals_of(column)), valid_of((column,)), n
            )
        ints, valid = truncated(column, name)
        if pat.is_date(column.type):
            ints = ints * unit_of(result)
            return from_ints(ints, result, valid, n)
        plain = from_ints(ints, pa.timestamp(column.type.unit), valid, n)
        return zoned(plain, result)

    return by_pattern(one, (array_of(value, length_of(args)), word), result)


def _interval_trunc(name: str, value: Interval) -> Interval:
    months, days, nanos = value
    none = np.zeros_like(nanos)
    by_months = {"millennium": 12000, "century": 1200, "decade": 120, "year": 12, "isoyear": 12}
    by_months |= {"quarter": 3, "month": 1}
    if name in by_months:
        unit = by_months[name]
        return Interval(_truncated(months, unit) * unit, none, none)
    if name in ("week", "yearweek"):
        return Interval(months, _truncated(days, 7) * 7, none)
    if name in ("day", "dayofweek", "isodow", "dayofyear", "julian"):
        return Interval(months, days, none)
    if name in _SECONDS:
        unit = _SECONDS[name] * 1_000_000_000
    elif name in SUBSECONDS:
        unit = 1_000_000_000 // SUBSECONDS[name]
    else:
        raise ComputeError(f"An interval cannot be truncated to {name}")
    return Interval(months, days, _truncated(nanos, unit) * unit)


def epoch_ms(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Milliseconds since 1970, or the timestamp of such."""
    if not pat.is_integer(args[0].type):
        return part("epoch_ms", args[0], result)
    return array_of(args[0], 1).cast(pa.timestamp("ms")).cast(result)


KERNELS: dict[str, Kernel] = {
    **{name: _part_kernel(name) for name in DAY_PARTS},
    **{name: _part_kernel(name) for name in ("hour", "minute", "second", *SUBSECONDS)},
    **{name: _part_kernel(name) for name in ("epoch", "epoch_us", "epoch_ns", "julian")},
    "epoch_ms": per_entry(epoch_ms),
    "date_part": per_entry(date_part),
    "date_trunc": per_entry(date_trunc),
}
