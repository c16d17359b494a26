"""Joins whose build side is more than may be gathered.

Both sides are parted by their keys and joined bucket by bucket. All kinds of join look only at rows
of equal keys, NULL being a key, so each bucket is a join of the same kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pyarrow as pa

from plait.engine.operators.buckets import LEVELS, Gathered, next_levels, part, parting_keys
from plait.engine.operators.join import JoinTable, join
from plait.engine.space import Space
from plait.planner.physical.operators import HashJoin


def join_in_buckets(
    op: HashJoin,
    probe: Iterator[pa.RecordBatch],
    build: Iterator[pa.RecordBatch],
    space: Space,
    level: int = 0,
) -> Iterator[pa.RecordBatch]:
    """All rows of the join; by one table if the build side fits, else bucket by bucket."""
    pairs = _parting_pairs(op)
    schema = op.build.schema
    gathered = Gathered(build, space.limit if pairs and level < LEVELS else math.inf)
    if gathered.all:
        yield from join(op, probe, JoinTable(gathered.whole(schema)))
        return
    probe_keys, build_keys = zip(*pairs, strict=True)
    builds = part(gathered.stream(), schema, build_keys, space, level)
    probes = part(probe, op.probe.schema, probe_keys, space, level)
    levels = next_levels(builds, level)
    for probe_rows, build_rows, deeper in zip(probes, builds, levels, strict=True):
        if len(probe_rows) or len(build_rows):
            yield from join_in_buckets(op, iter(probe_rows), iter(build_rows), space, deeper)


def _parting_pairs(op: HashJoin) -> list[tuple[str, str]]:
    """Keys of both sides that have equal hashes where they match."""
    pairs = zip(op.probe_keys, op.build_keys, strict=True)
    return [
        (a, b)
        for a, b in pairs
        if parting_keys(op.probe.schema, [a]) and parting_keys(op.build.schema, [b])
    ]
