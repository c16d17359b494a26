"""Numeric functions: rounding, roots, logarithms, trigonometry, bits, hash and typeof."""

from __future__ import annotations

from plait.errors import TypeMismatchError
from plait.planner.expr import Call, Cast, Expr, Literal
from plait.planner.functions.arithmetic import integer_pair, number_pair
from plait.planner.functions.coercion import (
    Overload,
    any_float,
    any_integer,
    any_number,
    any_type,
    first_type,
    fixed,
    is_string_literal,
    mismatch,
    overloads,
)
from plait.planner.functions.signature import Function, Nulls, Resolve, Signature, Volatility
from plait.planner.types import (
    BOOL,
    DATE,
    DOUBLE,
    FLOAT,
    HUGEINT,
    INT8,
    INT32,
    INT64,
    NULL,
    STRING,
    TIMESTAMP,
    UINT64,
    decimal,
    is_decimal,
    is_float,
    is_integer,
    is_numeric,
)


def constant_integer(expr: Expr) -> int | None:
    """The value of an integer constant, perhaps with a sign; None if it is none."""
    match expr:
        case Literal(value) if type(value) is int:
            return value
        case Call("negate", (inner,)):
            value = constant_integer(inner)
            return None if value is None else -value
        case Cast(inner, dtype) if is_integer(dtype):
            return constant_integer(inner)
    return None


def _doubles(name: str, doc: str, *sql: str, arguments: int = 1) -> Function:
    return Function(name, fixed(name, *(DOUBLE,) * arguments, result=DOUBLE), sql=sql, doc=doc)


