"""Tables for optimizer tests: small ones of integers with NULLs, and TPC-H with fixed statistics.

Statistics are written down here, not measured, so that the plans of golden files depend on the
rules alone. Nothing is read through these sources: answers come from DuckDB, which has the rows.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from plait.planner import builder
from plait.planner import types as t
from plait.planner.catalog import MemoryCatalog
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics


@dataclass(frozen=True)
class KnownSource:
    """A source that says what it is told to say."""

    name: str
    schema: Schema
    statistics: Statistics = field(default_factory=Statistics)
    answer: Pushdown = Pushdown.NONE

    @property
    def identity(self) -> str:
        return f"known:{self.name}"

    def pushdown(self, predicate: Expr) -> Pushdown:
        return self.answer if _simple(predicate) else Pushdown.NONE

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        return (Split(),)


def _simple(predicate: Expr) -> bool:
    """A comparison of a column with constants, as files can prune by."""
    match predicate:
        case Call(_, (Column(), *values)):
            return all(isinstance(v, Literal) for v in values)
    return False


def _integers(rng: random.Random, rows: int, values: int, nulls: float) -> pa.Array:
    drawn = [None if rng.random() < nulls else rng.randrange(values) for _ in range(rows)]
    return pa.array(drawn, pa.int32())


def small_tables(scale: float = 1.0) -> dict[str, pa.Table]:
    """r, s and t: a few rows each, so that keys meet often; NULLs in all but the last column."""
    rng = random.Random(5)
    rows = {"r": ("abc", 25), "s": ("def", 20), "t": ("xyz", 15)}
    tables = {}
    for name, (columns, count) in rows.items():
        shapes = zip(columns, (5, 4, 6), (0.15, 0.15, 0.0), strict=True)
        rows_here = round(count * scale)
        tables[name] = pa.table({c: _integers(rng, rows_here, n, p) for c, n, p in shapes})
    nothing = pa.array([], pa.int32())
    tables["empty"] = pa.table({"k": nothing, "v": nothing})
    return tables


ANSWERS = {"r": Pushdown.INEXACT, "s": Pushdown.EXACT}


def small_catalog(tables: Mapping[str, pa.Table]) -> MemoryCatalog:
    """The small tables as sources: r prunes, s filters, t and empty do nothing."""
    catalog = MemoryCatalog()
    for name, table in tables.items():
        source = KnownSource(
            name,
            Schema.from_arrow(table.schema),
            Statistics(rows=float(table.num_rows), exact=True),
            ANSWERS.get(name, Pushdown.NONE),
        )
        catalog.add(name, builder.scan(source, name=name))
    return catalog


# --------------------------------------------------------------------------------------- TPC-H

_MONEY = t.decimal(15, 2)

# rows at scale factor 1; name, type, lowest, highest, different values (None: nobody knows)
_TPCH: dict[str, tuple[int, list[tuple[str, pa.DataType, Any, Any, float | None]]]] = {
    "region": (
        5,
        [
            ("r_regionkey", t.INT64, 0, 4, None),
            ("r_name", t.STRING, "AFRICA", "MIDDLE EAST", 5),
            ("r_comment", t.STRING, None, None, None),
        ],
    ),
    "nation": (
        25,
        [
            ("n_nationkey", t.INT64, 0, 24, None),
            ("n_name", t.STRING, "ALGERIA", "VIETNAM", 25),
            ("n_regionkey", t.INT64, 0, 4, None),
            ("n_comment", t.STRING, None, None, None),
        ],
    ),
    "supplier": (
        10_000,
        [
            ("s_suppkey", t.INT64, 1, 10_000, None),
            ("s_name", t.STRING, None, None, None),
            ("s_address", t.STRING, None, None, None),
            ("s_nationkey", t.INT64, 0, 24, None),
            ("s_phone", t.STRING, None, None, None),
            ("s_acctbal", _MONEY, Decimal("-999.99"), Decimal("9999.99"), None),
            ("s_comment", t.STRING, None, None, None),
        ],
    ),
    "customer": (
        150_000,
        [
            ("c_custkey", t.INT64, 1, 150_000, None),
            ("c_name", t.STRING, None, None, None),
            ("c_address", t.STRING, None, None, None),
            ("c_nationkey", t.INT64, 0, 24, None),
            ("c_phone", t.STRING, None, None, None),
            ("c_acctbal", _MONEY, Decimal("-999.99"), Decimal("9999.99"), None),
            ("c_mktsegment", t.STRING, "AUTOMOBILE", "MACHINERY", 5),
            ("c_comment", t.STRING, None, None, None),
        ],
    ),
    "part": (
        200_000,
        [
            ("p_partkey", t.INT64, 1, 200_000, None),
            ("p_name", t.STRING, None, None, None),
            ("p_mfgr", t.STRING, "Manufacturer#1", "Manufacturer#5", 5),
            ("p_brand", t.STRING, "Brand#11", "Brand#55", 25),
            ("p_type", t.STRING, "ECONOMY ANODIZED BRASS", "STANDARD POLISHED TIN", 150),
            ("p_size", t.INT32, 1, 50, None),
            ("p_container", t.STRING, "JUMBO BAG", "WRAP PKG", 40),
            ("p_retailprice", _MONEY, Decimal("901.00"), Decimal("2098.99"), None),
            ("p_comment", t.STRING, None, None, None),
        ],
    ),
    "partsupp": (
        800_000,
        [
            ("ps_partkey", t.INT64, 1, 200_000, None),
            ("ps_suppkey", t.INT64, 1, 10_000, None),
            ("ps_availqty", t.INT32, 1, 9_999, None),
            ("ps_supplycost", _MONEY, Decimal("1.00"), Decimal("1000.00"), None),
            ("ps_comment", t.STRING, None, None, None),
        ],
    ),
    "orders": (
        1_500_000,
        [
            ("o_orderkey", t.INT64, 1, 6_000_000, None),
            ("o_custkey", t.INT64, 1, 149_999, None),
            ("o_orderstatus", t.STRING, "F", "P", 3),
            ("o_totalprice", _MONEY, Decimal("857.71"), Decimal("555285.16"), None),
            ("o_orderdate", t.DATE, dt.date(1992, 1, 1), dt.date(1998, 8, 2), None),
            ("o_orderpriority", t.STRING, "1-URGENT", "5-LOW", 5),
            ("o_clerk", t.STRING, None, None, None),
            ("o_shippriority", t.INT32, 0, 0, None),
            ("o_comment", t.STRING, None, None, None),
        ],
    ),
    "lineitem": (
        6_001_215,
        [
            ("l_orderkey", t.INT64, 1, 6_000_000, None),
            ("l_partkey", t.INT64, 1, 200_000, None),
            ("l_suppkey", t.INT64, 1, 10_000, None),
            ("l_linenumber", t.INT32, 1, 7, None),
            ("l_quantity", _MONEY, Decimal("1.00"), Decimal("50.00"), 50),
            ("l_extendedprice", _MONEY, Decimal("901.00"), Decimal("104949.50"), None),
            ("l_discount", _MONEY, Decimal("0.00"), Decimal("0.10"), None),
            ("l_tax", _MONEY, Decimal("0.00"), Decimal("0.08"), None),
            ("l_returnflag", t.STRING, "A", "R", 3),
            ("l_linestatus", t.STRING, "F", "O", 2),
            ("l_shipdate", t.DATE, dt.date(1992, 1, 2), dt.date(1998, 12, 1), None),
            ("l_commitdate", t.DATE, dt.date(1992, 1, 31), dt.date(1998, 10, 31), None),
            ("l_receiptdate", t.DATE, dt.date(1992, 1, 3), dt.date(1998, 12, 31), None),
            ("l_shipinstruct", t.STRING, "COLLECT COD", "TAKE BACK RETURN", 4),
            ("l_shipmode", t.STRING, "AIR", "TRUCK", 7),
            ("l_comment", t.STRING, None, None, None),
        ],
    ),
}


def tpch_catalog() -> MemoryCatalog:
    """The TPC-H tables with the statistics that Parquet footers of scale factor 1 give."""
    catalog = MemoryCatalog()
    for name, (rows, columns) in _TPCH.items():
        known = {
            n: ColumnStatistics(low, high, 0.0, distinct) for n, _, low, high, distinct in columns
        }
        source = KnownSource(
            name,
            Schema(tuple(Field(n, dtype) for n, dtype, *_ in columns)),
            Statistics(float(rows), None, known, exact=True),
            Pushdown.INEXACT,
        )
        catalog.add(name, builder.scan(source, name=name))
    return catalog
