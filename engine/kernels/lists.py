"""The kernels of list functions, over offsets and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import from_ints, ints_of, valid_of
from plait.engine.kernels.comparison import compare
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode,
    is_array,
    length_of,
    per_entry,
)
from plait.engine.kernels.printing import to_text
from plait.engine.kernels.rows import slice_rows
from plait.engine.kernels.views import Bools, Ints, pack_bits, stored, validity
from plait.errors import NumericOverflowError
from plait.planner.types import is_decimal, sql_name


def parts_of(value: Value, length: int) -> tuple[pa.Array, Ints, Ints]:
    """All elements of a list column, and where each row's begin and end."""
    array = array_of(value, length)
    offsets = array.offsets.to_numpy().astype(np.int64)
    return array.values, offsets[:-1], offsets[1:]


def from_parts(values: pa.Array, sizes: Ints, valid: Bools | None) -> pa.Array:
    """A list column from all elements in order and how many each row has."""
    if valid is not None:
        sizes = np.where(valid, sizes, 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    bitmap = None if valid is None else pack_bits(valid)
    return pa.Array.from_buffers(
        pa.list_(values.type), len(sizes), [bitmap, pa.py_buffer(offsets)], children=[values]
    )


def ranges(begin: Ints, sizes: Ints) -> Ints:
    """begin, begin + 1, ... for each row, one after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.repeat(begin - (ends - sizes), sizes) + np.arange(total))


def rows_of(sizes: Ints) -> Ints:
    """The row of every element."""
    return np.repeat(np.arange(len(sizes)), sizes)


def list_value(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The arguments as a list."""
    n = length_of(args)
    if pat.is_null(result.value_type):
        return from_parts(pa.nulls(n * len(args)), np.full(n, len(args)), None)
    columns = [decode(array_of(a, n)) for a in args]
    columns = [c if c.type == result.value_type else c.cast(result.value_type) for c in columns]
    width = len(columns)
    order = np.arange(n * width).reshape(width, n).T.ravel()
    values = pa.concat_arrays(columns).take(pa.array(order))
    return from_parts(values, np.full(n, width), None)


def list_extract(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The element at a position from 1, or from the end; NULL outside. Of text: '' outside."""
    source, at = args
    n = length_of(args)
    place = np.broadcast_to(ints_of(at), (n,))
    if pat.is_string(source.type):

        def bounds(lengths: Ints) -> tuple[Ints, Ints]:
            start = np.where(place > 0, place - 1, np.where(place < 0, lengths + place, lengths))
            return start, start + 1

        return slice_rows(source, bounds, [at])
    values, begin, end = parts_of(source, n)
    found = np.where(place > 0, begin + place - 1, end + place)
    inside = (found >= begin) & (found < end) & (place != 0)
    valid = valid_of(args)
    if valid is not None:
        inside &= valid
    return values.take(pa.array(np.where(inside, found, 0), mask=~inside))


def list_slice(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Elements or characters from one position to another, both included."""
    source, first, last = args
    n = length_of(args)
    low, high = (_ends(x, n) for x in (first, last))

    def bounds(lengths: Ints) -> tuple[Ints, Ints]:
        start = np.where(low[1], low[0], 1)
        stop = np.where(high[1], high[0], lengths)
        start = np.where(start < 0, lengths + start, np.maximum(start - 1, 0))
        stop = np.where(stop < 0, lengths + stop + 1, stop)
        return np.clip(start, 0, lengths), np.clip(stop, 0, lengths)

    if pat.is_string(source.type):
        return slice_rows(source, bounds, [])
    values, begin, end = parts_of(source, n)
    valid = valid_of((source,))
    start, stop = bounds(end - begin)
    sizes = np.maximum(stop - start, 0)
    if valid is not None:
        sizes = np.where(valid, sizes, 0)
    return from_parts(values.take(pa.array(ranges(begin + start, sizes))), sizes, valid)


def _ends(value: Value, n: int) -> tuple[Ints, Bools]:
    """Positions, and where there is one."""
    array = array_of(value, n)
    if pat.is_null(array.type):
        return np.zeros(n, np.int64), np.zeros(n, np.bool_)
    valid = validity(array)
    return ints_of(array), np.ones(n, np.bool_) if valid is None else valid


def _matches(args: Sequence[Value], n: int) -> tuple[Bools, Ints, Ints]:
    """Which elements equal their row's value, the row of each, and where rows begin."""
    source, wanted = args
    values, begin, end = parts_of(source, n)
    sizes = end - begin
    values = values.take(pa.array(ranges(begin, sizes)))
    rows = rows_of(sizes)
    beside = wanted if not is_array(wanted) else wanted.take(pa.array(rows))
    if not len(values):
        return np.zeros(0, np.bool_), rows, np.cumsum(sizes) - sizes
    same = compare("equal", values, beside).fill_null(False)
    return same.to_numpy(zero_copy_only=False), rows, np.cumsum(sizes) - sizes


def list_contains(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether an element equals the value; NULL only for a NULL list or value."""
    n, valid = length_of(args), valid_of(args)
    if not is_array(args[1]) and not args[1].is_valid:
        return pa.nulls(n, result)
    same, rows, _ = _matches(args, n)
    found = np.zeros(n, np.bool_)
    found[rows[same]] = True
    return from_ints(found, result, valid, n)


def list_position(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The position of the first element that equals the value; NULL if there is none."""
    n, valid = length_of(args), valid_of(args)
    if not is_array(args[1]) and not args[1].is_valid:
        return pa.nulls(n, result)
    same, rows, begin = _matches(args, n)
    places = np.flatnonzero(same)
    found = np.zeros(n, np.int64)
    # backwards, so that the first match is written last
    found[rows[places[::-1]]] = places[::-1] - begin[rows[places[::-1]]] + 1
    there = found > 0 if valid is None else valid & (found > 0)
    return from_ints(found.astype(np.int32), result, there, n)


def list_concat(args: Sequence[Value], result: pa.DataType, null_matters: bool = False) -> pa.Array:
    """Lists one after the other; a NULL list is empty, or makes all NULL if it matters."""
    n = length_of(args)
    valid = valid_of(args) if null_matters else None
    lists = [array_of(a, n) for a in args if is_array(a) or a.is_valid]
    if not lists:
        return from_parts(pa.nulls(0, result.value_type), np.zeros(n, np.int64), None)
    columns, begins, sizes, base = [], [], [], 0
    for column in lists:
        values, begin, end = parts_of(column, n)
        here = validity(column)
        columns.append(decode(values).cast(result.value_type))
        begins.append(begin + base)
        sizes.append(end - begin if here is None else np.where(here, end - begin, 0))
        base += len(values)
    if valid is not None:
        sizes = [np.where(valid, s, 0) for s in sizes]
    order = ranges(np.stack(begins, 1).ravel(), np.stack(sizes, 1).ravel())
    total = np.sum(sizes, axis=0)
    return from_parts(pa.concat_arrays(columns).take(pa.array(order)), total, valid)


def array_to_string(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The elements that are not NULL as text, with a separator between them."""
    source, separator = args
    n, valid = length_of(args), valid_of(args)
    values, begin, end = parts_of(source, n)
    sizes = end - begin if valid is None else np.where(valid, end - begin, 0)
    values = values.take(pa.array(ranges(begin, sizes)))
    rows = rows_of(sizes)
    if values.null_count:
        here = values.is_valid().to_numpy(zero_copy_only=False)
        rows, values = rows[here], values.drop_null()
    lists = from_parts(to_text(values), np.bincount(rows, minlength=n), valid)
    return pc.binary_join(lists, decode(separator))


def list_length(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """How many elements."""
    return pc.list_value_length(args[0]).cast(result)


def _reduction(function: Callable[[Any], Any], name: str) -> Kernel:
    """A reduction of each list's elements, NULLs left out; NULL for none."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        n, valid = length_of(args), valid_of(args)
        values, begin, end = parts_of(args[0], n)
        sizes = end - begin if valid is None else np.where(valid, end - begin, 0)
        table = pa.table(
            {"row": rows_of(sizes), "value": decode(values.take(pa.array(ranges(begin, sizes))))}
        )
        found = function(table.group_by("row"))
        column = found.column(f"value_{name}").combine_chunks()
        if is_decimal(result) and column.type != result:
            column = column.cast(result)
        place = np.full(n, -1)
        place[found.column("row").to_numpy()] = np.arange(found.num_rows)
        answers = column.take(pa.array(np.maximum(place, 0), mask=place < 0))
        return answers if answers.type == result else answers.cast(result)

    return run


def _sum(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    element = args[0].type.value_type
    if pat.is_integer(element):
        n = length_of(args)
        values, _, _ = parts_of(args[0], n)
        if len(values) and np.abs(stored(values).astype(np.float64)).max() * len(values) >= 9.2e18:
            raise NumericOverflowError(
                f"A sum of {sql_name(element)} elements may not fit {sql_name(result)}"
            )
    return _reduction(lambda groups: groups.aggregate([("value", "sum")]), "sum")(args, result)


KERNELS: dict[str, Kernel] = {
    "list_value": list_value,
    "list_concat": list_concat,
    "list_extract": per_entry(list_extract),
    "list_slice": per_entry(list_slice, null_matters=True),
    "list_contains": list_contains,
    "list_position": list_position,
    "array_length": list_length,
    "array_to_string": array_to_string,
    "list_sum": _sum,
    "list_avg": _reduction(lambda groups: groups.aggregate([("value", "mean")]), "mean"),
    "list_min": _reduction(lambda groups: groups.aggregate([("value", "min")]), "min"),
    "list_max": _reduction(lambda groups: groups.aggregate([("value", "max")]), "max"),
}
