"""Columns as text, a whole column at a time: values of CSV and lines of JSON.

Every column becomes a column of texts, NULL included; these are joined to one text a row. The
buffer behind the joined column is what goes to the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.errors import WriteError


@dataclass(frozen=True)
class Formats:
    """How values become texts, where not as pandas and DuckDB do by themselves.

    Dates and timestamps by `strftime`; floats by `%`, by `{}` or by a function.
    """

    date: str | None = None
    timestamp: str | None = None
    float: str | Callable[[Any], str] | None = None
    decimal: str = "."


def json_lines(batch: pa.RecordBatch, formats: Formats = Formats()) -> pa.Buffer:
    """The rows as JSON objects, a line each."""
    columns: list[pa.Array | pa.Scalar] = []
    for i, (name, array) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        columns.append(pa.scalar(("," if i else "{") + json.dumps(name, ensure_ascii=False) + ":"))
        columns.append(pc.fill_null(_json_value(array, formats), "null"))
    columns.append(pa.scalar("}"))
    return joined(columns, "")


def as_text(array: pa.Array, formats: Formats = Formats()) -> pa.Array:
    """Values as pandas and DuckDB write them, NULL as NULL."""
    found = array.type
    if pat.is_dictionary(found):
        return as_text(array.dictionary, formats).take(array.indices)
    if pat.is_string(found):
        return array
    if pat.is_null(found):
        return pa.nulls(len(array), pa.string())
    if pat.is_floating(found):
        return _float_text(array, formats)
    if pat.is_decimal(found) and formats.decimal != ".":
        return pc.replace_substring(array.cast(pa.string()), ".", formats.decimal)
    if pat.is_date(found) and formats.date is not None:
        return _each(array, _strftime(formats.date))
    if pat.is_timestamp(found):
        if formats.timestamp is not None:
            return _each(array, _strftime(formats.timestamp))
        return _timestamp_text(array)
    if pat.is_nested(found):
        return _json_value(array, formats)
    if pat.is_binary(found):
        raise WriteError("Binary columns cannot be written as text; encode them first")
    if pat.is_duration(found):
        digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[found.unit]
        return _each(array.cast(pa.int64()), lambda ticks: _duration_text(ticks, digits))
    if pat.is_interval(found):
        return pa.array([v and _interval_text(*v) for v in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def _float_text(array: pa.Array, formats: Formats) -> pa.Array:
    given = formats.float
    if given is None:
        text = array.cast(pa.string())
        # 1.0 is written as 1, which would be read as an integer
        text = pc.if_else(pc.match_substring_regex(text, r"[.einf]"), text, _append(text, ".0"))
    elif not isinstance(given, str):
        text = _each(array, given)
    elif "%" in given:
        text = _each(array, given.__mod__)
    else:
        text = _each(array, given.format)
    if formats.decimal == ".":
        return text
    return pc.replace_substring(text, ".", formats.decimal)


def _strftime(pattern: str) -> Callable[[Any], str]:
    return lambda value: str(value.strftime(pattern))


def _each(array: pa.Array, function: Callable[[Any], str]) -> pa.Array:
    """The texts that a Python function gives, called once for each value that occurs."""
    encoded = array.dictionary_encode()
    # nanoseconds are more than a Python datetime has
    fine = pat.is_timestamp(array.type) and array.type.unit == "ns"
    values = encoded.dictionary
    if fine:
        values = values.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    try:
        texts = [None if v is None else function(v) for v in values.to_pylist()]
    except (TypeError, ValueError) as error:
        raise WriteError(f"A format for {array.type} does not fit: {error}") from error
    return pa.array(texts, pa.string()).take(encoded.indices)


def _timestamp_text(array: pa.Array) -> pa.Array:
    found = array.type
    if found.unit != "s":
        whole = array.cast(pa.timestamp("s", tz=found.tz), safe=False)
        if pc.all(pc.equal(whole.cast(found), array)).as_py() is not False:
            array = whole
    if found.tz is None:
        return array.cast(pa.string())
    in_utc = array.cast(pa.timestamp(array.type.unit, tz="UTC"))
    return _append(in_utc.cast(pa.timestamp(array.type.unit)).cast(pa.string()), "+00:00")


def _append(text: pa.Array, suffix: str) -> pa.Array:
    return pc.binary_join_element_wise(text, suffix, "")


def _duration_text(ticks: int, digits: int) -> str:
    """As pandas has it: `-1 days +23:59:59.500000`."""
    days, rest = divmod(ticks, 86400 * 10**digits)
    return f"{days} days {'+' if days < 0 else ''}{_clock(rest * 10 ** (9 - digits))}"


def _interval_text(months: int, days: int, nanoseconds: int) -> str:
    """As DuckDB has it: `1 year 2 months 3 days 04:05:06`."""
    sign = -1 if months < 0 else 1
    years, months = sign * (abs(months) // 12), sign * (abs(months) % 12)
    named = ((years, "year"), (months, "month"), (days, "day"))
    parts = [f"{n} {name}{'s' if abs(n) != 1 else ''}" for n, name in named if n]
    if nanoseconds or not parts:
        parts.append(("-" if nanoseconds < 0 else "") + _clock(abs(nanoseconds)))
    return " ".join(parts)


def _clock(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, 10**9)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if not fraction:
        return text
    return f"{text}.{fraction:09}" if fraction % 1000 else f"{text}.{fraction // 1000:06}"


def _json_value(array: pa.Array, formats: Formats) -> pa.Array:
    """Values as JSON, NULL as NULL."""
    found = array.type
    if pat.is_dictionary(found):
        return _json_value(array.dictionary, formats).take(array.indices)
    if pat.is_nested(found):
        return _json_nested(array, formats)
    if pat.is_string(found):
        return _json_strings(array)
    text = as_text(array, formats)
    if pat.is_floating(found):  # JSON has no NaN and no infinity
        return pc.if_else(pc.is_finite(array), text, pa.scalar(None, pa.string()))
    if pat.is_integer(found) or pat.is_boolean(found) or pat.is_decimal(found):
        return text
    return pc.binary_join_element_wise('"', text, '"', "")


def _json_nested(array: pa.Array, formats: Formats) -> pa.Array:
    """Lists, structs and maps: their values as JSON, then put together row by row."""
    found = array.type
    if pat.is_struct(found):
        columns: list[pa.Array | pa.Scalar] = []
        for i, field in enumerate(found):
            key = json.dumps(field.name, ensure_ascii=False)
            columns.append(pa.scalar(("," if i else "{") + key + ":"))
            values = pc.struct_field(array, [i])
            columns.append(pc.fill_null(_json_value(values, formats), "null"))
        if not columns:
            return pc.if_else(array.is_valid(), "{}", pa.scalar(None, pa.string()))
        text = pc.binary_join_element_wise(*columns, "}", "")
        return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))
    if pat.is_map(found):
        array = array.cast(pa.list_(pa.struct([found.key_field, found.item_field])))
        entries, lengths, ends = array.flatten(), pc.list_value_length(array), "{}"
        keys = _json_strings(as_text(pc.struct_field(entries, [0]), formats))
        items = pc.fill_null(_json_value(pc.struct_field(entries, [1]), formats), "null")
        values = pc.binary_join_element_wise(keys, items, ":")
    else:
        lengths, ends = pc.list_value_length(array), "[]"
        values = pc.fill_null(_json_value(array.flatten(), formats), "null")
    texts, start = values.to_pylist(), 0
    rows: list[str | None] = []
    for length in lengths.to_pylist():
        if length is None:
            rows.append(None)
            continue
        rows.append(ends[0] + ",".join(texts[start : start + length]) + ends[1])
        start += length
    return pa.array(rows, pa.string())


def _json_strings(array: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(array, r"[\x00-\x08\x0b\x0c\x0e-\x1f]")).as_py():
        return pa.array(
            [None if v is None else json.dumps(v, ensure_ascii=False) for v in array.to_pylist()],
            pa.string(),
        )
    text = pc.replace_substring(array, "\\", "\\\\")
    for letter, escaped in (('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = pc.replace_substring(text, letter, escaped)
    return pc.binary_join_element_wise('"', text, '"', "")


def joined(columns: Sequence[pa.Array | pa.Scalar], sep: str, end: str = "\n") -> pa.Buffer:
    """One text of all rows, each with its fields joined and the end of a line."""
    rows = pc.binary_join_element_wise(*columns, sep)
    lines = pc.binary_join_element_wise(rows, end, "")
    _validity, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    start, stop = ends[lines.offset], ends[lines.offset + len(lines)]
    return data.slice(start, stop - start) if data is not None else pa.py_buffer(b"")
