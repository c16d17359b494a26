"""Telling a run's observer, and saying of an error which task it came from.

Shared by the runs of all executors, wherever their tasks are called.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress

from plait.scheduler.events import Event, GroupSummary, Observer
from plait.scheduler.graph import TaskGraph

_log = logging.getLogger(__name__)


class Announcer:
    """Calls a run's observer: one event at a time, and none after the last."""

    def __init__(self, run: str, observe: Observer | None) -> None:
        self.observe = observe
        self._run = run
        # Reentrant: an observer may cancel its run, which tells the observer.
        self._lock = threading.RLock()
        self._ended = False

    def emit(self, event: Event, *, last: bool = False) -> None:
        """Call the observer, unless the run's last event has been sent."""
        if self.observe is None:
            return
        with self._lock:
            if self._ended:
                return
            self._ended = last
            try:
                self.observe(event)
            except KeyboardInterrupt:
                raise
            except BaseException:
                # Watching must not break what is watched, nor end a worker's thread.
                _log.exception("The observer of run %s failed; it gets no more events", self._run)
                self.observe = None


def group_summaries(graph: TaskGraph, tasks: Iterable[int]) -> tuple[GroupSummary, ...]:
    """How many of the tasks each group has, for the event that opens a run."""
    counts = [0] * len(graph.groups)
    for task in tasks:
        counts[graph.task_groups[task]] += 1
    return tuple(
        [
            GroupSummary(group.name, group.note, count)
            for group, count in zip(graph.groups, counts, strict=True)
        ]
    )


def annotate(error: BaseException, task: int, group: str, plan: str) -> None:
    """Add a note to a task's error that says which task it was, and the plan behind it."""
    note = f"in task {task} of group {group!r}"
    if plan:
        note += f":\n{plan}"
    # An exception class may forbid setting attributes; then it stays without a note.
    with suppress(Exception):
        error.add_note(note)
