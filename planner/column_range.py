"""What a batch's column is known to hold, carried in the metadata of its Arrow field.

Loops choose their arithmetic and their tables by the range of the integers they meet. Whoever knows
it without looking (a footer's statistics, a frame that was measured when it was kept) says so here;
slices of a batch keep it, and whatever computes a new column leaves it out.

A range is of the *stored* integers of all values that are not NULL: decimals scaled, dates in days,
timestamps in their unit. It may be wider than need be, never narrower.
"""

from __future__ import annotations

import pyarrow as pa

_KEY = b"plait.range"

Range = tuple[int, int]


def with_range(field: pa.Field, known: Range | None) -> pa.Field:
    """The field, saying that its integers are within `known` (both ends included)."""
    if known is None:
        return field
    low, high = known
    return field.with_metadata({**(field.metadata or {}), _KEY: b"%d,%d" % (low, high)})


def range_of(field: pa.Field) -> Range | None:
    """The range of the integers of the field's column, if it is known."""
    text = None if field.metadata is None else field.metadata.get(_KEY)
    if text is None:
        return None
    low, high = text.split(b",")
    return int(low), int(high)
