"""Tracebacks that cross processes.

A traceback is sent as its rows: file, function, line. On the other side each row becomes a real
frame again: a line that raises is compiled under the row's names and run, and what it leaves behind
is chained up. So an error from a worker shows where it happened in any tool that shows tracebacks;
only the variables are gone.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Iterator, Sequence
from types import CodeType, TracebackType

Row = tuple[str, str, int]
"""File, function and line of one frame."""

_MOST = 100  # rows that are sent; of endless recursion the ends tell enough


def rows_of(found: TracebackType | None) -> tuple[Row, ...]:
    """The frames of a traceback, outermost first."""
    rows = [
        (frame.f_code.co_filename, frame.f_code.co_name, line)
        for frame, line in traceback.walk_tb(found)
    ]
    if len(rows) > _MOST:
        rows = [*rows[: _MOST // 2], *rows[-_MOST // 2 :]]
    return tuple(rows)


def traceback_of(rows: Sequence[Row]) -> TracebackType | None:
    """A traceback that shows these frames."""
    made: TracebackType | None = None
    for row in reversed(rows):
        for inner in _raised(row):
            made = TracebackType(made, inner.tb_frame, inner.tb_lasti, max(1, row[2]))
    return made


def _raised(row: Row) -> Iterator[TracebackType]:
    """The traceback of one frame with the names of the row.

    A frame keeps those that called it, and all their variables. What called a generator is
    forgotten when it yields: so the error does not keep alive whoever read it.
    """
    try:
        exec(_raising(row), {"__name__": row[1], "__file__": row[0]})
    except ZeroDivisionError as error:
        inner = error.__traceback__ and error.__traceback__.tb_next
    if inner is not None:
        yield inner


@functools.lru_cache(1024)
def _raising(row: Row) -> CodeType:
    """Code that raises in a frame with the names of the row."""
    file, function, line = row
    code = compile("1 / 0", file or "<unknown>", "exec")
    return code.replace(
        co_name=function,
        co_qualname=function,
        co_firstlineno=max(1, line),
        co_linetable=_without_columns(len(code.co_code) // 2),
    )


def _without_columns(units: int) -> bytes:
    """A line table of one line, without columns to underline: entries of kind 13 (PEP 657)."""
    table = bytearray()
    while units > 0:
        covered = min(units, 8)
        table += bytes([0x80 | (13 << 3) | (covered - 1), 0])
        units -= covered
    return bytes(table)
