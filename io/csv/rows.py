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
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from plait.errors import ReadError
from plait.io.filesystem import FileInfo, RangeReader, open_ranges

NEWLINE, RETURN = 10, 13
_STEP = 1 << 20
_CACHED = 1 << 18  # bytes looked at together: what is made of them stays in the processor's cache

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Marks:
    """The bytes that make rows and fields; `quote` is None if nothing quotes.

    `newline` is that by which rows are told apart here: files of old Macs have returns alone.
    """

    separator: int
    quote: int | None
    newline: int = NEWLINE

    @cached_property
    def opens(self) -> npt.NDArray[np.bool_]:
        """For every byte whether a quote behind it opens a field."""
        table = np.zeros(256, dtype=bool)
        table[[self.separator, NEWLINE, RETURN]] = True
        return table

    @staticmethod
    def of(separator: str, quotechar: str | None, newline: str = "\n") -> Marks:
        """The marks of a dialect, whose characters are single bytes."""
        return Marks(ord(separator), ord(quotechar) if quotechar else None, ord(newline))

    def at_row(self, at: Position) -> bool:
        """Whether a row begins at a position."""
        return not at.inside and at.previous in (NEWLINE, self.newline)


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
        bool((data[start : start + _CACHED] == value).any())
        for start in range(0, len(data), _CACHED)
    )


def advance(data: Bytes, at: Position, marks: Marks) -> Position:
    """The position after `data`, which begins at `at`."""
    for start in range(0, len(data), _CACHED):
        at = _advance(data[start : start + _CACHED], at, marks)
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
    # for a quote at 0 the byte before is taken from the end here, and put right below
    allowed = marks.opens[data[opening - 1]]
    closing = quotes[first - 1 :: 2] if first else quotes[1::2]
    if first:
        allowed |= closing[: len(opening)] == opening - 1
    else:
        allowed[1:] |= closing[: len(opening) - 1] == opening[1:] - 1
    if opening[0] == 0:
        allowed[0] = at.closed or bool(marks.opens[at.previous])
    return bool(allowed.all())


def _one_by_one(data: Bytes, quotes: Places, at: Position, marks: Marks) -> Position:
    inside = at.inside
    closed_at = -1 if at.closed else -2
    for place in quotes.tolist():
        before = int(data[place - 1]) if place else at.previous
        if inside:
            inside, closed_at = False, place
        elif closed_at == place - 1 or marks.opens[before]:
            inside = True
    end = at.offset + len(data)
    return Position(end, inside, int(data[-1]), not inside and closed_at == len(data) - 1)


def row_end(data: Bytes, at: Position, marks: Marks) -> Position | None:
    """The position behind the first newline of `data` that ends a row; None if there is none."""
    start = 0
    while start < len(data):
        # inside a field newlines mean nothing: on to the quote that may close it
        wanted = marks.quote if at.inside and marks.quote is not None else marks.newline
        found = _find(data, wanted, start)
        stop = len(data) if found is None else found + 1
        before, at = at, advance(data[start:stop], at, marks)
        if found is not None and wanted == marks.newline and not at.inside:
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
    if marks.at_row(at):
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
    """Positions within one file, found from its first row on and kept for later questions.

    `row_starts` remembers where rows begin behind the border of a block, so that the next block
    need not count the quotes of the one before it again.
    """

    def __init__(self, file: FileInfo, marks: Marks, first: int) -> None:
        self._file, self._marks = file, marks
        self._known = {first: Position(first)}
        self._row_starts: dict[int, Position] = {}
        self._lock = threading.Lock()

    def at(self, offset: int) -> Position:
        """The exact position at a byte, or where the first row behind it begins."""
        with self._lock, open_ranges(self._file) as reader:
            if offset in self._row_starts:
                return self._row_starts[offset]
            best = max(known for known in self._known if known <= offset)
            at = self._known[best]
            while at.offset < offset:
                stop = min(offset, at.offset + 16 * _STEP)
                data = as_bytes(reader.get_ranges([(at.offset, stop)])[0])
                at = advance(data, at, self._marks)
            self._known[offset] = at
            return at

    def remember(self, border: int, at: Position) -> None:
        """The first row at or behind `border` begins at `at`."""
        with self._lock:
            self._row_starts[border] = self._known[at.offset] = at