def _to_whole(name: str, keeps_integers: bool) -> Resolve:
    """ceil, floor, trunc and round without digits."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        (arg,) = args
        t = arg.dtype
        if t == NULL or is_string_literal(arg):
            return Signature((DOUBLE,), DOUBLE)
        if is_decimal(t):
            return Signature((t,), t if t == HUGEINT else decimal(t.precision, 0))
        if is_integer(t):
            return Signature((t,), t) if keeps_integers else Signature((DOUBLE,), DOUBLE)
        if is_float(t):
            return Signature((t,), t)
        raise mismatch(name, args)

    return resolve


def _to_digits(name: str) -> Resolve:
    """round and trunc, with or without digits."""
    whole = _to_whole(name, keeps_integers=True)

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) == 1:
            return whole(args)
        if len(args) != 2 or not (is_integer(args[1].dtype) or args[1].dtype == NULL):
            raise mismatch(name, args)
        t = DOUBLE if args[0].dtype == NULL else args[0].dtype
        if not is_numeric(t):
            raise mismatch(name, args)
        if not is_decimal(t) or t == HUGEINT:
            return Signature((t, INT32), t)
        digits = constant_integer(args[1])
        if digits is None:
            raise TypeMismatchError(
                f"{name} of a decimal needs a constant number of digits, which decides the "
                f"result's type; cast {args[0]} to double"
            )
        return Signature((t, INT32), decimal(t.precision, max(0, min(digits, t.scale))))

    return resolve


def _same(name: str) -> Resolve:
    return fixed(name, any_number, result=first_type)


def _bits(name: str) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2 or not all(is_integer(a.dtype) or a.dtype == NULL for a in args):
            raise mismatch(name, args)
        common = integer_pair(*number_pair(*args))
        return Signature((common, common), common)

    return resolve


def _whole_pair(name: str) -> Resolve:
    return overloads(name, Overload((INT64, INT64), INT64), Overload((HUGEINT, HUGEINT), HUGEINT))


def _float_test(name: str, dates: bool) -> Resolve:
    on_dates = (Overload((DATE,), BOOL), Overload((TIMESTAMP,), BOOL)) if dates else ()
    return overloads(name, Overload((FLOAT,), BOOL), Overload((DOUBLE,), BOOL), *on_dates)


_TRIGONOMETRY = (
    ("sin", "Sine of radians"),
    ("cos", "Cosine of radians"),
    ("tan", "Tangent of radians"),
    ("cot", "Cotangent of radians"),
    ("asin", "Inverse sine"),
    ("acos", "Inverse cosine"),
    ("atan", "Inverse tangent"),
    ("sinh", "Hyperbolic sine"),
    ("cosh", "Hyperbolic cosine"),
    ("tanh", "Hyperbolic tangent"),
    ("asinh", "Inverse hyperbolic sine"),
    ("acosh", "Inverse hyperbolic cosine"),
    ("atanh", "Inverse hyperbolic tangent"),
)

FUNCTIONS = (
    Function("abs", _same("abs"), sql=("@",), doc="The value without its sign"),
    Function("sign", fixed("sign", any_number, result=INT8), doc="-1, 0 or 1"),
    Function("ceil", _to_whole("ceil", False), sql=("ceiling",), doc="Rounded up"),
    Function("floor", _to_whole("floor", False), doc="Rounded down"),
    Function("trunc", _to_digits("trunc"), sql=("truncate",), doc="Cut to so many digits"),
    Function("round", _to_digits("round"), doc="Rounded to so many digits, half away from zero"),
    Function(
        "round_even",
        _to_digits("round_even"),
        sql=("roundbankers",),
        doc="Rounded to so many digits, half to even",
    ),
    _doubles("even", "Rounded away from zero to an even number"),
    _doubles("sqrt", "Square root"),
    _doubles("cbrt", "Cube root"),
    _doubles("exp", "e to the power of the value"),
    _doubles("ln", "Natural logarithm"),
    _doubles("log2", "Logarithm to base 2"),
    Function(
        "log",
        overloads("log", Overload((DOUBLE,), DOUBLE), Overload((DOUBLE, DOUBLE), DOUBLE)),
        sql=("log10",),
        doc="Logarithm to base 10, or log(base, x)",
    ),
    _doubles(
        "power", "The first argument to the power of the second", "pow", "**", "^", arguments=2
    ),
    *(_doubles(name, doc) for name, doc in _TRIGONOMETRY),
    _doubles("atan2", "Angle of the point (y, x)", arguments=2),
    _doubles("degrees", "Radians as degrees"),
    _doubles("radians", "Degrees as radians"),
    _doubles("gamma", "The gamma function"),
    _doubles("lgamma", "Logarithm of the gamma function"),
    _doubles("nextafter", "The next number in the direction of the second", arguments=2),
    _doubles("fdiv", "The quotient of doubles rounded down", arguments=2),
    _doubles("fmod", "x - y * fdiv(x, y)", arguments=2),
    Function("pi", fixed("pi", result=DOUBLE), doc="3.14159..."),
    Function(
        "random",
        fixed("random", result=DOUBLE),
        sql=("rand",),
        volatility=Volatility.VOLATILE,
        doc="A number from 0 up to but not including 1",
    ),
    Function("gcd", _whole_pair("gcd"), sql=("greatest_common_divisor",), doc="Largest divisor"),
    Function("lcm", _whole_pair("lcm"), sql=("least_common_multiple",), doc="Smallest multiple"),
    Function("factorial", fixed("factorial", INT32, result=HUGEINT), doc="1 * 2 * ... * n"),
    Function("isnan", _float_test("isnan", False), doc="Whether the value is NaN"),
    Function("isinf", _float_test("isinf", True), doc="Whether the value is infinite"),
    Function("isfinite", _float_test("isfinite", True), doc="Whether it is a finite number"),
    Function(
        "signbit",
        overloads("signbit", Overload((any_float,), BOOL), Overload((DOUBLE,), BOOL)),
        doc="Whether the sign bit is set",
    ),
    Function("bit_count", fixed("bit_count", any_integer, result=INT8), doc="How many bits are 1"),
    Function("bitwise_and", _bits("&"), sql=("&",), doc="Bitwise AND"),
    Function("bitwise_or", _bits("|"), sql=("|",), doc="Bitwise OR"),
    Function("bitwise_xor", _bits("xor"), sql=("xor",), doc="Bitwise exclusive OR"),
    Function(
        "bitwise_not",
        fixed("~", any_integer, result=first_type),
        sql=("~",),
        doc="All bits flipped",
    ),
    Function("shift_left", _bits("<<"), sql=("<<",), doc="Bits moved to higher places"),
    Function("shift_right", _bits(">>"), sql=(">>",), doc="Bits moved to lower places"),
    Function(
        "hash",
        fixed("hash", any_type, result=UINT64),
        nulls=Nulls.OWN,
        doc="A 64-bit hash; stable, but not DuckDB's",
    ),
    Function(
        "typeof",
        fixed("typeof", any_type, STRING, result=STRING),
        nulls=Nulls.OWN,
        doc="The name of the value's type, which the binder knows and gives as well",
    ),
)
