"""Arrow arrays as numpy arrays over the same memory, and back.

Kernels see a column as two numpy arrays: `stored` values (whatever stands where a NULL is) and
`validity` (True where there is a value; None when there is no NULL). Offsets of slices are
respected. Booleans are unpacked to bytes, decimals of up to 64 bits are their scaled integers,
dates and times their counts; 128-bit decimals are in `plait.engine.kernels.int128`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

Ints = np.ndarray[Any, np.dtype[Any]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

_STORED: dict[int, str] = {8: "int8", 16: "int16", 32: "int32", 64: "int64"}


def unpack_bits(buffer: pa.Buffer, offset: int, length: int) -> Bools:
    """`length` bits of a bitmap from bit `offset` on, one byte each."""
    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8, count=(offset + length + 7) // 8 - first, offset=first)
    start = offset - first * 8
    return np.unpackbits(packed, bitorder="little")[start : start + length].view(np.bool_)


def pack_bits(flags: Bools) -> pa.Buffer:
    """A bitmap of the flags."""
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def validity(array: pa.Array) -> Bools | None:
    """Where there is a value; None when there is one everywhere."""
    if pat.is_null(array.type):
        return np.zeros(len(array), np.bool_)
    valid = None
    if array.null_count:
        valid = unpack_bits(array.buffers()[0], array.offset, len(array))
    if isinstance(array, pa.DictionaryArray) and array.dictionary.null_count:
        # a NULL may also stand in the dictionary
        known = validity(array.dictionary)
        assert known is not None
        codes = stored(array.indices)
        pointed = known[codes] if valid is None else known[np.where(valid, codes, 0)] & valid
        return None if pointed.all() else pointed
    return valid


def stored(array: pa.Array) -> Ints:
    """The values of a fixed-width array of at most 64 bits; anything stands where a NULL is."""
    t = array.type
    if pat.is_null(t):
        return np.zeros(len(array), np.int8)
    if pat.is_boolean(t):
        if array.buffers()[1] is None:
            return np.zeros(len(array), np.bool_)
        return unpack_bits(array.buffers()[1], array.offset, len(array))
    if pat.is_integer(t) or pat.is_floating(t):
        dtype = np.dtype(t.to_pandas_dtype())
    else:
        dtype = np.dtype(_STORED[t.bit_width])
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize)


def text_parts(array: pa.Array) -> tuple[Ints, Ints]:
    """Of strings or bytes in any layout: where each begins and the last ends, and the bytes."""
    t = array.type
    large = pat.is_large_string(t) or pat.is_large_binary(t)
    if not (large or pat.is_string(t) or pat.is_binary(t)):
        return text_parts(array.cast(pa.large_binary()))
    kind = np.dtype(np.int64 if large else np.int32)
    _, offsets, data = array.buffers()
    if offsets is None or not len(array):
        return np.zeros(1, kind), np.zeros(0, np.uint8)
    ends = np.frombuffer(offsets, kind, len(array) + 1, array.offset * kind.itemsize)
    return ends, np.frombuffer(b"" if data is None else data, np.uint8)


def is_stored(t: pa.DataType) -> bool:
    """Whether `stored` can show arrays of this type."""
    return bool((pat.is_primitive(t) and t.bit_width <= 64) or is_small_decimal(t))


def is_small_decimal(t: pa.DataType) -> bool:
    """Whether a decimal is kept in at most 64 bits."""
    return bool(pat.is_decimal(t) and t.bit_width <= 64)


def from_stored(values: Ints, dtype: pa.DataType, valid: Bools | None = None) -> pa.Array:
    """An array of a type that `stored` can show; NULL where not `valid`."""
    n = len(values)
    bitmap = None if valid is None else pack_bits(valid)
    nulls = 0 if valid is None else -1
    if pat.is_boolean(dtype):
        data = pack_bits(values.astype(np.bool_, copy=False))
    else:
        if pat.is_integer(dtype) or pat.is_floating(dtype):
            kind = np.dtype(dtype.to_pandas_dtype())
        else:
            kind = np.dtype(_STORED[dtype.bit_width])
        data = pa.py_buffer(np.ascontiguousarray(values, kind))
    return pa.Array.from_buffers(dtype, n, [bitmap, data], null_count=nulls)


def take(array: pa.Array, rows: Ints) -> pa.Array:
    """The rows of an array by number; -1 gives NULL."""
    if len(rows) and rows.min() < 0:
        return array.take(from_stored(rows, pa.int64(), rows >= 0))
    return array.take(pa.array(rows))
