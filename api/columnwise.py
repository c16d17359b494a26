"""Steps of a Series that look at one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from plait import expressions as ex
from plait.display import pandas_dtype
from plait.errors import ColumnNotFoundError, TypeMismatchError, UnsupportedError
from plait.frame import WRAP, Frame, Labelled, hidden_name
from plait.operands import is_frame, is_series, over
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, Case, Expr, Literal
from plait.planner.subquery import InSubquery
from plait.rowfunction import RowFunction, key_of

if TYPE_CHECKING:
    from plait.groupby import SeriesGroupBy
    from plait.series import Series


def operate(series: Series, sign: str, other: Any, reflected: bool) -> Any:
    """`series sign other`; the name stays where both sides have the same."""
    if is_frame(other):
        return NotImplemented
    frame, (a, b) = over(series._frame, series, other)
    if reflected:
        a, b = b, a
    keeps = not is_series(other) or other._label == series._label
    expr = ex.operation(frame.plan, sign, a, b)
    return WRAP.series(frame, expr, series._label if keeps else None)


def flexible(series: Series, sign: str, other: Any, fill_value: Any) -> Series:
    """`series.add(other, fill_value=...)`: a side that is missing counts as the fill value."""
    if fill_value is None:
        return operate(series, sign, other, False)  # type: ignore[no-any-return]
    frame, (a, b, value) = over(series._frame, series, other, fill_value)
    both = builder.call("and", builder.call("is_null", a), builder.call("is_null", b))
    expr = ex.operation(frame.plan, sign, ex.fill(a, value), ex.fill(b, value))
    keeps = not is_series(other) or other._label == series._label
    missing = Literal(None, t.NULL)
    return WRAP.series(frame, ex.choose(both, missing, expr), series._label if keeps else None)


def index_of(frame: Frame) -> Series:
    """The index as a column; a fresh one is the row number."""
    if len(frame.index) > 1:
        raise UnsupportedError(
            "A MultiIndex is not a single column; use reset_index() and choose a column"
        )
    if frame.index:
        level = frame.index[0]
        return WRAP.index(frame, frame.expr(level.name), level.label)
    name = hidden_name("n", frame.plan.schema.names)
    numbered = frame.with_plan(builder.row_number(frame.plan, name))
    return WRAP.index(numbered, numbered.expr(name), None)


def mask_series(series: Series, key: Any) -> Series:
    """`series[mask]`."""
    if callable(key) and not is_series(key):
        key = key(series)
    if is_series(key):
        frame, (own, mask) = over(series._frame, series, key, carry=True)
        if mask.dtype == t.BOOL:
            predicate = ex.two_valued(frame.plan, mask)
            kept = frame.with_plan(builder.filter(frame.plan, predicate))
            return WRAP.series(kept, own, series._label)
        raise TypeMismatchError(f"A mask needs booleans, not {t.sql_name(mask.dtype)}")
    if isinstance(key, slice) and key.step is None:
        raise UnsupportedError("Slices of a lazy Series are not done; use head(n) or tail(n)")
    raise UnsupportedError(
        f"s[{key!r}]: choosing rows by label is not done lazily; use a mask (s[s > 0]), head(n), "
        "or s.compute()[...]"
    )


def rounded(expr: Expr, decimals: int) -> Expr:
    """Rounded to decimals; integers are whole already."""
    if t.is_integer(expr.dtype) and decimals >= 0:
        return expr
    if not ex.is_number(expr.dtype):
        raise TypeMismatchError(f"round needs numbers, not {t.sql_name(expr.dtype)}")
    return builder.call("pandas_round", expr, builder.literal(decimals))


def clip(series: Series, lower: Any, upper: Any) -> Series:
    """Values brought into bounds; missing values stay missing."""
    if isinstance(lower, int | float) and isinstance(upper, int | float) and lower > upper:
        lower, upper = upper, lower  # as pandas does
    frame, (value, low, high) = over(series._frame, series, lower, upper)
    for bound, smaller in ((low, True), (high, False)):
        if bound.dtype == t.NULL:
            continue
        bound = ex.adapt(bound, value.dtype)
        outside = builder.call("less" if smaller else "greater", value, bound)
        value = ex.choose(outside, bound, value)
    return WRAP.series(frame, value, series._label)


def between(series: Series, left: Any, right: Any, inclusive: str) -> Series:
    """Whether the value lies between two others."""
    signs = {
        "both": (">=", "<="),
        "neither": (">", "<"),
        "left": (">=", "<"),
        "right": (">", "<="),
    }
    if inclusive not in signs:
        raise UnsupportedError(f"inclusive is one of {', '.join(signs)}, not {inclusive!r}")
    low, high = signs[inclusive]
    frame, (value, a, b) = over(series._frame, series, left, right)
    above = ex.compare(frame.plan, low, value, a)
    below = ex.compare(frame.plan, high, value, b)
    return WRAP.series(frame, builder.call("and", above, below), series._label)


def isin(series: Series, values: Any) -> Series:
    """Whether the value is among others; those of a plait Series become a semi-join."""
    if is_series(values):
        return _isin_series(series, values)
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise TypeMismatchError("isin needs a list of values")
    listed = list(values.keys()) if isinstance(values, Mapping) else list(values)
    return series._new(ex.is_in(series._frame.plan, series._expr, listed))


def _isin_series(series: Series, values: Series) -> Series:
    frame = values._frame
    wanted = builder.project(frame.plan, [("value", values._expr)])
    test = InSubquery((series._expr,), builder.distinct(wanted))
    return series._new(builder.call("coalesce", test, FALSE))


def astype(series: Series, dtype: Any) -> Series:
    """The values as another type."""
    if str(dtype) == "category":
        return series._new(series._expr)
    return series._new(ex.cast_to(series._frame.plan, series._expr, ex.dtype_of(dtype)))


def fillna(series: Series, value: Any) -> Series:
    """Missing values replaced."""
    if isinstance(value, Mapping):
        raise UnsupportedError("fillna of a Series takes one value, or another Series")
    frame, (own, other) = over(series._frame, series, value, carry=True)
    return WRAP.series(frame, ex.fill(own, other), series._label)


def where(series: Series, cond: Any, other: Any) -> Series:
    """The value where `cond` holds, else `other`."""
    if callable(cond) and not is_series(cond):
        cond = cond(series)
    frame, (own, test, instead) = over(series._frame, series, cond, other, carry=True)
    test = ex.two_valued(frame.plan, test)
    return WRAP.series(frame, ex.choose(test, own, instead), series._label)


def mask(series: Series, cond: Any, other: Any) -> Series:
    """The value where `cond` does not hold, else `other`."""
    if callable(cond) and not is_series(cond):
        cond = cond(series)
    frame, (own, test, instead) = over(series._frame, series, cond, other, carry=True)
    test = ex.two_valued(frame.plan, test)
    return WRAP.series(frame, ex.choose(test, instead, own), series._label)


def replace(series: Series, to_replace: Any, value: Any) -> Series:
    """Values replaced by others."""
    if isinstance(to_replace, Mapping):
        pairs = list(to_replace.items())
    elif isinstance(to_replace, list | tuple):
        if isinstance(value, list | tuple):
            if len(value) != len(to_replace):
                raise TypeMismatchError("replace needs two lists of one length")
            pairs = list(zip(to_replace, value, strict=True))
        else:
            pairs = [(old, value) for old in to_replace]
    else:
        pairs = [(to_replace, value)]
    return series._new(replaced(series._expr, pairs))


def replaced(expr: Expr, pairs: list[tuple[Any, Any]]) -> Expr:
    """CASE over (old, new) values; those that cannot occur in the column are left out."""
    branches = []
    for old, new in pairs:
        if ex.is_missing(old):
            branches.append((builder.call("is_null", expr), ex.adapt(ex.literal(new), expr.dtype)))
            continue
        value = ex.literal(old)
        if ex.comparable(expr, value) and (t.BOOL in (value.dtype,)) == (expr.dtype == t.BOOL):
            test = builder.call("equal", expr, value)
            branches.append((test, ex.adapt(ex.literal(new), expr.dtype)))
    return builder.case(branches, expr) if branches else expr


def map_values(series: Series, arg: Any, dtype: Any, na_action: Any) -> Series:
    """Values by a mapping, others missing; or by a function."""
    if callable(arg) and not isinstance(arg, Mapping):
        return apply_values(series, arg, dtype, (), skip_missing=na_action == "ignore")
    if hasattr(arg, "to_dict") and not isinstance(arg, Mapping):
        if is_series(arg):
            raise UnsupportedError(
                "map by a lazy Series is a join: frame.merge(other, left_on=..., right_index=True)"
            )
        arg = arg.to_dict()
    if not isinstance(arg, Mapping):
        raise TypeMismatchError("map takes a mapping, a pandas Series or a function")
    expr = series._expr
    branches = []
    for old, new in arg.items():
        if ex.is_missing(old):
            branches.append((builder.call("is_null", expr), ex.literal(new)))
        elif ex.comparable(expr, ex.literal(old)):
            branches.append((builder.call("equal", expr, ex.literal(old)), ex.literal(new)))
    if not branches:
        return series._new(Literal(None, t.DOUBLE))
    made = _as_pandas_constants(builder.case(branches, Literal(None, t.NULL)))
    return series._new(made)


def _as_pandas_constants(expr: Expr) -> Expr:
    """A column made of Python integers is int64, as in pandas."""
    assert isinstance(expr, Case)
    return builder.cast(expr, t.INT64) if t.is_integer(expr.dtype) else expr


def apply_values(
    series: Series,
    func: Callable[..., Any],
    dtype: Any,
    args: tuple[Any, ...],
    *,
    skip_missing: bool = False,
) -> Series:
    """A Python function of each value."""
    if dtype is None:
        name = getattr(func, "__name__", repr(func))
        raise UnsupportedError(
            f"plait cannot know what {name} gives before it runs: state it, "
            f"map({name}, dtype='float64'), or express the step as column arithmetic"
        )
    return map_series(series, EachValue(func, args, skip_missing), dtype)


class EachValue:
    """A function of one value as a function of a pandas Series; picklable if the function is."""

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], skip: bool) -> None:
        self.func, self.args, self.skip = func, args, skip
        self.__name__ = getattr(func, "__name__", type(func).__name__)
        self.__qualname__ = getattr(func, "__qualname__", self.__name__)

    def __call__(self, values: Any) -> Any:
        if self.args:
            return values.apply(self.func, args=self.args)
        return values.map(self.func, na_action="ignore" if self.skip else None)


class OneColumn:
    """A function of a pandas Series as a function of a frame of one column."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.__qualname__ = getattr(func, "__qualname__", type(func).__name__)

    def __call__(self, frame: Any) -> Any:
        return self.func(frame.iloc[:, 0])


