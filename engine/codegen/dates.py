"""Parts of dates and timestamps, and their truncation, in a loop.

Years, months and days come from H. Hinnant's chrono-Compatible Low-Level Date Algorithms (2013).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plait.engine.codegen.emit import (
    I64,
    INT64_HIGH,
    INT64_LOW,
    Emitter,
    NotCompiledError,
    Value,
)
from plait.planner.expr import Call, Literal
from plait.planner.functions.temporal import part_name
from plait.planner.types import is_date, is_timestamp


def civil(e: Emitter, days: Any) -> tuple[Any, Any, Any]:
    """Year, month and day."""
    b = e.b
    shifted = b.add(days, I64(719468))
    negative = b.icmp_signed("<", shifted, I64(0))
    era = b.sdiv(b.select(negative, b.sub(shifted, I64(146096)), shifted), I64(146097))
    doe = b.sub(shifted, b.mul(era, I64(146097)))
    parts = b.sub(doe, b.udiv(doe, I64(1460)))
    parts = b.sub(b.add(parts, b.udiv(doe, I64(36524))), b.udiv(doe, I64(146096)))
    yoe = b.udiv(parts, I64(365))
    leap = b.sub(b.udiv(yoe, I64(4)), b.udiv(yoe, I64(100)))
    doy = b.sub(doe, b.add(b.mul(yoe, I64(365)), leap))
    mp = b.udiv(b.add(b.mul(doy, I64(5)), I64(2)), I64(153))
    day = b.add(b.sub(doy, b.udiv(b.add(b.mul(mp, I64(153)), I64(2)), I64(5))), I64(1))
    early = b.icmp_signed("<", mp, I64(10))
    month = b.add(mp, b.select(early, I64(3), I64(-9)))
    year = b.add(yoe, b.mul(era, I64(400)))
    year = b.add(year, b.zext(b.icmp_signed("<=", month, I64(2)), I64))
    return year, month, day


PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def floor_divide(e: Emitter, value: Any, by: int) -> Any:
    quotient, rest = e.b.sdiv(value, I64(by)), e.b.srem(value, I64(by))
    return e.b.sub(quotient, e.b.zext(e.b.icmp_signed("<", rest, I64(0)), I64))


def floor_rest(e: Emitter, value: Any, by: int) -> Any:
    return e.b.sub(value, e.b.mul(floor_divide(e, value, by), I64(by)))


def _day_of_year(e: Emitter, days: Any) -> Any:
    """From 0 on."""
    b = e.b
    year, month, day = civil(e, days)
    leap = b.and_(
        b.icmp_signed("==", b.and_(year, I64(3)), I64(0)),
        b.or_(
            b.icmp_signed("!=", floor_rest(e, year, 100), I64(0)),
            b.icmp_signed("==", floor_rest(e, year, 400), I64(0)),
        ),
    )
    # days before a month of a year that begins in March, moved to January
    late = b.icmp_signed(">", month, I64(2))
    since = b.select(late, b.sub(month, I64(3)), b.add(month, I64(9)))
    before = b.udiv(b.add(b.mul(since, I64(153)), I64(2)), I64(5))
    shift = b.select(late, b.add(I64(59), b.zext(leap, I64)), I64(-306))
    return b.sub(b.add(b.add(before, shift), day), I64(1))


def _days(e: Emitter, expr: Call, x: Value) -> tuple[Any, int, tuple[int, int]]:
    """Days since 1970, units of the type in a day, and the bounds of the days."""
    if is_date(x.dtype):
        return x.ir, 1, (x.low, x.high)
    if is_timestamp(x.dtype) and x.dtype.tz is None:
        per = PER_DAY[x.dtype.unit]
        return floor_divide(e, x.ir, per), per, (x.low // per, x.high // per)
    raise NotCompiledError(f"{expr} has no compiled form")


_SECONDS = {"hour": (3600, 24), "minute": (60, 60), "second": (1, 60)}


def date_part(e: Emitter, expr: Call, args: list[Value]) -> Value:
    """One part of a date, or of a timestamp without zone."""
    (x,) = args
    b, name = e.b, expr.function
    days, per_day, bounds = _days(e, expr, x)

    def made(value: Any, low: int, high: int) -> Value:
        return Value(value, expr.dtype, x.valid, low, high)

    if name in _SECONDS:
        if per_day == 1:
            return made(I64(0), 0, 0)
        seconds, most = _SECONDS[name]
        whole = floor_divide(e, x.ir, seconds * (per_day // 86_400))
        return made(floor_rest(e, whole, most), 0, most - 1)
    match name:
        case "dayofweek":
            return made(floor_rest(e, b.add(days, I64(4)), 7), 0, 6)
        case "isodow":
            return made(b.add(floor_rest(e, b.add(days, I64(3)), 7), I64(1)), 1, 7)
        case "dayofyear":
            return made(b.add(_day_of_year(e, days), I64(1)), 1, 366)
    year, month, day = civil(e, days)
    match name:
        case "year":
            low, high = (1970 + end * 400 // 146097 for end in bounds)
            return made(year, low - 1, high + 1)
        case "month":
            return made(month, 1, 12)
        case "quarter":
            return made(b.add(b.udiv(b.sub(month, I64(1)), I64(3)), I64(1)), 1, 4)
        case "day":
            return made(day, 1, 31)
    raise NotCompiledError(f"{expr} has no compiled form")


def date_trunc(e: Emitter, expr: Call, x: Value) -> Value:
    """The start of the part that a timestamp without zone is in."""
    word = expr.args[0]
    if not isinstance(word, Literal) or not is_timestamp(x.dtype) or expr.dtype != x.dtype:
        raise NotCompiledError(f"{expr} has no compiled form")
    name = part_name(str(word.value))
    days, per_day, _ = _days(e, expr, x)
    b = e.b
    if name in _SECONDS:
        unit = _SECONDS[name][0] * (per_day // 86_400)
        over, most = floor_rest(e, x.ir, unit), unit
    else:
        match name:
            case "day":
                before = I64(0)
            case "week":
                before = floor_rest(e, b.add(days, I64(3)), 7)
            case "month":
                before = b.sub(civil(e, days)[2], I64(1))
            case "year":
                before = _day_of_year(e, days)
            case _:
                raise NotCompiledError(f"{expr} has no compiled form")
        rest = b.sub(x.ir, b.mul(days, I64(per_day)))
        over, most = b.add(b.mul(before, I64(per_day)), rest), 366 * per_day
    if x.low - most < INT64_LOW:
        e.trap_if(b.icmp_signed("<", x.ir, I64(INT64_LOW + most)), x.valid)
    return replace(x, ir=b.sub(x.ir, over), low=max(x.low - most, INT64_LOW))


def date_diff(e: Emitter, expr: Call, first: Value, last: Value) -> Value:
    """How many parts begin between two dates, or two timestamps without zone."""
    word = expr.args[0]
    if not isinstance(word, Literal) or first.dtype != last.dtype:
        raise NotCompiledError(f"{expr} has no compiled form")
    name = part_name(str(word.value))
    a, b = (_part_number(e, expr, name, x) for x in (first, last))
    valid = e.both(first.valid, last.valid)
    most = max(abs(end) for x in (first, last) for end in (x.low, x.high))
    per_day = PER_DAY[first.dtype.unit] if is_timestamp(first.dtype) else 1
    most = (most // per_day + 1) * _FINEST.get(name, 1)
    if 2 * most + 2 > INT64_HIGH:
        raise NotCompiledError(f"{expr} has no compiled form")
    return Value(e.b.sub(b, a), expr.dtype, valid, -2 * most - 2, 2 * most + 2)


_FINEST = {"hour": 24, "minute": 1440, "second": 86_400}  # a day


def _part_number(e: Emitter, expr: Call, name: str, x: Value) -> Any:
    """A number that grows by one from part to part."""
    b = e.b
    days, per_day, _ = _days(e, expr, x)
    if name == "day":
        return days
    if name in _FINEST:
        if per_day == 1:
            return b.mul(days, I64(_FINEST[name]))
        return floor_divide(e, x.ir, per_day // _FINEST[name])
    if name not in ("year", "quarter", "month"):
        raise NotCompiledError(f"{expr} has no compiled form")
    year, month, _ = civil(e, days)
    if name == "year":
        return year
    if name == "quarter":
        return b.add(b.mul(year, I64(4)), b.udiv(b.sub(month, I64(1)), I64(3)))
    return b.add(b.mul(year, I64(12)), month)


FUNCTIONS = dict.fromkeys(
    (
        "year",
        "month",
        "quarter",
        "day",
        "dayofweek",
        "isodow",
        "dayofyear",
        "hour",
        "minute",
        "second",
    ),
    date_part,
)
