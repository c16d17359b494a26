"""What an executor of this process does, told to a feed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, assert_never

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.events import (
    Event,
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)

Clock = Callable[[], float]


@contextmanager
def watched(feed: Feed, worker: int = 0, clock: Clock = time.monotonic) -> Iterator[Observer]:
    """An observer for the runs of one job, which ends with the block."""
    job = object()

    def observe(event: Event) -> None:
        match event:
            case TaskStarted():
                feed.task_started(event.run, worker, event.worker, event.task, event.group, clock())
            case TaskFinished():
                metrics: Mapping[str, Any] = event.metrics
                feed.task_done(
                    event.run,
                    worker,
                    event.worker,
                    event.task,
                    event.group,
                    clock() - event.seconds,
                    event.seconds,
                    rows=metrics.get("rows", 0),
                    bytes=metrics.get("bytes", 0),
                    spilled=metrics.get("spilled", 0),
                    operator_rows=_rows(metrics.get("operators")),
                )
            case TaskFailed():
                feed.task_failed(
                    event.run,
                    worker,
                    event.worker,
                    event.task,
                    event.group,
                    clock() - event.seconds,
                    event.seconds,
                    _text(event.error),
                    event.retrying,
                )
            case RunStarted():
                feed.run_started(event.run, event.groups, clock(), job, event.more)
            case RunFinished():
                if event.error is None:
                    feed.run_ended(event.run, clock())
                else:
                    feed.run_ended(event.run, clock(), "failed", _text(event.error))
            case RunCancelled():
                feed.run_ended(event.run, clock(), "cancelled")
            case _:
                assert_never(event)

    try:
        yield observe
    finally:
        feed.job_ended(job, clock())


def both(first: Observer | None, second: Observer) -> Observer:
    """One observer that tells two."""
    if first is None:
        return second

    def observe(event: Event) -> None:
        first(event)
        second(event)

    return observe


def _rows(operators: Mapping[int, Any] | None) -> dict[int, int] | None:
    """Rows by operator, of what fragments of plans report; this room knows only their shape."""
    if not operators:
        return None
    return {number: measured.rows for number, measured in operators.items()}


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