def map_series(series: Series, func: Callable[..., Any], dtype: Any) -> Series:
    """A function from a pandas Series to one of equal length, partition by partition."""
    frame = series._frame
    given = hidden_name("v", frame.plan.schema.names)
    plan = builder.with_columns(frame.plan, [(given, series._expr)])
    return add_function(frame.with_plan(plan), OneColumn(func), [(series._label, given)], dtype)


def apply_ufunc(series: Series, ufunc: Any) -> Series:
    """A numpy function of each value; what type it gives, it says of a single one."""
    if not ex.is_number(series._expr.dtype):
        raise TypeMismatchError(f"numpy's {ufunc.__name__} is of numbers, not {series.dtype}")
    kind = pandas_dtype(series._expr.dtype)
    return map_series(series, ufunc, ufunc(np.ones(1, dtype=kind)).dtype)


def add_function(
    frame: Frame, func: Callable[[Any], Any], reads: list[tuple[Hashable, str]], dtype: Any
) -> Series:
    """A column made by a Python function of some columns of the same row."""
    kind = ex.dtype_of(dtype)
    output = hidden_name("f", frame.plan.schema.names)
    names = tuple(name for _, name in reads)
    function = RowFunction(
        func,
        tuple(label for label, _ in reads),
        names,
        output,
        kind,
        key_of(getattr(func, "func", func), str(kind), names),
        dict(frame.hints),
    )
    made = frame.with_plan(function.over(frame.plan))
    label = reads[0][0] if len(reads) == 1 else None
    return WRAP.series(made, made.expr(output), label)


