"""Columns as text, a whole column at a time: rows of CSV and lines of JSON.

Every column becomes a column of texts, NULL included; these are joined to one text a row. The
buffer behind the joined column is what goes to the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.errors import WriteError

Encode = Callable[[pa.Array], pa.Array]


def csv_lines(batch: pa.RecordBatch, sep: str, na_rep: str) -> pa.Buffer:
    """The rows as CSV text. Texts are quoted where they must be; empty ones to differ from NULL."""
    special = f'[{re.escape(sep)}"\r\n]'

    def field(array: pa.Array) -> pa.Array:
        if pat.is_dictionary(array.type):
            return field(array.dictionary).take(array.indices)
        text = as_text(array)
        if not _may_need_quotes(array.type):
            return text
        doubled = pc.replace_substring(text, '"', '""')
        quoted = pc.binary_join_element_wise('"', doubled, '"', "")
        must = pc.or_(
            pc.match_substring_regex(text, special), pc.is_in(text, pa.array(["", na_rep]))
        )
        return pc.if_else(must, quoted, text)

    columns = [pc.fill_null(field(c), na_rep) for c in batch.columns]
    return _joined(columns, sep)


def csv_header(names: Sequence[str], sep: str) -> bytes:
    """The header line."""
    fields = []
    for name in names:
        if name == "" or any(c in name for c in (sep, '"', "\r", "\n")):
            name = '"' + name.replace('"', '""') + '"'
        fields.append(name)
    return (sep.join(fields) + "\n").encode()


def json_lines(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows as JSON objects, a line each."""
    columns: list[pa.Array | pa.Scalar] = []
    for i, (name, array) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        columns.append(pa.scalar(("," if i else "{") + json.dumps(name, ensure_ascii=False) + ":"))
        columns.append(pc.fill_null(_json_value(array), "null"))
    columns.append(pa.scalar("}"))
    return _joined(columns, "")


def as_text(array: pa.Array) -> pa.Array:
    """Values as pandas and DuckDB write them, NULL as NULL."""
    found = array.type
    if pat.is_string(found):
        return array
    if pat.is_null(found):
        return pa.nulls(len(array), pa.string())
    if pat.is_floating(found):
        text = array.cast(pa.string())
        # 1.0 is written as 1, which would be read as an integer
        return pc.if_else(pc.match_substring_regex(text, r"[.einf]"), text, _append(text, ".0"))
    if pat.is_timestamp(found):
        return _timestamp_text(array)
    if pat.is_nested(found):
        return _json_value(array)
    if pat.is_binary(found):
        raise WriteError("Binary columns cannot be written as text; encode them first")
    if pat.is_duration(found) or pat.is_interval(found):
        return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())
    return array.cast(pa.string())


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


def _may_need_quotes(found: pa.DataType) -> bool:
    return bool(pat.is_string(found) or pat.is_nested(found))


def _append(text: pa.Array, suffix: str) -> pa.Array:
    return pc.binary_join_element_wise(text, suffix, "")


def _json_value(array: pa.Array) -> pa.Array:
    """Values as JSON, NULL as NULL."""
    found = array.type
    if pat.is_dictionary(found):
        return _json_value(array.dictionary).take(array.indices)
    if pat.is_nested(found):
        texts = [None if v is None else json.dumps(v, default=str) for v in array.to_pylist()]
        return pa.array(texts, pa.string())
    if pat.is_string(found):
        return _json_strings(array)
    text = as_text(array)
    if pat.is_floating(found):  # JSON has no NaN and no infinity
        return pc.if_else(pc.is_finite(array), text, pa.scalar(None, pa.string()))
    if pat.is_integer(found) or pat.is_boolean(found) or pat.is_decimal(found):
        return text
    return pc.binary_join_element_wise('"', text, '"', "")


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


def _joined(columns: Sequence[pa.Array | pa.Scalar], sep: str) -> pa.Buffer:
    """One text of all rows, each with its fields joined and a newline."""
    rows = pc.binary_join_element_wise(*columns, sep)
    lines = pc.binary_join_element_wise(rows, "", "\n")
    _validity, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    start, stop = ends[lines.offset], ends[lines.offset + len(lines)]
    return data.slice(start, stop - start) if data is not None else pa.py_buffer(b"")
