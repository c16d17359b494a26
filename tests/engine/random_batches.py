"""Random batches for hypothesis: every type and encoding, with the values that make trouble.

A batch is a slice of a longer one, so its arrays have offsets. `plain` gives the rows as DuckDB
reads them: without encodings, with the row's number as a column `rn`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from plait.engine import batches
from plait.planner.expr import Column
from plait.planner.types import normalize

D = Decimal
UTC = dt.UTC

# kind: (physical type, values)
KINDS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "tiny": (pa.int8(), [-128, -1, 0, 1, 127]),
    "int": (pa.int32(), [-(2**31), -3, 0, 1, 2, 40, 2**31 - 1]),
    "big": (pa.int64(), [-(2**62), -7, 0, 1, 2**33, 2**62]),
    "unsigned": (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    "small": (pa.int64(), [1, 2, 3, 4, 5]),
    "double": (pa.float64(), [0.0, -0.0, 1.5, -2.25, 1e9, math.inf, -math.inf, math.nan]),
    "finite": (pa.float64(), [0.0, -0.0, 1.5, -2.25, 1e3, 0.1]),
    "float": (pa.float32(), [0.0, -0.0, 0.5, -3.0, math.nan]),
    "bool": (pa.bool_(), [True, False]),
    "string": (pa.string(), ["", "a", "b", "ab", "a\0", "é", "abcdefghi", "abcdefghij", "Z"]),
    "coded": (pa.dictionary(pa.int8(), pa.string()), ["x", "", "yy", "a", "é"]),
    "bytes": (pa.binary(), [b"", b"\0", b"\xff", b"ab"]),
    "decimal": (pa.decimal128(9, 2), [D("-1.00"), D("0.00"), D("0.05"), D("9999999.99")]),
    "decimal64": (pa.decimal64(18, 2), [D("-3.50"), D("0.00"), D("0.05"), D("12345.67")]),
    "wide": (
        pa.decimal128(36, 3),
        [D("0.001"), D("-5.000"), D("123456789012345678901234567890.123"), D("7.250")],
    ),
    "date": (pa.date32(), [dt.date(1969, 12, 30), dt.date(1970, 1, 1), dt.date(2024, 2, 29)]),
    "time": (pa.time64("us"), [dt.time(0), dt.time(0, 0, 0, 1), dt.time(23, 59, 59)]),
    "timestamp": (
        pa.timestamp("us"),
        [
            dt.datetime(1960, 1, 1, 0, 0, 0, 1),
            dt.datetime(1970, 1, 1),
            dt.datetime(2024, 2, 29, 12, 30, 0, 2),
        ],
    ),
}
NUMBERS = ("tiny", "int", "big", "small", "finite", "decimal", "decimal64", "wide")
ORDERED = tuple(KINDS)


def logical(kind: str) -> pa.DataType:
    """The type by which the planner knows a kind of column."""
    if kind == "decimal64":
        return pa.decimal128(15, 2)
    return normalize(KINDS[kind][0])


def column(name: str, kind: str) -> Column:
    """The planner's column of a kind."""
    return Column(name, logical(kind))


@st.composite
def batch_of(
    draw: st.DrawFn, kinds: Sequence[tuple[str, str]], max_rows: int = 24
) -> pa.RecordBatch:
    """A batch of (name, kind) columns."""
    rows = draw(st.integers(0, max_rows))
    before = draw(st.integers(0, 9))
    arrays = [draw(_array(kind, rows + before)) for _, kind in kinds]
    whole = batches.make([name for name, _ in kinds], arrays, rows + before)
    return whole.slice(before)


@st.composite
def _array(draw: st.DrawFn, kind: str, length: int) -> pa.Array:
    dtype, pool = KINDS[kind]
    nulls = draw(st.sampled_from(["none", "some", "all"]) if length else st.just("none"))
    values = [None] if nulls == "all" else [*pool, None] if nulls == "some" else pool
    # few different values, so that groups and ties come about
    few = draw(st.lists(st.sampled_from(values), min_size=1, max_size=4))
    drawn = draw(st.lists(st.sampled_from(few), min_size=length, max_size=length))
    if not pa.types.is_dictionary(dtype):
        return _exact_array(drawn, dtype)
    codes = pa.array([None if v is None else pool.index(v) for v in drawn], dtype.index_type)
    return pa.DictionaryArray.from_arrays(codes, pa.array(pool, dtype.value_type))


def _exact_array(values: list[Any], dtype: pa.DataType) -> pa.Array:
    if pa.types.is_decimal64(dtype):
        scaled = [None if v is None else int(v.scaleb(dtype.scale)) for v in values]
        ints = pa.array(scaled, pa.int64())
        return pa.Array.from_buffers(dtype, len(values), ints.buffers())
    return pa.array(values, dtype)


def plain(batch: pa.RecordBatch, kinds: Sequence[tuple[str, str]]) -> pa.Table:
    """The same rows in logical types, with row numbers."""
    columns = [batches.decode(batch.column(name), logical(kind)) for name, kind in kinds]
    rows = pa.array(np.arange(batch.num_rows))
    return pa.table([*columns, rows], names=[*(name for name, _ in kinds), "rn"])


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    return connection


def ask_duckdb(sql: str, **tables: pa.Table) -> pa.Table:
    """DuckDB's answer to a query over some tables, computed row after row."""
    duck = _connection()
    for name, table in tables.items():
        duck.register(name, table)
    return duck.sql(sql).to_arrow_table()
