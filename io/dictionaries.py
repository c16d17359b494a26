"""Dictionaries that the row groups of a file share.

Writers give every row group a dictionary of its own, most often of the same few strings in another
order. Whoever works on entries once a dictionary (lookup tables of filters, numbers of groups) has
less to do where the codes of all row groups are told by one.
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MOST = 1 << 12  # entries: more differ from row group to row group


class Dictionaries:
    """By column, the entries met so far. Every method may be called by several threads."""

    def __init__(self) -> None:
        self._entries: dict[str, pa.Array] = {}
        self._lock = threading.Lock()

    def shared(self, name: str, array: pa.DictionaryArray) -> pa.DictionaryArray:
        """The array with the column's common dictionary, if it has one with so few entries."""
        own = array.dictionary
        if len(own) > _MOST:
            return array
        with self._lock:
            entries = self._entries.get(name)
            if entries is None:
                self._entries[name] = own
                return array
            places = pc.index_in(own, entries)
            if places.null_count:
                wider = pa.concat_arrays([entries, own.filter(places.is_null())])
                if len(wider) > _MOST:
                    return array
                entries = self._entries[name] = wider
                places = pc.index_in(own, entries)
        numbers = places.to_numpy()
        if (numbers == np.arange(len(numbers))).all():
            return pa.DictionaryArray.from_arrays(array.indices, entries)
        codes = pc.take(places, array.indices, boundscheck=False)
        return pa.DictionaryArray.from_arrays(codes, entries)
