"""Expressions: frozen, typed trees over the columns of one plan.

Every expression knows its Arrow type (`dtype`); no schema is needed to ask. They are made by
`plait.planner.builder`, which finds functions, checks arguments and inserts casts; rules rebuild
them with `transform_up`, `substitute` and `dataclasses.replace`.

`AggregateCall` and `WindowCall` are not scalar: they stand only in Aggregate and Window nodes.
Expressions that hold plans are in `plait.planner.subquery`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import pyarrow as pa

from plait.planner.tree import Tree
from plait.planner.types import BOOL, sql_name


class Expr(Tree):
    """The base of all expressions. Structural equality; no operator overloading."""

    dtype: pa.DataType

    def __str__(self) -> str:
        return text(self)

    __repr__ = __str__


Expr._family = Expr


@singledispatch
def text(expr: Expr) -> str:
    """The one text form of an expression, SQL-like; subquery expressions register their own."""
    raise NotImplementedError(type(expr).__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Column(Expr):
    """A column of the input."""

    name: str
    dtype: pa.DataType


@dataclass(frozen=True, eq=False, repr=False)
class Literal(Expr):
    """A constant: a Python value (None is NULL) with its Arrow type.

    Values by type: int, float, Decimal, str, bytes, bool, datetime.date/datetime/time/timedelta,
    pyarrow.MonthDayNano for INTERVAL, list and dict for nested types (held as tuples).
    """

    value: Any
    dtype: pa.DataType

    def __eq__(self, other: object) -> bool:
        # repr keeps 0.0 and -0.0 apart and makes NaN equal to itself
        return (
            isinstance(other, Literal)
            and self.dtype == other.dtype
            and type(self.value) is type(other.value)
            and repr(self.value) == repr(other.value)
        )

    def __hash__(self) -> int:
        return hash((repr(self.value), self.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Call(Expr):
    """A scalar function of the registry applied to arguments already of the types it takes."""

    function: str
    args: tuple[Expr, ...]
    dtype: pa.DataType


@dataclass(frozen=True, eq=False, repr=False)
class Cast(Expr):
    """A conversion; `try_` gives NULL where a value does not convert, else that raises."""

    input: Expr
    dtype: pa.DataType
    try_: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Case(Expr):
    """CASE WHEN: branches of (condition, value), all values and `otherwise` of type `dtype`."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr
    dtype: pa.DataType


@dataclass(frozen=True, eq=False, repr=False)
class SortKey(Expr):
    """One key of an ordering. NaN sorts above every number, as in DuckDB."""

    expr: Expr
    descending: bool = False
    nulls_first: bool = False

    @property
    def dtype(self) -> pa.DataType:
        return self.expr.dtype


@dataclass(frozen=True, eq=False, repr=False)
class AggregateCall(Expr):
    """An aggregate function of the registry, e.g. sum(x), count(), string_agg(x, ',' ORDER BY y).

    `count` with no arguments counts rows. `filter` limits the rows it sees.
    """

    function: str
    args: tuple[Expr, ...]
    dtype: pa.DataType
    distinct: bool = False
    filter: Expr | None = None
    order_by: tuple[SortKey, ...] = ()


@dataclass(frozen=True)
class Bound:
    """One end of a window frame: `offset` rows or peers; None means unbounded, 0 current row.

    Negative offsets precede. For RANGE the offset may be any value that can be added to the key.
    """

    offset: Any  # None | int | float | Decimal | MonthDayNano


@dataclass(frozen=True)
class Frame:
    """ROWS, RANGE or GROUPS between `start` and `end`; exclude: none, current row, group, ties."""

    unit: str  # rows | range | groups
    start: Bound
    end: Bound
    exclude: str = "none"

    def __str__(self) -> str:
        def bound(b: Bound, side: str) -> str:
            if b.offset is None:
                return f"UNBOUNDED {side}"
            if b.offset == 0:
                return "CURRENT ROW"
            return f"{b.offset!s} from CURRENT ROW"

        start, end = bound(self.start, "PRECEDING"), bound(self.end, "FOLLOWING")
        words = f"{self.unit.upper()} {start} TO {end}"
        return words if self.exclude == "none" else f"{words} EXCLUDE {self.exclude.upper()}"


WHOLE_PARTITION = Frame("rows", Bound(None), Bound(None))
RUNNING = Frame("range", Bound(None), Bound(0))


@dataclass(frozen=True, eq=False, repr=False)
class WindowCall(Expr):
    """A window or aggregate function over the rows of a partition.

    `frame` is always given (the binder fills in the default: RUNNING with an ORDER BY, else
    WHOLE_PARTITION); ranking functions ignore it.
    """

    function: str
    args: tuple[Expr, ...]
    dtype: pa.DataType
    partition_by: tuple[Expr, ...] = ()
    order_by: tuple[SortKey, ...] = ()
    frame: Frame = WHOLE_PARTITION
    distinct: bool = False
    filter: Expr | None = None
    ignore_nulls: bool = False


TRUE = Literal(True, BOOL)
FALSE = Literal(False, BOOL)


