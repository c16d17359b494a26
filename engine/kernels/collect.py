"""Aggregates that keep all values of a group: array_agg and string_agg."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.kernels.arguments import Rows
from plait.engine.kernels.reductions import Aggregate
from plait.engine.kernels.segments import Segments
from plait.engine.kernels.views import Ints, take
from plait.planner.expr import AggregateCall


def _as_lists(array: pa.Array, segments: Segments, places: Ints | None) -> pa.Array:
    """One list a group of the values at its rows, in row order; NULL for no rows."""
    order = segments.order
    if order is not None:
        places = order if places is None else places[order]
    offsets = np.zeros(segments.count + 1, np.int32)
    np.cumsum(segments.sizes, out=offsets[1:])
    mask = None if bool(segments.filled.all()) else pa.array(~segments.filled)
    values = array if places is None else take(array, places)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def array_agg(rows: Rows, call: AggregateCall) -> pa.Array:
    """All values, NULLs included, as a list; NULL for no rows."""
    array = batches.decode(rows.argument(call.args[0]).array, call.dtype.value_type)
    return _as_lists(array, rows.segments, None)


def string_agg(rows: Rows, call: AggregateCall) -> pa.Array:
    """The strings that are not NULL joined by a constant; NULL for none."""
    argument = rows.argument(call.args[0])
    separator = rows.constant(call, 1) if len(call.args) > 1 else ","
    if separator is None:
        return pa.nulls(rows.segments.count, call.dtype)
    strings = batches.decode(argument.array, call.dtype)
    return pc.binary_join(_as_lists(strings, argument.present, argument.places), separator)


COLLECT: dict[str, Aggregate] = {"array_agg": array_agg, "string_agg": string_agg}
