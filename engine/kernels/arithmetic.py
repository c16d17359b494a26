"""The kernels of + - * / // % and unary minus on numbers; on dates and spans see `intervals`.

Overflow never wraps. Checking every single operation costs as much as the operation again, so the
bounds of both columns are looked at first (a fast, vectorised pass): mostly they prove that nothing
can overflow and the unchecked loop runs.

Decimals are computed as 64-bit integers at their scales. Where that could overflow, or an argument
is wider than 64 bits, 256-bit decimals take over, and the result is checked against its type.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.encoding import (
    EXACT,
    INT64_MAX,
    INT64_MIN,
    Kernel,
    Scaled,
    Value,
    array_of,
    decode,
    from_scaled,
    is_array,
    length_of,
    scaled,
)
from plait.engine.kernels.intervals import (
    span_add,
    span_divide,
    span_multiply,
    span_negate,
    span_subtract,
)
from plait.errors import ComputeError, NumericOverflowError
from plait.planner.types import sql_name

Integers = Callable[[Any, Any], Any]

_WORDS = {"add": "addition", "subtract": "subtraction", "multiply": "multiplication"}
_MOST_DIGITS = 10**18 - 1
_PYTHON: dict[str, Integers] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
}


def overflow(name: str, t: pa.DataType) -> NumericOverflowError:
    """The error for an operation whose result does not fit its type."""
    wider = "double" if pat.is_decimal(t) else "hugeint or double"
    return NumericOverflowError(
        f"The result of a {_WORDS.get(name, name)} does not fit {sql_name(t)}; "
        f"cast an argument to {wider}"
    )


def limits(t: pa.DataType) -> tuple[int, int]:
    """The smallest and largest value of an integer type, or integer of a decimal type."""
    if pat.is_decimal(t):
        most = 10**t.precision - 1
        return -most, most
    if pat.is_signed_integer(t):
        return -(1 << (t.bit_width - 1)), (1 << (t.bit_width - 1)) - 1
    return 0, (1 << t.bit_width) - 1


def _reach(name: str, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Bounds of the results from bounds of the arguments."""
    ends = [_PYTHON[name](x, y) for x in a for y in b]
    return min(ends), max(ends)


def _integer(name: str) -> Kernel:
    plain, checked = getattr(pc, name), getattr(pc, f"{name}_checked")

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        low, high = limits(result)
        bounds = [_bounds(a) for a in args]
        least, most = _reach(name, *bounds)
        if low <= least and most <= high:
            return plain(*args)
        try:
            return checked(*args)
        except pa.ArrowInvalid:
            raise overflow(name, result) from None

    return run


def _bounds(value: Value) -> tuple[int, int]:
    if isinstance(value, pa.Scalar):
        known = value.as_py()
        return known, known
    return Scaled(value, 0).bounds()


def rescale(value: Scaled, scale: int, limit: int = INT64_MAX) -> Scaled | None:
    """The same values at a larger scale; None if they could pass `limit`."""
    if value.scale == scale:
        return value
    factor = 10 ** (scale - value.scale)
    if isinstance(value.ints, int):
        number = value.ints * factor
        return Scaled(number, scale) if abs(number) <= limit else None
    low, high = value.bounds()
    if max(-low, high) * factor > limit:
        return None
    return Scaled(pc.multiply(value.ints, pa.scalar(factor, pa.int64())), scale)


def _operand(ints: pa.Array | int) -> Value:
    return pa.scalar(ints, pa.int64()) if isinstance(ints, int) else ints.cast(pa.int64())


def _decimal(name: str) -> Kernel:
    plain = getattr(pc, name)

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        a, b = scaled(args[0]), scaled(args[1])
        if a is not None and b is not None and name != "multiply":
            a, b = rescale(a, result.scale), rescale(b, result.scale)
        if a is None or b is None:
            return _wide(name, args, result)
        least, most = _reach(name, a.bounds(), b.bounds())
        low, high = limits(result)
        # a 64-bit decimal has 18 digits, a few less than 64 bits could hold
        if least < max(low, -_MOST_DIGITS) or most > min(high, _MOST_DIGITS):
            return _wide(name, args, result)
        return from_scaled(plain(_operand(a.ints), _operand(b.ints)), result.scale)

    return run


