from __future__ import annotations

from xml.etree import ElementTree

import pytest

from plait.scheduler.draw import graph_svg, layout, task_graph_svg
from plait.scheduler.errors import GraphError
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def count(svg: str, tag: str, kind: str) -> int:
    found = ElementTree.fromstring(svg).iter(f"{SVG}{tag}")
    return len([node for node in found if node.get("class") == kind])


def test_layers_follow_the_longest_path_and_boxes_do_not_overlap() -> None:
    nodes = {name: name * 5 for name in "abcde"}
    boxes = layout(nodes, [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("d", "e")])
    assert boxes["a"].y == boxes["d"].y < boxes["b"].y == boxes["e"].y < boxes["c"].y
    row = sorted([boxes["a"], boxes["d"]], key=lambda box: box.x)
    assert row[0].x + row[0].width < row[1].x


def test_neighbours_are_put_side_by_side() -> None:
    nodes = {i: str(i) for i in range(8)}
    # Written crosswise: 0 and 1 feed the wrong ends.
    boxes = layout(nodes, [(0, 7), (1, 6), (2, 5), (3, 4)])
    order = [sorted(group, key=lambda i: boxes[i].x) for group in ([0, 1, 2, 3], [4, 5, 6, 7])]
    assert [7 - i for i in order[0]] == order[1]


def test_text_is_escaped() -> None:
    svg = graph_svg({1: 'a < b & "c"\x00\nsecond \ud800', 2: "x" * 100}, [(1, 2)])
    found = texts(svg)
    assert found[:2] == ['a < b & "c"?', "second ?"]
    assert len(found[2]) == 60


def test_empty() -> None:
    assert texts(graph_svg({}, [])) == []


def test_bad_graphs() -> None:
    with pytest.raises(GraphError, match="leads to no node"):
        graph_svg({1: "a"}, [(1, 2)])
    with pytest.raises(GraphError, match="cycle"):
        graph_svg({1: "a", 2: "b"}, [(1, 2), (2, 1)])


def reduction(leaves: int) -> TaskGraph:
    graph = TaskGraph()
    leaf = graph.add_group(TaskGroup("leaf", int))
    add = graph.add_group(TaskGroup("add", sum))
    level = [Ref(graph.add_task(leaf)) for _ in range(leaves)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [Ref(graph.add_task(add, pair)) for pair in pairs]
    return graph


def test_small_task_graph() -> None:
    svg = task_graph_svg(reduction(4))
    assert sorted(texts(svg)) == sorted([*["leaf"] * 4, *["add"] * 3, *map(str, range(7))])
    assert count(svg, "rect", "node") == 7
    assert count(svg, "path", "edge") == 6


def test_large_task_graph_is_drawn_by_group() -> None:
    assert texts(task_graph_svg(reduction(256))) == [
        *["leaf", "256 tasks", "add", "128 tasks", "add", "64 tasks", "add", "32 tasks"],
        *["add", "16 tasks", "add", "8 tasks", "add", "4 tasks", "add", "2 tasks"],
        *["add", "1 task"],
    ]


def test_very_deep_task_graph() -> None:
    graph = TaskGraph()
    step = graph.add_group(TaskGroup("step", int))
    last = graph.add_task(step)
    for _ in range(999):
        last = graph.add_task(step, (Ref(last),))
    assert texts(task_graph_svg(graph)) == ["step", "1000 tasks"]
