from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.order import make_schedule, source_windows


def graph_from(dependencies: list[list[int]], sizes: dict[int, int] | None = None) -> TaskGraph:
    graph = TaskGraph()
    graph.add_group(TaskGroup("f", int))
    for task, inputs in enumerate(dependencies):
        refs = [Ref(item) for item in inputs]
        graph.add_task(0, refs, estimated_bytes=(sizes or {}).get(task, 0))
    return graph


def peak(graph: TaskGraph, targets: list[int]) -> int:
    """How many results are held at most, one worker going through the sequence."""
    schedule = make_schedule(graph, targets)
    waiting = {
        task: len(schedule.dependents[task]) + (task in targets) for task in range(len(graph))
    }
    held = most = 0
    for task in schedule.sequence:
        held += 1
        most = max(most, held)
        for item in graph.dependencies[task]:
            waiting[item] -= 1
            held -= waiting[item] == 0
    return most


def test_binary_tree_holds_one_per_level() -> None:
    dependencies: list[list[int]] = [[] for _ in range(64)]
    level = list(range(64))
    while len(level) > 1:
        following = []
        for left, right in zip(level[::2], level[1::2], strict=True):
            following.append(len(dependencies))
            dependencies.append([left, right])
        level = following
    assert peak(graph_from(dependencies), level) == 8


def test_deeper_subtree_first() -> None:
    # 3 needs a leaf and a pair; the pair needs more room, so it comes first though written last.
    graph = graph_from([[], [], [], [1, 2], [0, 3]])
    assert make_schedule(graph, [4]).sequence == [1, 2, 3, 0, 4]


def test_heavy_leaf_is_weighed_by_what_it_leaves() -> None:
    # 0 is large and shrinks to 1; holding the small 2 meanwhile is cheaper than the reverse.
    graph = graph_from([[], [0], [], [2, 1]], sizes={0: 1000, 1: 1, 2: 10, 3: 1})
    assert make_schedule(graph, [3]).sequence == [0, 1, 2, 3]


@pytest.mark.parametrize("consumers", [2, 5])
def test_shared_scan_is_consumed_at_once(consumers: int) -> None:
    """Several totals over the same chunks: each chunk goes away before the next comes."""
    chunks = 50
    dependencies: list[list[int]] = [[] for _ in range(chunks)]
    totals = []
    for _ in range(consumers):
        partials = []
        for chunk in range(chunks):
            partials.append(len(dependencies))
            dependencies.append([chunk])
        totals.append(partials)
    targets = []
    for partials in totals:
        targets.append(len(dependencies))
        dependencies.append(partials)
    graph = graph_from(dependencies)
    sequence = make_schedule(graph, targets).sequence
    assert sequence[: 2 * (consumers + 1)] == [
        *[0, *[p[0] for p in totals]],
        *[1, *[p[1] for p in totals]],
    ]


def test_consumers_known_to_grow_are_not_pulled_forward() -> None:
    dependencies = [[], [], [0], [1], [0], [1], [2, 3], [4, 5]]
    sizes = {0: 100, 1: 100, 2: 1, 3: 1, 4: 500, 5: 500}
    sequence = make_schedule(graph_from(dependencies, sizes), [6, 7]).sequence
    assert sequence == [0, 2, 1, 3, 6, 4, 5, 7]


def test_deep_chain_and_wide_fan_in() -> None:
    n = 100_000
    chain = graph_from([[], *[[i] for i in range(n)]])
    assert make_schedule(chain, [n]).sequence == list(range(n + 1))
    wide = graph_from([*[[] for _ in range(n)], list(range(n))])
    assert make_schedule(wide, [n]).sequence == list(range(n + 1))


def test_not_needed() -> None:
    schedule = make_schedule(graph_from([[], [], [0], [1]]), [2])
    assert schedule.sequence == [0, 2]
    assert schedule.position == [0, -1, 1, -1]
    assert schedule.dependents[1] == []


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_sequence_is_a_topological_order_of_the_needed(n: int, rng: random.Random) -> None:
    dependencies = [rng.sample(range(i), rng.randint(0, min(i, 4))) for i in range(n)]
    targets = rng.sample(range(n), rng.randint(1, n))
    graph = graph_from(dependencies, {i: rng.choice([0, 0, 1, 50]) for i in range(n)})
    schedule = make_schedule(graph, targets)
    needed: set[int] = set()
    stack = list(targets)
    while stack:
        task = stack.pop()
        needed.add(task)
        stack.extend(dependencies[task])
    assert sorted(schedule.sequence) == sorted(needed)
    for task in needed:
        assert all(schedule.position[d] < schedule.position[task] for d in dependencies[task])
    for task in range(n):
        assert sorted(schedule.dependents[task]) == [
            t for t in range(n) if t in needed and task in dependencies[t]
        ]


def source_graph(consumers: list[list[int]], sources: int) -> TaskGraph:
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", int, source=True))
    use = graph.add_group(TaskGroup("use", int))
    for _ in range(sources):
        graph.add_task(scan)
    for inputs in consumers:
        graph.add_task(use, [Ref(item) for item in inputs])
    return graph


def test_source_windows() -> None:
    # A running total needs one at a time, a sort all of them.
    fold = source_graph([[0], [1, 4], [2, 5], [3, 6]], sources=4)
    schedule = make_schedule(fold, [7])
    assert set(source_windows(fold, schedule, ()).values()) == {1}
    sort = source_graph([[0, 1, 2, 3]], sources=4)
    schedule = make_schedule(sort, [4])
    assert source_windows(sort, schedule, ()) == {0: 1, 1: 2, 2: 3, 3: 4}
    assert set(source_windows(sort, schedule, {0, 1, 2, 3}).values()) == {0}
