"""Folders of partitions: which rows lie where, read back by pandas, DuckDB and plait."""

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
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait.errors import ColumnNotFoundError, PlaitError, PlanError
from plait.io.hive import folder_name, keys_of
from plait.io.write.partitioned import by_folder
from tests.assertions import assert_same_rows

ODD = ["a/b", "k=v", "ä ö", "100%", "..", "__x", "x:y*?", 'it\'s "q"', "%41", "\\", "a&b+c#d", None]


@given(st.text(min_size=1), st.text())
def test_folder_names(key: str, value: str) -> None:
    name = folder_name(key, value)
    assert "/" not in name
    assert keys_of(f"x/{name}/y.csv") == {key: value}


def test_rows_of_each_folder() -> None:
    table = pa.table(
        {
            "k": pa.array(["b", "a", None, "b", "a"]),
            "n": [2, 1, 1, 2, None],
            "row": range(5),
        }
    )
    found = {name: rows["row"].to_pylist() for name, rows in by_folder(table, ["k", "n"])}
    none = "__HIVE_DEFAULT_PARTITION__"
    assert found == {
        "k=b/n=2": [0, 3],
        "k=a/n=1": [1],
        f"k={none}/n=1": [2],
        f"k=a/n={none}": [4],
    }
    encoded = table.set_column(0, "k", table["k"].dictionary_encode())
    assert {n: r["row"].to_pylist() for n, r in by_folder(encoded, ["k", "n"])} == found


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_odd_values(tmp_path: Path, kind: str) -> None:
    rows = pa.table({"k": ODD * 3, "n": range(len(ODD) * 3)})
    frame = plait.from_arrow(rows)
    getattr(frame, f"to_{kind}")(tmp_path / "out", partition_on=["k"])
    assert sorted({keys_of(str(p))["k"] or "" for p in (tmp_path / "out").rglob(f"*.{kind}")}) == (
        sorted({k or "" for k in ODD})
    )
    files = f"'{tmp_path}/out/**/*.{kind}'"
    found = duckdb.sql(
        f"select k, n from read_{kind}({files}, hive_partitioning=true, "
        "hive_types={'k': varchar}) order by n"
    )
    assert_same_rows(found.to_arrow_table(), rows, ordered=True)
    ours = getattr(plait, f"read_{kind}")(tmp_path / "out").sort_values("n").to_arrow()
    assert_same_rows(ours.select(["k", "n"]), rows, ordered=True)


VALUES: dict[str, list[Any]] = {
    "integers": [3, -1, None],
    "booleans": [True, False, None],
    "dates": [dt.date(2020, 1, 31), None, dt.date(1999, 12, 1)],
    "timestamps": [dt.datetime(2020, 1, 31, 1, 2, 3), dt.datetime(2020, 1, 31, 0, 0, 0, 5), None],
    "decimals": [Decimal("1.50"), Decimal("-2.25"), None],
    "floats": [1.5, 1e300, None],
}


@pytest.mark.parametrize("name", list(VALUES))
def test_types_of_keys(tmp_path: Path, name: str) -> None:
    rows = pa.table({"k": VALUES[name], "n": range(3)})
    plait.from_arrow(rows).to_parquet(tmp_path / "out", partition_on="k")
    duckdb.sql("create or replace table expected as select * from rows")
    kind = duckdb.sql("select typeof(k) from expected limit 1").fetchall()[0][0]
    files = f"read_parquet('{tmp_path}/out/**/*.parquet', hive_types={{'k': varchar}})"
    wrong = duckdb.sql(
        f"select count(*) from {files} a join expected b using (n) "
        f"where cast(a.k as {kind}) is distinct from b.k"
    )
    assert wrong.fetchall() == [(0,)]
    read = plait.read_parquet(tmp_path / "out")
    assert read.k.isna().sum().compute() == 1


def test_pandas_reads_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"k": ["a b", "c/d", "e"] * 40, "y": [1, 2] * 60, "n": range(120)})
    plait.from_pandas(frame, npartitions=4).to_parquet(tmp_path / "out", partition_cols=["y", "k"])
    found = pd.read_parquet(tmp_path / "out").sort_values("n", ignore_index=True)
    assert found.k.astype(str).tolist() == frame.k.tolist()
    assert found.y.astype(int).tolist() == frame.y.tolist()


