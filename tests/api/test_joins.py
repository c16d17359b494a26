"""merge, join and concat against pandas. As there, missing keys match each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import PlanError, UnsupportedError
from tests.api.oracle import PIECES, agree, computed, same

LEFT = pd.DataFrame({"k": [1, 2, 2, 3, None], "x": [10, 20, 30, 40, 50], "s": list("abcde")})
RIGHT = pd.DataFrame({"k": [2, 2, 3, 4, None], "y": [1.5, 2.5, 3.5, 4.5, 5.5], "s": list("vwxyz")})

Two = Callable[[Any, Any], Any]


def both(step: Two, *, index: bool = False, left: Any = LEFT, right: Any = RIGHT) -> None:
    """Assert that a step over two frames gives pandas' rows, in any order."""
    expected = step(left.copy(), right.copy())
    for count in PIECES:
        got = step(plait.from_pandas(left, count), plait.from_pandas(right, count))
        same(computed(got), expected, order=False, index=index)


def below(*frames: Any, **options: Any) -> Any:
    """concat of whichever library the frames are of."""
    concat = pd.concat if isinstance(frames[0], pd.DataFrame | pd.Series) else plait.concat
    return concat(list(frames), **options)


MERGES: dict[str, Two] = {
    "inner": lambda a, b: a.merge(b, on="k"),
    "left": lambda a, b: a.merge(b, on="k", how="left"),
    "right": lambda a, b: a.merge(b, on="k", how="right"),
    "outer": lambda a, b: a.merge(b, on="k", how="outer"),
    "cross": lambda a, b: a.merge(b, how="cross"),
    "suffixes": lambda a, b: a.merge(b, on=["k"], suffixes=("", "_r")),
    "one suffix": lambda a, b: a.merge(b, on="k", suffixes=(None, "_r")),
    "other names": lambda a, b: a.merge(
        b.rename(columns={"k": "kk"}), left_on="k", right_on="kk", how="outer"
    ),
    "two keys": lambda a, b: a.merge(b.assign(s="b"), on=["k", "s"], how="left"),
    "common columns": lambda a, b: a[["k", "x"]].merge(b[["k", "y"]]),
    "indicator": lambda a, b: a.merge(b, on="k", how="outer", indicator=True),
    "anti": lambda a, b: a.merge(b[["k"]], on="k", how="left_anti"),
    "with itself": lambda a, b: a.merge(a, on="k"),
    "with its groups": lambda a, b: a.merge(
        a.groupby("k", as_index=False).agg(total=("x", "sum")), on="k", how="left"
    ),
    "index on the right": lambda a, b: a.join(b.drop_duplicates("k").set_index("k")[["y"]], on="k"),
    "three frames": lambda a, b: a.merge(b, on="k").merge(b[["k", "y"]], on="k"),
    "then filter": lambda a, b: a.merge(b, on="k", how="outer")[lambda f: f.x.isna()],
}

INDEXED: dict[str, Two] = {
    "indexes": lambda a, b: a.set_index("k").merge(
        b.set_index("k"), left_index=True, right_index=True, suffixes=("_a", "_b")
    ),
    "join": lambda a, b: a.set_index("k").join(b.set_index("k")[["y"]], how="inner"),
    "join outer": lambda a, b: a.set_index("k").join(
        b.set_index("k"), how="outer", lsuffix="_a", rsuffix="_b"
    ),
}

STACKS: dict[str, Two] = {
    "all columns": lambda a, b: below(a, b),
    "common columns": lambda a, b: below(a, b, join="inner", ignore_index=True),
    "series": lambda a, b: below(a.x, b.y),
    "same series": lambda a, b: below(a.k, b.k),
    "integers and floats": lambda a, b: below(a[["x"]], b[["y"]].rename(columns={"y": "x"})),
    "three": lambda a, b: below(a, b, a[["k"]], ignore_index=True),
    "with index": lambda a, b: below(a.set_index("s"), b.set_index("s")),
}


@pytest.mark.parametrize("name", MERGES)
def test_merge(name: str) -> None:
    both(MERGES[name])


@pytest.mark.parametrize("name", INDEXED)
def test_merge_on_indexes(name: str) -> None:
    both(INDEXED[name], index=True)


def test_sorted_merge_is_in_order() -> None:
    expected = LEFT.merge(RIGHT, on="k", sort=True)[["k"]]
    got = plait.from_pandas(LEFT, 3).merge(plait.from_pandas(RIGHT, 3), on="k", sort=True)
    same(got[["k"]].compute(), expected)


def test_semi_join_gives_each_left_row_once() -> None:
    left, right = plait.from_pandas(LEFT), plait.from_pandas(RIGHT)
    rows = left.merge(right, on="k", how="semi").compute()
    assert sorted(rows.x) == [20, 30, 40, 50]
    assert list(rows.columns) == ["k", "x", "s"]


@pytest.mark.parametrize("name", STACKS)
def test_concat(name: str) -> None:
    both(STACKS[name], index=True)


def test_concat_keeps_order_and_categories() -> None:
    agree(lambda d: below(d[["x", "c"]], d[["y", "c"]]))


def test_isin_of_another_frame() -> None:
    both(lambda a, b: a[a.s.isin(b.s if isinstance(b, plait.DataFrame) else b.s.tolist())])
    wanted = plait.from_pandas(pd.Series([2.0, 3.0]))
    assert plait.from_pandas(LEFT)[lambda d: d.k.isin(wanted)].x.compute().tolist() == [20, 30, 40]


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (lambda a, b: a.merge(b, on="kk"), "'k'"),
        (lambda a, b: a.merge(b, how="outr"), "outer"),
        (lambda a, b: a.merge(b, left_on="k"), "both sides"),
        (lambda a, b: a.merge(b, left_on=["k"], right_on=["k", "s"]), "1 keys"),
        (lambda a, b: a[["x"]].merge(b[["y"]]), "in common"),
        (lambda a, b: a.merge(b, on="k", suffixes=("", "")), "suffixes"),
        (lambda a, b: a.merge(b, left_on="s", right_on="y"), "astype"),
        (lambda a, b: a.merge(RIGHT, on="k"), "from_pandas"),
        (lambda a, b: a.join(b), "lsuffix"),
        (lambda a, b: plait.concat([a.assign(x="t"), a]), "astype"),
        (lambda a, b: plait.concat([]), "at least one"),
    ],
)
def test_mistakes(step: Two, word: str) -> None:
    with pytest.raises((PlanError, UnsupportedError), match=word):
        step(plait.from_pandas(LEFT), plait.from_pandas(RIGHT))
