"""Columns that a file does not hold but tells: partition columns from its folders, its own name.

Every value of such a column is the same throughout a file, so splits carry them as constants:
whole files are left out by them, and reading adds them to what was read. Columns that other files
of the same table have are NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from plait.errors import PlanError, nearest_names
from plait.io.dtypes import arrow_type
from plait.io.encoding import table_of
from plait.io.files import FileInfo
from plait.io.hive import Value, keys_of, partition_fields
from plait.planner.expr import Expr
from plait.planner.predicates import references
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import STRING

Constants = tuple[tuple[str, Any], ...]  # names and values as Python has them

FILENAME = "filename"


@dataclass(frozen=True)
class FileColumns:
    """The columns told by files, and for each file their values."""

    fields: tuple[Field, ...]
    values: tuple[Constants, ...]
    partitions: frozenset[str] = frozenset()

    @staticmethod
    def of(
        files: Sequence[FileInfo],
        hive_partitioning: bool | None = None,
        hive_types: Mapping[str, Any] | None = None,
        filename: bool | str = False,
        by_name: bool = False,
    ) -> FileColumns:
        """What some files tell.

        hive_partitioning    whether `key=value` folders are columns; None: if all files have any
        hive_types           types of partition columns that are not to be guessed
        filename             a column of the files' paths: True, or the name it is to have
        by_name              partition columns in the order of their names, as in DuckDB, instead of
                             the folders'
        """
        paths = [file.shown for file in files]
        if hive_partitioning is None:
            hive_partitioning = all(keys_of(path) for path in paths)
        types = {key: arrow_type(wanted) for key, wanted in (hive_types or {}).items()}
        hive: tuple[Field, ...] = ()
        found: Sequence[Mapping[str, Value]] = [{} for _ in paths]
        if hive_partitioning:
            hive, found = partition_fields(paths, types)
        known = [f.name for f in hive]
        for key in types:
            if key not in known:
                close = nearest_names(key, known)
                near = f" (did you mean {close[0]!r}?)" if close else ""
                raise PlanError(
                    f"hive_types: {key!r} is no partition folder of {paths[0]}{near}; "
                    f"there are {', '.join(known) or 'none'}"
                )
        if by_name:
            hive = tuple(sorted(hive, key=lambda f: f.name))
        values = tuple(tuple((f.name, row[f.name]) for f in hive) for row in found)
        partitions = frozenset(known)
        if not filename:
            return FileColumns(hive, values, partitions)
        named = filename if isinstance(filename, str) else FILENAME
        if named in partitions:
            raise PlanError(f"filename={named!r}: there is a partition column of this name")
        return FileColumns(
            (Field(named, STRING, False), *hive),
            tuple(((named, path), *row) for path, row in zip(paths, values, strict=True)),
            partitions,
        )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(f.name for f in self.fields)

    def added_to(self, schema: Schema) -> Schema:
        """The schema of what is stored, with these columns; partitions win over stored columns."""
        by_name = {f.name: f for f in self.fields}
        for name in by_name:
            if name in schema.names and name not in self.partitions:
                raise PlanError(
                    f"filename={name!r}: there is a column of this name; "
                    "give another one, as in filename='source_file'"
                )
        stored = tuple(by_name.pop(f.name, f) for f in schema)
        return Schema((*stored, *by_name.values()))

    def pushdown(self, predicate: Expr) -> Pushdown:
        """INEXACT over these columns alone: whole files are left out, the others are read whole."""
        names = references(predicate)
        return Pushdown.INEXACT if names and names <= self.names else Pushdown.NONE

    def statistics(self, name: str, rows: Sequence[float]) -> ColumnStatistics:
        """Of one of these columns, for files of so many rows."""
        column = [dict(row)[name] for row in self.values]
        present: list[Any] = [value for value in column if value is not None]
        nulls = sum(n for value, n in zip(column, rows, strict=True) if value is None)
        if not present:
            return ColumnStatistics(nulls=nulls, width=8.0)
        return ColumnStatistics(
            min(present), max(present), nulls, float(len(set(present))), width=8.0
        )


def ranges_of(constants: Constants, rows: float = 1.0) -> dict[str, ColumnStatistics]:
    """The constants as bounds, by which a split may be left out."""
    return {name: constant_statistics(value, rows) for name, value in constants}


def constant_statistics(value: Any, rows: float) -> ColumnStatistics:
    """The statistics of a column that has one value in `rows` rows."""
    return ColumnStatistics(value, value, rows if value is None else 0.0, None, 8.0)


def stored_names(columns: Iterable[str], constants: Constants, held: Iterable[str]) -> list[str]:
    """Those of the columns that are to be read from a file which holds the columns `held`."""
    told, found = dict(constants), set(held)
    return [name for name in columns if name in found and name not in told]


def completed(
    table: pa.Table, columns: Sequence[str], schema: Schema, constants: Constants
) -> pa.Table:
    """The columns in the order asked for: as read, constant, or NULL if the file lacks them."""
    if list(columns) == table.column_names:
        return table
    rows = table.num_rows
    found = []
    for name in columns:
        if name in table.column_names and all(name != told for told, _ in constants):
            # by position: a struct's fields may carry the same dotted name as a column
            column = table.column(table.column_names.index(name))
        else:
            column = pa.chunked_array([told_column(name, schema[name].type, constants, rows)])
        found.append(column)
    return table_of(found, columns, rows)


def told_column(name: str, dtype: pa.DataType, constants: Constants, rows: int) -> pa.Array:
    """A column that is not read: constant, or NULL because the file lacks it."""
    told = dict(constants)
    return constant(pa.scalar(told[name], dtype), rows) if name in told else pa.nulls(rows, dtype)


def constant(value: pa.Scalar, rows: int) -> pa.Array:
    """A column of one value; texts as codes."""
    if pa.types.is_string(value.type):
        codes = pa.repeat(pa.scalar(0 if value.is_valid else None, pa.int32()), rows)
        entries = pa.array([value.as_py()] if value.is_valid else [], pa.string())
        return pa.DictionaryArray.from_arrays(codes, entries)
    return pa.repeat(value, rows)
