"""SeriesSource: whole numbers at equal distances as a table, made when they are read.

What `range(n)` and `generate_series(a, b)` give in FROM; `plait.io.series` counts them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics

SPLIT_ROWS = 1 << 20
_WIDTH = 8


@dataclass(frozen=True, kw_only=True)
class SeriesSplit(Split):
    """The numbers of one piece."""

    numbers: range


@dataclass(frozen=True)
class SeriesSource:
    """A table of one BIGINT column.

    Parameters
    ----------
    column : its name
    numbers : its values, in order; all have 64 bits
    """

    column: str
    numbers: range

    @property
    def name(self) -> str:
        return "series"

    @property
    def identity(self) -> str:
        return f"series:{self.column}:{self.numbers}"

    @property
    def schema(self) -> Schema:
        return Schema((Field(self.column, pa.int64(), False),))

    @property
    def statistics(self) -> Statistics:
        rows = float(len(self.numbers))
        return Statistics(rows, _WIDTH * rows, {self.column: _facts(self.numbers)}, exact=True)

    def pushdown(self, predicate: Expr) -> Pushdown:
        """Pieces whose bounds cannot match are left out."""
        return Pushdown.INEXACT

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        starts = range(0, len(self.numbers), SPLIT_ROWS)
        return tuple(self._split(self.numbers[i : i + SPLIT_ROWS]) for i in starts)

    def _split(self, numbers: range) -> SeriesSplit:
        size = _WIDTH * len(numbers)
        facts = {self.column: _facts(numbers)}
        return SeriesSplit(rows=len(numbers), bytes=size, ranges=facts, numbers=numbers)


def _facts(numbers: range) -> ColumnStatistics:
    if not numbers:
        return ColumnStatistics(nulls=0.0, distinct=0.0, width=_WIDTH)
    low, high = sorted((numbers[0], numbers[-1]))
    return ColumnStatistics(low, high, 0.0, float(len(numbers)), _WIDTH)
