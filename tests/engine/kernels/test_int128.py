"""128-bit integers against Python's, which have no end."""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.kernels.int128 import Int128, decimal_values
from plait.errors import NumericOverflowError

EXACT = Context(prec=60)
wide = st.integers(-(2**126), 2**126 - 1)
edges = st.sampled_from([0, 1, -1, 2**32, 2**63 - 1, -(2**63), 2**64, -(2**64), 2**96 - 1])
numbers = st.lists(wide | edges, min_size=1, max_size=8)


def of(values: list[int]) -> Int128:
    low = np.array([v & (2**64 - 1) for v in values], np.uint64)
    return Int128(np.array([v >> 64 for v in values], np.int64), low)


def ints(values: Int128) -> list[int]:
    return [(int(h) << 64) | int(low) for h, low in zip(values.high, values.low, strict=True)]


@given(numbers)
def test_limbs_come_back(values: list[int]) -> None:
    assert ints(Int128.from_limbs(of(values).limbs())) == values


@given(numbers, numbers)
def test_sums_and_differences(a: list[int], b: list[int]) -> None:
    pairs = list(zip(a, b, strict=False))
    left, right = of([x for x, _ in pairs]), of([y for _, y in pairs])
    assert ints(left.plus(right)) == [x + y for x, y in pairs]
    assert ints(left.minus(right)) == [x - y for x, y in pairs]


@given(st.lists(st.tuples(st.integers(0, 2**90), st.integers(2**28, 2**31 - 1)), min_size=1))
def test_division(pairs: list[tuple[int, int]]) -> None:
    quotient, rest = of([a for a, _ in pairs]).divide(np.array([b for _, b in pairs]))
    expected = [divmod(a, b) for a, b in pairs]
    assert list(zip(quotient.tolist(), rest.tolist(), strict=True)) == expected


@given(numbers)
def test_decimals_hold_38_digits(values: list[int]) -> None:
    dtype = pa.decimal128(38, 2)
    if any(abs(v) >= 10**38 for v in values):
        with pytest.raises(NumericOverflowError, match="38 digits"):
            of(values).to_decimal(dtype)
        return
    array = of(values).to_decimal(dtype)
    assert array.to_pylist() == [Decimal(v).scaleb(-2, EXACT) for v in values]
    back = decimal_values(array)
    assert (ints(back) if isinstance(back, Int128) else back.tolist()) == values


def test_narrow_types_are_checked_too() -> None:
    with pytest.raises(NumericOverflowError, match="5 digits"):
        of([99_999, -100_000]).to_decimal(pa.decimal128(5, 0))
    assert of([99_999]).to_decimal(pa.decimal128(5, 0)).to_pylist() == [Decimal(99_999)]


def test_what_is_null_may_be_any_number() -> None:
    valid = np.array([False, True])
    array = of([2**126, 5]).to_decimal(pa.decimal128(38, 0), valid)
    assert array.to_pylist() == [None, Decimal(5)]


def test_sums_beyond_128_bits_raise() -> None:
    limbs = [np.array([0]), np.array([0]), np.array([0]), np.array([2**31])]
    with pytest.raises(NumericOverflowError):
        Int128.from_limbs(limbs)


def test_narrowing() -> None:
    assert of([-(2**63), 2**63 - 1]).narrow() is not None
    assert of([2**63]).narrow() is None
    assert Int128.of(np.array([2**64 - 1], np.uint64)).narrow() is None


@given(numbers)
def test_extended_floats_are_near(values: list[int]) -> None:
    got = of(values).to_longdouble().astype(np.float64)
    assert got.tolist() == pytest.approx([float(v) for v in values], rel=1e-15)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), st.integers(0, 18))
def test_shifted_by_digits(values: list[int], digits: int) -> None:
    found = Int128.of(np.array(values, np.int64)).shifted(digits)
    high, low = found.high.tolist(), found.low.tolist()
    assert [(h << 64) + w for h, w in zip(high, low, strict=True)] == [
        v * 10**digits for v in values
    ]
