"""Pressure: what a worker does when its process comes near its memory limit.

Counted bytes are not all a process uses: allocators keep what was freed, tasks take what they need,
libraries cache. So what counts is the system's figure, looked at several times a second. Above
`_FULL` of the limit caches are given up first (`context.when_short`); then freed memory goes back
to the system; then results go to files, so many as are too much.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from plait.scheduler.context import give_back
from plait.scheduler.store import Store

_FULL = 0.6  # of the limit
_ROOM = 0.85  # of the limit: beyond it no large results are taken while the disk is full
_RESULTS = 0.6  # of the limit: results in memory, if all else leaves them that

_TRIM_EVERY = 1.0  # seconds


class Pressure:
    """Watches the memory of a worker's process for its store."""

    def __init__(self, store: Store, limit: int | None) -> None:
        self._store, self._limit = store, limit
        self._trim = _trimmer()
        self._trimmed = 0.0
        store.limit = None if limit is None else int(_RESULTS * limit)

    def look(self, used: int) -> None:
        """Do what is to be done about so many bytes in use."""
        if self._limit is None:
            return
        self._store.room = self._store.bytes + int(_ROOM * self._limit) - used
        most = int(_RESULTS * self._limit)
        excess = used - int(_FULL * self._limit)
        if excess <= 0:
            self._store.limit = most
            return
        excess -= give_back(excess)
        now = time.monotonic()
        if now - self._trimmed >= _TRIM_EVERY:
            self._trimmed = now
            self._trim()
        self._store.bound(most if excess <= 0 else min(most, self._store.bytes - excess))


def _trimmer() -> Callable[[], None]:
    """What returns freed memory to the system, as far as it can be had here."""
    trim: Callable[[int], int] | None = None
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library other than glibc
            trim = ctypes.CDLL("libc.so.6").malloc_trim

    def back() -> None:
        arrow = sys.modules.get("pyarrow")
        if hasattr(arrow, "default_memory_pool"):  # else it is just being imported
            arrow.default_memory_pool().release_unused()  # type: ignore[union-attr]
        if trim is not None:
            trim(0)

    return back
