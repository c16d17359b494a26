"""Checked constructors for expressions and plans: the one door of both front ends.

What is wrong with names or types raises here, where it was written. Adjacent projections and
filters are merged as they are built, so that a loop that adds a thousand columns stays one node.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from plait.errors import ColumnNotFoundError, ConversionError, PlanError, TypeMismatchError
from plait.planner import types as t
from plait.planner.expr import (
    RUNNING,
    TRUE,
    WHOLE_PARTITION,
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expr,
    Frame,
    Literal,
    SortKey,
    WindowCall,
    columns_of,
    conjunction,
    conjuncts,
    substitute,
)
from plait.planner.functions import registry
from plait.planner.functions.coercion import integer_range
from plait.planner.functions.signature import Volatility
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    MapPartitions,
    Named,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
    Write,
)
from plait.planner.schema import Field, Schema
from plait.planner.source import TableSource
from plait.planner.subquery import SUBQUERIES

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_DATE_WORDS = ("epoch", "infinity", "-infinity")

JOIN_KINDS = ("inner", "left", "right", "full", "cross", "semi", "anti", "mark", "single")

# ---------------------------------------------------------------------------------- expressions


def column(plan: LogicalPlan, name: str) -> Column:
    """A column of a plan; raises ColumnNotFoundError with the nearest names."""
    return Column(name, plan.schema[name].type)


def literal(value: Any, dtype: pa.DataType | None = None) -> Literal:
    """A constant; the type is found from the Python value when it is not given.

    Integers are INTEGER if they fit, else BIGINT, else HUGEINT.
    """
    if dtype is None:
        dtype = _type_of_value(value)
    return Literal(_plain(value), dtype)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_pydatetime"):  # pandas.Timestamp
        return value.to_pydatetime(warn=False)
    if hasattr(value, "to_pytimedelta"):  # pandas.Timedelta
        return value.to_pytimedelta()
    if hasattr(value, "item") and not isinstance(value, pa.Scalar):  # a numpy scalar
        return value.item()
    if isinstance(value, pa.Scalar):
        return value.as_py()
    if isinstance(value, list):
        return tuple(_plain(v) for v in value)
    return value


def _type_of_value(value: Any) -> pa.DataType:
    value = _plain(value)
    match value:
        case None:
            return t.NULL
        case bool():
            return t.BOOL
        case int():
            if -(2**31) <= value < 2**31:
                return t.INT32
            if -(2**63) <= value < 2**63:
                return t.INT64
            return t.HUGEINT
        case float():
            return t.DOUBLE
        case Decimal():
            return _decimal_type(value)
        case str():
            return t.STRING
        case bytes():
            return t.BINARY
        case dt.datetime():
            return t.TIMESTAMP if value.tzinfo is None else t.TIMESTAMPTZ
        case dt.date():
            return t.DATE
        case dt.time():
            return t.TIME
        case dt.timedelta():
            return t.DURATION
        case pa.MonthDayNano():
            return t.INTERVAL
        case tuple():
            types = [_type_of_value(v) for v in value]
            return pa.list_(t.require_common_type(types, "A list"))
    try:
        return t.normalize(pa.scalar(value).type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise TypeMismatchError(f"{type(value).__name__} is no type of a constant") from None


def _decimal_type(value: Decimal) -> pa.DataType:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):  # NaN and Infinity
        return t.DOUBLE
    scale = max(0, -exponent)
    return t.decimal(max(len(digits) + max(0, exponent), scale), scale)


def call(name: str, *args: Expr) -> Call:
    """A scalar function of the registry; arguments are cast to the types it takes."""
    function = registry.scalar(name)
    signature = function.resolve(args)
    cast_args = tuple(coerce(a, dtype) for a, dtype in zip(args, signature.args, strict=True))
    return Call(function.name, cast_args, signature.result)


def coerce(expr: Expr, dtype: pa.DataType) -> Expr:
    """The expression converted without being asked; constants are converted at once."""
    if expr.dtype == dtype:
        return expr
    if isinstance(expr, Literal):
        converted = _convert_literal(expr, dtype)
        if converted is not None:
            return converted
    return Cast(expr, dtype)


def _convert_literal(expr: Literal, dtype: pa.DataType) -> Literal | None:
    """The constant in another type where that is plain; None leaves it to constant folding."""
    value = expr.value
    if value is None:
        return Literal(None, dtype)
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and t.is_integer(expr.dtype):
        if t.is_integer(dtype):
            low, high = integer_range(dtype)
            return Literal(value, dtype) if low <= value <= high else None
        if t.is_float(dtype):
            return Literal(float(value), dtype)
        if t.is_decimal(dtype):
            return _fit_decimal(Decimal(value), dtype)
    if isinstance(value, Decimal):
        if dtype == t.DOUBLE:
            return Literal(float(value), dtype)
        if t.is_decimal(dtype):
            return _fit_decimal(value, dtype)
    if isinstance(value, float) and dtype == t.DOUBLE:
        return Literal(value, dtype)
    if isinstance(value, str) and t.is_date(dtype):
        return _date_of_text(value)
    if isinstance(value, str) and t.is_timestamp(dtype) and dtype.tz is None:
        if not _ISO_TIMESTAMP.fullmatch(value.strip()):
            return None
        try:
            return Literal(dt.datetime.fromisoformat(value.strip()), dtype)
        except ValueError:
            return None
    if type(value) is dt.date and t.is_timestamp(dtype) and dtype.tz is None:
        return Literal(dt.datetime(value.year, value.month, value.day), dtype)
    if isinstance(value, dt.datetime) and t.is_timestamp(dtype) and t.is_timestamp(expr.dtype):
        return Literal(value, dtype) if expr.dtype.tz == dtype.tz else None
    return None


def _date_of_text(value: str) -> Literal | None:
    """A date as it is usually written; None for spellings that are left to the cast."""
    text = value.strip()
    problem = ConversionError(f"{value!r} is not a date; dates are written YYYY-MM-DD")
    if _ISO_DATE.fullmatch(text):
        try:
            return Literal(dt.date.fromisoformat(text), t.DATE)
        except ValueError:
            raise problem from None
    if any(c.isdigit() for c in text) or text.lower() in _DATE_WORDS:
        return None
    raise problem


def _fit_decimal(value: Decimal, dtype: pa.DataType) -> Literal | None:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or -exponent > dtype.scale:
        return None
    if len(digits) + exponent > dtype.precision - dtype.scale and value != 0:
        return None
    return Literal(value, dtype)


def cast(expr: Expr, dtype: pa.DataType, *, try_: bool = False) -> Expr:
    """An explicit CAST or TRY_CAST."""
    if expr.dtype == dtype:
        return expr
    if not t.can_cast(expr.dtype, dtype):
        raise TypeMismatchError(
            f"Cannot cast {t.sql_name(expr.dtype)} to {t.sql_name(dtype)}: {expr}"
        )
    return Cast(expr, dtype, try_)


def case(branches: Sequence[tuple[Expr, Expr]], otherwise: Expr | None = None) -> Expr:
    """CASE WHEN; all values are brought to their common type."""
    final = otherwise if otherwise is not None else Literal(None, t.NULL)
    dtype = t.require_common_type([v.dtype for _, v in branches] + [final.dtype], "CASE")
    pairs = tuple((boolean(when, "WHEN"), coerce(then, dtype)) for when, then in branches)
    return Case(pairs, coerce(final, dtype), dtype)


def boolean(expr: Expr, what: str) -> Expr:
    """The expression as a boolean; numbers are not taken for truth values."""
    if expr.dtype in (t.BOOL, t.NULL):
        return coerce(expr, t.BOOL)
    raise TypeMismatchError(f"{what} needs a boolean, not {t.sql_name(expr.dtype)}: {expr}")


def aggregate_call(
    name: str,
    args: Sequence[Expr] = (),
    *,
    distinct: bool = False,
    filter: Expr | None = None,  # noqa: A002
    order_by: Sequence[SortKey] = (),
) -> AggregateCall:
    """An aggregate function of the registry."""
    function = registry.aggregate(name)
    signature = function.resolve(tuple(args))
    cast_args = tuple(coerce(a, dtype) for a, dtype in zip(args, signature.args, strict=True))
    return AggregateCall(
        function.name,
        cast_args,
        signature.result,
        distinct=distinct and function.distinct_matters and bool(args),
        filter=None if filter is None else boolean(filter, "FILTER"),
        order_by=tuple(order_by),
    )


def window_call(
    name: str,
    args: Sequence[Expr] = (),
    *,
    partition_by: Sequence[Expr] = (),
    order_by: Sequence[SortKey] = (),
    frame: Frame | None = None,
    distinct: bool = False,
    filter: Expr | None = None,  # noqa: A002
    ignore_nulls: bool = False,
) -> WindowCall:
    """A window or aggregate function over a window; the default frame is filled in."""
    function = registry.window(name) if registry.is_window(name) else registry.aggregate(name)
    signature = function.resolve(tuple(args))
    if frame is None:
        frame = RUNNING if order_by else WHOLE_PARTITION
    return WindowCall(
        function.name,
        tuple(coerce(a, dtype) for a, dtype in zip(args, signature.args, strict=True)),
        signature.result,
        tuple(partition_by),
        tuple(order_by),
        frame,
        distinct,
        None if filter is None else boolean(filter, "FILTER"),
        ignore_nulls,
    )


def is_volatile(expr: Expr) -> bool:
    """Whether an expression gives new values each time it is computed (random, uuid)."""
    return any(
        # GROUPING stands in SQL's expressions until they are over an Aggregate
        isinstance(e, Call)
        and registry.is_scalar(e.function)
        and registry.scalar(e.function).volatility is Volatility.VOLATILE
        for e in expr.walk()
    )


# ---------------------------------------------------------------------------------------- plans


def _check_columns(plan: LogicalPlan, exprs: Iterable[Expr]) -> None:
    for name in columns_of(exprs):
        if name not in plan.schema:
            raise ColumnNotFoundError(name, plan.schema.names)


def scan(source: TableSource, *, name: str = "", origin: str | None = None) -> Scan:
    """All columns of a table."""
    return Scan(source, name=name or source.name, origin=origin, identity=source.identity)


def values(
    names: Sequence[str], rows: Sequence[Sequence[Expr]], *, origin: str | None = None
) -> Values:
    """Constant rows; each column gets the common type of its values."""
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise PlanError(f"Row {number} of VALUES has {len(row)} values, not {len(names)}")
    types = [
        t.require_common_type([row[i].dtype for row in rows], f"Column {n} of VALUES")
        for i, n in enumerate(names)
    ]
    fields = tuple(Field(n, ty) for n, ty in zip(names, types, strict=True))
    typed = tuple(tuple(coerce(e, ty) for e, ty in zip(r, types, strict=True)) for r in rows)
    return Values(fields, typed, origin=origin)


def one_row() -> Values:
    """One row without columns: what a SELECT without FROM reads."""
    return Values((), ((),))


def filter(plan: LogicalPlan, predicate: Expr, *, origin: str | None = None) -> LogicalPlan:  # noqa: A001
    """The rows for which the predicate is true."""
    predicate = boolean(predicate, "A filter")
    _check_columns(plan, [predicate])
    if predicate == TRUE:
        return plan
    if isinstance(plan, Filter) and not is_volatile(predicate):
        merged = conjunction((*conjuncts(plan.predicate), *conjuncts(predicate)))
        return replace(plan, predicate=merged, origin=origin or plan.origin)
    return Filter(plan, predicate, origin=origin)


def project(
    plan: LogicalPlan, columns: Sequence[Named], *, origin: str | None = None
) -> LogicalPlan:
    """Computed columns. Merges with a projection below when that duplicates no work."""
    _check_columns(plan, [e for _, e in columns])
    Schema.of((n, e.dtype) for n, e in columns)  # unique names
    if isinstance(plan, Project):
        merged = merge_projections(plan, columns)
        if merged is not None:
            return replace(merged, origin=origin or plan.origin)
    names = tuple(n for n, e in columns if isinstance(e, Column) and e.name == n)
    if names == plan.schema.names and len(names) == len(columns):
        return plan
    return Project(plan, tuple(columns), origin=origin)


def merge_projections(below: Project, columns: Sequence[Named]) -> Project | None:
    """One projection for two, or None if an expression below would be computed twice.

    A new expression that reads a computed column beside that column itself is left apart, so
    that nothing is worked out twice.
    """
    inner = dict(below.columns)
    uses: dict[str, int] = {}
    for _, e in columns:
        for node in e.walk():
            if isinstance(node, Column):
                uses[node.name] = uses.get(node.name, 0) + 1
            elif isinstance(node, SUBQUERIES):
                return None  # its plan may read the columns of this level by their names
    for name, count in uses.items():
        computed = not isinstance(inner[name], Column | Literal)
        if computed and (count > 1 or is_volatile(inner[name])):
            return None
    merged = tuple((n, substitute(e, inner)) for n, e in columns)
    return Project(below.input, merged, origin=below.origin)


def rename(plan: LogicalPlan, names: Sequence[str]) -> LogicalPlan:
    """The same columns under new names, by position."""
    pairs = zip(names, plan.schema, strict=True)
    return project(plan, [(new, Column(f.name, f.type)) for new, f in pairs])


def select(plan: LogicalPlan, names: Sequence[str]) -> LogicalPlan:
    """Some columns, in the order given."""
    return project(plan, [(name, column(plan, name)) for name in names])


def with_columns(
    plan: LogicalPlan, columns: Sequence[Named], *, origin: str | None = None
) -> LogicalPlan:
    """The plan's columns with some replaced (in place) or added (at the end)."""
    new = dict(columns)
    kept: list[Named] = [(f.name, new.pop(f.name, Column(f.name, f.type))) for f in plan.schema]
    return project(plan, [*kept, *new.items()], origin=origin)


