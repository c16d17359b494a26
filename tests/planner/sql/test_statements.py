"""Statements other than queries, parameters, files, and names created along the way."""

from __future__ import annotations

from typing import Any

import pytest

from plait.errors import SqlError, TableNotFoundError, UnsupportedError
from plait.planner import builder
from plait.planner.logical import LogicalPlan
from plait.planner.schema import Schema
from plait.planner.sql.statements import (
    Copy,
    CreateTable,
    CreateView,
    Describe,
    Drop,
    Explain,
    Query,
    Set,
    ShowTables,
    Statement,
    bind,
    bind_each,
    bind_query_text,
)
from plait.planner.types import INT64
from tests.sql.tables import Named, in_catalog


def one(sql: str, **options: Any) -> Statement:
    (found,) = bind(sql, in_catalog(), **options)
    return found


def test_create_view() -> None:
    found = one("create or replace view v(x) as select a, k from u")
    assert isinstance(found, CreateView)
    assert (found.name, found.replace, found.plan.schema.names) == ("v", True, ("x", "k"))


def test_create_table() -> None:
    found = one("create temp table if not exists main.n as select 1 as a")
    assert isinstance(found, CreateTable)
    assert (found.name, found.if_not_exists, found.replace) == ("n", True, False)


def test_drop() -> None:
    assert one("drop table if exists x") == Drop("table", "x", True)
    assert one("drop view v") == Drop("view", "v", False)


def test_describe() -> None:
    found = one("describe u")
    assert isinstance(found, Describe)
    assert found.schema.names == ("a", "k", "s")
    found = one("describe select k as x from u")
    assert isinstance(found, Describe)
    assert found.schema.names == ("x",)


def test_show_tables() -> None:
    assert one("show tables") == ShowTables()
    with pytest.raises(UnsupportedError, match="there is SHOW TABLES"):
        one("show databases")


def test_explain() -> None:
    found = one("explain analyze select a from u")
    assert isinstance(found, Explain)
    assert found.analyze
    assert found.plan.schema.names == ("a",)


def test_copy() -> None:
    found = one("copy (select a from u) to 'x.csv' (format csv, header true, delimiter '|')")
    assert isinstance(found, Copy)
    assert (found.path, found.format) == ("x.csv", "csv")
    assert dict(found.options) == {"header": True, "delimiter": "|"}
    found = one("copy u to 'y.parquet'")
    assert isinstance(found, Copy)
    assert (found.format, found.plan.schema.names) == ("parquet", ("a", "k", "s"))


def test_set() -> None:
    assert one("set threads = 4") == Set("threads", 4)
    assert one("set a.b to 'x'") == Set("a.b", "x")
    assert one("set threads = default") == Set("threads", None)


def test_names_created_are_seen_by_what_follows() -> None:
    found = bind("create view v as select k from u; select * from v; drop view v", in_catalog())
    assert [type(s) for s in found] == [CreateView, Query, Drop]
    with pytest.raises(TableNotFoundError):
        bind("create view v as select 1; drop view v; select * from v", in_catalog())


def test_statements_are_bound_one_by_one() -> None:
    statements = bind_each("select 1 as a; select * from nosuch", in_catalog())
    assert isinstance(next(statements), Query)
    with pytest.raises(TableNotFoundError):
        next(statements)


# --------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("sql", "params", "text"),
    [
        ("select a from u where a = ? and k < ?", [1, 2.5], "((a = 1) AND"),
        ("select a from u where a = $2 and k < $1", [5, 1], "((a = 1) AND (k < 5))"),
        ("select a from u where a = $x and s = :Y", {"x": 1, "y": "q"}, "((a = 1) AND (s = 'q'))"),
        ("select a from u where a = $x or k = $x", {"x": 7}, "((a = 7) OR (k = 7))"),
        ("select a from u where s is not distinct from ?", [None], "IS NOT DISTINCT FROM NULL"),
    ],
)
def test_parameters(sql: str, params: Any, text: str) -> None:
    assert text in str(bind_query_text(sql, in_catalog(), params=params))


@pytest.mark.parametrize(
    ("sql", "params", "words"),
    [
        ("select ?", None, "No value for parameter 1: no values given"),
        ("select ?, ?", [1], "No value for parameter 2: 1 value given"),
        ("select ?", [1, 2], "number 2 is not used"),
        ("select $x", {"y": 1}, "No value for parameter 'x'; there are y"),
        ("select $x", {"x": 1, "y": 1}, "There is no parameter $y"),
        ("select $x", [1], "pass a dict"),
        ("select ?", {"x": 1}, "pass a list of values, not a dict"),
        ("select ?", "x", "not one string"),
    ],
)
def test_wrong_parameters(sql: str, params: Any, words: str) -> None:
    with pytest.raises(SqlError) as caught:
        bind(sql, in_catalog(), params=params)
    assert words in str(caught.value)


def test_a_missing_parameter_is_shown() -> None:
    with pytest.raises(SqlError) as caught:
        bind("select 1,\n       ? + ?", in_catalog(), params=[1])
    assert (caught.value.line, caught.value.column) == (2, 12)


# -------------------------------------------------------------------------------------- files


def test_files_are_opened_with_their_options() -> None:
    asked: list[tuple[object, dict[str, Any]]] = []

    def open_file(path: str | list[str], options: dict[str, Any]) -> LogicalPlan:
        asked.append((path, options))
        return builder.scan(Named(str(path), Schema.of([("n", INT64)])))

    plan = bind_query_text(
        """select x.n, y.n, read_csv.n, p.n from 'data/x.parquet', "y.csv" as y,
           read_csv('z.csv', delim='|', header=true, columns={'n': 'INT'}),
           read_parquet(['p1.parquet', 'p2.parquet']) p, 'data/x.parquet' again""",
        in_catalog(),
        open_file=open_file,
    )
    assert asked == [
        ("data/x.parquet", {}),
        ("y.csv", {}),
        ("z.csv", {"format": "csv", "delim": "|", "header": True, "columns": {"n": "INT"}}),
        (["p1.parquet", "p2.parquet"], {"format": "parquet"}),
    ]
    assert plan.schema.names == ("n", "n_1", "n_2", "n_3")


def test_without_a_way_to_open_files_they_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="Reading files by name here"):
        bind("select * from 'x.parquet'", in_catalog())


def test_a_table_function_that_is_not_there() -> None:
    with pytest.raises(UnsupportedError, match="The table function glob is not supported"):
        bind("select * from glob('*')", in_catalog())


def test_one_query_is_wanted() -> None:
    with pytest.raises(SqlError, match="One query is expected"):
        bind_query_text("select 1; select 2", in_catalog())
