"""strftime and strptime, a column at a time.

Writing: every specifier gives a column of text from one part, and the columns are joined; if the
format shows days only, that is done once per distinct day. Reading: the format becomes a regular
expression with a group for every specifier, Arrow takes the groups out of all strings at once,
and integer arithmetic does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import SECONDS_PER_DAY, civil, days_from_civil, from_ints
from plait.engine.kernels.dateparts import DAY_PARTS, Moments, moments_of
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    attach,
    is_array,
    length_of,
    per_entry,
)
from plait.engine.kernels.patterns import by_pattern, escaped
from plait.engine.kernels.printing import padded_digits
from plait.engine.kernels.temporal import DAY_NAMES, MONTH_NAMES
from plait.engine.kernels.views import Bools, Ints
from plait.errors import ComputeError, ConversionError, UnsupportedError
from plait.planner.types import STRING

_SHORTHANDS = {"c": "%Y-%m-%d %H:%M:%S", "x": "%Y-%m-%d", "X": "%H:%M:%S"}
# specifiers that show the time of day, and of these the ones finer than a minute and a second
_TIMED, _SECONDS, _FRACTIONS = frozenset("HIpMSfgn"), frozenset("Sfgn"), frozenset("fgn")


@lru_cache(maxsize=256)
def pieces(form: str) -> tuple[tuple[str, str], ...]:
    """A format as ("text", "...") and ("%", "Y") or ("%", "-d") pieces."""
    found: list[tuple[str, str]] = []
    text, at = "", 0
    while at < len(form):
        c = form[at]
        at += 1
        if c != "%":
            text += c
            continue
        word = form[at : at + 2] if form[at : at + 1] == "-" else form[at : at + 1]
        at += len(word)
        if word == "%":
            text += "%"
        elif word in _SHORTHANDS:
            if text:
                found.append(("text", text))
                text = ""
            found += pieces(_SHORTHANDS[word])
        elif word in _WRITERS or word in _READERS:
            if text:
                found.append(("text", text))
                text = ""
            found.append(("%", word))
        else:
            raise ComputeError(f"Unknown specifier %{word} in the time format {form!r}")
    if text:
        found.append(("text", text))
    return tuple(found)


# writing

Writer = Callable[[Moments], pa.Array]


def _day(name: str, width: int) -> Writer:
    return lambda m: padded_digits(DAY_PARTS[name](m.days), width)


def _rest(m: Moments) -> Ints:
    return np.zeros_like(m.days) if m.rest is None else m.rest


def _of_clock(unit: int, modulus: int, width: int) -> Writer:
    """Seconds per unit, units per larger one, digits."""
    return lambda m: padded_digits(_rest(m) // (unit * m.per_second) % modulus, width)


def _twelve(width: int) -> Writer:
    def write(m: Moments) -> pa.Array:
        return padded_digits((_rest(m) // (3600 * m.per_second) + 11) % 12 + 1, width)

    return write


def _fraction(digits: int) -> Writer:
    def write(m: Moments) -> pa.Array:
        rest = _rest(m) % m.per_second
        have = len(str(m.per_second)) - 1
        moved = rest * 10 ** (digits - have) if digits >= have else rest // 10 ** (have - digits)
        return padded_digits(moved, digits)

    return write


def _names(number: Callable[[Moments], Ints], names: Sequence[str], letters: int | None) -> Writer:
    # not made here: pyarrow's first conversion imports pandas, and importing plait must not
    return lambda m: pa.array([name[:letters] for name in names]).take(pa.array(number(m)))


def _week(first: int) -> Callable[[Moments], Ints]:
    """Weeks of the year, beginning on Sunday (0) or Monday (1); before the first is week 0."""

    def number(m: Moments) -> Ints:
        weekday = (DAY_PARTS["dayofweek"](m.days) - first) % 7
        return np.asarray((DAY_PARTS["dayofyear"](m.days) + 6 - weekday) // 7)

    return number


def _weekday(m: Moments) -> Ints:
    return DAY_PARTS["dayofweek"](m.days)


def _month(m: Moments) -> Ints:
    return civil(m.days)[1] - 1


def _year2(m: Moments) -> Ints:
    return np.asarray(np.abs(civil(m.days)[0]) % 100)


def _year4(m: Moments) -> pa.Array:
    years = civil(m.days)[0]
    text = padded_digits(np.abs(years), 4)
    if (years < 0).any():
        text = pc.binary_join_element_wise(pc.if_else(pa.array(years < 0), "-", ""), text, "")
    return text


def _fixed(text: str) -> Writer:
    return lambda m: pa.repeat(pa.scalar(text), len(m.days))


_WRITERS: dict[str, Writer] = {
    "a": _names(_weekday, DAY_NAMES, 3),
    "A": _names(_weekday, DAY_NAMES, None),
    "b": _names(_month, MONTH_NAMES, 3),
    "h": _names(_month, MONTH_NAMES, 3),
    "B": _names(_month, MONTH_NAMES, None),
    "w": _day("dayofweek", 1),
    "u": _day("isodow", 1),
    "d": _day("day", 2),
    "-d": _day("day", 1),
    "m": _day("month", 2),
    "-m": _day("month", 1),
    "y": lambda m: padded_digits(_year2(m), 2),
    "-y": lambda m: padded_digits(_year2(m), 1),
    "Y": _year4,
    "G": _day("isoyear", 4),
    "V": _day("week", 2),
    "j": _day("dayofyear", 3),
    "-j": _day("dayofyear", 1),
    "U": lambda m: padded_digits(_week(0)(m), 2),
    "W": lambda m: padded_digits(_week(1)(m), 2),
    "H": _of_clock(3600, 24, 2),
    "-H": _of_clock(3600, 24, 1),
    "I": _twelve(2),
    "-I": _twelve(1),
    "p": _names(lambda m: _rest(m) // (43200 * m.per_second), ("AM", "PM"), None),
    "M": _of_clock(60, 60, 2),
    "-M": _of_clock(60, 60, 1),
    "S": _of_clock(1, 60, 2),
    "-S": _of_clock(1, 60, 1),
    "f": _fraction(6),
    "g": _fraction(3),
    "n": _fraction(9),
    "z": _fixed("+00"),
    "Z": _fixed(""),
}


def strftime(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Dates and timestamps as text."""
    value, form = args if pat.is_string(args[1].type) else (args[1], args[0])
    if not is_array(value) and not is_array(form):
        raise UnsupportedError("strftime of constants only")
    return by_pattern(_written, (array_of(value, length_of(args)), form), result)


