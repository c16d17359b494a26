"""The kernels of comparisons, IN, boolean operators and NULL tests.

Numbers of any exact types compare exactly: both sides become integers at one scale, and a constant
that lies between two values of the column's type is moved to the nearer one, so that the column is
never converted. NaN equals NaN and is greater than every number, as in DuckDB. Intervals compare
by their length, a month counting as 30 days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.arithmetic import limits, rescale, widen
from plait.engine.kernels.calendar import NANOS_PER_DAY, from_ints, intervals_of, valid_of
from plait.engine.kernels.encoding import (
    Kernel,
    Scaled,
    Value,
    array_of,
    decode_dictionary,
    is_array,
    length_of,
    per_entry,
    scaled,
)
from plait.engine.kernels.views import Ints, from_stored, stored, validity
from plait.planner.types import BOOL, is_interval

_SWAPPED = {
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}
_NUMPY: dict[str, Callable[..., object]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}


def compare(name: str, a: Value, b: Value) -> pa.Array:
    """`a name b`; NULL where one side is NULL."""
    if any(not is_array(x) and not x.is_valid for x in (a, b)):
        return pa.nulls(length_of((a, b)), BOOL)
    if not is_array(a):
        return compare(_SWAPPED[name], b, a)
    if pat.is_null(a.type) or pat.is_null(b.type):
        return pa.nulls(len(a), BOOL)
    if _is_exact(a.type) and _is_exact(b.type) and not _same_integers(a.type, b.type):
        return _exact(name, a, b)
    if pat.is_floating(a.type):
        return _floats(name, a, b)
    if is_interval(a.type):
        return _intervals(name, a, b)
    if pat.is_nested(a.type):
        return _nested(name, a, b)
    return getattr(pc, name)(a, b)


def _is_exact(t: pa.DataType) -> bool:
    return bool(pat.is_integer(t) or pat.is_decimal(t))


def _same_integers(a: pa.DataType, b: pa.DataType) -> bool:
    return bool(pat.is_integer(a) and a == b)


def everywhere(like: pa.Array, answer: bool) -> pa.Array:
    """`answer` in every row in which `like` has a value."""
    if like.null_count == 0:
        return pa.repeat(pa.scalar(answer), len(like))
    valid = pc.is_valid(like)
    return pc.if_else(valid, pa.scalar(answer), pa.scalar(None, BOOL))


def _exact(name: str, a: pa.Array, b: Value) -> pa.Array:
    left, right = scaled(a), scaled(b)
    if left is not None and right is not None:
        if isinstance(right.ints, int) and isinstance(left.ints, pa.Array):
            return _beside_constant(name, left.ints, left.scale, right)
        scale = max(left.scale, right.scale)
        left, right = rescale(left, scale), rescale(right, scale)
        if left is not None and right is not None:
            return getattr(pc, name)(left.ints, right.ints)
    if a.type == b.type and pat.is_decimal128(a.type):
        return getattr(pc, name)(a, b)
    scale = max(x.type.scale if pat.is_decimal(x.type) else 0 for x in (a, b))
    return getattr(pc, name)(widen(a, scale), widen(b, scale))


def _beside_constant(name: str, column: pa.Array, scale: int, constant: Scaled) -> pa.Array:
    """A column of integers at a scale compared with a constant at another."""
    assert isinstance(constant.ints, int)
    if constant.scale <= scale:
        number, rest = constant.ints * 10 ** (scale - constant.scale), 0
    else:
        number, rest = divmod(constant.ints, 10 ** (constant.scale - scale))
    if rest:  # between two values of the column: `number` is the one below
        if name in ("equal", "not_equal"):
            return everywhere(column, name == "not_equal")
        name = "less_equal" if name.startswith("less") else "greater"
    low, high = limits(column.type)
    if number > high:
        return everywhere(column, name in ("not_equal", "less", "less_equal"))
    if number < low:
        return everywhere(column, name in ("not_equal", "greater", "greater_equal"))
    return getattr(pc, name)(column, pa.scalar(number, column.type))


def _floats(name: str, a: pa.Array, b: Value) -> pa.Array:
    if not is_array(b) and not np.isnan(b.as_py()):
        # NaN fails `x <= c`, so the opposite of that holds for it, as it should
        if name == "greater":
            return pc.invert(pc.less_equal(a, b))
        if name == "greater_equal":
            return pc.invert(pc.less(a, b))
        return getattr(pc, name)(a, b)
    if not _has_nan(a) and not _has_nan(b):
        return getattr(pc, name)(a, b)
    nan_a, nan_b = pc.is_nan(a), pc.is_nan(b)
    match name:
        case "equal":
            return pc.or_(pc.equal(a, b), pc.and_(nan_a, nan_b))
        case "less":
            return pc.or_(pc.less(a, b), pc.and_(pc.invert(nan_a), nan_b))
        case "greater":
            return pc.or_(pc.greater(a, b), pc.and_(nan_a, pc.invert(nan_b)))
        case "not_equal":
            return pc.invert(_floats("equal", a, b))
        case "less_equal":
            return pc.invert(_floats("greater", a, b))
        case _:
            return pc.invert(_floats("less", a, b))


def _has_nan(value: Value) -> bool:
    if not is_array(value):
        return bool(np.isnan(value.as_py()))
    # a sum is one pass without a temporary; NaN (or inf - inf) shows in it
    total = pc.sum(value).as_py()
    return total is not None and bool(np.isnan(total)) and bool(pc.any(pc.is_nan(value)).as_py())


def _lengths(value: Value) -> Ints:
    """Lengths of intervals in an order that keeps exact ties: days first, then the rest."""
    parts = intervals_of(value)
    days = parts.months * 30 + parts.days
    extra = parts.nanos // NANOS_PER_DAY
    both = np.empty(len(days), dtype=[("days", "i8"), ("nanos", "i8")])
    both["days"], both["nanos"] = days + extra, parts.nanos - extra * NANOS_PER_DAY
    return both


def _intervals(name: str, a: Value, b: Value) -> pa.Array:
    left, right = _lengths(a), _lengths(b)
    same = (left["days"] == right["days"]) & (left["nanos"] == right["nanos"])
    less = (left["days"] < right["days"]) | (
        (left["days"] == right["days"]) & (left["nanos"] < right["nanos"])
    )
    found = {
        "equal": same,
        "not_equal": ~same,
        "less": less,
        "less_equal": less | same,
        "greater": ~(less | same),
        "greater_equal": ~less,
    }[name]
    return from_ints(found, BOOL, valid_of((a, b)), length_of((a, b)))


def _nested(name: str, a: pa.Array, b: Value) -> pa.Array:
    """Lists and structs: by Python values; no column of TPC-like data is compared so."""
    pairs = zip(a.to_pylist(), array_of(b, len(a)).to_pylist(), strict=True)
    operation = _NUMPY[name]
    if name in ("equal", "not_equal"):
        wanted = name == "equal"
        found = [None if x is None or y is None else (x == y) is wanted for x, y in pairs]
        return pa.array(found, BOOL)
    keyed = [None if x is None or y is None else bool(operation(*_ranks(x, y))) for x, y in pairs]
    return pa.array(keyed, BOOL)


def _ranks(x: object, y: object) -> tuple[int, int]:
    """Two small integers in the order of two nested values; NULL sorts last within them."""
    left, right = _key(x), _key(y)
    return (0, 0) if left == right else (0, 1) if left < right else (1, 0)


def _key(x: object) -> tuple[object, ...]:
    if x is None:
        return (1,)
    if isinstance(x, list):
        return (0, *(_key(item) for item in x))
    if isinstance(x, dict):
        return (0, *(_key(item) for item in x.values()))
    return (0, x)


def _comparison(name: str) -> Kernel:
    return per_entry(lambda args, result: compare(name, *args))


def is_not_distinct(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Equality to which NULL is a value."""
    a, b = args
    same = compare("equal", a, b).fill_null(False)
    n = len(same)
    missing_a, missing_b = (pc.is_null(array_of(x, n) if is_array(x) else x) for x in (a, b))
    both = pc.and_(missing_a, missing_b)
    return array_of(pc.or_(same, both), n)


