"""Splitting, EXPLAIN, placeholders and spellings that are rewritten before sqlglot parses."""

from __future__ import annotations

import pytest

from plait.errors import SqlError, SqlSyntaxError
from plait.planner.sql.parser import parse


def test_statements_are_split() -> None:
    script = parse("select 1;; select ';' -- ;\n;")
    assert [s.node.sql() for s in script.statements] == ["SELECT 1", "SELECT ';' /* ; */"]


def test_an_empty_text_has_no_statement() -> None:
    assert parse(" ; -- nothing\n").statements == ()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("explain select ';'", ["plan"]),
        ("-- why\nEXPLAIN /* so */ ANALYZE\nselect 1", ["analyze"]),
        ("select 1; explain select 2; explain analyze select 3", [None, "plan", "analyze"]),
        ("select 'explain', explain from explain", [None]),
    ],
)
def test_explain(sql: str, expected: list[str | None]) -> None:
    assert [s.explain for s in parse(sql).statements] == expected


def test_explained_text_keeps_its_positions() -> None:
    with pytest.raises(SqlSyntaxError) as caught:
        parse("explain\n  select a b c")
    assert (caught.value.line, caught.value.column) == (2, 14)


def test_question_marks_are_numbered_in_the_order_of_the_text() -> None:
    script = parse("select ? + ?, 'a?b' from t where x = ?; select ?")
    assert [s.node.sql("duckdb") for s in script.statements] == [
        "SELECT $1 + $2, 'a?b' FROM t WHERE x = $3",
        "SELECT $4",
    ]
    assert script.placeholders == (7, 11, 37, 47)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 'a", "string is not closed"),
        ('select "a', "quoted name is not closed"),
        ("select 1 /* a", "comment is not closed"),
        ("select 1 +", "missing after '+'"),
        ("select a from t where", "missing after 'where'"),
        ("select case when 1", "missing after '1'"),
        ("foo", "cannot begin with 'foo'"),
    ],
)
def test_syntax_errors(sql: str, words: str) -> None:
    with pytest.raises(SqlSyntaxError, match=words.replace("+", r"\+")):
        parse(sql)


def test_other_dialects() -> None:
    node = parse("select `a` from `t` limit 1, 2", "mysql").statements[0].node
    assert node.sql("duckdb") == 'SELECT "a" FROM "t" LIMIT 2 OFFSET 1'
    with pytest.raises(SqlError, match="Unknown SQL dialect 'nonsense'"):
        parse("select 1", "nonsense")
