"""Wrong answers that other engines were seen to give, and those plait once gave: never here.

Each test is named for the mistake that it guards against; its docstring says who made it. The
expected rows are DuckDB's; where a number could be wrong in both, it stands in the test.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import ConversionError, NumericOverflowError, ScalarSubqueryError
from plait.io.memory import ArrowSource
from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.logical import Join
from plait.planner.sql.statements import bind_query_text
from plait.runner import Runner
from plait.scheduler.local import InlineExecutor
from tests.differential.systems import WAYS, Tables, check

D = Decimal

T = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5, 6], pa.int32()),
        "k": pa.array([1, 1, 2, None, 3, 2], pa.int32()),
        "v": pa.array([4, None, 3, 1, 2, 2], pa.int64()),
        "s": ["alpha", "beta", "abc", None, "", "abcd"],
        "d": [dt.date(2024, 2, 29)] * 3 + [None, dt.date(2024, 3, 1), dt.date(2023, 12, 31)],
    }
)
# duplicates and a NULL: a semi join run as an inner join shows
U = pa.table(
    {
        "k": pa.array([1, 1, 2, None, 7], pa.int32()),
        "w": pa.array([10, 11, 20, 30, 40], pa.int64()),
    }
)
TABLES: Tables = {"t": T, "u": U, "none": T.slice(0, 0)}


def same_as_duckdb(sql: str, *, ordered: bool = False, tables: Tables = TABLES) -> None:
    check(sql, tables, ordered=ordered, names=False)


def rows(sql: str, tables: Tables = TABLES) -> list[tuple[object, ...]]:
    """plait's rows, the same in all ways."""
    answers = [[tuple(row.values()) for row in way.run(sql, tables).to_pylist()] for way in WAYS]
    assert all(sorted(map(repr, a)) == sorted(map(repr, answers[0])) for a in answers)
    return answers[0]


class TestSemiJoins:
    """dask-sql runs every semi join as an inner join."""

    def test_in_does_not_duplicate_rows(self) -> None:
        same_as_duckdb("select id from t where k in (select k from u)")
        assert len(rows("select id from t where k in (select k from u)")) == 4

    def test_exists_does_not_duplicate_rows(self) -> None:
        same_as_duckdb("select id from t where exists (select 1 from u where u.k = t.k)")

    def test_correlated_in_does_not_duplicate_rows(self) -> None:
        same_as_duckdb("select id from t where k in (select k from u where w > t.v)")

    def test_semi_join_does_not_duplicate_rows(self) -> None:
        same_as_duckdb("select id from t semi join u on t.k = u.k")

    def test_intersect_does_not_duplicate_rows(self) -> None:
        same_as_duckdb("select k from t intersect select k from u")

    def test_in_as_a_value_is_one_row_and_three_valued(self) -> None:
        same_as_duckdb("select id, k in (select k from u) as x from t")

    def test_tpch_4_keeps_orders_single(self) -> None:
        """Its EXISTS finds several late lines for one order."""
        orders = pa.table({"o": [1, 2, 3], "p": ["high", "low", "low"]})
        lines = pa.table({"o": [1, 1, 1, 3, 3], "late": [True, True, False, False, True]})
        sql = """
            select p, count(*) as n from orders
            where exists (select * from lines where lines.o = orders.o and late)
            group by p order by p
        """
        same_as_duckdb(sql, ordered=True, tables={"orders": orders, "lines": lines})


class TestNotIn:
    """dask-sql and Daft ignore the NULLs of NOT IN."""

    def test_a_null_in_the_subquery_leaves_no_row(self) -> None:
        same_as_duckdb("select id from t where k not in (select k from u)")
        assert rows("select id from t where k not in (select k from u)") == []

    def test_a_null_on_the_left_is_not_in_anything_but_nothing(self) -> None:
        same_as_duckdb("select id from t where k not in (select k from u where k is not null)")
        same_as_duckdb("select id from t where k not in (select k from none)")

    def test_a_null_in_a_list(self) -> None:
        same_as_duckdb("select id from t where k not in (1, null)")


