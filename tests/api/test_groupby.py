"""groupby against pandas: keys, aggregations in every form, windows, functions of groups."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import PlanError, UnsupportedError
from tests.api.oracle import Step, agree, people

FORMS: dict[str, Step] = {
    "sum": lambda d: d.groupby("k")[["x", "y"]].sum(),
    "sum of one": lambda d: d.groupby("k").x.sum(),
    "mean": lambda d: d.groupby("g")["y"].mean(),
    "dict": lambda d: d.groupby("k").agg({"x": "sum", "y": "mean"}),
    "dict of lists": lambda d: d.groupby("k").agg({"x": "sum", "y": ["min", "mean"]}),
    "named": lambda d: d.groupby("k").agg(total=("x", "sum"), m=("y", "mean")),
    "NamedAgg": lambda d: d.groupby("k").agg(total=pd.NamedAgg("x", "sum")),
    "list": lambda d: d.groupby("g")[["x", "y"]].agg(["sum", "mean"]),
    "part of a list": lambda d: d.groupby("g")[["x", "y"]].agg(["sum", "mean"])["x"],
    "list for one": lambda d: d.groupby("g").x.agg(["sum", "max"]),
    "named for one": lambda d: d.groupby("g").x.agg(a="sum", b="max"),
    "builtin": lambda d: d.groupby("g").x.agg("sum"),
    "as columns": lambda d: d.groupby("k", as_index=False).agg(total=("x", "sum")),
    "as columns, two keys": lambda d: d.groupby(["k", "g"], as_index=False)["x"].sum(),
    "two keys": lambda d: d.groupby(["g", "k"]).x.sum(),
    "missing keys kept": lambda d: d.groupby("k", dropna=False).x.sum(),
    "missing keys kept, two": lambda d: d.groupby(["g", "k"], dropna=False).y.mean(),
    "size": lambda d: d.groupby("k").size(),
    "size as column": lambda d: d.groupby("k", as_index=False).size(),
    "count": lambda d: d.groupby("g").count(),
    "nunique": lambda d: d.groupby("g")[["k", "x"]].nunique(),
    "first": lambda d: d.groupby("g")[["k", "y"]].first(),
    "last": lambda d: d.groupby("g")[["k", "y"]].last(),
    "min of texts": lambda d: d.groupby("g").s.min(),
    "max of times": lambda d: d.groupby("g").t.max(),
    "median": lambda d: d.groupby("g").y.median(),
    "std": lambda d: d.groupby("k").y.std(),
    "var of population": lambda d: d.groupby("g").y.var(ddof=0),
    "sem": lambda d: d.groupby("g").y.sem(),
    "quantile": lambda d: d.groupby("g").y.quantile(0.25),
    "prod": lambda d: d.groupby("g").x.prod(),
    "any": lambda d: d.groupby("g").b.any(),
    "all": lambda d: d.groupby("g").b.all(),
    "sum of booleans": lambda d: d.groupby("g").b.sum(),
    "sum of nothing": lambda d: d.groupby("k").y.sum(),
    "min_count": lambda d: d.groupby("k").y.sum(min_count=1),
    "numeric only": lambda d: d.groupby("k").mean(numeric_only=True),
    "by a mask": lambda d: d.groupby(d.x > 2).y.mean(),
    "by column and mask": lambda d: d.groupby(["g", d.x > 2]).y.mean(),
    "by a rounded time": lambda d: d.groupby(d.t.dt.floor("D")).x.sum(),
    "by an index level": lambda d: d.set_index("k").groupby("k").x.sum(),
    "by a category": lambda d: d.groupby("c", observed=True).x.sum(),
    "series by series": lambda d: d.x.groupby(d.g).sum(),
    "reset": lambda d: d.groupby("g").x.sum().reset_index(),
    "reset with a name": lambda d: d.groupby("g").x.sum().reset_index(name="total"),
    "of a computed column": lambda d: d.assign(z=d.x * d.g).groupby("g").z.sum(),
    "filter of groups": lambda d: d.groupby("g").x.sum()[lambda s: s > 10],
}

ROWS: dict[str, Step] = {
    "transform": lambda d: d.groupby("g").y.transform("mean"),
    "transform assigned": lambda d: d.assign(m=d.groupby("k").x.transform("sum")),
    "share of the group": lambda d: d.x / d.groupby("g").x.transform("sum"),
    "transform of a frame": lambda d: d.groupby("g")[["x", "y"]].transform("max"),
    "cumsum": lambda d: d.groupby("g").y.cumsum(),
    "cummax": lambda d: d.groupby("g").x.cummax(),
    "cumcount": lambda d: d.groupby("g").cumcount(),
    "cumcount from the end": lambda d: d.groupby("g").cumcount(ascending=False),
    "shift": lambda d: d.groupby("g").y.shift(),
    "shift back": lambda d: d.groupby("g").x.shift(-1),
    "diff": lambda d: d.groupby("g").x.diff(),
    "rank": lambda d: d.groupby("g").y.rank(),
    "rank min": lambda d: d.groupby("g").y.rank(method="min", ascending=False),
    "ngroup": lambda d: d.groupby("k").ngroup(),
    "head": lambda d: d.groupby("g").head(2),
    "tail": lambda d: d.groupby("g")[["x", "y"]].tail(1),
    "nth": lambda d: d.groupby("g")[["x", "y"]].nth(1),
    "nth from the end": lambda d: d.groupby("g").nth(-1),
}


@pytest.mark.parametrize("name", FORMS)
def test_aggregations(name: str) -> None:
    agree(FORMS[name])


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_groups(name: str) -> None:
    agree(ROWS[name])


def test_keys_from_dates_are_int64() -> None:
    agree(lambda d: d.groupby(d.t.dt.year).x.sum(), dtype=False)
    agree(lambda d: d.groupby([d.t.dt.year, d.t.dt.month]).x.sum(), dtype=False)


def test_unsorted_groups() -> None:
    agree(lambda d: d.groupby("g", sort=False).x.sum(), order=False)


def test_value_counts_of_groups() -> None:
    agree(lambda d: d.groupby("g").k.value_counts(), order=False)


def test_functions_of_groups() -> None:
    def total(part: pd.DataFrame) -> Any:
        return part.x.sum()

    def two(part: pd.DataFrame) -> pd.Series:
        return pd.Series({"a": part.x.sum(), "b": part.y.mean()})

    def lazily(d: Any, meta: Any) -> dict[str, Any]:
        return {} if isinstance(d, pd.DataFrame) else {"meta": meta}

    agree(lambda d: d.groupby("g")[["x"]].apply(total, **lazily(d, "int64")))
    agree(
        lambda d: d.groupby("g")[["x", "y"]].apply(two, **lazily(d, {"a": float, "b": float})),
    )
    agree(lambda d: d.groupby("k").x.apply(lambda s: s.max() - s.min(), **lazily(d, int)))


def test_sum_of_groups_without_missing_values_needs_no_default() -> None:
    lazy = plait.from_pandas(people())
    assert "pandas_sum" not in str(lazy.groupby("g").x.sum()._frame.plan)
    assert "pandas_sum" in str(lazy.groupby("g").y.sum()._frame.plan)


def test_mistakes() -> None:
    lazy = plait.from_pandas(people())
    with pytest.raises(KeyError, match="'g'"):
        lazy.groupby("gg")
    with pytest.raises(KeyError, match="'x'"):
        lazy.groupby("g")["xx"]
    with pytest.raises(PlanError, match="median"):
        lazy.groupby("g").agg("medin")
    with pytest.raises(UnsupportedError, match="apply"):
        lazy.groupby("g").agg(lambda part: part)
    with pytest.raises(TypeError, match="numeric_only"):
        lazy.groupby("g").s.mean()
    with pytest.raises(UnsupportedError, match="meta"):
        lazy.groupby("g").apply(lambda part: part)
    with pytest.raises(AttributeError, match="'x'"):
        _ = lazy.groupby("g").xx
    with pytest.raises(PlanError, match="as_index"):
        lazy.groupby("g", as_indx=False)
