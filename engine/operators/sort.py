"""Sort: rows in order, the first rows of an order, and rows cut into ranges for a parallel sort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.sorting import first_of, order_of, sort_words
from plait.engine.kernels.views import Ints
from plait.engine.kernels.words import Word
from plait.errors import PlanError
from plait.planner.expr import Column, Expr, SortKey


def sort(
    batch: pa.RecordBatch, keys: Sequence[SortKey], limit: int | None = None
) -> pa.RecordBatch:
    """The rows in order of the keys, equal rows in input order; at most `limit` of them."""
    if limit is None:
        order = sort_indices(batch, keys)
        in_order = len(order) < 2 or bool((order[1:] > order[:-1]).all())
        return batch if in_order else _rows(batch, order)
    return _rows(batch, first_of(key_words(batch, keys), batch.num_rows, limit))


def sort_indices(batch: pa.RecordBatch, keys: Sequence[SortKey]) -> Ints:
    """The row numbers in order of the keys; equal rows keep their order."""
    return order_of(key_words(batch, keys), batch.num_rows)


def key_words(batch: pa.RecordBatch, keys: Sequence[SortKey]) -> list[Word]:
    """The sort keys' columns as words to be compared."""
    return [
        word
        for key in keys
        for word in sort_words(batch.column(column_name(key.expr)), key.descending, key.nulls_first)
    ]


def column_name(expr: Expr) -> str:
    """The column an operator's expression names; the planner computes all others before."""
    if not isinstance(expr, Column):
        raise PlanError(f"An operator takes columns, and {expr} is none: compute it before")
    return expr.name


def _rows(batch: pa.RecordBatch, rows: Ints) -> pa.RecordBatch:
    return batches.take(batch, pa.array(rows))


def range_bounds(
    samples: Sequence[pa.RecordBatch], keys: Sequence[SortKey], parts: int
) -> pa.RecordBatch:
    """Rows that cut the samples into `parts` ranges of about equally many rows; fewer if equal."""
    rows = pa.Table.from_batches(samples).combine_chunks()
    names = list(dict.fromkeys(column_name(k.expr) for k in keys))
    batch = single_batch(rows.select(names))
    words = key_words(batch, keys)
    order = order_of(words, batch.num_rows)
    cuts = order[np.arange(1, parts) * len(order) // parts] if len(order) else order
    chosen = _rows(batch, cuts)
    return _rows(chosen, _distinct_neighbours(chosen, keys))


def single_batch(table: pa.Table) -> pa.RecordBatch:
    """A table as one batch, with rows even when it has no columns."""
    if not table.num_columns:
        return pa.RecordBatch.from_arrays([pa.nulls(table.num_rows)], names=["_"]).select([])
    columns = [
        c.chunk(0)
        if c.num_chunks == 1
        else pa.concat_arrays(c.chunks)
        if c.num_chunks
        else pa.array([], c.type)
        for c in table.unify_dictionaries().columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=table.column_names)


def _distinct_neighbours(batch: pa.RecordBatch, keys: Sequence[SortKey]) -> Ints:
    different = np.ones(batch.num_rows, np.bool_)
    if batch.num_rows > 1:
        different[1:] = False
        for word in key_words(batch, keys):
            values = word.read(None)
            different[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(different)


def partition_by_ranges(
    batch: pa.RecordBatch, keys: Sequence[SortKey], bounds: pa.RecordBatch
) -> list[pa.RecordBatch]:
    """The rows below the first bound, from it to below the second, ...; each in input order.

    All bounds and rows are ranked together, so any types and directions compare as in a sort.
    """
    names = list(dict.fromkeys(column_name(k.expr) for k in keys))
    both = single_batch(
        pa.concat_tables(
            [
                pa.Table.from_batches([bounds.select(names)]),
                pa.Table.from_batches([batch.select(names)]),
            ],
            promote_options="permissive",
        )
    )
    cuts = bounds.num_rows
    order = sort_indices(both, keys)
    # a bound stands before the rows equal to it, since it came first
    is_bound = order < cuts
    part = np.cumsum(is_bound)
    rows, part = order[~is_bound] - cuts, part[~is_bound]
    result = []
    for i in range(cuts + 1):
        here = np.sort(rows[part == i])
        result.append(batch if len(here) == batch.num_rows else _rows(batch, here))
    return result
