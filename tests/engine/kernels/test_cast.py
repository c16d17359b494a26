# ruff: noqa: E501 (tables of values)
"""CAST and TRY_CAST against DuckDB: every pair of types, and the odd forms of text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.kernels.cast import cast
from plait.errors import ConversionError, TypeMismatchError
from plait.planner.types import (
    BOOL,
    DATE,
    DOUBLE,
    FLOAT,
    INT8,
    INT32,
    INT64,
    INTERVAL,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    from_sql_name,
    sql_name,
)
from tests.assertions import assert_same_rows
from tests.engine.kernels.calls import TABLE, encoded, logical, physical_fits

TARGETS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "UINTEGER", "UBIGINT", "HUGEINT",
    "FLOAT", "DOUBLE", "DECIMAL(4,1)", "DECIMAL(18,3)", "DECIMAL(38,10)", "VARCHAR", "BOOLEAN",
)  # fmt: skip
NUMBERS = ("b", "i1", "i4", "i8", "u1", "u8", "huge", "f", "d", "e", "dec", "dec2", "s", "num")


@pytest.fixture(scope="module")
def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("raw", TABLE)
    connection.execute("CREATE VIEW t AS SELECT * REPLACE (huge::HUGEINT AS huge) FROM raw")
    return connection


def column(name: str, table: pa.Table = TABLE) -> pa.Array:
    return table.column(name).combine_chunks()


def check(oracle: duckdb.DuckDBPyConnection, name: str, target: str) -> None:
    dtype = from_sql_name(target)
    expected = oracle.sql(f'SELECT try_cast("{name}" AS {target}) AS x FROM t').to_arrow_table()
    for table in (TABLE, encoded(TABLE)):
        actual = cast(column(name, table), dtype, try_=True)
        assert physical_fits(actual, dtype)
        assert_same_rows(pa.table({"x": logical(actual)}), expected, ordered=True)
        part = cast(column(name, table).slice(2, 4), dtype, try_=True)
        assert_same_rows(pa.table({"x": logical(part)}), expected.slice(2, 4), ordered=True)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_and_text(oracle: duckdb.DuckDBPyConnection, name: str, target: str) -> None:
    check(oracle, name, target)


@pytest.mark.parametrize(
    "target",
    ["DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIME", "VARCHAR", "TIMESTAMPTZ"],
)
@pytest.mark.parametrize("name", ["day", "day2", "ts", "ts2", "tz", "tm", "s"])
def test_dates_and_times(oracle: duckdb.DuckDBPyConnection, name: str, target: str) -> None:
    impossible = (name == "tm" and target != "TIME") or (
        name.startswith("day") and target == "TIME"
    )
    if impossible and target != "VARCHAR":
        with pytest.raises(TypeMismatchError):
            cast(column(name), from_sql_name(target))
        return
    if (name, target) != ("tz", "TIME"):  # DuckDB makes that a TIME WITH TIME ZONE only
        check(oracle, name, target)


@pytest.mark.parametrize("name", ["iv", "bin", "l", "ls", "b"])
def test_other_types_as_text(oracle: duckdb.DuckDBPyConnection, name: str) -> None:
    check(oracle, name, "VARCHAR")


INTEGERS = """+5|.5|5.|1e-1|-0x1F|0b11|1__0|_1|1_|1e|1.5e1|-1.5|2.5|-2.5|0.5|99999999999|1e30|1 2|
 5 |5-|--5|+-5|1e3.5|1_0.5|.|0o7|1e+2|1E2|-0|00012|1.4999999999|0x|0xg|1e-400|.e1||x|0x10"""
FLOATS = """+5|.5|5.|1_0.5|1e400|-1e400|1e-400|Infinity|-inf|+inf|NaN|INF|infinit|0x10|1e|e5|1d|
1.5f| nan |1_000|--1|1e5_0||-|1,5"""
DECIMALS = """1.5|1.55|1.45|-1.55|99.95|999|1e2|1e-1|1.5e1|+1.5|.5|5.| 1.5 |1_0||-|abc|0x10|1.05e1|
nan|12.34e-1|1.25|1.35"""
BOOLS = "t|f|T|true|yes|y|n|no|on|off|1|0| true |tr|Yes|2|1.0|FALSE|"
DATES = """2020-1-2|2020/01/02|2020-01-02 10:00:00|2020-01-02T10:00:00|2020-01-02abc|20-01-02|2020-01|
2020|2020-02-30|0000-01-01|10000-01-01|2020-01-02 (BC)|epoch|2020-01-02Z|2020 01 02|2020.01.02|
2020-01/02|-2020-01-02|020-01-02|2020-001-02|2020-01-02 25:00:00|01/02/2020|Jan 2 2020| 2020-01-02 |"""
TIMESTAMPS = """2020-1-2|2020/01/02 1:2:3|2020-01-02 10:00|2020-01-02 10|2020-01-02T10:00:00Z|
2020-01-02 10:00:00+02|2020-01-02 10:00:00 +02:30|2020-01-02 10:00:00 UTC|
2020-01-02 10:00:00 Europe/Berlin|2020-01-02 10:00:00.1234567|2020-01-02 10:00:00.9999999|
2020-01-02 24:00:00|2020-01-02 25:00:00|2020-01-02 10:00:60|2020-01-02  10:00:00|
2020-01-02 10:00:00 |2020-01-02 10:00:00.|2020-01-02t10:00:00|2020-01-02T10:00:00+05|epoch|
2020-01-02 10:60:00|20200102T101010|2020-01-02|1969-12-31 23:59:59.5|"""
TIMES = """1:2|12:34|12:34:56|12:34:56.5|25:00|12|12:34:56.1234567|12:34:56+02| 12:34:56 |
2020-01-01 12:34:56|1:2:3|12:60|"""
INTERVALS = """1 day|1 year 2 months|01:02:03|1 day ago|2 weeks|1.5 days|-3 hours|1 month -2 days|
10 minutes 5.25 seconds|1 quarter|3 decades|-01:30:00|5 us|12 ms|1d 2h|1 fortnight||x"""
FORMS = [
    ("INTEGER", INTEGERS),
    ("TINYINT", INTEGERS),
    ("DOUBLE", FLOATS),
    ("DECIMAL(3,1)", DECIMALS),
    ("BOOLEAN", BOOLS),
    ("DATE", DATES),
    ("TIMESTAMP", TIMESTAMPS),
    ("TIMESTAMPTZ", TIMESTAMPS),
    ("TIMESTAMP_S", TIMESTAMPS),
    ("TIME", TIMES),
    ("INTERVAL", INTERVALS),
]


@pytest.mark.parametrize(("target", "forms"), FORMS, ids=[t for t, _ in FORMS])
def test_forms_of_text(oracle: duckdb.DuckDBPyConnection, target: str, forms: str) -> None:
    texts = pa.table({"s": [*forms.replace("|\n", "|").split("|"), None]})
    oracle.register("forms", texts)
    expected = oracle.sql(f"SELECT s, try_cast(s AS {target}) AS x FROM forms").to_arrow_table()
    dtype = from_sql_name(target)
    actual = cast(column("s", texts), dtype, try_=True)
    shown = pa.table({"s": column("s", texts), "x": logical(actual)})
    assert_same_rows(shown, expected, ordered=True)
    # one by one: here Arrow's parser answers wherever it can
    for i, text in enumerate(texts.column("s").to_pylist()):
        one = pa.table({"x": logical(cast(pa.array([text], STRING), dtype, try_=True))})
        assert_same_rows(one, expected.select(["x"]).slice(i, 1), ordered=True)


VALUES = [
    ("1.0::DOUBLE", pa.array([1.0])),
    ("1e20::DOUBLE", pa.array([1e20])),
    ("1e15::DOUBLE", pa.array([1e15])),
    ("1e16::DOUBLE", pa.array([1e16])),
    ("1e-5::DOUBLE", pa.array([1e-5])),
    ("1e-4::DOUBLE", pa.array([1e-4])),
    ("5e-324::DOUBLE", pa.array([5e-324])),
    ("123456789.125::DOUBLE", pa.array([123456789.125])),
    ("1e10::FLOAT", pa.array([1e10], FLOAT)),
    ("0.1::FLOAT", pa.array([0.1], FLOAT)),
    ("123456789::FLOAT", pa.array([123456789.0], FLOAT)),
    ("1e17::FLOAT", pa.array([1e17], FLOAT)),
    ("3.4e38::FLOAT", pa.array([3.4e38], FLOAT)),
    ("1e-5::FLOAT", pa.array([1e-5], FLOAT)),
    ("0.0000001::DECIMAL(18,7)", pa.array([Decimal("0.0000001")], pa.decimal128(18, 7))),
    ("(-0.05)::DECIMAL(3,2)", pa.array([Decimal("-0.05")], pa.decimal128(3, 2))),
    ("DATE '10000-01-01'", pa.array([2932897], pa.int32()).cast(DATE)),
    ("DATE '0044-03-15 (BC)'", pa.array([-735160], pa.int32()).cast(DATE)),
    ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", pa.array([1577836800123456789], pa.timestamp("ns"))),
    ("TIMESTAMP_S '2020-01-01 00:00:00'", pa.array([1577836800], pa.timestamp("s"))),
    ("{'a': 'x y', 'b': NULL, 'c': [1, 2]}", pa.array([{"a": "x y", "b": None, "c": [1, 2]}])),
    ("[[1], [2, 3], NULL]", pa.array([[[1], [2, 3], None]])),
    ("[1.5::DOUBLE, NULL]", pa.array([[1.5, None]])),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "array"), VALUES, ids=[v for v, _ in VALUES])
def test_text_of_values(oracle: duckdb.DuckDBPyConnection, sql: str, array: pa.Array) -> None:
    row = oracle.execute(f"SELECT ({sql})::VARCHAR").fetchone()
    assert row is not None
    assert cast(array, STRING).to_pylist() == [row[0]]


def test_failures_name_the_value() -> None:
    with pytest.raises(ConversionError, match="Could not convert 'abc' to INTEGER; use try_cast"):
        cast(pa.array(["1", "abc"]), INT32)
    with pytest.raises(ConversionError, match=r"300 \(INTEGER\) is out of the range of TINYINT"):
        cast(pa.array([1, 300], INT32), INT8)
    with pytest.raises(ConversionError, match=r"nan \(DOUBLE\) is out of the range of INTEGER"):
        cast(pa.array([float("nan")]), INT32)
    with pytest.raises(ConversionError, match=r"out of the range of DECIMAL\(3,1\)"):
        cast(pa.array([100]), pa.decimal128(3, 1))
    with pytest.raises(TypeMismatchError, match="DATE cannot be cast to INTERVAL"):
        cast(pa.array([dt.date(2020, 1, 1)]), INTERVAL)


def test_an_unused_dictionary_entry_does_not_fail() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(["1", "abc"]))
    assert cast(column, INT32).to_pylist() == [1, 1]


def test_failures_in_rows_of_nulls_do_not_count() -> None:
    hidden = pa.Array.from_buffers(
        INT32, 2, [pa.array([True, False]).buffers()[1], pa.array([1, 300], INT32).buffers()[1]]
    )
    assert cast(hidden, INT8).to_pylist() == [1, None]


def test_counts_of_dataframes() -> None:
    stamps = pa.array([0, 1_500_000], TIMESTAMP)
    assert cast(stamps, INT64).to_pylist() == [0, 1_500_000]
    assert cast(pa.array([0, 1_500_000]), TIMESTAMP).equals(stamps)
    assert cast(pa.array([3]), pa.duration("us")).to_pylist() == [dt.timedelta(microseconds=3)]


def test_lists_and_structs() -> None:
    lists = pa.array([["1", "x"], None, []])
    assert cast(lists, pa.list_(INT32), try_=True).to_pylist() == [[1, None], None, []]
    assert cast(lists.slice(1), pa.list_(INT32), try_=True).to_pylist() == [None, []]
    structs = pa.array([{"a": 1, "b": "2"}, None])
    target = pa.struct([("a", DOUBLE), ("b", INT32)])
    assert cast(structs, target).to_pylist() == [{"a": 1.0, "b": 2}, None]


@given(st.lists(st.floats(allow_nan=False) | st.none(), max_size=20))
def test_floats_survive_text(values: list[float | None]) -> None:
    array = pa.array(values, DOUBLE)
    assert cast(cast(array, STRING), DOUBLE).equals(array)


@given(st.lists(st.decimals("-99999999", "99999999", places=4) | st.none(), max_size=20))
def test_decimals_round_like_arithmetic(values: list[Decimal | None]) -> None:
    array = pa.array(values, pa.decimal128(12, 4))
    expected = [
        None if v is None else v.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP") for v in values
    ]
    for source in (array, array.cast(pa.decimal64(18, 4))):
        found = cast(source, pa.decimal128(12, 2))
        assert logical(found).to_pylist() == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=20))
def test_integers_survive_text_and_hugeint(values: list[int | None]) -> None:
    array = pa.array(values, INT64)
    assert cast(cast(array, STRING), INT64).equals(array)
    wide = cast(array, from_sql_name("HUGEINT"))
    assert cast(wide, INT64).equals(array)


@pytest.mark.parametrize("t", [BOOL, INT8, DOUBLE, STRING, DATE, TIME, TIMESTAMPTZ, INTERVAL])
def test_nulls_and_empty_columns(t: pa.DataType) -> None:
    assert cast(pa.nulls(2), t).equals(pa.nulls(2, t)), sql_name(t)
    for source in (STRING, t):
        assert physical_fits(cast(pa.array([], source), t), t)
        assert cast(pa.nulls(2, source), t).null_count == 2
