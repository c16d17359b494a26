"""A cluster in one thread: the real machines, simulated links, threads, clocks and accidents.

Everything follows from a seed. Links keep order and delay each message at random; those between
scheduler and workers may also repeat messages or (`lossy`) lose them. Workers are killed, frozen,
cut off from each other, retired, and join; tasks fail once, always, or kill their worker; clients
release results, ask for them again, use them in further runs, cancel, and leave; clocks jump.

Values are simulated too. A task's result is a number made of its salt and of the values of its
inputs; a client fetches each result that it is told of and compares it with the number it works out
by itself. So a task that runs on stale or swapped inputs is found, not only one that never ends.

After each event both machines' invariants are checked. A run of the simulation ends when all
clients have what they wanted, or an explained error, and after everything was released nothing may
be left anywhere. Every failure names the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

from plait.scheduler.state.check import check_scheduler
from plait.scheduler.state.membership import Limits
from plait.scheduler.state.messages import (
    ClientJoined,
    GroupSpec,
    Retire,
    Stop,
    Tick,
    ToClient,
    ToWorker,
    WorkerGone,
    WorkerJoined,
)
from plait.scheduler.state.numbers import PART_MASK, task_of
from plait.scheduler.state.scheduler_state import SchedulerState
from plait.scheduler.state.worker_messages import (
    MemoryUsed,
)
from tests.scheduler.state.sim_client import SimClient
from tests.scheduler.state.sim_model import Chaos, SimRun, SimTask, value_of
from tests.scheduler.state.sim_worker import SimWorker

TICK = 0.1
WORKER_TICK = 0.25


class World:
    """Everything together, driven by a heap of timed calls."""

    def __init__(self, seed: int, chaos: Chaos, *, workers: int = 3, check_every: int = 1) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.told = str(chaos)
        self.lossy = chaos.lose > 0
        self.chaos = replace(chaos)
        self.limits = Limits(fetch_limit=100_000, unplaceable_after=None)
        self.scheduler = SchedulerState(self.limits)
        self.workers: dict[int, SimWorker] = {}
        self.clients: dict[int, SimClient] = {}
        self.tasks: dict[int, SimTask] = {}
        self.now = 0.0
        self.skew = 0.0
        self.executed = 0
        self.steps = 0
        self.check_every = check_every
        self.checking = True
        self.cut: set[tuple[int, int]] = set()
        self.deaths: dict[int, int] = {}
        self.failed_so_far: dict[int, int] = {}
        self.log: list[str] = []
        self._values: dict[int, int] = {}
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._sequence = 0
        self._links: dict[tuple[object, object], float] = {}
        self._next_worker = 0
        self._speed = self.random.choice((0.0005, 0.005, 0.05))
        # What workers say that a task took: where all are quick they are chained between workers.
        self.told_seconds = self.random.choice(((1e-5,), (1e-5, 1e-3, 0.1)))
        self.run_of: dict[int, SimRun] = {}
        for _ in range(workers):
            self.join()
        self._tick()

    # the frame ------------------------------------------------------------------------------------

    def complain(self, text: str, cause: BaseException | None = None) -> None:
        tail = "\n  ".join(self.log[-20:])
        raise AssertionError(
            f"seed {self.seed}, {self.told}, at {self.now:.3f}: {text}\n  {tail}"
        ) from cause

    def at(self, time: float, call: Callable[[], object]) -> None:
        self._sequence += 1
        heappush(self._calls, (time, self._sequence, call))

    def clock(self) -> float:
        return self.now + self.skew

    def chance(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate

    def delay(self) -> float:
        return self.random.random() * self.random.choice((0.0002, 0.002, 0.02))

    def duration(self) -> float:
        return self.random.random() * self._speed * self.random.choice((1, 1, 1, 10))

    def step(self) -> bool:
        if not self._calls:
            return False
        self.now, _, call = heappop(self._calls)
        call()
        return True

    def run_until(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        deadline = self.now + limit
        while not condition():
            if not self.step() or self.now > deadline:
                self.complain(f"{what} not within {limit} s: {self.unfinished()}")

    def unfinished(self) -> str:
        return "; ".join(
            [
                f"client {client.number} run {run.number} waits for {sorted(run.pending)}"
                for client in self.clients.values()
                for run in client.runs.values()
                if run.pending
            ]
        )

    # links ----------------------------------------------------------------------------------------

    def link(self, source: object, target: object, message: Any, pause: float = 0.0) -> None:
        """Deliver a message later, after all that was sent on the same link before."""
        lossless = "client" in (source[0] if isinstance(source, tuple) else source, target) or (
            isinstance(target, tuple) and target[0] == "client"
        )
        joining = isinstance(message, (WorkerJoined, WorkerGone))
        times = 1
        if not lossless and not joining:
            if self.chance(self.chaos.lose):
                return
            if self.chance(self.chaos.repeat):
                times = 2
        for _ in range(times):
            due = max(self._links.get((source, target), 0.0), self.now + pause + self.delay())
            self._links[source, target] = due
            self.at(due, lambda: self.deliver(target, message))

    def deliver(self, target: object, message: Any) -> None:
        if target == "scheduler":
            self.to_state(message)
            return
        kind, number = target  # type: ignore[misc]
        if kind == "client":
            self.clients[number].receive(message)
        elif number in self.workers:
            self.workers[number].receive(message)

    def to_scheduler(self, worker: int, message: Any) -> None:
        self.link(("worker", worker), "scheduler", message)

    def to_state(self, event: Any) -> None:
        commands = self.scheduler.handle(event, self.clock())
        self.steps += 1
        if self.checking and self.steps % self.check_every == 0:
            try:
                check_scheduler(self.scheduler)
            except AssertionError as error:
                self.complain(f"scheduler after {event}: {error!r}", error)
        for command in commands:
            match command:
                case ToWorker(worker=worker, message=message):
                    self.link("scheduler", ("worker", worker), message)
                case ToClient(client=client, message=message):
                    self.link("scheduler", ("client", client), message)
                case Stop(worker=worker):
                    found = self.workers.get(worker)
                    if found is not None and found.alive:
                        self.kill(found, "stopped", expected=True)

    # who takes part -------------------------------------------------------------------------------

    def join(self) -> None:
        number = self._next_worker
        self._next_worker += 1
        threads = self.random.choice((1, 1, 2, 4))
        worker = self.workers[number] = SimWorker(self, number, threads)
        # Somebody always has one.
        worker.gpu = not self._gpus() or self.random.random() < 0.4
        resources = (("GPU", 1.0),) if worker.gpu else ()
        joined = WorkerJoined(number, f"tcp://w{number}", threads, 1000, resources)
        self.to_scheduler(number, joined)

        def tick() -> None:
            if worker.alive:
                worker.receive(Tick())
                self.at(self.now + WORKER_TICK, tick)

        def beat() -> None:
            if worker.alive:
                full = 0.9 if self.chance(self.chaos.pressure) else 0.3
                worker.receive(MemoryUsed(int(1000 * full), 1000))
                self.at(self.now + 1.0, beat)

        tick()
        beat()

    def _gpus(self) -> int:
        return sum([worker.gpu for worker in self.workers.values()])

    def kill(self, worker: SimWorker, reason: str, *, expected: bool = False) -> None:
        """A worker process ends; the scheduler hears of it a little later."""
        worker.alive = False
        del self.workers[worker.number]
        running = tuple([task for task, _ in worker.active]) if reason == "crashed" else ()
        for task in running:
            self.deaths[task] = self.deaths.get(task, 0) + 1
        self.log.append(f"{self.now:.3f} worker {worker.number} {reason}, running {running}")
        self.to_scheduler(worker.number, WorkerGone(worker.number, running, reason, expected))
        if len(self.workers) < 2 or not self._gpus() or self.random.random() < 0.7:
            self.at(self.now + self.random.random(), self.join)

    def client(self) -> SimClient:
        number = len(self.clients) + 1
        client = self.clients[number] = SimClient(self, number)
        client.say(ClientJoined(number))
        return client

    def group(self) -> GroupSpec:
        rnd = self.random
        number = rnd.randrange(5)
        return GroupSpec(
            f"g{number}",
            b"f%d" % number,
            source=rnd.random() < 0.25,
            outputs=rnd.choice((1, 1, 1, 2, 4)),
            retries=rnd.choice((0, 1, 3)),
            resources=(("GPU", 1.0),) if rnd.random() < 0.1 else (),
        )

    def add_task(self, number: int, task: SimTask, run: SimRun) -> None:
        self.tasks[number] = task
        self.run_of[number] = run
        if self.chance(self.chaos.failing):
            task.fails = self.random.randint(1, task.group.retries + 1)
        task.poison = self.chance(self.chaos.poison)
        run.shaky |= task.poison or task.fails > task.group.retries

    def expected(self, key: int) -> int:
        """The value of a key, worked out without any scheduler."""
        stack = [key]
        while stack:
            key = stack[-1]
            if key in self._values:
                stack.pop()
                continue
            task = self.tasks[task_of(key)]
            lacking = [item for item in task.inputs if item not in self._values]
            if lacking:
                stack.extend(lacking)
                continue
            values = [self._values[item] for item in task.inputs]
            self._values[key] = value_of(task.salt, key & PART_MASK, values)
        return self._values[key]

    def _tick(self) -> None:
        self.to_state(Tick())
        self.at(self.now + TICK, self._tick)

    # a whole story --------------------------------------------------------------------------------

    def story(
        self, *, clients: int = 1, runs: int = 3, tasks: int = 30, seconds: float = 2.0
    ) -> None:
        """Let clients work while things go wrong; then everything must come to rest."""
        rnd, chaos = self.random, self.chaos
        people = [self.client() for _ in range(clients)]
        for person in people:
            for number in range(runs):
                size = rnd.randint(0 if number else 1, tasks)
                self.at(rnd.random() * seconds / 2, _bind(person.submit, size))
            for _ in range(runs):
                self.at(rnd.random() * seconds, _bind(self._release_some, person))
        for _ in range(chaos.cancels):
            self.at(rnd.random() * seconds, _bind(self._cancel_some, rnd.choice(people)))
        for _ in range(chaos.clients_gone):
            self.at(rnd.random() * seconds, rnd.choice(people).leave)
        for call, count in (
            (self._kill_some, chaos.kills),
            (self._freeze_some, chaos.freezes),
            (self._cut_some, chaos.cuts),
            (self._retire_some, chaos.retires),
            (self.join, chaos.joins),
            (self._jump, chaos.clock_jumps),
        ):
            for _ in range(count):
                self.at(rnd.random() * seconds, call)
        end = self.now + seconds
        self.run_until(lambda: self.now >= end, seconds + 1, "time")
        self.run_until(
            lambda: not any(run.pending for c in people for run in c.runs.values()),
            200.0,
            "results",
        )
        self.rest(people)

    def rest(self, people: list[SimClient]) -> None:
        """Release everything; nothing may be left."""
        self.chaos.lose = self.chaos.repeat = self.chaos.pressure = 0.0
        for person in people:
            for run in person.runs.values():
                person.release(run)
        self.run_until(self._at_rest, 100.0, "rest")
        if self.scheduler.table.row_of or self.scheduler.placement.sources.held_bytes:
            self.complain("the scheduler still has tasks")

    def _at_rest(self) -> bool:
        state = self.scheduler
        return (
            not state.table.row_of
            and not any(client.runs for client in state.clients.values())
            and not any(
                worker.store or worker.state.tasks or worker.active
                for worker in self.workers.values()
            )
        )

    def _some_worker(self) -> SimWorker | None:
        return self.random.choice(list(self.workers.values())) if self.workers else None

    def _kill_some(self) -> None:
        worker = self._some_worker()
        if worker is not None:
            self.kill(worker, "killed")

    def _freeze_some(self) -> None:
        worker = self._some_worker()
        if worker is not None:
            worker.frozen_until = self.now + self.random.choice((1.0, 8.0, 45.0))

    def _cut_some(self) -> None:
        if len(self.workers) < 2:
            return
        one, two = self.random.sample(list(self.workers), 2)
        self.cut |= {(one, two), (two, one)}
        self.at(self.now + 10.0, lambda: self.cut.difference_update({(one, two), (two, one)}))

    def _retire_some(self) -> None:
        worker = self._some_worker()
        if worker is not None and len(self.workers) > 1:
            self.to_state(Retire(worker.number))

    def _jump(self) -> None:
        self.skew += self.random.choice((-3600.0, 3600.0, -5.0, 40.0))

    def _release_some(self, client: SimClient) -> None:
        runs = [run for run in client.runs.values() if run.want and not run.cancelled]
        if runs and not client.gone:
            client.release(self.random.choice(runs))

    def _cancel_some(self, client: SimClient) -> None:
        runs = [run for run in client.runs.values() if not run.cancelled and not run.failed]
        if runs and not client.gone:
            client.cancel(self.random.choice(runs))


def _bind(call: Callable[..., object], *args: object) -> Callable[[], object]:
    return lambda: call(*args)
