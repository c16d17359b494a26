"""Splitting a batch for an exchange: equal keys go to the same part, on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.codegen import scatter
from plait.engine.kernels.hashing import hash_columns
from plait.engine.kernels.keys import view
from plait.engine.kernels.views import is_stored, stored

_HALF = np.uint64(32)


def partition_by_hash(
    batch: pa.RecordBatch, keys: Sequence[str], parts: int
) -> list[pa.RecordBatch]:
    """The rows of each part, in input order."""
    if parts == 1:
        return [batch]
    hashes = hash_columns([batches.column(batch, k) for k in keys])
    if len(hashes) >= scatter.LONG:
        return split(batch, scatter.parts_of(hashes, parts), parts)
    # the part is the high half of (upper 32 bits x parts): no division
    part_of = ((hashes >> _HALF) * np.uint64(parts)) >> _HALF
    return split(batch, part_of.astype(np.int32), parts)


def split(batch: pa.RecordBatch, part_of: scatter.Parts, parts: int) -> list[pa.RecordBatch]:
    """The rows of each part: the whole batch part by part, then slices of it."""
    many = batch.num_rows >= scatter.LONG
    if many:
        sizes = scatter.counts_of(part_of, parts)
    else:
        sizes = np.bincount(part_of, minlength=parts)
    starts = np.cumsum(sizes) - sizes
    if sizes.max(initial=0) < batch.num_rows:
        arrange = _scattered if many else _gathered
        batch = arrange(batch, part_of, starts)
    return [batch.slice(int(a), int(n)) for a, n in zip(starts, sizes, strict=True)]


def _gathered(
    batch: pa.RecordBatch, part_of: scatter.Parts, starts: scatter.Counts
) -> pa.RecordBatch:
    if len(starts) <= 256:
        order = pc.sort_indices(pa.array(part_of.astype(np.uint8)))  # a counting sort
    else:
        order = pa.array(np.argsort(part_of, kind="stable"))
    return batches.take(batch, order)


def _scattered(
    batch: pa.RecordBatch, part_of: scatter.Parts, starts: scatter.Counts
) -> pa.RecordBatch:
    order: pa.Array | None = None
    columns = []
    for column in batch.columns:
        made = _column_scattered(column, part_of, starts)
        if made is None:
            if order is None:
                order = pa.array(scatter.places(part_of, starts))
            made = pc.take(column, order, boundscheck=False)
        columns.append(made)
    if not columns:
        return batch
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)  # what is known of it too


def _column_scattered(
    column: pa.Array, part_of: scatter.Parts, starts: scatter.Counts
) -> pa.Array | None:
    """The column part by part; None unless it is of values of one width without NULLs."""
    if isinstance(column, pa.DictionaryArray):
        codes = _column_scattered(column.indices, part_of, starts)
        if codes is None:
            return None
        return pa.DictionaryArray.from_arrays(codes, column.dictionary, safe=False)
    t = column.type
    wide = pa.types.is_decimal128(t)
    if column.null_count or not (wide or is_stored(t)) or pa.types.is_boolean(t):
        return None
    values = view(column, t) if wide else stored(column)
    data = pa.py_buffer(scatter.scattered(values, part_of, starts))
    return pa.Array.from_buffers(t, len(column), [None, data])
