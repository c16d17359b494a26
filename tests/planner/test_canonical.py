"""Plans that do the same in the same way have one canonical text."""

from __future__ import annotations

import pytest

from plait.planner import builder
from plait.planner.canonical import canonical, same_plan
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import optimize
from plait.planner.sql.statements import bind_query_text
from tests.planner.optimizer.golden import context
from tests.planner.optimizer.tables import small_catalog, small_tables

CATALOG = small_catalog(small_tables())


def bound(sql: str) -> LogicalPlan:
    return bind_query_text(sql, CATALOG)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from r", "select q.a as x from r q"),
        ("select a from r where a = 1 and b = 2", "select a from r where b = 2 and a = 1"),
        ("select a from r, s where a = d", "select a from r, s where d = a"),
        ("select a from r where a < b", "select a from r where b > a"),
        ("select a from r where a = 1", "select x from (select a as x, b from r) q where x = 1"),
        (
            "select a, sum(b) from r group by a",
            "select k, total from (select a as k, sum(b) as total, max(c) as m from r group by a)",
        ),
        (
            "select a + 1 as x from r where a + 1 = 3",
            "select y from (select a + 1 as y from r) q where y = 3",
        ),
    ],
)
def test_same(one: str, other: str) -> None:
    first, second = (optimize(bound(sql), context()) for sql in (one, other))
    assert canonical(first) == canonical(second)
    assert same_plan(first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from r", "select b from r"),
        ("select a, b from r", "select b, a from r"),
        ("select a from r", "select d from s"),
        ("select a from r where a = 1", "select a from r where a = 2"),
        ("select a from r where a < b", "select a from r where a > b"),
        ("select sum(a) from r", "select max(a) from r"),
        ("select a from r order by b", "select a from r order by b desc"),
        ("select a from r limit 1", "select a from r limit 2"),
        ("select a from r left join s on a = d", "select a from r join s on a = d"),
        ("select r.a from r, r q where r.a = q.b", "select q.a from r, r q where r.a = q.b"),
        ("values (1)", "values (2)"),
        ("select distinct a from r", "select a from r group by a"),
        ("select sum(a) over (order by b) from r", "select sum(a) over (order by c) from r"),
    ],
)
def test_different(one: str, other: str) -> None:
    assert not same_plan(bound(one), bound(other))


def test_builder_calls_and_sql_agree() -> None:
    plan = CATALOG.table(["r"])
    assert plan is not None
    small = builder.filter(
        plan, builder.call("less", builder.column(plan, "a"), builder.literal(3))
    )
    total = builder.aggregate(
        small,
        [("b", builder.column(small, "b"))],
        [("total", builder.aggregate_call("sum", [builder.column(small, "c")]))],
    )
    sql = bound("select b, sum(c) as s from r where 3 > a group by b")
    assert same_plan(optimize(total, context()), optimize(sql, context()))
