"""Where rows of CSV text begin and end, exactly, also with newlines inside quoted fields.

A quote opens a field only where a field starts (after a separator or a newline) and closes it at
the next quote that is not doubled; any other quote is a letter. pyarrow and pandas parse so. So a
newline ends a row unless it lies in an open field, and to know that at some byte, all quotes before
it count. `Position` is that knowledge at one byte; `advance` moves it along, a megabyte at a time:

    Two quotes in a row inside a field can be seen as closing and opening it at once. Then the
    quotes of well-formed text simply alternate: open, close, open, close. It is tested, all at
    once, that each quote in an opening place may open a field; only where one may not (`5" pipe`)
    are the quotes gone through one by one.

A piece of a file without any quote is taken to begin outside of quotes. If it does not, it lies
within one quoted field that is longer than a whole piece, and the piece in which that field opens
finds this out and raises: no rows are made up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from plait.errors import ReadError
from plait.io.filesystem import FileInfo, RangeReader, open_ranges

NEWLINE, RETURN = 10, 13
_STEP = 1 << 20

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Marks:
    """The bytes that make rows and fields; `quote` is None if nothing quotes."""

    separator: int
    quote: int | None

    @staticmethod
    def of(separator: str, quotechar: str | None) -> Marks:
        """The marks of a dialect, whose characters are single bytes."""
        return Marks(ord(separator), ord(quotechar) if quotechar else None)


@dataclass(frozen=True)
class Position:
    """The state at byte `offset`: in a quoted field? which byte was before, did it close one?"""

    offset: int
    inside: bool = False
    previous: int = NEWLINE
    closed: bool = False


def as_bytes(data: bytes | memoryview) -> Bytes:
    """The data as numbers, without copying."""
    return np.frombuffer(data, dtype=np.uint8)


def has_byte(data: Bytes, value: int) -> bool:
    """Whether a byte occurs."""
    return any(
        bool((data[start : start + _STEP] == value).any()) for start in range(0, len(data), _STEP)
    )


def advance(data: Bytes, at: Position, marks: Marks) -> Position:
    """The position after `data`, which begins at `at`."""
    for start in range(0, len(data), _STEP):
        at = _advance(data[start : start + _STEP], at, marks)
    return at


def _advance(data: Bytes, at: Position, marks: Marks) -> Position:
    if not len(data):
        return at
    last, end = int(data[-1]), at.offset + len(data)
    if marks.quote is None:
        return Position(end, False, last)
    quotes = np.flatnonzero(data == marks.quote)
    if not len(quotes):
        return Position(end, at.inside, last)
    if not _alternate(data, quotes, at, marks):
        return _one_by_one(data, quotes, at, marks)
    inside = at.inside ^ bool(len(quotes) & 1)
    return Position(end, inside, last, last == marks.quote and not inside)


def _alternate(data: Bytes, quotes: Places, at: Position, marks: Marks) -> bool:
    """Whether each quote that would have to open a field stands where one may."""
    first = 1 if at.inside else 0
    opening = quotes[first::2]
    if not len(opening):
        return True
    before = data[opening - 1]  # for a quote at 0 this is the last byte; put right below
    allowed = (before == marks.separator) | (before == NEWLINE) | (before == RETURN)
    doubled = np.zeros(len(opening), dtype=bool)
    closing_before = quotes[first - 1 :: 2] if first else quotes[1::2]
    if first:
        doubled = closing_before[: len(opening)] == opening - 1
    else:
        doubled[1:] = closing_before[: len(opening) - 1] == opening[1:] - 1
    allowed |= doubled
    if opening[0] == 0:
        allowed[0] = at.closed or at.previous in (marks.separator, NEWLINE, RETURN)
    return bool(allowed.all())


def _one_by_one(data: Bytes, quotes: Places, at: Position, marks: Marks) -> Position:
    starts = (marks.separator, NEWLINE, RETURN)
    inside = at.inside
    closed_at = -1 if at.closed else -2
    for place in quotes.tolist():
        before = int(data[place - 1]) if place else at.previous
        if inside:
            inside, closed_at = False, place
        elif closed_at == place - 1 or before in starts:
            inside = True
    end = at.offset + len(data)
    return Position(end, inside, int(data[-1]), not inside and closed_at == len(data) - 1)


def row_end(data: Bytes, at: Position, marks: Marks) -> Position | None:
    """The position behind the first newline of `data` that ends a row; None if there is none."""
    start = 0
    while start < len(data):
        # inside a field newlines mean nothing: on to the quote that may close it
        wanted = marks.quote if at.inside and marks.quote is not None else NEWLINE
        found = _find(data, wanted, start)
        stop = len(data) if found is None else found + 1
        before, at = at, advance(data[start:stop], at, marks)
        if found is not None and wanted == NEWLINE and not at.inside:
            return at
        if found is None and before.inside:
            return None
        start = stop
    return None


def _find(data: Bytes, value: int, start: int) -> int | None:
    step = 1 << 10
    while start < len(data):
        places = np.flatnonzero(data[start : start + step] == value)
        if len(places):
            return start + int(places[0])
        start, step = start + step, min(step * 4, _STEP)
    return None


def next_row(reader: RangeReader, at: Position, marks: Marks, limit: int) -> Position:
    """The first row start at or after `at` (whose previous byte may already end a row).

    Raises if a field that is open at `at` stays so for more than `limit` bytes: whole pieces might
    lie in it. At the file's end, that is it.
    """
    if at.previous == NEWLINE and not at.inside:
        return at
    start, open_field, step = at.offset, at.inside, 1 << 16
    while at.offset < reader.size:
        stop = min(at.offset + step, reader.size)
        data = as_bytes(reader.get_ranges([(at.offset, stop)])[0])
        found = row_end(data, at, marks)
        at = found or advance(data, at, marks)
        if open_field and at.offset - start > limit:
            raise _TooLongError(start)
        if found is not None:
            return at
        step = min(step * 4, 8 << 20)
    return at


class _TooLongError(Exception):
    """A row that goes on for longer than a piece."""


class QuoteMap:
    """Positions within one file, found from its first row on and kept for later questions."""

    def __init__(self, file: FileInfo, marks: Marks, first: int) -> None:
        self._file, self._marks = file, marks
        self._known = {first: Position(first)}
        self._lock = threading.Lock()

    def at(self, offset: int) -> Position:
        """The exact position at a byte."""
        with self._lock, open_ranges(self._file) as reader:
            best = max(known for known in self._known if known <= offset)
            at = self._known[best]
            while at.offset < offset:
                stop = min(offset, at.offset + 16 * _STEP)
                data = as_bytes(reader.get_ranges([(at.offset, stop)])[0])
                at = advance(data, at, self._marks)
            self._known[offset] = at
            return at


@lru_cache(maxsize=256)
def quote_map(file: FileInfo, marks: Marks, first: int) -> QuoteMap:
    """The QuoteMap of a file whose rows begin at `first`, one for the process."""
    return QuoteMap(file, marks, first)


@dataclass(frozen=True)
class Extent:
    """Whole rows: bytes [start, end) of a file; `quoted` tells whether any quote occurs in them."""

    start: int
    end: int
    quoted: bool


def extent(
    file: FileInfo, reader: RangeReader, start: int, end: int, first: int, marks: Marks
) -> Extent:
    """The rows that begin in [start, end); `first` is where the file's first row begins.

    Every row belongs to exactly one of the pieces of a file, however it is cut.
    """
    size = reader.size
    limit = max(end - start, _STEP)
    if start >= end or start >= size:
        return Extent(size, size, False)
    window = as_bytes(reader.get_ranges([(start, end)])[0])
    quoted = marks.quote is not None and has_byte(window, marks.quote)
    # a field longer than a small piece is nothing unusual, so there all quotes before it count
    exact = quoted or (marks.quote is not None and end - start < limit)
    try:
        if start <= first:
            opening = Position(first)
        else:
            opening = quote_map(file, marks, first).at(start) if exact else _outside(reader, start)
        begin = next_row(reader, opening, marks, limit)
        if end >= size:
            finish = Position(size)
        else:
            # on from the start, so that both pieces at this border see the same quotes
            rest = window[opening.offset - start :]
            closing = advance(rest, opening, marks) if exact else _outside(reader, end)
            finish = next_row(reader, closing, marks, limit)
    except _TooLongError as error:
        raise ReadError(
            f"{file.shown}: a quoted field near byte {error.args[0]} is longer than a block of "
            f"{limit} bytes, or is never closed; pass blocksize=None, or a larger one"
        ) from None
    if not quoted and marks.quote is not None and finish.offset > end:
        tail = reader.get_ranges([(end, finish.offset)])[0]
        quoted = has_byte(as_bytes(tail), marks.quote)
    return Extent(begin.offset, max(begin.offset, finish.offset), quoted)


def _outside(reader: RangeReader, offset: int) -> Position:
    return Position(offset, False, reader.get_ranges([(offset - 1, offset)])[0][0])


def row_pieces(
    data: Bytes, at: Position, marks: Marks, size: int = _STEP
) -> Iterator[tuple[int, int, Position]]:
    """Cuts [start, stop) of text that begins a row into pieces of whole rows of about `size` bytes.

    The last piece may lack its newline; the position behind each piece comes along.
    """
    start = 0
    while start < len(data):
        stop = min(start + size, len(data))
        at = advance(data[start:stop], at, marks)
        if stop < len(data) and not (at.previous == NEWLINE and not at.inside):
            found = row_end(data[stop:], at, marks)
            if found is None:
                at, stop = advance(data[stop:], at, marks), len(data)
            else:
                at, stop = found, stop + found.offset - at.offset
        yield start, stop, at
        start = stop