def aggregate(
    plan: LogicalPlan,
    keys: Sequence[Named],
    aggregates: Sequence[tuple[str, AggregateCall]],
    *,
    origin: str | None = None,
) -> LogicalPlan:
    """Groups of equal keys with their aggregates."""
    _check_columns(plan, [e for _, e in (*keys, *aggregates)])
    node = Aggregate(plan, tuple(keys), tuple(aggregates), origin=origin)
    _ = node.schema  # unique names
    return node


def join(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: str,
    condition: Expr | None = None,
    *,
    mark: str | None = None,
    in_keys: Sequence[tuple[Expr, Expr]] = (),
    origin: str | None = None,
) -> LogicalPlan:
    """A join; the two sides must have no column name in common."""
    if kind not in JOIN_KINDS:
        raise PlanError(f"Unknown join {kind!r}; there are {', '.join(JOIN_KINDS)}")
    both = Schema((*left.schema.fields, *right.schema.fields))
    if condition is not None:
        condition = boolean(condition, "A join condition")
        for name in columns_of(condition):
            _ = both[name]
    if condition == TRUE:
        condition = None
    if kind == "inner" and condition is None:
        kind = "cross"
    if kind == "cross" and condition is not None:
        kind = "inner"
    return Join(left, right, kind, condition, mark, tuple(in_keys), origin=origin)


