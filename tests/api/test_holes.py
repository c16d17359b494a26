"""Containers in which values are still to come."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

from plait.holes import found, replaced


class Node:
    """What is looked for."""

    def __init__(self, value: int) -> None:
        self.value = value


Pair = namedtuple("Pair", "one two")


@dataclass(frozen=True, slots=True)
class Frozen:
    node: Any
    other: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.node, str):
            raise TypeError("constructed again")


@dataclass
class Lazy:
    node: Any
    later: Any = field(init=False)


def is_node(item: object) -> bool:
    return isinstance(item, Node)


def text_of(value: Any) -> Any:
    return replaced(value, is_node, lambda node: f"v{node.value}")


def test_every_kind_of_container() -> None:
    a, b = Node(1), Node(2)
    value = [a, (b, [a]), {"k": a, b: 1}, {a}, frozenset([b]), Pair(a, 3), Frozen(b, 4), Lazy(a)]
    assert found(value, is_node) == [a, b]
    parts = text_of(value)
    assert parts[:6] == ["v1", ("v2", ["v1"]), {"k": "v1", "v2": 1}, {"v1"}, {"v2"}, Pair("v1", 3)]
    assert type(parts[5]) is Pair
    assert (parts[6].node, parts[6].other, type(parts[6])) == ("v2", 4, Frozen)
    assert parts[7].node == "v1"
    assert not hasattr(parts[7], "later")
    assert value[6].node is b  # the original is left alone


def test_what_holds_nothing_is_the_same_object() -> None:
    plain = [1, {"a": (2, {3})}, Frozen(1)]
    assert text_of(plain) is plain
    mixed = [plain, Node(1)]
    assert text_of(mixed)[0] is plain


def test_circles_and_depth() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert found(circle, is_node) == []
    deep: Any = Node(7)
    for _ in range(10_000):
        deep = [deep]
    assert [node.value for node in found(deep, is_node)] == [7]


def test_subclasses_and_classes_are_left_alone() -> None:
    class Own(list):  # type: ignore[type-arg]
        pass

    own = Own([Node(1)])
    assert found([own, Frozen, Pair, int], is_node) == []
