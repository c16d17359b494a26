"""Rows in groups, and what is computed group by group: counts, exact sums, extremes, any fold.

Three ways, chosen by measurement (a fold over a million rows):

* Rows that stand group by group already are folded with `reduceat`: 1 ms.
* Values go straight to their group's cell (`bincount`, `ufunc.at`): 3 to 5 ms, 13 with very many
  groups; other threads wait for Python's lock meanwhile.
* For several folds over few groups, rows are put in order by group once, in blocks that fit the
  cache (10 ms); each fold then gathers and folds block by block: 3 ms, and other threads run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine.kernels.grouping import Groups, ascending
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.ordinals import Key
from plait.engine.kernels.sorting import order_of
from plait.engine.kernels.views import Bools, Ints, stored
from plait.engine.kernels.words import words_of_keys

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

FEW = 64  # groups, up to which blocks pay
SEVERAL = 3  # folds, from which on they do
BLOCK = 1 << 15  # rows
_ROOM = 1 << 63
_LOW, _HALF = np.int64(0xFFFF_FFFF), np.int64(32)


@dataclass(frozen=True)
class _Block:
    """Rows `part` of all; `order` brings them group by group: `groups`, which begin at `starts`."""

    part: slice
    order: Ints
    groups: Ints
    starts: Ints


class Segments:
    """`count` groups; `codes` tells the group of each row. `folds`: how many may be asked for."""

    def __init__(self, codes: Ints, count: int, folds: int = 1) -> None:
        self.codes = codes
        self.count = count
        self.folds = folds

    @staticmethod
    def of(groups: Groups, folds: int = 1) -> Segments:
        """The segments of grouped rows."""
        return Segments(groups.codes, groups.count, folds)

    def select(self, rows: Ints) -> Segments:
        """Some rows, in the given order; groups may become empty."""
        return Segments(self.codes[rows], self.count, self.folds)

    @property
    def rows(self) -> int:
        return len(self.codes)

    @cached_property
    def sizes(self) -> Ints:
        """The number of rows of each group."""
        if self.count == 1:
            return np.array([self.rows])
        if self._blocks is not None:
            sizes = np.zeros(self.count, np.int64)
            for block in self._blocks:
                sizes[block.groups] += np.diff(block.starts, append=len(block.order))
            return sizes
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
        return self.count == 1 or ascending(self.codes)

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
    def _blocks(self) -> list[_Block] | None:
        """The rows in blocks, each in order by group; None when that does not pay."""
        if self.count > FEW or self.folds < SEVERAL or self.clustered:
            return None
        codes = self.codes.astype(np.uint8)
        blocks = []
        for start in range(0, self.rows, BLOCK):
            here = codes[start : start + BLOCK]
            order = stored(pc.sort_indices(pa.array(here))).view(np.int64)  # a counting sort
            sizes = np.bincount(here, minlength=self.count)
            groups = np.flatnonzero(sizes)
            starts = (np.cumsum(sizes) - sizes)[groups]
            blocks.append(_Block(slice(start, start + len(here)), order, groups, starts))
        return blocks

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

        `neutral`, a start that changes no result, allows ways that need no order.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are answers
            return self._fold(ufunc, values, empty, neutral)

    def _fold(self, ufunc: np.ufunc, values: Ints, empty: Any, neutral: Any) -> Ints:
        if self.count == 1 and self.rows:
            return np.array([ufunc.reduce(values)], values.dtype)
        if neutral is not None and not self.clustered:
            result = np.full(self.count, neutral, values.dtype)
            self._fold_into(ufunc, values, result)
            if neutral is not empty:
                result[~self.filled] = empty
            return result
        result = np.full(self.count, empty, values.dtype)
        if self.rows:
            result[self.filled] = ufunc.reduceat(self.arrange(values), self.starts[self.filled])
        return result

    def _fold_into(self, ufunc: np.ufunc, values: Ints, result: Ints) -> None:
        if self._blocks is None:
            ufunc.at(result, self.codes, values)
            return
        for block in self._blocks:
            part = ufunc.reduceat(values[block.part][block.order], block.starts)
            result[block.groups] = ufunc(result[block.groups], part)

    def sum_floats(self, values: Floats) -> Floats:
        """Sums of doubles; 0 for no rows."""
        if self.count == 1 or self.clustered or self._blocks is not None:
            return self.fold(np.add, values, 0.0, neutral=0.0)
        return np.bincount(self.codes, values, minlength=self.count).astype(np.float64, copy=False)

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
        if self._blocks is not None:
            return self._sum_blocks(self._blocks, values)
        bound = _magnitude(values) * self.rows
        values = values.astype(np.int64, copy=False)
        if bound < _ROOM:
            return Int128.of(self._add(values))
        nothing = np.zeros(self.count, np.int64)
        return Int128.from_limbs(
            [self._add(values & _LOW), self._add(values >> _HALF), nothing, nothing]
        )

    def _sum_blocks(self, blocks: list[_Block], values: Ints) -> Int128:
        """Block by block: the values are looked at while they are in the cache."""
        low, high = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        for block in blocks:
            here = values[block.part].astype(np.int64, copy=False)[block.order]
            if _magnitude(here) * len(here) < _ROOM:
                sums = np.add.reduceat(here, block.starts)
                low[block.groups] += sums & _LOW
                high[block.groups] += sums >> _HALF
            else:
                low[block.groups] += np.add.reduceat(here & _LOW, block.starts)
                high[block.groups] += np.add.reduceat(here >> _HALF, block.starts)
        nothing = np.zeros(self.count, np.int64)
        return Int128.from_limbs([low, high, nothing, nothing])

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


def _magnitude(values: Ints) -> int:
    return max(-int(values.min()), int(values.max()))