def window(
    plan: LogicalPlan, calls: Sequence[tuple[str, WindowCall]], *, origin: str | None = None
) -> LogicalPlan:
    """The plan with window functions as further columns."""
    _check_columns(plan, [c for _, c in calls])
    node = Window(plan, tuple(calls), origin=origin)
    _ = node.schema
    return node


def sort(plan: LogicalPlan, keys: Sequence[SortKey], *, origin: str | None = None) -> LogicalPlan:
    """Rows in order of the keys; constants order nothing and are dropped."""
    _check_columns(plan, keys)
    useful = tuple(k for k in dict.fromkeys(keys) if not isinstance(k.expr, Literal))
    return Sort(plan, useful, origin=origin) if useful else plan


def limit(
    plan: LogicalPlan,
    count: int | None,
    offset: int = 0,
    *,
    from_end: bool = False,
    origin: str | None = None,
) -> LogicalPlan:
    """Some rows from the start (or the end)."""
    if (count is not None and count < 0) or offset < 0:
        raise PlanError("LIMIT and OFFSET cannot be negative")
    if count is None and offset == 0:
        return plan
    return Limit(plan, count, offset, from_end, origin=origin)


def distinct(
    plan: LogicalPlan,
    on: Sequence[str] | None = None,
    keep: str = "first",
    *,
    origin: str | None = None,
) -> LogicalPlan:
    """One row for each different value of the columns `on`."""
    for name in on or ():
        _ = plan.schema[name]
    return Distinct(plan, None if on is None else tuple(on), keep, origin=origin)


