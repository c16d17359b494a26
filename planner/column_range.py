"""What a batch's column is known to hold, carried in the metadata of its Arrow field.

Loops choose their arithmetic and their tables by the range of the integers they meet. Whoever knows
it without looking (a footer's statistics, a frame that was measured when it was kept) says so here;
slices of a batch keep it, and whatever computes a new column leaves it out.

A range is of the *stored* integers of all values that are not NULL: decimals scaled, dates in days,
timestamps in their unit. It may be wider than need be, never narrower. Of codes into a dictionary
it is known whether no entry of that comes twice, and none is NULL: then codes are as good as texts.
"""

from __future__ import annotations

import pyarrow as pa

_KEY = b"plait.range"
_DISTINCT = b"plait.distinct"

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


def with_distinct_entries(field: pa.Field) -> pa.Field:
    """The field, saying that the entries of its column's dictionary differ and are not NULL."""
    return field.with_metadata({**(field.metadata or {}), _DISTINCT: b""})


def has_distinct_entries(field: pa.Field) -> bool:
    """Whether the entries of the dictionary of the field's column are known to differ."""
    return field.metadata is not None and _DISTINCT in field.metadata


def known_field(field: pa.Field, name: str, dtype: pa.DataType) -> pa.Field:
    """A field that says what is known by another, of a column with the same values."""
    made = with_range(pa.field(name, dtype), range_of(field))
    distinct = pa.types.is_dictionary(dtype) and has_distinct_entries(field)
    return with_distinct_entries(made) if distinct else made
