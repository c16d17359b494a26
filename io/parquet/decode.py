"""Columns of row groups from their pages, by the engine's compiled loops.

Loops take numbers, dates, times, narrow decimals and strings, as codes or as they are, from flat
columns. They decode several row groups into one array, where pyarrow makes one for each, and in a
third of the time. What they do not know, or find damaged, pyarrow decodes in their place: it is
complete, and its errors say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.io.columns import Column
from plait.io.dictionaries import merged
from plait.io.encoding import CODES, NARROW_DIGITS
from plait.io.files import Bytes, Range
from plait.io.parquet.footer import Footer
from plait.io.parquet.pages import (
    ChunkPages,
    Found,
    Kind,
    Page,
    PageTable,
    Stored,
    chunk_pages,
    table_of_codes,
    table_of_values,
)
from plait.planner.column_range import with_distinct_entries, with_range
from plait.planner.types import BINARY, STRING, is_decimal

# in a file that is worth compiling loops for: it takes 0.2 s, once and for all
_MANY_ROWS = 1 << 20
_CODECS = {
    "UNCOMPRESSED": "",
    "SNAPPY": "snappy",
    "ZSTD": "zstd",
    "GZIP": "gzip",
    "BROTLI": "brotli",
}
_WIDTHS = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
_INTEGERS = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}

_MOST_BYTES = (1 << 31) - (1 << 10)

Array = np.ndarray[Any, Any]


class PageLoops(Protocol):
    """What the engine's loops do for a reader."""

    def ready(self, stored: int, made: int) -> bool:
        """Whether values of so many bytes are decoded to others without compiling first."""

    def empty(self, count: int, dtype: Any) -> Array:
        """An array to be filled."""

    def unpacked(self, packed: Array, size: int) -> Array | None:
        """`size` bytes that Snappy packed; None if they are damaged."""

    def texts(self, plain: Array, count: int) -> tuple[Array, Array] | None:
        """Strings that stand one after another, as Arrow's offsets and bytes; None: damaged."""

    def values(
        self,
        chunks: Sequence[Array],
        pages: PageTable,
        dictionary: Array,
        made: Array,
        first: int,
        count: int,
        valid: Array | None,
    ) -> Found | None:
        """Decodes pages into the elements of `made` from `first` on, and takes the bits of NULLs
        off `valid`, if there may be any. None if pages are damaged.

        `dictionary` is there already, or has no element and tells the width of one.
        """

    def strings(
        self,
        chunks: Sequence[Array],
        pages: PageTable,
        ends: Array,
        data: Array,
        first: int,
        count: int,
        valid: Array | None,
    ) -> int | None:
        """Decodes strings to Arrow's form, `data` from `ends[first]` on; how many NULLs there are.

        -1: `data` is too small, call again with more. None if pages are damaged.
        """


class DamagedError(Exception):
    """Loops cannot decode a chunk: it is for pyarrow to say why, or to know better."""


@dataclass(frozen=True)
class Chunks:
    """The column chunks of a file for loops; `fetch` gives the bytes of a range."""

    known: Footer
    fetch: Callable[[int, int], Bytes]
    loops: PageLoops

    def column(self, name: str, groups: Sequence[int]) -> DecodedColumn | None:
        """A column of some row groups in a row, yet to be decoded; None if it is not for loops."""
        kinds = self.known.kinds
        kind = kinds[name] if name in kinds else kinds.setdefault(name, kind_of(self.known, name))
        if kind is None:
            return None
        if self.known.starts[-1] < _MANY_ROWS and not self.loops.ready(kind.stored, kind.made):
            return None
        made = DecodedStrings if kind.made == 0 else DecodedColumn
        return made(self, name, kind, groups)

    def chunk(self, leaf: int, group: int) -> tuple[Array, ChunkPages]:
        """The bytes of a chunk and where its pages are in them, all plain or packed by Snappy."""
        pages = self.known.pages.get((leaf, group))
        if pages is None:
            pages = self._pages(leaf, group)
            self.known.keep_pages(leaf, group, pages)
        chunk = np.frombuffer(self.fetch(*pages.range), np.uint8)
        return (chunk, pages) if pages.codec in ("", "snappy") else _inflated(chunk, pages)

    def _pages(self, leaf: int, group: int) -> ChunkPages:
        found = self.known.metadata.row_group(group).column(leaf)
        if found.compression not in _CODECS or found.num_values != self.known.rows[group]:
            raise DamagedError
        place = chunk_range(self.known, group, leaf)
        data = memoryview(self.fetch(*place))
        pages = chunk_pages(data, place, found.num_values, _CODECS[found.compression])
        if pages is None:
            raise DamagedError
        return pages