class TestAggregates:
    """dask-sql, unless it says otherwise."""

    def test_filter_of_count_is_not_ignored(self) -> None:
        same_as_duckdb("select count(*) filter (where v > 2) as n from t")
        same_as_duckdb("select k, count(*) filter (where v > 2) as n from t group by k")

    def test_count_of_the_null_group(self) -> None:
        same_as_duckdb("select k, count(*) as n from t group by k")
        same_as_duckdb("select k, count(*) as n from t group by all")

    def test_count_star_beside_sum_counts_rows(self) -> None:
        same_as_duckdb("select count(*) as n, count(v) as c, sum(v) as s from t")

    def test_an_aggregate_of_no_rows_is_a_row(self) -> None:
        same_as_duckdb("select sum(v) as s, count(*) as n, max(s) as m from none")
        same_as_duckdb("select sum(v) as s from t where id > 100")
        assert rows("select sum(v) as s, count(*) as n from none") == [(None, 0)]

    def test_groups_of_no_rows_are_none(self) -> None:
        same_as_duckdb("select k, sum(v) as s from none group by k")

    def test_spread_makes_no_group_for_null_keys(self) -> None:
        """dask.dataframe's std invents one; in SQL NULL is a group, and only one."""
        same_as_duckdb("select k, stddev(v) as s, variance(v) as a from t group by k")
        same_as_duckdb("select k, stddev(v) as s from t where k is not null group by k")

    def test_skewness_and_kurtosis_leave_nulls_out_and_correct_bias(self) -> None:
        """dask.dataframe: biased, and NaN as soon as there is a missing value."""
        same_as_duckdb("select skewness(v) as s, kurtosis(v) as k from t")

    def test_median_is_exact(self) -> None:
        """dask.dataframe has only an approximation."""
        same_as_duckdb("select median(v) as m from t")
        same_as_duckdb("select k, median(v) as m, quantile_disc(v, 0.3) as q from t group by k")

    @pytest.mark.parametrize("table", ["big", "big cross join (values (1), (2)) as twice(x)"])
    def test_an_integer_sum_never_wraps(self, table: str) -> None:
        """Polars, DataFusion, Daft and dask-sql wrap; plait raises."""
        tables = {"big": pa.table({"x": pa.array([2**63 - 1, 1], pa.int64())})}
        for way in WAYS:
            with pytest.raises(NumericOverflowError):
                way.run(f"select sum(big.x) as s from {table}", tables)

    def test_a_wide_sum_is_exact(self) -> None:
        """DuckDB's HUGEINT leaves as a double: its last digits are lost."""
        tables = {"big": pa.table({"x": pa.array([2**53, 1, 2**62, -1, 1], pa.int64())})}
        assert rows("select sum(x) as s from big", tables) == [(2**62 + 2**53 + 1,)]
        wide = [(D(2**63) + 2**62,)]
        tables = {"big": pa.table({"x": pa.array([2**62, 2**62, 2**62], pa.int64())})}
        assert rows("select sum(x::hugeint) as s from big", tables) == wide

    def test_decimals_are_summed_exactly(self) -> None:
        """dask-sql computes them as doubles, or reads them as text."""
        money = pa.array([D("0.10"), D("0.20"), D("99999999999.99")], pa.decimal128(15, 2))
        tables = {"m": pa.table({"x": money})}
        assert rows("select sum(x) as s, max(x) - min(x) as r from m", tables) == [
            (D("100000000000.29"), D("99999999999.89"))
        ]
        assert rows("select 0.1 + 0.2 = 0.3 as x") == [(True,)]


class TestSubqueries:
    def test_count_of_nothing_is_zero(self) -> None:
        """Daft: NULL."""
        same_as_duckdb("select id, (select count(*) from u where u.k = t.k) as n from t")

    def test_a_scalar_of_several_rows_raises(self) -> None:
        """dask-sql and Daft cross-join."""
        for way in WAYS:
            with pytest.raises(ScalarSubqueryError):
                way.run("select id, (select w from u) as w from t", TABLES)
            with pytest.raises(ScalarSubqueryError):
                way.run("select id from t where v = (select w from u where u.k = t.k)", TABLES)

    def test_exists_beside_or_is_answered(self) -> None:
        """dask-sql refuses; a join in its place would lose or double rows."""
        same_as_duckdb(
            "select id from t where v = 1 or exists (select 1 from u where u.k = t.k) or k = 3"
        )


class TestJoins:
    def test_full_join_using_keeps_the_key_of_right_rows(self) -> None:
        """dask-sql, DataFusion and Polars: NULL."""
        same_as_duckdb("select k, id, w from t full join u using (k)")
        assert (7, None, 40) in rows("select k, id, w from t full join u using (k)")

    def test_joins_are_reordered_away_from_cross_products(self) -> None:
        """dask-sql left a cross join for TPC-H 3 with ORDER BY and LIMIT."""
        tables = {name: pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}) for name in ("x", "y", "z")}
        catalog = MemoryCatalog()
        for name, table in tables.items():
            catalog.add(name, builder.scan(ArrowSource(table, name=name), name=name))
        sql = """
            select x.a, sum(z.b) as s from x, z, y
            where x.a = y.a and y.b = z.b group by x.a order by s desc, x.a limit 2
        """
        same_as_duckdb(sql, ordered=True, tables=tables)
        with InlineExecutor() as executor:
            plan = Runner(executor).optimize(bind_query_text(sql, catalog))
        joins = [node for node in plan.walk() if isinstance(node, Join)]
        assert joins
        assert all(join.condition is not None for join in joins)


class TestWindows:
    def test_range_and_groups_take_peers_along(self) -> None:
        """dask-sql runs them as ROWS."""
        same_as_duckdb("select id, sum(id) over (order by k) as x from t")
        same_as_duckdb(
            "select id, sum(id) over (order by k range between 1 preceding and current row) as x,"
            " sum(id) over (order by k groups between 1 preceding and current row) as y from t"
        )

    def test_distinct_in_a_window_is_not_ignored(self) -> None:
        same_as_duckdb("select id, count(distinct k) over () as n from t")

    def test_a_running_sum_runs(self) -> None:
        """Daft sums the whole partition."""
        same_as_duckdb("select id, sum(v) over (partition by k order by id) as x from t")


