"""Statistics of whole tables from those of their pieces, worked out column by column when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from plait.planner.statistics import ColumnStatistics

Columns = Mapping[str, ColumnStatistics]


class LazyColumns(Mapping[str, ColumnStatistics]):
    """Statistics by column name; each is worked out when first asked for and then kept."""

    def __init__(self, names: Iterable[str], find: Callable[[str], ColumnStatistics]) -> None:
        self._names = dict.fromkeys(names)
        self._find = find
        self._known: dict[str, ColumnStatistics] = {}

    def __getitem__(self, name: str) -> ColumnStatistics:
        known = self._known.get(name)
        if known is None:
            if name not in self._names:
                raise KeyError(name)
            known = self._known[name] = self._find(name)
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __reduce__(self) -> tuple[Any, ...]:
        # planning is over when a split is sent: its reader looks at the data's own bounds
        return (dict, ())


def merge(parts: Sequence[ColumnStatistics], rows: Sequence[float]) -> ColumnStatistics:
    """Bounds, nulls and mean width of pieces taken together; `distinct` is left out."""
    # a piece without values has no bounds, and needs none
    filled = [p for p, n in zip(parts, rows, strict=True) if n and (p.nulls is None or p.nulls < n)]
    total = sum(rows)
    widths = [p.width for p in parts]
    width = None
    if total and all(w is not None or not n for w, n in zip(widths, rows, strict=True)):
        width = sum((w or 0.0) * n for w, n in zip(widths, rows, strict=True)) / total
    nulls = [p.nulls for p in parts]
    return ColumnStatistics(
        minimum=_extreme([p.minimum for p in filled], min),
        maximum=_extreme([p.maximum for p in filled], max),
        nulls=None if any(n is None for n in nulls) else sum(n for n in nulls if n is not None),
        width=width,
    )


def _extreme(values: Sequence[Any], best: Callable[[Sequence[Any]], Any]) -> Any:
    if not values or any(v is None for v in values):
        return None
    try:
        return best(values)
    except TypeError:  # an integer in one file and a date in another
        return None
