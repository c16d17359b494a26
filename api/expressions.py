"""What pandas' operators mean, as expressions over the columns of a plan.

Both front ends share one registry of functions; where pandas says something else than SQL by the
same sign, the difference is made here, by casts and by the `pandas_*` functions:

    numbers       numpy's promotions (int64 + float32 is float64; Python numbers adapt to columns)
    /             always a float; a NaN that it may give becomes NULL (`plait.facts`)
    // %          round down; have the divisor's sign
    comparisons   false where a value is missing (`!=` true): coalesce(a < b, false)
    & | ~         two-valued: a missing truth value counts as false
    timestamps    minus each other give a duration
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import TypeMismatchError, UnsupportedError
from plait.facts import may_be_nan, may_be_null
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, TRUE, Expr, Literal
from plait.planner.functions.coercion import integer_range
from plait.planner.logical import LogicalPlan

COMPARISONS = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


def is_missing(value: object) -> bool:
    """Whether a Python value is one of pandas' missing ones (None, NaN, NaT, NA)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def literal(value: Any) -> Literal:
    """A Python, numpy or pandas value as a constant; missing values are NULL."""
    if hasattr(value, "item") and not isinstance(value, pa.Scalar):
        item = value.item()
        value = (
            item
            if not (
                hasattr(value, "astype")
                and isinstance(item, int)
                and (type(value).__name__ in ("datetime64", "timedelta64"))
            )
            else _numpy_time(value)
        )
    if is_missing(value):
        return Literal(None, t.NULL)
    if hasattr(value, "n") and hasattr(value, "kwds"):
        return Literal(_offset(value), t.INTERVAL)
    return builder.literal(value)


def _numpy_time(value: Any) -> Any:
    return value.astype(f"{type(value).__name__}[us]").item()


def _offset(value: Any) -> pa.MonthDayNano:
    """A pandas.DateOffset as an interval."""
    units = dict(value.kwds)
    if not units and type(value).__name__ in ("Day", "Hour", "Minute", "Second", "Milli", "Micro"):
        units = {f"{type(value).__name__.lower()}s": value.n}
    known = {"years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds"}
    if not units or not set(units) <= known:
        raise UnsupportedError(
            f"{value!r} is no fixed step in months, days and seconds; use pandas.DateOffset("
            "months=..., days=...) or a Timedelta"
        )
    n = value.n if value.kwds else 1
    seconds = units.get("hours", 0) * 3600 + units.get("minutes", 0) * 60 + units.get("seconds", 0)
    return pa.MonthDayNano(
        [
            n * (12 * units.get("years", 0) + units.get("months", 0)),
            n * (7 * units.get("weeks", 0) + units.get("days", 0)),
            n * (seconds * 10**9 + units.get("microseconds", 0) * 1000),
        ]
    )


def no_nan(plan: LogicalPlan, expr: Expr) -> Expr:
    """The expression with NaN as NULL, wrapped only where NaN is possible."""
    return builder.call("null_if_nan", expr) if may_be_nan(plan, expr) else expr


def two_valued(plan: LogicalPlan, expr: Expr, missing: bool = False) -> Expr:
    """A truth value that is never NULL."""
    if expr.dtype == t.NULL:
        return TRUE if missing else FALSE
    if not may_be_null(plan, expr):
        return expr
    return builder.call("coalesce", expr, TRUE if missing else FALSE)


# ------------------------------------------------------------------------------------ arithmetic


def _is_bool(e: Expr) -> bool:
    return bool(e.dtype == t.BOOL)


def _is_weak(e: Expr) -> bool:
    """Whether a number adapts to the column beside it: a Python int or float."""
    return isinstance(e, Literal) and type(e.value) in (int, float)


