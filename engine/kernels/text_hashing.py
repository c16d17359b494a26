"""Stable 64-bit hashes of strings: their length, then words of eight bytes, zeros behind the last.

Many strings are hashed by a compiled loop (`plait.engine.codegen.scatter`), few by numpy, alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine.codegen import scatter

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_WIDTH = 8  # bytes of text in a word


def mix(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hash_texts(array: pa.Array) -> Hashes:
    """Of strings or bytes in any layout."""
    plain = array.cast(pa.large_binary())
    _, offset_buffer, data_buffer = plain.buffers()
    n = len(plain)
    if not n:
        return np.zeros(0, np.uint64)
    offsets = np.frombuffer(offset_buffer, np.int64, n + 1, plain.offset * 8)
    if n >= scatter.LONG:
        held = b"" if data_buffer is None else data_buffer
        return scatter.text_hashes(offsets, np.frombuffer(held, np.uint8))
    data = np.zeros(int(offsets[-1] - offsets[0]) + _WIDTH, np.uint8)
    if len(data) > _WIDTH:
        data[:-_WIDTH] = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    windows = np.ndarray((len(data) - _WIDTH + 1,), "<u8", data, strides=(1,))
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    result = mix(lengths.astype(np.uint64))
    rows = np.flatnonzero(lengths)
    place = 0
    while len(rows):
        words = windows[starts[rows] + place].astype(np.uint64)
        # bytes after the end of a string count as zero
        after = (np.clip(place + _WIDTH - lengths[rows], 0, _WIDTH - 1) * 8).astype(np.uint64)
        words = (words << after) >> after
        result[rows] = mix(result[rows] * np.uint64(31) + words)
        place += _WIDTH
        rows = rows[lengths[rows] > place]
    return result
