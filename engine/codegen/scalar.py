"""Expressions as LLVM code: the compiled twins of the kernels, from the same typed trees.

Every value knows its bounds. From them follows the arithmetic: in 64 bits where no result can leave
them, else in 128; and whether a result may pass its type, which is then checked, and traps.

`emit` knows what is below; anything else has no compiled form and is worked out ahead of the loop,
as one more input column (`plait.engine.fuse`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.types as pat

from plait.engine.codegen import dates
from plait.engine.codegen.emit import (
    DOUBLE,
    FLOAT,
    I1,
    I64,
    I128,
    INT64_HIGH,
    INT64_LOW,
    Emitter,
    NotCompiledError,
    Value,
    Wide,
)
from plait.engine.codegen.layout import rounded
from plait.engine.kernels.encoding import unscaled
from plait.planner.expr import Call, Case, Cast, Column, Expr, Literal
from plait.planner.functions.numeric import constant_integer
from plait.planner.types import (
    BOOL,
    is_date,
    is_decimal,
    is_duration,
    is_float,
    is_integer,
    is_timestamp,
)

_MOST = (1 << 127) - 1


class Scope(Protocol):
    """Where the columns of an expression are found."""

    def column(self, name: str) -> Value: ...

    def lookup(self, expr: Expr) -> Value | None:
        """The value of an expression of one dictionary column, found by its code."""


@dataclass(frozen=True)
class Constant:
    """A number filler: the stored integer, or the double, of a literal."""

    literal: Literal


def emit(e: Emitter, expr: Expr, scope: Scope) -> Value:
    """The value of an expression for the current row."""
    if isinstance(expr, Column):
        return scope.column(expr.name)
    try:
        return _emit(e, expr, scope)
    except NotCompiledError as error:
        if error.expr is None:
            error.expr = expr
        raise


def _emit(e: Emitter, expr: Expr, scope: Scope) -> Value:
    if isinstance(expr, Literal):
        return _literal(e, expr)
    found = scope.lookup(expr)
    if found is not None:
        return found
    if isinstance(expr, Cast):
        return _cast(e, emit(e, expr.input, scope), expr)
    if isinstance(expr, Case):
        return _case(e, expr, scope)
    if isinstance(expr, Call):
        if expr.function in ("and", "or"):
            return _logical(e, expr, scope)
        if expr.function == "in":
            return _in(e, expr, scope)
        if expr.function == "date_trunc":
            return dates.date_trunc(e, expr, emit(e, expr.args[1], scope))
        if expr.function == "date_diff":
            return dates.date_diff(e, expr, *(emit(e, a, scope) for a in expr.args[1:]))
        function = FUNCTIONS.get(expr.function)
        if function is not None:
            return function(e, expr, [emit(e, a, scope) for a in expr.args])
    raise NotCompiledError(f"{expr} has no compiled form")


def is_stored_integer(t: pa.DataType) -> bool:
    """Whether values of a logical type are integers in a loop."""
    return bool(
        (is_integer(t) and t != pa.uint64())
        or is_decimal(t)
        or is_date(t)
        or is_timestamp(t)
        or is_duration(t)
        or pat.is_time64(t)
    )


def stored_integer(literal: Literal) -> int:
    """The integer that stands for a constant in memory."""
    scalar = pa.scalar(literal.value, literal.dtype)
    if _is_exact(literal.dtype):
        return unscaled(scalar)
    return int(scalar.value if hasattr(scalar, "value") else scalar.cast(pa.int64()).as_py())


# -------------------------------------------------------------------------------------- constants


def _literal(e: Emitter, literal: Literal) -> Value:
    t = literal.dtype
    if literal.value is None:
        kind = I1 if t == BOOL else I64
        if is_float(t):
            kind = FLOAT if t == pa.float32() else DOUBLE
        elif not (t == BOOL or is_stored_integer(t)):
            raise NotCompiledError(f"{literal} has no compiled form")
        zero = kind(0.0) if is_float(t) else kind(0)
        return Value(zero, t, I1(0))
    if t == BOOL:
        return Value(I1(int(literal.value)), t, None, 0, 1)
    if is_float(t):
        number = e.number(Constant(literal), DOUBLE)
        return Value(e.b.fptrunc(number, FLOAT) if t == pa.float32() else number, t)
    if not is_stored_integer(t):
        raise NotCompiledError(f"{literal} has no compiled form")
    low, high = rounded((stored_integer(literal),) * 2)
    if low < INT64_LOW or high > INT64_HIGH:
        return Value(e.number(Wide(Constant(literal)), I128), t, None, low, high)
    return Value(e.number(Constant(literal)), t, None, low, high)


# ------------------------------------------------------------------------------------- arithmetic


def _limits(t: pa.DataType) -> tuple[int, int]:
    if is_decimal(t):
        return -(10**t.precision) + 1, 10**t.precision - 1
    if pat.is_unsigned_integer(t):
        return 0, (1 << t.bit_width) - 1
    return -(1 << (t.bit_width - 1)), (1 << (t.bit_width - 1)) - 1


def fitted(e: Emitter, value: Value, t: pa.DataType) -> Value:
    """The value as one of an integer type; traps where it is beyond the type."""
    return replace(_within(e, value, *_limits(t)), dtype=t)


def _within(e: Emitter, value: Value, low: int, high: int) -> Value:
    """The value, which traps where it is not between two integers."""
    if value.low < low or value.high > high:
        kind = value.ir.type
        bounds = _kind_bounds(kind)
        outside = I1(0)
        if high < bounds[1]:
            outside = e.b.or_(outside, e.b.icmp_signed(">", value.ir, kind(high)))
        if low > bounds[0]:
            outside = e.b.or_(outside, e.b.icmp_signed("<", value.ir, kind(low)))
        e.trap_if(outside, value.valid)
        value = replace(value, low=max(value.low, low), high=min(value.high, high))
    if value.is_wide and value.low >= INT64_LOW and value.high <= INT64_HIGH:
        value = replace(value, ir=e.b.trunc(value.ir, I64))
    return value


def _kind_bounds(kind: Any) -> tuple[int, int]:
    return -(1 << (kind.width - 1)), (1 << (kind.width - 1)) - 1


_REACH: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
}


def _combined(e: Emitter, name: str, a: Value, b: Value) -> Value:
    """The exact result of integers at equal scales, as wide as it has to be."""
    ends = [_REACH[name](x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = min(ends), max(ends)
    if low < -_MOST or high > _MOST:
        raise NotCompiledError("more than 128 bits")
    if low < INT64_LOW or high > INT64_HIGH or a.is_wide or b.is_wide:
        a, b = e.widened(a), e.widened(b)
    operation = {"add": e.b.add, "subtract": e.b.sub, "multiply": e.b.mul}[name]
    result = Value(operation(a.ir, b.ir), a.dtype, e.both(a.valid, b.valid), low, high)
    if result.is_wide and low >= INT64_LOW and high <= INT64_HIGH:
        return replace(result, ir=e.b.trunc(result.ir, I64))
    return result


def _scale(t: pa.DataType) -> int:
    return t.scale if is_decimal(t) else 0


def rescaled(e: Emitter, value: Value, scale: int) -> Value:
    """The integers of an exact number at a larger scale."""
    factor = 10 ** (scale - _scale(value.dtype))
    if factor == 1:
        return value
    kind = I64 if factor <= INT64_HIGH else I128
    return _combined(e, "multiply", value, Value(kind(factor), value.dtype, None, factor, factor))


def _is_exact(t: pa.DataType) -> bool:
    return is_decimal(t) or (is_integer(t) and t != pa.uint64())


def _arithmetic(e: Emitter, expr: Call, args: list[Value]) -> Value:
    name, t = expr.function, expr.dtype
    if len(args) != 2:
        raise NotCompiledError(f"{expr} has no compiled form")
    a, b = args
    if is_float(t) and all(x.dtype == t for x in args):
        operation = {"add": e.b.fadd, "subtract": e.b.fsub, "multiply": e.b.fmul}[name]
        return Value(operation(a.ir, b.ir), t, e.both(a.valid, b.valid))
    if is_date(t) or (is_date(a.dtype) and is_date(b.dtype)):
        return _date_arithmetic(e, expr, a, b)
    if not _is_exact(t) or not all(_is_exact(x.dtype) for x in args):
        raise NotCompiledError(f"{expr} has no compiled form")
    if name != "multiply" and is_decimal(t):
        a, b = rescaled(e, a, t.scale), rescaled(e, b, t.scale)
    elif name == "multiply" and _scale(a.dtype) + _scale(b.dtype) != _scale(t):
        raise NotCompiledError(f"{expr} has no compiled form")
    return fitted(e, _combined(e, name, a, b), t)


def _date_arithmetic(e: Emitter, expr: Call, a: Value, b: Value) -> Value:
    """A date and a number of days; the days between two dates."""
    name, t = expr.function, expr.dtype
    dates = is_date(a.dtype), is_date(b.dtype)
    if dates == (True, True) and name == "subtract" and t == pa.int64():
        return replace(_combined(e, name, a, b), dtype=t)
    days = [x for x in (a, b) if not is_date(x.dtype)]
    if len(days) != 1 or not is_integer(days[0].dtype) or name == "multiply":
        raise NotCompiledError(f"{expr} has no compiled form")
    if name == "subtract" and not dates[0]:
        raise NotCompiledError(f"{expr} has no compiled form")
    return replace(fitted(e, _combined(e, name, a, b), pa.int32()), dtype=t)


def _negate(e: Emitter, expr: Call, args: list[Value]) -> Value:
    (x,) = args
    if is_float(expr.dtype):
        return replace(x, ir=e.b.fneg(x.ir))
    if not _is_exact(expr.dtype) or pat.is_unsigned_integer(expr.dtype):
        raise NotCompiledError(f"{expr} has no compiled form")
    zero = Value(x.ir.type(0), x.dtype)
    return fitted(e, _combined(e, "subtract", zero, x), expr.dtype)


def _divide(e: Emitter, expr: Call, args: list[Value]) -> Value:
    a, b = args
    if not all(is_float(x.dtype) and x.dtype == expr.dtype for x in args):
        raise NotCompiledError(f"{expr} has no compiled form")
    return Value(e.b.fdiv(a.ir, b.ir), expr.dtype, e.both(a.valid, b.valid))


def _whole_division(e: Emitter, expr: Call, args: list[Value]) -> Value:
    """// and % of 64-bit integers; a zero divisor of a row whose dividend is there traps."""
    a, b = args
    if not all(is_integer(x.dtype) and not x.is_wide for x in args) or not is_integer(expr.dtype):
        raise NotCompiledError(f"{expr} has no compiled form")
    valid = e.both(a.valid, b.valid)
    zero = e.b.icmp_signed("==", b.ir, I64(0))
    e.trap_if(zero, valid)
    least = e.b.icmp_signed("==", a.ir, I64(INT64_LOW))
    unsafe = e.b.and_(least, e.b.icmp_signed("==", b.ir, I64(-1)))
    e.trap_if(unsafe, valid)
    divisor = e.b.select(e.b.or_(zero, unsafe), I64(1), b.ir)
    most = max(abs(a.low), abs(a.high))
    if expr.function == "modulo":
        most = min(most, max(abs(b.low), abs(b.high)))
        result = e.b.srem(a.ir, divisor)
    else:
        result = e.b.sdiv(a.ir, divisor)
    low = 0 if a.low >= 0 and (expr.function == "modulo" or b.low >= 0) else -most
    return fitted(e, Value(result, expr.dtype, valid, low, most), expr.dtype)


