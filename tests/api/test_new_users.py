"""What a new user of the dataframe calls stumbles over: messy data, compared with pandas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import plait
from plait.errors import PlanError, UnsupportedError

DATA = pd.DataFrame(
    {
        "k": ["a", "b", None, "a", "ü", "", "b", "a"],
        "n": [1, 2, 3, 4, -5, 6, 7, 0],
        "x": [1.5, np.nan, -0.0, np.inf, 2.5, -np.inf, 3.25, 0.0],
        "b": [True, False, True, True, False, False, True, False],
        "c": pd.Categorical(
            ["lo", "hi", None, "lo", "mid", "hi", "hi", "lo"], categories=["lo", "mid", "hi"]
        ),
        "r": pd.Categorical([3, 1, 2, None, 3, 1, 2, 3], categories=[3, 1, 2], ordered=True),
    },
    index=pd.Index([10, 20, 20, 40, 50, 60, 70, 80], name="id"),
)

STEPS: dict[str, Callable[[Any], Any]] = {
    "sort by a category": lambda f: f.sort_values("c"),
    "sort by a category, down": lambda f: f.sort_values(["c", "n"], ascending=[False, True]),
    "sort categories, missing first": lambda f: f.sort_values("c", na_position="first"),
    "sort a column of categories": lambda f: f.c.sort_values(),
    "sort numbers as categories": lambda f: f.sort_values(["r", "n"]).n,
    "sort an index of categories": lambda f: f.set_index("c").sort_index(),
    "sort a copied category": lambda f: f.assign(d=f.c).sort_values("d").n,
    "group by a category": lambda f: f.groupby("c", observed=True).n.sum(),
    "group by a category as a column": lambda f: f.groupby(
        "c", as_index=False, observed=True
    ).n.sum(),
    "group by two": lambda f: f.groupby(["c", "b"], observed=True).n.sum(),
    "group by level": lambda f: f.groupby(level=0).n.sum(),
    "group by named level": lambda f: f.groupby(level="id").agg({"n": "sum"}),
    "clip with bounds exchanged": lambda f: f.n.clip(5, 2),
    "truth of floats": lambda f: f.x.astype(bool),
    "truth of integers": lambda f: f.n.astype(bool),
    "quantile of a frame": lambda f: f[["n"]].quantile(0.3),
    "np.sqrt": lambda f: np.sqrt(f.n.clip(0, 9)),
    "np.log of zero and less": lambda f: np.log(f.x),
    "np.log1p": lambda f: np.log1p(f.n.clip(0, 9)),
    "np.abs": lambda f: np.abs(f.n),
    "np.isnan": lambda f: np.isnan(f.n * 1.0),
    "np.floor of a frame": lambda f: np.floor(f[["n", "x"]]),
    "np.add": lambda f: np.add(f.n, f.n),
    "numpy scalar plus": lambda f: np.int64(2) + f.n,
    "numpy scalar minus": lambda f: np.float64(2) - f.x,
    "numpy scalar divided": lambda f: np.float64(12) / f.n.clip(1, 9),
    "numpy scalar compared": lambda f: np.int64(2) < f.n,
    "numpy scalar compared with a frame": lambda f: np.int64(2) >= f[["n"]],
    "numpy array of one": lambda f: np.array(2) * f.n,
}


@pytest.fixture(scope="module", params=[1, 3])
def frame(request: pytest.FixtureRequest) -> plait.DataFrame:
    session = plait.Session(config={"threads": 2})
    made: plait.DataFrame = session.from_pandas(DATA, npartitions=request.param)
    return made


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@pytest.mark.parametrize("name", STEPS)
def test_as_in_pandas(frame: plait.DataFrame, name: str) -> None:
    found, expected = STEPS[name](frame).compute(), STEPS[name](DATA)
    compare: Any = (
        pd.testing.assert_frame_equal
        if isinstance(expected, pd.DataFrame)
        else pd.testing.assert_series_equal
    )
    compare(found, expected)


REFUSALS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "several quantiles": (lambda f: f.quantile([0.1, 0.9]), UnsupportedError, r"df\.x\.quantile"),
    "option of a frame": (lambda f: f.nunique(dropna=False), UnsupportedError, r"df\.x\.nunique"),
    "label of a series": (lambda f: f.n.loc[10], AttributeError, r"compute\(\)\.loc"),
    "unknown level": (lambda f: f.groupby(level="no"), PlanError, "its levels are: 'id'"),
    "no keys": (lambda f: f.groupby(), PlanError, "columns to group by, or level="),
    "get": (lambda f: f.get("n"), AttributeError, r"df\[name\]"),
    "numpy of two": (lambda f: np.maximum(f.n, 2), UnsupportedError, "column arithmetic"),
    "numpy array": (lambda f: np.array([1, 2]) + f.n, UnsupportedError, "column arithmetic"),
    "numpy of a text": (lambda f: np.sqrt(f.k), TypeError, "of numbers"),
    "numpy reduction": (lambda f: np.add.reduce(f.n), UnsupportedError, "add of a lazy Series"),
    "numpy of a scalar": (lambda f: np.sqrt(f.n.sum()), UnsupportedError, r"result of compute\(\)"),
    "truth of a frame": (lambda f: bool(f), TypeError, "no truth value"),
    "truth of a mask": (lambda f: f.n > 1 and f.b, TypeError, "& |"),
    "unknown column": (lambda f: f["nn"], KeyError, "Available|mean"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_say_what_to_write(frame: plait.DataFrame, name: str) -> None:
    step, kind, message = REFUSALS[name]
    with pytest.raises(kind, match=message):
        step(frame)
