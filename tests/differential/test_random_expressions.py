"""Random expressions over one table: their values, and what they mean as a condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pyarrow as pa
import pytest

from tests.differential.expressions import RISKY, TEMPLATES, Expressions
from tests.differential.reduce import smallest
from tests.differential.systems import WAYS, Tables, Way, ask_duckdb, outcome, some_ways
from tests.differential.tables import Col, random_table

QUICK = 40
HEAVY = 340
A_TEST = 20


@pytest.mark.parametrize("first", range(0, QUICK, A_TEST))
def test_random_expressions(first: int) -> None:
    _mean_the_same(range(first, first + A_TEST), lambda _: WAYS)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(QUICK, HEAVY, 5 * A_TEST))
def test_many_random_expressions(first: int) -> None:
    _mean_the_same(range(first, first + 5 * A_TEST), lambda seed: some_ways(Random(seed)))


def _mean_the_same(seeds: range, ways: Callable[[int], Sequence[Way]]) -> None:
    for seed in seeds:
        sql, tables = _query(Random(seed))
        problem = outcome(sql, tables, ways=ways(seed))
        if problem:
            sql, tables = smallest(sql, tables, lambda s, t: bool(outcome(s, t)))
            rows = "\n".join(f"{name}: {table.to_pylist()}" for name, table in tables.items())
            pytest.fail(f"query {seed}\n{sql}\n{rows}\n{outcome(sql, tables)}")


def _query(random: Random) -> tuple[str, dict[str, pa.Table]]:
    """Three expressions over a table, filtered by a fourth every other time."""
    table = random_table(random, "t", narrow=random.random() < 0.5)
    maker = Expressions(random, table.columns, risky=random.random() < 0.5)
    kinds = random.choices(list(TEMPLATES), k=3)
    items = [f"{maker.expr(k, random.randint(1, 3))} as x{i}" for i, k in enumerate(kinds)]
    where = f" where {maker.condition(2)}" if random.random() < 0.5 else ""
    return f"select {', '.join(items)} from t{where}", {"t": table.data}


# ------------------------------------------------------------------- the generator's own promises


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_template_is_sql(kind: str) -> None:
    """Each template at least once: DuckDB takes it, and its value has the kind it says."""
    columns = (Col("c0", "int"), Col("c1", "text"), Col("c2", "date"), Col("c3", "double"))
    data = {
        "c0": pa.array([1], pa.int32()),
        "c1": pa.array(["a"]),
        "c2": pa.array([19000], pa.date32()),
        "c3": pa.array([1.5]),
    }
    tables: Tables = {"t": pa.table(data)}
    maker = Expressions(Random(1), columns)
    for template in [*TEMPLATES[kind], *RISKY.get(kind, ())]:
        sql = f"select try({maker.filled(template)}) as x from t"
        assert _kind(ask_duckdb(sql, tables).schema.field("x").type) == kind, sql


def _kind(dtype: pa.DataType) -> str:
    tests = {
        "int": pa.types.is_integer,
        "double": pa.types.is_floating,
        "decimal": pa.types.is_decimal,
        "text": pa.types.is_string,
        "date": pa.types.is_date,
        "timestamp": pa.types.is_timestamp,
        "bool": pa.types.is_boolean,
    }
    return next(kind for kind, holds in tests.items() if holds(dtype))
