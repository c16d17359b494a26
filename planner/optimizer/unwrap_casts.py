"""Comparisons of a cast column with a constant, moved to the column's own type.

    CAST(d AS TIMESTAMP) >= TIMESTAMP '1994-01-01'  ->  d >= DATE '1994-01-01'
    CAST(i AS DOUBLE) < 2.5                         ->  i <= 2
    CAST(n AS DECIMAL(12,2)) = 3.00                 ->  n = 3

Valid where the cast gives every value back (`keeps_values`), so that order and equality are those
of the values themselves. A constant that the column's type cannot hold lies between two of its
values: an ordering then moves to the value below. Sources prune by such predicates, and the
compiled tier saves the conversion. The idea is DataFusion's `unwrap_cast_in_comparison`.

Not itself a rule: `simplify_expressions` applies it to each comparison.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

import pyarrow as pa

from plait.planner import types as t
from plait.planner.expr import Call, Cast, Expr, Literal
from plait.planner.functions.coercion import integer_range
from plait.planner.predicates import keeps_values

# enough digits for any two decimals; the default context rounds to 28
_EXACT = Context(prec=80)

_ORDERED = {
    "less": "less_equal",
    "less_equal": "less_equal",
    "greater": "greater",
    "greater_equal": "greater",
}


def unwrap_comparison(call: Call) -> Expr:
    """A comparison of a cast with literals, without the cast where that is the same."""
    match call:
        case Call("in", (Cast(x) as cast, *values)) if keeps_values(x.dtype, cast.dtype):
            moved = [_exactly(v, x.dtype) for v in values]
            if all(v is not None for v in moved):
                return replace(call, args=(x, *(v for v in moved if v is not None)))
        case Call(op, (Cast(x) as cast, Literal() as literal)) if (
            keeps_values(x.dtype, cast.dtype) and literal.value is not None
        ):
            exact = _exactly(literal, x.dtype)
            if exact is not None:
                return replace(call, args=(x, exact))
            if op in _ORDERED:
                below = _floor(literal.value, x.dtype)
                if below is not None:
                    return replace(call, function=_ORDERED[op], args=(x, below))
    return call


def _exactly(literal: Expr, dtype: pa.DataType) -> Literal | None:
    """The same value as a constant of type `dtype`."""
    if not isinstance(literal, Literal):
        return None
    if literal.value is None:
        return Literal(None, dtype)
    below = _floor(literal.value, dtype)
    return below if below is not None and _same(below.value, literal.value) else None


def _same(a: Any, b: Any) -> bool:
    if type(a) is dt.date and isinstance(b, dt.datetime):
        a = dt.datetime(a.year, a.month, a.day)
    return bool(a == b)


def _floor(value: Any, dtype: pa.DataType) -> Literal | None:
    """The largest constant of `dtype` that is not above the value; None if there is none."""
    if isinstance(value, bool):
        return None
    if t.is_integer(dtype) and isinstance(value, int | float | Decimal):
        if isinstance(value, float) and not math.isfinite(value):
            return None
        whole = math.floor(value)
        low, high = integer_range(dtype)
        return Literal(whole, dtype) if low <= whole <= high else None
    if t.is_decimal(dtype) and isinstance(value, int | Decimal):
        grid = Decimal(1).scaleb(-dtype.scale)
        number = Decimal(value).quantize(grid, ROUND_FLOOR, context=_EXACT)
        limit = Decimal(10) ** (dtype.precision - dtype.scale)
        return Literal(number, dtype) if -limit < number < limit else None
    if dtype == t.FLOAT and isinstance(value, float):
        # only what a float holds exactly: NaN and infinities compare the same, but are rare
        rounded = pa.scalar(value, t.FLOAT).as_py() if math.isfinite(value) else None
        return Literal(value, dtype) if rounded == value else None
    if t.is_date(dtype) and isinstance(value, dt.datetime) and value.tzinfo is None:
        return Literal(value.date(), dtype)
    if t.is_timestamp(dtype) and isinstance(value, dt.datetime):
        step = {"s": 1_000_000, "ms": 1_000, "us": 1}.get(dtype.unit)
        if step is None:
            return None
        return Literal(value.replace(microsecond=value.microsecond // step * step), dtype)
    return None
