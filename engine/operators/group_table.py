"""The groups that a loop found: records of keys and aggregates, and a table to find them by.

Arrays are numpy's, and grow by doubling when the loop calls `grow`. Codes of strings are numbered
over all batches: dictionaries differ from batch to batch. Where the range of a key turns out wider
than the records' packed keys allow, they are taken apart and put together anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import arrays, batches
from plait.engine.codegen.accumulators import starting_words
from plait.engine.codegen.aggregates import finish, stored_column
from plait.engine.codegen.emit import DONE, AstrayError
from plait.engine.codegen.sinks import (
    CAPACITY,
    COUNT,
    MASK,
    PLACES,
    RECORDS,
    ROOM,
    SHIFT,
    SLOTS,
    STATE_WORDS,
    GroupKey,
    Groups,
)
from plait.engine.kernels.ordinals import entry_numbers
from plait.planner.column_range import with_distinct_entries
from plait.planner.types import STRING

Words = np.ndarray[Any, np.dtype[np.int64]]

DIRECT_SLOTS = 1 << 22  # a table of so many slots is always cheap enough
_FIRST, _MOST_FIRST = 1 << 10, 1 << 16  # groups there is room for in the beginning
_ROWS_A_GROUP = 16
_HALVINGS = 40
_BLOCK = 1 << 13  # groups
PACKED = 1 << 62


class TooManyGroupsError(Exception):
    """More groups than may be kept in memory; the vectorised tier works on them in pieces."""


@dataclass(frozen=True)
class KeySpace:
    """How a key is packed: value - low, below width; 0 is NULL if the key is nullable."""

    low: int
    width: int


def key_space(key: GroupKey, low: int, high: int) -> KeySpace:
    """The space of a key with values from low to high."""
    return KeySpace(low - 1, high - low + 2) if key.nullable else KeySpace(low, high - low + 1)


def joined(a: KeySpace, b: KeySpace) -> KeySpace:
    low = min(a.low, b.low)
    return KeySpace(low, max(a.low + a.width, b.low + b.width) - low)


def slots_of(spaces: Sequence[KeySpace]) -> int:
    """How many combinations of keys there may be."""
    return math.prod(s.width for s in spaces)


class Dictionary:
    """The strings of a key, numbered over all batches."""

    def __init__(self) -> None:
        self.entries: pa.Array = pa.array([], pa.string())
        self._known: dict[tuple[int, int, int, int], tuple[pa.Array, Words]] = {}
        self._ranks: np.ndarray[Any, np.dtype[np.int32]] = np.zeros(0, np.int32)

    def numbers(self, dictionary: pa.Array, distinct: bool) -> Words:
        """For each entry of a batch's dictionary, its number among all; new ones are added.

        `distinct`: entries are known to differ."""
        key = place(dictionary)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = dictionary, self._number(dictionary, distinct)
        return found[1]

    def ranks(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The place of each entry among all in order."""
        if len(self._ranks) != len(self.entries):
            found = entry_numbers(self.entries, ordered=True)
            self._ranks = np.arange(len(self.entries), dtype=np.int32) if found is None else found
        return self._ranks

    def _number(self, dictionary: pa.Array, distinct: bool) -> Words:
        if not len(self.entries):
            self.entries = dictionary if distinct else dictionary.unique()
            if len(self.entries) == len(dictionary):
                self.entries = dictionary  # by which who comes next knows it again
                return np.arange(len(dictionary), dtype=np.int32)
        places = pc.index_in(dictionary, self.entries)
        new = places.is_null()
        if places.null_count:
            self.entries = pa.concat_arrays([self.entries, dictionary.filter(new)])
            places = pc.index_in(dictionary, self.entries)
        return np.ascontiguousarray(places.to_numpy(zero_copy_only=False), np.int32)


def place(array: pa.Array) -> tuple[int, int, int, int]:
    """Tells an array in memory from others, while it is alive."""
    data = array.buffers()[-1]
    nulls = array.null_count  # entries of no bytes may all be NULL
    return 0 if data is None else data.address, array.offset, len(array), nulls


