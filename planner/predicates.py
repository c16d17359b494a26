"""What can be read off a predicate without running it.

    references(expr)                   the columns it reads, computed once a node
    equi_keys(condition, left, right)  the hashable part of a join condition, and the rest
    null_rejecting(predicate)          columns whose NULL keeps a row from passing
    can_match(predicate, ranges)       whether a piece of data with these bounds may hold a match

`can_match` is interval analysis in three-valued logic: `_can(e, want, ...)` asks whether `e` may
come out as `want` for some row. Whatever is not understood may come out as anything, so a wrong
"no" is impossible as long as the bounds hold. NaN is above every number (as the engine sorts it)
and outside the bounds that file formats keep, so an upper bound of floats says nothing about `>`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from plait.planner import types as t
from plait.planner.expr import (
    Call,
    Cast,
    Column,
    Expr,
    Literal,
    conjunction,
    conjuncts,
)
from plait.planner.functions import registry
from plait.planner.functions.signature import Nulls
from plait.planner.schema import Schema
from plait.planner.statistics import ColumnStatistics

_NONE: frozenset[str] = frozenset()

# each comparison with its arguments swapped, and its opposite
MIRRORED = {
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "is_distinct": "is_distinct",
    "is_not_distinct": "is_not_distinct",
}
NEGATED = {
    "equal": "not_equal",
    "not_equal": "equal",
    "less": "greater_equal",
    "less_equal": "greater",
    "greater": "less_equal",
    "greater_equal": "less",
    "is_distinct": "is_not_distinct",
    "is_not_distinct": "is_distinct",
}


# that depend on nothing but which values are equal and which is less
COMPARING = frozenset((*MIRRORED, "in", "like", "starts_with"))


def references(expr: Expr) -> frozenset[str]:
    """The names of all columns an expression reads, kept at the node once computed."""
    known: frozenset[str] | None = expr.__dict__.get("_references")
    if known is None:
        if isinstance(expr, Column):
            known = frozenset((expr.name,))
        elif isinstance(expr, Literal):
            known = _NONE
        else:
            found = [references(child) for child in expr.children()]
            known = found[0].union(*found[1:]) if found else _NONE
        object.__setattr__(expr, "_references", known)
    return known


# ---------------------------------------------------------------------------------- join keys


class JoinKey(NamedTuple):
    """An equality between an expression over the left side and one over the right side.

    `null_safe`: NULL equals NULL (IS NOT DISTINCT FROM).
    """

    left: Expr
    right: Expr
    null_safe: bool


def equi_keys(
    condition: Expr | None, left: Schema, right: Schema
) -> tuple[tuple[JoinKey, ...], Expr | None]:
    """The equalities of a join condition that compare its two sides, and what remains of it.

    A remainder of None means that the keys say it all.
    """
    keys: list[JoinKey] = []
    rest: list[Expr] = []
    for part in conjuncts(condition):
        key = equi_key(part, left, right)
        if key is None:
            rest.append(part)
        else:
            keys.append(key)
    return tuple(dict.fromkeys(keys)), conjunction(rest) if rest else None


def equi_key(part: Expr, left: Schema, right: Schema) -> JoinKey | None:
    """The join key a single conjunct is, if it is one."""
    match part:
        case Call("equal" | "is_not_distinct" as function, (a, b)):
            null_safe = function == "is_not_distinct"
            if _reads_only(a, left) and _reads_only(b, right):
                return JoinKey(a, b, null_safe)
            if _reads_only(b, left) and _reads_only(a, right):
                return JoinKey(b, a, null_safe)
    return None


def _reads_only(expr: Expr, schema: Schema) -> bool:
    names = references(expr)
    return bool(names) and all(name in schema for name in names)


# ----------------------------------------------------------------------------- null rejection


@cache
def propagates_null(function: str) -> bool:
    """Whether a scalar function gives NULL as soon as one argument is NULL."""
    return registry.scalar(function).nulls is Nulls.PROPAGATE


def null_rejecting(predicate: Expr) -> frozenset[str]:
    """The columns of which a NULL makes the predicate false or NULL."""
    return _excludes(predicate, True)


def strict_columns(expr: Expr) -> frozenset[str]:
    """The columns of which a NULL makes the expression NULL."""
    match expr:
        case Column(name):
            return frozenset((name,))
        case Cast(value):
            return strict_columns(value)
        case Call("in", (value, *_)):
            return strict_columns(value)
        case Call(function, args) if args and propagates_null(function):
            return _NONE.union(*map(strict_columns, args))
    return _NONE


def _excludes(expr: Expr, outcome: bool) -> frozenset[str]:
    """The columns of which a NULL keeps a boolean expression from being `outcome`."""
    match expr:
        case Call("and" | "or" as function, args):
            parts = [_excludes(a, outcome) for a in args]
            if (function == "and") is outcome:  # every part must come out so
                return _NONE.union(*parts)
            return parts[0].intersection(*parts[1:])
        case Call("not", (x,)):
            return _excludes(x, not outcome)
        case Call("is_null", (x,)):
            return _NONE if outcome else strict_columns(x)
        case Call("is_not_null", (x,)):
            return strict_columns(x) if outcome else _NONE
        case Call("coalesce", (x, Literal(bool(value)))) if value is not outcome:
            return _excludes(x, outcome)
        case Call("is_not_distinct", (a, b)) if outcome:
            return _compared_with_value(a, b)
        case Call("is_distinct", (a, b)) if not outcome:
            return _compared_with_value(a, b)
    return strict_columns(expr)


def _compared_with_value(a: Expr, b: Expr) -> frozenset[str]:
    for x, y in ((a, b), (b, a)):
        if isinstance(y, Literal) and y.value is not None:
            return strict_columns(x)
    return _NONE


# ------------------------------------------------------------------------------- value ranges


@dataclass(frozen=True)
class ValueRange:
    """Bounds of an expression's values that are not NULL; None is unbounded.

    `nan`: may also be NaN, which lies above `high`. `null`: None when it is not known whether
    there are NULLs. `only_null`: there is no other value.
    """

    low: Any = None
    high: Any = None
    nan: bool = False
    null: bool | None = None
    only_null: bool = False


def can_match(
    predicate: Expr, ranges: Mapping[str, ColumnStatistics], rows: float | None = None
) -> bool:
    """Whether a piece of a table whose columns keep to `ranges` may hold a row that passes.

    `rows`, the piece's number of rows, lets columns of nothing but NULLs be recognised. False is
    a promise, True is not.
    """
    return _can(predicate, True, ranges, rows)


def _can(e: Expr, want: bool, ranges: Mapping[str, ColumnStatistics], rows: float | None) -> bool:
    match e:
        case Literal(value):
            return value is want
        case Call("and" | "or" as function, args):
            outcomes = (_can(a, want, ranges, rows) for a in args)
            return all(outcomes) if (function == "and") is want else any(outcomes)
        case Call("not", (x,)):
            return _can(x, not want, ranges, rows)
        case Call("coalesce", (x, Literal(bool(value)))) if value is not want:
            return _can(x, want, ranges, rows)
        case Call("is_null" | "is_not_null" as function, (x,)):
            r = value_range(x, ranges, rows)
            if (function == "is_null") is want:
                return r.null is not False
            return not r.only_null
        case Call("in", (x, *values)):
            if want:
                return any(_compare("equal", x, v, ranges, rows) for v in values)
            return all(_compare("not_equal", x, v, ranges, rows) for v in values)
        case Call("is_not_distinct", (a, b)) if want:
            left, right = value_range(a, ranges, rows), value_range(b, ranges, rows)
            both_null = left.null is not False and right.null is not False
            return both_null or _possible("equal", left, right)
        case Call("is_distinct" | "is_not_distinct", _):
            return True
        case Call(function, (a, b)) if function in NEGATED:
            return _compare(function if want else NEGATED[function], a, b, ranges, rows)
        case Call("starts_with", (x, Literal(str(prefix)))) if want:
            return _has_prefix(value_range(x, ranges, rows), prefix)
        case Call("like", (x, Literal(str(pattern)))) if want:
            return _has_prefix(value_range(x, ranges, rows), like_prefix(pattern))
        case Column():
            r = value_range(e, ranges, rows)
            if r.only_null:
                return False
            return r.high is not False if want else r.low is not True
    return True


def _compare(
    function: str, a: Expr, b: Expr, ranges: Mapping[str, ColumnStatistics], rows: float | None
) -> bool:
    return _possible(function, value_range(a, ranges, rows), value_range(b, ranges, rows))


def _possible(function: str, a: ValueRange, b: ValueRange) -> bool:
    """Whether some value of `a` compares so with some value of `b`."""
    if a.only_null or b.only_null:
        return False
    match function:
        case "equal":
            return (a.nan and b.nan) or (_le(a.low, b.high) and _le(b.low, a.high))
        case "less":
            return b.nan or _lt(a.low, b.high)
        case "less_equal":
            return b.nan or _le(a.low, b.high)
        case "greater":
            return a.nan or _lt(b.low, a.high)
        case "greater_equal":
            return a.nan or _le(b.low, a.high)
        case "not_equal":
            # impossible only where both are the same single value
            return (
                a.nan
                or b.nan
                or any(v is None for v in (a.low, a.high, b.low, b.high))
                or _lt(a.low, b.high)
                or _lt(b.low, a.high)
            )
    return True


def value_range(
    e: Expr, ranges: Mapping[str, ColumnStatistics], rows: float | None = None
) -> ValueRange:
    """What is known of the values of an expression over columns with these statistics."""
    match e:
        case Literal(value):
            if value is None:
                return ValueRange(null=True, only_null=True)
            if value != value:
                return ValueRange(nan=True, null=False)
            if e.dtype == t.FLOAT:
                value = pa.scalar(value, t.FLOAT).as_py()  # as the engine rounds it
            return ValueRange(value, value, null=False)
        case Column(name, dtype):
            known = ranges.get(name)
            if known is None:
                return ValueRange(nan=t.is_float(dtype))
            only_null = rows is not None and known.nulls is not None and known.nulls >= rows > 0
            null = None if known.nulls is None else known.nulls > 0
            return _bounded(known.minimum, known.maximum, t.is_float(dtype), null, only_null)
        case Cast(x, dtype):
            return _cast_range(value_range(x, ranges, rows), x.dtype, dtype)
        case Call("negate", (x,)) if t.is_numeric(x.dtype) and not t.is_float(x.dtype):
            r = value_range(x, ranges, rows)
            low, high = (None if v is None else -v for v in (r.high, r.low))
            return ValueRange(low, high, False, r.null, r.only_null)
        case Call("null_if_nan", (x,)):
            r = value_range(x, ranges, rows)
            return ValueRange(r.low, r.high, False, None if r.nan else r.null, r.only_null)
    return ValueRange(nan=True)


def _bounded(
    low: Any, high: Any, nan: bool, null: bool | None, only_null: bool = False
) -> ValueRange:
    low = None if low != low else low  # some writers let NaN into the bounds
    high = None if high != high else high
    return ValueRange(low, high, nan, null, only_null)


def _cast_range(r: ValueRange, source: pa.DataType, target: pa.DataType) -> ValueRange:
    """The range after a cast; only casts that keep the order are followed."""
    if keeps_values(source, target):
        return r
    low, high = r.low, r.high
    if target == t.DOUBLE and (t.is_integer(source) or t.is_decimal(source)):
        # one step outwards: the engine's conversion may round the other way
        low = None if low is None else math.nextafter(float(low), -math.inf)
        high = None if high is None else math.nextafter(float(high), math.inf)
        return ValueRange(low, high, False, r.null, r.only_null)
    if t.is_date(target) and t.is_timestamp(source) and source.tz is None:
        low, high = (v.date() if isinstance(v, dt.datetime) else None for v in (low, high))
        return ValueRange(low, high, False, r.null, r.only_null)
    return ValueRange(nan=True, only_null=r.only_null)


def keeps_values(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast gives every value back unchanged (and so keeps order and equality)."""
    if source == target:
        return True
    if t.is_integer(source) and t.is_integer(target):
        return bool(t.common_type(source, target) == target)
    if (t.is_integer(source) or t.is_decimal(source)) and t.is_decimal(target):
        (precision, scale), (to_precision, to_scale) = t.digits(source), t.digits(target)
        return bool(scale <= to_scale and precision - scale <= to_precision - to_scale)
    if source == t.FLOAT and target == t.DOUBLE:
        return True
    if t.is_integer(source) and target == t.DOUBLE:
        return bool(source.bit_width <= 32)
    if t.is_date(source) and t.is_timestamp(target):
        # nanoseconds reach no further than the years 1678 to 2262
        return target.tz is None and target.unit != "ns"
    if t.is_timestamp(source) and t.is_timestamp(target) and source.tz == target.tz:
        units = ("s", "ms", "us")
        return (
            source.unit in units
            and target.unit in units
            and units.index(source.unit) <= units.index(target.unit)
        )
    return False


def _plain(value: Any) -> Any:
    """Dates as timestamps, so that the two compare."""
    if type(value) is dt.date:
        return dt.datetime(value.year, value.month, value.day)
    return value


def _lt(a: Any, b: Any) -> bool:
    """a < b, as far as it can be said; bounds that are unknown or do not compare may be so."""
    if a is None or b is None:
        return True
    try:
        return bool(_plain(a) < _plain(b))
    except TypeError:
        return True


def _le(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return True
    try:
        return bool(_plain(a) <= _plain(b))
    except TypeError:
        return True


def like_prefix(pattern: str) -> str:
    """The text every match of a LIKE pattern starts with."""
    prefix = ""
    for letter in pattern:
        if letter in "%_\\":  # a backslash may escape; what follows is left to the filter
            break
        prefix += letter
    return prefix


def _has_prefix(r: ValueRange, prefix: str) -> bool:
    if r.only_null:
        return False
    if not isinstance(r.low, str | None) or not isinstance(r.high, str | None):
        return True
    below = r.low is None or r.low[: len(prefix)] <= prefix
    return below and (r.high is None or r.high >= prefix)
