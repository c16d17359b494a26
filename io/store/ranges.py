"""StoreRanges: ranges of a file in a store, fetched together, each of the version that was listed.

Ranges near to each other are one request, long ones several; all are under way at once, as many as
the store's gate lets through, and are handed out as they land. What every part must be: exactly as
long as asked for, and of the listed version of the file.

Two kinds of bytes are kept beyond a reader's life, in a small cache by file and identity: the end
of a file (a Parquet footer and what lies before it) and all of a small file, which is fetched whole
whatever range of it is wanted.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from typing import Any

from plait.errors import ReadError
from plait.io.files import Bytes, FileInfo, Range, changed, coalesce
from plait.io.store.driver import open_store
from plait.io.store.errors import ShortAnswerError, status_of
from plait.io.store.get import Answer, by_blocking_driver

WHOLE = 512 << 10  # files up to this size are fetched whole
TAIL = 4 << 20  # ends of files up to this size are kept
_KEPT = 32 << 20
_LONGEST = 16 << 20  # one request


class _Ends:
    """The ends of files, by file: (start, bytes); those used last stay."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, int, str], tuple[int, Bytes]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, file: FileInfo) -> tuple[int, Bytes] | None:
        with self._lock:
            known = self._found.get(_key(file))
            if known is not None:
                self._found.move_to_end(_key(file))
            return known

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._size = 0

    def put(self, file: FileInfo, start: int, data: Bytes) -> None:
        with self._lock:
            old = self._found.pop(_key(file), None)
            if old is not None:
                self._size -= len(old[1])
                if len(old[1]) > len(data):
                    start, data = old
            self._found[_key(file)] = (start, data)
            self._size += len(data)
            while self._size > _KEPT and len(self._found) > 1:
                _, (_, gone) = self._found.popitem(last=False)
                self._size -= len(gone)


def _key(file: FileInfo) -> tuple[str, int, str]:
    return file.path, file.size, file.identity


_ends = _Ends()


def forget() -> None:
    """Let go of all ends of files."""
    _ends.clear()


def keep_end(file: FileInfo, data: Bytes) -> None:
    """Keep the last bytes of a file, which came before it was opened."""
    _ends.put(file, file.size - len(data), data)


class FetchedParts:
    """Pieces of a file, some still under way."""

    def __init__(self, file: FileInfo, pieces: Sequence[tuple[int, int, Any]]) -> None:
        self._file = file
        self._pieces = sorted(pieces, key=lambda p: (p[0], p[1]))
        self._starts = [p[0] for p in self._pieces]

    def read(self, start: int, end: int) -> Bytes:
        """Bytes [start, end), waiting until they have come."""
        found: list[memoryview] = []
        at = start
        while at < end:
            piece = self._piece(at)
            if piece is None:
                raise OSError(f"bytes {start} to {end} were not fetched")
            first, last, data = piece
            stop = min(end, last)
            found.append(memoryview(_landed(data))[at - first : stop - first])
            at = stop
        if len(found) == 1:
            return found[0]
        return b"".join(found)

    def missing(self, start: int, end: int) -> list[Range]:
        """The parts of a range that no piece has."""
        gaps: list[Range] = []
        at = start
        while at < end:
            piece = self._piece(at)
            if piece is not None:
                at = piece[1]
                continue
            following = bisect_right(self._starts, at)
            stop = min([end, *self._starts[following : following + 1]])
            gaps.append((at, stop))
            at = stop
        return gaps

    def plus(self, other: FetchedParts) -> FetchedParts:
        return FetchedParts(self._file, [*self._pieces, *other._pieces])

    def cancel(self) -> None:
        """Gives up what has not come."""
        for _, _, data in self._pieces:
            if isinstance(data, Future):
                data.cancel()

    def _piece(self, at: int) -> tuple[int, int, Any] | None:
        for i in range(bisect_right(self._starts, at) - 1, -1, -1):
            if at < self._pieces[i][1]:
                return self._pieces[i]
        return None


def _landed(data: Bytes | Future[Bytes]) -> Bytes:
    return data.result() if isinstance(data, Future) else data


class StoreRanges:
    """A RangeReader of a file in a store."""

    def __init__(self, file: FileInfo) -> None:
        self._file = file
        self.size = file.size
        self._store, self._path = open_store(file.path, file.access)
        self._started = FetchedParts(file, ())

    def start(self, ranges: Sequence[Range]) -> FetchedParts:
        self._started.cancel()
        self._started = self._fetch(ranges)
        return self._started

    def get_ranges(self, ranges: Sequence[Range]) -> list[Bytes]:
        gaps = [gap for start, end in ranges for gap in self._started.missing(start, end)]
        parts = self._started.plus(self._fetch(gaps)) if gaps else self._started
        return [parts.read(start, end) for start, end in ranges]

    def close(self) -> None:
        self._started.cancel()
        self._started = FetchedParts(self._file, ())

    def _fetch(self, ranges: Sequence[Range]) -> FetchedParts:
        ranges = [(start, end) for start, end in ranges if start < end]
        kept = _ends.get(self._file)
        pieces: list[tuple[int, int, Any]] = []
        if kept is not None:
            pieces = [(kept[0], self.size, kept[1])]
            ranges = [(a, min(b, kept[0])) for a, b in ranges if a < kept[0]]
        if ranges and self.size <= WHOLE:
            ranges = [(0, self.size)]
        for start, end in coalesce(ranges):
            count = -(-(end - start) // _LONGEST)
            borders = [start + (end - start) * i // count for i in range(count + 1)]
            pieces += [(a, b, self._request(a, b)) for a, b in pairwise(borders)]
        return FetchedParts(self._file, pieces)

    def _request(self, start: int, end: int) -> Future[Bytes]:
        fs, path = self._store.fs, self._path
        blocking = not self._store.asynchronous
        get: Any = by_blocking_driver if blocking else self._store.get
        once: Any = partial(self._checked_now if blocking else self._checked, get, fs, path)
        return self._store.submit(
            partial(once, (start, end)), end - start, self._file.shown, self._file.access
        )

    async def _checked(self, get: Any, fs: Any, path: str, bounds: Range) -> Bytes:
        try:
            return self._check(await get(fs, path, bounds), bounds)
        except Exception as error:
            self._gone_or_changed(error)
            raise

    def _checked_now(self, get: Any, fs: Any, path: str, bounds: Range) -> Bytes:
        try:
            return self._check(get(fs, path, bounds), bounds)
        except Exception as error:
            self._gone_or_changed(error)
            raise

    def _gone_or_changed(self, error: Exception) -> None:
        """Raises if an error tells that the file is not what was listed."""
        if isinstance(error, FileNotFoundError) or status_of(error) == 404:
            raise ReadError(f"{self._file.shown} has gone since it was opened") from None
        if status_of(error) == 416:  # the range lies behind its end
            raise changed(self._file) from None

    def _check(self, answer: Answer, bounds: Range) -> Bytes:
        (data, identity, _), (start, end) = answer, bounds
        known = self._file.identity.removesuffix(self._file.access.mark)
        if known and identity and identity != known:
            raise changed(self._file)
        if len(data) == self.size > end - start:  # a server that knows no ranges
            _ends.put(self._file, 0, data)
            return memoryview(data)[start:end]
        if len(data) != end - start:
            raise ShortAnswerError(f"asked for bytes {start} to {end}, got {len(data)}")
        if end == self.size and len(data) <= TAIL and self._file.identity:
            _ends.put(self._file, start, data)
        return data
