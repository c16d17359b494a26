"""Reading row groups: local files through a memory map, others from ranges that are fetched
together and decoded as they land.

Row groups whose bounds cannot match the predicate are skipped; partition columns are constants, so
a predicate over them alone is decided here for the whole split. Columns come back in their logical
type or one of its encodings (see `plait.io.encoding`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plait.errors import ReadError
from plait.io.encoding import stored_decimals, table_of, to_logical, unify
from plait.io.file_columns import completed, stored_names
from plait.io.files import Bytes, Parts, Range, RangeReader
from plait.io.filesystem import FileInfo, check_unchanged, open_ranges
from plait.io.memory import slices
from plait.io.parquet.ahead import Together, take
from plait.io.parquet.footer import Footer, footer
from plait.io.parquet.source import ParquetSplit, split_statistics
from plait.io.statistics import LazyColumns
from plait.planner.expr import Expr
from plait.planner.predicates import can_match
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import is_decimal, is_float, is_integer

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def prune(
    split: ParquetSplit,
    predicate: Expr | None,
    bounds: Mapping[str, ColumnStatistics] | None = None,
) -> tuple[int, ...]:
    """The row groups of a split that may hold a row for which the predicate is true.

    `bounds` are further limits on columns, known only while the query runs (the keys of a join's
    other side): a row group whose own bounds lie apart from them is left out.
    """
    known = footer(split.file)
    kept = []
    for group in split.row_groups:

        def column(name: str, group: int = group) -> ColumnStatistics:
            return split_statistics(known, (group,), split.constants, name)

        ranges = LazyColumns(split.schema.names, column)
        if predicate is not None and not can_match(predicate, ranges, known.rows[group]):
            continue
        if any(
            apart(ranges[name], limits)
            for name, limits in (bounds or {}).items()
            if not is_float(split.schema[name].type)  # NaN lies outside all bounds
        ):
            continue
        kept.append(group)
    return tuple(kept)


def apart(a: ColumnStatistics, b: ColumnStatistics) -> bool:
    """Whether two columns with these bounds have no value in common."""
    return _below(a.maximum, b.minimum) or _below(b.maximum, a.minimum)


def _below(high: Any, low: Any) -> bool:
    try:
        return high is not None and low is not None and bool(high < low)
    except TypeError:  # values that do not compare say nothing
        return False


def read(split: ParquetSplit, columns: Sequence[str], predicate: Expr | None = None) -> pa.Table:
    """The split's rows; those for which the predicate is not true may or may not be left out."""
    groups = prune(split, predicate)
    known = footer(split.file)
    stored = stored_names(columns, split.constants, known.leaves)
    rows = sum(known.rows[g] for g in groups)
    if not stored or not groups:
        _check(split.file)
        return _finish(split, columns, table_of([], [], rows), rows)
    with _opened(split, known, groups, stored, predicate) as opened:
        table = opened.read_row_groups(list(groups), columns=stored, use_threads=False)
    return _finish(split, columns, table, rows)


def iterate(
    split: ParquetSplit, columns: Sequence[str], predicate: Expr | None, batch_rows: int
) -> Iterator[pa.Table]:
    """The rows of `read` in pieces of at most `batch_rows`, decoded as they are asked for."""
    groups = prune(split, predicate)
    known = footer(split.file)
    stored = stored_names(columns, split.constants, known.leaves)
    if not stored or not groups:
        yield from slices(read(split, columns, predicate), batch_rows)
        return
    with _opened(split, known, groups, stored, predicate) as opened:
        for some in _together(groups, known, batch_rows):
            for batch in opened.iter_batches(batch_rows, some, columns=stored, use_threads=False):
                yield _finish(split, columns, pa.Table.from_batches([batch]), batch.num_rows)


def _together(groups: Sequence[int], known: Footer, batch_rows: int) -> Iterator[list[int]]:
    """Runs of row groups that make one batch; every dictionary ends with its row group, so a batch
    that takes a little of the next one would come in pieces."""
    some: list[int] = []
    rows = 0
    for group in groups:
        if some and rows + known.rows[group] > batch_rows:
            yield some
            some, rows = [], 0
        some.append(group)
        rows += known.rows[group]
    if some:
        yield some


