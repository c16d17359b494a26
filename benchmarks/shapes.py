"""One query of each common shape over TPC-H's tables in memory: plait beside DuckDB.

    python -m benchmarks.shapes
    python -m benchmarks.shapes --jobs "top 10" "join on strings"

TPC-H groups and joins; these are what it leaves out: top-n, distinct, windows, texts, quantiles,
scalar subqueries, set operations. What is slow here is slow for many.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.figures import finish
from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    add_arguments,
    chosen,
    plait_settings,
    race,
)
from tests.tpch.data import TABLES, tpch_folder

JOBS = {
    "top 10": "select l_orderkey, l_linenumber, l_extendedprice from lineitem"
    " order by l_extendedprice desc, l_orderkey, l_linenumber limit 10",
    "top 10, all columns": "select * from lineitem"
    " order by l_shipdate desc, l_orderkey, l_linenumber limit 10",
    "top 10 of some": "select l_orderkey, l_linenumber from lineitem where l_returnflag = 'R'"
    " order by l_extendedprice desc, l_orderkey, l_linenumber limit 10",
    "a few rows": "select * from lineitem where l_orderkey = 1234567",
    "distinct, few": "select distinct l_shipmode from lineitem",
    "distinct, many": "select count(*) from (select distinct l_partkey, l_suppkey from lineitem)",
    "count distinct": "select count(distinct l_partkey) from lineitem",
    "count distinct by": "select l_shipmode, count(distinct l_suppkey) from lineitem group by 1",
    "by month": "select date_trunc('month', l_shipdate), sum(l_tax) from lineitem group by 1",
    "by year": "select year(l_shipdate), avg(l_discount) from lineitem group by 1",
    "median": "select median(l_extendedprice) from lineitem",
    "quantile by": "select l_returnflag, quantile_cont(l_extendedprice, 0.9) from lineitem"
    " group by 1",
    "first of each": "select count(*), sum(l_orderkey) from (select l_orderkey, row_number() over"
    " (partition by l_suppkey order by l_extendedprice desc, l_orderkey) r from lineitem)"
    " where r = 1",
    "lag": "select sum(d) from (select l_shipdate - lag(l_shipdate) over"
    " (partition by l_orderkey order by l_linenumber) d from lineitem)",
    "running sum": "select max(c) from (select sum(l_quantity) over (partition by l_suppkey"
    " order by l_shipdate, l_orderkey, l_linenumber) c from lineitem)",
    "moving mean": "select sum(a) from (select avg(o_totalprice) over (partition by o_custkey"
    " order by o_orderdate, o_orderkey rows between 3 preceding and current row) a from orders)",
    "sort": "select l_orderkey from lineitem order by l_partkey, l_orderkey offset 5999990",
    "like": "select count(*) from orders where o_comment like '%special%requests%'",
    "regular expression": "select count(*) from orders where regexp_matches(o_comment, 'spe.ial')",
    "part of text": "select substring(c_phone, 1, 2), count(*) from customer group by 1",
    "distinct texts": "select count(distinct upper(c_name)) from customer",
    "length": "select sum(length(o_comment)) from orders",
    "least text": "select min(l_comment), max(l_comment) from lineitem",
    "least text by": "select o_orderpriority, min(o_comment), max(o_comment) from orders"
    " group by 1",
    "join on strings": "select count(*) from customer a join customer b on a.c_name = b.c_name",
    "left join": "select count(o_orderkey), count(*) from customer left join orders"
    " on c_custkey = o_custkey",
    "full join": "select count(*), sum(c_custkey), sum(o_orderkey) from customer full join orders"
    " on c_custkey = o_custkey",
    "not in": "select count(*) from customer where c_custkey not in (select o_custkey from orders)",
    "above the mean": "select count(*), sum(l_extendedprice) from lineitem"
    " where l_quantity > (select avg(l_quantity) from lineitem)",
    "part of the sum": "select max(l_extendedprice / (select sum(l_extendedprice) from lineitem))"
    " from lineitem",
    "union": "select count(*) from"
    " (select l_partkey from lineitem union select ps_partkey from partsupp)",
    "intersect": "select count(*) from (select l_suppkey, l_partkey from lineitem"
    " intersect select ps_suppkey, ps_partkey from partsupp)",
    "rollup": "select l_returnflag, l_linestatus, sum(l_quantity) from lineitem"
    " group by rollup(l_returnflag, l_linestatus)",
    "many groups": "select count(*), max(q) from"
    " (select l_orderkey, sum(l_quantity) q from lineitem group by 1)",
    "pivot": "select l_returnflag, sum(l_quantity) filter (l_shipmode = 'AIR'),"
    " sum(l_quantity) filter (l_shipmode = 'RAIL') from lineitem group by 1",
    "round": "select sum(round(l_extendedprice * 1.1, 1)) from lineitem",
    "days between": "select max(datediff('day', l_shipdate, l_receiptdate)) from lineitem",
    "date as text": "select strftime(o_orderdate, '%Y-%m'), count(*) from orders group by 1",
    "joined texts": "select o_orderpriority, length(string_agg(o_clerk, ',')) from orders"
    " group by 1",
    "lists": "select count(*), sum(len(l)) from"
    " (select o_custkey, list(o_orderkey) l from orders group by 1)",
}


def open_plait(settings: Settings) -> Answer:
    import plait

    tables = {t: plait.read_parquet(_path(settings, t)).persist() for t in TABLES}
    return lambda job: plait.sql(JOBS[job], tables=tables).to_arrow()


def open_duckdb(settings: Settings) -> Answer:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {settings['threads']}")
    connection.execute("set enable_progress_bar = false")
    for table in TABLES:
        connection.execute(f"create table {table} as from '{_path(settings, table)}'")
    return lambda job: connection.sql(JOBS[job]).to_arrow_table()


def _path(settings: Settings, table: str) -> str:
    return f"{settings['folder']}/{table}.parquet"


CONTESTANTS = (Contestant("duckdb", open_duckdb), Contestant("plait", open_plait))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="race queries of many shapes")
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor of TPC-H's tables")
    parser.add_argument("--folder", type=Path, help="of the Parquet files; generated if not given")
    parser.add_argument("--jobs", nargs="*", choices=list(JOBS), default=list(JOBS))
    add_arguments(parser)
    options = parser.parse_args(arguments)
    settings: dict[str, Any] = {
        "folder": str(options.folder or tpch_folder(options.scale, "parquet")),
        "scale": options.scale,
        "threads": options.threads,
        "keep": True,
        "plait": plait_settings(options.plait_config, keep=True),
    }
    contestants = chosen(CONTESTANTS, options.only)
    results = race(
        options.jobs, contestants, settings, rounds=options.rounds, timeout=options.timeout
    )
    return finish("shapes", settings, results, options.json)


if __name__ == "__main__":
    sys.exit(main())
