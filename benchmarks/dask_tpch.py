"""TPC-H queries as Dask dataframe code, on Dask's threads or a cluster.

Decimals become float64, dates timestamps, when a piece is read: Dask keeps decimals as Python
objects, which nobody would choose. That is to its favour; the answers still agree to 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

# Rows of one partition at most, in whole row groups: some 100 MB as a frame of ten columns.
PARTITION_ROWS = 1_000_000

Frame = Any  # dask.dataframe.DataFrame: its types are not for static checkers


class Tables:
    """The tables of a folder as frames, opened when they are named."""

    def __init__(self, folder: Path) -> None:
        self._open = cache(lambda table: open_table(folder / f"{table}.parquet"))

    def __getattr__(self, table: str) -> Frame:
        return self._open(table)

    @staticmethod
    def compute(lazy: Frame, threads: int, scheduler: Any = "threads") -> pa.Table:
        with dask.config.set(scheduler=scheduler, num_workers=threads):
            answer = lazy.compute()
        if not isinstance(answer, pd.DataFrame):
            answer = pd.DataFrame({"value": [answer]})
        table = pa.Table.from_pandas(answer, preserve_index=False)
        dates = [f.with_type(pa.date32()) if pt.is_timestamp(f.type) else f for f in table.schema]
        return table.cast(pa.schema(dates))


def open_table(path: Path) -> Frame:
    """A Parquet file as a frame that reads only the columns that are used."""
    file = pq.ParquetFile(path)
    pieces: list[list[int]] = [[]]
    rows = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if rows + count > PARTITION_ROWS and pieces[-1]:
            pieces.append([])
            rows = 0
        pieces[-1].append(group)
        rows += count
    meta = as_frame(file.schema_arrow.empty_table())
    return dd.from_map(read_piece, pieces, path=str(path), meta=meta)


def read_piece(groups: list[int], path: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Row groups of a file; Dask sees the `columns` argument and passes those that are used."""
    names = None if columns is None else list(columns)
    table = pq.ParquetFile(path).read_row_groups(groups, columns=names, use_threads=False)
    return as_frame(table)


def as_frame(table: pa.Table) -> pd.DataFrame:
    columns = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if pt.is_decimal(field.type):
            columns[field.name] = column.cast(pa.float64())
        elif pt.is_date(field.type):
            columns[field.name] = column.cast(pa.timestamp("s"))
        elif pt.is_string_view(field.type):
            columns[field.name] = column.cast(pa.large_string())
        else:
            columns[field.name] = column
    return pa.table(columns).to_pandas(use_threads=False)


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def q1(t: Tables) -> Frame:
    lines = t.lineitem
    lines = lines[lines.l_shipdate <= day("1998-09-02")]
    lines["disc_price"] = lines.l_extendedprice * (1 - lines.l_discount)
    lines["charge"] = lines.disc_price * (1 + lines.l_tax)
    return (
        lines.groupby(["l_returnflag", "l_linestatus"])
        .agg(
            sum_qty=("l_quantity", "sum"),
            sum_base_price=("l_extendedprice", "sum"),
            sum_disc_price=("disc_price", "sum"),
            sum_charge=("charge", "sum"),
            avg_qty=("l_quantity", "mean"),
            avg_price=("l_extendedprice", "mean"),
            avg_disc=("l_discount", "mean"),
            count_order=("l_quantity", "count"),
        )
        .reset_index()
        .sort_values(["l_returnflag", "l_linestatus"])
    )


def q3(t: Tables) -> Frame:
    customers = t.customer[t.customer.c_mktsegment == "BUILDING"][["c_custkey"]]
    orders = t.orders[t.orders.o_orderdate < day("1995-03-15")]
    orders = orders[["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"]]
    lines = t.lineitem[t.lineitem.l_shipdate > day("1995-03-15")]
    lines["revenue"] = lines.l_extendedprice * (1 - lines.l_discount)
    joined = orders.merge(customers, left_on="o_custkey", right_on="c_custkey")
    joined = joined.merge(
        lines[["l_orderkey", "revenue"]], left_on="o_orderkey", right_on="l_orderkey"
    )
    grouped = joined.groupby(["l_orderkey", "o_orderdate", "o_shippriority"]).revenue.sum()
    best = grouped.reset_index().nlargest(10, "revenue")
    return best[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]]


