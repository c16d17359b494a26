"""Reading row groups block by block, and of each block no more than is asked for.

A block is a run of row groups, at most a stretch of the file (`Footer.stretches`): the unit in
which columns are decoded and kept (`plait.io.column_cache`). Compiled loops decode what they can
(`plait.io.parquet.decode`), pyarrow the rest. Row groups whose bounds cannot match the predicate
are skipped; partition columns are constants, so a predicate over them alone is decided here for the
whole split. Columns come back in their logical type or one of its encodings (`plait.io.encoding`).

Where a test of rows is given, its columns are decoded first, and the others only of row groups of
which some row passes. What it costs is repeated by the filter above, so it is tried ever less often
while rows pass (`plait.io.columns.Pace`), and not where nothing is left to decode.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyarrow.types import is_dictionary

from plait.io.column_cache import Key, cache
from plait.io.columns import BATCH_ROWS, Column, RowTest, aligned, cut
from plait.io.encoding import stored_decimals, table_of, to_logical, unify
from plait.io.file_columns import stored_names, told_column
from plait.io.parquet.decode import Chunks, DamagedError, DecodedColumn, PageLoops
from plait.io.parquet.footer import Footer, footer
from plait.io.parquet.opening import OpenFile, check, opened
from plait.io.parquet.source import ParquetSplit, split_statistics
from plait.io.statistics import LazyColumns
from plait.planner.expr import Expr
from plait.planner.predicates import can_match
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import is_decimal, is_float, is_integer

_WHOLE = 1 << 18  # rows of a row group that are decoded even if fewer are asked for at once
_TESTED_BYTES = 64 << 20  # of a test's columns, which are held while the others are decoded

Block = tuple[int, ...]
Pieces = tuple[Column, ...]


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
    matching = {} if predicate is None else known.matching(predicate, split.constants)
    kept = []
    for group in split.row_groups:

        def column(name: str, group: int = group) -> ColumnStatistics:
            return split_statistics(known, (group,), split.constants, name)

        ranges = LazyColumns(split.schema.names, column)
        if predicate is not None and group not in matching:
            matching[group] = can_match(predicate, ranges, known.rows[group])
        if not matching.get(group, True):
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
    pieces = list(iterate(split, columns, predicate, BATCH_ROWS))
    rows = sum(p.num_rows for p in pieces)
    found = []
    for i, name in enumerate(columns):
        dtype = pieces[0].column(i).type if pieces else split.schema[name].type
        found.append(unify(pa.chunked_array([p.column(i) for p in pieces], dtype)))
    return table_of(found, columns, rows)


def iterate(
    split: ParquetSplit,
    columns: Sequence[str],
    predicate: Expr | None,
    batch_rows: int,
    cache_bytes: int = 0,
    test: RowTest | None = None,
    bounds: Mapping[str, ColumnStatistics] | None = None,
    cached: Container[str] | None = None,
    loops: PageLoops | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of `read` in pieces of at most `batch_rows`, decoded as they are asked for.

    Columns are looked for in the cache if it may have any bytes, and kept there, or only the
    `cached` ones.
    """
    groups = prune(split, predicate, bounds)
    known = footer(split.file)
    stored = stored_names(columns, split.constants, known.leaves)
    room = cache_bytes if split.file.identity else 0
    kept = stored if cached is None else cached
    rows = sum(known.rows[g] for g in groups)
    scan = _Scan(split, known, stored, batch_rows, room, kept, loops)
    if not stored or not groups:
        check(split.file)
        yield from scan.without_data(columns, rows)
        return
    blocks = _blocks(groups, known)
    found = [scan.kept(block, stored) for block in blocks]
    lacking = [[n for n in stored if n not in have] for have in found]
    by_group = {g: names for b, names in zip(blocks, lacking, strict=True) for g in b}

    def wanted(later: range) -> dict[int, list[str]]:
        """What will be asked for of later row groups, for all that is known now."""
        left = prune(replace(split, row_groups=tuple(later)), predicate, bounds)
        return {g: scan.missing(b) for b in _blocks(left, known) for g in b}

    with opened(split, known, stored, by_group, wanted) as file:
        for block, have, names in zip(blocks, found, lacking, strict=True):
            if test is not None and scan.saves(test, block, names) and test.pace.is_due():
                first = [n for n in names if n in test.columns]
                have |= scan.decoded(file, block, first)
                left = [n for n in names if n not in first]
                passing = scan.passing(test, columns, block, have)
                test.pace.tell(bool(passing))
                for part in passing:
                    some = scan.cut(have, block, part)
                    if part != block:  # which was looked for already
                        some |= scan.kept(part, left)
                    lack = [n for n in left if n not in some]
                    yield from scan.batches(columns, some, lack, scan.decode(file, part, lack))
                continue
            yield from scan.batches(columns, have, names, scan.decode(file, block, names))


