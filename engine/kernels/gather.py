"""Rows of a column by number, many at a time: texts by a compiled loop, all else by Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.codegen.texts import gathered_texts
from plait.engine.kernels.views import pack_bits

MANY = 10_000  # rows, from which on the loop pays
_TEXTS = (pa.string(), pa.binary())

Numbers = np.ndarray[Any, np.dtype[np.int32]]


def gathered(column: pa.Array, rows: Numbers, some_missing: bool) -> pa.Array:
    """Rows of a column by number; with `some_missing`, -1 gives NULL."""
    there = rows >= 0 if some_missing else None
    if there is not None and bool(there.all()):
        there = None
    if len(rows) >= MANY and len(column) and column.type in _TEXTS and not column.null_count:
        made = _texts(column, rows, there)
        if made is not None:
            return made
    places = pa.array(rows) if there is None else pa.array(rows, mask=~there)
    return pc.take(column, places, boundscheck=False)


def _texts(
    column: pa.Array, rows: Numbers, there: np.ndarray[Any, np.dtype[np.bool_]] | None
) -> pa.Array | None:
    _, offsets, data = column.buffers()
    known = np.frombuffer(offsets, np.int32, len(column) + 1, 4 * column.offset)
    found = gathered_texts(known, np.frombuffer(data or b"", np.uint8), rows)
    if found is None:
        return None
    ends, out = map(pa.py_buffer, found)
    valid = None if there is None else pack_bits(there)
    return pa.Array.from_buffers(column.type, len(rows), [valid, ends, out])
