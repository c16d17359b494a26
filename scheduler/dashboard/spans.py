"""Bars of the task stream: who did what, from when to when.

A *lane* is one thread of one worker; its bars are *spans*. Tasks may take microseconds, and a
hundred thousand bars a second can neither be sent nor seen: short spans that follow each other on
a lane become one, of at most `_WIDEST` seconds, which counts its tasks and bears the stage of the
longest. So a lane gives at most some two hundred spans a second, whatever runs.

The last span of a lane stays open for merging until the news are asked for. Spans that are given
out never change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["task", "transfer", "spill", "failed"]

_GRAIN = 0.005  # seconds below which spans, and the gaps between them, may vanish in one
_WIDEST = 0.05


@dataclass(slots=True)
class Span:
    """A bar. `job` and `stage` are -1 for what belongs to none; `longest` is of one task."""

    lane: int
    kind: Kind
    job: int
    stage: int
    start: float
    seconds: float
    count: int = 1
    longest: float = 0.0
    number: int = 0

    @property
    def end(self) -> float:
        """When it ended."""
        return self.start + self.seconds


@dataclass(slots=True)
class Lane:
    """A thread of a worker, and the span that may still grow."""

    id: int
    worker: int
    thread: str
    number: int
    open: Span | None = field(default=None)


class Timeline:
    """The newest spans of all lanes, numbered as they are closed.

    Parameters
    ----------
    most : int
        How many spans are remembered.
    next_number : callable
        Gives the number of what is news now; larger each time.
    """

    def __init__(self, most: int, next_number: Callable[[], int]) -> None:
        self._spans: deque[Span] = deque(maxlen=most)
        self._next_number = next_number
        self._open: dict[int, Lane] = {}

    def add(
        self, lane: Lane, kind: Kind, job: int, stage: int, start: float, seconds: float
    ) -> None:
        """Note what a lane did, later than what it did before."""
        last = lane.open
        if last is not None:
            if _merge(last, kind, job, stage, start, seconds):
                return
            self._close(lane)
        lane.open = Span(lane.id, kind, job, stage, start, seconds, 1, seconds)
        self._open[lane.id] = lane

    def since(self, number: int, most: int) -> tuple[list[Span], int]:
        """Spans with larger numbers, oldest first, the newest `most`; and how many were left out.

        Those that were forgotten before anybody asked are not counted.
        """
        for lane in list(self._open.values()):
            self._close(lane)
        found: list[Span] = []
        left_out = 0
        for span in reversed(self._spans):
            if span.number <= number:
                break
            if len(found) < most:
                found.append(span)
            else:
                left_out += 1
        return found[::-1], left_out

    def _close(self, lane: Lane) -> None:
        span, lane.open = lane.open, None
        self._open.pop(lane.id, None)
        if span is not None:
            span.number = self._next_number()
            self._spans.append(span)


def _merge(last: Span, kind: Kind, job: int, stage: int, start: float, seconds: float) -> bool:
    """Let a span take in the next one if nobody could tell them apart."""
    # a task that waited in itself for others began before them: then there is no gap
    gap = start - last.end
    start, end = min(last.start, start), max(last.end, start + seconds)
    if (
        kind != last.kind
        or job != last.job
        or seconds > _GRAIN
        or last.longest > _GRAIN
        or gap > _GRAIN
        or end - start > _WIDEST
    ):
        return False
    if seconds > last.longest:
        last.longest, last.stage = seconds, stage
    last.start, last.seconds = start, end - start
    last.count += 1
    return True
