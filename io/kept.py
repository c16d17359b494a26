"""Kept frames: rows that were computed to stay, in the form in which loops read them best.

strings      codes into one dictionary for the whole frame, in the narrowest integers, where few
             values repeat often; else as they are
decimals     of up to 18 digits in 64 bits, in 32 where no value has more than 9
partitions   few and large, each column of each in one piece, so that a scan only slices
ranges       of everything that is stored as integers are measured, and carried by the fields

The order of rows stays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.io import distinct
from plait.io.encoding import NARROW_DIGITS, low_words
from plait.io.measure import sample, stored_range
from plait.io.splitting import MIN_SPLIT_ROWS
from plait.planner.column_range import Range, with_range
from plait.planner.schema import Schema
from plait.planner.types import is_decimal, is_string

_TASKS = 4  # partitions for each worker, so that they end together
_ROWS = 1 << 19  # of a partition: below this, tasks cost more than they even out
_BYTES = 128 << 20  # of a partition: above this, what a task gathers becomes large
_ENTRIES = 1 << 17  # of a dictionary: functions of a column look at all of them in every batch
_REPEATED = 8  # rows for each entry of a dictionary, for it to be worth while
_NINE = 10**9 - 1  # the greatest integer of a decimal in 32 bits
_OFFSETS = (1 << 31) - 1  # bytes of texts that one array can hold


def keep(rows: list[pa.RecordBatch], schema: Schema, workers: int) -> list[pa.RecordBatch]:
    """The rows in partitions to keep, one batch each. Empties `rows`, to let go of each column
    as soon as it is copied."""
    total = sum(b.num_rows for b in rows)
    if not len(schema):
        rows.clear()
        return [pa.RecordBatch.from_arrays([pa.nulls(total)], names=["#"]).select([])]
    given = [[b.column(f.name) for b in rows] for f in schema]
    rows.clear()
    columns: list[pa.ChunkedArray] = []
    for i, f in enumerate(schema):
        columns.append(_encoded(given[i], f.type, total))
        given[i] = []
    borders = _borders(columns, total, workers)
    fields, pieces = [], []
    for i, f in enumerate(schema):
        column = columns[i]
        cut = [_one(column.slice(a, b - a)) for a, b in itertools.pairwise(borders)]
        known = stored_range(cut)
        cut = _halved(cut, known)
        columns[i] = pa.chunked_array(cut, cut[0].type)
        fields.append(with_range(pa.field(f.name, cut[0].type), known))
        pieces.append(cut)
    found = pa.schema(fields)
    return [pa.RecordBatch.from_arrays(list(c), schema=found) for c in zip(*pieces, strict=True)]


def _borders(columns: Sequence[pa.ChunkedArray], rows: int, workers: int) -> list[int]:
    size = sum(c.nbytes for c in columns)
    most = min(workers, rows // MIN_SPLIT_ROWS)
    count = max(1, most, min(_TASKS * workers, rows // _ROWS), math.ceil(size / _BYTES))
    while True:
        borders = [rows * i // count for i in range(count + 1)]
        widest = max(
            c.slice(a, b - a).nbytes for c in columns for a, b in itertools.pairwise(borders)
        )
        if widest <= _OFFSETS or count >= rows:
            return borders
        count *= 2


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
        return pa.DictionaryArray.from_arrays(codes, column.chunk(0).dictionary)
    return pa.concat_arrays(column.chunks)


def _encoded(chunks: Sequence[pa.Array], logical: pa.DataType, rows: int) -> pa.ChunkedArray:
    """The column in its encoding, the same for all chunks."""
    if is_string(logical):
        return _texts(chunks, rows)
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


def _texts(chunks: Sequence[pa.Array], rows: int) -> pa.ChunkedArray:
    worthwhile = min(_ENTRIES, rows // _REPEATED)
    if chunks and all(pat.is_dictionary(c.type) for c in chunks):
        wide = [
            pa.DictionaryArray.from_arrays(c.indices.cast(pa.int32()), c.dictionary) for c in chunks
        ]
        coded = pa.chunked_array(wide).unify_dictionaries()
        entries = coded.chunk(0).dictionary
        clean = entries.null_count == 0 and len(entries.unique()) == len(entries)
        if clean and len(entries) <= worthwhile:
            return _narrow_codes(coded)
    plain = pa.chunked_array([_plain(c) for c in chunks], pa.string())
    if worthwhile:
        few = distinct.estimate([sample(plain)], rows - plain.null_count, None, None)
        if few is not None and few <= worthwhile:
            coded = plain.dictionary_encode().unify_dictionaries()
            if len(coded.chunk(0).dictionary) <= worthwhile:
                return _narrow_codes(coded)
    return plain


def _narrow_codes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Codes in the narrowest integers that have room for one code more, which is for NULL."""
    entries = column.chunk(0).dictionary
    width = next(t for t, most in _CODES if len(entries) <= most)
    narrow = [pa.DictionaryArray.from_arrays(c.indices.cast(width), entries) for c in column.chunks]
    return pa.chunked_array(narrow)


_CODES = (
    (pa.int8(), (1 << 7) - 1),
    (pa.int16(), (1 << 15) - 1),
    (pa.int32(), (1 << 31) - 1),
)


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pat.is_dictionary(array.type) else array
