"""Parquet footers: read once, parsed once, kept for the whole process.

From a footer come the schema, the rows and sizes of row groups, and bounds of their columns. Two
things are looked up beside it, in the page headers of a few dictionary pages (some 30 bytes each):
how many different values a column chunk has, which gives estimates of distinct values, and which
string columns are worth reading as dictionary codes (several times faster than as strings).

A file written from Arrow says in `ARROW:schema` which Arrow types it came from. When that asks for
`string_view`, for which pyarrow has few kernels, a second copy of the footer without that key is
used for reading: it gives plain strings at no cost. This is done only if nothing else would change.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import ReadError
from plait.io.dictionaries import Dictionaries
from plait.io.encoding import NARROW_DIGITS, logical_schema
from plait.io.file_columns import Constants
from plait.io.filesystem import FileInfo, RangeReader, in_parallel, open_ranges
from plait.io.parquet.pages import ChunkPages, Kind
from plait.io.parquet.thrift import plain_decimals, struct_at
from plait.planner.expr import Expr
from plait.planner.schema import Schema
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import INT32, INT64, STRING, is_decimal, is_float, is_integer, is_string

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_TAIL_LOCAL, TAIL_STORE = 64 << 10, 512 << 10  # a request to a store costs more than its bytes
_WHOLE, _WHOLE_FILES = 4 << 20, 16 << 20
_SAMPLED_GROUPS = 8
_KEPT = 4096
_STRETCHES = 2  # of a file for each core, if its size allows
_STRETCH_ROWS = 1 << 17, 3 << 18  # about, at least and at most, but for larger row groups
_STRETCH_BYTES = 64 << 20  # of all columns
_PAGES = 1 << 14  # column chunks of a file, whose pages are remembered: of some 500 bytes each
_PREDICATES = 16  # of a file, whose row groups are remembered

# a dictionary with more entries, or with fewer uses of an entry, is read as plain strings
_MAX_ENTRIES, _MIN_USES = 1 << 16, 4


@dataclass(frozen=True)
class DictionarySample:
    """The dictionary page of one column chunk: its entries, of how many values that are not NULL.

    `complete`: no other value occurs in the chunk (the writer did not give up on the dictionary).
    """

    entries: int
    values: int
    complete: bool


@dataclass(frozen=True)
class Leaves:
    """The leaf columns [first, last) of a top-level column; `flat` if it is one without nesting."""

    first: int
    last: int
    flat: bool


@dataclass(frozen=True, eq=False)
class Footer:
    """What is known of a Parquet file without reading its data.

    `reading` is the metadata to read with (decimals stored as integers are integers there),
    `metadata` the file's own (with all statistics).
    """

    file: FileInfo
    metadata: pq.FileMetaData
    reading: pq.FileMetaData
    found: pa.Schema
    schema: Schema
    leaves: dict[str, Leaves]
    rows: tuple[int, ...]  # by row group
    samples: dict[str, dict[int, DictionarySample | None]]  # by row group
    dictionaries: Dictionaries = field(default_factory=Dictionaries)
    _columns: dict[str, tuple[ColumnStatistics, ...]] = field(default_factory=dict)
    kinds: dict[str, Kind | None] = field(default_factory=dict)  # as far as anybody asked
    pages: OrderedDict[tuple[int, int], ChunkPages] = field(default_factory=OrderedDict)
    _matching: OrderedDict[tuple[Expr, Constants], dict[int, bool]] = field(
        default_factory=OrderedDict
    )

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The number of the first row of each row group."""
        return tuple(itertools.accumulate(self.rows, initial=0))

    @cached_property
    def stretches(self) -> tuple[range, ...]:
        """The row groups, by what is decoded at once: small ones together, as far as there are
        enough stretches for all workers."""
        share = self.starts[-1] // (_STRETCHES * (os.cpu_count() or 1))
        most = min(max(share, _STRETCH_ROWS[0]), _STRETCH_ROWS[1])
        sizes = [self.metadata.row_group(g).total_byte_size for g in range(len(self.rows))]
        found: list[range] = []
        first, rows, size = 0, 0, 0
        for group, (more, bytes_more) in enumerate(zip(self.rows, sizes, strict=True)):
            full = rows + more // 2 > most or size + bytes_more > _STRETCH_BYTES
            if group > first and full:
                found.append(range(first, group))
                first, rows, size = group, 0, 0
            rows, size = rows + more, size + bytes_more
        return (*found, range(first, len(self.rows))) if self.rows else ()

    @cached_property
    def stretch_of(self) -> tuple[range, ...]:
        """The stretch of each row group."""
        return tuple(stretch for stretch in self.stretches for _ in stretch)

    @cached_property
    def coded(self) -> frozenset[str]:
        """String columns that are read as dictionary codes."""
        return frozenset(
            name
            for name, samples in self.samples.items()
            if self.schema[name].type == STRING and _worth_codes(list(samples.values()))
        )

    def keep_pages(self, leaf: int, group: int, found: ChunkPages) -> None:
        """Remember where the pages of a chunk are."""
        self.pages[leaf, group] = found
        if len(self.pages) > _PAGES:
            self.pages.popitem(last=False)

    def matching(self, predicate: Expr, constants: Constants) -> dict[int, bool]:
        """What was found out about row groups: whether a row may match. To be added to."""
        key = predicate, constants
        known = self._matching.get(key)
        if known is None:
            known = self._matching[key] = {}
            if len(self._matching) > _PREDICATES:
                self._matching.popitem(last=False)
        return known

    def column(self, name: str) -> tuple[ColumnStatistics, ...]:
        """Bounds, nulls and widths of a column, one for each row group."""
        known = self._columns.get(name)
        if known is None:
            python = _python_type(self.schema[name].type)
            known = tuple(_chunk_statistics(self, name, g, python) for g in range(len(self.rows)))
            self._columns[name] = known
        return known

    def decoded_bytes(self, name: str, group: int) -> int:
        """About how many bytes a column of a row group takes in memory."""
        rows = self.rows[group]
        found = self.schema[name].type
        if name in self.coded:
            return 4 * rows
        if is_decimal(found) and found.precision <= NARROW_DIGITS:
            return 8 * rows
        try:
            return int(max(1, found.bit_width // 8) * rows)
        except ValueError:  # varying length
            leaves = self.leaves[name]
            row_group = self.metadata.row_group(group)
            sizes = (
                row_group.column(i).total_uncompressed_size
                for i in range(leaves.first, leaves.last)
            )
            return int(sum(sizes)) + 4 * rows


# ---------------------------------------------------------------------------------- reading

_cache: OrderedDict[tuple[str, int, str], Footer] = OrderedDict()
_lock = threading.Lock()


def footer(file: FileInfo, whole: bool = False) -> Footer:
    """The footer of a file, from the process's cache if it was read before.

    `whole`: read a small file in a store in one request, if it has to be read.
    """
    key = (file.path, file.size, file.identity)
    with _lock:
        known = _cache.get(key)
        if known is not None:
            _cache.move_to_end(key)
            return known
    fresh = _read(file, whole)
    with _lock:
        _cache[key] = fresh
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return fresh


def forget() -> None:
    """Empty the process's cache of footers."""
    with _lock:
        _cache.clear()


def footers(files: tuple[FileInfo, ...]) -> list[Footer]:
    """The footers of several files, read in parallel."""
    # of few small files the data come along: it saves a request each; the end of a single one came
    # with its size
    whole = len(files) > 1 and sum(f.size for f in files) <= _WHOLE_FILES
    return in_parallel(partial(footer, whole=whole), files)


def _read(file: FileInfo, whole: bool) -> Footer:
    with open_ranges(file) as reader:
        text = _footer_bytes(file, reader, whole)
        metadata = _parse(file, text)
        found = metadata.schema.to_arrow_schema()
        reading = metadata
        plain_text = _without_views(file, text, found)
        if plain_text is not None:
            text, reading = plain_text, _parse(file, plain_text)
        found = reading.schema.to_arrow_schema()
        reading = _with_plain_decimals(file, text, found) or reading
        schema = logical_schema(found, file.shown)
        leaves = dict(_leaves(found))
        rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        samples = {}
        if file.local:  # in a store each would be a request
            samples = _dictionary_samples(reader, metadata, leaves)
    return Footer(file, metadata, reading, found, schema, leaves, rows, samples)


def _footer_bytes(file: FileInfo, reader: RangeReader, whole: bool) -> bytes:
    size = reader.size
    tail = min(size, _TAIL_LOCAL if file.local else TAIL_STORE)
    if whole and not file.local and size <= _WHOLE:
        tail = size
    end = bytes(reader.get_ranges([(size - tail, size)])[0])
    if size < 12 or end[-4:] != _MAGIC:
        if end[-4:] == b"PARE":
            raise ReadError(f"{file.shown}: encrypted Parquet files are not supported")
        what = "is empty" if not size else "is not a Parquet file: it does not end in PAR1"
        raise ReadError(f"{file.shown} {what}")
    length = struct.unpack("<I", end[-8:-4])[0]
    if length + 12 > size:
        raise ReadError(f"{file.shown}: the Parquet footer is damaged or the file cut short")
    if length + 8 > tail:
        end = bytes(reader.get_ranges([(size - length - 8, size)])[0])
    return end[-length - 8 : -8]


def _parse(file: FileInfo, text: bytes) -> pq.FileMetaData:
    import pyarrow.parquet as pq  # slow to import, and not every query reads Parquet

    whole = _MAGIC + text + struct.pack("<I", len(text)) + _MAGIC
    try:
        return pq.read_metadata(pa.BufferReader(whole))
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"{file.shown}: the Parquet footer cannot be read: {error}") from error


def _without_views(file: FileInfo, text: bytes, found: pa.Schema) -> bytes | None:
    """The footer without its Arrow schema, if that only turns string views into strings."""
    if not any(pat.is_string_view(t) or pat.is_binary_view(t) for t in found.types):
        return None
    plain = text.replace(b"ARROW:schema", b"arrow:schema")
    types = _parse(file, plain).schema.to_arrow_schema().types
    same = len(types) == len(found.types) and all(
        a == b
        or (pat.is_string_view(a) and b == STRING)
        or (pat.is_binary_view(a) and b == pa.binary())
        for a, b in zip(found.types, types, strict=True)
    )
    return plain if same else None


def _with_plain_decimals(file: FileInfo, text: bytes, found: pa.Schema) -> pq.FileMetaData | None:
    """The metadata in which flat decimals stored as integers are integers, if no more changes."""
    if not any(is_decimal(t) for t in found.types):
        return None
    try:
        plain = plain_decimals(text.replace(b"ARROW:schema", b"arrow:schema"))
    except (ValueError, IndexError):
        return None  # an unusual footer: pyarrow knows how to read it as it is
    if plain is None:
        return None
    metadata = _parse(file, plain)
    types = metadata.schema.to_arrow_schema().types
    same = len(types) == len(found.types) and all(
        a == b or (is_decimal(a) and a.precision <= NARROW_DIGITS and b in (INT32, INT64))
        for a, b in zip(found.types, types, strict=True)
    )
    return metadata if same else None


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, Leaves]]:
    first = 0
    for f in schema:
        count = _leaf_count(f.type)
        yield f.name, Leaves(first, first + count, not pat.is_nested(f.type))
        first += count


