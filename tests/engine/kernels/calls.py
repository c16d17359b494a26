# ruff: noqa: E501 (a table of values is read by columns)
"""Calls of registry functions in a few words, computed by the kernels and by DuckDB.

A case is one line in Python's grammar: names are columns of `TABLE`, constants are SQL constants,
calls are functions of the registry, operators are theirs. `run` resolves, casts and calls kernels
directly; `sql` writes the same for DuckDB.

    round(dec, 1)        s[2]        add(i4, 1)        cast(s, 'int')        date('2020-01-31')
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.cast import cast
from plait.engine.kernels.encoding import Value
from plait.engine.kernels.parsing import parse_interval
from plait.engine.kernels.registry import KERNELS
from plait.planner.expr import Call, Cast, Column, Expr, Literal
from plait.planner.functions.registry import scalar
from plait.planner.types import (
    BOOL,
    DATE,
    DOUBLE,
    INT32,
    INT64,
    INTERVAL,
    NULL,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    decimal,
    from_sql_name,
    normalize,
)

TABLE = pa.table(
    {
        "b": pa.array([True, False, None, True, False, True, None, False]),
        "b2": pa.array([True, True, True, False, None, None, None, False]),
        "i1": pa.array([1, -2, None, 127, -128, 0, 5, 7], pa.int8()),
        "i4": pa.array([3, -7, None, 2147483, 0, 12, 100, -1], pa.int32()),
        "j4": pa.array([2, 3, 5, None, 7, -4, 10, 1], pa.int32()),
        "i8": pa.array([4, -9, 10**12, None, 0, 1, -1, 63], pa.int64()),
        "n": pa.array([1, 2, 0, 3, None, -1, -2, 5], pa.int32()),
        "u1": pa.array([1, 0, None, 255, 7, 8, 9, 10], pa.uint8()),
        "u8": pa.array([1, 0, None, 2**63 + 5, 7, 8, 9, 10], pa.uint64()),
        "huge": pa.array([Decimal(10) ** 30, Decimal(-5), None, *map(Decimal, range(5))], pa.decimal128(38, 0)),
        "f": pa.array([1.5, -2.25, None, 0.0, 1e10, 3.0, 0.5, -0.0], pa.float32()),
        "d": pa.array([1.5, -2.5, None, 0.25, 1e15, float("nan"), float("inf"), -0.0], pa.float64()),
        "e": pa.array([0.5, 2.0, 1.0, None, 3.5, -1.25, float("nan"), 1.0], pa.float64()),
        "dec": pa.array(
            [Decimal("3.25"), Decimal("-4.75"), None, Decimal("0.00"), Decimal("12.50"),
             Decimal("9999999999999.99"), Decimal("0.05"), Decimal("-0.05")],
            pa.decimal128(15, 2),
        ),
        "dec2": pa.array(
            [Decimal("1.100000"), Decimal("-2.000001"), Decimal("7"), None, Decimal("0.5"),
             Decimal("3.999999"), Decimal("3.250000"), Decimal("10")],
            pa.decimal128(18, 6),
        ),
        "s": pa.array(["abc", "Hello World", None, "", "añb ñ", "  x y  ", "a,b,c", "12"]),
        "s2": pa.array(["b", "o", "x", None, "ñ", " ", ",", "2"]),
        "num": pa.array(["12", " 7 ", None, "-3.5", "1e2", "+5", "0", "99"]),
        "day": pa.array(
            [dt.date(2020, 2, 29), dt.date(1969, 12, 31), None, dt.date(2000, 1, 1),
             dt.date(1999, 12, 31), dt.date(2024, 5, 31), dt.date(1600, 3, 1), dt.date(2021, 1, 3)]
        ),
        "day2": pa.array(
            [dt.date(2021, 2, 28), dt.date(1970, 1, 31), dt.date(1, 1, 1), None,
             dt.date(2000, 1, 1), dt.date(2024, 2, 29), dt.date(1999, 12, 31), dt.date(2020, 12, 28)]
        ),
        "ts": pa.array(
            [dt.datetime(2020, 2, 29, 12, 34, 56, 789000), dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
             None, dt.datetime(2000, 1, 1), dt.datetime(1999, 12, 31, 23, 0, 0, 1),
             dt.datetime(2024, 5, 31, 0, 30), dt.datetime(1600, 3, 1, 6, 7, 8), dt.datetime(2021, 1, 3, 18)],
            pa.timestamp("us"),
        ),
        "ts2": pa.array(
            [dt.datetime(2021, 2, 28, 1), dt.datetime(1970, 1, 1), dt.datetime(2000, 1, 1), None,
             dt.datetime(2000, 3, 31, 23), dt.datetime(2024, 5, 31, 0, 29, 59, 999999),
             dt.datetime(2000, 2, 29), dt.datetime(2021, 1, 3, 18)],
            pa.timestamp("us"),
        ),
        "tz": pa.array(
            [dt.datetime(2020, 2, 29, 12, 34, 56, 789000), dt.datetime(1969, 12, 31, 23), None,
             dt.datetime(2000, 1, 1), None, dt.datetime(2024, 7, 1), dt.datetime(1990, 1, 1), None],
            pa.timestamp("us", "UTC"),
        ),
        "tm": pa.array(
            [dt.time(12, 34, 56, 789000), dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(1, 2, 3),
             dt.time(6), dt.time(18, 30), dt.time(0, 0, 1)],
            pa.time64("us"),
        ),
        "iv": pa.array(
            [pa.MonthDayNano([14, 3, 4 * 3600 * 10**9]), pa.MonthDayNano([0, -1, 0]), None,
             pa.MonthDayNano([-1, 0, 0]), pa.MonthDayNano([0, 0, 1_500_000_000]),
             pa.MonthDayNano([1, 0, 0]), pa.MonthDayNano([0, 30, 0]), pa.MonthDayNano([0, 0, 0])],
            INTERVAL,
        ),
        "bin": pa.array([b"abc", b"", None, b"\x00\xff", b"a'b", b"x", b"y", b"z"]),
        "l": pa.array([[1, 2, 3], [], None, [None, 2], [7], [5, 5], [1], [2, None]], pa.list_(pa.int32())),
        "st": pa.array(
            [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, None, {"a": 3, "b": None}, *[{"a": 4, "b": ""}] * 4],
            pa.struct([("a", INT32), ("b", STRING)]),
        ),
        "ls": pa.array(
            [["a", "b c"], [], None, [None, "x'y"], ["null"], ["a,b"], [""], ["z"]], pa.list_(STRING)
        ),
    }
)  # fmt: skip

_BINARY: Mapping[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
}
_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "floor_divide": "//",
    "modulo": "%", "equal": "=", "not_equal": "<>", "less": "<", "less_equal": "<=",
    "greater": ">", "greater_equal": ">=", "is_distinct": "IS DISTINCT FROM",
    "is_not_distinct": "IS NOT DISTINCT FROM", "and_": "AND", "or_": "OR", "like": "LIKE",
    "ilike": "ILIKE", "glob": "GLOB", "concat_operator": "||", "bitwise_and": "&",
    "bitwise_or": "|", "shift_left": "<<", "shift_right": ">>",
}  # fmt: skip
_DUCKDB_NAMES = {"bitwise_xor": "xor", "if_": "if", "power": "pow"}
_TYPED: Mapping[str, tuple[pa.DataType, Callable[[str], Any]]] = {
    "date": (DATE, dt.date.fromisoformat),
    "timestamp": (TIMESTAMP, dt.datetime.fromisoformat),
    "timestamptz": (TIMESTAMPTZ, lambda t: dt.datetime.fromisoformat(t).replace(tzinfo=dt.UTC)),
    "time": (TIME, dt.time.fromisoformat),
    "interval": (INTERVAL, parse_interval),
}


def parse(text: str, types: Mapping[str, pa.DataType]) -> Expr:
    """The expression of a case, resolved and with its casts."""
    return _expr(ast.parse(text.strip(), mode="eval").body, types, text.strip())


def _expr(node: ast.expr, types: Mapping[str, pa.DataType], text: str) -> Expr:
    match node:
        case ast.Name(name):
            return Column(name, types[name])
        case ast.Constant(value):
            return _literal(value, ast.get_source_segment(text, node) or "")
        case ast.UnaryOp(ast.USub(), ast.Constant(value)):
            return _literal(-value, "-" + (ast.get_source_segment(text, node.operand) or ""))
        case ast.UnaryOp(ast.USub(), inner):
            return call("negate", _expr(inner, types, text))
        case ast.BinOp(left, op, right):
            args = (_expr(left, types, text), _expr(right, types, text))
            return call(_BINARY[type(op)], *args)
        case ast.List(items):
            return call("list_value", *(_expr(i, types, text) for i in items))
        case ast.Call(ast.Name("cast" | "try_cast" as name), [inner, ast.Constant(target)]):
            dtype = from_sql_name(str(target))
            return Cast(_expr(inner, types, text), dtype, name == "try_cast")
        case ast.Call(ast.Name(name), [ast.Constant(value)]) if name in _TYPED:
            dtype, read = _TYPED[name]
            return Literal(read(str(value)), dtype)
        case ast.Call(ast.Name(name), args):
            return call(name.rstrip("_"), *(_expr(a, types, text) for a in args))
    raise AssertionError(f"cannot read {ast.dump(node)}")


def _literal(value: Any, source: str) -> Literal:
    if value is None:
        return Literal(None, NULL)
    if isinstance(value, bool):
        return Literal(value, BOOL)
    if isinstance(value, int):
        return Literal(value, INT32 if abs(value) < 2**31 else INT64)
    if isinstance(value, float):
        if "e" in source.lower():
            return Literal(value, DOUBLE)
        exact = Decimal(source)
        _, digits, exponent = exact.as_tuple()
        return Literal(exact, decimal(len(digits), -int(exponent)))
    return Literal(value, STRING)


def call(name: str, *args: Expr) -> Call:
    """A call with the casts its signature asks for."""
    function = scalar(name)
    signature = function.resolve(args)
    coerced = tuple(
        a if a.dtype == t else Cast(a, t) for a, t in zip(args, signature.args, strict=True)
    )
    return Call(function.name, coerced, signature.result)


def sql(text: str) -> str:
    """The same case as SQL for DuckDB."""
    return _sql(ast.parse(text.strip(), mode="eval").body, text.strip())


def _sql(node: ast.expr, text: str) -> str:
    match node:
        case ast.Name(name):
            return f'"{name}"'
        case ast.Constant(None):
            return "NULL"
        case ast.Constant(str() as value):
            return "'" + value.replace("'", "''") + "'"
        case ast.Constant():
            return ast.get_source_segment(text, node) or ""
        case ast.UnaryOp(_, inner):
            return f"(-{_sql(inner, text)})"
        case ast.BinOp(left, op, right):
            return f"({_sql(left, text)} {_INFIX[_BINARY[type(op)]]} {_sql(right, text)})"
        case ast.List(items):
            return f"[{', '.join(_sql(i, text) for i in items)}]"
        case ast.Call(ast.Name("cast" | "try_cast" as name), [inner, ast.Constant(target)]):
            return f"{name}({_sql(inner, text)} AS {target})"
        case ast.Call(ast.Name(name), [ast.Constant(value)]) if name in _TYPED:
            return f"{name} '{value}'"
        case ast.Call(ast.Name(name), args):
            return _sql_call(name, [_sql(a, text) for a in args])
    raise AssertionError(f"cannot write {ast.dump(node)}")


def _sql_call(name: str, args: list[str]) -> str:
    if name in _INFIX:
        return f"({args[0]} {_INFIX[name]} {args[1]})"
    match name:
        case "not_":
            return f"(NOT {args[0]})"
        case "bitwise_not":
            return f"(~{args[0]})"
        case "is_null":
            return f"({args[0]} IS NULL)"
        case "is_not_null":
            return f"({args[0]} IS NOT NULL)"
        case "in_":
            return f"({args[0]} IN ({', '.join(args[1:])}))"
        case "negate":
            return f"(-{args[0]})"
    return f"{_DUCKDB_NAMES.get(name, name)}({', '.join(args)})"


def run(expr: Expr, table: pa.Table) -> pa.Array:
    """The expression's values by the kernels."""
    value = _value(expr, table)
    if isinstance(value, pa.Scalar):
        return pa.repeat(value, table.num_rows)
    return value


