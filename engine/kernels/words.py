"""Sort keys as bits: a column becomes words whose order as unsigned integers is the asked order.

A word has a known number of bits, as few as the column's range needs, and gives its values for any
rows when asked: sorting asks for later words only where earlier ones are equal. NULL takes one
value at either end of a word, or a word of one bit when the column fills all 64. Strings are words
of eight bytes, then their length; their common prefix is left out, and a column with few different
strings is sorted by the ranks of a dictionary instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.ordinals import Key, is_text, keys_of
from plait.engine.kernels.views import Bools, Ints, validity

_FULL = 1 << 64
_SAMPLE = 1024
_WIDTH = 8  # bytes of text in a word

Reader = Callable[[Ints | None], Ints]


@dataclass(frozen=True)
class Word:
    """`read(rows)` gives the word's unsigned values, below 2^bits, of some rows (None: of all)."""

    bits: int
    read: Reader


def words_of(array: pa.Array, descending: bool, nulls_first: bool) -> list[Word]:
    """The words of a column that is no list or struct."""
    if is_text(array.type) and not _repeats(array):
        return _text_words(array, descending, nulls_first)
    return words_of_keys(keys_of(array, ordered=True), descending, nulls_first)


def words_of_keys(keys: list[Key], descending: bool, nulls_first: bool) -> list[Word]:
    """The words of integer keys."""
    return [w for key in keys for w in _key_words(key, descending, nulls_first)]


def _key_words(key: Key, descending: bool, nulls_first: bool) -> list[Word]:
    values = key.values.astype(np.int64, copy=False).view(np.uint64)
    if descending:
        values = np.uint64(key.high % _FULL) - values
    else:
        values = values - np.uint64(key.low % _FULL)
    if key.valid is None:
        return [_stored(values, key.span)]
    if key.span + 1 > _FULL:
        return [_null_word(key.valid, nulls_first), _stored(values, key.span)]
    if nulls_first:
        values = np.where(key.valid, values + np.uint64(1), np.uint64(0))
    else:
        values = np.where(key.valid, values, np.uint64(key.span))
    return [_stored(values, key.span + 1)]


def _stored(values: Ints, span: int) -> Word:
    return Word((span - 1).bit_length(), lambda rows: values if rows is None else values[rows])


def _null_word(valid: Bools, nulls_first: bool) -> Word:
    flags = (valid if nulls_first else ~valid).astype(np.uint64)
    return _stored(flags, 2)


def _repeats(array: pa.Array) -> bool:
    """Whether a sample shows so few different values that a dictionary pays."""
    if len(array) <= _SAMPLE:
        return False
    sample = array.take(pa.array(np.arange(0, len(array), len(array) // _SAMPLE)))
    return bool(pc.count_distinct(sample).as_py() * 4 < len(sample))


def _text_words(array: pa.Array, descending: bool, nulls_first: bool) -> list[Word]:
    t = array.type
    text = pat.is_string(t) or pat.is_large_string(t) or pat.is_string_view(t)
    array = array.cast(pa.large_string() if text else pa.large_binary())
    valid = validity(array)
    words = [] if valid is None else [_null_word(valid, nulls_first)]
    n = len(array)
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64, n + 1, array.offset * 8)
    data = np.zeros(int(offsets[-1] - offsets[0]) + _WIDTH, np.uint8)
    if data_buffer is not None and len(data) > _WIDTH:
        data[:-_WIDTH] = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    starts = offsets[:-1] - offsets[0]
    lengths = np.diff(offsets)
    if valid is not None:
        lengths = np.where(valid, lengths, 0)
    longest = int(lengths.max(initial=0))
    windows = np.ndarray((len(data) - _WIDTH + 1,), ">u8", data, strides=(1,))
    for place in range(_common_prefix(array), longest, _WIDTH):
        words.append(Word(64, _text_reader(windows, starts, lengths, place, descending)))
    sizes = (longest - lengths if descending else lengths).astype(np.uint64)
    return [*words, _stored(sizes, longest + 1)]


def _text_reader(
    windows: Ints, starts: Ints, lengths: Ints, place: int, descending: bool
) -> Reader:
    def read(rows: Ints | None) -> Ints:
        begin = starts if rows is None else starts[rows]
        left = (lengths if rows is None else lengths[rows]) - place
        at = np.minimum(begin + place, len(windows) - 1)
        word = windows[at].astype(np.uint64)
        # bytes after the end of a string count as zero
        shift = (np.clip(_WIDTH - left, 0, _WIDTH - 1) * 8).astype(np.uint64)
        word = np.where(left > 0, (word >> shift) << shift, np.uint64(0))
        return ~word if descending else word

    return read


def _common_prefix(array: pa.Array) -> int:
    """How many bytes all strings begin with; only asked of columns with NULL as any string."""
    ends = pc.min_max(array.cast(pa.large_binary()))
    low, high = ends["min"].as_py(), ends["max"].as_py()
    if low is None:
        return 0
    shorter = min(len(low), len(high))
    differ = (i for i in range(shorter) if low[i] != high[i])
    return next(differ, shorter)
