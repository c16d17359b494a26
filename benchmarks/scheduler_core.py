"""The cluster's scheduler alone: microseconds of its CPU, and bytes, for each task.

    python -m benchmarks.scheduler_core [--workers 1000] [--tasks 200000] [--shape flat ...]
    python -m benchmarks.scheduler_core --million      # memory of a graph of a million tasks

No sockets and no worker processes: simulated workers answer each RunTasks with Done, up to 64 tasks
at a time, and only the time inside `SchedulerState.handle` counts. Submission is measured apart;
graphs come in pieces of 20 000 tasks, as from a client. The memory is the growth of the process
while the state is built and run: all of it, columns, messages and the garbage in between.
"""

from __future__ import annotations

import argparse
import gc
import resource
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from plait.scheduler.state.messages import (
    ClientJoined,
    Done,
    GroupSpec,
    Release,
    RunFailed,
    RunTasks,
    SchedulerCommand,
    SchedulerEvent,
    Submit,
    Tick,
    ToClient,
    ToWorker,
    WorkerJoined,
)
from plait.scheduler.state.numbers import first_task, key_of
from plait.scheduler.state.scheduler_state import SchedulerState

PIECE = 20_000
BATCH = 64
SECONDS = 20e-6  # what a simulated task says it took

FIRST = first_task(1)
Inputs = Callable[[int], tuple[int, ...]]


@dataclass(frozen=True)
class Shape:
    """A graph: how many tasks, and which places each takes; the last one, or all, are wanted."""

    name: str
    tasks: int
    inputs: Inputs
    want_all: bool = False


def _tree(leaves: int) -> Inputs:
    def inputs(place: int) -> tuple[int, ...]:
        # Levels one after the other: task `leaves + i` adds up 2 i and 2 i + 1.
        return () if place < leaves else (2 * (place - leaves), 2 * (place - leaves) + 1)

    return inputs


def _stencil(width: int) -> Inputs:
    def inputs(place: int) -> tuple[int, ...]:
        if place < width:
            return ()
        above = place - width
        column = above % width
        return tuple([above + step for step in (-1, 0, 1) if 0 <= column + step < width])

    return inputs