def _value(expr: Expr, table: pa.Table) -> Value:
    match expr:
        case Column(name):
            column = table.column(name)
            assert column.num_chunks <= 1
            return column.chunk(0) if column.num_chunks else pa.nulls(0, column.type)
        case Literal(value, dtype):
            return pa.scalar(value, dtype)
        case Cast(inner, dtype, try_):
            source = _value(inner, table)
            if isinstance(source, pa.Scalar):
                return cast(_one_row(source), dtype, try_)[0]
            return cast(source, dtype, try_)
        case Call(name, args, dtype):
            values = [_value(a, table) for a in args]
            if not args:
                return KERNELS[name]([pa.nulls(table.num_rows)], dtype)
            if all(isinstance(v, pa.Scalar) for v in values):
                return KERNELS[name]([_one_row(v) for v in values], dtype)[0]
            return KERNELS[name](values, dtype)
    raise AssertionError(f"cannot run {expr}")


def _one_row(value: pa.Scalar) -> pa.Array:
    return pa.nulls(1, value.type) if not value.is_valid else pa.repeat(value, 1)


def encoded(table: pa.Table) -> pa.Table:
    """The same rows with strings as dictionary codes and decimals in 64 bits where they fit."""
    columns = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        t = column.type
        if pat.is_string(t):
            column = column.dictionary_encode()
        elif pat.is_decimal(t) and t.precision <= 18:
            column = column.cast(pa.decimal64(18, t.scale))
        columns[name] = column
    return pa.table(columns)


def logical(array: pa.Array) -> pa.Array:
    """The plain form of a result."""
    if isinstance(array, pa.DictionaryArray):
        assert array.dictionary.null_count == 0
        assert len(array.dictionary.unique()) == len(array.dictionary)
        array = array.dictionary.take(array.indices)
    if pat.is_decimal(array.type) and not pat.is_decimal128(array.type):
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    return array


def physical_fits(array: pa.Array, dtype: pa.DataType) -> bool:
    """Whether a result's physical type is one in which the logical type may come."""
    t = normalize(array.type)
    if pat.is_decimal(dtype):
        return pat.is_decimal(t) and t.scale == dtype.scale
    return bool(t == dtype)
