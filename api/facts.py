"""What can be told of a column without looking at its values: may it be missing, may it be NaN?

pandas knows one "missing", SQL has NULL and NaN. Frames keep to one rule: *missing is NULL, and no
frame column ever holds NaN*. What may bring NaN in (files of floats, results of SQL, a division by
what may be zero) is wrapped in `null_if_nan`; where these facts show that no NaN can come, it is
not, so that the plan stays the one that SQL makes. The facts follow a column down through the plan:

    trips[trips.fare > 0]; trips.tip / trips.fare     the filter below shows that fare is not zero

Columns of files are taken to hold finite numbers: an infinite value that a file brings and that
meets another (inf - inf, inf / inf) gives a NaN that stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import AggregateCall, Call, Case, Cast, Column, Expr, Literal, conjuncts
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Window,
)
from plait.planner.subquery import ScalarSubquery

_NOT_NULL = {
    "is_null",
    "is_not_null",
    "is_distinct",
    "is_not_distinct",
    "row_number",
    "count",
    "size",
    "nunique",
    "pandas_sum",
    "prod",
}
_ORDERINGS = {"less", "less_equal", "greater", "greater_equal", "equal"}
_NULL_IN_NULL_OUT = {
    *_ORDERINGS,
    "not_equal",
    "and",
    "or",
    "not",
    "add",
    "subtract",
    "multiply",
    "negate",
    "abs",
    "in",
    "like",
    "ilike",
    "starts_with",
    "ends_with",
    "contains",
    "lower",
    "upper",
    "length",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "quarter",
    "isodow",
    "isoyear",
    "week",
    "dayofyear",
    "dayname",
    "monthname",
    "substring",
    "pandas_slice",
    "pandas_floor_time",
}
# joins in which no row of a side has NULL where the side has none
_KEEP_LEFT = ("inner", "cross", "semi", "anti", "left", "mark", "single")
_KEEP_RIGHT = ("inner", "cross", "right")
# calls whose result is finite for finite arguments
_FINITE = {"add", "subtract", "multiply", "negate", "abs", "round", "pandas_round", "coalesce"}


def _trace(plan: LogicalPlan, name: str) -> tuple[LogicalPlan, Expr | None, bool]:
    """Follow a column down: the plan that makes it, its expression, whether a join pads it."""
    padded = False
    while True:
        match plan:
            case Project(input=below, columns=columns):
                expr = dict(columns)[name]
                if not isinstance(expr, Column):
                    return below, expr, padded
                plan, name = below, expr.name
            case Aggregate(input=below, keys=keys, aggregates=aggregates):
                expr = dict((*keys, *aggregates))[name]
                if not isinstance(expr, Column):
                    return below, expr, padded
                plan, name = below, expr.name
            case Window(input=below, calls=calls):
                made = dict(calls)
                if name in made:
                    return below, made[name], padded
                plan = below
            case RowNumber(input=below, name=number):
                if name == number:
                    return plan, None, padded
                plan = below
            case (
                Filter(input=below) | Sort(input=below) | Limit(input=below) | Distinct(input=below)
            ):
                plan = below
            case Join(left=left, right=right, kind=kind, mark=mark):
                if name == mark:
                    return plan, None, padded
                on_left = name in left.schema
                padded |= kind == "full" or kind == ("right" if on_left else "left")
                padded |= kind == "single" and not on_left
                plan = left if on_left else right
            case _:
                return plan, Column(name, plan.schema[name].type), padded


def _filters(plan: LogicalPlan, name: str, test: Callable[[Expr, str], bool]) -> bool:
    """Whether a filter at or below `plan`, on the way of the column, passes the test."""
    while True:
        match plan:
            case Filter(input=below, predicate=predicate):
                if any(test(part, name) for part in conjuncts(predicate)):
                    return True
                plan = below
            case Project(input=below, columns=columns):
                expr = dict(columns)[name]
                if not isinstance(expr, Column):
                    return False
                plan, name = below, expr.name
            case Sort(input=below) | Limit(input=below) | Distinct(input=below):
                plan = below
            case Window(input=below) if name in below.schema:
                plan = below
            case RowNumber(input=below) if name in below.schema:
                plan = below
            case Join(left=left, kind=kind) if name in left.schema and kind in _KEEP_LEFT:
                plan = left
            case Join(right=right, kind=kind) if name in right.schema and kind in _KEEP_RIGHT:
                plan = right
            case _:
                return False


def _unwrapped(part: Expr) -> Expr:
    """A condition without the `coalesce(..., FALSE)` that makes it two-valued."""
    match part:
        case Call(function="coalesce", args=(inner, Literal(value=False))):
            return inner
        case _:
            return part


def _demands_value(part: Expr, name: str) -> bool:
    """Whether a condition is never true where the column is NULL."""
    match _unwrapped(part):
        case Call(function="is_not_null" | "in", args=(Column(name=found), *_)):
            return found == name
        case Call(function=function, args=args) if function in _ORDERINGS | {"not_equal"}:
            return any(isinstance(a, Column) and a.name == name for a in args)
    return False


def _demands_nonzero(part: Expr, name: str) -> bool:
    match _unwrapped(part):
        case Call(function=function, args=(Column(name=found), Literal(value=value))):
            if found != name or (not isinstance(value, int | float) and not hasattr(value, "sign")):
                return False
            number = float(value)
            return (
                (function == "greater" and number >= 0)
                or (function == "greater_equal" and number > 0)
                or (function == "less" and number <= 0)
                or (function == "less_equal" and number < 0)
                or (function == "not_equal" and number == 0)
                or (function == "equal" and number != 0)
            )
    return False


def may_be_null(plan: LogicalPlan, expr: Expr) -> bool:
    """Whether an expression over the plan's columns may be NULL somewhere."""
    match expr:
        case Literal(value=value):
            return value is None
        case Column(name=name):
            if _filters(plan, name, _demands_value):
                return False
            below, made, padded = _trace(plan, name)
            if padded:
                return True
            if made is None:
                return False
            if isinstance(made, Column):
                return below.schema[made.name].nullable
            return may_be_null(below, made)
        case Call(function="coalesce", args=args):
            return all(may_be_null(plan, a) for a in args)
        case Call(function=function) if function in _NOT_NULL:
            return False
        case AggregateCall(function=function) if function in _NOT_NULL:
            return False
        case Call(function=function, args=args) if function in _NULL_IN_NULL_OUT:
            return any(may_be_null(plan, a) for a in args)
        case Cast(input=inner, try_=False):
            return may_be_null(plan, inner)
        case Case(branches=branches, otherwise=otherwise):
            return any(may_be_null(plan, v) for v in (*(v for _, v in branches), otherwise))
    return True


