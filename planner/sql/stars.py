"""The SELECT list: aliases, `*`, `t.*` with EXCLUDE, REPLACE and RENAME, COLUMNS('regex')."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import expressions as exp

from plait.planner.expr import Column, Expr
from plait.planner.sql.binder import Binder
from plait.planner.sql.naming import column_name
from plait.planner.sql.scope import Entry


@dataclass
class Item:
    """One result column; `alias` tells that its name was given by AS."""

    name: str
    expr: Expr
    node: exp.Expr
    alias: bool = False


def expand(b: Binder, node: exp.Expr) -> list[Item]:
    """The result columns of one expression of the SELECT list."""
    if b.source.has_columns_calls and node.find(exp.Columns) is not None:
        return _each_column(b, node)
    match node:
        case exp.Alias():
            if isinstance(node.this, exp.Star) or _is_star(node.this):
                b.source.refuse("An alias for a star", node)
            return [Item(node.alias, b.bind(node.this), node.this, alias=True)]
        case exp.Star():
            return _star(b, node, _all(b, node), node)
        case exp.Column(this=exp.Star()):
            return _star(b, node.this, _of_table(b, node), node)
        case exp.Aliases():
            b.source.refuse("Several aliases for one expression", node)
    expr = b.bind(node)
    return [Item(_name(b, node, expr), expr, node)]


def _is_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and isinstance(node.this, exp.Star)


def _name(b: Binder, node: exp.Expr, expr: Expr) -> str:
    """An unnamed column keeps the table's spelling of its name."""
    inner = node
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Column) and isinstance(expr, Column):
        for relation in b.scope.visible.relations:
            for entry in relation.entries:
                if entry.expr == expr and entry.name.casefold() == inner.name.casefold():
                    return entry.name
    return column_name(node, b.source)


def _all(b: Binder, node: exp.Expr) -> list[Entry]:
    entries = [e for e in b.scope.visible.entries if e.starred]
    if not entries:
        raise b.source.error("SELECT * needs a FROM clause", node)
    return entries


def _of_table(b: Binder, node: exp.Column) -> list[Entry]:
    qualifier = [part.name for part in node.parts[:-1]]
    found = b.scope.visible.of(qualifier)
    if not found:
        names = [r.name for r in b.scope.visible.relations]
        raise b.source.unknown_table(".".join(qualifier), names, node)
    if len(found) > 1:
        raise b.source.error(f"Several tables are called {'.'.join(qualifier)!r}", node)
    return list(found[0].entries)


def _star(b: Binder, star: exp.Star, entries: Sequence[Entry], node: exp.Expr) -> list[Item]:
    b.source.check_args(star, ("except_", "replace", "rename"), "a star")
    excluded = [(_plain(b, e), e) for e in star.args.get("except_") or ()]
    replaced = [(e.alias, e) for e in star.args.get("replace") or ()]
    renamed = [(_plain(b, e.this), e) for e in star.args.get("rename") or ()]
    known = {e.name.casefold() for e in entries}
    for clause, pairs in (("EXCLUDE", excluded), ("REPLACE", replaced), ("RENAME", renamed)):
        for name, place in pairs:
            if name.casefold() not in known:
                names = [e.name for e in entries]
                raise b.source.unknown_column(name, names, place)
        folded = [name.casefold() for name, _ in pairs]
        if len(set(folded)) != len(folded):
            raise b.source.error(f"{clause} names a column twice", pairs[-1][1])
    gone = {name.casefold() for name, _ in excluded}
    new = {name.casefold(): e.this for name, e in replaced}
    given = {name.casefold(): e.alias for name, e in renamed}
    items = []
    for entry in entries:
        key = entry.name.casefold()
        if key in gone:
            continue
        expr = b.bind(new[key]) if key in new else _own(b, entry, node)
        items.append(Item(given.get(key, entry.name), expr, node))
    if not items:
        raise b.source.error("EXCLUDE leaves no column", node)
    return items


def _own(b: Binder, entry: Entry, node: exp.Expr) -> Expr:
    expr = entry.expr
    if isinstance(expr, Column):
        expr = Column(expr.name, expr.dtype)
        b.context.places[id(expr)] = (expr, node)
    return expr


def _plain(b: Binder, node: exp.Expr) -> str:
    if isinstance(node, exp.Column) and len(node.parts) > 1:
        b.source.refuse("A table name in EXCLUDE, REPLACE or RENAME", node)
    return node.name


def _each_column(b: Binder, node: exp.Expr) -> list[Item]:
    """An expression with COLUMNS(...) in it, once for each column that this means."""
    calls = list(node.find_all(exp.Columns))
    if len({call.sql() for call in calls}) > 1:
        raise b.source.error("Different COLUMNS(...) in one expression", calls[1])
    alias = node.alias if isinstance(node, exp.Alias) else ""
    inner = node.this if isinstance(node, exp.Alias) else node
    items = []
    for item in _columns(b, calls[0]):
        expr = replace(b, star=item.expr).bind(inner)
        items.append(Item(alias or item.name, expr, node))
    return items


def _columns(b: Binder, node: exp.Columns) -> list[Item]:
    """COLUMNS(*), COLUMNS('regex'), COLUMNS(['a', 'b'])."""
    b.source.check_args(node, ("this",), "COLUMNS")
    what = node.this
    if isinstance(what, exp.Star):
        return _star(b, what, _all(b, node), node)
    if isinstance(what, exp.Array) and all(isinstance(e, exp.Literal) for e in what.expressions):
        for name in what.expressions:
            if not b.scope.bare(name.name):
                raise b.source.unknown_column(name.name, b.scope.visible.names(), name)
        wanted = {name.name.casefold() for name in what.expressions}
        listed = [e for e in _all(b, node) if e.name.casefold() in wanted]
        return [Item(e.name, _own(b, e, node), node) for e in listed]
    if not (isinstance(what, exp.Literal) and what.is_string):
        b.source.refuse("COLUMNS of something else than a pattern or names", node)
    try:
        pattern = re.compile(str(what.this))
    except re.error as problem:
        raise b.source.error(f"Not a regular expression: {problem}", what) from None
    matching = [e for e in _all(b, node) if pattern.search(e.name)]
    if not matching:
        raise b.source.error(f"No column matches {str(what.this)!r}", what)
    return [Item(e.name, _own(b, e, node), node) for e in matching]