def _written(column: pa.Array, form: str) -> pa.Array:
    elsewhere = pat.is_timestamp(column.type) and column.type.tz not in (None, "UTC")
    if elsewhere and any(word in ("z", "Z") for kind, word in pieces(form) if kind == "%"):
        raise UnsupportedError("%z and %Z are written for UTC only; use timezone() first")
    moments = moments_of(column)
    shown = {word.lstrip("-") for kind, word in pieces(form) if kind == "%"}
    zone = "UTC" if pat.is_timestamp(column.type) and column.type.tz else ""
    if not shown & _TIMED and len(column):
        return _by_day(moments, lambda days: _joined(form, Moments(days, None, 1, None), zone))
    if shown <= _TIMED - _FRACTIONS and len(column) > 1000:
        return _by_clock(moments, 1 if shown & _SECONDS else 60, form, zone)
    text = _joined(form, moments, zone)
    if moments.valid is None:
        return text
    return pc.if_else(pa.array(moments.valid), text, pa.scalar(None, STRING))


def _by_day(moments: Moments, write: Callable[[Ints], pa.Array]) -> pa.Array:
    """A text that depends on the day alone, as a dictionary."""
    days = moments.days
    low, high = int(days.min()), int(days.max())
    if high - low <= len(days):
        entries, codes = write(np.arange(low, high + 1)), days - low
    else:
        distinct, codes = np.unique(days, return_inverse=True)
        entries = write(distinct)
    return attach(from_ints(codes.astype(np.int32), pa.int32(), moments.valid, len(days)), entries)


