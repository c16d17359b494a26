"""Which rows have equal keys: dense group numbers in order of first appearance.

NULL is a key like any other, NaN equals NaN, -0.0 equals 0.0. Key columns become integers
(`ordinals`) and are put side by side into one: `(k1 - low1) * span2 + (k2 - low2)`. Then, by the
number of possible values, measured on a million rows:

    in order already       a new group wherever the number changes: 4 ms
    few (up to 4 a row)    a table indexed by the value itself: no hashing, 5 to 15 ms
    up to 2^63, or more    rows sorted by (44 bits of hash, row number) in one 64-bit word, since
                           numpy sorts plain words with vector instructions: 35 to 50 ms, where a
                           hash table takes 165; with few distinct values Arrow's hash table, 15 ms

Keys that do not fit into 63 bits together are numbered in several steps.

Often one key decides the others: an order's number its date, a customer's number the name and the
address. Rows are then grouped by that key alone, and that the others are equal within each group is
only checked, which needs no hashing, and of strings no dictionary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.codegen.radix import sort
from plait.engine.kernels.ordinals import Key, is_text, keys_of
from plait.engine.kernels.views import Ints, stored, validity

SMALL = 1 << 20  # tables of this many entries are always cheap enough
_CACHED = 1 << 12
_SAMPLE = 2048
# odd multipliers of a multiplicative hash; further ones only after a collision
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)


@dataclass(frozen=True)
class Groups:
    """`codes`: the group of each row, int64, numbered by first appearance. `count`: how many
    groups there are. `first`: the number of each group's first row, ascending."""

    codes: Ints
    count: int
    first: Ints


def group(keys: Sequence[pa.Array]) -> Groups:
    """The groups of rows with equal keys; all keys have equally many rows, and there is a key."""
    rows = len(keys[0])
    texts = [array for array in keys if is_text(array.type)]
    others = [k for array in keys if not is_text(array.type) for k in column_keys(array)]
    if not others:
        others = column_keys(texts.pop(0))
    groups = group_keys(others, rows)
    rest = [k for array in texts if not _text_follows(array, groups) for k in column_keys(array)]
    return groups if not rest else group_keys([_key_of(groups), *rest], rows)


def cells_of(keys: Sequence[pa.Array]) -> tuple[Ints, int]:
    """A number for each row, equal where the keys are, and a bound that it is below.

    Unlike those of `group`, numbers may be left out."""
    found = [k for array in keys for k in column_keys(array)]
    rows = len(keys[0])
    span = math.prod(map(_width, found))
    if rows == 0 or span > _table_limit(rows):
        groups = group(keys)
        return groups.codes, groups.count
    done: Ints | None = None
    for key in found:
        done = _append(done, key, _width(key), span)
    assert done is not None
    return done.astype(np.int64, copy=False), span


def single_group(rows: int) -> Groups:
    """All rows as one group, which is there even without rows."""
    return Groups(np.zeros(rows, np.int64), 1, np.zeros(min(rows, 1), np.int64))


def group_keys(keys: Sequence[Key], rows: int) -> Groups:
    """The groups of rows with equal keys, by their integers."""
    if rows == 0:
        nothing = np.zeros(0, np.int64)
        return Groups(nothing, 0, nothing)
    keys = [key for key in keys if _width(key) > 1]  # a constant tells nothing apart
    return _group_by_leader(keys, rows) or _group_packed(keys, rows)


def _group_packed(keys: Sequence[Key], rows: int) -> Groups:
    """By the keys side by side in one number."""
    done: Ints | None = None  # the keys so far as one number below `span`
    span = 1
    for key in keys:
        width = _width(key)
        if span * width >= 1 << 63 and done is not None:
            groups = _group_numbers(done, span)
            done, span = groups.codes, groups.count
        if span * width >= 1 << 63:
            key, width = _numbered(key), rows + 1
        span *= width
        done = _append(done, key, width, span)
    if done is None:
        return single_group(rows)
    return _group_numbers(done, span)


