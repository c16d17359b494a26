"""ArrowSource: tables in memory, held as a list of batches. Splits are zero-copy slices of them;
pickling one ships only its rows.

Columns are normalised once, when the source is made: string views and large strings become
strings, dictionaries of strings dictionary<int32, string>, other dictionaries their values. Many
small chunks are put together; what is large is taken as it comes, and scans only slice it.

What a column's statistics were measured to be is kept, and its range goes along with the batches.
Nothing is measured for the ranges alone: of a table read once that would cost more than it gives.
Frames that are kept (`plait.io.kept`) bring theirs.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.errors import ReadError, TypeMismatchError
from plait.io.encoding import logical_schema, table_of, to_logical, unify
from plait.io.measure import column_bounds, column_statistics, sample, stored_range
from plait.io.splitting import MIN_SPLIT_ROWS, split_count
from plait.io.statistics import LazyColumns
from plait.planner.column_range import Range, known_field, range_of, with_range
from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import is_string

_READ_BYTES = 4 << 20  # from which on a worker has enough to do with a part of a partition
_SMALL_CHUNKS = 1 << 15  # rows: if chunks have fewer on average, they are put together
_serial = itertools.count(1)

Counter = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class MemorySplit(Split):
    """Rows from `start` on of a table in memory, in batches.

    `counters` are columns that are only counted out when read: name, first value, step.
    """

    identity: str
    start: int
    held: tuple[pa.RecordBatch, ...] = field(compare=False, repr=False)
    counters: tuple[Counter, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # pickling a slice of a batch would ship the whole batch; an IPC stream holds the slice.
        # ranges are for planning, which is over
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.held[0].schema) as writer:
            for batch in self.held:
                writer.write_batch(batch)
        text = sink.getvalue()
        rest = (self.rows, self.bytes, self.identity, self.start, self.counters)
        return _split_from_stream, (pa.py_buffer(text), *rest)


def _split_from_stream(
    text: pa.Buffer,
    rows: int | None,
    size: int | None,
    identity: str,
    start: int,
    counters: tuple[Counter, ...],
) -> MemorySplit:
    return MemorySplit(
        rows=rows,
        bytes=size,
        identity=identity,
        start=start,
        held=tuple(pa.ipc.open_stream(text)),
        counters=counters,
    )


class ArrowSource:
    """Arrow data as a table: a Table, RecordBatch, reader, list of batches, or any object that
    exports an Arrow stream or array (`__arrow_c_stream__`, `__arrow_c_array__`).

    name      what plans call it
    splits    into how many pieces to cut it; None: by its size
    """

    def __init__(self, data: Any, *, name: str = "arrow", splits: int | None = None) -> None:
        table = as_table(data)
        schema = logical_schema(table.schema, name)
        self._setup(batches_of(_normalised(table, schema)), schema, name, splits)

    @classmethod
    def of_partitions(
        cls, partitions: Sequence[pa.RecordBatch], schema: Schema, name: str, workers: int = 1
    ) -> ArrowSource:
        """A table of batches in their encodings, each of them a split, or several: if there are
        fewer than workers, and much is read of them."""
        made = cls.__new__(cls)
        made._setup(partitions, schema, name, workers)
        made._as_held = True
        return made

    def _setup(
        self,
        held: Sequence[pa.RecordBatch],
        schema: Schema,
        name: str,
        splits: int | None,
        counters: tuple[Counter, ...] = (),
    ) -> None:
        self._held = tuple(held)
        self._name = name
        self._splits = splits
        self._as_held = False  # whether each batch is a split
        self._counters = {name: (first, step) for name, first, step in counters}
        # a number of this process: memory has no name by which two sources could be told equal
        self._identity = f"{name}:{next(_serial)}"
        stored = self._held[0].schema
        self._ranges = {f.name: range_of(f) for f in stored if range_of(f) is not None}
        self._bytes = {n: self._column(n).nbytes for n in stored.names}
        self._rows = sum(b.num_rows for b in self._held)
        self._starts = [0, *itertools.accumulate(b.num_rows for b in self._held[:-1])]
        nulls = {n: self._column(n).null_count for n in stored.names}
        self._schema = Schema(
            tuple(Field(f.name, f.type, nulls.get(f.name, 0) > 0) for f in schema)
        )
        self._known: dict[str, ColumnStatistics] = {}
        self._bounds: dict[tuple[int, str], ColumnStatistics] = {}  # of batches

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def statistics(self) -> Statistics:
        # not kept here: it holds the source, and a table is to go with its last user
        size = float(sum(self._bytes.values()) + 8 * self._rows * len(self._counters))
        columns = LazyColumns(self._schema.names, self._column_statistics)
        return Statistics(float(self._rows), size, columns, exact=True)

    def pushdown(self, predicate: Expr) -> Pushdown:
        """What is kept is asked again and again: pieces without matches are found by their bounds.

        For rows that are read once, measuring these would cost more than it gives.
        """
        return Pushdown.INEXACT if self._as_held else Pushdown.NONE

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        stored = [name for name in columns if name not in self._counters]
        rows, held = self._rows, self._chosen(stored)
        size = sum(self._bytes[name] for name in stored)
        if self._as_held:
            borders = list(self._held_borders(size))
        else:
            count = min(self._splits or split_count(rows, size), max(rows, 1))
            borders = [rows * i // count for i in range(count + 1)]
        return tuple(
            MemorySplit(
                rows=stop - start,
                bytes=size * (stop - start) // max(rows, 1),
                ranges=self._ranges_of(start, stored),
                identity=self._identity,
                start=start,
                held=tuple(_stretch(held, start, stop)),
                counters=tuple(
                    (name, first + start * step, step)
                    for name, (first, step) in self._counters.items()
                    if name in columns
                ),
            )
            for start, stop in itertools.pairwise(borders)
        )

    def _held_borders(self, size: int) -> Iterator[int]:
        """Where splits of partitions begin and end, if `size` bytes of them are read."""
        wanted = min(self._splits or 1, size // _READ_BYTES, self._rows // MIN_SPLIT_ROWS)
        pieces = max(1, -(-wanted // len(self._held)))
        yield 0
        start = 0
        for batch in self._held:
            yield from (start + batch.num_rows * i // pieces for i in range(1, pieces + 1))
            start += batch.num_rows

    def _ranges_of(self, start: int, names: Sequence[str]) -> Mapping[str, ColumnStatistics]:
        """The bounds of the columns of the partition in which a split begins; looked for when asked
        for."""
        if not self._as_held:
            return {}
        number = bisect_right(self._starts, start) - 1
        return LazyColumns(names, lambda name: self._bounds_of(number, name))

    def _bounds_of(self, number: int, name: str) -> ColumnStatistics:
        known = self._bounds.get((number, name))
        if known is None:
            known = column_bounds(self._held[number].column(name))
            self._bounds[number, name] = known
        return known

    def _chosen(self, names: Sequence[str]) -> list[pa.RecordBatch]:
        """Columns of all batches, with the ranges that are known by now."""
        if not names:
            return [batch.select([]) for batch in self._held]
        stored = self._held[0].schema
        fields = [known_field(stored.field(n), n, stored.field(n).type) for n in names]
        schema = pa.schema([with_range(f, self._ranges.get(f.name)) for f in fields])
        return [
            pa.RecordBatch.from_arrays([batch.column(n) for n in names], schema=schema)
            for batch in self._held
        ]

    def _column(self, name: str) -> pa.ChunkedArray:
        return pa.chunked_array([b.column(name) for b in self._held])

    def _column_statistics(self, name: str) -> ColumnStatistics:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._measured(name)
        return known

    def _measured(self, name: str) -> ColumnStatistics:
        rows = self._rows
        if name in self._counters and rows:
            low, high = _counted(*self._counters[name], rows)
            return ColumnStatistics(low, high, 0, rows, 8.0)
        if name in self._counters:
            return ColumnStatistics()
        column = self._column(name)
        known = self._ranges.get(name) or stored_range(column.chunks)
        if known is not None:
            self._ranges[name] = known
        return column_statistics(column, known)


def _stretch(held: Sequence[pa.RecordBatch], start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Rows [start, stop) of batches that follow each other; at least one batch."""
    if start == stop:
        yield held[0].slice(0, 0)
        return
    first = 0
    for batch in held:
        a, b = max(start - first, 0), min(stop - first, batch.num_rows)
        if a < b:
            yield batch if b - a == batch.num_rows else batch.slice(a, b - a)
        first += batch.num_rows


