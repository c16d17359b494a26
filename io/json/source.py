"""JsonSource: JSON files as one table, a line an object, or one array of objects a file.

Newlines inside JSON strings are escaped, so a newline always ends a line and files are cut into
ranges of bytes. The columns are those that samples show; values of other keys are ignored. A file
that is one array `[{...}, ...]` is one split. Text that looks like a date is text, unless
`infer_dates`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from plait.config import parse_bytes
from plait.errors import PlanError, ReadError
from plait.io import distinct
from plait.io.compression import compression_of, text_chunks
from plait.io.csv.dates import guess_moment
from plait.io.csv.options import require
from plait.io.dtypes import arrow_type
from plait.io.file_columns import Constants, FileColumns, ranges_of
from plait.io.files import table_identity, table_name
from plait.io.filesystem import FileInfo, PathLike, expand, in_parallel
from plait.io.json.parse import lines_of_array, located, parse_freely
from plait.io.store.access import Access
from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import NULL, STRING, common_type, is_numeric, is_string, is_timestamp

SUFFIXES = (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz", ".jsonl.zst")

_SAMPLE = 1 << 20
_BLOCK = 32 << 20


@dataclass(frozen=True, kw_only=True)
class JsonSplit(Split):
    """The lines that begin in bytes [start, end) of a file; all of it if `end` is None.

    `array`: the file is one JSON array.
    """

    file: FileInfo
    start: int
    end: int | None
    schema: Schema = field(compare=False, repr=False)
    compression: str | None = None
    array: bool = False
    constants: Constants = ()  # what the file tells


@dataclass(frozen=True)
class _Sample:
    file: FileInfo
    compression: str | None
    array: bool
    table: pa.Table
    rows: float
    width: float


class JsonSource:
    """JSON files as one table.

    path               a file, folder, pattern, or list of these; a local path or a URL
    dtype              types of columns that are not to be guessed, by name
    infer_dates        guess dates and timestamps in texts, as DuckDB does
    compression        infer (by suffix), gzip, bz2, zstd, xz, or None
    blocksize          bytes of text a split aims at
    union_by_name      the columns of all files, NULL in files that lack them; False: those of the
                       first file
    hive_partitioning, hive_types, filename
                       columns that files tell, see FileColumns
    """

    may_hold_nan = False  # a NaN is read as NULL

    def __init__(
        self,
        path: PathLike | Iterable[PathLike],
        *,
        storage_options: Mapping[str, Any] | Access | None = None,
        dtype: Mapping[str, Any] | None = None,
        infer_dates: bool = False,
        compression: str | None = "infer",
        blocksize: int | str | None = _BLOCK,
        union_by_name: bool = True,
        hive_partitioning: bool | None = None,
        hive_types: Mapping[str, Any] | None = None,
        filename: bool | str = False,
    ) -> None:
        self.files = expand(path, storage_options, SUFFIXES)
        filled = [f for f in self.files if f.size]
        if not filled:
            raise ReadError(f"{self.files[0].shown} is empty: there are no columns to read")
        self._samples = in_parallel(lambda f: _sample(f, compression), filled)
        self._told = FileColumns.of(
            filled, hive_partitioning, hive_types, filename, by_name=infer_dates
        )
        stored = _schema(self._samples, dtype or {}, infer_dates)
        if not union_by_name:
            stored = Schema(tuple(stored[n] for n in self._samples[0].table.column_names))
        self._schema = self._told.added_to(stored)
        try:
            self._block = None if blocksize is None else max(1, parse_bytes(blocksize))
        except ValueError as error:
            raise PlanError(f"blocksize: {error}") from None

    @property
    def name(self) -> str:
        return table_name(self.files)

    @cached_property
    def identity(self) -> str:
        return table_identity("json", self.files, self._schema, self._told, self._block)

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def statistics(self) -> Statistics:
        rows = float(round(sum(s.rows for s in self._samples)))
        columns = {f.name: self._column(f, rows) for f in self._schema}
        return Statistics(rows, sum(c.width or 8.0 for c in columns.values()) * rows, columns)

    def _column(self, f: Field, rows: float) -> ColumnStatistics:
        if f.name in self._told.names:
            return self._told.statistics(f.name, [s.rows for s in self._samples])
        table = self._samples[0].table
        if f.name not in table.column_names or not table.num_rows:
            return ColumnStatistics()
        column = table.column(f.name)
        nulls = round(rows * column.null_count / len(column))
        found = None
        if not pat.is_nested(column.type) and not pat.is_null(column.type):
            piece = distinct.Piece(
                len(column.drop_null().unique()), len(column) - column.null_count
            )
            found = distinct.estimate([piece], rows - nulls, None, None)
        return ColumnStatistics(None, None, nulls, found, column.nbytes / len(column))

    def pushdown(self, predicate: Expr) -> Pushdown:
        """Text says nothing of its values before it is read; folders and names do."""
        return self._told.pushdown(predicate)

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        found: list[Split] = []
        for sample, constants in zip(self._samples, self._told.values, strict=True):
            for start, end in self._borders(sample):
                share = 1.0 if end is None else (end - start) / sample.file.size
                found.append(
                    JsonSplit(
                        bytes=int(sample.rows * sample.width * share),
                        file=sample.file,
                        start=start,
                        end=end,
                        schema=self._schema,
                        compression=sample.compression,
                        array=sample.array,
                        constants=constants,
                        ranges=ranges_of(constants),
                    )
                )
        return tuple(found)

    def _borders(self, sample: _Sample) -> list[tuple[int, int | None]]:
        if sample.array or sample.compression is not None or self._block is None:
            return [(0, None)]
        count = max(1, round(sample.file.size / self._block))
        return list(itertools.pairwise(sample.file.size * i // count for i in range(count + 1)))


def _sample(file: FileInfo, asked: str | None) -> _Sample:
    compression = compression_of(file.path, asked)
    chunks = text_chunks(file, compression, None, _SAMPLE)
    text = next(chunks, b"")
    whole = next(chunks, None) is None
    array = text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if array:
        text = lines_of_array(file, b"".join([text, *_rest(file, compression, len(text))]))
        whole = True
    elif not whole:
        cut = text.rfind(b"\n") + 1
        if not cut:
            raise ReadError(f"{file.shown}: the first line is longer than {_SAMPLE} bytes")
        text = text[:cut]
    with located(file, text, lambda: 0):
        table = parse_freely(text)
    size = file.size * (4 if compression else 1)
    rows = float(table.num_rows) if whole else table.num_rows * size / len(text)
    width = table.nbytes / table.num_rows if table.num_rows else 8.0
    return _Sample(file, compression, array, table, rows, width)


def _rest(file: FileInfo, compression: str | None, start: int) -> list[bytes]:
    return [b"".join(text_chunks(file, compression, None, 8 << 20))[start:]]


def _schema(samples: Sequence[_Sample], dtype: Mapping[str, Any], infer_dates: bool) -> Schema:
    types: dict[str, pa.DataType] = {}
    for sample in samples:
        for f in sample.table.schema:
            wider = _merge(types.get(f.name, NULL), f.type)
            if wider is None:
                raise ReadError(
                    f"Column {f.name!r} is {types[f.name]} in {samples[0].file.shown} and "
                    f"{f.type} in {sample.file.shown}; pass dtype={{{f.name!r}: ...}}"
                )
            types[f.name] = wider
    for name, found in types.items():
        if infer_dates and is_string(found):
            guessed = [_guessed(s.table, name) for s in samples]
            found = guessed[0] if all(g == guessed[0] for g in guessed) else STRING
        types[name] = _settled(found)
    for name, wanted in dtype.items():
        types[require(name, list(types), "dtype")] = arrow_type(wanted)
    if not types:
        raise ReadError(f"{samples[0].file.shown} holds no objects with keys")
    return Schema.of(types.items())


def _guessed(table: pa.Table, name: str) -> pa.DataType:
    if name not in table.column_names or not is_string(table.column(name).type):
        return STRING
    values = table.column(name).drop_null().combine_chunks()
    found = guess_moment(values.unique()) if len(values) else None
    # pyarrow's parser of JSON knows no other format than ISO 8601
    if found is None or found.format is not None:
        return STRING
    return found.type if pat.is_date(found.type) or is_timestamp(found.type) else STRING


def _merge(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type that holds values of both, None if there is none."""
    if a == b or b == NULL:
        return a
    if a == NULL:
        return b
    if pat.is_list(a) and pat.is_list(b):
        inner = _merge(a.value_type, b.value_type)
        return None if inner is None else pa.list_(inner)
    if pat.is_struct(a) and pat.is_struct(b):
        types = {f.name: f.type for f in a}
        for f in b:
            merged = _merge(types.get(f.name, NULL), f.type)
            if merged is None:
                return None
            types[f.name] = merged
        return pa.struct(list(types.items()))
    return common_type(a, b) if is_numeric(a) and is_numeric(b) else None


def _settled(found: pa.DataType) -> pa.DataType:
    """The type without the unknown ones within it."""
    if found == NULL:
        return STRING
    if pat.is_list(found):
        return pa.list_(_settled(found.value_type))
    if pat.is_struct(found):
        return pa.struct([(f.name, _settled(f.type)) for f in found])
    return found