def _by_clock(moments: Moments, step: int, form: str, zone: str) -> pa.Array:
    """A text that depends on the minute or second of the day alone, as a dictionary."""
    steps = np.arange(SECONDS_PER_DAY // step) * step
    entries = _joined(form, Moments(np.zeros_like(steps), steps, 1, None), zone)
    codes = (_rest(moments) // (step * moments.per_second)).astype(np.int32)
    return attach(from_ints(codes, pa.int32(), moments.valid, len(codes)), entries)


def _joined(form: str, moments: Moments, zone: str) -> pa.Array:
    columns: list[Any] = []
    for kind, word in pieces(form):
        if kind == "text":
            columns.append(pa.scalar(word))
        elif word == "Z":
            columns.append(pa.scalar(zone))
        elif word in _WRITERS:
            columns.append(_WRITERS[word](moments))
        else:
            raise ComputeError(f"%{word} cannot be written")
    n = len(moments.days)
    return array_of(pc.binary_join_element_wise(*columns, pa.scalar("")), n)


# reading

_READERS: dict[str, str] = {
    "a": "(?i:sun|mon|tue|wed|thu|fri|sat)",
    "A": f"(?i:{'|'.join(DAY_NAMES)})",
    "b": f"(?i:{'|'.join(m[:3] for m in MONTH_NAMES)})",
    "h": f"(?i:{'|'.join(m[:3] for m in MONTH_NAMES)})",
    "B": f"(?i:{'|'.join(MONTH_NAMES)})",
    "w": "[0-6]",
    "u": "[1-7]",
    "d": r"\d{1,2}",
    "m": r"\d{1,2}",
    "y": r"\d{1,2}",
    "Y": r"-?\d{1,6}",
    "j": r"\d{1,3}",
    "H": r"\d{1,2}",
    "I": r"\d{1,2}",
    "p": "(?i:am|pm)",
    "M": r"\d{1,2}",
    "S": r"\d{1,2}",
    "f": r"\d{1,9}",
    "g": r"\d{1,3}",
    "n": r"\d{1,9}",
    "z": r"Z|[+-]\d{2}(?::?\d{2})?",
    "Z": r"[A-Za-z/_+\-0-9]*",
}
_PLAIN = re.compile("-")


@lru_cache(maxsize=256)
def reader(form: str) -> tuple[str, tuple[str, ...]]:
    """The regular expression of a format, and the specifiers in it."""
    body, words = "", []
    for kind, word in pieces(form):
        if kind == "text":
            body += escaped(word)
            continue
        word = _PLAIN.sub("", word)
        if word not in _READERS:
            raise ComputeError(f"%{word} cannot be read in the time format {form!r}")
        if word in words:
            raise ComputeError(f"%{word} stands twice in the time format {form!r}")
        words.append(word)
        body += f"(?P<{word}>{_READERS[word]})"
    return rf"\A\s*{body}\s*\z", tuple(words)


def _read(column: pa.Array, form: str) -> tuple[Ints, Bools]:
    """Microseconds since 1970, and which strings fit the format."""
    expression, words = reader(form)
    n = len(column)
    if not words:
        raise ComputeError(f"The time format {form!r} reads nothing")
    found = pc.extract_regex(column, expression)
    fits = np.asarray(pc.is_valid(found).to_numpy(zero_copy_only=False))
    text = {word: found.field(word) for word in words}

    def number(word: str, default: int) -> Ints:
        if word not in text:
            return np.full(n, default, np.int64)
        digits = pc.if_else(pa.array(fits), text[word], str(default))
        return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False))

    year = _years(text, number)
    month = _month_numbers(text, fits, n) if {"b", "h", "B"} & set(words) else number("m", 1)
    day = number("d", 1)
    ok = fits & (month >= 1) & (month <= 12) & (day >= 1)
    month = np.where(ok, month, 1)
    ok &= day <= days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1)
    days = days_from_civil(year, month, np.where(ok, day, 1))
    if "j" in text:
        ordinal = number("j", 1)
        ok &= (ordinal >= 1) & (ordinal <= 366)
        days = days_from_civil(year, 1, 1) + ordinal - 1
    micros, timely = _time_of_day(text, number, fits, n)
    return days * SECONDS_PER_DAY * 1_000_000 + micros, ok & timely


