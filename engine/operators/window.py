"""Window: the input's rows, in their order, with window functions as further columns.

Calls with equal PARTITION BY and ORDER BY share one sorted layout, those with equal frames too.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.framed import over_frames
from plait.engine.kernels.frames import Pieces
from plait.engine.kernels.layout import Layout
from plait.engine.kernels.ranking import RANKING
from plait.planner.expr import Expr, Frame, SortKey, WindowCall

_Shape = tuple[tuple[Expr, ...], tuple[SortKey, ...]]


def window(batch: pa.RecordBatch, calls: Sequence[tuple[str, WindowCall]]) -> pa.RecordBatch:
    """The batch with a column for each call."""
    layouts: dict[_Shape, tuple[Layout, dict[Frame, Pieces]]] = {}
    columns = list(batch.columns)
    for _, call in calls:
        shape = (call.partition_by, call.order_by)
        if shape not in layouts:
            layouts[shape] = (Layout(batch, *shape), {})
        layout, frames = layouts[shape]
        if call.function in RANKING:
            columns.append(RANKING[call.function](layout, call))
        else:
            columns.append(over_frames(layout, call, frames))
    names = [*batch.schema.names, *(name for name, _ in calls)]
    return batches.make(names, columns, batch.num_rows)
