"""A scheduler whose workers do nothing by themselves: for tests that say each message."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from plait.scheduler.state.check import check_scheduler
from plait.scheduler.state.membership import Limits
from plait.scheduler.state.messages import (
    ClientJoined,
    Discard,
    Done,
    Drop,
    GroupSpec,
    RunTasks,
    SchedulerEvent,
    Stop,
    Submit,
    Tick,
    ToClient,
    ToWorker,
    WorkerJoined,
)
from plait.scheduler.state.numbers import first_task, key_of
from plait.scheduler.state.scheduler_state import SchedulerState


class Stage:
    """Scheduler, one client (number 1) and workers; checks the invariants after each event."""

    def __init__(self, threads: tuple[int, ...] = (1,), limits: Limits | None = None) -> None:
        self.state = SchedulerState(limits)
        self.now = 0.0
        self.to_worker: dict[int, list[Any]] = defaultdict(list)
        self.to_client: list[Any] = []
        self.stops: list[Stop] = []
        self._unchecked = 0
        # worker -> task -> attempt: what it was sent and has not answered
        self.given: dict[int, dict[int, int]] = defaultdict(dict)
        self._runs: dict[int, int] = defaultdict(int)
        self._next: dict[int, int] = {}
        self.client(1)
        for number, count in enumerate(threads):
            self.join(number, count)

    def say(self, *events: SchedulerEvent, after: float = 0.001) -> None:
        self.now += after
        for command in self.state.handle_all(events, self.now):
            match command:
                case ToWorker(worker=worker, message=message):
                    self.to_worker[worker].append(message)
                    match message:
                        case RunTasks(tasks=tasks, attempts=attempts):
                            self.given[worker].update(zip(tasks, attempts, strict=True))
                        case Discard(tasks=tasks, attempts=attempts):
                            given = self.given[worker]
                            for task, attempt in zip(tasks, attempts, strict=True):
                                if given.get(task, attempt + 1) <= attempt:
                                    del given[task]
                case ToClient(message=message):
                    self.to_client.append(message)
                case Stop():
                    self.stops.append(command)
        # Counting anew is for small stages; a large one is checked now and then.
        self._unchecked += 1
        if self._unchecked >= len(self.state.table) // 100:
            self._unchecked = 0
            check_scheduler(self.state)

    def client(self, number: int) -> None:
        self._next[number] = first_task(number)
        self.say(ClientJoined(number))

    def join(self, number: int, threads: int = 1, **more: Any) -> None:
        self.say(WorkerJoined(number, f"tcp://w{number}", threads, **more))

    def submit(
        self,
        inputs: list[tuple[int, ...]],
        want: list[int] | None = None,
        *,
        client: int = 1,
        groups: tuple[GroupSpec, ...] = (),
        which: list[int] | None = None,
        more: bool = False,
        run: int | None = None,
        **others: Any,
    ) -> list[int]:
        """Submit tasks whose inputs are places in this list; returns the tasks' numbers.

        `want`: places of tasks whose first part is wanted; the last one if left out. Negative
        inputs are keys.
        """
        first = self._next[client]
        count = len(inputs)
        self._next[client] += count
        if run is None:
            run = self._runs[client]
            self._runs[client] += 1
        if not groups and not others.pop("known", False):
            groups = (GroupSpec("work", b"work"),)
        keys = tuple(
            [tuple([key_of(first + x) if x >= 0 else -x for x in taken]) for taken in inputs]
        )
        wanted = [count - 1] if want is None else want
        self.say(
            Submit(
                client,
                run,
                groups,
                tuple([(spec.function, b"F") for spec in groups]),
                first,
                tuple(which or [0] * count),
                (b"",) * count,
                keys,
                others.pop("positions", tuple(range(count))),
                tuple([key_of(first + place) for place in wanted]),
                more=more,
                **others,
            )
        )
        return list(range(first, first + count))

    def done(
        self, worker: int, *tasks: int, size: int = 10, seconds: float = 0.001, outputs: int = 1
    ) -> None:
        """A worker has run tasks that it was given."""
        attempts = [self.given[worker].pop(task) for task in tasks]
        count = len(tasks)
        self.say(
            Done(
                worker,
                tasks,
                tuple(attempts),
                ((size,) * outputs,) * count,
                (seconds,) * count,
                (b"",) * count,
            )
        )

    def finish_all(self, seconds: float = 0.001, rounds: int = 10_000) -> list[tuple[int, int]]:
        """Let workers run all they are given; returns (worker, task) in order."""
        ran = []
        for _ in range(rounds):
            busy = [worker for worker, tasks in self.given.items() if tasks]
            if not busy:
                return ran
            for worker in busy:
                for task in list(self.given[worker]):
                    if task in self.given[worker]:
                        self.done(worker, task, seconds=seconds)
                        ran.append((worker, task))
        raise AssertionError("no end")

    def tick(self, seconds: float = 0.1) -> None:
        """Let time pass, in steps as the shell would."""
        while seconds > 1e-9:
            step = min(0.1, seconds)
            self.say(Tick(), after=step)
            seconds -= step

    def heard(self, worker: int, kind: type) -> list[Any]:
        """Messages of a kind that a worker was sent."""
        return [message for message in self.to_worker[worker] if isinstance(message, kind)]

    def told(self, kind: type) -> list[Any]:
        """Messages of a kind that clients were sent."""
        return [message for message in self.to_client if isinstance(message, kind)]

    def dropped(self, worker: int) -> list[int]:
        """Keys that a worker was told to drop."""
        return [key for message in self.heard(worker, Drop) for key in message.keys]

    def discarded(self, worker: int) -> list[tuple[int, int]]:
        """Tasks and attempts that a worker was told to discard."""
        return [
            pair
            for message in self.heard(worker, Discard)
            for pair in zip(message.tasks, message.attempts, strict=True)
        ]
