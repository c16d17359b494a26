"""Order and choice of whole rows: sort, head, tail, the largest, one row of each kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait import window
from plait.calling import caller
from plait.errors import PlanError, UnsupportedError
from plait.frame import WRAP, Frame, hidden_name
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Column, Expr, Literal, SortKey

if TYPE_CHECKING:
    from plait.series import Series


def as_list(value: Any) -> list[Any]:
    """A label, or a list of labels, as a list. A tuple is one label."""
    return list(value) if isinstance(value, list) else [value]


def sort_values(
    frame: Frame,
    by: Any,
    ascending: bool | Sequence[bool] = True,
    na_position: str = "last",
    ignore_index: bool = False,
) -> Frame:
    """Rows in order of some columns; missing values last unless asked."""
    exprs = [sort_expr(frame, label) for label in as_list(by)]
    return sort_by(frame, exprs, ascending, na_position, ignore_index)


def sort_expr(frame: Frame, label: Hashable) -> Expr:
    """A column, or an index level, to sort by."""
    if not frame.has(label):
        for level in frame.index:
            if level.label == label and label is not None:
                return frame.expr(level.name)
    return frame.column(label)


def sort_by(
    frame: Frame,
    exprs: Sequence[Expr],
    ascending: bool | Sequence[bool] = True,
    na_position: str = "last",
    ignore_index: bool = False,
) -> Frame:
    """Rows in order of expressions."""
    ways = list(ascending) if isinstance(ascending, list | tuple) else [ascending] * len(exprs)
    if len(ways) != len(exprs):
        raise PlanError(f"ascending has {len(ways)} values for {len(exprs)} columns")
    if na_position not in ("first", "last"):
        raise PlanError(f"na_position is 'first' or 'last', not {na_position!r}")
    keys = [
        SortKey(as_ordered(frame, e), descending=not up, nulls_first=na_position == "first")
        for e, up in zip(exprs, ways, strict=True)
    ]
    result = frame.with_plan(builder.sort(frame.plan, keys, origin=caller()))
    return (
        Frame(result.plan, frame.columns, frame.runner, (), frame.hints) if ignore_index else result
    )


def as_ordered(frame: Frame, e: Expr) -> Expr:
    """What orders the values of an expression: for categories, their places among each other."""
    hint = frame.hints.get(e.name) if isinstance(e, Column) else None
    categories = list(getattr(hint, "categories", ()))
    if categories == sorted(categories):
        return e
    places = [
        (builder.call("equal", e, ex.literal(category)), builder.literal(place))
        for place, category in enumerate(categories)
    ]
    return builder.case(places, Literal(None, t.NULL))


def sort_index(frame: Frame, ascending: bool | Sequence[bool] = True) -> Frame:
    """Rows in order of the index."""
    if not frame.index:
        if ascending is True:
            return frame
        name = hidden_name("n", frame.plan.schema.names)
        frame = frame.with_plan(builder.row_number(frame.plan, name))
        return sort_by(frame, [frame.expr(name)], ascending)
    return sort_by(frame, [frame.expr(level.name) for level in frame.index], ascending)


def head(frame: Frame, n: int) -> Frame:
    """The first n rows; for a negative n all but the last -n."""
    if n >= 0:
        return frame.with_plan(builder.limit(frame.plan, n, origin=caller()))
    backwards = builder.limit(frame.plan, None, -n, from_end=True, origin=caller())
    return frame.with_plan(backwards)


def tail(frame: Frame, n: int) -> Frame:
    """The last n rows; for a negative n all but the first -n."""
    if n >= 0:
        return frame.with_plan(builder.limit(frame.plan, n, from_end=True, origin=caller()))
    return frame.with_plan(builder.limit(frame.plan, None, -n, origin=caller()))


def extreme(frame: Frame, n: int, by: Any, *, largest: bool, keep: str = "first") -> Frame:
    """nlargest and nsmallest: rows whose value is missing never count."""
    if keep != "first":
        raise UnsupportedError("nlargest and nsmallest do keep='first'; use sort_values and head")
    exprs = [frame.column(label) for label in as_list(by)]
    present = builder.filter(frame.plan, builder.call("is_not_null", exprs[0]))
    return head(sort_by(frame.with_plan(present), exprs, not largest), max(n, 0))


def distinct(frame: Frame, subset: Any, keep: Any, ignore_index: bool = False) -> Frame:
    """One row for each different value of some columns (all: of the data columns)."""
    labels = list(frame.labels) if subset is None else as_list(subset)
    names = [frame.name_of(label) for label in labels]
    return distinct_on(frame, names, keep, ignore_index)


def distinct_on(frame: Frame, names: Sequence[str], keep: Any, ignore_index: bool = False) -> Frame:
    """One row for each different value of some plan columns."""
    if keep not in ("first", "last", False):
        raise PlanError(f"keep is 'first', 'last' or False, not {keep!r}")
    how = "none" if keep is False else keep
    if ignore_index:
        frame = Frame(frame.plan, frame.columns, frame.runner, (), frame.hints)
    plan = builder.select(frame.plan, frame.kept)
    on = None if set(names) == set(plan.schema.names) and how == "first" else names
    return frame.with_plan(builder.distinct(plan, on, how, origin=caller()))


# ------------------------------------------------------------------------------ of a Series


def rows_of_series(series: Series, step: Callable[[Frame], Frame]) -> Series:
    """A step over whole frames on a Series."""
    one = series._one()
    after = step(one)
    return WRAP.series(after, after.expr(after.names[0]), series._label)


def sort_series(series: Series, ascending: bool, na_position: str) -> Series:
    """The values in order."""
    return rows_of_series(
        series, lambda one: sort_by(one, [one.expr(one.names[0])], ascending, na_position)
    )


def extreme_series(series: Series, n: int, *, largest: bool) -> Series:
    """The largest or smallest values."""
    return rows_of_series(series, lambda one: extreme(one, n, [one.labels[0]], largest=largest))


def distinct_series(series: Series, keep: Any) -> Series:
    """One row for each value."""
    return rows_of_series(series, lambda one: distinct_on(one, one.names, keep))


def duplicated_rows(frame: Frame, subset: Any, keep: Any) -> Series:
    """Whether each row has a twin before it."""
    labels = list(frame.labels) if subset is None else as_list(subset)
    return window.duplicated(frame, [frame.column(label) for label in labels], keep)
