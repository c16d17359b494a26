"""Dictionaries that the row groups of a file share.

Writers give every row group a dictionary of its own, most often of the same few strings in another
order. Whoever works on entries once a dictionary (lookup tables of filters, numbers of groups) has
less to do where the codes of all row groups are told by one.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MOST = 1 << 12  # entries: more differ from row group to row group
_MOST_PAGES, _MOST_BYTES = 1 << 10, 1 << 12  # pages that are remembered, and of each

Places = np.ndarray[Any, np.dtype[np.int32]]


class Dictionaries:
    """By column, the entries met so far. Every method may be called by several threads."""

    def __init__(self) -> None:
        self._entries: dict[str, pa.Array] = {}
        self._pages: dict[tuple[str, bytes], Places] = {}
        self._lock = threading.Lock()

    def shared(self, name: str, array: pa.DictionaryArray) -> pa.DictionaryArray:
        """The array with the column's common dictionary, if it has one with so few entries."""
        found = self.places(name, array.dictionary)
        if found is None or found[0] is array.dictionary:
            return array
        entries, places = found
        if (places == np.arange(len(places))).all():
            return pa.DictionaryArray.from_arrays(array.indices, entries)
        codes = pc.take(pa.array(places), array.indices, boundscheck=False)
        return pa.DictionaryArray.from_arrays(codes, entries)

    def places(self, name: str, own: pa.Array) -> tuple[pa.Array, Places] | None:
        """The column's common dictionary, and where the entries of another are in it; None if it
        would have too many."""
        if len(own) > _MOST:
            return None
        with self._lock:
            found = merged(self._entries.get(name), own)
            if len(found[0]) > _MOST:
                return None
            self._entries[name] = found[0]
            return found

    def of_page(self, name: str, page: bytes) -> tuple[pa.Array, Places] | None:
        """What `places` gave for the dictionary that a page holds, if it was met before."""
        places = self._pages.get((name, page))
        return None if places is None else (self._entries[name], places)

    def keep_page(self, name: str, page: bytes, places: Places) -> None:
        """Remember where the entries of a page are."""
        if len(page) <= _MOST_BYTES and len(self._pages) < _MOST_PAGES:
            self._pages[name, page] = places


def merged(entries: pa.Array | None, own: pa.Array) -> tuple[pa.Array, Places]:
    """A dictionary with the entries of another added, and where those are in it."""
    if entries is None:
        return own, np.arange(len(own), dtype=np.int32)
    places = pc.index_in(own, entries)
    if places.null_count:
        entries = pa.concat_arrays([entries, own.filter(places.is_null())])
        places = pc.index_in(own, entries)
    return entries, places.to_numpy()
