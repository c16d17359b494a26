"""The kernels of numeric functions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.arithmetic import limits, narrow, overflow, widen
from plait.engine.kernels.calendar import from_ints, ints_of, valid_of
from plait.engine.kernels.cast import cast, rounded_ints
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode,
    decode_dictionary,
    from_scaled,
    is_array,
    length_of,
    per_entry,
    scaled,
)
from plait.engine.kernels.printing import per_distinct
from plait.engine.kernels.views import Bools, Ints, from_stored, stored, validity
from plait.errors import ComputeError, NumericOverflowError
from plait.planner.types import HUGEINT, sql_name

Ufunc = Callable[..., Any]


def floats_of(value: Value) -> Ints:
    """A float argument as numpy; NULL slots hold anything."""
    if isinstance(value, pa.Scalar):
        return np.array([value.as_py()], dtype=value.type.to_pandas_dtype())
    return stored(value)


def _float(function: Ufunc) -> Kernel:
    """A kernel of float arguments from a numpy function."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        with np.errstate(all="ignore"):
            values = function(*(floats_of(a) for a in args))
        return from_ints(values, result, valid_of(args), length_of(args))

    return per_entry(run)


def _cot(x: Ints) -> Ints:
    return np.asarray(1.0 / np.tan(x))


def _even(x: Ints) -> Ints:
    away = np.where(x >= 0, np.ceil(x), np.floor(x))
    odd = np.fmod(away, 2) != 0
    return np.where(odd, away + np.where(x >= 0, 1, -1), away)