def q4(t: Tables) -> Frame:
    orders = t.orders[
        (t.orders.o_orderdate >= day("1993-07-01")) & (t.orders.o_orderdate < day("1993-10-01"))
    ][["o_orderkey", "o_orderpriority"]]
    late = t.lineitem[t.lineitem.l_commitdate < t.lineitem.l_receiptdate]
    late = late[["l_orderkey"]].drop_duplicates()
    joined = orders.merge(late, left_on="o_orderkey", right_on="l_orderkey")
    counted = joined.groupby("o_orderpriority").o_orderkey.count().reset_index()
    return counted.sort_values("o_orderpriority")


def q5(t: Tables) -> Frame:
    region = t.region[t.region.r_name == "ASIA"][["r_regionkey"]]
    nation = t.nation.merge(region, left_on="n_regionkey", right_on="r_regionkey")
    supplier = t.supplier.merge(nation, left_on="s_nationkey", right_on="n_nationkey")
    supplier = supplier[["s_suppkey", "s_nationkey", "n_name"]]
    orders = t.orders[
        (t.orders.o_orderdate >= day("1994-01-01")) & (t.orders.o_orderdate < day("1995-01-01"))
    ][["o_orderkey", "o_custkey"]]
    customers = t.customer[["c_custkey", "c_nationkey"]]
    orders = orders.merge(customers, left_on="o_custkey", right_on="c_custkey")
    lines = t.lineitem[["l_orderkey", "l_suppkey", "l_extendedprice", "l_discount"]]
    lines = lines.merge(supplier, left_on="l_suppkey", right_on="s_suppkey")
    joined = lines.merge(
        orders, left_on=["l_orderkey", "s_nationkey"], right_on=["o_orderkey", "c_nationkey"]
    )
    joined["revenue"] = joined.l_extendedprice * (1 - joined.l_discount)
    return joined.groupby("n_name").revenue.sum().reset_index()


def q6(t: Tables) -> Frame:
    lines = t.lineitem
    lines = lines[
        (lines.l_shipdate >= day("1994-01-01"))
        & (lines.l_shipdate < day("1995-01-01"))
        & (lines.l_discount >= 0.05)
        & (lines.l_discount <= 0.07)
        & (lines.l_quantity < 24)
    ]
    return (lines.l_extendedprice * lines.l_discount).sum()


def q9(t: Tables) -> Frame:
    parts = t.part[t.part.p_name.str.contains("green")][["p_partkey"]]
    supply = t.partsupp[["ps_partkey", "ps_suppkey", "ps_supplycost"]]
    supply = supply.merge(parts, left_on="ps_partkey", right_on="p_partkey")
    nation = t.nation[["n_nationkey", "n_name"]]
    supplier = t.supplier[["s_suppkey", "s_nationkey"]]
    supplier = supplier.merge(nation, left_on="s_nationkey", right_on="n_nationkey")
    lines = t.lineitem[
        [
            "l_orderkey",
            "l_partkey",
            "l_suppkey",
            "l_quantity",
            "l_extendedprice",
            "l_discount",
        ]
    ]
    joined = lines.merge(
        supply, left_on=["l_partkey", "l_suppkey"], right_on=["ps_partkey", "ps_suppkey"]
    )
    joined = joined.merge(
        supplier[["s_suppkey", "n_name"]], left_on="l_suppkey", right_on="s_suppkey"
    )
    orders = t.orders[["o_orderkey", "o_orderdate"]]
    joined = joined.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    joined["o_year"] = joined.o_orderdate.dt.year
    joined["amount"] = (
        joined.l_extendedprice * (1 - joined.l_discount) - joined.ps_supplycost * joined.l_quantity
    )
    return joined.groupby(["n_name", "o_year"]).amount.sum().reset_index()


