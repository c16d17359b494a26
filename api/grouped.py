"""Whole rows of groups: the first, the last, the n-th; and pandas functions of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plait import window
from plait.calling import caller
from plait.errors import UnsupportedError
from plait.frame import WRAP, Frame, Labelled, fresh_name, hidden_name
from plait.planner import builder
from plait.planner.expr import Expr
from plait.planner.schema import Field, Schema
from plait.rowfunction import FrameFunction, key_of, schema_from

if TYPE_CHECKING:
    from plait.groupby import Key, Options


def first_rows(frame: Frame, keys: Sequence[Expr], n: int, *, from_end: bool) -> Frame:
    """The first or last n rows of each group; the rows keep their order."""
    if n < 0:
        raise UnsupportedError("head and tail of groups take a number from 0")
    numbered, number = window.numbered(frame, keys, ascending=not from_end)
    test = builder.call("less", number, builder.literal(n))
    return numbered.with_plan(builder.filter(numbered.plan, test, origin=caller()))


def nth_rows(frame: Frame, keys: Sequence[Expr], n: int) -> Frame:
    """The n-th row of each group."""
    if not isinstance(n, int):
        raise UnsupportedError("nth takes one number")
    numbered, number = window.numbered(frame, keys, ascending=n >= 0)
    test = builder.call("equal", number, builder.literal(n if n >= 0 else -n - 1))
    return numbered.with_plan(builder.filter(numbered.plan, test, origin=caller()))


class EachGroup:
    """A function of one group as a function of a whole pandas frame with key columns."""

    def __init__(
        self,
        func: Callable[..., Any],
        keys: int,
        options: Options,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        series: bool,
        gives: Sequence[Any],
    ) -> None:
        self.func, self.keys, self.options = func, keys, options
        self.args, self.kwargs, self.series, self.gives = args, dict(kwargs), series, list(gives)
        self.__qualname__ = getattr(func, "__qualname__", type(func).__name__)

    def __call__(self, frame: Any) -> Any:
        keys = [frame.iloc[:, i] for i in range(self.keys)]
        data = frame.iloc[:, self.keys :]
        if self.series:
            data = data.iloc[:, 0]
        groups = data.groupby(keys, sort=self.options.sort, dropna=self.options.dropna)
        result: Any = groups.apply(self.func, *self.args, **self.kwargs)
        if not hasattr(result, "columns"):
            if result.index.nlevels > self.keys and list(result.index.levels[-1]) == self.gives:
                result = result.unstack()
            else:
                result = result.to_frame(self.gives[0])
        elif len(self.gives) == 1 and result.shape[1] != 1 and result.index.nlevels == self.keys:
            # pandas lays out one value a group as a row when the groups are Series
            result = result.stack().to_frame(self.gives[0])
        if result.index.nlevels > self.keys:
            result = result.droplevel(list(range(self.keys, result.index.nlevels)))
        return result


def apply_groups(
    frame: Frame,
    keys: Sequence[Key],
    columns: Sequence[Labelled],
    options: Options,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    meta: Any,
    *,
    series: bool,
) -> Any:
    """A pandas function of each group; the result is indexed by the keys."""
    if meta is None:
        name = getattr(func, "__name__", "function")
        raise UnsupportedError(
            f"plait cannot know what {name} gives before it runs: state its columns, "
            f"apply({name}, meta={{'column': 'float64'}}); or use agg, which needs no function"
        )
    scalar = isinstance(meta, str | type) or not hasattr(meta, "__iter__")
    stated = [(None, meta)] if scalar else None
    given = schema_from(stated if stated else meta, frame.labels)
    plan = frame.plan
    key_names = []
    for _, expr in keys:
        name = hidden_name("k", plan.schema.names)
        plan = builder.with_columns(plan, [(name, expr)])
        key_names.append(name)
    taken: set[str] = set()
    levels, fields, gives = [], [], []
    for (label, expr), _ in zip(keys, key_names, strict=True):
        level = Labelled(label, fresh_name("key" if label is None else label, taken))
        taken.add(level.name)
        levels.append(level)
        fields.append(Field(level.name, expr.dtype))
        gives.append(label)
    made = []
    for label, dtype in given:
        column = Labelled(label, fresh_name("value" if label is None else label, taken))
        taken.add(column.name)
        made.append(column)
        fields.append(Field(column.name, dtype))
        gives.append("value" if label is None else label)
    reads = tuple(c.name for c in columns)
    labels = (*(f"#{i}" for i in range(len(keys))), *(c.label for c in columns))
    wanted = gives[len(keys) :]
    body = EachGroup(func, len(keys), options, args, kwargs, series, wanted)
    function = FrameFunction(
        body,
        (),
        {},
        (*key_names, *reads),
        labels,
        tuple((i.label, i.name) for i in frame.index),
        tuple(fields),
        tuple(gives),
        len(keys),
        key_of(func, len(keys), str(fields)),
        dict(frame.hints),
    )
    plan = builder.map_partitions(
        plan, function, Schema(tuple(fields)), key=function.key, whole=True, origin=caller()
    )
    if not options.as_index:
        return WRAP.dataframe(Frame(plan, (*levels, *made), frame.runner))
    if series and len(made) == 1:
        made = [Labelled(columns[0].label, made[0].name)]
    result = Frame(plan, tuple(made), frame.runner, tuple(levels))
    if scalar or (series and len(made) == 1):
        return WRAP.series(result, result.expr(made[0].name), made[0].label)
    return WRAP.dataframe(result)
