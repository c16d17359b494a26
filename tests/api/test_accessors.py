""".str and .dt against pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import UnsupportedError
from tests.api.oracle import agree

TEXT: dict[str, Callable[[Any], Any]] = {
    "upper": lambda s: s.upper(),
    "lower": lambda s: s.lower(),
    "len": lambda s: s.len(),
    "strip": lambda s: s.strip(),
    "lstrip set": lambda s: s.lstrip("A"),
    "rstrip": lambda s: s.rstrip(),
    "capitalize": lambda s: s.capitalize(),
    "title": lambda s: s.title(),
    "swapcase": lambda s: s.swapcase(),
    "startswith": lambda s: s.startswith("b"),
    "startswith any": lambda s: s.startswith(("b", "A")),
    "endswith": lambda s: s.endswith("b"),
    "contains": lambda s: s.contains("nn"),
    "contains pattern": lambda s: s.contains("^[aA]"),
    "contains any case": lambda s: s.contains("ANN", case=False),
    "contains literally": lambda s: s.contains("'", regex=False),
    "match": lambda s: s.match("[a-z]"),
    "match words": lambda s: s.match(r"\w+$"),
    "fullmatch": lambda s: s.fullmatch("[a-z]+"),
    "replace": lambda s: s.replace("n", "N"),
    "replace pattern": lambda s: s.replace("[aeiou]", "_", regex=True),
    "replace groups": lambda s: s.replace(r"(\w)(\w)", r"\2\1", regex=True),
    "replace first": lambda s: s.replace("n", "N", n=1),
    "slice": lambda s: s[1:3],
    "slice from end": lambda s: s[-2:],
    "slice step": lambda s: s[::2],
    "slice back": lambda s: s[::-1],
    "slice to": lambda s: s.slice(0, -1),
    "first": lambda s: s[0],
    "last": lambda s: s[-1],
    "get": lambda s: s.get(3),
    "pad": lambda s: s.pad(6),
    "ljust": lambda s: s.ljust(6, "."),
    "center": lambda s: s.center(7, "*"),
    "zfill": lambda s: s.zfill(5),
    "find": lambda s: s.find("e"),
    "count": lambda s: s.count("n"),
    "isdigit": lambda s: s.isdigit(),
    "isalpha": lambda s: s.isalpha(),
    "isupper": lambda s: s.isupper(),
    "islower": lambda s: s.islower(),
    "istitle": lambda s: s.istitle(),
    "isspace": lambda s: s.isspace(),
    "isalnum": lambda s: s.isalnum(),
    "removeprefix": lambda s: s.removeprefix("A"),
    "removesuffix": lambda s: s.removesuffix("b"),
    "repeat": lambda s: s.repeat(2),
    "extract": lambda s: s.extract(r"([a-z]+)", expand=False),
}

TIME: dict[str, Callable[[Any], Any]] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "microsecond": lambda t: t.microsecond,
    "day_of_week": lambda t: t.day_of_week,
    "day_of_year": lambda t: t.day_of_year,
    "quarter": lambda t: t.quarter,
    "days_in_month": lambda t: t.days_in_month,
    "is_month_start": lambda t: t.is_month_start,
    "is_month_end": lambda t: t.is_month_end,
    "is_year_start": lambda t: t.is_year_start,
    "is_year_end": lambda t: t.is_year_end,
    "is_quarter_start": lambda t: t.is_quarter_start,
    "is_quarter_end": lambda t: t.is_quarter_end,
    "is_leap_year": lambda t: t.is_leap_year,
    "normalize": lambda t: t.normalize(),
    "floor": lambda t: t.floor("15min"),
    "ceil": lambda t: t.ceil("h"),
    "round day": lambda t: t.round("D"),
    "round second": lambda t: t.round("s"),
    "day_name": lambda t: t.day_name(),
    "month_name": lambda t: t.month_name(),
    "strftime": lambda t: t.strftime("%Y/%m/%d %H"),
    "iso week": lambda t: t.isocalendar().week.astype(float),
}


@pytest.mark.parametrize("name", TEXT)
def test_text(name: str) -> None:
    agree(lambda d: TEXT[name](d.s.str))


@pytest.mark.parametrize("name", TIME)
def test_time(name: str) -> None:
    # parts are int64 where pandas has int32, or float64 with missing values
    agree(lambda d: TIME[name](d.t.dt), dtype=False)


def test_parts_of_a_split_text() -> None:
    agree(lambda d: d.s.str.split(" ").str[0], dtype=False)
    agree(lambda d: d.s.str.split(" ").str[1], dtype=False)
    agree(lambda d: d.s.str.split().str.get(-1), dtype=False)


def test_texts_of_two_columns() -> None:
    agree(lambda d: d.s.str.cat(d.k, sep="-"))


def test_time_zone_is_the_clock_on_the_wall() -> None:
    zoned = pd.DataFrame(
        {"t": pd.date_range("2020-03-28 22:30", periods=6, freq="h", tz="Europe/Paris")}
    )
    agree(lambda d: d.t.dt.hour, zoned, dtype=False)
    agree(lambda d: d.t.dt.floor("D"), zoned)


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (lambda s: s.split("-", expand=True), "str\\[0\\]"),
        (lambda s: s.contains("(?=a)"), "look-around"),
        (lambda s: s.extract("(a)(b)"), "one group"),
        (lambda s: s.replace("a", lambda m: m), "function"),
    ],
)
def test_refusals_say_what_to_write(step: Callable[[Any], Any], word: str) -> None:
    text = plait.from_pandas(pd.DataFrame({"s": ["a-b"]})).s.str
    with pytest.raises(UnsupportedError, match=word):
        step(text)


def test_accessors_need_their_types() -> None:
    frame = plait.from_pandas(pd.DataFrame({"x": [1], "s": ["a"]}))
    with pytest.raises(AttributeError, match="needs texts"):
        _ = frame.x.str
    with pytest.raises(AttributeError, match="to_datetime"):
        _ = frame.s.dt
    assert not hasattr(frame.x, "str")
