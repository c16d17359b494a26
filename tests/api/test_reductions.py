"""Columns and frames to single values: reductions, describe, value_counts, windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import UnsupportedError
from tests.api.oracle import Step, agree, people

VALUES: dict[str, Step] = {
    "sum": lambda d: d.x.sum(),
    "sum with missing": lambda d: d.y.sum(),
    "sum of nothing": lambda d: d.y[d.x > 100].sum(),
    "sum of nothing, min_count": lambda d: d.y[d.x > 100].sum(min_count=1),
    "sum of booleans": lambda d: d.b.sum(),
    "mean": lambda d: d.y.mean(),
    "mean of integers": lambda d: d.x.mean(),
    "mean of booleans": lambda d: d.b.mean(),
    "min": lambda d: d.y.min(),
    "max of texts": lambda d: d.k.dropna().max(),
    "max of times": lambda d: d.t.max(),
    "std": lambda d: d.y.std(),
    "std of one": lambda d: d.y.head(1).std(),
    "var of population": lambda d: d.y.var(ddof=0),
    "sem": lambda d: d.y.sem(),
    "skew": lambda d: d.y.skew(),
    "kurt": lambda d: d.y.kurt(),
    "count": lambda d: d.y.count(),
    "nunique": lambda d: d.k.nunique(),
    "nunique with missing": lambda d: d.k.nunique(dropna=False),
    "median": lambda d: d.y.median(),
    "quantile": lambda d: d.y.quantile(0.3),
    "prod": lambda d: d.g.prod(),
    "any": lambda d: d.b.any(),
    "all": lambda d: d.b.all(),
    "all of nothing": lambda d: d.b[d.x > 100].all(),
    "any of numbers": lambda d: d.x.any(),
    "idxmax": lambda d: d.y.idxmax(),
    "idxmin": lambda d: d.set_index("s").x.idxmin(),
    "is_unique": lambda d: d.x.is_unique,
    "agg": lambda d: d.x.agg("sum"),
    "infinite": lambda d: (d.y / d.x).max(),
    "without what 0/0 gives": lambda d: (d.x / d.x).mean(),
}

LAZY: dict[str, Step] = {
    "sum": lambda d: d[["g", "x", "y"]].sum(),
    "numbers": lambda d: d.sum(numeric_only=True),
    "mean": lambda d: d[["x", "y"]].mean(),
    "count": lambda d: d.count(),
    "nunique": lambda d: d.nunique(),
    "median": lambda d: d[["x", "y"]].median(),
    "max": lambda d: d[["x", "g"]].max(),
    "any": lambda d: d[["b", "x"]].any(),
    "list": lambda d: d[["x", "y"]].agg(["sum", "min"]),
    "dict": lambda d: d.agg({"x": "sum", "y": "mean"}),
    "dict of lists": lambda d: d.agg({"x": ["sum", "max"], "y": ["sum"]}),
    "of a series": lambda d: d.x.agg(["sum", "max"]),
    "quantiles": lambda d: d.y.quantile([0.25, 0.5]),
    "describe": lambda d: d[["g", "x", "y"]].describe(),
    "describe a series": lambda d: d.y.describe(percentiles=[0.1, 0.5, 0.9]),
}

COUNTS: dict[str, Step] = {
    "values": lambda d: d.g.value_counts(),
    "shares": lambda d: d.k.value_counts(normalize=True),
    "with missing": lambda d: d.k.value_counts(dropna=False),
    "ascending": lambda d: d.g.value_counts(ascending=True),
    "category": lambda d: d.c.value_counts(),
    "rows": lambda d: d[["g", "k"]].value_counts(),
}

WINDOWS: dict[str, Step] = {
    "cumsum": lambda d: d.y.cumsum(),
    "cumprod": lambda d: d.g.cumprod(),
    "cummax": lambda d: d.x.cummax(),
    "cummin": lambda d: d.y.cummin(),
    "shift": lambda d: d.x.shift(2),
    "shift back": lambda d: d.y.shift(-1),
    "shift filled": lambda d: d.x.shift(1, fill_value=0),
    "diff": lambda d: d.x.diff(),
    "pct_change": lambda d: d.g.pct_change(),
    "rank": lambda d: d.y.rank(),
    "rank min": lambda d: d.x.rank(method="min"),
    "rank max": lambda d: d.x.rank(method="max"),
    "rank first": lambda d: d.x.rank(method="first"),
    "rank dense down": lambda d: d.x.rank(method="dense", ascending=False),
    "rank share": lambda d: d.x.rank(pct=True),
    "rank dense share": lambda d: d.x.rank(method="dense", pct=True),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    agree(VALUES[name])


@pytest.mark.parametrize("name", LAZY)
def test_summaries(name: str) -> None:
    agree(LAZY[name])


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    # the order of equally frequent values is pandas' hash table's
    agree(COUNTS[name], order=False)


def test_counts_come_most_frequent_first() -> None:
    counts = plait.from_pandas(people(), npartitions=3).k.value_counts().compute()
    assert counts.tolist() == [4, 3, 2, 1]
    assert counts.index.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    agree(WINDOWS[name])


def test_scalars_are_values() -> None:
    data = people()
    lazy = plait.from_pandas(data)
    total = lazy.x.sum()
    assert int(total) == data.x.sum()
    assert float(lazy.y.mean()) == pytest.approx(data.y.mean())
    assert (total / lazy.x.count()).compute() == pytest.approx(data.x.mean())
    assert (2 * total - 1).compute() == 2 * data.x.sum() - 1
    assert (total > 10).compute()
    assert round(lazy.y.mean(), 1).compute() == round(data.y.mean(), 1)
    assert list(range(lazy.g.max())) == [0, 1, 2]
    with pytest.raises(TypeError, match="compute"):
        bool(total)
    assert lazy[["x", "y"]].mean()["y"].compute() == pytest.approx(data.y.mean())


def test_integer_sums_never_wrap() -> None:
    lazy = plait.from_pandas(pd.DataFrame({"x": [2**62, 2**62]}))
    with pytest.raises(OverflowError):
        lazy.x.sum().compute()
    with pytest.raises(OverflowError):
        (lazy.x * 4).compute()


def test_missing_is_skipped_unless_refused() -> None:
    lazy = plait.from_pandas(people())
    with pytest.raises(UnsupportedError, match="isna"):
        lazy.y.sum(skipna=False)


def test_infinite_values() -> None:
    data = pd.DataFrame({"x": [1.0, np.inf, -np.inf, np.nan], "z": [0.0, 1.0, 0.0, 0.0]})
    agree(lambda d: d.x / d.z, data)
    agree(lambda d: d.x.isna(), data)
    agree(lambda d: d.x.max(), data)
    agree(lambda d: d.x.count(), data)
