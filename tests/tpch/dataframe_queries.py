"""The 22 TPC-H queries as dataframe code: what a pandas user would write.

Each takes the tables as an object with one lazy frame an attribute, and gives a lazy frame whose
columns are those of the query's text, in that order, or the one value of a query without groups.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pandas as pd

from plait import DataFrame, Scalar

Tables = SimpleNamespace
Day = pd.Timestamp


def revenue(frame: DataFrame) -> DataFrame:
    """The frame with the discounted price as `revenue`."""
    return frame.assign(revenue=frame.l_extendedprice * (1 - frame.l_discount))


def q01(t: Tables) -> DataFrame:
    items = t.lineitem[t.lineitem.l_shipdate <= Day("1998-09-02")]
    items["disc_price"] = items.l_extendedprice * (1 - items.l_discount)
    items["charge"] = items.l_extendedprice * (1 - items.l_discount) * (1 + items.l_tax)
    groups = items.groupby(["l_returnflag", "l_linestatus"], as_index=False)
    return groups.agg(
        sum_qty=("l_quantity", "sum"),
        sum_base_price=("l_extendedprice", "sum"),
        sum_disc_price=("disc_price", "sum"),
        sum_charge=("charge", "sum"),
        avg_qty=("l_quantity", "mean"),
        avg_price=("l_extendedprice", "mean"),
        avg_disc=("l_discount", "mean"),
        count_order=("l_quantity", "size"),
    )


def _european_offers(t: Tables) -> DataFrame:
    region = t.region[t.region.r_name == "EUROPE"]
    offers = t.partsupp.merge(t.supplier, left_on="ps_suppkey", right_on="s_suppkey")
    offers = offers.merge(t.nation, left_on="s_nationkey", right_on="n_nationkey")
    return offers.merge(region, left_on="n_regionkey", right_on="r_regionkey")


def q02(t: Tables) -> DataFrame:
    offers = _european_offers(t)
    cheapest = offers.groupby("ps_partkey", as_index=False).agg(cost=("ps_supplycost", "min"))
    parts = t.part[(t.part.p_size == 15) & t.part.p_type.str.endswith("BRASS")]
    found = parts.merge(offers, left_on="p_partkey", right_on="ps_partkey")
    found = found.merge(
        cheapest.rename(columns={"ps_partkey": "key"}),
        left_on=["p_partkey", "ps_supplycost"],
        right_on=["key", "cost"],
    )
    order = ["s_acctbal", "n_name", "s_name", "p_partkey"]
    found = found.sort_values(order, ascending=[False, True, True, True]).head(100)
    shown = ["s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr"]
    return found[[*shown, "s_address", "s_phone", "s_comment"]]


def q03(t: Tables) -> DataFrame:
    customer = t.customer[t.customer.c_mktsegment == "BUILDING"]
    orders = t.orders[t.orders.o_orderdate < Day("1995-03-15")]
    items = revenue(t.lineitem[t.lineitem.l_shipdate > Day("1995-03-15")])
    joined = customer.merge(orders, left_on="c_custkey", right_on="o_custkey")
    joined = joined.merge(items, left_on="o_orderkey", right_on="l_orderkey")
    keys = ["l_orderkey", "o_orderdate", "o_shippriority"]
    totals = joined.groupby(keys, as_index=False, sort=False)["revenue"].sum()
    totals = totals.sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10)
    return totals[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]]


def q04(t: Tables) -> DataFrame:
    late = t.lineitem[t.lineitem.l_commitdate < t.lineitem.l_receiptdate]
    orders = t.orders[
        (t.orders.o_orderdate >= Day("1993-07-01")) & (t.orders.o_orderdate < Day("1993-10-01"))
    ]
    orders = orders.merge(late, left_on="o_orderkey", right_on="l_orderkey", how="semi")
    return orders.groupby("o_orderpriority", as_index=False).agg(order_count=("o_orderkey", "size"))


def q05(t: Tables) -> DataFrame:
    orders = t.orders[
        (t.orders.o_orderdate >= Day("1994-01-01")) & (t.orders.o_orderdate < Day("1995-01-01"))
    ]
    joined = t.customer.merge(orders, left_on="c_custkey", right_on="o_custkey")
    joined = joined.merge(revenue(t.lineitem), left_on="o_orderkey", right_on="l_orderkey")
    joined = joined.merge(
        t.supplier,
        left_on=["l_suppkey", "c_nationkey"],
        right_on=["s_suppkey", "s_nationkey"],
    )
    joined = joined.merge(t.nation, left_on="s_nationkey", right_on="n_nationkey")
    asia = t.region[t.region.r_name == "ASIA"]
    joined = joined.merge(asia, left_on="n_regionkey", right_on="r_regionkey")
    totals = joined.groupby("n_name", as_index=False, sort=False)["revenue"].sum()
    return totals.sort_values("revenue", ascending=False)


def q06(t: Tables) -> Scalar:
    items = t.lineitem[
        (t.lineitem.l_shipdate >= Day("1994-01-01"))
        & (t.lineitem.l_shipdate < Day("1995-01-01"))
        & t.lineitem.l_discount.between(0.05, 0.07)
        & (t.lineitem.l_quantity < 24)
    ]
    return (items.l_extendedprice * items.l_discount).sum()


def q07(t: Tables) -> DataFrame:
    supp = t.nation.rename(columns={"n_name": "supp_nation", "n_nationkey": "supp_key"})
    cust = t.nation.rename(columns={"n_name": "cust_nation", "n_nationkey": "cust_key"})
    items = t.lineitem[t.lineitem.l_shipdate.between(Day("1995-01-01"), Day("1996-12-31"))]
    joined = t.supplier.merge(items, left_on="s_suppkey", right_on="l_suppkey")
    joined = joined.merge(t.orders, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.merge(t.customer, left_on="o_custkey", right_on="c_custkey")
    joined = joined.merge(
        supp[["supp_nation", "supp_key"]], left_on="s_nationkey", right_on="supp_key"
    )
    joined = joined.merge(
        cust[["cust_nation", "cust_key"]], left_on="c_nationkey", right_on="cust_key"
    )
    there = (joined.supp_nation == "FRANCE") & (joined.cust_nation == "GERMANY")
    back = (joined.supp_nation == "GERMANY") & (joined.cust_nation == "FRANCE")
    joined = joined[there | back]
    joined["l_year"] = joined.l_shipdate.dt.year
    keys = ["supp_nation", "cust_nation", "l_year"]
    return revenue(joined).groupby(keys, as_index=False)["revenue"].sum()


def q08(t: Tables) -> DataFrame:
    parts = t.part[t.part.p_type == "ECONOMY ANODIZED STEEL"]
    orders = t.orders[t.orders.o_orderdate.between(Day("1995-01-01"), Day("1996-12-31"))]
    america = t.region[t.region.r_name == "AMERICA"]
    home = t.nation.merge(america, left_on="n_regionkey", right_on="r_regionkey")
    customers = t.customer.merge(home, left_on="c_nationkey", right_on="n_nationkey")
    orders = orders.merge(customers[["c_custkey"]], left_on="o_custkey", right_on="c_custkey")
    suppliers = t.supplier.merge(t.nation, left_on="s_nationkey", right_on="n_nationkey")
    suppliers = suppliers[["s_suppkey", "n_name"]]
    joined = t.lineitem.merge(parts, left_on="l_partkey", right_on="p_partkey")
    joined = joined.merge(suppliers, left_on="l_suppkey", right_on="s_suppkey")
    joined = joined.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    joined = revenue(joined).assign(o_year=joined.o_orderdate.dt.year)
    joined["brazil"] = joined.revenue.where(joined.n_name == "BRAZIL", 0)
    sums = joined.groupby("o_year", as_index=False)[["brazil", "revenue"]].sum()
    sums["mkt_share"] = sums.brazil / sums.revenue
    return sums[["o_year", "mkt_share"]]


def q09(t: Tables) -> DataFrame:
    green = t.part[t.part.p_name.str.contains("green", regex=False)]
    joined = green.merge(t.lineitem, left_on="p_partkey", right_on="l_partkey")
    joined = joined.merge(t.supplier, left_on="l_suppkey", right_on="s_suppkey")
    joined = joined.merge(
        t.partsupp, left_on=["l_suppkey", "l_partkey"], right_on=["ps_suppkey", "ps_partkey"]
    )
    joined = joined.merge(t.orders, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.merge(t.nation, left_on="s_nationkey", right_on="n_nationkey")
    joined["o_year"] = joined.o_orderdate.dt.year
    cost = joined.ps_supplycost * joined.l_quantity
    joined["sum_profit"] = joined.l_extendedprice * (1 - joined.l_discount) - cost
    joined = joined.rename(columns={"n_name": "nation"})
    totals = joined.groupby(["nation", "o_year"], as_index=False, sort=False)["sum_profit"].sum()
    return totals.sort_values(["nation", "o_year"], ascending=[True, False])


def q10(t: Tables) -> DataFrame:
    orders = t.orders[
        (t.orders.o_orderdate >= Day("1993-10-01")) & (t.orders.o_orderdate < Day("1994-01-01"))
    ]
    items = revenue(t.lineitem[t.lineitem.l_returnflag == "R"])
    joined = t.customer.merge(orders, left_on="c_custkey", right_on="o_custkey")
    joined = joined.merge(items, left_on="o_orderkey", right_on="l_orderkey")
    joined = joined.merge(t.nation, left_on="c_nationkey", right_on="n_nationkey")
    keys = ["c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment"]
    totals = joined.groupby(keys, as_index=False, sort=False)["revenue"].sum()
    totals = totals.sort_values("revenue", ascending=False).head(20)
    shown = ["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone"]
    return totals[[*shown, "c_comment"]]


def q11(t: Tables) -> DataFrame:
    german = t.nation[t.nation.n_name == "GERMANY"]
    stock = t.partsupp.merge(t.supplier, left_on="ps_suppkey", right_on="s_suppkey")
    stock = stock.merge(german, left_on="s_nationkey", right_on="n_nationkey")
    stock["value"] = stock.ps_supplycost * stock.ps_availqty
    parts = stock.groupby("ps_partkey", as_index=False, sort=False)["value"].sum()
    parts = parts[parts.value > stock.value.sum() * 0.0001]
    return parts.sort_values("value", ascending=False)


def q12(t: Tables) -> DataFrame:
    items = t.lineitem[
        t.lineitem.l_shipmode.isin(["MAIL", "SHIP"])
        & (t.lineitem.l_commitdate < t.lineitem.l_receiptdate)
        & (t.lineitem.l_shipdate < t.lineitem.l_commitdate)
        & (t.lineitem.l_receiptdate >= Day("1994-01-01"))
        & (t.lineitem.l_receiptdate < Day("1995-01-01"))
    ]
    joined = t.orders.merge(items, left_on="o_orderkey", right_on="l_orderkey")
    urgent = joined.o_orderpriority.isin(["1-URGENT", "2-HIGH"])
    joined["high_line_count"] = urgent.astype(int)
    joined["low_line_count"] = (~urgent).astype(int)
    counts = ["high_line_count", "low_line_count"]
    return joined.groupby("l_shipmode", as_index=False)[counts].sum()


def q13(t: Tables) -> DataFrame:
    orders = t.orders[~t.orders.o_comment.str.contains("special.*requests")]
    joined = t.customer.merge(orders, how="left", left_on="c_custkey", right_on="o_custkey")
    counts = joined.groupby("c_custkey", sort=False).agg(c_count=("o_orderkey", "count"))
    sizes = counts.groupby("c_count", as_index=False, sort=False).agg(custdist=("c_count", "size"))
    return sizes.sort_values(["custdist", "c_count"], ascending=False)


def q14(t: Tables) -> Scalar:
    items = t.lineitem[
        (t.lineitem.l_shipdate >= Day("1995-09-01")) & (t.lineitem.l_shipdate < Day("1995-10-01"))
    ]
    joined = revenue(items.merge(t.part, left_on="l_partkey", right_on="p_partkey"))
    joined["promo"] = joined.revenue.where(joined.p_type.str.startswith("PROMO"), 0)
    return 100.0 * joined.promo.sum() / joined.revenue.sum()


def q15(t: Tables) -> DataFrame:
    items = t.lineitem[
        (t.lineitem.l_shipdate >= Day("1996-01-01")) & (t.lineitem.l_shipdate < Day("1996-04-01"))
    ]
    totals = (
        revenue(items)
        .groupby("l_suppkey", as_index=False, sort=False)
        .agg(total_revenue=("revenue", "sum"))
    )
    best = totals[totals.total_revenue == totals.total_revenue.max()]
    found = t.supplier.merge(best, left_on="s_suppkey", right_on="l_suppkey")
    found = found.sort_values("s_suppkey")
    return found[["s_suppkey", "s_name", "s_address", "s_phone", "total_revenue"]]


def q16(t: Tables) -> DataFrame:
    parts = t.part[
        (t.part.p_brand != "Brand#45")
        & ~t.part.p_type.str.startswith("MEDIUM POLISHED")
        & t.part.p_size.isin([49, 14, 23, 45, 19, 3, 36, 9])
    ]
    bad = t.supplier[t.supplier.s_comment.str.contains("Customer.*Complaints")]
    offers = t.partsupp.merge(bad, left_on="ps_suppkey", right_on="s_suppkey", how="anti")
    joined = offers.merge(parts, left_on="ps_partkey", right_on="p_partkey")
    keys = ["p_brand", "p_type", "p_size"]
    counts = joined.groupby(keys, as_index=False, sort=False).agg(
        supplier_cnt=("ps_suppkey", "nunique")
    )
    return counts.sort_values(["supplier_cnt", *keys], ascending=[False, True, True, True])


def q17(t: Tables) -> Scalar:
    parts = t.part[(t.part.p_brand == "Brand#23") & (t.part.p_container == "MED BOX")]
    items = t.lineitem.merge(parts[["p_partkey"]], left_on="l_partkey", right_on="p_partkey")
    means = t.lineitem.groupby("l_partkey", sort=False).agg(mean=("l_quantity", "mean"))
    items = items.merge(means, left_on="l_partkey", right_index=True)
    few = items[items.l_quantity < 0.2 * items["mean"]]
    return few.l_extendedprice.sum(min_count=1) / 7.0


def q18(t: Tables) -> DataFrame:
    sums = t.lineitem.groupby("l_orderkey", as_index=False, sort=False).agg(
        quantity=("l_quantity", "sum")
    )
    large = sums[sums.quantity > 300]
    orders = t.orders.merge(large, left_on="o_orderkey", right_on="l_orderkey", how="semi")
    joined = t.customer.merge(orders, left_on="c_custkey", right_on="o_custkey")
    joined = joined.merge(t.lineitem, left_on="o_orderkey", right_on="l_orderkey")
    keys = ["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice"]
    totals = joined.groupby(keys, as_index=False, sort=False).agg(
        total_quantity=("l_quantity", "sum")
    )
    return totals.sort_values(["o_totalprice", "o_orderdate"], ascending=[False, True]).head(100)


def q19(t: Tables) -> Scalar:
    joined = t.lineitem.merge(t.part, left_on="l_partkey", right_on="p_partkey")
    joined = joined[
        joined.l_shipmode.isin(["AIR", "AIR REG"]) & (joined.l_shipinstruct == "DELIVER IN PERSON")
    ]

    def fits(brand: str, containers: list[str], quantity: int, size: int) -> object:
        return (
            (joined.p_brand == brand)
            & joined.p_container.isin(containers)
            & joined.l_quantity.between(quantity, quantity + 10)
            & joined.p_size.between(1, size)
        )

    small = fits("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 1, 5)
    medium = fits("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK"], 10, 10)
    large = fits("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 20, 15)
    return revenue(joined[small | medium | large]).revenue.sum(min_count=1)


def q20(t: Tables) -> DataFrame:
    forest = t.part[t.part.p_name.str.startswith("forest")]
    items = t.lineitem[
        (t.lineitem.l_shipdate >= Day("1994-01-01")) & (t.lineitem.l_shipdate < Day("1995-01-01"))
    ]
    sold = items.groupby(["l_partkey", "l_suppkey"], as_index=False, sort=False).agg(
        quantity=("l_quantity", "sum")
    )
    offers = t.partsupp.merge(forest, left_on="ps_partkey", right_on="p_partkey", how="semi")
    offers = offers.merge(
        sold, left_on=["ps_partkey", "ps_suppkey"], right_on=["l_partkey", "l_suppkey"]
    )
    offers = offers[offers.ps_availqty > 0.5 * offers.quantity]
    canada = t.nation[t.nation.n_name == "CANADA"]
    found = t.supplier.merge(canada, left_on="s_nationkey", right_on="n_nationkey")
    found = found.merge(offers, left_on="s_suppkey", right_on="ps_suppkey", how="semi")
    return found.sort_values("s_name")[["s_name", "s_address"]]


def q21(t: Tables) -> DataFrame:
    late = t.lineitem[t.lineitem.l_receiptdate > t.lineitem.l_commitdate]
    suppliers = t.lineitem.groupby("l_orderkey", sort=False).agg(all=("l_suppkey", "nunique"))
    guilty = late.groupby("l_orderkey", sort=False).agg(late=("l_suppkey", "nunique"))
    failed = t.orders[t.orders.o_orderstatus == "F"]
    saudi = t.nation[t.nation.n_name == "SAUDI ARABIA"]
    joined = t.supplier.merge(saudi, left_on="s_nationkey", right_on="n_nationkey")
    joined = joined.merge(late, left_on="s_suppkey", right_on="l_suppkey")
    joined = joined.merge(failed, left_on="l_orderkey", right_on="o_orderkey")
    joined = joined.merge(suppliers, left_on="l_orderkey", right_index=True)
    joined = joined.merge(guilty, left_on="l_orderkey", right_index=True)
    joined = joined[(joined["all"] > 1) & (joined.late == 1)]
    counts = joined.groupby("s_name", as_index=False, sort=False).agg(numwait=("s_name", "size"))
    return counts.sort_values(["numwait", "s_name"], ascending=[False, True]).head(100)


def q22(t: Tables) -> DataFrame:
    customer = t.customer.assign(cntrycode=t.customer.c_phone.str[:2])
    customer = customer[customer.cntrycode.isin(["13", "31", "23", "29", "30", "18", "17"])]
    rich = customer[customer.c_acctbal > customer[customer.c_acctbal > 0].c_acctbal.mean()]
    idle = rich.merge(t.orders, left_on="c_custkey", right_on="o_custkey", how="anti")
    groups = idle.groupby("cntrycode", as_index=False)
    return groups.agg(numcust=("c_acctbal", "size"), totacctbal=("c_acctbal", "sum"))


QUERIES: dict[int, Callable[[Tables], DataFrame | Scalar]] = {
    number: globals()[f"q{number:02}"] for number in range(1, 23)
}
