"""Functions of texts that are bytes below 128 only, where one byte is one character.

Arrow looks for the beginnings of characters text by text. A glance at all bytes of a column tells
that there is nothing to look for; then lengths are differences of offsets, letters of the other
case a pass over the bytes, and parts of texts copies of as many bytes. Columns with other
characters, and short ones, are left to Arrow.

Parts of at most two characters are few, so they come as codes into a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.codegen import parts
from plait.engine.codegen.texts import copied_texts
from plait.engine.kernels.gather import MANY
from plait.engine.kernels.views import Bools, Ints, from_stored, pack_bits, validity

_REPEATED = 8  # rows for each entry of a dictionary, for it to be worth while

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def length(text: pa.Array) -> pa.Array:
    """The number of characters."""
    return pc.utf8_length(text) if _bytes_of(text) is None else pc.binary_length(text)


def lower(text: pa.Array) -> pa.Array:
    """Letters in lower case."""
    return _in_case(text, parts.lower, pc.utf8_lower)


def upper(text: pa.Array) -> pa.Array:
    """Letters in upper case."""
    return _in_case(text, parts.upper, pc.utf8_upper)


def sliced(text: pa.Array, start: int, stop: int | None = None) -> pa.Array:
    """A part of each text as Python slices it."""
    data = _bytes_of(text)
    if data is None:
        return pc.utf8_slice_codeunits(text, start, stop)
    valid = validity(text)
    starts, ends = parts.parts(_offsets(text), start, stop)
    few = stop is not None and (start < 0) == (stop < 0) and stop - start <= parts.FEW
    coded = _as_codes(starts, ends, data, valid) if few else None
    return coded or _texts(ends, copied_texts(starts, ends, data), valid)


def _as_codes(starts: Ints, ends: Ints, data: Bytes, valid: Bools | None) -> pa.Array | None:
    """Short parts as codes; None if most of them differ."""
    numbers, used = parts.numbers(starts, ends, data)
    known = np.flatnonzero(used)
    if len(known) * _REPEATED > len(numbers):
        return None
    places = np.stack([known // parts.KINDS, known % parts.KINDS], axis=1).tolist()
    entries = ["".join(chr(place - 1) for place in entry if place) for entry in places]
    code = np.zeros(len(used), np.int32)
    code[known] = np.arange(len(known))
    parts.renumber(numbers, code)
    codes = from_stored(numbers, pa.int32(), valid)
    return pa.DictionaryArray.from_arrays(codes, pa.array(entries, pa.string()), safe=False)


def _in_case(
    text: pa.Array, of_bytes: Callable[[Bytes], Bytes], otherwise: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    data = _bytes_of(text)
    if data is None:
        return otherwise(text)
    offsets = _offsets(text)
    begin, end = int(offsets[0]), int(offsets[-1])
    offsets = offsets - begin if begin else offsets
    return _texts(offsets, of_bytes(data[begin:end]), validity(text))


def _texts(offsets: Ints, data: Bytes, valid: Bools | None) -> pa.Array:
    bitmap = None if valid is None else pack_bits(valid)
    buffers = [bitmap, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def _offsets(text: pa.Array) -> Ints:
    return np.frombuffer(text.buffers()[1], np.int32, len(text) + 1, 4 * text.offset)


def _bytes_of(text: pa.Array) -> Bytes | None:
    """All bytes of the buffer of a column's texts, if these are many and all below 128."""
    if text.type != pa.string() or len(text) < MANY:
        return None
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)
    offsets = _offsets(text)
    own = data[offsets[0] : offsets[-1]]
    return data if not len(own) or int(own.max()) < 128 else None
