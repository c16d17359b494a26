"""Ranges: rows cut so that each part can be sorted alone and the parts follow each other.

Every partition gives a sample of its rows; the bounds between ranges are rows of the samples. Keys
end with the row's place, so no two rows are equal: however often one value comes, its rows are
shared out, and rows with equal keys keep their order over the ranges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.exchange.partition import split
from plait.engine.kernels.sorting import below_each, order_of
from plait.engine.kernels.views import Ints, stored
from plait.engine.operators.sort import column_name, key_words
from plait.planner.expr import SortKey

SAMPLE = 1024  # rows of a partition: of a few million rows, ranges differ by some percent


def sample(batch: pa.RecordBatch, weight: str) -> pa.RecordBatch:
    """At most SAMPLE of the rows, and how many rows each stands for.

    One row of each of SAMPLE equal stretches, anywhere in it: data may repeat in any rhythm.
    """
    rows = batch.num_rows
    count = min(rows, SAMPLE)
    edges = np.arange(count + 1) * rows // max(count, 1)
    sizes = np.diff(edges)
    random = np.random.default_rng(rows)
    chosen = edges[:-1] + (random.random(count) * sizes).astype(np.int64)
    picked = batches.take(batch, pa.array(chosen))
    return batches.make(
        [*picked.schema.names, weight], [*picked.columns, pa.array(sizes, pa.int64())], count
    )


def range_bounds(
    samples: pa.RecordBatch, keys: Sequence[SortKey], weight: str, parts: int
) -> pa.RecordBatch:
    """Rows that cut the sampled rows into `parts` ranges of about equally many; fewer if few."""
    order = order_of(key_words(samples, keys), samples.num_rows)
    before = np.cumsum(stored(batches.column(samples, weight))[order])
    if not len(order):
        return samples
    cuts = np.searchsorted(before, np.arange(1, parts) * before[-1] // parts, side="right")
    chosen = order[np.unique(np.minimum(cuts, len(order) - 1))]
    return batches.take(samples, pa.array(chosen))


def cut_ranges(
    batch: pa.RecordBatch,
    keys: Sequence[SortKey],
    bounds: pa.RecordBatch,
    names: Sequence[str],
    parts: int,
) -> list[pa.RecordBatch]:
    """The columns `names` of the rows below the first bound, from it to below the second, ...

    Each in input order; the last of the `parts` are empty if there are fewer bounds.
    """
    columns = batch.select(list(names))
    if not bounds.num_rows or not batch.num_rows:
        return [columns, *(columns.slice(0, 0) for _ in range(parts - 1))]
    return split(columns, _part_of(batch, keys, bounds).astype(np.int32), parts)


def _part_of(batch: pa.RecordBatch, keys: Sequence[SortKey], bounds: pa.RecordBatch) -> Ints:
    """How many bounds are at or below each row.

    Bounds and rows are made words together, so any types and directions compare as in a sort.
    """
    types = {column_name(k.expr): k.expr.dtype for k in keys}
    columns = [
        batches.concat_arrays([batches.column(b, name) for b in (bounds, batch)], dtype)
        for name, dtype in types.items()
    ]
    both = batches.make(list(types), columns, bounds.num_rows + batch.num_rows)
    return below_each(key_words(both, keys), bounds.num_rows, both.num_rows)
