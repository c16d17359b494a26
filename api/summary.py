"""A whole frame or column to a few values: reductions, describe, value_counts.

`df.sum()` and `df.describe()` give a `Summary`: one row of aggregates, computed in one pass, which
`.compute()` lays out as the Series or DataFrame that pandas gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from plait import order
from plait.aggregations import Reduction, applies, name_of, reduction
from plait.calling import caller
from plait.errors import PlanError, UnsupportedError
from plait.frame import WRAP, Frame, Labelled, Runner, fresh_name, hidden_name
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import AggregateCall, Column, Expr, SortKey
from plait.planner.logical import LogicalPlan, Named
from plait.result import pandas_frame
from plait.scalar import Scalar

if TYPE_CHECKING:
    from plait.dataframe import DataFrame
    from plait.series import Series

Cell = tuple[Any, Any]  # (row label, column label) of one value in the result


class Summary:
    """A few values, not computed yet; `.compute()` gives a pandas Series or DataFrame.

    `summary["x"]` is one of the values, as a lazy Scalar.
    """

    def __init__(
        self,
        plan: LogicalPlan,
        runner: Runner,
        cells: Mapping[str, Cell],
        *,
        rows: Sequence[Any],
        columns: Sequence[Any] | None,
        name: Any = None,
    ) -> None:
        self._plan, self._runner, self._cells = plan, runner, dict(cells)
        self._rows, self._columns, self._name = list(rows), columns, name

    def compute(self) -> Any:
        """The values as pandas would give them."""
        import pandas as pd

        row = pandas_frame(self._runner.execute(self._plan))
        values = {cell: row[name] for name, cell in self._cells.items()}

        def series(column: Any) -> Any:
            found = [values.get((label, column)) for label in self._rows]
            kinds = {str(v.dtype) for v in found if v is not None}
            items = [float("nan") if v is None else v.iloc[0] for v in found]
            mixed = len(kinds) > 1 and not kinds <= _NUMERIC
            return pd.Series(
                items, index=_index(self._rows), dtype=object if mixed else None, name=self._name
            )

        if self._columns is None:
            return series(None)
        return pd.DataFrame({column: series(column) for column in self._columns})

    to_pandas = compute

    def to_arrow(self) -> Any:
        """The values as an Arrow table of one row."""
        return self._runner.execute(self._plan)

    def explain(self, level: str = "optimized", *, analyze: bool = False) -> str:
        """The plan as text: logical, optimized, stages or tasks."""
        return self._runner.explain(self._plan, level, analyze)

    def __getitem__(self, label: Any) -> Scalar:
        for name, (row, column) in self._cells.items():
            if column is None and row == label:
                return Scalar(builder.select(self._plan, [name]), self._runner)
        raise PlanError(f"No value {label!r}; there are {', '.join(map(str, self._rows))}")

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"A lazy summary has no attribute {name!r}; call .compute() first: it gives pandas"
        )

    def __repr__(self) -> str:
        return f"<plait.Summary of {len(self._cells)} values, not computed>\n{self._plan}"

    def __bool__(self) -> NoReturn:
        raise TypeError("A lazy summary has no truth value; call .compute() first")


_NUMERIC = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)}


def _index(labels: Sequence[Any]) -> Any:
    import pandas as pd

    return pd.Index(labels, dtype="str" if all(type(x) is str for x in labels) else None)


def aggregated(plan: LogicalPlan, made: Mapping[str, Reduction]) -> LogicalPlan:
    """One row: each reduction of the plan's rows under its name."""
    calls = {name: r.call for name, r in made.items()}
    below = builder.aggregate(plan, [], list(calls.items()), origin=caller())
    return builder.project(
        below, [(name, r.finish(builder.column(below, name))) for name, r in made.items()]
    )


# --------------------------------------------------------------------------------- of a Series


def _no_missing_skipped(skipna: bool) -> None:
    if not skipna:
        raise UnsupportedError(
            "skipna=False is not done; ask s.isna().any() whether a value is missing"
        )


