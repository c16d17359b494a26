"""A session's dashboard.

    plait.connect().dashboard()      # the URL to open

The session's runs are told to a feed, and a thread serves the page. Without a dashboard nothing of
this is loaded, and no run is observed for it.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from plait.engine.memory import held
from plait.errors import UnsupportedError
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.dashboard.background import BackgroundDashboard
from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.observer import both, watched
from plait.scheduler.dashboard.place import Place
from plait.scheduler.dashboard.process import ProcessSampler
from plait.scheduler.events import Observer
from plait.scheduler.executor import Executor
from plait.scheduler.local import InlineExecutor, ThreadExecutor

Observed = Callable[[], AbstractContextManager[Observer | None]]


def start_dashboard(executor: Executor, port: int) -> BackgroundDashboard:
    """A dashboard of an executor of this process, on loopback."""
    if isinstance(executor, ClusterExecutor):
        raise UnsupportedError(
            "This cluster was started without a dashboard: LocalCluster(dashboard=True) and "
            "`plait scheduler --dashboard PORT` have one"
        )
    if not isinstance(executor, ThreadExecutor | InlineExecutor):
        raise UnsupportedError(
            f"There is no dashboard of ours for {type(executor).__name__}, only for sessions on "
            "'threads', 'inline' or clusters of our own; Dask and Ray have their own"
        )
    threads = "1 thread" if executor.workers == 1 else f"{executor.workers} threads"
    feed = Feed(f"process {os.getpid()} · {threads}")
    feed.worker_joined(
        0,
        f"process {os.getpid()}",
        executor.workers,
        time.monotonic(),
        executor.memory_limit or 0,
    )
    # The thread that serves must not keep a forgotten executor alive.
    found = weakref.ref(executor)

    def spilled() -> int:
        known = found()
        return 0 if known is None else known.spilled_bytes()

    return BackgroundDashboard(feed, Place(port=port), ProcessSampler(feed, held, spilled))


def observed(progress: Observed, feed: Feed) -> Observed:
    """What a runner enters for each query: its progress bar, and the feed."""

    @contextmanager
    def entered() -> Iterator[Observer | None]:
        with progress() as bar, watched(feed) as told:
            yield both(bar, told)

    return entered
