"""Columns and masks: df["x"], df[mask], df["c"] = ..., assign, rename, drop, astype, loc."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait.advice import unknown_attribute
from plait.calling import caller
from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.frame import WRAP, Frame, Labelled, check_unique, fresh_name
from plait.operands import is_frame, is_series, over
from plait.order import as_list, head
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr
from plait.rowwise import combine

if TYPE_CHECKING:
    from plait.dataframe import DataFrame
    from plait.series import Series


def get(df: DataFrame, key: Any) -> Any:
    """df[key]: a label, a list of labels, a mask, or a slice from the start."""
    frame = df._frame
    if is_series(key):
        return WRAP.dataframe(masked(frame, key))
    if is_frame(key):
        return WRAP.dataframe(missing_where(frame, key))
    if isinstance(key, slice):
        return WRAP.dataframe(_sliced(frame, key))
    if isinstance(key, list) or type(key).__name__ in ("Index", "ndarray", "MultiIndex"):
        labels = list(key)
        if labels and all(isinstance(x, bool) for x in labels):
            raise UnsupportedError(
                "A list of booleans is no mask here; use a condition: df[df.x > 0]"
            )
        return WRAP.dataframe(frame.select(labels))
    if callable(key) and not frame.has(key):
        return get(df, key(df))
    return column(frame, key)


def column(frame: Frame, label: Hashable) -> Any:
    """A column as a Series; of tuple labels, all that begin with this one as a frame."""
    if not frame.has(label):
        inner = [c for c in frame.columns if isinstance(c.label, tuple) and c.label[0] == label]
        if inner:
            cut = [
                Labelled(c.label[1] if len(c.label) == 2 else c.label[1:], c.name) for c in inner
            ]
            return WRAP.dataframe(replace(frame, columns=tuple(cut)))
    return WRAP.series(frame, frame.column(label), label)


def _sliced(frame: Frame, key: slice) -> Frame:
    if key.step is None and isinstance(key.stop, int | None) and isinstance(key.start, int | None):
        start, stop = key.start or 0, key.stop
        if start >= 0 and (stop is None or stop >= 0):
            count = None if stop is None else max(0, stop - start)
            return frame.with_plan(builder.limit(frame.plan, count, start, origin=caller()))
        if start == 0 and stop is not None:
            return head(frame, stop)
    raise UnsupportedError(
        "Of slices only df[a:b] with plain numbers is done; use head(n), tail(n) or a mask"
    )


def masked(frame: Frame, mask: Series) -> Frame:
    """The rows for which a boolean Series with the same rows is true."""
    wide, (test,) = combine(frame, [(mask._frame, mask._expr)], carry=True)
    if test.dtype != t.BOOL:
        raise TypeMismatchError(
            f"A mask needs booleans, not {t.sql_name(test.dtype)}; to choose columns by name give "
            "a list: df[['a', 'b']]"
        )
    predicate = ex.two_valued(wide.plan, test)
    return _narrowed(wide.with_plan(builder.filter(wide.plan, predicate, origin=caller())), frame)


def _narrowed(wide: Frame, frame: Frame) -> Frame:
    """Without helper columns that `wide` has and `frame` had not."""
    if wide.plan.schema.names == frame.plan.schema.names:
        return wide
    return wide.with_plan(builder.select(wide.plan, frame.kept))


def missing_where(frame: Frame, mask: DataFrame) -> Frame:
    """df[df > 0]: values where the mask's column does not hold become missing."""
    pairs = [
        (c, WRAP.series(mask._frame, mask._frame.column(c.label), c.label))
        for c in frame.columns
        if mask._frame.has(c.label)
    ]
    tests = {c.label: s for c, s in pairs}
    return each(frame, lambda s: s.where(tests[s.name]) if s.name in tests else s)


def each(frame: Frame, step: Callable[[Series], Series]) -> Frame:
    """A row-wise step on every column."""
    made = [(c, step(WRAP.series(frame, frame.expr(c.name), c.label))) for c in frame.columns]
    wide, exprs = combine(frame, [(s._frame, s._expr) for _, s in made])
    return wide.project([(c, e) for (c, _), e in zip(made, exprs, strict=True)])