def _finish(split: ParquetSplit, columns: Sequence[str], table: pa.Table, rows: int) -> pa.Table:
    """The asked columns in order: stored, constant, or NULL because this file lacks them."""
    known = footer(split.file)
    names = stored_names(columns, split.constants, table.column_names)
    found = []
    for name in names:
        # by position: a struct's fields may carry the same dotted name as a column
        column = table.column(table.column_names.index(name))
        stored = known.found.field(name).type
        if is_decimal(stored) and is_integer(column.type):
            column = stored_decimals(column, stored)
        found.append(unify(to_logical(column, split.schema[name].type)))
    return completed(table_of(found, names, rows), columns, split.schema, split.constants)


# ---------------------------------------------------------------------------------- opening


@contextmanager
def _opened(
    split: ParquetSplit,
    known: Footer,
    groups: Sequence[int],
    columns: Sequence[str],
    predicate: Expr | None,
) -> Iterator[pq.ParquetFile]:
    """The file to decode row groups from; of a file in a store all are being fetched by then."""
    import pyarrow.parquet as pq  # slow to import, and not every query reads Parquet

    file = split.file
    coded = [name for name in columns if name in known.coded]
    settings: dict[str, Any] = {
        "metadata": known.reading,
        "read_dictionary": coded,
        "pre_buffer": False,
        "arrow_extensions_enabled": False,
    }
    if file.local:
        _check(file)
        with _errors(file):
            yield pq.ParquetFile(file.path, memory_map=True, **settings)
        return
    with open_ranges(file) as reader, _errors(file):
        parts = _fetch(reader, split, known, groups, columns, predicate)
        yield pq.ParquetFile(pa.PythonFile(_SparseFile(file.size, parts), mode="r"), **settings)


def _check(file: FileInfo) -> None:
    if not file.local:
        return
    try:
        status = os.stat(file.path)
    except OSError as error:
        raise ReadError(f"{file.shown}: {error.strerror or error}") from error
    check_unchanged(file, status.st_size, str(status.st_mtime_ns))


class _errors:  # noqa: N801  (used as a statement: `with _errors(file):`)
    """Turns what pyarrow raises while decoding into a ReadError that names the file."""

    def __init__(self, file: FileInfo) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, ReadError):
            raise ReadError(f"{self._file.shown}: {error}") from error


class _SparseFile:
    """A file of which some ranges are there or on their way; reading waits for them."""

    def __init__(self, size: int, parts: Parts) -> None:
        self._size, self._parts, self._position = size, parts, 0
        self.closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def close(self) -> None:
        self.closed = True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> Bytes:
        start = self._position
        self._position = self._size if size < 0 else min(start + size, self._size)
        return self._parts.read(start, self._position)


def _fetch(
    reader: RangeReader,
    split: ParquetSplit,
    known: Footer,
    groups: Sequence[int],
    columns: Sequence[str],
    predicate: Expr | None,
) -> Parts:
    """Fetches row groups, but for those that were fetched ahead, and more ahead of these."""

    def chunks(group: int) -> list[Range]:
        return _chunks(split.file, known, group, columns)

    def wanted(later: range) -> Sequence[int]:
        return prune(replace(split, row_groups=tuple(later)), predicate)

    taken = take(split.file, columns, split.row_groups, chunks, wanted, len(known.rows))
    rest = reader.start([r for g in groups if g not in taken for r in chunks(g)])
    return Together((r, taken.get(g, rest)) for g in groups for r in chunks(g))


def _chunks(file: FileInfo, known: Footer, group: int, columns: Sequence[str]) -> list[Range]:
    """Where the column chunks of a row group are."""
    ranges = []
    row_group = known.metadata.row_group(group)
    for name in columns:
        leaves = known.leaves[name]
        for leaf in range(leaves.first, leaves.last):
            chunk = row_group.column(leaf)
            starts = [chunk.data_page_offset, chunk.dictionary_page_offset]
            start = min(s for s in starts if s)
            ranges.append((start, min(start + chunk.total_compressed_size, file.size)))
    return ranges
