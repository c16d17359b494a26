"""Random queries keep their answers whatever rules are left out.

DuckDB answers the query as it stands; each plan is written back to SQL for it (`as_duckdb`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plait.planner.catalog import MemoryCatalog
from plait.planner.optimizer.pipeline import RULES, optimize
from plait.planner.sql.statements import bind_query_text
from tests.assertions import assert_same_rows
from tests.planner.optimizer.as_duckdb import MERGES, as_duckdb
from tests.planner.optimizer.golden import context
from tests.planner.optimizer.random_queries import QueryMaker
from tests.planner.optimizer.tables import small_catalog, small_tables

OPTIONAL = tuple(rule.name for rule in RULES if not rule.required)
TABLES = small_tables(0.4)  # of the usual rows: nested subqueries multiply
LONGEST = 1500  # letters of a query
PATIENCE = 4.0  # seconds that a query may take before it is left out


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 1")
    connection.execute(MERGES)
    for name, table in TABLES.items():
        connection.register(name, table)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def catalog() -> MemoryCatalog:
    return small_catalog(TABLES)


def answer(duck: duckdb.DuckDBPyConnection, sql: str) -> pa.Table | None:
    """DuckDB's answer; None if it takes too long."""
    timer = threading.Timer(PATIENCE, duck.interrupt)
    timer.start()
    try:
        return duck.sql(sql).to_arrow_table()
    except duckdb.InterruptException:
        return None
    finally:
        timer.cancel()


def understood(duck: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether DuckDB knows this form of subquery at all."""
    try:
        duck.execute(f"EXPLAIN {sql}")
    except duckdb.Error:
        return False
    return True


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=24)
def test_answers_stay(seed: int, duck: duckdb.DuckDBPyConnection, catalog: MemoryCatalog) -> None:
    sql = QueryMaker(seed).query()
    assume(len(sql) <= LONGEST and understood(duck, sql))
    expected = answer(duck, sql)
    assume(expected is not None)
    bound = bind_query_text(sql, catalog)
    rng = random.Random(seed)
    for left_out in ((), tuple(rng.sample(OPTIONAL, rng.randint(1, len(OPTIONAL))))):
        plan = optimize(bound, context(), disabled=left_out)
        found = answer(duck, as_duckdb(plan))
        assume(found is not None)
        try:
            assert_same_rows(found, expected, names=False)
        except AssertionError as error:
            raise AssertionError(f"{sql}\nwithout {left_out}\n{plan}\n{error}") from None
