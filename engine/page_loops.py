"""The compiled loops that decode pages of Parquet files, as its reader asks for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from plait.engine import arrays
from plait.engine.codegen.pages import routines
from plait.engine.codegen.snappy import SLACK
from plait.engine.codegen.text_pages import TOO_SMALL
from plait.io.reader import Found, PageTable

_MOST = (1 << 63) - 1
_KEPT = 8 << 20  # bytes of room to work in that a thread keeps

Array = np.ndarray[Any, Any]
_NOTHING = np.empty(0, np.uint8)


class _Rooms(threading.local):
    """Arrays to work in that a thread uses again."""

    def __init__(self) -> None:
        self.known: dict[str, Array] = {}

    def get(self, name: str, size: int) -> Array:
        """An array of `size` bytes with slack behind it; the thread has no other of this name."""
        needed = size + SLACK
        room = self.known.get(name)
        if room is None or len(room) < needed:
            room = np.empty(max(needed, 1 << 16), np.uint8)
            if needed <= _KEPT:
                self.known[name] = room
        return room[:size]


_ROOMS = _Rooms()


class PageLoops:
    """The loops for one scan; see `plait.io.parquet.decode.PageLoops`."""

    def __init__(self) -> None:
        self._ready: set[str] = set()

    def ready(self, stored: int, made: int) -> bool:
        name = "strings" if made == 0 else f"values_{stored}_{made}"
        if name not in self._ready and routines(name).at_hand():
            self._ready.add(name)
        return name in self._ready

    def empty(self, count: int, dtype: Any) -> Array:
        return arrays.empty(count, dtype)

    def unpacked(self, packed: Array, size: int) -> Array | None:
        plain = _ROOMS.get("dictionary", size)
        return plain if _call("snappy", packed, plain) == 0 else None

    def texts(self, plain: Array, count: int) -> tuple[Array, Array] | None:
        if 4 * count > len(plain):
            return None
        ends, data = np.empty(count + 1, np.int32), np.empty(len(plain) - 4 * count, np.uint8)
        return (ends, data) if _call("texts", count, plain, ends, data) == 0 else None

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
        width = dictionary.itemsize
        if not len(dictionary):
            room = _ROOMS.get("dictionary", -(-pages.dictionary // width) * width)
            dictionary = room.view(dictionary.dtype)
        found = np.array([0, _MOST, -_MOST - 1], np.int64)
        name = f"values_{width}_{made.itemsize}"
        status = _decode(name, chunks, pages, dictionary, made, first, count, valid, found)
        return Found(*found.tolist()) if status == 0 else None

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
        dictionary = _ROOMS.get("dictionary", pages.dictionary)
        starts = _ROOMS.get("starts", 4 * pages.entries).view(np.int32)
        data, found = data[: max(len(data) - SLACK, 0)], np.zeros(1, np.int64)
        status = _decode(
            "strings", chunks, pages, dictionary, ends, first, count, valid, found, starts, data
        )
        if status == TOO_SMALL:
            return -1
        return int(found[0]) if status == 0 else None


def _decode(
    name: str,
    chunks: Sequence[Array],
    pages: PageTable,
    dictionary: Array,
    made: Array,
    first: int,
    count: int,
    valid: Array | None,
    found: Array,
    *more: Array,
) -> int:
    """Run a routine over all pages of some chunks."""
    return _call(
        name,
        int(valid is not None),
        first,
        first + count,
        np.array([(c.ctypes.data, c.size) for c in chunks], np.int64),
        pages.pages,
        dictionary,
        _ROOMS.get("page", pages.largest),
        _ROOMS.get("codes", 8 * pages.most_values).view(np.int32),
        made,
        _NOTHING if valid is None else valid,
        found,
        *more,
    )


def _call(name: str, *args: int | Array) -> int:
    return routines(name).call(name, *args)
