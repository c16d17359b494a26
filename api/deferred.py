"""plait.delayed: plain Python functions as a graph of tasks; and compute, persist of many things.

    @plait.delayed
    def load(path): ...

    parts = [load(path) for path in paths]         nothing runs
    total = plait.delayed(sum)([count(p) for p in parts])
    total.compute()                                the graph runs, independent calls side by side

A `Delayed` is a call; others may be nested in its arguments. A lazy frame among the arguments is
computed first and handed over as a pandas object. How calls become tasks: `plait.delayed_graph`.

The module is not called `delayed`: importing it would put the module where the function is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from plait.delayed_graph import Node, Options, build, is_lazy, is_node
from plait.errors import PlanError
from plait.futures import Away
from plait.holes import found, replaced
from plait.scalar import Scalar, values_of
from plait.scheduler.draw import task_graph_svg
from plait.scheduler.executor import Executor
from plait.scheduler.graph import TaskGraph
from plait.scheduler.time_limit import checked_limit
from plait.session import Session, default_session


def delayed(
    value: Any = None,
    name: str | None = None,
    *,
    pure: bool = False,
    nout: int | None = None,
    retries: int = 0,
    resources: Mapping[str, float] | None = None,
    time_limit: float | None = None,
) -> Any:
    """A function (or a class) whose calls are recorded instead of made; a value as a node.

    Parameters
    ----------
    value : callable or object
        As a decorator, or called: `delayed(f)(x)`. Of an object that cannot be called: a node that
        gives it, whose methods and operators make further nodes; nodes in a container are filled
        in.
    name : str, optional
        Shown in messages and pictures.
    pure : bool
        Equal arguments give equal results: such calls of one graph are made once.
    nout : int, optional
        How many results a call gives, so that `a, b = f(x)` works.
    retries : int
        How many times a call may raise and be made again.
    resources : mapping, optional
        What a worker must offer, such as `{"GPU": 1}`; threads of this process offer everything.
    time_limit : float, optional
        Seconds after its start, each time it is made, until a call fails with `TaskTimeoutError`.
        It is then told to stop and not waited for.

    Returns
    -------
    DelayedFunction or Delayed

    Examples
    --------
    >>> import plait
    >>> increment = plait.delayed(lambda x: x + 1)
    >>> (increment(1) + increment(2)).compute()
    5
    >>> @plait.delayed(nout=2)
    ... def halves(n):
    ...     return n // 2, n - n // 2
    >>> small, large = halves(7)
    >>> plait.compute(small, large)
    (3, 4)
    """
    if value is None:  # @delayed(...)
        return lambda function: delayed(
            function,
            name,
            pure=pure,
            nout=nout,
            retries=retries,
            resources=resources,
            time_limit=time_limit,
        )
    if isinstance(value, Delayed | DelayedFunction):
        return value
    if nout is not None and nout < 0:
        raise ValueError(f"nout is to be the number of results, not {nout}")
    wanted = tuple([(key, float(amount)) for key, amount in sorted((resources or {}).items())])
    limit = checked_limit(time_limit)
    if callable(value) and not is_lazy(value):
        shown = name or getattr(value, "__name__", "") or type(value).__name__
        return DelayedFunction(value, Options(shown, pure, nout, retries, wanted, limit))
    shown = name or type(value).__name__
    return Delayed(_itself, (value,), {}, Options(shown, pure, nout, retries, wanted, limit))


def _itself(value: Any) -> Any:
    return value


class DelayedFunction:
    """A function whose calls make `Delayed` nodes."""

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self._function = function
        self._options = options
        self.__name__ = options.name
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        return Delayed(self._function, args, kwargs, self._options)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # a decorated method gets its object as first argument
        return self if instance is None else DelayedMethod(self, instance)

    def __repr__(self) -> str:
        return f"<plait.delayed function {self._options.name}>"


class DelayedMethod:
    """A delayed function bound to the object it was looked up on."""

    def __init__(self, function: DelayedFunction, instance: Any) -> None:
        self._function, self._instance = function, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        return self._function(self._instance, *args, **kwargs)


class Delayed(Node):
    """A call that is not made yet: `.compute()` runs it and all it needs.

    Operators, indexing, attributes and calls of a node make further nodes.
    """

    def compute(self, session: Session | None = None, *, executor: Executor | None = None) -> Any:
        """Run the graph; the value. Parameters: see `plait.compute`."""
        return compute(self, session=session, executor=executor)[0]

    def persist(
        self, session: Session | None = None, *, executor: Executor | None = None
    ) -> Delayed:
        """Run the graph now and keep the value where it is; a node that gives it."""
        kept: Delayed = persist(self, session=session, executor=executor)[0]
        return kept

    def graph(self) -> TaskGraph:
        """The task graph, one task a call."""
        return build([self], _as_it_is)[0]

    def visualize(self, path: str = "graph.svg") -> str:
        """Draw the task graph into an SVG file; gives the path."""
        return visualize(self, path=path)

    def __repr__(self) -> str:
        return f"<plait.Delayed {self._options.name}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return Delayed(getattr, (self, name), {}, Options(name))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError(f"A delayed value cannot be changed: set {name!r} in a delayed function")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise TypeError("A delayed value cannot be changed: set items in a delayed function")

    def __call__(self, *args: Any, **kwargs: Any) -> Delayed:
        if self._function is getattr and len(self._args) == 2:
            # A method: one task, not one for looking it up and one for the call.
            return Delayed(_call_method, (*self._args, *args), kwargs, self._options)
        return Delayed(_call, (self, *args), kwargs, Options(f"{self._options.name}()"))

    def __getitem__(self, key: Any) -> Delayed:
        return Delayed(operator.getitem, (self, key), {}, Options("getitem"))

    def __bool__(self) -> NoReturn:
        raise TypeError("A delayed value has no truth value; call .compute() first")

    def __iter__(self) -> Iterator[Delayed]:
        return iter([self[place] for place in range(len(self))])

    def __len__(self) -> int:
        if self._options.nout is None:
            raise TypeError(
                "A delayed value cannot be iterated over and has no length: call .compute() first,"
                " or say how many results there are by plait.delayed(function, nout=...)"
            )
        return self._options.nout


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _call_method(owner: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
    return getattr(owner, method)(*args, **kwargs)


_BINARY = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("and", "or", "xor", "lshift", "rshift"),
)
_COMPARING = ("lt", "le", "gt", "ge", "eq", "ne")
_UNARY = ("neg", "pos", "invert", "abs")
_BUILTIN: dict[str, Callable[..., Any]] = {"divmod": divmod, "round": round}


def _operators() -> None:
    """Give Delayed every binary and unary operator, each making a node."""

    def plain(function: Callable[..., Any], name: str) -> Callable[..., Delayed]:
        return lambda self, *other: Delayed(function, (self, *other), {}, Options(name))

    def reflected(function: Callable[..., Any], name: str) -> Callable[..., Delayed]:
        return lambda self, other: Delayed(function, (other, self), {}, Options(name))

    for word in (*_BINARY, *_COMPARING, *_UNARY):
        function: Callable[..., Any] = getattr(
            operator, f"{word}_" if word in ("and", "or") else word
        )
        setattr(Delayed, f"__{word}__", plain(function, word))
        if word in _BINARY:
            setattr(Delayed, f"__r{word}__", reflected(function, word))
    for word, builtin in _BUILTIN.items():
        setattr(Delayed, f"__{word}__", plain(builtin, word))
    Delayed.__rdivmod__ = reflected(divmod, "divmod")  # type: ignore[attr-defined]
    # An __eq__ that makes a node takes hashing away; nodes are told apart as objects.
    Delayed.__hash__ = object.__hash__  # type: ignore[method-assign]


_operators()


# ------------------------------------------------------------------------------ many at once


def compute(
    *values: Any, session: Session | None = None, executor: Executor | None = None
) -> tuple[Any, ...]:
    """Compute several lazy things at once; what is not lazy is given back as it is.

    A delayed call that several of them need is made once, and reductions of the same rows
    (`df.x.sum(), df.y.max()`) are worked out in one pass.

    Parameters
    ----------
    *values
        Frames, Series, Scalars, delayed values, or lists, dicts and dataclasses of these.
    session : Session, optional
        Whose executor runs delayed values; by default that of plait itself.
    executor : Executor, optional
        What runs delayed values, if no session does.

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
    lazy = found(values, is_lazy)
    results = _compute_frames([item for item in lazy if not is_node(item)])
    nodes = [item for item in lazy if is_node(item)]
    results.update({id(node): node._away.value() for node in nodes if node._away is not None})
    nodes = [node for node in nodes if node._away is None]
    if nodes:
        where = _executor(session, executor)
        graph, refs = build(nodes, _once(results), where)
        distinct = list(dict.fromkeys(refs))
        with (session or default_session()).runner.progress() as observe:
            computed = where.submit(graph, distinct, observe).result()
        known = dict(zip(distinct, computed, strict=True))
        results.update({id(node): known[ref] for node, ref in zip(nodes, refs, strict=True)})
    return replaced(values, is_lazy, lambda item: results[id(item)])


