"""DataFrame: what users hold. A frame (`plait.frame`) that assignment may replace by another.

Every verb is a line that hands the frame to a plan builder, by theme: `plait.selection` (columns,
masks, assignment), `plait.missing`, `plait.order`, `plait.joins`, `plait.reshape`, `plait.summary`,
`plait.groupby`, `plait.functions` (Python functions), `plait.output`. Nothing is computed before
compute, to_pandas, to_arrow, to_parquet, len and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from plait import (
    display,
    functions,
    groupby,
    joins,
    missing,
    order,
    output,
    reshape,
    result,
    selection,
    summary,
    writing,
)
from plait.errors import UnsupportedError
from plait.frame import WRAP, Frame
from plait.index import Index
from plait.operators import NamedOperators
from plait.planner.logical import LogicalPlan
from plait.query import evaluate, query
from plait.series import Series

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class DataFrame(NamedOperators):
    """A lazy table: pandas' verbs over one plan.

    Made by `plait.read_parquet`, `read_csv`, `read_json`, `from_pandas`, `from_arrow` and
    `plait.sql`; freely mixed with SQL: a frame is a table there, and a result is a frame here.

    >>> import plait, pandas
    >>> df = plait.from_pandas(pandas.DataFrame({"k": ["a", "b", "a"], "x": [1, 2, 3]}))
    >>> df[df.x > 1].groupby("k").x.sum().compute().to_dict()
    {'a': 3, 'b': 2}
    """

    _frame: Frame

    def __init__(self, frame: Frame) -> None:
        if not isinstance(frame, Frame):
            raise TypeError(
                "A plait DataFrame is not made from data directly; use plait.from_pandas(...), "
                "plait.from_arrow(...) or plait.read_parquet(...)"
            )
        object.__setattr__(self, "_frame", frame)

    # ------------------------------------------------------------------------------- inspection

    @property
    def columns(self) -> pd.Index:
        """The column labels."""
        labels: pd.Index = output.labels(self._frame)
        return labels

    @columns.setter
    def columns(self, labels: Sequence[Hashable]) -> None:
        self._set(selection.relabelled(self._frame, labels))

    @property
    def dtypes(self) -> pd.Series:
        """The type of each column, if no value is missing."""
        return output.dtypes(self._frame)

    @property
    def index(self) -> Index:
        """The index, as a lazy column."""
        return Index.of(self._frame)

    @property
    def plan(self) -> LogicalPlan:
        """The logical plan."""
        return self._frame.plan

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns); counts the rows."""
        return len(self), len(self._frame.columns)

    @property
    def size(self) -> int:
        """Rows times columns; counts the rows."""
        return len(self) * len(self._frame.columns)

    @property
    def empty(self) -> bool:
        """Whether there is no value; looks for a row."""
        return not self._frame.columns or output.count(order.head(self._frame, 1)) == 0

    def __len__(self) -> int:
        return output.count(self._frame)

    def __contains__(self, label: object) -> bool:
        return label in self._frame.labels

    def __repr__(self) -> str:
        return display.frame_text(self._frame)

    def _repr_html_(self) -> str:
        return display.frame_html(self._frame)

    def __dir__(self) -> list[str]:
        labels = [x for x in self._frame.labels if isinstance(x, str) and x.isidentifier()]
        return sorted({*object.__dir__(self), *labels})

    # -------------------------------------------------------------------------------- computing

    def compute(self) -> pd.DataFrame:
        """Run the plan; the result as a pandas DataFrame. Types: see `plait.result`."""
        return result.to_pandas(self._frame)

    def to_pandas(self) -> pd.DataFrame:
        """Run the plan; the result as a pandas DataFrame."""
        return self.compute()

    def to_arrow(self) -> pa.Table:
        """Run the plan; the result as an Arrow table, without the index."""
        return result.to_arrow(self._frame)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Run the plan; the result for any library that reads Arrow streams."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def persist(self) -> DataFrame:
        """Compute now and keep the result in memory; a frame that reads it."""
        return DataFrame(self._frame.with_plan(self._frame.runner.persist(self._frame.plan)))

    def explain(self, level: str = "optimized", *, analyze: bool = False) -> str:
        """The plan as text.

        Parameters
        ----------
        level : {"logical", "optimized", "stages", "tasks"}
        analyze : bool
            Run it, and add rows, bytes and seconds of each step.
        """
        return self._frame.runner.explain(self._frame.shown, level, analyze)

    def optimized_plan(self) -> LogicalPlan:
        """The plan after all optimizer rules, as it will be run."""
        return self._frame.runner.optimize(self._frame.shown)

    def visualize(self, path: str = "plan.svg") -> Any:
        """Draw plan and task graph into an SVG file."""
        return self._frame.runner.visualize(self._frame.shown, path)

    def to_parquet(self, path: Any, **options: Any) -> pd.DataFrame:
        """Write Parquet: one file if `path` ends in .parquet, else a folder of parts.

        Parameters
        ----------
        path : str or path
            Local, or a URL.
        mode : {"error", "overwrite", "append"}
            What to do if there is something already.
        partition_on : str or list of str
            Columns whose values name folders (`year=2024/`).
        sort_by, columns, index, single_file, filename_pattern, storage_options
            See docs/writing.md, also for the options of each format.
        compression : {"snappy", "zstd", "gzip", "lz4", "brotli", None}
        row_group_size : int
        statistics : bool or list of str

        Returns
        -------
        pandas.DataFrame
            A row for each file: path, rows, bytes.

        Raises
        ------
        WriteError
            If the target is there already or cannot be written. It is then as it was.

        Examples
        --------
        >>> df.to_parquet("sales", partition_on="year")     # doctest: +SKIP
        """
        written: pd.DataFrame = writing.write(self._frame, path, "parquet", options)
        return written

    def to_csv(self, path: Any = None, **options: Any) -> pd.DataFrame:
        """Write CSV: one file if `path` ends in .csv or .csv.gz, else a folder of parts.

        Options as of `to_parquet`, and pandas' `sep, header, na_rep, date_format, float_format,
        quoting, quotechar, escapechar, decimal, encoding, compression`, ...
        """
        written: pd.DataFrame = writing.write(self._frame, path, "csv", options)
        return written

    def to_json(self, path: Any = None, **options: Any) -> pd.DataFrame:
        """Write JSON lines (with `lines=False` an array) to one file or a folder of parts.

        Options as of `to_parquet`, and `compression`.
        """
        written: pd.DataFrame = writing.write(self._frame, path, "json", options)
        return written

    # ----------------------------------------------------------------------- columns and masks

    def _set(self, frame: Frame) -> None:
        object.__setattr__(self, "_frame", frame)

    def __getitem__(self, key: Any) -> Any:
        return selection.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._set(selection.put(self._frame, key, value))

    def __delitem__(self, label: Hashable) -> None:
        self._set(selection.drop(self._frame, [label]))

    def __getattr__(self, name: str) -> Any:
        return selection.attribute(self._frame, name, type(self))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "columns":
            object.__setattr__(self, name, value)
        else:
            self._set(selection.set_attribute(self._frame, name, value))

    @property
    def loc(self) -> selection.Loc:
        """Rows by mask and columns by label: df.loc[df.x > 0, ["x", "y"]]."""
        return selection.Loc(self)

    def _operate(self, sign: str, other: Any, reflected: bool = False) -> Any:
        return DataFrame(selection.operate(self._frame, sign, other, reflected))

    def _named(self, sign: str, other: Any, fill_value: Any) -> Any:
        return DataFrame(selection.operate(self._frame, sign, other, False, fill_value))

    def __neg__(self) -> DataFrame:
        return DataFrame(selection.each(self._frame, lambda s: -s))

    def __invert__(self) -> DataFrame:
        return DataFrame(selection.each(self._frame, lambda s: ~s))

    def abs(self) -> DataFrame:
        """Absolute values of every column."""
        return DataFrame(selection.each(self._frame, lambda s: s.abs()))

    def round(self, decimals: int | Mapping[Any, int] = 0) -> DataFrame:
        """Numbers rounded to decimals, halves to the even neighbour; other columns stay."""
        return DataFrame(selection.rounded(self._frame, decimals))

    def _apply_ufunc(self, ufunc: Any) -> DataFrame:
        return DataFrame(selection.each(self._frame, ufunc))

    def clip(self, lower: Any = None, upper: Any = None) -> DataFrame:
        """Values brought into bounds."""
        return DataFrame(selection.each(self._frame, lambda s: s.clip(lower, upper)))

    def assign(self, **columns: Any) -> DataFrame:
        """The frame with columns added or replaced; a function gets the frame so far."""
        return DataFrame(selection.assign(self._frame, columns))

    def select_dtypes(self, include: Any = None, exclude: Any = None) -> DataFrame:
        """Columns of some types: "number", "object", "bool", "datetime", or exact ones."""
        return DataFrame(selection.select_dtypes(self._frame, include, exclude))

    def drop(
        self, labels: Any = None, axis: Any = 0, columns: Any = None, errors: str = "raise"
    ) -> DataFrame:
        """Without some columns (rows are dropped by a mask)."""
        return DataFrame(selection.drop_checked(self._frame, labels, axis, columns, errors))

    def rename(self, mapper: Any = None, *, columns: Any = None, axis: Any = None) -> DataFrame:
        """Columns under new labels, by a mapping or a function."""
        return DataFrame(selection.rename(self._frame, mapper, columns, axis))

    def add_prefix(self, prefix: str) -> DataFrame:
        """Every label with a prefix."""
        return DataFrame(selection.rename(self._frame, None, lambda x: f"{prefix}{x}", None))

    def add_suffix(self, suffix: str) -> DataFrame:
        """Every label with a suffix."""
        return DataFrame(selection.rename(self._frame, None, lambda x: f"{x}{suffix}", None))

    def astype(self, dtype: Any) -> DataFrame:
        """Every column, or those of a mapping, as another type."""
        return DataFrame(selection.astype(self._frame, dtype))

    def query(self, expr: str, **more: Any) -> DataFrame:
        """The rows for which an expression in pandas' syntax holds: "x > @limit and k in ['a']"."""
        return DataFrame(query(self._frame, expr, more))

    def eval(self, expr: str, **more: Any) -> Any:
        """An expression's values as a Series; "c = a + b" gives the frame with a new column."""
        return evaluate(self._frame, expr, more)

    def set_index(self, keys: Any, drop: bool = True, append: bool = False) -> DataFrame:
        """Columns as the index."""
        return DataFrame(reshape.set_index(self._frame, keys, drop, append))

    def reset_index(self, level: Any = None, drop: bool = False, names: Any = None) -> DataFrame:
        """The index as columns (dropped, with drop=True), rows numbered anew."""
        return DataFrame(reshape.reset_index(self._frame, level, drop, names))

    def rename_axis(self, index: Any) -> DataFrame:
        """The index under a new name."""
        return DataFrame(reshape.rename_axis(self._frame, index))

    def copy(self, deep: bool = True) -> DataFrame:
        """A frame of its own: assigning to one leaves the other as it is."""
        return DataFrame(self._frame)

    def pipe(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`func(self, ...)`."""
        return func(self, *args, **kwargs)

    # ------------------------------------------------------------------------- missing values

    def isna(self) -> DataFrame:
        """Where values are missing."""
        return DataFrame(selection.each(self._frame, lambda s: s.isna()))

    isnull = isna

    def notna(self) -> DataFrame:
        """Where values are not missing."""
        return DataFrame(selection.each(self._frame, lambda s: s.notna()))

    notnull = notna

    def fillna(self, value: Any) -> DataFrame:
        """Missing values replaced: by one value, or by a mapping of column to value."""
        return DataFrame(missing.fillna(self._frame, value))

    def ffill(self) -> DataFrame:
        """Missing values replaced by the last value before."""
        return DataFrame(selection.each(self._frame, lambda s: s.ffill()))

    def bfill(self) -> DataFrame:
        """Missing values replaced by the next value after."""
        return DataFrame(selection.each(self._frame, lambda s: s.bfill()))

    def dropna(
        self, *, how: str = "any", subset: Any = None, thresh: int | None = None
    ) -> DataFrame:
        """Rows in which no (how="all": not every) value is missing."""
        return DataFrame(missing.dropna(self._frame, how, subset, thresh))

    def where(self, cond: Any, other: Any = None) -> DataFrame:
        """Values where a condition holds, else `other`."""
        return DataFrame(missing.where(self._frame, cond, other, keep=True))

    def mask(self, cond: Any, other: Any = None) -> DataFrame:
        """Values where a condition does not hold, else `other`."""
        return DataFrame(missing.where(self._frame, cond, other, keep=False))

    def replace(self, to_replace: Any, value: Any = None) -> DataFrame:
        """Values replaced in every column; or {column: {old: new}}."""
        return DataFrame(missing.replace(self._frame, to_replace, value))

    def isin(self, values: Any) -> DataFrame:
        """Where values are among others; or {column: values}."""
        return DataFrame(missing.isin(self._frame, values))

    # --------------------------------------------------------------------------- rows and order

    def head(self, n: int = 5) -> DataFrame:
        """The first n rows (all but the last -n for a negative n)."""
        return DataFrame(order.head(self._frame, n))

    def tail(self, n: int = 5) -> DataFrame:
        """The last n rows."""
        return DataFrame(order.tail(self._frame, n))

    def sort_values(
        self,
        by: Any,
        *,
        ascending: bool | Sequence[bool] = True,
        na_position: str = "last",
        ignore_index: bool = False,
    ) -> DataFrame:
        """Rows in order of columns; equal rows keep their order."""
        return DataFrame(order.sort_values(self._frame, by, ascending, na_position, ignore_index))

    def sort_index(self, ascending: bool | Sequence[bool] = True) -> DataFrame:
        """Rows in order of the index."""
        return DataFrame(order.sort_index(self._frame, ascending))

    def nlargest(self, n: int, columns: Any, keep: str = "first") -> DataFrame:
        """The n rows with the largest values, largest first."""
        return DataFrame(order.extreme(self._frame, n, columns, largest=True, keep=keep))

    def nsmallest(self, n: int, columns: Any, keep: str = "first") -> DataFrame:
        """The n rows with the smallest values, smallest first."""
        return DataFrame(order.extreme(self._frame, n, columns, largest=False, keep=keep))

    def drop_duplicates(
        self, subset: Any = None, *, keep: Any = "first", ignore_index: bool = False
    ) -> DataFrame:
        """One row for each different value of the columns."""
        return DataFrame(order.distinct(self._frame, subset, keep, ignore_index))

    def duplicated(self, subset: Any = None, keep: Any = "first") -> Series:
        """Whether each row has a twin before it."""
        return order.duplicated_rows(self._frame, subset, keep)

    def shift(self, periods: int = 1, fill_value: Any = None) -> DataFrame:
        """Every column some rows before."""
        return DataFrame(selection.each(self._frame, lambda s: s.shift(periods, fill_value)))

    def diff(self, periods: int = 1) -> DataFrame:
        """The difference to some rows before."""
        return DataFrame(selection.each(self._frame, lambda s: s.diff(periods)))

    def cumsum(self) -> DataFrame:
        """Running sums."""
        return DataFrame(selection.each(self._frame, lambda s: s.cumsum()))

    def rank(self, method: str = "average", ascending: bool = True) -> DataFrame:
        """Ranks in every column."""
        return DataFrame(selection.each(self._frame, lambda s: s.rank(method, ascending)))

    # -------------------------------------------------------------------------- several frames

    def merge(self, right: Any, how: str = "inner", on: Any = None, **options: Any) -> DataFrame:
        """Join with another frame; options as pandas: left_on, right_on, left_index, right_index,
        suffixes, indicator. Kinds: inner, left, right, outer, cross, semi, anti."""
        return DataFrame(joins.merged(self._frame, joins.frame_of(right), how, on, **options))

    def join(
        self, other: Any, on: Any = None, how: str = "left", lsuffix: str = "", rsuffix: str = ""
    ) -> DataFrame:
        """Join with the other frame's index."""
        return DataFrame(joins.join(self._frame, other, on, how, lsuffix, rsuffix))

    def groupby(self, by: Any = None, **options: Any) -> groupby.GroupBy:
        """Groups of rows by columns, index levels or Series; as_index, sort, dropna."""
        return groupby.group_frame(self._frame, by, options)

    def quantile(
        self,
        q: Any = 0.5,
        axis: Any = 0,
        numeric_only: bool = False,
        interpolation: str = "linear",
    ) -> Any:
        """A quantile of every column; lazy, computes to a pandas Series."""
        return summary.frame_quantile(self._frame, q, axis, numeric_only, interpolation)

    def value_counts(
        self,
        subset: Any = None,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
    ) -> Series:
        """How often each row occurs, most frequent first."""
        return summary.frame_value_counts(self._frame, subset, normalize, sort, ascending, dropna)

    # ---------------------------------------------------------------------- Python functions

    def map_partitions(
        self, func: Callable[..., Any], *args: Any, meta: Any = None, **kwargs: Any
    ) -> DataFrame:
        """A function from a pandas frame to another, piece by piece; `meta` states the columns."""
        return DataFrame(functions.map_partitions(self._frame, func, args, kwargs, meta))

    def apply(
        self,
        func: Callable[..., Any],
        axis: Any = 0,
        dtype: Any = None,
        args: Any = (),
        meta: Any = None,
    ) -> Any:
        """With axis=1 a function of each row, which `dtype` states the result of: a Series."""
        return functions.apply_rows(self._frame, func, axis, dtype if meta is None else meta, args)

    # ---------------------------------------------------------------------------- reductions

    def agg(self, func: Any) -> Any:
        """Reductions by name: one, a list, or a mapping of column to names; lazy."""
        return summary.frame_agg(self._frame, func)

    aggregate = agg

    def describe(self, percentiles: Sequence[float] | None = None) -> summary.Summary:
        """Count, mean, std, min, quantiles and max of the numeric columns; lazy."""
        return summary.describe(self._frame, percentiles)

    def __iter__(self) -> Any:
        return iter(self._frame.labels)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A lazy DataFrame cannot be pickled or captured by a function that runs elsewhere; "
            "pass df.compute() instead"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError("A lazy DataFrame is no array; use df.compute().to_numpy()")


for _name, _doc in summary.FRAME_REDUCTIONS.items():
    setattr(DataFrame, _name, summary.frame_method(_name, _doc))

WRAP.dataframe = DataFrame
WRAP.series = Series
WRAP.index = Index
WRAP.group = groupby.SeriesGroupBy.of
