"""The 22 queries from Parquet, from CSV and from kept frames; the judge is DuckDB over Parquet."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query

NUMBERS = range(1, 23)


@lru_cache(maxsize=4)
def expected(folder: Path) -> dict[int, pa.Table]:
    """DuckDB's answer to every query."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        for table in TABLES:
            path = folder / f"{table}.parquet"
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{path}'")
        return {n: connection.sql(query(n)).to_arrow_table() for n in NUMBERS}


def from_parquet(folder: Path) -> dict[str, plait.DataFrame]:
    return {t: plait.read_parquet(str(folder / f"{t}.parquet")) for t in TABLES}


def from_csv(folder: Path, parquet: Path) -> dict[str, plait.DataFrame]:
    """Tables from CSV, typed as the Parquet files are (decimals cannot be guessed from text)."""
    frames = {}
    for table in TABLES:
        schema = pq.read_schema(parquet / f"{table}.parquet")
        dtype: dict[str, Any] = {
            f.name: pa.string() if pa.types.is_string_view(f.type) else f.type for f in schema
        }
        frames[table] = plait.read_csv(str(folder / f"{table}.csv"), dtype=dtype)
    return frames


@lru_cache(maxsize=4)
def tables(kind: str, folder: Path, parquet: Path) -> dict[str, plait.DataFrame]:
    if kind == "kept":
        return {name: frame.persist() for name, frame in from_parquet(folder).items()}
    return from_parquet(folder) if kind == "parquet" else from_csv(folder, parquet)


def check(number: int, frames: dict[str, plait.DataFrame], parquet: Path) -> None:
    answer = plait.sql(query(number), frames).to_arrow()
    # rows may tie under ORDER BY, so the order has a test of its own
    assert_same_rows(answer, expected(parquet)[number])


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ["parquet", "csv", "kept"])
def test_small(kind: str, number: int, tpch_dir: Path, tpch_csv_dir: Path) -> None:
    folder = tpch_csv_dir if kind == "csv" else tpch_dir
    check(number, tables(kind, folder, tpch_dir), tpch_dir)


@pytest.mark.heavy
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ["parquet", "csv", "kept"])
def test_scale_factor_1(kind: str, number: int, tpch_sf1_dir: Path, tpch_sf1_csv_dir: Path) -> None:
    folder = tpch_sf1_csv_dir if kind == "csv" else tpch_sf1_dir
    check(number, tables(kind, folder, tpch_sf1_dir), tpch_sf1_dir)


SORT_COLUMNS = {1: ["l_returnflag", "l_linestatus"], 3: ["revenue"], 10: ["revenue"]}


@pytest.mark.parametrize("number", sorted(SORT_COLUMNS))
def test_order(number: int, tpch_dir: Path) -> None:
    frames = tables("parquet", tpch_dir, tpch_dir)
    names = SORT_COLUMNS[number]
    answer = plait.sql(query(number), frames).to_arrow().select(names)
    assert answer.to_pylist() == expected(tpch_dir)[number].select(names).to_pylist()
