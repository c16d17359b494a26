"""Statistics: what is known or guessed of a table or plan, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ColumnStatistics:
    """Of one column; None means unknown.

    `minimum` and `maximum` are Python values of the column's type (date, Decimal, int, str, ...)
    and bounds only: no value lies outside, the bounds themselves need not occur.
    `distinct` counts different values that are not NULL, `width` is the average bytes of a value.
    """

    minimum: Any = None
    maximum: Any = None
    nulls: float | None = None
    distinct: float | None = None
    width: float | None = None


@dataclass(frozen=True)
class Statistics:
    """Of a table or a plan's result. `exact` tells that `rows` was counted, not guessed."""

    rows: float | None = None
    bytes: float | None = None
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)
    exact: bool = False

    def column(self, name: str) -> ColumnStatistics:
        """What is known of a column; an empty record when nothing is."""
        return self.columns.get(name, ColumnStatistics())
