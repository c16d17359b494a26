"""The kernels of coalesce, nullif, if, greatest and least.

Branches may come in different encodings. Constant texts become a dictionary, since codes are what
the rest of a query likes best; other dictionaries are decoded unless one is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.cast import cast
from plait.engine.kernels.comparison import compare
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode,
    decode_dictionary,
    from_scaled,
    is_array,
    length_of,
    scaled,
)
from plait.planner.functions.coercion import promote
from plait.planner.types import is_interval


def same_encoding(values: Sequence[Value], t: pa.DataType) -> list[Value]:
    """The values of logical type `t` in one physical type, 64-bit decimals if all fit."""
    if pat.is_decimal(t):
        ints = [scaled(v) if v.is_valid or is_array(v) else None for v in values]
        pairs = list(zip(ints, values, strict=True))
        fits = all(i is not None or (not is_array(v) and not v.is_valid) for i, v in pairs)
        if fits and t.precision <= 18:
            return [_decimal64(v, i, t) for i, v in pairs]
        return [cast_encoding(decode(v), t) for v in values]
    return [cast_encoding(decode_dictionary(v), t) for v in values]


def cast_encoding(value: Value, t: pa.DataType) -> Value:
    """The value in exactly type `t`; types differ only where a NULL or a scale is without one."""
    return value if value.type == t else value.cast(t)


def _decimal64(value: Value, found: Any, t: pa.DataType) -> Value:
    narrow = pa.decimal64(18, t.scale)
    if not is_array(value):
        return value.cast(t).cast(narrow) if value.is_valid else pa.scalar(None, narrow)
    if found.scale != t.scale or not isinstance(found.ints, pa.Array):
        return value.cast(t).cast(narrow)
    return from_scaled(found.ints.cast(pa.int64()), t.scale)


def if_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The second argument where the first holds, else the third (NULL if there is none)."""
    condition, yes = args[0], args[1]
    no = args[2] if len(args) > 2 else pa.scalar(None, result)
    n = length_of(args)
    if not is_array(condition):
        chosen = yes if condition.as_py() else no
        return array_of(cast_encoding(decode(chosen), result), n)
    mask = condition.fill_null(False)
    if pat.is_string(result) and not is_array(yes) and not is_array(no):
        texts = list(dict.fromkeys(v.as_py() for v in (yes, no) if v.is_valid))
        codes = [
            pa.scalar(texts.index(v.as_py()) if v.is_valid else None, pa.int8()) for v in (yes, no)
        ]
        return pa.DictionaryArray.from_arrays(
            pc.if_else(mask, *codes), pa.array(texts, pa.string())
        )
    yes, no = same_encoding((yes, no), result)
    if is_interval(result):
        return _chosen(mask, array_of(yes, n), array_of(no, n))
    return pc.if_else(mask, yes, no)


def _chosen(mask: pa.Array, yes: pa.Array, no: pa.Array) -> pa.Array:
    """`if_else` by row numbers, for types for which Arrow has none."""
    chosen = mask.to_numpy(zero_copy_only=False)
    rows = np.arange(len(mask))
    return pa.concat_arrays([yes, no]).take(pa.array(np.where(chosen, rows, rows + len(mask))))


def coalesce(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The first argument that is not NULL."""
    n = length_of(args)
    args = [a for a in args if is_array(a) or a.is_valid] or [pa.scalar(None, result)]
    first = args[0]
    if len(args) == 1 or not is_array(first):
        if is_array(first):
            return first if first.type != pa.null() else pa.nulls(n, result)
        return array_of(cast_encoding(first, result), n)
    if isinstance(first, pa.DictionaryArray) and not is_array(args[1]):
        return _fill_codes(first, args[1])
    if first.null_count == 0 and not isinstance(first, pa.DictionaryArray):
        return first
    plain = same_encoding(args, result)
    if is_interval(result):
        filled = plain[-1]
        for value in reversed(plain[:-1]):
            value = array_of(value, n)
            filled = _chosen(pc.is_valid(value), value, array_of(filled, n))
        return array_of(filled, n)
    return pc.coalesce(*plain)


def _fill_codes(column: pa.DictionaryArray, filler: pa.Scalar) -> pa.Array:
    entries = column.dictionary
    codes = column.indices
    if entries.null_count:
        return pc.coalesce(decode_dictionary(column), filler)
    if codes.null_count == 0:
        return column
    at = pc.index(entries, filler).as_py()
    if at < 0:
        at = len(entries)
        entries = pa.concat_arrays([entries, pa.array([filler.as_py()], entries.type)])
        if at > _largest(codes.type):
            codes = codes.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes.fill_null(at), entries)


def _largest(t: pa.DataType) -> int:
    return int(np.iinfo(t.to_pandas_dtype()).max)


def nullif(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """NULL where both arguments are equal, else the first."""
    a, b = args
    n = length_of(args)
    left, right = decode_dictionary(a), decode_dictionary(b)
    if left.type != right.type:
        left, right = _comparable(left, right)
    same = compare("equal", left, right).fill_null(False)
    if isinstance(a, pa.DictionaryArray):
        codes = pc.if_else(same, pa.scalar(None, a.indices.type), a.indices)
        return pa.DictionaryArray.from_arrays(codes, a.dictionary)
    a = array_of(a, n)
    if is_interval(a.type):
        return _chosen(same, pa.nulls(n, a.type), a)
    return pc.if_else(same, pa.scalar(None, a.type), a)


def _comparable(a: Value, b: Value) -> tuple[Value, Value]:
    """Both sides in the type in which SQL compares them."""
    exact = all(pat.is_integer(x.type) or pat.is_decimal(x.type) for x in (a, b))
    if exact:
        return a, b
    common = promote(a.type, b.type)
    if common is None:
        common = b.type if pat.is_string(a.type) else a.type
    return _converted(a, common), _converted(b, common)


def _converted(value: Value, t: pa.DataType) -> Value:
    if value.type == t:
        return value
    if is_array(value):
        return cast(value, t, False)
    return cast(array_of(value, 1), t, False)[0]


def _extreme(name: str) -> Kernel:
    better = "greater" if name == "greatest" else "less"

    def pair(a: pa.Array, b: pa.Array) -> pa.Array:
        keep = pc.or_(compare(better, a, b).fill_null(False), pc.is_null(b))
        if is_interval(a.type) or pat.is_nested(a.type):
            return _chosen(keep, a, b)
        return pc.if_else(keep, a, b)

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        n = length_of(args)
        plain = [array_of(v, n) for v in same_encoding(args, result)]
        return reduce(pair, plain)

    return run


KERNELS: dict[str, Kernel] = {
    "if": if_,
    "coalesce": coalesce,
    "nullif": nullif,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
}