def persist(
    *values: Any, session: Session | None = None, executor: Executor | None = None
) -> tuple[Any, ...]:
    """Compute several lazy things now and keep the results where they are.

    Parameters
    ----------
    *values, session, executor
        See `plait.compute`.

    Returns
    -------
    tuple
        Lazy things that read what was kept. It is let go of when they are.
    """
    lazy = found(values, is_lazy)
    nodes = [item for item in lazy if is_node(item) and item._away is None]
    kept = {id(item): item for item in lazy}
    kept.update({id(item): item.persist() for item in lazy if _may_persist(item)})
    if nodes:
        where = _executor(session, executor)
        graph, refs = build(nodes, _once({}), where)
        distinct = list(dict.fromkeys(refs))
        with (session or default_session()).runner.progress() as observe:
            run = where.submit(graph, distinct, observe)
            run.wait()
        aways = {
            ref: Away(where, handle) for ref, handle in zip(distinct, run.handles, strict=True)
        }
        for node, ref in zip(nodes, refs, strict=True):
            kept[id(node)] = _reading(aways[ref], node)
    return replaced(values, is_lazy, lambda item: kept[id(item)])


def visualize(*values: Any, path: str = "graph.svg") -> str:
    """Draw the task graph of delayed values, or the plan of one frame, into an SVG file.

    Parameters
    ----------
    *values
        Delayed values, also nested; or a single frame, Series or Scalar.
    path : str
        Where to; ends in .svg.

    Returns
    -------
    str
        The path.
    """
    lazy = found(values, is_lazy)
    nodes = [item for item in lazy if is_node(item)]
    if len(lazy) == 1 and not nodes and hasattr(lazy[0], "visualize"):
        return str(lazy[0].visualize(path))
    if not nodes or len(nodes) < len(lazy):
        raise PlanError(
            "visualize draws delayed values, or one frame; draw others by their own .visualize()"
        )
    if not str(path).endswith(".svg"):
        raise PlanError(f"visualize draws SVG: the path is to end in .svg, not {path!r}")
    Path(path).write_text(task_graph_svg(build(nodes, _as_it_is)[0]), encoding="utf-8")
    return str(path)


