"""Random chains of dataframe calls: plait in 1, 3 and 7 pieces against pandas.

A chain is a list of steps, each a function of a frame that works on pandas and plait alike; which
steps fit is decided by the columns the frame has at that point. Whatever a chain gives in pandas
(values, order, index, labels, types) it has to give here, with the optimizer on and off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.planner.optimizer.pipeline import RULES
from tests.api.oracle import computed, same

NUMBERS = ("x", "y", "g")


@dataclass(frozen=True)
class Chain:
    """Steps with the text that says what they do."""

    steps: tuple[tuple[str, Callable[[Any], Any]], ...]
    ordered: bool = True

    def __call__(self, frame: Any) -> Any:
        for _, step in self.steps:
            frame = step(frame)
        return frame

    def __repr__(self) -> str:
        return "".join(text for text, _ in self.steps) or "(nothing)"


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Up to twenty rows of keys, integers, floats with missing values, texts and times."""
    rows = draw(st.integers(0, 20))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    floats = st.one_of(st.none(), st.integers(-20, 20).map(lambda n: n / 4))
    times = st.one_of(
        st.none(), st.integers(0, 10**6).map(lambda s: pd.Timestamp(s * 1000, unit="s"))
    )
    return pd.DataFrame(
        {
            "k": pd.Series(column(st.sampled_from(["a", "b", "c", None])), dtype="str"),
            "g": pd.Series(column(st.integers(0, 3)), dtype="int64"),
            "x": pd.Series(column(st.integers(-9, 9)), dtype="int64"),
            "y": pd.Series(column(floats), dtype="float64"),
            "t": pd.Series(column(times), dtype="datetime64[us]"),
        }
    )


def stable(frame: Any, by: list[str], ascending: list[bool]) -> Any:
    """Sorted; pandas by several keys is stable, by one only if asked."""
    if isinstance(frame, pd.DataFrame):
        return frame.sort_values(by, ascending=ascending, kind="stable")
    return frame.sort_values(by, ascending=ascending)