@pytest.mark.parametrize("values", [2, 50, 1000])
def test_files_a_folder(tmp_path: Path, values: int) -> None:
    """Of many folders each is written by one task, of few by every task."""
    frame = pd.DataFrame({"n": range(5000)})
    session = plait.Session(config={"threads": 2})
    lazy = session.from_pandas(frame, npartitions=10)
    lazy = lazy.assign(k=lazy.n % values)
    made = lazy.to_parquet(tmp_path / "out", partition_on=["k"])
    assert made.rows.sum() == 5000
    folders = {p.rpartition("/")[0] for p in made.path}
    assert len(folders) == values
    if values > 2:
        assert len(made) < 2 * values
    found = duckdb.sql(f"select n, k from '{tmp_path}/out/**/*.parquet' order by n").fetchall()
    assert found == [(n, n % values) for n in range(5000)]


def test_sorted_within_folders(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [(i * 7919) % 3000 for i in range(3000)]})
    frame["k"] = frame.n % 40
    lazy = plait.from_pandas(frame, npartitions=6)
    made = lazy.to_parquet(tmp_path / "out", partition_on=["k"], sort_by=["n"])
    for path in made.path:
        column = pq.ParquetFile(path).read()["n"].to_pylist()
        assert column == sorted(column)
    whole = lazy.to_parquet(tmp_path / "x.parquet", sort_by="n")
    assert pq.ParquetFile(whole.path[0]).read()["n"].to_pylist() == sorted(frame.n)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_no_rows_keep_the_columns(tmp_path: Path, kind: str) -> None:
    frame = plait.from_pandas(pd.DataFrame({"k": ["a"], "n": [1], "x": [1.5]}))
    none = frame[frame.n > 1]
    getattr(none, f"to_{kind}")(tmp_path / "out", partition_on="k")
    read = getattr(plait, f"read_{kind}")(tmp_path / "out")
    assert list(read.columns) == ["n", "x", "k"]
    assert len(read) == 0
    # rows that come later do not disturb
    getattr(frame, f"to_{kind}")(tmp_path / "out", partition_on="k", mode="append")
    read = getattr(plait, f"read_{kind}")(tmp_path / "out")
    assert read.compute().to_dict("list") == {"n": [1], "x": [1.5], "k": ["a"]}


def test_parts_without_rows_are_left_out(tmp_path: Path) -> None:
    frame = plait.from_pandas(pd.DataFrame({"n": range(100)}), npartitions=5)
    made = frame[frame.n > 70].to_parquet(tmp_path / "out")
    assert [p.rpartition("/")[2] for p in made.path] == ["part-00003.parquet", "part-00004.parquet"]
    made = frame[frame.n > 700].to_parquet(tmp_path / "none")
    assert made.rows.tolist() == [0]
    assert list(plait.read_parquet(tmp_path / "none").columns) == ["n"]


def test_modes(tmp_path: Path) -> None:
    def keys(year: int) -> plait.DataFrame:
        return plait.from_pandas(pd.DataFrame({"year": [year], "n": [1]}))

    def years() -> list[int]:
        return sorted(plait.read_parquet(tmp_path / "out").compute().year)

    keys(2020).to_parquet(tmp_path / "out", partition_on="year")
    keys(2020).to_parquet(tmp_path / "out", partition_on="year", mode="append")
    keys(2021).to_parquet(tmp_path / "out", partition_on="year", mode="append")
    assert years() == [2020, 2020, 2021]
    keys(2022).to_parquet(tmp_path / "out", partition_on="year", mode="overwrite")
    assert years() == [2022]
    assert [p.name for p in tmp_path.rglob("*") if p.name.startswith((".", "_"))] == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"partition_on": ["zzz"]}, ColumnNotFoundError, "zzz"),
        ({"partition_on": ["k", "k"]}, PlanError, "twice"),
        ({"partition_on": ["k", "n"]}, PlanError, "all columns"),
        ({"partition_on": ["l"]}, PlanError, "cannot name folders"),
        ({"partition_on": ["k"], "single_file": True}, PlanError, "single file"),
    ],
)
def test_mistakes(
    tmp_path: Path, options: dict[str, Any], error: type[PlaitError], message: str
) -> None:
    frame = plait.from_arrow(pa.table({"k": [1], "n": [1], "l": [[1]]}))
    if "l" not in options["partition_on"]:
        frame = frame[["k", "n"]]
    with pytest.raises(error, match=message):
        frame.to_parquet(tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())