def widen(value: Value, scale: int | None = None) -> Value:
    """The argument as a 256-bit decimal."""
    value = decode(value)
    if pat.is_integer(value.type):
        value = value.cast(pa.decimal128(20 if value.type == pa.uint64() else 19, 0))
    own = value.type.scale
    return value.cast(
        pa.decimal256(min(76, 38 + (scale or own) - own), own if scale is None else scale)
    )


def _wide(name: str, args: Sequence[Value], result: pa.DataType) -> pa.Array:
    if name == "multiply":
        # Arrow gives a product p1 + p2 + 1 digits and has 76
        a, b = (_least_digits(widen(x)) for x in args)
        if a.type.precision + b.type.precision > 75:
            raise overflow(name, result)
    else:
        a, b = (widen(x, result.scale) for x in args)
        a, b = (x.cast(pa.decimal256(75, result.scale)) for x in (a, b))
    return narrow(getattr(pc, name)(a, b), result, name)


def _least_digits(value: Value) -> Value:
    """A 256-bit decimal with no more precision than its values need."""
    if isinstance(value, pa.Scalar):
        ends = [value]
    else:
        found = pc.min_max(value)
        ends = [found["min"], found["max"]]
    digits = max((len(e.as_py().as_tuple().digits) for e in ends if e.is_valid), default=1)
    return value.cast(pa.decimal256(max(digits, value.type.scale, 1), value.type.scale))


def narrow(wide: pa.Array, result: pa.DataType, name: str) -> pa.Array:
    """A 256-bit decimal column as `result`, or NumericOverflowError."""
    try:
        return wide.cast(result)
    except pa.ArrowInvalid:
        raise overflow(name, result) from None


def _float(name: str) -> Kernel:
    plain = getattr(pc, name)

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        return plain(*args)

    return run


def _operator(name: str, spans: Kernel) -> Kernel:
    whole, exact, inexact = _integer(name), _decimal(name), _float(name)

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        if len(args) == 1:
            return negate(args, result) if name == "subtract" else array_of(args[0], 1)
        if any(isinstance(a, pa.Scalar) and not a.is_valid for a in args):
            return pa.nulls(length_of(args), result)
        if not all(_is_number(a.type) for a in args):
            return spans(args, result)
        if pat.is_decimal(result):
            return exact(args, result)
        return (inexact if pat.is_floating(result) else whole)(args, result)

    return run


def _is_number(t: pa.DataType) -> bool:
    return bool(pat.is_integer(t) or pat.is_floating(t) or pat.is_decimal(t))


