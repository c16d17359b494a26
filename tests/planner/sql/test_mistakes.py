"""Mistakes in SQL: what is said, and where the caret points. `«` and `»` mark the place."""

from __future__ import annotations

import pytest

from plait.errors import (
    ColumnNotFoundError,
    ConversionError,
    SqlError,
    SqlSyntaxError,
    TableNotFoundError,
    TypeMismatchError,
    UnsupportedError,
)
from plait.planner.sql.statements import bind
from tests.sql.tables import in_catalog

# text, words of the message, further class of the error
MISTAKES: list[tuple[str, str, type[Exception]]] = [
    # columns and tables
    ("select «zz» from t", "No column named 'zz'", ColumnNotFoundError),
    ("select a,\n  «bigg»\nfrom t", "Did you mean 'big'?", ColumnNotFoundError),
    ("select «t.zz» from t, u", "No column named 'zz'", ColumnNotFoundError),
    ("select «x.a» from t", "No table named 'x'", TableNotFoundError),
    ("select «t.a» from t t1", "No table named 't'", TableNotFoundError),
    ("select 1 from «nosuch»", "No table named 'nosuch'", TableNotFoundError),
    ("select 1 from «other.t»", "No table named 'other.t'", TableNotFoundError),
    ("select «a» from t, u", "write t.a or u.a", SqlError),
    ("select x.a from t x, «u x»", "Two tables are called 'x'", SqlError),
    ("select * exclude («zz») from t", "No column named 'zz'", ColumnNotFoundError),
    ("select * replace («1 as zz») from t", "No column named 'zz'", ColumnNotFoundError),
    ("select «zz.*» from t", "No table named 'zz'", TableNotFoundError),
    ("select «*»", "needs a FROM clause", SqlError),
    ("select a from t where exists (select 1 from u where «q» = 1)", "'q'", ColumnNotFoundError),
    ("select «t» from t", "A whole row as a value is not supported", UnsupportedError),
    ("with c as (select a from t) select «b» from c", "No column named 'b'", ColumnNotFoundError),
    ("with c as (select 1), «c» as (select 2) select 1", "WITH defines 'c' twice", SqlError),
    ("select * from «t x(p, q, r, s, t, u, v, w, x, y)»", "has 9 columns", SqlError),
    ("select * from t join u using («zz»)", "No column named 'zz'", ColumnNotFoundError),
    ("select * from t natural join (select «1 zz»)", "NATURAL JOIN finds no column", SqlError),
    # grouping
    ("select sum(a), «b» from t", "'b' must appear in the GROUP BY clause", SqlError),
    ("select a, sum(b) + «b» from t group by a", "must appear in the GROUP BY", SqlError),
    ("select a from t group by a having «b» > 1", "must appear in the GROUP BY", SqlError),
    ("select a from t group by a order by «b»", "must appear in the GROUP BY", SqlError),
    (
        "select (select max(k) from u where u.a = «t.b») from t group by t.a",
        "'b' must appear in the GROUP BY clause",
        SqlError,
    ),
    ("select a from t where «sum(a)» > 1", "not allowed in WHERE; use HAVING", SqlError),
    ("select a from t where «row_number()» over () > 1", "A window function is not", SqlError),
    ("select a from t group by «sum(a)»", "not allowed in GROUP BY", SqlError),
    ("select sum(«sum(a)») from t", "inside another aggregate", SqlError),
    ("select sum(«row_number()» over ()) from t", "not allowed in an aggregate", SqlError),
    ("select rank() over (order by «rank()» over ()) from t", "inside another one", SqlError),
    ("select a from t join u on «sum(k)» > 1", "not allowed in ON", SqlError),
    ("select a from t group by «2»", "GROUP BY 2: there are 1 selected columns", SqlError),
    ("select sum(b) from t group by «1»", "GROUP BY 1 is an aggregate", SqlError),
    ("select a from t order by «2»", "ORDER BY 2: there are 1 selected columns", SqlError),
    ("select a from t order by «'x'»", "has no effect", SqlError),
    ("select max(b, «2») from t", "max of several values", UnsupportedError),
    ("select «a»", "there is no FROM", ColumnNotFoundError),
    ("select a like 'x' escape «'ab'» from t", "one character", SqlError),
    ("«summarize» t", "there is DESCRIBE", UnsupportedError),
    (
        "select «sum(a) over (order by a rows between 1 following and 1 preceding» ) from t",
        "starts at FOLLOWING cannot end at PRECEDING",
        SqlError,
    ),
    ("select a from t qualify «a > 1»", "QUALIFY filters by a window function", SqlError),
    ("select 1 from u where exists (select 1 from t where b = «sum(k)»)", "of the outer", SqlError),
    ("select «rank()» from t", "rank needs an OVER clause", SqlError),
    ("select «upper(c)» over () from t", "OVER follows an aggregate or a window", SqlError),
    ("select sum(a) over «w» from t", "There is no window named 'w'", SqlError),
    # types
    ("select «c + d» from t", "", TypeMismatchError),
    ("select a from t where «d»", "WHERE needs a boolean, not DATE", TypeMismatchError),
    ("select date «'2020-13-01'»", "is not a date", SqlError),
    ("select cast(«d» as integer) from t", "Cannot cast DATE to INTEGER", TypeMismatchError),
    ("select a from u union select «d from t»", "INTEGER and DATE", TypeMismatchError),
    ("select a from t union select «a, k from u»", "equally many columns", SqlError),
    ("values (1, 2), («3»)", "This row of VALUES has 1 values", SqlError),
    ("select a in (select «a, k from u») from t", "gives 2 columns and 1 is needed", SqlError),
    ("select (select «a, k from u») from t", "gives 2 columns and 1 is needed", SqlError),
    ("select interval «'5 parsecs'»", "is not an interval", SqlError),
    ("select a from t limit -«1»", "LIMIT cannot be negative", SqlError),
    ("select a from t limit «'x'»", "LIMIT needs a whole number", SqlError),
    ("select «interval» 5", "INTERVAL needs a unit", SqlError),
    ("select «grouping(b)», sum(a) from t group by a", "GROUPING takes keys", SqlError),
    ("select columns('a') + «columns('b')» from t", "Different COLUMNS", SqlError),
    ("select columns(«'zz'») from t", "No column matches 'zz'", SqlError),
    ("select a from t where «columns('a')» > 1", "COLUMNS(...) in WHERE", UnsupportedError),
    ("select random() as r, «r» + 1", "new value each time", SqlError),
    # functions
    ("select «nosuch(1)»", "There is no function 'nosuch'", UnsupportedError),
    ("select «uper(c)» from t", "Did you mean 'upper'", UnsupportedError),
    # what plait does not do
    ("with «recursive» c as (select 1 union all select * from c) select 1", "RECURSIVE", SqlError),
    ("select a from t «asof» join u on t.a >= u.a", "ASOF JOIN is not supported", UnsupportedError),
    ("select a from t «positional» join u", "POSITIONAL JOIN is not", UnsupportedError),
    ("select * from t «tablesample» 10%", "TABLESAMPLE is not supported", UnsupportedError),
    ("select * from t «pivot» (sum(a) for b in (1,2))", "PIVOT is not", UnsupportedError),
    (
        "select * from t «full» join lateral (select k from u where u.a = t.a) x on true",
        "FULL JOIN with a query that reads the tables before it",
        UnsupportedError,
    ),
    (
        "select * from lateral (select k from u where u.a = «t.a») x, t",
        "No table named 't'",
        TableNotFoundError,
    ),
    ("select * from t, «unnest»([1]) x", "UNNEST in FROM is not supported", UnsupportedError),
    ("select a from t limit «10»%", "LIMIT in percent is not supported", UnsupportedError),
    ("select a from t fetch first 2 rows «with ties»", "WITH TIES is not", UnsupportedError),
    ("select a from t limit (select «1»)", "something else than a constant", UnsupportedError),
    ("select «a» collate nocase from t", "COLLATE is not supported", UnsupportedError),
    ("select {'a': «1»}", "A struct made in SQL is not supported", UnsupportedError),
    ("select («a, b») from t", "A row as a value is not supported", UnsupportedError),
    ("«update» t set a = 1", "UPDATE is not supported", UnsupportedError),
    ("select 1; «insert» into t values (1)", "INSERT is not supported", UnsupportedError),
    ("«pragma» threads", "PRAGMA is not supported", UnsupportedError),
    ("create «schema» x", "CREATE SCHEMA is not supported", UnsupportedError),
    ("create table «x(a int)»", "CREATE TABLE with column types", UnsupportedError),
    ("copy t «from» 'x.csv'", "COPY ... FROM is not supported", UnsupportedError),
    ("select * from t semi join «u»", "SEMI JOIN needs ON or USING", SqlError),
    # syntax
    ("«selct» 1", "Did you mean SELECT", SqlSyntaxError),
    ("select 1 «from»", "A table name is missing after 'from'", SqlSyntaxError),
    ("select «'abc»", "This string is not closed", SqlSyntaxError),
    ("select a b «c»", "'c' is not expected here", SqlSyntaxError),
    ("select a,«,» b", "between two commas", SqlSyntaxError),
    ("select 1 «as»", "A name is missing after AS", SqlSyntaxError),
    ("select (1 + «2»", "')' is missing after '2'", SqlSyntaxError),
    ("select\n\n x y «z»", "'z' is not expected here", SqlSyntaxError),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "words", "kind"), MISTAKES)
