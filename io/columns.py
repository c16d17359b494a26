"""Decoded columns: arrays in their encodings, with the fields that say what is known of them.

Ranges of integers are measured here, once for each array that is kept, rather than taken from a
file's statistics: a glance costs a few percent of decoding, statistics may be missing or cover more
rows, and compiled loops that trust a range must not be led astray by what a file says of itself.
For arrays that are used once it would not pay; loops look at the columns whose ranges they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import ReadError
from plait.io.measure import stored_range
from plait.planner.column_range import with_range

BATCH_ROWS = 1 << 17
_FIRST_WAIT, _LONGEST_WAIT = 3, 48  # blocks


class Column(NamedTuple):
    """Some rows of a column."""

    array: pa.Array
    field: pa.Field

    @staticmethod
    def of(name: str, array: pa.Array, measured: bool = False) -> Column:
        """A column, with the range of its integers if they are to be looked at."""
        known = stored_range([array]) if measured else None
        return Column(array, with_range(pa.field(name, array.type), known))

    def rows(self, start: int, count: int) -> Column:
        """Some of the rows."""
        if start == 0 and count == len(self.array):
            return self
        return Column(self.array.slice(start, count), self.field)


@dataclass
class Pace:
    """How often a test is tried: at once while no row passes, ever less often while some do.

    Tasks that read parts of the same table share it, so none tries what another found in vain.
    Threads may miss a step of each other, which costs a trial.
    """

    due: int = 0  # blocks until it is tried
    wait: int = 0  # blocks that were left out before the last trial in vain

    def is_due(self) -> bool:
        """Whether to try the test on the block at hand."""
        self.due -= 1
        return self.due < 0

    def tell(self, passed: bool) -> None:
        """What the trial gave."""
        self.wait = min(max(_FIRST_WAIT, 2 * self.wait), _LONGEST_WAIT) if passed else 0
        self.due = self.wait


@dataclass(frozen=True)
class RowTest:
    """What a reader may ask of some columns of rows before it decodes the others.

    passes    whether any row of a batch of `columns` (those that the scan has) may be wanted
    """

    columns: frozenset[str]
    passes: Callable[[pa.RecordBatch], bool]
    pace: Pace = field(default_factory=Pace, compare=False)


def cut(pieces: Sequence[Column], start: int, count: int) -> tuple[Column, ...]:
    """Some of the rows of a column."""
    found = []
    for piece in pieces:
        rows = len(piece.array)
        if start < rows and count > 0:
            taken = min(rows - start, count)
            found.append(piece.rows(start, taken))
            count -= taken
        start = max(start - rows, 0)
    return tuple(found)


def footprint(columns: Iterable[Column]) -> int:
    """Bytes of memory that columns keep alive; what they share counts once."""
    sizes: dict[int, int] = {}
    for array, _ in columns:
        coded = pat.is_dictionary(array.type)
        for part in (array.indices, array.dictionary) if coded else (array,):
            sizes.update((b.address, b.size) for b in part.buffers() if b is not None)
    return sum(sizes.values())


def aligned(parts: Sequence[Iterator[Sequence[Column]]], most: int) -> Iterator[list[Column]]:
    """Columns that come in pieces of differing lengths, cut so that the pieces of all agree.

    Each of `parts` gives pieces of some columns that belong together; none gives more than `most`
    rows at once afterwards. No value is copied.
    """
    heads: list[Sequence[Column]] = [()] * len(parts)
    starts = [0] * len(parts)
    while True:
        for i, part in enumerate(parts):
            if not heads[i] or starts[i] == len(heads[i][0].array):
                heads[i], starts[i] = next(part, ()), 0
        if not all(heads):
            if any(heads):
                raise ReadError("columns of one file differ in length")
            return
        left = [len(head[0].array) - start for head, start in zip(heads, starts, strict=True)]
        count = min(most, *left)
        yield [
            column.rows(start, count)
            for head, start in zip(heads, starts, strict=True)
            for column in head
        ]
        starts = [start + count for start in starts]