def _counted(first: int, step: int, rows: int) -> Range:
    last = first + (rows - 1) * step
    return min(first, last), max(first, last)


def read(split: MemorySplit, columns: Sequence[str]) -> pa.Table:
    """The columns of a split in the order asked for."""
    most = max(b.num_rows for b in split.held)
    found = list(iterate(split, columns, max(most, 1)))
    if not columns:
        return table_of([], [], sum(b.num_rows for b in found))
    return pa.Table.from_batches(found or [_with_counters(split.held[0], split, columns, 0)])


def iterate(
    split: MemorySplit, columns: Sequence[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a split in slices of at most `batch_rows` rows."""
    done = 0
    for batch in split.held:
        for start in range(0, batch.num_rows, batch_rows):
            piece = batch.slice(start, batch_rows)
            yield _with_counters(piece, split, columns, done + start)
        done += batch.num_rows


def _with_counters(
    batch: pa.RecordBatch, split: MemorySplit, columns: Sequence[str], done: int
) -> pa.RecordBatch:
    """The columns in the order asked for; `done` rows of the split came before."""
    names = list(columns)
    rows = batch.num_rows
    if rows:
        for name, first, step in split.counters:
            low = first + done * step
            field_ = with_range(pa.field(name, pa.int64()), _counted(low, step, rows))
            batch = batch.append_column(field_, pa.array(low + step * np.arange(rows)))
    else:
        for name, _, _ in split.counters:
            batch = batch.append_column(name, pa.array([], pa.int64()))
    return batch if batch.schema.names == names else batch.select(names)


# ---------------------------------------------------------------------------------- conversion


def as_table(data: Any) -> pa.Table:
    """An Arrow table of whatever exports Arrow data."""
    match data:
        case pa.Table():
            return data
        case pa.RecordBatch():
            return pa.Table.from_batches([data])
        case pa.RecordBatchReader():
            return data.read_all()
        case list() | tuple() if data and all(isinstance(b, pa.RecordBatch) for b in data):
            return pa.Table.from_batches(list(data))
        case dict():
            return pa.table(data)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data).read_all()
    if hasattr(data, "__arrow_c_array__"):
        return pa.table(data)
    if hasattr(data, "to_table"):  # a pyarrow.dataset.Dataset
        return data.to_table()
    raise TypeMismatchError(
        f"{type(data).__name__} is no Arrow data: it has no __arrow_c_stream__; pass a "
        "pyarrow.Table, a RecordBatch, or a data frame that exports Arrow"
    )


def _normalised(table: pa.Table, schema: Schema) -> pa.Table:
    columns = []
    for f, column in zip(schema, table.columns, strict=True):
        try:
            # decimals stay as they are: narrowing them now would copy data that may never be read
            same = column.type == f.type
            columns.append(column if same else unify(to_logical(column, f.type)))
        except pa.ArrowException as error:
            raise ReadError(f"Column {f.name!r} cannot be read as {f.type}: {error}") from error
    return table_of(columns, schema.names, table.num_rows)


def batches_of(table: pa.Table) -> list[pa.RecordBatch]:
    """The table as batches, at least one; without copying if they are not small."""
    if not table.num_columns:
        return [pa.RecordBatch.from_arrays([pa.nulls(table.num_rows)], names=["#"]).select([])]
    found = table.to_batches()
    if len(found) > 1 and table.num_rows < _SMALL_CHUNKS * len(found):
        found = table.combine_chunks().to_batches()
    return found or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def encode_low_cardinality(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A string column as dictionary codes if a sample shows that few values repeat often."""
    if not is_string(column.type) or len(column) < 1000:
        return column
    piece = sample(column)
    if piece.distinct > min(1000, piece.values // 8):
        return column
    return unify(column.dictionary_encode())


def slices(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """The table in consecutive pieces of at most `rows` rows."""
    for start in range(0, table.num_rows, rows):
        # a table without columns takes any length for its own
        yield table.slice(start, min(rows, table.num_rows - start))
