"""Immutable trees: the one base class of expressions and plans, and all their traversals.

A node is a frozen dataclass made with `eq=False`; equality and hash come from here. Both look at
the fields only (those with `compare=True`), and the hash is computed once per node, so that equal
sub-trees are found cheaply. `map_children` returns the very same object when nothing changed:
"did this rule do anything" is `after is not before`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import wraps
from operator import is_
from typing import Any, TypeVar

N = TypeVar("N", bound="Node")
T = TypeVar("T", bound="Tree")
R = TypeVar("R")


_COMPARED: dict[type, tuple[str, ...]] = {}
_NAMES: dict[type, tuple[str, ...]] = {}


def _compared(cls: type) -> tuple[str, ...]:
    """The names of the fields that equality looks at; looked up once a class."""
    known = _COMPARED.get(cls)
    if known is None:
        known = _COMPARED[cls] = tuple(f.name for f in fields(cls) if f.compare)
    return known


def _names(cls: type) -> tuple[str, ...]:
    """The names of all fields; looked up once a class."""
    known = _NAMES.get(cls)
    if known is None:
        known = _NAMES[cls] = tuple(f.name for f in fields(cls))
    return known


class Node:
    """A frozen dataclass in a tree."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return False
        return all(getattr(self, n) == getattr(other, n) for n in _compared(type(self)))

    def __hash__(self) -> int:
        known = self.__dict__.get("_hash")
        if known is None:
            values = tuple(getattr(self, n) for n in _compared(type(self)))
            known = hash((type(self).__name__, *values))
            object.__setattr__(self, "_hash", known)
        return int(known)

    def __getstate__(self) -> dict[str, Any]:
        # the cached hash holds string hashes, which differ between processes
        return {n: getattr(self, n) for n in _names(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def nodes_of(self, kind: type[N]) -> tuple[N, ...]:
        """The direct children of `kind`, found in the fields and in tuples within them.

        Kept at the node: rules walk the same trees again and again.
        """
        known: dict[type, tuple[Any, ...]] | None = self.__dict__.get("_nodes")
        if known is None:
            known = {}
            object.__setattr__(self, "_nodes", known)
        nodes = known.get(kind)
        if nodes is None:
            found: list[N] = []
            for name in _names(type(self)):
                _collect(getattr(self, name), kind, found)
            nodes = known[kind] = tuple(found)
        return nodes

    def map_nodes_of(self: Any, kind: type[N], function: Callable[[N], Any]) -> Any:
        """This node with every direct child of `kind` replaced by `function(child)`."""
        before = self.nodes_of(kind)
        if not before:
            return self
        after = [function(node) for node in before]
        if all(map(is_, before, after)):
            return self
        new = iter(after)
        changes = {}
        for name in _names(type(self)):
            value = getattr(self, name)
            rebuilt = _rebuilt(value, kind, new)
            if rebuilt is not value:
                changes[name] = rebuilt
        return replace(self, **changes)


def _collect(value: object, kind: type[N], into: list[N]) -> None:
    if isinstance(value, kind):
        into.append(value)
    elif isinstance(value, tuple):
        for item in value:
            _collect(item, kind, into)


def _rebuilt(value: Any, kind: type[N], new: Iterator[Any]) -> Any:
    """A field's value with its nodes of `kind` replaced, in the order of `_collect`."""
    if isinstance(value, kind):
        return next(new)
    if isinstance(value, tuple):
        after = [_rebuilt(item, kind, new) for item in value]
        if not all(map(is_, after, value)):
            # NamedTuples keep their class
            return type(value)(*after) if hasattr(value, "_fields") else tuple(after)
    return value


class Tree(Node):
    """A node whose children are of one family: `_family` is set by Expr and by LogicalPlan."""

    _family: type[Any]

    def children(self) -> tuple[Any, ...]:
        """The direct children of the same family."""
        return self.nodes_of(self._family)

    def map_children(self: Any, function: Callable[[Any], Any]) -> Any:
        """This node with `function` applied to each direct child of its family."""
        return self.map_nodes_of(self._family, function)

    def walk(self: Any) -> Iterator[Any]:
        """Every node of the tree, parents before children, without recursion."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children()))

    def transform_up(self: Any, function: Callable[[Any], Any]) -> Any:
        """Rebuild the tree from the leaves: `function` sees each node after its children."""
        return function(self.map_children(lambda child: child.transform_up(function)))

    def transform_down(self: Any, function: Callable[[Any], Any]) -> Any:
        """Rebuild the tree from the root: `function` sees each node before its children."""
        return function(self).map_children(lambda child: child.transform_down(function))


def per_node(function: Callable[[N], R]) -> Callable[[N], R]:
    """A pure function of a node that keeps its answer at the node.

    For what every batch asks: a cache keyed by the tree would compare trees.
    """
    name = f"_{function.__name__}"

    @wraps(function)
    def found(node: N) -> R:
        known = node.__dict__.get(name)
        if known is None:
            known = (function(node),)
            object.__setattr__(node, name, known)
        answer: R = known[0]
        return answer

    return found


def interner() -> Callable[[Any], Any]:
    """A function that gives one and the same object for all equal trees it is asked for, so that
    comparing them is instant."""
    known: dict[Any, Any] = {}

    def one(node: Any) -> Any:
        found = known.get(node)
        if found is None:
            found = node.map_children(one)
            known[found] = found
        return found

    return one


def intern(root: T) -> T:
    """The same tree in which equal sub-trees are one object."""
    result: T = interner()(root)
    return result
