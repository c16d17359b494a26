"""Ranges carried by fields: kept by slices, by tables made into batches, and exact."""

from __future__ import annotations

import pyarrow as pa

from plait.engine import batches
from plait.planner.column_range import range_of, with_range
from plait.planner.schema import Field, Schema


def test_a_range_comes_back_as_it_was_given() -> None:
    for known in ((0, 0), (-(2**63), 2**63 - 1), (-(10**37), 10**37)):
        assert range_of(with_range(pa.field("a", pa.int64()), known)) == known


def test_nothing_known() -> None:
    assert range_of(pa.field("a", pa.int64())) is None
    assert range_of(with_range(pa.field("a", pa.int64(), metadata={"x": "y"}), None)) is None


def test_slices_and_batches_of_tables_keep_it() -> None:
    field = with_range(pa.field("a", pa.int64()), (1, 3))
    table = pa.table([pa.array([1, 2, 3])], schema=pa.schema([field]))
    batch = batches.from_table(table.slice(1), Schema((Field("a", pa.int64()),)))
    assert batch.column(0).to_pylist() == [2, 3]
    assert range_of(batch.schema.field("a")) == (1, 3)
    assert range_of(batch.slice(1).schema.field("a")) == (1, 3)
