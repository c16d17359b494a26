"""Workers that come, die, fall silent, leave, or differ from what we think of them.

Loss. What a lost worker had is absent, what it ran goes back; lineage does the rest. Blamed is only
what ran when it died: a task that killed `crash_limit` workers fails its run.

Silence. Workers say something every second. After `suspect_after` seconds without a word a worker
gets nothing new and its tasks are run elsewhere; after `dead_after` it is to be killed. Its results
stay its own until then: who cannot fetch them says Missing. A worker that wakes up finds Discards
and goes on. While its process is seen to run (Tick) a silent worker is in a call that lets no other
thread run, most likely: it has `busy_after` seconds for that.

Leaving. A retiring worker gives back what has not begun, finishes what runs, and its results are
copied to others; then it is stopped. After `retire_seconds` it is stopped in any case, and what it
still had is computed again.

Differing. Every message changes both sides in step, so they agree once all is received: Digest says
how many messages the worker has seen, and if that is all of them, its counts must be ours. If not,
or if the number stands still short of ours, something was lost: Audit, and Inventory puts it right.
While an audit is on its way the worker is sent no tasks: it could not know of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor

from plait.scheduler.state.messages import (
    Audit,
    Copied,
    Digest,
    Inventory,
    Retract,
    RunFailed,
    WorkerGone,
    WorkerJoined,
)
from plait.scheduler.state.outbox import Outbox
from plait.scheduler.state.placement import MOST_SENT, Placement, fits
from plait.scheduler.state.records import Client, Group, Run, Table, Worker
from plait.scheduler.state.transitions import Failure, Transitions

# To drop a key whatever attempt made it.
ANY_ATTEMPT = 2**31 - 1
_COPIES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in seconds, and counts."""

    crash_limit: int = 3
    fetch_limit: int = 20
    """How often a task may be given back because inputs could not be fetched."""
    suspect_after: float = 5.0
    dead_after: float = 30.0
    busy_after: float = 300.0
    retire_seconds: float = 30.0
    unplaceable_after: float | None = 60.0
    """How long tasks wait for a worker that could run them; None: for ever."""


