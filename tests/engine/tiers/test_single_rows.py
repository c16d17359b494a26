"""Joins without keys with tables of no or one row, in loops: scalar subqueries, and EXISTS."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from plait.errors import PlaitError, ScalarSubqueryError
from plait.planner.schema import Schema
from plait.planner.types import normalize
from tests.assertions import assert_same_rows
from tests.differential.systems import CHECKED
from tests.differential.tables import Col
from tests.engine.tiers.pipelines import Pipeline, Table
from tests.engine.tiers.systems import VECTORISED, answer

D = Decimal
NUMBERS = [1, 2, None, 4, 5, -6, 7, None]
PRICES = [
    D("1.50"),
    None,
    D("-3.25"),
    D("90071992547409.92"),
    D("0.01"),
    D("2.00"),
    None,
    D("7.10"),
]
TABLES = {
    "t": pa.table(
        {"k": pa.array(NUMBERS, pa.int64()), "d": pa.array(PRICES, pa.decimal128(17, 2))}
    ),
    "one": pa.table({"x": pa.array([2], pa.int64()), "e": pa.array([D("2.00")])}),
    "null": pa.table({"x": pa.array([None], pa.int64())}),
    "none": pa.table({"x": pa.array([], pa.int64())}),
    "many": pa.table({"x": pa.array([3, 1, 2], pa.int64())}),
}
QUERIES = [
    "select k from t where k > (select x from {u})",
    "select k from t where k is distinct from (select max(x) from {u})",
    "select k, d, (select x from {u}) as x from t",
    "select k, k + (select sum(x) from {u}) as x from t",
    "select sum(d / (select sum(x) from {u})) as x from t",
    "select count(*) as n from t where d::double < (select avg(x) from {u})",
    "select k from t where exists (select * from {u})",
    "select k from t where not exists (select * from {u} where x > 1)",
    "select k, exists (select * from {u}) as x from t",
    "select k, x from t, {u} where k >= x",
    "select k, x from t left join {u} on k >= x",
    "select k from t semi join {u} on k >= x",
    "select k from t anti join {u} on k >= x",
]


def pipeline(sql: str) -> Pipeline:
    made = {}
    for name, table in TABLES.items():
        schema = Schema.of([(f.name, normalize(f.type)) for f in table.schema])
        empty = pa.RecordBatch.from_pylist([], table.schema)
        batches = tuple(table.to_batches(3)) or (empty,)
        made[name] = Table(tuple(Col(f.name, "") for f in schema), schema, batches)
    return Pipeline(sql, made)


def expected(sql: str) -> pa.Table | None:
    """What DuckDB says; None if there is more than one row."""
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            connection.register(name, table)
        try:
            return connection.sql(sql).to_arrow_table()
        except duckdb.InvalidInputException:
            return None


@pytest.mark.parametrize("tier", ["compiled", "vectorised"])
@pytest.mark.parametrize("other", ["one", "null", "none", "many"])
@pytest.mark.parametrize("query", QUERIES)
def test_is_what_duckdb_says(query: str, other: str, tier: str) -> None:
    sql = query.format(u=f'"{other}"')
    found = answer(pipeline(sql), CHECKED if tier == "compiled" else VECTORISED)
    wanted = expected(sql)
    if wanted is None:
        assert isinstance(found, ScalarSubqueryError)
        return
    assert not isinstance(found, PlaitError), found
    assert_same_rows(found, wanted)


@pytest.mark.parametrize("type_", ["decimal(19, 2)", "decimal(38, 2)", "hugeint"])
def test_numbers_beyond_the_digits_of_doubles(type_: str) -> None:
    """Where a loop would round twice, the rows are left to the other tier."""
    sql = f"select ((k * 9007199254740993)::{type_})::double as x from t where k < 3"
    found = answer(pipeline(sql), CHECKED)
    assert isinstance(found, pa.Table)
    assert_same_rows(found, expected(sql))
