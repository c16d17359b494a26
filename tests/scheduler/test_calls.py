"""Arguments come back with values in place of references, whatever they are nested in."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.calls import decode_call, encode_call
from plait.scheduler.errors import SerializationError
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup

VALUES = ["zero", 1, None, {"three": 3}]

leaves = st.integers(0, 3).map(Ref) | st.integers() | st.text(max_size=5) | st.none()
nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


def filled(arg: object) -> object:
    if isinstance(arg, Ref):
        return VALUES[arg.task]
    return [filled(item) for item in arg] if isinstance(arg, list) else arg


@given(st.lists(leaves, max_size=5) | st.lists(nested, max_size=5))
def test_round_trip(args: list[object]) -> None:
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("f", print))
    for _ in VALUES:
        graph.add_task(group)
    task = graph.add_task(group, args)
    inputs = [VALUES[number] for number in graph.dependencies[task]]
    data = encode_call(graph, task)
    assert list(decode_call(data, inputs)) == [filled(arg) for arg in args]


def test_all_inputs_in_order_are_no_bytes() -> None:
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("f", print))
    one, two = (Ref(graph.add_task(group)) for _ in range(2))
    assert encode_call(graph, graph.add_task(group, (two, one))) == b""
    again = encode_call(graph, graph.add_task(group, (two, one, two)))
    assert decode_call(again, ["two", "one"]) == ["two", "one", "two"]


def test_handles_come_after_references() -> None:
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("f", print))
    one, handle = Ref(graph.add_task(group)), Handle("run", 7, 2)
    data = encode_call(graph, graph.add_task(group, (handle, [one, handle], 5, (one,))))
    assert decode_call(data, ["one", "handle"]) == ["handle", ["one", "handle"], 5, ("one",)]


def test_what_cannot_be_sent() -> None:
    graph = TaskGraph()
    task = graph.add_task(graph.add_group(TaskGroup("f", print)), (threading.Lock(),))
    with pytest.raises(SerializationError, match="argument of a task"):
        encode_call(graph, task)
