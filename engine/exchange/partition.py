"""Splitting a batch for an exchange: equal keys go to the same part, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.hashing import hash_columns


def partition_by_hash(
    batch: pa.RecordBatch, keys: Sequence[str], parts: int
) -> list[pa.RecordBatch]:
    """The rows of each part, in input order."""
    if parts == 1:
        return [batch]
    hashes = hash_columns([batches.column(batch, k) for k in keys])
    return split(batch, ((hashes >> np.uint64(32)) % np.uint64(parts)).astype(np.int64), parts)


def split(
    batch: pa.RecordBatch, part_of: np.ndarray[Any, np.dtype[np.int64]], parts: int
) -> list[pa.RecordBatch]:
    """The rows of each part: one gather of the whole batch, then slices of it."""
    small = part_of.astype(np.uint8 if parts <= 256 else np.uint32)
    order = np.argsort(small, kind="stable")  # a radix sort for 8-bit numbers
    ends = np.cumsum(np.bincount(part_of, minlength=parts))
    moved = batches.take(batch, pa.array(order))
    starts = np.concatenate(([0], ends[:-1]))
    return [moved.slice(int(a), int(b - a)) for a, b in zip(starts, ends, strict=True)]
