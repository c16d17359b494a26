"""Constants as SQL writes them: numbers with DuckDB's types, intervals, strings.

An integer is INTEGER, BIGINT or HUGEINT, whichever first fits; `0.05` is DECIMAL(3,2), as many
digits as are written; `1e3` is a DOUBLE.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
from sqlglot import expressions as exp

from plait.planner import types as t
from plait.planner.expr import Literal
from plait.planner.sql.mistakes import Source


def number(node: exp.Literal, source: Source) -> Literal:
    """A number; the type follows from how it is written."""
    text = _written(node, source).replace("_", "")
    if "e" in text.lower():
        return Literal(float(text), t.DOUBLE)
    whole, point, fraction = text.partition(".")
    if not point:
        value = int(whole)
        for dtype, bits in ((t.INT32, 31), (t.INT64, 63)):
            if -(1 << bits) <= value < (1 << bits):
                return Literal(value, dtype)
        if len(whole.lstrip("0")) <= 38:
            return Literal(value, t.HUGEINT)
        return Literal(float(value), t.DOUBLE)
    digits = len(whole) + len(fraction)
    if digits > 38:
        return Literal(float(text), t.DOUBLE)
    return Literal(Decimal(text), pa.decimal128(max(1, digits), len(fraction)))


def _written(node: exp.Literal, source: Source) -> str:
    """The digits as they stand in the text: sqlglot writes `.5` as 0.5."""
    text = str(node.this)
    start = (node._meta or {}).get("start")
    if text.startswith("0.") and start is not None and source.sql[start] != "0":
        return text[1:]
    return text


# months, days, nanoseconds of one unit
_MICROSECOND = 1000
_SECOND = 1_000_000 * _MICROSECOND
_UNITS: dict[str, tuple[int, int, int]] = {
    "MILLENNIUM": (12_000, 0, 0),
    "CENTURY": (1200, 0, 0),
    "DECADE": (120, 0, 0),
    "YEAR": (12, 0, 0),
    "QUARTER": (3, 0, 0),
    "MONTH": (1, 0, 0),
    "WEEK": (0, 7, 0),
    "DAY": (0, 1, 0),
    "HOUR": (0, 0, 3600 * _SECOND),
    "MINUTE": (0, 0, 60 * _SECOND),
    "SECOND": (0, 0, _SECOND),
    "MILLISECOND": (0, 0, 1000 * _MICROSECOND),
    "MICROSECOND": (0, 0, _MICROSECOND),
}
_SHORT = {
    "Y": "YEAR",
    "YR": "YEAR",
    "MON": "MONTH",
    "W": "WEEK",
    "D": "DAY",
    "H": "HOUR",
    "HR": "HOUR",
    "M": "MINUTE",
    "MIN": "MINUTE",
    "S": "SECOND",
    "SEC": "SECOND",
    "MS": "MILLISECOND",
    "MSEC": "MILLISECOND",
    "US": "MICROSECOND",
    "USEC": "MICROSECOND",
    "MILLENNIA": "MILLENNIUM",
    "CENTURIES": "CENTURY",
    "DEC": "DECADE",
    "CENT": "CENTURY",
    "MIL": "MILLENNIUM",
}


def unit_name(text: str) -> str | None:
    """A unit of time by its full name in the singular; None if there is no such."""
    word = text.upper()
    for candidate in (word, word.removesuffix("S")):
        if candidate in _UNITS:
            return candidate
        if candidate in _SHORT:
            return _SHORT[candidate]
    return None


def interval_of(amount: int | Decimal | Fraction, unit: str) -> pa.MonthDayNano:
    """So many of a unit; fractions of months and days go down to the next smaller unit."""
    months, days, nanos = _UNITS[unit]
    exact = Fraction(amount)
    total_months = exact * months
    whole_months = int(total_months)
    # a fraction of a month is that fraction of 30 days, as in DuckDB and PostgreSQL
    total_days = exact * days + (total_months - whole_months) * 30
    whole_days = int(total_days)
    total_nanos = exact * nanos + (total_days - whole_days) * 24 * 3600 * _SECOND
    micros = int(total_nanos / _MICROSECOND)
    return pa.MonthDayNano([whole_months, whole_days, micros * _MICROSECOND])


def truncated_interval(amount: int | Decimal, unit: str) -> pa.MonthDayNano:
    """INTERVAL <number> <unit>: DuckDB cuts off fractions of all units but seconds and less."""
    if unit in ("SECOND", "MILLISECOND"):
        return interval_of(amount, unit)
    return interval_of(int(amount), unit)


_PART = re.compile(
    r"\s*(?:(?P<sign>[-+])?(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+(?:\.\d+)?))?"
    r"|(?P<number>[-+]?\s*(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[A-Za-z]+)|(?P<ago>ago)\b)\s*"
)


def parse_interval(text: str) -> pa.MonthDayNano | None:
    """`1 year 2 months 03:00:00`, `3 days ago`; None if it is not an interval."""
    months = days = nanos = 0
    if re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", text):
        text = f"{text.strip()} seconds"
    position, sign, found = 0, 1, False
    while position < len(text.rstrip()):
        match = _PART.match(text, position)
        if match is None:
            return None
        position, found = match.end(), True
        if match["ago"]:
            sign = -1
        elif match["hours"]:
            seconds = Fraction(match["seconds"] or "0")
            total = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + seconds
            nanos += int(total * 1_000_000) * _MICROSECOND * (-1 if match["sign"] == "-" else 1)
        else:
            unit = unit_name(match["unit"])
            if unit is None:
                return None
            part = interval_of(Fraction("".join(match["number"].split())), unit)
            months, days, nanos = months + part[0], days + part[1], nanos + part[2]
    return pa.MonthDayNano([sign * months, sign * days, sign * nanos]) if found else None
