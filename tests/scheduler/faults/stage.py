"""What the tests of faults share: small graphs, waits with deadlines, what processes there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from plait.scheduler.client import ClusterExecutor
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup

DEADLINE = 30.0


def call(executor: ClusterExecutor, function: Callable[..., object], *args: object) -> object:
    """One task's result, within the deadline."""
    return results(executor, function, args)[0]


def results(
    executor: ClusterExecutor, function: Callable[..., object], *calls: tuple[object, ...]
) -> list[object]:
    """A task's result for each call, within the deadline."""
    run = executor.submit(graph_of(function, *calls), [Ref(i) for i in range(len(calls))])
    run.wait(DEADLINE)
    return run.result()


def graph_of(function: Callable[..., object], *calls: tuple[object, ...]) -> TaskGraph:
    """A graph of calls that need nothing of each other."""
    graph = TaskGraph()
    graph.add_group(TaskGroup("work", function))
    for args in calls:
        graph.add_task(0, args)
    return graph


def until(done: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for something that will be so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, oldest first."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
