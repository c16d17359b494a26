"""Kept frames: rows that were computed to stay, in the form in which loops read them best.

strings      codes into one dictionary for the whole frame, in the narrowest integers, where few
             values repeat often; else as they are
decimals     of up to 18 digits in 64 bits, in 32 where no value has more than 9
partitions   few and large, each column of each in one piece, so that a scan only slices (which it
             does where it reads much of few rows); rows that come so stay where they are
ranges       of everything that is stored as integers are measured, and carried by the fields, as
             is that no entry of a dictionary comes twice

The order of rows stays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.io import distinct
from plait.io.encoding import NARROW_DIGITS, low_words
from plait.io.measure import sample, stored_range
from plait.planner.column_range import (
    Range,
    has_distinct_entries,
    with_distinct_entries,
    with_range,
)
from plait.planner.schema import Schema
from plait.planner.types import is_decimal, is_string

_TASKS = 2  # partitions for each worker: more cost more than ending together gains
_ROWS = 1 << 19  # of a partition: below this, tasks cost more than they even out
_FEW_ROWS = 1 << 18  # of a partition: fewer are cut by scans that read much of them, not here
_BYTES = 256 << 20  # of a partition: above this, what a task gathers becomes large
_ENTRIES = 1 << 17  # of a dictionary: functions of a column look at all of them in every batch
_REPEATED = 8  # rows for each entry of a dictionary, for it to be worth while
_NINE = 10**9 - 1  # the greatest integer of a decimal in 32 bits
_OFFSETS = (1 << 31) - 1  # bytes of texts that one array can hold
_UNEVEN = 1.5  # the most rows that a partition has, by the mean
_MANY_VALUES = 1 << 20  # from which on threads share the columns


def keep(rows: list[pa.RecordBatch], schema: Schema, workers: int) -> list[pa.RecordBatch]:
    """The rows in partitions to keep, one batch each. Empties `rows`, to let go of each column
    as soon as it is copied."""
    sizes = [b.num_rows for b in rows]
    total = sum(sizes)
    if not len(schema):
        rows.clear()
        return [pa.RecordBatch.from_arrays([pa.nulls(total)], names=["#"]).select([])]
    types = [f.type for f in schema]
    given = [[b.column(f.name) for b in rows] for f in schema]
    clean = [all(has_distinct_entries(b.schema.field(f.name)) for b in rows) for f in schema]
    rows.clear()

    def encode(i: int) -> pa.ChunkedArray:
        chunks, given[i] = given[i], []
        return _encoded(chunks, types[i], total, clean[i])

    def cut(i: int) -> tuple[list[pa.Array], Range | None]:
        column, columns[i] = columns[i], nothing
        pieces = [_one(column.slice(a, b - a)) for a, b in itertools.pairwise(borders)]
        del column
        known = stored_range(pieces)
        return _halved(pieces, known), known

    nothing = pa.chunked_array([], pa.null())
    threads = workers if total * len(schema) >= _MANY_VALUES else 1
    columns = _each(encode, len(schema), threads)
    borders = _borders(columns, sizes, workers)
    fields, pieces = [], []
    for f, (arrays, known) in zip(schema, _each(cut, len(schema), threads), strict=True):
        field = with_range(pa.field(f.name, arrays[0].type), known)
        fields.append(with_distinct_entries(field) if pat.is_dictionary(field.type) else field)
        pieces.append(arrays)
    found = pa.schema(fields)
    return [pa.RecordBatch.from_arrays(list(c), schema=found) for c in zip(*pieces, strict=True)]


T = TypeVar("T")


def _each(work: Callable[[int], T], count: int, threads: int) -> list[T]:
    """The work for each number below a count, by several threads."""
    if threads == 1:
        return [work(i) for i in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(count)))


def _borders(columns: Sequence[pa.ChunkedArray], sizes: Sequence[int], workers: int) -> list[int]:
    """Where partitions begin and end: as the rows were given, if that shares them out well."""
    rows = sum(sizes)
    size = sum(c.nbytes for c in columns)
    least = max(1, min(workers, rows // _FEW_ROWS), math.ceil(size / _BYTES))
    count = max(least, min(_TASKS * workers, rows // _ROWS))
    found = [n for n in sizes if n]
    even = bool(found) and max(found) * len(found) <= _UNEVEN * rows
    if even and least <= len(found) <= max(count, rows // _ROWS):
        borders = [0, *itertools.accumulate(found)]
        if _widest(columns, borders) <= _OFFSETS:
            return borders
    while True:
        borders = [rows * i // count for i in range(count + 1)]
        if _widest(columns, borders) <= _OFFSETS or count >= rows:
            return borders
        count *= 2


def _widest(columns: Sequence[pa.ChunkedArray], borders: Sequence[int]) -> int:
    widest: int = max(
        c.slice(a, b - a).nbytes for c in columns for a, b in itertools.pairwise(borders)
    )
    return widest


def _halved(chunks: list[pa.Array], known: Range | None) -> list[pa.Array]:
    """Decimals in 32 bits if all have no more than 9 digits: loops read half the memory."""
    t = chunks[0].type
    if not pat.is_decimal64(t) or known is None or not -_NINE <= known[0] <= known[1] <= _NINE:
        return chunks
    narrow = pa.decimal32(min(t.precision, 9), min(t.scale, 9))
    if narrow.scale != t.scale:
        return chunks
    return [_low_halves(c, narrow) for c in chunks]


def _low_halves(array: pa.Array, kept: pa.DataType) -> pa.Array:
    words = np.frombuffer(array.buffers()[1], np.int32, 2 * len(array), 8 * array.offset)
    low = np.ascontiguousarray(words[::2])  # what stands under a NULL does not matter
    valid = array.is_valid().buffers()[1] if array.null_count else None
    return pa.Array.from_buffers(kept, len(array), [valid, pa.py_buffer(low)])


def _one(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    if not column.num_chunks:
        return pa.array([], column.type)
    if pat.is_dictionary(column.type):  # one dictionary, nothing to compare
        codes = pa.concat_arrays([c.indices for c in column.chunks])
        return pa.DictionaryArray.from_arrays(codes, column.chunk(0).dictionary, safe=False)
    return pa.concat_arrays(column.chunks)


def _encoded(
    chunks: Sequence[pa.Array], logical: pa.DataType, rows: int, clean: bool
) -> pa.ChunkedArray:
    """The column in its encoding, the same for all chunks."""
    if is_string(logical):
        return _texts(chunks, rows, clean)
    if is_decimal(logical):
        narrow = logical.precision <= NARROW_DIGITS
        kept = pa.decimal64(logical.precision, logical.scale) if narrow else logical
        return pa.chunked_array([_decimals(c, kept) for c in chunks], kept)
    return pa.chunked_array([_plain(c).cast(logical) for c in chunks], logical)


def _decimals(array: pa.Array, kept: pa.DataType) -> pa.Array:
    """Decimals in 64 or 128 bits. The precision of an encoding says nothing of its values."""
    array = _plain(array)
    if array.type.bit_width != 128 and array.type.bit_width != kept.bit_width:
        array = array.cast(pa.decimal128(38, array.type.scale))
    if array.type.bit_width == 128 and kept.bit_width == 64:
        return low_words(array, kept)
    return pa.Array.from_buffers(kept, len(array), array.buffers(), -1, array.offset)


def _texts(chunks: Sequence[pa.Array], rows: int, clean: bool) -> pa.ChunkedArray:
    """`clean`: no entry of a dictionary comes twice, or is NULL."""
    worthwhile = min(_ENTRIES, rows // _REPEATED)
    if chunks and all(pat.is_dictionary(c.type) for c in chunks):
        entries, codes = _one_dictionary(chunks)
        if len(entries) <= worthwhile:
            clean = clean or (not entries.null_count and len(entries.unique()) == len(entries))
            if clean:
                return _narrow_codes(entries, codes)
    plain = pa.chunked_array([_plain(c) for c in chunks], pa.string())
    if worthwhile:
        few = distinct.estimate([sample(plain)], rows - plain.null_count, None, None)
        if few is not None and few <= worthwhile:
            coded = plain.dictionary_encode().unify_dictionaries()
            entries = coded.chunk(0).dictionary
            if len(entries) <= worthwhile:
                return _narrow_codes(entries, [c.indices for c in coded.chunks])
    return plain


def _one_dictionary(chunks: Sequence[pa.DictionaryArray]) -> tuple[pa.Array, list[pa.Array]]:
    """The entries that chunks have together, and their codes."""
    first = chunks[0].dictionary
    if all(c.dictionary.equals(first) for c in chunks[1:]):
        return first, [c.indices for c in chunks]
    wide = [
        pa.DictionaryArray.from_arrays(c.indices.cast(pa.int32()), c.dictionary, safe=False)
        for c in chunks
    ]
    coded = pa.chunked_array(wide).unify_dictionaries()
    return coded.chunk(0).dictionary, [c.indices for c in coded.chunks]


def _narrow_codes(entries: pa.Array, codes: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Codes in the narrowest integers that have room for one code more, which is for NULL."""
    width = next(t for t, most in _CODES if len(entries) <= most)
    narrow = [
        pa.DictionaryArray.from_arrays(c.cast(width, safe=False), entries, safe=False)
        for c in codes
    ]
    return pa.chunked_array(narrow, pa.dictionary(width, entries.type))


_CODES = (
    (pa.int8(), (1 << 7) - 1),
    (pa.int16(), (1 << 15) - 1),
    (pa.int32(), (1 << 31) - 1),
)


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pat.is_dictionary(array.type) else array
