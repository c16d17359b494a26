"""Places: rows that went to other partitions are known again at home."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from plait.engine import batches
from plait.engine.exchange.partition import split
from plait.engine.exchange.places import mark, restore, send_home
from plait.planner.schema import Schema
from plait.planner.types import INT64, STRING

NARROW = Schema.of([("text", STRING), ("place", INT64)])


def away_and_home(
    partitions: Sequence[pa.RecordBatch], bucket_of: np.ndarray, buckets: int
) -> list[list[pa.RecordBatch]]:
    """For each partition what comes home of it from each bucket, the texts in upper case."""
    parts: list[list[pa.RecordBatch]] = [[] for _ in range(buckets)]
    start = 0
    for number, rows in enumerate(partitions):
        halves = [rows.slice(0, rows.num_rows // 2), rows.slice(rows.num_rows // 2)]
        marked = batches.concat(list(mark(iter(halves), number, "place")), NARROW)
        stop = start + rows.num_rows
        for bucket, part in enumerate(split(marked, bucket_of[start:stop], buckets)):
            parts[bucket].append(part)
        start = stop
    homes = [send_home(batches.concat(p, NARROW), "place", len(partitions)) for p in parts]
    return [list(of_one) for of_one in zip(*homes, strict=True)]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(1, 4), st.randoms())
def test_every_row_gets_back_its_own(sizes: list[int], buckets: int, random: object) -> None:
    generator = np.random.default_rng(random.randint(0, 1000))  # type: ignore[attr-defined]
    total = sum(sizes)
    bucket_of = generator.integers(0, buckets, total)
    texts = [f"row {i}" for i in range(total)]
    ends = np.cumsum(sizes)
    partitions = [
        pa.record_batch({"text": pa.array(texts[e - n : e], pa.string())})
        for e, n in zip(ends, sizes, strict=True)
    ]
    for rows, found in zip(partitions, away_and_home(partitions, bucket_of, buckets), strict=True):
        renamed = [f.rename_columns(["again", "place"]) for f in found]
        known = Schema.of([("again", STRING), ("place", INT64)])
        halves = iter([rows.slice(0, 3), rows.slice(3)])
        pieces = list(restore(halves, batches.concat(renamed, known), "place"))
        both = pa.Table.from_batches(pieces)
        assert both["again"].equals(both["text"])
        assert both["text"].combine_chunks().equals(rows["text"])


def test_rows_that_were_not_found_are_left_out() -> None:
    rows = pa.record_batch({"text": ["a", "b", "c", "d"]})
    (marked,) = mark(iter([rows]), 3, "place")
    found = marked.take(pa.array([2, 0])).select(["place"])
    (some,) = restore(iter([rows]), found, "place")
    assert some.to_pydict() == {"text": ["a", "c"]}
    (none,) = restore(iter([rows]), found.slice(0, 0), "place")
    assert none.num_rows == 0
