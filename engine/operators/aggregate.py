"""Aggregate: one row for each group of equal keys, in order of first appearance."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.aggregate import compute
from plait.engine.kernels.arguments import Source
from plait.engine.kernels.grouping import group, single_group
from plait.engine.kernels.segments import Segments
from plait.planner.expr import AggregateCall


def aggregate(
    batch: pa.RecordBatch, keys: Sequence[str], calls: Sequence[tuple[str, AggregateCall]]
) -> pa.RecordBatch:
    """Keys, then aggregates. NULL is a key like any other; without keys there is always one row."""
    arrays = [batches.column(batch, name) for name in keys]
    groups = group(arrays) if arrays else single_group(batch.num_rows)
    source = Source(batch, Segments.of(groups, folds=len(calls)))
    first = pa.array(groups.first)
    columns = [a.take(first) for a in arrays]
    columns += [compute(source, call) for _, call in calls]
    return batches.make([*keys, *(name for name, _ in calls)], columns, groups.count)
