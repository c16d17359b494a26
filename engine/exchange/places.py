"""Places: how rows find back home after an exchange.

What is found out about rows in other partitions (a window's values, whether a row is a duplicate)
goes there with the few columns it needs and comes back with the place alone. The rows themselves
stay, in their order and in all their columns, until their partition is put together again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.codegen.radix import order_of_numbers
from plait.engine.kernels.views import stored

_ROW_BITS = 40  # of a place: a million million rows in each of eight million partitions


def mark(rows: Iterator[pa.RecordBatch], partition: int, name: str) -> Iterator[pa.RecordBatch]:
    """The batches with their rows' places as a last column."""
    next_place = partition << _ROW_BITS
    for batch in rows:
        count = batch.num_rows
        places = pa.array(np.arange(next_place, next_place + count))
        next_place += count
        yield batches.make([*batch.schema.names, name], [*batch.columns, places], count)


def send_home(batch: pa.RecordBatch, name: str, partitions: int) -> list[pa.RecordBatch]:
    """The rows that came from each partition; places ascend, as exchanges keep the order."""
    homes = np.arange(partitions + 1) << _ROW_BITS
    cuts = np.searchsorted(stored(batches.column(batch, name)), homes).tolist()
    return [batch.slice(a, b - a) for a, b in pairwise(cuts)]


def restore(
    rows: Iterator[pa.RecordBatch], found: pa.RecordBatch, name: str
) -> Iterator[pa.RecordBatch]:
    """The rows of a partition whose places were `found`, in order, with what was found of them."""
    places = stored(batches.column(found, name)) & ((1 << _ROW_BITS) - 1)
    order = order_of_numbers(places)
    places = places[order]
    further = found.select([n for n in found.schema.names if n != name])
    start = 0
    for batch in rows:
        first, last = np.searchsorted(places, (start, start + batch.num_rows)).tolist()
        if last - first < batch.num_rows:
            here = batches.take(batch, pa.array(places[first:last] - start))
        else:
            here = batch
        start += batch.num_rows
        beside = batches.take(further, pa.array(order[first:last]))
        names = [*batch.schema.names, *further.schema.names]
        yield batches.make(names, [*here.columns, *beside.columns], last - first)
