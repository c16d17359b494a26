"""What a running task may know of its surroundings.

A leaf: task functions of other rooms import it, it imports only the errors. The executor puts a
context in place before it calls a function; `current_context()` finds it, per thread. Outside any
task there is a detached one, so that a task's function can be called by hand and in tests.

    scratch       a folder for spill files, shared by the executor's tasks, made on first use and
                  removed when the executor is closed
    memory_limit  bytes this task may use, or None
    memory_total  bytes all tasks of the process and their results may use, or None: without a
                  limit, or where somebody else looks after results that wait
    report        rows, bytes and whatever else was measured; kept by the run and sent in events
    cancelled     whether the run wants its tasks to stop; long loops call check_cancelled()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from plait.scheduler.errors import RunCancelledError
from plait.scheduler.scratch import ScratchFolder


class CancelFlag:
    """Whether a run has been told to stop. Set once, read by its tasks."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False


class TaskContext:
    """Scratch folder, memory budget, metrics and cancellation of one running task."""

    __slots__ = (
        "_scratch",
        "bytes",
        "cancel_flag",
        "extra",
        "memory_limit",
        "memory_total",
        "reported",
        "rows",
    )

    def __init__(
        self,
        scratch: ScratchFolder,
        cancel: CancelFlag,
        memory_limit: int | None = None,
        memory_total: int | None = None,
    ) -> None:
        self._scratch = scratch
        self.cancel_flag = cancel
        self.memory_limit = memory_limit
        self.memory_total = memory_total
        self.reported = False
        self.rows: int | None = None
        self.bytes: int | None = None
        self.extra: dict[str, object] | None = None

    @property
    def scratch(self) -> Path:
        """A folder for temporary files; give them unique names and delete them when done."""
        return self._scratch.path

    @property
    def cancelled(self) -> bool:
        """Whether the run of this task has been cancelled or has failed elsewhere."""
        return self.cancel_flag.is_set

    def check_cancelled(self) -> None:
        """Raise RunCancelledError if the run no longer wants this task."""
        if self.cancel_flag.is_set:
            raise RunCancelledError("The run of this task was cancelled")

    def report(
        self,
        rows: int | None = None,
        bytes: int | None = None,  # noqa: A002 - the word of the metrics everywhere
        **extra: object,
    ) -> None:
        """Add to the task's measured rows and bytes; set further named values."""
        self.reported = True
        if rows is not None:
            self.rows = rows + (self.rows or 0)
        if bytes is not None:
            self.bytes = bytes + (self.bytes or 0)
        if extra:
            self.extra = {**(self.extra or {}), **extra}

    def metrics(self) -> Mapping[str, object]:
        """What was reported so far, as one mapping."""
        known: dict[str, object] = {}
        if self.rows is not None:
            known["rows"] = self.rows
        if self.bytes is not None:
            known["bytes"] = self.bytes
        return {**known, **(self.extra or {})}


class Seat:
    """Where one thread's running task sits; executors place tasks, `current_context` looks.

    A context is made when a task asks for it: most never do.
    """

    __slots__ = ("context", "memory_limit", "memory_total", "run_flag", "scratch", "worker")

    def __init__(
        self,
        worker: str,
        scratch: ScratchFolder,
        memory_limit: int | None = None,
        memory_total: int | None = None,
    ) -> None:
        self.worker = worker
        self.scratch = scratch
        self.memory_limit = memory_limit
        self.memory_total = memory_total
        self.run_flag: CancelFlag | None = None
        self.context: TaskContext | None = None


class Place(NamedTuple):
    """Where a thread is: its seat, and what it works for, all its life: a pool, a worker."""

    seat: Seat | None
    home: object


class _Current(threading.local):
    seat: Seat | None = None
    home: object = None


_current = _Current()
_detached_scratch = ScratchFolder()


def current_context() -> TaskContext:
    """The context of the task this thread is running, or a fresh detached one.

    >>> current_context().memory_limit is None
    True
    """
    seat = _current.seat
    if seat is None or seat.run_flag is None:
        return TaskContext(_detached_scratch, CancelFlag())
    if seat.context is None:
        seat.context = TaskContext(
            seat.scratch, seat.run_flag, seat.memory_limit, seat.memory_total
        )
    return seat.context


def current_flag() -> CancelFlag | None:
    """For executors: the flag of the run whose task this thread is running, if any."""
    seat = _current.seat
    return None if seat is None else seat.run_flag


def take_seat(seat: Seat | None) -> Seat | None:
    """For executors: seat this thread; returns the seat to go back to afterwards."""
    previous = _current.seat
    _current.seat = seat
    return previous


def place_here() -> Place:
    """For executors: where this thread is."""
    return Place(_current.seat, _current.home)


def take_place(place: Place) -> None:
    """For executors: this thread works for somebody, or takes the place of another thread."""
    _current.seat, _current.home = place


_caches: list[Callable[[int], int]] = []


def when_short(give: Callable[[int], int]) -> None:
    """Have `give` called with a number of bytes when the process is short of memory.

    It lets go of up to so many that it only keeps for later, and returns how many those were.
    """
    _caches.append(give)


def give_back(count: int) -> int:
    """For executors: have caches give back so many bytes; how many they did."""
    given = 0
    for give in _caches:
        if given < count:
            given += give(count - given)
    return given
