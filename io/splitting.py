"""How many pieces to read a table in: big enough to be worth a task, enough for all workers."""

from __future__ import annotations

import math
from collections.abc import Sequence

SPLIT_BYTES = 64 << 20  # decoded bytes of the columns asked for
SPLIT_ROWS = 1 << 20
MIN_SPLITS = 8  # a few per worker, so that the last one does not run alone for long
MIN_SPLIT_ROWS = 1 << 16  # below this a task costs more than it computes


def split_count(
    rows: int, size: int, split_bytes: int = SPLIT_BYTES, split_rows: int = SPLIT_ROWS
) -> int:
    """Into how many pieces to cut `rows` rows of `size` bytes."""
    least = least_splits(rows, size, split_bytes, split_rows)
    return max(least, min(MIN_SPLITS, rows // MIN_SPLIT_ROWS))


def least_splits(rows: int, size: int, split_bytes: int, split_rows: int) -> int:
    """As many pieces as there must be, so that none is too large."""
    return max(math.ceil(size / split_bytes), math.ceil(rows / split_rows), 1)


def runs(weights: Sequence[int], count: int) -> list[range]:
    """At most `count` runs of consecutive items, of about equal weight.

    >>> runs([5, 5, 5, 5], 2)
    [range(0, 2), range(2, 4)]
    """
    count = max(1, min(count, len(weights)))
    total = sum(weights) or len(weights)
    found: list[range] = []
    start, seen = 0, 0
    for i, weight in enumerate(weights):
        seen += weight if sum(weights) else 1
        items_left, runs_left = len(weights) - i - 1, count - len(found) - 1
        if runs_left and (seen >= total * (len(found) + 1) / count or items_left <= runs_left):
            found.append(range(start, i + 1))
            start = i + 1
    if start < len(weights):
        found.append(range(start, len(weights)))
    return found
