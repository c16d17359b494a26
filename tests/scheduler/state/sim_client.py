"""A simulated client: submits random graphs, checks every value it is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plait.scheduler.state.messages import (
    Cancel,
    ClientGone,
    Finished,
    GroupSpec,
    Lost,
    Peers,
    PeersGone,
    Release,
    Retrying,
    RunFailed,
    Submit,
    TasksDone,
    Unreachable,
)
from plait.scheduler.state.numbers import first_task, key_of, task_of
from tests.scheduler.state.sim_model import FETCH_TIMEOUT, PRIME, SimRun, SimTask

if TYPE_CHECKING:
    from tests.scheduler.state.simulator import World


class SimClient:
    """A client: submits random graphs, checks the values it gets."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.next_task = first_task(number)
        self.runs: dict[int, SimRun] = {}
        self.wanted: dict[int, int] = {}  # key -> how many runs want it
        self.owners: dict[int, int] = {}
        self.released: set[int] = set()
        self.doubtful: set[int] = set()  # wanted again after a release: perhaps forgotten
        self.done: set[int] = set()
        self.gone = False

    def submit(self, size: int) -> None:
        """A random graph, or only old results wanted again."""
        world, rnd = self.world, self.world.random
        if self.gone:
            return
        number = len(self.runs)
        kept = [key for key in self.wanted if self.wanted[key]]
        old = kept + [key for key in self.released if rnd.random() < 0.2]
        uses_released = False
        groups = [world.group() for _ in range(rnd.randint(1, 4))] if size else []
        first = self.next_task
        inputs: list[tuple[int, ...]] = []
        which: list[int] = []
        consumed: set[int] = set()
        reach = rnd.choice((1, 3, 10, 100))
        for place in range(size):
            group = rnd.randrange(len(groups))
            found: dict[int, None] = {}
            if place and not groups[group].source:
                for _ in range(rnd.choice((0, 1, 1, 2, 3))):
                    item = rnd.randrange(max(0, place - reach), place)
                    part = rnd.randrange(groups[which[item]].outputs)
                    found[key_of(first + item, part)] = None
                    consumed.add(item)
            if old and rnd.random() < 0.15:
                key = rnd.choice(old)
                uses_released |= key in self.released or key in self.doubtful
                found[key] = None
            keys = list(found)
            rnd.shuffle(keys)
            which.append(group)
            inputs.append(tuple(keys))
        self.next_task += size
        want: dict[int, None] = {}
        for place in range(size):
            if place not in consumed or rnd.random() < 0.1:
                parts = range(groups[which[place]].outputs)
                for part in rnd.sample(parts, rnd.randint(1, len(parts))):
                    want[key_of(first + place, part)] = None
        if not size or rnd.random() < 0.3:
            for key in rnd.sample(old, min(len(old), rnd.randint(1, 3))):
                uses_released |= key in self.released or key in self.doubtful
                want[key] = None
        taken = {key for keys in inputs for key in keys} | set(want)
        sources = {world.run_of[task_of(key)] for key in taken if task_of(key) < first}
        tasks = list(range(first, first + size))
        run = SimRun(number, tasks, tuple(want), set(want), list(sources), uses_released)
        self.runs[number] = run
        for place in range(size):
            task = SimTask(rnd.randrange(PRIME), inputs[place], groups[which[place]])
            world.add_task(first + place, task, run)
        for key in want:
            self.wanted[key] = self.wanted.get(key, 0) + 1
            if key in self.released:
                self.released.discard(key)
                self.doubtful.add(key)
        self.send(number, first, groups, which, inputs, tuple(want))

    def send(
        self,
        number: int,
        first: int,
        groups: list[GroupSpec],
        which: list[int],
        inputs: list[tuple[int, ...]],
        want: tuple[int, ...],
    ) -> None:
        rnd = self.world.random
        size = len(which)
        positions = list(range(size))
        if rnd.random() < 0.5:
            rnd.shuffle(positions)
        cuts = sorted(rnd.sample(range(1, size), min(size - 1, 3))) if size > 3 else []
        if rnd.random() < 0.5:
            cuts = []
        for begin, end in zip([0, *cuts], [*cuts, size], strict=True):
            more = end < size
            self.say(
                Submit(
                    self.number,
                    number,
                    tuple(groups) if not begin else (),
                    tuple([(spec.function, b"F") for spec in groups]) if not begin else (),
                    first + begin,
                    tuple(which[begin:end]),
                    tuple([b"%d" % place for place in range(begin, end)]),
                    tuple(inputs[begin:end]),
                    tuple(positions[begin:end]),
                    () if more else want,
                    tuple([rnd.randint(0, 4) for _ in range(begin, end)]),
                    tuple([rnd.randint(0, 9) for _ in range(begin, end)]),
                    rnd.randint(-1, 1),
                    more,
                ),
                pause=rnd.random() * 0.1 if more else 0.0,
            )

    def say(self, message: Any, pause: float = 0.0) -> None:
        self.world.link(("client", self.number), "scheduler", message, pause)

    def receive(self, message: Any) -> None:
        if self.gone:
            return
        match message:
            case Finished(keys=keys, owners=owners):
                for key, owner in zip(keys, owners, strict=True):
                    if self.wanted.get(key):
                        self.owners[key] = owner
                        self.gather(key, owner)
            case Lost(keys=keys):
                for key in keys:
                    self.owners.pop(key, None)
            case RunFailed():
                self.failed(message)
            case TasksDone(tasks=tasks):
                self.done.update(tasks)
            case Retrying() | Peers() | PeersGone():
                pass

    def gather(self, key: int, owner: int) -> None:
        """Fetch a value from its owner and look whether it is right."""
        world = self.world

        def arrive() -> None:
            peer = world.workers.get(owner)
            if self.gone or self.owners.get(key) != owner:
                return
            if peer is not None and peer.alive and world.now < peer.frozen_until:
                world.at(min(peer.frozen_until, world.now + FETCH_TIMEOUT), arrive)
                return
            if peer is None or not peer.alive or key not in peer.store:
                del self.owners[key]
                self.say(Unreachable(self.number, (key,), (owner,)))
                return
            if peer.store[key] != world.expected(key):
                world.complain(f"key {key} has a wrong value at worker {owner}")
            for run in self.runs.values():
                run.pending.discard(key)

        world.at(world.now + world.delay(), arrive)

    def failed(self, message: RunFailed) -> None:
        world = self.world
        run = self.runs[message.run]
        world.log.append(f"{world.now:.3f} client {self.number}: {message}")
        if run.failed is not None:
            world.complain(f"run {run.number} failed twice: {message}")
        if run.cancelled:
            return
        if not self.explained(run, message):
            world.complain(f"run {run.number} of client {self.number} failed: {message}")
        run.failed = message
        own = set(run.tasks)
        self.void((*message.keys, *[key for key in run.want if task_of(key) in own]))
        # What it wanted of earlier runs is released like anything else.
        self.release(run)

    def explained(self, run: SimRun, message: RunFailed) -> bool:
        world = self.world
        task = world.tasks.get(message.task)
        match message.fault:
            case "task" if message.type_name:
                return task is not None and task.fails > task.group.retries
            case "killed" if message.worker >= 0:
                return world.deaths.get(message.task, 0) >= world.limits.crash_limit
            case _:
                return run.may_fail()

    def void(self, keys: tuple[int, ...]) -> None:
        """Keys of a failed run: nobody gets them."""
        for key in keys:
            self.wanted.pop(key, None)
            self.owners.pop(key, None)
            self.released.add(key)
        for run in self.runs.values():
            if run.pending & set(keys):
                run.pending -= set(keys)
                run.shaky = True

    def release(self, run: SimRun) -> None:
        gone = []
        for key in run.want:
            if not self.wanted.get(key):
                continue
            self.wanted[key] -= 1
            if not self.wanted[key]:
                del self.wanted[key]
                self.owners.pop(key, None)
                self.released.add(key)
                gone.append(key)
        run.want = ()
        run.pending = set()
        if gone:
            self.say(Release(self.number, tuple(gone)))

    def cancel(self, run: SimRun) -> None:
        run.cancelled = True
        run.pending = set()
        own = set(run.tasks)
        keys = tuple([key for key in self.wanted if task_of(key) in own])
        self.void(keys)
        self.say(Cancel(self.number, run.number))

    def leave(self) -> None:
        self.gone = True
        for run in self.runs.values():
            run.pending = set()
        self.say(ClientGone(self.number))
