"""Function: one entry of the registry, read by both front ends, the optimizer and the engine.

A scalar function's `resolve` looks at its (typed) arguments and answers with a `Signature`: the
types the arguments are to be cast to, and the result's type; it raises TypeMismatchError when the
arguments do not fit. The kernel of the same name is in `plait.engine.kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from plait.planner.expr import Expr


@dataclass(frozen=True)
class Signature:
    """What a call's arguments are cast to, and what it gives."""

    args: tuple[pa.DataType, ...]
    result: pa.DataType


class Nulls(Enum):
    """What a function does with NULL arguments."""

    PROPAGATE = "propagate"  # any NULL argument gives NULL
    OWN = "own"  # the kernel decides (coalesce, is_null, and, or, concat, ...)


class Volatility(Enum):
    """How often a call may be computed anew."""

    STABLE = "stable"  # equal arguments, equal results: may be folded, moved, shared
    QUERY = "query"  # constant within one query (now)
    VOLATILE = "volatile"  # new for every row (random): never folded, moved or shared


Resolve = Callable[[tuple[Expr, ...]], Signature]


@dataclass(frozen=True)
class Function:
    """A scalar function.

    name        canonical name; the kernel has the same
    resolve     argument types and result type of a call
    sql         further names by which SQL knows it
    nulls       what NULL arguments do
    volatility  whether it may be folded
    doc         one line for the function table in the docs
    """

    name: str
    resolve: Resolve
    sql: tuple[str, ...] = ()
    nulls: Nulls = Nulls.PROPAGATE
    volatility: Volatility = Volatility.STABLE
    doc: str = ""


@dataclass(frozen=True)
class AggregateFunction:
    """An aggregate function; the engine knows its partial, merge and final steps by name.

    splits      partial results of parts of a group can be merged (sum, count, min); others
                (median, mode) need all rows of a group in one place
    empty       its value over no rows is NULL unless this says otherwise ("zero": count)
    distinct_matters   DISTINCT changes the answer (not for min, max, bool_and)
    """

    name: str
    resolve: Resolve
    sql: tuple[str, ...] = ()
    splits: bool = True
    empty: str = "null"
    distinct_matters: bool = True
    doc: str = ""


@dataclass(frozen=True)
class WindowFunction:
    """A ranking or positional window function (aggregates are window functions too)."""

    name: str
    resolve: Resolve
    sql: tuple[str, ...] = ()
    uses_frame: bool = False
    doc: str = ""
