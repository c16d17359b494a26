"""Reading JSON splits: a range of lines, or a file as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from plait.io.compression import text_chunks
from plait.io.csv.errors import lines_in
from plait.io.csv.rows import Marks, extent
from plait.io.encoding import table_of
from plait.io.file_columns import completed, stored_names
from plait.io.files import block
from plait.io.filesystem import open_ranges
from plait.io.json.parse import lines_of_array, located, parse
from plait.io.json.source import JsonSplit
from plait.io.memory import slices

_LINES = Marks(0, None)
_BLOCK = 16 << 20


def read(split: JsonSplit, columns: Sequence[str]) -> pa.Table:
    """All rows of a split."""
    tables = list(_tables(split, columns))
    if len(tables) == 1:
        return tables[0]
    if not tables:
        return completed(table_of([], [], 0), columns, split.schema, split.constants)
    table = pa.concat_tables(tables)
    return table_of(table.columns, columns, sum(t.num_rows for t in tables))


def iterate(split: JsonSplit, columns: Sequence[str], batch_rows: int) -> Iterator[pa.Table]:
    """The rows of a split in tables of at most `batch_rows` rows."""
    for table in _tables(split, columns):
        yield from slices(table, batch_rows)


def _tables(split: JsonSplit, columns: Sequence[str]) -> Iterator[pa.Table]:
    for table in _stored(split, stored_names(columns, split.constants, split.schema.names)):
        yield completed(table, columns, split.schema, split.constants)


def _stored(split: JsonSplit, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The columns that files hold."""
    file = split.file
    text: bytes | memoryview
    if split.array:
        text = lines_of_array(file, b"".join(text_chunks(file, split.compression, None, _BLOCK)))
        with located(file, text, lambda: 0):
            yield parse(text, split.schema, columns)
    elif split.end is None:
        lines = 0
        for text in _blocks(split):

            def before(lines: int = lines) -> int:
                return lines

            with located(file, text, before):
                yield parse(text, split.schema, columns)
            lines += text.count(b"\n")
    else:
        with open_ranges(file) as reader:
            reader.start([block(file, split.start, split.end)])
            rows = extent(file, reader, split.start, split.end, 0, _LINES)
            text = reader.get_ranges([(rows.start, rows.end)])[0]
            with located(file, text, lambda: lines_in(reader, rows.start)):
                yield parse(text, split.schema, columns)


def _blocks(split: JsonSplit) -> Iterator[bytes]:
    rest = b""
    for chunk in text_chunks(split.file, split.compression, None, _BLOCK):
        text = rest + chunk
        cut = text.rfind(b"\n") + 1
        if cut:
            yield text[:cut]
        rest = text[cut:]
    if rest:
        yield rest
