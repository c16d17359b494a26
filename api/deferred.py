"""plait.delayed: plain Python functions as a graph of tasks; and compute, persist of many things.

    @plait.delayed
    def load(path): ...

    parts = [load(path) for path in paths]         nothing runs
    total = plait.delayed(sum)([count(p) for p in parts])
    total.compute()                                the graph runs, independent calls side by side

A `Delayed` is a node: a function and its arguments, in which other nodes may be nested in lists,
tuples, dicts and sets. A lazy frame among the arguments is computed first and handed over as a
pandas object. Calls are taken to be pure; equal nodes are run once if they are the same object.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.session import Session, default_session


def delayed(value: Any, name: str | None = None) -> Any:
    """A function (or a class) whose calls are recorded instead of made; a value as a node.

    Parameters
    ----------
    value : callable or object
        As a decorator, or called: `delayed(f)(x)`. Of an object that cannot be called: a node that
        gives it, whose methods and operators make further nodes.
    name : str, optional
        Shown in messages and pictures.

    Returns
    -------
    DelayedFunction or Delayed

    Examples
    --------
    >>> import plait
    >>> increment = plait.delayed(lambda x: x + 1)
    >>> (increment(1) + increment(2)).compute()
    5
    """
    if isinstance(value, Delayed | DelayedFunction):
        return value
    if callable(value) and not is_lazy(value):
        return DelayedFunction(value, name)
    return Delayed(_identity, (value,), {}, name or type(value).__name__)


def _identity(value: Any) -> Any:
    return value


class DelayedFunction:
    """A function whose calls make `Delayed` nodes."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self._function = function
        self._name: str = name or getattr(function, "__name__", "") or type(function).__name__
        self.__name__ = self._name
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        return Delayed(self._function, args, kwargs, self._name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # a decorated method gets its object as first argument
        return self if instance is None else DelayedMethod(self, instance)

    def __repr__(self) -> str:
        return f"<plait.delayed function {self._name}>"


class DelayedMethod:
    """A delayed function bound to the object it was looked up on."""

    def __init__(self, function: DelayedFunction, instance: Any) -> None:
        self._function, self._instance = function, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        return self._function(self._instance, *args, **kwargs)


class Delayed:
    """A call that is not made yet: `.compute()` runs it and all it needs.

    Operators, indexing, attributes and calls of a node make further nodes.
    """

    __hash__ = object.__hash__

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        name: str,
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = dict(kwargs)
        self._name = name

    def compute(self, session: Session | None = None) -> Any:
        """Run the graph; the value."""
        return compute(self, session=session)[0]

    def persist(self, session: Session | None = None) -> Delayed:
        """Run the graph now; a node that gives the value."""
        return Delayed(_identity, (self.compute(session),), {}, self._name)

    def graph(self) -> TaskGraph:
        """The task graph, one task a call."""
        graph, _ = build([self])
        return graph

    def __repr__(self) -> str:
        return f"<plait.Delayed {self._name}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return Delayed(getattr, (self, name), {}, f"getattr {name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        return Delayed(_call, (self, *args), kwargs, f"{self._name}()")

    def __getitem__(self, key: Any) -> Delayed:
        return Delayed(operator.getitem, (self, key), {}, "getitem")

    def __bool__(self) -> NoReturn:
        raise TypeError("A delayed value has no truth value; call .compute() first")

    def __iter__(self) -> NoReturn:
        raise TypeError("A delayed value cannot be iterated over; call .compute() first")


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _operators() -> None:
    """Give Delayed every binary and unary operator, each making a node."""

    def binary(function: Callable[..., Any], name: str) -> Callable[[Delayed, Any], Delayed]:
        return lambda self, other: Delayed(function, (self, other), {}, name)

    def reflected(function: Callable[..., Any], name: str) -> Callable[[Delayed, Any], Delayed]:
        return lambda self, other: Delayed(function, (other, self), {}, name)

    def unary(function: Callable[..., Any], name: str) -> Callable[[Delayed], Delayed]:
        return lambda self: Delayed(function, (self,), {}, name)

    arithmetic = [
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    ]
    for word in arithmetic:
        function = getattr(operator, f"{word}_" if word in ("and", "or") else word)
        setattr(Delayed, f"__{word}__", binary(function, word))
        setattr(Delayed, f"__r{word}__", reflected(function, word))
    for word in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Delayed, f"__{word}__", binary(getattr(operator, word), word))
    for word in ("neg", "pos", "invert", "abs"):
        setattr(Delayed, f"__{word}__", unary(getattr(operator, word), word))


_operators()
# an __eq__ that makes a node takes hashing away; nodes are told apart as objects
Delayed.__hash__ = object.__hash__  # type: ignore[assignment]


def is_lazy(value: object) -> bool:
    """Whether a value is something of plait's that can be computed."""
    if isinstance(value, Delayed):
        return True
    module = type(value).__module__
    return module.startswith("plait.") and hasattr(type(value), "compute")


# ------------------------------------------------------------------------------------- graphs


def build(wanted: Iterable[Delayed]) -> tuple[TaskGraph, list[Ref]]:
    """One graph of all nodes that are needed, and the references to those wanted."""
    graph = TaskGraph()
    groups: dict[tuple[int, str], int] = {}
    done: dict[int, Ref] = {}
    roots = list(wanted)
    # by a stack of its own: a chain of ten thousand calls must not end in a RecursionError
    stack: list[tuple[Delayed, bool]] = [(node, False) for node in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if not ready:
            stack.append((node, True))
            inner: list[Delayed] = []
            _collect((node._args, node._kwargs), inner)
            stack.extend((child, False) for child in inner if id(child) not in done)
            continue
        key = (id(node._function), node._name)
        if key not in groups:
            groups[key] = graph.add_group(TaskGroup(node._name, Apply(node._function)))
        refs: list[Ref] = []
        shape = _shape((list(node._args), dict(node._kwargs)), refs, done)
        done[id(node)] = Ref(graph.add_task(groups[key], (shape, refs)))
    return graph, [done[id(node)] for node in roots]


class Hole:
    """Where in a call's arguments the value of another task goes."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Shape:
    """Arguments with holes, opaque to the scheduler."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Apply:
    """A task's function: fills the holes and makes the call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, shape: Shape, values: list[Any]) -> Any:
        args, kwargs = _fill(shape.value, values)
        return self.function(*args, **kwargs)


def _collect(value: Any, into: list[Delayed]) -> None:
    if isinstance(value, Delayed):
        into.append(value)
    elif type(value) in (list, tuple, set, frozenset):
        for item in value:
            _collect(item, into)
    elif type(value) is dict:
        for key, item in value.items():
            _collect(key, into)
            _collect(item, into)


def _shape(value: Any, refs: list[Ref], done: Mapping[int, Ref]) -> Shape:
    def walk(item: Any) -> Any:
        if isinstance(item, Delayed):
            refs.append(done[id(item)])
            return Hole(len(refs) - 1)
        if type(item) in (list, tuple, set, frozenset):
            return type(item)([walk(one) for one in item])
        if type(item) is dict:
            return {walk(k): walk(v) for k, v in item.items()}
        return item.compute() if is_lazy(item) else item

    return Shape(walk(value))


def _fill(value: Any, values: list[Any]) -> Any:
    if type(value) is Hole:
        return values[value.number]
    if type(value) in (list, tuple, set, frozenset):
        return type(value)([_fill(one, values) for one in value])
    if type(value) is dict:
        return {_fill(k, values): _fill(v, values) for k, v in value.items()}
    return value


# ------------------------------------------------------------------------------ many at once


def compute(*values: Any, session: Session | None = None) -> tuple[Any, ...]:
    """Compute several lazy things at once; what is not lazy is given back as it is.

    Parameters
    ----------
    *values
        Frames, Series, Scalars, delayed values, or lists and dicts of these.
    session : Session, optional
        Whose executor runs delayed values.

    Returns
    -------
    tuple
        One result for each argument.

    Examples
    --------
    >>> import plait
    >>> double = plait.delayed(lambda x: 2 * x)
    >>> plait.compute([double(1), double(2)], "text")
    ([2, 4], 'text')
    """
    nodes: list[Delayed] = []
    _collect(list(values), nodes)
    if nodes:
        graph, refs = build(nodes)
        runner = (session or default_session()).runner
        with runner.progress() as observe:
            found = runner.executor.submit(graph, list(dict.fromkeys(refs)), observe).result()
        known = dict(zip(dict.fromkeys(refs), found, strict=True))
        results = {id(node): known[ref] for node, ref in zip(nodes, refs, strict=True)}
    else:
        results = {}

    def walk(item: Any) -> Any:
        if isinstance(item, Delayed):
            return results[id(item)]
        if type(item) in (list, tuple, set, frozenset):
            return type(item)([walk(one) for one in item])
        if type(item) is dict:
            return {walk(k): walk(v) for k, v in item.items()}
        return item.compute() if is_lazy(item) else item

    return tuple(walk(value) for value in values)


def persist(*values: Any) -> tuple[Any, ...]:
    """Compute several lazy things now and keep the results where they are.

    Returns
    -------
    tuple
        Lazy things that read what was kept.
    """
    return tuple(v.persist() if is_lazy(v) and hasattr(v, "persist") else v for v in values)
