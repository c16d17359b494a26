"""The kernels of the other date and time functions: differences, making, names, buckets, clocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import (
    NANOS_PER_DAY,
    SECONDS_PER_DAY,
    Interval,
    by_day,
    civil,
    days_from_civil,
    from_intervals,
    from_ints,
    intervals_of,
    ints_of,
    unit_of,
    valid_of,
)
from plait.engine.kernels.dateparts import (
    DAY_PARTS,
    SUBSECONDS,
    Moments,
    days_of,
    local,
    moments_of,
    zoned,
)
from plait.engine.kernels.encoding import Kernel, Value, array_of, is_array, length_of, per_entry
from plait.engine.kernels.intervals import span_add, span_subtract
from plait.engine.kernels.patterns import by_pattern
from plait.engine.kernels.views import Bools, Ints
from plait.errors import ComputeError, ConversionError, UnsupportedError
from plait.planner.functions.temporal import part_name

# differences

_ORDINALS: dict[str, Callable[[Ints], Ints]] = {
    # what date_diff subtracts: a number for each part, growing by one from part to part
    "year": DAY_PARTS["year"],
    "isoyear": DAY_PARTS["isoyear"],
    "decade": DAY_PARTS["decade"],
    "century": DAY_PARTS["century"],
    "millennium": DAY_PARTS["millennium"],
    "quarter": lambda d: civil(d)[0] * 4 + (civil(d)[1] - 1) // 3,
    "month": lambda d: civil(d)[0] * 12 + civil(d)[1],
}
_DAYS = ("day", "dayofweek", "isodow", "dayofyear", "julian")
_CLOCK = {"hour": 1 / 3600, "minute": 1 / 60, "second": 1, "epoch": 1, **SUBSECONDS}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "isoyear": 12, "decade": 120}
_MONTHS |= {"century": 1200, "millennium": 12000}


def _per_part(name: str, per_second: int) -> tuple[int, int]:
    """How many units make one part of a clock, or how many parts make one unit."""
    match name:
        case "hour":
            return 3600 * per_second, 1
        case "minute":
            return 60 * per_second, 1
        case "second" | "epoch":
            return per_second, 1
    wanted = SUBSECONDS[name]
    return max(per_second // wanted, 1), max(wanted // per_second, 1)


def _whole(moments: Moments) -> Ints:
    """Units since 1970."""
    units = moments.days * (SECONDS_PER_DAY * moments.per_second)
    return units if moments.rest is None else units + moments.rest


def _times(value: Value) -> Moments:
    """A time of day as a moment of the first day."""
    ints = ints_of(value)
    return Moments(np.zeros_like(ints), ints, 1_000_000, None)


def _diff(name: str, a: Value, b: Value) -> Ints:
    name = "week" if name == "yearweek" else name
    first, second = (_times(x) if pat.is_time(x.type) else moments_of(x) for x in (a, b))
    if name in _ORDINALS:
        ordinal = _ORDINALS[name]
        return by_day(second.days, ordinal) - by_day(first.days, ordinal)
    if name == "week":  # whole weeks, not Mondays passed
        return np.asarray(np.trunc((second.days - first.days) / 7).astype(np.int64))
    if name in _DAYS:
        return second.days - first.days
    if name not in _CLOCK:
        raise UnsupportedError(f"date_diff cannot count {name}")
    units, parts = _per_part(name, first.per_second)
    return np.asarray((_whole(second) // units - _whole(first) // units) * parts)


def _month_days(year: Ints, month: Ints) -> Ints:
    return np.asarray(days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1))


def _months_between(a: Moments, b: Moments) -> Ints:
    """Whole months from `a` to `b`; the last day of a shorter month completes one."""
    swapped = _whole(a) > _whole(b)
    zeros = np.zeros_like(a.days + b.days)

    def pick(x: Ints | None, y: Ints | None, flip: bool) -> Ints:
        x, y = (zeros if v is None else v for v in (x, y))
        return np.where(swapped, y, x) if flip else np.where(swapped, x, y)

    start_days, end_days = pick(a.days, b.days, True), pick(a.days, b.days, False)
    start_rest, end_rest = pick(a.rest, b.rest, True), pick(a.rest, b.rest, False)
    y1, m1, d1 = civil(start_days)
    y2, m2, d2 = civil(end_days)
    last = _month_days(y2, m2)
    cut = (d2 == last) & ((d1 > last) | ((d1 == last) & (start_rest < end_rest)))
    d1 = np.where(cut, np.minimum(d1, last), d1)
    months = (y2 - y1) * 12 + m2 - m1
    early = (d2 < d1) | ((d2 == d1) & (end_rest < start_rest))
    months = months - early
    return np.asarray(np.where(swapped, -months, months))


def _sub(name: str, a: Value, b: Value) -> Ints:
    first, second = (_times(x) if pat.is_time(x.type) else moments_of(x) for x in (a, b))
    if name in _MONTHS:
        months = _months_between(first, second)
        return np.asarray(np.sign(months) * (np.abs(months) // _MONTHS[name]))
    distance = _whole(second) - _whole(first)
    per_day = SECONDS_PER_DAY * first.per_second
    if name in ("week", "yearweek"):
        units, parts = 7 * per_day, 1
    elif name in _DAYS:
        units, parts = per_day, 1
    elif name in _CLOCK:
        units, parts = _per_part(name, first.per_second)
    else:
        raise UnsupportedError(f"date_sub cannot count {name}")
    return np.asarray(np.sign(distance) * (np.abs(distance) // units) * parts)


def _between(count: Callable[[str, Value, Value], Ints]) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        word, a, b = args
        n, valid = length_of(args), valid_of(args)
        if not is_array(word):
            return from_ints(count(part_name(word.as_py()), a, b), result, valid, n)
        # a column of names: rows of each name by themselves
        both = pa.StructArray.from_arrays([array_of(a, n), array_of(b, n)], names=["a", "b"])

        def one(rows: pa.Array, name: str) -> pa.Array:
            x, y = rows.field("a"), rows.field("b")
            return from_ints(count(part_name(name), x, y), result, valid_of((x, y)), len(rows))

        return by_pattern(one, (both, word), result)

    return per_entry(run)


def age(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The difference field by field, borrowing from the next larger one."""
    a, b = (moments_of(x) for x in args)
    n, valid = length_of(args), valid_of(args)
    per_second = max(a.per_second, b.per_second)
    rest_a, rest_b = (
        np.zeros_like(m.days) if m.rest is None else m.rest * (per_second // m.per_second)
        for m in (a, b)
    )
    (y1, m1, d1), (y2, m2, d2) = civil(a.days), civil(b.days)
    behind = (a.days < b.days) | ((a.days == b.days) & (rest_a < rest_b))
    sign = np.where(behind, -1, 1)
    rest = sign * (rest_a - rest_b)
    days = sign * (d1 - d2)
    months = sign * ((y1 - y2) * 12 + m1 - m2)
    per_day = SECONDS_PER_DAY * per_second
    short = rest < 0
    rest, days = rest + short * per_day, days - short
    month = np.where(behind, _month_days(y1, m1), _month_days(y2, m2))
    short = days < 0
    days, months = days + short * month, months - short
    nanos = rest * (1_000_000_000 // per_second)
    parts = Interval(sign * months, sign * days, sign * nanos)
    return from_intervals(parts, valid, n)


# days

DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip


def _name(number: Callable[[Ints], Ints], names: Sequence[str]) -> Kernel:
    """Names as a dictionary."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        days, valid = days_of(args[0])
        codes = by_day(days, lambda d: number(d).astype(np.int8))
        indices = from_ints(codes, pa.int8(), valid, len(codes))
        return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))

    return per_entry(run)


def _last_day(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    days, valid = days_of(args[0])

    def last(days: Ints) -> Ints:
        year, month, _ = civil(days)
        return np.asarray(days_from_civil(year, month + 1, 1) - 1)

    return from_ints(by_day(days, last), result, valid, length_of(args))


def time_bucket(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The start of the interval a value is in, counted from 2000-01-03 (months: 2000-01-01)."""
    width, value, *more = args
    if is_array(width):
        if len(width) != 1:
            raise UnsupportedError("time_bucket needs a constant width")
        width = width[0]  # all arguments are constants
    months, days, nanos = (int(p[0]) for p in intervals_of(width))
    if more and more[0].type == pa.month_day_nano_interval():
        t = pa.timestamp("us") if pat.is_date(value.type) else value.type
        moved = span_subtract([value, more[0]], t)
        inner = time_bucket([width, moved], moved.type)
        back = span_add([inner, more[0]], inner.type)
        return back if back.type == result else back.cast(result, safe=False)
    value = array_of(value, length_of(args))
    valid = valid_of(args)
    if months:
        if days or nanos:
            raise ComputeError("time_bucket takes months or days and time, not both")
        found = _month_bucket(value, months, more)
    else:
        found = _fixed_bucket(value, days, nanos, more)
    plain = pa.timestamp(result.unit) if pat.is_timestamp(result) else result
    return zoned(from_ints(found, plain, valid, len(value)), result)


def _month_bucket(value: pa.Array, months: int, more: Sequence[Value]) -> Ints:
    moments = moments_of(value)
    start: int | Ints = 360  # months from 1970 to 2000
    if more:
        year, month, _ = civil(moments_of(more[0]).days)
        start = (year - 1970) * 12 + month - 1

    def bucket(days: Ints) -> Ints:
        year, month, _ = civil(days)
        count = (year - 1970) * 12 + month - 1 - start
        return days_from_civil(1970, 1 + start + count // months * months, 1)

    found = bucket(moments.days) if more else by_day(moments.days, bucket)
    per_day = 1 if pat.is_date(value.type) else SECONDS_PER_DAY * moments.per_second
    return np.asarray(found * per_day)


def _fixed_bucket(value: pa.Array, days: int, nanos: int, more: Sequence[Value]) -> Ints:
    per_day = unit_of(value.type)
    width = days * per_day + nanos * per_day // NANOS_PER_DAY
    if width <= 0:
        raise ComputeError("time_bucket needs a width of more than nothing")
    units = ints_of(local(value))
    origin = ints_of(local(more[0])) if more else np.int64(10959 * per_day)  # 2000-01-03, a Monday
    since = units - origin
    return np.asarray(since // width * width + origin)


# making


def _parts(args: Sequence[Value], n: int, valid: Bools | None) -> list[Ints]:
    """Integer arguments; 1 where the row has a NULL, which is a valid part of anything."""
    found = [np.broadcast_to(ints_of(a), (n,)) for a in args]
    return found if valid is None else [np.where(valid, part, 1) for part in found]


def _checked_days(year: Ints, month: Ints, day: Ints) -> Ints:
    bad = (month < 1) | (month > 12) | (day < 1) | (np.abs(year) > 290000)
    if not bad.any():
        bad = day > _month_days(year, month)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise ConversionError(f"{year[at]}-{month[at]}-{day[at]} is no date")
    return days_from_civil(year, month, day)


def make_date(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The date of a year, month and day."""
    n, valid = length_of(args), valid_of(args)
    return from_ints(_checked_days(*_parts(args, n, valid)), result, valid, n)


def _clock_micros(hour: Ints, minute: Ints, second: Ints) -> Ints:
    micros = np.rint(second * 1e6).astype(np.int64)
    bad = (hour < 0) | (hour > 24) | (minute < 0) | (minute > 59) | (micros < 0)
    bad |= micros > 60_000_000
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise ConversionError(f"{hour[at]}:{minute[at]}:{second[at]} is no time of day")
    return np.asarray((hour * 60 + minute) * 60_000_000 + micros)


def _seconds(value: Value, n: int, valid: Bools | None) -> Any:
    if not is_array(value):
        return np.full(n, value.as_py(), np.float64)
    found = value.fill_null(0).to_numpy(zero_copy_only=False)
    return found if valid is None else np.where(valid, found, 0.0)


def make_time(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The time of an hour, minute and second."""
    n, valid = length_of(args), valid_of(args)
    hour, minute = _parts(args[:2], n, valid)
    return from_ints(_clock_micros(hour, minute, _seconds(args[2], n, valid)), result, valid, n)


def make_timestamp(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The timestamp of its parts, or of microseconds since 1970."""
    n, valid = length_of(args), valid_of(args)
    if len(args) == 1:
        return from_ints(ints_of(args[0]), result, valid, n)
    *whole, second = args
    year, month, day, hour, minute = _parts(whole, n, valid)
    micros = _clock_micros(hour, minute, _seconds(second, n, valid))
    days = _checked_days(year, month, day)
    return from_ints(days * SECONDS_PER_DAY * 1_000_000 + micros, result, valid, n)


def to_timestamp(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The timestamp of seconds since 1970."""
    n, valid = length_of(args), valid_of(args)
    micros = np.rint(_seconds(args[0], n, valid) * 1e6)
    if micros.size and not (np.abs(micros) < 9.2e18).all():
        raise ConversionError("Seconds beyond the range of a timestamp")
    return from_ints(micros.astype(np.int64), result, valid, n)


def _span(months: int, days: int, micros: int) -> Kernel:
    """So many times a number of months, days or microseconds."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        n, valid = length_of(args), valid_of(args)
        (value,) = args
        if pat.is_floating(value.type):
            exact = np.rint(_seconds(value, n, valid) * micros)
            if exact.size and not (np.abs(exact) * 1000 < 9.2e18).all():
                raise ConversionError("An interval of that many units is too long")
            count, unit = exact.astype(np.int64), 1
        else:
            count, unit = _parts(args, n, valid)[0], micros
        most = max(abs(months), abs(days), unit * 1000 if micros else 0)
        if count.size and int(np.abs(count).max()) * most >= 1 << 63:
            raise ConversionError("An interval of that many units is too long")
        nanos = count * (unit * 1000) if micros else np.zeros_like(count)
        return from_intervals(Interval(count * months, count * days, nanos), valid, n)

    return per_entry(run)


# zones and clocks


def timezone(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A local time of a zone as a point in time, or a point in time as local time."""

    def one(column: pa.Array, zone: str) -> pa.Array:
        try:
            if column.type.tz is None:
                there = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
                return there.cast(result)
            return pc.local_timestamp(column.cast(pa.timestamp(column.type.unit, zone)))
        except pa.ArrowInvalid as error:
            raise ComputeError(f"{zone!r} is no time zone: {error}") from None

    return by_pattern(one, (array_of(args[1], length_of(args)), args[0]), result)


def _clock(read: Callable[[], Any]) -> Kernel:
    """The same moment in every row."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(read(), result), length_of(args))

    return run


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


KERNELS: dict[str, Kernel] = {
    "date_diff": _between(_diff),
    "date_sub": _between(_sub),
    "age": per_entry(age),
    "dayname": _name(DAY_PARTS["dayofweek"], DAY_NAMES),
    "monthname": _name(lambda d: civil(d)[1] - 1, MONTH_NAMES),
    "last_day": per_entry(_last_day),
    "time_bucket": per_entry(time_bucket),
    "make_date": per_entry(make_date),
    "make_time": per_entry(make_time),
    "make_timestamp": per_entry(make_timestamp),
    "to_timestamp": per_entry(to_timestamp),
    "to_millennia": _span(12000, 0, 0),
    "to_centuries": _span(1200, 0, 0),
    "to_decades": _span(120, 0, 0),
    "to_years": _span(12, 0, 0),
    "to_quarters": _span(3, 0, 0),
    "to_months": _span(1, 0, 0),
    "to_weeks": _span(0, 7, 0),
    "to_days": _span(0, 1, 0),
    "to_hours": _span(0, 0, 3_600_000_000),
    "to_minutes": _span(0, 0, 60_000_000),
    "to_seconds": _span(0, 0, 1_000_000),
    "to_milliseconds": _span(0, 0, 1_000),
    "to_microseconds": _span(0, 0, 1),
    "timezone": per_entry(timezone),
    "now": _clock(_utc),
    "current_date": _clock(lambda: _utc().date()),
    "current_localtimestamp": _clock(lambda: _utc().replace(tzinfo=None)),
    "current_localtime": _clock(lambda: _utc().time()),
}