def reduce(series: Series, how: str, skipna: bool = True, **options: Any) -> Scalar:
    """One reduction of a column."""
    _no_missing_skipped(skipna)
    plan = series._frame.plan
    return _scalar(series._frame, plan, how, reduction(plan, how, series._expr, **options))


def _scalar(frame: Frame, plan: LogicalPlan, name: str, made: Reduction) -> Scalar:
    row = builder.aggregate(plan, [], [(name, made.call)], origin=caller())
    return Scalar(row, frame.runner, made.finish(builder.column(row, name)))


def series_agg(series: Series, func: Any) -> Any:
    """One reduction by name, or several as a Summary."""
    if not isinstance(func, list | tuple):
        return reduce(series, name_of(func))
    names = [name_of(f) for f in func]
    plan = series._frame.plan
    made = {how: reduction(plan, how, series._expr) for how in names}
    cells = {how: (how, None) for how in names}
    return Summary(
        aggregated(plan, made),
        series._frame.runner,
        cells,
        rows=names,
        columns=None,
        name=series._label,
    )


def quantile(series: Series, q: Any, interpolation: str) -> Any:
    """A quantile, or several."""
    plan = series._frame.plan
    if not hasattr(q, "__iter__"):
        return reduce(series, "quantile", q=float(q), interpolation=interpolation)
    qs = [float(one) for one in q]
    made = {
        f"q{one}": reduction(plan, "quantile", series._expr, q=one, interpolation=interpolation)
        for one in qs
    }
    return Summary(
        aggregated(plan, made),
        series._frame.runner,
        {f"q{one}": (one, None) for one in qs},
        rows=qs,
        columns=None,
        name=series._label,
    )


def nunique(series: Series, dropna: bool) -> Scalar:
    """How many different values."""
    if dropna:
        return reduce(series, "nunique")
    values = builder.distinct(builder.project(series._frame.plan, [("value", series._expr)]))
    return _scalar(series._frame, values, "nunique", reduction(values, "size", None))


def position(series: Series, function: str) -> Scalar:
    """idxmin and idxmax: the index where the value is smallest or largest."""
    from plait.columnwise import index_of

    index = index_of(series._frame)
    call = builder.aggregate_call(function, [index._expr, series._expr])
    made = Reduction(call, lambda value: value)
    return _scalar(series._frame, index._frame.plan, "index", made)


def unique(series: Series) -> Series:
    """The different values, numbered anew."""
    one = series._one()
    bare = Frame(builder.select(one.plan, one.names), one.columns, one.runner, (), one.hints)
    made = order.distinct_on(bare, bare.names, "first")
    return WRAP.series(made, made.expr(made.names[0]), series._label)


def is_unique(series: Series) -> bool:
    """Whether no value occurs twice."""
    plan = series._frame.plan
    made = {
        "rows": reduction(plan, "size", None),
        "kinds": reduction(plan, "nunique", series._expr),
        "values": reduction(plan, "count", series._expr),
    }
    row = series._frame.runner.execute(aggregated(plan, made)).to_pylist()[0]
    # all missing values count as one kind
    return bool(row["kinds"] + min(1, row["rows"] - row["values"]) == row["rows"])


def value_counts(
    series: Series, normalize: bool, sort: bool, ascending: bool, dropna: bool
) -> Series:
    """How often each value occurs."""
    one = series._one()
    label = "proportion" if normalize else "count"
    return _counts(one, [(series._label, one.expr(one.names[0]))], label, sort, ascending, dropna)


def frame_value_counts(
    frame: Frame, subset: Any, normalize: bool, sort: bool, ascending: bool, dropna: bool
) -> Series:
    """How often each combination of values occurs."""
    labels = list(frame.labels) if subset is None else order.as_list(subset)
    keys = [(label, frame.column(label)) for label in labels]
    label = "proportion" if normalize else "count"
    return _counts(frame, keys, label, sort, ascending, dropna)


