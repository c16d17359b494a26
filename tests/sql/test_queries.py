"""Queries over small tables with NULLs: plait's rows are DuckDB's rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import plait
from tests.assertions import assert_same_rows
from tests.sql.tables import TABLES, in_duckdb

LINES = Path(__file__).with_name("queries.sql").read_text().splitlines()
QUERIES = [line for line in LINES if line and not line.startswith("--")]


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    return in_duckdb()


@pytest.fixture(scope="module")
def session() -> Iterator[plait.Session]:
    with plait.Session() as opened:
        for name, table in TABLES.items():
            opened.register(name, table)
        yield opened


def is_ordered(sql: str) -> bool:
    """Whether the outermost query has an ORDER BY."""
    before = ""
    while before != sql:
        before, sql = sql, re.sub(r"\([^()]*\)", "", sql)
    return "order by" in sql.lower()


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return connection.sql(sql).to_arrow_table()


@pytest.mark.parametrize("sql", QUERIES)
def test_rows_are_duckdbs(
    sql: str, session: plait.Session, oracle: duckdb.DuckDBPyConnection
) -> None:
    found = session.sql(sql).to_arrow()
    # columns by position: test_result_columns compares their names
    assert_same_rows(found, rows(oracle, sql), ordered=is_ordered(sql), names=False)


@pytest.mark.parametrize(
    ("sql", "params", "plain"),
    [
        ("select a, b + ? from t where a = ?", [10, 1], "select a, b + 10 from t where a = 1"),
        ("select s from u where k > $low", {"low": 15}, "select s from u where k > 15"),
        ("select a from t where d < ?", ["2020-02-01"], "select a from t where d < '2020-02-01'"),
        (
            "select a from t where c in (?, ?)",
            ["x", None],
            "select a from t where c in ('x', null)",
        ),
        ("select b from t order by b limit ?", [2], "select b from t order by b limit 2"),
    ],
)
def test_parameters(
    sql: str, params: object, plain: str, session: plait.Session, oracle: duckdb.DuckDBPyConnection
) -> None:
    found = session.sql(sql, params=params).to_arrow()
    assert_same_rows(found, rows(oracle, plain), ordered=is_ordered(sql), names=False)


# dialect; its text; the same in DuckDB's dialect
DIALECTS = [
    # whole numbers divide to whole numbers, NULLs are large
    (
        "postgres",
        "select b / 2 from t order by b desc",
        "select b // 2 from t order by b desc nulls first",
    ),
    ("postgres", "select b::float8 / 2 from t", "select b / 2 from t"),
    # NULLs are small, concat and greatest give NULL for any NULL, x / 0 is NULL
    (
        "mysql",
        "select `b` from t order by b limit 1, 3",
        "select b from t order by b nulls first limit 3 offset 1",
    ),
    (
        "mysql",
        "select concat(c, a), greatest(a, b) from t",
        "select c || a, if(a is null or b is null, null, greatest(a, b)) from t",
    ),
    ("mysql", "select b / 0, b div 2 from t", "select null::double, b // 2 from t"),
    (
        "bigquery",
        "select `a`, b / 2 from `t` order by a desc",
        "select a, b / 2 from t order by a desc nulls last",
    ),
    (
        "snowflake",
        "select iff(a > 1, 'x', 'y'), dateadd(day, 1, d) from t",
        "select if(a > 1, 'x', 'y'), d + interval 1 day from t",
    ),
    (
        "tsql",
        "select top 2 b from t order by b",
        "select b from t order by b nulls first limit 2",
    ),
]


@pytest.mark.parametrize(("dialect", "sql", "in_duckdb_sql"), DIALECTS)
def test_other_dialects(
    dialect: str,
    sql: str,
    in_duckdb_sql: str,
    session: plait.Session,
    oracle: duckdb.DuckDBPyConnection,
) -> None:
    found = session.sql(sql, dialect=dialect).to_arrow()
    wanted = rows(oracle, in_duckdb_sql)
    assert_same_rows(found, wanted, ordered=is_ordered(sql), names=False)


def test_sql_over_frames_of_python(oracle: duckdb.DuckDBPyConnection) -> None:
    found = plait.sql("select a, sum(b) from t group by a", tables={"t": TABLES["t"].to_pandas()})
    wanted = rows(oracle, "select a, sum(b) from t group by a")
    assert_same_rows(found.compute(), wanted, names=False)


def test_views_and_tables_of_a_session(oracle: duckdb.DuckDBPyConnection) -> None:
    with plait.Session() as session:
        session.register("t", TABLES["t"])
        session.sql("create view v as select a, sum(b) as s from t group by a")
        found = session.sql(
            "create table w as select * from v where s > 3; select v.a, w.s from v join w using (a)"
        )
        wanted = rows(oracle, "select a, sum(b) from t group by a having a > 0 and sum(b) > 3")
        assert_same_rows(found.to_arrow(), wanted, names=False)