def is_distinct(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The opposite of `is_not_distinct`."""
    return pc.invert(is_not_distinct(args, result))


def in_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether the first argument equals one of the others; NULL when only a NULL could."""
    value, *items = args
    if not items or (not is_array(value) and not value.is_valid):
        n = length_of(args)
        return pa.nulls(n, BOOL) if items else pa.repeat(pa.scalar(False), n)
    if not is_array(value) or any(is_array(item) for item in items):
        return reduce(pc.or_kleene, (compare("equal", value, item) for item in items))
    known = list({item.as_py(): item for item in items if item.is_valid}.values())
    if not known:
        return pa.nulls(len(value), BOOL)
    found = _among(value, known)
    if all(item.is_valid for item in items):
        return found
    return pc.if_else(found, pa.scalar(True), pa.scalar(None, BOOL))


def _among(value: pa.Array, known: list[pa.Scalar]) -> pa.Array:
    few = 2 if pat.is_string(value.type) else 5
    if len(known) <= few or pat.is_nested(value.type) or is_interval(value.type):
        return reduce(pc.or_, (compare("equal", value, item) for item in known))
    if pat.is_decimal(value.type):
        column = scaled(value)
        if column is None:
            values = pa.array([k.as_py() for k in known], value.type)
            return _looked_up(value, values)
        assert isinstance(column.ints, pa.Array)
        numbers = [_at_scale(k, column.scale) for k in known]
        low, high = limits(column.ints.type)
        fitting = [n for n in numbers if n is not None and low <= n <= high]
        return _looked_up(column.ints, pa.array(fitting, column.ints.type))
    if pat.is_floating(value.type):
        value = pc.add(value, pa.scalar(0.0, value.type))  # -0.0 is 0.0
        known = [pa.scalar(k.as_py() + 0.0, k.type) for k in known]
    return _looked_up(value, pa.array([k.as_py() for k in known], value.type))


def _at_scale(constant: pa.Scalar, scale: int) -> int | None:
    exact = scaled(constant)
    if exact is None or not isinstance(exact.ints, int):
        return None
    if exact.scale <= scale:
        return exact.ints * int(10 ** (scale - exact.scale))
    number, rest = divmod(exact.ints, 10 ** (exact.scale - scale))
    return None if rest else number


def _looked_up(column: pa.Array, values: pa.Array) -> pa.Array:
    if pat.is_integer(column.type) and len(values):
        found = pc.min_max(values)
        low, high = found["min"].as_py(), found["max"].as_py()
        if high - low < 4096:
            return _in_table(column, values, low, high)
    found = pc.is_in(column, value_set=values)
    if column.null_count:
        found = pc.if_else(pc.is_valid(column), found, pa.scalar(None, BOOL))
    return found


def _in_table(column: pa.Array, values: pa.Array, low: int, high: int) -> pa.Array:
    """Membership among integers that lie close together: a table lookup instead of hashing."""
    table = np.zeros(high - low + 2, np.bool_)  # the last place is for all other numbers
    table[values.to_numpy().astype(np.int64) - low] = True
    numbers = stored(column)
    unsigned = np.dtype(f"u{numbers.dtype.itemsize}")
    if low < 0 and numbers.dtype.kind == "u":
        numbers, unsigned = numbers.astype(np.int64), np.dtype(np.uint64)
    if high - low + 1 > np.iinfo(unsigned).max:
        numbers, unsigned = numbers.astype(np.int64), np.dtype(np.uint64)
    with np.errstate(over="ignore"):
        # what is below `low` wraps around to beyond the table's end
        moved = (numbers - np.asarray(low, numbers.dtype)).view(unsigned)
    places = np.minimum(moved, np.asarray(high - low + 1, unsigned))
    return from_stored(table[places], BOOL, validity(column))


def and_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Three-valued conjunction."""
    return array_of(reduce(pc.and_kleene, args), length_of(args))


def or_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Three-valued disjunction."""
    return array_of(reduce(pc.or_kleene, args), length_of(args))


def not_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Negation."""
    return pc.invert(args[0])


def is_null(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether there is no value."""
    (x,) = args
    if isinstance(x, pa.DictionaryArray):
        x = x.indices if x.dictionary.null_count == 0 else decode_dictionary(x)
    return pc.is_null(x)


def is_not_null(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether there is a value."""
    return pc.invert(is_null(args, result))


KERNELS: dict[str, Kernel] = {
    **{name: _comparison(name) for name in _SWAPPED},
    "is_distinct": per_entry(is_distinct, null_matters=True),
    "is_not_distinct": per_entry(is_not_distinct, null_matters=True),
    "in": per_entry(in_, null_matters=True),
    "and": and_,
    "or": or_,
    "not": not_,
    "is_null": is_null,
    "is_not_null": is_not_null,
}