def operate(
    frame: Frame, sign: str, other: Any, reflected: bool = False, fill_value: Any = None
) -> Frame:
    """`df sign other` for every column; the columns of another frame go by label."""

    def step(s: Series) -> Series:
        beside = other
        if is_frame(other):
            beside = WRAP.series(other._frame, other._frame.column(s.name), s.name)
        elif is_series(other):
            raise UnsupportedError(
                f"frame {sign} series pairs labels with the series' index in pandas; write the "
                "columns out: df.assign(a=df.a * s)"
            )
        if fill_value is not None:
            return s._named(sign, beside, fill_value)
        made: Series = s._operate(sign, beside, reflected)
        return made

    if is_frame(other) and set(other._frame.labels) != set(frame.labels):
        raise PlanError(
            "Two frames are combined column by column and need the same columns; choose them: "
            "a[['x']] + b[['x']]"
        )
    return each(frame, step)


# ------------------------------------------------------------------------------- assignment


def put(frame: Frame, key: Any, value: Any) -> Frame:
    """df[key] = value."""
    if is_series(key) or is_frame(key):
        raise UnsupportedError(
            "Assigning to rows is not done in place; write df['x'] = df.x.mask(condition, value)"
        )
    if isinstance(key, list):
        if is_frame(value):
            values = [
                WRAP.series(value._frame, value._frame.column(label), label)
                for label in value._frame.labels
            ]
        elif isinstance(value, list | tuple):
            values = list(value)
        else:
            values = [value] * len(key)
        if len(values) != len(key):
            raise PlanError(f"{len(key)} columns cannot take {len(values)} values")
        for label, one in zip(key, values, strict=True):
            frame = put(frame, label, one)
        return frame
    if callable(value) and not is_series(value):
        raise TypeMismatchError(f"df[{key!r}] = takes a value; functions are for assign")
    wide, (expr,) = over(frame, value, carry=True)
    if not is_series(value):
        expr = _constant_type(expr)
    return wide.assign([(key, expr)])


def _constant_type(expr: Expr) -> Expr:
    """A column of a Python integer is int64 in pandas; one of None is float."""
    if expr.dtype == t.INT32:
        return builder.coerce(expr, t.INT64)
    return expr


def assign(frame: Frame, columns: Mapping[str, Any]) -> Frame:
    """df.assign(...): each sees those before it."""
    for label, value in columns.items():
        if callable(value) and not is_series(value):
            value = value(WRAP.dataframe(frame))
        frame = put(frame, label, value)
    return frame


def set_attribute(frame: Frame, name: str, value: Any) -> Frame:
    """df.x = value: only for columns there are, as a typing mistake would go unseen."""
    if not frame.has(name):
        raise AttributeError(
            f"There is no column {name!r} to assign to; a new column is made by df[{name!r}] = ..."
        )
    return put(frame, name, value)


def attribute(frame: Frame, name: str, kind: type) -> Any:
    """df.x: a column."""
    if not name.startswith("__") and frame.has(name):
        return column(frame, name)
    public = () if name.startswith("_") else (*dir(kind), *map(str, frame.labels))
    raise unknown_attribute("DataFrame", name, public)


# ------------------------------------------------------------------------------- labels, types


def drop(frame: Frame, labels: Sequence[Hashable]) -> Frame:
    """Without some columns."""
    for label in labels:
        if not frame.has(label):
            raise frame.missing(label)
    return frame.select([label for label in frame.labels if label not in labels])


def drop_checked(frame: Frame, labels: Any, axis: Any, columns: Any, errors: str) -> Frame:
    """df.drop in pandas' forms."""
    if columns is None:
        if axis not in (1, "columns"):
            raise UnsupportedError(
                "Dropping rows by label is not done; keep the others by a mask: df[df.key != value]"
            )
        columns = labels
    listed = as_list(columns) if not isinstance(columns, tuple | set) else list(columns)
    if errors == "ignore":
        listed = [label for label in listed if frame.has(label)]
    return drop(frame, listed)


def rename(frame: Frame, mapper: Any, columns: Any, axis: Any) -> Frame:
    """New labels by a mapping or a function; the plan's columns follow."""
    if columns is None:
        if axis not in (1, "columns"):
            raise UnsupportedError("Renaming the index is done by rename_axis; say columns={...}")
        columns = mapper
    change = columns if callable(columns) else lambda label: columns.get(label, label)
    return relabelled(frame, [change(label) for label in frame.labels])


