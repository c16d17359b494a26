"""Subqueries as values: scalar, EXISTS, IN, ANY and ALL.

They become the expressions of `plait.planner.subquery`; columns of the queries around them are
OuterColumns inside.
"""

from __future__ import annotations

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr
from plait.planner.functions.coercion import unify
from plait.planner.sql.binder import Binder, Bound, Handler
from plait.planner.sql.functions import OPERATORS
from plait.planner.subquery import Exists, InSubquery, Quantified, ScalarSubquery


def row_parts(node: exp.Expr) -> list[exp.Expr] | None:
    """The values of a row constructor: `(a, b)`, `row(a, b)`; None if it is not one."""
    if isinstance(node, exp.Tuple):
        return list(node.expressions)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "row":
        return list(node.expressions)
    return None


def query_of(node: exp.Expr) -> exp.Expr | None:
    """The query inside parentheses; None if there is something else."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node if isinstance(node, exp.Query | exp.Values) else None


def scalar(b: Binder, node: exp.Expr) -> Expr:
    """(SELECT ...) as a value."""
    bound = b.subquery(node)
    _check_width(b, bound, 1, node)
    return ScalarSubquery(bound.plan, bound.outputs[0].column.dtype)


def exists(b: Binder, node: exp.Exists) -> Expr:
    """EXISTS (SELECT ...)."""
    b.source.check_args(node, ("this",), "EXISTS")
    query = query_of(node.this)
    if query is None:
        b.source.refuse("EXISTS over something else than a query", node)
    return Exists(b.subquery(query).plan)


def in_subquery(b: Binder, node: exp.In, query: exp.Expr) -> Expr:
    """x IN (SELECT ...), (x, y) IN (SELECT ...)."""
    b.source.check_args(node, ("this", "query", "expressions"), "IN")
    parts = row_parts(node.this) or [node.this]
    values = b.bind_all(parts)
    bound = b.subquery(query)
    _check_width(b, bound, len(values), query)
    return _in(b, values, bound, node)


def _in(b: Binder, values: list[Expr], bound: Bound, node: exp.Expr) -> Expr:
    columns = [o.column for o in bound.outputs]
    converted, wanted = [], []
    with b.source.at(node):
        for value, column in zip(values, columns, strict=True):
            common = unify([value, column], "IN", compared=True)
            converted.append(builder.coerce(value, common))
            wanted.append((column.name, builder.coerce(column, common)))
        return InSubquery(tuple(converted), builder.project(bound.plan, wanted))


def quantified(b: Binder, node: exp.Binary) -> Expr:
    """x < ANY (SELECT ...), x = ALL (SELECT ...)."""
    every = isinstance(node.expression, exp.All)
    word = "ALL" if every else "ANY"
    query = query_of(node.expression.this)
    if query is None:
        b.source.refuse(f"{word} over something else than a query", node.expression, "use IN")
    value = b.bind(node.this)
    bound = b.subquery(query)
    _check_width(b, bound, 1, query)
    name = OPERATORS[type(node)]
    if name == "equal" and not every:
        return _in(b, [value], bound, node)
    if name == "not_equal" and every:
        return b.call("not", [_in(b, [value], bound, node)], node)
    column = bound.outputs[0].column
    with b.source.at(node):
        common = unify([value, column], word, compared=True)
        plan = builder.project(bound.plan, [(column.name, builder.coerce(column, common))])
        return Quantified(builder.coerce(value, common), name, every, plan, t.BOOL)


def _check_width(b: Binder, bound: Bound, width: int, node: exp.Expr) -> None:
    if len(bound.outputs) != width:
        raise b.source.error(
            f"This subquery gives {len(bound.outputs)} columns and {width} "
            f"{'is' if width == 1 else 'are'} needed",
            node,
        )


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Subquery: scalar,
    exp.Select: scalar,
    exp.Union: scalar,
    exp.Intersect: scalar,
    exp.Except: scalar,
    exp.Values: scalar,
    exp.Exists: exists,
}
