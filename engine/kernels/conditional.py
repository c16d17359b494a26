"""The kernels of coalesce, nullif, if, greatest and least.

Branches may come in different encodings. Constant texts become a dictionary, since codes are what
the rest of a query likes best; other dictionaries are decoded unless one is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.arithmetic import rescale
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
    """The values of logical type `t` in one physical type."""
    return [cast_encoding(decode(v), t) for v in values]


def cast_encoding(value: Value, t: pa.DataType) -> Value:
    """The value in exactly type `t`; types differ only where a NULL or a scale is without one."""
    return value if value.type == t else value.cast(t)


def as_integers(values: Sequence[Value], t: pa.DataType) -> list[Value] | None:
    """Decimals as 64-bit integers at the scale of `t`, if all are or easily become that."""
    if not pat.is_decimal(t):
        return None
    found: list[Value] = []
    for value in values:
        if not is_array(value) and not value.is_valid:
            found.append(pa.scalar(None, pa.int64()))
            continue
        exact = scaled(value)
        exact = None if exact is None or exact.scale > t.scale else rescale(exact, t.scale)
        if exact is None:
            return None
        ints = exact.ints
        found.append(
            pa.scalar(ints, pa.int64()) if isinstance(ints, int) else ints.cast(pa.int64())
        )
    return found


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
    ints = as_integers((yes, no), result)
    if ints is not None:
        return from_scaled(pc.if_else(mask, *ints), result.scale)
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
    ints = as_integers(args, result)
    if ints is not None:
        return from_scaled(pc.coalesce(*ints), result.scale)
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
