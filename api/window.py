"""Columns that look at neighbouring rows: shift, cumulative sums, ranks, transforms of groups.

Without an ordering of its own a window goes through its rows in the frame's order. `keys` are the
expressions of a group's keys; a row whose key is missing belongs to no group and gets a missing
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait.aggregations import reduction
from plait.calling import caller
from plait.errors import PlanError, UnsupportedError
from plait.facts import may_be_null
from plait.frame import WRAP, Frame, hidden_name
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import WHOLE_PARTITION, Bound, Expr, Literal, SortKey, WindowCall
from plait.planner.expr import Frame as RowFrame

if TYPE_CHECKING:
    from plait.series import Series

SO_FAR = RowFrame("rows", Bound(None), Bound(0))
FROM_HERE = RowFrame("rows", Bound(0), Bound(None))


def add(frame: Frame, call: WindowCall) -> tuple[Frame, Expr]:
    """The frame with a window column as a helper, and that column."""
    name = hidden_name("w", frame.plan.schema.names)
    plan = builder.window(frame.plan, [(name, call)], origin=caller())
    return frame.with_plan(plan), builder.column(plan, name)


def in_group(frame: Frame, keys: Sequence[Expr], expr: Expr) -> Expr:
    """The expression; missing where a key is."""
    nullable = [k for k in keys if may_be_null(frame.plan, k)]
    if not nullable:
        return expr
    missing = builder.call("is_null", nullable[0])
    for key in nullable[1:]:
        missing = builder.call("or", missing, builder.call("is_null", key))
    return ex.choose(missing, Literal(None, expr.dtype), expr)


def reduce_over(
    frame: Frame, how: str, expr: Expr | None, keys: Sequence[Expr], **options: Any
) -> tuple[Frame, Expr]:
    """A reduction of each group, repeated in each of its rows (transform)."""
    made = reduction(frame.plan, how, expr, **options)
    call = made.call
    window = builder.window_call(
        call.function,
        call.args,
        partition_by=keys,
        distinct=call.distinct,
        filter=call.filter,
        frame=WHOLE_PARTITION,
    )
    frame, column = add(frame, window)
    return frame, in_group(frame, keys, made.finish(column))


def shifted(
    frame: Frame, expr: Expr, keys: Sequence[Expr], periods: int, fill_value: Any = None
) -> tuple[Frame, Expr]:
    """The value `periods` rows before (after, if negative) within the group."""
    args = [expr, builder.literal(abs(periods))]
    if fill_value is not None:
        args.append(ex.adapt(ex.literal(fill_value), expr.dtype))
    name = "lag" if periods >= 0 else "lead"
    frame, column = add(frame, builder.window_call(name, args, partition_by=keys))
    return frame, in_group(frame, keys, column)


def difference(frame: Frame, expr: Expr, keys: Sequence[Expr], periods: int) -> tuple[Frame, Expr]:
    """The difference to the value `periods` rows before within the group."""
    frame, before = shifted(frame, expr, keys, periods)
    return frame, ex.arithmetic(frame.plan, "-", expr, before)


def running(frame: Frame, how: str, expr: Expr, keys: Sequence[Expr]) -> tuple[Frame, Expr]:
    """A reduction of the rows so far; missing values stay missing and do not count."""
    made = reduction(frame.plan, how, expr)
    call = builder.window_call(made.call.function, made.call.args, partition_by=keys, frame=SO_FAR)
    frame, column = add(frame, call)
    value = made.finish(column)
    if may_be_null(frame.plan, expr):
        value = ex.choose(builder.call("is_null", expr), Literal(None, value.dtype), value)
    return frame, in_group(frame, keys, value)


def numbered(frame: Frame, keys: Sequence[Expr], ascending: bool = True) -> tuple[Frame, Expr]:
    """The row's number in its group, from 0; counted from the end if not ascending."""
    frame, number = add(frame, builder.window_call("row_number", partition_by=keys))
    one = builder.literal(1)
    if ascending:
        return frame, builder.call("subtract", number, one)
    frame, count = add(
        frame, builder.window_call("count", partition_by=keys, frame=WHOLE_PARTITION)
    )
    return frame, builder.call("subtract", count, number)


