"""read_csv as a frame: index, labels and options by position, judged by pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import plait
from plait.errors import PlanError, ReadError

TEXT = "a,b,c,t\n1,x,2.5,2020-01-02\n2,y,,2021-03-04\n3,NA,4.5,\n"

OPTIONS: list[dict[str, Any]] = [
    {"index_col": 0},
    {"index_col": -1},
    {"index_col": "b"},
    {"index_col": ["a", "b"]},
    {"index_col": [0, 1]},
    {"index_col": False},
    {"index_col": "t", "parse_dates": ["t"]},
    {"index_col": 1, "usecols": ["a", "c"]},
    {"index_col": "p", "names": list("pqrs"), "header": 0},
    {"header": None},
    {"header": None, "index_col": 0},
    {"header": None, "usecols": [1, 3]},
    {"header": None, "dtype": {0: str}},
    {"header": None, "names": [1, 2, 3, 4]},
    {"names": list("pqrs")},
    {"dtype": {0: "float64"}},
    {"parse_dates": [3]},
    {"parse_dates": ["t"], "date_format": "%Y-%m-%d"},
    {"nrows": 2},
    {"skiprows": 1, "header": None},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_agrees_with_pandas(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "x.csv"
    path.write_text(TEXT)
    expected = pd.read_csv(path, **options)
    # pandas takes the narrowest unit of dates, and Arrow has one for all
    pd.testing.assert_frame_equal(
        plait.read_csv(path, **options).compute(), expected, check_dtype=False
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"index_col": 7}, PlanError, "index_col: there is no column 7, only 4"),
        ({"nrows": -1}, PlanError, "nrows is a number of rows, not -1"),
        ({"nrows": "2"}, PlanError, "nrows is a number of rows, not '2'"),
        ({"header": 9}, ReadError, "has no row 9 for header=9"),
    ],
)
def test_what_cannot_be_says_why(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(TEXT)
    with pytest.raises(error, match=message):
        plait.read_csv(path, **options)
