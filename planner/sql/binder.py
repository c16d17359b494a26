"""Binder: what a sqlglot expression is turned into an `Expr` with.

    Context   one per text: its source, names, parameters, catalog, and how to bind what is below
    Clause    what the clause at hand allows: aggregates, window functions, aliases
    Binder    context + scope + clause; `bind(node)` looks up the handler of the node's class

Handlers are plain functions `(binder, node) -> Expr`, one table per theme (`expressions`,
`predicates`, `calls`, `windows`, `subqueries`). They reach queries through
`Context.query`, so that no module needs one that needs it.

Aggregates and window calls are left inside the expressions they stand in; `lifting` takes them out
once the whole SELECT is bound.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import expressions as exp

from plait.errors import ConversionError, PlanError, SqlError
from plait.planner import builder
from plait.planner import types as t
from plait.planner.catalog import Catalog
from plait.planner.expr import AggregateCall, Column, Expr, WindowCall
from plait.planner.logical import LogicalPlan
from plait.planner.sql.mistakes import Source, UnknownColumnError
from plait.planner.sql.parameters import Parameters
from plait.planner.sql.scope import Entry, Names, Scope, outer
from plait.planner.subquery import SUBQUERIES

Handler = Callable[["Binder", Any], Expr]
OpenFile = Callable[[str | list[str], dict[str, Any]], LogicalPlan]


@dataclass(frozen=True)
class Output:
    """A result column of a query: its SQL name and the plan's column."""

    name: str
    column: Column


@dataclass(frozen=True)
class Bound:
    """A query as a plan, and what its columns are called."""

    plan: LogicalPlan
    outputs: tuple[Output, ...]

    def entries(self) -> tuple[Entry, ...]:
        """The columns as a table of a FROM clause shows them."""
        return tuple(Entry(o.name, o.column) for o in self.outputs)


@dataclass
class CommonTable:
    """A WITH table. It is bound when it is first used, in the scope in which it was written."""

    name: str
    node: exp.CTE
    scope: Scope | None
    tables: CommonTables
    bound: Bound | None = None


CommonTables = ChainMap[str, CommonTable]

# takes the context, so that a context does not hold itself, with all tables, until the next
# collection of garbage
BindQuery = Callable[["Context", exp.Expr, Scope | None, CommonTables, bool], Bound]


@dataclass
class Context:
    """What stays the same within one statement."""

    source: Source
    catalog: Catalog
    open_file: OpenFile | None
    parameters: Parameters
    dialect: str
    handlers: Mapping[type[exp.Expr], Handler]
    bind_query: BindQuery
    references: Counter[str]
    names: Names = field(default_factory=Names)
    index_base: int = 1
    opened: dict[str, LogicalPlan] = field(default_factory=dict)
    # by the id of a bound column (kept alive here): where it was written
    places: dict[int, tuple[Expr, exp.Expr]] = field(default_factory=dict)

    def query(self, node: exp.Expr, outer: Scope | None, tables: CommonTables, root: bool) -> Bound:
        """Bind a query; `root`: its names are those of the result."""
        return self.bind_query(self, node, outer, tables, root)

    def place(self, expr: Expr) -> exp.Expr | None:
        """Where a column was written, if it is known."""
        found = self.places.get(id(expr))
        return None if found is None else found[1]


@dataclass(frozen=True)
class Clause:
    """What a clause allows.

    aliases   expressions of the SELECT list by folded alias, found after columns
    grouped   whether a column is usable after grouping; if not, an alias of its name is meant
    reason    why there may be no aggregate or window function here
    """

    name: str
    aggregates: bool = False
    windows: bool = False
    aliases: Mapping[str, Expr] = field(default_factory=dict)
    grouped: Callable[[Expr], bool] | None = None
    reason: str = ""


