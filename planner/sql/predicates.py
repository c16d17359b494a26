"""Predicates: BETWEEN, IN a list, IS, LIKE and its kin, NOT, comparison of rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, Expr, Literal
from plait.planner.sql.binder import Binder, Handler, describe
from plait.planner.sql.functions import OPERATORS
from plait.planner.sql.subqueries import in_subquery, quantified, row_parts


def not_(b: Binder, node: exp.Not) -> Expr:
    """NOT; `IS NOT` is a function of its own."""
    inner = node.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Is):
        return _is(b, inner, negated=True)
    return b.call("not", [b.boolean(node.this, "NOT")], node)


def is_(b: Binder, node: exp.Is) -> Expr:
    """IS NULL, IS TRUE, IS FALSE, IS UNKNOWN."""
    return _is(b, node, negated=False)


def _is(b: Binder, node: exp.Is, *, negated: bool) -> Expr:
    what = node.expression
    if isinstance(what, exp.Null):
        return b.call("is_not_null" if negated else "is_null", [b.bind(node.this)], node)
    if isinstance(what, exp.Boolean):
        value = b.bind(node.this)
        with b.source.at(node):
            value = builder.cast(value, t.BOOL)
        name = "is_distinct" if negated else "is_not_distinct"
        return b.call(name, [value, b.bind(what)], node)
    return b.source.refuse(f"IS {what.sql()}", node)


def between(b: Binder, node: exp.Between) -> Expr:
    """BETWEEN, also SYMMETRIC."""
    b.source.check_args(node, ("this", "low", "high", "symmetric"), "BETWEEN")
    value = b.bind(node.this)
    low, high = b.bind(node.args["low"]), b.bind(node.args["high"])

    def within(a: Expr, z: Expr) -> Expr:
        above = b.call("greater_equal", [value, a], node)
        return b.call("and", [above, b.call("less_equal", [value, z], node)], node)

    if node.args.get("symmetric"):
        return b.call("or", [within(low, high), within(high, low)], node)
    return within(low, high)


def in_(b: Binder, node: exp.In) -> Expr:
    """IN a list or a subquery; rows too."""
    if node.args.get("query") is not None:
        return in_subquery(b, node, node.args["query"])
    b.source.check_args(node, ("this", "expressions"), "IN")
    items = node.expressions
    if len(items) == 1 and isinstance(items[0], exp.Values):
        return in_subquery(b, node, items[0])
    rows = row_parts(node.this)
    if rows is not None:
        return _rows_in(b, node, rows, items)
    value = b.bind(node.this)
    if not items:
        return FALSE
    bound = b.bind_all(items)
    return any_equal(b, value, bound, node)


def any_equal(b: Binder, value: Expr, items: Sequence[Expr], node: exp.Expr) -> Expr:
    """Whether a value equals one of several, constants as one call of `in`.

    NULL among them: true if another one matches, else unknown.
    """
    constants = [e for e in items if isinstance(e, Literal)]
    others = [e for e in items if not isinstance(e, Literal)]
    tests: list[Expr] = []
    if len(constants) == 1 and not others:
        return b.call("equal", [value, constants[0]], node)
    if constants:
        tests.append(b.call("in", [value, *constants], node))
    tests += [b.call("equal", [value, e], node) for e in others]
    return _any(b, tests, node)


def _any(b: Binder, tests: Sequence[Expr], node: exp.Expr) -> Expr:
    result = tests[0]
    for test in tests[1:]:
        result = b.call("or", [result, test], node)
    return result


def _rows_in(b: Binder, node: exp.In, parts: Sequence[exp.Expr], items: Sequence[exp.Expr]) -> Expr:
    values = b.bind_all(parts)
    tests = []
    for item in items:
        row = row_parts(item)
        if row is None or len(row) != len(values):
            raise b.source.error(
                f"IN compares {len(values)} values; this item has not so many", item
            )
        tests.append(_same_row(b, values, b.bind_all(row), node))
    return _any(b, tests, node) if tests else FALSE


def _same_row(b: Binder, left: Sequence[Expr], right: Sequence[Expr], node: exp.Expr) -> Expr:
    """Rows are structs to DuckDB: NULL inside of one equals NULL, and the answer is never NULL."""
    result: Expr | None = None
    for a, z in zip(left, right, strict=True):
        test = b.call("is_not_distinct", [a, z], node)
        result = test if result is None else b.call("and", [result, test], node)
    assert result is not None
    return result


def _before(b: Binder, a: Expr, z: Expr, node: exp.Expr) -> Expr:
    """Whether a value inside a row sorts before another; NULL is the greatest."""
    less = b.call("coalesce", [b.call("less", [a, z], node), FALSE], node)
    last = b.call("and", [b.call("is_not_null", [a], node), b.call("is_null", [z], node)], node)
    return b.call("or", [less, last], node)


def _all_of_query(node: exp.Expr) -> exp.Expr | None:
    """The query of ALL ((SELECT ...) UNION (SELECT ...)), which sqlglot takes for a function."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() != "all":
        return None
    args = node.expressions
    return args[0] if len(args) == 1 and isinstance(args[0], exp.Query) else None


