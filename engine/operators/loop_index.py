"""Indexes of join tables made by compiled loops, for loops to probe.

The same codes as the vectorised tier's (`kernels/keys.py`), with fewer passes: a key's rows are
found by its code itself where codes are dense, else by its number in a table with open addressing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import arrays as pool
from plait.engine import batches
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.codegen.index import Column
from plait.engine.codegen.layout import layout_of
from plait.engine.kernels.keys import KeyCoder, _Integers

# an array indexed by the code beats hashing even where most of it is empty
_SLOTS_PER_KEY, _SLOTS_FOR_ALL, _MOST_SLOTS = 64, 1 << 22, 1 << 25
_SEEN = 1 << 27
_HASH = np.uint64(0x9E3779B97F4A7C15)

Array = np.ndarray[Any, Any]


@dataclass
class LoopIndex:
    """How rows are found: see `plait.engine.operators.probing` for the arrays.

    `lookup`: set, empty, dense (numbers of codes), starts (codes are the numbers) or hashed.
    """

    coder: KeyCoder
    lookup: str
    unique: bool = True
    identity: bool = True
    arrays: dict[str, Array] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)


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


def loop_index(
    table: pa.RecordBatch, keys: tuple[str, ...], null_safe: tuple[bool, ...], presence: bool
) -> LoopIndex:
    """The index over some columns; with `presence` only whether a key is there."""
    columns = [batches.column(table, k) for k in keys]
    coder = KeyCoder(columns, null_safe)
    if table.num_rows >= 1 << 31:
        raise NotCompiledError("row numbers of more than 32 bits")
    if not coder.packs:
        raise NotCompiledError("keys too wide to stand side by side")
    codes = _codes(coder, columns)
    if not codes.rows or (codes.valid is not None and not codes.valid.any()):
        return LoopIndex(coder, "empty")
    slots = max(min(_SLOTS_PER_KEY * codes.rows, _MOST_SLOTS), 8 * codes.rows, _SLOTS_FOR_ALL)
    dense = coder.span <= slots
    if presence and dense:
        seen = pool.full(coder.span, 0, np.uint8)
        codes.column.call("members", codes.low, seen)
        return LoopIndex(coder, "set", arrays={"members": seen})
    if dense:
        return _dense(coder, codes)
    return _hashed(coder, codes, columns)


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


def _dense(coder: KeyCoder, codes: _Codes) -> LoopIndex:
    slots = pool.full(coder.span, -1, np.int32)
    twice = codes.column.call("unique", codes.low, slots)
    if not twice:
        return LoopIndex(coder, "dense", arrays={"numbers": slots})
    del slots
    starts, order = _ordered(codes, coder.span)
    return LoopIndex(coder, "starts", False, False, {"starts": starts, "order": order})


def _ordered(codes: _Codes, span: int) -> tuple[Array, Array]:
    starts, order = pool.full(span + 2, 0, np.int32), pool.empty(codes.rows, np.int32)
    codes.column.call("order", codes.low, span, starts, order)
    return starts, order


def _hashed(coder: KeyCoder, codes: _Codes, columns: list[pa.Array]) -> LoopIndex:
    if codes.low:  # the table holds codes, not values
        made = coder.codes(columns)
        values = np.ascontiguousarray(made.values, np.int64)
        codes = _Codes.of(values, codes.valid)
    size = 1 << max(4, (2 * codes.rows).bit_length())
    table = pool.full(size, -1, np.int32)
    keys, numbers = pool.empty(codes.rows, np.int64), pool.empty(codes.rows, np.int32)
    shift = 65 - size.bit_length()
    count = codes.column.call("number", shift, size - 1, table, keys, numbers)
    keys = keys[:count].copy()
    seen = pool.full(min(8 * size, _SEEN), 0, np.uint8)
    seen_shift = 65 - len(seen).bit_length()
    seen[(keys.view(np.uint64) * _HASH) >> np.uint64(seen_shift)] = 1
    arrays = {"table": table, "keys": keys, "seen": seen}
    found = {"mask": size - 1, "shift": shift, "seen_shift": seen_shift}
    numbered = _Codes.of(numbers, codes.valid)
    every = codes.rows if codes.valid is None else int(codes.valid.sum())
    if count == every:
        rows = pool.full(count, -1, np.int32)
        numbered.column.call("unique", 0, rows)
        return LoopIndex(coder, "hashed", True, False, {**arrays, "rows": rows}, found)
    starts, order = _ordered(numbered, count)
    arrays |= {"starts": starts, "order": order}
    return LoopIndex(coder, "hashed", False, False, arrays, found)
