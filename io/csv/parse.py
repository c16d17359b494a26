"""CSV text to Arrow columns: by pyarrow, or by pandas where a dialect needs it.

Text without quotes goes to pyarrow whole, which cuts it at newlines. Text with quotes is cut here
at the ends of rows (see `plait.io.csv.rows`) and given to pyarrow row-complete: it would not see
that a newline is inside a field, and loses a byte of a \\r\\n that a cut goes through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from plait.io.csv.layout import CsvLayout, Dialect
from plait.io.csv.rows import (
    NEWLINE,
    RETURN,
    Position,
    advance,
    as_bytes,
    has_byte,
    row_pieces,
)
from plait.io.csv.with_pandas import pandas_frame
from plait.io.encoding import NARROW_DIGITS, nan_to_null, narrow_decimals, table_of, unify
from plait.planner.schema import Schema
from plait.planner.types import is_decimal, is_timestamp

_BLANKS = np.frombuffer(b" \t", np.uint8)
_BLOCK = 1 << 20  # the text pyarrow goes through at once: fits the processor's cache

Text = bytes | memoryview


class UnclosedQuoteError(ValueError):
    """A quoted field goes on to the end of the text."""


def parse(
    text: Text, layout: CsvLayout, columns: Sequence[str], cuts: Sequence[int] | None = None
) -> pa.Table:
    """The named columns of rows of text.

    `cuts` are the borders of pieces of the text, from 0 to its length, outside of quotes; empty
    if there are no quotes at all, None if this is still to be found out.

    Raises pyarrow.ArrowInvalid, ValueError or OverflowError for text that does not fit the layout.
    """
    if not len(text):
        return _empty(layout, columns)
    if layout.dialect.needs_pandas:
        if cuts is None and layout.limit is None:
            find_cuts(text, layout.dialect)  # raises where pandas would leave out what is unclosed
        return _by_pandas(text, layout, columns)
    stored = list(columns) or [layout.names[0]]
    if cuts is None:
        cuts = find_cuts(text, layout.dialect)
    if cuts:
        view = memoryview(text)
        pieces = [view[a:b] for a, b in pairwise(cuts)]
        tables = [_filled_rows(p, layout, stored, bool(columns), True) for p in pieces]
        table = pa.concat_tables(tables)
    else:
        table = _filled_rows(text, layout, stored, bool(columns), False)
    if not columns:
        return table_of([], [], table.num_rows)
    found = [_converted(table.column(n), layout, n) for n in columns]
    return table_of(found, columns, table.num_rows)


def _empty(layout: CsvLayout, columns: Sequence[str]) -> pa.Table:
    arrays = [pa.chunked_array([], layout.schema[n].type) for n in columns]
    return table_of(arrays, columns, 0)


def find_cuts(text: Text, dialect: Dialect) -> list[int]:
    """Where rows of text can be cut, empty if it has no quotes.

    Raises if the text ends within a quoted field.
    """
    if not dialect.divisible:
        return [0, len(text)]
    data, quote = as_bytes(text), dialect.marks.quote
    if quote is None or not has_byte(data, quote):
        return []
    pieces = list(row_pieces(data, Position(0), dialect.marks, _BLOCK))
    if pieces[-1][2].inside:
        raise UnclosedQuoteError("a quoted field is never closed")
    return [0, *(stop for _start, stop, _at in pieces)]


def _filled_rows(
    text: Text, layout: CsvLayout, columns: list[str], convert: bool, quoted: bool
) -> pa.Table:
    """The columns, without rows for lines of spaces and tabs, which pyarrow would make."""
    if len(layout.names) == 1:
        text = _without_blank_lines(text, layout.dialect)
    try:
        return _by_arrow(text, layout, columns, convert, quoted)
    except pa.ArrowInvalid:
        filled = _without_blank_lines(text, layout.dialect)
        if len(filled) == len(text):
            raise
        return _by_arrow(filled, layout, columns, convert, quoted)


def _without_blank_lines(text: Text, dialect: Dialect) -> Text:
    """Rows of text without lines that consist of spaces and tabs."""
    if not dialect.blanks:
        return text
    data, at = as_bytes(text), Position(0)
    ends = (data == NEWLINE) | (data == RETURN)
    if not np.isin(data[:1], _BLANKS).any() and not np.isin(data[1:][ends[:-1]], _BLANKS).any():
        return text
    pattern = rb"(?:^|(?<=[\r\n]))[%b]+(?:\r?\n|\r|\Z)" % dialect.blanks.encode()
    kept, start = [], 0
    for found in re.finditer(pattern, text):
        at = advance(data[at.offset : found.start()], at, dialect.marks)
        if not at.inside:
            kept.append(text[start : found.start()])
            start = found.end()
    return b"".join([*kept, text[start:]])


def _by_arrow(
    text: Text, layout: CsvLayout, columns: list[str], convert: bool, quoted: bool
) -> pa.Table:
    dialect = layout.dialect
    whole = dialect.divisible is False or len(text) <= _BLOCK * 2
    types = {n: layout.parsed_type(n) if convert else pa.binary() for n in columns}
    if not len(text):
        return pa.schema(types).empty_table()
    if dialect.encoding not in ("utf-8", "ascii"):
        text = bytes(text).decode(dialect.encoding).encode()
    settings = {
        "parse_options": pacsv.ParseOptions(
            delimiter=dialect.sep,
            # without quotes pyarrow looks at fewer letters, and is a tenth faster
            quote_char=(dialect.quotechar or False) if quoted else False,
            escape_char=dialect.escapechar or False,
        ),
        "convert_options": pacsv.ConvertOptions(
            column_types=types,
            include_columns=columns,
            null_values=list(dialect.null_values),
            true_values=list(dialect.true_values),
            false_values=list(dialect.false_values),
            strings_can_be_null=True,
            decimal_point=dialect.decimal,
        ),
    }

    def read(block: int) -> pa.Table:
        options = pacsv.ReadOptions(
            use_threads=False, block_size=block, column_names=list(layout.names)
        )
        return pacsv.read_csv(pa.BufferReader(pa.py_buffer(text)), options, **settings)

    try:
        return read(len(text) + 1 if whole else _BLOCK)
    except pa.ArrowInvalid as error:
        if "straddling object" not in str(error):
            raise
        return read(len(text) + 1)  # a row longer than a block


def _converted(column: pa.ChunkedArray, layout: CsvLayout, name: str) -> pa.ChunkedArray:
    wanted = layout.schema[name].type
    if name in layout.formats:
        return _timestamps(column, layout.formats[name], wanted)
    if is_decimal(wanted) and wanted.precision <= NARROW_DIGITS:
        return narrow_decimals(column, wanted)
    return nan_to_null(unify(column)) if layout.dialect.nan_is_null else unify(column)


def _timestamps(column: pa.ChunkedArray, pattern: str, wanted: pa.DataType) -> pa.ChunkedArray:
    """Texts in a strptime format as timestamps; pandas knows the formats that pandas guessed."""
    import pandas as pd

    zoned = is_timestamp(wanted) and wanted.tz is not None
    parsed = pd.to_datetime(column.to_pandas(), format=pattern, utc=zoned)
    array = pa.array(parsed, from_pandas=True)
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    return chunked.cast(wanted)


def _by_pandas(text: Text, layout: CsvLayout, columns: Sequence[str]) -> pa.Table:
    frame = pandas_frame(text, layout, {n: layout.parsed_type(n) for n in columns})
    found = []
    for name in columns:
        array = pa.array(frame[name], from_pandas=True)
        column = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
        wanted = layout.schema[name].type
        if name in layout.formats:
            column = _timestamps(column, layout.formats[name], wanted)
        elif column.type != wanted:
            column = column.cast(wanted)
        found.append(_converted(column, replace(layout, formats={}), name))
    return table_of(found, columns, len(frame))


# ---------------------------------------------------------------------------------- sampling


def text_layout(names: Sequence[str], dialect: Dialect, limit: int | None = None) -> CsvLayout:
    """All columns as strings, NULL where the dialect says so: to guess types from."""
    schema = Schema.of((n, pa.string()) for n in names)
    return CsvLayout(tuple(names), schema, dialect, limit=limit)


def parse_texts(text: Text, layout: CsvLayout) -> pa.Table:
    """All columns of a piece of text, in a `text_layout`."""
    return parse(text, layout, layout.names)


def trimmed(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column that are not NULL, without surrounding spaces."""
    values = column.drop_null()
    return pc.utf8_trim_whitespace(values.combine_chunks())
