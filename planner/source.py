"""TableSource: all the planner may know of stored data.

Making a source may do I/O (footers, a first block); asking it never does. A `Split` is a small
picklable description of a piece of it (a file, a byte range, some row groups); what reads a split
is `plait.io.reader`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from plait.planner.expr import Expr
from plait.planner.schema import Schema
from plait.planner.statistics import ColumnStatistics, Statistics


class Pushdown(Enum):
    """What a source does with a predicate that it is given."""

    NONE = "none"  # ignores it
    INEXACT = "inexact"  # skips some pieces without matches; the filter must stay above
    EXACT = "exact"  # returns matching rows only; the filter can go


@dataclass(frozen=True)
class Split:
    """A piece of a table. Formats add their own fields in subclasses.

    `rows` is None when unknown until read (CSV); `bytes` estimates the decoded size.
    `ranges` holds the piece's own column statistics, by which it may be skipped.
    """

    rows: int | None = None
    bytes: int | None = None
    ranges: Mapping[str, ColumnStatistics] = field(default_factory=dict, compare=False)

    @property
    def affinity(self) -> int:
        """A number for what is read, if who read it may have kept it; else 0."""
        return 0


class TableSource(Protocol):
    """A table as planning sees it."""

    @property
    def name(self) -> str:
        """A short name for plans: a file name, `pandas`, `arrow`."""

    @property
    def identity(self) -> str:
        """Equal for two sources only if they hold the same data (paths with size and mtime)."""

    @property
    def schema(self) -> Schema: ...

    @property
    def statistics(self) -> Statistics: ...

    def pushdown(self, predicate: Expr) -> Pushdown:
        """What the source would do with one conjunct over its columns."""

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        """The pieces, in table order; sizes are for the given columns only."""