def q10(t: Tables) -> Frame:
    orders = t.orders[
        (t.orders.o_orderdate >= day("1993-10-01")) & (t.orders.o_orderdate < day("1994-01-01"))
    ][["o_orderkey", "o_custkey"]]
    lines = t.lineitem[t.lineitem.l_returnflag == "R"]
    lines["revenue"] = lines.l_extendedprice * (1 - lines.l_discount)
    returned = lines[["l_orderkey", "revenue"]].merge(
        orders, left_on="l_orderkey", right_on="o_orderkey"
    )
    revenue = returned.groupby("o_custkey").revenue.sum().reset_index()
    best = revenue.nlargest(20, "revenue")
    customers = best.merge(t.customer, left_on="o_custkey", right_on="c_custkey")
    customers = customers.merge(t.nation, left_on="c_nationkey", right_on="n_nationkey")
    return customers[
        [
            "c_custkey",
            "c_name",
            "revenue",
            "c_acctbal",
            "n_name",
            "c_address",
            "c_phone",
            "c_comment",
        ]
    ]


def q12(t: Tables) -> Frame:
    lines = t.lineitem
    lines = lines[
        lines.l_shipmode.isin(["MAIL", "SHIP"])
        & (lines.l_commitdate < lines.l_receiptdate)
        & (lines.l_shipdate < lines.l_commitdate)
        & (lines.l_receiptdate >= day("1994-01-01"))
        & (lines.l_receiptdate < day("1995-01-01"))
    ][["l_orderkey", "l_shipmode"]]
    orders = t.orders[["o_orderkey", "o_orderpriority"]]
    joined = lines.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    joined["high"] = joined.o_orderpriority.isin(["1-URGENT", "2-HIGH"]).astype("int64")
    joined["low"] = 1 - joined.high
    return joined.groupby("l_shipmode")[["high", "low"]].sum().reset_index()


def q13(t: Tables) -> Frame:
    orders = t.orders[~t.orders.o_comment.str.contains("special.*requests")]
    joined = t.customer[["c_custkey"]].merge(
        orders[["o_orderkey", "o_custkey"]], left_on="c_custkey", right_on="o_custkey", how="left"
    )
    counts = joined.groupby("c_custkey").o_orderkey.count().reset_index()
    return counts.groupby("o_orderkey").c_custkey.count().reset_index()


def q14(t: Tables) -> Frame:
    lines = t.lineitem
    lines = lines[(lines.l_shipdate >= day("1995-09-01")) & (lines.l_shipdate < day("1995-10-01"))]
    lines["revenue"] = lines.l_extendedprice * (1 - lines.l_discount)
    joined = lines[["l_partkey", "revenue"]].merge(
        t.part[["p_partkey", "p_type"]], left_on="l_partkey", right_on="p_partkey"
    )
    promotion = joined.revenue.where(joined.p_type.str.startswith("PROMO"), 0.0)
    return 100 * promotion.sum() / joined.revenue.sum()


def q18(t: Tables) -> Frame:
    quantities = t.lineitem.groupby("l_orderkey").l_quantity.sum().reset_index()
    large = quantities[quantities.l_quantity > 300]
    joined = large.merge(t.orders, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.merge(
        t.customer[["c_custkey", "c_name"]], left_on="o_custkey", right_on="c_custkey"
    )
    best = joined.nlargest(100, "o_totalprice")
    columns = ["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "l_quantity"]
    return best[columns]


def q19(t: Tables) -> Frame:
    lines = t.lineitem
    lines = lines[
        lines.l_shipmode.isin(["AIR", "AIR REG"]) & (lines.l_shipinstruct == "DELIVER IN PERSON")
    ][["l_partkey", "l_quantity", "l_extendedprice", "l_discount"]]
    parts = t.part[["p_partkey", "p_brand", "p_container", "p_size"]]
    joined = lines.merge(parts, left_on="l_partkey", right_on="p_partkey")

    def kind(brand: str, containers: str, least: int, size: int) -> Frame:
        return (
            (joined.p_brand == brand)
            & joined.p_container.isin(containers.split(","))
            & joined.l_quantity.between(least, least + 10)
            & joined.p_size.between(1, size)
        )

    wanted = joined[
        kind("Brand#12", "SM CASE,SM BOX,SM PACK,SM PKG", 1, 5)
        | kind("Brand#23", "MED BAG,MED BOX,MED PKG,MED PACK", 10, 10)
        | kind("Brand#34", "LG CASE,LG BOX,LG PACK,LG PKG", 20, 15)
    ]
    return (wanted.l_extendedprice * (1 - wanted.l_discount)).sum()


QUERIES: dict[str, Callable[[Tables], Frame]] = {
    query.__name__: query for query in (q1, q3, q4, q5, q6, q9, q10, q12, q13, q14, q18, q19)
}
