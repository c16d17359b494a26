"""The pages of a column chunk: where they begin, how large they are, how they are written.

Only what compiled loops can decode is described: flat columns whose values are plain or codes of a
dictionary, with levels in runs. For anything else there is no description.

PageHeader {1: type, 2: bytes unpacked, 3: bytes stored, 5: data page, 7: dictionary, 8: second kind
            of data page}
DataPage {1: values, 2: encoding, 3: encoding of definition levels}
Dictionary {1: values, 2: encoding}
DataPage2 {1: values, 4: encoding, 5: bytes of definition levels, 6: of repetition levels,
           7: whether values are packed}
(parquet.thrift of the Apache Parquet format)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from plait.io.files import Bytes, Range
from plait.io.parquet.thrift import struct_at

_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
PLAIN, CODES, ENTRIES = range(3)  # what a page holds
_KINDS = {_PLAIN: PLAIN, _PLAIN_DICTIONARY: CODES, _RLE_DICTIONARY: CODES}
IN_PAGE = -1  # the levels' length stands in the page


class Stored(NamedTuple):
    """A page's place in its chunk, and its length there and unpacked."""

    start: int
    stored: int
    size: int


class Page(NamedTuple):
    """As compiled loops are told of a page (see `plait.engine.codegen.pages`)."""

    chunk: int
    start: int
    stored: int
    size: int
    values: int
    kind: int
    levels: int
    packed: int
    first_entry: int
    entries: int


PAGE_FIELDS = Page._fields
_CHUNK, _FIRST_ENTRY = (PAGE_FIELDS.index(name) for name in ("chunk", "first_entry"))


@dataclass(frozen=True)
class Kind:
    """How a column is stored, and what loops make of it."""

    leaf: int
    stored: int  # bytes of a value; of a string's code
    made: int
    optional: bool
    type: pa.DataType


@dataclass(frozen=True)
class ChunkPages:
    """Pages of a chunk in a range of a file, the dictionary first, if there is one.

    `entries` are the dictionary's. `codec` packs it and the pages that say so; "": none.
    """

    range: Range
    codec: str
    dictionary: Stored | None
    entries: int
    pages: np.ndarray[Any, np.dtype[np.int64]]  # of the fields of Page
    largest: int  # bytes of a data page, unpacked
    most_values: int  # of a page
    coded_values: int
    plain_bytes: int

    @property
    def all_coded(self) -> bool:
        return not self.plain_bytes


class PageTable(NamedTuple):
    """Pages of some chunks, and the room that they need."""

    pages: np.ndarray[Any, np.dtype[np.int64]]  # of the fields of Page
    largest: int  # bytes of a data page, unpacked
    most_values: int
    dictionary: int  # bytes of a dictionary, unpacked
    entries: int  # of a dictionary


class Found(NamedTuple):
    """What loops found: the NULLs, and the range of the dictionaries' entries."""

    nulls: int
    low: int
    high: int


def table_of_values(chunks: Sequence[ChunkPages]) -> PageTable:
    """The pages of some chunks, each with its own dictionary."""
    pages = chunks[0].pages
    if len(chunks) > 1:
        pages = _numbered([c.pages for c in chunks])
    return _table(pages, chunks)


def table_of_codes(chunks: Sequence[ChunkPages]) -> PageTable:
    """The pages of some chunks whose dictionaries stand one after another, decoded already."""
    data = [c.pages if c.dictionary is None else c.pages[1:] for c in chunks]
    pages = _numbered(data)
    starts = accumulate((c.entries for c in chunks), initial=0)
    pages[:, _FIRST_ENTRY] = np.repeat(list(starts)[:-1], [len(d) for d in data])
    return _table(pages, chunks)


def _numbered(pages: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    found = np.concatenate(pages)
    found[:, _CHUNK] = np.repeat(np.arange(len(pages)), [len(p) for p in pages])
    return found


def _table(pages: np.ndarray[Any, Any], chunks: Sequence[ChunkPages]) -> PageTable:
    return PageTable(
        pages,
        max(c.largest for c in chunks),
        max(c.most_values for c in chunks),
        max(0 if c.dictionary is None else c.dictionary.size for c in chunks),
        max(c.entries for c in chunks),
    )


def chunk_pages(chunk: Bytes, place: Range, values: int, codec: str) -> ChunkPages | None:
    """The pages of a chunk of so many values; None if they are not as described above."""
    try:
        return _pages(chunk, place, values, codec)
    except (ValueError, IndexError, KeyError, TypeError):
        return None  # not what the format says: pyarrow tells what is wrong


def _pages(chunk: Bytes, whole: Range, values: int, codec: str) -> ChunkPages | None:
    at, left = 0, values
    dictionary, entries = None, 0
    pages: list[Page] = []
    while left > 0:
        header, start = struct_at(chunk, at)
        at = start + header[3]
        if min(header[2], header[3]) < 0 or at > len(chunk):
            return None
        place = Stored(start, header[3], header[2])
        if header[1] == _DICTIONARY:
            if dictionary is not None or header[7][2] not in (_PLAIN, _PLAIN_DICTIONARY):
                return None
            if pages or not 0 <= header[7][1] <= header[2]:
                return None
            dictionary, entries = place, header[7][1]
            pages.append(Page(0, *place, 0, ENTRIES, IN_PAGE, bool(codec), 0, entries))
        elif header[1] != _INDEX:
            page = _page(header, place, bool(codec), entries)
            if page is None or not 0 < page.values <= left:
                return None
            pages.append(page)
            left -= page.values
    if left:
        return None
    found = np.array(pages, np.int64).reshape(len(pages), len(PAGE_FIELDS))
    data = pages if dictionary is None else pages[1:]
    return ChunkPages(
        whole,
        codec,
        dictionary,
        entries,
        found,
        largest=max((p.size for p in data), default=0),
        most_values=max((p.values for p in pages), default=0),
        coded_values=sum(p.values for p in data if p.kind == CODES),
        plain_bytes=sum(max(p.size, 1) for p in data if p.kind == PLAIN),
    )


def _page(header: Mapping[int, Any], place: Stored, packed: bool, entries: int) -> Page | None:
    if header[1] == _DATA:
        head = header[5]
        kind = _KINDS.get(head[2])
        if kind is None or head[3] != _RLE:
            return None
        return Page(0, *place, head[1], kind, IN_PAGE, packed, 0, entries)
    if header[1] == _DATA_2:
        head = header[8]
        kind = _KINDS.get(head[4])
        if kind is None or head[6]:
            return None
        packed = packed and head.get(7, True)
        return Page(0, *place, head[1], kind, head[5], packed, 0, entries)
    return None
