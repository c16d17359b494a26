"""Top-n: the first few rows of an order, kept from batch to batch.

Most rows are told by their first key alone to come too late: by the last of the rows kept so far,
or by a sample. If `limit` rows of a sample of a batch are at or before some value, so are at least
as many of all its rows, and those behind it need not be looked at. What is left is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.keys import view
from plait.engine.kernels.views import Bools, Ints, is_stored, stored, validity
from plait.engine.operators.sort import column_name, sort
from plait.planner.expr import SortKey
from plait.planner.schema import Schema

FEW = 1 << 12
"""A limit up to which rows are kept from batch to batch."""

_AT_ONCE = 4 * FEW  # rows that are sorted together
_SAMPLE = 1 << 14
_MOST = 8  # times less than a sample is a limit for which it says something


def first_rows(
    rows: Iterator[pa.RecordBatch], schema: Schema, keys: Sequence[SortKey], limit: int
) -> pa.RecordBatch:
    """The first `limit` rows in order of the keys, equal rows in input order."""
    kept: list[pa.RecordBatch] = []
    count = 0
    bound: pa.RecordBatch | None = None  # the first rows so far, if there are enough
    for batch in rows if limit else ():
        kept.append(_without_late(batch, keys[0], limit, bound))
        count += kept[-1].num_rows
        if count > _AT_ONCE:
            bound = sort(batches.concat(kept, schema), keys, limit)
            kept, count = [bound], bound.num_rows
    return sort(batches.concat(kept, schema), keys, limit)


def _without_late(
    batch: pa.RecordBatch, key: SortKey, limit: int, bound: pa.RecordBatch | None
) -> pa.RecordBatch:
    """The batch without rows whose first key is behind the last of `bound`, or that of a sample."""
    name = column_name(key.expr)
    column = batches.column(batch, name)
    values = _numbers(column)
    if values is None:
        return batch
    valid = validity(column)
    last = None if bound is None else _last(batches.column(bound, name), column.type)
    if last is None:
        last = _of_sample(values, valid, key, limit)
    if last is None:
        return batch
    # NaN is the greatest: not at or before anything upwards, and behind nothing downwards
    early = ~(values < last) if key.descending else values <= last
    if valid is not None:
        early = early | ~valid if key.nulls_first else early & valid
    if early.all():
        return batch
    return batches.take(batch, pa.array(np.flatnonzero(early)))


def _numbers(column: pa.Array) -> Ints | None:
    """Numbers in the order of the values, without work; None if there are none."""
    t = column.type
    if pa.types.is_decimal128(t) and t.precision <= 18:
        return view(column, t)["low"]
    return stored(column) if is_stored(t) else None


def _last(column: pa.Array, dtype: pa.DataType) -> Any:
    """The number of the last value; None for NULL, and where it is in another encoding."""
    values = _numbers(column)
    if values is None or column.type != dtype or not column[-1].is_valid:
        return None
    return values[-1]


def _of_sample(values: Ints, valid: Bools | None, key: SortKey, limit: int) -> Any:
    """A number that so many rows are at or before; None if a sample cannot tell."""
    if len(values) < 2 * _SAMPLE or limit * _MOST > _SAMPLE:
        return None
    some = slice(None, None, len(values) // _SAMPLE)  # from everywhere: rows may be in order
    sample = values[some] if valid is None else values[some][valid[some]]
    if len(sample) < limit:
        return None
    place = len(sample) - limit if key.descending else limit - 1
    return np.partition(sample, place)[place]