def _abs(e: Emitter, expr: Call, args: list[Value]) -> Value:
    (x,) = args
    if is_float(expr.dtype):
        negative = e.b.fcmp_ordered("<", x.ir, x.ir.type(0.0))
        zero = e.b.fcmp_ordered("==", x.ir, x.ir.type(0.0))
        positive = e.b.select(negative, e.b.fneg(x.ir), x.ir)
        return replace(x, ir=e.b.select(zero, x.ir.type(0.0), positive))
    negative = _negate(e, expr, args)
    if x.ir.type != negative.ir.type:
        x, negative = e.widened(x), e.widened(negative)
    below = e.b.icmp_signed("<", x.ir, x.ir.type(0))
    high = max(abs(x.low), abs(x.high))
    return replace(x, ir=e.b.select(below, negative.ir, x.ir), low=0, high=high)


def _of_double(e: Emitter, expr: Call, args: list[Value]) -> Value:
    if len(args) != 1 or args[0].dtype != pa.float64() or expr.dtype != pa.float64():
        raise NotCompiledError(f"{expr} has no compiled form")
    return args[0]


def _to_whole(e: Emitter, expr: Call, args: list[Value]) -> Value:
    x = _of_double(e, expr, args)
    function = e.module.declare_intrinsic(f"llvm.{expr.function}", [DOUBLE])
    return replace(x, ir=e.b.call(function, [x.ir]))


