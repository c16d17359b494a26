"""ParquetSource: Parquet files as one table; planning sees their footers only.

Files are matched by column name: a column that a file lacks is NULL there (unless `union_by_name`
is False), integers and floats widen to the wider type of all files; anything else that differs is
an error naming file and column.
Splits are runs of row groups of one file. `plait.io.parquet.read` reads them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from plait.errors import ReadError
from plait.io import distinct
from plait.io.file_columns import Constants, FileColumns, constant_statistics
from plait.io.files import table_identity, table_name
from plait.io.filesystem import FileInfo, PathLike, expand
from plait.io.parquet.footer import TAIL_STORE, Footer, footers
from plait.io.splitting import SPLIT_BYTES, SPLIT_ROWS, least_splits, runs, split_count
from plait.io.statistics import LazyColumns, merge
from plait.io.store.access import Access
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.predicates import references
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import common_type, is_decimal, is_timestamp, same_kind

SUFFIXES = (".parquet", ".parq", ".pq")

_SAMPLED_FILES = 16
_COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
_PRUNABLE = _COMPARISONS | {"in", "is_null", "is_not_null", "and", "or", "not"}
_PRUNABLE |= {"like", "starts_with", "is_not_distinct"}


@dataclass(frozen=True, kw_only=True)
class ParquetSplit(Split):
    """Some row groups of a file; `schema` has the table's types, `constants` what it tells."""

    file: FileInfo
    row_groups: tuple[int, ...]
    schema: Schema = field(compare=False)
    constants: Constants = ()

    @property
    def affinity(self) -> int:
        """The first row group of this version of the file: columns are kept by row groups."""
        file = self.file
        if not file.identity:
            return 0
        text = f"{file.path}\0{file.size}\0{file.identity}\0{self.row_groups[0]}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


