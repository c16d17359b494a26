"""The start of a CSV file: where its rows begin and what its columns are called."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from typing import Protocol

import pyarrow as pa

from plait.errors import ReadError
from plait.io.csv.layout import Dialect
from plait.io.csv.options import CsvOptions
from plait.io.csv.rows import NEWLINE, RETURN, Marks, Position, as_bytes, row_end

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
    position = len(BOM) if text.startswith(BOM) else 0
    for _ in range(skiprows):
        if position == len(text) and whole:
            raise ReadError(f"{shown} has fewer than the {skiprows} lines to skip")
        position = _row_stop(text, position, whole, dialect)
    rows_before = 0 if header is None else header
    while True:
        start, stop = _next_row(text, position, whole, dialect)
        if start == stop:
            if names is not None and header is None:
                return Head(tuple(names), len(text))
            if header:
                raise ReadError(f"{shown} has no row {header} for header={header}")
            raise ReadError(f"{shown} is empty: there are no columns to read")
        if rows_before == 0:
            break
        position, rows_before = stop, rows_before - 1
    try:
        fields = split_row(text[start:stop], dialect)
    except (ValueError, csv.Error) as error:
        raise ReadError(f"{shown}: the first row cannot be read: {error}") from error
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
    comment = None if dialect.comment is None else dialect.comment.encode()
    while position < len(text):
        stop = _row_stop(text, position, whole, dialect)
        row = text[position:stop].rstrip(b"\r\n")
        left_out = dialect.skip_blank_lines and not row.strip(dialect.blanks.encode())
        if not left_out and not (comment and row.startswith(comment)):
            return position, stop
        position = stop
    return len(text), len(text)


def _row_stop(text: bytes, start: int, whole: bool, dialect: Dialect) -> int:
    """Where the row ends that begins at `start`."""
    marks = dialect.marks if len(dialect.sep) == 1 else Marks(NEWLINE, None)
    found = row_end(as_bytes(text)[start:], Position(0), marks)
    if found is None and not whole:
        raise ShortHeadError
    return len(text) if found is None else start + found.offset


def newline_of(text: bytes, dialect: Dialect) -> str:
    """What the first row of a text ends with: a newline, or a return that no newline follows."""
    if len(dialect.sep) != 1 or b"\r" not in text:
        return "\n"
    data, marks = as_bytes(text), dialect.marks
    returned = row_end(data, Position(0), replace(marks, newline=RETURN))
    if returned is None or text[returned.offset : returned.offset + 1] in (b"\n", b""):
        return "\n"
    ended = row_end(data[: returned.offset], Position(0), replace(marks, newline=NEWLINE))
    return "\r" if ended is None else "\n"


def rows_stop(text: bytes, count: int, dialect: Dialect) -> int:
    """Where the first `count` rows of a text end that are not blank, if this can be told."""
    if not count:
        return 0
    if dialect.needs_pandas:  # which counts them itself
        return len(text)
    decoded = text.decode("latin-1")  # a letter a byte: only its marks matter
    if count >= decoded.count(dialect.newline) + 1:
        return len(text)
    lines = StringIO(decoded, newline="")
    rows = reader(lines, dialect)
    for row in rows:
        if len(row) > 1 or (row and row[0].strip(dialect.blanks)) or not dialect.skip_blank_lines:
            count -= 1
        if not count:
            return lines.tell()
    return len(text)


def split_row(row: bytes, dialect: Dialect) -> list[str]:
    """The fields of one row of text."""
    text = row.decode(dialect.encoding, "replace")
    text = text.rstrip("\r\n")
    if len(dialect.sep) != 1 or dialect.comment:
        import pandas as pd

        frame = pd.read_csv(
            pa.BufferReader(text.encode()),
            sep=dialect.sep,
            header=None,
            dtype=str,
            na_filter=False,
            skip_blank_lines=False,
            comment=dialect.comment,
            quotechar=dialect.quotechar or '"',
            quoting=csv.QUOTE_MINIMAL if dialect.quotechar else csv.QUOTE_NONE,
            escapechar=dialect.escapechar,
            doublequote=dialect.doublequote,
            skipinitialspace=dialect.skipinitialspace,
            engine="c" if len(dialect.sep) == 1 or dialect.sep == r"\s+" else "python",
        )
        return [str(v) for v in frame.iloc[0]]
    return next(reader(StringIO(text, newline=""), dialect), [""])


def reader(lines: Iterable[str], dialect: Dialect) -> Rows:
    """Python's own parser of rows, for heads and for finding what is wrong with a row."""
    csv.field_size_limit(1 << 30)
    return csv.reader(
        lines,
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
    lines = list(islice(StringIO(text.decode(dialect.encoding, "replace"), newline=""), 20))
    best, most = ",", 1
    for candidate in _SEPARATORS:
        trial = Dialect(sep=candidate, quotechar=dialect.quotechar)
        rows = list(reader(lines[:-1] or lines, trial))
        counts = {len(row) for row in rows if row}
        if len(counts) == 1 and max(counts) > most:
            best, most = candidate, max(counts)
    return best
