"""Batches: small helpers over pyarrow.RecordBatch, the one form of data inside a task.

A batch has unchunked columns, and may have none and still have rows. A column may be in a narrower
*encoding* of its logical type: strings as dictionary codes, decimals of up to 18 digits as 64-bit
integers (`decimal64`). Operators keep encodings; `to_logical` undoes them where rows leave plait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.planner.column_range import known_field
from plait.planner.schema import Schema

_FEW, _ENOUGH = 1 << 15, 1 << 17  # rows of a batch that is put together with others, and of those


def make(names: Sequence[str], columns: Sequence[pa.Array], rows: int) -> pa.RecordBatch:
    """A batch; `rows` matters when there are no columns."""
    if not names:
        return without_columns(rows)
    return pa.RecordBatch.from_arrays(list(columns), names=list(names))


def without_columns(rows: int) -> pa.RecordBatch:
    """A batch of no columns that still counts its rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(rows)], names=["#"]).select([])


def empty(schema: Schema) -> pa.RecordBatch:
    """A batch of no rows."""
    return make(schema.names, [pa.array([], f.type) for f in schema], 0)


def from_table(table: pa.Table | pa.RecordBatch, schema: Schema) -> pa.RecordBatch:
    """One batch of a table's rows, in their encodings, with the ranges known of them."""
    if isinstance(table, pa.RecordBatch):
        return table
    if not len(schema):
        return without_columns(table.num_rows)
    columns = [concat_arrays(table.column(f.name).chunks, f.type) for f in schema]
    fields = [
        known_field(table.schema.field(f.name), f.name, array.type)
        for f, array in zip(schema, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column by name."""
    return batch.column(batch.schema.get_field_index(name))


def concat(batches: Sequence[pa.RecordBatch], schema: Schema) -> pa.RecordBatch:
    """One batch of all rows, with the columns of `schema`; differing encodings are reconciled."""
    filled = [b for b in batches if b.num_rows]
    if not filled:
        return empty(schema)
    if len(filled) == 1:
        return filled[0].select(list(schema.names))
    rows = sum(b.num_rows for b in filled)
    columns = [concat_arrays([column(b, f.name) for b in filled], f.type) for f in schema]
    return make(schema.names, columns, rows)


def in_fewer(rows: Iterator[pa.RecordBatch], schema: Schema) -> Iterator[pa.RecordBatch]:
    """The same rows, small batches put together: each one costs what a loop takes to begin.

    Dictionaries stay as they are: to make one of several takes longer than that.
    """
    small: list[pa.RecordBatch] = []
    for batch in rows:
        if batch.num_rows >= _FEW or any(pa.types.is_dictionary(t) for t in batch.schema.types):
            yield from _together(small, schema)
            small = []
            yield batch
        elif batch.num_rows:
            small.append(batch)
            if sum(b.num_rows for b in small) >= _ENOUGH:
                yield from _together(small, schema)
                small = []
    yield from _together(small, schema)


def _together(small: Sequence[pa.RecordBatch], schema: Schema) -> Iterator[pa.RecordBatch]:
    if len(small) > 1:
        yield concat(small, schema)
    else:
        yield from small


def concat_arrays(arrays: Sequence[pa.Array], logical: pa.DataType) -> pa.Array:
    """One array of all values; falls back to the logical type when encodings differ."""
    if len(arrays) == 1:
        return arrays[0]
    if not arrays:
        return pa.array([], logical)
    first = arrays[0].type
    if any(a.type != first for a in arrays):
        if all(pa.types.is_dictionary(a.type) for a in arrays):
            arrays = [_wide_codes(a) for a in arrays]
        else:
            arrays = [decode(a, logical) for a in arrays]
    if pa.types.is_dictionary(arrays[0].type):
        return _concat_dictionaries(arrays)
    return pa.concat_arrays(arrays)


def _wide_codes(array: pa.DictionaryArray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), array.dictionary)


def _concat_dictionaries(arrays: Sequence[pa.DictionaryArray]) -> pa.Array:
    first = arrays[0].dictionary
    if all(a.dictionary is first or a.dictionary.equals(first) for a in arrays[1:]):
        codes = pa.concat_arrays([a.indices for a in arrays])
        return pa.DictionaryArray.from_arrays(codes, first)
    total = sum(len(a.dictionary) for a in arrays)
    spent = total > 0.5 * sum(map(len, arrays))  # the dictionaries no longer save anything
    if spent or any(a.dictionary.null_count for a in arrays):  # which Arrow does not unify
        return pa.concat_arrays([a.dictionary_decode() for a in arrays])
    unified = pa.chunked_array([_wide_codes(a) for a in arrays]).unify_dictionaries()
    codes = pa.concat_arrays([chunk.indices for chunk in unified.chunks])
    return pa.DictionaryArray.from_arrays(codes, unified.chunk(0).dictionary)


def decode(array: pa.Array, logical: pa.DataType) -> pa.Array:
    """The array in its logical type, exactly."""
    if array.type == logical:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
        return array if array.type == logical else array.cast(logical)
    if pa.types.is_decimal(array.type) and pa.types.is_decimal(logical):
        return _widen_decimal(array, logical)
    return array.cast(logical)


def _widen_decimal(array: pa.Array, logical: pa.DataType) -> pa.Array:
    # the precision of a 64-bit encoding says nothing of the values: go through the widest type
    wide = array.cast(pa.decimal128(38, array.type.scale))
    return pa.Array.from_buffers(logical, len(wide), wide.buffers(), offset=wide.offset)


def to_logical(batch: pa.RecordBatch, schema: Schema) -> pa.RecordBatch:
    """The batch without encodings, with the columns of `schema`."""
    columns = [decode(column(batch, f.name), f.type) for f in schema]
    return make(schema.names, columns, batch.num_rows)


def take(batch: pa.RecordBatch, indices: pa.Array) -> pa.RecordBatch:
    """Rows by number; a NULL index gives a row of NULLs."""
    if not batch.num_columns:
        return without_columns(len(indices))
    columns = [pc.take(c, indices, boundscheck=False) for c in batch.columns]
    return make(batch.schema.names, columns, len(indices))


def filter_rows(batch: pa.RecordBatch, mask: pa.Array) -> pa.RecordBatch:
    """The rows where the mask is true: their numbers once, then a gather of each column.

    (Filtering each column by the mask branches for every row of every column.)
    """
    return take(batch, true_rows(mask))


def true_rows(mask: pa.Array) -> pa.Array:
    """The numbers of the rows where a mask is true; NULL counts as false."""
    if mask.null_count:
        mask = pc.fill_null(mask, False)
    return pa.array(np.flatnonzero(mask.to_numpy(zero_copy_only=False)).astype(np.int32))


def size(batches: Iterable[pa.RecordBatch]) -> int:
    """Bytes of the rows (of slices only their part), shared dictionaries counted once."""
    return sum(b.nbytes for b in batches)
