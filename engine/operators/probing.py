"""A join table as loops probe it: its shape, its arrays and its numbers.

Its index (`loop_index.py`) has some of these arrays, the rows of 32 bits:

    bits          for each code, whether a key has it: where only presence is asked for
    first         for each code the first row that has it, or -1
    bits, before, first     the same by the ranks of codes among those that have a bit; `before` is
                  how many have one before each word of 64
    table, keys, seen     open addressing: slots with the first row of a key, the codes of all rows,
                  and a bit for each of many more slots
    gate          a bit for each value of one of several keys, where few are there
    next          for each row the next one with the same key, or -1; only if keys come twice
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.codegen.ahead import LARGE
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.codegen.fillers import TableShape
from plait.engine.codegen.layout import Layout, layout_of
from plait.engine.kernels.keys import KeyCoder, _Distinct, _Integers
from plait.engine.operators.join import JoinTable
from plait.engine.operators.loop_index import SPARSE
from plait.planner.column_range import range_of
from plait.planner.physical.operators import HashJoin

_PRESENCE = ("semi", "anti", "mark")


@dataclass
class ProbeTable:
    """A join table for one HashJoin; kept by the table, for all tasks."""

    op: HashJoin
    batch: pa.RecordBatch
    coder: KeyCoder
    shape: TableShape
    arrays: dict[str, np.ndarray[Any, Any]]
    numbers: dict[str, int] = field(default_factory=dict)
    inputs: dict[int, Any] = field(default_factory=dict)  # of loops, by the id of what is emitted

    def key_number(self, what: str, key: int) -> int:
        """A number of one of the keys: low, high, null_code, span."""
        part = self.coder.parts[key]
        match what:
            case "span":
                return max(1, part.span)
            case "null_code":
                return part.null_code
        assert isinstance(part, _Integers)
        return part.low if what == "low" else part.low + part.null_code - 1

    def key_answers(self, key: int, dictionary: pa.Array) -> np.ndarray[Any, Any]:
        """For each entry of a dictionary the code that a text key has for it, or -1."""
        codes = self.coder.parts[key].codes(dictionary)
        if codes.valid is None:
            return np.ascontiguousarray(codes.values, np.int64)
        return np.where(codes.valid, codes.values, -1).astype(np.int64)


def probe_table(op: HashJoin, table: JoinTable) -> ProbeTable:
    """The table as it is probed by an operator; NotCompiledError if loops cannot."""
    found: ProbeTable | None = table.probed.get(id(op))
    if found is None:
        found = table.probed[id(op)] = _probe_table(op, table)
    return found


def _probe_table(op: HashJoin, table: JoinTable) -> ProbeTable:
    if not op.probe_keys:
        return _without_keys(op, table.batch)
    presence = op.kind in _PRESENCE and op.residual is None
    index = table.loop_index(op.build_keys, op.null_safe, presence)
    keys = tuple(_key_kind(part) for part in index.coder.parts)
    columns = _columns(table.batch)
    large = sum(a.nbytes for a in index.arrays.values()) + table.batch.nbytes >= LARGE
    widest = max(part.span for part in index.coder.parts)
    sparse = index.gate is not None or SPARSE * table.batch.num_rows < widest
    shape = TableShape(index.lookup, index.unique, keys, columns, large, sparse, index.gate)
    return ProbeTable(op, table.batch, index.coder, shape, dict(index.arrays), index.numbers)


def _without_keys(op: HashJoin, batch: pa.RecordBatch) -> ProbeTable:
    """A table of which every row matches: the answer of a scalar subquery, as a rule."""
    presence = op.kind in _PRESENCE and op.residual is None
    if batch.num_rows > 1 and not presence:
        raise NotCompiledError("joins of several rows without keys are the vectorised tier's")
    shape = TableShape("one" if batch.num_rows else "empty", True, (), _columns(batch), False)
    return ProbeTable(op, batch, KeyCoder([], ()), shape, {})


def _key_kind(part: _Integers | _Distinct) -> tuple[str, bool]:
    if isinstance(part, _Integers):
        return "int", part.null_safe
    if pa.types.is_string(part.type):
        return "text", part.null_safe
    raise NotCompiledError(f"keys of type {part.type} are numbered by the vectorised tier")


def _columns(batch: pa.RecordBatch) -> tuple[tuple[str, Layout | None], ...]:
    fields = batch.schema
    return tuple((f.name, layout_of(batches.column(batch, f.name), range_of(f))) for f in fields)
