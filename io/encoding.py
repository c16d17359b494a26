"""From the types found in data to logical types, and the encodings in which columns travel.

`logical_type` is what the planner is told. `to_logical` brings a decoded column to that type or
to one of the two encodings that the engine knows: strings as dictionary<int32, string>, decimals
of up to 18 digits as decimal64 (whose buffer is the scaled integers).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.errors import PlanError, UnsupportedError
from plait.planner.schema import Schema
from plait.planner.types import BINARY, STRING, is_decimal, is_float, is_string, normalize

CODES = pa.dictionary(pa.int32(), pa.string())
NARROW_DIGITS = 18


def logical_type(found: pa.DataType) -> pa.DataType:
    """The logical type of an Arrow type found in data."""
    if isinstance(found, pa.BaseExtensionType):
        return logical_type(found.storage_type)
    if pat.is_run_end_encoded(found) or pat.is_dictionary(found):
        return logical_type(found.value_type)
    if pat.is_list_view(found) or pat.is_large_list_view(found):
        return pa.list_(logical_type(found.value_type))
    if pat.is_list(found) or pat.is_large_list(found) or pat.is_fixed_size_list(found):
        return pa.list_(logical_type(found.value_type))
    if pat.is_struct(found):
        return pa.struct([pa.field(f.name, logical_type(f.type)) for f in found])
    if pat.is_map(found):
        return pa.map_(logical_type(found.key_type), logical_type(found.item_type))
    if pat.is_union(found):
        raise UnsupportedError(f"Columns of type {found} are not supported; cast it to one type")
    return normalize(found)


def logical_schema(found: pa.Schema, where: str) -> Schema:
    """The logical schema of an Arrow schema; `where` names the data in errors."""
    fields = []
    for f in found:
        try:
            fields.append(pa.field(f.name, logical_type(f.type), f.nullable))
        except PlanError as error:
            raise type(error)(f"{where}, column {f.name!r}: {error}") from None
    try:
        return Schema.from_arrow(pa.schema(fields))
    except PlanError as error:
        raise PlanError(f"{where}: {error}") from None


def to_logical(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """A column as its logical type `target`, or in an encoding of it."""
    found = column.type
    if is_decimal(target) and target.precision <= NARROW_DIGITS:
        return narrow_decimals(column, target)
    if found == target or (target == STRING and found == CODES):
        return column
    if isinstance(found, pa.BaseExtensionType):
        chunks = [chunk.storage for chunk in column.chunks]
        return to_logical(pa.chunked_array(chunks, found.storage_type), target)
    if pat.is_run_end_encoded(found):
        chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return to_logical(pa.chunked_array(chunks, found.value_type), target)
    if pat.is_dictionary(found):
        return _dictionary(column, target)
    if pat.is_null(found):
        return pa.chunked_array([pa.nulls(len(column), target)])
    if pat.is_list_view(found) or pat.is_large_list_view(found):
        chunks = [_list_of_view(chunk) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.list_(found.value_type)).cast(target)
    if pat.is_time(target) and pat.is_time(found):
        return column.cast(target, safe=False)  # nanoseconds are cut off
    return column.cast(target)


def _list_of_view(array: pa.Array) -> pa.ListArray:
    # pyarrow's own cast leaves out the last offset
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), array.flatten(), mask=array.is_null())


def _dictionary(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    if target != STRING:
        chunks = [chunk.dictionary_decode() for chunk in column.chunks]
        return to_logical(pa.chunked_array(chunks, column.type.value_type), target)
    return pa.chunked_array([_codes(chunk) for chunk in column.chunks], CODES)


def _codes(array: pa.DictionaryArray) -> pa.DictionaryArray:
    values = array.dictionary
    if not is_string(values.type):
        values = values.cast(STRING)
    indices = array.indices if array.indices.type == pa.int32() else array.indices.cast(pa.int32())
    if values.null_count or len(values.unique()) < len(values):
        # the engine relies on entries that are distinct and not NULL
        return (
            pa.DictionaryArray.from_arrays(indices, values).dictionary_decode().dictionary_encode()
        )
    return pa.DictionaryArray.from_arrays(indices, values)


def narrow_decimals(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Decimals of at most 18 digits as 64-bit integers in `decimal64`."""
    narrow = pa.decimal64(target.precision, target.scale)
    found = column.type
    if found == narrow:
        return column
    if found != target:
        column = column.cast(target)
    return pa.chunked_array([low_words(chunk, narrow) for chunk in column.chunks], narrow)


def stored_decimals(column: pa.ChunkedArray, found: pa.DataType) -> pa.ChunkedArray:
    """Decimals read as the integers they are stored as (see io.thrift), without copying them."""
    narrow = pa.decimal64(found.precision, found.scale)
    return pa.chunked_array([_as_decimals(chunk, narrow) for chunk in column.chunks], narrow)


def _as_decimals(array: pa.Array, narrow: pa.DataType) -> pa.Array:
    wide = array.cast(pa.int64())
    return pa.Array.from_buffers(narrow, len(wide), wide.buffers(), wide.null_count, wide.offset)


def low_words(array: pa.Array, narrow: pa.DataType) -> pa.Array:
    """128-bit decimals that fit into 64 bits, copied into these."""
    validity, words = array.buffers()
    start, stop = array.offset, array.offset + len(array)
    # little endian two's complement: the low word of a number that fits is the number
    every = np.frombuffer(words, dtype=np.int64) if words else np.empty(0, dtype=np.int64)
    values = pa.py_buffer(every[2 * start : 2 * stop : 2].copy())
    if array.null_count == 0:
        return pa.Array.from_buffers(narrow, len(array), [None, values], 0)
    if array.offset:
        validity = array.is_valid().buffers()[1]
    return pa.Array.from_buffers(narrow, len(array), [validity, values], array.null_count)


def nan_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in which NaN, if there is any, is missing."""
    if not is_float(column.type) or not pc.any(pc.is_nan(column)).as_py():
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def unify(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Chunks of dictionary columns with one dictionary."""
    if column.num_chunks > 1 and pat.is_dictionary(column.type):
        return column.unify_dictionaries()
    return column


def table_of(
    columns: Sequence[pa.ChunkedArray | pa.Array], names: Sequence[str], rows: int
) -> pa.Table:
    """A table; without columns it still has `rows` rows."""
    if not names:
        return pa.table({"#": pa.nulls(rows)}).select([])
    return pa.table(list(columns), names=list(names))


def logical_table(table: pa.Table, schema: Schema, names: Iterable[str]) -> pa.Table:
    """The named columns of a table, each in its logical type or an encoding of it."""
    chosen = list(names)
    columns = [unify(to_logical(table.column(n), schema[n].type)) for n in chosen]
    return table_of(columns, chosen, table.num_rows)


def is_binary_like(found: pa.DataType) -> bool:
    """Whether values of a type are texts or bytes of varying length."""
    return found in (STRING, BINARY)