def _leaf_count(found: pa.DataType) -> int:
    if isinstance(found, pa.BaseExtensionType):
        return _leaf_count(found.storage_type)
    if pat.is_struct(found):
        return sum(_leaf_count(f.type) for f in found)
    if pat.is_map(found):
        return _leaf_count(found.key_type) + _leaf_count(found.item_type)
    if pat.is_nested(found):
        return _leaf_count(found.value_type)
    return 1


# ---------------------------------------------------------------------------------- statistics

_PYTHON_TYPES: tuple[tuple[Any, type], ...] = (
    (pat.is_boolean, bool),
    (is_integer, int),
    (is_float, float),
    (is_decimal, Decimal),
    (is_string, str),
    (pat.is_binary, bytes),
    (pat.is_date, dt.date),
    (pat.is_timestamp, dt.datetime),
    (pat.is_time, dt.time),
)


def _python_type(dtype: pa.DataType) -> type | None:
    return next((python for test, python in _PYTHON_TYPES if test(dtype)), None)


def _chunk_statistics(
    footer: Footer, name: str, group: int, python: type | None
) -> ColumnStatistics:
    rows, leaves = footer.rows[group], footer.leaves[name]
    width = footer.decoded_bytes(name, group) / rows if rows else None
    if not leaves.flat:
        return ColumnStatistics(width=width)
    statistics = footer.metadata.row_group(group).column(leaves.first).statistics
    if statistics is None:
        return ColumnStatistics(width=width)
    nulls = statistics.null_count if statistics.has_null_count else None
    if python is None or not statistics.has_min_max:
        return ColumnStatistics(nulls=nulls, width=width)
    try:
        low, high = _bound(statistics.min, python, False), _bound(statistics.max, python, True)
    except (ValueError, OverflowError, pa.ArrowException):
        low = high = None  # text cut within a letter, a year beyond 9999: bounds are a luxury
    return ColumnStatistics(low, high, nulls, width=width)


