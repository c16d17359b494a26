"""Whole frames: columns, masks, assignment, order, missing values, each as pandas does it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import PlanError, UnsupportedError
from tests.api.oracle import Step, agree, people, same


def assigned(d: Any) -> Any:
    d = d[["x", "y"]]
    d["z"] = d.x * 2
    d["w"] = 1
    d["v"] = "q"
    d["u"] = None
    d["x"] = d.x + d.z
    d[["p", "q"]] = d[["x", "y"]]
    del d["u"]
    return d


def assigned_by_mask(d: Any) -> Any:
    d = d[["x", "y"]].copy()
    d.loc[d.x < 0, "x"] = 0
    d.loc[d.y > 3, ["y"]] = -1.0
    return d


def relabelled(d: Any) -> Any:
    d = d[["x", "y"]].copy()
    d.columns = ["a", "b"]
    return d


COLUMNS: dict[str, Step] = {
    "choose": lambda d: d[["x", "k"]],
    "mask": lambda d: d[d.x > 2],
    "masks": lambda d: d[(d.x > 2) & (d.y < 5) | (d.k == "a")],
    "mask with missing": lambda d: d[~(d.y > 2)],
    "mask by function": lambda d: d[lambda f: f.x > 2],
    "mask of a frame": lambda d: d[["x", "y"]][d[["x", "y"]] > 2],
    "above the mean": lambda d: d[d.x > d.x.mean()],
    "standardised": lambda d: (d.x - d.x.mean()) / d.x.std(),
    "assign": lambda d: d.assign(z=d.x + 1, w=lambda f: f.z * 2),
    "assign in place": assigned,
    "assign by mask": assigned_by_mask,
    "where of another column": lambda d: d.assign(z=d.x.where(d.g == 1, d.y)),
    "relabelled": relabelled,
    "rename": lambda d: d.rename(columns={"x": "X"}),
    "rename by function": lambda d: d.rename(columns=str.upper),
    "swap": lambda d: d.rename(columns={"x": "y", "y": "x"}),
    "prefix": lambda d: d.add_prefix("p_"),
    "suffix": lambda d: d.add_suffix("_s"),
    "drop": lambda d: d.drop(columns=["x", "y"]),
    "drop axis": lambda d: d.drop("x", axis=1),
    "numbers": lambda d: d.select_dtypes("number"),
    "no numbers": lambda d: d.select_dtypes(exclude="number"),
    "loc": lambda d: d.loc[d.x > 2, ["x", "y"]],
    "loc columns": lambda d: d.loc[:, "g":"y"],
    "slice": lambda d: d[2:5],
    "query": lambda d: d.query("x > 2 and k in ['a','b'] | y == 2.5"),
    "query chained": lambda d: d.query("0 < x <= 5 and not b"),
    "query on index": lambda d: d.query("index > 3"),
    "query methods": lambda d: d.query("s.str.startswith('b') or x == g"),
    "eval": lambda d: d.eval("x * 2 + y"),
    "eval assigns": lambda d: d.eval("z = x * 2 + y"),
    "eval lines": lambda d: d.eval("z = x * 2\nw = z + 1"),
    "astype": lambda d: d.astype({"x": "float32", "g": "int8"}),
    "round": lambda d: d[["x", "y"]].round(1),
    "times": lambda d: d[["x", "y"]] * 2,
    "greater": lambda d: d[["x", "y"]] > 2,
    "frame and frame": lambda d: d[["x", "y"]] + d[["x", "y"]],
    "negated": lambda d: -d[["x", "y"]],
    "clip": lambda d: d[["x", "y"]].clip(0, 5),
    "isin": lambda d: d[["x", "g"]].isin([1, 5]),
    "isna": lambda d: d.isna(),
    "fillna": lambda d: d.fillna({"y": 0, "k": "z"}),
    "fillna number": lambda d: d[["x", "y"]].fillna(0),
    "where": lambda d: d[["x", "y"]].where(d.x > 2),
    "replace": lambda d: d.replace("a", "A").drop(columns="c"),
    "replace per column": lambda d: d.replace({"k": {"a": "A"}, "x": {5: 6}}),
    "shift": lambda d: d[["x", "y"]].shift(),
    "cumsum": lambda d: d[["x", "y"]].cumsum(),
}

ROWS: dict[str, Step] = {
    "head": lambda d: d.head(4),
    "head but the last": lambda d: d.head(-4),
    "head of more": lambda d: d.head(100),
    "head of a filter": lambda d: d[d.x > 3].head(3),
    "tail": lambda d: d.tail(4),
    "tail but the first": lambda d: d.tail(-4),
    "sort": lambda d: _sort(d, "y"),
    "sort down": lambda d: _sort(d, "y", ascending=False),
    "sort by two": lambda d: d.sort_values(["g", "y", "x"], ascending=[False, True, False]),
    "sort missing first": lambda d: d.sort_values(["g", "y", "x"], na_position="first"),
    "sort numbers anew": lambda d: d.sort_values(["g", "x"], ignore_index=True),
    "sort by index": lambda d: d.set_index("t").sort_index(),
    "nlargest": lambda d: d.nlargest(4, "y"),
    "nlargest, other column": lambda d: d.nlargest(2, "x")[["y"]],
    "nsmallest by two": lambda d: d.nsmallest(4, ["g", "x"]),
    "drop_duplicates": lambda d: d.drop_duplicates("g"),
    "drop_duplicates last": lambda d: d.drop_duplicates("g", keep="last"),
    "drop_duplicates none": lambda d: d.drop_duplicates(["g", "k"], keep=False),
    "drop_duplicates all": lambda d: d[["g", "k"]].drop_duplicates(),
    "drop_duplicates anew": lambda d: d.drop_duplicates("k", ignore_index=True),
    "duplicated": lambda d: d.duplicated("g"),
    "duplicated none": lambda d: d.duplicated(["g", "k"], keep=False),
    "dropna": lambda d: d.dropna(),
    "dropna subset": lambda d: d.dropna(subset=["k", "y"]),
    "dropna all": lambda d: d[["k", "y"]].dropna(how="all"),
    "dropna thresh": lambda d: d.dropna(thresh=6),
    "series head": lambda d: d.x.head(3),
    "series nlargest": lambda d: d.y.nlargest(3),
}

INDEX: dict[str, Step] = {
    "set_index": lambda d: d.set_index("k"),
    "set_index, column kept": lambda d: d.set_index("k", drop=False),
    "set_index of two": lambda d: d.set_index(["k", "g"]),
    "set_index by a series": lambda d: d.set_index(d.x * 2),
    "append": lambda d: d.set_index("k").set_index("g", append=True),
    "reset": lambda d: d.set_index("k").reset_index(),
    "reset one level": lambda d: d.set_index(["k", "g"]).reset_index("g"),
    "reset numbers": lambda d: d[d.x > 2].reset_index(),
    "reset drop": lambda d: d[d.x > 2].reset_index(drop=True),
    "rename_axis": lambda d: d.rename_axis("id").reset_index(),
    "assign below an index": lambda d: d.set_index("k").assign(k=lambda f: f.x),
    "mask by index": lambda d: d.set_index("x")[lambda f: f.index > 3],
    "query by index name": lambda d: d.set_index("k").query("k == 'a'"),
}


def _eager(d: Any) -> bool:
    return isinstance(d, pd.DataFrame)


def _sort(d: Any, by: str, **options: Any) -> Any:
    """pandas sorts stably only if asked."""
    return (
        d.sort_values(by, kind="stable", **options) if _eager(d) else d.sort_values(by, **options)
    )


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    agree(COLUMNS[name])


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    agree(ROWS[name])


@pytest.mark.parametrize("name", INDEX)
def test_index(name: str) -> None:
    agree(INDEX[name])


def test_variables_of_the_caller_in_query() -> None:
    def step(d: Any) -> Any:
        limit, wanted = 2, ["a", "c"]  # noqa: F841  (used by the text)
        return d.query("`the x` > @limit and k in @wanted")

    agree(step, people().rename(columns={"x": "the x"}))


def test_inspection() -> None:
    data = people()
    lazy = plait.from_pandas(data, npartitions=3)
    assert list(lazy.columns) == list(data.columns)
    assert lazy.columns.equals(data.columns)
    assert lazy.shape == data.shape
    assert len(lazy) == 12
    assert len(lazy[lazy.x > 2]) == int((data.x > 2).sum())
    assert (lazy.ndim, lazy.x.ndim, lazy.size) == (2, 1, data.size)
    assert not lazy.empty
    assert lazy[lazy.x > 1000].empty
    pd.testing.assert_series_equal(lazy.dtypes, data.dtypes)
    assert lazy.x.dtype == data.x.dtype
    assert "x" in lazy
    assert "z" not in lazy
    assert "x" in dir(lazy)
    assert list(lazy) == list(data)
    assert lazy.index.compute().equals(data.index)
    assert lazy.set_index("k").index.names == ["k"]


def test_assignment_leaves_other_frames_alone() -> None:
    lazy = plait.from_pandas(people())
    before, copied = lazy[["x"]], lazy.copy()
    lazy["x"] = 0
    assert before.compute().x.tolist() == people().x.tolist()
    assert copied.x.compute().tolist() == people().x.tolist()
    assert lazy.x.compute().tolist() == [0] * 12


def test_columns_of_frames_with_the_same_rows_meet() -> None:
    data = people()
    lazy = plait.from_pandas(data, npartitions=3)
    doubled, early = lazy[["x"]] * 2, lazy.y + 1
    lazy["z"] = lazy.x * 3
    lazy["x"] = 0
    lazy["d"] = doubled.x + early + lazy.z
    expected = data.assign(z=data.x * 3, d=data.x * 2 + data.y + 1 + data.x * 3, x=0)
    same(lazy.compute(), expected[["k", "g", "x", "y", "s", "t", "b", "c", "z", "d"]])


def test_frames_with_other_rows_do_not_meet() -> None:
    lazy = plait.from_pandas(people())
    for other in (plait.from_pandas(people()), lazy[lazy.x > 1], lazy.sort_values("x")):
        with pytest.raises(PlanError, match="merge"):
            _ = lazy.x + other.x
        with pytest.raises(PlanError, match="merge"):
            _ = other.x + lazy.x
        with pytest.raises(PlanError, match="merge"):
            lazy["z"] = other.x


CHOSEN: dict[str, Step] = {
    "assign": lambda d: d[d.x > 2].assign(z=d.y * 2, w=d.s),
    "assign what a projection dropped": lambda d: d[d.x > 2][["x", "k"]].assign(z=d.y + d.x),
    "assign after more steps": lambda d: (
        d[d.x > 0].assign(x=1).sort_values(["g", "y", "s"]).head(5).assign(z=d.x)
    ),
    "assign of a window": lambda d: d[d.x > 2].assign(m=d.groupby("g").x.transform("sum")),
    "assign of distinct rows": lambda d: d.drop_duplicates("g").assign(z=d.x + 1),
    "assign of distinct rows of all columns": lambda d: (
        d[["g", "k"]].drop_duplicates().assign(z=d.x + 1)
    ),
    "mask": lambda d: d[d.x > 2].loc[d.y > 1],
    "group by": lambda d: d[d.x > 2].groupby(d.g).y.sum(),
    "group by an expression": lambda d: d[d.x > 2].groupby([d.g, d.y > 2]).x.count(),
    "fillna": lambda d: d[d.x > 2].y.fillna(d.x),
    "where": lambda d: d[d.x > 2].x.where(d.y > 1, d.g),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_rows_chosen_from_a_frame_take_its_columns(name: str) -> None:
    agree(CHOSEN[name])


def test_a_long_loop_of_assignments_stays_one_projection() -> None:
    lazy = plait.from_pandas(pd.DataFrame({"x": [1, 2]}))
    for i in range(300):
        lazy[f"c{i}"] = lazy.x + i
    assert str(lazy.plan).count("\n") == 1
    assert lazy.c299.compute().tolist() == [300, 301]
    for _ in range(200):
        lazy["x"] = lazy.x + lazy.c0
    assert lazy.x.compute().tolist() == [1 + 200, 2 + 400]


def test_labels_that_are_no_texts() -> None:
    data = pd.DataFrame([[1, 2.5], [3, None]], columns=[0, 1])
    agree(lambda d: d[0] + d[1], data)
    agree(lambda d: d[[1]], data)
    agree(lambda d: d.assign(z=d[0]), data)


def test_index_of_every_kind_comes_back() -> None:
    data = people()
    for frame in (
        data,
        data.set_index("k"),
        data.set_index(["k", "g"]),
        data.set_index("t"),
        data.iloc[::-1],
        data.iloc[3:9],
        data.set_axis(pd.Index(range(100, 112), name="id")),
    ):
        agree(lambda d: d[d.x > 1][["x", "y"]], frame)


def test_empty_frames() -> None:
    empty = people().iloc[:0]
    agree(lambda d: d[["x", "y", "k"]], empty)
    agree(lambda d: d.x.sum(), empty)
    agree(lambda d: d.y.mean(), empty)
    agree(lambda d: d.groupby("k").x.sum(), empty)
    agree(lambda d: d[["x"]].head(3), empty)


def test_from_pandas_of_a_series() -> None:
    agree(lambda s: s * 2, pd.Series([1.5, None, 3], name="v"))
    agree(lambda s: s + 1, pd.Series([1, 2, 3]))


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (lambda d: d.iloc[0], "head"),
        (lambda d: d.pivot_table(index="k"), "group by"),
        (lambda d: d.rolling(3), "window"),
        (lambda d: d.iterrows(), "column arithmetic"),
        (lambda d: d.sample(3), "head"),
        (lambda d: d.loc["a"], "mask"),
        (lambda d: d.x[0], "mask"),
        (lambda d: list(d.x), "column arithmetic"),
        (lambda d: plait.concat([d, d], axis=1), "merge"),
        (lambda d: d.sum(axis=1), "d.a|df.a"),
        (lambda d: d.x.map(lambda v: v), "dtype"),
        (lambda d: d.apply(lambda r: r.x, axis=1), "dtype"),
        (lambda d: d.drop(3), "mask"),
        (lambda d: d.x + [1] * 12, "merge"),
        (lambda d: d.T, "compute"),
        (lambda d: d.x.values, "compute"),
    ],
)
def test_what_is_not_done_says_what_to_write(step: Step, word: str) -> None:
    with pytest.raises(UnsupportedError, match=word):
        step(plait.from_pandas(people()))
