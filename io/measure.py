"""What looking at a column in memory tells: the range of its integers, its bounds, how many
different values it has.

Each looks at all rows (but for the sample of different values), so it is done once a column.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.io import distinct
from plait.io.encoding import NARROW_DIGITS, low_words, unify
from plait.planner.column_range import Range
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import is_float, is_temporal

_STRETCHES, _STRETCH = 40, 500  # of a column that are looked at, and rows of each
_EXACT = Context(prec=80)
_INTS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}

Bounds = tuple[Any, Any]


def integers(array: pa.Array) -> pa.Array | None:
    """What is stored of numbers, dates and times that are counted; None for other types.

    Without copying, but for decimals that take 128 bits.
    """
    found = array.type
    if pat.is_integer(found):
        return array
    if pat.is_decimal128(found) and found.precision <= NARROW_DIGITS:
        array = low_words(array, pa.decimal64(found.precision, found.scale))
    elif not (is_temporal(found) or pat.is_duration(found) or _is_small_decimal(found)):
        return None
    ints = _INTS[array.type.bit_width]
    return pa.Array.from_buffers(ints, len(array), array.buffers(), -1, array.offset)


def stored_range(chunks: Iterable[pa.Array]) -> Range | None:
    """The smallest and the largest integer of a column; None if it has no value, or no integers."""
    lows, highs = [], []
    for chunk in chunks:
        ints = integers(chunk)
        if ints is None:
            return None
        extremes = pc.min_max(ints)
        if extremes["min"].is_valid:
            lows.append(extremes["min"].as_py())
            highs.append(extremes["max"].as_py())
    return (min(lows), max(highs)) if lows else None


def column_statistics(column: pa.ChunkedArray, known: Range | None) -> ColumnStatistics:
    """Everything of a column; `known` is its `stored_range`."""
    rows = len(column)
    low, high = _bounds(column, known)
    found = distinct.estimate([sample(column)], rows - column.null_count, low, high)
    width = column.nbytes / rows if rows else None
    return ColumnStatistics(low, high, column.null_count, found, width)


def column_bounds(column: pa.Array) -> ColumnStatistics:
    """Its bounds and NULLs alone."""
    low, high = _bounds(pa.chunked_array([column]), stored_range([column]))
    return ColumnStatistics(low, high, column.null_count)


def sample(column: pa.ChunkedArray) -> distinct.Piece:
    """Different values in evenly spread stretches of a column."""
    rows = len(column)
    if not rows or pat.is_nested(column.type) or pat.is_null(column.type):
        return distinct.Piece(0, 0)
    starts = [0]
    if rows > _STRETCHES * _STRETCH:
        starts = [round(i * (rows - _STRETCH) / (_STRETCHES - 1)) for i in range(_STRETCHES)]
        chunks = [c for s in starts for c in column.slice(s, _STRETCH).chunks]
        column = pa.chunked_array(chunks, column.type)
    codes = _codes(column)
    known = int(codes.max(initial=-1)) + 1
    values = len(codes) - int((codes < 0).sum())
    if len(starts) == 1:
        return distinct.Piece(known, values)
    # within a stretch equal values may stand together by the order of the rows
    in_order = np.sort(codes.reshape(len(starts), _STRETCH), axis=1)
    new = np.diff(in_order, axis=1, prepend=-1) > 0
    return distinct.Piece(known, values, draws=int(new.sum()))


def _codes(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A number for each value, from 0 in order of appearance; -1 for NULL."""
    if pat.is_dictionary(column.type):
        codes = [c.indices for c in unify(column).chunks]
        column = pa.chunked_array(codes, codes[0].type)
    elif _is_small_decimal(column.type):
        ints = _INTS[column.type.bit_width]
        column = pa.chunked_array([integers(c) for c in column.chunks], ints)
    coded = pa.concat_arrays(column.chunks).dictionary_encode()
    found: np.ndarray[Any, np.dtype[np.int32]] = coded.indices.fill_null(-1).to_numpy()
    return found


def _bounds(column: pa.ChunkedArray, known: Range | None) -> Bounds:
    found = column.type
    if pat.is_duration(found):
        return None, None
    if known is not None:
        return _python(known[0], found, 0), _python(known[1], found, 999)
    wide = pat.is_decimal128(found) and found.precision > NARROW_DIGITS
    if not (is_float(found) or wide):  # no integers, or no value among them
        return None, None
    if is_float(found) and pc.any(pc.is_nan(column)).as_py():
        return None, None
    extremes = pc.min_max(column)
    return extremes["min"].as_py(), extremes["max"].as_py()


def _python(stored: int, t: pa.DataType, add: int) -> Any:
    """The Python value of a stored integer; `add` rounds nanoseconds upwards to microseconds.

    None for days that Python has not.
    """
    if pat.is_decimal(t):
        return Decimal(stored).scaleb(-t.scale, _EXACT)
    if pat.is_integer(t):
        return stored
    if pat.is_timestamp(t) and t.unit == "ns":
        stored, t = (stored + add) // 1000, pa.timestamp("us", tz=t.tz)
    # pa.scalar would import pandas
    one = pa.py_buffer(np.array([stored], f"int{t.bit_width}"))
    try:
        return pa.Array.from_buffers(t, 1, [None, one])[0].as_py()
    except (OverflowError, ValueError):
        return None


def _is_small_decimal(t: pa.DataType) -> bool:
    return bool(pat.is_decimal(t) and t.bit_width <= 64)
