"""Delayed calls as a task graph.

A `Node` is a call that is not made yet; nodes among its arguments are other calls. `build` walks
from the wanted nodes to what they need, by a stack of its own, so that a chain of a hundred
thousand calls is no deeper for Python than a single one, and adds a task for each node, after
those it needs. Nodes of one function form a group, which holds the function once.

Calls of functions said to be *pure* are told apart by what they are: same function, equal
arguments, equal inputs. All other nodes by their identity.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plait.futures import Away
from plait.holes import Apply, Call, Hole, found, replaced
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup
from plait.scheduler.time_limit import limited


@dataclass(frozen=True)
class Options:
    """What is said of a function when it is made delayed."""

    name: str
    pure: bool = False
    nout: int | None = None
    retries: int = 0
    resources: tuple[tuple[str, float], ...] = ()
    time_limit: float | None = None


class Node:
    """A call that is not made yet, or a result that is kept."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Options,
    ) -> None:
        # Past any __setattr__ of a subclass.
        self.__dict__.update(
            _function=function, _args=args, _kwargs=dict(kwargs), _options=options, _away=None
        )

    _function: Callable[..., Any]
    _args: tuple[Any, ...]
    _kwargs: dict[str, Any]
    _options: Options
    _away: Away | None


def is_node(value: object) -> bool:
    """Whether a value is a delayed call."""
    return isinstance(value, Node)


def is_lazy(value: object) -> bool:
    """Whether a value is something of plait's that can be computed."""
    kind = type(value)
    known = _lazy.get(kind)
    if known is None:
        known = issubclass(kind, Node) or (
            kind.__module__.startswith("plait.") and hasattr(kind, "compute")
        )
        _lazy[kind] = known
    return known


# Asked of every item of every argument. Weak, as classes may be made and forgotten.
_lazy: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def build(
    wanted: Iterable[Node],
    computed: Callable[[Any], Any],
    executor: Executor | None = None,
) -> tuple[TaskGraph, list[Ref]]:
    """One graph of all nodes that are needed, and the references to those wanted.

    Parameters
    ----------
    wanted : iterable of Node
    computed : callable
        Gives the value of a lazy frame, column or scalar among the arguments.
    executor : Executor, optional
        Where the graph will run: what it keeps need not be brought here.
    """
    builder = _Builder(computed, executor)
    roots = list(wanted)
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if id(node) in builder.refs:
            continue
        if not ready and node._away is None:
            inner = found((node._args, node._kwargs), is_node)
            stack.append((node, True))
            stack += [(child, False) for child in reversed(inner) if id(child) not in builder.refs]
        else:
            builder.add(node)
    return builder.graph, [builder.refs[id(node)] for node in roots]


class _Builder:
    def __init__(self, computed: Callable[[Any], Any], executor: Executor | None) -> None:
        self.graph = TaskGraph()
        self.refs: dict[int, Ref] = {}
        self._computed = computed
        self._executor = executor
        self._groups: dict[tuple[int, Options], int] = {}
        self._pure: dict[object, Ref] = {}

    def add(self, node: Node) -> None:
        """Add a node whose inputs are there; a pure one that is there already is that one."""
        if not node._options.pure:
            self.refs[id(node)] = self._task(node)
            return
        key = (id(node._function), node._options, self._key((node._args, node._kwargs)))
        ref = self._pure.get(key)
        if ref is None:
            ref = self._pure[key] = self._task(node)
        self.refs[id(node)] = ref

    def _task(self, node: Node) -> Ref:
        function: Callable[..., Any] = node._function
        args, kwargs, away = node._args, node._kwargs, node._away
        values: list[Ref | Handle] = []
        if away is not None:
            function = _itself
            if away.executor is self._executor:
                values.append(away.handle)
                args = (Hole(0),)
            else:
                args = (away.value(),)
        else:
            args, kwargs = self._with_holes((args, kwargs), values)
        key = (id(function), node._options)
        group = self._groups.get(key)
        if group is None:
            options = node._options
            made = TaskGroup(
                options.name,
                limited(Apply(function), options.time_limit),
                retries=options.retries,
                resources=options.resources,
            )
            group = self._groups[key] = self.graph.add_group(made)
        call = Call(args, kwargs, holes=bool(values))
        return Ref(self.graph.add_task(group, (call, values)))

    def _with_holes(
        self, arguments: tuple[tuple[Any, ...], dict[str, Any]], values: list[Ref | Handle]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        holes: dict[Ref, Hole] = {}

        def put(item: Any) -> Any:
            if not isinstance(item, Node):
                return self._computed(item)
            ref = self.refs[id(item)]
            if ref not in holes:
                holes[ref] = Hole(len(values))
                values.append(ref)
            return holes[ref]

        return replaced(arguments, is_lazy, put)

    def _key(self, value: Any) -> object:
        """What tells an argument apart; 1, 1.0 and True are three, 0.0 and -0.0 are two."""
        kind = type(value)
        if kind in (int, str, bytes, bool, type(None)):
            return kind, value
        if kind is float:
            return kind, value.hex()
        if isinstance(value, Node):
            return self.refs[id(value)]
        if kind in (list, tuple):
            return kind, tuple([self._key(item) for item in value])
        if kind in (set, frozenset):
            return kind, frozenset([self._key(item) for item in value])
        if kind is dict:
            return kind, tuple([(self._key(k), self._key(v)) for k, v in value.items()])
        return kind, id(value)


def _itself(value: Any) -> Any:
    return value
