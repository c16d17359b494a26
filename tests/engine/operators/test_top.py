"""The first rows of an order, against DuckDB; samples are made small, so that they are taken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.engine.operators import top
from plait.planner.expr import Column, SortKey
from plait.planner.schema import Schema
from plait.planner.types import normalize

TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int": (pa.int64(), [0, 1, -1, 7, 1 << 60, -(1 << 63)]),
    "unsigned": (pa.uint64(), [0, 1, 1 << 63, (1 << 64) - 1]),
    "double": (pa.float64(), [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan")]),
    "decimal": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-2.25"), Decimal("0.00")]),
    "date": (pa.date32(), [dt.date(2020, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    "text": (pa.string(), ["", "a", "ab", "b", "é"]),
    "flag": (pa.bool_(), [True, False]),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "_SAMPLE", 8)
    monkeypatch.setattr(top, "_MOST", 1)
    monkeypatch.setattr(top, "_AT_ONCE", 12)


def _narrow(array: pa.Array) -> pa.Array:
    return array.cast(pa.decimal64(18, 2)) if pa.types.is_decimal(array.type) else array


def _coded(array: pa.Array) -> pa.Array:
    return array.dictionary_encode() if pa.types.is_string(array.type) else array


ENCODINGS: list[Callable[[pa.Array], pa.Array]] = [lambda array: array, _narrow, _coded]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_are_those_of_duckdb(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(TYPES)))
    dtype, pool = TYPES[kind]
    value = st.one_of(st.none(), *[st.sampled_from(pool)] * 4)
    values = data.draw(st.lists(value, max_size=60))
    other = data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    keys = data.draw(st.sampled_from([["k"], ["k", "o"], ["o", "k"]]))
    descending, nulls_first = data.draw(st.booleans()), data.draw(st.booleans())
    limit = data.draw(st.integers(0, 10))
    table = pa.table(
        {"k": pa.array(values, dtype), "o": pa.array(other, pa.int64()), "n": range(len(values))}
    )
    how = f"{'desc' if descending else 'asc'} nulls {'first' if nulls_first else 'last'}"
    order = ", ".join([*(f"{k} {how}" for k in keys), "n"])
    with duckdb.connect() as connection:
        found = connection.sql(f'select n from "table" order by {order} limit {limit}')
        expected = [n for (n,) in found.fetchall()]
    schema = Schema.of([(f.name, normalize(f.type)) for f in table.schema])
    by = [SortKey(Column(k, schema[k].type), descending, nulls_first) for k in keys]
    pieces = table.to_batches(data.draw(st.integers(1, 61)))
    rows = []
    for piece in pieces:
        encode = data.draw(st.sampled_from(ENCODINGS))
        columns = [encode(piece.column("k")), piece.column("o"), piece.column("n")]
        rows.append(pa.RecordBatch.from_arrays(columns, names=table.schema.names))
    made = top.first_rows(iter(rows), schema, by, limit)
    assert made.column(2).to_pylist() == expected


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("rows", [range(1000), range(1000, 0, -1), [5] * 1000])
def test_few_rows_are_sorted(rows: Any, descending: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order they come."""
    seen: list[int] = []
    sort = top.sort
    monkeypatch.setattr(top, "sort", lambda b, *rest: seen.append(b.num_rows) or sort(b, *rest))
    batch = pa.RecordBatch.from_pydict({"k": pa.array(list(rows), pa.int64())})
    schema = Schema.of([("k", pa.int64())])
    key = SortKey(Column("k", pa.int64()), descending, False)
    made = top.first_rows(iter([batch] * 3), schema, [key], 4)
    assert made.column(0).to_pylist() == sorted([*rows] * 3, reverse=descending)[:4]
    if rows[0] != rows[-1]:
        assert max(seen) <= 1600
