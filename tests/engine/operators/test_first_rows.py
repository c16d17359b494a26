"""Rows that are left out before a window change nothing in what the filter above lets through."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen.first_rows import first_of_cells
from plait.engine.kernels.grouping import cells_of
from plait.engine.operators import first_rows as module
from plait.engine.operators.first_rows import first_rows
from plait.engine.operators.window import window
from plait.planner.expr import SortKey, WindowCall
from plait.planner.physical.operators import FirstRows, ReadStage
from plait.planner.schema import Field, Schema
from plait.planner.types import INT64
from tests.engine.random_batches import KINDS, batch_of, column, logical


@pytest.fixture(autouse=True)
def few_rows_too(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The loop for any number of rows, with its addresses checked."""
    monkeypatch.setattr(module, "MANY", 1)
    with config.set({"compile.checked": True}):
        yield


KEYS = [("k", kind) for kind in ("tiny", "coded", "string", "double", "big")]
ORDERS = [("o", kind) for kind in sorted(KINDS)]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(KEYS), st.sampled_from(ORDERS), st.integers(1, 4))
def test_the_first_rows_of_each_group_stay(
    data: st.DataObject, key: tuple[str, str], order: tuple[str, str], most: int
) -> None:
    batch = data.draw(batch_of([key, order], max_rows=40))
    by = SortKey(column(*order), data.draw(st.booleans()), data.draw(st.booleans()))
    call = WindowCall("row_number", (), INT64, (column(*key),), (by,))
    schema = Schema(tuple(Field(n, logical(k)) for n, k in (key, order)))
    rows = batch.append_column("rn", pa.array(np.arange(batch.num_rows)))
    with_rn = Schema((*schema, Field("rn", INT64)))
    op = FirstRows(with_rn, ReadStage(with_rn, (), "part"), call.partition_by, (by,), most)
    found = list(first_rows(op, iter([rows]), data.draw(st.sampled_from([1.0, 1e9]))))
    left = pa.Table.from_batches(found, rows.schema).combine_chunks().to_batches() or [rows[:0]]

    def wanted(some: pa.RecordBatch) -> list[int]:
        numbers = window(some, [("n", call)]).column("n").to_numpy()
        return some.column("rn").filter(pa.array(numbers <= most)).to_pylist()

    assert wanted(left[0]) == wanted(rows)
    assert left[0].column("rn").to_pylist() == sorted(left[0].column("rn").to_pylist())


def test_no_more_rows_than_wanted_and_of_equal_ones_the_first() -> None:
    cells = np.array([1, 0, 1, 1, 0, 1, 1])
    words = np.array([5, 2**64 - 1, 5, 4, 2**64 - 1, 5, 9], np.uint64)
    assert first_of_cells(cells, 2, words, 1).tolist() == [1, 3]
    assert first_of_cells(cells, 2, words, 3).tolist() == [0, 1, 2, 3, 4]


def test_cells_tell_keys_apart() -> None:
    numbers = pa.array([7, None, 9, 7, None], pa.int32())
    texts = pa.array(["a", "a", None, "b", "a"])
    for keys in ([numbers], [texts], [numbers, texts]):
        cells, count = cells_of(keys)
        assert cells.max() < count
        rows = list(zip(*(k.to_pylist() for k in keys), strict=True))
        for i, a in enumerate(rows):
            assert [b == a for b in rows] == (cells == cells[i]).tolist()
    far = pa.array([0, 1 << 60, 0])
    assert cells_of([far])[0].tolist() == [0, 1, 0]
