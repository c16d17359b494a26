"""CsvSource: CSV files as one table, cut into blocks of bytes that are parsed in parallel.

Opening reads the head of every file and samples of the first: the columns' names and types, about
how long a row is. A split is a range of bytes; the rows that begin in it are its rows (see
`plait.io.csv.rows`). Files that cannot be entered in the middle (compressed, or of a dialect whose
row borders only a reader from the start knows) are one split each.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from plait.errors import ReadError, UnsupportedError
from plait.io import distinct
from plait.io.csv.head import Head
from plait.io.csv.infer import ColumnSample
from plait.io.csv.layout import CsvLayout
from plait.io.csv.options import CsvOptions
from plait.io.csv.sample import Depth, FileSample, choose_types, open_file, settle_header
from plait.io.file_columns import Constants, FileColumns, ranges_of
from plait.io.files import table_identity, table_name
from plait.io.filesystem import FileInfo, PathLike, expand, in_parallel
from plait.io.store.access import Access
from plait.planner.expr import Expr
from plait.planner.schema import Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import is_decimal, is_string

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".csv.bz2", ".csv.zst", ".csv.xz", ".tbl")

_MIN_BLOCK = 4 << 20
_WANTED_BLOCKS = 8
_SAMPLED_FILES = 64


@dataclass(frozen=True, kw_only=True)
class CsvSplit(Split):
    """The rows that begin in bytes [start, end) of a file whose rows begin at byte `first`.

    `end` is None for a file that is read as a stream, whole.
    """

    file: FileInfo
    start: int
    end: int | None
    first: int
    layout: CsvLayout = field(compare=False, repr=False)
    schema: Schema = field(compare=False, repr=False)
    compression: str | None = None
    wide: str | None = None  # the encoding, if it is one of several bytes a letter
    constants: Constants = ()  # what the file tells


class CsvSource:
    """CSV files as one table.

    path               a file, folder, pattern, or list of these; a local path or a URL
    storage_options    for fsspec
    union_by_name      the columns of all files, NULL in files that lack them; otherwise all files
                       have the same columns, in any order
    hive_partitioning, hive_types, filename
                       columns that files tell, see FileColumns
    **options          as in pandas.read_csv, see CsvOptions
    """

    def __init__(
        self,
        path: PathLike | Iterable[PathLike],
        *,
        storage_options: Mapping[str, Any] | Access | None = None,
        union_by_name: bool = False,
        hive_partitioning: bool | None = None,
        hive_types: Mapping[str, Any] | None = None,
        filename: bool | str = False,
        **options: Any,
    ) -> None:
        self._options = CsvOptions.of(options)
        self.files = expand(path, storage_options, SUFFIXES)
        filled = [f for f in self.files if f.size]
        if not filled:
            raise ReadError(f"{self.files[0].shown} is empty: there are no columns to read")
        if self._options.nrows is not None and len(filled) > 1:
            raise UnsupportedError("nrows is for a single file; use .head(n) on the frame")
        self._options = settle_header(filled[0], self._options)
        first = open_file(filled[0], self._options, "probes")
        others = filled[1:]
        step = max(1, len(others) // _SAMPLED_FILES)  # of thousands of files some tell the types

        def opened(number: int) -> FileSample:
            depth: Depth = "names" if number % step and not union_by_name else "rows"
            return open_file(others[number], self._options, depth, first)

        rest = in_parallel(opened, range(len(others)))
        self._samples = [first, *rest]
        if not union_by_name:
            for sample in rest:
                _check_columns(first, sample)
        self._layout = choose_types(self._samples, self._options)
        self._told = FileColumns.of(
            filled, hive_partitioning, hive_types, filename, by_name=self._options.infer_dates
        )
        self._schema = self._told.added_to(self._layout.schema)

    @property
    def name(self) -> str:
        return table_name(self.files)

    @cached_property
    def identity(self) -> str:
        return table_identity("csv", self.files, self._layout, self._told, self._options)

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def labels(self) -> Mapping[str, Hashable]:
        """The columns that pandas would not call by a text: numbers where there is no header."""
        if self._options.names is None and self._options.header is None:
            return {name: int(name) for name in self._layout.names if name.isdecimal()}
        return self._options.labels

    @property
    def statistics(self) -> Statistics:
        by_file = [s.estimated_rows for s in self._samples]
        rows = float(round(sum(by_file)))
        if self._options.nrows is not None:
            rows = min(rows, float(self._options.nrows))

        def column(name: str) -> ColumnStatistics:
            if name in self._told.names:
                return self._told.statistics(name, by_file)
            known = next((s.columns[name] for s in self._samples if name in s.columns), None)
            return _statistics(self._schema[name].type, known, rows)

        columns = {name: column(name) for name in self._schema.names}
        size = sum(c.width or 8.0 for c in columns.values()) * rows
        return Statistics(rows, size, columns)

    @property
    def may_hold_nan(self) -> bool:
        """Whether floats may be NaN; to pandas that is a missing value, and read as NULL."""
        return not self._layout.dialect.nan_is_null

    def pushdown(self, predicate: Expr) -> Pushdown:
        """Text says nothing of its values before it is read; folders and names do."""
        return self._told.pushdown(predicate)

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        known = self.statistics.columns
        width = sum(known[name].width or 8.0 for name in columns)
        block = self._block()
        found: list[Split] = []
        for sample, constants in zip(self._samples, self._told.values, strict=True):
            head = sample.head
            for start, end in self._borders(sample, head, block):
                share = 1.0 if end is None else (end - start) / max(sample.file.size, 1)
                found.append(
                    CsvSplit(
                        bytes=int(sample.estimated_rows * share * width),
                        file=sample.file,
                        start=start,
                        end=end,
                        first=head.first,
                        layout=replace(self._layout, names=head.names, dialect=sample.dialect),
                        schema=self._schema,
                        constants=constants,
                        ranges=ranges_of(constants),
                        compression=sample.compression,
                        wide=sample.wide,
                    )
                )
        return tuple(found)

    def _block(self) -> int | None:
        wanted = self._options.block_bytes
        if wanted is None or self._options.blocksize != CsvOptions.blocksize:
            return wanted
        # less than the default where that would leave workers without work
        total = sum(f.size for f in self.files)
        return min(wanted, max(_MIN_BLOCK, total // _WANTED_BLOCKS))

    def _borders(
        self, sample: FileSample, head: Head, block: int | None
    ) -> list[tuple[int, int | None]]:
        size = sample.file.size
        if not sample.divisible or block is None or self._options.nrows is not None:
            return [(0, None)]
        count = max(1, round((size - head.first) / block))
        borders = [head.first + (size - head.first) * i // count for i in range(count + 1)]
        return list(itertools.pairwise(borders))


def _check_columns(first: FileSample, other: FileSample) -> None:
    """Raise if another file has not the same columns (in any order) as the first."""
    mine, theirs = first.head.names, other.head.names
    if set(mine) == set(theirs):
        return
    missing = [n for n in mine if n not in theirs]
    extra = [n for n in theirs if n not in mine]
    what = f"lacks column {missing[0]!r}" if missing else f"has a further column {extra[0]!r}"
    raise ReadError(
        f"{other.file.shown} {what}; the columns of {first.file.shown} are: {', '.join(mine)}. "
        "Pass union_by_name=True to have the columns of all files, NULL where a file lacks one"
    )


def _statistics(dtype: pa.DataType, sample: ColumnSample | None, rows: float) -> ColumnStatistics:
    if sample is None or not sample.rows:
        return ColumnStatistics()
    nulls = round(rows * sample.nulls / sample.rows)
    found = distinct.estimate([sample.piece], rows - nulls, None, None)
    if is_string(dtype):
        width = 4.0 if sample.few else sample.width + 4
    elif is_decimal(dtype):
        width = 8.0 if dtype.precision <= 18 else 16.0
    else:
        width = max(1.0, dtype.bit_width / 8) if hasattr(dtype, "bit_width") else 8.0
    return ColumnStatistics(nulls=float(nulls), distinct=found, width=width)
