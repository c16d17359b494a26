"""Implicit conversions: how the arguments of a call come to the types a function takes.

The rules are DuckDB's. A type widens without being asked (integer to larger integer, to decimal,
to floating point; date to timestamp) and never narrows. A literal adapts to what stands beside it:
an integer literal becomes any number type it fits, a string literal becomes a date, a number, ...
so that `price > 5` and `day >= '2020-01-01'` need no casts of the column.

    unify(exprs, what)           the one type of several values: CASE, coalesce, IN, UNION
    overloads(name, ...)         a `Resolve` from a list of signatures
    Overload((STRING, INT64), BOOL)

A parameter is a type, or a `Kind`: a function from an argument to the type it is taken as (None
when it does not fit), for functions that take any width or unit. A result is a type, or a function
of the argument types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import TypeMismatchError
from plait.planner.expr import Expr, Literal
from plait.planner.functions.signature import Resolve, Signature
from plait.planner.types import (
    BINARY,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INT8,
    INT16,
    INT32,
    INT64,
    NULL,
    STRING,
    TIMESTAMP,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    common_type,
    digits,
    is_date,
    is_decimal,
    is_float,
    is_integer,
    is_numeric,
    is_string,
    is_temporal,
    is_timestamp,
    sql_name,
)

Kind = Callable[[Expr], pa.DataType | None]
Parameter: TypeAlias = "pa.DataType | Kind"
Result: TypeAlias = "pa.DataType | Callable[[tuple[pa.DataType, ...]], pa.DataType]"

# integer types in the order in which DuckDB prefers them for a value
INTEGERS = (INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64)


def is_string_literal(expr: Expr) -> bool:
    """Whether the argument is a string constant, which becomes whatever is asked for."""
    return isinstance(expr, Literal) and is_string(expr.dtype) and expr.value is not None


def is_integer_literal(expr: Expr) -> bool:
    """Whether the argument is an integer constant of no particular width."""
    return (
        isinstance(expr, Literal)
        and type(expr.value) is int
        and expr.dtype in (INT32, INT64, HUGEINT)
    )


def is_number_literal(expr: Expr) -> bool:
    """Whether the argument is an integer or decimal constant, which keeps its exact value."""
    return isinstance(expr, Literal) and type(expr.value) in (int, Decimal)


def integer_range(t: pa.DataType) -> tuple[int, int]:
    """The smallest and largest value of an integer type."""
    if pat.is_signed_integer(t):
        return -(1 << (t.bit_width - 1)), (1 << (t.bit_width - 1)) - 1
    return 0, (1 << t.bit_width) - 1


def fits_exactly(literal: Literal, t: pa.DataType) -> bool:
    """Whether an integer or decimal constant is a value of type `t`."""
    value = Decimal(literal.value)
    if is_integer(t):
        low, high = integer_range(t)
        return value == value.to_integral_value() and low <= value <= high
    if is_decimal(t):
        # as text: the decimal module's own arithmetic rounds to 28 digits
        _, digits_, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        while digits_ and digits_[-1] == 0 and exponent < 0:
            digits_, exponent = digits_[:-1], exponent + 1
        whole = len(digits_) + exponent
        return -exponent <= t.scale and (not any(digits_) or whole <= t.precision - t.scale)
    return False


def promote(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type two values are brought to, by DuckDB's rules; None if there is none.

    As `common_type`, but a FLOAT beside an integer or decimal stays FLOAT.
    """
    if FLOAT in (a, b) and is_numeric(a) and is_numeric(b) and DOUBLE not in (a, b):
        return FLOAT
    return common_type(a, b)


def unify_pair(a: Expr, b: Expr, *, compared: bool = False) -> pa.DataType | None:
    """The type two values are brought to, literals adapting; None if there is none.

    An integer beside a decimal counts as a decimal of all its type's digits, unless the values are
    only compared: then the column stays as it is.
    """
    if is_string_literal(a) and not is_string_literal(b) and b.dtype != NULL:
        return b.dtype
    if is_string_literal(b) and not is_string_literal(a) and a.dtype != NULL:
        return a.dtype
    for literal, other in ((a, b), (b, a)):
        if (
            is_integer_literal(literal)
            and is_numeric(other.dtype)
            and not is_number_literal(other)
            and (compared or not is_decimal(other.dtype) or other.dtype == HUGEINT)
            and isinstance(literal, Literal)
            and fits_exactly(literal, other.dtype)
        ):
            return other.dtype
    return promote(a.dtype, b.dtype)


def unify(exprs: Sequence[Expr], what: str, *, compared: bool = False) -> pa.DataType:
    """The one type all values are cast to, or TypeMismatchError that says where it was needed."""
    result: Expr = Literal(None, NULL)
    strings = [e for e in exprs if is_string_literal(e)]
    # literals last, since they adapt to the others
    for expr in sorted(exprs, key=lambda e: isinstance(e, Literal)):
        common = unify_pair(result, expr, compared=compared)
        if common is None:
            raise TypeMismatchError(
                f"{what} needs values of one type, not {sql_name(result.dtype)} and "
                f"{sql_name(expr.dtype)}; cast one of them"
            )
        if common == expr.dtype and isinstance(expr, Literal) and result.dtype == NULL:
            result = expr
        else:
            result = Typed(common)
    return STRING if len(strings) == len(exprs) else result.dtype


@dataclass(frozen=True, eq=False, repr=False)
class Typed(Expr):
    """A value of which only the type is known."""

    dtype: pa.DataType


