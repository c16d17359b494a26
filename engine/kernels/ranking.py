"""Window functions of a row's position: ranks, shares of the partition, rows before and after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.kernels.layout import Layout
from plait.engine.kernels.views import Bools, Ints, from_stored, stored, validity
from plait.errors import ComputeError
from plait.planner.expr import Literal, WindowCall

Ranking = Callable[[Layout, WindowCall], pa.Array]


def _row_number(layout: Layout, call: WindowCall) -> pa.Array:
    return _numbers(layout, layout.places - layout.begin + 1, call)


def _rank(layout: Layout, call: WindowCall) -> pa.Array:
    return _numbers(layout, layout.peer_begin - layout.begin + 1, call)


def _dense_rank(layout: Layout, call: WindowCall) -> pa.Array:
    first_peers = layout.peers[layout.begin] if layout.rows else layout.begin
    return _numbers(layout, layout.peers - first_peers + 1, call)


def _percent_rank(layout: Layout, call: WindowCall) -> pa.Array:
    others = np.maximum(layout.end - layout.begin - 1, 1)
    return _numbers(layout, (layout.peer_begin - layout.begin) / others, call)


def _cume_dist(layout: Layout, call: WindowCall) -> pa.Array:
    share = (layout.peer_end - layout.begin) / (layout.end - layout.begin)
    return _numbers(layout, share, call)


def _numbers(
    layout: Layout, values: Ints, call: WindowCall, valid: Bools | None = None
) -> pa.Array:
    return layout.restore(from_stored(values, call.dtype, valid))


def _ntile(layout: Layout, call: WindowCall) -> pa.Array:
    """The first buckets are one row larger when rows do not divide evenly."""
    buckets, valid = integer_argument(layout, call, 0)
    checked = buckets if valid is None else buckets[valid]
    if len(checked) and checked.min() < 1:
        raise ComputeError(f"The argument of ntile must be greater than zero: {call}")
    rows = layout.end - layout.begin
    buckets = np.clip(buckets, 1, rows)
    size = rows // buckets
    larger = rows - buckets * size
    place = layout.places - layout.begin
    in_larger = larger * (size + 1)
    tile = np.where(
        place < in_larger, place // (size + 1) + 1, larger + (place - in_larger) // size + 1
    )
    return _numbers(layout, tile, call, valid)


def integer_argument(layout: Layout, call: WindowCall, index: int) -> tuple[Ints, Bools | None]:
    """An integer argument by places, and where it is not NULL."""
    arg = call.args[index]
    if isinstance(arg, Literal):
        absent = np.zeros(layout.rows, np.bool_) if arg.value is None else None
        return np.full(layout.rows, arg.value or 0, np.int64), absent
    column = layout.sorted(arg)
    if pa.types.is_null(column.type):
        return np.zeros(layout.rows, np.int64), np.zeros(layout.rows, np.bool_)
    return stored(column).astype(np.int64), validity(column)


def _shifted(direction: int) -> Ranking:
    def shift(layout: Layout, call: WindowCall) -> pa.Array:
        steps, known = _steps(layout, call)
        steps = steps * direction
        if call.ignore_nulls:
            places, inside = _among_present(layout, call, steps)
        else:
            places = layout.places + steps
            inside = (places >= layout.begin) & (places < layout.end)
        if known is not None:
            inside &= known
        result = layout.pick(call.args[0], np.where(inside, places, -1))
        if len(call.args) < 3:
            return result
        missing = inside if known is None else inside | ~known
        return _with_default(layout, call, result, missing)

    return shift


def _steps(layout: Layout, call: WindowCall) -> tuple[Ints, Bools | None]:
    if len(call.args) < 2:
        return np.ones(layout.rows, np.int64), None
    steps, known = integer_argument(layout, call, 1)
    # further than all rows is out of the partition in any case
    return np.clip(steps, -layout.rows - 1, layout.rows + 1), known


def _among_present(layout: Layout, call: WindowCall, steps: Ints) -> tuple[Ints, Bools]:
    """The places some steps away, counting rows only where the argument is not NULL."""
    valid = validity(layout.sorted(call.args[0]))
    present = layout.places if valid is None else np.flatnonzero(valid)
    before = np.searchsorted(present, layout.places)
    up_to = np.searchsorted(present, layout.places, side="right")
    at = np.where(steps > 0, up_to + steps - 1, before + steps)
    exists = (at >= 0) & (at < len(present))
    places = present[np.where(exists, at, 0)] if len(present) else np.zeros(len(at), np.int64)
    inside = exists & (places >= layout.begin) & (places < layout.end)
    return np.where(steps == 0, layout.places, places), inside | (steps == 0)


def _with_default(layout: Layout, call: WindowCall, result: pa.Array, keep: Bools) -> pa.Array:
    """The third argument where there is no such row."""
    default = call.args[2]
    if isinstance(default, Literal):
        values: pa.Array | pa.Scalar = pa.scalar(default.value, call.dtype)
    else:
        values = batches.decode(layout.pick(default, layout.places), call.dtype)
    kept = layout.restore(from_stored(keep, pa.bool_()))
    return pc.if_else(kept, batches.decode(result, call.dtype), values)


RANKING: dict[str, Ranking] = {
    "row_number": _row_number,
    "rank": _rank,
    "dense_rank": _dense_rank,
    "percent_rank": _percent_rank,
    "cume_dist": _cume_dist,
    "ntile": _ntile,
    "lag": _shifted(-1),
    "lead": _shifted(1),
}
