"""Arguments in which some values are still to come: what delayed calls and futures have in common.

A call may hold nodes (a Delayed, a future) in lists, tuples, named tuples, sets, dicts and
dataclasses, nested at will. Before it becomes a task each node is replaced by a numbered `Hole`;
the task gets the call with its holes, opaque to the scheduler, beside a list of the values, and
`Apply` puts them together. What holds no node is handed over as it is, not copied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

# Looked at for nothing else: most arguments are one of these.
_LEAVES = frozenset([int, float, str, bytes, bool, type(None), complex, type])


class Hole:
    """Where in a call's arguments the value of another task goes."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Call:
    """The arguments of one call, with holes."""

    __slots__ = ("args", "holes", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], holes: bool) -> None:
        self.args = args
        self.kwargs = kwargs
        self.holes = holes

    def forget(self) -> None:
        """Let go of the arguments, once the call has been made for the last time."""
        self.args, self.kwargs = (), {}


class Apply:
    """A task's function: fills the holes and makes the call."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, call: Call, values: list[Any]) -> Any:
        if not call.holes:
            return self.function(*call.args, **call.kwargs)
        args, kwargs = replaced((call.args, call.kwargs), _is_hole, lambda h: values[h.number])
        return self.function(*args, **kwargs)


def _is_hole(item: object) -> bool:
    return type(item) is Hole


def found(value: object, wanted: Callable[[object], bool]) -> list[Any]:
    """The distinct things within a value for which `wanted` is true, in order.

    >>> found([1, {"a": (2.5, [3])}, 1], lambda item: isinstance(item, float | int) and item > 1)
    []
    >>> found([range(3), {"a": (range(4), "b")}], lambda item: isinstance(item, range))
    [range(0, 3), range(0, 4)]
    """
    result: dict[int, object] = {}
    seen: set[int] = set()
    # A stack of its own: containers may hold themselves, or be nested deeply.
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) in _LEAVES:
            continue
        if wanted(item):
            result[id(item)] = item
            continue
        children = _children(item)
        if children is not None and id(item) not in seen:
            seen.add(id(item))
            inner = [child for child in children if type(child) not in _LEAVES]
            inner.reverse()
            stack += inner
    return list(result.values())


def replaced(value: T, wanted: Callable[[object], bool], new: Callable[[Any], object]) -> T:
    """The value with every wanted thing replaced; what holds none stays the same object."""
    done: dict[int, Any] = {}

    def walk(item: Any) -> Any:
        if type(item) in _LEAVES:
            return item
        if wanted(item):
            return new(item)
        children = _children(item)
        if children is None:
            return item
        if id(item) not in done:
            before = list(children)
            after = [child if type(child) in _LEAVES else walk(child) for child in before]
            same = all(map(_same, before, after))
            done[id(item)] = item if same else _rebuilt(item, after)
        return done[id(item)]

    result: T = walk(value)
    return result


def _same(one: object, other: object) -> bool:
    return one is other


def _children(item: Any) -> Iterable[Any] | None:
    """What a container holds; None if it is none that is looked into."""
    kind = type(item)
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        children: Iterable[Any] = item
        return children
    if kind is dict:
        return [*item, *item.values()]
    if isinstance(item, tuple) and hasattr(kind, "_fields"):
        return item
    if hasattr(kind, "__dataclass_fields__"):
        return [getattr(item, name, None) for name in kind.__dataclass_fields__]
    return None


def _rebuilt(item: Any, children: list[Any]) -> Any:
    kind = type(item)
    if kind is dict:
        return dict(zip(children[: len(item)], children[len(item) :], strict=True))
    if hasattr(kind, "__dataclass_fields__"):
        # Not by its constructor: that may check, convert or take other parameters.
        changed = copy.copy(item)
        for name, child in zip(kind.__dataclass_fields__, children, strict=True):
            if hasattr(item, name):
                object.__setattr__(changed, name, child)
        return changed
    if isinstance(item, tuple) and hasattr(kind, "_make"):
        return kind._make(children)
    return kind(children)
