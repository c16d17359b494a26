"""The function registry: every function by name, for both front ends, rules, kernels and docs.

    scalar("substr").name == "substring"     canonical name or SQL alias, in any case
    is_aggregate("mean"), is_window("rank")
    SCALARS, AGGREGATES, WINDOWS             all entries, by canonical name

A name may be both an aggregate and a window function (`first`): ask `is_window` first when there
is an OVER clause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from plait.errors import UnsupportedError, nearest_names
from plait.planner.functions import aggregate as aggregates
from plait.planner.functions import (
    arithmetic,
    comparison,
    internal,
    lists,
    numeric,
    pandas,
    strings,
    temporal,
)
from plait.planner.functions import window as windows
from plait.planner.functions.signature import AggregateFunction, Function, WindowFunction


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sql(self) -> tuple[str, ...]: ...


F = TypeVar("F", bound=_Named)


def _by_name(functions: Iterable[F]) -> dict[str, F]:
    found: dict[str, F] = {}
    for function in functions:
        if function.name in found:
            raise ValueError(f"Two functions are named {function.name!r}")
        found[function.name] = function
    return found


def _with_aliases(functions: Mapping[str, F]) -> dict[str, F]:
    found = dict(functions)
    for function in functions.values():
        for alias in function.sql:
            if found.setdefault(alias, function) is not function:
                raise ValueError(f"{alias!r} names {found[alias].name!r} and {function.name!r}")
    return found


SCALARS: Mapping[str, Function] = _by_name(
    (
        *arithmetic.FUNCTIONS,
        *comparison.FUNCTIONS,
        *numeric.FUNCTIONS,
        *pandas.FUNCTIONS,
        *strings.FUNCTIONS,
        *lists.FUNCTIONS,
        *temporal.FUNCTIONS,
        *internal.FUNCTIONS,
    )
)
AGGREGATES: Mapping[str, AggregateFunction] = _by_name(
    (*aggregates.FUNCTIONS, *internal.AGGREGATES)
)
WINDOWS: Mapping[str, WindowFunction] = _by_name(windows.FUNCTIONS)

_SCALAR_NAMES = _with_aliases(SCALARS)
_AGGREGATE_NAMES = _with_aliases(AGGREGATES)
_WINDOW_NAMES = _with_aliases(WINDOWS)


def is_scalar(name: str) -> bool:
    """Whether a scalar function has this name or alias."""
    return name.lower() in _SCALAR_NAMES


def is_aggregate(name: str) -> bool:
    """Whether an aggregate function has this name or alias."""
    return name.lower() in _AGGREGATE_NAMES


def is_window(name: str) -> bool:
    """Whether a window function has this name or alias; aggregates do not count."""
    return name.lower() in _WINDOW_NAMES


def scalar(name: str) -> Function:
    """The scalar function of this name or alias; UnsupportedError if there is none."""
    return _find("function", name, _SCALAR_NAMES)


def aggregate(name: str) -> AggregateFunction:
    """The aggregate function of this name or alias; UnsupportedError if there is none."""
    return _find("aggregate function", name, _AGGREGATE_NAMES)


def window(name: str) -> WindowFunction:
    """The window function of this name or alias; UnsupportedError if there is none."""
    return _find("window function", name, _WINDOW_NAMES)


def _find(kind: str, name: str, known: Mapping[str, F]) -> F:
    found = known.get(name.lower())
    if found is not None:
        return found
    text = f"There is no {kind} {name!r}."
    everywhere = {**_SCALAR_NAMES, **_AGGREGATE_NAMES, **_WINDOW_NAMES}
    if name.lower() in everywhere:
        other = (
            "a scalar" if is_scalar(name) else "an aggregate" if is_aggregate(name) else "a window"
        )
        raise UnsupportedError(f"{text} It is {other} function.")
    close = nearest_names(name, known) or nearest_names(name, everywhere)
    if close:
        text += f" Did you mean {' or '.join(map(repr, close))}?"
    raise UnsupportedError(text)