def row_number(plan: LogicalPlan, name: str) -> LogicalPlan:
    """The plan with row numbers from 0 as a last column."""
    return RowNumber(plan, name)


def union(plans: Sequence[LogicalPlan], *, origin: str | None = None) -> LogicalPlan:
    """All rows of all plans (UNION ALL); columns go by position and take the first one's names."""
    aligned = align(plans, "UNION")
    if len(aligned) == 1:
        return aligned[0]
    flat = [p for plan in aligned for p in (plan.inputs if isinstance(plan, Union) else (plan,))]
    return Union(tuple(flat), origin=origin)


def align(plans: Sequence[LogicalPlan], what: str) -> list[LogicalPlan]:
    """The plans with the first one's names and common types, column by column."""
    width = len(plans[0].schema)
    for plan in plans:
        if len(plan.schema) != width:
            raise PlanError(
                f"{what} needs inputs with equally many columns, not {width} and {len(plan.schema)}"
            )
    names = plans[0].schema.names
    types = [
        t.require_common_type([p.schema.fields[i].type for p in plans], f"{what}, column {name},")
        for i, name in enumerate(names)
    ]
    return [
        project(
            plan,
            [
                (name, coerce(Column(f.name, f.type), dtype))
                for name, dtype, f in zip(names, types, plan.schema, strict=True)
            ],
        )
        for plan in plans
    ]


