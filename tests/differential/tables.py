"""Random tables: every kind of column, with NULLs, duplicates, and now and then no rows at all.

Values come from small pools, so that joins match and groups have several rows. Doubles have short
binary fractions: their sums are exact, whatever the order.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa

D = Decimal

DAYS = [
    dt.date(1969, 12, 31),
    dt.date(2000, 2, 29),
    dt.date(2023, 12, 31),
    dt.date(2024, 1, 1),
    dt.date(2024, 2, 29),
    dt.date(2024, 3, 31),
]
MOMENTS = [
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    dt.datetime(2000, 2, 29, 12),
    dt.datetime(2024, 1, 1),
    dt.datetime(2024, 2, 29, 6, 30, 15, 250000),
    dt.datetime(2024, 3, 31, 1, 2, 3),
]
WORDS = ["", "a", "b", "ab", "A", "abc", "b_a", "a%b", "é", "x y", " a "]

# kind -> its Arrow types and values; the kinds are those of the expression generator
POOLS: dict[str, tuple[list[pa.DataType], list[Any]]] = {
    "int": (
        [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32()],
        [0, 1, 2, 3, 4, 5, 7, 12],
    ),
    "double": (
        [pa.float64(), pa.float64(), pa.float32()],
        [0.0, -0.0, 0.5, 1.0, 2.0, -2.25, 3.0, 1024.0],
    ),
    "decimal": (
        [pa.decimal128(9, 2), pa.decimal128(15, 2), pa.decimal128(18, 4), pa.decimal128(30, 3)],
        [D("0"), D("0.05"), D("1"), D("2"), D("-2.25"), D("3.5"), D("12.34"), D("1000")],
    ),
    "text": ([pa.string(), pa.dictionary(pa.int32(), pa.string())], WORDS),
    "date": ([pa.date32()], DAYS),
    "timestamp": ([pa.timestamp("us")], MOMENTS),
    "bool": ([pa.bool_()], [True, False]),
}
ODD: dict[str, list[Any]] = {
    "int": [-1, -5, 100],
    "double": [math.nan, math.inf, -math.inf, 0.1],
    "decimal": [D("99999.99"), D("-0.01")],
    "text": ["Zebra", "10", "a\nb", "null"],
    "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "timestamp": [dt.datetime(9999, 12, 31, 23, 59)],
    "bool": [],
}
KINDS = tuple(POOLS)


@dataclass(frozen=True)
class Col:
    """A column an expression may use: how SQL writes it, and its kind."""

    sql: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A random table."""

    name: str
    columns: tuple[Col, ...]
    data: pa.Table


def random_table(random: Random, name: str, *, narrow: bool = False) -> Table:
    """A table of 2 to 5 columns; `narrow` integers make sums and products overflow."""
    rows = random.choice([0, 1, 3, 8, 8, 8, 16, 16, 16, 30, 30, 150])
    columns, arrays = [], []
    kinds = ["int", *random.choices(KINDS, k=random.randint(1, 4))]
    for number, kind in enumerate(kinds):
        columns.append(Col(f"c{number}", kind))
        types = POOLS[kind][0] if narrow or kind != "int" else [pa.int32(), pa.int64()]
        arrays.append(random_column(random, kind, random.choice(types), rows))
    return Table(name, tuple(columns), pa.table(arrays, names=[c.sql for c in columns]))


def random_column(random: Random, kind: str, dtype: pa.DataType, rows: int) -> pa.Array:
    """Values of a kind; nothing but NULL once in a while."""
    pool = POOLS[kind][1]
    values = random.sample(pool, k=random.randint(1, len(pool)))
    if random.random() < 0.2:
        values += ODD[kind]
    if pa.types.is_unsigned_integer(dtype):
        values = [abs(v) for v in values]
    null_share = random.choice([0, 0, 0.15, 0.3, 0.3, 1 if random.random() < 0.2 else 0.5])
    drawn = [None if random.random() < null_share else random.choice(values) for _ in range(rows)]
    return pa.array(drawn, dtype)