def _counts(
    frame: Frame,
    keys: Sequence[tuple[Any, Expr]],
    label: str,
    sort: bool,
    ascending: bool,
    dropna: bool,
) -> Series:
    plan = frame.plan
    if dropna:
        for _, key in keys:
            plan = builder.filter(plan, builder.call("is_not_null", key))
    levels: list[Labelled] = []
    for key_label, _ in keys:
        taken = {label, *(level.name for level in levels)}
        levels.append(Labelled(key_label, fresh_name(key_label, taken)))
    named: list[Named] = [(level.name, e) for level, (_, e) in zip(levels, keys, strict=True)]
    calls: list[tuple[str, AggregateCall]] = [(label, builder.aggregate_call("count"))]
    plan = builder.aggregate(plan, named, calls, origin=caller())
    if label == "proportion":
        plan = _shares(plan, label)
    if sort:
        plan = builder.sort(plan, [SortKey(builder.column(plan, label), descending=not ascending)])
    hints = {
        level.name: frame.hints[e.name]
        for level, (_, e) in zip(levels, keys, strict=True)
        if isinstance(e, Column) and e.name in frame.hints
    }
    result = Frame(plan, (Labelled(label, label),), frame.runner, tuple(levels), hints)
    return WRAP.series(result, result.expr(label), label)


def _shares(plan: LogicalPlan, label: str) -> LogicalPlan:
    total = hidden_name("w", plan.schema.names)
    count = builder.column(plan, label)
    plan = builder.window(plan, [(total, builder.window_call("sum", [count]))])
    share = builder.call("divide", count, builder.column(plan, total))
    return builder.with_columns(plan, [(label, share)])


# ------------------------------------------------------------------------------ of a DataFrame


def _chosen(frame: Frame, how: str, numeric_only: bool) -> list[Labelled]:
    if not numeric_only:
        return list(frame.columns)
    kept = []
    for column in frame.columns:
        dtype = frame.expr(column.name).dtype
        if (t.is_numeric(dtype) or dtype == t.BOOL) and applies(how, dtype):
            kept.append(column)
    return kept


def reduce_frame(
    frame: Frame,
    how: str,
    axis: Any = 0,
    skipna: bool = True,
    numeric_only: bool = False,
    **options: Any,
) -> Any:
    """One reduction of every column."""
    if axis not in (0, "index", None):
        raise UnsupportedError(
            f"{how}(axis=1) is not done; write the columns out: df.a + df.b, or use "
            "df.apply(function, axis=1, dtype=...)"
        )
    _no_missing_skipped(skipna)
    unknown = sorted(set(options) - {"q", "interpolation", "ddof", "min_count"})
    if unknown:
        raise UnsupportedError(
            f"{how}({unknown[0]}=...) of a frame is not done; ask it of each column: "
            f"df.x.{how}({unknown[0]}=...)"
        )
    made, cells = {}, {}
    for column in _chosen(frame, how, numeric_only):
        made[column.name] = reduction(frame.plan, how, frame.expr(column.name), **options)
        cells[column.name] = (column.label, None)
    if not made:
        raise PlanError(f"There is no column of which {how} has a meaning")
    rows = [label for label, _ in cells.values()]
    name = options.get("q")  # pandas names a quantile by its number
    plan = aggregated(frame.plan, made)
    return Summary(plan, frame.runner, cells, rows=rows, columns=None, name=name)


def frame_agg(frame: Frame, func: Any) -> Any:
    """agg: a name for every column; a list, or a mapping of column to names, for a table."""
    if not isinstance(func, Mapping) and not isinstance(func, list | tuple):
        return reduce_frame(frame, name_of(func))
    spec = func if isinstance(func, Mapping) else {label: list(func) for label in frame.labels}
    if isinstance(func, Mapping) and not any(isinstance(f, list | tuple) for f in func.values()):
        made, cells = {}, {}
        for label, how in spec.items():
            name = frame.name_of(label)
            made[name] = reduction(frame.plan, name_of(how), frame.expr(name))
            cells[name] = (label, None)
        return Summary(
            aggregated(frame.plan, made), frame.runner, cells, rows=list(spec), columns=None
        )
    return _table(frame, {label: order.as_list(how) for label, how in spec.items()})