def columns_of(expr: Expr | Iterable[Expr]) -> frozenset[str]:
    """The names of all columns an expression, or several, read."""
    trees = [expr] if isinstance(expr, Expr) else list(expr)
    return frozenset(e.name for tree in trees for e in tree.walk() if isinstance(e, Column))


def substitute(expr: Any, replacements: Mapping[str, Expr]) -> Any:
    """The expression with columns replaced by name; others stay."""

    def swap(e: Expr) -> Expr:
        return replacements.get(e.name, e) if isinstance(e, Column) else e

    return expr.transform_up(swap)


def conjuncts(predicate: Expr | None) -> tuple[Expr, ...]:
    """The parts of a conjunction, left to right; TRUE and None have none."""
    found: list[Expr] = []
    stack = [predicate] if predicate is not None else []
    while stack:
        e = stack.pop()
        if isinstance(e, Call) and e.function == "and":
            stack.extend(reversed(e.args))
        elif e != TRUE:
            found.append(e)
    return tuple(found)


def conjunction(parts: Iterable[Expr]) -> Expr:
    """AND of the parts without repeats; TRUE for none."""
    return chain("and", list(dict.fromkeys(parts))) or TRUE


def chain(function: str, parts: Sequence[Expr]) -> Expr | None:
    """AND or OR of the parts, left-deep; None for none.

    A tree of many parts is balanced, for traversals recurse.
    """
    if len(parts) > 32:
        middle = len(parts) // 2
        sides = chain(function, parts[:middle]), chain(function, parts[middle:])
        assert sides[0] is not None
        assert sides[1] is not None
        return Call(function, (sides[0], sides[1]), BOOL)
    result: Expr | None = None
    for part in parts:
        result = part if result is None else Call(function, (result, part), BOOL)
    return result


_INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "modulo": "%",
    "equal": "=",
    "not_equal": "<>",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "and": "AND",
    "or": "OR",
    "is_distinct": "IS DISTINCT FROM",
    "is_not_distinct": "IS NOT DISTINCT FROM",
    "concat_operator": "||",
    "like": "LIKE",
    "ilike": "ILIKE",
}


@text.register
def _(expr: Column) -> str:
    return expr.name if expr.name.replace("_", "a").isalnum() else f'"{expr.name}"'


@text.register
def _(expr: Literal) -> str:
    value = expr.value
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float) or type(value).__name__ == "Decimal":
        return str(value)
    return f"{sql_name(expr.dtype)} '{value}'"


@text.register
def _(expr: Call) -> str:
    args = [text(a) for a in expr.args]
    match expr.function, args:
        case ("not", [x]):
            return f"NOT ({x})"
        case ("negate", [x]):
            return f"-{x}"
        case ("is_null", [x]):
            return f"{x} IS NULL"
        case ("is_not_null", [x]):
            return f"{x} IS NOT NULL"
        case ("in", [x, *values]):
            return f"{x} IN ({', '.join(values)})"
        case (name, [a, b]) if name in _INFIX:
            return f"({a} {_INFIX[name]} {b})"
    return f"{expr.function}({', '.join(args)})"


@text.register
def _(expr: Cast) -> str:
    return f"{'TRY_CAST' if expr.try_ else 'CAST'}({text(expr.input)} AS {sql_name(expr.dtype)})"


@text.register
def _(expr: Case) -> str:
    whens = " ".join(f"WHEN {text(when)} THEN {text(then)}" for when, then in expr.branches)
    return f"CASE {whens} ELSE {text(expr.otherwise)} END"


@text.register
def _(expr: SortKey) -> str:
    order = " DESC" if expr.descending else ""
    return f"{text(expr.expr)}{order}{' NULLS FIRST' if expr.nulls_first else ''}"


def _call_text(expr: AggregateCall | WindowCall) -> str:
    args = ", ".join(text(a) for a in expr.args) or ("*" if expr.function == "count" else "")
    distinct = "DISTINCT " if expr.distinct else ""
    return f"{expr.function}({distinct}{args}"


def _filter_text(expr: AggregateCall | WindowCall) -> str:
    return "" if expr.filter is None else f" FILTER (WHERE {text(expr.filter)})"


@text.register
def _(expr: AggregateCall) -> str:
    order = f" ORDER BY {', '.join(map(text, expr.order_by))}" if expr.order_by else ""
    return f"{_call_text(expr)}{order}){_filter_text(expr)}"


@text.register
def _(expr: WindowCall) -> str:
    over = []
    if expr.partition_by:
        over.append(f"PARTITION BY {', '.join(map(text, expr.partition_by))}")
    if expr.order_by:
        over.append(f"ORDER BY {', '.join(map(text, expr.order_by))}")
    if expr.frame != (RUNNING if expr.order_by else WHOLE_PARTITION):
        over.append(str(expr.frame))
    nulls = " IGNORE NULLS" if expr.ignore_nulls else ""
    return f"{_call_text(expr)}{nulls}){_filter_text(expr)} OVER ({' '.join(over)})"