def divide(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The quotient of floats; dividing by zero gives an infinity or NaN, as in DuckDB."""
    if any(isinstance(a, pa.Scalar) and not a.is_valid for a in args):
        return pa.nulls(length_of(args), result)
    if not all(pat.is_floating(a.type) for a in args):
        return span_divide(args, result)
    return pc.divide(*args)  # unchecked: IEEE for floats


def _refuse_zero(a: Value, b: Value, name: str) -> None:
    """Raise if a row divides by zero; rows whose dividend is NULL do not count."""
    if pat.is_decimal(b.type):
        narrow = scaled(b)
        b = b if narrow is None else _operand(narrow.ints)
    zero = pc.equal(b, pa.scalar(0, pa.int64()).cast(b.type))
    if isinstance(zero, pa.Scalar):
        if zero.as_py() and (not is_array(a) or a.null_count < len(a)):
            raise division_by_zero(name)
        return
    if zero.true_count and pc.any(pc.and_(zero, pc.is_valid(a))).as_py():
        raise division_by_zero(name)


def division_by_zero(name: str) -> ComputeError:
    """The error of `//` and `%`."""
    return ComputeError(
        f"Division by zero in {name}; write nullif(divisor, 0) to get NULL for such rows"
    )


def floor_divide(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Integers: the quotient rounded towards zero. Floats: as DuckDB, the unrounded quotient."""
    if any(isinstance(a, pa.Scalar) and not a.is_valid for a in args):
        return pa.nulls(length_of(args), result)
    a, b = args
    _refuse_zero(a, b, "//")
    if pat.is_floating(result):
        return pc.divide(a, b)
    if pat.is_decimal(result):  # HUGEINT
        return _huge_quotient(args, result)
    # NULL divisors may hide a zero in their slot, which would stop the whole column
    if is_array(b) and b.null_count:
        b = b.fill_null(1)
        out = _checked_divide(a, b, result)
        return pc.if_else(pc.is_valid(args[1]), out, pa.scalar(None, result))
    return _checked_divide(a, b, result)


def _checked_divide(a: Value, b: Value, result: pa.DataType) -> pa.Array:
    try:
        return pc.divide_checked(a, b)
    except pa.ArrowInvalid:
        raise overflow("division", result) from None


def _huge_quotient(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    a, b = scaled(args[0]), scaled(args[1])
    if a is None or b is None:
        return _wide_rows(EXACT.divide_int, args, result)
    whole = floor_divide([_operand(a.ints), _operand(b.ints)], pa.int64())
    return from_scaled(whole, 0)


def modulo(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The remainder with the sign of the dividend."""
    if any(isinstance(a, pa.Scalar) and not a.is_valid for a in args):
        return pa.nulls(length_of(args), result)
    if pat.is_floating(result):
        return _fmod(*args)
    if pat.is_decimal(result):
        a, b = scaled(args[0]), scaled(args[1])
        if a is not None and b is not None:
            a, b = rescale(a, result.scale), rescale(b, result.scale)
        if a is None or b is None:
            _refuse_zero(args[0], args[1], "%")
            return _wide_rows(EXACT.remainder, args, result)
        ints = modulo([_operand(a.ints), _operand(b.ints)], pa.int64())
        return from_scaled(ints, result.scale)
    a, b = args
    _refuse_zero(a, b, "%")
    return _fmod(a, b)


def _fmod(a: Value, b: Value) -> pa.Array:
    n = length_of((a, b))
    valid = [x for x in (a, b) if is_array(x) and x.null_count]
    left, right = (_numbers(x) for x in (a, b))
    with np.errstate(all="ignore"):
        out = np.fmod(left, right)
    found = pa.array(out if out.ndim else np.full(n, out), type=a.type if is_array(a) else b.type)
    for x in valid:
        found = pc.if_else(pc.is_valid(x), found, pa.scalar(None, found.type))
    return found


def _numbers(value: Value) -> Any:
    """The numpy view of a column (NULL slots hold anything but zero), or the constant."""
    t = value.type.to_pandas_dtype()
    if isinstance(value, pa.Scalar):
        return t(value.as_py())
    if value.null_count:
        value = value.fill_null(1)
    return value.to_numpy(zero_copy_only=False)


def _wide_rows(
    function: Callable[[Any, Any], Any], args: Sequence[Value], result: pa.DataType
) -> pa.Array:
    """A function of two decimals row by row: those wider than 64 bits are too rare for more."""
    a, b = (widen(x) for x in args)
    n = length_of((a, b))
    pairs = zip(array_of(a, n).to_pylist(), array_of(b, n).to_pylist(), strict=True)
    values = [None if x is None or y is None else function(x, y) for x, y in pairs]
    return narrow(pa.array(values, pa.decimal256(76, result.scale)), result, "division")


def negate(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The value with the opposite sign."""
    (x,) = args
    if pat.is_decimal(result):
        found = scaled(x)
        if found is not None and found.bounds()[0] > INT64_MIN:
            return from_scaled(pc.negate(_operand(found.ints)), result.scale)
        return pc.negate(decode(x))
    if pat.is_floating(result):
        return pc.negate(x)
    if not pat.is_integer(result):
        return span_negate(args, result)
    if pat.is_unsigned_integer(result):
        if _bounds(x)[1] > 0:
            raise overflow("negation", result)
        return x
    try:
        return pc.negate_checked(x)
    except pa.ArrowInvalid:
        raise overflow("negation", result) from None


KERNELS: dict[str, Kernel] = {
    "add": _operator("add", span_add),
    "subtract": _operator("subtract", span_subtract),
    "multiply": _operator("multiply", span_multiply),
    "divide": divide,
    "floor_divide": floor_divide,
    "modulo": modulo,
    "negate": negate,
}
