"""A cluster's scheduler, told to a feed.

The scheduler hands over what it hears and what it says, as it is; here it is put in a queue, and
taken apart in small slices when the scheduler's loop has nothing better to do. So a dashboard costs
the loop an append for each message, and a slice of at most some milliseconds now and then.

A run is one submission of a client; those of one query, which is planned in steps, are one job. Its
tasks are known by what the scheduler tells the client of them (of whatever was sent twice only what
counts); when and on which thread they ran is in the head of their reports (`scheduler/reports.py`),
by the worker's clock. The offset of that clock from ours is taken from the quickest message so far.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.events import GroupSummary
from plait.scheduler.net.control import Beat, Hello, Moved
from plait.scheduler.reports import read_head
from plait.scheduler.state import messages as m

_DELAY = 0.05  # seconds from the first thing in the queue until it is looked at
_SLICE = 0.004  # seconds that the loop is held up at a time
_PLANNED = 30.0  # seconds that a client takes at most until it submits the next run of a job
_ROWS = 256  # tasks that are taken apart between two looks at the clock


@dataclass
class _Run:
    """A submission: where its tasks are, and what it still waits for."""

    name: str
    first: int
    task_groups: list[int]
    groups: list[m.GroupSpec]
    waiting: set[int] = field(default_factory=set)
    undone: int = 0
    started: bool = False
    job: tuple[int, str] | None = None  # client, and its name of what this is a step of


@dataclass
class _Known:
    """A worker that is here."""

    name: str
    threads: int
    offset: float | None = None  # of our clock from its own
    cpu: tuple[float, float] = (0.0, 0.0)  # when, and seconds used until then
    load: float = 0.0


class ClusterWatch:
    """Tells a feed what a scheduler hears and says.

    Parameters
    ----------
    feed : Feed
        What to tell.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._queue: deque[tuple[float, Callable[..., None], tuple[object, ...]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._workers: dict[int, _Known] = {}
        self._runs: dict[int, dict[int, _Run]] = {}  # by client and number
        self._firsts: dict[int, list[int]] = {}  # client -> first tasks, to find a run by a task
        self._by_first: dict[int, _Run] = {}
        self._between: dict[tuple[int, str], float] = {}  # jobs between two runs -> since when

    # ------------------------------------------------------------- called by the scheduler's loop

    def joined(self, number: int, name: str, hello: Hello) -> None:
        """A worker introduced itself."""
        self._put(self._joined, number, name, hello)

    def left(self, number: int, reason: str, expected: bool) -> None:
        """A worker is gone."""
        self._put(self._left, number, reason, expected)

    def heard(self, event: object) -> None:
        """A message of a client or worker."""
        if type(event) in _HEARD:
            self._put(self._heard, event)

    def moved(self, worker: int, message: Moved) -> None:
        """A worker fetched from others, or wrote to its disk."""
        self._put(self._moved, worker, message)

    def beat(self, beat: Beat) -> None:
        """A supervisor told of its workers."""
        self._put(self._beat, beat)

    def said(self, client: int, message: m.ClientMessage) -> None:
        """The scheduler tells a client something."""
        if type(message) in _SAID:
            self._put(self._said, client, message)

    def drain(self) -> None:
        """Bring the feed up to date: somebody looks."""
        while self._queue:
            self._take()

    # ------------------------------------------------------------------------------- the queue

    def _put(self, function: Callable[..., None], *args: object) -> None:
        self._queue.append((time.monotonic(), function, args))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._slice)

    def _slice(self) -> None:
        end = time.monotonic() + _SLICE
        while self._queue and time.monotonic() < end:
            self._take()
        self._timer = None
        if self._queue:
            # behind whatever else the loop has to do
            self._timer = asyncio.get_running_loop().call_later(0.0, self._slice)

    def _take(self) -> None:
        at, function, args = self._queue.popleft()
        function(at, *args)

    def _again(self, at: float, function: Callable[..., None], *args: object) -> None:
        """The rest of something large, before all that came after it."""
        self._queue.appendleft((at, function, args))

    # --------------------------------------------------------------------------------- workers

    def _joined(self, at: float, number: int, name: str, hello: Hello) -> None:
        self._workers[number] = _Known(name, hello.threads)
        self.feed.worker_joined(number, name, hello.threads, at, hello.memory_limit)

    def _left(self, at: float, number: int, reason: str, expected: bool) -> None:
        if self._workers.pop(number, None) is not None:
            self.feed.worker_left(number, at, reason, expected)

    def _beat(self, at: float, beat: Beat) -> None:
        names = {known.name: known for known in self._workers.values()}
        for name, used in zip(beat.workers, beat.cpu, strict=False):
            known = names.get(name)
            if known is None:
                continue
            before, used_before = known.cpu
            if before and at > before:
                known.load = max(0.0, (used - used_before) / (at - before))
            known.cpu = at, used

    def _memory(self, at: float, said: m.Memory) -> None:
        self._end_jobs(at, [job for job, since in self._between.items() if at - since > _PLANNED])
        known = self._workers.get(said.worker)
        if known is not None:
            sample = said.worker, at, said.used, said.held, said.spilled, known.load
            self.feed.worker_sample(*sample)

    def _moved(self, at: float, worker: int, moved: Moved) -> None:
        known = self._workers.get(worker)
        if known is None:
            return
        offset = _offset(known, at, moved.now)
        columns = zip(moved.kinds, moved.starts, moved.seconds, moved.sizes, strict=True)
        for kind, start, seconds, size in columns:
            if kind == "transfer":
                self.feed.transfer(worker, "fetches", start + offset, seconds, size)
            elif kind == "spill":
                self.feed.spill(worker, "disk", start + offset, seconds, size)

    # ------------------------------------------------------------------------------------ runs

    def _heard(self, at: float, event: object) -> None:
        match event:
            case m.Submit():
                self._submit(at, event)
            case m.Memory():
                self._memory(at, event)
            case m.Cancel(client, run):
                self._end(at, client, run, "cancelled")
            case m.ClientGone(client):
                for run in list(self._runs.get(client, ())):
                    self._end(at, client, run, "cancelled")
                self._firsts.pop(client, None)
                self._end_jobs(at, [job for job in self._between if job[0] == client])

    def _submit(self, at: float, event: m.Submit) -> None:
        runs = self._runs.setdefault(event.client, {})
        run = runs.get(event.run)
        if run is None:
            name = f"{event.client}-{event.run}"
            run = runs[event.run] = _Run(name, event.first, [], [])
            self._by_first[event.first] = run
            self._firsts.setdefault(event.client, []).append(event.first)
        run.groups += event.groups
        run.task_groups += event.task_groups
        if event.more:
            return
        run.undone = len(run.task_groups)
        run.waiting = set(event.want)
        counts = [0] * len(run.groups)
        for group in run.task_groups:
            counts[group] += 1
        groups = [
            GroupSummary(group.name, group.note, count)
            for group, count in zip(run.groups, counts, strict=True)
        ]
        run.started = True
        name, goes_on = event.job
        if name:
            run.job = event.client, name
            self._between.pop(run.job, None)
        self.feed.run_started(run.name, groups, at, run.job, goes_on)
        self._look(at, event.client, event.run, run)

    def _said(self, at: float, client: int, message: m.ClientMessage) -> None:
        match message:
            case m.TasksDone(run):
                self._done(at, client, run, message, 0)
            case m.Finished(keys):
                for number, known in list(self._runs.get(client, {}).items()):
                    if not known.waiting.isdisjoint(keys):
                        known.waiting.difference_update(keys)
                        self._look(at, client, number, known)
            case m.Retrying(run, task, worker, seconds, kind, text):
                self._failed(at, client, task, worker, seconds, f"{kind}: {text}", True)
            case m.RunFailed(run, fault, text, task, _, kind, _, worker, seconds):
                error = f"{kind}: {text}" if kind else text
                if task >= 0 and worker >= 0:
                    self._failed(at, client, task, worker, seconds, error, False)
                if fault == "cancelled":
                    self._end(at, client, run, "cancelled")
                else:
                    self._end(at, client, run, "failed", error.partition("\n")[0])

    def _done(self, at: float, client: int, number: int, done: m.TasksDone, start: int) -> None:
        run = self._runs.get(client, {}).get(number)
        if run is None:
            return
        stop = min(start + _ROWS, len(done.tasks))
        heads = [read_head(report) for report in done.reports[start:stop]]
        for worker, head in zip(done.workers[start:stop], heads, strict=True):
            if head is not None and worker in self._workers:
                _offset(self._workers[worker], at, head.end)
        for row, head in zip(range(start, stop), heads, strict=True):
            task, worker, seconds = done.tasks[row], done.workers[row], done.seconds[row]
            known = self._workers.get(worker)
            group = self._group(run, task)
            if known is None or group is None:
                continue
            if head is None or known.offset is None:
                self.feed.task_done(run.name, worker, "0", task, group, at - seconds, seconds)
                continue
            began = head.end + known.offset - seconds
            self.feed.task_done(
                *(run.name, worker, str(head.thread), task, group, began, seconds),
                rows=head.rows,
                bytes=head.bytes,
                spilled=head.spilled,
                operator_rows=head.operator_rows,
            )
        run.undone -= stop - start
        if stop < len(done.tasks):
            self._again(at, self._done, client, number, done, stop)
        else:
            self._look(at, client, number, run)

    def _failed(
        self,
        at: float,
        client: int,
        task: int,
        worker: int,
        seconds: float,
        error: str,
        retrying: bool,
    ) -> None:
        run = self._run_of(client, task)
        group = None if run is None else self._group(run, task)
        if run is not None and group is not None:
            text = error.partition("\n")[0]
            self.feed.task_failed(
                run.name, worker, "0", task, group, at - seconds, seconds, text, retrying
            )

    def _look(self, at: float, client: int, number: int, run: _Run) -> None:
        """A run has ended when all it wants is there and all its tasks were told of."""
        if run.started and not run.waiting and run.undone <= 0:
            self._end(at, client, number, "done")

    def _end(self, at: float, client: int, number: int, state: str, error: str = "") -> None:
        runs = self._runs.get(client, {})
        run = runs.pop(number, None)
        if not runs:
            self._runs.pop(client, None)
        if run is None:
            return
        self._by_first.pop(run.first, None)
        firsts = self._firsts.get(client, [])
        if run.first in firsts:
            firsts.remove(run.first)
        if run.started:
            self.feed.run_ended(run.name, at, state, error)  # type: ignore[arg-type]
        # that a run is done may be told after the next one has begun
        if run.job is not None and not any(other.job == run.job for other in runs.values()):
            self._between[run.job] = at

    def _end_jobs(self, at: float, jobs: Sequence[tuple[int, str]]) -> None:
        """Jobs whose further runs will not come: planning them failed, or their client left."""
        for job in jobs:
            del self._between[job]
            self.feed.job_ended(job, at)

    def _run_of(self, client: int, task: int) -> _Run | None:
        firsts = self._firsts.get(client, [])
        place = bisect_right(firsts, task) - 1
        return self._by_first.get(firsts[place]) if place >= 0 else None

    def _group(self, run: _Run, task: int) -> int | None:
        place = task - run.first
        return run.task_groups[place] if 0 <= place < len(run.task_groups) else None


def _offset(known: _Known, at: float, sent: float) -> float:
    """What to add to a worker's times: the least by which any of its messages was late."""
    late = at - sent
    if known.offset is None or late < known.offset:
        known.offset = late
    return known.offset


_HEARD = frozenset({m.Submit, m.Memory, m.Cancel, m.ClientGone})
_SAID = frozenset({m.TasksDone, m.Finished, m.Retrying, m.RunFailed})
