"""The kernels of list functions that look at elements as sets or in order, and fields of structs.

The elements of all lists are handled as one column with the number of the row each belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.kernels.calendar import from_ints, valid_of
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode,
    is_array,
    length_of,
    per_entry,
)
from plait.engine.kernels.lists import (
    from_parts,
    list_concat,
    list_value,
    parts_of,
    ranges,
    rows_of,
)
from plait.engine.kernels.views import Bools, Ints, validity
from plait.errors import ComputeError
from plait.planner.functions.lists import field_number


def _elements(value: Value, n: int) -> tuple[pa.Array, Ints, Ints, Bools | None]:
    """All elements in order, the row of each, how many each row has, and which rows have a list."""
    valid = valid_of((value,)) if is_array(value) else None
    values, begin, end = parts_of(value, n)
    sizes = end - begin if valid is None else np.where(valid, end - begin, 0)
    return decode(values.take(pa.array(ranges(begin, sizes)))), rows_of(sizes), sizes, valid


def _codes(values: pa.Array) -> Ints:
    """Numbers that are equal for equal elements; NULL is -1."""
    if pa.types.is_floating(values.type):
        values = pc.add(values, pa.scalar(0.0, values.type))  # -0.0 is 0.0
    return np.asarray(values.dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64))


def list_reverse(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The elements backwards."""
    values, _, sizes, valid = _elements(args[0], length_of(args))
    ends = np.cumsum(sizes)
    order = np.repeat(2 * ends - sizes - 1, sizes) - np.arange(len(values))
    return from_parts(values.take(pa.array(order)), sizes, valid)


def _sorted(args: Sequence[Value], descending: bool) -> pa.Array:
    source, *options = args
    if any(is_array(o) for o in options):
        raise ComputeError("The order of list_sort must be a constant")
    words = [str(o.as_py()).upper() for o in options]
    for word, allowed in zip(words, (("ASC", "DESC"), ("NULLS FIRST", "NULLS LAST")), strict=False):
        if word not in allowed:
            raise ComputeError(f"list_sort takes {' or '.join(allowed)}, not {word!r}")
    if words:
        descending = (words[0] == "DESC") != descending
    nulls_first = len(words) > 1 and words[1] == "NULLS FIRST"
    values, rows, sizes, valid = _elements(source, length_of(args))
    if pa.types.is_nested(values.type):
        raise ComputeError(f"Lists of {values.type} cannot be sorted")
    if not len(values):
        return from_parts(values, sizes, valid)
    missing = validity(values)
    ranks = pc.rank(values, tiebreaker="dense").to_numpy().astype(np.int64)
    if pa.types.is_floating(values.type) and missing is None:
        missing = np.ones(len(values), np.bool_)
    if pa.types.is_floating(values.type):
        ranks[np.nan_to_num(values.is_nan().to_numpy(zero_copy_only=False))] = len(values) + 1
    if descending:
        ranks = -ranks
    if missing is not None:
        ranks[~missing] = -len(values) - 2 if nulls_first else len(values) + 2
    order = np.lexsort((ranks, rows))
    return from_parts(values.take(pa.array(order)), sizes, valid)


def list_sort(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The elements in order; NULLs and NaN at the end unless said otherwise."""
    return _sorted(args, False)


def list_reverse_sort(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The elements in descending order."""
    return _sorted(args, True)


def _first_occurrences(values: pa.Array, rows: Ints) -> Ints:
    """Places of the elements that are not NULL and not in their list before."""
    codes = _codes(values)
    known = np.flatnonzero(codes >= 0)
    if not len(known):
        return known
    keys = rows[known] * (int(codes.max()) + 1) + codes[known]
    _, first = np.unique(keys, return_index=True)
    return np.asarray(known[np.sort(first)])


def list_distinct(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The different elements but NULL, in the order of their first occurrence."""
    n = length_of(args)
    values, rows, _, valid = _elements(args[0], n)
    kept = _first_occurrences(values, rows)
    return from_parts(values.take(pa.array(kept)), np.bincount(rows[kept], minlength=n), valid)


def list_unique(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """How many different elements, without NULL."""
    n = length_of(args)
    values, rows, _, valid = _elements(args[0], n)
    kept = _first_occurrences(values, rows)
    return from_ints(np.bincount(rows[kept], minlength=n).astype(np.uint64), result, valid, n)


def list_count(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """How many elements that are not NULL."""
    n = length_of(args)
    values, rows, _, valid = _elements(args[0], n)
    here = validity(values)
    counted = rows if here is None else rows[here]
    return from_ints(np.bincount(counted, minlength=n), result, valid, n)


def _overlap(args: Sequence[Value]) -> tuple[Ints, Ints, Bools, int, Bools | None]:
    """Of the second list's elements: keys, rows, and whether they are in the first list."""
    n = length_of(args)
    a, rows_a, _, valid_a = _elements(args[0], n)
    b, rows_b, _, valid_b = _elements(args[1], n)
    codes = _codes(pa.concat_arrays([a, b]))
    span = int(codes.max()) + 1 if len(codes) else 1
    left, right = codes[: len(a)], codes[len(a) :]
    keys_a = (rows_a * span + left)[left >= 0]
    here = right >= 0
    keys_b, rows_b = (rows_b * span + right)[here], rows_b[here]
    both = [v for v in (valid_a, valid_b) if v is not None]
    valid = np.logical_and.reduce(both) if both else None
    return keys_b, rows_b, np.isin(keys_b, keys_a), n, valid


def list_has_any(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether the lists have an element in common."""
    _, rows, found, n, valid = _overlap(args)
    answer = np.zeros(n, np.bool_)
    answer[rows[found]] = True
    return from_ints(answer, result, valid, n)


def list_has_all(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether all of the second list's elements are in the first."""
    _, rows, found, n, valid = _overlap(args)
    answer = np.ones(n, np.bool_)
    answer[rows[~found]] = False
    return from_ints(answer, result, valid, n)


def list_append(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The list with a value at its end."""
    list_, value = args
    n = length_of(args)
    return list_concat([array_of(list_, n), list_value([array_of(value, n)], result)], result)


def list_prepend(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The list with a value at its start."""
    value, list_ = args
    n = length_of(args)
    return list_concat([list_value([array_of(value, n)], result), array_of(list_, n)], result)


def flatten(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The lists in a list one after the other."""
    n = length_of(args)
    inner, rows, _, valid = _elements(args[0], n)
    values, _, sizes, _ = _elements(inner, len(inner))
    totals = np.bincount(rows, weights=sizes, minlength=n).astype(np.int64)
    return from_parts(values, totals, valid)


def struct_extract(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A field by its name, or number from 1."""
    source, key = args
    array, wanted = array_of(source, length_of(args)), key.as_py()
    names = [field.name for field in array.type]
    at = wanted - 1 if isinstance(wanted, int) else field_number(names, wanted)
    return array.flatten()[at]


KERNELS: dict[str, Kernel] = {
    "list_append": list_append,
    "list_prepend": list_prepend,
    "list_reverse": per_entry(list_reverse),
    "list_sort": per_entry(list_sort),
    "list_reverse_sort": per_entry(list_reverse_sort),
    "list_distinct": per_entry(list_distinct),
    "list_unique": per_entry(list_unique),
    "list_count": per_entry(list_count),
    "list_has_any": per_entry(list_has_any),
    "list_has_all": per_entry(list_has_all),
    "flatten": per_entry(flatten),
    "struct_extract": per_entry(struct_extract),
}
