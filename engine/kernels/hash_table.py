"""Join tables: from key codes to the build rows that have them.

Keys whose codes span a range not much larger than their number use an array indexed by the code:
no hashing at all. Others use open addressing with linear probing, done a whole column at a time
(Knuth, The Art of Computer Programming vol. 3, 6.4). Rows with equal keys lie side by side in
`order` (compressed sparse rows), so that matches of any multiplicity come out without a loop.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np

from plait.engine.codegen.radix import order_of_numbers
from plait.engine.kernels.keys import Bools, Codes, Ints

Index = np.ndarray[Any, np.dtype[np.int64]]

# An array indexed by the code, even if mostly empty, is several times faster than hashing; up to
# this many 4-byte slots for a key, for some keys, and for many.
_SLOTS_PER_KEY, _SLOTS_FOR_FEW, _SLOTS_FOR_MANY, _MANY = 8, 1 << 22, 1 << 25, 1 << 10
_HASH = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth)


class _Slots(Protocol):
    """Numbers distinct codes: `find` gives the number of a code or -1."""

    count: int

    def find(self, codes: Ints) -> Index: ...


class Numbering:
    """Distinct codes of the build side numbered 0..count-1, and the number of each build row."""

    def __init__(self, codes: Ints, span: int) -> None:
        room = _SLOTS_FOR_MANY if len(codes) >= _MANY else _SLOTS_FOR_FEW
        if span <= max(room, _SLOTS_PER_KEY * len(codes)):
            self.numbers, self.slots = _number_dense(codes, span)
        else:
            self.numbers, self.slots = _number_hashed(codes)

    @property
    def count(self) -> int:
        return self.slots.count


class _Dense:
    """An array from code to number; codes in order when every code of the range occurs."""

    def __init__(self, numbers: np.ndarray[Any, np.dtype[np.int32]], count: int) -> None:
        self.numbers, self.count = numbers, count

    def find(self, codes: Ints) -> Index:
        return self.numbers.take(codes)  # type: ignore[return-value]


def _number_dense(codes: Ints, span: int) -> tuple[Index, _Slots]:
    numbers = np.full(span, -1, np.int32)
    rows = np.arange(len(codes), dtype=np.int32)
    numbers[codes] = rows  # of rows with equal codes the last one wins
    winner = numbers.take(codes)
    if (winner == rows).all():
        return rows, _Dense(numbers, len(codes))  # type: ignore[return-value]
    present = np.flatnonzero(numbers >= 0)
    numbers[present] = np.arange(len(present), dtype=np.int32)
    return numbers.take(codes), _Dense(numbers, len(present))  # type: ignore[return-value]


class _Hashed:
    """Open addressing; a slot holds the number of a key, or -1.

    `seen` has a flag for each of many more slots: most keys that are not in the table stop there,
    at one byte instead of a chain of slots and keys.
    """

    def __init__(self, keys: Ints, table: np.ndarray[Any, np.dtype[np.int32]]) -> None:
        self.keys, self.table, self.count = keys, table, len(keys)
        self.seen = np.zeros(min(8 * len(table), 1 << 27), bool)
        self.seen[_slot_of(keys, len(self.seen))] = True

    def find(self, codes: Ints) -> Index:
        maybe = np.flatnonzero(self.seen.take(_slot_of(codes, len(self.seen))))
        if len(maybe) == len(codes):
            return self._find(codes)
        result = np.full(len(codes), -1, np.int32)
        result[maybe] = self._find(codes.take(maybe))
        return result  # type: ignore[return-value]

    def _find(self, codes: Ints) -> Index:
        mask = len(self.table) - 1
        slot = _slot_of(codes, len(self.table))
        result = self.table.take(slot)
        # rows whose slot holds another key go on to the next slot, all together
        wrong = np.flatnonzero((result >= 0) & (self.keys.take(result, mode="clip") != codes))
        slot = slot.take(wrong)
        while len(wrong):
            slot = (slot + 1) & mask
            found = self.table.take(slot)
            result[wrong] = found
            still = (found >= 0) & (self.keys.take(found, mode="clip") != codes.take(wrong))
            wrong, slot = wrong[still], slot[still]
        return result  # type: ignore[return-value]


def _slot_of(codes: Ints, size: int) -> Index:
    bits = size.bit_length() - 1
    return ((codes.view(np.uint64) * _HASH) >> np.uint64(64 - bits)).view(np.int64)


def _number_hashed(codes: Ints) -> tuple[Index, _Slots]:
    size = 1 << max(4, (2 * len(codes)).bit_length())
    table = np.full(size, -1, np.int32)
    owner = np.empty(len(codes), np.int32)  # the row that stands for the key of each row
    pending = np.arange(len(codes), dtype=np.int32)
    slot = _slot_of(codes, size)
    while len(pending):
        held = table.take(slot)
        free = held < 0
        table[slot[free]] = pending[free]  # of several rows for one slot the last one wins
        held = table.take(slot)
        same = codes.take(held) == codes.take(pending)
        owner[pending[same]] = held[same]
        pending, slot = pending[~same], (slot[~same] + 1) & (size - 1)
    representatives = np.flatnonzero(owner == np.arange(len(codes), dtype=np.int32))
    number = np.empty(len(codes), np.int32)
    number[representatives] = np.arange(len(representatives), dtype=np.int32)
    used = table >= 0
    table[used] = number[table[used]]
    return number[owner], _Hashed(codes[representatives], table)  # type: ignore[return-value]


class HashTable:
    """Build rows by key code. `unique` tells that no key occurs twice."""

    def __init__(self, codes: Codes, span: int) -> None:
        rows: Index | None = None
        values = codes.values
        if codes.valid is not None:
            rows = np.flatnonzero(codes.valid)
            values = values[rows]
        self.numbering = Numbering(values, span)
        self.rows = len(values)
        self.unique = self.numbering.count == self.rows
        self._span = span
        numbers = self.numbering.numbers
        if self.unique:
            self.row_of = np.empty(self.rows, np.int64)
            self.row_of[numbers] = np.arange(self.rows) if rows is None else rows
            identity = rows is None and bool((self.row_of == np.arange(self.rows)).all())
            self.is_identity = identity
        else:
            self.is_identity = False
            self._rows = rows
            self._lock = threading.Lock()
            self._groups: tuple[Index, Index] | None = None

    def find(self, codes: Codes) -> Index:
        """The key number of each probe row, -1 where there is no such key."""
        if not self.rows:
            return np.full(len(codes.values), -1, np.int64)
        if codes.valid is None:
            return self.numbering.slots.find(codes.values)
        values = np.where(codes.valid, codes.values, 0)
        found = self.numbering.slots.find(values)
        found[~codes.valid] = -1
        return found

    def contains(self, codes: Codes) -> Bools:
        """Whether each probe row has a match."""
        return self.find(codes) >= 0

    def matches(self, codes: Codes) -> tuple[Index, Index]:
        """All pairs (probe row, build row), in order of the probe rows."""
        found = self.find(codes)
        probe = np.flatnonzero(found >= 0)
        number = found if len(probe) == len(found) else found.take(probe)
        if self.unique:
            return probe, number if self.is_identity else self.row_of.take(number)
        order, all_starts = self.rows_by_key()
        starts = all_starts.take(number)
        counts = all_starts.take(number + 1) - starts
        return np.repeat(probe, counts), order.take(_ranges(starts, counts))

    def rows_by_key(self) -> tuple[Index, Index]:
        """The build rows key by key, and where each key's rows start; made when first needed.

        (A semi or anti join only asks whether a key is there.)
        """
        with self._lock:
            if self._groups is None:
                numbers = self.numbering.numbers
                order = order_of_numbers(numbers)
                counts = np.bincount(numbers, minlength=self.numbering.count)
                starts = np.concatenate(([0], np.cumsum(counts)))
                self._groups = order if self._rows is None else self._rows[order], starts
            return self._groups


class KeySet:
    """The key codes of a build side, when only their presence is asked for."""

    def __init__(self, codes: Codes, span: int) -> None:
        values = codes.values if codes.valid is None else codes.values[codes.valid]
        self.table: HashTable | None = None
        if span <= max(_SLOTS_FOR_MANY, _SLOTS_PER_KEY * len(values)):
            self.seen = np.zeros(span, bool)
            self.seen[values] = True
        else:
            self.table = HashTable(Codes(values, None), span)

    def contains(self, codes: Codes) -> Bools:
        """Whether each probe row has a match."""
        if self.table is not None:
            return self.table.contains(codes)
        if codes.valid is None:
            return self.seen.take(codes.values)
        found: Bools = self.seen.take(np.where(codes.valid, codes.values, 0)) & codes.valid
        return found


def _ranges(starts: Index, counts: Index) -> Index:
    """starts[0], starts[0]+1, ... (counts[0] of them), then from starts[1] on, and so forth."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    result: Index = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return result
