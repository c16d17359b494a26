"""Whether computing an expression may raise: over a zero divisor, a text that is no number, ...

SQL lets conditions guard each other: `WHERE x <> 0 AND 10 // x > 1` must not divide by zero, nor
must a CASE compute a branch for rows that take another. What cannot raise is simply computed for
all rows; what may is left until the rows it is meant for are known: by the engine in its
conditions, by the optimizer where it would compute something for rows that a join drops.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.expr import Call, Cast, Column, Expr, Literal
from plait.planner.tree import per_node
from plait.planner.types import (
    digits,
    is_decimal,
    is_float,
    is_integer,
    is_string,
    is_timestamp,
)

_COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "in"}
_NULLS = {"is_distinct", "is_not_distinct", "is_null", "is_not_null", "coalesce", "nullif"}
_LOGIC = {"and", "or", "not", "if", "greatest", "least"}
_PATTERNS = {"like", "ilike", "starts_with", "ends_with", "contains", "strpos"}
_TEXTS = {"upper", "lower", "length", "trim", "ltrim", "rtrim", "reverse", "left", "right"}
_TEXTS |= {"substring", "concat", "concat_operator"}
_PARTS = {"year", "quarter", "month", "day", "dayofweek", "dayofyear", "hour", "minute", "second"}
_NEVER = _COMPARISONS | _NULLS | _LOGIC | _PATTERNS | _TEXTS | _PARTS
# floating point gives infinities and NaN instead
_NEVER_FOR_FLOATS = {"add", "subtract", "multiply", "negate", "abs"}


@per_node
def may_raise(expr: Expr) -> bool:
    """Whether some row could make computing the expression raise."""
    return not all(_is_safe(e) for e in expr.walk())


def sum_may_raise(dtype: pa.DataType) -> bool:
    """Whether the sum of some 10^10 values of a type may have more digits than a decimal has."""
    return (is_decimal(dtype) or is_integer(dtype)) and digits(dtype)[0] > 28


def _is_safe(expr: Expr) -> bool:
    match expr:
        case Column() | Literal():
            return True
        case Call("add" | "subtract" | "multiply" as function, (a, b), dtype) if is_decimal(dtype):
            return _has_room(function, a.dtype, b.dtype, dtype)
        case Call(function, _, dtype):
            return function in _NEVER or (function in _NEVER_FOR_FLOATS and is_float(dtype))
        case Cast(inner, dtype, try_):
            return try_ or _is_widening(inner, dtype)
    return False


def _has_room(function: str, a: pa.DataType, b: pa.DataType, result: pa.DataType) -> bool:
    """Whether a decimal type has the digits for any result of an operation."""
    if not all(is_decimal(t) or is_integer(t) for t in (a, b)):
        return False
    (digits_a, scale_a), (digits_b, scale_b) = digits(a), digits(b)
    precision, scale = digits(result)
    whole_a, whole_b = digits_a - scale_a, digits_b - scale_b
    if function == "multiply":
        return scale >= scale_a + scale_b and precision - scale >= whole_a + whole_b
    return scale >= max(scale_a, scale_b) and precision - scale > max(whole_a, whole_b)


def _is_widening(inner: Expr, dtype: pa.DataType) -> bool:
    """Whether every value of the expression's type is one of the other type."""
    source = inner.dtype
    if source == dtype or is_string(dtype):
        return True
    if is_float(dtype):
        return is_integer(source) or is_decimal(source) or is_float(source)
    if is_decimal(dtype) and (is_integer(source) or is_decimal(source)):
        (precision, scale), (to_precision, to_scale) = digits(source), digits(dtype)
        return scale <= to_scale and precision - scale <= to_precision - to_scale
    if is_integer(dtype) and is_integer(source):
        signs = pat.is_signed_integer(source), pat.is_signed_integer(dtype)
        return signs in ((True, True), (False, False)) and source.bit_width <= dtype.bit_width
    return is_timestamp(dtype) and is_timestamp(source) and source.unit == dtype.unit
