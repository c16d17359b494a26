"""What a task costs on a cluster of two worker processes: plait's own beside dask.distributed.

    python -m benchmarks.cluster                # plait and Dask
    python -m benchmarks.cluster --no-dask --tasks 20000
    python -m benchmarks.cluster --million      # a graph of a million tasks: time and memory

Tasks do next to nothing, so that what is measured is everything around them: graph, messages,
scheduling, transfers, the way back. Shapes: `flat`, `tree` (pairwise sums), `stencil` (three
neighbours of the row before, some of them on the other worker), `chain`. Start-up is from the call
until two workers are there and one task has run; `in here` is the start of workers that are threads
of this process, with a dashboard.

Beside the time of plait's round stands the processor time of its processes, all in microseconds a
task: of this one (the client), of the scheduler and of both workers together, what the release of
the results takes afterwards included. Where there are fewer processors than processes, no round can
be faster than their sum by the number of processors: the floor.
"""

from __future__ import annotations

import argparse
import operator
import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import plait
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup

_SETTLE = 0.3  # seconds until results have been released

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


class Processes:
    """The processes of a local cluster of ours: the supervisor is our child, the others its."""

    def __init__(self) -> None:
        supervisor = _children(os.getpid())[-1]
        scheduler, *workers = _children(supervisor)
        self.pids = {"client": [os.getpid()], "scheduler": [scheduler], "workers": workers}

    def seconds(self) -> dict[str, float]:
        """Processor time until now."""
        return {role: sum(map(_seconds, pids)) for role, pids in self.pids.items()}

    def peak(self, role: str) -> float:
        """The most memory a process had, in MB."""
        status = Path(f"/proc/{self.pids[role][0]}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sorted(
        [int(child) for task in tasks for child in (task / "children").read_text().split()]
    )


def _seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum([int((task / "schedstat").read_text().split()[0]) for task in tasks]) / 1e9


def million(tasks: int) -> None:
    """One large tree, submitted and run: how long, and how much memory it takes."""
    with plait.LocalCluster(2) as cluster, cluster.executor() as executor:
        graph, want, expected = chain(1)
        assert executor.submit(graph, want).result() == [expected]
        processes = Processes()
        before = {role: processes.peak(role) for role in ("client", "scheduler")}
        began = time.perf_counter()
        graph, want, expected = tree(tasks)
        built = time.perf_counter()
        run = executor.submit(graph, want)
        submitted = time.perf_counter()
        assert run.result() == [expected]
        ended = time.perf_counter()
        print(f"a tree of {len(graph):,} tasks on 2 workers")
        print(f"made in {built - began:.1f} s, submitted in {submitted - built:.1f} s,")
        print(f"its result is there {ended - submitted:.1f} s later")
        for role, least in before.items():
            print(f"{role}: at most {processes.peak(role):,.0f} MB, {least:,.0f} MB before")


def race_plait(tasks: int, rounds: int) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Milliseconds of start-up, and microseconds a task for each shape: the best of the rounds.

    And the least processor time of each kind of process.
    """
    figures: dict[str, float] = {}
    processor: dict[str, dict[str, float]] = {}
    local_cluster = plait.LocalCluster  # what is imported here is not the cluster's start
    started = time.perf_counter()
    with local_cluster(2) as cluster, cluster.executor() as executor:
        graph, want, expected = chain(1)
        assert executor.submit(graph, want).result() == [expected]
        figures["start"] = (time.perf_counter() - started) * 1e3
        figures["in here"] = _median_start(
            lambda: local_cluster(2, processes=False, dashboard=True)
        )
        processes = Processes()
        for name, (shape, share) in SHAPES.items():
            graph, want, expected = shape(int(tasks * share))
            best = float("inf")
            least: dict[str, float] = {}
            for _ in range(rounds):
                before = processes.seconds()
                started = time.perf_counter()
                result = executor.submit(graph, want).result()
                best = min(best, time.perf_counter() - started)
                assert result == [expected], (name, result, expected)
                time.sleep(_SETTLE)
                for role, seconds in processes.seconds().items():
                    spent = (seconds - before[role]) / len(graph) * 1e6
                    least[role] = min(spent, least.get(role, spent))
            figures[name] = best / len(graph) * 1e6
            processor[name] = least
    return figures, processor


def _median_start(make: Callable[[], AbstractContextManager[object]], rounds: int = 5) -> float:
    """Milliseconds until such a cluster, with its dashboard, is there; the first is not counted."""
    found = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        with make():
            found.append(time.perf_counter() - started)
    return statistics.median(found[1:]) * 1e3


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
        figures["start"] = (time.perf_counter() - started) * 1e3
        figures["in here"] = _median_start(
            lambda: LocalCluster(2, processes=False, dashboard_address=":0")
        )
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
    parser.add_argument("--million", action="store_true", help="one graph of a million tasks")
    options = parser.parse_args()
    if options.million:
        million(1_000_000)
        return
    ours, processor = race_plait(options.tasks, options.rounds)
    theirs = {} if options.no_dask else race_dask(options.dask_tasks, 1)
    print(f"{os.cpu_count()} processors; starts in ms, the rest in microseconds a task")
    roles = ("client", "scheduler", "workers")
    print(
        f"{'':10}{'plait':>10}{'floor':>10}{''.join([f'{role:>10}' for role in roles])}"
        f"{'dask':>10}{'times':>8}"
    )
    for name, figure in ours.items():
        spent = processor.get(name)
        ours_too = f"{'':40}"
        if spent is not None:
            floor = sum(spent.values()) / min(len(spent) + 1, os.cpu_count() or 1)
            ours_too = "".join([f"{us:10.2f}" for us in (floor, *[spent[role] for role in roles])])
        other = theirs.get(name)
        beside = "" if other is None else f"{other:10.2f}{other / figure:8.1f}"
        print(f"{name:10}{figure:10.2f}{ours_too}{beside}")


if __name__ == "__main__":
    main()
