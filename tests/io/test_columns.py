"""Decoded columns: what is measured of them, and how pieces of differing lengths are cut."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import ReadError
from plait.io.columns import Column, aligned, footprint
from plait.planner.column_range import range_of


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([3, None, -5], pa.int8()), (-5, 3)),
        (pa.array([2**64 - 1, 7], pa.uint64()), (7, 2**64 - 1)),
        (pa.array([dt.date(1970, 1, 3), dt.date(1969, 12, 31)]), (-1, 2)),
        (pa.array([dt.datetime(1970, 1, 1, 0, 0, 1), None], pa.timestamp("ms")), (1000, 1000)),
        (pa.array([Decimal("-1.50"), Decimal("2.25")], pa.decimal64(10, 2)), (-150, 225)),
        (pa.array([None, None], pa.int64()), None),
        (pa.array([], pa.int32()), None),
        (pa.array([1.5]), None),
        (pa.array(["a"]).dictionary_encode(), None),
        (pa.array([9, 1, 2, 3, 9]).slice(1, 3), (1, 3)),
        (pa.array([Decimal(9), Decimal(1), None], pa.decimal64(3, 0)).slice(1), (1, 1)),
    ],
)
def test_measured_ranges(array: pa.Array, expected: tuple[int, int] | None) -> None:
    column = Column.of("n", array, measured=True)
    assert range_of(Column.of("n", array).field) is None
    assert range_of(column.field) == expected
    assert column.field.type == array.type


cuts = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(cuts, cuts, st.integers(1, 12))
def test_pieces_are_cut_to_agree(a: list[int], b: list[int], most: int) -> None:
    b = [*b, sum(a)]  # long enough, then cut to the same number of rows
    values = np.arange(sum(a))

    def pieces(lengths: list[int], sign: int) -> list[tuple[Column, ...]]:
        found, start = [], 0
        for count in lengths:
            part = pa.array(sign * values[start : start + count])
            if len(part):
                found.append((Column.of("n", part), Column.of("m", part)))
            start += count
        return found

    rows = list(aligned([iter(pieces(a, 1)), iter(pieces(b, -1))], most))
    assert all(len({len(c.array) for c in row}) == 1 for row in rows)
    assert all(0 < len(row[0].array) <= most for row in rows)
    for i, sign in enumerate([1, 1, -1, -1]):
        assert [v for row in rows for v in row[i].array.to_pylist()] == list(sign * values)


def test_columns_of_differing_lengths() -> None:
    short, long = (Column.of("n", pa.array(range(n))) for n in (2, 3))
    with pytest.raises(ReadError, match="differ in length"):
        list(aligned([iter([(short,)]), iter([(long,)])], 10))


def test_footprint_counts_shared_memory_once() -> None:
    array = pa.array(np.arange(1000))
    halves = [Column.of("n", array.slice(0, 500)), Column.of("n", array.slice(500))]
    assert footprint(halves) == 8000
    dictionary = pa.array(["x" * 1000, "y" * 1000])
    codes = pa.array(np.zeros(100, np.int32))
    coded = [Column.of("s", pa.DictionaryArray.from_arrays(codes, dictionary)) for _ in range(3)]
    assert 2400 <= footprint(coded) <= 2600
