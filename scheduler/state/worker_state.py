"""A worker as a machine: events in, commands out; no sockets, threads or clock.

The shell owns the values (its store), the threads and the connections. The machine decides what
runs when, what is fetched from whom, and what may be deleted; keys stand for values.

    tasks     what the scheduler sent: waiting for inputs, runnable or running
    shelf     which keys are here, whose they are, which tasks here take them
    fetches   which keys come from whom, and what is asked for next
    copying   keys that are to become our own when they come, with the attempt
    awaited   keys to be made here that others wait for, and until when they may

A key is fetched once however many tasks need it. A copy that no task here uses any more stays for
some seconds: the next tasks often take the same one (a small table joined with a large one).
A peer may be asked for what it is still making, and answers when that is there, or will not be.
What cannot be fetched goes to the scheduler as Missing, with the tasks that need it; they are given
up here.

A running task cannot be stopped. If it was discarded, its results are thrown away when they come;
until then it keeps its thread. While such tasks have all threads nothing is accepted.

Results are reported in batches: at the latest when nothing is left to run, at 64, or after 2 ms of
work (`flush_due` tells the shell when it has to call with a Tick). Who waits for keys gets them
then too.

Memory. From 70 % of the limit on nothing is fetched while anything else can be done; from 80 % on
what has not begun is returned to the scheduler and one task at a time runs: a worker that is full
still gets smaller. If nothing leaves its memory (`stuck`) it goes on all the same, a little at a
time: better an error than to stand still.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import assert_never

from plait.scheduler.state.fetches import Fetches
from plait.scheduler.state.messages import (
    PART_SHIFT,
    Audit,
    Copied,
    Copy,
    Digest,
    Discard,
    Done,
    Drop,
    Failed,
    FromWorker,
    Functions,
    Inventory,
    Memory,
    Missing,
    Peers,
    PeersGone,
    Retract,
    Returned,
    RunTasks,
    Tick,
    Waiting,
    key_of,
    task_of,
)
from plait.scheduler.state.shelf import Shelf
from plait.scheduler.state.worker_messages import (
    Awaited,
    Delete,
    Fetch,
    Fetched,
    KeysLost,
    MemoryUsed,
    NotFetched,
    Raised,
    Ran,
    Serve,
    Start,
    ToScheduler,
    WorkerCommand,
    WorkerEvent,
)

_FLUSH_TASKS = 64
_FLUSH_SECONDS = 0.002
_DIGEST_SECONDS = 5.0
_COPY_SECONDS = 5.0
_AWAITED_SECONDS = 2.0
_LARGEST_STEP = 1.0

_STOP_FETCHING = 0.70
_PAUSE = 0.80
_RESUME = 0.75


@dataclass(slots=True, eq=False)
class _Task:
    task: int
    attempt: int
    rank: int
    function: bytes
    outputs: int
    arguments: bytes
    inputs: tuple[int, ...]
    missing: int = 0
    running: bool = False


class WorkerState:
    """All that a worker knows, and what it does about it.

    Parameters
    ----------
    worker : int
        The number that the scheduler gave it.
    threads : int
        How many tasks run at a time.
    copy_bytes : int
        Bytes of unused copies that are kept.
    """

    def __init__(self, worker: int, threads: int, copy_bytes: int = 256 << 20) -> None:
        self.worker = worker
        self.threads = threads
        self.shelf = Shelf(copy_bytes)
        self.tasks: dict[int, _Task] = {}
        self.running: set[tuple[int, int]] = set()
        self.fetches = Fetches()
        self.copying: dict[int, int] = {}
        self.awaited: dict[int, float] = {}
        self.paused = False
        self.flush_due: float | None = None
        self._runnable: list[tuple[int, int, int]] = []
        self._full = 0.0  # used memory as a part of the limit
        self._done: list[Ran] = []
        self._done_seconds = 0.0
        self._served: list[int] = []
        self._waiting = 0
        self._seen = 0
        self._digested = 0.0
        self._now = 0.0
        self._outside: float | None = None
        self._out: list[WorkerCommand] = []

    def handle(self, event: WorkerEvent, now: float) -> list[WorkerCommand]:
        """What is to be done about an event."""
        if self._outside is not None:
            passed = now - self._outside
            if passed > 0.0:
                self._now += passed if passed < _LARGEST_STEP else _LARGEST_STEP
        self._outside = now
        self._take(event)
        if self._runnable:
            self._start()
        if self.fetches.peer_of:
            self._ask()
        if self._done:
            self._flush_if_due(now)
        elif self._served:
            self._serve()
        commands, self._out = self._out, []
        return commands

    def _take(self, event: WorkerEvent) -> None:
        match event:
            case Ran():
                self._ran(event)
            case Raised():
                self._raised(event)
            case Fetched(peer=peer, keys=keys, sizes=sizes):
                self._fetched(peer, keys, sizes)
            case NotFetched(peer=peer, keys=keys):
                self._not_fetched(peer, keys)
            case RunTasks():
                self._seen += 1
                self._run_tasks(event)
            case Drop(keys=keys, attempts=attempts):
                self._seen += 1
                self._drop(keys, attempts)
            case Discard(tasks=tasks, attempts=attempts):
                self._seen += 1
                for task, attempt in zip(tasks, attempts, strict=True):
                    self._discard(task, attempt)
            case Copy():
                self._seen += 1
                self._copy(event)
            case Retract(count=count):
                self._give_back(count)
            case PeersGone(workers=workers):
                for peer in workers:
                    self._peer_gone(peer)
            case Awaited(keys=keys):
                self._await(keys)
            case KeysLost():
                self._keys_lost(event)
            case MemoryUsed():
                self._memory(event)
            case Waiting(count=count):
                self.threads += count - self._waiting
                self._waiting = count
                self._say(event)
            case Audit():
                self._inventory()
            case Tick():
                self._tick()
            case Functions() | Peers():
                pass  # the shell's affair
            case _:
                assert_never(event)

    # tasks ----------------------------------------------------------------------------------------

    def _run_tasks(self, event: RunTasks) -> None:
        lacking: list[tuple[_Task, int]] = []
        making: dict[int, list[int]] = {}
        for task, attempt, rank, group, arguments, inputs, owners, sizes in zip(
            event.tasks,
            event.attempts,
            event.ranks,
            event.task_groups,
            event.arguments,
            event.inputs,
            event.owners,
            event.sizes,
            strict=True,
        ):
            known = self.tasks.get(task)
            if known is not None:
                if known.attempt >= attempt:
                    continue  # said twice
                self._give_up(known)
            elif (task, attempt) in self.running or self.shelf.held.get(key_of(task)) == attempt:
                continue
            function, outputs = event.groups[group]
            item = _Task(task, attempt, rank, function, outputs, arguments, inputs)
            self.tasks[task] = item
            for key, owner, size in zip(inputs, owners, sizes, strict=True):
                if self.shelf.use(key, task):
                    continue
                item.missing += 1
                if owner < 0:
                    if self.fetches.expect(key, ~owner):
                        making.setdefault(~owner, []).append(key)
                elif owner != self.worker:
                    self.fetches.add(key, owner, rank, size)
                elif task_of(key) not in self.tasks:
                    lacking.append((item, key))
            if not item.missing:
                heappush(self._runnable, (rank, task, attempt))
        for peer, keys in making.items():
            self._out.append(Fetch(peer, tuple(keys), making=True))
        if lacking:
            # Believed to be here, or to be made here, but it is not.
            self._missing({key for _, key in lacking}, self.worker, [item for item, _ in lacking])

    def _give_up(self, item: _Task) -> None:
        """A task is no longer ours; if it runs, its results will be thrown away."""
        del self.tasks[item.task]
        if item.inputs:
            gone = self.shelf.unuse(item.inputs, item.task, self._now)
            if gone:
                self._delete(gone)
        if self.awaited:
            for part in range(item.outputs):
                key = key_of(item.task, part)
                if key in self.awaited:
                    del self.awaited[key]
                    self._served.append(key)

    def _discard(self, task: int, attempt: int) -> None:
        item = self.tasks.get(task)
        if item is not None and item.attempt <= attempt:
            self._give_up(item)
        self._delete(self.shelf.unhold_task(task, attempt))

    def _start(self) -> None:
        heap, tasks = self._runnable, self.tasks
        seats = 1 + self._waiting if self.paused else self.threads
        while heap and len(self.running) < seats:
            _, task, attempt = heappop(heap)
            item = tasks.get(task)
            if item is None or item.attempt != attempt or item.running or item.missing:
                continue
            item.running = True
            self.running.add((task, attempt))
            self._out.append(
                Start(task, attempt, item.function, item.arguments, item.inputs, item.outputs)
            )

    def _ran(self, event: Ran) -> None:
        task, attempt, sizes, seconds, _ = event
        self.running.discard((task, attempt))
        item = self.tasks.get(task)
        if item is None or item.attempt != attempt or not item.running:
            self._delete([key_of(task, part) for part in range(len(sizes))])
            return
        shelf = self.shelf
        key = task << PART_SHIFT
        for size in sizes:
            # What an earlier attempt made stays that attempt's; see Discard.
            if key not in shelf.held:
                was_here = key in shelf.copies
                shelf.hold(key, attempt, size)
                if not was_here:
                    self._arrived(key)
            key += 1
        self._give_up(item)
        if not self._done:
            self.flush_due = (self._outside or 0.0) + _FLUSH_SECONDS
        self._done.append(event)
        self._done_seconds += seconds

    def _raised(self, event: Raised) -> None:
        self.running.discard((event.task, event.attempt))
        item = self.tasks.get(event.task)
        if item is None or item.attempt != event.attempt or not item.running:
            return
        self._give_up(item)
        self._say(
            Failed(
                self.worker,
                event.task,
                event.attempt,
                event.type_name,
                event.text,
                event.error,
                event.seconds,
                event.retryable,
            )
        )

    def _give_back(self, count: int) -> None:
        """Return up to so many tasks that have not begun, the last to run first."""
        unstarted = [item for item in self.tasks.values() if not item.running]
        unstarted.sort(key=_rank, reverse=True)
        items = unstarted[:count]
        for item in items:
            self._give_up(item)
        self._say(
            Returned(
                self.worker,
                tuple([item.task for item in items]),
                tuple([item.attempt for item in items]),
            )
        )

    # what is here ---------------------------------------------------------------------------------

    def _delete(self, keys: Iterable[int]) -> None:
        gone = tuple([key for key in keys if key not in self.shelf])
        if gone:
            self._out.append(Delete(gone))

    def _drop(self, keys: Iterable[int], attempts: Iterable[int]) -> None:
        """Keys that are no longer our own, if made by these attempts or earlier ones, or copies."""
        held, copying, unhold = self.shelf.held, self.copying, self.shelf.unhold
        idle, let_go = self.shelf.idle, self.shelf.let_go
        gone: list[int] = []
        for key, attempt in zip(keys, attempts, strict=True):
            if copying and copying.get(key, attempt + 1) <= attempt:
                del copying[key]
            if (held.get(key, attempt + 1) <= attempt and unhold(key)) or (idle and let_go(key)):
                gone.append(key)
        if gone:
            self._out.append(Delete(tuple(gone)))

    def _arrived(self, key: int) -> None:
        """A key is here now: tasks that waited for it go on."""
        self.fetches.came(key)
        if key in self.copying:
            attempt = self.copying.pop(key)
            if key in self.shelf.copies:
                self.shelf.own(key, attempt)
            self._say(Copied(self.worker, (key,)))
        for task in self.shelf.users.get(key, ()):
            item = self.tasks[task]
            if item.running:
                continue  # it had got the value before that was lost
            item.missing -= 1
            if not item.missing:
                heappush(self._runnable, (item.rank, task, item.attempt))

    def _keys_lost(self, event: KeysLost) -> None:
        lost = self.shelf.lose(event.keys)
        self._delete(lost)
        users = {task for key in lost for task in self.shelf.users.get(key, ())}
        items = [self.tasks[task] for task in users if not self.tasks[task].running]
        if event.task >= 0:
            self.running.discard((event.task, event.attempt))
            item = self.tasks.get(event.task)
            if item is not None and item.attempt == event.attempt and item.running:
                items.append(item)
        if lost or items:
            self._missing(lost or event.keys, self.worker, items)

    # fetching -------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask peers that have nothing to do for us for the next batch."""
        for peer, keys in self.fetches.ask(
            self._needs, self._full >= _STOP_FETCHING, bool(self.running)
        ):
            self._out.append(Fetch(peer, keys))

    def _needs(self, key: int) -> bool:
        return key in self.shelf.users or key in self.copying

    def _fetched(self, number: int, keys: tuple[int, ...], sizes: tuple[int, ...]) -> None:
        unused = []
        for key, size in zip(keys, sizes, strict=True):
            self.fetches.answered(number, key)
            if key in self.shelf:
                continue
            # Also if it comes after all, from a peer that had been given up.
            if self._needs(key):
                self.shelf.keep(key, size)
                self._arrived(key)
            else:
                unused.append(key)
        self._delete(unused)

    def _not_fetched(self, number: int, keys: Iterable[int]) -> None:
        lost = {key for key in keys if self.fetches.answered(number, key)}
        if lost:
            tasks = {task for key in lost for task in self.shelf.users.get(key, ())}
            for key in lost:
                self.copying.pop(key, None)
            self._missing(lost, number, [self.tasks[task] for task in tasks])

    def _missing(self, keys: Collection[int], owner: int, items: Iterable[_Task]) -> None:
        """Tell the scheduler what is not to be had, and give the tasks up that need it."""
        tasks = {item.task: item for item in items}
        for item in tasks.values():
            self._give_up(item)
        self._say(
            Missing(
                self.worker,
                tuple(tasks),
                tuple([item.attempt for item in tasks.values()]),
                tuple(keys),
                (owner,) * len(keys),
            )
        )

    def _peer_gone(self, number: int) -> None:
        self._not_fetched(number, self.fetches.of(number))
        self.fetches.forget(number)

    def _copy(self, event: Copy) -> None:
        there = []
        for key, attempt, owner, size in zip(
            event.keys, event.attempts, event.owners, event.sizes, strict=True
        ):
            if key in self.shelf.copies:
                self.shelf.own(key, attempt)
            if key in self.shelf.held:
                there.append(key)
            else:
                self.copying[key] = attempt
                self.fetches.add(key, owner, 0, size)
        if there:
            self._say(Copied(self.worker, tuple(there)))

    def _await(self, keys: Iterable[int]) -> None:
        """Others ask for keys. One that nobody told us to make yet may be on its way."""
        for key in keys:
            if key in self.shelf:
                self._served.append(key)
            else:
                self.awaited[key] = self._now + _AWAITED_SECONDS

    # reports --------------------------------------------------------------------------------------

    def _say(self, message: FromWorker) -> None:
        self._out.append(ToScheduler(message))

    def _flush_if_due(self, now: float) -> None:
        if self._done and (
            not self.running
            or len(self._done) >= _FLUSH_TASKS
            or self._done_seconds >= _FLUSH_SECONDS
            or self.flush_due is None
            or now >= self.flush_due
            or now < self.flush_due - 2 * _FLUSH_SECONDS  # the clock went back
        ):
            self._flush()

    def _flush(self) -> None:
        if self._served:
            self._serve()
        if self._done:
            tasks, attempts, sizes, seconds, reports = zip(*self._done, strict=True)
            self._say(Done(self.worker, tasks, attempts, sizes, seconds, reports))
            self._done = []
            self._done_seconds = 0.0
        self.flush_due = None

    def _serve(self) -> None:
        self._out.append(Serve(tuple(self._served)))
        self._served = []

    def _inventory(self) -> None:
        self._flush()
        self._seen = 0
        self._say(
            Inventory(
                self.worker,
                tuple(self.tasks),
                tuple([item.attempt for item in self.tasks.values()]),
                tuple(self.shelf.held),
                tuple(self.shelf.held.values()),
            )
        )

    def _tick(self) -> None:
        self._delete(self.shelf.evict(self._now - _COPY_SECONDS))
        for key in [key for key, until in self.awaited.items() if self._now >= until]:
            del self.awaited[key]
            self._served.append(key)
        if self._now - self._digested >= _DIGEST_SECONDS:
            self._digested = self._now
            self._flush()
            tasks = keys = 0
            for task in self.tasks:
                tasks ^= task
            for key in self.shelf.held:
                keys ^= key
            self._say(
                Digest(
                    self.worker, self._seen, (len(self.tasks), tasks), (len(self.shelf.held), keys)
                )
            )

    def _memory(self, event: MemoryUsed) -> None:
        self._full = event.used / event.limit if event.limit else 0.0
        self.paused = self._full >= (_RESUME if self.paused else _PAUSE) and not event.stuck
        given_up = sum([task not in self.tasks for task, _ in self.running])
        blocked = given_up >= self.threads
        if self.paused or blocked:
            # One stays if it is all there is to do: we alone may be able to make room.
            count = len(self.tasks) - sum([item.running for item in self.tasks.values()])
            if not self.running:
                count -= 1
            if count > 0:
                self._give_back(count)
        self._say(
            Memory(
                self.worker,
                event.used,
                self.shelf.held_bytes,
                event.spilled,
                self.paused or blocked,
            )
        )


def _rank(item: _Task) -> int:
    return item.rank
