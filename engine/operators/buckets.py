"""Buckets: work on more rows than may be gathered, one bucket of keys after the other.

Rows are gathered until the operator's space is full. If more come, all of them are parted by the
hash of the keys into files, and each bucket is worked on alone, again in this way, with other bits
of the hash (Grace hash join; Kitsuregawa, Tanaka & Moto-oka 1983). Equal keys are in one bucket, so
work that only looks at rows of equal keys gives the same rows, bucket by bucket.

A bucket that parting does not make smaller, since its rows have one key, is worked on as it is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.exchange.outputs import Outputs, Part, rows_of
from plait.engine.exchange.partition import split
from plait.engine.kernels.hashing import hash_columns
from plait.engine.memory import Weight
from plait.engine.space import Space
from plait.planner.schema import Schema
from plait.planner.types import is_interval, is_nested

_BITS = 4
BUCKETS = 1 << _BITS
LEVELS = 5  # of parting: a million buckets
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth)
_WHOLE = 0.9  # a bucket with this part of the rows has one key, or nearly

Work = Callable[[pa.RecordBatch], pa.RecordBatch]


class Gathered:
    """Rows taken from an iterator until space is full; `all` of them, or there are more."""

    def __init__(self, rows: Iterator[pa.RecordBatch], limit: float) -> None:
        self._taken: deque[pa.RecordBatch] = deque()
        self.more = rows
        self.all = True
        self.rows = 0  # that were taken
        weight = Weight()
        for batch in rows:
            self._taken.append(batch)
            self.rows += batch.num_rows
            if weight.add(batch) > limit:
                self.all = False
                break

    def taken(self, schema: Schema) -> pa.RecordBatch:
        """What was taken, as one batch; not kept here."""
        rows = list(self._taken)
        self._taken.clear()
        return batches.concat(rows, schema)

    def whole(self, schema: Schema) -> pa.RecordBatch:
        """What was taken and all that is left, as one batch; not kept here."""
        return batches.concat(list(self.stream()), schema)

    def stream(self) -> Iterator[pa.RecordBatch]:
        """What was taken, given away piece by piece, and then the rest."""
        while self._taken:
            yield self._taken.popleft()
        yield from self.more


def in_buckets(
    rows: Iterator[pa.RecordBatch],
    schema: Schema,
    keys: Sequence[str],
    work: Work,
    space: Space,
    level: int = 0,
) -> Iterator[pa.RecordBatch]:
    """`work` over all rows at once if they fit, else over one bucket of keys after the other."""
    keys = parting_keys(schema, keys)
    gathered = Gathered(rows, space.limit if keys and level < LEVELS else math.inf)
    if gathered.all:
        yield work(gathered.whole(schema))
        return
    parts = part(gathered.stream(), schema, keys, space, level)
    for bucket, deeper in zip(parts, next_levels(parts, level), strict=True):
        if len(bucket):
            yield from in_buckets(iter(bucket), schema, keys, work, space, deeper)


def parting_keys(schema: Schema, keys: Sequence[str]) -> list[str]:
    """Those of the keys whose hashes are equal where they are."""
    return [k for k in keys if not (is_nested(schema[k].type) or is_interval(schema[k].type))]


def part(
    rows: Iterator[pa.RecordBatch], schema: Schema, keys: Sequence[str], space: Space, level: int
) -> list[Part]:
    """All rows in buckets, in files; each in input order."""
    shift = np.uint64(64 - _BITS * (level + 1))

    def cut(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        hashes = hash_columns([batches.column(batch, k) for k in keys])
        # other bits than those by which exchanges part rows
        own = ((hashes * _ODD) >> shift) & np.uint64(BUCKETS - 1)
        return split(batch, own.astype(np.int32), BUCKETS)

    outputs = Outputs(schema, schema, BUCKETS, cut, lambda _: True, space)
    for batch in rows:
        outputs.add(batch)
    return outputs.finish()


def next_levels(parts: Sequence[Part], level: int) -> list[int]:
    """The level of each bucket: the last one, if parting it again would be in vain."""
    counts = [rows_of(p) for p in parts]
    total = sum(counts)
    return [LEVELS if count > _WHOLE * total else level + 1 for count in counts]