def comparison(b: Binder, node: exp.Binary) -> Expr:
    """Comparisons of values, of rows, and with ANY and ALL."""
    if isinstance(node.expression, exp.Any | exp.All):
        return quantified(b, node)
    every = _all_of_query(node.expression)
    if every is not None:
        return quantified(b, type(node)(this=node.this, expression=exp.All(this=every)))
    b.source.check_args(node, ("this", "expression"), describe(node))
    left, right = row_parts(node.this), row_parts(node.expression)
    if left is None and right is None:
        return b.call(OPERATORS[type(node)], [b.bind(node.this), b.bind(node.expression)], node)
    if left is None or right is None or len(left) != len(right):
        raise b.source.error("Both sides of a comparison of rows need equally many values", node)
    values, others = b.bind_all(left), b.bind_all(right)
    if isinstance(node, exp.EQ):
        return _same_row(b, values, others, node)
    if isinstance(node, exp.NEQ):
        return b.call("not", [_same_row(b, values, others, node)], node)
    return _ordered_rows(b, node, values, others)


def _ordered_rows(b: Binder, node: exp.Binary, left: Sequence[Expr], right: Sequence[Expr]) -> Expr:
    """(a, b) < (c, d) is a < c or (a = c and b < d)."""
    if not isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE):
        b.source.refuse(f"{describe(node)} of rows", node)
    if isinstance(node, exp.GT | exp.GTE):
        left, right = right, left
    result = _before(b, left[-1], right[-1], node)
    if isinstance(node, exp.LTE | exp.GTE):
        result = b.call("or", [result, _same_row(b, left[-1:], right[-1:], node)], node)
    for a, z in zip(reversed(left[:-1]), reversed(right[:-1]), strict=True):
        same = b.call("and", [_same_row(b, [a], [z], node), result], node)
        result = b.call("or", [_before(b, a, z, node), same], node)
    return result


def like(b: Binder, node: exp.Like | exp.ILike) -> Expr:
    """LIKE, ILIKE and NOT LIKE."""
    return _like(b, node, None)


def escape(b: Binder, node: exp.Escape) -> Expr:
    """LIKE ... ESCAPE."""
    if not isinstance(node.this, exp.Like | exp.ILike):
        b.source.refuse("ESCAPE without LIKE", node)
    return _like(b, node.this, node.expression)


def _like(b: Binder, node: exp.Like | exp.ILike, escaped: exp.Expr | None) -> Expr:
    b.source.check_args(node, ("this", "expression", "negate"), describe(node))
    name = "ilike" if isinstance(node, exp.ILike) else "like"
    if isinstance(node.expression, exp.Any | exp.All):
        b.source.refuse(f"{name.upper()} ANY", node, "write the patterns with OR")
    args = [b.bind(node.this), b.bind(node.expression)]
    if escaped is not None:
        mark = b.bind(escaped)
        if isinstance(mark, Literal) and isinstance(mark.value, str) and len(mark.value) > 1:
            raise b.source.error("ESCAPE needs one character, or none", escaped)
        name, args = f"{name}_escape", [*args, mark]
    result = b.call(name, args, node)
    return b.call("not", [result], node) if node.args.get("negate") else result


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Not: not_,
    exp.Is: is_,
    exp.Between: between,
    exp.In: in_,
    exp.Like: like,
    exp.ILike: like,
    exp.Escape: escape,
    exp.EQ: comparison,
    exp.NEQ: comparison,
    exp.LT: comparison,
    exp.LTE: comparison,
    exp.GT: comparison,
    exp.GTE: comparison,
}
