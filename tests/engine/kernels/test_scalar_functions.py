"""Every scalar function against DuckDB, over columns with NULLs, in every encoding."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.types as pat
import pytest

from plait.planner.functions import internal, pandas
from plait.planner.functions.registry import SCALARS
from plait.planner.types import from_sql_name
from tests.assertions import assert_same_rows
from tests.engine.kernels.calls import TABLE, encoded, logical, parse, physical_fits, run, sql
from tests.engine.kernels.cases import CASES, NOT_COMPARED

TYPES = {field.name: field.type for field in TABLE.schema}


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("raw", TABLE)
    # Arrow has no 128-bit integer: plait's HUGEINT comes in as a decimal
    connection.execute("CREATE VIEW t AS SELECT * REPLACE (huge::HUGEINT AS huge) FROM raw")
    return connection


def one_column(array: pa.Array) -> pa.Table:
    return pa.table({"x": logical(array)})


@pytest.mark.parametrize("text", CASES)
def test_as_duckdb(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    expr = parse(text, TYPES)
    actual = run(expr, TABLE)
    assert physical_fits(actual, expr.dtype), f"{actual.type} is no {expr.dtype}"
    found = oracle.sql(f"SELECT {sql(text)} AS x, typeof(x) AS t FROM t").to_arrow_table()
    expected = found.select(["x"])
    if pat.is_binary(expr.dtype) or str(expected.schema.field(0).type).startswith("extension"):
        expected = pa.table({"x": expected.column(0).cast(expr.dtype)})
    assert_same_rows(one_column(actual), expected, ordered=True)
    name = found.column("t")[0].as_py()
    if name != '"NULL"':
        assert expr.dtype == from_sql_name(name)


@pytest.mark.parametrize("text", CASES)
def test_encodings_slices_and_empty_columns(text: str) -> None:
    expr = parse(text, TYPES)
    plain = logical(run(expr, TABLE))
    narrow = run(expr, encoded(TABLE))
    assert physical_fits(narrow, expr.dtype)
    assert_same_rows(one_column(narrow), one_column(plain), ordered=True)
    for table in (TABLE, encoded(TABLE)):
        part = logical(run(expr, table.slice(3, 4)))
        assert_same_rows(one_column(part), one_column(plain.slice(3, 4)), ordered=True)
        empty = run(expr, table.slice(0, 0))
        assert len(empty) == 0
        assert physical_fits(empty, expr.dtype)


@pytest.mark.parametrize("text", CASES)
def test_columns_of_nulls(oracle: duckdb.DuckDBPyConnection, text: str) -> None:
    nothing = pa.table({name: pa.nulls(3, t) for name, t in TYPES.items()})
    expr = parse(text, TYPES)
    actual = run(expr, nothing)
    assert physical_fits(actual, expr.dtype)
    oracle.register("nothing", nothing)
    rows = "(SELECT * REPLACE (huge::HUGEINT AS huge) FROM nothing)"
    expected = oracle.sql(f"SELECT {sql(text)} AS x FROM {rows}").to_arrow_table()
    if str(expected.schema.field(0).type).startswith("extension"):
        expected = pa.table({"x": expected.column(0).cast(expr.dtype)})
    assert_same_rows(one_column(actual), expected, ordered=True)


def test_every_function_is_compared_or_excused() -> None:
    called = {
        e.function for text in CASES for e in parse(text, TYPES).walk() if hasattr(e, "function")
    }
    elsewhere = {f.name for f in (*internal.FUNCTIONS, *pandas.FUNCTIONS)}
    missing = set(SCALARS) - elsewhere - called - set(NOT_COMPARED)
    assert not missing, sorted(missing)
    assert not set(NOT_COMPARED) & called
