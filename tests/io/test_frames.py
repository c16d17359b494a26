"""pandas frames as tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.io.frames import PandasSource
from plait.io.reader import read_split
from tests.io.reading import count_rows, read_source

NOON = pd.Timestamp("2020-01-01 12:00")


@pytest.mark.parametrize(
    ("values", "logical", "expected"),
    [
        (pd.Series([1, 2]), pa.int64(), [1, 2]),
        (pd.Series([1.5, np.nan]), pa.float64(), [1.5, None]),
        (pd.Series([1, None], dtype="Int8"), pa.int8(), [1, None]),
        (pd.Series([True, None], dtype="boolean"), pa.bool_(), [True, None]),
        (pd.Series([True, None], dtype=object), pa.bool_(), [True, None]),
        (pd.Series(["a", None]), pa.string(), ["a", None]),
        (pd.Series(["a", np.nan], dtype=object), pa.string(), ["a", None]),
        (pd.Series(["a", pd.NA], dtype="string"), pa.string(), ["a", None]),
        (pd.Series([None, None], dtype=object), pa.string(), [None, None]),
        (pd.Series([NOON, pd.NaT]), pa.timestamp("us"), [NOON.to_pydatetime(), None]),
        (pd.Series([NOON, pd.NaT]).astype("datetime64[ns]"), pa.timestamp("ns"), [NOON, None]),
        (
            pd.Series([NOON.tz_localize("Europe/Vienna")]),
            pa.timestamp("us", tz="Europe/Vienna"),
            [NOON.tz_localize("Europe/Vienna").to_pydatetime()],
        ),
        (pd.Series([pd.Timedelta(hours=1), pd.NaT]), pa.duration("us"),
         [dt.timedelta(hours=1), None]),
        (pd.Series([dt.date(2020, 1, 1), None]), pa.date32(), [dt.date(2020, 1, 1), None]),
        (pd.Series([Decimal("1.50"), None]), pa.decimal128(3, 2), [Decimal("1.50"), None]),
        (pd.Series([b"x", None]), pa.binary(), [b"x", None]),
        (pd.Series([[1, 2], None]), pa.list_(pa.int64()), [[1, 2], None]),
        (pd.Series([{"a": 1}, None]), pa.struct([("a", pa.int64())]), [{"a": 1}, None]),
        (pd.Series(["x", None, "x"], dtype="category"), pa.string(), ["x", None, "x"]),
        (pd.Series([7, 5, 7], dtype="category"), pa.int64(), [7, 5, 7]),
        (pd.Series([1.5, 0.0]).astype("float32"), pa.float32(), [1.5, 0.0]),
        (pd.Series(pd.arrays.SparseArray([0, 1, 0])), pa.int64(), [0, 1, 0]),
        (pd.Series([1, 2], dtype=pd.ArrowDtype(pa.uint8())), pa.uint8(), [1, 2]),
        (pd.Series([1, 2.5, None], dtype=object), pa.float64(), [1, 2.5, None]),
    ],
    ids=lambda v: f"{v.dtype}" if isinstance(v, pd.Series) else None,
)  # fmt: skip
def test_columns(values: pd.Series, logical: pa.DataType, expected: list[Any]) -> None:
    source = PandasSource(pd.DataFrame({"x": values}))
    assert source.schema["x"].type == logical
    assert read_source(source, ["x"])["x"].to_pylist() == expected


def test_columns_of_several_types_are_refused() -> None:
    frame = pd.DataFrame({"fine": [1], "mixed": pd.Series(["a"], dtype=object)})
    frame = pd.concat([frame, pd.DataFrame({"fine": [2], "mixed": pd.Series([3], dtype=object)})])
    with pytest.raises(TypeMismatchError, match=r"'mixed' holds .*\(int, str\).*astype"):
        PandasSource(frame)


@pytest.mark.parametrize(
    "values", [pd.period_range("2020", periods=2, freq="M"), pd.interval_range(0, 2), [1j, 2j]]
)
def test_types_that_plait_lacks(values: Any) -> None:
    with pytest.raises(UnsupportedError, match="'x'"):
        PandasSource(pd.DataFrame({"x": values}))


def test_labels() -> None:
    source = PandasSource(pd.DataFrame([[1, 2, 3]], columns=["a", 5, ("t", 1)]))
    assert source.labels == {"a": "a", "5": 5, "('t', 1)": ("t", 1)}
    with pytest.raises(PlanError, match="two columns named '5'"):
        PandasSource(pd.DataFrame([[1, 2]], columns=["5", 5]))
    several = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))
    with pytest.raises(UnsupportedError, match="several levels"):
        PandasSource(several)


def test_range_index_is_counted_out() -> None:
    frame = pd.DataFrame({"a": range(10)}, index=pd.RangeIndex(100, 80, -2))
    source = PandasSource(frame, npartitions=3)
    (name,) = source.index_columns
    assert source.index_names == (None,)
    assert len(source.splits(["a"])) == 3
    assert read_source(source, [name, "a"])[name].to_pylist() == list(frame.index)
    known = source.statistics.column(name)
    assert (known.minimum, known.maximum, known.distinct) == (82, 100, 10)
    assert count_rows(source) == 10


def test_other_indexes_are_columns() -> None:
    index = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["key", None])
    source = PandasSource(pd.DataFrame({"a": [1, 2]}, index=index))
    assert source.index_names == ("key", None)
    assert source.index_columns == ("key", "__index_level_1__")
    assert read_source(source).to_pydict() == {
        "a": [1, 2], "key": ["x", "y"], "__index_level_1__": [1, 2],
    }  # fmt: skip
    dates = pd.DataFrame({"a": [1]}, index=pd.DatetimeIndex(["2020-01-01"], name="a"))
    source = PandasSource(dates)
    assert source.index_columns == ("__index_level_0__",)
    assert read_source(source)["__index_level_0__"].to_pylist() == [dt.datetime(2020, 1, 1)]


def test_repeating_strings_are_coded_once() -> None:
    frame = pd.DataFrame({"few": ["a", "b", None] * 2000, "many": [f"{i}" for i in range(6000)]})
    (split,) = PandasSource(frame, npartitions=1).splits(["few", "many"])
    table = read_split(split, ["few", "many"])
    assert table.schema.field("few").type == pa.dictionary(pa.int32(), pa.string())
    assert table.schema.field("many").type == pa.string()
    assert table["few"].to_pylist() == ["a", "b", None] * 2000


def test_round_trip_of_a_wide_frame() -> None:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({f"c{i}": random.normal(size=1000) for i in range(20)})
    frame["t"] = pd.date_range("2020", periods=1000, freq="h")
    table = read_source(PandasSource(frame, npartitions=4), list(frame.columns))
    pd.testing.assert_frame_equal(table.to_pandas(), frame, check_dtype=False)


def test_npartitions_is_checked() -> None:
    with pytest.raises(PlanError, match="npartitions"):
        PandasSource(pd.DataFrame({"a": [1]}), npartitions=0)


def test_empty_frame() -> None:
    source = PandasSource(pd.DataFrame({"a": pd.Series([], dtype="int64")}))
    assert read_source(source, ["a"]).num_rows == 0


def test_nan_of_arrow_columns_is_missing_too() -> None:
    column = pd.Series([1.5, None], dtype=pd.ArrowDtype(pa.float64())) / 0 * 0
    source = PandasSource(pd.DataFrame({"x": column}))
    assert not source.may_hold_nan
    assert read_source(source, ["x"])["x"].to_pylist() == [None, None]
