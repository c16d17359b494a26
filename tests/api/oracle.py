"""pandas as the judge: one step, done by plait and by pandas on the same data, must agree.

`agree(step)` calls `step` with a pandas frame and with lazy frames of it in 1 and in 3 pieces, and
compares values, order, index, labels and types. Known and documented differences of type are
switched off by name where a test needs it: they are listed in docs, not hidden here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import plait

PIECES = (1, 3)


def people() -> pd.DataFrame:
    """Twelve rows with every common type, missing values and repeated keys."""
    return pd.DataFrame(
        {
            "k": ["a", "b", "a", None, "c", "b", "a", "c", None, "b", "a", "d"],
            "g": [1, 1, 2, 2, 1, 3, 3, 2, 1, 1, 2, 3],
            "x": [5, -3, 8, 0, 2, 7, -1, 4, 4, 9, 0, 3],
            "y": [1.5, None, -2.25, 0.0, 3.5, None, 10.0, -0.5, 2.5, 2.5, 7.0, None],
            "s": [
                "Ann Lee",
                "bob",
                None,
                "",
                "Émile",
                "d'Arc",
                "ann lee",
                " x ",
                "42",
                "-7",
                "b",
                "Bob",
            ],
            "t": pd.to_datetime(
                [
                    "2015-01-31 23:59:59.5",
                    "2015-02-01 00:00:00",
                    None,
                    "2016-02-29 12:30:00",
                    "2014-12-29 06:15:30",
                    "2015-07-04 17:45:00",
                    "2015-07-05 00:00:01",
                    None,
                    "2020-12-31 23:00:00",
                    "2021-01-01 01:02:03",
                    "1969-07-20 20:17:40",
                    "2015-03-31 08:00:00",
                ],
                format="ISO8601",
            ).as_unit("us"),
            "b": [True, False, True, True, False, False, True, False, True, True, False, True],
            "c": pd.Categorical(["u", "v", "u", None, "w", "v", "u", "w", "u", "v", "w", "u"]),
        },
        index=pd.RangeIndex(12),
    )


Step = Callable[[Any], Any]


def computed(value: Any) -> Any:
    """The pandas object of whatever a step gave."""
    return value.compute() if hasattr(value, "compute") else value


def agree(
    step: Step,
    data: pd.DataFrame | pd.Series | None = None,
    *,
    order: bool = True,
    dtype: bool = True,
    index: bool = True,
    pieces: tuple[int, ...] = PIECES,
) -> None:
    """Assert that a step gives what pandas gives.

    order   rows have to come in the same order; otherwise both are sorted first
    dtype   columns have to be of the same types
    index   rows have to have the same labels
    """
    frame = people() if data is None else data
    expected = step(frame.copy())
    for count in pieces:
        lazy = plait.from_pandas(frame, npartitions=count)
        same(computed(step(lazy)), expected, order=order, dtype=dtype, index=index)


def same(
    got: Any, expected: Any, *, order: bool = True, dtype: bool = True, index: bool = True
) -> None:
    """Assert that two pandas objects, or single values, are equal."""
    if isinstance(expected, pd.DataFrame):
        assert isinstance(got, pd.DataFrame), type(got)
        assert list(got.columns) == list(expected.columns)
        got, expected = _arranged(got, order, index), _arranged(expected, order, index)
        pd.testing.assert_frame_equal(
            got,
            expected,
            check_dtype=dtype,
            check_column_type=False,
            check_index_type="equiv" if dtype else False,
            check_categorical=dtype,
            check_freq=False,
            rtol=1e-12,
        )
    elif isinstance(expected, pd.Series):
        assert isinstance(got, pd.Series), type(got)
        assert got.name == expected.name
        got, expected = _arranged(got, order, index), _arranged(expected, order, index)
        pd.testing.assert_series_equal(
            got,
            expected,
            check_dtype=dtype,
            check_index_type="equiv" if dtype else False,
            check_categorical=dtype,
            check_freq=False,
            rtol=1e-12,
        )
    elif isinstance(expected, float | np.floating):
        assert got == expected or np.isclose(got, expected, rtol=1e-12, equal_nan=True)
    elif pd.api.types.is_scalar(expected) and pd.isna(expected):
        assert pd.isna(got)
    else:
        assert got == expected
        assert isinstance(got, bool | np.bool_) == isinstance(expected, bool | np.bool_)


def _arranged(value: Any, order: bool, index: bool) -> Any:
    if not order and len(value):
        frame = value.to_frame("value") if isinstance(value, pd.Series) else value
        # by the text of whole rows: any order will do if it is the same on both sides
        keys = frame.reset_index() if index else frame
        rank = keys.map(str).agg("\x1f".join, axis=1)
        value = value.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    return value if index else value.reset_index(drop=True)


def day(text: str) -> dt.date:
    """A date."""
    return dt.date.fromisoformat(text)
