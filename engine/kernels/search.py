"""Finding texts inside long columns of strings: what `%a%b%` and contains() come down to.

Arrow looks into one string after the other. Here the bytes of all strings are searched as one
array (`plait.engine.codegen.find`). Matches are then assigned to rows, and those that reach into
the next row are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from plait.engine.codegen.find import occurrences
from plait.engine.kernels.rows import string_parts
from plait.engine.kernels.views import Bools, Ints, from_stored, validity

LONG = 1 << 18  # bytes from which the search pays


def pays(column: pa.Array, pieces: Sequence[str]) -> bool:
    """Whether `find_in_order` is faster than Arrow: for many bytes."""
    data, _ = string_parts(column)
    return len(data) >= LONG and all(pieces)


def find_in_order(
    column: pa.Array, pieces: Sequence[str], *, at_start: bool = False, at_end: bool = False
) -> pa.Array:
    """Whether each string has all pieces in it, one after the other without overlap.

    `at_start` and `at_end` pin the first and the last piece to the string's ends.
    """
    data, offsets = string_parts(column)
    n = len(column)
    rows = np.arange(n)
    reached: Ints | None = None  # where the search of the next piece begins, for each of `rows`
    for number, piece in enumerate(pieces):
        wanted = piece.encode()
        if at_start and number == 0:
            here = _fits(data, offsets[:-1], offsets[1:], wanted)
            rows, reached = rows[here], offsets[:-1][here] + len(wanted)
        elif at_end and number == len(pieces) - 1:
            ends = offsets[rows + 1]
            begins = offsets[rows] if reached is None else reached
            here = _fits(data, ends - len(wanted), ends, wanted) & (ends - len(wanted) >= begins)
            rows = rows[here]
        else:
            places = occurrences(data, wanted)
            if reached is None:
                rows, reached = _first_in_rows(places, offsets, len(wanted))
            else:
                rows, reached = _next_in_rows(places, offsets, rows, reached, len(wanted))
    flags = np.zeros(n, np.bool_)
    flags[rows] = True
    return from_stored(flags, pa.bool_(), validity(column))


def _fits(data: Ints, begin: Ints, end: Ints, wanted: bytes) -> Bools:
    """Where the bytes stand at `begin`, not reaching beyond `end`."""
    found = (begin >= 0) & (end - begin >= len(wanted))
    for i, byte in enumerate(wanted):
        at = np.flatnonzero(found)
        found[at] = data[begin[at] + i] == byte
    return np.asarray(found)


def _first_in_rows(places: Ints, offsets: Ints, size: int) -> tuple[Ints, Ints]:
    """The rows with a match, and where their first one ends."""
    rows = np.searchsorted(offsets, places, side="right") - 1
    whole = places + size <= offsets[rows + 1]
    rows, places = rows[whole], places[whole]
    first = np.ones(len(rows), np.bool_)
    first[1:] = rows[1:] != rows[:-1]
    return rows[first], places[first] + size


def _next_in_rows(
    places: Ints, offsets: Ints, rows: Ints, reached: Ints, size: int
) -> tuple[Ints, Ints]:
    """Of some rows, those with a match from where they were reached on, and where it ends."""
    if not len(places):
        return rows[:0], reached[:0]
    after = np.searchsorted(places, reached)
    place = places[np.minimum(after, len(places) - 1)]
    here = (after < len(places)) & (place + size <= offsets[rows + 1])
    return rows[here], place[here] + size
