"""A simulated worker process: the real machine with a store, threads and peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plait.scheduler.state.check import check_worker
from plait.scheduler.state.messages import (
    Peers,
    RunTasks,
    Tick,
)
from plait.scheduler.state.numbers import PART_MASK, key_of
from plait.scheduler.state.worker_messages import (
    Awaited,
    Delete,
    Fetch,
    Fetched,
    KeysLost,
    NotFetched,
    Raised,
    Ran,
    Serve,
    Start,
    ToScheduler,
)
from plait.scheduler.state.worker_state import WorkerState
from tests.scheduler.state.sim_model import FETCH_TIMEOUT, value_of

if TYPE_CHECKING:
    from tests.scheduler.state.simulator import World


class SimWorker:
    """A worker process: machine, store, threads."""

    def __init__(self, world: World, number: int, threads: int) -> None:
        self.world = world
        self.number = number
        self.threads = threads
        self.state = WorkerState(number, threads, copy_bytes=world.random.choice((0, 50, 10_000)))
        self.store: dict[int, int] = {}
        self.active: dict[tuple[int, int], Start] = {}
        self.functions: set[bytes] = set()
        self.peers: set[int] = {number}
        self.alive = True
        self.gpu = False
        self.frozen_until = 0.0
        self.inbox: list[Callable[[], object]] = []
        self.waking = False
        self.awaiting: dict[int, list[Callable[[int], None]]] = {}
        self.damaged: set[int] = set()  # unreadable, but not yet reported

    def receive(self, event: Any) -> None:
        world = self.world
        if not self.alive:
            return
        if self.asleep(lambda: self.receive(event)):
            return
        if isinstance(event, RunTasks):
            for function, _ in event.groups:
                # A lost message may have held the function; shells then report Failed.
                if function not in self.functions and not world.lossy:
                    world.complain(f"worker {self.number} was not sent function {function!r}")
            for owners in event.owners:
                for place in owners:
                    owner = max(place, ~place)
                    if owner not in self.peers and not world.lossy:
                        world.complain(f"worker {self.number} does not know peer {owner}")
        elif type(event).__name__ == "Functions":
            self.functions.update(event.ids)
        elif isinstance(event, Peers):
            self.peers.update(event.workers)
        elif isinstance(event, KeysLost):
            self.damaged.difference_update(event.keys)
        for command in self.state.handle(event, world.clock()):
            match command:
                case Start():
                    self.start(command)
                case Fetch(peer=peer, keys=keys, making=making):
                    self.fetch(peer, keys, making)
                case Serve(keys=keys):
                    self.serve(keys)
                case Delete(keys=keys):
                    for key in keys:
                        self.store.pop(key, None)
                case ToScheduler(message=message):
                    world.to_scheduler(self.number, message)
        if world.checking:
            try:
                check_worker(self.state)
                for key in (*self.state.shelf.held, *self.state.shelf.copies):
                    assert key in self.store or key in self.damaged, (
                        f"key {key} is on the shelf, not in the store"
                    )
            except AssertionError as error:
                world.complain(f"worker {self.number} after {event}: {error!r}", error)
        if self.state.flush_due is not None:
            due = max(self.state.flush_due - world.skew, world.now)
            world.at(due + 1e-6, lambda: self.alive and self.receive(Tick()))

    def asleep(self, call: Callable[[], object]) -> bool:
        """Whether the worker is frozen; then the call comes when it wakes, in order."""
        if self.world.now >= self.frozen_until and (not self.inbox or self.waking):
            return False
        self.inbox.append(call)
        if len(self.inbox) == 1:
            self.world.at(self.frozen_until, self.wake)
        return True

    def wake(self) -> None:
        if self.world.now < self.frozen_until:
            self.world.at(self.frozen_until, self.wake)
            return
        self.waking = True
        for call in self.inbox:
            call()
        self.inbox = []
        self.waking = False

    def start(self, start: Start) -> None:
        world = self.world
        task = world.tasks[start.task]
        damaged = [
            key for key in start.inputs if world.chance(world.chaos.damage) or key in self.damaged
        ]
        if damaged:
            for key in damaged:
                self.store.pop(key, None)
            self.damaged.update(damaged)
            lost = KeysLost(tuple(damaged), start.task, start.attempt)
            world.at(world.now, lambda: self.receive(lost))
            return
        lacking = [key for key in start.inputs if key not in self.store]
        if lacking:
            world.complain(f"task {start.task} was started without {lacking}")
        if start.inputs != task.inputs or start.outputs != task.group.outputs:
            world.complain(f"task {start.task} was started as another one")
        values = [self.store[key] for key in start.inputs]
        self.active[start.task, start.attempt] = start
        if len(self.active) > self.threads:
            world.complain(f"worker {self.number} runs {len(self.active)} tasks")
        world.at(world.now + world.duration(), lambda: self.finish(start, values))

    def finish(self, start: Start, values: list[int]) -> None:
        world = self.world
        if not self.alive:
            return
        if self.asleep(lambda: self.finish(start, values)):
            return
        task = world.tasks[start.task]
        if task.poison:
            world.kill(self, "crashed")
            return
        del self.active[start.task, start.attempt]
        world.executed += 1
        if world.failed_so_far.get(start.task, 0) < task.fails:
            world.failed_so_far[start.task] = world.failed_so_far.get(start.task, 0) + 1
            raised = Raised(start.task, start.attempt, "ValueError", "no", b"E", 0.001)
            self.receive(raised)
            return
        outputs = task.group.outputs
        for part in range(outputs):
            self.store[key_of(start.task, part)] = value_of(task.salt, part, values)
        sizes = tuple([10 + part for part in range(outputs)])
        seconds = world.random.choice(world.told_seconds)
        self.receive(Ran(start.task, start.attempt, sizes, seconds, b"r"))

    def serve(self, keys: tuple[int, ...]) -> None:
        """Answer who waits for these."""
        for key in keys:
            for answer in self.awaiting.pop(key, ()):
                answer(key)

    def fetch(self, number: int, keys: tuple[int, ...], making: bool) -> None:
        """Ask a peer; the answer, or its absence, comes later."""
        if making and len(keys) > 1:
            for key in keys:
                self.fetch(number, (key,), making)
            return
        world = self.world
        peer = world.workers.get(number)
        answered: list[bool] = []

        def answer(event: Any) -> None:
            if not answered:
                answered.append(True)
                self.receive(event)

        def arrive() -> None:
            if peer is None or not peer.alive:
                world.at(world.now + world.delay(), lambda: answer(NotFetched(number, keys)))
                return
            if world.now < peer.frozen_until:
                world.at(peer.frozen_until, arrive)
                return
            if making:
                peer.awaiting.setdefault(keys[0], []).append(lambda _: give())
                peer.receive(Awaited(keys))
            else:
                give()

        def give() -> None:
            assert peer is not None
            there = [key for key in keys if key in peer.store]
            if world.chaos.flaky_fetch:
                there = [key for key in there if not world.chance(world.chaos.flaky_fetch)]
            values = [peer.store[key] for key in there]
            gone = tuple([key for key in keys if key not in there])

            def deliver() -> None:
                if not answered and self.alive and there:
                    for key, value in zip(there, values, strict=True):
                        if key not in self.state.shelf.held:
                            self.store[key] = value
                    sizes = tuple([10 + (key & PART_MASK) for key in there])
                    self.receive(Fetched(number, tuple(there), sizes))
                if gone:
                    answer(NotFetched(number, gone))
                answered.append(True)

            if (self.number, number) not in world.cut:
                world.at(world.now + world.delay(), deliver)

        if (self.number, number) not in world.cut:
            world.at(world.now + world.delay(), arrive)
        world.at(world.now + FETCH_TIMEOUT, lambda: answer(NotFetched(number, keys)))
