"""One run in this process: executing its tasks, telling its observer, waiting for it.

Used by the inline and the thread executor alike. What needs the executor's lock is marked so; the
observer is always called outside of it, and under a lock of the run's own, so that events come one
at a time.

A run ends once, by `end` (with its results or an error, under the executor's lock) and then
`announce` (last event, waiters woken, outside of it). Tasks that still run afterwards are told by
the cancel flag, and what they return is ignored.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Protocol

from plait.scheduler.context import CancelFlag, Seat, current_flag
from plait.scheduler.errors import RunCancelledError
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
from plait.scheduler.executor import TaskMetrics
from plait.scheduler.graph import Handle, Ref, check_parts
from plait.scheduler.local_state import RunState
from plait.scheduler.observing import Announcer, annotate, group_summaries

# The results kept of one run, by task and part: tuples hash faster than handles.
Kept = dict[tuple[int, int], object]


class RunOwner(Protocol):
    """What a run needs of its executor."""

    def await_run(self, run: LocalRun, timeout: float | None) -> None: ...
    def cancel_run(self, run: LocalRun) -> None: ...
    def gather(self, handles: Sequence[Handle]) -> list[object]: ...
    def release(self, handles: Sequence[Handle]) -> None: ...


class RunFlag(CancelFlag):
    """The cancel flag of a local run; leads from a running task to its run."""

    __slots__ = ("run",)

    def __init__(self, run: LocalRun) -> None:
        super().__init__()
        # Weak, so that a dropped run goes at once and not with the next garbage collection.
        self.run = weakref.ref(run)


class LocalRun:
    """A `Run` whose tasks are called in this process."""

    def __init__(
        self,
        name: str,
        owner: RunOwner,
        state: RunState,
        want: Sequence[Ref],
        observe: Observer | None,
    ) -> None:
        self.name = name
        self.state = state
        self.handles = tuple([Handle(name, ref.task, ref.part) for ref in want])
        self.done = threading.Event()
        self.ended = False
        self.error: BaseException | None = None
        self.cancel_flag = RunFlag(self)
        self.children: set[LocalRun] = set()
        self.parent = _running_here()
        self._owner = owner
        self._traceback: TracebackType | None = None
        self._started = perf_counter()
        self._announcer = Announcer(name, observe)

    def wait(self, timeout: float | None = None) -> None:
        """See `Run`."""
        if not self.done.is_set():
            try:
                self._owner.await_run(self, timeout)
            except KeyboardInterrupt:
                self.cancel()
                raise
        if not self.done.is_set():
            raise TimeoutError(f"Run {self.name} is not done after {timeout} seconds")
        if self.error is not None:
            # Its own traceback every time, or each waiter would add frames to it.
            raise self.error.with_traceback(self._traceback)

    def result(self) -> list[object]:
        """See `Run`."""
        self.wait()
        values = self._owner.gather(self.handles)
        self._owner.release(self.handles)
        return values

    def cancel(self) -> None:
        """See `Run`."""
        self._owner.cancel_run(self)

    def metrics(self) -> list[TaskMetrics]:
        """See `Run`."""
        return self.state.metrics()

    def execute(self, task: int, seat: Seat) -> tuple[object, BaseException | None]:
        """Call the task's function; its result, or the error it raised."""
        state = self.state
        group = state.task_groups[task]
        if self.observe is not None:
            self.emit(TaskStarted(self.name, task, group, seat.worker))
        seat.run_flag = self.cancel_flag
        result: object = None
        error: BaseException | None = None
        started = perf_counter()
        try:
            arguments = state.arguments(task) if state.inputs[task] else state.args[task]
            if self.ended:
                # Checked after reading: `end` drops the values, and None is no argument.
                raise RunCancelledError(f"Run {self.name} ended before task {task} started")
            result = state.functions[group](*arguments)
            if state.outputs[group] > 1:
                check_parts(result, state.outputs[group], state.graph.groups[group].name)
        except BaseException as caught:
            error = caught
            if caught.__traceback__ is not None:
                # Without our own frame: it holds the error, and reads as noise.
                caught.__traceback__ = caught.__traceback__.tb_next
        seconds = perf_counter() - started
        seat.run_flag = None
        context = seat.context
        if context is not None:
            seat.context = None
            if context.reported and error is None:
                state.reports[task] = context
        if error is not None:
            return self._failed(task, seat.worker, seconds, error)
        state.seconds[task] = seconds
        if self.observe is not None:
            metrics: Mapping[str, object] = {} if context is None else context.metrics()
            self.emit(TaskFinished(self.name, task, group, seat.worker, seconds, metrics))
        return result, None

    def _failed(
        self, task: int, worker: str, seconds: float, error: BaseException
    ) -> tuple[None, BaseException]:
        group = self.state.graph.task_groups[task]
        retrying = self.may_retry(task, error)
        if not retrying:
            about = self.state.graph.groups[group]
            annotate(error, task, about.name, about.note)
        if self.observe is not None:
            self.emit(TaskFailed(self.name, task, group, worker, seconds, error, retrying))
        return None, error

    def may_retry(self, task: int, error: BaseException) -> bool:
        """Whether a failed task is to run again: an ordinary error, and attempts left."""
        return isinstance(error, Exception) and not self.ended and self.state.attempts_left(task)

    def end(self, error: BaseException | None) -> tuple[list[object], Kept]:
        """Under the executor's lock: end the run. Returns dropped values, and results to keep."""
        if self.ended:
            return [], {}
        self.ended = True
        kept: Kept = {}
        if error is None:
            parts = [(handle.task, handle.part) for handle in self.handles]
            kept = dict(zip(parts, self.state.wanted(), strict=True))
        else:
            self.error = error
            self._traceback = error.__traceback__
            self.cancel_flag.is_set = True
        return self.state.drop(), kept

    def announce(self) -> None:
        """Outside the executor's lock: after `end`, tell the observer and the waiters."""
        seconds = perf_counter() - self._started
        if self.parent is not None:
            self.parent.children.discard(self)
        if isinstance(self.error, RunCancelledError):
            self.emit(RunCancelled(self.name, seconds), last=True)
        else:
            self.emit(RunFinished(self.name, seconds, self.error), last=True)
        self.done.set()
        if self.error is not None:
            for child in list(self.children):
                child.cancel()

    def start(self) -> None:
        """Before the first task: join the run around us, tell the observer what will run."""
        if self.parent is not None:
            self.parent.children.add(self)
            if self.parent.cancel_flag.is_set:
                self.cancel()
        if self.observe is not None:
            groups = group_summaries(self.state.graph, self.state.sequence)
            self.emit(RunStarted(self.name, groups))

    def emit(self, event: Event, *, last: bool = False) -> None:
        """Call the observer, unless the run's last event has been sent."""
        self._announcer.emit(event, last=last)

    @property
    def observe(self) -> Observer | None:
        """Who is told; nobody any more once it failed."""
        return self._announcer.observe


def _running_here() -> LocalRun | None:
    """The run whose task submits on this thread: its end, if untimely, ends the inner run."""
    flag = current_flag()
    return flag.run() if isinstance(flag, RunFlag) else None
