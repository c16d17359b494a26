"""Sorts of more rows than may be gathered: range after range.

The rows go to a file and are sampled on their way; bounds between ranges are taken from the
samples; the rows are read again and cut at them into one part a range, in a second file; each range
is sorted in memory, and the ranges follow each other. Places tell equal rows apart, so that ranges
are of about one size whatever the keys are, and equal rows keep their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from plait.engine import batches
from plait.engine.exchange.outputs import Outputs, Part
from plait.engine.exchange.places import mark
from plait.engine.exchange.ranges import cut_ranges, range_bounds, sample
from plait.engine.memory import Weight
from plait.engine.operators.buckets import Gathered, in_buckets
from plait.engine.operators.sort import column_name, sort
from plait.engine.operators.top import FEW, first_rows
from plait.engine.space import Space
from plait.planner.expr import Column, SortKey
from plait.planner.physical.pieces import fresh_name
from plait.planner.schema import Schema
from plait.planner.types import INT64


def sort_rows(
    rows: Iterator[pa.RecordBatch],
    schema: Schema,
    keys: Sequence[SortKey],
    limit: int | None,
    space: Space,
) -> Iterator[pa.RecordBatch]:
    """The rows in order, or the first `limit` of them; in memory if they fit."""
    if limit is not None and limit <= FEW:
        yield first_rows(rows, schema, keys, limit)
        return
    gathered = Gathered(rows, space.limit)
    if gathered.all:
        yield sort(gathered.whole(schema), keys, limit)
        return
    if limit is not None and 2 * limit <= gathered.rows:
        yield _first(gathered, schema, keys, limit)
        return
    left = math.inf if limit is None else limit
    for batch in _in_ranges(_Sort(schema, keys, space), gathered.stream()):
        yield batch if batch.num_rows <= left else batch.slice(0, int(left))
        left -= batch.num_rows
        if left <= 0:
            return


def _first(
    gathered: Gathered, schema: Schema, keys: Sequence[SortKey], limit: int
) -> pa.RecordBatch:
    """The first `limit` rows, of which there are few: kept from batch to batch."""
    first = batches.empty(schema)
    for batch in gathered.stream():
        first = batches.concat([first, batch], schema)
        if first.num_rows > 2 * limit:
            first = sort(first, keys, limit)
    return sort(first, keys, limit)


@dataclass(frozen=True)
class _Sort:
    schema: Schema
    keys: Sequence[SortKey]
    space: Space

    @property
    def place(self) -> str:
        """The name of the rows' places."""
        return fresh_name(set(self.schema.names))

    @property
    def marked(self) -> Schema:
        """The schema with the rows' places."""
        return with_place(self.schema, self.place)

    @property
    def cut_keys(self) -> tuple[SortKey, ...]:
        """Keys of which no two rows have the same."""
        return (*self.keys, SortKey(Column(self.place, INT64)))


def _in_ranges(job: _Sort, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    names = list(dict.fromkeys(column_name(k.expr) for k in job.cut_keys))
    weight = fresh_name(set(names))
    samples: list[pa.RecordBatch] = []
    size = 0

    def sampled() -> Iterator[pa.RecordBatch]:
        nonlocal size
        for batch in mark(rows, 0, job.place):
            samples.append(sample(batch.select(names), weight))
            size += Weight().add(batch)
            yield batch

    (whole,) = _to_file(job, job.marked, 1, None, sampled())
    fields = [(n, job.marked[n].type) for n in names]
    few = batches.concat(samples, Schema.of([*fields, (weight, INT64)]))
    parts = max(2, math.ceil(2 * size / job.space.limit))
    bounds = range_bounds(few, job.cut_keys, weight, parts)

    def cut(batch: pa.RecordBatch) -> Sequence[pa.RecordBatch]:
        return cut_ranges(batch, job.cut_keys, bounds, job.schema.names, parts)

    ranges = _to_file(job, job.schema, parts, cut, iter(whole))
    del whole
    for part in ranges:
        yield sort(batches.concat(list(part), job.schema), job.keys)


def _to_file(
    job: _Sort,
    gives: Schema,
    parts: int,
    cut: Callable[[pa.RecordBatch], Sequence[pa.RecordBatch]] | None,
    rows: Iterator[pa.RecordBatch],
) -> list[Part]:
    outputs = Outputs(job.marked, gives, parts, cut, lambda _: True, job.space)
    for batch in rows:
        outputs.add(batch)
    return outputs.finish()


def in_buckets_in_order(
    rows: Iterator[pa.RecordBatch],
    schema: Schema,
    gives: Schema,
    keys: Sequence[str],
    work: Callable[[pa.RecordBatch], pa.RecordBatch],
    space: Space,
) -> Iterator[pa.RecordBatch]:
    """As `in_buckets`, with what `work` gives in the order of the rows.

    `work` keeps rows in their order and may drop some and add columns.
    """
    gathered = Gathered(rows, space.limit if keys else math.inf)
    if gathered.all:
        yield work(gathered.whole(schema))
        return
    place = fresh_name({*schema.names, *gives.names})
    marked = mark(gathered.stream(), 0, place)
    done = in_buckets(marked, with_place(schema, place), keys, work, space)
    in_order = [SortKey(Column(place, INT64))]
    for batch in sort_rows(done, with_place(gives, place), in_order, None, space):
        yield batch.select(list(gives.names))


def with_place(schema: Schema, place: str) -> Schema:
    """The schema with the rows' places as a last column."""
    return Schema.of([*((f.name, f.type) for f in schema), (place, INT64)])
