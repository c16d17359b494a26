"""What was written is what is read: every type, by plait, DuckDB and pandas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import WriteError

UTC = dt.UTC
COLUMNS: dict[str, pa.Array] = {
    "int8": pa.array([1, None, -3], pa.int8()),
    "uint64": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "float": pa.array([1.5, None, -2.25], pa.float32()),
    "double": pa.array([1e300, float("inf"), None]),
    "bool": pa.array([True, None, False]),
    "text": pa.array(["é\n\"'", None, "NULL"]),
    "date": pa.array([dt.date(2, 1, 1), None, dt.date(9999, 12, 31)]),
    "microseconds": pa.array([dt.datetime(2020, 1, 1, 1, 2, 3, 4), None, dt.datetime(1900, 1, 1)]),
    "nanoseconds": pa.array([1577836800000000001, None, -1], pa.timestamp("ns")),
    "seconds": pa.array([dt.datetime(2020, 1, 1), None, None], pa.timestamp("s")),
    "berlin": pa.array(
        [dt.datetime(2020, 7, 1, tzinfo=UTC), None, dt.datetime(2020, 1, 1, tzinfo=UTC)],
        pa.timestamp("us", tz="Europe/Berlin"),
    ),
    "decimal": pa.array([Decimal("1.50"), None, Decimal("-999.99")], pa.decimal128(5, 2)),
    "wide": pa.array([Decimal("1.5"), None, Decimal("9" * 30)], pa.decimal128(38, 1)),
    "time": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0)]),
    "binary": pa.array([b"\x00\xff", None, b""]),
    "list": pa.array([[1, None], None, []], pa.list_(pa.int64())),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "category": pa.array(["x", None, "x"]).dictionary_encode(),
}
# what DuckDB has no type for
NOT_IN_DUCKDB = {"duration": pa.array([dt.timedelta(1, 5), None, dt.timedelta(-1)])}
TEXT = [c for c in COLUMNS if c != "binary"]


def table(name: str) -> pa.Table:
    values = {**COLUMNS, **NOT_IN_DUCKDB}[name]
    return pa.table({"v": values, "row": [0, 1, 2]})


def plain(rows: pa.Table) -> list[Any]:
    column = rows["v"].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type):  # a zone is how it is shown
        column = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    found: list[Any] = column.to_pylist()
    return found


@pytest.mark.parametrize("name", [*COLUMNS, *NOT_IN_DUCKDB])
@pytest.mark.parametrize("rows", [3, 0])
def test_parquet(tmp_path: Path, name: str, rows: int) -> None:
    given = table(name)[:rows]
    path = str(tmp_path / "x.parquet")
    frame = plait.from_arrow(given)
    frame.to_parquet(path)
    back = plait.read_parquet(path).to_arrow()
    if name != "seconds":  # Parquet has milliseconds
        assert back.schema == frame.to_arrow().schema
    assert plain(back) == plain(given)
    assert plain(pq.ParquetFile(path).read()) == plain(given)
    if name not in NOT_IN_DUCKDB:
        assert plain(duckdb.sql(f"from '{path}'").to_arrow_table()) == plain(given)
    if name == "map":
        return  # pandas does not write them
    # pandas itself writes the same values
    given.to_pandas().to_parquet(tmp_path / "pandas.parquet")
    expected = pd.read_parquet(tmp_path / "pandas.parquet")
    found = pd.read_parquet(path)
    if name in ("category", "struct", "list", "time", "decimal", "wide", "binary", "date"):
        assert (
            found.v.astype(object).map(repr).tolist()
            == (expected.v.astype(object).map(repr).tolist())
            or name == "category"
        )
    else:
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize("name", TEXT)
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_text(tmp_path: Path, name: str, kind: str) -> None:
    """DuckDB reads the type again from what plait writes, as from what it writes itself."""
    given = table(name)
    path = str(tmp_path / f"x.{kind}")
    plait.from_arrow(given).to_csv(path) if kind == "csv" else plait.from_arrow(given).to_json(path)
    if pa.types.is_nested(given["v"].type) and kind == "csv":
        return  # JSON within CSV is plait's own choice
    types = dict(duckdb.sql("select column_name, column_type from (describe given)").fetchall())
    wanted = "varchar" if name == "category" else types["v"]
    columns = f"columns={{'v': '{wanted}', 'row': 'bigint'}}"
    more = ", header=true, quote='\"', auto_detect=false" if kind == "csv" else ""
    found = duckdb.sql(f"select * from read_{kind}('{path}', {columns}{more})").to_arrow_table()
    expected = plain(given)
    if name == "double" and kind == "json":
        expected = [1e300, None, None]  # JSON has no infinity
    if name == "wide" and kind == "json":
        return  # DuckDB reads numbers of JSON by way of doubles
    assert plain(found) == expected


def test_what_text_cannot_hold(tmp_path: Path) -> None:
    for kind in ("csv", "json"):
        with pytest.raises(WriteError, match="encode them first"):
            getattr(plait.from_arrow(table("binary")), f"to_{kind}")(tmp_path / f"x.{kind}")
    assert not list(tmp_path.iterdir())


def test_durations_as_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"v": pd.to_timedelta([86405, -1, 0.5, None], unit="s")})
    plait.from_pandas(frame).to_csv(tmp_path / "x.csv")
    back = pd.read_csv(tmp_path / "x.csv", skip_blank_lines=False)
    assert pd.to_timedelta(back.v).tolist()[:3] == frame.v.tolist()[:3]


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_named_index_is_written(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"g": ["a", "b", "a"], "x": [1, 2, 3]})
    sums = plait.from_pandas(frame).groupby("g").sum()
    getattr(sums, f"to_{kind}")(tmp_path / f"x.{kind}")
    back = getattr(plait, f"read_{kind}")(tmp_path / f"x.{kind}").compute()
    assert back.to_dict("list") == {"g": ["a", "b"], "x": [4, 2]}
    getattr(sums, f"to_{kind}")(tmp_path / f"y.{kind}", index=False)
    back = getattr(plait, f"read_{kind}")(tmp_path / f"y.{kind}").compute()
    assert back.to_dict("list") == {"x": [4, 2]}


def test_json_arrays(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "s": ["x", None, "y\n"]})
    plait.from_pandas(frame, npartitions=2).to_json(tmp_path / "x.json", lines=False)
    pd.testing.assert_frame_equal(pd.read_json(tmp_path / "x.json"), frame)
    plait.from_pandas(frame[:0]).to_json(tmp_path / "y.json", orient="records", lines=False)
    assert (tmp_path / "y.json").read_text().strip() == "[]"


def test_choices_of_parquet(tmp_path: Path) -> None:
    frame = plait.from_pandas(pd.DataFrame({"a": range(1000), "b": ["x"] * 1000}))
    frame.to_parquet(
        tmp_path / "x.parquet",
        compression="zstd",
        compression_level=3,
        row_group_size=300,
        statistics=["a"],
        dictionary=False,
    )
    meta = pq.ParquetFile(tmp_path / "x.parquet").metadata
    assert [meta.row_group(i).num_rows for i in range(4)] == [300, 300, 300, 100]
    first, second = meta.row_group(0).column(0), meta.row_group(0).column(1)
    assert (first.statistics.min, first.statistics.max) == (0, 299)
    assert second.statistics is None
    assert first.compression == "ZSTD"
    assert "RLE_DICTIONARY" not in second.encodings
    frame.to_parquet(tmp_path / "y.parquet", compression=None)
    assert pq.ParquetFile(tmp_path / "y.parquet").metadata.row_group(0).column(0).compression == (
        "UNCOMPRESSED"
    )
