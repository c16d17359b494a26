"""Outputs: what a task gives, part by part, in memory while there is room, else in a file.

Batches are split among the parts some megabytes at a time. Once a flush was needed, everything goes
to the file; each part is then some segments of it. Rows of a part keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from plait.engine import batches
from plait.engine.memory import Hold, Weight
from plait.engine.space import Space
from plait.engine.spill import Segment, SpilledRows, SpillFile
from plait.planner.schema import Schema

Part = Sequence[pa.RecordBatch]
"""What one task gives to one partition of the next stage."""

Cut = Callable[[pa.RecordBatch], Sequence[pa.RecordBatch]]

_CHUNK = 64 << 20  # bytes that are split at once, if there is room for that


def rows_of(part: Part) -> int:
    """How many rows a part has; those in a file are not read."""
    return part.rows if isinstance(part, SpilledRows) else sum(b.num_rows for b in part)


class HeldRows(list[pa.RecordBatch]):
    """A part in memory. Parts of a task share memory, hence one Hold; sent, each has its own."""

    def __init__(self, rows: Iterable[pa.RecordBatch], hold: Hold) -> None:
        super().__init__(rows)
        self.hold = hold

    def __reduce__(self) -> tuple[type[HeldRows], tuple[list[pa.RecordBatch], Hold]]:
        weight = Weight()
        for batch in self:
            weight.add(batch)
        return HeldRows, (list(self), Hold(weight.bytes))


class Outputs:
    """Takes batches of `schema`, gives parts of batches of `gives`.

    `split` gives the rows of each of the `parts`, None if there is only one. `full` is asked now
    and then, with the bytes gathered here: whether they are to go to the file that `file` opens.
    """

    def __init__(
        self,
        schema: Schema,
        gives: Schema,
        parts: int,
        split: Cut | None,
        full: Callable[[int], bool],
        space: Space,
    ) -> None:
        self._schema, self._gives, self._split = schema, gives, split
        self._full, self._space = full, space
        self._chunk = min(_CHUNK, space.limit / 2)
        self._pending: list[pa.RecordBatch] = []
        self._pending_weight = Weight()
        self._rows: list[list[pa.RecordBatch]] = [[] for _ in range(parts)]
        self._segments: list[list[Segment]] = [[] for _ in range(parts)]
        self._hold = Hold()
        self._file: SpillFile | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """More rows."""
        if not batch.num_rows:
            return
        self._pending.append(batch)
        if self._pending_weight.add(batch) >= self._chunk:
            self._share_out()
            if self._full(self._hold.bytes):
                self._flush()

    def finish(self) -> list[Part]:
        """The parts, after the last batch."""
        if self._pending:
            self._share_out()
        if self._file is None and not self._full(self._hold.bytes):
            return [HeldRows(rows, self._hold) for rows in self._rows]
        self._flush()
        if self._file is None:  # no rows at all
            return [[] for _ in self._rows]
        return [SpilledRows(self._file, segments) for segments in self._segments]

    def _share_out(self) -> None:
        if self._split is None:
            self._rows[0] += self._pending
        else:
            whole = batches.concat(self._pending, self._schema)
            for rows, piece in zip(self._rows, self._split(whole), strict=True):
                if piece.num_rows:
                    rows.append(piece)
        self._hold.set(self._hold.bytes + self._pending_weight.bytes)
        self._pending, self._pending_weight = [], Weight()

    def _flush(self) -> None:
        for rows, segments in zip(self._rows, self._segments, strict=True):
            if rows:
                if self._file is None:
                    self._file = self._space.file()
                segments += self._file.write(batches.concat(rows, self._gives))
                rows.clear()
        self._hold.set(0)
