"""The start of a CSV file: where its rows begin and what its columns are called."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from plait.errors import ReadError
from plait.io.csv_layout import Dialect
from plait.io.csv_options import CsvOptions
from plait.io.csv_rows import NEWLINE, Marks, Position, as_bytes, row_end

BOM = b"\xef\xbb\xbf"
_SEPARATORS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class Head:
    """`names` of the columns in file order; the first row of data begins at byte `first`.

    `fields` are those of the header's row, () if there is none.
    """

    names: tuple[str, ...]
    first: int
    fields: tuple[str, ...] = ()


class Rows(Protocol):
    """Rows of fields, and the number of lines gone through so far."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Rows: ...

    def __next__(self) -> list[str]: ...


class ShortHeadError(Exception):
    """The header is longer than the text given; more of the file is needed."""


def read_head(shown: str, text: bytes, whole: bool, dialect: Dialect, options: CsvOptions) -> Head:
    """The head of a file that begins with `text`; `whole` if that is all of it.

    Raises ShortHeadError if `text` does not hold all of the head.
    """
    header, names, skiprows = options.header_row, options.column_names, options.skiprows
    numbered = "column{}" if options.infer_dates else "{}"
    if b"\n" not in text and b"\r" in text[:-1]:
        raise ReadError(f"{shown} ends its lines with \\r alone; convert it, e.g. with mac2unix")
    position = len(BOM) if text.startswith(BOM) else 0
    for _ in range(skiprows):
        found = text.find(b"\n", position)
        if found < 0:
            if not whole:
                raise ShortHeadError
            raise ReadError(f"{shown} has fewer than the {skiprows} lines to skip")
        position = found + 1
    rows_before = 0 if header is None else header
    while True:
        start, stop = _next_row(text, position, whole, dialect)
        if start == stop:
            if names is not None and header is None:
                return Head(tuple(names), len(text))
            raise ReadError(f"{shown} is empty: there are no columns to read")
        if rows_before == 0:
            break
        position, rows_before = stop, rows_before - 1
    fields = split_row(text[start:stop], dialect)
    if header is None:
        chosen = names or tuple(numbered.format(i) for i in range(len(fields)))
        _check_count(shown, chosen, fields)
        return Head(chosen, position)
    chosen = names or header_names(fields, options.infer_dates)
    _check_count(shown, chosen, fields)
    return Head(chosen, stop, tuple(fields))


def _check_count(shown: str, names: Sequence[str], fields: Sequence[str]) -> None:
    if len(names) != len(fields):
        raise ReadError(
            f"{shown}: {len(names)} names were given for {len(fields)} columns: {', '.join(names)}"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ReadError(f"{shown}: two columns are named {twice[0]!r}")


def _next_row(text: bytes, position: int, whole: bool, dialect: Dialect) -> tuple[int, int]:
    """The extent of the next row that is neither blank nor a comment; empty at the end."""
    marks = dialect.marks if len(dialect.sep) == 1 else Marks(NEWLINE, None)
    data = as_bytes(text)
    while position < len(text):
        found = row_end(data[position:], Position(0), marks)
        if found is None and not whole:
            raise ShortHeadError
        stop = len(text) if found is None else position + found.offset
        row = text[position:stop].strip(b"\r\n")
        if row and not (dialect.comment and row.startswith(dialect.comment.encode())):
            return position, stop
        position = stop
    return len(text), len(text)


def split_row(row: bytes, dialect: Dialect) -> list[str]:
    """The fields of one row of text."""
    text = row.decode(dialect.encoding, "replace")
    if dialect.comment:
        text = text.partition(dialect.comment)[0]
    text = text.rstrip("\r\n")
    if len(dialect.sep) != 1:
        import pandas as pd

        frame = pd.read_csv(
            pa.BufferReader(text.encode()),
            sep=dialect.sep,
            header=None,
            dtype=str,
            keep_default_na=False,
            engine="c" if dialect.sep == r"\s+" else "python",
        )
        return [str(v) for v in frame.iloc[0]]
    return next(reader(text, dialect))


def reader(text: str, dialect: Dialect) -> Rows:
    """Python's own parser of rows, for heads and for finding what is wrong with a row."""
    csv.field_size_limit(1 << 30)
    return csv.reader(
        (line + "\n" for line in text.split("\n")),
        delimiter=dialect.sep,
        quotechar=dialect.quotechar or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quotechar else csv.QUOTE_NONE,
        escapechar=dialect.escapechar,
        doublequote=dialect.doublequote,
        skipinitialspace=dialect.skipinitialspace,
    )


def header_names(fields: Sequence[str], as_duckdb: bool = False) -> tuple[str, ...]:
    """Names as pandas makes them: numbered where they repeat, `Unnamed: 3` where there is none.

    >>> header_names(["a", "", "a"])
    ('a', 'Unnamed: 1', 'a.1')
    >>> header_names(["a", "", "a"], as_duckdb=True)
    ('a', 'column1', 'a_1')
    """
    unnamed, repeated = ("column{}", "{}_{}") if as_duckdb else ("Unnamed: {}", "{}.{}")
    taken: set[str] = set()
    names = []
    for i, text in enumerate(fields):
        base = name = text if text else unnamed.format(i)
        number = 0
        while name in taken:
            number += 1
            name = repeated.format(base, number)
        taken.add(name)
        names.append(name)
    return tuple(names)


def sniff_separator(text: bytes, dialect: Dialect) -> str:
    """The separator that cuts the first lines into equally many fields, the most of all."""
    lines = text.decode(dialect.encoding, "replace").splitlines(keepends=True)[:20]
    best, most = ",", 1
    for candidate in _SEPARATORS:
        trial = Dialect(sep=candidate, quotechar=dialect.quotechar)
        rows = list(reader("".join(lines[:-1] or lines), trial))
        counts = {len(row) for row in rows if row}
        if len(counts) == 1 and max(counts) > most:
            best, most = candidate, max(counts)
    return best