def _blocks(groups: Sequence[int], known: Footer) -> list[Block]:
    """Row groups by stretches of the file; those of a block follow each other."""

    def place(numbered: tuple[int, int]) -> tuple[int, int]:
        number, group = numbered
        return known.stretch_of[group].start, group - number

    return [tuple(g for _, g in some) for _, some in groupby(enumerate(groups), place)]


@dataclass(frozen=True)
class _Scan:
    """The reading of some columns of a split."""

    split: ParquetSplit
    known: Footer
    stored: Sequence[str]
    batch_rows: int
    cache_bytes: int
    cached: Container[str]
    loops: PageLoops | None

    def kept(self, block: Block, names: Sequence[str]) -> dict[str, Pieces]:
        """Those of some columns of a block that are in the cache."""
        if not self.cache_bytes:
            return {}
        found = ((n, self._kept(block, n)) for n in names)
        return {n: pieces for n, pieces in found if pieces is not None}

    def _kept(self, block: Block, name: str) -> Pieces | None:
        key = self._key(block, name)
        if key in cache:
            return cache.get(key)
        whole = tuple(self.known.stretch_of[block[0]])
        pieces = cache.get(self._key(whole, name))
        return None if pieces is None else cut(pieces, *self._place(whole, block))

    def missing(self, block: Block) -> list[str]:
        """The columns of a block that are not in the cache."""
        if not self.cache_bytes:
            return list(self.stored)
        keys = {block, tuple(self.known.stretch_of[block[0]])}
        return [n for n in self.stored if not any(self._key(k, n) in cache for k in keys)]

    def saves(self, test: RowTest, block: Block, names: Sequence[str]) -> bool:
        """Whether there is a column to decode that a test of rows might spare."""
        tested = [n for n in self.stored if n in test.columns]
        spared = any(n not in test.columns for n in names)
        return bool(spared and tested) and self._bytes(block, tested) <= _TESTED_BYTES

    def passing(
        self, test: RowTest, columns: Sequence[str], block: Block, have: Mapping[str, Pieces]
    ) -> list[Block]:
        """The row groups of a block that have a row which passes, by those that follow each
        other."""
        names = [n for n in columns if n in test.columns]

        def passes(group: int) -> bool:
            tested = self.cut({n: have[n] for n in names if n in have}, block, (group,))
            return any(map(test.passes, self.batches(names, tested)))

        if passes(block[0]):  # the others most likely too
            return [block]
        return _blocks([g for g in block[1:] if passes(g)], self.known)

    def cut(self, have: Mapping[str, Pieces], block: Block, part: Block) -> dict[str, Pieces]:
        """Columns of a part of a block."""
        start, count = self._place(block, part)
        return {n: cut(pieces, start, count) for n, pieces in have.items()}

    def _place(self, block: Block, part: Block) -> tuple[int, int]:
        """The first row of a part of a block, and how many it has."""
        starts = self.known.starts
        return starts[part[0]] - starts[block[0]], starts[part[-1] + 1] - starts[part[0]]

    def decoded(
        self, file: OpenFile | None, block: Block, names: Sequence[str]
    ) -> dict[str, Pieces]:
        """Columns of a block."""
        pieces = list(self.decode(file, block, names))
        return {n: tuple(columns[i] for columns in pieces) for i, n in enumerate(names)}

    def decode(self, file: OpenFile | None, block: Block, names: Sequence[str]) -> Iterator[Pieces]:
        """Columns of a block piece by piece; once all are decoded they are kept."""
        if not names:
            return
        assert file is not None
        cached = [name for name in names if name in self.cached]
        keep = bool(cached) and self._bytes(block, cached) <= self.cache_bytes
        steps = self._steps(block)
        measured = keep and len(steps) == 1
        by_loops = self._by_loops(file, block, names)
        pieces: list[Pieces] = []
        for step in steps:
            for arrays in self._arrays(file, step, names, by_loops):
                some = tuple(
                    by_loops[n].column(a, measured) if n in by_loops else Column.of(n, a, measured)
                    for n, a in zip(names, arrays, strict=True)
                )
                if keep:
                    pieces.append(some)
                yield some
        if keep:
            for name in cached:
                column = tuple(some[names.index(name)] for some in pieces)
                if len(steps) > 1:  # whoever reads it again may want larger pieces
                    if name in by_loops:
                        made = by_loops[name]
                        column = (made.column(made.array(), True),)
                    else:
                        whole = pa.concat_arrays([array for array, _ in column])
                        column = (Column.of(name, whole, True),)
                cache.put(self._key(block, name), column, self.cache_bytes, self.stored)

    def _steps(self, block: Block) -> list[Block]:
        """The row groups that are decoded at once: as many as one batch may have."""
        found: list[list[int]] = []
        rows = 0
        for group in block:
            rows += self.known.rows[group]
            if not found or rows > self.batch_rows:
                found.append([])
                rows = self.known.rows[group]
            found[-1].append(group)
        return [tuple(step) for step in found]

    def _by_loops(
        self, file: OpenFile, block: Block, names: Sequence[str]
    ) -> dict[str, DecodedColumn]:
        """The columns that loops decode. They do row groups as a whole: of large ones, of which
        a part might do, pyarrow decodes no more than is asked for."""
        most = max(self.batch_rows, _WHOLE)
        if self.loops is None or any(self.known.rows[g] > most for g in block):
            return {}
        chunks = Chunks(self.known, file.fetch, self.loops)
        found = ((name, chunks.column(name, block)) for name in names)
        return {name: column for name, column in found if column is not None}

    def _arrays(
        self,
        file: OpenFile,
        step: Block,
        names: Sequence[str],
        by_loops: dict[str, DecodedColumn],
    ) -> Iterator[Sequence[pa.Array]]:
        """Columns of some row groups of a block; what loops cannot decode leaves `by_loops`."""
        made = {}
        for name in [n for n in names if n in by_loops]:
            try:
                made[name] = by_loops[name].decode(step)
            except DamagedError:
                del by_loops[name]
        others = [n for n in names if n not in made]
        if not others:
            yield [made[n] for n in names]
            return
        start = 0
        for arrays in self._by_arrow(file, step, others):
            count = len(arrays[0])
            found = dict(zip(others, arrays, strict=True))
            yield [found[n] if n in found else made[n].slice(start, count) for n in names]
            start += count

    def _by_arrow(
        self, file: OpenFile, block: Block, names: Sequence[str]
    ) -> Iterator[Sequence[pa.Array]]:
        if len(block) == 1:
            batches = file.arrow.iter_batches(
                self.batch_rows, block, columns=names, use_threads=False
            )
            for batch in batches:
                if batch.num_rows:
                    found = self._logical(pa.Table.from_batches([batch]), names)
                    yield [column.chunk(0) for column in found]
            return
        table = file.arrow.read_row_groups(list(block), columns=names, use_threads=False)
        together = table_of(self._logical(table, names), names, table.num_rows).combine_chunks()
        for batch in together.to_batches():
            yield batch.columns

    def _logical(self, table: pa.Table, names: Sequence[str]) -> list[pa.ChunkedArray]:
        """Columns as they were decoded, in their logical types or encodings of them."""
        found = []
        for name in names:
            # by position: a struct's fields may carry the same dotted name as a column
            column = table.column(table.column_names.index(name))
            stored = self.known.found.field(name).type
            if is_decimal(stored) and is_integer(column.type):
                column = stored_decimals(column, stored)
            column = unify(to_logical(column, self.split.schema[name].type))
            if is_dictionary(column.type):
                column = pa.chunked_array(
                    [self.known.dictionaries.shared(name, chunk) for chunk in column.chunks]
                )
            found.append(column)
        return found

    def batches(
        self,
        columns: Sequence[str],
        have: Mapping[str, Pieces],
        names: Sequence[str] = (),
        decoding: Iterator[Pieces] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Batches of some columns of a block: what is decoded, and what is being decoded."""
        held = [n for n in columns if n in have]
        parts: list[Iterator[Sequence[Column]]] = [zip(have[n]) for n in held]
        if decoding is not None and names:
            parts.append(decoding)
        for piece in aligned(parts, self.batch_rows):
            yield self._batch(columns, dict(zip([*held, *names], piece, strict=True)))

    def without_data(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches for which the file is not needed."""
        for start in range(0, rows, self.batch_rows):
            count = min(self.batch_rows, rows - start)
            yield self._batch(columns, {}, count)

    def _batch(
        self, columns: Sequence[str], found: Mapping[str, Column], rows: int = 0
    ) -> pa.RecordBatch:
        """The columns in order: stored, constant, or NULL because this file lacks them."""
        if not columns:
            return pa.RecordBatch.from_arrays([pa.nulls(rows)], names=["#"]).select([])
        made = []
        for name in columns:
            column = found.get(name)
            if column is None:
                count = len(next(iter(found.values())).array) if found else rows
                dtype = self.split.schema[name].type
                column = Column.of(name, told_column(name, dtype, self.split.constants, count))
            made.append(column)
        fields = pa.schema([field for _, field in made])
        return pa.RecordBatch.from_arrays([array for array, _ in made], schema=fields)

    def _bytes(self, block: Block, names: Sequence[str]) -> int:
        return sum(self.known.decoded_bytes(n, g) for n in names for g in block)

    def _key(self, block: Block, name: str) -> Key:
        return Key(self._file, block, name, self._types[name])

    @cached_property
    def _file(self) -> tuple[str, int, str]:
        file = self.split.file
        return file.path, file.size, file.identity

    @cached_property
    def _types(self) -> dict[str, str]:
        return {n: str(self.split.schema[n].type) for n in self.stored}