def relabelled(frame: Frame, labels: Sequence[Hashable]) -> Frame:
    """The columns under new labels, by position."""
    new = list(labels)
    if len(new) != len(frame.columns):
        raise PlanError(f"{len(frame.columns)} columns cannot take {len(new)} labels")
    check_unique(new)
    taken = {level.name for level in frame.index}
    pairs = []
    for column_, label in zip(frame.columns, new, strict=True):
        same = column_.label == label and column_.name not in taken
        name = column_.name if same else fresh_name(label, taken)
        taken.add(name)
        pairs.append((Labelled(label, name), frame.expr(column_.name)))
    return frame.project(pairs)


def astype(frame: Frame, dtype: Any) -> Frame:
    """Every column, or those of a mapping, as another type."""
    if not isinstance(dtype, Mapping):
        return each(frame, lambda s: s.astype(dtype))
    for label in dtype:
        frame.name_of(label)
    return each(frame, lambda s: s.astype(dtype[s.name]) if s.name in dtype else s)


def rounded(frame: Frame, decimals: Any) -> Frame:
    """Numeric columns rounded."""

    def step(s: Series) -> Series:
        number = t.is_numeric(s._expr.dtype)
        if isinstance(decimals, Mapping):
            return s.round(decimals[s.name]) if s.name in decimals and number else s
        return s.round(decimals) if number else s

    return each(frame, step)


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "number": t.is_numeric,
    "bool": lambda d: bool(d == t.BOOL),
    "object": lambda d: t.is_decimal(d) or t.is_nested(d),
    "str": t.is_string,
    "string": t.is_string,
    "datetime": lambda d: t.is_timestamp(d) or t.is_date(d),
    "datetime64": lambda d: t.is_timestamp(d) or t.is_date(d),
    "timedelta": t.is_duration,
    "integer": t.is_integer,
    "floating": t.is_float,
}


def select_dtypes(frame: Frame, include: Any, exclude: Any) -> Frame:
    """Columns of some types."""
    if include is None and exclude is None:
        raise PlanError("select_dtypes needs include or exclude")

    def matches(dtype: Any, wanted: Any) -> bool:
        for one in wanted if isinstance(wanted, list | tuple) else [wanted]:
            name = one if isinstance(one, str) else getattr(one, "__name__", str(one))
            if name in _KINDS:
                # pandas counts decimals as objects, not as numbers
                if _KINDS[name](dtype) and not (name == "number" and t.is_decimal(dtype)):
                    return True
            elif ex.dtype_of(one) == dtype:
                return True
        return False

    kept = []
    for c in frame.columns:
        dtype = frame.expr(c.name).dtype
        if include is not None and not matches(dtype, include):
            continue
        if exclude is not None and matches(dtype, exclude):
            continue
        kept.append(c.label)
    return frame.select(kept)


class Loc:
    """df.loc[rows, columns]: rows are a mask or `:`, columns a label, a list of labels or `:`."""

    def __init__(self, df: DataFrame) -> None:
        self._df = df

    def __getitem__(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        chosen = self._df
        if is_series(rows):
            chosen = WRAP.dataframe(masked(chosen._frame, rows))
        elif callable(rows):
            chosen = WRAP.dataframe(masked(chosen._frame, rows(chosen)))
        elif not (isinstance(rows, slice) and rows == slice(None)):
            raise UnsupportedError(
                "loc chooses rows by a mask (df.loc[df.x > 0]); for an index label write "
                "df[df.index == label]"
            )
        if isinstance(columns, slice):
            return WRAP.dataframe(chosen._frame.select(self._range(columns)))
        return chosen[columns]

    def _range(self, key: slice) -> list[Any]:
        labels = list(self._df._frame.labels)
        for end in (key.start, key.stop):
            if end is not None:
                self._df._frame.name_of(end)
        start = 0 if key.start is None else labels.index(key.start)
        stop = len(labels) if key.stop is None else labels.index(key.stop) + 1
        return labels[start : stop : key.step]

    def __setitem__(self, key: Any, value: Any) -> None:
        if not (isinstance(key, tuple) and len(key) == 2 and is_series(key[0])):
            raise UnsupportedError("loc assigns by a mask: df.loc[df.x < 0, 'x'] = 0")
        for label in as_list(key[1]):
            frame = self._df._frame
            old = (
                WRAP.series(frame, frame.column(label), label)
                if frame.has(label)
                else _empty_like(frame, value)
            )
            self._df._set(put(frame, label, old.mask(key[0], value)))


def _empty_like(frame: Frame, value: Any) -> Series:
    """A column of missing values, of the type of what is to be put in."""
    _, (expr,) = over(frame, value)
    return WRAP.series(frame, builder.literal(None, _constant_type(expr).dtype), None)
