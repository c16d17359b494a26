"""Joins whose right side reads their left one (LATERAL) give DuckDB's rows, however they run."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.assertions import assert_same_rows
from tests.differential.systems import WAYS, ask_duckdb, check

TABLES = {
    "t": pa.table(
        {
            "k": pa.array([1, 1, 2, None, 4], pa.int64()),
            "x": pa.array([1, 5, 2, 3, None], pa.int64()),
        }
    ),
    "u": pa.table(
        {
            "k": pa.array([1, 1, 1, 2, None, 5], pa.int64()),
            "v": pa.array([3, 1, None, 7, 8, 9], pa.int64()),
            "w": pa.array(["a", "b", "c", "d", None, "f"]),
        }
    ),
    "e": pa.table({"k": pa.array([], pa.int64()), "v": pa.array([], pa.int64())}),
}

LINES = Path(__file__).with_name("lateral.sql").read_text().splitlines()
QUERIES = [line for line in LINES if not line.startswith("--")]


@pytest.mark.parametrize("sql", QUERIES)
def test_rows_are_duckdbs(sql: str) -> None:
    check(sql, TABLES, names=False)


@pytest.mark.parametrize(
    ("sql", "same"),
    [
        (
            "select t.k, q.v from t left join lateral (select u.v from u where u.k = t.k) q "
            "on q.v in (select v from u where v < 5)",
            "select t.k, q.v from t left join "
            "(select k, v from u where v in (select v from u where v < 5)) q on q.k = t.k",
        ),
        (
            "select t.k, q.v from t left join lateral (select u.v from u where u.k = t.k) q "
            "on q.v > (select min(y.v) from u y where y.k = t.k)",
            "select t.k, q.v from t left join "
            "(select * from u where v > (select min(y.v) from u y where y.k = u.k)) q "
            "on q.k = t.k",
        ),
    ],
)
def test_subqueries_in_conditions(sql: str, same: str) -> None:
    """DuckDB does not know these: it is asked for the same without LATERAL."""
    expected = ask_duckdb(same, TABLES)
    for way in WAYS:
        assert_same_rows(way.run(sql, TABLES), expected, names=False)
