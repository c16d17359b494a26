"""Text to values: what one string means as a number, boolean, date, time or interval.

These are the slow, exact readings of a single string, with DuckDB's answers. `cast` first tries
Arrow's vectorised parsers, which know the usual forms, and comes here only for the distinct
strings of a column in which something else was met. Each gives None for what it cannot read.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.calendar import PER_SECOND, SECONDS_PER_DAY, days_from_civil

Parser = Callable[[str], Any]

_NUMBER = re.compile(r"[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)([eE][+-]?\d+(_\d+)*)?")
_PREFIXED = re.compile(r"0[xX][0-9a-fA-F]+|0[bB][01]+")
_DATE = re.compile(r"(-?\d{1,6})([-/ \\])(\d{1,2})\2(\d{1,2})( \(BC\))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?")
_ZONE = re.compile(r"\s*(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?|([A-Za-z][A-Za-z_/+\-0-9]*))\s*")
_DIGITS = Context(prec=100)


def parse_decimal(text: str) -> Decimal | None:
    """An exact number."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        return None


def parse_integer(text: str) -> int | None:
    """A number rounded half away from zero; also hexadecimal and binary."""
    text = text.strip()
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    number = parse_decimal(text)
    if number is None:
        return None
    if number.adjusted() > 40:
        return 10**40 * (1 if number > 0 else -1)  # beyond every type
    return int(number.to_integral_value(ROUND_HALF_UP, _DIGITS))


def parse_float(text: str) -> float | None:
    """A floating-point number, an infinity or NaN."""
    text = text.strip().lower()
    if re.fullmatch(r"[+-]?(inf|infinity|nan)", text):
        return float(text)
    number = parse_decimal(text[1:] if text.startswith("+-") else text)
    return None if number is None else float(number)


def parse_bool(text: str) -> bool | None:
    """true, t, yes, y, 1 and their opposites in any case."""
    return {
        **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
        **dict.fromkeys(("false", "f", "no", "n", "0"), False),
    }.get(text.lower())


def _date(text: str) -> tuple[int, str] | None:
    """Days since 1970 of the date at the start, and what follows it."""
    text = text.lstrip()
    if text.startswith("epoch"):
        return 0, text[5:]
    match = _DATE.match(text)
    if not match:
        return None
    year, month, day = int(match[1]), int(match[3]), int(match[4])
    if match[5]:
        year = 1 - year
    if not (1 <= month <= 12 and 1 <= day <= _month_length(year, month)):
        return None
    return int(days_from_civil(year, month, day)), text[match.end() :]


def _month_length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _clock(text: str) -> tuple[int, str] | None:
    """Nanoseconds of the time at the start, and what follows it."""
    match = _CLOCK.match(text)
    if not match:
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    nanos = int(((match[4] or "") + "000000000")[:9])
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second or nanos)):
        return None
    return ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos, text[match.end() :]


def parse_date(text: str) -> int | None:
    """Days since 1970; a time after the date is read and forgotten."""
    found = _date(text)
    if found is None:
        return None
    days, rest = found
    if not rest.strip():
        return days
    stamp = parse_timestamp(text, "us", None)
    return None if stamp is None else stamp // (SECONDS_PER_DAY * 1_000_000)


