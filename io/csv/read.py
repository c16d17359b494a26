"""Reading CSV splits: a range of bytes at once, or a file as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from plait.io.compression import text_chunks
from plait.io.csv.errors import explained, lines_in
from plait.io.csv.head import rows_stop
from plait.io.csv.layout import CsvLayout
from plait.io.csv.parse import UnclosedQuoteError, parse
from plait.io.csv.rows import Position, as_bytes, extent, has_byte, row_pieces
from plait.io.csv.source import CsvSplit
from plait.io.encoding import table_of, unify
from plait.io.file_columns import completed, stored_names
from plait.io.files import block
from plait.io.filesystem import open_ranges
from plait.io.memory import slices

_BLOCK = 16 << 20


def read(split: CsvSplit, columns: Sequence[str]) -> pa.Table:
    """All rows of a split."""
    tables = list(_tables(split, columns))
    if len(tables) == 1:
        return tables[0]
    if not tables:
        return completed(table_of([], [], 0), columns, split.schema, split.constants)
    table = pa.concat_tables(tables)
    return table_of([unify(c) for c in table.columns], columns, sum(t.num_rows for t in tables))


def iterate(split: CsvSplit, columns: Sequence[str], batch_rows: int) -> Iterator[pa.Table]:
    """The rows of a split in tables of at most `batch_rows` rows."""
    for table in _tables(split, columns):
        yield from slices(table, batch_rows)


def _tables(split: CsvSplit, columns: Sequence[str]) -> Iterator[pa.Table]:
    held = stored_names(columns, split.constants, split.layout.names)
    for table in _stored(split, held):
        yield completed(table, columns, split.schema, split.constants)


def _stored(split: CsvSplit, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The columns that the file holds."""
    if split.end is not None:
        yield _range(split, split.end, columns)
        return
    left = split.layout.limit
    for lines, text in _blocks(split):
        if left is not None:
            # what follows the rows wanted need not be well-formed
            text = text[: rows_stop(text, left, split.layout.dialect)]
        table = _block(split, text, lines, columns)
        if left is not None:
            table = table.slice(0, left)
            left -= table.num_rows
        yield table
        if left == 0:
            return


def _range(split: CsvSplit, end: int, columns: Sequence[str]) -> pa.Table:
    file, layout = split.file, split.layout
    with open_ranges(file) as reader:
        reader.start([block(file, split.start, end)])
        rows = extent(file, reader, split.start, end, split.first, layout.dialect.marks)
        text = reader.get_ranges([(rows.start, rows.end)])[0]

        def before() -> int:
            return lines_in(reader, rows.start, layout.dialect.line_end)

        with explained(file, text, before, layout, columns):
            if not rows.closed:
                raise UnclosedQuoteError("a quoted field is never closed")
            return parse(text, layout, columns, [cut - rows.start for cut in rows.cuts])


def _block(split: CsvSplit, text: bytes, lines: int, columns: Sequence[str]) -> pa.Table:
    """The table of a piece of a file, before which there are some lines."""
    with explained(split.file, text, lambda: lines, split.layout, columns):
        return parse(text, split.layout, columns)


def _blocks(split: CsvSplit) -> Iterator[tuple[int, bytes]]:
    """Whole rows of text in blocks, each with the number of lines before it.

    A dialect without clear row borders gives a single block.
    """
    skip, lines = split.first, 0
    pending: list[bytes] = []
    for chunk in text_chunks(split.file, split.compression, split.wide, _BLOCK):
        lines += chunk.count(split.layout.dialect.line_end, 0, skip)
        pending.append(chunk[skip:])
        skip = max(0, skip - len(chunk))
        if not split.layout.dialect.divisible:
            continue
        text = b"".join(pending)
        cut = _last_row_end(text, split.layout)
        if cut:
            yield lines, text[:cut]
            lines += text.count(split.layout.dialect.line_end, 0, cut)
        pending = [text[cut:]]
    text = b"".join(pending)
    if text:
        yield lines, text


def _last_row_end(text: bytes, layout: CsvLayout) -> int:
    marks = layout.dialect.marks
    data = as_bytes(text)
    if marks.quote is None or not has_byte(data, marks.quote):
        return text.rfind(layout.dialect.line_end) + 1
    cut = 0
    for _start, stop, after in row_pieces(data, Position(0), marks):
        if stop < len(text) or marks.at_row(after):
            cut = stop
    return cut
