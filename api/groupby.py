"""GroupBy = (frame, keys): groups of equal keys, and what may be asked of them.

    df.groupby("k").x.sum()                      Series, indexed by k
    df.groupby(["k", df.t.dt.hour]).agg({"x": "sum", "y": ["min", "max"]})
    df.groupby("k", as_index=False).agg(total=("x", "sum"))
    df.groupby("k").x.transform("mean")          a column with the frame's own rows

Rows with a missing key are left out unless dropna=False; results are sorted by key unless
sort=False (then in no particular order). `observed` changes nothing: only keys that occur appear.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from plait import window
from plait.advice import unknown_attribute
from plait.aggregations import Reduction, applies, name_of, reduction
from plait.calling import caller
from plait.errors import PlanError, UnsupportedError
from plait.facts import presence
from plait.frame import WRAP, Frame, Labelled, check_unique, fresh_name
from plait.grouped import apply_groups, first_rows, nth_rows
from plait.operands import is_series, over
from plait.order import as_list, as_ordered
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Column, Expr, SortKey

if TYPE_CHECKING:
    from plait.series import Series


class NamedAgg(NamedTuple):
    """A column and its aggregation, for `agg(name=NamedAgg("x", "sum"))`."""

    column: Hashable
    aggfunc: Any


class Options(NamedTuple):
    """How groups are made and shown."""

    as_index: bool = True
    sort: bool = True
    dropna: bool = True


Key = tuple[Any, Expr]  # label and expression


def group_frame(frame: Frame, by: Any, options: Mapping[str, Any]) -> GroupBy:
    """Groups of a frame by columns, index levels, or Series with the same rows."""
    given = dict(options)
    level = given.pop("level", None)
    if (by is None) == (level is None):
        raise PlanError("groupby needs either columns to group by, or level=: levels of the index")
    if level is not None:
        by = [_level(frame, one) for one in as_list(level)]
    frame, keys = resolve_keys(frame, by)
    return GroupBy(frame, keys, None, _options(given))


def _level(frame: Frame, level: Any) -> Series:
    """A level of the index, by its number or its name."""
    numbers = range(-len(frame.index), len(frame.index))
    found = frame.index[level] if type(level) is int and level in numbers else None
    found = found or next((i for i in frame.index if i.label == level and level is not None), None)
    if found is None:
        names = ", ".join(repr(i.label) for i in frame.index) or "none"
        raise PlanError(f"The index has no level {level!r}; its levels are: {names}")
    series: Series = WRAP.series(frame, frame.expr(found.name), found.label)
    return series


def _options(given: Mapping[str, Any]) -> Options:
    ignored = ("observed", "group_keys", "axis")
    unknown = [name for name in given if name not in (*Options._fields, *ignored)]
    if unknown:
        raise PlanError(
            f"groupby has no option {unknown[0]!r}; there are {', '.join(Options._fields)}"
        )
    if given.get("axis") not in (None, 0):
        raise UnsupportedError("groupby(axis=1) is not done; rows are grouped")
    return Options(**{k: bool(v) for k, v in given.items() if k in Options._fields})


def resolve_keys(frame: Frame, by: Any) -> tuple[Frame, list[Key]]:
    """Labels, index levels and Series as key expressions over one frame."""
    found: list[tuple[Any, Any]] = []
    for key in as_list(by):
        if is_series(key):
            found.append((key._label, key))
        elif callable(key):
            raise UnsupportedError("groupby by a function of the index is not done; use a Series")
        elif frame.has(key):
            found.append((key, WRAP.series(frame, frame.column(key), key)))
        else:
            level = next((i for i in frame.index if i.label == key and key is not None), None)
            if level is None:
                raise frame.missing(key)
            found.append((key, WRAP.series(frame, frame.expr(level.name), key)))
    frame, exprs = over(frame, *(series for _, series in found), carry=True)
    return frame, [(label, e) for (label, _), e in zip(found, exprs, strict=True)]


class GroupBy:
    """Groups of a DataFrame's rows; made by `df.groupby(...)`."""

    def __init__(
        self,
        frame: Frame,
        keys: Sequence[Key],
        chosen: Sequence[Labelled] | None,
        options: Options,
    ) -> None:
        self._frame = frame
        self._keys = list(keys)
        self._options = options
        key_columns = {e.name for _, e in self._keys if isinstance(e, Column)}
        rest = [c for c in frame.columns if c.name not in key_columns]
        self._chosen = None if chosen is None else tuple(chosen)
        self._columns = rest if chosen is None else list(chosen)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            columns = [Labelled(label, self._frame.name_of(label)) for label in key]
            return GroupBy(self._frame, self._keys, columns, self._options)
        column = Labelled(key, self._frame.name_of(key))
        return SeriesGroupBy(self._frame, self._keys, [column], self._options)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and self._frame.has(name):
            return self[name]
        raise unknown_attribute("GroupBy", name, [*dir(type(self)), *map(str, self._frame.labels)])

    def __iter__(self) -> NoReturn:
        raise UnsupportedError(
            "Going through lazy groups is not done; use agg, transform or apply, or iterate over "
            "df.compute().groupby(...)"
        )

    def __repr__(self) -> str:
        keys = ", ".join(str(label) for label, _ in self._keys)
        return f"<plait.{type(self).__name__} by [{keys}], not computed>\n{self._frame.plan}"

    # -------------------------------------------------------------------------- building

    def _known_keys(self) -> Frame:
        """The frame without rows whose key is missing, unless those count."""
        plan = self._frame.plan
        if self._options.dropna:
            for _, key in self._keys:
                for test in presence(plan, key):
                    plan = builder.filter(plan, test, origin=caller())
        return self._frame.with_plan(plan)

    def _aggregate(self, made: Sequence[tuple[Any, Reduction]]) -> Frame:
        """One row a group: keys as index (or first columns), then reductions by label."""
        frame = self._known_keys()
        levels: list[Labelled] = []
        taken: set[str] = set()
        for label, _ in self._keys:
            level = Labelled(label, fresh_name("key" if label is None else label, taken))
            taken.add(level.name)
            levels.append(level)
        columns: list[Labelled] = []
        for label, _ in made:
            column = Labelled(label, fresh_name("value" if label is None else label, taken))
            taken.add(column.name)
            columns.append(column)
        plan = builder.aggregate(
            frame.plan,
            [(level.name, e) for level, (_, e) in zip(levels, self._keys, strict=True)],
            [(c.name, r.call) for c, (_, r) in zip(columns, made, strict=True)],
            origin=caller(),
        )
        finished = [(level.name, builder.column(plan, level.name)) for level in levels]
        plan = builder.project(
            plan,
            [
                *finished,
                *(
                    (c.name, r.finish(builder.column(plan, c.name)))
                    for c, (_, r) in zip(columns, made, strict=True)
                ),
            ],
        )
        hints = {
            level.name: frame.hints[e.name]
            for level, (_, e) in zip(levels, self._keys, strict=True)
            if isinstance(e, Column) and e.name in frame.hints
        }
        if self._options.sort:
            sorted_ = replace(frame, plan=plan, hints=hints)
            keys = [SortKey(as_ordered(sorted_, sorted_.expr(k.name))) for k in levels]
            plan = builder.sort(plan, keys)
        if self._options.as_index:
            return Frame(plan, tuple(columns), frame.runner, tuple(levels), hints)
        check_unique([label for label, _ in (*levels, *columns)])
        return Frame(plan, (*levels, *columns), frame.runner, (), hints)

    def _reduce(self, how: str, *, numeric_only: bool = False, **options: Any) -> Any:
        made = []
        for column in self._columns:
            expr = self._frame.expr(column.name)
            number = (t.is_numeric(expr.dtype) or expr.dtype == t.BOOL) and applies(how, expr.dtype)
            if numeric_only and not number:
                continue
            made.append((column.label, self._reduction(how, expr, **options)))
        return self._wrap(self._aggregate(made))

    def _reduction(self, how: str, expr: Expr | None, **options: Any) -> Reduction:
        return reduction(self._known_keys().plan, how, expr, grouped=True, **options)

    def _wrap(self, frame: Frame) -> Any:
        return WRAP.dataframe(frame)

    # ------------------------------------------------------------------------ aggregations

    def agg(self, func: Any = None, **named: Any) -> Any:
        """Aggregate by a name, a list, a mapping of column to names, or `new=(column, name)`."""
        return self._wrap_table(self._aggregate(self._spec(func, named)))

    aggregate = agg

    def _spec(self, func: Any, named: Mapping[str, Any]) -> list[tuple[Any, Reduction]]:
        if func is None:
            if not named:
                raise PlanError("agg needs what to compute: agg('sum'), or agg(total=('x', 'sum'))")
            return [self._named(label, spec) for label, spec in named.items()]
        if isinstance(func, Mapping):
            deep = any(isinstance(how, list | tuple) for how in func.values())
            return [
                ((label, name_of(how)) if deep else label, self._of(label, how))
                for label, hows in func.items()
                for how in as_list(list(hows) if isinstance(hows, tuple) else hows)
            ]
        several = isinstance(func, list | tuple)
        return [
            ((c.label, name_of(how)) if several else c.label, self._of(c.label, how))
            for c in self._columns
            for how in (func if several else [func])
        ]

    def _named(self, label: str, spec: Any) -> tuple[Any, Reduction]:
        if hasattr(spec, "column") and hasattr(spec, "aggfunc"):  # ours, and pandas' own
            spec = (spec.column, spec.aggfunc)
        if not isinstance(spec, tuple) or len(spec) != 2:
            raise PlanError(f"agg({label}=...) takes a pair (column, aggregation), not {spec!r}")
        return label, self._of(spec[0], spec[1])

    def _of(self, label: Any, how: Any) -> Reduction:
        return self._reduction(name_of(how), self._frame.column(label))

    def _wrap_table(self, frame: Frame) -> Any:
        return WRAP.dataframe(frame)

    def sum(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """Sums."""
        return self._reduce("sum", numeric_only=numeric_only, min_count=min_count)

    def mean(self, numeric_only: bool = False) -> Any:
        """Means."""
        return self._reduce("mean", numeric_only=numeric_only)

    def min(self, numeric_only: bool = False) -> Any:
        """Smallest values."""
        return self._reduce("min", numeric_only=numeric_only)

    def max(self, numeric_only: bool = False) -> Any:
        """Largest values."""
        return self._reduce("max", numeric_only=numeric_only)

    def std(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Standard deviations."""
        return self._reduce("std", numeric_only=numeric_only, ddof=ddof)

    def var(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """Variances."""
        return self._reduce("var", numeric_only=numeric_only, ddof=ddof)

    def sem(self, numeric_only: bool = False) -> Any:
        """Standard errors of the means."""
        return self._reduce("sem", numeric_only=numeric_only)

    def median(self, numeric_only: bool = False) -> Any:
        """Medians."""
        return self._reduce("median", numeric_only=numeric_only)

    def quantile(self, q: float = 0.5, numeric_only: bool = False) -> Any:
        """Quantiles."""
        return self._reduce("quantile", numeric_only=numeric_only, q=q)

    def prod(self, numeric_only: bool = False) -> Any:
        """Products."""
        return self._reduce("prod", numeric_only=numeric_only)

    def count(self) -> Any:
        """How many values are not missing."""
        return self._reduce("count")

    def nunique(self) -> Any:
        """How many different values."""
        return self._reduce("nunique")

    def first(self, numeric_only: bool = False) -> Any:
        """The first values that are not missing."""
        return self._reduce("first", numeric_only=numeric_only)

    def last(self, numeric_only: bool = False) -> Any:
        """The last values that are not missing."""
        return self._reduce("last", numeric_only=numeric_only)

    def any(self) -> Any:
        """Whether any value is true."""
        return self._reduce("any")

    def all(self) -> Any:
        """Whether all values are true."""
        return self._reduce("all")

    def size(self) -> Any:
        """How many rows; a Series (a DataFrame with a column `size` if as_index=False)."""
        if not self._options.as_index:
            return WRAP.dataframe(self._aggregate([("size", self._reduction("size", None))]))
        frame = self._aggregate([(None, self._reduction("size", None))])
        return WRAP.series(frame, frame.expr(frame.names[0]), None)

    def value_counts(
        self, normalize: bool = False, sort: bool = True, ascending: bool = False
    ) -> Any:
        """How often each combination of keys and values occurs, most frequent first in a group."""
        if normalize:
            raise UnsupportedError(
                "value_counts(normalize=True) of groups is not done; divide by transform('sum')"
            )
        more = [(c.label, self._frame.expr(c.name)) for c in self._columns]
        both = GroupBy(self._frame, [*self._keys, *more], [], self._options._replace(sort=False))
        frame = both._aggregate([("count", self._reduction("size", None))])
        levels = [*frame.index, *frame.columns[: len(self._keys)]][: len(self._keys)]
        order = [SortKey(frame.expr(level.name)) for level in levels] if self._options.sort else []
        if sort:
            order.append(SortKey(frame.expr("count"), descending=not ascending))
        frame = frame.with_plan(builder.sort(frame.plan, order))
        if not self._options.as_index:
            return WRAP.dataframe(frame)
        return WRAP.series(frame, frame.expr("count"), "count")

    # -------------------------------------------------------------------- row by row in groups

    def _key_exprs(self) -> list[Expr]:
        return [e for _, e in self._keys]

    def _columns_by(self, step: Callable[..., tuple[Frame, Expr]]) -> Any:
        """A window step on each chosen column; the frame's rows stay."""
        frame = self._frame
        made: list[tuple[Labelled, Expr]] = []
        for column in self._columns:
            frame, expr = step(frame, frame.expr(column.name), self._key_exprs())
            made.append((column, expr))
        return self._wrap_rows(frame, made)

    def _wrap_rows(self, frame: Frame, made: Sequence[tuple[Labelled, Expr]]) -> Any:
        return WRAP.dataframe(frame.project(made))

    def transform(self, func: Any) -> Any:
        """A reduction of the group, in each of its rows."""
        if isinstance(func, str) and func in ("cumsum", "cumprod", "cummax", "cummin", "rank"):
            return getattr(self, func)()
        if isinstance(func, str) and func in ("shift", "diff", "cumcount", "ngroup"):
            return getattr(self, func)()
        how = name_of(func)
        return self._columns_by(
            lambda frame, expr, keys: window.reduce_over(frame, how, expr, keys)
        )

    def shift(self, periods: int = 1, fill_value: Any = None) -> Any:
        """The value some rows before in the group."""
        return self._columns_by(
            lambda frame, expr, keys: window.shifted(frame, expr, keys, periods, fill_value)
        )

    def diff(self, periods: int = 1) -> Any:
        """The difference to the value some rows before in the group."""
        return self._columns_by(
            lambda frame, expr, keys: window.difference(frame, expr, keys, periods)
        )

    def cumsum(self) -> Any:
        """Running sums in the group."""
        return self._columns_by(lambda f, e, k: window.running(f, "sum", e, k))

    def cumprod(self) -> Any:
        """Running products in the group."""
        return self._columns_by(lambda f, e, k: window.running(f, "prod", e, k))

    def cummax(self) -> Any:
        """Running maxima in the group."""
        return self._columns_by(lambda f, e, k: window.running(f, "max", e, k))

    def cummin(self) -> Any:
        """Running minima in the group."""
        return self._columns_by(lambda f, e, k: window.running(f, "min", e, k))

    def rank(self, method: str = "average", ascending: bool = True, pct: bool = False) -> Any:
        """Ranks in the group."""
        return self._columns_by(
            lambda frame, expr, keys: window.ranked(frame, expr, keys, method, ascending, pct)
        )

    def cumcount(self, ascending: bool = True) -> Any:
        """The row's number in its group, from 0."""
        frame, expr = window.numbered(self._frame, self._key_exprs(), ascending)
        expr = window.in_group(frame, self._key_exprs() if self._options.dropna else [], expr)
        return WRAP.series(frame, expr, None)

    def ngroup(self) -> Any:
        """The number of the row's group, from 0 in order of the keys."""
        call = builder.window_call(
            "dense_rank", order_by=[SortKey(key) for key in self._key_exprs()]
        )
        frame, rank = window.add(self._frame, call)
        expr = builder.call("subtract", rank, builder.literal(1))
        return WRAP.series(frame, window.in_group(frame, self._key_exprs(), expr), None)

    def head(self, n: int = 5) -> Any:
        """The first n rows of each group, in the frame's order."""
        return self._wrap(first_rows(self._shown(), self._key_exprs(), n, from_end=False))

    def tail(self, n: int = 5) -> Any:
        """The last n rows of each group, in the frame's order."""
        return self._wrap(first_rows(self._shown(), self._key_exprs(), n, from_end=True))

    def nth(self, n: int) -> Any:
        """The n-th row of each group, from 0 (from the end if negative)."""
        return self._wrap(nth_rows(self._shown(), self._key_exprs(), n))

    def _shown(self) -> Frame:
        """The frame with all (or the chosen) columns, rows of missing keys left out."""
        frame = self._known_keys()
        return frame if self._chosen is None else replace(frame, columns=self._chosen)

    def apply(self, func: Callable[..., Any], *args: Any, meta: Any = None, **kwargs: Any) -> Any:
        """A pandas function of each group; `meta` states the columns and types it gives.

        The function gets each group as a pandas frame and gives a frame, a Series of the stated
        columns or one value; all rows come together in one task.
        """
        return apply_groups(
            self._shown(),
            self._keys,
            self._columns,
            self._options,
            func,
            args,
            kwargs,
            meta,
            series=isinstance(self, SeriesGroupBy),
        )

    def pipe(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`func(self, ...)`."""
        return func(self, *args, **kwargs)


class SeriesGroupBy(GroupBy):
    """Groups of one column; made by `df.groupby(...)["x"]`."""

    @classmethod
    def of(
        cls,
        frame: Frame,
        keys: Sequence[Key],
        columns: Sequence[Labelled],
        options: Mapping[str, Any],
    ) -> SeriesGroupBy:
        """Groups of one column by key expressions over the same frame."""
        return cls(frame, keys, columns, _options(options))

    def _wrap(self, frame: Frame) -> Any:
        if not self._options.as_index:
            return WRAP.dataframe(frame)
        return WRAP.series(frame, frame.expr(frame.names[-1]), frame.labels[-1])

    def _wrap_rows(self, frame: Frame, made: Sequence[tuple[Labelled, Expr]]) -> Any:
        return WRAP.series(frame, made[0][1], made[0][0].label)

    def agg(self, func: Any = None, **named: Any) -> Any:
        """Aggregate by a name (a Series), a list, or `new=name` (DataFrames)."""
        expr = self._frame.expr(self._columns[0].name)
        label = self._columns[0].label
        if func is None:
            made = [(new, self._reduction(name_of(how), expr)) for new, how in named.items()]
            return WRAP.dataframe(self._aggregate(made))
        if isinstance(func, list | tuple):
            made = [(name_of(how), self._reduction(name_of(how), expr)) for how in func]
            return WRAP.dataframe(self._aggregate(made))
        if isinstance(func, Mapping):
            raise PlanError("agg of one column takes a name or a list; name=... gives new names")
        return self._wrap(self._aggregate([(label, self._reduction(name_of(func), expr))]))

    aggregate = agg

    def unique(self) -> NoReturn:
        """Not done: use agg('list'), or drop_duplicates of key and column."""
        raise UnsupportedError(
            "unique of groups is not done; use drop_duplicates of the key and the column"
        )

    def nlargest(self, n: int = 5) -> Any:
        """Not done: sort, then take the head of each group."""
        raise UnsupportedError(
            "nlargest of groups is not done; use df.sort_values(x, ascending=False)"
            ".groupby(k).head(n)"
        )
