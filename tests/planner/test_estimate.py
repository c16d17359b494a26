"""Estimates: by hand where the arithmetic is exact, else within a factor of the true TPC-H counts.

The true numbers were counted by DuckDB over scale factor 1.
"""

from __future__ import annotations

import datetime as dt

import pytest

from plait.planner import builder
from plait.planner import types as t
from plait.planner.estimate import UNKNOWN_ROWS, Estimator
from plait.planner.expr import Column
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import optimize
from plait.planner.schema import Schema
from plait.planner.sql.statements import bind_query_text
from plait.planner.statistics import ColumnStatistics, Statistics
from tests.planner.optimizer.golden import context
from tests.planner.optimizer.tables import KnownSource, tpch_catalog

CATALOG = tpch_catalog()


def rows(sql: str) -> float:
    plan = optimize(bind_query_text(sql, CATALOG), context())
    return Estimator().rows(plan)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("from nation where n_nationkey = 7", 1),
        ("from nation where n_nationkey in (1, 2, 3)", 3),
        ("from nation where n_nationkey < 5", 5),
        ("from nation where n_nationkey <= 5", 6),
        ("from nation where n_nationkey > 5", 19),
        ("from nation where n_nationkey >= 5", 20),
        ("from nation where n_nationkey between 5 and 9", 5),
        ("from part where p_brand = 'Brand#12'", 8_000),
        ("from part where p_brand <> 'Brand#12'", 192_000),
        ("from part where p_size = 3 or p_size = 4", 8_000),
        ("from part where p_size is null", 1),
        ("from nation limit 7", 7),
        ("from (from nation limit 7 offset 20)", 5),
        ("select count(*) from nation where n_nationkey = 1", 1),
        ("select p_brand from part group by p_brand", 25),
        ("select distinct p_brand from part", 25),
        ("from nation, region", 125),
        ("from nation join region on n_regionkey = r_regionkey", 25),
        ("from nation left join region on n_regionkey = r_regionkey", 25),
        ("from supplier union all from supplier", 20_000),
        ("select *, row_number() over () from nation", 25),
        ("from (values (1), (2)) v(x)", 2),
    ],
)
def test_exactly(sql: str, expected: float) -> None:
    assert rows(sql) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("sql", "counted"),
    [
        ("from orders where o_orderdate < date '1995-03-15'", 727_305),
        (
            "from orders where o_orderdate >= date '1993-10-01' and "
            "o_orderdate < date '1994-01-01'",
            57_069,
        ),
        ("from lineitem where l_shipdate > date '1998-09-02'", 84_604),
        ("from lineitem where l_discount between 0.05 and 0.07", 1_637_281),
        ("from lineitem join orders on l_orderkey = o_orderkey", 6_001_215),
        ("from lineitem join part on l_partkey = p_partkey where p_size = 15", 119_949),
        (
            "from lineitem join partsupp on l_partkey = ps_partkey and l_suppkey = ps_suppkey",
            6_001_215,
        ),
        (
            "from lineitem, partsupp, part where l_partkey = ps_partkey and "
            "l_suppkey = ps_suppkey and p_partkey = l_partkey and p_size = 15",
            119_949,
        ),
        ("from orders join customer on o_custkey = c_custkey where c_nationkey = 3", 59_931),
        ("from customer where c_custkey in (select o_custkey from orders)", 99_996),
        ("select o_custkey from orders group by o_custkey", 99_996),
        ("select o_orderdate from orders group by o_orderdate", 2_406),
        (
            "from nation, supplier, customer where n_nationkey = s_nationkey and "
            "n_nationkey = c_nationkey and n_name = 'CHINA'",
            2_438_460,
        ),
    ],
)
def test_within_a_factor(sql: str, counted: float) -> None:
    estimated = rows(sql)
    assert counted / 3 <= estimated <= counted * 3


def test_groups_that_pass_a_rare_condition_are_few() -> None:
    # 57 of a million and a half
    assert rows("select l_orderkey from lineitem group by 1 having sum(l_quantity) > 300") < 15_000


def scan(statistics: Statistics, *columns: str) -> LogicalPlan:
    schema = Schema.of((name, t.INT64) for name in columns)
    return builder.scan(KnownSource("text", schema, statistics))


def test_a_source_that_knows_nothing() -> None:
    plan, other = scan(Statistics(), "x"), scan(Statistics(), "y", "z")
    same = builder.call("equal", builder.column(plan, "x"), builder.column(other, "y"))
    joined = builder.join(plan, other, "inner", same)
    few = builder.filter(joined, builder.call("equal", Column("x", t.INT64), builder.literal(1)))
    known = Estimator().statistics(few)
    assert Estimator().rows(plan) == UNKNOWN_ROWS
    assert known.rows is not None
    assert 1 <= known.rows < UNKNOWN_ROWS
    assert known.bytes is not None
    assert known.column("x").minimum == 1


def test_rows_of_a_text_file_come_from_its_size() -> None:
    plan = scan(Statistics(bytes=8_000.0), "x")
    assert Estimator().rows(plan) == 1_000


def test_what_was_measured_wins() -> None:
    plan = scan(Statistics(rows=1000.0), "x")
    few = builder.filter(plan, builder.call("less", Column("x", t.INT64), builder.literal(3)))
    facts = Statistics(12.0, 96.0, {"x": ColumnStatistics(0, 2, 0.0, 3.0)})
    estimator = Estimator({few: facts})
    known = estimator.statistics(few)
    assert (known.rows, known.bytes, known.exact) == (12.0, 96.0, True)
    assert known.column("x").maximum == 2
    grouped = builder.aggregate(few, [("x", Column("x", t.INT64))], [])
    assert estimator.rows(grouped) == pytest.approx(3, rel=0.05)


def test_bounds_stay_bounds() -> None:
    """A filter narrows bounds by what it promises, and only by that."""
    plan = optimize(
        bind_query_text(
            "from orders where o_orderdate >= date '1995-01-01' and o_custkey < 100", CATALOG
        ),
        context(),
    )
    known = Estimator().statistics(plan)
    assert known.column("o_orderdate").minimum == dt.date(1995, 1, 1)
    assert known.column("o_orderdate").maximum == dt.date(1998, 8, 2)
    assert known.column("o_custkey").maximum == 100
    assert known.column("o_orderkey").maximum == 6_000_000


def test_outer_joins_bring_nulls() -> None:
    sql = "from nation left join supplier on n_nationkey = s_nationkey and s_acctbal > 0"
    known = Estimator().statistics(bind_query_text(sql, CATALOG))
    assert known.column("n_nationkey").nulls == 0
    assert known.column("s_suppkey").nulls is None


def test_bytes_count_the_columns() -> None:
    narrow = bind_query_text("select l_orderkey from lineitem", CATALOG)
    wide = bind_query_text("from lineitem", CATALOG)
    estimator = Estimator()
    assert estimator.bytes(narrow) == 8 * 6_001_215
    assert estimator.bytes(wide) > 15 * estimator.bytes(narrow) / 2