class ParquetSource:
    """Parquet files as one table.

    path                 a file, folder, pattern, or list of these; a local path or a URL
    storage_options      for fsspec
    union_by_name        False: all files have the columns of the first, and more are left out
    hive_partitioning, hive_types, filename
                         columns that files tell, see FileColumns
    split_bytes          decoded bytes of the columns asked for that one split aims at
    split_rows           rows that one split aims at
    """

    def __init__(
        self,
        path: PathLike | Iterable[PathLike],
        *,
        storage_options: Mapping[str, Any] | Access | None = None,
        union_by_name: bool = True,
        hive_partitioning: bool | None = None,
        hive_types: Mapping[str, Any] | None = None,
        filename: bool | str = False,
        as_duckdb: bool = False,
        split_bytes: int = SPLIT_BYTES,
        split_rows: int = SPLIT_ROWS,
    ) -> None:
        files = expand(path, storage_options, SUFFIXES, end=TAIL_STORE)
        told = FileColumns.of(files, hive_partitioning, hive_types, filename, by_name=as_duckdb)
        self._open(files, told, split_bytes, split_rows, union_by_name)

    def _open(
        self,
        files: tuple[FileInfo, ...],
        told: FileColumns,
        split_bytes: int,
        split_rows: int,
        union_by_name: bool = True,
        declared: Schema | None = None,
    ) -> None:
        """Reads the footers; `declared` is the schema, if the files need not tell it."""
        self.files, self._told = files, told
        self._footers = footers(files)
        if declared is not None:
            self._schema = _checked(declared, self._footers, told.partitions)
        else:
            merged = _merged_schema(self._footers)
            if not union_by_name:
                merged = _of_first(merged, self._footers, told.partitions)
            self._schema = told.added_to(merged)
        self._split_bytes, self._split_rows = split_bytes, split_rows
        self._statistics: Statistics | None = None

    @property
    def name(self) -> str:
        return table_name(self.files)

    @cached_property
    def identity(self) -> str:
        how = self._schema, self._told, self._split_bytes, self._split_rows
        return table_identity("parquet", self.files, *how)

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def statistics(self) -> Statistics:
        if self._statistics is None:
            rows = sum(f.metadata.num_rows for f in self._footers)
            size = sum(
                f.decoded_bytes(name, group)
                for f in self._footers
                for name in f.schema.names
                for group in range(len(f.rows))
            )
            columns = LazyColumns(self._schema.names, self._column_statistics)
            self._statistics = Statistics(float(rows), float(size), columns, exact=True)
        return self._statistics

    def pushdown(self, predicate: Expr) -> Pushdown:
        """EXACT over partition columns alone, INEXACT where bounds can rule out row groups."""
        names = references(predicate)
        if names and names <= self._told.names and _decided_by_constants(predicate):
            return Pushdown.EXACT
        return Pushdown.INEXACT if _prunable(predicate) else Pushdown.NONE

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        found: list[Split] = []
        stored = [
            [n for n in columns if n in f.leaves and n not in self._told.names]
            for f in self._footers
        ]
        weights = [
            [sum(f.decoded_bytes(n, g) for n in names) or 1 for g in range(len(f.rows))]
            for f, names in zip(self._footers, stored, strict=True)
        ]
        rows = sum(f.metadata.num_rows for f in self._footers)
        size = sum(map(sum, weights))
        wanted = split_count(rows, size, self._split_bytes, self._split_rows)
        least = least_splits(rows, size, self._split_bytes, self._split_rows)
        for number, (footer, file_weights) in enumerate(zip(self._footers, weights, strict=True)):
            part = sum(file_weights) / size if size else 0
            for groups in _cut(footer, file_weights, round(wanted * part), round(least * part)):
                found.append(
                    self._split(number, footer, groups, sum(file_weights[g] for g in groups))
                )
        return tuple(found)

    def _split(self, number: int, footer: Footer, groups: range, size: int) -> ParquetSplit:
        constants = self._told.values[number]

        def column(name: str) -> ColumnStatistics:
            return split_statistics(footer, groups, constants, name)

        return ParquetSplit(
            rows=sum(footer.rows[g] for g in groups),
            bytes=size,
            ranges=LazyColumns(self._schema.names, column),
            file=footer.file,
            row_groups=tuple(groups),
            schema=self._schema,
            constants=constants,
        )

    def _column_statistics(self, name: str) -> ColumnStatistics:
        rows = [float(f.metadata.num_rows) for f in self._footers]
        if name in self._told.names:
            return self._told.statistics(name, rows)
        parts = [split_statistics(f, range(len(f.rows)), (), name) for f in self._footers]
        merged = merge(parts, rows)
        values = sum(rows) - (merged.nulls or 0)
        pieces = _pieces(self._footers, name)
        found = distinct.estimate(pieces, values, merged.minimum, merged.maximum)
        return ColumnStatistics(merged.minimum, merged.maximum, merged.nulls, found, merged.width)


def _cut(footer: Footer, weights: Sequence[int], wanted: int, least: int) -> Iterator[range]:
    """The row groups of a file in about `wanted` runs; stretches, which are decoded at once, stay
    whole if there are at `least` so many."""
    units = footer.stretches
    if least > len(units):
        units = tuple(range(g, g + 1) for g in range(len(weights)))
    if units:
        for run in runs([sum(weights[g] for g in unit) for unit in units], max(wanted, 1)):
            yield range(units[run.start].start, units[run.stop - 1].stop)


def split_statistics(
    footer: Footer, groups: Sequence[int], constants: Constants, name: str
) -> ColumnStatistics:
    """Bounds and nulls of one column over some row groups of a file."""
    rows = float(sum(footer.rows[g] for g in groups))
    for key, value in constants:
        if key == name:
            return constant_statistics(value, rows)
    if name not in footer.leaves:
        return ColumnStatistics(nulls=rows, width=0.0)
    column = footer.column(name)
    return merge([column[g] for g in groups], [float(footer.rows[g]) for g in groups])


