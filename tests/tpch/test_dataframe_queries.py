"""TPC-H as dataframe code: DuckDB's answers, and the plans that the SQL texts make."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

import plait
from plait.planner.canonical import canonical
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query
from tests.tpch.dataframe_queries import QUERIES

# Queries whose dataframe code makes the very plan that their SQL makes. The others differ by what
# pandas means otherwise: a sum of nothing is 0 (6, 11, 14, 19), a regular expression is no LIKE
# (13, 16), a float is no decimal (11, 20), or were written otherwise (12, 21, 22).
SAME_PLAN = (1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 17, 18)


@pytest.fixture(scope="module")
def tables(tpch_dir: Path) -> SimpleNamespace:
    return SimpleNamespace(
        **{name: plait.read_parquet(tpch_dir / f"{name}.parquet") for name in TABLES}
    )


def _rows(answer: plait.DataFrame | plait.Scalar) -> pa.Table:
    if isinstance(answer, plait.DataFrame):
        return answer.to_arrow()
    return pa.table({"value": pa.chunked_array([pa.array([answer.to_arrow().as_py()])])})


@pytest.mark.parametrize("number", QUERIES)
def test_answers(
    number: int, tables: SimpleNamespace, duck: duckdb.DuckDBPyConnection, tpch_dir: Path
) -> None:
    for name in TABLES:
        duck.execute(f"create view {name} as from '{tpch_dir / name}.parquet'")
    expected = duck.sql(query(number)).to_arrow_table()
    assert_same_rows(_rows(QUERIES[number](tables)), expected, ordered=True, names=False)


@pytest.mark.parametrize("number", SAME_PLAN)
def test_plan_is_that_of_the_sql(number: int, tables: SimpleNamespace) -> None:
    sql = plait.sql(query(number), tables=vars(tables))
    assert canonical(QUERIES[number](tables).optimized_plan()) == canonical(sql.optimized_plan())
