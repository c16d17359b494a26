"""ArrowSource: tables in memory. Splits are zero-copy slices; pickling one ships only its rows.

Columns are normalised once, when the source is made: string views and large strings become
strings, dictionaries of strings dictionary<int32, string>, other dictionaries their values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from plait.errors import ReadError, TypeMismatchError
from plait.io import distinct
from plait.io.encoding import logical_schema, table_of, to_logical, unify
from plait.io.splitting import split_count
from plait.io.statistics import LazyColumns
from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import is_float, is_numeric, is_string, is_temporal

_SAMPLE = 20_000
_serial = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class MemorySplit(Split):
    """Rows [start, start + len(table)) of a table in memory.

    `counters` are columns that are only counted out when read: name, first value, step.
    """

    identity: str
    start: int
    table: pa.Table = field(compare=False, repr=False)
    counters: tuple[tuple[str, int, int], ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # pickling a slice of a table would ship the whole table; an IPC stream holds the slice
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        text = sink.getvalue()
        rest = (self.rows, self.bytes, dict(self.ranges), self.identity, self.start, self.counters)
        return _split_from_stream, (pa.py_buffer(text), self.table.num_rows, *rest)


def _split_from_stream(
    text: pa.Buffer,
    rows_stored: int,
    rows: int | None,
    size: int | None,
    ranges: dict[str, ColumnStatistics],
    identity: str,
    start: int,
    counters: tuple[tuple[str, int, int], ...],
) -> MemorySplit:
    table = pa.ipc.open_stream(text).read_all()
    if not table.num_columns:
        table = table_of([], [], rows_stored)
    return MemorySplit(
        rows=rows,
        bytes=size,
        ranges=ranges,
        identity=identity,
        start=start,
        table=table,
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
        self._setup(_normalised(table, schema), schema, name, splits)

    def _setup(
        self,
        table: pa.Table,
        schema: Schema,
        name: str,
        splits: int | None,
        counters: tuple[tuple[str, int, int], ...] = (),
    ) -> None:
        self._table = table
        self._name = name
        self._splits = splits
        self._counters = counters
        # a number of this process: memory has no name by which two sources could be told equal
        self._identity = f"{name}:{next(_serial)}"
        self._known: dict[str, ColumnStatistics] = {}
        nulls = {
            f.name: table.column(f.name).null_count for f in schema if f.name in table.column_names
        }
        self._schema = Schema(
            tuple(Field(f.name, f.type, nulls.get(f.name, 0) > 0) for f in schema)
        )

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
        rows = self._table.num_rows
        columns = LazyColumns(self._schema.names, self._column_statistics)
        size = float(self._table.nbytes + 8 * rows * len(self._counters))
        return Statistics(float(rows), size, columns, exact=True)

    def pushdown(self, predicate: Expr) -> Pushdown:
        """Nothing to gain: the rows are here already."""
        return Pushdown.NONE

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        counted = {name for name, _, _ in self._counters}
        stored = [name for name in columns if name not in counted]
        rows = self._table.num_rows
        table = table_of([self._table.column(n) for n in stored], stored, rows)
        size = table.nbytes
        count = min(self._splits or split_count(rows, size), max(rows, 1))
        borders = [rows * i // count for i in range(count + 1)]
        return tuple(
            MemorySplit(
                rows=stop - start,
                bytes=size * (stop - start) // max(rows, 1),
                identity=self._identity,
                start=start,
                table=table.slice(start, stop - start),
                counters=tuple(
                    (name, first + start * step, step)
                    for name, first, step in self._counters
                    if name in columns
                ),
            )
            for start, stop in itertools.pairwise(borders)
        )

    def _column_statistics(self, name: str) -> ColumnStatistics:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._measured(name)
        return known

    def _measured(self, name: str) -> ColumnStatistics:
        rows = self._table.num_rows
        for counter, first, step in self._counters:
            if counter == name and rows:
                last = first + (rows - 1) * step
                return ColumnStatistics(min(first, last), max(first, last), 0, rows, 8.0)
        column = self._table.column(name)
        low, high = _bounds(column)
        width = column.nbytes / rows if rows else None
        pieces = [_sample(column)]
        found = distinct.estimate(pieces, rows - column.null_count, low, high)
        return ColumnStatistics(low, high, column.null_count, found, width)


def read(split: MemorySplit, columns: Sequence[str]) -> pa.Table:
    """The columns of a split in the order asked for."""
    counters = {name: (first, step) for name, first, step in split.counters}
    rows = split.table.num_rows
    found = []
    for name in columns:
        if name in counters:
            first, step = counters[name]
            found.append(pa.array(first + step * np.arange(rows, dtype=np.int64)))
        else:
            found.append(split.table.column(name))
    return table_of(found, columns, rows)


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


# ---------------------------------------------------------------------------------- statistics


def _bounds(column: pa.ChunkedArray) -> tuple[Any, Any]:
    found = column.type
    if not (is_numeric(found) or is_temporal(found)) or pat.is_decimal64(found):
        return None, None
    if is_float(found) and pc.any(pc.is_nan(column)).as_py():
        return None, None
    extremes = pc.min_max(column)
    if pat.is_timestamp(found) and found.unit == "ns":
        return _microseconds(extremes["min"], 0), _microseconds(extremes["max"], 999)
    return extremes["min"].as_py(), extremes["max"].as_py()


def _microseconds(value: pa.Scalar, add: int) -> Any:
    """A nanosecond timestamp as a Python datetime; `add` rounds an upper bound upwards."""
    if not value.is_valid:
        return None
    micro = pa.scalar((value.value + add) // 1000, pa.int64())
    return micro.cast(pa.timestamp("us", tz=value.type.tz)).as_py()


def _sample(column: pa.ChunkedArray) -> distinct.Piece:
    """Different values in evenly spread stretches of a column."""
    rows = len(column)
    if pat.is_nested(column.type) or pat.is_null(column.type):
        return distinct.Piece(0, 0)
    if rows <= _SAMPLE:
        part = column
    else:
        stretch, count = 500, _SAMPLE // 500
        starts = [round(i * (rows - stretch) / (count - 1)) for i in range(count)]
        chunks = [c for s in starts for c in column.slice(s, stretch).chunks]
        part = pa.chunked_array(chunks, column.type)
    if pat.is_dictionary(part.type):
        part = pa.chunked_array([c.indices for c in unify(part).chunks], pa.int32())
    values = len(part) - part.null_count
    return distinct.Piece(int(pc.count_distinct(part, mode="only_valid").as_py()), values)


def encode_low_cardinality(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A string column as dictionary codes if a sample shows that few values repeat often."""
    if not is_string(column.type) or len(column) < 1000:
        return column
    piece = _sample(column)
    if piece.distinct > min(1000, piece.values // 8):
        return column
    return unify(column.dictionary_encode())


def slices(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """The table in consecutive pieces of at most `rows` rows."""
    for start in range(0, table.num_rows, rows):
        # a table without columns takes any length for its own
        yield table.slice(start, min(rows, table.num_rows - start))