def _log(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    if len(args) == 1:
        return _float(np.log10)(args, result)
    return _float(lambda base, x: np.log10(x) / np.log10(base))(args, result)


def _fdiv(x: Ints, y: Ints) -> Ints:
    return np.asarray(np.floor(x / y))


def _fmod(x: Ints, y: Ints) -> Ints:
    return np.asarray(x - np.floor(x / y) * y)


def _per_value(function: Callable[[float], float]) -> Kernel:
    """A function that only Python's math has: once per distinct value."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        return per_distinct(array_of(args[0], 1), function, result)

    return per_entry(run)


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (OverflowError, ValueError):
        return math.inf


# rounding


def _away(x: Ints) -> Ints:
    """To the nearest whole number, half away from zero."""
    # the largest number below one half, so that the sum never rounds up what is below a half
    return np.asarray(np.trunc(x + np.copysign(0.49999999999999994, x)))


def _at_digits(x: Ints, digits: Any, whole: Ufunc) -> Ints:
    """Rounded at a decimal place by a rounding to whole numbers."""
    factor = np.power(10.0, np.abs(digits))
    if np.ndim(digits) == 0:
        moved = whole(x * factor) / factor if digits >= 0 else whole(x / factor) * factor
        if np.isfinite(moved).all():
            return np.asarray(moved)
    else:
        moved = np.where(digits >= 0, whole(x * factor) / factor, whole(x / factor) * factor)
    # too many digits: nothing to round; too few: nothing is left
    unusual = ~np.isfinite(moved) & np.isfinite(x)
    return np.where(unusual, np.where(digits >= 0, x, 0.0), moved)


def _towards_zero(ints: Ints, digits: int) -> Ints:
    if digits > 18:
        return np.zeros_like(ints)
    unit = 10**digits
    return np.asarray((np.abs(ints) // unit) * np.sign(ints))


def _half_even(ints: Ints, digits: int) -> Ints:
    if digits > 18:
        return np.zeros_like(ints)
    unit = 10**digits
    whole = ints // unit
    rest = (ints - whole * unit) * 2
    return np.asarray(whole + ((rest > unit) | ((rest == unit) & (whole % 2 != 0))))


def _down(ints: Ints, digits: int) -> Ints:
    return np.asarray(ints // 10**digits) if digits <= 18 else np.where(ints < 0, -1, 0)


def _up(ints: Ints, digits: int) -> Ints:
    return -_down(-ints, digits)


class _Rounding:
    """One way of rounding: of floats, of integers by dropping digits, and Arrow's name for it."""

    def __init__(self, floats: Ufunc, ints: Callable[[Ints, int], Ints], arrow: str) -> None:
        self.floats, self.ints, self.arrow = floats, ints, arrow

    def __call__(self, args: Sequence[Value], result: pa.DataType) -> pa.Array:
        x = decode_dictionary(args[0])
        n = length_of(args)
        digits: Any = 0
        if len(args) > 1:
            digits = args[1].as_py() if not is_array(args[1]) else ints_of(args[1])
        if pat.is_floating(x.type):
            values = floats_of(x)
            with np.errstate(all="ignore"):
                if len(args) == 1:
                    found = self.floats(values)
                else:
                    found = _at_digits(values, np.asarray(digits), self.floats)
            found = found.astype(values.dtype, copy=False)
            return from_ints(found, result, valid_of(args), n)
        if is_array(args[-1]) and len(args) > 1:
            return self._by_row(x, digits, result, valid_of(args), n)
        return self._exact(x, digits, result, valid_of(args), n)

    def _by_row(
        self, x: Value, digits: Ints, result: pa.DataType, valid: Bools | None, n: int
    ) -> pa.Array:
        """Integers with a number of digits of their own in each row."""
        values = np.broadcast_to(ints_of(x), (n,)).copy()
        for some in np.unique(digits[digits < 0]).tolist():
            rows = digits == some
            values[rows] = self.ints(values[rows], -some) * 10 ** min(-some, 18)
        return _checked(values, result, valid, n, "rounding")

    def _exact(
        self, x: Value, digits: int, result: pa.DataType, valid: Bools | None, n: int
    ) -> pa.Array:
        found = scaled(x)
        scale = result.scale if pat.is_decimal(result) else 0
        if found is None:
            wide = widen(x)
            wide = wide.cast(pa.decimal256(76, wide.type.scale))  # it may gain a digit
            wide = pc.round(wide, min(digits, scale), self.arrow)
            return narrow(wide.cast(pa.decimal256(76, scale)), result, "rounding")
        drop = found.scale - digits
        ints = np.array([found.ints]) if isinstance(found.ints, int) else stored(found.ints)
        values = ints.astype(np.int64, copy=False)
        if drop > 0:
            values = self.ints(values, drop)
            if digits < scale:  # digits before the point were dropped: put zeros there
                if digits < -18:
                    values = np.zeros_like(values)
                else:
                    values = _times(values, 10 ** (scale - digits), valid, result)
        if pat.is_decimal(result):
            return from_scaled(from_ints(values, pa.int64(), valid, n), scale)
        return _checked(values, result, valid, n, "rounding")


def _times(values: Ints, factor: int, valid: Bools | None, result: pa.DataType) -> Ints:
    seen = values if valid is None else np.where(valid, values, 0)
    if seen.size and max(-int(seen.min()), int(seen.max())) * factor >= 1 << 63:
        raise overflow("rounding", result)
    return np.asarray(seen * factor)


def _checked(
    values: Ints, result: pa.DataType, valid: Bools | None, length: int, name: str
) -> pa.Array:
    """Integers as a column of an integer type; NumericOverflowError if one does not fit."""
    values = np.broadcast_to(values, (length,))
    seen = values if valid is None else np.where(valid, values, 0)
    low, high = limits(result)
    if seen.size and (int(seen.min()) < low or int(seen.max()) > high):
        raise overflow(name, result)
    return from_stored(seen.astype(result.to_pandas_dtype()), result, valid)


_ROUND = _Rounding(_away, rounded_ints, "half_towards_infinity")
_ROUND_EVEN = _Rounding(np.rint, _half_even, "half_to_even")


def abs_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The value without its sign."""
    (x,) = args
    if pat.is_decimal(result):
        found = scaled(x)
        if found is None or not isinstance(found.ints, pa.Array):
            return pc.abs(decode(x))
        return from_scaled(pc.abs(found.ints.cast(pa.int64())), result.scale)
    if not pat.is_signed_integer(result):
        return pc.abs(x)
    try:
        return pc.abs_checked(x)
    except pa.ArrowInvalid:
        raise overflow("abs", result) from None


def sign(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """-1, 0 or 1; 0 for NaN."""
    x = args[0]
    if pat.is_decimal(x.type):
        found = scaled(x)
        x = pc.sign(decode(x)) if found is None else found.ints
        return cast(x, result) if found is None else pc.sign(x).cast(result)
    if pat.is_floating(x.type):
        with np.errstate(invalid="ignore"):
            values = np.nan_to_num(np.sign(stored(x)), nan=0.0).astype(np.int8)
        return from_stored(values, result, validity(x))
    return pc.sign(x).cast(result)


# integers


def _gcd(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    a, b = _whole(args)
    return _from_whole(np.gcd(a, b), args, result)


def _lcm(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    a, b = _whole(args)
    small = np.where(np.gcd(a, b) == 0, 1, np.gcd(a, b))
    size = np.abs(a.astype(np.float64)) / small * np.abs(b.astype(np.float64))
    if size.size and size.max() >= 9.2e18:
        raise overflow("lcm", result)
    return _from_whole(np.lcm(a, b), args, result)


def _whole(args: Sequence[Value]) -> list[Ints]:
    found = []
    for arg in args:
        exact = scaled(arg)
        if exact is None:
            raise NumericOverflowError("gcd and lcm are computed in 64 bits; a value needs more")
        ints = exact.ints
        found.append(
            np.array([ints]) if isinstance(ints, int) else stored(ints).astype(np.int64, copy=False)
        )
    return found


def _from_whole(values: Ints, args: Sequence[Value], result: pa.DataType) -> pa.Array:
    column = from_ints(values, pa.int64(), valid_of(args), length_of(args))
    return from_scaled(column, 0) if pat.is_decimal(result) else column


def _factorial(n: int) -> int:
    if n < 0:
        raise ComputeError(f"The factorial of a negative number ({n}) is undefined")
    if n > 33:
        raise NumericOverflowError(f"The factorial of {n} does not fit HUGEINT, 38 digits")
    return math.factorial(n)


def factorial(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Once per distinct number."""
    return per_distinct(array_of(args[0], 1), _factorial, HUGEINT)


def _bits(operation: Callable[..., pa.Array]) -> Kernel:
    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        return operation(*args)

    return per_entry(run)


def bit_count(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """How many bits are set in two's complement."""
    values = stored(args[0])
    unsigned = values.view(f"u{values.dtype.itemsize}")
    return from_stored(np.bitwise_count(unsigned).astype(np.int8), result, validity(args[0]))


def _shift_arguments(args: Sequence[Value]) -> tuple[Ints, Ints, Bools | None, int]:
    n, valid = length_of(args), valid_of(args)
    values, counts = (np.broadcast_to(ints_of(a), (n,)) for a in args)
    if valid is not None:
        values, counts = np.where(valid, values, 0), np.where(valid, counts, 0)
    return values, counts, valid, n


def shift_left(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Bits moved up; what DuckDB refuses (signs, bits lost) raises."""
    values, counts, valid, n = _shift_arguments(args)
    if (values < 0).any():
        raise NumericOverflowError("Cannot left-shift a negative number")
    if (counts < 0).any():
        raise NumericOverflowError("Cannot left-shift by a negative number")
    zero = values == 0
    most = limits(result)[1]
    if (~zero & (counts >= result.bit_width)).any():
        raise NumericOverflowError(f"A left shift of {sql_name(result)} by that much loses bits")
    small = np.where(zero, 0, counts)
    if (values > (most >> small)).any():
        raise overflow("left shift", result)
    return from_ints((values << small).astype(result.to_pandas_dtype()), result, valid, n)


def shift_right(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Bits moved down; by a negative number or by all bits gives 0."""
    values, counts, valid, n = _shift_arguments(args)
    inside = (counts >= 0) & (counts < result.bit_width)
    found = np.where(inside, values >> np.where(inside, counts, 0), 0)
    return from_ints(found.astype(result.to_pandas_dtype()), result, valid, n)


# tests


def isnan(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether the value is NaN."""
    return pc.is_nan(args[0])


def isinf(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether the value is an infinity; dates have none here."""
    x = args[0]
    if not pat.is_floating(x.type):
        return from_stored(np.zeros(len(x), np.bool_), result, validity(x))
    return pc.is_inf(x)


def isfinite(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Whether the value is neither infinite nor NaN."""
    x = args[0]
    if not pat.is_floating(x.type):
        return from_stored(np.ones(len(x), np.bool_), result, validity(x))
    return pc.is_finite(x)


# without arguments, or of any type


def pi(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """3.14159..."""
    return pa.repeat(pa.scalar(math.pi), length_of(args))


def random(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """A number from [0, 1) for each row."""
    return pa.array(np.random.default_rng().random(length_of(args)))


def _mixed(values: Ints) -> Ints:
    """splitmix64's finaliser."""
    x = values.astype(np.int64, copy=False).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _digest(value: object) -> int:
    data = value if isinstance(value, bytes) else repr(value).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def hash_(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """Equal values have equal hashes, in every process; NULL has one as well."""
    x = args[0]
    t = x.type
    if pat.is_integer(t) or pat.is_date(t) or pat.is_timestamp(t) or pat.is_time(t):
        with np.errstate(over="ignore"):
            found = from_stored(_mixed(ints_of(x)), result, validity(x))
    elif pat.is_nested(t):
        values = x.to_pylist()
        found = pa.array([None if v is None else _digest(v) for v in values], result)
    else:
        if pat.is_floating(t):
            x = pc.add(x, pa.scalar(0.0, t))
        found = per_distinct(decode(x), _digest, result)
    return found.fill_null(0x9E3779B97F4A7C15)


def typeof(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    """The type's name, which is the second argument: the first may be in a narrower encoding."""
    name = args[1]
    return pa.repeat(name, length_of(args)) if isinstance(name, pa.Scalar) else name


_FLOATS: dict[str, Ufunc] = {
    "even": _even,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "exp": np.exp,
    "ln": np.log,
    "log2": np.log2,
    "power": np.power,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "cot": _cot,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "degrees": np.degrees,
    "radians": np.radians,
    "nextafter": np.nextafter,
    "fdiv": _fdiv,
    "fmod": _fmod,
    "signbit": np.signbit,
}

KERNELS: dict[str, Kernel] = {
    **{name: _float(function) for name, function in _FLOATS.items()},
    "log": _log,
    "gamma": _per_value(_gamma),
    "lgamma": _per_value(_lgamma),
    "abs": per_entry(abs_),
    "sign": per_entry(sign),
    "ceil": per_entry(_Rounding(np.ceil, _up, "up")),
    "floor": per_entry(_Rounding(np.floor, _down, "down")),
    "trunc": per_entry(_Rounding(np.trunc, _towards_zero, "towards_zero")),
    "round": per_entry(_ROUND),
    "round_even": per_entry(_ROUND_EVEN),
    "gcd": per_entry(_gcd),
    "lcm": per_entry(_lcm),
    "factorial": per_entry(factorial),
    "bitwise_and": _bits(pc.bit_wise_and),
    "bitwise_or": _bits(pc.bit_wise_or),
    "bitwise_xor": _bits(pc.bit_wise_xor),
    "bitwise_not": _bits(pc.bit_wise_not),
    "bit_count": per_entry(bit_count),
    "shift_left": per_entry(shift_left),
    "shift_right": per_entry(shift_right),
    "isnan": per_entry(isnan),
    "isinf": per_entry(isinf),
    "isfinite": per_entry(isfinite),
    "pi": pi,
    "random": random,
    "hash": per_entry(hash_, null_matters=True),
    "typeof": typeof,
}