def set_operation(
    left: LogicalPlan, right: LogicalPlan, kind: str, *, every: bool, origin: str | None = None
) -> LogicalPlan:
    """INTERSECT and EXCEPT as joins in which NULL equals NULL.

    With ALL (`every`), equal rows are numbered on both sides and the number is one more key: the
    n-th copy on the left matches the n-th copy on the right.
    """
    left, right = align([left, right], kind.upper())
    names = left.schema.names
    if every:
        left, right = _number_copies(left, "#copy"), _number_copies(right, "#copy")
    else:
        left = distinct(left)
    right = rename(right, [f"#right.{name}" for name in right.schema.names])
    same = [
        Call(
            "is_not_distinct", (Column(f.name, f.type), Column(f"#right.{f.name}", f.type)), t.BOOL
        )
        for f in left.schema
    ]
    how = "semi" if kind == "intersect" else "anti"
    return select(join(left, right, how, conjunction(same), origin=origin), names)


def _number_copies(plan: LogicalPlan, name: str) -> LogicalPlan:
    everything = [Column(f.name, f.type) for f in plan.schema]
    return window(plan, [(name, window_call("row_number", partition_by=everything))])


def map_partitions(
    plan: LogicalPlan,
    function: Any,
    schema: Schema,
    *,
    key: str,
    whole: bool = False,
    origin: str | None = None,
) -> LogicalPlan:
    """A Python function over pandas partitions."""
    return MapPartitions(plan, function, schema.fields, key, whole, origin=origin)


def write(
    plan: LogicalPlan,
    path: str,
    format: str,  # noqa: A002
    options: Sequence[tuple[str, Any]] = (),
) -> LogicalPlan:
    """The plan's rows written to files."""
    return Write(plan, path, format, tuple(options))
