"""Frames in another shape: index to columns and back, frames stacked, columns converted."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from plait import expressions as ex
from plait.calling import caller
from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.frame import WRAP, Frame, Labelled, check_unique, fresh_name, hidden_name
from plait.operands import is_frame, is_series, over
from plait.order import as_list
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr, Literal
from plait.planner.logical import LogicalPlan, Named


def set_index(frame: Frame, keys: Any, drop: bool, append: bool) -> Frame:
    """Columns (or Series with the same rows) as the index."""
    chosen = as_list(keys)
    levels = list(frame.index) if append else []
    columns = list(frame.columns)
    for key in chosen:
        if is_series(key):
            frame, (expr,) = over(frame, key)
            name = hidden_name("i", frame.plan.schema.names)
            frame = frame.with_plan(builder.with_columns(frame.plan, [(name, expr)]))
            levels.append(Labelled(key._label, name))
            continue
        levels.append(Labelled(key, frame.name_of(key)))
        if drop:
            columns = [c for c in columns if c.label != key]
    return replace(frame, columns=tuple(columns), index=tuple(levels))


def reset_index(frame: Frame, level: Any, drop: bool, names: Any) -> Frame:
    """The index as the first columns; rows numbered anew."""
    if not frame.index:
        if drop:
            return frame
        name = fresh_name("index", frame.plan.schema.names)
        numbered = builder.row_number(frame.plan, name)
        label = names if names is not None else "index"
        check_unique([label, *frame.labels])
        return replace(frame.with_plan(numbered), columns=(Labelled(label, name), *frame.columns))
    chosen = _levels(frame, level)
    rest = tuple(i for i in frame.index if i not in chosen)
    if drop:
        return replace(frame, index=rest)
    labels = (
        as_list(names)
        if names is not None
        else [
            _level_label(i, n, len(frame.index)) for n, i in enumerate(frame.index) if i in chosen
        ]
    )
    added = [Labelled(label, i.name) for label, i in zip(labels, chosen, strict=True)]
    for column in added:
        if frame.has(column.label):
            raise PlanError(
                f"reset_index cannot make a column {column.label!r}: there is one; rename it, or "
                "use reset_index(drop=True)"
            )
    return replace(frame, columns=(*added, *frame.columns), index=rest)


def _levels(frame: Frame, level: Any) -> list[Labelled]:
    if level is None:
        return list(frame.index)
    found = []
    for one in as_list(level):
        match = [i for n, i in enumerate(frame.index) if one in (i.label, n)]
        if not match:
            raise PlanError(f"The index has no level {one!r}")
        found.append(match[0])
    return found


def _level_label(level: Labelled, number: int, count: int) -> Hashable:
    if level.label is not None:
        return level.label  # type: ignore[no-any-return]
    return "index" if count == 1 else f"level_{number}"


def rename_axis(frame: Frame, index: Any) -> Frame:
    """The index under new names."""
    names = as_list(index) if not isinstance(index, tuple) else list(index)
    if not frame.index:
        name = hidden_name("n", frame.plan.schema.names)
        numbered = frame.with_plan(builder.row_number(frame.plan, name))
        frame = replace(numbered, index=(Labelled(None, name),))
    if len(names) != len(frame.index):
        raise PlanError(f"The index has {len(frame.index)} levels, not {len(names)}")
    levels = [Labelled(n, i.name) for n, i in zip(names, frame.index, strict=True)]
    return replace(frame, index=tuple(levels))


# ---------------------------------------------------------------------------------------- concat


def concat(
    objs: Iterable[Any], *, axis: Any = 0, join: str = "outer", ignore_index: bool = False
) -> Any:
    """Frames (or Series) one below the other.

    Parameters
    ----------
    objs : list of DataFrame or Series
        Columns go by label; where a frame has no such column its rows get missing values.
    axis : 0
        Frames beside each other are not done: merge them on a key.
    join : {"outer", "inner"}
        All columns, or those that every frame has.
    ignore_index : bool
        Number the rows anew. Frames that came from files have no index and are always numbered
        anew.

    Returns
    -------
    DataFrame, or Series if all are
    """
    if isinstance(objs, Mapping):
        raise UnsupportedError("concat of a mapping is not done; assign the key as a column first")
    listed = list(objs)
    if not listed:
        raise PlanError("concat needs at least one frame")
    if axis not in (0, "index"):
        raise UnsupportedError(
            "concat(axis=1) lines rows up by position, which lazy frames do not have; "
            "merge on a key, or assign the columns"
        )
    for one in listed:
        if not (is_frame(one) or is_series(one)):
            raise TypeMismatchError(
                f"concat needs plait frames, not {type(one).__name__}; use plait.from_pandas first"
            )
    if all(is_series(one) for one in listed):
        labels = {one._label for one in listed}
        label = labels.pop() if len(labels) == 1 else None
        frames = [one.rename(label)._one() for one in listed]
        made = stack(frames, join, ignore_index)
        return WRAP.series(made, made.expr(made.names[0]), label)
    frames = [one._one() if is_series(one) else one._frame for one in listed]
    return WRAP.dataframe(stack(frames, join, ignore_index))


def stack(frames: list[Frame], join: str, ignore_index: bool) -> Frame:
    """Frames below one another, columns by label."""
    if join not in ("outer", "inner"):
        raise PlanError(f"join is 'outer' or 'inner', not {join!r}")
    labels = list(dict.fromkeys(label for frame in frames for label in frame.labels))
    if join == "inner":
        labels = [label for label in labels if all(frame.has(label) for frame in frames)]
    taken: set[str] = set()
    columns: list[Labelled] = []
    for label in labels:
        column = Labelled(label, fresh_name("value" if label is None else label, taken))
        taken.add(column.name)
        columns.append(column)
    keeps = not ignore_index and any(frame.index for frame in frames)
    index: list[Labelled] = []
    if keeps:
        frames = [_with_index(frame) for frame in frames]
        widths = {len(frame.index) for frame in frames}
        if len(widths) > 1:
            raise PlanError("The frames have indexes of different depth; use ignore_index=True")
        for number, level in enumerate(frames[0].index):
            same = all(frame.index[number].label == level.label for frame in frames)
            name = hidden_name("i", {*taken, *(i.name for i in index)})
            index.append(Labelled(level.label if same else None, name))
    types = {label: _common(frames, label) for label in labels}
    plans: list[LogicalPlan] = []
    for frame in frames:
        named: list[Named] = []
        for column in columns:
            kind = types[column.label]
            expr: Expr = (
                builder.coerce(frame.column(column.label), kind)
                if frame.has(column.label)
                else Literal(None, kind)
            )
            named.append((column.name, expr))
        own = [frame.expr(i.name) for i in frame.index] if keeps else []
        for level, expr in zip(index, own, strict=True):
            named.append((level.name, expr))
        plans.append(builder.project(frame.plan, named))
    plan = builder.union(plans, origin=caller())
    hints = _common_hints(frames, columns)
    return Frame(plan, tuple(columns), frames[0].runner, tuple(index), hints)


def _common_hints(frames: list[Frame], columns: list[Labelled]) -> dict[str, Any]:
    hints = {}
    for column in columns:
        found = {
            str(frame.hints.get(frame.name_of(column.label)))
            for frame in frames
            if frame.has(column.label)
        }
        first = next(frame for frame in frames if frame.has(column.label))
        hint = first.hints.get(first.name_of(column.label))
        if hint is not None and len(found) == 1:
            hints[column.name] = hint
    return hints


def _with_index(frame: Frame) -> Frame:
    if frame.index:
        return frame
    name = hidden_name("n", frame.plan.schema.names)
    numbered = frame.with_plan(builder.row_number(frame.plan, name))
    return replace(numbered, index=(Labelled(None, name),))


def _common(frames: list[Frame], label: Hashable) -> pa.DataType:
    kind = t.NULL
    for frame in frames:
        if not frame.has(label):
            continue
        other = frame.column(label).dtype
        numbers = all(t.is_integer(x) or t.is_float(x) for x in (kind, other))
        common = ex.promoted(kind, other) if numbers else t.common_type(kind, other)
        if common is None or (t.BOOL in (kind, other) and kind != other and kind != t.NULL):
            raise TypeMismatchError(
                f"Column {label!r} is {t.sql_name(kind)} in one frame and {t.sql_name(other)} in "
                "another; use astype on one of them"
            )
        kind = common
    return kind


# ----------------------------------------------------------------------------------- conversions


def to_datetime(
    arg: Any,
    format: str | None = None,  # noqa: A002
    errors: str = "raise",
    unit: str | None = None,
) -> Any:
    """A Series of texts (or of numbers since 1970, with `unit`) as timestamps.

    Parameters
    ----------
    arg : Series
    format : str, optional
        As strptime writes it; without it ISO 8601 is expected.
    errors : {"raise", "coerce"}
        What happens to a text that is no time: an error, or a missing value.
    unit : {"s", "ms", "us", "ns"}, optional
    """
    if not is_series(arg):
        raise TypeMismatchError("to_datetime takes a plait Series")
    expr: Expr = arg._expr
    lenient = _errors(errors)
    if t.is_string(expr.dtype):
        if format is not None and not format.upper().startswith("ISO"):
            name = "try_strptime" if lenient else "strptime"
            return arg._new(builder.call(name, expr, builder.literal(format)))
        return arg._new(builder.cast(expr, t.TIMESTAMP, try_=lenient))
    if t.is_integer(expr.dtype):
        kind = pa.timestamp(unit or "ns")
        return arg._new(builder.cast(builder.cast(expr, t.INT64), kind))
    return arg._new(builder.cast(expr, t.TIMESTAMP) if t.is_date(expr.dtype) else expr)


def to_numeric(arg: Any, errors: str = "raise") -> Any:
    """A Series of texts as float64.

    Parameters
    ----------
    arg : Series
    errors : {"raise", "coerce"}
        What happens to a text that is no number: an error, or a missing value.
    """
    if not is_series(arg):
        raise TypeMismatchError("to_numeric takes a plait Series")
    expr: Expr = arg._expr
    lenient = _errors(errors)
    if not t.is_string(expr.dtype):
        return arg
    return arg._new(ex.no_nan(arg._frame.plan, builder.cast(expr, t.DOUBLE, try_=lenient)))


def _errors(errors: str) -> bool:
    if errors not in ("raise", "coerce"):
        raise PlanError(f"errors is 'raise' or 'coerce', not {errors!r}")
    return errors == "coerce"
