"""The operators + - * / // % and unary minus: result types as DuckDB gives them.

    integer op integer     the wider of the two, an integer literal adapting to the other side;
                           overflow raises. `/` is DOUBLE, `//` truncates towards zero
    decimal + decimal      one more digit before the point than the larger side has
    decimal * decimal      digits and scales add; capped at 18 digits while both sides have no
                           more than 18, else at 38; what does not fit raises
    decimal / decimal      DOUBLE
    with FLOAT or DOUBLE   FLOAT beside anything but DOUBLE, else DOUBLE

Arguments of a decimal operation are *not* brought to one scale by casts: they stay integers and
decimals as they are, and the kernel scales them in passing. All other operations get arguments of
the types in the signature.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.expr import Expr
from plait.planner.functions.coercion import (
    Overload,
    any_integer,
    any_timestamp,
    first_type,
    is_number_literal,
    mismatch,
    overloads,
    promote,
    unify_pair,
)
from plait.planner.functions.signature import Function, Resolve, Signature
from plait.planner.types import (
    DATE,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INT64,
    INTERVAL,
    NULL,
    TIME,
    TIMESTAMP,
    decimal,
    digits,
    is_date,
    is_duration,
    is_float,
    is_integer,
    is_interval,
    is_numeric,
    is_timestamp,
)

Rule = Callable[[pa.DataType, pa.DataType], pa.DataType]


def _added(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    (p1, s1), (p2, s2) = digits(a), digits(b)
    scale = max(s1, s2)
    return decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)


def _multiplied(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    (p1, s1), (p2, s2) = digits(a), digits(b)
    precision, scale = p1 + p2, s1 + s2
    if precision > 18 and max(p1, p2) <= 18 and scale < 18:
        precision = 18  # DuckDB stays in 64 bits when both sides are
    return decimal(precision, scale)


def _aligned(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    (p1, s1), (p2, s2) = digits(a), digits(b)
    scale = max(s1, s2)
    return decimal(max(p1 - s1, p2 - s2) + scale, scale)


def integer_pair(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type in which two integer columns are computed."""
    if a == HUGEINT or b == HUGEINT:
        return HUGEINT
    signed_a, signed_b = pat.is_signed_integer(a), pat.is_signed_integer(b)
    if signed_a == signed_b:
        return a if a.bit_width >= b.bit_width else b
    signed, unsigned = (a, b) if signed_a else (b, a)
    if signed.bit_width > unsigned.bit_width:
        return signed
    return INT64 if unsigned.bit_width < 64 else HUGEINT


def _is_whole(t: pa.DataType) -> bool:
    return is_integer(t) or t == HUGEINT


def number_pair(a: Expr, b: Expr) -> tuple[pa.DataType, pa.DataType]:
    """The two sides' types with NULLs and integer literals adapted to the other side."""
    ta, tb = a.dtype, b.dtype
    if ta == NULL or tb == NULL:
        known = tb if ta == NULL else ta
        known = INT64 if known == NULL else known
        return known, known
    adapts = is_number_literal(a) != is_number_literal(b)
    if adapts and _is_whole(ta) and _is_whole(tb):
        adapted = unify_pair(a, b)
        column = tb if is_number_literal(a) else ta
        if adapted == column:
            return column, column
        # a literal too large for the column's type counts as INTEGER or BIGINT
        wider = promote(ta, tb)
        return (wider, wider) if wider is not None else (ta, tb)
    return ta, tb


def _are_numbers(a: Expr, b: Expr) -> bool:
    return all(is_numeric(e.dtype) or e.dtype == NULL for e in (a, b))


def _numbers(a: Expr, b: Expr, rule: Rule) -> Signature:
    ta, tb = number_pair(a, b)
    if is_float(ta) or is_float(tb):
        common = DOUBLE if DOUBLE in (ta, tb) else FLOAT
        return Signature((common, common), common)
    if _is_whole(ta) and _is_whole(tb):
        common = integer_pair(ta, tb)
        return Signature((common, common), common)
    return Signature((ta, tb), rule(ta, tb))


def _timestamp_of(arg: Expr) -> pa.DataType | None:
    """Timestamp."""
    return arg.dtype if is_timestamp(arg.dtype) else None


def _any_duration(arg: Expr) -> pa.DataType | None:
    """Duration."""
    return arg.dtype if is_duration(arg.dtype) else None