class TestClauses:
    def test_fetch_first_is_not_ignored(self) -> None:
        """dask-sql."""
        same_as_duckdb("select id from t order by id fetch first 2 rows only", ordered=True)

    def test_except_all_drops_no_duplicate(self) -> None:
        """DataFusion."""
        same_as_duckdb("select k from t except all select 1")
        same_as_duckdb("select k from u except all select k from t")

    def test_similar_to_is_anchored(self) -> None:
        """dask-sql finds nothing, DataFusion looks anywhere."""
        same_as_duckdb("select s from t where s similar to 'a.c'")
        assert rows("select s from t where s similar to 'a.c'") == [("abc",)]

    def test_from_first_shows_columns(self) -> None:
        """DataFusion and Daft: none."""
        same_as_duckdb("from u")

    def test_a_cast_of_no_number_raises(self) -> None:
        """Daft: NULL."""
        for way in WAYS:
            with pytest.raises(ConversionError):
                way.run("select cast(s as int) as x from t", TABLES)

    def test_days_between_dates_are_days(self) -> None:
        """Daft: seconds."""
        same_as_duckdb("select d - date '2024-01-31' as x from t")

    def test_top_rows_by_a_column_that_is_not_selected(self) -> None:
        """dask.dataframe's nlargest(...)[["y"]]: KeyError."""
        same_as_duckdb("select s from t order by v desc nulls last, id limit 2", ordered=True)

    def test_limit_finds_rows_in_any_partition(self) -> None:
        """dask.dataframe's head looks into the first only, tail into the last."""
        for way in WAYS:
            assert way.run("select id from t limit 5", TABLES).num_rows == 5
            assert way.run("select id from t where id > 4 limit 2", TABLES).num_rows == 2


class TestOnceWrongInPlait:
    """What random queries found; most of the small ones are in features/found.sql."""

    @pytest.mark.parametrize("kind", ["arrow", "parquet", "csv"])
    def test_a_constant_is_summed_over_the_rows_there_are(self, kind: str, tmp_path: Path) -> None:
        """It was summed over 131072: slices of tables without columns are as long as asked for."""
        table = pa.table({"x": [1, 2, 3]})
        source: object = table
        if kind == "parquet":
            pq.write_table(table, tmp_path / "t.parquet")
            source = tmp_path / "t.parquet"
        elif kind == "csv":
            csv.write_csv(table, tmp_path / "t.csv")
            source = tmp_path / "t.csv"
        with plait.connect("inline") as session:
            answer = session.sql("select sum(1) as s, count(1) as n from t", {"t": source})
            assert answer.to_arrow().to_pylist() == [{"s": 3, "n": 3}]

    def test_an_offset_is_taken_once(self) -> None:
        """A limited build side was measured, then limited again."""
        many = {"m": pa.table({"x": list(range(100))}), "t": T}
        same_as_duckdb(
            "select t.id, q.x from t join (select x from m order by x limit 5 offset 2) q"
            " on t.id = q.x",
            tables=many,
        )
        same_as_duckdb("select id, (select 1 from m offset 99) as x from t", tables=many)

    def test_join_keys_of_wide_decimals(self) -> None:
        """They were compared by their lower 64 bits, or not at all."""
        wide = pa.decimal128(38, 3)
        left = pa.table({"x": pa.array([D("1.5"), D(2**64) / 1000, None, D("-1")], wide)})
        right = pa.table({"x": pa.array([D("1.5"), D("0"), None, D("-1")], wide)})
        sql = "select l.x from l {} join r on l.x {} r.x"
        for kind in ("", "full", "semi", "anti"):
            for test in ("=", "is not distinct from"):
                same_as_duckdb(sql.format(kind, test), tables={"l": left, "r": right})

    def test_negative_zero_joins_zero(self) -> None:
        left, right = pa.table({"x": [0.0, 1.0]}), pa.table({"x": [-0.0, float("nan")]})
        same_as_duckdb("select l.x from l join r on l.x = r.x", tables={"l": left, "r": right})
        same_as_duckdb("select x from l intersect select x from r", tables={"l": left, "r": right})

    def test_a_cast_constant_does_not_take_the_type_beside_it(self) -> None:
        tiny = {"t": pa.table({"x": pa.array([100], pa.int8())})}
        assert rows("select x + 100::int as y from t", tiny) == [(200,)]
        with pytest.raises(duckdb.Error):
            duckdb.sql("select x + 100 from (values (100::tinyint)) t(x)").fetchall()
        with pytest.raises(NumericOverflowError):
            rows("select x + 100 as y from t", tiny)


def test_rounding_may_gain_a_digit() -> None:
    """The widest decimals, rounded away from zero."""
    values = ["-999999999999999999999999999999999.99999", "999999999999999999999999999999999.99999"]
    tables = {"t": pa.table({"x": pa.array([Decimal(v) for v in values], pa.decimal128(38, 5))})}
    for name in ("floor", "ceil", "round"):
        check(f"select {name}(x) as y from t", tables)
