"""Files with differing columns, and columns that files tell: judged by DuckDB on the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import PlanError, ReadError, UnsupportedError
from plait.io.csv.source import CsvSource
from plait.io.json.source import JsonSource
from plait.io.parquet.source import ParquetSource
from plait.planner.builder import call
from plait.planner.expr import Column, Literal
from plait.planner.predicates import can_match
from plait.planner.source import Pushdown
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source

SOURCES = {"csv": CsvSource, "json": JsonSource, "parquet": ParquetSource}
ROWS = {
    "y=2024/c=at": {"x": [1, 2], "n": ["p", "q"]},
    "y=2025/c=at": {"n": ["r"], "z": [2.5]},
    "y=2025/c=d%20e": {"z": [7.0], "x": [9], "n": ["s"]},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same rows as files of each format, below `sales`."""
    for where, columns in ROWS.items():
        inner = tmp_path / "sales" / where
        inner.mkdir(parents=True)
        table = pa.table(columns)
        pd.DataFrame(columns).to_csv(inner / "a.csv", index=False)
        pq.write_table(table, inner / "a.parquet")
        lines = [json.dumps(row) for row in table.to_pylist()]
        (inner / "a.json").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", SOURCES)
@pytest.mark.parametrize(
    "query",
    [
        "from {}",
        "from {filename}",
        "from {no_hive}",
        "from {types}",
        "select c, y from {}",
        "select x from {} where y = 2024",
        "select count(*), c from {} group by c",
        "select count(*) from {} where c <> 'at' or n = 'r'",
        "select src, count(*) from {filename} where src like '%2025%' group by src",
        "select y + x from {types}",
    ],
)
def test_sql_reads_files_as_duckdb(folder: Path, suffix: str, query: str) -> None:
    start = f"read_{suffix}('sales/*/*/*.{suffix}', union_by_name=true"
    query = query.replace("{}", start + ")")
    query = query.replace("{filename}", start + ", filename='src')")
    query = query.replace("{no_hive}", start + ", filename=true, hive_partitioning=false)")
    query = query.replace("{types}", start + ", hive_types={'y': SMALLINT, 'c': VARCHAR})")
    assert_same_rows(plait.sql(query).to_arrow(), duckdb.sql(query).to_arrow_table())


@pytest.mark.parametrize("suffix", SOURCES)
def test_files_are_left_out_by_what_they_tell(folder: Path, suffix: str) -> None:
    options = {} if suffix == "json" else {"union_by_name": True}
    source = SOURCES[suffix]("sales", filename=True, **options)
    assert set(source.schema.names[-3:]) == {"filename", "y", "c"}
    year = Column("y", source.schema["y"].type)
    wanted = call("equal", year, Literal(2024, year.dtype))
    assert source.pushdown(wanted) in (Pushdown.INEXACT, Pushdown.EXACT)
    kept = [s for s in source.splits(["x"]) if can_match(wanted, s.ranges)]
    assert len(kept) == 1
    assert source.statistics.column("y").distinct == 2
    assert (source.statistics.column("y").minimum, source.statistics.column("y").maximum) == (
        2024,
        2025,
    )
    assert count_rows(source) == 4
    assert read_source(source, ["y", "n"]).to_pydict() == {
        "y": [2024, 2024, 2025, 2025],
        "n": ["p", "q", "r", "s"],
    }
    assert read_source(source, ["c"])["c"].to_pylist() == ["at", "at", "at", "d e"]


@pytest.mark.parametrize("suffix", SOURCES)
def test_types_of_partition_columns_can_be_given(folder: Path, suffix: str) -> None:
    options = {} if suffix == "json" else {"union_by_name": True}
    source = SOURCES[suffix]("sales", hive_types={"y": "int16"}, **options)
    assert source.schema["y"].type == pa.int16()
    text = SOURCES[suffix]("sales", hive_types={"y": str}, **options)
    assert read_source(text, ["y"])["y"].to_pylist() == ["2024", "2024", "2025", "2025"]
    with pytest.raises(PlanError, match=r"hive_types: 'yy' is no partition folder .* 'y'"):
        SOURCES[suffix]("sales", hive_types={"yy": str}, **options)
    with pytest.raises(ReadError, match="c=at is not a value of int64"):
        SOURCES[suffix]("sales", hive_types={"c": int}, **options)


