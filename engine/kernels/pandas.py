"""The kernels of `planner.functions.pandas`: pandas' and Python's meaning of common operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.engine.kernels.calendar import add_checked, ints_of, valid_of
from plait.engine.kernels.encoding import (
    Kernel,
    Value,
    array_of,
    decode,
    is_array,
    length_of,
    per_entry,
    python,
)
from plait.engine.kernels.printing import per_distinct
from plait.engine.kernels.views import Bools, Ints, from_stored, stored
from plait.errors import ComputeError, NumericOverflowError
from plait.planner.types import sql_name

_SECONDS = {"D": 86400, "h": 3600, "min": 60, "s": 1}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _numbers(value: Value, length: int) -> Ints:
    if isinstance(value, pa.Scalar):
        filled = value.as_py() if value.is_valid else 0
        return np.full(length, filled, dtype=value.type.to_pandas_dtype())
    return stored(value)


def _both(valid: Bools | None, more: Bools) -> Bools:
    return more if valid is None else valid & more


def _null_if_nan(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    values = array_of(args[0], length_of(args))
    nan = pc.is_nan(values)
    if not pc.any(nan).as_py():
        return values
    return pc.if_else(nan, pa.scalar(None, result), values)


def _floor_divide(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    length, valid = length_of(args), valid_of(args)
    a, b = (_numbers(arg, length) for arg in args)
    with np.errstate(all="ignore"):
        if pat.is_integer(result):
            _check_least(a, b, valid, result)
            return from_stored(np.floor_divide(a, b), result, valid)
        if pat.is_floating(args[0].type):
            return _without_nan(np.floor_divide(a, b), result, valid)
        by_zero = np.where(a > 0, np.inf, np.where(a < 0, -np.inf, np.nan))
        quotient = np.floor_divide(a, np.where(b == 0, 1, b)).astype(float)
        return _without_nan(np.where(b == 0, by_zero, quotient), result, valid)


def _check_least(a: Ints, b: Ints, valid: Bools | None, t: pa.DataType) -> None:
    """The least integer divided by -1 is one more than the largest."""
    if pat.is_signed_integer(t):
        wrong = (b == -1) & (a == -(1 << (t.bit_width - 1)))
        if np.any(wrong if valid is None else wrong & valid):
            raise NumericOverflowError(f"The result of a division does not fit {sql_name(t)}")


def _modulo(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    length, valid = length_of(args), valid_of(args)
    a, b = (_numbers(arg, length) for arg in args)
    with np.errstate(all="ignore"):
        if pat.is_integer(args[0].type):
            rest = np.mod(a, np.where(b == 0, 1, b))
            if pat.is_integer(result):
                return from_stored(rest, result, valid)
            return _without_nan(np.where(b == 0, np.nan, rest.astype(float)), result, valid)
        return _without_nan(np.mod(a, b), result, valid)


def _without_nan(values: Ints, t: pa.DataType, valid: Bools | None) -> pa.Array:
    there = ~np.isnan(values)
    if there.all():
        return from_stored(np.ascontiguousarray(values, t.to_pandas_dtype()), t, valid)
    return from_stored(np.ascontiguousarray(values, t.to_pandas_dtype()), t, _both(valid, there))


def _power(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    length, valid = length_of(args), valid_of(args)
    a, b = (_numbers(arg, length) for arg in args)
    if not pat.is_integer(result):
        with np.errstate(all="ignore"):
            powers = np.power(a, b)
        return from_stored(np.ascontiguousarray(powers, result.to_pandas_dtype()), result, valid)
    seen = np.ones(length, bool) if valid is None else valid
    if np.any(b[seen] < 0):
        raise ComputeError("Integers cannot be raised to negative powers; use astype(float)")
    b = np.where(seen, b, 0)
    with np.errstate(all="ignore"):
        size = np.abs(np.power(a.astype(float), b))
    # doubles are exact enough to tell, but for the last few values below the limit
    limit = 2.0 ** (result.bit_width - (1 if pat.is_signed_integer(result) else 0))
    if np.any(size[seen] >= limit * (1 - 1e-15)):
        raise NumericOverflowError(
            f"The result of a power does not fit {sql_name(result)}; use astype(float)"
        )
    kind = result.to_pandas_dtype()
    return from_stored(np.power(a.astype(kind), b.astype(kind)), result, valid)


def _round(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    digits = int(python(args[1]))  # type: ignore[call-overload]
    value = decode(args[0])
    if pat.is_floating(result):
        length = length_of(args)
        with np.errstate(all="ignore"):
            rounded = np.round(_numbers(value, length), digits)
        return from_stored(rounded, result, valid_of(args))
    array = array_of(value, length_of(args))
    return pc.round(array, ndigits=digits, round_mode="half_to_even").cast(result)


def _difference(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    # ints_of gives zero for a NULL: what lies under it must not count as an overflow
    distance = add_checked(ints_of(args[0]), -ints_of(args[1]), args[0].type)
    values = np.broadcast_to(distance, (length_of(args),))
    return from_stored(np.ascontiguousarray(values), result, valid_of(args))


# ------------------------------------------------------------------------------------------ text


def _constant_text(function: Callable[..., pa.Array]) -> Kernel:
    """A kernel of a column of texts and constants, computed once a dictionary entry."""

    def run(args: Sequence[Value], result: pa.DataType) -> pa.Array:
        if any(is_array(a) for a in args[1:]):
            raise ComputeError("Only the first argument of this function may be a column")
        return function(args[0], *(python(a) for a in args[1:])).cast(result)

    return per_entry(run)


def _slice(texts: pa.Array, start: int, stop: int, step: int) -> pa.Array:
    if step > 0:
        return pc.utf8_slice_codeunits(texts, start, stop, step)
    if (start, step) == (2**31 - 1, -1) and stop < -(2**31) + 1:
        return pc.utf8_reverse(texts)
    end = None if stop <= -(2**31) else stop
    return per_distinct(texts, lambda text: text[start:end:step])


def _strip(texts: pa.Array, characters: str, side: str) -> pa.Array:
    name = {"both": "trim", "left": "ltrim", "right": "rtrim"}[side]
    if not characters:
        return getattr(pc, f"utf8_{name}_whitespace")(texts)
    return getattr(pc, f"utf8_{name}")(texts, characters)


def _words(texts: pa.Array, how: str) -> pa.Array:
    return getattr(pc, f"utf8_{how}")(texts)


def _pad(texts: pa.Array, width: int, side: str, filler: str) -> pa.Array:
    match side:
        case "left":
            return pc.utf8_lpad(texts, width, filler)
        case "right":
            return pc.utf8_rpad(texts, width, filler)
        case "zero":
            return per_distinct(texts, lambda text: text.zfill(width))
    return per_distinct(texts, lambda text: text.center(width, filler))


def _find(texts: pa.Array, other: str) -> pa.Array:
    ascii_only = pc.all(pc.string_is_ascii(texts)).as_py() in (True, None)
    if ascii_only:
        return pc.find_substring(texts, other)
    return per_distinct(texts, lambda text: text.find(other), pa.int64())


def _is(texts: pa.Array, kind: str) -> pa.Array:
    return getattr(pc, f"utf8_is_{kind}")(texts)


# ----------------------------------------------------------------------------------------- times


def _floor_time(args: Sequence[Value], result: pa.DataType) -> pa.Array:
    length = length_of(args)
    times = array_of(args[0], length)
    step, how = _step(str(python(args[1])), result.unit), python(args[2])
    if step is None:  # finer than the column's unit
        return times
    if result.tz is not None:
        # units are those of the clock on the wall
        local = pc.local_timestamp(times)
        rounded = _rounded(local, step, how)
        return pc.assume_timezone(rounded, result.tz, ambiguous="earliest", nonexistent="latest")
    return _rounded(times, step, how)


def _rounded(times: pa.Array, step: int, how: object) -> pa.Array:
    values, valid = stored(times), valid_of([times])
    if valid is not None:
        values = np.where(valid, values, 0)
    below = values - np.mod(values, step)
    rest = values - below
    match how:
        case "floor":
            made = below
        case "ceil":
            made = np.where(rest == 0, values, below + step)
        case _:
            odd = np.mod(below // step, 2) == 1
            up = (2 * rest > step) | ((2 * rest == step) & odd)
            made = np.where(up, below + step, below)
    return from_stored(np.ascontiguousarray(made, np.int64), times.type, valid)


def _step(frequency: str, unit: str) -> int | None:
    found = re.fullmatch(r"(\d+)([A-Za-z]+)", frequency)
    assert found is not None
    per_second = _PER_SECOND[unit]
    if found[2] in _SECONDS:
        return int(found[1]) * _SECONDS[found[2]] * per_second
    size, rest = divmod(int(found[1]) * per_second, _PER_SECOND[found[2]])
    if size == 0:
        return None
    if rest:
        raise ComputeError(f"{frequency} is no whole number of the column's unit, {unit}")
    return size


KERNELS: dict[str, Any] = {
    "null_if_nan": _null_if_nan,
    "pandas_floor_divide": _floor_divide,
    "pandas_modulo": _modulo,
    "pandas_power": _power,
    "pandas_round": _round,
    "pandas_difference": _difference,
    "pandas_slice": _constant_text(_slice),
    "pandas_strip": _constant_text(_strip),
    "pandas_words": _constant_text(_words),
    "pandas_pad": _constant_text(_pad),
    "pandas_find": _constant_text(_find),
    "pandas_is": _constant_text(_is),
    "pandas_floor_time": _floor_time,
}
