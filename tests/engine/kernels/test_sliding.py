"""Folds over ranges against folding each range by itself."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.kernels import sliding
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.sliding import PrefixSums, idempotent, lifted, running


@st.composite
def ranges(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, and ranges of them."""
    values = draw(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=40))
    end = st.integers(0, len(values))
    pairs = draw(st.lists(st.tuples(end, end), min_size=1, max_size=20))
    low = np.array([min(p) for p in pairs])
    high = np.array([max(p) for p in pairs])
    return np.array(values, np.int64), low, high


@given(ranges())
def test_sums_of_ranges(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, low, high = case
    expected = [sum(values[a:b].tolist()) for a, b in zip(low, high, strict=True)]
    for given_values in (values, Int128.of(values)):
        sums = PrefixSums(given_values).over(low, high)
        got = [(int(h) << 64) | int(x) for h, x in zip(sums.high, sums.low, strict=True)]
        assert got == expected


@given(ranges())
def test_extremes_of_ranges(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, low, high = case
    expected = [min(values[a:b].tolist(), default=7) for a, b in zip(low, high, strict=True)]
    assert idempotent(np.minimum, values, low, high, 7).tolist() == expected


@given(ranges())
def test_any_fold_keeps_the_order(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, low, high = case
    # composition of x -> a x + b modulo a prime does not commute
    prime = 10_007
    slopes, shifts = values % 10 + 1, values % prime

    def compose(f: tuple[np.ndarray, ...], g: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return g[0] * f[0] % prime, (g[0] * f[1] + g[1]) % prime

    got = lifted(compose, (slopes, shifts), low, high, (1, 0))
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        parts = [(slopes[j], shifts[j]) for j in range(a, b)]
        assert (got[0][i], got[1][i]) == reduce(compose, parts, (1, 0))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_running_folds_start_anew(sizes: list[int]) -> None:
    lengths = np.array(sizes)
    starts = np.cumsum(lengths) - lengths
    begin = np.repeat(starts, lengths)
    values = np.arange(lengths.sum()) * 7 % 11
    got = running(np.add, values, begin, starts, lengths)
    expected = [values[b : i + 1].sum() for i, b in enumerate(begin)]
    assert got.tolist() == expected


def test_long_partitions_are_folded_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliding, "LONG", 5)
    test_running_folds_start_anew()