def cost(arg: Expr, target: pa.DataType) -> int | None:
    """How far an implicit conversion reaches; None when it is not made unasked."""
    source = arg.dtype
    if source == target:
        return 0
    if source == NULL:
        return 1
    if is_string_literal(arg):
        return 20 if target != BINARY else 30
    if is_integer_literal(arg) and isinstance(arg, Literal):
        if is_integer(target):
            return 1 if fits_exactly(arg, target) else None
        return 5 if is_decimal(target) else 6 if is_float(target) else None
    if is_numeric(source) and is_float(target):
        if is_float(source):
            return 1 if target == DOUBLE else None
        return 11 if target == FLOAT else 10
    if is_integer(source) and is_integer(target):
        low, high = integer_range(target)
        least, most = integer_range(source)
        return 1 + INTEGERS.index(target) if low <= least and most <= high else None
    if (is_integer(source) or is_decimal(source)) and is_decimal(target):
        (p, s), (tp, ts) = digits(source), digits(target)
        return 9 if p - s <= tp - ts and s <= ts else None
    if is_date(source) and is_timestamp(target):
        return 2 if target.tz is None else 3
    if is_timestamp(source) and is_timestamp(target):
        return 1 if source.tz == target.tz else 3 if source.tz is None else None
    if pat.is_list(source) and pat.is_list(target):
        return cost(Typed(source.value_type), target.value_type)
    return None


@dataclass(frozen=True)
class Overload:
    """One signature: parameters, result, and the parameter that may be repeated at the end."""

    params: tuple[Parameter, ...]
    result: Result
    rest: Parameter | None = None

    def match(self, args: tuple[Expr, ...]) -> tuple[int, Signature] | None:
        """The signature for these arguments and how far they are from it."""
        missing = len(args) - len(self.params)
        if missing < 0 or (missing > 0 and self.rest is None):
            return None
        params = (*self.params, *((self.rest,) * missing))
        total, types = 0, []
        for arg, param in zip(args, params, strict=True):
            target = param if isinstance(param, pa.DataType) else param(arg)  # type: ignore[misc]
            if target is None:
                return None
            price = cost(arg, target)
            if price is None:
                if isinstance(param, pa.DataType):
                    return None
                price = 40  # the kind says that it takes the argument
            total += price
            types.append(target)
        result = self.result
        if not isinstance(result, pa.DataType):
            result = result(tuple(types))
        return total, Signature(tuple(types), result)


def overloads(name: str, *candidates: Overload) -> Resolve:
    """A `Resolve` that takes the nearest of several signatures (the first among equals)."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        found = [m for c in candidates if (m := c.match(args)) is not None]
        if not found:
            raise mismatch(name, args, candidates)
        return min(found, key=lambda m: m[0])[1]

    return resolve


def mismatch(
    name: str, args: Iterable[Expr], candidates: Iterable[Overload] = ()
) -> TypeMismatchError:
    """The error for a call whose arguments fit no signature."""
    given = ", ".join(sql_name(a.dtype) for a in args)
    known = list(dict.fromkeys(_describe(name, c) for c in candidates))
    text = f"{name}({given}) does not exist"
    if known:
        text += f"; there is {', '.join(known[:6])}. Cast the arguments to fit one of these"
    return TypeMismatchError(text)


def _describe(name: str, overload: Overload) -> str:
    def word(p: Parameter) -> str:
        if isinstance(p, pa.DataType):
            return sql_name(p)
        return (p.__doc__ or p.__name__).split("\n")[0].rstrip(".").lower()

    words = [word(p) for p in overload.params]
    if overload.rest is not None:
        words.append(f"{word(overload.rest)}...")
    return f"{name}({', '.join(words)})"


# Kinds of parameters: each gives the type an argument is taken as.


def any_type(arg: Expr) -> pa.DataType | None:
    """Any value."""
    return arg.dtype


def any_number(arg: Expr) -> pa.DataType | None:
    """Number."""
    if arg.dtype == NULL:
        return INT64
    return arg.dtype if is_numeric(arg.dtype) else None


def any_integer(arg: Expr) -> pa.DataType | None:
    """Integer."""
    if arg.dtype == NULL:
        return INT64
    return arg.dtype if is_integer(arg.dtype) or arg.dtype == HUGEINT else None


def any_decimal(arg: Expr) -> pa.DataType | None:
    """Decimal."""
    return arg.dtype if is_decimal(arg.dtype) else None


def any_float(arg: Expr) -> pa.DataType | None:
    """Float or double."""
    return arg.dtype if is_float(arg.dtype) else None


def any_timestamp(arg: Expr) -> pa.DataType | None:
    """Timestamp."""
    if arg.dtype == NULL or is_string_literal(arg) or is_date(arg.dtype):
        return TIMESTAMP
    return arg.dtype if is_timestamp(arg.dtype) else None


def date_or_timestamp(arg: Expr) -> pa.DataType | None:
    """Date or timestamp."""
    return arg.dtype if is_date(arg.dtype) else any_timestamp(arg)


def any_temporal(arg: Expr) -> pa.DataType | None:
    """Date, timestamp or time."""
    return arg.dtype if is_temporal(arg.dtype) else any_timestamp(arg)


def any_list(arg: Expr) -> pa.DataType | None:
    """List."""
    return arg.dtype if pat.is_list(arg.dtype) else None


def first_type(types: tuple[pa.DataType, ...]) -> pa.DataType:
    """The result has the first argument's type."""
    return types[0]


def fixed(name: str, *params: Parameter, result: Result) -> Resolve:
    """A `Resolve` with one signature."""
    return overloads(name, Overload(params, result))
