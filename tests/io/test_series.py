"""Series in FROM: what DuckDB counts."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

import plait
from plait.io.reader import iterate_split, read_split
from plait.planner.series import SPLIT_ROWS, SeriesSource
from tests.assertions import assert_same_rows

QUERIES = [
    "select count(*) n, sum(range) s, min(range) a, max(range) b from range(3000000)",
    "select count(*) from range(5, 2500000, 7)",
    "select sum(i) from range(2000000, -2000000, -3) t(i)",
    "select i % 10 as k, count(*), avg(i) from generate_series(1, 1500000) t(i) group by k",
    "select count(*) from range(1200000) a(i) join range(1000000, 2500000) b(j) on i = j",
    "select * from range(4000000) t(i) where i > 3999990 order by i",
    "select i from generate_series(10, 12) t(i)",
    "select count(*) from range(0)",
    "select count(distinct i * 7919 % 500009) from range(1000000) t(i)",
]


@pytest.mark.parametrize("query", QUERIES)
def test_series_as_in_duckdb(query: str) -> None:
    assert_same_rows(plait.sql(query).to_arrow(), duckdb.query(query).to_arrow_table())


def test_a_range_beyond_bigint_is_refused() -> None:
    with pytest.raises(plait.PlaitError, match="BIGINT"):
        plait.sql("select * from range(9223372036854775807, 9223372036854775899)")


def test_splits_hold_all_numbers_in_order() -> None:
    numbers = range(17, 17 - 3 * (SPLIT_ROWS + 100_000), -3)
    splits = SeriesSource("n", numbers).splits(["n"])
    assert len(splits) == 2
    read = pa.concat_tables([read_split(s, ["n"]) for s in splits])
    pieces = pa.concat_tables([p for s in splits for p in iterate_split(s, ["n"])])
    assert read.column("n").to_pylist() == pieces.column("n").to_pylist() == list(numbers)


def test_rows_are_counted_without_columns() -> None:
    (split,) = SeriesSource("n", range(1000)).splits([])
    assert read_split(split, []).num_rows == 1000
