"""Small tables with NULLs, for plait and for DuckDB alike."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

import duckdb
import pyarrow as pa

from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.expr import Expr
from plait.planner.schema import Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import Statistics

_DAY = dt.date
_AT = dt.datetime

TABLES: dict[str, pa.Table] = {
    "t": pa.table(
        {
            "a": pa.array([1, None, 1, 2, 3, None], pa.int32()),
            "b": pa.array([2, 3, 5, None, 7, 3], pa.int32()),
            "c": pa.array(["x", "y", None, "xy", "", "Y%"]),
            "d": pa.array(
                [
                    *(_DAY(2020, 1, 31), _DAY(2021, 2, 3), None),
                    *(_DAY(1999, 12, 31), _DAY(2020, 2, 29), _DAY(2020, 1, 31)),
                ],
                pa.date32(),
            ),
            "ts": pa.array(
                [
                    *(_AT(2020, 1, 1, 10, 30), None, _AT(2020, 6, 30, 23, 59, 59, 999999)),
                    *(_AT(1969, 7, 20), _AT(2020, 1, 1), _AT(2000, 2, 29, 12)),
                ],
                pa.timestamp("us"),
            ),
            "f": pa.array([1.5, None, -2.5, 0.0, 1e300, 3.25]),
            "g": pa.array(
                [
                    *(Decimal("2.25"), Decimal("1.00"), None),
                    *(Decimal("-7.50"), Decimal("0.01"), Decimal("99999999.99")),
                ],
                pa.decimal128(10, 2),
            ),
            "bo": pa.array([True, False, None, True, False, None]),
            "big": pa.array([5, 6, None, 2**40, -1, 0], pa.int64()),
        }
    ),
    "u": pa.table(
        {
            "a": pa.array([1, 2, 2, None, 9], pa.int32()),
            "k": pa.array([10, 20, 20, 40, None], pa.int32()),
            "s": pa.array(["p", "q", "x", None, "xy"]),
        }
    ),
    "e": pa.table(
        {"a": pa.array([], pa.int32()), "c": pa.array([], pa.string())}  # no rows
    ),
}


def in_duckdb() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the tables."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 1")
    for name, table in TABLES.items():
        connection.register(f"{name}_arrow", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_arrow")
    return connection


@dataclass(frozen=True)
class Named:
    """A source that is only planned with, never read."""

    name: str
    schema: Schema
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def identity(self) -> str:
        return self.name

    def pushdown(self, predicate: Expr) -> Pushdown:
        return Pushdown.NONE

    def splits(self, columns: object) -> tuple[Split, ...]:
        return ()


def in_catalog() -> MemoryCatalog:
    """A catalog with the tables."""
    plans = {}
    for name, table in TABLES.items():
        plans[name] = builder.scan(Named(name, Schema.from_arrow(table.schema)))
    return MemoryCatalog(plans)