class Membership:
    """Keeps the records of workers, and what follows when they change."""

    def __init__(
        self,
        table: Table,
        workers: dict[int, Worker],
        clients: Mapping[int, Client],
        placement: Placement,
        moves: Transitions,
        out: Outbox,
        limits: Limits,
    ) -> None:
        self.table = table
        self.workers = workers
        self.clients = clients
        self.placement = placement
        self.moves = moves
        self.out = out
        self.limits = limits
        self._unplaceable: dict[Run, float] = {}

    # coming and going -----------------------------------------------------------------------------

    def joined(self, event: WorkerJoined, now: float) -> None:
        """A new, empty worker."""
        if event.worker in self.workers:
            return
        worker = Worker(
            event.worker,
            event.address,
            event.threads,
            event.memory_limit,
            dict(event.resources),
            now,
            now,
            free=dict(event.resources),
            last_done=now,
        )
        self.workers[worker.number] = worker
        self.placement.sources.threads += worker.threads
        self.placement.sources.memory_limit += worker.memory_limit
        self.placement.look_at(worker)

    def gone(self, event: WorkerGone) -> None:
        """A worker is lost with all it had."""
        worker = self.workers.get(event.worker)
        if worker is None:
            return
        blamed = [] if event.expected else self._blamed(worker, event.running)
        worker.stopped = True
        self.placement.look_at(worker)
        self.moves.lose(list(worker.held), drop=False)
        for row in list(worker.sent):
            self.moves.take_back(row, tell=False)
        self.placement.abandon(worker)
        del self.workers[worker.number]
        self.placement.sources.threads -= worker.threads
        self.placement.sources.memory_limit -= worker.memory_limit
        for other in self.workers.values():
            for slot, target in list(other.copying.items()):
                if target == worker.number:
                    del other.copying[slot]
        self.out.gone(worker)
        for row in blamed:
            self._blame(row, worker, event.reason)
        self.moves.settle()

    def _blamed(self, worker: Worker, running: tuple[int, ...] | None) -> list[int]:
        table = self.table
        if running is None:
            # Nobody saw it die: it ran, most likely, what comes first in its queue.
            ready = [row for row in worker.sent if not table.missing[row]]
            return sorted(ready, key=table.rank.__getitem__)[: worker.threads]
        rows = [table.row_of.get(task, -1) for task in running]
        return [row for row in rows if row in worker.sent]

    def _blame(self, row: int, worker: Worker, reason: str) -> None:
        table = self.table
        crashes = table.crashes[row] = table.crashes.get(row, 0) + 1
        if crashes < self.limits.crash_limit:
            return
        group = table.group[row]
        task = table.task[row]
        text = (
            f"Task {_place(group.run, task)} of group {group.name!r} was running each time when"
            f" {crashes} workers died; the last one, at {worker.address}: {reason}."
            " It is not run again"
        )
        self.moves.failures.append(
            Failure(
                group.run,
                RunFailed(0, "killed", text, task, group.name, worker=worker.number),
            )
        )

    # silence --------------------------------------------------------------------------------------

    def heard(self, worker: Worker, now: float) -> None:
        """A worker said something."""
        worker.heard = now
        if worker.suspect:
            worker.suspect = False
            self.placement.look_at(worker)

    def seen(self, running: Iterable[int], now: float) -> None:
        """The processes of these workers run, whether or not they say anything."""
        for number in running:
            if number in self.workers:
                self.workers[number].seen = now

    def check_silence(self, now: float) -> None:
        """Suspect who has been silent, and have those killed who were for long."""
        for worker in list(self.workers.values()):
            silent = now - worker.heard
            if silent < self.limits.busy_after:
                silent = min(silent, now - worker.seen)
            if worker.stopped or silent < self.limits.suspect_after:
                continue
            if not worker.suspect:
                worker.suspect = True
                self.placement.look_at(worker)
                for row in list(worker.sent):
                    self.moves.take_back(row, tell=True)
            if silent >= self.limits.dead_after:
                worker.stopped = True
                self.out.stop(worker, kill=True, reason=f"silent for {silent:.0f} s")

    # work that nobody can do ----------------------------------------------------------------------

    def check_placeable(self, now: float) -> None:
        """Fail runs whose tasks no worker could run for long."""
        limit = self.limits.unplaceable_after
        if limit is None:
            return
        stuck: dict[Run, Group] = {}
        if self.placement.ready:
            for group in self.placement.special_groups():
                if not any(fits(group, worker.resources) for worker in self.workers.values()):
                    stuck[group.run] = group
            if not self.workers:
                for run in self.placement.waiting_runs():
                    stuck.setdefault(run, run.groups[0])
        self._unplaceable = {run: self._unplaceable.get(run, now) for run in stuck}
        for run, since in list(self._unplaceable.items()):
            if now - since >= limit:
                del self._unplaceable[run]
                self.moves.failures.append(
                    Failure(run, RunFailed(0, "nowhere", self._nowhere(stuck[run], limit)))
                )
        self.moves.settle()

    def _nowhere(self, group: Group, limit: float) -> str:
        if not self.workers:
            return f"There has been no worker for {limit:.0f} s: start some and run it again"
        offered = sorted(
            {
                f"{name}: {amount:g}"
                for worker in self.workers.values()
                for name, amount in worker.resources.items()
            }
        )
        needs = ", ".join([f"{name}: {amount:g}" for name, amount in group.needs.items()])
        return (
            f"No worker can run tasks of group {group.name!r}: they need {needs};"
            f" offered by single workers: {', '.join(offered) or 'nothing'}."
            f" Waited {limit:.0f} s for one that could"
        )

    # leaving --------------------------------------------------------------------------------------

    def retire(self, worker: Worker, now: float) -> None:
        """Let a worker go gracefully."""
        if worker.retiring or worker.stopped:
            return
        worker.retiring = True
        worker.retire_by = now + self.limits.retire_seconds
        self.placement.look_at(worker)
        if worker.sent:
            self.out.tell(worker, Retract(MOST_SENT * 2))

    def check_retiring(self, now: float) -> None:
        """Copy what retiring workers hold; stop those that hold nothing more."""
        for worker in self.workers.values():
            if not worker.retiring or worker.stopped:
                continue
            if not worker.sent and not worker.held:
                worker.stopped = True
                self.out.stop(worker, kill=False, reason="retired")
            elif now >= worker.retire_by:
                worker.stopped = True
                self.out.stop(worker, kill=False, reason="retired without being empty")
            elif not worker.sent and len(worker.copying) < _COPIES:
                self._copy_away(worker)

    def _copy_away(self, worker: Worker) -> None:
        targets = [other for other in self.workers.values() if other.accepts and not other.paused]
        if not targets:
            return
        table = self.table
        weights = {other.number: table.bytes_of(other.held) for other in targets}
        for slot in worker.held:
            if len(worker.copying) >= _COPIES:
                break
            if slot in worker.copying:
                continue
            target = min(weights, key=weights.__getitem__)
            weights[target] += table.size[slot] + 1
            worker.copying[slot] = target
            self.out.copy(
                self.workers[target],
                table.key(slot),
                table.held_attempt(table.maker[slot]),
                worker.number,
                table.size[slot],
            )

    def copied(self, target: Worker, event: Copied) -> None:
        """A worker has a copy: it becomes the owner if the old one is leaving."""
        table = self.table
        for key in event.keys:
            slot = table.slot(key)
            owner = table.owner[slot] if slot >= 0 else -1
            if owner == target.number:
                continue
            old = self.workers.get(owner)
            if old is None or old.copying.get(slot) != target.number:
                attempt = ANY_ATTEMPT
                if slot >= 0:
                    attempt = table.held_attempt(table.maker[slot])
                self.out.drop(target, key, attempt)
                continue
            del old.copying[slot]
            size = table.size[slot]
            self.moves.unhold(slot)
            self.moves.hold(slot, target, size)
            if table.wanted[slot]:
                client = table.group[table.maker[slot]].run.client
                self.out.finished(client, key, target.number, size)

    # differing ------------------------------------------------------------------------------------

    def digest(self, worker: Worker, event: Digest) -> None:
        """Compare what a worker has with what we think, if it has heard all we said."""
        # Whatever became of a Retract, another one does no harm.
        worker.retracting = -1.0
        now = (event.seen, worker.commands)
        if event.seen == worker.commands and not worker.auditing and not self.out.owes(worker):
            tasks = [self.table.task[row] for row in worker.sent]
            same = event.tasks == _digest(tasks) and event.keys == _digest(worker.held.values())
        else:
            # Perhaps still on its way; not if nothing moved since the last digest.
            same = now != worker.digested
        worker.digested = now
        if not same:
            self.audit(worker)

    def audit(self, worker: Worker) -> None:
        """Ask for everything a worker has."""
        worker.auditing = True
        self.placement.look_at(worker)
        self.out.tell(worker, Audit())
        worker.commands = 0
        worker.digested = (-1, -1)

    def inventory(self, worker: Worker, event: Inventory) -> None:
        """Make both sides agree: what either lacks is lost."""
        if not worker.auditing:
            return
        worker.auditing = False
        table = self.table
        theirs = dict(zip(event.tasks, event.attempts, strict=True))
        for row in list(worker.sent):
            if theirs.get(table.task[row]) != table.attempt[row]:
                self.moves.take_back(row, tell=True)
        ours = {table.task[row]: table.attempt[row] for row in worker.sent}
        for task, attempt in theirs.items():
            if ours.get(task) != attempt:
                self.out.discard(worker, task, attempt)
        self.moves.lose(self._lacking(worker, event.keys), drop=False)
        for key, attempt in zip(event.keys, event.key_attempts, strict=True):
            if table.slot(key) not in worker.held:
                self.out.drop(worker, key, attempt)
        self.placement.look_at(worker)

    def _lacking(self, worker: Worker, keys: Iterable[int]) -> list[int]:
        there = {self.table.slot(key) for key in keys}
        return [slot for slot in worker.held if slot not in there]


def _digest(numbers: Collection[int]) -> tuple[int, int]:
    return len(numbers), reduce(xor, numbers, 0)


def _place(run: Run, task: int) -> int:
    """The number of a task among those of its run."""
    before = 0
    for first, count in run.ranges:
        if first <= task < first + count:
            return before + task - first
        before += count
    return before
