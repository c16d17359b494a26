"""Result types of the registry's functions are DuckDB's."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.functions import internal, registry
from plait.planner.functions.coercion import fits_exactly, unify
from plait.planner.types import (
    BOOL,
    DATE,
    DOUBLE,
    HUGEINT,
    INT8,
    INT32,
    INT64,
    INTERVAL,
    STRING,
    TIMESTAMP,
    decimal,
    from_sql_name,
    sql_name,
)

NUMBERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL(4,1)", "DECIMAL(15,2)", "DECIMAL(18,6)",
    "DECIMAL(38,10)",
)  # fmt: skip
OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "modulo": "%",
}


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    columns = ", ".join(f'"{name}" {name}' for name in NUMBERS)
    connection.execute(f"CREATE TABLE t ({columns})")
    connection.execute(f"INSERT INTO t VALUES ({', '.join('1' for _ in NUMBERS)})")
    return connection


def column(name: str) -> Column:
    return Column(name, from_sql_name(name))


def typeof(oracle: duckdb.DuckDBPyConnection, sql: str) -> pa.DataType:
    row = oracle.execute(f"SELECT typeof({sql}) FROM t").fetchone()
    assert row is not None
    return from_sql_name(row[0])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_on_all_pairs_of_number_columns(
    oracle: duckdb.DuckDBPyConnection, name: str
) -> None:
    for a in NUMBERS:
        for b in NUMBERS:
            if "HUGEINT" in (a, b) and name in ("modulo", "floor_divide"):
                continue  # a HUGEINT beside a decimal: plait has decimals, DuckDB doubles
            expected = typeof(oracle, f'"{a}" {OPERATORS[name]} "{b}"')
            found = registry.scalar(name).resolve((column(a), column(b))).result
            assert found == expected, f"{a} {name} {b}"


LITERALS = ("1", "200", "40000", "3000000000", "1.5", "12.345", "-1")


def literal(text: str) -> Literal:
    if "." in text:
        exact = Decimal(text)
        _, digits, exponent = exact.as_tuple()
        return Literal(exact, decimal(len(digits), -int(exponent)))
    return Literal(int(text), INT32 if abs(int(text)) < 2**31 else INT64)


@pytest.mark.parametrize("name", ["add", "multiply", "divide"])
def test_operators_with_literals(oracle: duckdb.DuckDBPyConnection, name: str) -> None:
    for a in NUMBERS:
        for text in LITERALS:
            if text == "-1" and a.startswith("U"):
                continue  # to DuckDB -1 is an operator's result, to plait a constant
            if a == "UBIGINT" and text == "3000000000":
                continue
            expected = typeof(oracle, f'"{a}" {OPERATORS[name]} {text}')
            found = registry.scalar(name).resolve((column(a), literal(text))).result
            assert found == expected, f"{a} {name} {text}"


def test_coalesce_of_all_pairs_of_number_columns(oracle: duckdb.DuckDBPyConnection) -> None:
    for a in NUMBERS:
        for b in NUMBERS:
            expected = typeof(oracle, f'coalesce("{a}", "{b}")')
            found = unify((column(a), column(b)), "coalesce")
            assert found == expected, f"{a}, {b}"


AGGREGATES = (
    "avg", "min", "max", "median", "stddev", "product", "mode", "first", "count",
    "skewness", "var_pop", "any_value",
)  # fmt: skip


@pytest.mark.parametrize("name", AGGREGATES)
def test_aggregates_on_all_number_columns(oracle: duckdb.DuckDBPyConnection, name: str) -> None:
    for a in NUMBERS:
        if a == "HUGEINT" and name == "median":
            continue  # a decimal without digits after the point, not a DOUBLE
        expected = typeof(oracle, f'{name}("{a}")')
        assert registry.aggregate(name).resolve((column(a),)).result == expected, f"{name}({a})"


def test_sums_of_integers_are_bigint_and_of_decimals_wide() -> None:
    def of(t: pa.DataType) -> pa.DataType:
        return registry.aggregate("sum").resolve((Column("x", t),)).result

    assert of(INT8) == of(INT64) == of(BOOL) == INT64
    assert of(HUGEINT) == of(pa.uint64()) == HUGEINT
    assert of(decimal(15, 2)) == decimal(38, 2)
    assert of(pa.float32()) == DOUBLE


def test_a_literal_takes_the_type_of_the_column_beside_it() -> None:
    price, day, code = Column("p", decimal(15, 2)), Column("d", DATE), Column("c", INT8)

    def types(name: str, *args: Expr) -> tuple[str, ...]:
        return tuple(map(sql_name, registry.scalar(name).resolve(args).args))

    assert types("less", price, literal("24")) == ("DECIMAL(15,2)",) * 2
    assert types("less", literal("24.5"), price) == ("DECIMAL(15,2)",) * 2
    assert types("less", price, literal("24.125")) == ("DECIMAL(15,2)", "DECIMAL(5,3)")
    assert types("less", day, Literal("2020-01-01", STRING)) == ("DATE", "DATE")
    assert types("equal", code, literal("1000")) == ("TINYINT", "INTEGER")
    assert types("in", code, literal("1"), literal("2")) == ("TINYINT",) * 3
    assert types("in", day, Literal("2020-01-01", STRING)) == ("DATE",) * 2
    assert types("equal", Column("s", STRING), literal("1")) == ("INTEGER", "INTEGER")
    assert types("less", Column("ts", TIMESTAMP), day) == ("TIMESTAMP", "TIMESTAMP")


def test_what_does_not_fit_is_refused() -> None:
    s, day, price = Column("s", STRING), Column("day", DATE), Column("price", decimal(15, 2))
    with pytest.raises(TypeMismatchError, match="Cannot compare VARCHAR with INTEGER"):
        registry.scalar("less").resolve((s, literal("1")))
    with pytest.raises(TypeMismatchError, match=r"\+\(VARCHAR, INTEGER\) does not exist"):
        registry.scalar("add").resolve((s, literal("1")))
    with pytest.raises(TypeMismatchError, match=r"upper\(DATE\) does not exist; there is upper"):
        registry.scalar("upper").resolve((day,))
    with pytest.raises(TypeMismatchError, match="coalesce needs values of one type"):
        registry.scalar("coalesce").resolve((s, price))
    with pytest.raises(TypeMismatchError, match="constant number of digits"):
        registry.scalar("round").resolve((price, Column("n", INT32)))
    with pytest.raises(PlanError, match="Did you mean 'year'"):
        registry.scalar("date_trunc").resolve((Literal("yeer", STRING), day))
    with pytest.raises(TypeMismatchError, match="38"):
        registry.scalar("multiply").resolve(
            (Column("a", decimal(38, 20)), Column("b", decimal(38, 20)))
        )


def test_names_aliases_and_unknown_functions() -> None:
    assert registry.scalar("SUBSTR").name == "substring"
    assert registry.aggregate("mean").name == "avg"
    assert registry.window("row_number").name == "row_number"
    assert registry.is_scalar("lcase")
    assert registry.is_aggregate("LISTAGG")
    assert registry.is_window("rank")
    assert not registry.is_window("sum")
    with pytest.raises(UnsupportedError, match="Did you mean 'substring'"):
        registry.scalar("substrin")
    with pytest.raises(UnsupportedError, match="It is an aggregate function"):
        registry.scalar("sum")
    with pytest.raises(UnsupportedError, match="It is a scalar function"):
        registry.aggregate("lower")


def test_every_function_has_a_line_for_the_docs() -> None:
    of_plans = {f.name for f in (*internal.FUNCTIONS, *internal.AGGREGATES)}
    for functions in (registry.SCALARS, registry.AGGREGATES, registry.WINDOWS):
        for name, function in functions.items():
            assert function.name == name
            assert function.doc or name in of_plans, name


def test_there_are_enough_functions() -> None:
    assert len([f for f in registry.SCALARS if not f.startswith(("pandas_", "moments"))]) >= 120


def test_exact_fits() -> None:
    def fits(text: str, t: pa.DataType) -> bool:
        return fits_exactly(literal(text), t)

    assert fits("127", INT8)
    assert not fits("128", INT8)
    assert not fits("1.5", INT8)
    assert fits_exactly(Literal(Decimal("5.0"), decimal(2, 1)), INT8)
    assert fits("9.99", decimal(3, 2))
    assert not fits("10", decimal(3, 2))
    assert not fits("0.001", decimal(3, 2))
    assert fits_exactly(Literal(Decimal("0.00"), decimal(3, 2)), decimal(2, 2))


def test_rounding_takes_its_scale_from_a_signed_constant() -> None:
    price = Column("p", decimal(15, 2))
    minus_one = Call("negate", (Literal(1, INT32),), INT32)
    assert registry.scalar("round").resolve((price, minus_one)).result == decimal(15, 0)
    assert registry.scalar("round").resolve((price, literal("1"))).result == decimal(15, 1)


def test_dates_and_intervals() -> None:
    day, ts, iv = Column("d", DATE), Column("t", TIMESTAMP), Column("i", INTERVAL)

    def result(name: str, *args: Expr) -> pa.DataType:
        return registry.scalar(name).resolve(args).result

    assert result("add", day, literal("1")) == DATE
    assert result("add", day, iv) == TIMESTAMP
    assert result("add", iv, ts) == TIMESTAMP
    assert result("subtract", day, day) == INT64
    assert result("subtract", ts, day) == INTERVAL
    assert result("multiply", literal("2"), iv) == INTERVAL
    zoned = Column("z", pa.timestamp("ns", "Europe/Berlin"))
    assert result("add", zoned, iv) == zoned.dtype
    assert result("date_trunc", Literal("month", STRING), zoned) == zoned.dtype
    assert result("date_part", Literal("epoch", STRING), ts) == DOUBLE
    assert result("date_part", Literal("year", STRING), ts) == INT64
