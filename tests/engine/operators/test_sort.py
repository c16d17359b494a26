"""Row order against DuckDB's."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.operators.sort import sort, sort_indices
from plait.errors import PlanError
from plait.planner.expr import Column, Literal, SortKey
from tests.engine.random_batches import KINDS, ask_duckdb, batch_of, column, plain

Kinds = list[tuple[str, str]]


@st.composite
def sorts(draw: st.DrawFn) -> tuple[Kinds, pa.RecordBatch, list[SortKey]]:
    drawn = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    kinds = [(f"k{i}", kind) for i, kind in enumerate(drawn)]
    keys = [
        SortKey(column(name, kind), draw(st.booleans()), draw(st.booleans()))
        for name, kind in kinds
    ]
    batch = draw(batch_of(kinds))
    return kinds, batch.append_column("rn", pa.array(np.arange(batch.num_rows))), keys


def order_by(keys: list[SortKey]) -> str:
    words = [
        f"{k.expr} {'DESC' if k.descending else 'ASC'} NULLS {'FIRST' if k.nulls_first else 'LAST'}"
        for k in keys
    ]
    return ", ".join([*words, "rn"])


@given(sorts(), st.data())
@settings(max_examples=120)
def test_order_is_duckdbs(
    case: tuple[Kinds, pa.RecordBatch, list[SortKey]], data: st.DataObject
) -> None:
    kinds, batch, keys = case
    sql = f"SELECT rn FROM t ORDER BY {order_by(keys)}"
    expected = ask_duckdb(sql, t=plain(batch, kinds))["rn"].to_pylist()
    assert sort(batch, keys)["rn"].to_pylist() == expected
    limit = data.draw(st.integers(0, batch.num_rows + 1))
    assert sort(batch, keys, limit)["rn"].to_pylist() == expected[:limit]


def _large(rows: int) -> pa.RecordBatch:
    random = np.random.default_rng(11)
    texts = np.array([f"customer {i:07d} {'x' * (i % 30)}" for i in range(3000)])
    return pa.record_batch(
        {
            "f": random.standard_normal(rows),
            "few": pa.array(random.integers(0, 4, rows), mask=random.random(rows) < 0.1),
            "wide": random.integers(-(2**62), 2**62, rows) // 8 * 8,
            "text": pa.array(texts[random.integers(0, 3000, rows)]),
            "coded": pa.array(texts[random.integers(0, 9, rows)]).dictionary_encode(),
        }
    )


@pytest.mark.parametrize(
    "names",
    [["f"], ["few", "f"], ["few", "wide", "text"], ["text"], ["text", "f"], ["coded", "few", "f"]],
)
@pytest.mark.parametrize("descending", [False, True])
def test_many_rows(names: list[str], descending: bool) -> None:
    batch = _large(20_000)
    keys = [SortKey(Column(n, batch.schema.field(n).type), descending) for n in names]
    direction = "descending" if descending else "ascending"
    wanted = pc.sort_indices(
        batch.set_column(4, "coded", batch["coded"].dictionary_decode()),
        sort_keys=[(n, direction) for n in names],
    )
    assert sort_indices(batch, keys).tolist() == wanted.to_pylist()
    assert sort(batch, keys, 50).equals(batch.take(wanted[:50]))


def test_nested_values_sort_as_in_duckdb(duck: duckdb.DuckDBPyConnection) -> None:
    lists = pa.array([[1, 2], [], None, [None], [1], [1, None], [2], [1, 1]])
    structs = pa.array([{"x": None, "y": 1}, {"x": 1, "y": 2}, {"x": 1, "y": None}] + [None] * 5)
    batch = pa.record_batch({"l": lists, "s": structs, "rn": list(range(8))})
    duck.register("t", pa.Table.from_batches([batch]))
    for name in ("l", "s"):
        rows = duck.sql(f"SELECT rn FROM t ORDER BY {name} NULLS LAST, rn").fetchall()
        key = SortKey(Column(name, batch.schema.field(name).type))
        assert sort(batch, [key])["rn"].to_pylist() == [r for (r,) in rows]


def test_rows_without_columns() -> None:
    batch = pa.record_batch({"x": [1, 2, 3]}).select([])
    assert sort(batch, []).num_rows == 3
    assert sort(batch, [], 2).num_rows == 2


def test_only_columns_can_be_sorted_by() -> None:
    with pytest.raises(PlanError, match="compute it before"):
        sort(pa.record_batch({"x": [1]}), [SortKey(Literal(1, pa.int32()))])
