"""Layouts: which arrays loops read, with which bounds."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.codegen.layout import Layout, join, layout_of, rounded

NUMBERS = st.integers(-(1 << 126), (1 << 126) - 1)


@given(NUMBERS, NUMBERS)
def test_rounded_bounds_hold_the_range(a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    wide_low, wide_high = rounded((low, high))
    assert wide_low <= low
    assert high <= wide_high
    assert rounded((wide_low, wide_high)) == (wide_low, wide_high)


@pytest.mark.parametrize(
    ("dtype", "kind", "width", "stride"),
    [
        (pa.int8(), "int", 1, 1),
        (pa.uint32(), "int", 4, 4),
        (pa.int64(), "int", 8, 8),
        (pa.decimal128(18, 2), "int", 8, 16),
        (pa.decimal128(19, 2), "wide", 16, 16),
        (pa.decimal64(18, 2), "int", 8, 8),
        (pa.float32(), "float", 4, 4),
        (pa.bool_(), "bool", 0, 0),
        (pa.date32(), "int", 4, 4),
        (pa.timestamp("ns"), "int", 8, 8),
        (pa.dictionary(pa.int16(), pa.string()), "code", 2, 2),
    ],
)
def test_types(dtype: pa.DataType, kind: str, width: int, stride: int) -> None:
    found = layout_of(pa.array([], dtype), None)
    assert found is not None
    assert (found.kind, found.width, found.stride, found.nullable) == (kind, width, stride, False)


@pytest.mark.parametrize("dtype", [pa.uint64(), pa.string(), pa.binary(), pa.float16()])
def test_types_that_loops_do_not_read(dtype: pa.DataType) -> None:
    assert layout_of(pa.array([], dtype), None) is None


def test_null_in_a_dictionary() -> None:
    codes, entries = pa.array([0, 1], pa.int8()), pa.array(["a", None])
    assert layout_of(pa.DictionaryArray.from_arrays(codes, entries), None) is None


def test_a_known_range_makes_wide_decimals_narrow() -> None:
    array = pa.array([Decimal("1.5")], pa.decimal128(38, 1))
    found = layout_of(array, (0, 15))
    assert found is not None
    assert (found.kind, found.width, found.stride) == ("int", 8, 16)
    assert (found.low, found.high) == (0, 15)


def test_join_holds_both() -> None:
    narrow = layout_of(pa.array([1, 2]), (1, 2))
    wide = layout_of(pa.array([-5000, None]), (-5000, -5000))
    assert narrow is not None
    assert wide is not None
    assert join(narrow, wide) == Layout("int", 8, 8, wide.low, max(narrow.high, wide.high), True)
    assert join(narrow, layout_of(pa.array([1.5]), None) or narrow) is None