def _executor(session: Session | None, executor: Executor | None) -> Executor:
    if session is not None and executor is not None:
        raise PlanError("Give a session or an executor, not both")
    return executor or (session or default_session()).executor


def _compute_frames(items: list[Any]) -> dict[int, Any]:
    """The values of frames, Series and Scalars, by id."""
    scalars = [item for item in items if isinstance(item, Scalar)]
    results = dict(zip(map(id, scalars), values_of(scalars), strict=True))
    results.update({id(item): item.compute() for item in items if not isinstance(item, Scalar)})
    return results


def _once(results: dict[int, Any]) -> Callable[[Any], Any]:
    """Gives the value of a lazy frame among arguments, computed at most once."""
    held: list[Any] = []  # what has an id in `results` must not go, or another may get its id

    def computed(item: Any) -> Any:
        if id(item) not in results:
            results[id(item)] = item.compute()
            held.append(item)
        return results[id(item)]

    return computed


def _as_it_is(item: Any) -> Any:
    return item


def _may_persist(item: Any) -> bool:
    return not is_node(item) and hasattr(item, "persist")


def _reading(away: Away, node: Delayed) -> Delayed:
    kept = Delayed(_itself, (), {}, Options(node._options.name, nout=node._options.nout))
    kept.__dict__["_away"] = away
    return kept
