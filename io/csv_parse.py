"""CSV text to Arrow columns: by pyarrow, or by pandas where a dialect needs it.

Text without quotes goes to pyarrow whole, which cuts it at newlines. Text with quotes is cut here
at the ends of rows (see `plait.io.csv_rows`) and given to pyarrow row-complete: it would not see
that a newline is inside a field, and loses a byte of a \\r\\n that a cut goes through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pat

from plait.io.csv_head import split_row
from plait.io.csv_layout import CsvLayout, Dialect
from plait.io.csv_rows import Position, as_bytes, has_byte, row_end, row_pieces
from plait.io.encoding import NARROW_DIGITS, nan_to_null, narrow_decimals, table_of, unify
from plait.planner.schema import Schema
from plait.planner.types import is_decimal, is_timestamp

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
        return _by_pandas(text, layout, columns)
    stored = list(columns) or [layout.names[0]]
    if cuts is None:
        cuts = find_cuts(text, layout.dialect)
    if cuts:
        view = memoryview(text)
        pieces = [view[a:b] for a, b in pairwise(cuts)]
        tables = [_by_arrow(p, layout, stored, bool(columns), True) for p in pieces]
        table = pa.concat_tables(tables)
    else:
        table = _by_arrow(text, layout, stored, bool(columns), False)
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


def _by_arrow(
    text: Text, layout: CsvLayout, columns: list[str], convert: bool, quoted: bool
) -> pa.Table:
    dialect = layout.dialect
    whole = dialect.divisible is False or len(text) <= _BLOCK * 2
    types = {n: layout.parsed_type(n) if convert else pa.binary() for n in columns}
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


# ---------------------------------------------------------------------------------- by pandas


def pandas_options(layout: CsvLayout) -> dict[str, Any]:
    """The keyword arguments of pandas.read_csv for this dialect, on text without a header."""
    dialect = layout.dialect
    nulls: Any = list(dialect.null_values)
    if dialect.column_nulls:
        special = dict(dialect.column_nulls)
        nulls = {n: list(special.get(n, dialect.null_values)) for n in layout.names}
    options: dict[str, Any] = {
        "header": None,
        "names": list(layout.names),
        "index_col": False,
        "sep": dialect.sep,
        "quotechar": dialect.quotechar or '"',
        "quoting": 0 if dialect.quotechar else 3,
        "escapechar": dialect.escapechar,
        "decimal": dialect.decimal,
        "encoding": dialect.encoding,
        "thousands": dialect.thousands,
        "comment": dialect.comment,
        "skipinitialspace": dialect.skipinitialspace,
        "doublequote": dialect.doublequote,
        "on_bad_lines": dialect.on_bad_lines,
        "na_values": nulls,
        "keep_default_na": False,
        "true_values": list(dialect.true_values),
        "false_values": list(dialect.false_values),
        "engine": "c" if len(dialect.sep) == 1 or dialect.sep == r"\s+" else "python",
    }
    return options


def _by_pandas(text: Text, layout: CsvLayout, columns: Sequence[str]) -> pa.Table:
    read = list(columns) or [layout.names[0]]
    types = {n: _pandas_type(layout.parsed_type(n) if columns else pa.string()) for n in read}
    frame = _pandas_frame(text, layout, read, types)
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


def _pandas_frame(
    text: Text, layout: CsvLayout, columns: list[str] | None, types: dict[str, Any] | None
) -> Any:
    import pandas as pd

    options = pandas_options(layout)
    if layout.dialect.on_bad_lines != "error" and len(layout.dialect.sep) == 1:
        # pandas looks for long lines only behind a header, and only if it reads all columns
        text = _behind_header(bytes(text), layout)
        options |= {"header": 0, "index_col": None}
    else:
        options["usecols"] = columns
    return pd.read_csv(pa.BufferReader(pa.py_buffer(text)), dtype=types, **options)


def _behind_header(text: bytes, layout: CsvLayout) -> bytes:
    """The text with a header line, without long lines right at its start: pandas trusts those."""
    dialect = layout.dialect
    while text:
        at = row_end(as_bytes(text), Position(0), dialect.marks) if dialect.divisible else None
        stop = len(text) if at is None else at.offset
        if not dialect.divisible or len(split_row(text[:stop], dialect)) <= len(layout.names):
            break
        text = text[stop:]
    header = dialect.sep.join(f"c{i}" for i in range(len(layout.names)))
    return header.encode() + b"\n" + text


def pandas_types(text: Text, layout: CsvLayout) -> dict[str, pa.DataType]:
    """The types that pandas guesses, for dialects that only it can parse."""
    frame = _pandas_frame(text, layout, None, None)
    return {n: _arrow_type(frame[n].dtype) for n in layout.names}


def _arrow_type(found: Any) -> pa.DataType:
    kind = getattr(found, "kind", "O")
    if kind in "iufb":
        return pa.from_numpy_dtype(found)
    return pa.string()


def _pandas_type(wanted: pa.DataType) -> Any:
    """The pandas type that keeps NULL and every value; what is not a number is cast from text."""
    if pat.is_boolean(wanted):
        return "boolean"
    if pat.is_integer(wanted):
        name = str(wanted)  # int64, uint8: pandas' nullable types are called Int64, UInt8
        return name.replace("int", "Int").replace("uI", "UI")
    if pat.is_floating(wanted):
        return "float64"
    return "str"


# ---------------------------------------------------------------------------------- sampling


def text_layout(names: Sequence[str], dialect: Dialect) -> CsvLayout:
    """All columns as strings, NULL where the dialect says so: to guess types from."""
    schema = Schema.of((n, pa.string()) for n in names)
    return CsvLayout(tuple(names), schema, dialect)


def parse_texts(text: Text, layout: CsvLayout) -> pa.Table:
    """All columns of a piece of text, in a `text_layout`."""
    return parse(text, layout, layout.names)


def trimmed(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column that are not NULL, without surrounding spaces."""
    values = column.drop_null()
    return pc.utf8_trim_whitespace(values.combine_chunks())