def _bound(value: Any, python: Any, upper: bool) -> Any:
    """A bound as a Python value of the column's type; None if it is something else."""
    if not isinstance(value, python) or value != value:
        return None
    if python is dt.datetime and hasattr(value, "nanosecond"):  # a pandas.Timestamp
        plain = value.to_pydatetime(warn=False)
        return plain + dt.timedelta(microseconds=1) if upper and value.nanosecond else plain
    if python is dt.date and isinstance(value, dt.datetime):
        return None
    return value


# --------------------------------------------------------------------------- dictionary pages


def _dictionary_samples(
    reader: RangeReader, metadata: pq.FileMetaData, leaves: dict[str, Leaves]
) -> dict[str, dict[int, DictionarySample | None]]:
    """For every flat column, what the dictionary pages of some row groups say."""
    count = metadata.num_row_groups
    groups = sorted(
        {round(i * (count - 1) / (_SAMPLED_GROUPS - 1)) for i in range(_SAMPLED_GROUPS)}
    )
    row_groups = {g: metadata.row_group(g) for g in groups} if count else {}
    return {
        name: {g: _sample(reader, group.column(found.first)) for g, group in row_groups.items()}
        for name, found in leaves.items()
        if found.flat
    }


def _sample(reader: RangeReader, chunk: pq.ColumnChunkMetaData) -> DictionarySample | None:
    start = chunk.dictionary_page_offset
    if not chunk.has_dictionary_page or not start or start + 8 > reader.size:
        return None
    header = bytes(reader.get_ranges([(start, min(start + 64, reader.size))])[0])
    page = _dictionary_page(header)
    if page is None:
        return None
    entries, page_bytes = page
    statistics = chunk.statistics
    nulls = statistics.null_count if statistics is not None and statistics.has_null_count else 0
    values = max(chunk.num_values - nulls, 0)
    # Writers that give up on a dictionary go on with plain pages, which are larger than codes.
    bits = max(1, math.ceil(math.log2(max(entries, 2))))
    codes = chunk.num_values * (bits + 1) / 8 + 4096
    complete = chunk.total_uncompressed_size - page_bytes <= codes * 1.05
    return DictionarySample(entries, values, complete)


def _dictionary_page(header: bytes) -> tuple[int, int] | None:
    """(entries, uncompressed bytes) from the header of a dictionary page."""
    try:
        page, _ = struct_at(header, 0)
        return page[7][1], page[2]
    except (ValueError, IndexError, KeyError, TypeError):
        return None


def _worth_codes(samples: list[DictionarySample | None]) -> bool:
    return bool(samples) and all(
        s is not None and s.complete and s.entries <= min(_MAX_ENTRIES, s.values // _MIN_USES)
        for s in samples
    )
