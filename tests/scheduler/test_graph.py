from __future__ import annotations

import pickle
from typing import NamedTuple

import pytest

from plait.scheduler.errors import GraphError
from plait.scheduler.graph import Handle, Ref, Task, TaskGraph, TaskGroup


class Pair(NamedTuple):
    left: object
    right: object


def graph_of(*outputs: int) -> TaskGraph:
    graph = TaskGraph()
    for number, count in enumerate(outputs):
        graph.add_group(TaskGroup(f"g{number}", int, outputs=count))
    return graph


def test_dependencies_and_slots() -> None:
    graph = graph_of(1, 3)
    graph.add_task(0)
    graph.add_task(1, (Ref(0), Ref(0)))
    graph.add_task(0, ([Ref(1, 2), (Ref(1, 0), Ref(0))], "literal"), estimated_bytes=5)
    assert graph.dependencies == [(), (0,), (1, 0)]
    assert graph.first_slot == [0, 1, 4]
    assert graph.inputs == [(), (0,), (3, 1, 0)]
    assert graph.nested == {2}
    assert graph.slots == 5
    assert graph.task(2) == Task(2, 0, ([Ref(1, 2), (Ref(1, 0), Ref(0))], "literal"), 5)
    assert [task.id for task in graph] == [0, 1, 2]


def test_affinities() -> None:
    graph = graph_of(1)
    graph.add_task(0, affinity=7)
    graph.add_task(0)
    assert graph.affinities == {0: 7}


def test_named_tuples_and_other_containers_are_literals() -> None:
    graph = graph_of(1)
    graph.add_task(0)
    graph.add_task(0, (Pair(Ref(0), 1), {"a": Ref(0)}))
    assert graph.dependencies[1] == ()


def test_handles_are_collected() -> None:
    graph = graph_of(1)
    handle = Handle("run", 3, 1)
    graph.add_task(0, ([handle], handle))
    assert graph.handles == {0: (handle,)}
    assert graph.dependencies == [()]


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (Ref(2), r"Task 2 of group 'g0' refers to Ref\(task=2, part=0\)"),
        (Ref(9), "only tasks 0 to 1 exist yet: add a task before the tasks that use it"),
        (Ref(-1), "names no task"),
        (Ref(0, 1), "a task of group 'g0' has 1"),
        (Ref(1, -1), "names no part"),
    ],
)
def test_bad_references(ref: Ref, said: str) -> None:
    graph = graph_of(1)
    graph.add_task(0)
    graph.add_task(0)
    with pytest.raises(GraphError, match=said):
        graph.add_task(0, ([ref],))
    assert len(graph) == 2
    assert graph.add_task(0, (Ref(1),)) == 2


def test_bad_groups() -> None:
    with pytest.raises(GraphError, match="names group 1; there are 1"):
        graph_of(1).add_task(1)
    with pytest.raises(GraphError, match="at least one output"):
        TaskGroup("g", int, outputs=0)
    with pytest.raises(GraphError, match="retries"):
        TaskGroup("g", int, retries=-1)


def test_graphs_pickle() -> None:
    graph = graph_of(1, 2)
    graph.add_task(1, (Handle("r", 0),))
    graph.add_task(0, ([Ref(0, 1)],))
    assert pickle.loads(pickle.dumps(graph)) == graph
