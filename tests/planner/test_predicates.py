"""Join keys, null rejection and value ranges, against what DuckDB makes of the rows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, TRUE, Call, Cast, Column, Expr, Literal, conjunction
from plait.planner.predicates import (
    can_match,
    equi_keys,
    like_prefix,
    null_rejecting,
    references,
    strict_columns,
)
from plait.planner.schema import Schema
from plait.planner.statistics import ColumnStatistics
from tests.planner.optimizer.as_duckdb import expression

A, B = Column("a", t.INT32), Column("b", t.INT32)
D, E = Column("d", t.INT32), Column("e", t.INT32)
LEFT = Schema.of([("a", t.INT32), ("b", t.INT32)])
RIGHT = Schema.of([("d", t.INT32), ("e", t.INT32)])

call, lit = builder.call, builder.literal


# ---------------------------------------------------------------------------------- join keys


def test_keys_and_the_rest() -> None:
    less = call("less", B, E)
    condition = conjunction([call("equal", D, A), less, call("is_not_distinct", B, E)])
    keys, rest = equi_keys(condition, LEFT, RIGHT)
    assert [tuple(k) for k in keys] == [(A, D, False), (B, E, True)]
    assert rest == less


def test_keys_may_be_expressions_of_one_side() -> None:
    same = call("equal", call("add", A, B), D)
    keys, rest = equi_keys(same, LEFT, RIGHT)
    assert len(keys) == 1
    assert references(keys[0].left) == {"a", "b"}
    assert rest is None


@pytest.mark.parametrize(
    "part",
    [
        call("equal", A, B),  # one side only
        call("equal", A, lit(5)),  # a constant
        call("equal", call("add", A, D), E),  # both sides in one
        call("not_equal", A, D),
    ],
    ids=str,
)
def test_no_keys(part: Expr) -> None:
    assert equi_keys(part, LEFT, RIGHT) == ((), part)


def test_no_condition() -> None:
    assert equi_keys(None, LEFT, RIGHT) == ((), None)


# ------------------------------------------------------------------------------ null rejection

A_IS_1, B_IS_1 = call("equal", A, lit(1)), call("equal", B, lit(1))


@pytest.mark.parametrize(
    ("predicate", "rejected"),
    [
        (A_IS_1, {"a"}),
        (call("and", A_IS_1, B_IS_1), {"a", "b"}),
        (call("or", A_IS_1, B_IS_1), set()),
        (call("or", A_IS_1, call("less", A, B)), {"a"}),
        (call("not", call("or", A_IS_1, B_IS_1)), {"a", "b"}),
        (call("not", call("and", A_IS_1, B_IS_1)), set()),
        (call("is_null", A), set()),
        (call("is_not_null", A), {"a"}),
        (call("not", call("is_null", A)), {"a"}),
        (call("not", call("is_not_null", A)), set()),
        (call("coalesce", A_IS_1, FALSE), {"a"}),
        (call("coalesce", A_IS_1, TRUE), set()),
        (call("not", call("coalesce", A_IS_1, TRUE)), {"a"}),
        (call("is_not_distinct", A, lit(1)), {"a"}),
        (call("is_distinct", A, lit(1)), set()),
        (call("is_not_distinct", A, B), set()),
        (call("in", A, lit(1), lit(2)), {"a"}),
        (call("not", call("in", A, lit(1), lit(2))), {"a"}),
        (call("equal", call("coalesce", A, lit(0)), lit(1)), set()),
        (call("less", call("add", A, B), lit(1)), {"a", "b"}),
        (call("equal", Cast(A, t.INT64), Cast(B, t.INT64)), {"a", "b"}),
    ],
    ids=lambda given: "+".join(sorted(given)) if isinstance(given, set) else str(given),
)
def test_null_rejection(predicate: Expr, rejected: set[str]) -> None:
    assert null_rejecting(predicate) == rejected
    # the promise itself, with DuckDB: a row with NULL in a rejected column never passes
    for name in rejected:
        others = "(VALUES (0), (1), (2), (NULL)) v(o)"
        columns = ", ".join(f"{'NULL::INT' if c == name else 'o'} AS {c}" for c in "ab")
        sql = f"SELECT count(*) FROM (SELECT {columns} FROM {others}) WHERE {expression(predicate)}"
        assert duckdb.sql(sql).fetchall() == [(0,)]


def test_strict_columns() -> None:
    assert strict_columns(call("add", A, call("coalesce", B, lit(0)))) == {"a"}


# -------------------------------------------------------------------------------- value ranges


def of(low: Any, high: Any, nulls: float | None = 0.0) -> Mapping[str, ColumnStatistics]:
    return {"x": ColumnStatistics(low, high, nulls)}


def column(dtype: pa.DataType) -> Column:
    return Column("x", dtype)


X = column(t.INT32)


@pytest.mark.parametrize(
    ("predicate", "ranges", "may"),
    [
        (call("equal", X, lit(5)), of(1, 4), False),
        (call("equal", X, lit(4)), of(1, 4), True),
        (call("less", X, lit(1)), of(1, 4), False),
        (call("less_equal", X, lit(1)), of(1, 4), True),
        (call("greater", X, lit(4)), of(1, 4), False),
        (call("greater", lit(1), X), of(1, 4), False),
        (call("not_equal", X, lit(3)), of(3, 3), False),
        (call("not_equal", X, lit(3)), of(3, 4), True),
        (call("in", X, lit(7), lit(9)), of(1, 4), False),
        (call("not", call("in", X, lit(3), lit(4))), of(3, 3), False),
        (call("not", call("less", X, lit(5))), of(1, 4), False),
        (call("is_null", X), of(1, 4, 0.0), False),
        (call("is_null", X), of(1, 4, None), True),
        (call("is_not_null", X), of(None, None, 10.0), False),
        (call("equal", X, lit(1)), of(None, None, 10.0), False),
        (call("equal", X, lit(None)), of(1, 4), False),
        (call("equal", X, Column("y", t.INT32)), of(1, 4), True),
        (call("and", call("less", X, lit(3)), call("greater", X, lit(9))), of(1, 4), False),
        (call("or", call("less", X, lit(1)), call("greater", X, lit(3))), of(1, 4), True),
        (call("coalesce", call("greater", X, lit(9)), FALSE), of(1, 4), False),
        (call("coalesce", call("greater", X, lit(9)), TRUE), of(1, 4), True),
        (call("is_not_distinct", X, lit(9)), of(1, 4), False),
        (call("is_not_distinct", X, lit(None)), of(1, 4, 1.0), True),
        (call("greater", Cast(X, t.INT64), lit(4)), of(1, 4), False),
        (call("greater", Cast(X, t.DOUBLE), lit(4.5)), of(1, 4), False),
        (call("less", Cast(X, t.decimal(12, 2)), lit(Decimal("0.99"))), of(1, 4), False),
        (call("less", call("negate", X), lit(-4)), of(1, 4), False),
        (call("equal", X, lit(5)), of(None, 4), False),
        (call("equal", X, lit(5)), {}, True),
        (call("less", call("add", X, lit(1)), lit(0)), of(1, 4), True),  # not understood
    ],
    ids=str,
)
def test_integers(predicate: Expr, ranges: Mapping[str, ColumnStatistics], may: bool) -> None:
    assert can_match(predicate, ranges, rows=10) is may


DAY, TIME = column(t.DATE), column(t.TIMESTAMP)
JULY = of(dt.date(2020, 7, 1), dt.date(2020, 7, 31))
NOON = of(dt.datetime(2020, 7, 1, 12), dt.datetime(2020, 7, 2, 12))


@pytest.mark.parametrize(
    ("predicate", "ranges", "may"),
    [
        (call("less", DAY, lit(dt.date(2020, 7, 1))), JULY, False),
        (call("less", DAY, lit(dt.date(2020, 7, 2))), JULY, True),
        (call("less", Cast(DAY, t.TIMESTAMP), lit(dt.datetime(2020, 6, 30, 23))), JULY, False),
        (call("greater", TIME, lit(dt.datetime(2020, 7, 2, 13))), NOON, False),
        (call("equal", Cast(TIME, t.DATE), lit(dt.date(2020, 7, 2))), NOON, True),
        (call("equal", Cast(TIME, t.DATE), lit(dt.date(2020, 7, 3))), NOON, False),
    ],
    ids=str,
)
def test_times(predicate: Expr, ranges: Mapping[str, ColumnStatistics], may: bool) -> None:
    assert can_match(predicate, ranges) is may


TEXT = column(t.STRING)


@pytest.mark.parametrize(
    ("predicate", "may"),
    [
        (call("equal", TEXT, lit("melon")), False),
        (call("equal", TEXT, lit("cherry")), True),
        (Call("like", (TEXT, lit("melon%")), t.BOOL), False),
        (Call("like", (TEXT, lit("che%")), t.BOOL), True),
        (Call("like", (TEXT, lit("%x%")), t.BOOL), True),
        (Call("starts_with", (TEXT, lit("a")), t.BOOL), False),
        (Call("starts_with", (TEXT, lit("b")), t.BOOL), True),
        (Call("starts_with", (TEXT, lit("fig tree")), t.BOOL), False),
    ],
    ids=str,
)
def test_text_with_truncated_bounds(predicate: Expr, may: bool) -> None:
    # writers cut bounds short: "banana" may be kept as "ban", and "fig" as "fih"
    assert can_match(predicate, of("ban", "fig")) is may


def test_like_prefix_stops_at_anything_special() -> None:
    assert like_prefix("abc%") == "abc"
    assert like_prefix("a_c%") == "a"
    assert like_prefix("a\\%b") == "a"


FLOAT = column(t.DOUBLE)


def test_nan_is_above_every_bound() -> None:
    # files leave NaN out of their bounds
    assert can_match(call("greater", FLOAT, lit(9.0)), of(1.0, 4.0))
    assert not can_match(call("less", FLOAT, lit(1.0)), of(1.0, 4.0))
    assert not can_match(call("equal", FLOAT, lit(9.0)), of(1.0, 4.0))
    assert can_match(call("not_equal", FLOAT, lit(1.0)), of(1.0, 1.0))
    assert can_match(call("equal", FLOAT, lit(9.0)), of(math.nan, math.nan))
    assert can_match(call("equal", FLOAT, lit(math.nan)), of(1.0, 4.0))


def test_float_constants_are_rounded_to_float() -> None:
    tenth = pa.scalar(0.1, pa.float32()).as_py()
    x = column(t.FLOAT)
    assert can_match(Call("equal", (x, Literal(0.1, t.FLOAT)), t.BOOL), of(tenth, tenth))


def test_bounds_of_another_kind_decide_nothing() -> None:
    assert can_match(call("equal", X, lit(5)), of("1", "4"))
    aware = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert can_match(call("less", TIME, lit(dt.datetime(2019, 1, 1))), of(aware, aware))


values = st.lists(st.one_of(st.none(), st.integers(-3, 6)), min_size=1, max_size=5)
comparisons = st.sampled_from(
    ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "is_distinct"]
)
columns = st.sampled_from([A, B])
operands = st.one_of(columns, st.integers(-4, 7).map(lit), st.just(Literal(None, t.INT32)))
simple = st.one_of(
    st.builds(call, comparisons, columns, operands),
    st.builds(call, st.sampled_from(["is_null", "is_not_null"]), columns),
    st.builds(
        lambda x, items: call("in", x, *items), columns, st.lists(operands, min_size=1, max_size=3)
    ),
    st.builds(
        lambda op, x, y: call(op, Cast(x, t.DOUBLE), lit(y + 0.5)),
        st.sampled_from(["less", "greater"]),
        columns,
        st.integers(-4, 7),
    ),
)
predicates = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(["and", "or"]), inner, inner),
        st.builds(lambda x: call("not", x), inner),
        st.builds(lambda x, v: call("coalesce", x, v), inner, st.sampled_from([TRUE, FALSE])),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def duck_db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        yield connection


@given(a=values, b=values, predicate=predicates)
@settings(max_examples=150)
def test_a_no_is_a_promise(
    a: list[int | None],
    b: list[int | None],
    predicate: Expr,
    duck_db: duckdb.DuckDBPyConnection,
) -> None:
    rows = [(x, y) for x in a for y in b]
    ranges = {}
    for i, name in enumerate("ab"):
        held = [r[i] for r in rows if r[i] is not None]
        bounds = (min(held), max(held)) if held else (None, None)
        ranges[name] = ColumnStatistics(*bounds, float(len(rows) - len(held)))
    ways = [(known, n) for known in (ranges, {"a": ranges["a"]}, {}) for n in (None, len(rows))]
    if all(can_match(predicate, known, n) for known, n in ways):
        return
    listed = ", ".join(f"({x}::INT, {y}::INT)" for x, y in rows).replace("None", "NULL")
    sql = f"SELECT count(*) FROM (VALUES {listed}) v(a, b) WHERE {expression(predicate)}"
    assert duck_db.execute(sql).fetchone() == (0,)
