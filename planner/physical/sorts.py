"""Sorts: of few rows in one task, of many by ranges.

Every partition is sampled, the samples give the bounds between ranges, every partition is cut at
them, and each range is sorted alone; the ranges follow each other. Cutting first moves rows once
more than one large sort does, but then each task sorts and moves what it has in its cache, or at
least in its memory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from plait.planner.expr import Column, SortKey, columns_of
from plait.planner.logical import Sort
from plait.planner.physical.operators import (
    CutRanges,
    LimitRows,
    MarkRows,
    PhysicalOp,
    RangeBounds,
    ReadStage,
    SampleRows,
    SortRows,
)
from plait.planner.physical.pieces import Piece, compute, fresh_name, keep, with_key_columns
from plait.planner.physical.stages import Output
from plait.planner.schema import Schema
from plait.planner.types import INT64

if TYPE_CHECKING:  # the planner calls lower_sort and passes itself
    from plait.planner.physical.planner import StagePlanner


def lower_sort(planner: StagePlanner, plan: Sort, need: frozenset[str]) -> Piece:
    """A sort, or the first rows of an order."""
    child = planner.lower(plan.input, need | columns_of(plan.keys))
    child, columns = with_key_columns(child, [k.expr for k in plan.keys])
    keys = tuple(replace(k, expr=columns[k.expr]) for k in plan.keys)
    schema, limit = child.op.schema, plan.limit
    few = limit is not None and limit <= planner.settings.gather_rows
    parts = 1 if few else planner.tasks_for(child)
    if parts == 1:
        if limit is not None and child.partitions > 1:
            child = replace(child, op=SortRows(schema, child.op, keys, limit))
        child = planner.gather(child)
        return replace(child, op=SortRows(schema, child.op, keys, limit))
    ranges = _ranges(planner, child, keys, parts)
    ordered = replace(ranges, op=SortRows(schema, ranges.op, keys, limit))
    if limit is None:
        return ordered
    ordered = planner.gather(ordered)
    return replace(ordered, op=LimitRows(schema, ordered.op, limit))


def _ranges(planner: StagePlanner, child: Piece, keys: tuple[SortKey, ...], parts: int) -> Piece:
    """The rows in ranges that follow each other, each in input order."""
    schema = child.op.schema
    taken = set(schema.names)
    place, weight = fresh_name(taken), fresh_name(taken)
    rows = planner.at_home(child)
    # places tell equal rows apart, so that any number of them can be shared out
    cut_keys = (*keys, SortKey(Column(place, INT64)))
    only_keys = tuple(dict.fromkeys(k.expr.name for k in keys if isinstance(k.expr, Column)))
    sampled = _marked(compute(rows.op, keep(schema, only_keys)), place)
    with_weight = Schema.of([*((f.name, f.type) for f in sampled.schema), (weight, INT64)])
    op: PhysicalOp = SampleRows(with_weight, sampled, weight)
    samples = planner.gather(replace(rows, op=op, rows=None))
    op = RangeBounds(with_weight, samples.op, cut_keys, weight, parts)
    bounds = planner.cut(replace(samples, op=op), Output())
    reads = ReadStage(with_weight, (bounds,), "all")
    op = CutRanges(schema, _marked(rows.op, place), cut_keys, reads)
    stage = planner.cut(replace(rows, op=op), Output("range", (), parts))
    return Piece(ReadStage(schema, (stage,), "part"), parts, rows=child.rows)


def _marked(op: PhysicalOp, place: str) -> MarkRows:
    fields = [(f.name, f.type) for f in op.schema]
    return MarkRows(Schema.of([*fields, (place, INT64)]), op, place)