def shapes(tasks: int) -> list[Shape]:
    """The graphs that are measured."""
    leaves = (tasks + 1) // 2
    return [
        Shape("flat", tasks, lambda place: (), want_all=True),
        Shape("tree", 2 * leaves - 1, _tree(leaves)),
        Shape("stencil", tasks, _stencil(1000), want_all=False),
        Shape("chain", tasks // 20, lambda place: (place - 1,) if place else ()),
        Shape(
            "fan-in",
            tasks // 2 + 1,
            lambda place: tuple(range(tasks // 2)) if place == tasks // 2 else (),
        ),
    ]


class Simulation:
    """Workers that do nothing but answer."""

    def __init__(self, workers: int) -> None:
        self.state = SchedulerState()
        self.cpu = 0.0
        self.now = 0.0
        self.done = 0
        self.queues: list[deque[tuple[int, int]]] = [deque() for _ in range(workers)]
        self.busy: dict[int, None] = {}
        self.messages = 0
        self.say(ClientJoined(1))
        for number in range(workers):
            self.say(WorkerJoined(number, f"tcp://10.0.0.1:{number}", 1))

    def say(self, event: SchedulerEvent) -> None:
        begin = process_time()
        commands = self.state.handle(event, self.now)
        self.cpu += process_time() - begin
        self.obey(commands)

    def obey(self, commands: list[SchedulerCommand]) -> None:
        for command in commands:
            match command:
                case ToWorker(worker=worker, message=RunTasks(tasks=tasks, attempts=attempts)):
                    self.messages += 1
                    self.queues[worker].extend(zip(tasks, attempts, strict=True))
                    self.busy[worker] = None
                case ToClient(message=RunFailed() as failed):
                    raise RuntimeError(failed.text)

    def submit(self, shape: Shape) -> None:
        group = GroupSpec("work", b"work")
        for begin in range(0, shape.tasks, PIECE):
            places = range(begin, min(shape.tasks, begin + PIECE))
            last = places[-1] + 1 == shape.tasks
            want: tuple[int, ...] = ()
            if last:
                wanted = range(shape.tasks) if shape.want_all else [shape.tasks - 1]
                want = tuple([key_of(FIRST + place) for place in wanted])
            self.say(
                Submit(
                    1,
                    0,
                    (group,) if not begin else (),
                    ((b"work", b"F"),) if not begin else (),
                    FIRST + begin,
                    (0,) * len(places),
                    (b"",) * len(places),
                    tuple(
                        [
                            tuple([key_of(FIRST + item) for item in shape.inputs(place)])
                            for place in places
                        ]
                    ),
                    tuple(places),
                    want,
                    more=not last,
                )
            )

    def work(self) -> None:
        while self.busy:
            worker = next(iter(self.busy))
            queue = self.queues[worker]
            batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
            if queue:
                self.busy[worker] = self.busy.pop(worker)  # to the end of the line
            else:
                del self.busy[worker]
            tasks, attempts = zip(*batch, strict=True)
            count = len(batch)
            self.done += count
            self.now += count * SECONDS / len(self.queues)
            self.say(
                Done(
                    worker,
                    tasks,
                    attempts,
                    ((100,),) * count,
                    (SECONDS,) * count,
                    (b"",) * count,
                )
            )

    def release(self, shape: Shape) -> None:
        wanted = range(shape.tasks) if shape.want_all else [shape.tasks - 1]
        self.say(Release(1, tuple([key_of(FIRST + place) for place in wanted])))
        while self.state.unfinished:
            self.say(Tick())


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure(shape: Shape, workers: int) -> None:
    """Run one graph and print its line."""
    gc.collect()
    before = _resident()
    simulation = Simulation(workers)
    simulation.cpu = 0.0
    simulation.submit(shape)
    intake = simulation.cpu
    held = _resident() - before
    simulation.work()
    running = simulation.cpu - intake
    simulation.release(shape)
    letting = simulation.cpu - intake - running
    if simulation.done < shape.tasks or len(simulation.state.table):
        raise RuntimeError(f"{shape.name}: {simulation.done} of {shape.tasks} tasks ran")
    each = 1e6 / shape.tasks
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{shape.name:<9}{shape.tasks:>10,}{intake * each:>9.2f}{running * each:>9.2f}"
        f"{letting * each:>9.2f}{simulation.cpu * each:>9.2f}"
        f"{shape.tasks / simulation.cpu:>12,.0f}{held / shape.tasks:>9.0f}"
        f"{shape.tasks / max(1, simulation.messages):>9.1f}{peak:>9.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--shape", nargs="*", help="flat tree stencil chain fan-in")
    parser.add_argument("--million", action="store_true", help="a tree of a million tasks")
    args = parser.parse_args()
    # What the scheduler's process does too: its columns make no cycles.
    gc.disable()
    begin = process_time()
    for _ in range(3_000_000):
        pass
    step = (process_time() - begin) / 3e-3
    print(f"a step of an empty loop takes {step:.0f} ns here and now (25 on an idle desktop)")
    print(f"{args.workers} workers; us of CPU and bytes a task; peak of the process in MB")
    print(
        f"{'graph':<9}{'tasks':>10}{'submit':>9}{'run':>9}{'release':>9}{'all':>9}"
        f"{'tasks/s':>12}{'bytes':>9}{'a batch':>9}{'peak':>9}"
    )
    if args.million:
        measure(next(s for s in shapes(1_000_000) if s.name == "tree"), args.workers)
        return
    for shape in shapes(args.tasks):
        if not args.shape or shape.name in args.shape:
            measure(shape, args.workers)


if __name__ == "__main__":
    main()
