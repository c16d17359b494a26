"""Python functions over pandas pieces of a frame: map_partitions and apply(axis=1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plait.calling import caller
from plait.columnwise import add_function
from plait.errors import UnsupportedError
from plait.frame import Frame, Labelled, fresh_name
from plait.planner import builder
from plait.planner.schema import Field, Schema
from plait.rowfunction import FrameFunction, key_of, schema_from

if TYPE_CHECKING:
    from plait.series import Series


def map_partitions(
    frame: Frame,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    meta: Any,
) -> Frame:
    """A function from pandas frame to pandas frame, piece by piece; the index is numbered anew."""
    given = (
        [(c.label, frame.expr(c.name).dtype) for c in frame.columns]
        if meta is None
        else schema_from(meta, frame.labels)
    )
    taken: set[str] = set()
    columns, fields = [], []
    for label, dtype in given:
        column = Labelled(label, fresh_name(label, taken))
        taken.add(column.name)
        columns.append(column)
        fields.append(Field(column.name, dtype))
    function = FrameFunction(
        func,
        args,
        kwargs,
        frame.names,
        frame.labels,
        tuple((level.label, level.name) for level in frame.index),
        tuple(fields),
        tuple(label for label, _ in given),
        0,
        key_of(func, args, sorted(kwargs.items()), str(fields)),
        dict(frame.hints),
    )
    plan = builder.map_partitions(
        frame.plan, function, Schema(tuple(fields)), key=function.key, origin=caller()
    )
    return Frame(plan, tuple(columns), frame.runner)


class EachRow:
    """A function of one row as a function of a pandas frame; picklable if the function is."""

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.func, self.args = func, args
        self.__qualname__ = getattr(func, "__qualname__", type(func).__name__)

    def __call__(self, frame: Any) -> Any:
        if not len(frame):
            return []
        return [self.func(row, *self.args) for _, row in frame.iterrows()]


def apply_rows(
    frame: Frame, func: Callable[..., Any], axis: Any, dtype: Any, args: tuple[Any, ...]
) -> Series:
    """A Python function of each row, as a column of the stated type."""
    name = getattr(func, "__name__", "function")
    if axis not in (1, "columns"):
        raise UnsupportedError(
            f"apply({name}) of whole columns is not done; use agg with a name, or map_partitions"
        )
    if dtype is None:
        raise UnsupportedError(
            f"plait cannot know what {name} gives before it runs: state it, apply({name}, axis=1, "
            "dtype='float64'), or express the step as column arithmetic"
        )
    return add_function(
        frame, EachRow(func, args), [(c.label, c.name) for c in frame.columns], dtype
    )
