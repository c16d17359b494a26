"""Type names, formats by suffix, partition values, and guesses of distinct values."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plait.errors import PlanError, ReadError
from plait.io.csv.source import CsvSource
from plait.io.distinct import Piece, estimate, population
from plait.io.dtypes import arrow_type
from plait.io.formats import format_of, looks_like_path, open_path
from plait.io.hive import keys_of, partition_fields
from plait.io.json.source import JsonSource
from plait.io.measure import sample
from plait.io.parquet.source import ParquetSource
from plait.io.splitting import runs, split_count
from plait.io.statistics import LazyColumns, merge
from plait.planner.statistics import ColumnStatistics


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("int64", pa.int64()), ("Int64", pa.int64()), ("INT8", pa.int64()), ("int8", pa.int8()),
        ("uint16", pa.uint16()), ("UInt16", pa.uint16()), (int, pa.int64()), (bool, pa.bool_()),
        ("float32", pa.float32()), ("Float64", pa.float64()), ("f4", pa.float32()),
        (np.int32, pa.int32()), (np.dtype("U5"), pa.string()), ("string[pyarrow]", pa.string()),
        (str, pa.string()), (object, pa.string()), (dt.date, pa.date32()),
        (dt.datetime, pa.timestamp("us")), (decimal.Decimal, pa.decimal128(38, 9)),
        ("datetime64[ns]", pa.timestamp("ns")), ("datetime64[us, UTC]", pa.timestamp("us", "UTC")),
        (np.dtype("datetime64[ms]"), pa.timestamp("ms")), ("timedelta64[s]", pa.duration("s")),
        (pd.CategoricalDtype(), pa.string()), (pd.Int8Dtype(), pa.int8()),
        (pd.DatetimeTZDtype("us", "UTC"), pa.timestamp("us", "UTC")),
        (pd.ArrowDtype(pa.decimal128(9, 2)), pa.decimal128(9, 2)), (pd.StringDtype(), pa.string()),
        ("DECIMAL(12, 3)", pa.decimal128(12, 3)), ("timestamp", pa.timestamp("us")),
        (pa.large_string(), pa.string()), ("category", pa.string()),
    ],
    ids=str,
)  # fmt: skip
def test_type_names(name: Any, expected: pa.DataType) -> None:
    assert arrow_type(name) == expected


@pytest.mark.parametrize("name", ["integerr", np.dtype("complex64"), 5, "datetime"[:3]])
def test_unknown_types(name: Any) -> None:
    with pytest.raises(PlanError, match="Unknown type"):
        arrow_type(name)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.parquet", "parquet"), ("a.CSV.gz", "csv"), ("x/y.jsonl.zst", "json"), ("a.tsv", "csv"),
     ("table", None), ("a.docx", None), ("a.gz", None)],
)  # fmt: skip
def test_formats(path: str, expected: str | None) -> None:
    assert format_of(path) == expected
    assert looks_like_path(path) == (expected is not None or "/" in path)


def test_open_path(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("a\n1\n")
    (tmp_path / "x.json").write_text('{"a": 1}\n')
    (tmp_path / "x.dat").write_text("?")
    assert isinstance(open_path(tmp_path / "x.parquet"), ParquetSource)
    assert isinstance(open_path(tmp_path / "x.csv"), CsvSource)
    assert isinstance(open_path(tmp_path / "x.json"), JsonSource)
    assert isinstance(open_path(f"{tmp_path}/*.csv"), CsvSource)
    with pytest.raises(ReadError, match="several formats"):
        open_path(tmp_path)
    with pytest.raises(ReadError, match="suffix does not tell"):
        open_path(tmp_path / "x.dat")


# ---------------------------------------------------------------------------------- partitions


def test_partition_values() -> None:
    assert keys_of("t/a=1/b=x%2Fy/c=/file=2.parquet") == {"a": "1", "b": "x/y", "c": ""}
    paths = ["day=2024-01-31/n=-5/m=01/x", "day=2024-02-01/n=7/m=12/x"]
    fields, values = partition_fields(paths)
    assert [str(f) for f in fields] == [
        "day: date32[day] not null", "n: int64 not null", "m: string not null",
    ]  # fmt: skip
    assert values[0] == {"day": dt.date(2024, 1, 31), "n": -5, "m": "01"}
    _, values = partition_fields(["k=5/x"], {"k": pa.float64()})
    assert values == ({"k": 5.0},)
    with pytest.raises(ReadError, match="k=x is not a value of int64"):
        partition_fields(["k=x/f"], {"k": pa.int64()})
    fields, values = partition_fields(["d=2024-02-31/x"])
    assert values == ({"d": "2024-02-31"},)


# ---------------------------------------------------------------------------------- distinct


@pytest.mark.parametrize(("true", "drawn"), [(10, 1000), (1000, 1000), (100_000, 20_000)])
def test_population_is_found_from_a_sample(true: int, drawn: int) -> None:
    sample = np.random.default_rng(1).integers(0, true, drawn)
    assert population(len(np.unique(sample)), drawn) == pytest.approx(true, rel=0.05)


def test_distinct_estimates() -> None:
    assert estimate([], 100, None, None) is None
    assert estimate([], 100, 1, 5) == 5
    assert estimate([], 3, 1, 5) == 3
    assert estimate([], 100, False, True) == 2
    assert estimate([], 100, dt.date(2020, 1, 1), dt.date(2020, 1, 31)) == 31
    assert estimate([Piece(100, 100)], 1000, None, None) == 1000
    assert estimate([Piece(0, 0)], 0, None, None) is None
    sorted_pieces = [Piece(10, 100, 10 * i, 10 * i + 9) for i in range(10)]
    assert estimate(sorted_pieces, 1000, 0, 99) == pytest.approx(100)


@pytest.mark.parametrize("true", [10, 2000, 150_000])
@pytest.mark.parametrize("together", [1, 4, 100])
def test_distinct_values_of_a_sample(true: int, together: int) -> None:
    """Rows in random order, in order, and in runs of equal values."""
    rows = 300_000
    values = np.random.default_rng(1).integers(0, true, rows // together).repeat(together)
    for column in (values, np.sort(values)):
        known = estimate([sample(pa.chunked_array([column]))], rows, 0, true - 1)
        assert known == pytest.approx(len(np.unique(column)), rel=0.35)


def test_splitting() -> None:
    assert split_count(0, 0) == 1
    assert split_count(1 << 16, 1) == 1
    assert split_count(10 << 20, 1) == 10
    assert split_count(1, 640 << 20) == 10
    for weights, count in ([1] * 10, 3), ([0, 0, 5], 2), ([9, 1, 1], 5), ([7], 4):
        found = runs(weights, count)
        assert [i for run in found for i in run] == list(range(len(weights)))
        assert len(found) <= count


def test_merged_statistics() -> None:
    parts = [
        ColumnStatistics(1, 5, 0.0, None, 8.0),
        ColumnStatistics(None, None, 10.0, None, 4.0),  # nothing but NULL
        ColumnStatistics(-3, 2, 1.0, None, 8.0),
    ]
    assert merge(parts, [10.0, 10.0, 10.0]) == ColumnStatistics(-3, 5, 11.0, None, 20 / 3)
    unknown = [*parts, ColumnStatistics(nulls=0.0, width=8.0)]
    assert merge(unknown, [10.0] * 4).minimum is None
    mixed = [ColumnStatistics(1, 2, 0.0), ColumnStatistics("a", "b", 0.0)]
    assert merge(mixed, [1.0, 1.0]).minimum is None


def test_lazy_statistics_ask_once() -> None:
    asked = []

    def find(name: str) -> ColumnStatistics:
        asked.append(name)
        return ColumnStatistics(distinct=len(name))

    columns = LazyColumns(["a", "bb"], find)
    assert columns["bb"].distinct == 2
    assert columns["bb"].distinct == 2
    assert asked == ["bb"]
    assert list(columns) == ["a", "bb"]
    assert len(columns) == 2
    with pytest.raises(KeyError):
        columns["zz"]
