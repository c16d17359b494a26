"""Graphs as messages."""

from __future__ import annotations

from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.submission import Submission


def test_affinities_go_along_with_the_tasks_that_are_needed() -> None:
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", list, source=True))
    total = graph.add_group(TaskGroup("total", sum))
    graph.add_task(scan, affinity=5)
    needed = graph.add_task(scan, affinity=2**63 - 1)
    last = graph.add_task(total, (Ref(needed),))
    (message,) = Submission(graph, [Ref(last)], {}).messages(1, 1, 100, set(), 0)
    assert message.affinities == (2**63 - 1, 0)


def test_graphs_without_affinities_have_no_column_for_them() -> None:
    graph = TaskGraph()
    task = graph.add_task(graph.add_group(TaskGroup("scan", list, source=True)))
    (message,) = Submission(graph, [Ref(task)], {}).messages(1, 1, 100, set(), 0)
    assert message.affinities == ()