def presence(plan: LogicalPlan, expr: Expr) -> list[Expr]:
    """Conditions that together say that the expression is not NULL; none if it never is.

    As near to the columns as possible: `hour(t) IS NOT NULL` is `t IS NOT NULL`.
    """
    match expr:
        case Call(function=function, args=args) if function in _NULL_IN_NULL_OUT - {"and", "or"}:
            return [part for a in args for part in presence(plan, a)]
        case Cast(input=inner, try_=False):
            return presence(plan, inner)
    if not may_be_null(plan, expr):
        return []
    return [builder.call("is_not_null", expr)]


def may_be_zero(plan: LogicalPlan, expr: Expr) -> bool:
    """Whether a number may be zero somewhere."""
    match expr:
        case Literal(value=value):
            return value is None or float(value) == 0
        case Column(name=name):
            if _filters(plan, name, _demands_nonzero):
                return False
            below, made, _ = _trace(plan, name)
            return made is None or isinstance(made, Column) or may_be_zero(below, made)
        case Cast(input=inner):
            return may_be_zero(plan, inner) or t.is_integer(expr.dtype)
    return True


def may_be_infinite(plan: LogicalPlan, expr: Expr) -> bool:
    """Whether a float may be infinite somewhere (columns of stored tables are taken not to be)."""
    if not t.is_float(expr.dtype):
        return False
    match expr:
        case Literal(value=value):
            return value is not None and abs(value) == float("inf")
        case Column(name=name):
            below, made, _ = _trace(plan, name)
            if made is None or isinstance(made, Column):
                return False
            return may_be_infinite(below, made)
        case Cast(input=inner):
            return may_be_infinite(plan, inner)
        case Call(function="divide", args=(a, b)):
            return may_be_zero(plan, b) or may_be_infinite(plan, a)
        case Call(function=function, args=args) if function in _FINITE:
            return any(may_be_infinite(plan, a) for a in args)
        case Case(branches=branches, otherwise=otherwise):
            values = (*(v for _, v in branches), otherwise)
            return any(may_be_infinite(plan, v) for v in values)
        case AggregateCall(args=args) | Call(function="null_if_nan", args=args):
            return any(may_be_infinite(plan, a) for a in args)
        case ScalarSubquery(plan=inner):
            return may_be_infinite(inner, Column(inner.schema.names[0], expr.dtype))
    return True


def may_be_nan(plan: LogicalPlan, expr: Expr) -> bool:
    """Whether a float may be NaN somewhere."""
    if not t.is_float(expr.dtype):
        return False
    match expr:
        case Literal(value=value):
            return value is not None and value != value
        case Column(name=name):
            below, made, _ = _trace(plan, name)
            if made is None:
                return False
            if isinstance(made, Column):
                return _source_has_nan(below)
            return may_be_nan(below, made)
        case Cast(input=inner):
            return may_be_nan(plan, inner) or t.is_string(inner.dtype)
        case Call(function="null_if_nan"):
            return False
        case Call(function="divide", args=(a, b)):
            return (
                may_be_zero(plan, b)
                or any(may_be_nan(plan, x) for x in (a, b))
                or (may_be_infinite(plan, a) and may_be_infinite(plan, b))
            )
        case Call(function=function, args=args) if function in _FINITE:
            infinite = function in ("add", "subtract", "multiply")
            return any(may_be_nan(plan, a) or (infinite and may_be_infinite(plan, a)) for a in args)
        case Case(branches=branches, otherwise=otherwise):
            return any(may_be_nan(plan, v) for v in (*(v for _, v in branches), otherwise))
        case AggregateCall(args=args):
            return any(may_be_nan(plan, a) or may_be_infinite(plan, a) for a in args)
        case ScalarSubquery(plan=inner):
            return may_be_nan(inner, Column(inner.schema.names[0], expr.dtype))
    return True


def _source_has_nan(plan: LogicalPlan) -> bool:
    """Whether floats of a stored table may be NaN; sources that read NaN as NULL say so."""
    match plan:
        case Scan(source=source):
            return bool(getattr(source, "may_hold_nan", True))
        case Union(inputs=inputs):
            return any(may_be_nan(i, Column(f.name, f.type)) for i in inputs for f in i.schema)
    return True
