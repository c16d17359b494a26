"""Reading ahead in a Parquet file in a store, as operating systems do on disks.

Tasks read splits one after another, and a task waits for its bytes before it can compute. When a
process opens two splits of a file that follow each other, the next ones are likely to come: their
column chunks are fetched while the present ones are decoded. A single split (the first of a LIMIT,
one of a cluster's) starts nothing. What is fetched and never asked for is let go when further scans
begin, or when the next one does after some seconds. The longer a scan goes on, the further ahead is
read, so that there is always a request under way.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plait.io.files import Bytes, FileInfo, Parts, Range, RangeReader
from plait.io.filesystem import open_ranges

_SCANS = 4  # that may read ahead at once
_BYTES = 32 << 20  # ahead of one scan
_FIRST = 4  # splits ahead at first; twice as many after each that was asked for
_STALE = 10.0  # seconds

Key = tuple[str, int, str, tuple[str, ...]]


class Together:
    """Parts of several fetches as one; each range was fetched by one of them."""

    def __init__(self, found: Iterable[tuple[Range, Parts]]) -> None:
        self._found = sorted(found, key=lambda f: f[0])
        self._starts = [start for (start, _), _ in self._found]

    def read(self, start: int, end: int) -> Bytes:
        """Bytes within one of the ranges, waiting until they have come."""
        at = bisect_right(self._starts, start) - 1
        if at < 0 or end > self._found[at][0][1]:
            raise OSError(f"bytes {start} to {end} were not fetched")
        return self._found[at][1].read(start, end)


@dataclass
class _Scan:
    """One reading of a file: what has been opened, and what is being fetched, by row group."""

    opened: set[int] = field(default_factory=set)  # the row groups that splits ended with
    ahead: dict[int, tuple[RangeReader, list[Range], Parts]] = field(default_factory=dict)
    used: float = 0.0
    splits: int = _FIRST  # to be ahead by


_scans: OrderedDict[Key, _Scan] = OrderedDict()
_lock = threading.Lock()


def take(
    file: FileInfo,
    columns: Sequence[str],
    groups: Sequence[int],
    wanted: Callable[[range], Mapping[int, list[Range]]],
    count: int,
) -> list[tuple[list[Range], Parts]]:
    """What was fetched ahead of the row groups of a split, and more of it begun.

    `groups` are all of the split's, `count` is how many the file has, and `wanted` says what will
    be read of some later ones.
    """
    key = (file.path, file.size, file.identity, tuple(columns))
    now = time.monotonic()
    with _lock:
        for old in [k for k, s in _scans.items() if now - s.used > _STALE]:
            _let_go(_scans.pop(old))
        scan = _scans.setdefault(key, _Scan())
        _scans.move_to_end(key)
        while len(_scans) > _SCANS:
            _let_go(_scans.popitem(last=False)[1])
        scan.used = now
        if groups[-1] in scan.opened:  # somebody reads the file once more
            scan.opened.clear()
            scan.splits = _FIRST
        taken = [scan.ahead.pop(g)[1:] for g in groups if g in scan.ahead]
        follows = groups[0] - 1 in scan.opened
        scan.opened.add(groups[-1])
        if follows:
            first = max([groups[-1], *scan.opened, *scan.ahead]) + 1
            last = min(groups[-1] + 1 + scan.splits * len(groups), count)
            scan.splits = min(2 * scan.splits, count)
            _fetch(scan, file, wanted(range(first, last)))
    return taken


def _fetch(scan: _Scan, file: FileInfo, found: Mapping[int, list[Range]]) -> None:
    """Starts to fetch row groups, as many as there is room for."""
    under_way = 0
    for group, ranges in found.items():
        size = sum(end - start for start, end in ranges)
        if (len(scan.ahead) + 1) * size > _BYTES or under_way > _BYTES:
            return
        under_way += size
        reader = open_ranges(file).reader
        scan.ahead[group] = (reader, ranges, reader.start(ranges))


def _let_go(scan: _Scan) -> None:
    for reader, _, _ in scan.ahead.values():
        reader.close()