_TEMPORAL_SUM = (
    Overload((DATE, any_integer), DATE),
    Overload((DATE, INTERVAL), TIMESTAMP),
    Overload((DATE, TIME), TIMESTAMP),
    Overload((_timestamp_of, INTERVAL), first_type),
    Overload((_timestamp_of, _any_duration), first_type),
    Overload((TIME, INTERVAL), TIME),
)
_SWAPPED_SUM = tuple(
    Overload(
        (o.params[1], o.params[0]), (lambda types: types[1]) if callable(o.result) else o.result
    )
    for o in _TEMPORAL_SUM
)
_SPANS = (
    Overload((INTERVAL, INTERVAL), INTERVAL),
    Overload((_any_duration, _any_duration), first_type),
)
_ADD = overloads("+", *_TEMPORAL_SUM, *_SWAPPED_SUM, *_SPANS)
_SUBTRACT = overloads(
    "-",
    Overload((DATE, DATE), INT64),
    *(o for o in _TEMPORAL_SUM if TIME not in o.params[1:]),
    Overload((any_timestamp, any_timestamp), INTERVAL),
    *_SPANS,
)
_MULTIPLY = overloads(
    "*",
    Overload((INTERVAL, INT64), INTERVAL),
    Overload((INT64, INTERVAL), INTERVAL),
    Overload((INTERVAL, DOUBLE), INTERVAL),
    Overload((DOUBLE, INTERVAL), INTERVAL),
    Overload((_any_duration, INT64), first_type),
)
_DIVIDE = overloads(
    "/",
    Overload((INTERVAL, DOUBLE), INTERVAL),
    Overload((_any_duration, INT64), first_type),
    Overload((_any_duration, _any_duration), DOUBLE),
)


def _operator(symbol: str, rule: Rule, other: Resolve | None) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(symbol, args)
        if _are_numbers(*args):
            return _numbers(*args, rule)
        if other is None:
            raise mismatch(symbol, args)
        return other(args)

    return resolve


def _subtract(args: tuple[Expr, ...]) -> Signature:
    if len(args) == 1:
        return _negate(args)
    a, b = (arg.dtype for arg in args)
    if is_timestamp(a) and is_timestamp(b):
        common = promote(a, b)
        if common is not None:
            return Signature((common, common), INTERVAL)
    if {True} == {is_date(t) or is_timestamp(t) for t in (a, b)} and a != b:
        stamp = a if is_timestamp(a) else b
        return Signature((stamp, stamp), INTERVAL)
    return _operator("-", _added, _SUBTRACT)(args)


def _add(args: tuple[Expr, ...]) -> Signature:
    if len(args) == 1 and is_numeric(args[0].dtype):
        return Signature((args[0].dtype,), args[0].dtype)
    return _operator("+", _added, _ADD)(args)


def _divide(args: tuple[Expr, ...]) -> Signature:
    if len(args) == 2 and _are_numbers(*args):
        types = [arg.dtype for arg in args]
        common = FLOAT if FLOAT in types and DOUBLE not in types else DOUBLE
        return Signature((common, common), common)
    return _DIVIDE(args)


def _floor_divide(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2 or not _are_numbers(*args):
        raise mismatch("//", args)
    ta, tb = number_pair(*args)
    if _is_whole(ta) and _is_whole(tb):
        common = integer_pair(ta, tb)
        return Signature((common, common), common)
    return _divide(args)


def _negate(args: tuple[Expr, ...]) -> Signature:
    (t,) = (arg.dtype for arg in args)
    if t == NULL:
        return Signature((INT64,), INT64)
    if is_numeric(t) or is_interval(t) or is_duration(t):
        return Signature((t,), t)
    raise mismatch("-", args)


FUNCTIONS = (
    Function(
        "add",
        _add,
        sql=("+", "date_add"),
        doc="The sum; of a date and a span, a later one",
    ),
    Function("subtract", _subtract, sql=("-",), doc="The difference"),
    Function("multiply", _operator("*", _multiplied, _MULTIPLY), sql=("*",), doc="The product"),
    Function("divide", _divide, sql=("/",), doc="The quotient as a double"),
    Function(
        "floor_divide",
        _floor_divide,
        sql=("//",),
        doc="The quotient of integers, rounded towards zero",
    ),
    Function(
        "modulo",
        _operator("%", _aligned, None),
        sql=("%", "mod"),
        doc="The remainder, with the sign of the dividend",
    ),
    Function("negate", _negate, doc="The value with the opposite sign"),
)
