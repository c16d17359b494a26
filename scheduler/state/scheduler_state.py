"""The scheduler as a machine: events in, commands out; no sockets, threads or clock.

    state = SchedulerState()
    for command in state.handle(event, now):
        ...                                    # the shell sends it

What an event means for tasks is in `transitions`, for workers in `membership`, for queues in
`placement`; submissions are read in `intake`; what has to be said is gathered in `outbox`. After
each event hungry workers are filled and the messages taken. A shell that has read several events
at once gives them to `handle_all`, which fills and takes once.

Time. `now` is any clock in seconds. Inside it becomes a time that never goes back and advances by
a second at most between two events, so a clock that jumps, or a machine that slept, makes nobody
look dead; Tick keeps it going.

Whatever comes late, twice or from nobody known is ignored; what a worker has without our knowing
is answered with Discard or Drop. `check` states the invariants.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from plait.scheduler.state.intake import Intake
from plait.scheduler.state.membership import Limits, Membership
from plait.scheduler.state.messages import (
    Cancel,
    ClientGone,
    ClientJoined,
    Copied,
    Digest,
    Done,
    Failed,
    Inventory,
    Memory,
    Missing,
    Release,
    Retire,
    Retrying,
    Returned,
    RunFailed,
    SchedulerCommand,
    SchedulerEvent,
    Submit,
    Tick,
    Unreachable,
    Waiting,
    WorkerGone,
    WorkerJoined,
)
from plait.scheduler.state.outbox import Outbox, TaskColumns
from plait.scheduler.state.placement import Placement
from plait.scheduler.state.records import SENT, Client, Run, Table, Worker
from plait.scheduler.state.transitions import Failure, Transitions

_LARGEST_STEP = 1.0
_CHECK_EVERY = 0.5

# Rows forgotten in one go: releasing a large graph must not hold up everybody else.
_FORGET = 5_000


class SchedulerState:
    """All that the scheduler knows, and what it does about it.

    Parameters
    ----------
    limits : Limits
        Bounds for crashes, silence, leaving and waiting for a suitable worker.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.table = Table()
        self.workers: dict[int, Worker] = {}
        self.clients: dict[int, Client] = {}
        self.functions: dict[bytes, bytes] = {}
        self.out = Outbox(self.table, self.workers, self.clients, self.functions)
        self.placement = Placement(self.table, self.workers, self.out)
        self.moves = Transitions(self.table, self.workers, self.placement, self.out)
        self.intake = Intake(self.table, self.moves, self.functions)
        self.membership = Membership(
            self.table,
            self.workers,
            self.clients,
            self.placement,
            self.moves,
            self.out,
            self.limits,
        )
        self._now = 0.0
        self._outside: float | None = None
        self._checked = 0.0

    @property
    def unfinished(self) -> bool:
        """Whether there is housekeeping left that another Tick would go on with."""
        return bool(self.moves.loose)

    def handle(self, event: SchedulerEvent, now: float) -> list[SchedulerCommand]:
        """What is to be done about an event."""
        return self.handle_all((event,), now)

    def handle_all(self, events: Iterable[SchedulerEvent], now: float) -> list[SchedulerCommand]:
        """What is to be done about events that came at the same time, in order."""
        if self._outside is not None:
            self._now += min(max(0.0, now - self._outside), _LARGEST_STEP)
        self._outside = now
        for event in events:
            self._take(event)
            self.moves.settle()
        self.placement.dispatch(self._now)
        self.moves.forget(_FORGET)
        return self.out.take()

    def _take(self, event: SchedulerEvent) -> None:
        match event:
            case Submit() | Release() | Cancel() | Unreachable() | ClientGone():
                client = self.clients.get(event.client)
                if client is not None:
                    self._from_client(client, event)
            case ClientJoined():
                self.clients.setdefault(event.client, Client(event.client))
            case WorkerJoined():
                self.membership.joined(event, self._now)
            case WorkerGone():
                self.membership.gone(event)
            case Tick(running=running):
                self.membership.seen(running, self._now)
                self._tick()
            case _:
                worker = self.workers.get(event.worker)
                if worker is not None:
                    self._from_worker(worker, event)

    def _from_client(
        self, client: Client, event: Submit | Release | Cancel | Unreachable | ClientGone
    ) -> None:
        match event:
            case Submit():
                self.intake.submit(client, event)
            case Release(keys=keys):
                for key in keys:
                    slot = self.table.slot(key)
                    if slot >= 0:
                        self.moves.unwant(slot)
            case Cancel(run=number):
                run = client.runs.get(number)
                if run is not None:
                    self.moves.fail(Failure(run, RunFailed(0, "cancelled", ""), silent=True))
            case Unreachable():
                self._unreachable(client, event)
            case ClientGone():
                self._client_gone(client)
            case _:
                assert_never(event)

    def _from_worker(
        self,
        worker: Worker,
        event: Done
        | Failed
        | Missing
        | Returned
        | Copied
        | Memory
        | Digest
        | Inventory
        | Waiting
        | Retire,
    ) -> None:
        if not isinstance(event, Retire):
            self.membership.heard(worker, self._now)
        match event:
            case Done():
                self._done(worker, event)
            case Failed():
                self._failed(worker, event)
            case Missing():
                self._missing(worker, event)
            case Returned():
                worker.retracting = -1.0
                for task, attempt in zip(event.tasks, event.attempts, strict=True):
                    row = self._sent_row(worker, task, attempt)
                    if row >= 0:
                        self.moves.take_back(row, tell=False)
            case Memory():
                worker.paused = event.paused
                self.placement.look_at(worker)
            case Waiting(count=count):
                self.placement.sources.threads += count - worker.waiting
                worker.threads += count - worker.waiting
                worker.waiting = count
                self.placement.look_at(worker)
            case Digest():
                self.membership.digest(worker, event)
            case Inventory():
                self.membership.inventory(worker, event)
            case Copied():
                self.membership.copied(worker, event)
                self.membership.check_retiring(self._now)
            case Retire():
                self.membership.retire(worker, self._now)
            case _:
                assert_never(event)

    def _sent_row(self, worker: Worker, task: int, attempt: int) -> int:
        """The row of a task that this worker has in this attempt, -1 if it has not."""
        table = self.table
        row = table.row_of.get(task, -1)
        if (
            row >= 0
            and table.state[row] == SENT
            and table.attempt[row] == attempt
            and table.where[row] == worker.number
        ):
            return row
        return -1

    # tasks ----------------------------------------------------------------------------------------

    def _done(self, worker: Worker, event: Done) -> None:
        table = self.table
        state, attempts, where, groups = table.state, table.attempt, table.where, table.group
        find, number = table.row_of.get, worker.number
        affinity, stolen, early = table.affinity, self.placement.stolen, self.placement.early
        told: Run | None = None
        learned = False
        columns: TaskColumns = ([], [], [], [])
        tasks, workers, times, reports = columns
        worker.last_done = self._now
        done: dict[int, tuple[int, ...]] = {}
        for task, attempt, sizes, seconds, report in zip(
            event.tasks, event.attempts, event.sizes, event.seconds, event.reports, strict=True
        ):
            row = find(task, -1)
            if row < 0 or state[row] != SENT or attempts[row] != attempt or where[row] != number:
                self._stale(worker, task, attempt)
                continue
            if row in done or row in early:
                continue  # twice
            done[row] = sizes
            group = groups[row]
            home = row not in stolen
            if not home:
                stolen.remove(row)
            elif row in affinity:
                home = self.placement.sources.ran(affinity[row], number)
            learned = learned or group.pace.seconds is None
            group.pace.ran(seconds, home)
            run = group.run
            if run is not told:
                told = run
                tasks, workers, times, reports = self.out.done(run)
            tasks.append(task)
            workers.append(number)
            times.append(seconds)
            reports.append(report)
        self.moves.finish_all(done.items())
        self.placement.look_at(worker)
        if learned:
            self.placement.learned()

    def _stale(self, worker: Worker, task: int, attempt: int) -> None:
        """A worker has results that we do not expect from it."""
        table = self.table
        row = table.row_of.get(task, -1)
        if row >= 0 and table.attempt[row] == attempt:
            number = worker.number
            if any(table.owner[slot] == number for slot in table.slots(row)):
                return  # it said so twice
        self.out.discard(worker, task, attempt)

    def _failed(self, worker: Worker, event: Failed) -> None:
        table = self.table
        row = self._sent_row(worker, event.task, event.attempt)
        if row < 0:
            return
        worker.last_done = self._now
        group = table.group[row]
        run = group.run
        failures = table.failures[row] = table.failures.get(row, 0) + 1
        if event.retryable and failures <= group.retries:
            self.moves.take_back(row, tell=False)
            message = Retrying(
                run.number,
                event.task,
                worker.number,
                event.seconds,
                event.type_name,
                event.text,
                event.error,
            )
            self.out.say(run.client, message)
            return
        failed = RunFailed(
            run.number,
            "task",
            event.text,
            event.task,
            group.name,
            event.type_name,
            event.error,
            worker.number,
            event.seconds,
        )
        self.moves.fail(Failure(run, failed))

    def _missing(self, worker: Worker, event: Missing) -> None:
        table = self.table
        lost = []
        for key, owner in zip(event.keys, event.owners, strict=True):
            slot = table.slot(key)
            if slot >= 0 and table.owner[slot] == owner:
                lost.append(slot)
                worker.copying.pop(slot, None)
        self.moves.lose(lost, drop=True)
        for task, attempt in zip(event.tasks, event.attempts, strict=True):
            row = self._sent_row(worker, task, attempt)
            if row < 0:
                continue
            self.moves.take_back(row, tell=False)
            failures = table.fetch_failures[row] = table.fetch_failures.get(row, 0) + 1
            if failures >= self.limits.fetch_limit:
                self._cut_off(worker, row, event.owners)

    def _cut_off(self, worker: Worker, row: int, owners: tuple[int, ...]) -> None:
        group, task = self.table.group[row], self.table.task[row]
        known = [self.workers[number] for number in owners if number in self.workers]
        text = (
            f"Inputs of task {task} of group {group.name!r} could not be brought to where it was to"
            f" run, {self.limits.fetch_limit} times; the last time from"
            f" {', '.join([other.address for other in known]) or 'a lost worker'}"
            f" to {worker.address}. See whether these can reach each other"
        )
        failed = RunFailed(0, "nowhere", text, task, group.name, worker=worker.number)
        self.moves.failures.append(Failure(group.run, failed))

    # clients --------------------------------------------------------------------------------------

    def _unreachable(self, client: Client, event: Unreachable) -> None:
        table = self.table
        lost = []
        for key, owner in zip(event.keys, event.owners, strict=True):
            slot = table.slot(key)
            if slot < 0 or table.owner[slot] < 0:
                continue
            if table.owner[slot] == owner:
                lost.append(slot)
            else:
                self.out.finished(client, key, table.owner[slot], table.size[slot])
        self.moves.lose(lost, drop=True)

    def _client_gone(self, client: Client) -> None:
        for run in list(client.runs.values()):
            run.loading = False
            failure = Failure(run, RunFailed(0, "cancelled", ""), silent=True)
            if run.fault is None:
                self.moves.fail(failure)
            else:
                self.moves.loose.extend(self.intake.rows(run))
        del self.clients[client.number]
        self.out.forget_client(client)
        self.intake.forget_client(client)

    def _tick(self) -> None:
        self.out.let_go()
        self.membership.check_retiring(self._now)
        if self._now - self._checked >= _CHECK_EVERY:
            self._checked = self._now
            self.membership.check_silence(self._now)
            self.membership.check_placeable(self._now)
