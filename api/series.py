"""Series: a frame and an expression over its rows. Every method makes another expression.

The methods are one-liners over plan builders; see `plait.expressions` for what operators mean,
`plait.columnwise`, `plait.window`, `plait.summary` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from plait import columnwise, display, order, summary, window
from plait import expressions as ex
from plait.accessors import DatetimeAccessor
from plait.advice import unknown_attribute
from plait.errors import UnsupportedError
from plait.frame import WRAP, Frame, Labelled, fresh_name
from plait.operands import over
from plait.operators import NamedOperators
from plait.planner import builder
from plait.planner.expr import Expr
from plait.result import plain, series_to_pandas
from plait.scalar import Scalar
from plait.texts import StringAccessor

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from plait.dataframe import DataFrame
    from plait.groupby import SeriesGroupBy


class Series(NamedOperators):
    """A lazy column: nothing is computed before `.compute()`.

    >>> import plait, pandas
    >>> x = plait.from_pandas(pandas.DataFrame({"x": [1, 2, None]})).x
    >>> (x * 2).fillna(0).compute().tolist()
    [2.0, 4.0, 0.0]
    """

    def __init__(self, frame: Frame, expr: Expr, label: Hashable = None) -> None:
        self._frame = frame
        self._expr = expr
        self._label = label

    # ------------------------------------------------------------------------------- inspection

    @property
    def name(self) -> Any:
        """The label; None if there is none."""
        return self._label

    @property
    def dtype(self) -> Any:
        """The numpy or pandas type of the result, if no value is missing."""
        return display.pandas_dtype(self._expr.dtype)

    @property
    def ndim(self) -> int:
        """1."""
        return 1

    @property
    def index(self) -> Any:
        """The index, as a lazy column."""
        return columnwise.index_of(self._frame)

    @property
    def str(self) -> StringAccessor:
        """Text functions: .str.upper(), .str.contains(...), ..."""
        return StringAccessor(self)

    @property
    def dt(self) -> DatetimeAccessor:
        """Parts of dates: .dt.year, .dt.hour, ..."""
        return DatetimeAccessor(self)

    @property
    def shape(self) -> tuple[int]:
        """(rows,); counts the rows."""
        return (len(self),)

    @property
    def size(self) -> int:
        """The number of rows; counts them."""
        return len(self)

    @property
    def empty(self) -> bool:
        """Whether there is no row; looks for one."""
        return self._frame.runner.count(builder.limit(self._frame.plan, 1)) == 0

    def __len__(self) -> int:
        return self._frame.runner.count(self._frame.plan)

    def __repr__(self) -> Any:
        return display.series_text(self._frame, self._expr, self._label)

    def _repr_html_(self) -> Any:
        return display.series_html(self._frame, self._expr, self._label)

    # -------------------------------------------------------------------------------- computing

    def _one(self) -> Frame:
        """The series as a frame of one column."""
        taken = [level.name for level in self._frame.index]
        name = fresh_name("0" if self._label is None else self._label, taken)
        return self._frame.project([(Labelled(self._label, name), self._expr)])

    def compute(self) -> pd.Series:
        """Run the plan; the result as a pandas Series."""
        return series_to_pandas(self._one(), self._label)

    def to_pandas(self) -> pd.Series:
        """Run the plan; the result as a pandas Series."""
        return self.compute()

    def to_arrow(self) -> pa.ChunkedArray:
        """Run the plan; the result as an Arrow column."""
        frame = self._one()
        return plain(frame.runner.execute(builder.select(frame.plan, frame.names))).column(0)

    def to_list(self) -> list[Any]:
        """Run the plan; the values as a list."""
        return self.compute().to_list()

    tolist = to_list

    def to_numpy(self) -> Any:
        """Run the plan; the values as a numpy array."""
        return self.compute().to_numpy()

    def to_frame(self, name: Hashable = None) -> DataFrame:
        """A DataFrame of this one column."""
        label = name if name is not None else 0 if self._label is None else self._label
        return WRAP.dataframe(self.rename(label)._one())

    def persist(self) -> Series:
        """Compute now and keep the result; a Series that reads it."""
        frame = self._one()
        kept = frame.with_plan(frame.runner.persist(frame.plan))
        return Series(kept, kept.expr(kept.names[0]), self._label)

    def explain(self, level: Any = "optimized", *, analyze: bool = False) -> Any:
        """The plan as text: logical, optimized, stages or tasks."""
        return self._frame.runner.explain(self._one().plan, level, analyze)

    # -------------------------------------------------------------------------------- operators

    def _new(self, expr: Expr, label: Any = ...) -> Series:
        return Series(self._frame, expr, self._label if label is ... else label)

    def _over(self, *values: Any) -> tuple[Frame, list[Expr]]:
        frame, (own, *others) = over(self._frame, self, *values)
        return frame, [own, *others]

    def _operate(self, sign: Any, other: Any, reflected: bool = False) -> Any:
        return columnwise.operate(self, sign, other, reflected)

    def _named(self, sign: Any, other: Any, fill_value: Any) -> Series:
        return columnwise.flexible(self, sign, other, fill_value)

    def _apply_ufunc(self, ufunc: Any) -> Series:
        return columnwise.apply_ufunc(self, ufunc)

    def __invert__(self) -> Series:
        return self._new(ex.invert(self._frame.plan, self._expr))

    def __neg__(self) -> Series:
        return self._new(ex.negate(self._expr))

    def __pos__(self) -> Series:
        return self

    def __abs__(self) -> Series:
        return self.abs()

    def __iter__(self) -> NoReturn:
        raise UnsupportedError(
            "Going through a lazy Series row by row is not done; express the step as column "
            "arithmetic, or iterate over s.compute()"
        )

    def __getitem__(self, key: Any) -> Series:
        return columnwise.mask_series(self, key)

    def __getattr__(self, name: Any) -> NoReturn:
        if name in ("str", "dt"):
            # the accessor refused by an AttributeError, which brought us here: say it again
            StringAccessor(self) if name == "str" else DatetimeAccessor(self)
        raise unknown_attribute("Series", name, dir(type(self)))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A lazy Series cannot be pickled or captured by a function that runs elsewhere; pass "
            "s.compute() instead"
        )

    # ----------------------------------------------------------------------- value by value

    def abs(self) -> Series:
        """The absolute values."""
        return self._new(builder.call("abs", self._expr))

    def round(self, decimals: int = 0) -> Series:
        """Rounded to decimals, halves to the even neighbour."""
        return self._new(columnwise.rounded(self._expr, decimals))

    def clip(self, lower: Any = None, upper: Any = None) -> Series:
        """Values below `lower` and above `upper` brought to these."""
        return columnwise.clip(self, lower, upper)

    def between(self, left: Any, right: Any, inclusive: Any = "both") -> Series:
        """Whether the value lies between two others."""
        return columnwise.between(self, left, right, inclusive)

    def isin(self, values: Any) -> Series:
        """Whether the value is among `values` (a list, a pandas or plait Series)."""
        return columnwise.isin(self, values)

    def astype(self, dtype: Any) -> Series:
        """The values as another type."""
        return columnwise.astype(self, dtype)

    def isna(self) -> Series:
        """Whether the value is missing."""
        return self._new(builder.call("is_null", self._expr))

    isnull = isna

    def notna(self) -> Series:
        """Whether the value is not missing."""
        return self._new(builder.call("is_not_null", self._expr))

    notnull = notna

    def fillna(self, value: Any) -> Series:
        """Missing values replaced by a constant, a Scalar or another Series' values."""
        return columnwise.fillna(self, value)

    def dropna(self) -> Series:
        """The values that are not missing."""
        return self[self.notna()]

    def where(self, cond: Any, other: Any = None) -> Series:
        """The value where `cond` holds, else `other` (missing unless given)."""
        return columnwise.where(self, cond, other)

    def mask(self, cond: Any, other: Any = None) -> Series:
        """The value where `cond` does not hold, else `other`."""
        return columnwise.mask(self, cond, other)

    def combine_first(self, other: Any) -> Series:
        """Missing values replaced by another Series' values."""
        return columnwise.fillna(self, other)

    def replace(self, to_replace: Any, value: Any = None) -> Series:
        """Values replaced: one by another, many by one, or by a mapping."""
        return columnwise.replace(self, to_replace, value)

    def map(self, arg: Any, dtype: Any = None, na_action: Any = None) -> Series:
        """Values by a mapping (others become missing), or by a function with its stated dtype."""
        return columnwise.map_values(self, arg, dtype, na_action)

    def apply(self, func: Callable[..., Any], dtype: Any = None, args: Any = ()) -> Series:
        """A Python function of each value; `dtype` states what it gives."""
        return columnwise.apply_values(self, func, dtype, args)

    def map_partitions(self, func: Callable[..., Any], dtype: Any) -> Series:
        """A function from a pandas Series to one of equal length; `dtype` states what it gives."""
        return columnwise.map_series(self, func, dtype)

    def rename(self, index: Hashable = None) -> Series:
        """The same values under another name."""
        return self._new(self._expr, index)

    def copy(self, deep: bool = True) -> Series:
        """Itself: nothing changes a lazy Series."""
        return self._new(self._expr)

    def pipe(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`func(self, ...)`."""
        return func(self, *args, **kwargs)

    # ------------------------------------------------------------------------------- windows

    def shift(self, periods: int = 1, fill_value: Any = None) -> Series:
        """The value some rows before."""
        return window.shift(self, periods, fill_value)

    def diff(self, periods: int = 1) -> Series:
        """The difference to the value some rows before."""
        return window.diff(self, periods)

    def pct_change(self, periods: int = 1) -> Series:
        """The relative change from the value some rows before."""
        return self / self.shift(periods) - 1

    def cumsum(self) -> Series:
        """Running sum; missing values stay missing and are left out."""
        return window.cumulative(self, "sum")

    def cumprod(self) -> Series:
        """Running product."""
        return window.cumulative(self, "prod")

    def cummax(self) -> Series:
        """Running maximum."""
        return window.cumulative(self, "max")

    def cummin(self) -> Series:
        """Running minimum."""
        return window.cumulative(self, "min")

    def rank(self, method: Any = "average", ascending: bool = True, pct: bool = False) -> Series:
        """Ranks from 1; ties by average, min, max, first or dense."""
        return window.rank(self, method, ascending, pct)

    def ffill(self) -> Series:
        """Missing values replaced by the last value before."""
        return window.fill_direction(self, "last_value")

    def bfill(self) -> Series:
        """Missing values replaced by the next value after."""
        return window.fill_direction(self, "first_value")

    # ---------------------------------------------------------------------------- reductions

    def agg(self, func: Any) -> Any:
        """One reduction by name, as a Scalar; a list of names gives a lazy pandas Series."""
        return summary.series_agg(self, func)

    aggregate = agg

    def sum(self, skipna: bool = True, min_count: int = 0) -> Scalar:
        """The sum; of nothing 0."""
        return summary.reduce(self, "sum", skipna, min_count=min_count)

    def mean(self, skipna: bool = True) -> Scalar:
        """The mean."""
        return summary.reduce(self, "mean", skipna)

    def min(self, skipna: bool = True) -> Scalar:
        """The smallest value."""
        return summary.reduce(self, "min", skipna)

    def max(self, skipna: bool = True) -> Scalar:
        """The largest value."""
        return summary.reduce(self, "max", skipna)

    def std(self, skipna: bool = True, ddof: int = 1) -> Scalar:
        """The standard deviation."""
        return summary.reduce(self, "std", skipna, ddof=ddof)

    def var(self, skipna: bool = True, ddof: int = 1) -> Scalar:
        """The variance."""
        return summary.reduce(self, "var", skipna, ddof=ddof)

    def sem(self, skipna: bool = True) -> Scalar:
        """The standard error of the mean."""
        return summary.reduce(self, "sem", skipna)

    def skew(self, skipna: bool = True) -> Scalar:
        """The skewness, corrected for bias."""
        return summary.reduce(self, "skew", skipna)

    def kurt(self, skipna: bool = True) -> Scalar:
        """The excess kurtosis, corrected for bias."""
        return summary.reduce(self, "kurt", skipna)

    def prod(self, skipna: bool = True) -> Scalar:
        """The product; of nothing 1."""
        return summary.reduce(self, "prod", skipna)

    def median(self, skipna: bool = True) -> Scalar:
        """The median."""
        return summary.reduce(self, "median", skipna)

    def quantile(self, q: Any = 0.5, interpolation: Any = "linear") -> Any:
        """A quantile; of a list of them a lazy pandas Series."""
        return summary.quantile(self, q, interpolation)

    def count(self) -> Scalar:
        """How many values are not missing."""
        return summary.reduce(self, "count")

    def nunique(self, dropna: bool = True) -> Scalar:
        """How many different values there are."""
        return summary.nunique(self, dropna)

    def any(self, skipna: bool = True) -> Scalar:
        """Whether any value is true."""
        return summary.reduce(self, "any", skipna)

    def all(self, skipna: bool = True) -> Scalar:
        """Whether all values are true."""
        return summary.reduce(self, "all", skipna)

    def first(self) -> Scalar:
        """The first value that is not missing."""
        return summary.reduce(self, "first")

    def last(self) -> Scalar:
        """The last value that is not missing."""
        return summary.reduce(self, "last")

    def idxmin(self) -> Scalar:
        """The index of the first smallest value."""
        return summary.position(self, "arg_min")

    def idxmax(self) -> Scalar:
        """The index of the first largest value."""
        return summary.position(self, "arg_max")

    def describe(self, percentiles: Sequence[float] | None = None) -> Any:
        """Count, mean, std, min, quantiles, max; lazy."""
        return summary.describe_series(self, percentiles)

    def unique(self) -> Series:
        """The different values, as a lazy Series in the order of their first rows."""
        return summary.unique(self)

    @property
    def is_unique(self) -> bool:
        """Whether no value occurs twice; computes."""
        return summary.is_unique(self)

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
    ) -> Series:
        """How often each value occurs, most frequent first."""
        return summary.value_counts(self, normalize, sort, ascending, dropna)

    def groupby(self, by: Any = None, **options: Any) -> SeriesGroupBy:
        """Groups of this column by keys with the same rows."""
        return columnwise.group_series(self, by, options)

    # ------------------------------------------------------------------------------ whole rows

    def head(self, n: int = 5) -> Series:
        """The first n values (all but the last -n for a negative n)."""
        return order.rows_of_series(self, lambda frame: order.head(frame, n))

    def tail(self, n: int = 5) -> Series:
        """The last n values."""
        return order.rows_of_series(self, lambda frame: order.tail(frame, n))

    def sort_values(self, ascending: bool = True, na_position: Any = "last") -> Series:
        """In order of value; equal values keep their order."""
        return order.sort_series(self, ascending, na_position)

    def sort_index(self, ascending: bool = True) -> Series:
        """In order of the index."""
        return order.rows_of_series(self, lambda frame: order.sort_index(frame, ascending))

    def nlargest(self, n: int = 5) -> Series:
        """The n largest values, largest first."""
        return order.extreme_series(self, n, largest=True)

    def nsmallest(self, n: int = 5) -> Series:
        """The n smallest values, smallest first."""
        return order.extreme_series(self, n, largest=False)

    def drop_duplicates(self, keep: Any = "first") -> Series:
        """One row for each value."""
        return order.distinct_series(self, keep)

    def duplicated(self, keep: Any = "first") -> Series:
        """Whether the value occurred in an earlier row."""
        return window.duplicated(self._frame, [self._expr], keep, self._label)

    def reset_index(self, drop: bool = False, name: Hashable = None) -> Any:
        """With drop=True numbered anew; else a DataFrame with the index as columns."""
        return columnwise.reset_series(self, drop, name)

    def to_dict(self) -> Mapping[Any, Any]:
        """Run the plan; {index: value}."""
        return self.compute().to_dict()