@dataclass
class Binder:
    """Binds the expressions of one clause of one SELECT."""

    context: Context
    scope: Scope
    tables: CommonTables
    clause: Clause
    windows: Mapping[str, exp.Window] = field(default_factory=dict)
    star: Expr | None = None  # what COLUMNS(...) stands for at the moment

    @property
    def source(self) -> Source:
        return self.context.source

    def inside(self, clause: Clause) -> Binder:
        """The same scope under the rules of another clause."""
        return replace(self, clause=clause)

    def bind(self, node: exp.Expr) -> Expr:
        """The expression of a node."""
        handler = self.context.handlers.get(type(node))
        if handler is None:
            if not isinstance(node, exp.Func):
                self.source.refuse(describe(node), node)
            handler = self.context.handlers[exp.Func]
        return handler(self, node)

    def bind_all(self, nodes: Sequence[exp.Expr]) -> list[Expr]:
        """The expressions of several nodes."""
        return [self.bind(node) for node in nodes]

    def call(self, name: str, args: Sequence[Expr], node: exp.Expr) -> Expr:
        """A scalar function; mistakes point at the node."""
        try:
            return builder.call(name, *args)
        except SqlError:
            raise
        except (PlanError, ConversionError):
            with self.source.at(node):
                raise

    def boolean(self, node: exp.Expr, what: str) -> Expr:
        """A condition; numbers and strings are cast to booleans, as DuckDB does unasked."""
        expr = self.bind(node)
        if expr.dtype == t.BOOL:
            return expr
        with self.source.at(node):
            if t.is_numeric(expr.dtype) or t.is_string(expr.dtype):
                return builder.cast(expr, t.BOOL)
            return builder.boolean(expr, what)

    def subquery(self, node: exp.Expr) -> Bound:
        """A query in the place of a value: it sees this scope from inside."""
        return self.context.query(node, self.scope, self.tables, False)

    # ------------------------------------------------------------------------------ columns

    def column(self, name: str, qualifier: Sequence[str], node: exp.Expr) -> Expr:
        """The column a name means; an alias of the SELECT list; or a column further out."""
        here = self._lookup(self.scope, name, qualifier, node)
        alias = None if qualifier else self.clause.aliases.get(name.casefold())
        if here is not None and alias is not None and self.clause.grouped is not None:
            here = here if self.clause.grouped(here) else None
        if here is not None:
            return self._placed(here, node)
        if alias is not None:
            if builder.is_volatile(alias):
                raise self.source.error(
                    f"{name!r} gives a new value each time it is computed, so it cannot be used "
                    "again by its alias; compute it in a subquery",
                    node,
                )
            return alias
        scope = self.scope.parent
        while scope is not None:
            found = self._lookup(scope, name, qualifier, node)
            if found is None and not qualifier:
                found = self._outer_alias(scope, name, node)
            if found is not None:
                return self._placed(outer(found), node)
            scope = scope.parent
        raise self._unknown(name, qualifier, node)

    def _outer_alias(self, scope: Scope, name: str, node: exp.Expr) -> Expr | None:
        """An alias of a SELECT list around this subquery, if it is a plain expression."""
        alias = scope.aliases.get(name.casefold())
        if alias is None:
            return None
        computed = (AggregateCall, WindowCall, *SUBQUERIES)
        if any(isinstance(e, computed) for e in alias.walk()) or builder.is_volatile(alias):
            self.source.refuse(
                f"The alias {name!r} of an aggregate, a window function or a subquery, inside "
                "another subquery,",
                node,
            )
        return alias

    def _placed(self, expr: Expr, node: exp.Expr) -> Expr:
        if isinstance(expr, Column):
            expr = Column(expr.name, expr.dtype)  # one object for each place
        self.context.places[id(expr)] = (expr, node)
        return expr

    def visible_table(self, name: str) -> bool:
        """Whether a table of this name is visible, here or further out."""
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.visible.of([name]):
                return True
            scope = scope.parent
        return False

    def _lookup(
        self, scope: Scope, name: str, qualifier: Sequence[str], node: exp.Expr
    ) -> Expr | None:
        if not qualifier:
            found = _nearest_spelling(scope.bare(name), name)
            if len(found) > 1:
                owners = [o for e in found for o in scope.visible.owners(e)]
                choices = " or ".join(f"{o}.{found[0].name}" for o in owners)
                raise self.source.error(
                    f"Column {name!r} is in several tables; write {choices}", node
                )
            return found[0].expr if found else None
        tables = scope.visible.of(qualifier)
        if not tables:
            return None
        if len(tables) > 1:
            raise self.source.error(
                f"Several tables are called {'.'.join(qualifier)!r}; give each an alias", node
            )
        folded = name.casefold()
        same = [e for e in tables[0].entries if e.name.casefold() == folded]
        if same:
            return _nearest_spelling(same, name)[0].expr
        raise self.source.unknown_column(name, [e.name for e in tables[0].entries], node)

    def _unknown(self, name: str, qualifier: Sequence[str], node: exp.Expr) -> SqlError:
        if not qualifier and self.visible_table(name):
            self.source.refuse("A whole row as a value", node, "name its columns")
        if qualifier:
            names = []
            scope: Scope | None = self.scope
            while scope is not None:
                names += [r.name for r in scope.visible.relations]
                scope = scope.parent
            return self.source.unknown_table(".".join(qualifier), names, node)
        if not self.scope.visible.relations and self.scope.parent is None:
            return self.source.error(
                f"No column named {name!r}: there is no FROM to take it from",
                node,
                UnknownColumnError,
                name,
            )
        aliases = list(self.clause.aliases)
        return self.source.unknown_column(name, [*self.scope.visible.names(), *aliases], node)


def _nearest_spelling(entries: Sequence[Entry], name: str) -> Sequence[Entry]:
    """Of columns whose names differ in case only (a file may have them), the one as written."""
    if len(entries) < 2:
        return entries
    exact = [e for e in entries if e.name == name]
    return exact if len(exact) == 1 else entries


def describe(node: exp.Expr) -> str:
    """What a kind of node is called in messages."""
    if isinstance(node, exp.Func):
        names = node.sql_names()
        return f"The function {names[0].lower() if names else node.key}"
    words = "".join(f" {c}" if c.isupper() else c for c in type(node).__name__).split()
    return " ".join(words).upper()
