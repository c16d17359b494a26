"""Whole frames with values missing, replaced, or looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plait import columnwise
from plait import expressions as ex
from plait.calling import caller
from plait.errors import PlanError, UnsupportedError
from plait.frame import WRAP, Frame
from plait.operands import is_frame, is_series
from plait.order import as_list
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr
from plait.selection import each

if TYPE_CHECKING:
    from plait.series import Series


def fillna(frame: Frame, value: Any) -> Frame:
    """Missing values replaced; a value that is not of a column's type leaves the column."""
    if isinstance(value, Mapping):
        return each(frame, lambda s: s.fillna(value[s.name]) if s.name in value else s)
    if is_frame(value):
        other = value._frame
        return each(
            frame,
            lambda s: (
                s.fillna(WRAP.series(other, other.column(s.name), s.name))
                if other.has(s.name)
                else s
            ),
        )
    if is_series(value) or hasattr(value, "to_dict"):
        raise UnsupportedError("fillna of a frame takes a value or a mapping of column to value")
    constant = ex.literal(value)
    return each(frame, lambda s: s.fillna(value) if _fits(s, constant) else s)


def _fits(s: Series, constant: Expr) -> bool:
    if (constant.dtype == t.BOOL) != (s._expr.dtype == t.BOOL):
        return False
    return ex.comparable(s._expr, constant) and t.same_kind(s._expr.dtype, constant.dtype)


def dropna(frame: Frame, how: str, subset: Any, thresh: int | None) -> Frame:
    """Rows with few enough missing values."""
    if how not in ("any", "all"):
        raise PlanError(f"how is 'any' or 'all', not {how!r}")
    labels = list(frame.labels) if subset is None else as_list(subset)
    present = [builder.call("is_not_null", frame.column(label)) for label in labels]
    if not present:
        return frame
    plan = frame.plan
    if thresh is not None:
        one, none = builder.literal(1), builder.literal(0)
        total: Expr = builder.case([(present[0], one)], none)
        for test in present[1:]:
            total = builder.call("add", total, builder.case([(test, one)], none))
        test = builder.call("greater_equal", total, builder.literal(thresh))
        return frame.with_plan(builder.filter(plan, test, origin=caller()))
    if how == "all":
        some: Expr = present[0]
        for test in present[1:]:
            some = builder.call("or", some, test)
        return frame.with_plan(builder.filter(plan, some, origin=caller()))
    for test in present:
        plan = builder.filter(plan, test, origin=caller())
    return frame.with_plan(plan)


def where(frame: Frame, cond: Any, other: Any, *, keep: bool) -> Frame:
    """Values where a condition holds (keep) or does not, else `other`."""
    if callable(cond) and not is_series(cond) and not is_frame(cond):
        cond = cond(WRAP.dataframe(frame))

    def step(s: Series) -> Series:
        test = cond
        if is_frame(cond):
            test = WRAP.series(cond._frame, cond._frame.column(s.name), s.name)
        instead = other
        if is_frame(other):
            instead = WRAP.series(other._frame, other._frame.column(s.name), s.name)
        return s.where(test, instead) if keep else s.mask(test, instead)

    return each(frame, step)


def replace(frame: Frame, to_replace: Any, value: Any) -> Frame:
    """Values replaced in every column, or by a mapping per column."""
    nested = isinstance(to_replace, Mapping) and all(
        isinstance(v, Mapping) for v in to_replace.values()
    )
    if nested and to_replace:
        for label in to_replace:
            frame.name_of(label)
        return each(
            frame,
            lambda s: (
                columnwise.replace(s, to_replace[s.name], None) if s.name in to_replace else s
            ),
        )
    return each(frame, lambda s: columnwise.replace(s, to_replace, value))


def isin(frame: Frame, values: Any) -> Frame:
    """Where values are among others."""
    if isinstance(values, Mapping):
        return each(frame, lambda s: s.isin(values.get(s.name, [])))
    return each(frame, lambda s: s.isin(values))
