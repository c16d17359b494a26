"""One run on a cluster, as its client sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from time import perf_counter
from types import TracebackType
from typing import Protocol

from plait.scheduler.errors import HandleError, RunCancelledError, WorkerKilledError
from plait.scheduler.events import (
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from plait.scheduler.executor import TaskMetrics
from plait.scheduler.graph import Handle
from plait.scheduler.net.serialize import load_error
from plait.scheduler.observing import Announcer, annotate, group_summaries
from plait.scheduler.reports import load_report
from plait.scheduler.state import messages as m
from plait.scheduler.submission import Submission


def error_of(told: m.RunFailed) -> BaseException:
    """Why a run failed, as an error."""
    match told.fault:
        case "task" if len(told.error):
            return load_error(told.type_name, told.text, told.error)
        case "killed":
            return WorkerKilledError(told.text)
        case "cancelled":
            return RunCancelledError(told.text)
        case "task" | "unknown":  # what it needs has failed, or is gone
            return HandleError(told.text)
        case _:
            return RuntimeError(told.text)


class RunOwner(Protocol):
    """What a run needs of its executor."""

    def await_run(self, run: ClusterRun, timeout: float | None) -> None: ...
    def cancel_run(self, run: ClusterRun) -> None: ...
    def forget(self, run: ClusterRun) -> None: ...
    def gather(self, handles: Sequence[Handle]) -> list[object]: ...
    def release(self, handles: Sequence[Handle]) -> None: ...
    def worker_name(self, number: int) -> str: ...


class ClusterRun:
    """A `Run` whose tasks are run by a cluster."""

    def __init__(
        self,
        owner: RunOwner,
        name: str,
        submission: Submission,
        observe: Observer | None,
    ) -> None:
        self.name = name
        self.number = self.first = -1
        self.submission = submission
        self.wanted: list[int] = []
        self.handles = tuple([Handle(name, ref.task, ref.part) for ref in submission.want])
        self.done = threading.Event()
        self.ended = False
        self.error: BaseException | None = None
        self._owner = owner
        self._announcer = Announcer(name, observe)
        self._waiting: set[int] = set()
        self._traceback: TracebackType | None = None
        self._lock = threading.Lock()
        self._started = perf_counter()
        self._measured: list[m.TasksDone] = []
        self._tasks_done = 0

    # ------------------------------------------------------------------------------ the protocol

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
            # its own traceback every time, or each waiter would add frames to it
            raise self.error.with_traceback(self._traceback)

    def result(self) -> list[object]:
        """See `Run`."""
        self.wait()
        values = self._owner.gather(self.handles)
        self._owner.release(self.handles)
        return values

    def help_with(self, task: int, timeout: float | None = None) -> None:
        """See `Run`: its tasks run elsewhere."""

    def cancel(self) -> None:
        """See `Run`."""
        if not self.ended:
            self._owner.cancel_run(self)
            self.finish(RunCancelledError(f"Run {self.name} was cancelled"))

    def metrics(self) -> list[TaskMetrics]:
        """See `Run`."""
        found = []
        for done in list(self._measured):
            for row, seconds, report in zip(done.tasks, done.seconds, done.reports, strict=True):
                task = self._task(row)
                rows, size, extra = load_report(report)
                group = self.submission.graph.task_groups[task]
                found.append(TaskMetrics(task, group, seconds, rows, size, extra))
        return sorted({item.task: item for item in found}.values(), key=lambda item: item.task)

    @property
    def progress(self) -> str:
        """How far it has come, for messages."""
        return f"{self._tasks_done} of {len(self.submission.sequence)} tasks were done"

    # --------------------------------------------------------------------------- its executor says

    def number_tasks(self, first: int, number: int) -> None:
        """Its own number and that of its first task are known, so its keys are."""
        self.first, self.number = first, number
        self.wanted = self.submission.keys(first)
        self._waiting = set(self.wanted)

    def messages(self, client: int, known: set[bytes], priority: int) -> Iterator[object]:
        """What to send to the scheduler."""
        return self.submission.messages(client, self.number, self.first, known, priority)

    def start(self) -> None:
        """It begins."""
        if self._announcer.observe is not None:
            groups = group_summaries(self.submission.graph, self.submission.sequence)
            self._announcer.emit(RunStarted(self.name, groups))

    def tasks_done(self, done: m.TasksDone) -> None:
        """Tasks have their results."""
        self._measured.append(done)
        self._tasks_done += len(done.tasks)
        if self._announcer.observe is None:
            return
        columns = zip(done.tasks, done.workers, done.seconds, done.reports, strict=True)
        for row, worker, seconds, report in columns:
            task = self._task(row)
            group = self.submission.graph.task_groups[task]
            name = self._owner.worker_name(worker)
            rows, size, extra = load_report(report)
            metrics = {k: v for k, v in (("rows", rows), ("bytes", size)) if v is not None} | extra
            emit = self._announcer.emit
            emit(TaskStarted(self.name, task, group, name))
            emit(TaskFinished(self.name, task, group, name, seconds, metrics))

    def retrying(self, told: m.Retrying) -> None:
        """A task failed and is run again."""
        error = load_error(told.type_name, told.text, told.error)
        self._task_failed(told.task, told.worker, told.seconds, error, retrying=True)

    def failed(self, told: m.RunFailed) -> None:
        """It will not end well."""
        if self.ended:
            return
        error = error_of(told)
        if told.fault == "task" and self._is_ours(told.task):
            task = self._task(told.task)
            group = self.submission.graph.group_of(task)
            annotate(error, task, group.name, group.note)
            self._task_failed(told.task, told.worker, told.seconds, error, retrying=False)
        self.finish(error)

    def key_ready(self, key: int) -> bool:
        """A wanted result is there; whether that was the last."""
        self._waiting.discard(key)
        return not self._waiting

    def finish(self, error: BaseException | None) -> None:
        """It ends; nothing is kept of it after an error."""
        with self._lock:
            if self.ended:
                return
            self.ended = True
        if error is not None:
            self.error, self._traceback = error, error.__traceback__
            self._owner.forget(self)
        seconds = perf_counter() - self._started
        if isinstance(error, RunCancelledError):
            self._announcer.emit(RunCancelled(self.name, seconds), last=True)
        else:
            self._announcer.emit(RunFinished(self.name, seconds, error), last=True)
        self.done.set()

    def _is_ours(self, number: int) -> bool:
        return self.first <= number < self.first + len(self.submission.sequence)

    def _task(self, number: int) -> int:
        """The graph's number of a task."""
        return self.submission.sequence[number - self.first]

    def _task_failed(
        self, number: int, worker: int, seconds: float, error: BaseException, *, retrying: bool
    ) -> None:
        if self._announcer.observe is None:
            return
        task = self._task(number)
        group = self.submission.graph.task_groups[task]
        name = self._owner.worker_name(worker)
        emit = self._announcer.emit
        emit(TaskStarted(self.name, task, group, name))
        emit(TaskFailed(self.name, task, group, name, seconds, error, retrying))
