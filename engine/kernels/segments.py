"""Rows in groups, and what is computed group by group: counts, exact sums, extremes, any fold.

Two ways, chosen by measurement. With few groups, or rows that stand group by group already, rows
are gathered by group and folded with `reduceat`, which lets other threads run. With many groups
gathering would miss the cache for every row; there values go straight to their group's cell
(`bincount`, `ufunc.at`).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.kernels.grouping import Groups
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.ordinals import Key
from plait.engine.kernels.sorting import order_of
from plait.engine.kernels.views import Bools, Ints, stored
from plait.engine.kernels.words import words_of_keys

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

FEW = 16  # groups, up to which gathering stays in the cache
_ROOM = 1 << 63


class Segments:
    """`count` groups; `codes` tells the group of each row."""

    def __init__(self, codes: Ints, count: int) -> None:
        self.codes = codes
        self.count = count

    @staticmethod
    def of(groups: Groups) -> Segments:
        """The segments of grouped rows."""
        return Segments(groups.codes, groups.count)

    def select(self, rows: Ints) -> Segments:
        """Some rows, in the given order; groups may become empty."""
        return Segments(self.codes[rows], self.count)

    @property
    def rows(self) -> int:
        return len(self.codes)

    @cached_property
    def sizes(self) -> Ints:
        """The number of rows of each group."""
        if self.count == 1:
            return np.array([self.rows])
        return np.bincount(self.codes, minlength=self.count)

    @cached_property
    def filled(self) -> Bools:
        """Which groups have a row."""
        return self.sizes > 0

    @cached_property
    def starts(self) -> Ints:
        """Where each group starts when rows stand group by group."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def clustered(self) -> bool:
        """Whether rows stand group by group already."""
        return self.count == 1 or bool((self.codes[1:] >= self.codes[:-1]).all())

    @cached_property
    def order(self) -> Ints | None:
        """The rows group by group, in their order within each; None if they stand so already."""
        codes = self.codes
        if self.clustered:
            return None
        if self.count <= 256:
            counted = pc.sort_indices(pa.array(codes.astype(np.uint8)))  # a counting sort
            return stored(counted).view(np.int64)
        words = words_of_keys([Key(codes, None, 0, self.count - 1)], False, False)
        return order_of(words, self.rows)

    def arrange(self, values: Ints) -> Ints:
        """The rows' values group by group."""
        return values if self.order is None else values[self.order]

    @cached_property
    def _gathers(self) -> bool:
        return self.count <= FEW or self.clustered

    @cached_property
    def first(self) -> Ints:
        """The first row of each group; 0 where there is none."""
        result = np.zeros(self.count, np.int64)
        result[self.codes[::-1]] = np.arange(self.rows)[::-1]  # the last assignment stays
        return result

    @cached_property
    def last(self) -> Ints:
        """The last row of each group; 0 where there is none."""
        result = np.zeros(self.count, np.int64)
        result[self.codes] = np.arange(self.rows)
        return result

    def spread(self, values: Ints) -> Ints:
        """A value of each group, given to its rows."""
        return np.broadcast_to(values[0], self.rows) if self.count == 1 else values[self.codes]

    # ------------------------------------------------------------------------------------ folds

    def fold(self, ufunc: np.ufunc, values: Ints, empty: Any, *, neutral: Any = None) -> Ints:
        """The ufunc over the values of each group; `empty` for groups without rows.

        `neutral`, a start that changes no result, allows the fast way for many groups.
        """
        if self.count == 1 and self.rows:
            return np.array([ufunc.reduce(values)], values.dtype)
        if neutral is not None and not self._gathers:
            result = np.full(self.count, neutral, values.dtype)
            ufunc.at(result, self.codes, values)
            return np.where(self.filled, result, values.dtype.type(empty))
        result = np.full(self.count, empty, values.dtype)
        if self.rows:
            result[self.filled] = ufunc.reduceat(self.arrange(values), self.starts[self.filled])
        return result

    def sum_floats(self, values: Floats) -> Floats:
        """Sums of doubles; 0 for no rows."""
        if self.count == 1 or self._gathers:
            with np.errstate(over="ignore", invalid="ignore"):  # infinity is an answer
                return self.fold(np.add, values, 0.0)
        return np.bincount(self.codes, values, minlength=self.count)

    def sum_ints(self, values: Ints | Int128) -> Int128:
        """Exact sums of integers; 0 for no rows."""
        if isinstance(values, Int128):
            return Int128.from_limbs([self._add(limb) for limb in values.limbs()])
        if values.dtype == np.uint64:
            return self.sum_ints(Int128.of(values))
        if not self.rows:
            return Int128.of(np.zeros(self.count, np.int64))
        if values.dtype == np.bool_:
            values = values.view(np.int8)
        bound = max(-int(values.min()), int(values.max())) * self.rows
        values = values.astype(np.int64, copy=False)
        if bound < _ROOM:
            return Int128.of(self._add(values))
        low, high = values & np.int64(0xFFFF_FFFF), values >> np.int64(32)
        nothing = np.zeros(self.count, np.int64)
        return Int128.from_limbs([self._add(low), self._add(high), nothing, nothing])

    def _add(self, values: Ints) -> Ints:
        return self.fold(np.add, values, 0, neutral=0)

    def smallest(self, values: Ints) -> Ints:
        """The least of each group; NaN only where there is nothing else."""
        return self._extreme(values, np.fmin, np.minimum)

    def largest(self, values: Ints) -> Ints:
        """The greatest of each group; NaN is greater than any number."""
        return self._extreme(values, np.maximum, np.maximum)

    def _extreme(self, values: Ints, floats: np.ufunc, others: np.ufunc) -> Ints:
        if values.dtype.kind == "f":
            neutral = np.nan if floats is np.fmin else -np.inf
            return self.fold(floats, values, 0.0, neutral=neutral)
        if values.dtype == np.bool_:
            return self._extreme(values.view(np.int8), floats, others).astype(np.bool_)
        limits = np.iinfo(values.dtype)
        neutral = limits.max if others is np.minimum else limits.min
        return self.fold(others, values, 0, neutral=neutral)
