"""Folds over many overlapping ranges of one array, without a loop over the ranges.

    PrefixSums       exact sums of integers: the difference of two running sums
    running          running folds that start anew with each partition
    idempotent       min, max, and, or: two overlapping blocks of 2^k cover a range (sparse table)
    lifted           any associative fold: a range as blocks of 2^k, one for each bit of its width

The last two build one level of blocks after the other and keep only the current one. Sums of floats
must not be differences: what is large or infinite outside a frame would spoil what is inside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.views import Ints

LONG = 1024  # rows, from which on a partition is worth a step of its own
_ROOM = 1 << 63
_MASK = np.int64(0xFFFF_FFFF)

Fold = Callable[[Ints, Ints], Ints]


class PrefixSums:
    """Exact sums over ranges of integers of any size."""

    def __init__(self, values: Ints | Int128) -> None:
        if isinstance(values, Int128):
            limbs = values.limbs()
        else:
            values = values.astype(np.int64, copy=False)
            bound = max(-int(values.min(initial=0)), int(values.max(initial=0))) * len(values)
            limbs = [values] if bound < _ROOM else [values & _MASK, values >> np.int64(32)]
        self._sums = [np.concatenate(([0], np.cumsum(limb))) for limb in limbs]

    def over(self, low: Ints, high: Ints) -> Int128:
        """The sums of [low, high)."""
        parts = [sums[high] - sums[low] for sums in self._sums]
        if len(parts) == 1:
            return Int128.of(parts[0])
        nothing = [np.zeros(len(low), np.int64)] * (4 - len(parts))
        return Int128.from_limbs([*parts, *nothing])


def running(ufunc: np.ufunc, values: Ints, begin: Ints, starts: Ints, sizes: Ints) -> Ints:
    """The fold of each partition from its start to each place.

    Long partitions are folded one by one, short ones together by doubling: after k steps a place
    holds the fold of the 2^k places before it.
    """
    result = values.copy()
    long = np.flatnonzero(sizes >= LONG)
    for at in long:
        piece = slice(starts[at], starts[at] + sizes[at])
        ufunc.accumulate(values[piece], out=result[piece])
    if len(long) == len(sizes):
        return result
    short = np.flatnonzero(np.repeat(sizes < LONG, sizes))
    inside = short - begin[short]
    part = values[short]
    step, longest = 1, int(inside.max(initial=0)) + 1
    while step < longest:
        deep = np.flatnonzero(inside >= step)
        part[deep] = ufunc(part[deep - step], part[deep])
        step *= 2
    result[short] = part
    return result


def idempotent(ufunc: np.ufunc, values: Ints, low: Ints, high: Ints, empty: int) -> Ints:
    """The fold of each [low, high), for folds that may see a value twice."""
    result = np.full(len(low), empty, values.dtype)
    widths = high - low
    if not len(widths):
        return result
    level_of = np.frexp(widths.astype(np.float64))[1] - 1  # floor(log2(width)); -1 for 0
    block = values
    for level in range(int(level_of.max()) + 1):
        size = 1 << level
        if level:
            block = ufunc(block[: -size // 2], block[size // 2 :])
        here = np.flatnonzero(level_of == level)
        if len(here):
            result[here] = ufunc(block[low[here]], block[high[here] - size])
    return result


def lifted(
    fold: Callable[[tuple[Ints, ...], tuple[Ints, ...]], tuple[Ints, ...]],
    values: tuple[Ints, ...],
    low: Ints,
    high: Ints,
    neutral: tuple[float, ...],
) -> tuple[Ints, ...]:
    """The fold of each [low, high) of a state in several arrays, left to right."""
    result = tuple(
        np.full(len(low), start, array.dtype) for start, array in zip(neutral, values, strict=True)
    )
    widths, at = high - low, low.copy()
    block, size = values, 1
    longest = int(widths.max(initial=0))
    while size <= longest:
        here = np.flatnonzero(widths & size)
        if len(here):
            before = tuple(array[here] for array in result)
            after = fold(before, tuple(array[at[here]] for array in block))
            for array, new in zip(result, after, strict=True):
                array[here] = new
            at[here] += size
        if 2 * size <= longest:
            first = tuple(array[:-size] for array in block)
            second = tuple(array[size:] for array in block)
            block = fold(first, second)
        size *= 2
    return result