def ranked(
    frame: Frame, expr: Expr, keys: Sequence[Expr], method: str, ascending: bool, pct: bool
) -> tuple[Frame, Expr]:
    """pandas' rank: a float from 1; missing values have none."""
    order = [SortKey(expr, descending=not ascending)]
    names = {"average": "rank", "min": "rank", "max": "rank", "dense": "dense_rank"}
    names["first"] = "row_number"
    if method not in names:
        raise PlanError(f"rank(method=) is one of {', '.join(names)}, not {method!r}")
    call = builder.window_call(names[method], partition_by=keys, order_by=order)
    frame, number = add(frame, call)
    value = builder.cast(number, t.DOUBLE)
    if method in ("average", "max"):
        same = builder.window_call("count", partition_by=[*keys, expr], frame=WHOLE_PARTITION)
        frame, ties = add(frame, same)
        more = builder.cast(builder.call("subtract", ties, builder.literal(1)), t.DOUBLE)
        if method == "average":
            more = builder.call("divide", more, builder.literal(2.0))
        value = builder.call("add", value, more)
    if pct:
        # the largest rank there is: how many values, or how many different ones
        largest = builder.window_call(
            "count",
            [expr],
            partition_by=keys,
            frame=WHOLE_PARTITION,
            distinct=method == "dense",
        )
        frame, most = add(frame, largest)
        value = builder.call("divide", value, builder.cast(most, t.DOUBLE))
    value = ex.choose(builder.call("is_null", expr), Literal(None, t.DOUBLE), value)
    return frame, in_group(frame, keys, value)


# ------------------------------------------------------------------------------ whole Series


def shift(series: Series, periods: int, fill_value: Any) -> Series:
    """The value some rows before."""
    frame, expr = shifted(series._frame, series._expr, (), periods, fill_value)
    return WRAP.series(frame, expr, series._label)


def diff(series: Series, periods: int) -> Series:
    """The difference to the value some rows before."""
    frame, expr = difference(series._frame, series._expr, (), periods)
    return WRAP.series(frame, expr, series._label)


def cumulative(series: Series, how: str) -> Series:
    """cumsum, cumprod, cummax, cummin."""
    frame, expr = running(series._frame, how, series._expr, ())
    return WRAP.series(frame, expr, series._label)


def rank(series: Series, method: str, ascending: bool, pct: bool) -> Series:
    """Ranks of the values."""
    frame, expr = ranked(series._frame, series._expr, (), method, ascending, pct)
    return WRAP.series(frame, expr, series._label)


def fill_direction(series: Series, function: str) -> Series:
    """ffill and bfill: the nearest value that is not missing, before or after."""
    rows = SO_FAR if function == "last_value" else FROM_HERE
    call = builder.window_call(function, [series._expr], frame=rows, ignore_nulls=True)
    frame, expr = add(series._frame, call)
    return WRAP.series(frame, expr, series._label)


def duplicated(frame: Frame, exprs: Sequence[Expr], keep: Any, label: Any = None) -> Series:
    """Whether an earlier (keep="last": a later; False: another) row has the same values."""
    if keep is False:
        call = builder.window_call("count", partition_by=exprs, frame=WHOLE_PARTITION)
        frame, count = add(frame, call)
        return WRAP.series(frame, builder.call("greater", count, builder.literal(1)), label)
    if keep not in ("first", "last"):
        raise UnsupportedError(f"keep is 'first', 'last' or False, not {keep!r}")
    frame, number = numbered(frame, exprs, ascending=keep == "first")
    return WRAP.series(frame, builder.call("greater", number, builder.literal(0)), label)