def test_folders_of_moments(tmp_path: Path) -> None:
    for name in ("d=2024-01-01/t=2024-01-01 10:00:00", "d=2024-01-02/t=2024-01-02 00:00:00.5"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.csv").write_text("k\n1\n")
    query = f"from '{tmp_path}/*/*/a.csv'"
    assert_same_rows(plait.sql(query).to_arrow(), duckdb.sql(query).to_arrow_table())


def test_a_folder_wins_over_a_stored_column(tmp_path: Path) -> None:
    (tmp_path / "y=5").mkdir()
    (tmp_path / "y=5" / "a.csv").write_text("y,k\n1,2\n")
    query = f"from '{tmp_path}/y=5/a.csv'"
    assert_same_rows(plait.sql(query).to_arrow(), duckdb.sql(query).to_arrow_table())


@pytest.mark.parametrize("suffix", SOURCES)
def test_a_name_that_is_taken(folder: Path, suffix: str) -> None:
    options: dict[str, Any] = {} if suffix == "json" else {"union_by_name": True}
    with pytest.raises(PlanError, match="filename='n': there is a column of this name"):
        SOURCES[suffix]("sales", filename="n", **options)
    with pytest.raises(PlanError, match="filename='y': there is a partition column"):
        SOURCES[suffix]("sales", filename="y", **options)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_that_lack_columns_are_refused_in_sql(folder: Path, suffix: str) -> None:
    query = f"from read_{suffix}('sales/*/*/*.{suffix}')"
    with pytest.raises(duckdb.Error):
        duckdb.sql(query).fetchall()
    with pytest.raises(ReadError, match=r"lacks column 'x'.*union_by_name=True"):
        plait.sql(query).to_arrow()


def test_union_of_many_csv_files_is_that_of_pandas(tmp_path: Path) -> None:
    frames = []
    for i in range(90):
        frame = pd.DataFrame({"n": [i, i + 1], f"c{i % 7}": [f"v{i}", None]})
        frame.to_csv(tmp_path / f"{i:03}.csv", index=False)
        frames.append(frame)
    table = read_source(CsvSource(tmp_path, union_by_name=True, blocksize=5))
    assert_same_rows(table, pd.concat(frames, ignore_index=True), ordered=True)
    dates = CsvSource(tmp_path, union_by_name=True, dtype={"c3": str}, usecols=["c3", "n"])
    assert dates.schema.names == ("n", "c3")


def test_options_of_csv_in_sql(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1,5;x\n2;y\n")
    for options in (
        "delim=';', decimal_separator=','",
        "delim=';', all_varchar=true",
        "delim=';', header=true, columns={'p': 'VARCHAR', 'q': 'VARCHAR'}",
        "delim=';', types={'a': 'VARCHAR'}, quote='\"', escape='\"', compression='none'",
    ):
        query = f"from read_csv('{path}', {options})"
        assert_same_rows(plait.sql(query).to_arrow(), duckdb.sql(query).to_arrow_table())


@pytest.mark.parametrize("suffix", SOURCES)
def test_unknown_options_are_refused_by_name(folder: Path, suffix: str) -> None:
    with pytest.raises(UnsupportedError, match="no option 'nonsense'"):
        plait.sql(f"from read_{suffix}('sales/y=2024/c=at/a.{suffix}', nonsense=1)")
    reader = getattr(plait, f"read_{suffix}")
    with pytest.raises(UnsupportedError, match="no option 'nonsense'"):
        reader(f"sales/y=2024/c=at/a.{suffix}", nonsense=1)
