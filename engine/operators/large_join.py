"""Joins whose build side is more than may be gathered.

Both sides are parted by their keys and joined bucket by bucket. All kinds of join look only at rows
of equal keys, NULL being a key, so each bucket is a join of the same kind. Where there is nothing
to part by (no keys, one key for all rows, or NULLs that concern every row) the build side is taken
in pieces, with one pass over the probe side for each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from plait.engine.exchange.outputs import Outputs, Part
from plait.engine.kernels.keys import Bools
from plait.engine.operators.buckets import LEVELS, Gathered, next_levels, part, parting_keys
from plait.engine.operators.join import JoinTable, Prober, join
from plait.engine.space import Space
from plait.planner.physical.operators import HashJoin
from plait.planner.schema import Schema


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
    gathered = Gathered(build, space.limit)
    if gathered.all:
        yield from join(op, probe, JoinTable(gathered.whole(schema)))
        return
    if not pairs or level >= LEVELS:
        yield from _in_passes(op, probe, gathered, space)
        return
    probe_keys, build_keys = zip(*pairs, strict=True)
    builds = part(gathered.stream(), schema, build_keys, space, level)
    probes = part(probe, op.probe.schema, probe_keys, space, level)
    levels = next_levels(builds, level)
    for probe_rows, build_rows, deeper in zip(probes, builds, levels, strict=True):
        if len(probe_rows) or len(build_rows):
            yield from join_in_buckets(op, iter(probe_rows), iter(build_rows), space, deeper)


def _in_passes(
    op: HashJoin, probe: Iterator[pa.RecordBatch], build: Gathered, space: Space
) -> Iterator[pa.RecordBatch]:
    """All rows of the join, by several tables one after the other."""
    again = _reread(op.probe.schema, probe, space)
    marks: list[tuple[Bools, Bools]] = []  # of each batch: what has a match, what may have one
    while True:
        prober = Prober(op, JoinTable(build.taken(op.build.schema)))
        for number, batch in enumerate(again):
            if number == len(marks):
                marks.append((np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)))
            yield from prober.visit(batch, *marks[number])
        yield from prober.rest()
        if build.all:
            break
        build = Gathered(build.more, space.limit)
    for batch, mark in zip(again, marks, strict=True):
        yield from prober.settle(batch, *mark)


def _reread(schema: Schema, rows: Iterator[pa.RecordBatch], space: Space) -> Part:
    """The rows in a file, to be read several times, each time as the same batches."""
    outputs = Outputs(schema, schema, 1, None, lambda _: True, space)
    for batch in rows:
        outputs.add(batch)
    return outputs.finish()[0]


def _parting_pairs(op: HashJoin) -> list[tuple[str, str]]:
    """Keys of both sides that have equal hashes where they match."""
    if op.in_probe:
        return []
    pairs = zip(op.probe_keys, op.build_keys, strict=True)
    return [
        (a, b)
        for a, b in pairs
        if parting_keys(op.probe.schema, [a]) and parting_keys(op.build.schema, [b])
    ]
