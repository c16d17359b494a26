"""What a task costs on a cluster of two worker processes: plait's own beside dask.distributed.

    python -m benchmarks.cluster                # plait and Dask
    python -m benchmarks.cluster --no-dask --tasks 20000

Tasks do next to nothing, so that what is measured is everything around them: graph, messages,
scheduling, transfers, the way back. Shapes: `flat`, `tree` (pairwise sums), `stencil` (three
neighbours of the row before, some of them on the other worker), `chain`. Start-up is from the call
until two workers are there and one task has run.
"""

from __future__ import annotations

import argparse
import operator
import os
import time
from collections.abc import Callable

import plait
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup

Shape = Callable[[int], tuple[TaskGraph, list[Ref], object]]


def flat(count: int) -> tuple[TaskGraph, list[Ref], object]:
    """Independent tasks, gathered by one."""
    graph = TaskGraph()
    work = graph.add_group(TaskGroup("neg", operator.neg))
    total = graph.add_group(TaskGroup("sum", sum))
    refs = [Ref(graph.add_task(work, (i,))) for i in range(count)]
    top = Ref(graph.add_task(total, (refs,)))
    return graph, [top], -count * (count - 1) // 2


def tree(count: int) -> tuple[TaskGraph, list[Ref], object]:
    """Leaves summed in pairs."""
    graph = TaskGraph()
    work = graph.add_group(TaskGroup("neg", operator.neg))
    add = graph.add_group(TaskGroup("add", operator.add))
    leaves = count // 2
    row = [Ref(graph.add_task(work, (i,))) for i in range(leaves)]
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)
        rest = row[len(row) // 2 * 2 :]
        row = [Ref(graph.add_task(add, pair)) for pair in pairs] + rest
    return graph, row, -leaves * (leaves - 1) // 2


def smallest(*values: int) -> int:
    """What a stencil's cell is of its neighbours."""
    return min(values) + 1


def stencil(count: int) -> tuple[TaskGraph, list[Ref], object]:
    """Rows of 50 cells, each of three of the row before."""
    width = 50
    rows = max(1, count // width)
    graph = TaskGraph()
    work = graph.add_group(TaskGroup("cell", smallest))
    row = [Ref(graph.add_task(work, (0,))) for _ in range(width)]
    for _ in range(rows - 1):
        row = [
            Ref(graph.add_task(work, (row[i - 1], row[i], row[(i + 1) % width])))
            for i in range(width)
        ]
    top = Ref(graph.add_task(graph.add_group(TaskGroup("sum", sum)), (row,)))
    return graph, [top], width * rows


def chain(count: int) -> tuple[TaskGraph, list[Ref], object]:
    """One after the other."""
    graph = TaskGraph()
    work = graph.add_group(TaskGroup("cell", smallest))
    last = Ref(graph.add_task(work, (0,)))
    for _ in range(count - 1):
        last = Ref(graph.add_task(work, (last,)))
    return graph, [last], count


SHAPES: dict[str, tuple[Shape, float]] = {
    "flat": (flat, 1.0),
    "tree": (tree, 1.0),
    "stencil": (stencil, 0.6),
    "chain": (chain, 0.2),
}


def race_plait(tasks: int, rounds: int) -> dict[str, float]:
    """Seconds of start-up, and microseconds a task for each shape: the best of the rounds."""
    figures: dict[str, float] = {}
    local_cluster = plait.LocalCluster  # what is imported here is not the cluster's start
    started = time.perf_counter()
    with local_cluster(2) as cluster, cluster.executor() as executor:
        graph, want, expected = chain(1)
        assert executor.submit(graph, want).result() == [expected]
        figures["start"] = time.perf_counter() - started
        for name, (shape, share) in SHAPES.items():
            graph, want, expected = shape(int(tasks * share))
            best = float("inf")
            for _ in range(rounds):
                started = time.perf_counter()
                result = executor.submit(graph, want).result()
                best = min(best, time.perf_counter() - started)
                assert result == [expected], (name, result, expected)
            figures[name] = best / len(graph) * 1e6
    return figures


def race_dask(tasks: int, rounds: int) -> dict[str, float]:
    """The same on dask.distributed, as raw graphs."""
    from dask._task_spec import List, Task, TaskRef
    from distributed import Client, LocalCluster

    def converted(graph: TaskGraph, tag: str) -> dict[str, Task]:
        def arg(value: object) -> object:
            if isinstance(value, Ref):
                return TaskRef(f"{tag}-{value.task}")
            return List(*map(arg, value)) if isinstance(value, list) else value

        return {
            f"{tag}-{task.id}": Task(
                f"{tag}-{task.id}", graph.groups[task.group].function, *map(arg, task.args)
            )
            for task in graph
        }

    figures: dict[str, float] = {}
    started = time.perf_counter()
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(operator.neg, 1).result() == -1
        figures["start"] = time.perf_counter() - started
        for name, (shape, share) in SHAPES.items():
            graph, want, expected = shape(int(tasks * share))
            best = float("inf")
            for round_ in range(rounds):
                tag = f"{name}{round_}"
                tasks_of = converted(graph, tag)
                started = time.perf_counter()
                result = client.get(tasks_of, [f"{tag}-{ref.task}" for ref in want])
                best = min(best, time.perf_counter() - started)
                assert list(result) == [expected], (name, result, expected)
            figures[name] = best / len(graph) * 1e6
    return figures


def main() -> None:
    """Race and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--dask-tasks", type=int, default=2_000, help="it takes longer for each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-dask", action="store_true")
    options = parser.parse_args()
    ours = race_plait(options.tasks, options.rounds)
    theirs = {} if options.no_dask else race_dask(options.dask_tasks, 1)
    print(f"{os.cpu_count()} processors; start in seconds, the rest in microseconds a task")
    print(f"{'':10}{'plait':>10}{'dask':>10}{'times':>8}")
    for name, figure in ours.items():
        other = theirs.get(name)
        beside = "" if other is None else f"{other:10.2f}{other / figure:8.1f}"
        print(f"{name:10}{figure:10.2f}{beside}")


if __name__ == "__main__":
    main()
