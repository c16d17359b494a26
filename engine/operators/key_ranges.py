"""Ranges of the integers that loops group by: as their fields tell, else measured.

A batch may have a part of the range that is known of its column; where that is much less than it
could have, it is measured, since tables indexed by keys are as large as the range.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.codegen.fillers import SOURCE
from plait.engine.codegen.sinks import GroupKey
from plait.engine.operators.group_table import DIRECT_SLOTS, KeySpace, joined, key_space
from plait.engine.operators.probing import ProbeTable
from plait.planner.column_range import Range, range_of
from plait.planner.types import is_decimal

MOST_SLOTS = 1 << 25
WIDE = 2  # values a row, from which on a known range is looked at again
_SLOTS_A_ROW = 8


class Ranges:
    """Ranges of the columns of a batch and of join tables: as known, else measured, once."""

    def __init__(self, tables: Mapping[int, ProbeTable]) -> None:
        self.tables = tables
        self.batch: pa.RecordBatch | None = None
        self._known: dict[tuple[int, str], Range] = {}

    def take(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._known = {key: found for key, found in self._known.items() if key[0] != SOURCE}

    def most_slots(self) -> int:
        """How large a table indexed by keys may be: a few slots for each row are well spent."""
        rows = 0 if self.batch is None else self.batch.num_rows
        return max(DIRECT_SLOTS, min(_SLOTS_A_ROW * rows, MOST_SLOTS))

    def of(self, place: tuple[int, str]) -> Range:
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._measure(*place)
        return found

    def with_room(self, key: GroupKey, now: KeySpace, wide: KeySpace) -> KeySpace:
        """A wider space, for the rows to come: that of all the column has, if that is known."""
        if now == wide:
            return now
        if key.stored is not None and key.kind == "int":
            known = range_of(self._batch_of(key.stored[0]).schema.field(key.stored[1]))
            if known is not None:
                low, high = max(key.low, known[0]), min(key.high, known[1])
                return joined(wide, key_space(key, low, max(low, high)))
        low = wide.low - wide.width if wide.low < now.low else wide.low
        return KeySpace(low, 2 * wide.width)

    def _batch_of(self, of: int) -> pa.RecordBatch:
        batch = self.batch if of == SOURCE else self.tables[of].batch
        assert batch is not None
        return batch

    def _measure(self, of: int, name: str) -> Range:
        batch = self._batch_of(of)
        field = batch.schema.field(name)
        known = range_of(field)
        if known is not None and known[1] - known[0] <= WIDE * batch.num_rows:
            return known
        return measured(batches.column(batch, name))  # this batch may have a part of the range

    def space(self, key: GroupKey) -> KeySpace:
        """The space a key needs for this batch."""
        if key.kind == "text":
            return key_space(key, 0, 0)  # told apart when the dictionary is there
        low, high = key.low, key.high
        if key.stored is not None and key.kind == "int":
            known = self.of(key.stored)
            low, high = max(low, known[0]), min(high, known[1])
        return key_space(key, low, max(low, high))


def measured(array: pa.Array) -> Range:
    """The least and the greatest stored integer of an array; (0, 0) for none."""
    t = array.type
    if is_decimal(t) and t.bit_width > 64:
        found = pc.min_max(array)
        ends = [found[end].as_py() for end in ("min", "max")]
        if ends[0] is None:
            return 0, 0
        low, high = (int(end.scaleb(t.scale)) for end in ends)
        return low, high
    if not pa.types.is_integer(t):
        kind = pa.int64() if t.bit_width == 64 else pa.int32()
        array = pa.Array.from_buffers(
            kind, len(array), array.buffers(), array.null_count, array.offset
        )
    found = pc.min_max(array)
    low, high = found["min"].as_py(), found["max"].as_py()
    return (0, 0) if low is None else (low, high)
