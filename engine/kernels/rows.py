"""Functions that only Python has, over columns: once per distinct combination of arguments.

distinct_rows(function, args, result)    f(a, b, ...) -> value, NULL arguments give NULL
Slices                                   characters cut out of strings, vectorised
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.kernels.calendar import valid_of
from plait.engine.kernels.encoding import Value, array_of, is_array, length_of
from plait.engine.kernels.views import Ints, pack_bits


def distinct_rows(
    function: Callable[..., Any], args: Sequence[Value], result: pa.DataType
) -> pa.Array:
    """`function` applied to Python values, once per distinct combination of them."""
    n = length_of(args)
    valid = valid_of(args)
    columns = [i for i, a in enumerate(args) if is_array(a)]
    coded = {i: _coded(args[i]) for i in columns}
    code = np.zeros(n, np.int64)
    for column in coded.values():
        size = len(column.dictionary) + 1
        code = code * size + column.indices.fill_null(size - 1).to_numpy().astype(np.int64)
        _, code = np.unique(code, return_inverse=True)  # stay small whatever comes next
    if valid is not None:
        code = np.where(valid, code, -1)
    seen, first = np.unique(code, return_index=True)
    if len(seen) and seen[0] == -1:
        seen, first = seen[1:], first[1:]
    parts = [
        pc.take(args[i], pa.array(first)).to_pylist()
        if i in coded
        else [args[i].as_py()] * len(first)
        for i in range(len(args))
    ]
    answers = pa.array([function(*row) for row in zip(*parts, strict=True)], result)
    place = np.searchsorted(seen, code)
    if valid is None:
        return answers.take(pa.array(place))
    return answers.take(pa.array(np.where(valid, place, 0), mask=~valid))


def _coded(array: pa.Array) -> pa.DictionaryArray:
    return array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()


def slice_rows(
    array: Value, bounds: Callable[[Ints], tuple[Ints, Ints]], others: Sequence[Value]
) -> pa.Array:
    """Characters `start` to `stop` of each string, both from `bounds(lengths)`.

    For bounds that differ from row to row; constants are better served by Arrow's slices.
    """
    n = length_of((array, *others))
    strings = array_of(array, n)
    valid = valid_of((array, *others))
    data, offsets = string_parts(strings)
    starts_here = (data & 0xC0) != 0x80  # not a continuation byte of UTF-8
    places = np.append(np.flatnonzero(starts_here), len(data))
    first = np.searchsorted(places, offsets)
    lengths = np.diff(first)
    start, stop = (np.clip(b, 0, lengths) for b in bounds(lengths))
    stop = np.maximum(start, stop)
    begin, end = places[first[:-1] + start], places[first[:-1] + stop]
    if valid is not None:
        begin, end = np.where(valid, begin, 0), np.where(valid, end, 0)
    sizes = end - begin
    new_offsets = np.concatenate([[0], np.cumsum(sizes)])
    picked = np.repeat(begin - new_offsets[:-1], sizes) + np.arange(new_offsets[-1])
    bitmap = None if valid is None else pack_bits(valid)
    buffers = [bitmap, pa.py_buffer(new_offsets.astype(np.int32)), pa.py_buffer(data[picked])]
    return pa.Array.from_buffers(pa.string(), n, buffers, null_count=-1)


def string_parts(strings: pa.Array) -> tuple[Ints, Ints]:
    """The bytes of a string column, and where each string begins (one more than there are)."""
    _, offsets, data = strings.buffers()
    n = len(strings)
    if not n or offsets is None:
        return np.zeros(0, np.uint8), np.zeros(n + 1, np.int64)
    found = np.frombuffer(offsets, np.int32, n + 1, strings.offset * 4).astype(np.int64)
    first, last = int(found[0]), int(found[-1])
    content = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)[first:last]
    return content, found - first