def _table(frame: Frame, spec: Mapping[Any, Sequence[Any]]) -> Summary:
    made: dict[str, Reduction] = {}
    cells: dict[str, Cell] = {}
    rows: dict[str, None] = {}
    for label, hows in spec.items():
        expr = frame.column(label)
        for how in map(name_of, hows):
            name = f"{expr.name}.{how}"
            made[name] = reduction(frame.plan, how, expr)
            cells[name] = (how, label)
            rows[how] = None
    plan = aggregated(frame.plan, made)
    return Summary(plan, frame.runner, cells, rows=list(rows), columns=list(spec))


def describe_series(series: Series, percentiles: Sequence[float] | None) -> Summary:
    """describe of one column."""
    one = series._one()
    table = describe(one, percentiles, every=True)
    cells = {name: (row, None) for name, (row, _) in table._cells.items()}
    return Summary(
        table._plan, table._runner, cells, rows=table._rows, columns=None, name=series._label
    )


def describe(frame: Frame, percentiles: Sequence[float] | None, *, every: bool = False) -> Summary:
    """Count, mean, std, min, quantiles and max of the numeric columns."""
    columns = []
    for column in frame.columns:
        dtype = frame.expr(column.name).dtype
        if t.is_numeric(dtype) or t.is_duration(dtype):
            columns.append(column)
        elif every:
            raise UnsupportedError(
                f"describe of {t.sql_name(dtype)} is not done; ask count(), nunique(), min(), max()"
            )
    if not columns:
        raise UnsupportedError("describe is done for numeric columns, and there is none")
    quantiles = [0.25, 0.5, 0.75] if percentiles is None else sorted(percentiles)
    shown = {f"{round(100 * q, 10):g}%": q for q in quantiles}
    rows = ["count", "mean", "std", "min", *shown, "max"]
    made: dict[str, Reduction] = {}
    cells: dict[str, Cell] = {}
    for column in columns:
        expr = frame.expr(column.name)
        if not t.is_float(expr.dtype):
            expr = builder.cast(expr, t.DOUBLE)  # type: ignore[assignment]
        for row in rows:
            q = shown.get(row)
            how = "quantile" if q is not None else row
            name = f"{column.name}.{row}"
            made[name] = reduction(frame.plan, how, expr, q=0.5 if q is None else q)
            if how == "count":
                made[name] = Reduction(made[name].call, lambda e: builder.cast(e, t.DOUBLE))
            cells[name] = (row, column.label)
    plan = aggregated(frame.plan, made)
    labels = [column.label for column in columns]
    return Summary(plan, frame.runner, cells, rows=rows, columns=labels)


# DataFrame's methods of one reduction each
def frame_quantile(frame: Frame, q: Any, axis: Any, numeric_only: bool, interpolation: str) -> Any:
    """One quantile of every column."""
    if isinstance(q, list | tuple) or hasattr(q, "__len__"):
        raise UnsupportedError(
            "Several quantiles of a frame are not done; ask each column: df.x.quantile([...])"
        )
    options: dict[str, Any] = {"q": float(q), "interpolation": interpolation}
    return reduce_frame(frame, "quantile", axis, numeric_only=numeric_only, **options)


FRAME_REDUCTIONS = {
    "sum": "The sum",
    "mean": "The mean",
    "min": "The smallest value",
    "max": "The largest value",
    "std": "The standard deviation",
    "var": "The variance",
    "sem": "The standard error of the mean",
    "skew": "The skewness",
    "kurt": "The excess kurtosis",
    "prod": "The product",
    "median": "The median",
    "count": "How many values are not missing",
    "nunique": "How many different values",
    "any": "Whether any value is true",
    "all": "Whether all values are true",
}


def frame_method(how: str, doc: str) -> Callable[..., Any]:
    """A DataFrame's method for one reduction of every column."""

    def method(
        self: DataFrame,
        axis: Any = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        **options: Any,
    ) -> Any:
        return reduce_frame(self._frame, how, axis, skipna, numeric_only, **options)

    method.__name__ = how
    method.__qualname__ = f"DataFrame.{how}"
    method.__doc__ = f"{doc} of every column; lazy, computes to a pandas Series."
    return method
