"""One reduction by its pandas name, as an aggregate call and what is done with its value after.

    sum     of nothing is 0; integers stay integers; float32 stays float32; booleans are counted
    mean    of integers, booleans and decimals is a float
    std/var of one value is missing (ddof=1); ddof=0 divides by n
    first   the first value that is not missing; size counts rows, count values
    any/all by Python's truth; of nothing False and True

`Reduction.call` stands in an Aggregate (or, by `window`, over a window); `finish` turns its column
into the value pandas gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from plait.errors import PlanError, TypeMismatchError, UnsupportedError, nearest_names
from plait.expressions import truth
from plait.facts import may_be_null
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, TRUE, AggregateCall, Expr
from plait.planner.logical import LogicalPlan

Finish = Callable[[Expr], Expr]

NAMES = [
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "var",
    "sem",
    "count",
    "size",
    "nunique",
    "median",
    "quantile",
    "prod",
    "any",
    "all",
    "first",
    "last",
    "skew",
    "kurt",
    "list",
]
_ALIASES = {"average": "mean", "avg": "mean", "amin": "min", "amax": "max", "len": "size"}
_ALIASES |= {"product": "prod", "kurtosis": "kurt", "nansum": "sum", "nanmean": "mean"}


@dataclass(frozen=True)
class Reduction:
    """An aggregate call and the step from its value to pandas' answer."""

    call: AggregateCall
    finish: Finish


def name_of(how: Any) -> str:
    """The name of a reduction given as a text, a builtin (`sum`, `max`) or a numpy function."""
    name = how if isinstance(how, str) else getattr(how, "__name__", None)
    name = _ALIASES.get(name, name) if name else None
    if name in NAMES and (
        isinstance(how, str) or getattr(how, "__module__", "") in ("builtins", "numpy", None)
    ):
        return str(name)
    if callable(how):
        raise UnsupportedError(
            f"agg with a Python function ({getattr(how, '__name__', how)!r}) is not done lazily; "
            f"use one of {', '.join(NAMES)}, or groupby(...).apply(function, meta=...)"
        )
    near = nearest_names(str(how), NAMES)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise PlanError(f"There is no aggregation {how!r}.{hint} There are {', '.join(NAMES)}")


def _same(expr: Expr) -> Expr:
    return expr


def _to(dtype: pa.DataType) -> Finish:
    return lambda expr: builder.cast(expr, dtype)


def _or(value: Expr) -> Finish:
    return lambda expr: builder.call("coalesce", expr, value)


def applies(how: str, dtype: pa.DataType) -> bool:
    """Whether a reduction has a meaning for values of this type (what numeric_only leaves out)."""
    number = t.is_numeric(dtype) or dtype in (t.BOOL, t.NULL) or t.is_duration(dtype)
    match how:
        case "sum" | "prod" | "std" | "var" | "sem" | "skew" | "kurt":
            return number
        case "mean" | "median" | "quantile":
            return number or t.is_temporal(dtype)
    return True


def _number(how: str, expr: Expr) -> Expr:
    if not applies(how, expr.dtype):
        raise TypeMismatchError(
            f"{how} has no meaning for {t.sql_name(expr.dtype)} ({expr}); choose the numeric "
            "columns, or pass numeric_only=True"
        )
    return builder.cast(expr, t.INT64) if expr.dtype == t.BOOL else expr


def reduction(
    plan: LogicalPlan,
    how: str,
    expr: Expr | None,
    *,
    grouped: bool = False,
    ddof: int = 1,
    q: float = 0.5,
    interpolation: str = "linear",
    min_count: int = 0,
) -> Reduction:
    """The reduction `how` of an expression over the plan's rows (`size` needs none)."""
    if how == "size" or expr is None:
        return Reduction(builder.aggregate_call("count"), _same)
    is_float32 = expr.dtype == t.FLOAT
    back: Finish = _to(t.FLOAT) if is_float32 else _same
    match how:
        case "sum":
            return _sum(plan, expr, grouped, min_count)
        case "prod":
            return Reduction(builder.aggregate_call("prod", [_number(how, expr)]), back)
        case "mean":
            return Reduction(builder.aggregate_call("avg", [_number(how, expr)]), back)
        case "median":
            return Reduction(builder.aggregate_call("median", [_number(how, expr)]), back)
        case "quantile":
            return Reduction(_quantile(_number(how, expr), q, interpolation), back)
        case "std" | "var" | "sem":
            return Reduction(_spread(how, _number(how, expr), ddof), back)
        case "skew" | "kurt":
            name = {"skew": "skewness", "kurt": "kurtosis"}[how]
            return Reduction(builder.aggregate_call(name, [_number(how, expr)]), back)
        case "nunique":
            return Reduction(builder.aggregate_call("count", [expr], distinct=True), _same)
        case "any":
            return Reduction(builder.aggregate_call("bool_or", [truth(plan, expr)]), _or(FALSE))
        case "all":
            return Reduction(builder.aggregate_call("bool_and", [truth(plan, expr)]), _or(TRUE))
        case "first" | "last":
            return Reduction(builder.aggregate_call(f"pandas_{how}", [expr]), _same)
        case "list":
            return Reduction(builder.aggregate_call("array_agg", [expr]), _same)
    return Reduction(builder.aggregate_call(how, [expr]), _same)  # min, max, count


def _sum(plan: LogicalPlan, expr: Expr, grouped: bool, min_count: int) -> Reduction:
    argument = _number("sum", expr)
    if min_count not in (0, 1):
        raise UnsupportedError("sum(min_count=) is 0 (nothing sums to 0) or 1 (to missing)")
    # a group has rows: its sum is never of nothing unless values are missing
    plainly = min_count == 1 or (grouped and not may_be_null(plan, argument))
    call = builder.aggregate_call("sum" if plainly else "pandas_sum", [argument])
    if t.is_integer(expr.dtype) and pa.types.is_unsigned_integer(expr.dtype):
        return Reduction(call, _to(t.UINT64))
    return Reduction(call, _to(t.FLOAT) if expr.dtype == t.FLOAT else _same)


def _spread(how: str, expr: Expr, ddof: int) -> AggregateCall:
    if ddof not in (0, 1) or (how == "sem" and ddof != 1):
        raise UnsupportedError(f"{how}(ddof={ddof}) is not done by plait; ddof is 0 or 1")
    name = {
        ("std", 1): "stddev",
        ("std", 0): "stddev_pop",
        ("var", 1): "variance",
        ("var", 0): "var_pop",
        ("sem", 1): "pandas_sem",
    }[how, ddof]
    return builder.aggregate_call(name, [expr])


def _quantile(expr: Expr, q: float, interpolation: str) -> AggregateCall:
    if not 0 <= q <= 1:
        raise PlanError(f"A quantile lies between 0 and 1, not at {q}")
    if interpolation != "linear":
        raise UnsupportedError("quantile(interpolation=) is 'linear' in plait")
    return builder.aggregate_call("quantile_cont", [expr, builder.literal(float(q))])
