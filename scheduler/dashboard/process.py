"""Memory and processors of this process, measured when somebody looks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from plait.scheduler.dashboard.feed import Feed

if sys.platform != "win32":
    import resource

_PAUSE = 0.2  # seconds between two measurements at least


def memory_used() -> int:
    """Bytes of memory this process uses; where the system does not tell, the most it ever used.

    0 if not even that is known.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        if sys.platform == "win32":
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


class ProcessSampler:
    """Tells a feed of this process, as one of its workers, whenever it is called.

    Parameters
    ----------
    feed : Feed
        Who is told.
    held, spilled : callable
        Bytes of results in memory, and on disk.
    """

    def __init__(
        self,
        feed: Feed,
        held: Callable[[], int],
        spilled: Callable[[], int],
        worker: int = 0,
    ) -> None:
        self._feed, self._held, self._spilled, self._worker = feed, held, spilled, worker
        self._before = time.monotonic(), time.process_time()

    def __call__(self) -> None:
        """Measure, unless that was done a moment ago."""
        now, used = time.monotonic(), time.process_time()
        since, before = self._before
        if now - since < _PAUSE:
            return
        self._before = now, used
        self._feed.worker_sample(
            self._worker,
            now,
            memory_used(),
            self._held(),
            self._spilled(),
            (used - before) / (now - since),
        )