def values(column: str) -> st.SearchStrategy[tuple[str, Callable[[Any], Any]]]:
    """A computed column of numbers."""
    c = column
    return st.sampled_from(
        [
            (f"{c} + 1", lambda d: d[c] + 1),
            (f"{c} * {c}", lambda d: d[c] * d[c]),
            (f"{c} / 4", lambda d: d[c] / 4),
            (f"{c} / x", lambda d: d[c] / d.x),
            (f"{c} // 3", lambda d: d[c] // 3),
            (f"{c} % 3", lambda d: d[c] % 3),
            (f"-{c}", lambda d: -d[c]),
            (f"{c}.abs()", lambda d: d[c].abs()),
            (f"{c}.fillna(0)", lambda d: d[c].fillna(0)),
            (f"{c}.clip(-2, 3)", lambda d: d[c].clip(-2, 3)),
            (f"{c}.where(x > 0)", lambda d: d[c].where(d.x > 0)),
            (f"{c}.shift()", lambda d: d[c].shift()),
            (f"{c}.cumsum()", lambda d: d[c].cumsum()),
            (f"{c}.rank()", lambda d: d[c].rank()),
            (f"{c} - {c}.mean()", lambda d: d[c] - d[c].mean()),
            (f"{c} by g - min", lambda d: d[c] - d.groupby("g")[c].transform("min")),
            (f"{c} by k cumsum", lambda d: d.groupby("g")[c].cumsum()),
            (f"{c}.isna()", lambda d: d[c].isna().astype(int)),
        ]
    )


def masks() -> st.SearchStrategy[tuple[str, Callable[[Any], Any]]]:
    """Conditions on the rows."""
    return st.sampled_from(
        [
            ("x > 0", lambda d: d.x > 0),
            ("y < 1", lambda d: d.y < 1),
            ("~(y < 1)", lambda d: ~(d.y < 1)),
            ("k == 'a'", lambda d: d.k == "a"),
            ("k != 'a'", lambda d: d.k != "a"),
            ("k in ab", lambda d: d.k.isin(["a", "b"])),
            ("y missing or x even", lambda d: d.y.isna() | (d.x % 2 == 0)),
            ("x above mean", lambda d: d.x > d.x.mean()),
            ("y between", lambda d: d.y.between(-1, 2)),
            ("t after", lambda d: d.t > "1970-03-01"),
            ("g first", lambda d: ~d.g.duplicated()),
        ]
    )


@st.composite
def rowwise(draw: st.DrawFn) -> tuple[str, Callable[[Any], Any]]:
    """A step that keeps all columns."""
    kind = draw(st.sampled_from(["assign", "filter", "sort", "head", "tail", "distinct", "dropna"]))
    if kind == "assign":
        target = draw(st.sampled_from([*NUMBERS[:2], "z"]))
        text, value = draw(values(draw(st.sampled_from(NUMBERS))))
        return f".assign({target}={text})", lambda d: d.assign(**{target: value(d)})
    if kind == "filter":
        text, mask = draw(masks())
        return f"[{text}]", lambda d: d[mask(d)]
    if kind == "sort":
        by = draw(st.lists(st.sampled_from(["g", "x", "y", "k"]), min_size=1, unique=True))
        ways = draw(st.lists(st.booleans(), min_size=len(by), max_size=len(by)))
        return f".sort({by}, {ways})", lambda d: stable(d, by, ways)
    if kind in ("head", "tail"):
        n = draw(st.integers(-3, 8))
        return f".{kind}({n})", lambda d: getattr(d, kind)(n)
    if kind == "distinct":
        by = draw(st.sampled_from([["g"], ["k"], ["g", "k"]]))
        keep = draw(st.sampled_from(["first", "last", False]))
        return f".drop_duplicates({by}, {keep})", lambda d: d.drop_duplicates(by, keep=keep)
    subset = draw(st.sampled_from([["y"], ["k"], ["y", "k"]]))
    return f".dropna({subset})", lambda d: d.dropna(subset=subset)


@st.composite
def endings(draw: st.DrawFn) -> tuple[str, Callable[[Any], Any], bool]:
    """What is asked of the frame at last; and whether its rows come in pandas' order."""
    c = draw(st.sampled_from(NUMBERS))
    how = draw(st.sampled_from(["sum", "mean", "min", "max", "count", "nunique", "std", "median"]))
    by = draw(st.sampled_from([["g"], ["k"], ["g", "k"]]))
    dropna = draw(st.booleans())
    found: list[tuple[str, Callable[[Any], Any], bool]] = [
        ("", lambda d: d, True),
        (f"['{c}']", lambda d: d[c], True),
        (f".{c}.{how}()", lambda d: getattr(d[c], how)(), True),
        (
            f".groupby({by}, {dropna}).{c}.{how}()",
            lambda d: getattr(d.groupby(by, dropna=dropna)[c], how)(),
            True,
        ),
        (
            f".groupby({by}).agg",
            lambda d: d.groupby(by).agg(a=("x", "sum"), b=("y", how), n=("x", "size")),
            True,
        ),
        (f".groupby({by}).head(1)", lambda d: d.groupby(by).head(1), True),
        (".reset_index(drop)", lambda d: d.reset_index(drop=True), True),
        (f".{by[0]}.value_counts()", lambda d: d[by[0]].value_counts(), False),
        (
            ".merge(groups)",
            lambda d: d.merge(
                d.groupby("g", as_index=False).agg(total=("x", "sum")), on="g", how="left"
            ).reset_index(drop=True),
            False,
        ),
    ]
    return draw(st.sampled_from(found))


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Up to five steps and an ending."""
    steps = draw(st.lists(rowwise(), max_size=5))
    text, ending, ordered = draw(endings())
    return Chain((*steps, (text, ending)), ordered)


def check(frame: pd.DataFrame, chain: Chain, session: plait.Session, pieces: int) -> None:
    """Assert that a chain gives the same here and there."""
    with np.errstate(all="ignore"):
        expected = chain(frame.copy())
    got = computed(chain(session.from_pandas(frame, npartitions=pieces)))
    index = chain.ordered or not isinstance(expected, pd.DataFrame)
    # of no rows pandas guesses types from nothing; integers by a column may be floats (documented)
    same(got, expected, order=chain.ordered, dtype=False, index=index)


@settings(max_examples=30)
@given(frames(), chains(), st.sampled_from([1, 3, 7]))
def test_chains_agree_with_pandas(frame: pd.DataFrame, chain: Chain, pieces: int) -> None:
    with plait.connect("inline") as session:
        check(frame, chain, session, pieces)


@settings(max_examples=12)
@given(frames(), chains())
def test_chains_agree_without_the_optimizer(frame: pd.DataFrame, chain: Chain) -> None:
    optional = [rule.name for rule in RULES if not getattr(rule, "required", False)]
    with plait.connect("inline", optimizer__disabled=optional) as session:
        check(frame, chain, session, 3)
