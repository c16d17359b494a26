"""Folds of groups: the ways to compute them agree with each other and with Python."""

from __future__ import annotations

import numpy as np
import pytest

from plait.engine.kernels import segments
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.segments import Segments


def to_ints(values: Int128) -> list[int]:
    return [(int(h) << 64) | int(low) for h, low in zip(values.high, values.low, strict=True)]


@pytest.fixture(params=["one", "sorted", "direct", "blocks", "many"])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Segments:
    """Rows in groups, of which one is empty, such that each way of folding is taken."""
    monkeypatch.setattr(segments, "BLOCK", 256)
    random = np.random.default_rng(4)
    count = {"one": 1, "many": 500}.get(request.param, 9)
    codes = random.integers(0, count - 1, 3000) if count > 1 else np.zeros(3000, np.int64)
    if request.param == "sorted":
        codes.sort()
    return Segments(codes, count, folds=8 if request.param == "blocks" else 1)


def rows_of(groups: Segments, group: int) -> np.ndarray:
    return np.flatnonzero(groups.codes == group)


@pytest.mark.parametrize("size", [10, 2**40, 2**62])
def test_sums_of_integers_are_exact(groups: Segments, size: int) -> None:
    values = np.random.default_rng(1).integers(-size, size, groups.rows)
    expected = [sum(values[rows_of(groups, g)].tolist()) for g in range(groups.count)]
    assert to_ints(groups.sum_ints(values)) == expected
    assert to_ints(groups.sum_ints(Int128.of(values))) == expected
    assert to_ints(groups.sum_ints(values.view(np.uint64))) == [
        sum(values.view(np.uint64)[rows_of(groups, g)].tolist()) for g in range(groups.count)
    ]


def test_floats_and_extremes(groups: Segments) -> None:
    random = np.random.default_rng(2)
    values = random.standard_normal(groups.rows)
    values[random.random(groups.rows) < 0.05] = np.nan
    sums, least, most = groups.sum_floats(values), groups.smallest(values), groups.largest(values)
    for g in range(groups.count):
        mine = values[rows_of(groups, g)]
        if not len(mine):
            assert (sums[g], least[g], most[g]) == (0.0, 0.0, 0.0)
            continue
        assert sums[g] == pytest.approx(mine.sum(), rel=1e-9, nan_ok=True)
        assert least[g] == np.nanmin(mine)
        assert most[g] == pytest.approx(mine.max(), nan_ok=True)


def test_other_folds(groups: Segments) -> None:
    values = np.random.default_rng(3).integers(0, 2**20, groups.rows)
    expected = [np.bitwise_xor.reduce(values[rows_of(groups, g)]) for g in range(groups.count)]
    assert groups.fold(np.bitwise_xor, values, 0).tolist() == expected
    flags = values % 5 == 0
    wanted = [bool(flags[rows_of(groups, g)].any()) for g in range(groups.count)]
    assert groups.largest(flags).tolist() == wanted


def test_places(groups: Segments) -> None:
    for g in range(groups.count):
        mine = rows_of(groups, g)
        assert groups.sizes[g] == len(mine)
        if len(mine):
            assert (groups.first[g], groups.last[g]) == (mine[0], mine[-1])
            begin = groups.starts[g]
            assert groups.arrange(np.arange(groups.rows))[begin : begin + len(mine)].tolist() == (
                mine.tolist()
            )


@pytest.mark.parametrize("count", [1, 4, 100])
def test_no_rows(count: int) -> None:
    empty = Segments(np.zeros(0, np.int64), count, folds=8)
    nothing = np.zeros(0, np.int64)
    assert to_ints(empty.sum_ints(nothing)) == [0] * count
    assert empty.sum_floats(nothing.astype(float)).tolist() == [0.0] * count
    assert empty.smallest(nothing).tolist() == [0] * count
    assert empty.sizes.tolist() == [0] * count
