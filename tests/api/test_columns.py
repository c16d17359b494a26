"""One column: operators, missing values, conversions, each as pandas does it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.api.oracle import Step, agree

OPERATORS: dict[str, Step] = {
    "add": lambda d: d.x + d.y,
    "add constant": lambda d: d.x + 1,
    "constant first": lambda d: 10 - d.x,
    "divide floats": lambda d: d.y / d.x,
    "divide integers": lambda d: d.x / d.g,
    "divide by zero": lambda d: d.g / d.x,
    "zero by zero": lambda d: d.x / d.x,
    "floor division": lambda d: d.x // 3,
    "floor division by a negative": lambda d: d.x // -3,
    "floor division by floats": lambda d: d.x // d.g.astype(float),
    "floor division by zero": lambda d: d.y // 0,
    "modulo": lambda d: d.x % 3,
    "modulo of a negative": lambda d: d.x % -3,
    "modulo of floats": lambda d: d.y % 2,
    "modulo by zero": lambda d: d.y % 0,
    "power of integers": lambda d: d.x**2,
    "power of floats": lambda d: d.y**2,
    "negation": lambda d: -d.y,
    "absolute": lambda d: d.y.abs(),
    "round": lambda d: (d.y * 1.115).round(2),
    "round halves to even": lambda d: (d.x / 2).round(),
    "text and text": lambda d: d.k + d.s,
    "text and constant": lambda d: d.k + "!",
    "booleans added": lambda d: d.b + d.b,
    "boolean and integer": lambda d: d.b + 1,
    "float32": lambda d: d.x.astype("float32") / 3,
    "float32 and int16": lambda d: d.x.astype("float32") * d.g.astype("int16"),
    "float32 and int64": lambda d: d.x.astype("float32") * d.g,
    "small integers": lambda d: d.g.astype("int8") + d.x.astype("int16"),
    "unsigned and signed": lambda d: d.g.astype("uint64") + d.x,
    "fill value": lambda d: d.x.add(d.y, fill_value=0),
    "named operators": lambda d: d.x.sub(1).mul(2).div(4).floordiv(1).mod(3).pow(2),
    "reflected by name": lambda d: d.x.rsub(1),
}

COMPARISONS: dict[str, Step] = {
    "equal": lambda d: d.k == "a",
    "unequal is true for missing": lambda d: d.k != "a",
    "less": lambda d: d.y < 2.5,
    "two columns": lambda d: d.x >= d.y,
    "other type is never equal": lambda d: d.x == "a",
    "other type is always unequal": lambda d: d.k != 5,
    "boolean and number": lambda d: d.b == 1,
    "timestamp and text": lambda d: d.t > "2015-02-01",
    "timestamp and timestamp": lambda d: d.t <= pd.Timestamp("2015-07-04 17:45"),
    "and or": lambda d: (d.x > 2) & (d.y < 5) | (d.k == "a"),
    "not": lambda d: ~(d.y > 2),
    "xor": lambda d: (d.x > 2) ^ d.b,
    "by name": lambda d: d.x.gt(2) | d.x.le(0) | d.x.eq(1) & d.x.ne(4) & d.x.lt(9) & d.x.ge(0),
    "isin": lambda d: d.k.isin(["a", "c"]),
    "isin with missing": lambda d: d.y.isin([2.5, np.nan]),
    "isin of mixed types": lambda d: d.x.isin([5, "a", 8]),
    "between": lambda d: d.x.between(0, 4),
    "between exclusive": lambda d: d.x.between(0, 4, inclusive="neither"),
}

VALUES: dict[str, Step] = {
    "isna": lambda d: d.y.isna(),
    "notna": lambda d: d.k.notna(),
    "fillna": lambda d: d.y.fillna(0),
    "fillna text": lambda d: d.k.fillna("?"),
    "fillna by column": lambda d: d.y.fillna(d.x),
    "combine_first": lambda d: d.y.combine_first(d.x.astype(float)),
    "dropna": lambda d: d.y.dropna(),
    "ffill": lambda d: d.y.ffill(),
    "bfill": lambda d: d.y.bfill(),
    "where": lambda d: d.x.where(d.x > 2),
    "where else": lambda d: d.x.where(d.x > 2, -1),
    "where else column": lambda d: d.y.where(d.g == 1, d.x),
    "mask": lambda d: d.y.mask(d.y < 0, 0),
    "clip": lambda d: d.y.clip(0, 3),
    "clip one side": lambda d: d.x.clip(upper=4),
    "map dict": lambda d: d.k.map({"a": 1, "b": 2}),
    "map all to text": lambda d: d.g.map({1: "one", 2: "two", 3: "three"}),
    "map some": lambda d: d.g.map({1: "one"}),
    "replace": lambda d: d.k.replace("a", "z"),
    "replace dict": lambda d: d.x.replace({5: 50, 8: 80}),
    "replace list": lambda d: d.x.replace([5, 8], 0),
    "replace two lists": lambda d: d.x.replace([5, 8], [8, 5]),
    "replace none that occurs": lambda d: d.x.replace("a", "b"),
    "astype float": lambda d: d.x.astype(float),
    "astype int cuts": lambda d: d.y.fillna(0).astype(int),
    "astype str": lambda d: d.x.astype(str),
    "astype bool": lambda d: d.x.astype(bool),
    "astype int32": lambda d: d.x.astype("int32"),
    "bool astype int": lambda d: d.b.astype(int),
    "rename": lambda d: d.x.rename("z"),
    "mask by another column": lambda d: d.x[d.y > 1],
    "drop_duplicates": lambda d: d.k.drop_duplicates(),
    "duplicated": lambda d: d.k.duplicated(keep="last"),
    "category": lambda d: d.c,
    "to_frame": lambda d: d.x.to_frame("z"),
    "reset_index": lambda d: d[d.x > 2].x.reset_index(drop=True),
    "reset_index as frame": lambda d: d[d.x > 2].x.reset_index(),
    "index": lambda d: d[d.index > 5],
}

TIMES: dict[str, Step] = {
    "timestamp minus timestamp": lambda d: d.t - d.t.shift(1),
    "timestamp minus constant": lambda d: d.t - pd.Timestamp("2015-01-01"),
    "timestamp plus span": lambda d: d.t + pd.Timedelta("1h"),
    "timestamp minus span": lambda d: d.t - pd.Timedelta(days=2),
    "span over span": lambda d: (d.t - d.t.shift(1)) / pd.Timedelta("1D"),
    "months later": lambda d: d.t + pd.DateOffset(months=1),
    "total_seconds": lambda d: (d.t - d.t.shift(1)).dt.total_seconds(),
    "days": lambda d: (d.t - d.t.shift(1)).dt.days,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    agree(OPERATORS[name])


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    agree(COMPARISONS[name])


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    agree(VALUES[name])


@pytest.mark.parametrize("name", TIMES)
def test_times(name: str) -> None:
    agree(TIMES[name])


def test_division_of_integers_by_a_column_is_float_where_zero_is_possible() -> None:
    """Documented: pandas finds out from the data, plait has to know the type before."""
    agree(lambda d: d.x // d.g, dtype=False)
    agree(lambda d: d.g // d.x, dtype=False)
    agree(lambda d: d.g % d.x, dtype=False)
