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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from plait.io.files import Bytes, Range
from plait.io.parquet.thrift import struct_at

_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_IN_PAGE = -1  # the levels' length stands in the page


class Stored(NamedTuple):
    """A page's place in its chunk, and its length there and unpacked."""

    start: int
    stored: int
    size: int


class DataPage(NamedTuple):
    """As compiled loops are told of a page."""

    start: int
    stored: int
    size: int
    values: int
    coded: int
    levels: int
    packed: int


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
    """Pages of a chunk in a range of a file; `entries` are those of the dictionary.

    `codec` packs the dictionary and the pages that say so; "": none.
    """

    range: Range
    codec: str
    dictionary: Stored | None
    entries: int
    pages: np.ndarray[Any, np.dtype[np.int64]]  # of the fields of DataPage
    largest: int  # bytes of a page, unpacked
    most_values: int  # of a page
    all_coded: bool


def chunk_pages(chunk: Bytes, place: Range, values: int, codec: str) -> ChunkPages | None:
    """The pages of a chunk of so many values; None if they are not as described above."""
    try:
        return _pages(chunk, place, values, codec)
    except (ValueError, IndexError, KeyError, TypeError):
        return None  # not what the format says: pyarrow tells what is wrong


def _pages(chunk: Bytes, whole: Range, values: int, codec: str) -> ChunkPages | None:
    at, left = 0, values
    dictionary, entries = None, 0
    pages: list[DataPage] = []
    while left > 0:
        header, start = struct_at(chunk, at)
        at = start + header[3]
        if header[3] < 0 or at > len(chunk):
            return None
        place = Stored(start, header[3], header[2])
        if header[1] == _DICTIONARY:
            if dictionary is not None or header[7][2] not in (_PLAIN, _PLAIN_DICTIONARY):
                return None
            dictionary, entries = place, header[7][1]
        elif header[1] != _INDEX:
            page = _page(header, place, bool(codec))
            if page is None or page.values <= 0:
                return None
            pages.append(page)
            left -= page.values
    if left:
        return None
    found = np.array(pages, np.int64).reshape(len(pages), len(DataPage._fields))
    return ChunkPages(
        whole,
        codec,
        dictionary,
        entries,
        found,
        largest=max((p.size for p in pages), default=0),
        most_values=max((p.values for p in pages), default=0),
        all_coded=all(p.coded for p in pages),
    )


def _page(header: Mapping[int, Any], place: Stored, packed: bool) -> DataPage | None:
    if header[1] == _DATA:
        head = header[5]
        coded = _is_coded(head[2])
        if coded is None or head[3] != _RLE:
            return None
        return DataPage(*place, head[1], coded, _IN_PAGE, packed)
    if header[1] == _DATA_2:
        head = header[8]
        coded = _is_coded(head[4])
        if coded is None or head[6]:
            return None
        return DataPage(*place, head[1], coded, head[5], packed and head.get(7, True))
    return None


def _is_coded(encoding: int) -> bool | None:
    if encoding == _PLAIN:
        return False
    return True if encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY) else None
