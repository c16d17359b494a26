"""Columns told by folder names: `sales/year=2024/country=at/part-0.parquet`.

Values are URL-decoded; `__HIVE_DEFAULT_PARTITION__` is NULL. The type of a key is the first of
integer, date, timestamp, string that all its values have. A partition column wins over a column of
the same name in the files.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

import pyarrow as pa

from plait.errors import ReadError
from plait.planner.schema import Field
from plait.planner.types import DATE, INT64, STRING, TIMESTAMP

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

Value = int | dt.date | str | None

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(_DATE.pattern + r"[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")


def keys_of(path: str) -> dict[str, str | None]:
    """The keys and (text) values in the folder names of a path, outermost first."""
    found: dict[str, str | None] = {}
    for part in path.replace("\\", "/").split("/")[:-1]:
        # web servers escape the sign too
        key, equals, value = (part if "=" in part else unquote(part)).partition("=")
        if equals and key:
            value = unquote(value)
            found[unquote(key)] = None if value == NULL_PARTITION else value
    return found


def folder_name(key: str, value: str) -> str:
    """The folder of a value, as DuckDB and Spark escape it; `NULL_PARTITION` stands for NULL."""
    return f"{quote(key, safe='')}={quote(value, safe='')}"


def partition_fields(
    paths: Sequence[str], types: Mapping[str, pa.DataType] | None = None
) -> tuple[tuple[Field, ...], tuple[Mapping[str, Value], ...]]:
    """The partition columns that all paths have, and their values for each path.

    `types` overrides the types found. Files that disagree on the keys are refused: a missing key
    would silently be NULL.
    """
    texts = [keys_of(path) for path in paths]
    keys = list(texts[0]) if texts else []
    for path, found in zip(paths, texts, strict=True):
        if set(found) != set(keys):
            raise ReadError(
                f"Partition folders differ: {paths[0]} has keys {keys or 'none'}, "
                f"{path} has {list(found) or 'none'}; pass hive_partitioning=False to ignore them"
            )
    fields = []
    values: list[dict[str, Value]] = [{} for _ in paths]
    for key in keys:
        column = [found[key] for found in texts]
        wanted = (types or {}).get(key) or _type_of(column)
        for row, text in zip(values, column, strict=True):
            row[key] = _convert(text, wanted, key)
        fields.append(Field(key, wanted, any(text is None for text in column)))
    return tuple(fields), tuple(values)


def _type_of(texts: Sequence[str | None]) -> pa.DataType:
    present = [text for text in texts if text is not None]
    if present and all(_INTEGER.fullmatch(text) for text in present):
        return INT64
    if present and all(_DATE.fullmatch(text) and _is_date(text) for text in present):
        return DATE
    if present and all(_TIMESTAMP.fullmatch(text) and _is_timestamp(text) for text in present):
        return TIMESTAMP
    return STRING


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_timestamp(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _convert(text: str | None, wanted: pa.DataType, key: str) -> Value:
    if text is None:
        return None
    try:
        value: Value = pa.scalar(text).cast(wanted).as_py()
    except pa.ArrowInvalid:
        raise ReadError(f"The partition folder {key}={text} is not a value of {wanted}") from None
    return value
