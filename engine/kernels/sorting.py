"""Row order: stable sorting by several keys, the first rows of an order, and ranges for exchange.

Keys are words of bits (`words`). As many leading bits as leave room for the row's number are put
into one 64-bit word a row, and the words are sorted (`codegen/radix.py`); the row number makes it
stable and comes out as the order. Rows that are still equal are sorted again by their next bits,
now with (run of equals, bits, place) in a word, until no bits or no equals are left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.codegen.radix import rows_of, sorted_words
from plait.engine.kernels.ordinals import Key, keys_of
from plait.engine.kernels.views import Ints, stored, validity
from plait.engine.kernels.words import Word, words_of, words_of_keys


def order_of(words: Sequence[Word], rows: int) -> Ints:
    """Row numbers in the order of the words; equal rows keep their order."""
    bits = _Bits(words)
    if rows < 2 or bits.left == 0:
        return np.arange(rows)
    row_bits = (rows - 1).bit_length()
    before = bits.left
    chunk = bits.take(64 - row_bits, None)
    if bool((chunk[1:] >= chunk[:-1]).all()):
        order = np.arange(rows)
    else:
        packed = sorted_words(chunk, before - bits.left, row_bits)
        order = rows_of(packed, row_bits)
        chunk = packed >> np.uint64(row_bits) if bits.left else chunk
    if bits.left:
        places, runs = _ties(chunk, np.arange(rows))
        _refine(order, places, runs, bits)
    return order


def _refine(order: Ints, places: Ints, runs: Ints, bits: _Bits) -> None:
    """Sort rows within runs of equals by the bits that are left, in place."""
    while len(places) and bits.left:
        run_bits = int(runs[-1]).bit_length()
        place_bits = (len(places) - 1).bit_length()
        rows = order[places]
        before = bits.left
        chunk = bits.take(64 - run_bits - place_bits, rows)
        taken = before - bits.left
        chunk |= runs << np.uint64(taken)
        packed = sorted_words(chunk, run_bits + taken, place_bits)
        order[places] = rows[rows_of(packed, place_bits)]
        places, runs = _ties(packed >> np.uint64(place_bits), places)


def _ties(values: Ints, places: Ints) -> tuple[Ints, Ints]:
    """The places of values that have an equal neighbour, and the number of the run of each."""
    same = values[1:] == values[:-1]
    tied = np.zeros(len(values), np.bool_)
    tied[1:] = same
    tied[:-1] |= same
    begins = np.ones(len(values), np.bool_)
    begins[1:] = ~same
    runs = np.cumsum(begins[tied]) - 1
    return places[tied], runs.astype(np.uint64)


def _mask(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)


class _Bits:
    """Hands out the bits of words from the front, for all rows or for some."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = [w for w in words if w.bits]
        self.left = sum(w.bits for w in self.words)
        self.rest = self.words[0].bits if self.words else 0  # of the first word

    def take(self, room: int, rows: Ints | None) -> Ints:
        """The next bits, at most `room` of them, as one number a row."""
        result: Ints | None = None
        while room and self.words:
            word = self.words[0]
            taken = min(room, self.rest)
            part = word.read(rows)
            if self.rest > taken:
                part = part >> np.uint64(self.rest - taken)
            if self.rest < word.bits:
                part = part & _mask(taken)
            result = part if result is None else (result << np.uint64(taken)) | part
            room, self.rest, self.left = room - taken, self.rest - taken, self.left - taken
            if not self.rest:
                del self.words[0]
                self.rest = self.words[0].bits if self.words else 0
        assert result is not None
        return result


def first_of(words: Sequence[Word], rows: int, limit: int) -> Ints:
    """The first `limit` row numbers of the order, without sorting the rest."""
    bits = _Bits(words)
    if limit * 4 >= rows or rows < 1024 or bits.left == 0:
        return order_of(words, rows)[:limit]
    if limit == 0:
        return np.zeros(0, np.int64)
    chunk = bits.take(64, None)
    last = np.partition(chunk, limit - 1)[limit - 1]
    candidates = np.flatnonzero(chunk <= last)
    return candidates[order_of([_narrowed(w, candidates) for w in words], len(candidates))[:limit]]


def below_each(words: Sequence[Word], bounds: int, rows: int) -> Ints:
    """Of rows of which the first `bounds` stand in order: how many bounds each other row has at or
    below it.
    """
    bits = _Bits(words)
    if bits.left == 0:
        return np.full(rows - bounds, bounds)
    chunk = bits.take(64, None)
    steps, values = chunk[:bounds], chunk[bounds:]
    result: Ints = np.searchsorted(steps, values, side="right")
    if bits.left:
        # rows whose first bits are those of a bound: sorted with the bounds
        tied = np.flatnonzero(steps[np.maximum(result - 1, 0)] == values)
        some = np.concatenate((np.arange(bounds), tied + bounds))
        order = order_of([_narrowed(w, some) for w in words], len(some))
        is_bound = order < bounds  # stands before rows equal to it, since it came first
        result[tied[order[~is_bound] - bounds]] = np.cumsum(is_bound)[~is_bound]
    return result


def _narrowed(word: Word, rows: Ints) -> Word:
    return Word(word.bits, lambda some: word.read(rows if some is None else rows[some]))


def sort_words(array: pa.Array, descending: bool = False, nulls_first: bool = False) -> list[Word]:
    """The words of any column; lists and structs are ranked first."""
    if pat.is_nested(array.type):
        key = Key.of(_nested_ranks(array), validity(array))
        return words_of_keys([key], descending, nulls_first)
    return words_of(array, descending, nulls_first)


def ordinals(array: pa.Array) -> Ints:
    """One int64 a row in the order of the values; anything where there is a NULL."""
    if pat.is_nested(array.type):
        return _nested_ranks(array)
    keys = keys_of(array, ordered=True)
    if len(keys) == 1:
        return keys[0].values
    return ranks(words_of_keys(keys, descending=False, nulls_first=True), len(array))


def ranks(words: Sequence[Word], rows: int) -> Ints:
    """The dense rank of each row, from 0."""
    order = order_of(words, rows)
    result = np.empty(rows, np.int64)
    result[order] = np.cumsum(changes(words, order)) - 1
    return result


def changes(words: Sequence[Word], order: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For rows in an order: whether each differs from the one before (the first does)."""
    different = np.zeros(len(order), np.bool_)
    if len(order):
        different[0] = True
    for word in words:
        if word.bits:
            values = word.read(order)
            different[1:] |= values[1:] != values[:-1]
    return different


def _nested_ranks(array: pa.Array) -> Ints:
    """Ranks of structs field by field, of lists element by element; NULL inside is greatest."""
    if pat.is_struct(array.type):
        words = [w for child in array.flatten() for w in sort_words(child)]
        return ranks(words, len(array))
    lengths = stored(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
    elements = pc.list_flatten(array)
    numbers = ranks(sort_words(elements), len(elements)) + 1
    starts = np.cumsum(lengths) - lengths
    words = []
    for place in range(int(lengths.max(initial=0))):
        here = np.zeros(len(array), np.int64)  # 0: the list has ended, which sorts first
        has = np.flatnonzero(lengths > place)
        here[has] = numbers[starts[has] + place]
        words += words_of_keys([Key.of(here, None)], descending=False, nulls_first=False)
    return ranks(words, len(array))
