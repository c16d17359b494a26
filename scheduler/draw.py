"""Graphs as pictures: boxes in layers, arrows between them, one SVG without any other program.

A layered drawing in the manner of Sugiyama, Tagawa and Toda (1981), with the simplest choice at
each step: a node's layer is its longest path from an input; within a layer, nodes are sorted a few
times by the mean place of their neighbours; long arrows are curves that may pass behind boxes.
Inputs are at the top. Enough for plans and for graphs of some hundred boxes; larger task graphs
are drawn with one box per group.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from plait.scheduler.errors import GraphError
from plait.scheduler.graph import TaskGraph

_MOST_TASKS = 200
_LONGEST_LINE = 60
_SWEEPS = 4

# Sizes in pixels. Text is not measured: the font is monospaced and this is its advance.
_CHARACTER = 7.3
_LINE = 16.0
_PADDING = 10.0
_GAP = 24.0
_LAYER_GAP = 48.0

_STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1b1f24}"
    ".title{font-weight:600}"
    ".node{fill:#eef3fb;stroke:#5b7db1;rx:5}"
    ".edge{fill:none;stroke:#7a8699;stroke-width:1.2}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A node in its place: upper left corner, size, lines of text."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


def graph_svg(nodes: Mapping[Hashable, str], edges: Iterable[tuple[Hashable, Hashable]]) -> str:
    """Draw a directed graph without cycles.

    Parameters
    ----------
    nodes : mapping of id to label
        A label may have several lines; the first is printed bold.
    edges : iterable of (id, id)
        Arrows, from the first to the second.

    Returns
    -------
    str
        A complete SVG document, fit for a file or a web page.

    >>> graph_svg({1: "scan", 2: "sum"}, [(1, 2)]).count("<rect")
    2
    """
    arrows = list(dict.fromkeys(edges))
    boxes = layout(nodes, arrows)
    width = max([box.x + box.width for box in boxes.values()], default=0.0) + _GAP
    height = max([box.y + box.height for box in boxes.values()], default=0.0) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#7a8699"/></marker></defs>',
    ]
    parts += [_arrow(boxes[start], boxes[end]) for start, end in arrows]
    parts += [_box(box) for box in boxes.values()]
    return "\n".join([*parts, "</svg>"])


def task_graph_svg(graph: TaskGraph) -> str:
    """Draw a task graph: a box per task, or per group when there are more than 200 tasks."""
    if len(graph) > _MOST_TASKS:
        return graph_svg(*_by_group(graph))
    nodes: dict[Hashable, str] = {}
    edges: list[tuple[Hashable, Hashable]] = []
    for task in graph:
        nodes[task.id] = f"{graph.groups[task.group].name}\n{task.id}"
        edges += [(item, task.id) for item in graph.dependencies[task.id]]
    return graph_svg(nodes, edges)


def _by_group(
    graph: TaskGraph,
) -> tuple[dict[Hashable, str], list[tuple[Hashable, Hashable]]]:
    """Boxes of groups with their number of tasks; a group may appear once per depth.

    Tasks of one group at different depths, such as the steps of a tree reduction, would be arrows
    from a box to itself, so such a group is drawn once for each run of consecutive levels apart.
    """
    level: list[int] = []
    members: dict[tuple[int, int], int] = {}
    edges: dict[tuple[Hashable, Hashable], None] = {}
    for task, group in enumerate(graph.task_groups):
        inputs = graph.dependencies[task]
        # How many times the tasks before it came back to its own group.
        depth = max([level[i] + (graph.task_groups[i] == group) for i in inputs], default=0)
        level.append(depth)
        members[group, depth] = members.get((group, depth), 0) + 1
        for item in inputs:
            edges[(graph.task_groups[item], level[item]), (group, depth)] = None
    if len(members) > _MOST_TASKS:
        return _group_totals(graph)
    nodes: dict[Hashable, str] = {
        key: f"{graph.groups[key[0]].name}\n{_tasks(count)}" for key, count in members.items()
    }
    return nodes, list(edges)


def _group_totals(
    graph: TaskGraph,
) -> tuple[dict[Hashable, str], list[tuple[Hashable, Hashable]]]:
    """One box per group, whatever its depth; arrows only forward, so that there is no cycle."""
    counts = [graph.task_groups.count(group) for group in range(len(graph.groups))]
    nodes: dict[Hashable, str] = {
        number: f"{group.name}\n{_tasks(counts[number])}"
        for number, group in enumerate(graph.groups)
        if counts[number]
    }
    edges = {
        (graph.task_groups[item], group): None
        for task, group in enumerate(graph.task_groups)
        for item in graph.dependencies[task]
        if graph.task_groups[item] < group
    }
    return nodes, list(edges)


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def layout(
    nodes: Mapping[Hashable, str], edges: Sequence[tuple[Hashable, Hashable]]
) -> dict[Hashable, Box]:
    """Where each node goes; GraphError if an arrow leads nowhere or there is a cycle."""
    sources: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    targets: dict[Hashable, list[Hashable]] = {node: [] for node in nodes}
    for start, end in edges:
        if start not in nodes or end not in nodes:
            raise GraphError(f"The edge {start!r} -> {end!r} leads to no node")
        sources[end].append(start)
        targets[start].append(end)
    layers = _layers(sources, targets)
    for sweep in range(_SWEEPS):
        _sort_layers(layers, sources if sweep % 2 == 0 else targets, reverse=sweep % 2 == 1)
    return _place(nodes, layers)


def _layers(
    sources: Mapping[Hashable, Sequence[Hashable]],
    targets: Mapping[Hashable, Sequence[Hashable]],
) -> list[list[Hashable]]:
    """Nodes by length of the longest path that leads to them."""
    depth = dict.fromkeys(sources, 0)
    missing = {node: len(before) for node, before in sources.items()}
    free = [node for node, count in missing.items() if not count]
    for node in free:
        for target in targets[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            missing[target] -= 1
            if not missing[target]:
                free.append(target)
    if len(free) < len(depth):
        raise GraphError("A graph with a cycle cannot be drawn in layers")
    layers: list[list[Hashable]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node, layer in depth.items():
        layers[layer].append(node)
    return layers


def _sort_layers(
    layers: list[list[Hashable]],
    neighbours: Mapping[Hashable, Sequence[Hashable]],
    *,
    reverse: bool,
) -> None:
    """Sort each layer by the mean place of the neighbours, seen from one side."""
    place = {
        node: (index + 0.5) / len(layer) for layer in layers for index, node in enumerate(layer)
    }
    for layer in reversed(layers) if reverse else layers:
        wish = {
            node: sum([place[other] for other in neighbours[node]]) / len(neighbours[node])
            if neighbours[node]
            else place[node]
            for node in layer
        }
        layer.sort(key=wish.__getitem__)
        place.update({node: (index + 0.5) / len(layer) for index, node in enumerate(layer)})


def _place(nodes: Mapping[Hashable, str], layers: list[list[Hashable]]) -> dict[Hashable, Box]:
    lines = {node: tuple([_short(line) for line in nodes[node].split("\n")]) for node in nodes}
    width = {
        node: 2 * _PADDING + _CHARACTER * max([len(line) for line in text])
        for node, text in lines.items()
    }
    spans = [sum([width[node] + _GAP for node in layer]) for layer in layers]
    widest = max(spans, default=0.0)
    boxes: dict[Hashable, Box] = {}
    top = _GAP
    for layer, span in zip(layers, spans, strict=True):
        left = _GAP + (widest - span) / 2
        height = 2 * _PADDING + _LINE * max([len(lines[node]) for node in layer])
        for node in layer:
            own = 2 * _PADDING + _LINE * len(lines[node])
            boxes[node] = Box(left, top + (height - own) / 2, width[node], own, lines[node])
            left += width[node] + _GAP
        top += height + _LAYER_GAP
    return boxes


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def _arrow(start: Box, end: Box) -> str:
    x1, y1 = start.x + start.width / 2, start.y + start.height
    x2, y2 = end.x + end.width / 2, end.y
    bend = (y2 - y1) / 2
    return (
        f'<path class="edge" marker-end="url(#arrow)" d="M{x1:.1f} {y1:.1f}'
        f'C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"/>'
    )


def _box(box: Box) -> str:
    middle = box.x + box.width / 2
    text = [
        f'<text x="{middle:.1f}" y="{box.y + _PADDING + _LINE * (index + 0.75):.1f}"'
        f' text-anchor="middle"{" class=" + chr(34) + "title" + chr(34) if index == 0 else ""}>'
        f"{_xml(line)}</text>"
        for index, line in enumerate(box.lines)
    ]
    rect = (
        f'<rect class="node" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
        f' height="{box.height:.1f}"/>'
    )
    return "".join([rect, *text])


def _xml(text: str) -> str:
    """Escaped; characters that XML 1.0 does not allow at all are shown as a question mark."""
    clean = "".join([c if c >= " " or c == "\t" else "?" for c in text])
    return escape(clean.encode("utf-8", "replace").decode())