def _round(e: Emitter, expr: Call, args: list[Value]) -> Value:
    """A decimal with fewer digits behind the point, half away from zero."""
    x = args[0]
    digits = constant_integer(expr.args[1]) if len(expr.args) == 2 else 0
    if not (is_decimal(x.dtype) and is_decimal(expr.dtype)) or digits is None or digits < 0:
        raise NotCompiledError(f"{expr} has no compiled form")
    unit: int = 10 ** (x.dtype.scale - expr.dtype.scale)
    if unit == 1:
        return fitted(e, x, expr.dtype)
    most = max(abs(x.low), abs(x.high)) + unit
    if x.is_wide or most > INT64_HIGH:
        raise NotCompiledError(f"{expr} has no compiled form")
    b, half = e.b, I64(unit // 2)
    negative = b.icmp_signed("<", x.ir, I64(0))
    moved = b.add(x.ir, b.select(negative, b.neg(half), half))
    low = 0 if x.low >= 0 else -(most // unit)
    return fitted(
        e, Value(b.sdiv(moved, I64(unit)), x.dtype, x.valid, low, most // unit), expr.dtype
    )


def _sqrt(e: Emitter, expr: Call, args: list[Value]) -> Value:
    x = _of_double(e, expr, args)
    return replace(x, ir=e.b.call(e.module.declare_intrinsic("llvm.sqrt", [DOUBLE]), [x.ir]))


# ------------------------------------------------------------------------------------ comparisons

_SIGNS = {
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}


def compared(e: Emitter, name: str, a: Value, b: Value) -> Any:
    """`a name b` of two values, as if both were valid."""
    if is_float(a.dtype) and a.dtype == b.dtype:
        return _compared_floats(e, name, a.ir, b.ir)
    if a.codes is not None or b.codes is not None:
        raise NotCompiledError("codes of two dictionaries do not compare")
    if _is_exact(a.dtype) and _is_exact(b.dtype):
        scale = max(_scale(a.dtype), _scale(b.dtype))
        a, b = rescaled(e, a, scale), rescaled(e, b, scale)
    elif a.dtype != b.dtype or not (a.dtype == BOOL or is_stored_integer(a.dtype)):
        raise NotCompiledError(f"{a.dtype} and {b.dtype} have no compiled comparison")
    if a.is_wide != b.is_wide:
        a, b = e.widened(a), e.widened(b)
    if a.dtype == BOOL:
        return e.b.icmp_unsigned(_SIGNS[name], a.ir, b.ir)
    return e.b.icmp_signed(_SIGNS[name], a.ir, b.ir)


def _compared_floats(e: Emitter, name: str, a: Any, b: Any) -> Any:
    """NaN equals NaN and is greater than every number."""
    nan_a, nan_b = e.b.fcmp_unordered("uno", a, a), e.b.fcmp_unordered("uno", b, b)
    if name in ("equal", "not_equal"):
        same = e.b.or_(e.b.fcmp_ordered("==", a, b), e.b.and_(nan_a, nan_b))
        return same if name == "equal" else e.b.not_(same)
    if name in ("less", "greater_equal"):
        less = e.b.or_(e.b.fcmp_ordered("<", a, b), e.b.and_(e.b.not_(nan_a), nan_b))
        return less if name == "less" else e.b.not_(less)
    more = e.b.or_(e.b.fcmp_ordered(">", a, b), e.b.and_(nan_a, e.b.not_(nan_b)))
    return more if name == "greater" else e.b.not_(more)


def _compare(e: Emitter, expr: Call, args: list[Value]) -> Value:
    a, b = args
    return Value(compared(e, expr.function, a, b), BOOL, e.both(a.valid, b.valid), 0, 1)


def _distinct(e: Emitter, expr: Call, args: list[Value]) -> Value:
    a, b = args
    valid_a, valid_b = e.valid(a), e.valid(b)
    same = e.both(valid_a, valid_b, compared(e, "equal", a, b))
    same = e.b.or_(same, e.b.not_(e.b.or_(valid_a, valid_b)))
    return Value(e.b.not_(same) if expr.function == "is_distinct" else same, BOOL, None, 0, 1)


def _in(e: Emitter, expr: Call, scope: Scope) -> Value:
    value, *items = (emit(e, a, scope) for a in expr.args)
    if not items:
        return Value(I1(0), BOOL, None, 0, 1)
    found, unknown = I1(0), None
    for item in items:
        equal = compared(e, "equal", value, item)
        if item.valid is not None:
            equal = e.b.and_(equal, item.valid)
            null = e.b.not_(item.valid)
            unknown = null if unknown is None else e.b.or_(unknown, null)
        found = e.b.or_(found, equal)
    known = None if unknown is None else e.b.or_(found, e.b.not_(unknown))
    return Value(found, BOOL, e.both(value.valid, known), 0, 1)


def _logical(e: Emitter, expr: Call, scope: Scope) -> Value:
    first, *rest = (emit(e, a, scope) for a in expr.args)
    result = first
    for other in rest:
        result = _joined(e, expr.function, result, other)
    return result


def _joined(e: Emitter, name: str, a: Value, b: Value) -> Value:
    """AND, OR in three-valued logic."""
    combine = e.b.and_ if name == "and" else e.b.or_
    if a.valid is None and b.valid is None:
        return Value(combine(a.ir, b.ir), BOOL, None, 0, 1)
    valid_a, valid_b = e.valid(a), e.valid(b)
    deciding = [x.ir if name == "or" else e.b.not_(x.ir) for x in (a, b)]
    decided_a, decided_b = e.b.and_(valid_a, deciding[0]), e.b.and_(valid_b, deciding[1])
    valid = e.b.or_(e.b.and_(valid_a, valid_b), e.b.or_(decided_a, decided_b))
    decided = e.b.or_(decided_a, decided_b)
    value = e.b.not_(decided) if name == "and" else decided
    return Value(value, BOOL, valid, 0, 1)


def _not(e: Emitter, expr: Call, args: list[Value]) -> Value:
    return replace(args[0], ir=e.b.not_(args[0].ir))


def _is_null(e: Emitter, expr: Call, args: list[Value]) -> Value:
    valid = e.valid(args[0])
    return Value(e.b.not_(valid) if expr.function == "is_null" else valid, BOOL, None, 0, 1)


# ------------------------------------------------------------------------------------ conditionals


def _chosen(e: Emitter, condition: Any, a: Value, b: Value, t: pa.DataType) -> Value:
    """One of two values of a type."""
    if a.codes is not None or b.codes is not None:
        raise NotCompiledError("strings are not chosen by code")
    if a.is_wide != b.is_wide:
        a, b = e.widened(a), e.widened(b)
    if a.ir.type != b.ir.type:
        raise NotCompiledError(f"{a.dtype} beside {b.dtype}")
    valid = None
    if a.valid is not None or b.valid is not None:
        valid = e.b.select(condition, e.valid(a), e.valid(b))
    result = e.b.select(condition, a.ir, b.ir)
    return Value(result, t, valid, min(a.low, b.low), max(a.high, b.high))


def _case(e: Emitter, expr: Case, scope: Scope) -> Value:
    result = emit(e, expr.otherwise, scope)
    for when, then in reversed(expr.branches):
        condition = e.true(emit(e, when, scope))
        result = _chosen(e, condition, emit(e, then, scope), result, expr.dtype)
    return result


def _coalesce(e: Emitter, expr: Call, args: list[Value]) -> Value:
    *firsts, result = args
    for value in reversed(firsts):
        if value.valid is None:
            result = value
        else:
            result = _chosen(e, value.valid, value, result, expr.dtype)
    return replace(result, dtype=expr.dtype)


def _if(e: Emitter, expr: Call, args: list[Value]) -> Value:
    if len(args) != 3:
        raise NotCompiledError(f"{expr} has no compiled form")
    return _chosen(e, e.true(args[0]), args[1], args[2], expr.dtype)


def _furthest(e: Emitter, expr: Call, args: list[Value]) -> Value:
    """greatest and least; NULLs are left out."""
    if any(x.dtype != expr.dtype for x in args):
        raise NotCompiledError(f"{expr} has no compiled form")
    better = "greater" if expr.function == "greatest" else "less"
    result = args[0]
    for other in args[1:]:
        keep = e.both(compared(e, better, result, other), result.valid)
        if other.valid is not None:
            keep = e.b.or_(keep, e.b.not_(other.valid))
        result = _chosen(e, keep, result, other, expr.dtype)
    return result


def _nullif(e: Emitter, expr: Call, args: list[Value]) -> Value:
    a, b = args
    same = e.both(compared(e, "equal", a, b), b.valid)
    return replace(a, valid=e.both(a.valid, e.b.not_(same)))


# ----------------------------------------------------------------------------------------- casts


def _cast(e: Emitter, value: Value, expr: Cast) -> Value:
    source, target = value.dtype, expr.dtype
    if source == target:
        return value
    if _is_exact(source) and _is_exact(target) and _scale(target) >= _scale(source):
        scaled = replace(rescaled(e, value, _scale(target)), dtype=target)
        return _tried(e, scaled, target) if expr.try_ else fitted(e, scaled, target)
    if is_float(target):
        return _to_float(e, value, expr)
    if is_date(source) and is_timestamp(target) and target.tz is None:
        days = Value(
            I64(dates.PER_DAY[target.unit]), target, None, *(dates.PER_DAY[target.unit],) * 2
        )
        return replace(fitted(e, _combined(e, "multiply", value, days), pa.int64()), dtype=target)
    if source == BOOL and is_integer(target):
        return Value(e.b.zext(value.ir, I64), target, value.valid, 0, 1)
    raise NotCompiledError(f"{expr} has no compiled form")


def _tried(e: Emitter, value: Value, t: pa.DataType) -> Value:
    """NULL where a value does not fit."""
    low, high = _limits(t)
    if value.low >= low and value.high <= high:
        return fitted(e, value, t)
    kind = value.ir.type
    bounds = _kind_bounds(kind)
    fits = e.b.and_(
        e.b.icmp_signed("<=", value.ir, kind(min(high, bounds[1]))),
        e.b.icmp_signed(">=", value.ir, kind(max(low, bounds[0]))),
    )
    known = replace(value, valid=e.both(value.valid, fits), low=max(value.low, low))
    return fitted(e, replace(known, high=min(known.high, high)), t)


def _to_float(e: Emitter, value: Value, expr: Cast) -> Value:
    source, target = value.dtype, expr.dtype
    kind = FLOAT if target == pa.float32() else DOUBLE
    if is_float(source):
        if source == target:
            return value
        made = e.b.fpext(value.ir, DOUBLE) if kind == DOUBLE else e.b.fptrunc(value.ir, FLOAT)
        return Value(made, target, value.valid)
    if source == BOOL:
        return Value(e.b.uitofp(value.ir, kind), target, value.valid)
    scale = _scale(source)
    if not _is_exact(source) or scale > 22 or (scale and kind != DOUBLE):
        raise NotCompiledError(f"{expr} has no compiled form")
    if scale or value.is_wide:  # few decimals have more digits than doubles: the other tier's
        value = _within(e, value, -(1 << 53), 1 << 53)
    made = e.b.sitofp(value.ir, kind)
    # both are exact doubles, so the quotient is rounded once
    return Value(e.b.fdiv(made, DOUBLE(float(10**scale))) if scale else made, target, value.valid)


Function = Callable[[Emitter, Call, list[Value]], Value]

FUNCTIONS: dict[str, Function] = {
    **dict.fromkeys(("add", "subtract", "multiply"), _arithmetic),
    **dict.fromkeys(_SIGNS, _compare),
    **dict.fromkeys(("is_null", "is_not_null"), _is_null),
    **dict.fromkeys(("is_distinct", "is_not_distinct"), _distinct),
    **dict.fromkeys(("greatest", "least"), _furthest),
    **dict.fromkeys(("floor", "ceil", "trunc"), _to_whole),
    **dates.FUNCTIONS,
    "round": _round,
    "sqrt": _sqrt,
    **dict.fromkeys(("floor_divide", "modulo"), _whole_division),
    "negate": _negate,
    "divide": _divide,
    "abs": _abs,
    "not": _not,
    "coalesce": _coalesce,
    "if": _if,
    "nullif": _nullif,
}
