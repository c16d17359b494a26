"""Constants: values and types against DuckDB."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from plait.planner.catalog import MemoryCatalog
from plait.planner.expr import Literal
from plait.planner.logical import Project
from plait.planner.sql.literals import parse_interval
from plait.planner.sql.statements import bind_query_text
from plait.planner.types import sql_name

INTERVALS = [
    "1 day",
    "1 year 2 months 3 days 04:05:06.7",
    "3 days ago",
    "1.5 months",
    "1.5 days",
    "2.75 years",
    "1.5 hours",
    "1 quarter",
    "-1 week 2 days",
    "-04:05",
    "5",
    "2 weeks 3 hours",
    "1 decade 1 century 1 millennium",
    "7 us 8 ms",
]


@pytest.mark.parametrize("text", INTERVALS)
def test_intervals(text: str) -> None:
    wanted = duckdb.sql(f"select interval '{text}' as i").arrow().read_all()["i"][0].as_py()
    assert parse_interval(text) == wanted


@pytest.mark.parametrize("text", ["", "day", "1 dayss", "1-2", "90 00:00:01", "x 1 day", "1 day x"])
def test_what_is_no_interval(text: str) -> None:
    assert parse_interval(text) is None


def _constant(sql: str) -> Literal:
    plan = bind_query_text(f"select {sql} as x", MemoryCatalog())
    assert isinstance(plan, Project)
    expr = plan.columns[0][1]
    assert isinstance(expr, Literal)
    return expr


@pytest.mark.parametrize(
    "sql",
    [
        "interval 3 month",
        "interval '90' day",
        "interval 1.5 month",
        "interval '1.5' day",
        "interval 1.5 second",
        "interval '2.7' year",
        "interval (2) days",
        "interval '1 day ago'",
        "interval '1.5 months'",
        "'1 day 2 hours'::interval",
    ],
)
def test_interval_constants(sql: str) -> None:
    wanted = duckdb.sql(f"select {sql} as i").arrow().read_all()["i"][0].as_py()
    assert _constant(sql).value == wanted


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("1", 1),
        ("2147483648", 2147483648),
        ("-2147483648", -2147483648),
        ("9223372036854775808", 9223372036854775808),
        ("0.05", Decimal("0.05")),
        (".5", Decimal("0.5")),
        ("5.", Decimal(5)),
        ("1.50", Decimal("1.50")),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("'it''s'", "it's"),
        ("$$a'b$$", "a'b"),
        ("X'41'", b"A"),
        ("true", True),
    ],
)
def test_constants_have_duckdbs_types(sql: str, value: Any) -> None:
    found = _constant(sql)
    wanted = duckdb.sql(f"select typeof({sql})").fetchall()
    assert sql_name(found.dtype) == wanted[0][0]
    assert found.value == value
    assert type(found.value) is type(value)


def test_a_date_is_a_constant() -> None:
    assert _constant("date '2020-02-29'").dtype == pa.date32()
    assert _constant("try_cast('2020-02-30' as date)").value is None
