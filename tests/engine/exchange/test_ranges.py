"""Ranges of a parallel sort: nothing is lost, they follow each other, and they are even."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine import batches
from plait.engine.exchange.places import mark
from plait.engine.exchange.ranges import SAMPLE, cut_ranges, range_bounds, sample
from plait.engine.operators.sort import sort
from plait.planner.expr import Column, SortKey
from plait.planner.schema import Schema
from plait.planner.types import INT64
from tests.engine.random_batches import KINDS, batch_of, column, logical

Kinds = list[tuple[str, str]]
PLACE = SortKey(Column("place", INT64))


@st.composite
def partitioned(draw: st.DrawFn) -> tuple[Kinds, list[pa.RecordBatch], list[SortKey]]:
    """Partitions of random rows that count on in a column `rn`, and keys to sort them by."""
    drawn = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    kinds = [(f"k{i}", kind) for i, kind in enumerate(drawn)]
    keys = [
        SortKey(column(name, kind), draw(st.booleans()), draw(st.booleans()))
        for name, kind in kinds
    ]
    partitions, start = [], 0
    for _ in range(draw(st.sampled_from([1, 2, 7]))):
        batch = draw(batch_of(kinds))
        numbers = pa.array(np.arange(start, start + batch.num_rows))
        partitions.append(batch.append_column("rn", numbers))
        start += batch.num_rows
    return kinds, partitions, keys


def ranges_of(
    partitions: list[pa.RecordBatch], schema: Schema, keys: list[SortKey], parts: int
) -> list[pa.RecordBatch]:
    """The ranges as the stages of a sort make them: sample, bounds, cut, exchange."""
    with_place = Schema.of([*((f.name, f.type) for f in schema), ("place", INT64)])
    marked = [
        batches.concat(list(mark(iter([p]), i, "place")), with_place)
        for i, p in enumerate(partitions)
    ]
    with_weight = Schema.of([*((f.name, f.type) for f in with_place), ("weight", INT64)])
    samples = batches.concat([sample(m, "weight") for m in marked], with_weight)
    full = [*keys, PLACE]
    bounds = range_bounds(samples, full, "weight", parts)
    assert bounds.num_rows < parts
    cut = [cut_ranges(m, full, bounds, schema.names, parts) for m in marked]
    assert {len(pieces) for pieces in cut} == {parts}
    return [batches.concat(list(pieces), schema) for pieces in zip(*cut, strict=True)]


@given(partitioned(), st.integers(2, 5))
@settings(max_examples=50)
def test_sorted_ranges_are_the_sorted_whole(
    case: tuple[Kinds, list[pa.RecordBatch], list[SortKey]], parts: int
) -> None:
    kinds, partitions, keys = case
    schema = Schema.of([*((name, logical(kind)) for name, kind in kinds), ("rn", INT64)])
    ranges = ranges_of(partitions, schema, keys, parts)
    after = [r for piece in ranges for r in sort(piece, keys)["rn"].to_pylist()]
    assert after == sort(batches.concat(partitions, schema), keys)["rn"].to_pylist()


@pytest.mark.parametrize("values", ["one", "two", "skewed", "random", "rising"])
def test_ranges_are_even_whatever_the_values(values: str) -> None:
    random = np.random.default_rng(3)
    rows = 60_000
    made = {
        "one": np.zeros(rows, np.int64),
        "two": np.arange(rows) % 2,
        "skewed": np.where(random.random(rows) < 0.9, 5, random.integers(0, 10**9, rows)),
        "random": random.integers(0, 2**60, rows),
        "rising": np.arange(rows),
    }[values]
    whole = pa.record_batch({"k": made, "rn": np.arange(rows)})
    # partitions of very different sizes
    partitions = [whole.slice(0, 100), whole.slice(100, 50_000), whole.slice(50_100)]
    schema = Schema.of([("k", INT64), ("rn", INT64)])
    keys = [SortKey(Column("k", INT64), descending=True)]
    ranges = ranges_of(partitions, schema, keys, 4)
    assert all(0.9 * rows / 4 < piece.num_rows < 1.1 * rows / 4 for piece in ranges)
    after = np.concatenate([sort(piece, keys)["rn"].to_numpy() for piece in ranges])
    assert (after == np.argsort(-made, kind="stable")).all()


def test_a_sample_is_spread_over_the_rows_and_stands_for_all() -> None:
    rows = 100 * SAMPLE + 17
    picked = sample(pa.record_batch({"i": np.arange(rows)}), "weight")
    assert picked.num_rows == SAMPLE
    assert sum(picked["weight"].to_pylist()) == rows
    stretches = picked["i"].to_numpy() * SAMPLE // rows
    assert (np.diff(stretches) >= 0).all()
    assert len(np.unique(stretches)) > 0.98 * SAMPLE
    few = sample(pa.record_batch({"i": [4, 2, 9]}), "weight")
    assert few.to_pydict() == {"i": [4, 2, 9], "weight": [1, 1, 1]}


def test_no_rows_anywhere() -> None:
    schema = Schema.of([("k", INT64)])
    empty = batches.empty(schema)
    ranges = ranges_of([empty, empty], schema, [SortKey(Column("k", INT64))], 3)
    assert [piece.num_rows for piece in ranges] == [0, 0, 0]
