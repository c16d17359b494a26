"""What happens, as the dashboard remembers it.

Pure and bounded: whoever runs tasks tells a `Feed` what happened and when; it knows no clock,
socket or thread, and keeps only the newest of everything. A page asks for the news since a number
and gets a JSON value with the number to ask with next; Prometheus gets totals (`prometheus.py`).

An executor of this process tells it by events (`observer.py`). The scheduler of a cluster calls

    worker_joined, worker_left      connections come and go
    worker_sample                   with each message of a worker about its memory
    run_started, run_ended          a run was submitted; it ended, in whatever way
    job_ended                       no further run of the job will come (its client is gone)
    task_started                    if it is known; a bar that grows then shows the task
    task_done, task_failed          with what the worker measured
    transfer, spill                 rows fetched from another worker, rows written to disk
    log                             anything else that is worth a line

Times are seconds of one clock of the caller's (`time.monotonic()`), the same for all calls and for
`news`; if workers measure by clocks of their own, say when a message came and how long it took.
Workers are named by numbers, which are not used again, threads by any text, runs by any text that
no other run has. What is said of unknown runs or workers is ignored: messages come late.

All methods may be called from any thread. None of them takes longer than some microseconds, except
`news`, which is called only while somebody watches.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeVar

from plait.scheduler.dashboard.jobs import Job, JobState, Stage
from plait.scheduler.dashboard.spans import Kind, Lane, Span, Timeline
from plait.scheduler.dashboard.workers import Line, Sample, Worker
from plait.scheduler.events import GroupSummary

_Numbered = TypeVar("_Numbered", Sample, Line)

_SPANS = 20_000
_SPANS_AT_ONCE = 5_000  # in one answer; the newest
_SAMPLES = 20_000
_LINES = 200
_JOBS = 20  # that ended
_JOBS_AT_ONCE = 40  # in one answer; the newest
_GONE = 50  # workers that left


@dataclass(slots=True)
class Totals:
    """Counts since the start, which never go down."""

    tasks: dict[str, int] = field(default_factory=lambda: {"done": 0, "failed": 0})
    task_seconds: float = 0.0
    rows: int = 0
    jobs: dict[JobState, int] = field(
        default_factory=lambda: {"done": 0, "failed": 0, "cancelled": 0}
    )
    transfers: int = 0
    transfer_bytes: int = 0
    transfer_seconds: float = 0.0
    spills: int = 0
    spilled_bytes: int = 0


@dataclass(slots=True)
class _Run:
    """A run that goes on: its job, and the stage of each of its groups."""

    job: Job
    key: Hashable
    stages: list[int]
    # task -> its lane, stage and start
    active: dict[int, tuple[Lane, int, float]] = field(default_factory=dict)


class Feed:
    """A bounded record of what happens, for a dashboard; see the module's text.

    Parameters
    ----------
    title : str
        What is watched, for the head of the page.
    """

    def __init__(self, title: str = "plait") -> None:
        self.title = title
        self.totals = Totals()
        # Tells a page that it talks to another process than before, and has to forget all.
        self.epoch = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._number = 0
        self._timeline = Timeline(_SPANS, self._next)
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        self._lines: deque[Line] = deque(maxlen=_LINES)
        self._workers: dict[int, Worker] = {}
        self._lanes = 0
        self._runs: dict[str, _Run] = {}
        self._jobs: dict[int, Job] = {}
        self._jobs_made = 0
        self._ended: deque[int] = deque()
        self._by_key: dict[Hashable, Job] = {}

    # ------------------------------------------------------------------------------- workers

    def worker_joined(
        self, worker: int, name: str, threads: int, at: float, memory_limit: int = 0
    ) -> None:
        """A worker is there. `memory_limit` is in bytes, 0 for none."""
        with self._lock:
            self._workers[worker] = Worker(worker, name, threads, memory_limit, at, self._next())

    def worker_left(self, worker: int, at: float, reason: str = "", expected: bool = False) -> None:
        """A worker is gone. Unless it was `expected`, that is a warning in the log."""
        with self._lock:
            gone = self._workers.get(worker)
            if gone is None:
                return
            gone.left, gone.number = at, self._next()
            text = f"Worker {gone.name} left" + (f": {reason}" if reason else "")
            self._log(at, text, "info" if expected else "warning")
            left = [known.id for known in self._workers.values() if known.left is not None]
            for oldest in left[:-_GONE]:
                del self._workers[oldest]

    def worker_sample(
        self,
        worker: int,
        at: float,
        memory: int,
        held: int = 0,
        spilled: int = 0,
        cpu: float = 0.0,
    ) -> None:
        """A worker at one moment.

        Parameters
        ----------
        memory : int
            Bytes its process uses.
        held : int
            Bytes of those that are results of tasks.
        spilled : int
            Bytes of results that are on its disk now.
        cpu : float
            Processors it uses: 1.0 is one of them, fully.
        """
        with self._lock:
            known = self._workers.get(worker)
            if known is not None:
                sample = Sample(self._next(), worker, at, memory, held, spilled, cpu)
                known.latest = sample
                self._samples.append(sample)

    # ---------------------------------------------------------------------------------- runs

    def run_started(
        self,
        run: str,
        groups: Sequence[GroupSummary],
        at: float,
        job: Hashable = None,
        more: bool = False,
    ) -> None:
        """A run begins.

        Parameters
        ----------
        groups : sequence of GroupSummary
            Name, text of the plan and number of tasks of each group; `group` in what follows is
            an index into it.
        job : hashable, optional
            Runs with an equal key are one query, until it has ended; None is a query by itself.
        more : bool
            Further runs of the job are to come.
        """
        with self._lock:
            key = ("run", run) if job is None else ("job", job)
            found = self._by_key.get(key)
            if found is None:
                self._jobs_made += 1
                found = Job(self._jobs_made, at)
                self._jobs[found.id] = self._by_key[key] = found
            found.more = more
            found.runs.add(run)
            found.changed = found.described = self._next()
            self._runs[run] = _Run(found, key, found.add_groups(groups))

    def run_ended(self, run: str, at: float, state: JobState = "done", error: str = "") -> None:
        """A run ended: `done`, `failed` (with the error's text) or `cancelled`."""
        with self._lock:
            known = self._runs.pop(run, None)
            if known is None:
                return
            job = known.job
            job.runs.discard(run)
            job.changed = self._next()
            for _, stage, _ in known.active.values():
                job.stages[stage].active -= 1
            if job.state == "running" and (state != "done" or not (job.runs or job.more)):
                self._end(known.key, job, at, state, error)

    def job_ended(self, job: Hashable, at: float) -> None:
        """Nothing more will come of a job. No effect if its last run said so."""
        with self._lock:
            found = self._by_key.get(("job", job))
            if found is not None:
                found.changed = self._next()
                self._end(("job", job), found, at, "cancelled" if found.runs else "done", "")

    # --------------------------------------------------------------------------------- tasks

    def task_started(
        self, run: str, worker: int, thread: str, task: int, group: int, at: float
    ) -> None:
        """A thread of a worker begins a task."""
        with self._lock:
            known, lane = self._runs.get(run), self._lane(worker, thread)
            if known is None or lane is None or task in known.active:
                return
            stage = known.stages[group]
            known.active[task] = lane, stage, at
            known.job.stages[stage].active += 1
            known.job.changed = self._next()

    def task_done(
        self,
        run: str,
        worker: int,
        thread: str,
        task: int,
        group: int,
        start: float,
        seconds: float,
        *,
        rows: int = 0,
        bytes: int = 0,  # noqa: A002 - the word of the metrics everywhere
        spilled: int = 0,
        operator_rows: Mapping[int, int] | None = None,
    ) -> None:
        """A task has its result.

        Parameters
        ----------
        rows, bytes : int
            Of the result, as far as the task reported them.
        spilled : int
            Bytes that the task wrote to disk.
        operator_rows : mapping, optional
            Rows of the operators of its plan, numbered as in the lines of the group's note.
        """
        with self._lock:
            totals = self.totals
            totals.tasks["done"] += 1
            totals.task_seconds += seconds
            totals.rows += rows
            totals.spilled_bytes += spilled
            stage = self._finish_task("task", run, worker, thread, task, group, start, seconds)
            if stage is None:
                return
            stage.done += 1
            stage.rows += rows
            stage.bytes += bytes
            stage.spilled += spilled
            stage.seconds += seconds
            if operator_rows:
                known = stage.operator_rows
                for number, count in operator_rows.items():
                    known[number] = known.get(number, 0) + count

    def task_failed(
        self,
        run: str,
        worker: int,
        thread: str,
        task: int,
        group: int,
        start: float,
        seconds: float,
        error: str,
        retrying: bool = False,
    ) -> None:
        """A task raised; it will run again if `retrying`, otherwise its run is about to fail."""
        with self._lock:
            self.totals.tasks["failed"] += 1
            self.totals.task_seconds += seconds
            stage = self._finish_task("failed", run, worker, thread, task, group, start, seconds)
            if stage is not None:
                stage.failed += 1
                again = ", which will run again" if retrying else ""
                text = f"A task of {stage.name!r} failed{again}: {error}"
                self._log(start + seconds, text, "warning" if retrying else "error")

    def transfer(
        self, worker: int, thread: str, start: float, seconds: float, size: int = 0
    ) -> None:
        """A worker fetched so many bytes from another. `thread` may be a name made for that."""
        with self._lock:
            self.totals.transfers += 1
            self.totals.transfer_bytes += size
            self.totals.transfer_seconds += seconds
            self._span("transfer", worker, thread, start, seconds)

    def spill(self, worker: int, thread: str, start: float, seconds: float, size: int = 0) -> None:
        """A worker wrote so many bytes of results to disk, apart from what its tasks wrote."""
        with self._lock:
            self.totals.spills += 1
            self.totals.spilled_bytes += size
            self._span("spill", worker, thread, start, seconds)

    def log(self, at: float, text: str, level: str = "info") -> None:
        """A line for people to read; `level` is info, warning or error."""
        with self._lock:
            self._log(at, text, level)

    # --------------------------------------------------------------------------- for readers

    def news(self, since: int, now: float) -> dict[str, object]:
        """What changed after a number that an earlier answer gave (0: everything), as JSON."""
        with self._lock:
            if since > self._number:  # from before a restart
                since = 0
            spans, left_out = self._timeline.since(since, _SPANS_AT_ONCE)
            workers = self._workers.values()
            jobs = [job for job in reversed(self._jobs.values()) if job.changed > since]
            return {
                "epoch": self.epoch,
                "title": self.title,
                "now": round(now, 6),
                "spans": [_span_news(span) for span in spans],
                "left_out": left_out,
                "active": [
                    [lane.id, run.job.id, stage, round(start, 6)]
                    for run in self._runs.values()
                    for lane, stage, start in run.active.values()
                ],
                "jobs": [job.news(since) for job in jobs[_JOBS_AT_ONCE - 1 :: -1]],
                "workers": [worker.news() for worker in workers if worker.number > since],
                "lanes": [
                    [lane.id, lane.worker, lane.thread]
                    for worker in workers
                    for lane in worker.lanes.values()
                    if lane.number > since
                ],
                "samples": [sample.news() for sample in _after(self._samples, since)],
                "log": [line.news() for line in _after(self._lines, since)],
                "tasks": dict(self.totals.tasks),
                "number": self._number,
            }

    def workers(self) -> list[Worker]:
        """The workers that are here."""
        with self._lock:
            return [worker for worker in self._workers.values() if worker.left is None]

    def running(self) -> int:
        """How many jobs go on."""
        with self._lock:
            return len(self._by_key)

    # -------------------------------------------------------------------- under the lock

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _log(self, at: float, text: str, level: str) -> None:
        self._lines.append(Line(self._next(), at, level, text))

    def _lane(self, worker: int, thread: str) -> Lane | None:
        known = self._workers.get(worker)
        if known is None:
            return None
        lane = known.lanes.get(thread)
        if lane is None:
            self._lanes += 1
            lane = known.lanes[thread] = Lane(self._lanes, worker, thread, self._next())
        return lane

    def _span(self, kind: Kind, worker: int, thread: str, start: float, seconds: float) -> None:
        lane = self._lane(worker, thread)
        if lane is not None:
            self._timeline.add(lane, kind, -1, -1, start, seconds)

    def _finish_task(
        self,
        kind: Kind,
        run: str,
        worker: int,
        thread: str,
        task: int,
        group: int,
        start: float,
        seconds: float,
    ) -> Stage | None:
        """Draw a task's bar; the stage it belongs to, if its run goes on."""
        known, lane = self._runs.get(run), self._lane(worker, thread)
        if known is None:
            return None
        number = known.stages[group]
        stage = known.job.stages[number]
        if known.active.pop(task, None) is not None:
            stage.active -= 1
        known.job.changed = self._next()
        if lane is not None:
            self._timeline.add(lane, kind, known.job.id, number, start, seconds)
        return stage

    def _end(self, key: Hashable, job: Job, at: float, state: JobState, error: str) -> None:
        self._by_key.pop(key, None)
        job.finish(state, at, error)
        self.totals.jobs[state] += 1
        self._ended.append(job.id)
        if len(self._ended) > _JOBS:
            del self._jobs[self._ended.popleft()]
        if state == "failed":
            self._log(at, f"Query {job.id} failed: {error}", "error")


def _span_news(span: Span) -> list[object]:
    return [
        span.lane,
        span.kind,
        span.job,
        span.stage,
        round(span.start, 6),
        round(span.seconds, 6),
        span.count,
    ]


def _after(items: deque[_Numbered], number: int) -> list[_Numbered]:
    """The numbered items after a number, oldest first."""
    return list(takewhile(lambda item: item.number > number, reversed(items)))[::-1]
