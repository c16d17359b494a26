"""Splitting a batch for an exchange: equal keys go to the same part, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.kernels.hashing import hash_columns

_HALF = np.uint64(32)


def partition_by_hash(
    batch: pa.RecordBatch, keys: Sequence[str], parts: int
) -> list[pa.RecordBatch]:
    """The rows of each part, in input order."""
    if parts == 1:
        return [batch]
    hashes = hash_columns([batches.column(batch, k) for k in keys])
    # the part is the high half of (upper 32 bits x parts): no division
    part_of = ((hashes >> _HALF) * np.uint64(parts)) >> _HALF
    return split(batch, part_of.astype(np.int64), parts)


def split(
    batch: pa.RecordBatch, part_of: np.ndarray[Any, np.dtype[np.int64]], parts: int
) -> list[pa.RecordBatch]:
    """The rows of each part: one gather of the whole batch, then slices of it."""
    sizes = np.bincount(part_of, minlength=parts)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if sizes.max(initial=0) < batch.num_rows:
        batch = batches.take(batch, _part_by_part(part_of, parts))
    return [batch.slice(int(a), int(n)) for a, n in zip(starts, sizes, strict=True)]


def _part_by_part(part_of: np.ndarray[Any, np.dtype[np.int64]], parts: int) -> pa.Array:
    if parts <= 256:
        return pc.sort_indices(pa.array(part_of.astype(np.uint8)))  # a counting sort
    return pa.array(np.argsort(part_of, kind="stable"))