def _years(text: dict[str, pa.Array], number: Callable[[str, int], Ints]) -> Ints:
    if "Y" in text:
        return number("Y", 1900)
    if "y" in text:
        short = number("y", 0)
        return np.where(short < 69, short + 2000, short + 1900)
    return number("Y", 1900)


def _month_numbers(text: dict[str, pa.Array], fits: Bools, n: int) -> Ints:
    word = next(w for w in ("b", "h", "B") if w in text)
    three = pc.utf8_lower(pc.utf8_slice_codeunits(text[word], 0, 3))
    names = pa.array([m[:3].lower() for m in MONTH_NAMES])
    return np.asarray(pc.index_in(three, names).fill_null(0).to_numpy().astype(np.int64) + 1)


def _time_of_day(
    text: dict[str, pa.Array], number: Callable[[str, int], Ints], fits: Bools, n: int
) -> tuple[Ints, Bools]:
    hour = number("H", 0)
    ok = np.ones(n, np.bool_)
    if "I" in text:
        twelve = number("I", 12)
        ok &= (twelve >= 1) & (twelve <= 12)
        hour = twelve % 12
    if "p" in text:
        afternoon = pc.equal(pc.utf8_lower(text["p"]), "pm").fill_null(False)
        pm = afternoon.to_numpy(zero_copy_only=False)
        hour = np.where(pm & (hour < 12), hour + 12, np.where(~pm & (hour == 12), 0, hour))
    minute, second = number("M", 0), number("S", 0)
    ok &= (hour < 24) & (minute < 60) & (second < 60)
    micros = ((hour * 60 + minute) * 60 + second) * 1_000_000
    for word, width in (("f", 6), ("g", 3), ("n", 9)):
        if word in text:
            padded = pc.utf8_rpad(pc.utf8_slice_codeunits(text[word], 0, 9), width, "0")
            digits = pc.utf8_slice_codeunits(pc.utf8_rpad(padded, 9, "0"), 0, 6)
            micros += digits.fill_null("0").cast(pa.int64()).to_numpy()
    if "z" in text:
        micros -= _offset(text["z"]) * 1_000_000
    return micros, ok


def _offset(zones: pa.Array) -> Ints:
    """Seconds a zone such as +02:30 is ahead of UTC."""
    digits = pc.replace_substring(zones.fill_null("Z"), ":", "")
    negative = pc.starts_with(digits, "-").to_numpy(zero_copy_only=False)
    hours = pc.utf8_lpad(pc.utf8_slice_codeunits(digits, 1, 3), 1, "0").cast(pa.int64())
    minutes = pc.utf8_lpad(pc.utf8_slice_codeunits(digits, 3, 5), 1, "0").cast(pa.int64())
    seconds = hours.to_numpy() * 3600 + minutes.to_numpy() * 60
    return np.asarray(np.where(negative, -seconds, seconds))


def _formats(value: Value) -> list[str]:
    if is_array(value):
        raise UnsupportedError("strptime needs a constant format")
    found = value.as_py()
    return [found] if isinstance(found, str) else [f for f in found if f is not None]


def _strptime(strict: bool) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        column = array_of(args[0], length_of(args))
        n = len(column)
        known = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False))
        micros, done = np.zeros(n, np.int64), np.zeros(n, np.bool_)
        for form in _formats(args[1]):
            found, fits = _read(column, form)
            micros = np.where(fits & ~done, found, micros)
            done |= fits
            if (done == known).all():
                break
        if strict and (known & ~done).any():
            at = int(np.flatnonzero(known & ~done)[0])
            shown = " or ".join(map(repr, _formats(args[1])))
            raise ConversionError(
                f"Could not read {column[at].as_py()!r} in the format {shown}; "
                "try_strptime gives NULL for such texts"
            )
        return from_ints(micros, result, done & known, n)

    return per_entry(run)


KERNELS: dict[str, Kernel] = {
    "strftime": per_entry(strftime),
    "strptime": _strptime(True),
    "try_strptime": _strptime(False),
}