class DecodedColumn:
    """A column of some row groups that is being decoded, into one array."""

    def __init__(self, chunks: Chunks, name: str, kind: Kind, groups: Sequence[int]) -> None:
        known = chunks.known
        self._chunks, self._name, self._kind = chunks, name, kind
        self._first = known.starts[groups[0]]
        rows = known.starts[groups[-1] + 1] - self._first
        self._rows = rows
        self._made = self._room(rows)
        self._valid = np.full(-(-rows // 8), 255, np.uint8) if kind.optional else None
        self._nulls = 0
        self._entries: pa.Array | None = None  # of strings,
        self._shares = True  # which are those of the whole file
        # the ranges of dictionaries, if they are numbers and all values are in them
        self._bounds: list[Range] | None = [] if _is_stored_signed(kind.type) else None

    def decode(self, groups: Sequence[int]) -> pa.Array:
        """The rows of some more of the row groups. Raises DamagedError."""
        known = self._chunks.known
        start, end = known.starts[groups[0]], known.starts[groups[-1] + 1]
        first, count = start - self._first, end - start
        nulls = self._decode([g for g in groups if known.rows[g]], first, count) if count else 0
        self._nulls += nulls
        return self._array(first, count, nulls)

    def array(self) -> pa.Array:
        """All rows, once all row groups are decoded."""
        return self._array(0, self._rows, self._nulls)

    def _room(self, rows: int) -> Array:
        """What rows are decoded to."""
        return self._chunks.loops.empty(rows, _INTEGERS[self._kind.made])

    def column(self, array: pa.Array, measured: bool) -> Column:
        """An array that was made here, with what is known of it: a dictionary holds the range of
        its codes' values, where otherwise all rows have to be looked at."""
        plain = pa.field(self._name, array.type)
        if self._kind.type == CODES:
            return Column(array, with_distinct_entries(plain))
        if not self._bounds:
            return Column.of(self._name, array, measured)
        known = min(low for low, _ in self._bounds), max(high for _, high in self._bounds)
        return Column(array, with_range(plain, known))

    def _decode(self, groups: Sequence[int], first: int, count: int) -> int:
        """Decodes row groups; how many NULLs they have."""
        kind = self._kind
        chunks, pages = zip(*(self._chunks.chunk(kind.leaf, g) for g in groups), strict=True)
        dictionary: Array = np.empty(0, _INTEGERS[kind.stored])
        if kind.type != CODES:
            table = table_of_values(pages)
        elif all(p.all_coded for p in pages):
            places = [self._places(c, p) for c, p in zip(chunks, pages, strict=True)]
            dictionary, table = np.concatenate(places), table_of_codes(pages)
        else:
            raise DamagedError
        found = self._chunks.loops.values(
            chunks, table, dictionary, self._made, first, count, self._valid
        )
        if found is None:
            raise DamagedError
        if self._bounds is not None and all(p.all_coded and p.entries for p in pages):
            self._bounds.append((found.low, found.high))
        else:
            self._bounds = None
        return found.nulls

    def _array(self, first: int, rows: int, nulls: int) -> pa.Array:
        valid = pa.py_buffer(self._valid) if nulls else None
        buffers = [valid, pa.py_buffer(self._made)]
        if self._kind.type != CODES:
            return pa.Array.from_buffers(self._kind.type, rows, buffers, nulls, first)
        codes = pa.Array.from_buffers(pa.int32(), rows, buffers, nulls, first)
        entries = pa.array([], STRING) if self._entries is None else self._entries
        return pa.DictionaryArray.from_arrays(codes, entries, safe=False)

    def _dictionary(self, chunk: Array, pages: ChunkPages, place: Stored) -> Array:
        """The bytes of a dictionary, unpacked."""
        stored = chunk[place.start : place.start + place.stored]
        plain = self._chunks.loops.unpacked(stored, place.size) if pages.codec else stored
        if plain is None:
            raise DamagedError
        return plain

    def _places(self, chunk: Array, pages: ChunkPages) -> Array:
        """Where the strings of a chunk's dictionary are among those of all row groups."""
        place = pages.dictionary
        if place is None:
            return np.empty(0, np.int32)
        found = self._shared_places(chunk, pages, place) if self._shares else None
        if found is None:  # from now on, for codes that were made before must stay
            self._shares = False
            found = merged(self._entries, self._strings(chunk, pages, place))
        self._entries, places = found
        return places

    def _shared_places(
        self, chunk: Array, pages: ChunkPages, place: Stored
    ) -> tuple[pa.Array, Array] | None:
        """The dictionary of the whole file and places in it, if that is not too large."""
        shared = self._chunks.known.dictionaries
        page = chunk[place.start : place.start + place.stored].tobytes()
        found = shared.of_page(self._name, page)
        if found is None:
            found = shared.places(self._name, self._strings(chunk, pages, place))
            if found is not None:
                shared.keep_page(self._name, page, found[1])
        return found

    def _strings(self, chunk: Array, pages: ChunkPages, place: Stored) -> pa.Array:
        made = self._chunks.loops.texts(self._dictionary(chunk, pages, place), pages.entries)
        if made is None:
            raise DamagedError
        ends, data = made
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
        strings = pa.Array.from_buffers(STRING, pages.entries, buffers, 0)
        if len(strings.unique()) < len(strings):
            raise DamagedError  # codes are relied on to be as different as their strings
        return strings


class DecodedStrings(DecodedColumn):
    """A column of strings that are as good as all different."""

    def _room(self, rows: int) -> Array:
        self._data = np.empty(0, np.uint8)
        ends: Array = self._chunks.loops.empty(rows + 1, np.dtype(np.int32))
        ends[0] = 0
        return ends

    def _decode(self, groups: Sequence[int], first: int, count: int) -> int:
        leaf, loops, ends = self._kind.leaf, self._chunks.loops, self._made
        chunks, pages = zip(*(self._chunks.chunk(leaf, g) for g in groups), strict=True)
        table, before = table_of_values(pages), int(ends[first])
        size = before + sum(map(_expected_bytes, pages))
        while True:
            if size > _MOST_BYTES:  # offsets have 32 bits: it takes several arrays
                raise DamagedError
            if size > len(self._data):
                wider = loops.empty(size, np.dtype(np.uint8))
                wider[:before] = self._data[:before]
                self._data = wider
            nulls = loops.strings(chunks, table, ends, self._data, first, count, self._valid)
            if nulls is None:
                raise DamagedError
            if nulls >= 0:
                return nulls
            size *= 2

    def _array(self, first: int, rows: int, nulls: int) -> pa.Array:
        valid = pa.py_buffer(self._valid) if nulls else None
        buffers = [valid, pa.py_buffer(self._made), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(self._kind.type, rows, buffers, nulls, first)


def _expected_bytes(pages: ChunkPages) -> int:
    """About how many bytes the strings of a chunk have, and what loops need behind them."""
    size = pages.plain_bytes + (1 << 10)
    if pages.dictionary is not None and pages.entries:
        size += int(1.2 * pages.coded_values * pages.dictionary.size / pages.entries)
    return size


def chunk_range(known: Footer, group: int, leaf: int) -> Range:
    """Where a column chunk is in its file."""
    chunk = known.metadata.row_group(group).column(leaf)
    start = min(s for s in (chunk.data_page_offset, chunk.dictionary_page_offset) if s)
    return start, min(start + chunk.total_compressed_size, known.file.size)


def kind_of(known: Footer, name: str) -> Kind | None:
    """How loops read a column; None if they do not."""
    leaves = known.leaves[name]
    if not leaves.flat:
        return None
    leaf = known.metadata.schema.column(leaves.first)
    if leaf.max_repetition_level or leaf.max_definition_level > 1:
        return None
    optional = leaf.max_definition_level == 1
    found = known.found.field(known.found.names.index(name)).type
    if name in known.coded and leaf.physical_type == "BYTE_ARRAY":
        return Kind(leaves.first, 4, 4, optional, CODES)
    if found == known.schema[name].type and found in (STRING, BINARY):
        return Kind(leaves.first, 1, 0, optional, found)
    stored = _WIDTHS.get(leaf.physical_type)
    if stored is None or found != known.schema[name].type:
        return None
    if is_decimal(found):
        if found.precision > NARROW_DIGITS:
            return None
        narrow = pa.decimal64(found.precision, found.scale)
        return Kind(leaves.first, stored, 8, optional, narrow)
    if not (pat.is_primitive(found) and found.bit_width == 8 * stored):
        return None
    return Kind(leaves.first, stored, stored, optional, found)


def _is_stored_signed(dtype: pa.DataType) -> bool:
    """Whether values are stored as signed integers, whatever they mean."""
    floating, unsigned = pat.is_floating(dtype), pat.is_unsigned_integer(dtype)
    return (pat.is_primitive(dtype) and not (floating or unsigned)) or pat.is_decimal(dtype)


def _inflated(chunk: Array, pages: ChunkPages) -> tuple[Array, ChunkPages]:
    """A chunk whose pages are unpacked by another library."""
    codec = pa.Codec(pages.codec)
    texts: list[Array] = []
    moved = pages.pages.copy()
    at = 0
    for number, row in enumerate(pages.pages.tolist()):
        page = Page(*row)
        ahead = max(page.levels, 0)
        body = chunk[page.start + ahead : page.start + page.stored]
        texts.append(chunk[page.start : page.start + ahead])
        try:
            plain = codec.decompress(pa.py_buffer(body), page.size - ahead) if page.packed else body
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DamagedError from error
        texts.append(np.frombuffer(plain, np.uint8))
        moved[number] = page._replace(start=at, stored=page.size, packed=0)
        at += page.size
    dictionary = pages.dictionary
    if dictionary is not None:
        dictionary = Stored(0, dictionary.size, dictionary.size)
    return np.concatenate(texts), replace(pages, codec="", dictionary=dictionary, pages=moved)
