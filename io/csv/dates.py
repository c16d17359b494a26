"""Dates and times in text: which type they have, and in which format they are written.

ISO 8601 is read by pyarrow as it is. Other formats are tried in DuckDB's order (the day before the
month where both are possible) and read with pandas' strptime.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from plait.planner.types import DATE, TIME, TIMESTAMP, TIMESTAMPTZ

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"

_ISO: tuple[tuple[str, pa.DataType], ...] = (
    (_DATE, DATE),
    (f"{_DATE}([T ]{_CLOCK})?", TIMESTAMP),
    (f"{_DATE}([T ]{_CLOCK}[0-9]{{0,3}})?", pa.timestamp("ns")),
    (f"{_DATE}[T ]{_CLOCK}{_ZONE}", TIMESTAMPTZ),
)

_DAY, _YEAR, _SECONDS = "[0-9]{1,2}", "[0-9]{4}", "[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_YMD, _DMY = f"{_YEAR}[?]{_DAY}[?]{_DAY}", f"{_DAY}[?]{_DAY}[?]{_YEAR}"

# pattern, strptime format, type; the question marks stand for each of the separators given
_FORMATS: tuple[tuple[str, str, pa.DataType], ...] = tuple(
    (pattern.replace("?", separator), name.replace("?", separator), dtype)
    for pattern, name, dtype, separators in (
        (_YMD, "%Y?%m?%d", DATE, "-/."),
        (_DMY, "%d?%m?%Y", DATE, "-/."),
        (_DMY, "%m?%d?%Y", DATE, "-/."),
        (f"{_YMD} {_SECONDS}", "%Y?%m?%d %H:%M:%S", TIMESTAMP, "-/."),
        (f"{_DMY} {_SECONDS}", "%d?%m?%Y %H:%M:%S", TIMESTAMP, "-"),
        (f"{_DMY} {_SECONDS}", "%m?%d?%Y %H:%M:%S", TIMESTAMP, "-"),
        (f"{_DMY} {_SECONDS} [AaPp][Mm]", "%m?%d?%Y %I:%M:%S %p", TIMESTAMP, "/"),
    )
    for separator in separators
)


class Moment(NamedTuple):
    """The type of dates and times, and their strptime format if it is not ISO 8601."""

    type: pa.DataType
    format: str | None = None


def guess_moment(values: pa.Array) -> Moment | None:
    """What the (trimmed, not NULL) texts are, if all of them are dates or times of one kind."""
    for pattern, dtype in _ISO:
        if matches(values, pattern) and _iso(values, dtype):
            return Moment(dtype)
    if matches(values, _TIME):
        return Moment(TIME)
    first = values[:1]
    for pattern, name, dtype in _FORMATS:
        if matches(first, pattern) and _in_format(values, pattern, name):
            return Moment(dtype, name)
    return None


def matches(values: pa.Array, pattern: str) -> bool:
    """Whether all texts match a pattern as a whole."""
    return bool(pc.all(pc.match_substring_regex(values, f"^({pattern})$")).as_py())


def _iso(values: pa.Array, dtype: pa.DataType) -> bool:
    try:
        values.cast(dtype)
    except pa.ArrowInvalid:
        return False
    return True


def _in_format(values: pa.Array, pattern: str, name: str) -> bool:
    if not matches(values, pattern):
        return False
    import pandas as pd

    try:
        pd.to_datetime(values.to_pandas(), format=name)
    except ValueError:
        return False
    return True
