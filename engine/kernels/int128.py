"""128-bit integers as two numpy arrays: exact sums of integers and decimals.

A sum of many values is kept as four limbs of 32 bits, each summed on its own in an int64: with
fewer than 2^31 rows no limb can overflow. `from_limbs` carries at the end. The result is a decimal
of up to 38 digits; more raise NumericOverflowError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.views import Bools, Ints, pack_bits, stored
from plait.errors import NumericOverflowError
from plait.planner.types import sql_name

_MASK = np.int64(0xFFFF_FFFF)
_SHIFT = np.int64(32)


@dataclass(frozen=True)
class Int128:
    """An array of 128-bit integers in two's complement."""

    high: Ints  # int64
    low: Ints  # uint64

    def __len__(self) -> int:
        return len(self.high)

    @staticmethod
    def of(values: Ints) -> Int128:
        """64-bit integers, signed or unsigned, made wider."""
        if values.dtype == np.uint64:
            return Int128(np.zeros(len(values), np.int64), values)
        wide = values.astype(np.int64, copy=False)
        return Int128(wide >> np.int64(63), wide.view(np.uint64))

    @staticmethod
    def from_limbs(limbs: list[Ints]) -> Int128:
        """Carry four limbs (least first) that were summed apart; raises past 128 bits."""
        a, b, c, d = limbs
        b = b + (a >> _SHIFT)
        c = c + (b >> _SHIFT)
        d = d + (c >> _SHIFT)
        if len(d) and (d.max() >= 2**31 or d.min() < -(2**31)):
            raise NumericOverflowError("A sum has more than the 38 digits of the widest decimal")
        low = (a & _MASK) | (b << _SHIFT)
        high = (c & _MASK) | (d << _SHIFT)
        return Int128(high, low.view(np.uint64))

    def limbs(self) -> list[Ints]:
        """Four arrays of 32 bits as int64, least first; only the last is signed."""
        low = self.low.view(np.int64)
        return [
            low & _MASK,
            (low >> _SHIFT) & _MASK,
            self.high & _MASK,
            self.high >> _SHIFT,
        ]

    def narrow(self) -> Ints | None:
        """As int64 if every value fits."""
        low = self.low.view(np.int64)
        return low if bool((self.high == (low >> np.int64(63))).all()) else None

    def plus(self, other: Int128) -> Int128:
        """The sums; they must fit into 128 bits."""
        low = self.low + other.low
        return Int128(self.high + other.high + (low < self.low), low)

    def minus(self, other: Int128) -> Int128:
        """The differences; they must fit into 128 bits."""
        return Int128(self.high - other.high - (self.low < other.low), self.low - other.low)

    def shifted(self, digits: int) -> Int128:
        """Times ten, so many times; the products must fit into 128 bits."""
        product = self
        for some in (*(9,) * (digits // 9), digits % 9):  # below 2^30: of limbs, below 2^62
            product = Int128.from_limbs([limb * 10**some for limb in product.limbs()])
        return product

    def scaled(self, part: np.ndarray[Any, np.dtype[np.floating[Any]]]) -> Int128:
        """Multiplied by numbers from 0 to 1, towards zero, to 64 significant bits."""
        exact = np.trunc(self.to_longdouble() * part)
        high = np.floor(exact / np.longdouble(2**64))
        low = exact - high * np.longdouble(2**64)
        return Int128(high.astype(np.int64), low.astype(np.uint64))

    def divide(self, divisors: Ints) -> tuple[Ints, Ints]:
        """Quotients and remainders of numbers that are not negative, by divisors below 2^31.

        The quotients must fit into 64 bits. Long division, 32 bits at a time.
        """
        quotient = np.zeros(len(self), np.int64)
        rest = np.zeros(len(self), np.int64)
        for limb in reversed(self.limbs()):
            dividend = (rest << _SHIFT) | limb
            digit = dividend // divisors
            rest = dividend - digit * divisors
            quotient = (quotient << _SHIFT) | digit
        return quotient, rest

    def to_longdouble(self) -> np.ndarray[Any, np.dtype[np.longdouble]]:
        """As extended floats: exact below 2^64, correctly rounded to 64 bits above."""
        return self.high.astype(np.longdouble) * np.longdouble(2**64) + self.low.astype(
            np.longdouble
        )

    def to_decimal(self, dtype: pa.DataType, valid: Bools | None = None) -> pa.Array:
        """As decimal128 of the type's scale; raises when a valid value has too many digits."""
        limit = 10**dtype.precision
        high, low = self.high, self.low
        if valid is not None:
            high, low = np.where(valid, high, 0), np.where(valid, low, np.uint64(0))
        if dtype.precision < 19 or Int128(high, low).narrow() is None:
            _check_digits(high, low, limit, dtype)
        data = np.empty((len(high), 2), np.int64)
        data[:, 0] = low.view(np.int64)
        data[:, 1] = high
        bitmap = None if valid is None else pack_bits(valid)
        wide = pa.decimal128(dtype.precision, dtype.scale)
        return pa.Array.from_buffers(wide, len(high), [bitmap, pa.py_buffer(data)])


def _check_digits(high: Ints, low: Ints, limit: int, dtype: pa.DataType) -> None:
    top, bottom = divmod(limit, 2**64)
    least_top, least_bottom = divmod(-limit, 2**64)
    over = (high > top) | ((high == top) & (low >= np.uint64(bottom)))
    under = (high < least_top) | ((high == least_top) & (low <= np.uint64(least_bottom)))
    if bool((over | under).any()):
        raise NumericOverflowError(
            f"A value does not fit {sql_name(dtype)}: it has more than {dtype.precision} digits; "
            "cast the argument to double if an approximate result is enough"
        )


def decimal_values(array: pa.Array) -> Ints | Int128:
    """The scaled integers of a decimal array: int64 where all fit, else 128 bits."""
    if array.type.bit_width <= 64:
        return stored(array)
    if pat.is_decimal256(array.type):
        array = array.cast(pa.decimal128(38, array.type.scale))
    buffer = array.buffers()[1]
    n = len(array)
    if buffer is None or not n:
        return np.zeros(n, np.int64)
    halves = np.frombuffer(buffer, np.int64, n * 2, array.offset * 16).reshape(n, 2)
    low, high = halves[:, 0], halves[:, 1]
    if array.null_count:
        # what stands where a NULL is must not keep the column from being narrow
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        low, high = np.where(valid, low, 0), np.where(valid, high, 0)
    low = np.ascontiguousarray(low)
    if bool((high == (low >> np.int64(63))).all()):
        return low
    return Int128(np.ascontiguousarray(high), low.view(np.uint64))