@lru_cache(maxsize=256)
def quote_map(file: FileInfo, marks: Marks, first: int) -> QuoteMap:
    """The QuoteMap of a file whose rows begin at `first`, one for the process."""
    return QuoteMap(file, marks, first)


@dataclass(frozen=True)
class Extent:
    """Whole rows: bytes [start, end) of a file.

    `cuts` are where the rows may be cut for a reader that takes every newline for a row's end,
    from `start` to `end`; none are needed if there are no quotes. `closed` is false if the file
    ends within a quoted field.
    """

    start: int
    end: int
    cuts: tuple[int, ...] = ()
    closed: bool = True


def extent(
    file: FileInfo, reader: RangeReader, start: int, end: int, first: int, marks: Marks
) -> Extent:
    """The rows that begin in [start, end); `first` is where the file's first row begins.

    Every row belongs to exactly one of the pieces of a file, however it is cut.
    """
    start, end = max(start, first), min(end, reader.size)
    if start >= end:
        return Extent(end, end)
    limit = max(end - start, _STEP)
    try:
        if marks.quote is None:
            return _unquoted(reader, start, end, first, marks, limit)
        window = as_bytes(reader.get_ranges([(start, end)])[0])
        # a field longer than a small piece is nothing unusual, so there all quotes before it count
        if end - start < limit or has_byte(window, marks.quote):
            known = quote_map(file, marks, first)
            found = _quoted(reader, known.at(start), end, marks, limit)
            if found.start <= end:
                known.remember(end, Position(found.end))
            return found
        return _unquoted(reader, start, end, first, marks, limit)
    except _TooLongError as error:
        raise ReadError(
            f"{file.shown}: a quoted field near byte {error.args[0]} is longer than a block of "
            f"{limit} bytes, or is never closed; pass blocksize=None, or a larger one"
        ) from None


def _unquoted(
    reader: RangeReader, start: int, end: int, first: int, marks: Marks, limit: int
) -> Extent:
    """The extent of rows in a range that has no quote and is taken to begin outside of quotes."""
    opening = Position(start) if start == first else _outside(reader, start)
    begin = next_row(reader, opening, marks, limit)
    finish = next_row(reader, _outside(reader, end), marks, limit)
    tail = as_bytes(reader.get_ranges([(end, max(end, finish.offset))])[0])
    if begin.offset < finish.offset and marks.quote is not None and has_byte(tail, marks.quote):
        # the last row goes on behind the range, and only there are quotes
        return _quoted(reader, begin, end, marks, limit)
    return Extent(begin.offset, max(begin.offset, finish.offset))


def _quoted(reader: RangeReader, opening: Position, end: int, marks: Marks, limit: int) -> Extent:
    """The extent of rows behind an exact position, with the places to cut them."""
    begin = next_row(reader, opening, marks, limit)
    if begin.offset >= end:
        return Extent(begin.offset, begin.offset)
    data = as_bytes(reader.get_ranges([(begin.offset, end)])[0])
    behind = [at for _start, _stop, at in row_pieces(data, begin, marks)]
    finish = next_row(reader, behind[-1], marks, limit)
    cuts = (begin.offset, *(at.offset for at in behind[:-1]), finish.offset)
    return Extent(begin.offset, finish.offset, cuts, not finish.inside)


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
        if stop < len(data) and not marks.at_row(at):
            found = row_end(data[stop:], at, marks)
            if found is None:
                at, stop = advance(data[stop:], at, marks), len(data)
            else:
                at, stop = found, stop + found.offset - at.offset
        yield start, stop, at
        start = stop
