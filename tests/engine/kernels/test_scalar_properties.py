"""What must hold for any column: exact arithmetic, encodings that do not show, errors that do."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.kernels.comparison import compare
from plait.engine.kernels.encoding import per_entry
from plait.engine.kernels.registry import KERNELS
from plait.errors import ComputeError, ConversionError, NumericOverflowError
from plait.planner.expr import Column, Expr, Literal
from plait.planner.types import BOOL, DOUBLE, INT8, INT32, INT64, STRING, decimal
from tests.assertions import assert_same_rows
from tests.engine.kernels.calls import call, encoded, logical, parse, run

LONG = Context(prec=80)
NULLABLE_INTS = st.lists(st.none() | st.integers(-(10**9), 10**9), min_size=1, max_size=12)


def decimals(digits: int, places: int) -> st.SearchStrategy[list[Decimal | None]]:
    """Columns of decimals with so many digits, near zero and near the ends."""
    most = 10**digits - 1
    ints = st.integers(-most, most) | st.integers(-300, 300) | st.sampled_from([most, -most])
    return st.lists(
        st.none() | ints.map(lambda i: Decimal(i).scaleb(-places, LONG)), min_size=1, max_size=10
    )


def columns(**arrays: pa.Array) -> pa.Table:
    rows = min(map(len, arrays.values()))
    return pa.table({name: a.slice(0, rows) for name, a in arrays.items()})


def compute(text: str, table: pa.Table) -> list[Any]:
    types = {f.name: f.type for f in table.schema}
    return logical(run(parse(text, types), table)).to_pylist()


EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


@pytest.mark.parametrize("symbol", EXACT)
@given(a=decimals(12, 2), b=decimals(6, 4))
def test_decimal_arithmetic_is_exact(
    symbol: str, a: list[Decimal | None], b: list[Decimal | None]
) -> None:
    table = columns(a=pa.array(a, decimal(12, 2)), b=pa.array(b, decimal(6, 4)))
    expected = [
        None if x is None or y is None else EXACT[symbol](x, y) for x, y in zip(a, b, strict=False)
    ]
    for source in (table, encoded(table), table.slice(0)):
        assert compute(f"a {symbol} b", source) == expected


@given(a=decimals(38, 10), b=decimals(20, 3))
def test_wide_decimal_sums_are_exact_or_overflow(
    a: list[Decimal | None], b: list[Decimal | None]
) -> None:
    table = columns(a=pa.array(a, decimal(38, 10)), b=pa.array(b, decimal(20, 3)))
    with localcontext(LONG):
        expected = [None if x is None or y is None else x + y for x, y in zip(a, b, strict=False)]
        too_large = any(v is not None and abs(v) >= Decimal(10) ** 28 for v in expected)
    if too_large:
        with pytest.raises(NumericOverflowError, match=r"does not fit DECIMAL\(38,10\)"):
            compute("a + b", table)
    else:
        assert compute("a + b", table) == expected


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}


@pytest.mark.parametrize("name", COMPARISONS)
@given(a=decimals(8, 2), b=decimals(10, 5), number=st.decimals(-99999, 99999, places=3))
def test_decimals_compare_as_numbers(
    name: str, a: list[Decimal | None], b: list[Decimal | None], number: Decimal
) -> None:
    table = columns(a=pa.array(a, decimal(8, 2)), b=pa.array(b, decimal(10, 5)))
    literal = Literal(number, decimal(8, 3))
    left, right = Column("a", decimal(8, 2)), Column("b", decimal(10, 5))
    for source in (table, encoded(table)):
        found = run(call(name, left, right), source).to_pylist()
        pairs = zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True)
        assert found == [None if None in p else COMPARISONS[name](*p) for p in pairs]
        for args in ((left, literal), (literal, left)):
            found = run(call(name, *args), source).to_pylist()
            flip = args[0] is literal
            assert found == [
                None if v is None else COMPARISONS[name](*((number, v) if flip else (v, number)))
                for v in table["a"].to_pylist()
            ]


@pytest.mark.parametrize("name", COMPARISONS)
@given(values=NULLABLE_INTS, number=st.decimals(-200, 200, places=1))
def test_small_integers_against_any_number(
    name: str, values: list[int | None], number: Decimal
) -> None:
    small = [None if v is None else v % 256 - 128 for v in values]
    table = pa.table({"x": pa.array(small, INT8)})
    literal = Literal(number, decimal(4, 1))
    found = run(call(name, Column("x", INT8), literal), table).to_pylist()
    assert found == [None if v is None else COMPARISONS[name](v, number) for v in small]


FLOATS = st.lists(
    st.none() | st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf"), -float("inf")]),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("name", COMPARISONS)
@given(a=FLOATS, b=FLOATS)
def test_nan_is_the_largest_float_and_equal_to_itself(
    name: str, a: list[float | None], b: list[float | None]
) -> None:
    def key(x: float) -> tuple[bool, float]:
        return (True, 0.0) if x != x else (False, x)

    rows = min(len(a), len(b))
    a, b = a[:rows], b[:rows]
    expected = [
        None if x is None or y is None else COMPARISONS[name](key(x), key(y))
        for x, y in zip(a, b, strict=True)
    ]
    found = compare(name, pa.array(a, DOUBLE), pa.array(b, DOUBLE)).to_pylist()
    assert found == expected
    if b[0] is not None:
        beside = compare(name, pa.array(a, DOUBLE), pa.scalar(b[0], DOUBLE)).to_pylist()
        assert beside == [None if x is None else COMPARISONS[name](key(x), key(b[0])) for x in a]


WORDS = st.lists(st.none() | st.text("abAB %_ñ,", max_size=4), min_size=1, max_size=10)
TEXT_CASES = [
    "upper(s)", "length(s)", "substring(s, 2, 2)", "concat(s, '!')", "like(s, '%a%')",
    "like(s, 'a_')", "replace(s, 'a', 'b')", "coalesce(s, 'a')", "in_(s, 'a', 'ab', 'b')",
    "in_(s, 'a', None)", "is_null(s)", "equal(s, 'ab')", "less(s, 'b')", "nullif(s, 'a')",
    "if_(is_null(s), 'x', s)", "concat_operator(s, s)", "is_distinct(s, 'a')", "left(s, 1)",
    "split_part(s, ',', 2)", "strpos(s, 'b')", "md5(s)", "trim(s)", "reverse(s)", "lpad(s, 3, '.')",
]  # fmt: skip


@settings(max_examples=25)
@pytest.mark.parametrize("text", TEXT_CASES)
@given(words=WORDS, start=st.integers(0, 3))
def test_dictionaries_do_not_show(text: str, words: list[str | None], start: int) -> None:
    table = pa.table({"s": pa.array(words, STRING)})
    expr = parse(text, {"s": STRING})
    plain = logical(run(expr, table))
    found = run(expr, encoded(table).slice(start))
    assert logical(found).equals(plain.slice(start))


@settings(max_examples=50)
@given(words=WORDS, pattern=st.text("aAbB%_ñ\\", max_size=5))
def test_like_as_duckdb(words: list[str | None], pattern: str) -> None:
    data = pa.table({"s": pa.array(words, STRING)})
    quoted = pattern.replace("'", "''")
    for name in ("like", "ilike"):
        found = run(call(name, Column("s", STRING), Literal(pattern, STRING)), data)
        expected = duckdb.sql(f"SELECT s {name} '{quoted}' AS x FROM data").to_arrow_table()
        assert_same_rows(pa.table({"x": found}), expected, ordered=True)


@settings(max_examples=60)
@given(
    words=st.lists(st.text("abñ€😀", max_size=5), min_size=1, max_size=6),
    start=st.integers(-7, 7),
    count=st.none() | st.integers(-4, 7),
)
def test_substring_as_duckdb(words: list[str], start: int, count: int | None) -> None:
    data = pa.table(
        {
            "s": words,
            "at": pa.array([start] * len(words), INT64),
            "n": pa.array([count or 0] * len(words), INT64),
        }
    )
    more = "" if count is None else f", {count}"
    expected = duckdb.sql(f"SELECT substring(s, {start}{more}) AS x FROM data").to_arrow_table()
    for text in (
        f"substring(s, {start}{more})",
        f"substring(s, at{'' if count is None else ', n'})",
    ):
        types = {f.name: f.type for f in data.schema}
        found = run(parse(text, types), data)
        assert_same_rows(pa.table({"x": logical(found)}), expected, ordered=True)


MOMENTS = st.lists(
    st.none() | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    min_size=1,
    max_size=8,
)
PARTS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "decade")


@settings(max_examples=25)
@given(a=MOMENTS, b=MOMENTS, months=st.integers(-50, 50), days=st.integers(-400, 400))
def test_calendar_as_duckdb(
    a: list[dt.datetime | None], b: list[dt.datetime | None], months: int, days: int
) -> None:
    t = pa.timestamp("us")
    data = columns(a=pa.array(a, t), b=pa.array(b, t))
    types = {"a": t, "b": t}
    span = f"interval('{months} months {days} days 90 minutes')"
    cases = [f"date_{what}('{p}', a, b)" for p in PARTS for what in ("diff", "sub")]
    cases += [f"date_trunc('{p}', a)" for p in PARTS] + [f"{p}(a)" for p in PARTS]
    cases += ["age(a, b)", f"a + {span}", f"cast(a, 'date') - {span}", "isoyear(a)", "last_day(a)"]
    cases += ["yearweek(a)", "dayofyear(a)", "isodow(a)", "epoch(a)", "a - b"]
    written = ", ".join(
        f"({c.replace(span, _as_sql(span)) if 'cast' not in c else _as_sql(c)}) AS x{i}"
        for i, c in enumerate(cases)
    )
    expected = duckdb.sql(f"SELECT {written} FROM data").to_arrow_table()
    for i, case in enumerate(cases):
        found = logical(run(parse(case, types), data))
        assert_same_rows(pa.table({f"x{i}": found}), expected.select([f"x{i}"]), ordered=True)


def _as_sql(text: str) -> str:
    return text.replace("cast(a, 'date')", "a::date").replace("interval('", "interval ('")


OVERFLOWS = [
    ("x + 1", pa.array([127], INT8)),
    ("x - 2", pa.array([-127], INT8)),
    ("x * 2", pa.array([2**62, None])),
    ("x + 9223372036854775807", pa.array([1])),
    ("-x", pa.array([-(2**63)])),
    ("-x", pa.array([1], pa.uint8())),
    ("abs(x)", pa.array([-128], INT8)),
    ("x // -1", pa.array([-(2**63)])),
    ("x * x", pa.array([Decimal("99999999.99")], decimal(10, 2))),
    ("x * 10", pa.array([Decimal(10) ** 37], decimal(38, 0))),
    ("x + x", pa.array([Decimal("9" * 38)], decimal(38, 0))),
    ("shift_left(x, 63)", pa.array([2])),
    ("factorial(x)", pa.array([34], INT32)),
    ("round(x, -1)", pa.array([127], INT8)),
]


@pytest.mark.parametrize(("text", "column"), OVERFLOWS, ids=[o for o, _ in OVERFLOWS])
def test_overflow_raises(text: str, column: pa.Array) -> None:
    table = pa.table({"x": column})
    with pytest.raises(NumericOverflowError):
        compute(text, table)
    with pytest.raises(NumericOverflowError):
        compute(text, encoded(table))


def test_overflow_in_rows_of_nulls_does_not_count() -> None:
    validity = pa.array([True, False]).buffers()[1]
    hidden = pa.Array.from_buffers(INT8, 2, [validity, pa.array([1, 127], INT8).buffers()[1]])
    assert KERNELS["add"]([hidden, pa.scalar(1, INT8)], INT8).to_pylist() == [2, None]
    zero = pa.Array.from_buffers(INT64, 2, [validity, pa.array([1, 0]).buffers()[1]])
    for name in ("floor_divide", "modulo"):
        assert KERNELS[name]([pa.array([5, 5]), zero], INT64).to_pylist()[1] is None
        assert KERNELS[name]([zero, pa.array([5, 0])], INT64).to_pylist()[1] is None


BAD = [
    ("x // 0", pa.array([1]), ComputeError, "Division by zero"),
    ("x % 0", pa.array([1]), ComputeError, "nullif"),
    ("x // 0.0", pa.array([1.5]), ComputeError, "Division by zero"),
    ("chr(x)", pa.array([-1], INT32), ComputeError, "code point"),
    ("regexp_matches(x, '(')", pa.array(["a"]), ComputeError, "Bad regular expression"),
    ("make_date(x, 2, 30)", pa.array([2020]), ConversionError, "2020-2-30 is no date"),
    ("strptime(x, '%Y')", pa.array(["abc"]), ConversionError, "'abc' in the format '%Y'"),
    ("strptime(x, '%Q')", pa.array(["abc"]), ComputeError, "Unknown specifier %Q"),
    ("lpad(x, 5, '')", pa.array(["abc"]), ComputeError, "fill up"),
    ("from_base64(x)", pa.array(["a"]), ConversionError, "base 64"),
    ("unhex(x)", pa.array(["zz"]), ConversionError, "hexadecimal"),
    ("factorial(x)", pa.array([-1], INT32), ComputeError, "negative"),
    ("date_trunc(x, cast('2020-01-01', 'date'))", pa.array(["yeer"]), ValueError, "year"),
]


@pytest.mark.parametrize(("text", "column", "error", "words"), BAD, ids=[b[0] for b in BAD])
def test_what_cannot_be_computed_says_so(
    text: str, column: pa.Array, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        compute(text, pa.table({"x": column}))


def test_a_dictionary_entry_in_no_row_does_not_raise() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(["2020", "never"]))
    found = KERNELS["strptime"]([column, pa.scalar("%Y")], pa.timestamp("us"))
    assert found.to_pylist() == [dt.datetime(2020, 1, 1)] * 2


def test_a_function_of_a_dictionary_runs_once_per_entry() -> None:
    seen: list[int] = []

    def kernel(args: Any, result: pa.DataType) -> pa.Array:
        seen.append(len(args[0]))
        return pc.utf8_upper(args[0])

    column = pa.array(["a", "A", None] * 100).dictionary_encode()
    found = per_entry(kernel)([column], STRING)
    assert seen == [2]
    assert isinstance(found, pa.DictionaryArray)
    assert found.dictionary.to_pylist() == ["A"]
    assert logical(found).to_pylist() == ["A", "A", None] * 100


def test_volatile_functions() -> None:
    rows = [pa.nulls(1000)]
    numbers = KERNELS["random"](rows, DOUBLE)
    assert pc.min(numbers).as_py() >= 0
    assert pc.max(numbers).as_py() < 1
    assert len(numbers.unique()) > 990
    assert len(KERNELS["uuid"](rows, STRING).unique()) == 1000


def test_equal_values_have_equal_hashes_in_any_encoding() -> None:
    words = pa.array(["a", "b", None, "a"])
    plain = KERNELS["hash"]([words], pa.uint64())
    coded = KERNELS["hash"]([words.dictionary_encode()], pa.uint64())
    assert plain.equals(coded)
    assert plain.null_count == 0
    assert len(plain.unique()) == 3
    zeros = KERNELS["hash"]([pa.array([0.0, -0.0])], pa.uint64())
    assert len(zeros.unique()) == 1


def test_clocks_are_now() -> None:
    before = dt.datetime.now(dt.UTC)
    found = KERNELS["now"]([pa.nulls(2)], pa.timestamp("us", "UTC")).to_pylist()
    assert found[0] == found[1]
    assert before <= found[0] <= dt.datetime.now(dt.UTC)
    for name, t in (("current_date", pa.date32()), ("current_localtime", pa.time64("us"))):
        assert KERNELS[name]([pa.nulls(2)], t).null_count == 0
    assert KERNELS["current_localtimestamp"]([pa.nulls(1)], pa.timestamp("us"))[0].is_valid


def test_zones_other_than_utc() -> None:
    berlin = pa.timestamp("us", "Europe/Berlin")
    stamps = pa.array([dt.datetime(2020, 7, 1, 22, 30)], pa.timestamp("us", "UTC")).cast(berlin)
    table = pa.table({"x": stamps})

    def value(text: str) -> Any:
        return run(parse(text, {"x": berlin}), table).to_pylist()[0]

    assert value("day(x)") == 2
    assert value("hour(x)") == 0
    assert value("dayname(x)") == "Thursday"
    assert value("strftime(x, '%Y-%m-%d %H')") == "2020-07-02 00"
    midnight = value("date_trunc('day', x)")
    assert midnight.astimezone(dt.UTC) == dt.datetime(2020, 7, 1, 22, tzinfo=dt.UTC)


def test_timestamps_of_every_unit() -> None:
    moment = dt.datetime(2020, 2, 29, 12, 34, 56)
    for unit in ("s", "ms", "us", "ns"):
        t = pa.timestamp(unit)
        table = pa.table({"x": pa.array([moment], t)})
        types = {"x": t}
        for text, expected in (
            ("minute(x)", 34),
            ("millisecond(x)", 56000),
            ("epoch(x)", moment.replace(tzinfo=dt.UTC).timestamp()),
            ("date_trunc('hour', x)", dt.datetime(2020, 2, 29, 12)),
            ("x + interval('1 day')", dt.datetime(2020, 3, 1, 12, 34, 56)),
            ("strftime(x, '%f')", "000000"),
            ("cast(x, 'varchar')", "2020-02-29 12:34:56"),
        ):
            found = run(parse(text, types), table).to_pylist()[0]
            assert found == expected, (unit, text)


def test_list_sum() -> None:
    lists = pa.array([[1, 2], [], None, [None], [5]], pa.list_(INT32))
    found = KERNELS["list_sum"]([lists], INT64)
    assert found.to_pylist() == [3, None, None, None, 5]


@given(values=NULLABLE_INTS, numbers=st.lists(st.integers(-(10**9), 10**9), max_size=9))
def test_in_is_membership(values: list[int | None], numbers: list[int]) -> None:
    numbers += [v for v in values[:2] if v is not None]
    if not numbers:
        numbers = [0]
    table = pa.table({"x": pa.array(values, INT32)})
    literals: list[Expr] = [Literal(n, INT32) for n in numbers]
    found = run(call("in", Column("x", INT32), *literals), table)
    assert found.type == BOOL
    assert found.to_pylist() == [None if v is None else v in numbers for v in values]


@pytest.mark.parametrize("form", ["%H:%M", "%I %p", "%H:%M:%S", "%H %f", "%Y-%m", "%d %H", "plain"])
def test_long_columns_are_written_as_short_ones(form: str) -> None:
    # long columns are written once per minute, second or day
    stamps = pa.array([None, *range(0, 2**40, 2**28)], pa.int64()).cast(pa.timestamp("us"))
    data = pa.table({"x": stamps})
    found = logical(run(parse(f"strftime(x, '{form}')", {"x": stamps.type}), data))
    parts = [
        logical(run(parse(f"strftime(x, '{form}')", {"x": stamps.type}), data.slice(i, 7)))
        for i in range(0, len(stamps), 7)
    ]
    assert found.equals(pa.concat_arrays(parts))
    expected = duckdb.sql(f"SELECT strftime(x, '{form}') AS x FROM data").to_arrow_table()
    assert_same_rows(pa.table({"x": found}), expected, ordered=True)


def test_initcap() -> None:
    words = pa.array(["hello wORLD", "o'neil-x 2nd", None])
    found = KERNELS["initcap"]([words], STRING).to_pylist()
    assert found == ["Hello World", "O'Neil-X 2nd", None]
