"""Scalar functions where pandas and SQL mean different things by the same word.

    null_if_nan             pandas has one kind of missing: a NaN that was computed is one
    pandas_floor_divide     rounds down (SQL towards zero); by zero: inf or missing, no error
    pandas_modulo           has the sign of the divisor (SQL's of the dividend)
    pandas_power            integers stay integers; overflow raises
    pandas_round            halves go to the even neighbour (SQL away from zero)
    pandas_difference       of two timestamps: a duration (SQL's is a calendar interval)

Everything else a dataframe computes is the registry's common functions, with casts that bring
numpy's promotions about.
"""

from __future__ import annotations

import pyarrow as pa

from plait.planner.expr import Expr, Literal
from plait.planner.functions.coercion import (
    Overload,
    any_float,
    any_number,
    any_timestamp,
    first_type,
    fixed,
    mismatch,
    overloads,
    promote,
)
from plait.planner.functions.signature import Function, Resolve, Signature
from plait.planner.types import DOUBLE, FLOAT, INT64, STRING, is_float, is_integer, is_timestamp


def _not_zero(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.value not in (None, 0)


def _rounding_division(name: str) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(name, args)
        a, b = (arg.dtype for arg in args)
        if is_integer(a) and is_integer(b):
            common = promote(a, b)
            if common is not None and is_integer(common):
                # by zero pandas gives inf or NaN: only a divisor known not to be zero stays whole
                return Signature((common, common), common if _not_zero(args[1]) else DOUBLE)
        common = FLOAT if a == b == FLOAT else DOUBLE
        return Signature((common, common), common)

    return resolve


def _power(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2:
        raise mismatch("power", args)
    a, b = (arg.dtype for arg in args)
    if is_integer(a) and is_integer(b):
        return Signature((a, b), a if isinstance(args[1], Literal) else promote(a, b) or INT64)
    common = FLOAT if is_float(a) and a == FLOAT and b != DOUBLE else DOUBLE
    return Signature((common, common), common)


def _difference(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2 or not all(is_timestamp(arg.dtype) for arg in args):
        raise mismatch("-", args)
    common = promote(args[0].dtype, args[1].dtype)
    if common is None or (args[0].dtype.tz is None) != (args[1].dtype.tz is None):
        raise mismatch("-", args)
    return Signature((common, common), pa.duration(common.unit))


FUNCTIONS = (
    Function(
        "null_if_nan",
        fixed("null_if_nan", any_float, result=first_type),
        doc="NULL where the value is NaN",
    ),
    Function(
        "pandas_floor_divide",
        _rounding_division("//"),
        doc="The quotient rounded down; by zero infinite or NULL",
    ),
    Function(
        "pandas_modulo",
        _rounding_division("%"),
        doc="The remainder, with the sign of the divisor; by zero NULL",
    ),
    Function("pandas_power", _power, doc="The power; of integers an integer"),
    Function(
        "pandas_round",
        overloads("round", Overload((any_number, INT64), first_type)),
        doc="Rounded to so many decimals, halves to the even neighbour",
    ),
    Function("pandas_difference", _difference, doc="The time between two timestamps"),
    Function(
        "pandas_slice",
        fixed("slice", STRING, INT64, INT64, INT64, result=STRING),
        doc="The characters from start to stop by step, as Python slices",
    ),
    Function(
        "pandas_strip",
        fixed("strip", STRING, STRING, STRING, result=STRING),
        doc="Without leading and trailing characters of a set ('' for white space)",
    ),
    Function(
        "pandas_words",
        fixed("words", STRING, STRING, result=STRING),
        doc="capitalize, title or swapcase",
    ),
    Function(
        "pandas_pad",
        fixed("pad", STRING, INT64, STRING, STRING, result=STRING),
        doc="Filled up to a width on the left, right or both sides (zfill keeps a sign first)",
    ),
    Function(
        "pandas_find",
        fixed("find", STRING, STRING, result=INT64),
        doc="The position of a text from 0; -1 if it is not there",
    ),
    Function(
        "pandas_is",
        fixed("is", STRING, STRING, result=pa.bool_()),
        doc="Whether all characters are alpha, digit, ...",
    ),
    Function(
        "pandas_floor_time",
        overloads("floor", Overload((any_timestamp, STRING, STRING), first_type)),
        doc="A timestamp rounded (floor, ceil, round) to a unit such as 15min",
    ),
)