def _pieces(found: Sequence[Footer], name: str) -> list[distinct.Piece]:
    """What the dictionary pages of some row groups say of a column."""
    step = max(1, len(found) // _SAMPLED_FILES)
    pieces = []
    for footer in found[::step]:
        sampled = footer.samples.get(name, {})
        for group, sample in sampled.items():
            bounds = footer.column(name)[group]
            if sample is None or not sample.complete:
                return []
            pieces.append(
                distinct.Piece(sample.entries, sample.values, bounds.minimum, bounds.maximum)
            )
    return pieces


# ---------------------------------------------------------------------------------- schema


def _merged_schema(found: Sequence[Footer]) -> Schema:
    """The columns of all files, by name, in the order of their first appearance."""
    if len({id(f.schema) for f in found}) == 1 or all(f.schema == found[0].schema for f in found):
        return Schema(tuple(_refined(f, found) for f in found[0].schema))
    merged: dict[str, tuple[Field, Footer]] = {}
    for footer in found:
        for f in footer.schema:
            if f.name not in merged:
                merged[f.name] = (f, footer)
                continue
            known, first = merged[f.name]
            wider = _wider(known.type, f.type)
            if wider is None:
                raise ReadError(
                    f"Column {f.name!r} is {known.type} in {first.file.shown} and {f.type} in "
                    f"{footer.file.shown}; read them apart and cast one"
                )
            merged[f.name] = (Field(f.name, wider, known.nullable or f.nullable), first)
    fields = []
    for name, (f, _) in merged.items():
        everywhere = all(name in footer.leaves for footer in found)
        fields.append(_refined(f, found) if everywhere else Field(name, f.type))
    return Schema(tuple(fields))


def _checked(declared: Schema, found: Sequence[Footer], told: Container[str]) -> Schema:
    """The schema declared for some files, if each can be read as it says."""
    for footer in found:
        for f in declared:
            if f.name in told or f.name not in footer.leaves:
                continue
            stored = footer.schema[f.name].type
            moments = is_timestamp(stored) and is_timestamp(f.type)
            if not moments and _wider(f.type, stored) != f.type:
                raise ReadError(
                    f"Column {f.name!r} is {f.type} in the table and {stored} in "
                    f"{footer.file.shown}"
                )
    return declared


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type both columns can be read as without losing what they say."""
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if not same_kind(a, b) or is_decimal(a) != is_decimal(b):
        return None
    return common_type(a, b)


def _refined(f: Field, found: Sequence[Footer]) -> Field:
    """A column in which the footers count no NULL cannot hold any, whatever it was declared."""
    if not f.nullable or not all(footer.leaves[f.name].flat for footer in found):
        return f
    nulls = (c.nulls for footer in found for c in footer.column(f.name))
    return Field(f.name, f.type, not all(n == 0 for n in nulls))


def _of_first(merged: Schema, found: Sequence[Footer], told: Container[str]) -> Schema:
    """The columns of the first file, which all others must have."""
    first = found[0]
    for footer in found:
        for name in first.schema.names:
            if name not in footer.leaves and name not in told:
                raise ReadError(
                    f"{footer.file.shown} lacks column {name!r} of {first.file.shown}; "
                    "pass union_by_name=True to have it NULL there"
                )
    return Schema(tuple(merged[name] for name in first.schema.names))


# ------------------------------------------------------------------------------- predicates


def _prunable(predicate: Expr) -> bool:
    """Whether bounds of columns may show that no row passes."""
    return any(isinstance(e, Call) and e.function in _PRUNABLE for e in predicate.walk())


def _decided_by_constants(predicate: Expr) -> bool:
    """Whether knowing the columns' one value decides the predicate, with nothing left to guess."""
    match predicate:
        case Call("and" | "or" | "not", args):
            return all(_decided_by_constants(a) for a in args)
        case Call("is_null" | "is_not_null", (Column(),)):
            return True
        case Call("in", args):
            return all(_plain(a, args[0].dtype) for a in args)
        case Call(function, (a, b)) if function in _COMPARISONS:
            return _plain(a, b.dtype) and _plain(b, a.dtype)
    return False


def _plain(e: Expr, other: pa.DataType) -> bool:
    return isinstance(e, Column | Literal) and e.dtype == other