class GroupTable:
    """The groups of one task."""

    def __init__(
        self, sink: Groups, spaces: Sequence[KeySpace], limit: float, rehash: Any, rows: int
    ) -> None:
        self.sink, self.limit, self._rehash = sink, limit, rehash
        self.dictionaries = [Dictionary() for _ in (*sink.keys, *sink.accumulators.texts)]
        self.state = np.zeros(STATE_WORDS, np.int64)
        self.spaces = tuple(spaces)
        self.words = max(1, sink.words)
        if sink.mode == "none":
            self.records = np.zeros((1, self.words), np.int64)
            start = starting_words(sink.accumulators.found)
            self.records[0, : len(start)] = start
            self.slots = np.zeros(1, np.int32)
        else:
            first = min(max(_FIRST, 1 << (rows // _ROWS_A_GROUP).bit_length()), _MOST_FIRST)
            self.records = self._new_records(first)
            self.slots = self._new_slots()
        self._publish()

    @property
    def count(self) -> int:
        return 1 if self.sink.mode == "none" else int(self.state[COUNT])

    def _new_slots(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        size = slots_of(self.spaces) if self.sink.mode == "direct" else 2 * len(self.records)
        return arrays.full(size, -1, np.int32)

    def _new_records(self, count: int) -> np.ndarray[Any, Any]:
        return arrays.empty(count * self.words, np.int64).reshape(count, self.words)

    def _publish(self) -> None:
        self.state[CAPACITY] = len(self.records)
        self.state[RECORDS], self.state[SLOTS] = self.records.ctypes.data, self.slots.ctypes.data
        self.state[ROOM], self.state[PLACES] = self.records.size, self.slots.size
        if self.sink.mode in ("packed", "words"):
            self.state[SHIFT] = 65 - len(self.slots).bit_length()
            self.state[MASK] = len(self.slots) - 1

    def grow(self, seen: int, rows: int) -> None:
        """At least twice the room, and so much as the rows seen so far let expect of all;
        TooManyGroupsError beyond the limit."""
        size = 2 * len(self.records)
        if size * self.words * 8 > self.limit or size >= 1 << 31:
            raise TooManyGroupsError
        all_of_them = 1 << (groups_of(rows, self.count, seen) - 1).bit_length()
        if all_of_them * self.words * 8 <= self.limit and all_of_them < 1 << 31:
            size = max(size, all_of_them)
        records = self._new_records(size)
        records[: self.count] = self.records[: self.count]
        self.records = records
        if self.sink.mode != "direct":
            self._fill_slots()
        self._publish()

    def _fill_slots(self) -> None:
        self.slots = self._new_slots()
        self._publish()
        if self.sink.mode == "direct":
            self.slots[self.records[: self.count, 0]] = np.arange(self.count, dtype=np.int32)
            return
        words = (RECORDS, ROOM, COUNT, SLOTS, PLACES, SHIFT, MASK)
        if self._rehash(*(int(self.state[w]) for w in words)) != DONE:
            raise AstrayError("rehash")

    def widen(self, spaces: Sequence[KeySpace]) -> None:
        """Make room for keys of wider ranges."""
        spaces = [joined(a, b) for a, b in zip(self.spaces, spaces, strict=True)]
        if tuple(spaces) == self.spaces or self.sink.mode in ("none", "words"):
            return
        if len(spaces) == 1 and spaces[0].low == self.spaces[0].low:
            self.spaces = tuple(spaces)
            self._lengthen()
            return
        parts = self._parts()
        old, self.spaces = self.spaces, tuple(spaces)
        code = np.zeros(self.count, np.int64)
        for key, part, before, after, stride in zip(
            self.sink.keys, parts, old, self.spaces, strides(self.spaces), strict=True
        ):
            moved = part + (before.low - after.low)
            code += (np.where(part == 0, 0, moved) if key.nullable else moved) * stride
        self.records[: self.count, 0] = code
        self._fill_slots()

    def _lengthen(self) -> None:
        """Slots for more codes; those that were given out stay."""
        if self.sink.mode == "direct":
            slots = self._new_slots()
            slots[: len(self.slots)] = self.slots
            self.slots = slots
            self._publish()

    def _parts(self) -> list[Words]:
        """Each key's part of the packed keys."""
        rest = np.ascontiguousarray(self.records[: self.count, 0])
        result = []
        for stride in strides(self.spaces)[:-1]:
            part = rest // stride  # by one number: numpy multiplies, which it does not in divmod
            rest = rest - part * stride
            result.append(part)
        return [*result, rest]

    # ----------------------------------------------------------------------------------- results

    def batch(self) -> pa.RecordBatch:
        """Keys and aggregates of all groups."""
        op = self.sink.op
        count = self.count
        words = self.records[:count, self.sink.key_words :]
        columns = [self._key_array(i, *found) for i, found in enumerate(self._keys())]
        entries = [d.entries for d in self.dictionaries]
        columns += [finish(a, words, entries) for a in self.sink.aggregates]
        names = [*op.keys, *(name for name, _ in op.calls)]
        if not names:
            return batches.without_columns(count)
        fields = [
            with_distinct_entries(field) if pa.types.is_dictionary(field.type) else field
            for field in (pa.field(n, c.type) for n, c in zip(names, columns, strict=True))
        ]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))

    def _keys(self) -> list[tuple[Words, np.ndarray[Any, np.dtype[np.bool_]] | None]]:
        """Each key's values, and where they are not NULL."""
        mode, keys = self.sink.mode, self.sink.keys
        if mode == "none":
            return []
        if mode == "words":
            records = self.records[: self.count]
            nulls = records[:, len(keys)]
            return [
                (np.ascontiguousarray(records[:, i]), (nulls >> i & 1) == 0 if k.nullable else None)
                for i, k in enumerate(keys)
            ]
        return self._unpacked()

    def _unpacked(self) -> list[tuple[Words, np.ndarray[Any, np.dtype[np.bool_]] | None]]:
        """The keys out of their packed words; some rows at a time, which stay in the cache."""
        count, keys = self.count, self.sink.keys
        found = [arrays.empty(count, _stored_as(key.dtype)) for key in keys]
        valid = [np.empty(count, np.bool_) if key.nullable else None for key in keys]
        steps = strides(self.spaces)
        for start in range(0, count, _BLOCK):
            rows = slice(start, min(start + _BLOCK, count))
            rest = self.records[rows, 0]
            parts = zip(self.spaces, steps, found, valid, strict=True)
            for number, (space, stride, values, known) in enumerate(parts):
                part = rest
                if number < len(keys) - 1:
                    part = rest // stride  # by one number: numpy multiplies, unlike in divmod
                    rest = rest - part * stride
                np.add(part, space.low, out=values[rows], casting="unsafe")
                if known is not None:
                    np.greater(part, 0, out=known[rows])
        return list(zip(found, valid, strict=True))

    def _key_array(
        self, number: int, values: Words, valid: np.ndarray[Any, np.dtype[np.bool_]] | None
    ) -> pa.Array:
        key = self.sink.keys[number]
        if valid is not None and bool(valid.all()):
            valid = None
        return stored_column(values, key.dtype, valid, self.dictionaries[number].entries)


def groups_of(rows: int, found: int, seen: int) -> int:
    """How many groups rows have, if those seen had `found`, and each is as likely in each row:
    n rows then have D (1 - exp(-n / D)) of D groups."""
    if not 0 < seen < rows or found >= seen:
        return max(found, rows if found >= seen else 0)
    low, high = math.log(found), math.log(found) + 40
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fewer = -math.expm1(-seen / math.exp(middle)) * math.exp(middle) < found
        low, high = (middle, high) if fewer else (low, middle)
    return min(rows, math.ceil(-math.expm1(-rows / math.exp(low)) * math.exp(low)))


def _stored_as(t: pa.DataType) -> Any:
    """The integers in which a key's values are kept in Arrow."""
    if t == STRING:
        return np.int32
    return t.to_pandas_dtype() if pa.types.is_integer(t) else np.int64


def strides(spaces: Sequence[KeySpace]) -> list[int]:
    """What each key's part is multiplied by: the first key counts most."""
    result, stride = [], 1
    for space in reversed(spaces):
        result.append(stride)
        stride *= space.width
    return result[::-1]