def _numbers(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Both sides cast to numpy's common type; decimals stay, beside floats they become floats."""
    a, b = (builder.cast(e, t.INT64) if _is_bool(e) else e for e in (a, b))
    if t.NULL in (a.dtype, b.dtype):
        other = b.dtype if a.dtype == t.NULL else a.dtype
        other = t.DOUBLE if other == t.NULL else other
        return builder.coerce(a, other), builder.coerce(b, other)
    common = number_type(a, b)
    return (a, b) if common is None else (builder.coerce(a, common), builder.coerce(b, common))


def number_type(a: Expr, b: Expr) -> pa.DataType | None:
    """numpy's type for two numbers; None for decimals, whose types the functions find."""
    for weak, other in ((a, b), (b, a)):
        if _is_weak(weak) and not _is_weak(other) and isinstance(weak, Literal):
            if t.is_float(other.dtype):
                return other.dtype
            if t.is_integer(other.dtype):
                if type(weak.value) is float:
                    return t.DOUBLE
                low, high = integer_range(other.dtype)
                return other.dtype if low <= weak.value <= high else t.INT64
    x, y = a.dtype, b.dtype
    if t.is_decimal(x) or t.is_decimal(y):
        return t.DOUBLE if t.is_float(x) or t.is_float(y) else None
    return promoted(x, y)


def promoted(x: pa.DataType, y: pa.DataType) -> pa.DataType:
    """numpy's promotion of two integer or float types."""
    if t.is_integer(x) and t.is_integer(y):
        common = t.common_type(x, y)
        return common if common is not None and t.is_integer(common) else t.DOUBLE
    small = (t.FLOAT, t.INT8, t.INT16, t.UINT8, t.UINT16)
    return t.FLOAT if x in small and y in small else t.DOUBLE


def _spans(op: str, a: Expr, b: Expr) -> Expr:
    """Arithmetic with dates, timestamps and durations. A date counts as its midnight."""
    day = pa.timestamp("s")
    shift = {op} <= {"+", "-"} and any(
        t.is_duration(e.dtype) or t.is_interval(e.dtype) for e in (a, b)
    )
    a, b = (
        builder.cast(e, t.TIMESTAMP if shift else day) if t.is_date(e.dtype) else e for e in (a, b)
    )
    if op == "-" and t.is_timestamp(a.dtype) and t.is_timestamp(b.dtype):
        return builder.call("pandas_difference", a, b)
    if op == "-" and t.is_timestamp(a.dtype) and t.is_duration(b.dtype):
        return builder.call("add", a, builder.call("negate", b))
    if op == "*" and t.is_duration(b.dtype):
        a, b = b, a
    if op in ARITHMETIC:
        return builder.call(ARITHMETIC[op], a, b)
    raise _mismatch(op, a, b)


def _mismatch(op: str, a: Expr, b: Expr) -> TypeMismatchError:
    return TypeMismatchError(
        f"{t.sql_name(a.dtype)} {op} {t.sql_name(b.dtype)} has no meaning ({a} {op} {b}); "
        "use astype on one of them"
    )


def arithmetic(plan: LogicalPlan, op: str, a: Expr, b: Expr) -> Expr:
    """`a op b` for + - * / // % **."""
    temporal = any(t.is_temporal(e.dtype) or t.is_duration(e.dtype) for e in (a, b))
    if temporal:
        return _spans(op, a, b)
    if op == "+" and t.is_string(a.dtype) and t.is_string(b.dtype):
        return builder.call("concat_operator", a, b)
    if op == "*" and t.is_string(a.dtype) and t.is_integer(b.dtype):
        return builder.call("repeat", a, b)
    if not all(t.is_numeric(e.dtype) or _is_bool(e) or e.dtype == t.NULL for e in (a, b)):
        if t.NULL in (a.dtype, b.dtype):
            return Literal(None, a.dtype if b.dtype == t.NULL else b.dtype)
        raise _mismatch(op, a, b)
    if _is_bool(a) and _is_bool(b) and op in ("+", "*"):
        return builder.call("or" if op == "+" else "and", a, b)
    if _is_bool(a) and _is_bool(b) and op == "-":
        raise TypeMismatchError("pandas does not subtract booleans; use ^ or astype(int)")
    x, y = _numbers(a, b)
    match op:
        case "+" | "-" | "*":
            return no_nan(plan, builder.call(ARITHMETIC[op], x, y))
        case "/":
            return no_nan(plan, builder.call("divide", _as_float(x), _as_float(y)))
        case "//" | "%":
            x, y = (builder.cast(e, t.DOUBLE) if t.is_decimal(e.dtype) else e for e in (x, y))
            name = "pandas_floor_divide" if op == "//" else "pandas_modulo"
            return builder.call(name, x, y)
        case "**":
            return _power(plan, a, b)
    raise UnsupportedError(f"Operator {op} is not done by plait")


def _as_float(e: Expr) -> Expr:
    return builder.coerce(e, t.DOUBLE) if not t.is_float(e.dtype) else e


def _power(plan: LogicalPlan, a: Expr, b: Expr) -> Expr:
    a, b = (builder.cast(e, t.DOUBLE) if t.is_decimal(e.dtype) else e for e in _numbers(a, b))
    if t.is_integer(a.dtype) and isinstance(b, Literal) and b.value is not None and b.value < 0:
        raise TypeMismatchError(
            "Integers cannot be raised to a negative power; use astype(float) first"
        )
    return no_nan(plan, builder.call("pandas_power", a, b))


# ---------------------------------------------------------------------- comparison, truth values


def _adapted(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """A constant midnight beside a date column is a date, so that the column is not cast.

    A Python float beside a decimal column is the decimal it is written as: `discount >= 0.05`.
    """
    for column, constant, swapped in ((a, b, False), (b, a, True)):
        if (
            t.is_decimal(column.dtype)
            and isinstance(constant, Literal)
            and type(constant.value) is float
            and math.isfinite(constant.value)
        ):
            exact = builder.literal(Decimal(repr(constant.value)))
            return (exact, column) if swapped else (column, exact)
        if t.is_date(column.dtype) and isinstance(constant, Literal):
            value = constant.value
            if isinstance(value, str):
                value = _parse_time(value)
            if isinstance(value, dt.datetime) and value.tzinfo is None:
                midnight = value.time() == dt.time()
                constant = (
                    Literal(value.date(), t.DATE) if midnight else Literal(value, t.TIMESTAMP)
                )
                return (constant, column) if swapped else (column, constant)
    if _is_bool(a) != _is_bool(b) and t.NULL not in (a.dtype, b.dtype):
        a, b = (builder.cast(e, t.INT64) if _is_bool(e) else e for e in (a, b))
    return a, b


def _parse_time(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def compare(plan: LogicalPlan, op: str, a: Expr, b: Expr) -> Expr:
    """`a op b` for == != < <= > >=; false (`!=` true) where a side is missing."""
    if t.NULL in (a.dtype, b.dtype):
        return TRUE if op == "!=" else FALSE
    a, b = _adapted(a, b)
    if t.common_type(a.dtype, b.dtype) is None and not _text_beside_time(a, b):
        if op == "==":
            return FALSE
        if op == "!=":
            return TRUE
        raise _mismatch(op, a, b)
    return two_valued(plan, builder.call(COMPARISONS[op], a, b), op == "!=")


def _text_beside_time(a: Expr, b: Expr) -> bool:
    return any(
        isinstance(x, Literal) and t.is_string(x.dtype) and t.is_temporal(y.dtype)
        for x, y in ((a, b), (b, a))
    )


def logical(plan: LogicalPlan, op: str, a: Expr, b: Expr) -> Expr:
    """`a & b`, `a | b`, `a ^ b` of booleans."""
    if not all(_is_bool(e) or e.dtype == t.NULL for e in (a, b)):
        if all(t.is_integer(e.dtype) for e in (a, b)):
            raise UnsupportedError(
                f"{op} of integers is not done by plait; for masks compare first, with "
                f"parentheses: (df.a > 1) {op} (df.b > 2)"
            )
        raise TypeMismatchError(
            f"{op} needs two masks (booleans), not {t.sql_name(a.dtype)} and "
            f"{t.sql_name(b.dtype)}; put comparisons in parentheses: (df.a > 1) {op} (df.b > 2)"
        )
    a, b = two_valued(plan, a), two_valued(plan, b)
    match op:
        case "&":
            return builder.call("and", a, b)
        case "|":
            return builder.call("or", a, b)
    return builder.call("not_equal", a, b)


def operation(plan: LogicalPlan, sign: str, a: Expr, b: Expr) -> Expr:
    """`a sign b` for any of Python's binary operators."""
    if sign in COMPARISONS:
        return compare(plan, sign, a, b)
    if sign in ("&", "|", "^"):
        return logical(plan, sign, a, b)
    return arithmetic(plan, sign, a, b)


def invert(plan: LogicalPlan, e: Expr) -> Expr:
    """`~e` of a mask."""
    if not _is_bool(e):
        raise TypeMismatchError(f"~ needs a mask (booleans), not {t.sql_name(e.dtype)}")
    return builder.call("not", two_valued(plan, e))


def negate(e: Expr) -> Expr:
    """`-e` of a number or a duration."""
    return builder.call("negate", e)


def is_in(plan: LogicalPlan, e: Expr, values: list[Any]) -> Expr:
    """Whether the value is one of `values`; a missing one is, if they hold a missing value."""
    missing = any(is_missing(v) for v in values)
    found = [literal(v) for v in values if not is_missing(v)]
    found = [v for v in found if comparable(e, v)]
    if not found:
        result: Expr = FALSE
    else:
        if t.is_date(e.dtype):
            found = [_adapted(e, v)[1] for v in found]  # type: ignore[misc]
        result = two_valued(plan, builder.call("in", e, *found))
    return builder.call("or", builder.call("is_null", e), result) if missing else result


def comparable(e: Expr, value: Expr) -> bool:
    """Whether a value of one type can equal one of the other."""
    if _text_beside_time(e, value):
        return all(
            _parse_time(x.value) is not None
            for x in (e, value)
            if isinstance(x, Literal) and isinstance(x.value, str)
        )
    return t.common_type(e.dtype, value.dtype) is not None


def fill(e: Expr, value: Expr) -> Expr:
    """The expression with missing values replaced."""
    if value.dtype == t.NULL or e.dtype == t.NULL:
        return value if e.dtype == t.NULL else e
    value = adapt(value, e.dtype)
    return builder.call("coalesce", e, value)


def choose(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """`then` where the condition holds, else `otherwise`, in their common type."""
    if isinstance(otherwise, Literal) and otherwise.dtype != t.NULL:
        otherwise = adapt(otherwise, then.dtype)
    elif isinstance(then, Literal) and then.dtype != t.NULL:
        then = adapt(then, otherwise.dtype)
    return builder.case([(condition, then)], otherwise)


def adapt(value: Expr, dtype: pa.DataType) -> Expr:
    """A constant brought to a column's type where it is one of its values; else left as it is."""
    if isinstance(value, Literal) and value.dtype != dtype:
        if type(value.value) is int and t.is_integer(dtype):
            low, high = integer_range(dtype)
            return builder.coerce(value, dtype) if low <= value.value <= high else value
        if type(value.value) in (int, float) and t.is_float(dtype):
            return Literal(float(value.value), dtype)
        if t.is_decimal(dtype) and type(value.value) is int:
            return builder.coerce(value, dtype)
        if t.is_timestamp(dtype) and isinstance(value.value, dt.date | str):
            return builder.coerce(value, dtype)
        if t.is_date(dtype) and isinstance(value.value, dt.datetime | str):
            return _adapted(Literal(None, dtype), value)[1]
    return value


def truth(plan: LogicalPlan, e: Expr) -> Expr:
    """Python's truth of a value, for any() and all(); missing values are skipped by those."""
    if _is_bool(e):
        return e
    if t.is_numeric(e.dtype):
        return builder.call("not_equal", e, builder.coerce(builder.literal(0), e.dtype))
    if t.is_string(e.dtype):
        return builder.call("not_equal", e, builder.literal(""))
    raise TypeMismatchError(f"{t.sql_name(e.dtype)} has no truth value; compare it first")


def dtype_of(target: Any) -> pa.DataType:
    """The Arrow type of what pandas users write for a type: float, "int32", str, np.int64, ..."""
    if isinstance(target, pa.DataType):
        return t.normalize(target)
    simple: dict[Any, pa.DataType] = {
        int: t.INT64,
        float: t.DOUBLE,
        bool: t.BOOL,
        str: t.STRING,
        dt.date: t.DATE,
        dt.datetime: t.TIMESTAMP,
    }
    if target in simple:
        return simple[target]
    name = str(getattr(target, "name", None) or getattr(target, "__name__", None) or target)
    found = _NAMED.get(name.lower())
    if found is not None:
        return found
    for kind, make in _UNITS.items():
        if name.startswith(f"{kind}[") and name.endswith("]"):
            unit, _, zone = name[len(kind) + 1 : -1].partition(",")
            if unit in ("s", "ms", "us", "ns"):
                return make(unit, zone.strip() or None)
    raise TypeMismatchError(
        f"{target!r} is no type that plait knows; use int, float, str, bool, 'datetime64[us]', "
        "'int32', ..., or a pyarrow type"
    )


_UNITS: dict[str, Callable[[str, str | None], pa.DataType]] = {
    "datetime64": lambda unit, zone: pa.timestamp(unit, tz=zone),
    "timedelta64": lambda unit, zone: pa.duration(unit),
}
_NAMED: dict[str, pa.DataType] = {
    "int": t.INT64,
    "float": t.DOUBLE,
    "double": t.DOUBLE,
    "bool": t.BOOL,
    "boolean": t.BOOL,
    "str": t.STRING,
    "string": t.STRING,
    "object": t.STRING,
    "int8": t.INT8,
    "int16": t.INT16,
    "int32": t.INT32,
    "int64": t.INT64,
    "uint8": t.UINT8,
    "uint16": t.UINT16,
    "uint32": t.UINT32,
    "uint64": t.UINT64,
    "float32": t.FLOAT,
    "float64": t.DOUBLE,
    "datetime64": t.TIMESTAMP,
    "datetime": t.TIMESTAMP,
    "date": t.DATE,
    "date32": t.DATE,
}


def cast_to(plan: LogicalPlan, e: Expr, target: pa.DataType) -> Expr:
    """astype: floats are cut towards zero as integers, times convert between units."""
    if e.dtype == target:
        return e
    if t.is_float(e.dtype) and t.is_integer(target):
        e = builder.call("trunc", e)
    if _is_bool(e) and t.is_string(target):
        return builder.case(
            [(e, builder.literal("True")), (builder.call("not", e), builder.literal("False"))]
        )
    if target == t.BOOL and t.is_numeric(e.dtype):
        # NaN, which is what a missing number is to pandas, is no zero
        return builder.call("coalesce", truth(plan, e), builder.literal(True))
    return no_nan(plan, builder.cast(e, target))


def is_number(dtype: pa.DataType) -> bool:
    """Whether pandas counts a type as numeric (booleans are)."""
    return t.is_numeric(dtype) or bool(pat.is_boolean(dtype))
