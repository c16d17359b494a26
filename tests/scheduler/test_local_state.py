"""Back-pressure by bytes, on a run's state alone: no threads, no time."""

from __future__ import annotations

import math

import pytest

from plait.scheduler.context import CancelFlag, TaskContext
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local_state import RunState
from plait.scheduler.scratch import ScratchFolder


def fold_graph(sources: int) -> tuple[TaskGraph, Ref]:
    """Sources, each added to a running total."""
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", lambda: 1, source=True))
    fold = graph.add_group(TaskGroup("fold", lambda a, b: a + b))
    total: object = 0
    for _ in range(sources):
        total = Ref(graph.add_task(fold, (total, Ref(graph.add_task(scan, ())))))
    assert isinstance(total, Ref)
    return graph, total


def finish(state: RunState, task: int, size: int) -> None:
    context = TaskContext(ScratchFolder(), CancelFlag())
    context.report(bytes=size)
    state.reports[task] = context
    state.complete(task, 1)


@pytest.mark.parametrize(("most", "waits"), [(100, True), (1000, False), (math.inf, False)])
def test_sources_wait_while_their_bytes_do(most: float, waits: bool) -> None:
    graph, total = fold_graph(5)
    state = RunState(graph, [total], {}, source_limit=4, source_bytes=most)
    first, second = state.start_next(), state.start_next()
    finish(state, first, 150)
    fold = state.start_next()
    assert graph.group_of(fold).name == "fold"
    third = state.start_next()
    assert (third == -1) == waits
    state.complete(fold, 1)
    assert state.bytes_in_flight == 0
    assert state.start_next() != -1
    assert second != first


def test_what_a_graph_needs_at_once_may_start() -> None:
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", lambda: 1, source=True))
    gather = graph.add_group(TaskGroup("gather", lambda *parts: len(parts)))
    parts = [Ref(graph.add_task(scan, ())) for _ in range(4)]
    last = Ref(graph.add_task(gather, (parts,)))
    state = RunState(graph, [last], {}, source_limit=1, source_bytes=1)
    started = [state.start_next() for _ in parts]
    assert -1 not in started
    for task in started:
        finish(state, task, 1000)
    assert state.start_next() == last.task