def test_mistake(marked: str, words: str, kind: type[Exception]) -> None:
    start = marked.index("«")
    sql = marked.replace("«", "").replace("»", "")
    before = sql[:start]
    with pytest.raises(SqlError) as caught:
        bind(sql, in_catalog())
    error = caught.value
    assert isinstance(error, kind)
    assert words in str(error)
    line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
    assert (error.line, error.column) == (line, column), str(error)


def test_the_text_shows_the_line_and_a_caret() -> None:
    with pytest.raises(SqlError) as caught:
        bind("select a,\n       prise\nfrom t", in_catalog())
    assert str(caught.value).splitlines()[-2:] == [
        "  line 2:        prise",
        "                 ^^^^^",
    ]


def test_a_bad_constant_is_a_conversion() -> None:
    with pytest.raises(SqlError) as caught:
        bind("select d = '2020-99-01' from t", in_catalog())
    assert isinstance(caught.value.__cause__, ConversionError)


def test_an_unknown_column_keeps_its_name() -> None:
    with pytest.raises(ColumnNotFoundError) as caught:
        bind("select zz from t", in_catalog())
    assert caught.value.name == "zz"


def test_deep_nesting_is_an_error_of_the_text() -> None:
    sql = "select " + "(" * 5000 + "1" + ")" * 5000
    with pytest.raises(SqlError, match="too deep"):
        bind(sql, in_catalog())


def test_a_long_chain_of_conditions_is_fine() -> None:
    sql = "select a from t where " + " or ".join(f"a = {i}" for i in range(500))
    assert bind(sql, in_catalog())
