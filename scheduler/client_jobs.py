"""Jobs on a cluster: independent calls, told of one by one.

To the scheduler every task is a run of its own, so that an error ends it and what needs it, and
nothing else. Small values are fetched as soon as they are there, many at a time, and handed over;
large ones stay with their workers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Protocol

from plait.scheduler.client_run import error_of
from plait.scheduler.errors import GraphError, RunCancelledError
from plait.scheduler.events import (
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from plait.scheduler.executor import Jobs, TaskMetrics
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.net.serialize import load_error
from plait.scheduler.observing import Announcer, annotate, group_summaries
from plait.scheduler.reports import load_report
from plait.scheduler.state import messages as m
from plait.scheduler.submission import Submission

SMALL = 64 << 10
"""Bytes up to which a value is handed over."""


class JobsOwner(Protocol):
    """What jobs need of their executor."""

    def await_run(self, run: JobsRun, timeout: float | None) -> None: ...
    def cancel_jobs(self, run: JobsRun, rows: Sequence[int]) -> None: ...
    def collect(self, run: JobsRun, task: int, key: int) -> None: ...
    def gather(self, handles: Sequence[Handle]) -> list[object]: ...
    def release(self, handles: Sequence[Handle]) -> None: ...
    def worker_name(self, number: int) -> str: ...


def check_jobs(graph: TaskGraph, want: Sequence[Ref]) -> None:
    """GraphError if a wanted task has several outputs."""
    for ref in want:
        group = graph.group_of(ref.task)
        if group.outputs != 1:
            raise GraphError(
                f"A job has one output, but a task of group {group.name!r} has {group.outputs}: "
                "want its parts in a run without jobs"
            )


class JobsRun:
    """A `Run` of independent calls."""

    def __init__(
        self,
        owner: JobsOwner,
        name: str,
        submission: Submission,
        jobs: Jobs,
        observe: Observer | None,
    ) -> None:
        self.name = name
        self.submission = submission
        self.first = self.number = -1
        self.wanted: list[int] = []
        self.handles = tuple([Handle(name, ref.task, ref.part) for ref in submission.want])
        self.done = threading.Event()
        self.ended = False
        self._owner, self._jobs = owner, jobs
        self._announcer = Announcer(name, observe)
        self._graph = submission.graph
        self._untold = {ref.task for ref in submission.want}
        self._errors: dict[int, BaseException] = {}
        self._measured: list[m.TasksDone] = []
        self._lock = threading.Lock()
        self._began = perf_counter()

    # ---------------------------------------------------------------------------- the protocol

    def wait(self, timeout: float | None = None) -> None:
        """See `Run`: errors are for the jobs."""
        if not self.done.is_set():
            try:
                self._owner.await_run(self, timeout)
            except KeyboardInterrupt:
                self.cancel()
                raise
        if not self.done.is_set():
            raise TimeoutError(f"Run {self.name} is not done after {timeout} seconds")

    def help_with(self, task: int, timeout: float | None = None) -> None:
        """See `Run`: its tasks run elsewhere."""

    def result(self) -> list[object]:
        """See `Run`: what was kept."""
        self.wait()
        values = self._owner.gather(self.handles)
        self._owner.release(self.handles)
        return values

    def cancel(self) -> None:
        """See `Run`."""
        self.finish(RunCancelledError(f"Run {self.name} was cancelled"))

    def metrics(self) -> list[TaskMetrics]:
        """See `Run`."""
        found = []
        for done in list(self._measured):
            for number, seconds, report in zip(done.tasks, done.seconds, done.reports, strict=True):
                task = self._task(number)
                rows, size, extra = load_report(report)
                group = self._graph.task_groups[task]
                found.append(TaskMetrics(task, group, seconds, rows, size, extra))
        return sorted(found, key=lambda item: item.task)

    # ------------------------------------------------------------------------ its executor says

    def number_tasks(self, first: int, number: int) -> None:
        """The numbers of its first task, and of the first of its runs, are known."""
        self.first, self.number = first, number
        self.wanted = self.submission.keys(first)

    def messages(self, client: int, known: set[bytes], priority: int) -> Iterator[object]:
        """A run for each task; what only others need is let go once they are known."""
        submission = self.submission
        yield from submission.single_messages(client, self.number, self.first, known, priority)
        wanted = set(self.wanted)
        rows = range(len(submission.sequence))
        passing = [key for row in rows if (key := m.key_of(self.first + row)) not in wanted]
        if passing:
            yield m.Release(client, tuple(passing))

    def start(self) -> None:
        """It begins."""
        groups = group_summaries(self._graph, self.submission.sequence)
        self._announcer.emit(RunStarted(self.name, groups))

    def tasks_done(self, done: m.TasksDone) -> None:
        """A task has its result."""
        self._measured.append(done)
        columns = zip(done.tasks, done.workers, done.seconds, done.reports, strict=True)
        for number, worker, seconds, report in columns:
            task = self._task(number)
            if not self._jobs.start(task):
                # nobody wants it any more, which shows only now
                self.tell_failed(task, RunCancelledError(f"Task {task} was not wanted any more"))
                self._owner.release([Handle(self.name, task)])
            if self._announcer.observe is None:
                continue
            group, name = self._graph.task_groups[task], self._owner.worker_name(worker)
            rows, size, extra = load_report(report)
            metrics = {k: v for k, v in (("rows", rows), ("bytes", size)) if v is not None} | extra
            self._announcer.emit(TaskStarted(self.name, task, group, name))
            self._announcer.emit(TaskFinished(self.name, task, group, name, seconds, metrics))

    def retrying(self, told: m.Retrying) -> None:
        """A task failed and is run again."""
        error = load_error(told.type_name, told.text, told.error)
        self._jobs.start(self._task(told.task))
        self._task_failed(told.task, told.worker, told.seconds, error, retrying=True)

    def failed(self, told: m.RunFailed) -> None:
        """A task will not end well, or needs one that did not."""
        row = told.run - self.number
        task = self.submission.sequence[row]
        ran = told.fault == "task" and told.task == self.first + row
        if ran or not self.first <= told.task < self.first + len(self.submission.sequence):
            error = error_of(told)
        else:
            error = self._errors.get(told.task) or error_of(told)
        if ran:
            group = self._graph.group_of(task)
            annotate(error, task, group.name, group.note)
            self._jobs.start(task)
            self._task_failed(told.task, told.worker, told.seconds, error, retrying=False)
        self._errors[told.task if ran else self.first + row] = error
        self.tell_failed(task, error)

    def run_of(self, key: int) -> int:
        """The scheduler's run that makes a key."""
        return self.number + m.task_of(key) - self.first

    def key_ready(self, key: int, size: int) -> None:
        """A result is there."""
        task = self._task(m.task_of(key))
        if size <= SMALL:
            if self.awaits(task):  # else it has been let go, and nobody would ever send it
                self._owner.collect(self, task, key)
            return
        with self._lock:
            if task not in self._untold:
                return
            self._untold.discard(task)
        self._jobs.kept(task, Handle(self.name, task))
        self._end_if_told()

    def awaits(self, task: int) -> bool:
        """Whether somebody still waits to be told of a job."""
        return task in self._untold

    def released(self, key: int) -> None:
        """Nobody wants a result any more that was still to come."""
        task = self._task(m.task_of(key))
        self.tell_failed(task, RunCancelledError(f"The result of task {task} was released"))

    def tell_value(self, task: int, value: object) -> bool:
        """A small value has come; whether it was wanted."""
        with self._lock:
            if task not in self._untold:
                return False
            self._untold.discard(task)
        self._jobs.returned(task, value)
        self._end_if_told()
        return True

    def tell_failed(self, task: int, error: BaseException) -> None:
        """A job has ended with an error."""
        with self._lock:
            if task not in self._untold:
                return
            self._untold.discard(task)
        self._jobs.failed(task, error)
        self._end_if_told()

    def finish(self, error: BaseException | None) -> None:
        """It ends before its time, or there is nothing to do."""
        with self._lock:
            left, self._untold = sorted(self._untold), set()
        if not left or error is None:
            self._end(error)
            return
        rows = {task: row for row, task in enumerate(self.submission.sequence)}
        self._owner.cancel_jobs(self, [rows[task] for task in left])
        for task in left:
            self._jobs.failed(task, error)
        self._end(error)

    def _end_if_told(self) -> None:
        if not self._untold:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        with self._lock:
            if self.ended:
                return
            self.ended = True
        seconds = perf_counter() - self._began
        if isinstance(error, RunCancelledError):
            self._announcer.emit(RunCancelled(self.name, seconds), last=True)
        else:
            self._announcer.emit(RunFinished(self.name, seconds, error), last=True)
        self.done.set()

    @property
    def progress(self) -> str:
        """How far it has come, for messages."""
        return f"{len(self._measured)} of {len(self.submission.sequence)} tasks were done"

    def _task(self, number: int) -> int:
        return self.submission.sequence[number - self.first]

    def _task_failed(
        self, number: int, worker: int, seconds: float, error: BaseException, *, retrying: bool
    ) -> None:
        if self._announcer.observe is None:
            return
        task = self._task(number)
        group, name = self._graph.task_groups[task], self._owner.worker_name(worker)
        self._announcer.emit(TaskStarted(self.name, task, group, name))
        self._announcer.emit(TaskFailed(self.name, task, group, name, seconds, error, retrying))
