"""Sort: rows in order, or the first rows of an order."""

from __future__ import annotations

from collections.abc import Sequence

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