def group_series(series: Series, by: Any, options: Mapping[str, Any]) -> SeriesGroupBy:
    """Groups of one column by keys with the same rows."""
    if by is None:
        raise UnsupportedError(
            "groupby(level=...) is not done; use reset_index() and group by name"
        )
    keys = list(by) if isinstance(by, list | tuple) else [by]
    for key in keys:
        if not is_series(key):
            raise ColumnNotFoundError(str(key), [])
    frame, (own, *exprs) = over(series._frame, series, *keys, carry=True)
    name = hidden_name("v", frame.plan.schema.names)
    plan = builder.with_columns(frame.plan, [(name, own)])
    column = Labelled(series._label, name)
    one = Frame(plan, (column,), frame.runner, frame.index, frame.hints)
    labels = [key._label for key in keys]
    return WRAP.group(one, list(zip(labels, exprs, strict=True)), [column], options)


def reset_series(series: Series, drop: bool, name: Hashable) -> Any:
    """The series numbered anew, or as a frame with its index as columns."""
    if drop:
        one = series._one()
        bare = Frame(builder.select(one.plan, one.names), one.columns, one.runner)
        return WRAP.series(bare, bare.expr(bare.names[0]), series._label)
    label = name if name is not None else series._label
    return WRAP.dataframe(series.rename(0 if label is None else label)._one()).reset_index()