def parse_timestamp(text: str, unit: str, zone: str | None) -> int | None:
    """Units since 1970. A zone in the text counts only if the type has one."""
    found = _date(text)
    if found is None:
        return None
    days, rest = found
    nanos = 0
    if rest.strip():
        if rest[0] not in "T ":
            return None
        clock = _clock(rest[1:].lstrip())
        if clock is None:
            return None
        nanos, rest = clock
        shift = _zone_seconds(rest, days, nanos)
        if shift is None or (zone is not None and rest[:2] in (" +", " -")):
            return None
        if zone is not None:
            nanos -= shift * 1_000_000_000
    if unit == "ns":
        return days * SECONDS_PER_DAY * 1_000_000_000 + nanos
    # cut to microseconds, then rounded to what is coarser
    step = 1_000_000 // PER_SECOND[unit]
    micros = days * SECONDS_PER_DAY * 1_000_000 + nanos // 1000
    half_away = (abs(micros) + step // 2) // step
    return half_away if micros >= 0 else -half_away


def _zone_seconds(text: str, days: int, nanos: int) -> int | None:
    """How far the zone at the end of a timestamp is ahead of UTC; None for what is none."""
    if not text.strip():
        return 0
    match = _ZONE.fullmatch(text)
    if not match:
        return None
    if match[1]:
        return 0
    if match[2]:
        seconds = int(match[3]) * 3600 + int(match[4] or 0) * 60
        return seconds if match[2] == "+" else -seconds
    try:
        zone = zoneinfo.ZoneInfo(match[5])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    try:
        local = dt.datetime(1970, 1, 1) + dt.timedelta(days, microseconds=nanos // 1000)
    except OverflowError:
        return None
    offset = local.replace(tzinfo=zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def parse_time(text: str) -> int | None:
    """Microseconds since midnight; a date before and a zone after the time are forgotten."""
    text = text.strip()
    dated = _date(text)
    if dated is not None and dated[1][:1] in ("T", " "):
        text = dated[1][1:]
    found = _clock(text)
    if found is None or _zone_seconds(found[1], 0, 0) is None:
        return None
    return found[0] // 1000


_MONTHS = {
    "year": 12, "years": 12, "yr": 12, "yrs": 12, "y": 12, "quarter": 3, "quarters": 3,
    "month": 1, "months": 1, "mon": 1, "mons": 1, "decade": 120, "decades": 120, "dec": 120,
    "decs": 120, "century": 1200, "centuries": 1200, "cent": 1200, "c": 1200,
    "millennium": 12000, "millennia": 12000, "millenniums": 12000, "mil": 12000, "mils": 12000,
}  # fmt: skip
_DAYS = {"day": 1, "days": 1, "d": 1, "dayofmonth": 1, "week": 7, "weeks": 7, "w": 7}
_NANOS = {
    "hour": 3600 * 10**9, "hours": 3600 * 10**9, "hr": 3600 * 10**9, "hrs": 3600 * 10**9,
    "h": 3600 * 10**9, "minute": 60 * 10**9, "minutes": 60 * 10**9, "min": 60 * 10**9,
    "mins": 60 * 10**9, "m": 60 * 10**9, "second": 10**9, "seconds": 10**9, "sec": 10**9,
    "secs": 10**9, "s": 10**9, "millisecond": 10**6, "milliseconds": 10**6, "ms": 10**6,
    "msec": 10**6, "msecs": 10**6, "microsecond": 1000, "microseconds": 1000, "us": 1000,
    "usec": 1000, "usecs": 1000,
}  # fmt: skip
_SPAN = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<h>\d+):(?P<m>\d{1,2})(?::(?P<s>\d{1,2}(?:\.\d*)?))?"
    r"|(?P<n>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[a-zA-Z]+))"
)


def parse_interval(text: str) -> pa.MonthDayNano | None:
    """`1 year 2 months 3 days 04:05:06.7`, units in any order, `ago` at the end negates."""
    months, days, nanos = Decimal(0), Decimal(0), Decimal(0)
    text = text.strip().removeprefix("@").strip()
    ago = text.lower().endswith("ago")
    if ago:
        text = text[:-3].rstrip()
    at = 0
    while at < len(text):
        match = _SPAN.match(text, at)
        if not match:
            return None
        at = match.end()
        if match["h"] is not None:
            seconds = int(match["h"]) * 3600 + int(match["m"]) * 60 + Decimal(match["s"] or 0)
            nanos += (-seconds if match["sign"] == "-" else seconds) * 10**9
            continue
        count, unit = Decimal(match["n"]), match["unit"].lower()
        if unit in _MONTHS:
            exact = count * _MONTHS[unit]
            months += int(exact)
            days += (exact - int(exact)) * 30
        elif unit in _DAYS:
            days += count * _DAYS[unit]
        elif unit in _NANOS:
            nanos += count * _NANOS[unit]
        else:
            return None
    if not at:
        return None
    nanos += (days - int(days)) * SECONDS_PER_DAY * 10**9
    micros = int((nanos / 1000).to_integral_value())
    sign = -1 if ago else 1
    return pa.MonthDayNano([sign * int(months), sign * int(days), sign * micros * 1000])


def parser_of(t: pa.DataType) -> Parser | None:
    """The reading of one string as a value of a type: an int for dates and times."""
    if pat.is_boolean(t):
        return parse_bool
    if pat.is_integer(t):
        low, high = int(np.iinfo(t.to_pandas_dtype()).min), int(np.iinfo(t.to_pandas_dtype()).max)
        return lambda text: _within(parse_integer(text), low, high)
    if pat.is_floating(t):
        return parse_float
    if pat.is_decimal(t):
        return lambda text: _rounded(text, t)
    if pat.is_date(t):
        return parse_date
    if pat.is_time(t):
        return parse_time
    if pat.is_timestamp(t):
        return lambda text: _within(parse_timestamp(text, t.unit, t.tz), -(1 << 63), (1 << 63) - 1)
    return parse_interval if t == pa.month_day_nano_interval() else None


def _within(number: int | None, low: int, high: int) -> int | None:
    return number if number is not None and low <= number <= high else None


def _rounded(text: str, t: pa.DataType) -> Decimal | None:
    number = parse_decimal(text)
    if number is None or number.adjusted() > 40:
        return None
    rounded = number.quantize(Decimal(1).scaleb(-t.scale), ROUND_HALF_UP, _DIGITS)
    return rounded if len(rounded.as_tuple().digits) <= t.precision else None
