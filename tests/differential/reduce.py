"""The smallest query and tables that still fail: what a failing random query is shown as.

Greedy: each step tries to drop or simplify one part of the parsed query, or halve a table's rows,
and keeps what still fails in the same way. It ends when nothing smaller fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pyarrow as pa
import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ParseError

from tests.differential.systems import Tables

Fails = Callable[[str, Tables], bool]

_CLAUSES = ("where", "group", "having", "order", "limit", "offset", "distinct", "qualify", "with_")


def smallest(
    sql: str, tables: Tables, fails: Fails, seconds: float = 60.0
) -> tuple[str, dict[str, pa.Table]]:
    """A query and tables for which `fails` still holds, as small as was found in some seconds."""
    end = time.monotonic() + seconds
    found = dict(tables)
    again = True
    while again and time.monotonic() < end:
        again = False
        for candidate in _smaller_queries(sql):
            if time.monotonic() > end:
                break
            if len(candidate) < len(sql) and _parses(candidate) and fails(candidate, found):
                sql, again = candidate, True
                break
        for less in _smaller_tables(sql, found):
            if time.monotonic() > end:
                break
            if fails(sql, less):
                found, again = less, True
                break
    return sql, found


def _parses(sql: str) -> bool:
    """Whether a candidate is SQL at all: what cannot be read fails for a reason of its own."""
    try:
        sqlglot.parse_one(sql, dialect="duckdb")
    except ParseError:
        return False
    return True


def _smaller_queries(sql: str) -> Iterator[str]:
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except ParseError:
        return  # what DuckDB reads and sqlglot does not is shown whole
    for number, _ in enumerate(tree.walk()):
        for change in (_drop_clauses, _drop_items, _simplify):
            yield from _changed(tree, number, change)


def _changed(
    tree: exp.Expr, number: int, change: Callable[[exp.Expr], Iterator[Callable[[], None]]]
) -> Iterator[str]:
    """The texts after each single change that is possible at the node of this number."""
    count = sum(1 for _ in change(_node(tree.copy(), number)))
    for i in range(count):
        copy = tree.copy()
        node = _node(copy, number)
        # the root itself may be replaced: it is kept below a parent
        holder = exp.Paren(this=copy)
        list(change(node))[i]()
        with suppress(Exception):  # not every change leaves something that can be written
            yield holder.this.sql(dialect="duckdb")


def _node(tree: exp.Expr, number: int) -> exp.Expr:
    return next(n for i, n in enumerate(tree.walk()) if i == number)


def _drop_clauses(node: exp.Expr) -> Iterator[Callable[[], None]]:
    for key in _CLAUSES:
        if node.args.get(key):
            yield lambda key=key: node.set(key, None)
    joins = node.args.get("joins") or []
    for join in joins:
        yield lambda join=join: node.set("joins", [j for j in joins if j is not join])


def _drop_items(node: exp.Expr) -> Iterator[Callable[[], None]]:
    items = node.args.get("expressions") or []
    if isinstance(node, exp.Select | exp.Group | exp.Order | exp.With) and len(items) > 1:
        for item in items:
            rest = [i for i in items if i is not item]
            yield lambda rest=rest: node.set("expressions", rest)
    for key in ("partition_by", "order", "spec"):
        if isinstance(node, exp.Window) and node.args.get(key):
            yield lambda key=key: node.set(key, None)


def _simplify(node: exp.Expr) -> Iterator[Callable[[], None]]:
    """Put a part of an expression, or a constant, in its place; one branch of a set operation."""
    if node.parent is None:
        return
    if isinstance(node, exp.SetOperation):
        yield lambda: node.replace(node.this)
        yield lambda: node.replace(node.expression)
        return
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
        inner = node.this.args.get("from_")
        if inner is not None and isinstance(node.parent, exp.From | exp.Join):
            yield lambda: node.set("this", exp.select("*").from_(inner.this.copy()))
    if not isinstance(node, exp.Condition) or isinstance(
        node, exp.Column | exp.Literal | exp.Null | exp.Boolean | exp.Star | exp.Subquery
    ):
        return
    for child in node.iter_expressions():
        if isinstance(child, exp.Condition):
            yield lambda child=child: node.replace(child)
    for text in ("NULL", "1", "TRUE", "'a'"):
        yield lambda text=text: node.replace(sqlglot.parse_one(text))


def _smaller_tables(sql: str, tables: dict[str, pa.Table]) -> Iterator[dict[str, pa.Table]]:
    for name, table in tables.items():
        rows = table.num_rows
        if name not in sql:
            yield {n: t for n, t in tables.items() if n != name}
        for size in (rows // 2, rows // 4, 1):
            if 0 < size < rows:
                for start in range(0, rows, size):
                    kept = [table.slice(0, start), table.slice(start + size)]
                    yield {**tables, name: pa.concat_tables(kept)}
        for column in table.column_names:
            if column not in sql and table.num_columns > 1:
                yield {**tables, name: table.drop_columns([column])}
        if rows == 1:
            yield {**tables, name: table.slice(0, 0)}
