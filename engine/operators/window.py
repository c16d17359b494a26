"""Window: the input's rows, in their order, with window functions as further columns.

Calls with equal PARTITION BY and ORDER BY share one sorted layout, those with equal frames too.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.framed import VALUES, over_frames
from plait.engine.kernels.frames import Pieces
from plait.engine.kernels.layout import Layout
from plait.engine.kernels.ranking import RANKING
from plait.engine.operators.sort import column_name
from plait.errors import UnsupportedError
from plait.planner.expr import Expr, Frame, SortKey, WindowCall

_NULLS_MATTER = {"lag", "lead", *VALUES}  # functions that know IGNORE NULLS
_Shape = tuple[tuple[Expr, ...], tuple[SortKey, ...]]


def window(batch: pa.RecordBatch, calls: Sequence[tuple[str, WindowCall]]) -> pa.RecordBatch:
    """The batch with a column for each call."""
    layouts: dict[_Shape, tuple[Layout, dict[Frame, Pieces]]] = {}
    columns = list(batch.columns)
    for _, call in calls:
        _check(call)
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


def common_keys(calls: Sequence[tuple[str, WindowCall]]) -> list[str]:
    """Columns of PARTITION BY that all calls have: rows that differ in them never meet."""
    keys = [dict.fromkeys(column_name(e) for e in call.partition_by) for _, call in calls]
    return [k for k in keys[0] if all(k in other for other in keys)] if keys else []


def _check(call: WindowCall) -> None:
    """Refuse by name what has no meaning for a function."""
    if call.function in RANKING or call.function in VALUES:
        if call.filter is not None:
            raise UnsupportedError(f"FILTER is for aggregates, not for {call.function}: {call}")
        if call.distinct:
            raise UnsupportedError(f"DISTINCT is for aggregates, not for {call.function}: {call}")
    if call.ignore_nulls and call.function not in _NULLS_MATTER:
        raise UnsupportedError(
            f"IGNORE NULLS is for {', '.join(sorted(_NULLS_MATTER))}, not for {call.function}: "
            f"{call}"
        )
