"""What the scheduler has to say, gathered while it handles events.

Transitions add single facts; `take` makes one message of each kind for each receiver. So however
many tasks an event moves, a worker gets one RunTasks, and what is said in front of it (functions
it does not know, addresses of peers it has not met) comes once.

What busy workers may forget waits until there is something else to say to them, or until it is
many keys or bytes: they mostly are just told what to do next. A Tick lets it go.

Within one taking a worker hears Discard and Drop before RunTasks; attempts make the order harmless
(see messages). A client hears Lost before Finished: a key that was lost and made again is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plait.scheduler.state.messages import (
    ClientMessage,
    Copy,
    Discard,
    Drop,
    Finished,
    Functions,
    Lost,
    Peers,
    PeersGone,
    RunFailed,
    RunTasks,
    SchedulerCommand,
    Stop,
    TasksDone,
    ToClient,
    ToWorker,
    WorkerMessage,
)
from plait.scheduler.state.numbers import PART_SHIFT
from plait.scheduler.state.records import Client, Run, Table, Worker

_HELD_KEYS = 256
_HELD_BYTES = 1 << 20

TaskColumns = tuple[list[int], list[int], list[float], list[bytes]]
"""Of tasks that have their results: task, worker, seconds, report."""


@dataclass(slots=True)
class _ForWorker:
    worker: Worker
    functions: list[bytes] = field(default_factory=list)
    peers: list[int] = field(default_factory=list)
    discard: list[tuple[int, int]] = field(default_factory=list)
    drop: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    copies: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Forgettable:
    """Keys, with attempts, of which a busy worker need not hear now."""

    keys: list[tuple[int, int]] = field(default_factory=list)
    bytes: int = 0


@dataclass(slots=True)
class _ForClient:
    client: Client
    peers: list[int] = field(default_factory=list)
    lost: dict[int, None] = field(default_factory=dict)
    finished: dict[int, tuple[int, int]] = field(default_factory=dict)
    done: dict[int, TaskColumns] = field(default_factory=dict)
    other: list[ClientMessage] = field(default_factory=list)


class Outbox:
    """Facts for workers and clients, until they are taken as messages."""

    def __init__(
        self,
        table: Table,
        workers: Mapping[int, Worker],
        clients: Mapping[int, Client],
        functions: Mapping[bytes, bytes],
    ) -> None:
        self._table = table
        self._workers = workers
        self._clients = clients
        self._functions = functions
        self._to_workers: dict[int, _ForWorker] = {}
        self._to_clients: dict[int, _ForClient] = {}
        self._held: dict[int, _Forgettable] = {}
        self._plain: list[SchedulerCommand] = []

    def _worker(self, worker: Worker) -> _ForWorker:
        found = self._to_workers.get(worker.number)
        if found is None:
            found = self._to_workers[worker.number] = _ForWorker(worker)
        return found

    def _client(self, client: Client) -> _ForClient:
        found = self._to_clients.get(client.number)
        if found is None:
            found = self._to_clients[client.number] = _ForClient(client)
        return found

    def run(self, worker: Worker, row: int) -> None:
        """A task to run; it is described when messages are taken, so send it only once."""
        box = self._to_workers.get(worker.number)
        (box or self._worker(worker)).rows.append(row)

    def drop(self, worker: Worker, key: int, attempt: int) -> None:
        """A stored key may go."""
        box = self._to_workers.get(worker.number)
        (box or self._worker(worker)).drop.append((key, attempt))

    def forget(self, worker: Worker, key: int, attempt: int, size: int) -> None:
        """A stored key may go, some time."""
        held = self._held.get(worker.number)
        if held is None:
            held = self._held[worker.number] = _Forgettable()
        held.keys.append((key, attempt))
        held.bytes += size
        if len(held.keys) >= _HELD_KEYS or held.bytes >= _HELD_BYTES or not worker.sent:
            self._worker(worker)

    def let_go(self) -> None:
        """Nothing is held back any longer."""
        for number in self._held:
            self._worker(self._workers[number])

    def owes(self, worker: Worker) -> bool:
        """Whether a worker has keys that we have let go of without telling it."""
        return worker.number in self._held

    def discard(self, worker: Worker, task: int, attempt: int) -> None:
        """A task is no longer this worker's."""
        self._worker(worker).discard.append((task, attempt))

    def copy(self, worker: Worker, key: int, attempt: int, owner: int, size: int) -> None:
        """A key to be stored by this worker too."""
        self._worker(worker).copies.append((key, attempt, owner, size))

    def finished(self, client: Client, key: int, owner: int, size: int) -> None:
        """A wanted key is there."""
        self._client(client).finished[key] = (owner, size)

    def lost(self, client: Client, key: int) -> None:
        """A wanted key is no longer there."""
        found = self._client(client)
        found.finished.pop(key, None)
        found.lost[key] = None

    def done(self, run: Run) -> TaskColumns:
        """Where to add tasks that have their results."""
        return self._client(run.client).done.setdefault(run.number, ([], [], [], []))

    def failed(self, client: Client, message: RunFailed) -> None:
        """A run will not end well; takes back what was to be said of its keys."""
        found = self._client(client)
        for key in message.keys:
            found.finished.pop(key, None)
            found.lost.pop(key, None)
        found.other.append(message)

    def say(self, client: Client, message: ClientMessage) -> None:
        """Any other message to a client."""
        self._client(client).other.append(message)

    def tell(self, worker: Worker, message: WorkerMessage) -> None:
        """Any other message to a worker; comes after what was gathered so far."""
        self._flush_worker(worker.number)
        self._plain.append(ToWorker(worker.number, message))

    def stop(self, worker: Worker, *, kill: bool, reason: str) -> None:
        """A worker is to end."""
        self._flush_worker(worker.number)
        self._plain.append(Stop(worker.number, kill, reason))

    def gone(self, worker: Worker) -> None:
        """Forget what was for a worker, and tell everybody who knows it."""
        number = worker.number
        self._to_workers.pop(number, None)
        self._held.pop(number, None)
        for other in self._workers.values():
            if number in other.peers:
                other.peers.discard(number)
                self.tell(other, PeersGone((number,)))
        for client in self._clients.values():
            if number in client.peers:
                client.peers.discard(number)
                self.say(client, PeersGone((number,)))

    def forget_client(self, client: Client) -> None:
        """Nothing more is said to a client."""
        self._to_clients.pop(client.number, None)

    def take(self) -> list[SchedulerCommand]:
        """All messages gathered; the box is empty afterwards."""
        for number in list(self._to_workers):
            self._flush_worker(number)
        for box in self._to_clients.values():
            self._flush_client(box)
        self._to_clients = {}
        commands, self._plain = self._plain, []
        return commands

    def _flush_worker(self, number: int) -> None:
        box = self._to_workers.pop(number, None)
        if box is None:
            return
        worker = box.worker
        held = self._held.pop(number, None)
        if held is not None:
            box.drop += held.keys
        messages: list[WorkerMessage] = []
        # Discards and drops first: what they free makes room.
        if box.discard:
            worker.commands += 1
            messages.append(Discard(*_columns(box.discard)))
        if box.drop:
            worker.commands += 1
            messages.append(Drop(*_columns(box.drop)))
        if box.rows:
            worker.commands += 1
            run = self._run_tasks(worker, box)
        for _, _, owner, _ in box.copies:
            self._meet(worker.peers, box.peers, owner)
        if box.functions:
            messages.append(
                Functions(
                    tuple(box.functions), tuple([self._functions[name] for name in box.functions])
                )
            )
        if box.peers:
            messages.append(self._peers(box.peers))
        if box.rows:
            messages.append(run)
        if box.copies:
            worker.commands += 1
            messages.append(Copy(*_columns(box.copies)))
        self._plain.extend([ToWorker(number, message) for message in messages])

    def _run_tasks(self, worker: Worker, box: _ForWorker) -> RunTasks:
        table = self._table
        own = worker.number
        groups: dict[tuple[bytes, int], int] = {}
        which: list[int] = []
        inputs: list[tuple[int, ...]] = []
        owners: list[tuple[int, ...]] = []
        sizes: list[tuple[int, ...]] = []
        last = None
        number = 0
        task, maker, first = table.task, table.maker, table.first_slot
        owners_of, weights, where = table.owner, table.size, table.where
        for row in box.rows:
            group = table.group[row]
            if group is not last:
                last = group
                number = groups.setdefault((group.function, group.outputs), len(groups))
                if group.function not in worker.functions:
                    worker.functions.add(group.function)
                    box.functions.append(group.function)
            which.append(number)
            slots = table.inputs[row]
            if not slots:
                inputs.append(())
                owners.append(())
                sizes.append(())
                continue
            places = []
            for slot in slots:
                owner = owners_of[slot]
                if owner >= 0:
                    place = owner
                else:  # chained: it is being made
                    owner = where[maker[slot]]
                    place = ~owner
                if owner == own or owner < 0:
                    place = own
                elif owner not in worker.peers:
                    self._meet(worker.peers, box.peers, owner)
                places.append(place)
            inputs.append(
                tuple(
                    [task[maker[slot]] << PART_SHIFT | slot - first[maker[slot]] for slot in slots]
                )
            )
            owners.append(tuple(places))
            sizes.append(tuple([weights[slot] for slot in slots]))
        rows = box.rows
        return RunTasks(
            tuple(groups),
            tuple([table.task[row] for row in rows]),
            tuple([table.attempt[row] for row in rows]),
            tuple([table.rank[row] for row in rows]),
            tuple(which),
            tuple([table.arguments[row] for row in rows]),
            tuple(inputs),
            tuple(owners),
            tuple(sizes),
        )

    def _flush_client(self, box: _ForClient) -> None:
        messages: list[ClientMessage] = []
        for number, (tasks, workers, seconds, reports) in box.done.items():
            messages.append(
                TasksDone(number, tuple(tasks), tuple(workers), tuple(seconds), tuple(reports))
            )
        if box.lost:
            messages.append(Lost(tuple(box.lost)))
        if box.finished:
            owners, sizes = _columns(list(box.finished.values()))
            for owner in owners:
                self._meet(box.client.peers, box.peers, owner)
            if box.peers:
                messages.append(self._peers(box.peers))
            messages.append(Finished(tuple(box.finished), owners, sizes))
        messages.extend(box.other)
        self._plain.extend([ToClient(box.client.number, message) for message in messages])

    def _meet(self, known: set[int], new: list[int], worker: int) -> None:
        if worker not in known and worker in self._workers:
            known.add(worker)
            new.append(worker)

    def _peers(self, new: list[int]) -> Peers:
        return Peers(tuple(new), tuple([self._workers[number].address for number in new]))


def _columns(rows: list[tuple]) -> tuple:  # type: ignore[type-arg]
    return tuple(zip(*rows, strict=True))
