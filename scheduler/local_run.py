"""One run in this process: executing its tasks, telling its observer, waiting for it.

Used by the inline and the thread executor alike. What needs the executor's lock is marked so; the
observer is always called outside of it, and under a lock of the run's own, so that events come one
at a time.

A run ends once, by `end` (with its results or an error, under the executor's lock) and then
`announce` (last event, waiters woken, outside of it). Tasks that still run afterwards are told by
the cancel flag, and what they return is ignored.
"""

from __future__ import annotations

import logging
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
from plait.scheduler.executor import Jobs, TaskMetrics
from plait.scheduler.graph import Handle, Ref, check_parts
from plait.scheduler.local_state import RunState
from plait.scheduler.observing import Announcer, annotate, group_summaries

_log = logging.getLogger(__name__)


# The results kept of one run, by task and part: tuples hash faster than handles.
Kept = dict[tuple[int, int], object]


class RunOwner(Protocol):
    """What a run needs of its executor."""

    def await_run(self, run: LocalRun, timeout: float | None) -> None: ...
    def help_run(self, run: LocalRun, task: int, timeout: float | None) -> None: ...
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
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> None:
        self.name = name
        self.priority = priority
        self.place = -1  # for the pool: where its next task stands among those of all runs
        self.jobs = jobs
        # Wanted tasks that `jobs` has not been told of.
        self._untold = {ref.task for ref in want} if jobs is not None else set()
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

    def help_with(self, task: int, timeout: float | None = None) -> None:
        """See `Run`."""
        self._owner.help_run(self, task, timeout)

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
        if self.jobs is not None and task in self._untold and not self.jobs.start(task):
            return None, RunCancelledError(f"Task {task} of run {self.name} was cancelled")
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
        return (
            isinstance(error, Exception)
            and not isinstance(error, RunCancelledError)
            and not self.ended
            and self.state.attempts_left(task)
        )

    def tell(self, task: int, result: object, error: BaseException | None) -> None:
        """Outside the executor's lock: tell `jobs` of a task whose end has been noted."""
        if error is None:
            self._tell(task, result, None)
        elif self.state.over[task]:  # or else it is to run again
            for item in self.state.needing(task):
                self._tell(item, None, error)

    def _tell(self, task: int, result: object, error: BaseException | None) -> None:
        # Whoever removes it tells: one atomic step, so that nobody is told twice.
        try:
            self._untold.remove(task)
        except KeyError:
            return
        assert self.jobs is not None
        try:
            if error is None:
                self.jobs.returned(task, result)
            else:
                self.jobs.failed(task, error)
        except Exception:
            # It must not end a worker's thread.
            _log.exception("Telling the result of task %d of run %s failed", task, self.name)

    def end(self, error: BaseException | None) -> tuple[list[object], Kept]:
        """Under the executor's lock: end the run. Returns dropped values, and results to keep."""
        if self.ended:
            return [], {}
        self.ended = True
        kept: Kept = {}
        if error is None and self.jobs is None:
            parts = [(handle.task, handle.part) for handle in self.handles]
            kept = dict(zip(parts, self.state.wanted(), strict=True))
        elif error is not None:
            self.error = error
            self._traceback = error.__traceback__
            self.cancel_flag.is_set = True
        return self.state.drop(), kept

    def announce(self) -> None:
        """Outside the executor's lock: after `end`, tell the observer and the waiters."""
        seconds = perf_counter() - self._started
        if self.error is not None:
            for task in list(self._untold):
                self._tell(task, None, self.error)
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
