"""Indexes of join tables made by compiled loops, for loops to probe.

The same codes as the vectorised tier's (`kernels/keys.py`), with fewer passes: a key's first row is
found by its code itself where codes are dense; where few codes of a range occur, by its rank among
them, which a bit for each code tells: what is touched for keys that are not there is an eighth of a
byte for each code of the range; else in a table with open addressing. From each row it goes on to
the next with the same key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import arrays as pool
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.codegen.index import Column
from plait.engine.codegen.layout import layout_of
from plait.engine.kernels.keys import KeyCoder, _Integers

# arrays of 32 bits and single bits, indexed by the code: for each key, or for however few keys
_SLOTS_PER_KEY, _SLOTS_FOR_ALL = 8, 1 << 14
_BITS_PER_KEY, _BITS_FOR_ALL = 256, 1 << 24
_WORD = 64
SPARSE = 4  # values of a key for each that is there: most rows are expected to find none
_FLAGS_PER_SLOT, _MOST_FLAGS = 8, 1 << 30

Array = np.ndarray[Any, Any]


@dataclass
class LoopIndex:
    """How rows are found: see `plait.engine.operators.probing` for the arrays.

    `lookup`: set, empty, dense, ranked or hashed.
    """

    coder: KeyCoder
    lookup: str
    unique: bool = True
    arrays: dict[str, Array] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    gate: int | None = None  # the key that tells of most values by itself that they are not there


@dataclass
class _Codes:
    """Integers whose distance from `low` is the code; `values` keeps them alive."""

    values: Any
    column: Column
    low: int

    @classmethod
    def of(cls, values: Array, valid: Array | None) -> _Codes:
        """Codes in an array of their own."""
        width = values.itemsize
        return cls(values, Column(values.ctypes.data, width, width, len(values), valid), 0)

    @property
    def rows(self) -> int:
        return self.column.rows

    @property
    def valid(self) -> Array | None:
        return self.column.valid


def loop_index(coder: KeyCoder, columns: list[pa.Array], presence: bool) -> LoopIndex:
    """The index over some columns; with `presence` only whether a key is there."""
    if len(columns[0]) >= 1 << 31:
        raise NotCompiledError("row numbers of more than 32 bits")
    if not coder.packs:
        raise NotCompiledError("keys too wide to stand side by side")
    codes = _codes(coder, columns)
    if not codes.rows or (codes.valid is not None and not codes.valid.any()):
        return LoopIndex(coder, "empty")
    ranked = coder.span <= max(_BITS_PER_KEY * codes.rows, _BITS_FOR_ALL)
    if presence and ranked:
        return LoopIndex(coder, "set", arrays={"bits": _bits(coder, codes)[0]})
    following = pool.empty(codes.rows, np.int32)
    if coder.span <= max(_SLOTS_PER_KEY * codes.rows, _SLOTS_FOR_ALL):
        first = pool.full(coder.span, -1, np.int32)
        twice = codes.column.call("chain", codes.low, first, following)
        index = LoopIndex(coder, "dense", not twice, {"first": first})
    elif ranked:
        index = _ranked(coder, codes, following)
    else:
        index = _hashed(coder, codes, columns, following)
        _add_gate(index, columns)
    if not index.unique:
        index.arrays["next"] = following
    return index


def _codes(coder: KeyCoder, columns: list[pa.Array]) -> _Codes:
    part = coder.parts[0]
    if len(columns) == 1 and isinstance(part, _Integers) and not part.null_safe:
        (column,) = columns
        layout = layout_of(column, None)
        if layout is not None and layout.kind == "int" and layout.low < 0:
            buffer, valid = column.buffers()[1], None
            if column.null_count:
                valid = column.is_valid().to_numpy(zero_copy_only=False).view(np.uint8)
            address = 0 if buffer is None else buffer.address + column.offset * layout.stride
            rows = 0 if buffer is None else len(column)
            found = Column(address, layout.width, layout.stride, rows, valid)
            return _Codes(column, found, part.low)
    made = coder.codes(columns)
    values = np.ascontiguousarray(made.values, np.int64)
    valid = None if made.valid is None else np.ascontiguousarray(made.valid).view(np.uint8)
    return _Codes.of(values, valid)


def _bits(coder: KeyCoder, codes: _Codes) -> tuple[Array, bool]:
    """A bit for each code, and whether one came twice."""
    bits = pool.full(-(-coder.span // _WORD), 0, np.uint64)
    return bits, bool(codes.column.call("members", codes.low, bits))


def _ranked(coder: KeyCoder, codes: _Codes, following: Array) -> LoopIndex:
    bits, twice = _bits(coder, codes)
    before = pool.empty(len(bits) + 1, np.int32)
    before[0] = 0
    np.cumsum(np.bitwise_count(bits), out=before[1:])
    # one more: what is asked for ahead may be the rank of a code beyond all keys
    first = pool.full(int(before[-1]) + 1, -1, np.int32)
    codes.column.call("ranks", codes.low, bits, before, first, following)
    arrays = {"bits": bits, "before": before, "first": first}
    return LoopIndex(coder, "ranked", not twice, arrays)


def _add_gate(index: LoopIndex, columns: list[pa.Array]) -> None:
    """Of several keys, a bit for each value that one of them may have, if few of these are set: it
    is asked first, and reads no other column."""
    parts = [
        (part.span, number)
        for number, part in enumerate(index.coder.parts)
        if isinstance(part, _Integers) and not part.null_safe and part.span <= _BITS_FOR_ALL
    ]
    span, number = max(parts, default=(0, 0))
    if len(columns) < 2 or span <= len(columns[0]):
        return
    column = [columns[number]]
    coder = KeyCoder(column, (False,))
    bits, _ = _bits(coder, _codes(coder, column))
    if SPARSE * int(np.bitwise_count(bits).sum()) < span:
        index.gate, index.arrays["gate"] = number, bits


def _hashed(coder: KeyCoder, codes: _Codes, columns: list[pa.Array], following: Array) -> LoopIndex:
    keys = codes.values
    if not isinstance(keys, np.ndarray):  # the table is of codes, not of values
        keys = np.ascontiguousarray(coder.codes(columns).values, np.int64)
        codes = _Codes.of(keys, codes.valid)
    size = 1 << max(4, (2 * codes.rows).bit_length())
    table = pool.full(size, -1, np.int32)
    flags = min(_FLAGS_PER_SLOT * size, _MOST_FLAGS)
    seen = pool.full(max(1, flags // _WORD), 0, np.uint64)
    numbers = {
        "shift": 65 - size.bit_length(),
        "mask": size - 1,
        "seen_shift": 65 - flags.bit_length(),
    }
    twice = codes.column.call("hash", *numbers.values(), table, following, seen)
    arrays = {"table": table, "keys": keys, "seen": seen}
    return LoopIndex(coder, "hashed", not twice, arrays, numbers)
