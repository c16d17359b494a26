"""The column cache: decoded columns of files, kept by the process for whoever reads them next.

What is kept is what decoding made (dictionary codes, narrowed decimals, measured ranges), for all
rows of a block of row groups, and is handed out as it is. The key tells the file with its version,
so a file that was replaced is simply another one; its old columns leave as others come.

The least recently used go first. A scan never drives out columns of its own: of a file that is
larger than the cache a part stays, where otherwise each reading would throw away what the next one
will ask for first. Budgets come from whoever reads: memory that results need is taken from here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Container
from typing import NamedTuple

from plait.io.columns import Column, footprint

_OBJECTS = 500  # bytes of the Python objects for a piece, and for a key


class Key(NamedTuple):
    """A column of some row groups of a version of a file, decoded for a logical type."""

    file: tuple[str, int, str]  # path, size, version
    groups: tuple[int, ...]
    name: str
    dtype: str


class ColumnCache:
    """Columns in pieces, by key. Every method may be called by several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[tuple[Column, ...], int]] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0
        self.hits = self.misses = 0

    @property
    def bytes(self) -> int:
        """Bytes of all columns that are kept."""
        return self._bytes

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def get(self, key: Key) -> tuple[Column, ...] | None:
        """The pieces of a column, if they are kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._kept.move_to_end(key)
            return found[0]

    def put(
        self, key: Key, pieces: tuple[Column, ...], budget: int, scanned: Container[str]
    ) -> None:
        """Keep a column if there is room among `budget` bytes; `scanned` are the scan's columns."""
        size = footprint(pieces) + _OBJECTS * (1 + len(pieces))
        with self._lock:
            if size > budget or key in self._kept:
                return
            while self._bytes + size > budget:
                oldest = next(iter(self._kept))
                if oldest.file == key.file and oldest.name in scanned:
                    return
                self._drop(oldest)
            self._kept[key] = pieces, size
            self._bytes += size

    def shrink(self, budget: int) -> None:
        """Let go of columns until at most so many bytes are kept."""
        with self._lock:
            while self._bytes > max(budget, 0):
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key)[1]


cache = ColumnCache()
