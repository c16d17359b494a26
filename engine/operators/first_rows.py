"""FirstRows: those rows that may be among the first of their group, the others left out.

What must not be lost are the first rows of each group, in the order of all rows; more may stay. So
rows are looked at as many at a time as may be gathered, and few of them, or those whose order takes
more than 64 bits to tell, all stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.codegen.first_rows import first_of_cells
from plait.engine.kernels.grouping import cells_of
from plait.engine.kernels.layout import column_of
from plait.engine.kernels.sorting import sort_words
from plait.engine.kernels.views import Ints
from plait.engine.operators.buckets import Gathered
from plait.planner.expr import SortKey
from plait.planner.physical.operators import FirstRows

MANY = 50_000  # rows, from which on the loop pays, even if it has to be compiled


def first_rows(
    op: FirstRows, rows: Iterator[pa.RecordBatch], limit: float
) -> Iterator[pa.RecordBatch]:
    """The rows that may be among the first `op.most` of their group, in order."""
    more = True
    while more:
        gathered = Gathered(rows, limit)
        more = not gathered.all
        some = gathered.taken(op.schema)
        if some.num_rows:
            yield _first(op, some)


def _first(op: FirstRows, batch: pa.RecordBatch) -> pa.RecordBatch:
    if not MANY <= batch.num_rows < 1 << 31:
        return batch
    words = _one_word(batch, op.order_by)
    if words is None:
        return batch
    cells, count = cells_of([column_of(batch, e) for e in op.partition_by])
    found = first_of_cells(cells, count, words, op.most)
    return batch if len(found) == batch.num_rows else batches.take(batch, pa.array(found))


def _one_word(batch: pa.RecordBatch, keys: Sequence[SortKey]) -> Ints | None:
    """The keys side by side in one word; None if they take several."""
    total, bits = np.zeros(batch.num_rows, np.uint64), 0
    for key in keys:
        column = column_of(batch, key.expr)
        for word in sort_words(column, key.descending, key.nulls_first):
            bits += word.bits
            if bits > 64:
                return None
            values = word.read(None)
            total = values if bits == word.bits else (total << np.uint64(word.bits)) | values
    return np.ascontiguousarray(total, np.uint64)
