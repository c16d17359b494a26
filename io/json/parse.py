"""Lines of JSON to Arrow columns, by pyarrow."""

from __future__ import annotations

import json as stdlib_json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.json as pajson
import pyarrow.types as pat

from plait.errors import ReadError
from plait.io.encoding import nan_to_null, table_of, to_logical
from plait.io.filesystem import FileInfo
from plait.planner.schema import Schema
from plait.planner.types import STRING

_BLOCK = 1 << 20
_IN_ROW = re.compile(r"in row (\d+)")

Text = bytes | memoryview


def parse(text: Text, schema: Schema, columns: Sequence[str]) -> pa.Table:
    """The named columns of lines of JSON objects; keys that an object lacks are NULL."""
    parsed = pa.schema([(n, _parsed_type(schema[n].type)) for n in columns])
    if not bytes(text[:_BLOCK]).strip() and not bytes(text).strip():
        return table_of([pa.chunked_array([], schema[n].type) for n in columns], columns, 0)
    options = pajson.ParseOptions(explicit_schema=parsed, unexpected_field_behavior="ignore")
    table = _read(text, options)
    found = [nan_to_null(to_logical(table.column(n), schema[n].type)) for n in columns]
    return table_of(found, columns, table.num_rows)


def parse_freely(text: bytes) -> pa.Table:
    """All keys of lines of JSON objects, types as found; texts stay texts."""
    if not text.strip():
        return table_of([], [], 0)
    table = _read(text, pajson.ParseOptions())
    types = [_texts(t) for t in table.schema.types]
    if types == table.schema.types:
        return table
    # pyarrow makes timestamps of texts that look so: read them again as the texts they are
    schema = pa.schema(list(zip(table.schema.names, types, strict=True)))
    return _read(text, pajson.ParseOptions(explicit_schema=schema))


def _texts(found: pa.DataType) -> pa.DataType:
    if pat.is_timestamp(found):
        return STRING
    if pat.is_list(found):
        return pa.list_(_texts(found.value_type))
    if pat.is_struct(found):
        return pa.struct([(f.name, _texts(f.type)) for f in found])
    return found


def _parsed_type(wanted: pa.DataType) -> pa.DataType:
    """What pyarrow's parser can make; the rest is cast from text."""
    return STRING if pat.is_date(wanted) or pat.is_time(wanted) else wanted


def _read(text: Text, options: pajson.ParseOptions) -> pa.Table:
    def read(block: int) -> pa.Table:
        settings = pajson.ReadOptions(use_threads=False, block_size=block)
        return pajson.read_json(pa.BufferReader(pa.py_buffer(text)), settings, options)

    try:
        return read(_BLOCK)
    except pa.ArrowInvalid:
        # a line longer than a block; or a real mistake, whose row is now counted from the start
        return read(len(text) + 1)


def lines_of_array(file: FileInfo, text: Text) -> bytes:
    """A JSON array of objects as lines."""
    try:
        rows = stdlib_json.loads(bytes(text))
    except ValueError as error:
        raise ReadError(f"{file.shown}: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ReadError(f"{file.shown} is an array of something else than objects")
    return "\n".join(stdlib_json.dumps(row) for row in rows).encode()


@contextmanager
def located(file: FileInfo, text: Text, lines_before: Callable[[], int]) -> Iterator[None]:
    """Turns an error of parsing `text` into a ReadError with file and line.

    `lines_before` counts the file's lines before the text; it is called on errors only.
    """
    try:
        yield
    except pa.ArrowException as error:
        message = str(error).removeprefix("JSON parse error: ")
        row = _IN_ROW.search(message)
        where = file.shown
        if row is not None:
            filled = (i for i, line in enumerate(bytes(text).split(b"\n"), 1) if line.strip())
            line = next((n for k, n in enumerate(filled) if k == int(row[1])), None)
            where += "" if line is None else f", line {lines_before() + line}"
            message = _IN_ROW.sub("", message).strip()
        raise ReadError(
            f"{where}: {message}. Lines of JSON objects are expected, with values of one type for "
            "each key; pass dtype={...} for a type that a sample of the file does not show"
        ) from error