def _group_by_leader(keys: Sequence[Key], rows: int) -> Groups | None:
    """The groups by one key of a dense range, if a sample says that it decides the others."""
    limit = _table_limit(rows)
    dense = [key for key in keys if _width(key) <= limit]
    if rows < _SAMPLE or math.prod(map(_width, keys)) <= limit or not dense:
        return None
    leader = max(dense, key=_width)
    others = [key for key in keys if key is not leader]
    part = slice(rows // 2, rows // 2 + _SAMPLE)
    _, first, code = np.unique(leader.values[part], return_index=True, return_inverse=True)
    if not all(_constant(_part_of(key, part), first[code]) for key in others):
        return None
    width = _width(leader)
    groups = _group_numbers(_append(None, leader, width, width), width)
    leads = groups.first[groups.codes]
    rest = [key for key in others if not _constant(key, leads)]
    return groups if not rest else _group_packed([_key_of(groups), *rest], rows)


def _width(key: Key) -> int:
    """How many different numbers a key can have, NULL counted."""
    return key.span + (key.valid is not None)


def _constant(key: Key, leads: Ints) -> bool:
    """Whether every row's key is that of the row which leads its group."""
    if key.valid is not None and not bool((key.valid[leads] == key.valid).all()):
        return False
    # where there is a NULL, so there is in the leading row, and the same number stands there
    same = key.values[leads] == key.values
    return bool(same.all() if key.valid is None else (same | ~key.valid).all())


def _part_of(key: Key, part: slice) -> Key:
    valid = None if key.valid is None else key.valid[part]
    return Key(key.values[part], valid, key.low, key.high)


def _key_of(groups: Groups) -> Key:
    return Key(groups.codes, None, 0, max(groups.count - 1, 0))


def _text_follows(array: pa.Array, groups: Groups) -> bool:
    """Whether strings are equal within each group; a part of the rows tells mostly that not."""
    if groups.count == len(array):
        return True
    middle = len(array) // 2
    return all(
        _equal(array.slice(start, length), array, groups, start)
        for start, length in ((middle, _SAMPLE), (0, len(array)))
    )


def _equal(part: pa.Array, array: pa.Array, groups: Groups, start: int) -> bool:
    leads = groups.first[groups.codes[start : start + len(part)]]
    wanted = array.take(pa.array(leads))
    if array.null_count:
        nulls = pc.equal(part.is_null(), wanted.is_null())
        if not pc.all(nulls).as_py():
            return False
    return bool(pc.all(pc.equal(part, wanted), min_count=0).as_py())


def _table_limit(rows: int) -> int:
    """How many possible values are few enough for a table."""
    return max(4 * rows, SMALL)


def _append(done: Ints | None, key: Key, width: int, span: int) -> Ints:
    """The number so far with one more key: NULL is 0, values count from there.

    All numbers are below `span`, which tells how narrow they may be kept.
    """
    kind = np.dtype(np.int16 if span < 1 << 15 else np.int32 if span < 1 << 31 else np.int64)
    numbers = key.values
    if numbers.dtype.itemsize <= kind.itemsize:
        numbers = numbers.astype(kind, copy=False)
    if key.low:
        numbers = numbers - numbers.dtype.type(key.low)
    numbers = numbers.astype(kind, copy=False)
    if key.valid is not None:
        numbers = (numbers + kind.type(1)) * key.valid
    return numbers if done is None else done.astype(kind, copy=False) * kind.type(width) + numbers


def _numbered(key: Key) -> Key:
    """A key of any range as group numbers below the number of rows."""
    groups = _group_sparse(key.values.astype(np.int64, copy=False))
    return Key(groups.codes, key.valid, 0, len(key.values) - 1)


def _group_numbers(numbers: Ints, span: int) -> Groups:
    """Groups of integers from 0 to below `span`."""
    if ascending(numbers):
        return _group_sorted(numbers)
    if span <= _table_limit(len(numbers)):
        return _group_dense(numbers, span)
    return _group_sparse(numbers.astype(np.int64, copy=False))


def ascending(numbers: Ints) -> bool:
    """Whether no number is below the one before it; mostly the first few tell that not."""
    return all(bool((part[1:] >= part[:-1]).all()) for part in (numbers[:1024], numbers))


def _group_sorted(numbers: Ints) -> Groups:
    """Equal numbers stand side by side: a new group begins wherever the number changes."""
    changes = np.empty(len(numbers), np.bool_)
    changes[:1] = True
    np.not_equal(numbers[1:], numbers[:-1], out=changes[1:])
    first = np.flatnonzero(changes)
    return Groups(np.cumsum(changes, dtype=np.int64) - 1, len(first), first)


def _group_dense(numbers: Ints, span: int) -> Groups:
    """By a table from value to group, filled from growing blocks of rows.

    With few groups the first block shows all of them, and the rest is one lookup a row.
    """
    rows = len(numbers)
    numbers = numbers.astype(np.intp, copy=False)
    # smaller tables stay in the cache; where they do anyway, no conversion is left to do
    kind = np.int32 if _CACHED < span < 1 << 31 else np.int64
    table: Ints = np.full(span, -1, kind)
    seen = np.empty(span, kind)
    firsts: list[Ints] = []
    count = 0
    block = max(4096, 4 * span)
    pending: slice | Ints = slice(0, block)
    places = np.arange(min(block, rows), dtype=kind)
    while True:
        values = numbers[pending]
        seen[values[::-1]] = places[::-1]  # the last assignment stays: the first row
        fresh = np.flatnonzero(seen[values] == places)
        table[values[fresh]] = np.arange(count, count + len(fresh), dtype=kind)
        count += len(fresh)
        firsts.append(fresh if isinstance(pending, slice) else pending[fresh])
        codes: Ints = table[numbers]
        if codes.min() >= 0:
            break
        block *= 8
        pending = np.flatnonzero(codes < 0)[:block]
        places = np.arange(len(pending), dtype=kind)
    return Groups(codes.astype(np.int64, copy=False), count, np.concatenate(firsts))


def _group_sparse(numbers: Ints) -> Groups:
    """By hashing."""
    sample = numbers[:: max(1, len(numbers) // _SAMPLE)]
    if len(np.unique(sample)) * 2 < len(sample) or len(numbers) >= 1 << 31:
        return _group_encoded(numbers)
    for multiplier in _MULTIPLIERS:
        groups = _group_by_sorting(numbers, multiplier)
        if groups is not None:
            return groups
    return _group_encoded(numbers)


def _group_encoded(numbers: Ints) -> Groups:
    """By Arrow's hash table, which numbers values by first appearance."""
    encoded = pc.dictionary_encode(pa.array(numbers))
    codes = stored(encoded.indices)
    # a row is first in its group where it shows a number larger than all before it
    highest = np.maximum.accumulate(codes)
    first = np.append(0, np.flatnonzero(highest[1:] != highest[:-1]) + 1)
    return Groups(codes.astype(np.int64), len(encoded.dictionary), first)


def _group_by_sorting(numbers: Ints, multiplier: int) -> Groups | None:
    """By sorting hashes together with row numbers; None if two values share a hash."""
    rows = len(numbers)
    row_bits = max(1, (rows - 1).bit_length())
    mask = np.uint64((1 << row_bits) - 1)
    words = numbers.view(np.uint64) * np.uint64(multiplier)
    words ^= words >> np.uint64(32)
    words *= np.uint64(multiplier)
    words &= ~mask
    words |= np.arange(rows, dtype=np.uint64)
    words = sort(words, 64 - row_bits, row_bits)
    order = (words & mask).view(np.int64)
    words &= ~mask
    starts = np.empty(rows, np.bool_)
    starts[0] = True
    np.not_equal(words[1:], words[:-1], out=starts[1:])
    ordered = numbers[order]
    if bool(((ordered[1:] != ordered[:-1]) & ~starts[1:]).any()):
        return None
    begins = np.flatnonzero(starts)
    if len(begins) == rows:
        every = np.arange(rows)
        return Groups(every, rows, every)
    # rows of a group stand in row order, so a group's first row is where it starts
    firsts = order[begins]
    appears = np.zeros(rows, np.bool_)
    appears[firsts] = True
    by_row = np.cumsum(appears, dtype=np.int32)
    numbered = by_row[firsts]
    numbered -= 1
    codes = np.empty(rows, np.int32)
    codes[order] = np.repeat(numbered, np.diff(begins, append=rows))
    return Groups(codes.astype(np.int64), len(firsts), np.flatnonzero(appears))


def column_keys(array: pa.Array) -> list[Key]:
    """The integer keys of any column, taking structs and lists apart."""
    t = array.type
    if pat.is_struct(t):
        # a NULL struct has NULL fields; the flag tells it from a struct of NULLs
        parts = [k for child in array.flatten() for k in column_keys(child)]
        valid = validity(array)
        flag = np.ones(len(array), np.bool_) if valid is None else valid
        return [Key(flag.astype(np.int64), None, 0, 1), *parts]
    if pat.is_list(t) or pat.is_large_list(t) or pat.is_fixed_size_list(t) or pat.is_map(t):
        return [_list_key(array)]
    return keys_of(array, ordered=False)


def _list_key(array: pa.Array) -> Key:
    """Lists as group numbers: element after element, rows that have one are grouped further."""
    valid = validity(array)
    lengths = stored(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
    if pat.is_fixed_size_list(array.type):
        starts = (np.arange(len(array)) + array.offset) * array.type.list_size
        elements = array.values
    else:
        wide = np.int64 if pat.is_large_list(array.type) else np.int32
        starts = np.frombuffer(array.buffers()[1], wide, len(array), array.offset * wide().itemsize)
        elements = _map_entries(array) if pat.is_map(array.type) else array.values
    numbers = group([elements]).codes if len(elements) else np.zeros(0, np.int64)
    state = group_keys([Key.of(lengths, valid)], len(array)).codes
    fresh = int(state.max(initial=0)) + 1
    rows = np.flatnonzero(lengths > 0)
    place = 0
    while len(rows):
        here = numbers[starts[rows] + place]
        parts = group_keys([Key.of(state[rows], None), Key.of(here, None)], len(rows))
        # new numbers are above all used before, so rows that ended earlier stay apart
        state[rows] = parts.codes + fresh
        fresh += parts.count
        place += 1
        rows = rows[lengths[rows] > place]
    return Key.of(state, valid)


def _map_entries(array: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
