"""Frames whose rows stay with the workers that made them.

To the planner a table like any other: what it may know of the rows was measured where they are.
A split names them by a handle, which only the scheduler understands; the task that scans it is
given the rows (`HeldSplit.of`). When nobody can read the table any more, its rows are let go.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from plait.io import distinct
from plait.io.measure import column_statistics, sample, stored_range
from plait.io.memory import MemorySplit
from plait.io.statistics import LazyColumns, merge
from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics

_serial = itertools.count(1)


@dataclass(frozen=True)
class HeldColumn:
    """What is known of a column of some rows: its statistics, and a sample of different values."""

    bytes: int
    known: ColumnStatistics
    piece: distinct.Piece


@dataclass(frozen=True)
class HeldRows:
    """What is known of the rows behind a handle."""

    rows: int
    columns: Mapping[str, HeldColumn]


@dataclass(frozen=True, kw_only=True)
class HeldSplit(Split):
    """Rows that are held elsewhere."""

    identity: str
    number: int
    handle: Any = field(compare=False, repr=False)

    def of(self, rows: Sequence[pa.RecordBatch]) -> MemorySplit:
        """The split, now that its rows are here."""
        return MemorySplit(
            rows=self.rows,
            bytes=self.bytes,
            ranges=self.ranges,
            identity=self.identity,
            start=0,
            held=tuple(rows),
        )


class HeldSource:
    """A table of rows behind handles, one split each.

    `release` is called with the handles when the table has gone.
    """

    def __init__(
        self,
        handles: Sequence[Any],
        parts: Sequence[HeldRows],
        schema: Schema,
        release: Callable[[Sequence[Any]], None],
    ) -> None:
        self._parts = tuple(parts)
        self._handles = tuple(handles)
        self._identity = f"held:{next(_serial)}"
        nulls = {n: sum(p.columns[n].known.nulls or 0 for p in parts) for n in schema.names}
        self._schema = Schema(tuple(Field(f.name, f.type, nulls[f.name] > 0) for f in schema))
        self._rows = sum(p.rows for p in parts)
        weakref.finalize(self, release, self._handles)

    @property
    def name(self) -> str:
        return "persisted"

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def statistics(self) -> Statistics:
        size = sum(c.bytes for p in self._parts for c in p.columns.values())
        columns = LazyColumns(self._schema.names, self._column)
        return Statistics(float(self._rows), float(size), columns, exact=True)

    def pushdown(self, predicate: Expr) -> Pushdown:
        """Splits are skipped by what was measured of them."""
        return Pushdown.INEXACT

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        return tuple(
            HeldSplit(
                rows=part.rows,
                bytes=sum(part.columns[n].bytes for n in columns),
                ranges={n: part.columns[n].known for n in columns},
                identity=self._identity,
                number=number,
                handle=handle,
            )
            for number, (handle, part) in enumerate(zip(self._handles, self._parts, strict=True))
        )

    def _column(self, name: str) -> ColumnStatistics:
        columns = [p.columns[name] for p in self._parts]
        rows = [float(p.rows) for p in self._parts]
        known = merge([c.known for c in columns], rows)
        values = self._rows - (known.nulls or 0)
        found = distinct.estimate([c.piece for c in columns], values, known.minimum, known.maximum)
        return ColumnStatistics(known.minimum, known.maximum, known.nulls, found, known.width)


def held_rows(batches: Sequence[pa.RecordBatch]) -> HeldRows:
    """What there is to know of some rows."""
    columns = {}
    for name in batches[0].schema.names if batches else ():
        column = pa.chunked_array([b.column(name) for b in batches])
        known = column_statistics(column, stored_range(column.chunks))
        low, high = known.minimum, known.maximum
        piece = sample(column)
        columns[name] = HeldColumn(column.nbytes, known, replace(piece, low=low, high=high))
    return HeldRows(sum(b.num_rows for b in batches), columns)
