"""The order tasks should run in: depth first, so that little has to be kept at a time.

Every needed task gets a position; an executor always starts the ready task with the smallest. One
worker would then run exactly this sequence, several run close to it.

The sequence is a post-order walk: before a task come the tasks it needs, one whole subtree after
the other. Among a task's inputs the subtree that needs most room beyond what it leaves behind
comes first: optimal for trees (Sethi and Ullman 1970 for registers, Liu 1987 for weights), a good
guess for shared inputs. To this comes the main idea of `dask.order`: a result that several
consumers share should go away soon. Once one consumer of a result has been placed and the few
others could run at once, they are placed too, although the walk would reach them much later:

        total   other          walk alone:  x0 a0  x1 a1  total  b0 b1  other    (x0 waits for b0)
        a0 a1   b0 b1          with it:     x0 a0 b0  x1 a1 b1  total  other
        |/ .... |/
        x0   x1

Task ids are a topological order already (see graph), so every pass is a loop over ids, linear in
tasks plus references, and nothing recurses: a chain of a million tasks is fine.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from plait.scheduler.graph import TaskGraph

# Looking whether all other consumers are ready costs as many steps as there are; a result with
# many consumers is kept for long whatever we do.
_FEW = 8

# For all tasks without dependents; never changed.
_NONE: list[int] = []


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which tasks run, in which order, and who waits for whom."""

    sequence: list[int]
    """The needed tasks, first to run first."""
    position: list[int]
    """Task -> place in the sequence, -1 if not needed."""
    dependents: list[list[int]]
    """Task -> needed tasks that need it."""


def make_schedule(graph: TaskGraph, targets: Sequence[int]) -> Schedule:
    """Order the tasks that `targets` need.

    >>> from plait.scheduler.graph import Ref, TaskGroup
    >>> graph = TaskGraph()
    >>> f = graph.add_group(TaskGroup("f", max))
    >>> leaves = [graph.add_task(f, (i,)) for i in range(4)]
    >>> pairs = [graph.add_task(f, (Ref(i), Ref(i + 1))) for i in (0, 2)]
    >>> make_schedule(graph, pairs).sequence
    [0, 1, 4, 2, 3, 5]
    """
    dependents = _dependents(graph.dependencies, targets)
    weights = [size or 1 for size in graph.estimated_bytes]
    preferred = _preferred_inputs(graph.dependencies, weights)
    sequence = _walk(preferred, dependents, weights, targets)
    position = [-1] * len(graph)
    for place, task in enumerate(sequence):
        position[task] = place
    return Schedule(sequence, position, dependents)


def _dependents(dependencies: Sequence[tuple[int, ...]], targets: Sequence[int]) -> list[list[int]]:
    """For each task the needed tasks that need it, by id."""
    # Lists only where there is something to list: what the garbage collector has to visit costs.
    dependents: list[list[int]] = [_NONE] * len(dependencies)
    needed = bytearray(len(dependencies))
    for task in targets:
        needed[task] = 1
    for task in range(len(dependencies) - 1, -1, -1):
        inputs = dependencies[task]
        if inputs and (needed[task] or dependents[task]):
            for item in inputs:
                known = dependents[item]
                if known:
                    known.append(task)
                else:
                    dependents[item] = [task]
    for consumers in dependents:
        if len(consumers) > 1:
            consumers.reverse()
    return dependents


def _preferred_inputs(
    dependencies: Sequence[tuple[int, ...]], weights: Sequence[int]
) -> Sequence[tuple[int, ...]]:
    """The dependencies of each task, those first that should be computed first."""
    room = list(weights)  # to compute a task from nothing, its own result included
    preferred = list(dependencies)
    for task, inputs in enumerate(dependencies):
        if not inputs:
            continue
        if len(inputs) == 1:
            only = inputs[0]
            room[task] = max(room[only], weights[only] + weights[task])
            continue
        held = peak = 0
        last = room[inputs[0]]
        for item in inputs:
            need = room[item]
            if need - weights[item] > last:
                # Out of order. Equals stay in the order in which they were written.
                inputs = tuple(sorted(inputs, key=lambda item: weights[item] - room[item]))
                preferred[task] = inputs
                held, peak = _held_and_peak(inputs, room, weights)
                break
            last = need - weights[item]
            if held + need > peak:
                peak = held + need
            held += weights[item]
        room[task] = max(peak, held + weights[task])
    return preferred


def _held_and_peak(
    inputs: Sequence[int], room: Sequence[int], weights: Sequence[int]
) -> tuple[int, int]:
    """What computing the inputs one after the other leaves behind, and needs at most."""
    held = peak = 0
    for item in inputs:
        peak = max(peak, held + room[item])
        held += weights[item]
    return held, peak


def _walk(
    preferred: Sequence[tuple[int, ...]],
    dependents: Sequence[Sequence[int]],
    weights: Sequence[int],
    targets: Sequence[int],
) -> list[int]:
    """Post-order from the targets, with consumers pulled forward that free what they take."""
    sequence: list[int] = []
    placed = bytearray(len(preferred))
    missing = list(map(len, preferred))
    unplaced = list(map(len, dependents))
    stack = list(reversed(targets))
    while stack:
        task = stack[-1]
        if placed[task]:
            stack.pop()
            continue
        inputs = preferred[task]
        if missing[task]:
            # Each task opens once: when it comes up again, all below it has been placed.
            stack.extend([item for item in reversed(inputs) if not placed[item]])
            continue
        stack.pop()
        placed[task] = 1
        sequence.append(task)
        for consumer in dependents[task]:
            missing[consumer] -= 1
        for item in inputs:
            left = unplaced[item] = unplaced[item] - 1
            if 0 < left <= _FEW:
                stack.extend(_releasing(item, dependents[item], placed, missing, weights))
    return sequence


def _releasing(
    task: int,
    consumers: Collection[int],
    placed: bytearray,
    missing: Sequence[int],
    weights: Sequence[int],
) -> list[int]:
    """The consumers still to come, if all could run now and their results weigh no more."""
    rest = [consumer for consumer in consumers if not placed[consumer]]
    if any(missing[consumer] for consumer in rest):
        return []
    # Without estimates every weight is 1: consumers of stored data mostly shrink it.
    known = weights[task] > 1
    if known and sum([weights[consumer] for consumer in rest]) > weights[task]:
        return []
    return rest[::-1]


def source_windows(graph: TaskGraph, schedule: Schedule, kept: Collection[int]) -> dict[int, int]:
    """For each source task, how many unconsumed sources the graph itself calls for at its start.

    Run one by one in order, a scan that feeds a running total never has more than one result
    waiting; a sort needs all its inputs at once. Executors allow this many and a few more, which
    keeps memory flat in the first case and does not serialise the second. The number never
    decreases along the sequence, so that a task that needs many lets the next such task start
    early. Tasks in `kept` are not counted: their results stay anyway.
    """
    windows: dict[int, int] = {}
    unconsumed: dict[int, int] = {}
    widest = 0
    for task in schedule.sequence:
        if graph.group_of(task).source:
            consumers = len(schedule.dependents[task])
            if consumers and task not in kept:
                unconsumed[task] = consumers
            widest = max(widest, len(unconsumed))
            windows[task] = widest
        for item in graph.dependencies[task]:
            if item in unconsumed:
                unconsumed[item] -= 1
                if not unconsumed[item]:
                    del unconsumed[item]
    return windows
