"""Groups formed before a join, wherever that is right, give what DuckDB gives without."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest

from plait.io.memory import ArrowSource
from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.optimizer import push_down_aggregate
from plait.planner.optimizer.pipeline import optimize
from plait.planner.sql.statements import bind_query_text
from tests.differential.expressions import Expressions
from tests.differential.systems import WAYS, Refused, Tables, Way, check, some_ways
from tests.differential.tables import KINDS, Col, Table, random_table
from tests.planner.optimizer.golden import context

AGGREGATES = (
    "count(*)",
    "count({any})",
    "sum({int})",
    "sum({decimal})",
    "avg({int})",
    "avg({decimal})",
    "avg({double})",
    "min({any})",
    "max({any})",
    "bool_and({bool})",
    "bool_or({bool})",
    "count_if({bool})",
    "count(*) filter (where {bool})",
    "sum({int}) filter (where {bool})",
    "avg({int}) filter (where {bool})",
)
QUICK = 10
A_TEST = 50
MANY = 200


@pytest.fixture(autouse=True)
def whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_down_aggregate, "WORTH", math.inf)


def random_query(random: Random) -> tuple[str, Tables]:
    """Aggregates, most of one side, over a join of two or three tables."""
    tables = [random_table(random, f"t{i}") for i in range(random.choice([2, 2, 2, 3]))]
    sides = [[Col(f"t{i}.{c.sql}", c.kind) for c in t.columns] for i, t in enumerate(tables)]
    source = "t0"
    for i in range(1, len(tables)):
        kind = random.choice(["join", "join", "left join", "left join", "left join", "full join"])
        source += f" {kind} t{i} on {_condition(random, sides[i - 1], sides[i])}"
    every = [c for side in sides for c in side]
    if random.random() < 0.2:
        source += f" where {Expressions(random, every).condition(1)}"
    mine = every if random.random() < 0.05 else random.choice(sides)
    calls = [_aggregate(random, mine) for _ in range(random.randint(1, 3))]
    keys = [_key(random, every) for _ in range(random.choice([0, 1, 1, 2]))]
    items = ", ".join(f"{e} as x{i}" for i, e in enumerate([*keys, *calls]))
    by = f" group by {', '.join(keys)}" if keys else ""
    if keys and random.random() < 0.1:
        by = f" group by rollup ({', '.join(f'({k})' for k in keys)})"
    return f"select {items} from {source}{by}", _by_name(tables)


def _by_name(tables: list[Table]) -> Tables:
    return {t.name: t.data for t in tables}


def _condition(random: Random, left: list[Col], right: list[Col]) -> str:
    pairs = [(a.sql, b.sql) for a in left for b in right if a.kind == b.kind]
    a, b = random.choice(pairs)  # the first columns are integers
    condition = f"{a} {random.choice(['=', '=', '=', 'is not distinct from', '<'])} {b}"
    if random.random() < 0.25:
        condition += f" and ({Expressions(random, [*left, *right]).condition(1)})"
    return condition


def _aggregate(random: Random, columns: list[Col]) -> str:
    inner = Expressions(random, columns)
    values = {kind: inner.expr(kind, 1) for kind in KINDS}
    if random.random() < 0.9:
        values |= {c.kind: c.sql for c in random.sample(columns, len(columns))}
    values["any"] = random.choice(columns).sql
    have = {"any", *(c.kind for c in columns)}
    fitting = [a for a in AGGREGATES if all(kind in have for kind in _named(a))]
    return random.choice(fitting).format(**values)


def _named(template: str) -> list[str]:
    return [kind for kind in (*KINDS, "any") if f"{{{kind}}}" in template]


def _key(random: Random, columns: list[Col]) -> str:
    column = random.choice([c for c in columns if c.kind != "double" or random.random() < 0.2])
    if random.random() < 0.8:
        return column.sql
    return f"coalesce({column.sql}, {Expressions(random, columns).expr(column.kind, 1)})"


def fires(sql: str, tables: Tables) -> bool:
    """Whether the rule changes the plan."""
    catalog = MemoryCatalog()
    for name, table in tables.items():
        catalog.add(name, builder.scan(ArrowSource(table, name=name), name=name))
    bound = bind_query_text(sql, catalog)
    return optimize(bound, context()) != optimize(
        bound, context(), disabled=["push_down_aggregate"]
    )


def answers_like_duckdb(seeds: range, ways: Callable[[int], Sequence[Way]]) -> None:
    for seed in seeds:
        sql, tables = random_query(Random(seed))
        try:
            check(sql, tables, names=False, lenient=True, ways=ways(seed))
        except Refused:
            continue
        except AssertionError as error:
            raise AssertionError(f"query {seed}\n{sql}\n{error}") from error


def test_random_queries() -> None:
    answers_like_duckdb(range(QUICK), lambda _: WAYS)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, MANY, A_TEST))
def test_many_random_queries(first: int) -> None:
    answers_like_duckdb(range(first, first + A_TEST), lambda seed: some_ways(Random(seed)))


def test_the_rule_is_tried() -> None:
    fired = sum(fires(*random_query(Random(seed))) for seed in range(A_TEST))
    assert fired > A_TEST // 4


T = pa.table(
    {
        "k": pa.array([1, 1, 2, None, None, 3], pa.int64()),
        "v": pa.array([5, None, 7, 8, 9, None], pa.int64()),
        "b": pa.array([2**62, 2**62, -(2**63), None, 2**62, 2**62], pa.int64()),
        "f": pa.array([0.0, -0.0, 1.5, None, 2.5, 0.0]),
        "s": pa.array(["1", "2", "3", "x", "5", "6"]),
        "w": pa.array([Decimal(10) ** 37 * 9, *[None] * 2, Decimal(1), None, None]),
    }
)
U = pa.table(
    {"k": pa.array([1, 1, 2, 4, None], pa.int64()), "x": pa.array([1, 2, 2, None, 3], pa.int64())}
)
SMALL = {"t": T, "u": U}


@pytest.mark.parametrize(
    "sql",
    [
        "select u.x, count(t.v), sum(t.v) from u left join t on u.k = t.k group by u.x",
        "select u.x, count_if(t.v > 5) from u left join t on u.k = t.k group by u.x",
        "select count(t.v), avg(t.v), count_if(t.v > 5) from u join t on u.k = t.k + 100",
        "select u.x, count(t.v) from u left join t on u.k = t.k and t.v > u.x group by u.x",
        "select u.k, count(*) filter (where u.x > 1) from u left join t on u.k = t.k group by u.k",
        # parts that cancel out
        "select sum(t.b) from u join t on u.k = t.k where u.x = 2",
        "select u.x, min(t.s) from u left join t on u.k is not distinct from t.k group by u.x",
    ],
)
def test_pushes(sql: str) -> None:
    assert fires(sql, SMALL)
    check(sql, SMALL, names=False)


@pytest.mark.parametrize(
    "sql",
    [
        # rows without a match count
        "select u.x, count(t.v is null) from u left join t on u.k = t.k group by u.x",
        # 'x' is in a row that the join drops
        "select u.x, sum(t.s::int) from u join t on u.k = t.k group by u.x",
        "select u.x, sum(t.v) filter (where t.s::int > 1) from u join t on u.k = t.k group by u.x",
        # 0.0 and -0.0 are one group, and two texts
        "select t.f::text, sum(t.v) from u join t on u.k = t.k group by t.f::text",
        # twice this number would be too much
        "select u.x, sum(t.w) from u join t on u.k = t.k and t.k = 2 group by u.x",
    ],
)
def test_leaves_alone(sql: str) -> None:
    assert not fires(sql, SMALL)
    check(sql, SMALL, names=False)


@pytest.mark.parametrize(
    "sql",
    [
        "select u.x, sum(t.v * random()) from u join t on u.k = t.k group by u.x",
        "select u.x, sum(t.v) from u join t on u.k = t.k and t.v > random() group by u.x",
        "select u.x + random(), sum(t.v) from u join t on u.k = t.k group by u.x + random()",
    ],
)
def test_leaves_what_is_new_for_each_row(sql: str) -> None:
    assert not fires(sql, SMALL)


def test_joins_that_others_read_stay_one() -> None:
    sql = "select u.x, t.k, sum(t.v) from u join t on u.k = t.k group by grouping sets (x, t.k)"
    assert not fires(sql, SMALL)
    check(sql, SMALL, names=False)
