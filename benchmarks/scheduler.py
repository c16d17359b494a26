"""What a task costs: microseconds per trivial task, for graphs of several shapes.

    python benchmarks/scheduler.py [--tasks 20000] [--workers 2] [--rounds 3]

plait's threads against `dask.threaded.get` and `concurrent.futures`, in alternating runs, best of
the rounds. The time starts with a graph that is built and ends with the values; building is shown
apart. `concurrent.futures` knows no graph: it gets one future per task, and whatever waits is
submitted level by level, by hand.
"""

from __future__ import annotations

import argparse
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from dask import threaded

from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import ThreadExecutor


@dataclass(frozen=True)
class Shape:
    """A graph as levels of (function, inputs); inputs are numbers of earlier tasks, or values."""

    name: str
    levels: list[list[tuple[Callable[..., Any], tuple[Any, ...]]]]

    @property
    def tasks(self) -> int:
        return sum([len(level) for level in self.levels])


@dataclass(frozen=True)
class Earlier:
    """Stands for the result of an earlier task, or of one part of it."""

    task: int
    part: int | None = None


def split(value: int, parts: int) -> tuple[int, ...]:
    return tuple(range(value, value + parts))


def flat(n: int) -> Shape:
    return Shape("flat", [[(operator.neg, (i,)) for i in range(n)]])


def tree(n: int) -> Shape:
    levels: list[list[Any]] = [[(operator.neg, (i,)) for i in range(n // 2)]]
    first = 0
    while len(levels[-1]) > 1:
        width = len(levels[-1])
        pairs = [(first + i, first + i + 1) for i in range(0, width - 1, 2)]
        levels.append([(operator.add, (Earlier(a), Earlier(b))) for a, b in pairs])
        first += width
    return Shape("tree", levels)


def chain(n: int) -> Shape:
    links = [[(operator.neg, (Earlier(i),))] for i in range(n - 1)]
    return Shape("chain", [[(operator.neg, (1,))], *links])


def shuffle(n: int) -> Shape:
    del n
    parts = 100
    maps = [(split, (i, parts)) for i in range(parts)]
    reduces = [(sum, ([Earlier(task, part) for task in range(parts)],)) for part in range(parts)]
    return Shape("shuffle 100x100", [maps, reduces])


def plait_graph(shape: Shape) -> tuple[TaskGraph, list[Ref]]:
    graph = TaskGraph()
    groups: dict[Any, int] = {}

    def convert(arg: Any) -> Any:
        if isinstance(arg, list):
            return [convert(item) for item in arg]
        return Ref(arg.task, arg.part or 0) if isinstance(arg, Earlier) else arg

    refs: list[Ref] = []
    for level in shape.levels:
        refs = []
        for function, args in level:
            if function not in groups:
                outputs = args[1] if function is split else 1
                groups[function] = graph.add_group(
                    TaskGroup(function.__name__, function, outputs=outputs)
                )
            refs.append(
                Ref(graph.add_task(groups[function], tuple([convert(arg) for arg in args])))
            )
    return graph, refs


def dask_graph(shape: Shape) -> tuple[dict[str, Any], list[str]]:
    graph: dict[str, Any] = {}

    def convert(arg: Any) -> Any:
        if isinstance(arg, list):
            return [convert(item) for item in arg]
        if not isinstance(arg, Earlier):
            return arg
        if arg.part is None:
            return f"t{arg.task}"
        piece = f"p{arg.task}-{arg.part}"
        graph[piece] = (operator.getitem, f"t{arg.task}", arg.part)
        return piece

    number = 0
    keys: list[str] = []
    for level in shape.levels:
        keys = [f"t{number + i}" for i in range(len(level))]
        for key, (function, args) in zip(keys, level, strict=True):
            graph[key] = (function, *[convert(arg) for arg in args])
        number += len(level)
    return graph, keys


def run_futures(pool: ThreadPoolExecutor, shape: Shape) -> None:
    values: list[Any] = []

    def convert(arg: Any) -> Any:
        if isinstance(arg, list):
            return [convert(item) for item in arg]
        if not isinstance(arg, Earlier):
            return arg
        return values[arg.task] if arg.part is None else values[arg.task][arg.part]

    for level in shape.levels:
        futures = [pool.submit(f, *[convert(arg) for arg in args]) for f, args in level]
        values += [future.result() for future in futures]


def timed(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def compare(shape: Shape, workers: int, rounds: int) -> None:
    best: dict[str, float] = {}

    def note(name: str, seconds: float) -> None:
        best[name] = min(best.get(name, seconds), seconds)

    with ThreadExecutor(workers) as executor, ThreadPoolExecutor(workers) as pool:
        for _ in range(rounds):
            start = perf_counter()
            graph, want = plait_graph(shape)
            note("build", perf_counter() - start)
            note("plait", timed(lambda g=graph, w=want: executor.submit(g, w).result()))  # type: ignore[misc]
            tasks, keys = dask_graph(shape)
            note(
                "dask",
                timed(lambda t=tasks, k=keys: threaded.get(t, k, num_workers=workers)),  # type: ignore[misc]
            )
            note("futures", timed(lambda: run_futures(pool, shape)))
    each = {name: 1e6 * seconds / shape.tasks for name, seconds in best.items()}
    print(
        f"{shape.name:16} {shape.tasks:8} {each['plait']:8.1f} {each['dask']:8.1f}"
        f" {each['futures']:8.1f} {each['dask'] / each['plait']:9.1f}x"
        f" {each['futures'] / each['plait']:8.1f}x {each['build']:8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("us per task          tasks    plait     dask  futures  dask/plait  futures/plait  build")
    for shape in (flat, tree, chain, shuffle):
        compare(shape(options.tasks), options.workers, options.rounds)


if __name__ == "__main__":
    main()
