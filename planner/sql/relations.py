"""FROM: tables, files, derived tables, VALUES, and joins of all kinds.

Commas bind weaker than JOIN: `a, b JOIN c ON ...` joins b and c, and pairs the result with a. What
a table shows keeps its column's names as plan names as long as no other table of the statement has
them; else a projection on it renames them to `table.column`.

A query in FROM may read the tables before it, with LATERAL or, as in DuckDB, without. Their columns
are outer columns in its plan, as in a subquery, and its join is a dependent one: for each left row
the right side is another. The rule `decorrelate` makes ordinary joins of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Column, Expr, Literal
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.outer_columns import outer_columns, outer_of
from plait.planner.series import SeriesSource
from plait.planner.sql.binder import Binder, Bound, Clause, CommonTables, Context
from plait.planner.sql.constants import value
from plait.planner.sql.files import file_of
from plait.planner.sql.joins import bind_join
from plait.planner.sql.mistakes import Source
from plait.planner.sql.scope import Entry, Relation, Scope, Visible, beside, table
from plait.planner.subquery import OuterColumn

_MOST_LISTED = 1000  # numbers of a series that stand in the plan itself
_MOST = 2**63 - 1
_DEPENDENT = ("inner", "cross", "left")  # whose right side may read the left one


@dataclass(frozen=True)
class From:
    """What a FROM clause, or a part of it, reads and shows."""

    plan: LogicalPlan
    visible: Visible


@dataclass
class Tables:
    """Binds the tables of one FROM clause; `outer` is the scope around its SELECT."""

    context: Context
    outer: Scope | None
    common: CommonTables

    @property
    def source(self) -> Source:
        return self.context.source

    def bind(self, first: exp.Expr, joins: Sequence[exp.Join]) -> From:
        """A table and what is joined to it."""
        self._check_names([first, *(node.this for node in joins)])
        return self._joined(self.table(first, Visible()), joins)

    def _joined(self, first: From, joins: Sequence[exp.Join]) -> From:
        done: From | None = None  # what stands before the last comma
        last = first
        for node in joins:
            before = _beside(done, last)
            right = self.table(node.this, before.visible)
            if _is_comma(node, self.source):
                done, last = before, right
            else:
                done, last = self._join(done, last, right, node)
        return _beside(done, last)

    def _check_names(self, nodes: Sequence[exp.Expr]) -> None:
        seen: set[str] = set()
        for node in nodes:
            folded = str(node.alias_or_name).casefold()
            if folded and folded in seen and not isinstance(node.this, exp.Func):
                raise self.source.error(
                    f"Two tables are called {node.alias_or_name!r}; give one an alias", node
                )
            seen.add(folded)

    def _join(
        self, done: From | None, left: From, right: From, node: exp.Join
    ) -> tuple[From | None, From]:
        """The last of the tables between commas joined with one more.

        ON may use the tables before the comma too, as in DuckDB; then they are joined first, which
        is the same where rows of `right` are not kept for themselves.
        """
        around = None if done is None else Scope(done.visible, self.outer)
        lateral = {o.name for o in outer_columns(right.plan)}

        def binder(visible: Visible) -> Binder:
            clause = Clause("ON", reason="write it in WHERE or HAVING")
            scope = Scope(visible, self.outer if around is None else around)
            return Binder(self.context, scope, self.common, clause)

        parts = bind_join(self.source, node, left.visible, right.visible, binder)
        condition, visible = parts.condition, parts.visible
        if around is not None and done is not None:
            names = around.plan_names()
            in_condition = () if condition is None else outer_of(condition)
            if any(o.name in names for o in in_condition) or lateral & names:
                if parts.kind in ("right", "full"):
                    self.source.refuse(
                        f"{parts.kind.upper()} JOIN on a table before the comma", node
                    )
                left, visible = _beside(done, left), beside(done.visible, visible)
                condition, done = None if condition is None else _inside(condition, names), None
        if parts.kind not in _DEPENDENT and lateral & set(left.plan.schema.names):
            self.source.refuse(
                f"{parts.kind.upper()} JOIN with a query that reads the tables before it",
                node,
                "INNER and LEFT JOIN can",
                parts.kind,
            )
        with self.source.at(node.args.get("on") or node):
            plan = builder.join(left.plan, right.plan, parts.kind, condition, origin=parts.origin)
        return done, From(plan, visible)

    # ---------------------------------------------------------------------------- one table

    def table(self, node: exp.Expr, earlier: Visible) -> From:
        """One item of a FROM clause; `earlier` is what those before it show."""
        match node:
            case exp.Table():
                return self._table(node)
            case exp.Subquery():
                return self._derived(node, earlier)
            case exp.Values():
                return self._values(node, earlier)
            case exp.Lateral():
                return self._lateral(node, earlier)
            case exp.Unnest():
                self.source.refuse("UNNEST in FROM", node, word="unnest")
        return self.source.refuse(f"{type(node).__name__.upper()} in FROM", node)

    def _table(self, node: exp.Table) -> From:
        handled = ("this", "alias", "db", "catalog", "joins")
        self._refuse_clauses(node)
        self.source.check_args(node, handled, "FROM")
        found = self._named(node)
        joins = node.args.get("joins")
        if not joins:
            return found
        return self._joined(found, joins)

    def _refuse_clauses(self, node: exp.Expr) -> None:
        for key, what, word in (
            ("sample", "TABLESAMPLE", "tablesample"),
            ("pivots", "PIVOT", "pivot"),
            ("ordinality", "WITH ORDINALITY", "ordinality"),
        ):
            if node.args.get(key):
                self.source.refuse(what, node, word=word)

    def _named(self, node: exp.Table) -> From:
        if isinstance(node.this, exp.GenerateSeries | exp.ExplodingGenerateSeries):
            return self._series(node, node.this)
        path = [part.name for part in node.parts if isinstance(part, exp.Identifier)]
        alias, columns = _alias(node)
        if isinstance(node.this, exp.Identifier):
            common = self.common.get(path[0].casefold()) if len(path) == 1 else None
            if common is not None:
                return self._common(node, common.name, alias or path[0], columns)
            plan = self.context.catalog.table(path)
            if plan is not None:
                names = [alias] if alias else path
                return self._exposed(node, plan, names, columns)
        reference = file_of(node, self.source)
        if reference is None:
            if not isinstance(node.this, exp.Identifier):
                what = node.this.name if isinstance(node.this, exp.Anonymous) else node.this.sql()
                self.source.refuse(f"The table function {what}", node)
            known = [*(c.name for c in self.common.values()), *self.context.catalog.names()]
            raise self.source.unknown_table(".".join(path), known, node)
        return self._file(node, reference.path, dict(reference.options), alias or reference.alias)

    def _file(
        self, node: exp.Table, path: str | list[str], options: dict[str, object], alias: str
    ) -> From:
        key = repr((path, options))
        plan = self.context.opened.get(key)
        if plan is None:
            if self.context.open_file is None:
                self.source.refuse("Reading files by name here", node)
            plan = self.context.open_file(path, options)
            self.context.opened[key] = plan
        return self._exposed(node, plan, [alias], _alias(node)[1])

    def _exposed(
        self, node: exp.Expr, plan: LogicalPlan, path: list[str], columns: Sequence[str]
    ) -> From:
        """A table's columns under plan names of their own."""
        fields = plan.schema.fields
        shown = self._renamed([f.name for f in fields], columns, path[-1], node)
        fresh = self.context.names.fresh
        plan_names = [fresh(f.name, f"{path[-1]}.{f.name}") for f in fields]
        if list(plan.schema.names) != plan_names:
            plan = builder.rename(plan, plan_names)
        entries = [
            Entry(name, Column(plan_name, f.type))
            for name, plan_name, f in zip(shown, plan_names, fields, strict=True)
        ]
        return From(plan, table(path, entries))

    def _renamed(
        self, names: Sequence[str], columns: Sequence[str], what: str, node: exp.Expr
    ) -> list[str]:
        if len(columns) > len(names):
            raise self.source.error(
                f"{what!r} has {len(names)} columns, and {len(columns)} names are given", node
            )
        return [*columns, *names[len(columns) :]]

    # ---------------------------------------------------------------- queries used as tables

    def _common(self, node: exp.Table, name: str, alias: str, columns: Sequence[str]) -> From:
        common = self.common[name.casefold()]
        if common.bound is None:
            bound = self.context.bind_query(
                self.context, common.node.this, common.scope, common.tables, False
            )
            given = [c.name for c in common.node.args["alias"].args.get("columns") or ()]
            names = self._renamed([o.name for o in bound.outputs], given, name, common.node)
            outputs = [replace(o, name=n) for o, n in zip(bound.outputs, names, strict=True)]
            common.bound = Bound(bound.plan, tuple(outputs))
        bound = common.bound
        shown = self._renamed([o.name for o in bound.outputs], columns, alias, node)
        if self.context.references[name.casefold()] <= 1:
            entries = [Entry(n, o.column) for n, o in zip(shown, bound.outputs, strict=True)]
            return From(bound.plan, table([alias], entries))
        # several uses of one plan: each under names of its own
        fresh = self.context.names.fresh
        pairs = [(fresh(o.name, f"{alias}.{o.name}"), o.column) for o in bound.outputs]
        entries = [
            Entry(n, Column(plan_name, column.dtype))
            for n, (plan_name, column) in zip(shown, pairs, strict=True)
        ]
        return From(builder.project(bound.plan, pairs), table([alias], entries))

    def _after(self, earlier: Visible) -> Scope | None:
        """What a query in FROM may read: the tables before it, then what is around."""
        return Scope(earlier, self.outer) if earlier.relations else self.outer

    def _derived(self, node: exp.Subquery, earlier: Visible) -> From:
        self._refuse_clauses(node)
        alias, columns = _alias(node)
        joins = node.args.get("joins") or ()
        inside = replace(self, outer=self._after(earlier))
        if isinstance(node.this, exp.Table | exp.Subquery) and not _is_query(node):
            inner = inside._joined(inside.table(node.this, Visible()), joins)
            return inner if not alias else self._realiased(inner, alias, columns, node)
        bound = self.context.bind_query(
            self.context, _without_alias(node), inside.outer, self.common, False
        )
        found = self._bound(bound, alias, columns, node)
        return inside._joined(found, joins) if joins else found

    def _bound(self, bound: Bound, alias: str, columns: Sequence[str], node: exp.Expr) -> From:
        names = [o.name for o in bound.outputs]
        shown = self._renamed(names, columns, alias or "The subquery", node)
        entries = [Entry(n, o.column) for n, o in zip(shown, bound.outputs, strict=True)]
        return From(bound.plan, table([alias or "unnamed_subquery"], entries))

    def _realiased(self, inner: From, alias: str, columns: Sequence[str], node: exp.Expr) -> From:
        entries = inner.visible.entries
        shown = self._renamed([e.name for e in entries], columns, alias, node)
        renamed = tuple(replace(e, name=n) for e, n in zip(entries, shown, strict=True))
        return From(inner.plan, Visible((Relation((alias,), renamed),), renamed))

    def _values(self, node: exp.Values, earlier: Visible) -> From:
        self._refuse_clauses(node)
        alias, columns = _alias(node)
        bound = self.context.bind_query(
            self.context, node, self._after(earlier), self.common, False
        )
        return self._bound(bound, alias, columns, node)

    def _lateral(self, node: exp.Lateral, earlier: Visible) -> From:
        self.source.check_args(node, ("this", "alias"), "LATERAL")
        if not isinstance(node.this, exp.Subquery):
            self.source.refuse("LATERAL before something else than a query", node, word="lateral")
        alias, columns = _alias(node)
        bound = self.context.bind_query(
            self.context, node.this, self._after(earlier), self.common, False
        )
        return self._bound(bound, alias, columns, node)

    def _series(self, node: exp.Table, call: exp.Expr) -> From:
        """range(n) and generate_series(a, b): a column of whole numbers."""
        handled = ("start", "end", "step", "is_end_exclusive")
        self.source.check_args(call, handled, "a series")
        exclusive = bool(call.args.get("is_end_exclusive"))
        name = "range" if exclusive else "generate_series"
        numbers = []
        for key, default in (("start", 0), ("end", 0), ("step", 1)):
            given = call.args.get(key)
            numbers.append(default if given is None else value(self.source, given, name))
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            self.source.refuse(f"{name} of something else than whole numbers", call)
        start, end, step = numbers
        if step == 0:
            raise self.source.error(f"The step of {name} cannot be 0", call)
        end = end if exclusive else end + (1 if step > 0 else -1)
        rows = range(start, end, step)
        if rows and max(abs(rows[0]), abs(rows[-1]), abs(step)) > _MOST:
            raise self.source.error(f"{name} goes beyond what a BIGINT holds", call)
        alias, columns = _alias(node)
        shown = columns[0] if columns else name
        plan_name = self.context.names.fresh(shown)
        return From(
            _numbers(plan_name, rows),
            table([alias or name], [Entry(shown, Column(plan_name, t.INT64))]),
        )


def _beside(done: From | None, last: From) -> From:
    """All pairs of rows of two tables with a comma between them."""
    if done is None:
        return last
    plan = builder.join(done.plan, last.plan, "cross")
    return From(plan, beside(done.visible, last.visible))


def _inside(condition: Expr, names: frozenset[str]) -> Expr:
    """The condition with outer columns of these names as columns of its own."""

    def lower(e: Expr) -> Expr:
        if isinstance(e, OuterColumn) and e.name in names:
            return Column(e.name, e.dtype)
        return e

    lowered: Expr = condition.transform_up(lower)
    return lowered


def _numbers(name: str, rows: range) -> LogicalPlan:
    """A table of whole numbers; few are listed, so that they can be computed with in advance."""
    if len(rows) > _MOST_LISTED:
        return builder.scan(SeriesSource(name, rows))
    listed = builder.values([name], [[Literal(n, t.INT64)] for n in rows])
    # a series without rows has no type of its own yet
    return builder.project(listed, [(name, builder.coerce(builder.column(listed, name), t.INT64))])


def _alias(node: exp.Expr) -> tuple[str, list[str]]:
    """The alias of a table and the names it gives to columns."""
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return "", []
    columns = alias.args.get("columns") or ()
    return alias.name, [c.name for c in columns]


def _is_query(node: exp.Expr) -> bool:
    """Whether parentheses hold a query, at whatever depth, and not a join."""
    while isinstance(node, exp.Subquery):
        node = node.this
    return isinstance(node, exp.Query | exp.Values) and not isinstance(node, exp.Table)


def _without_alias(node: exp.Subquery) -> exp.Expr:
    """The query inside parentheses, unless they carry clauses of their own."""
    extra = [k for k, v in node.args.items() if v and k not in ("this", "alias", "joins")]
    return node if extra else node.this


def _is_comma(node: exp.Join, source: Source) -> bool:
    """Whether tables stand side by side with a comma between them."""
    if any(value for key, value in node.args.items() if key != "this"):
        return False
    place = source.text_before(node.this)
    if place.rstrip(" \t\r\n(").lower().endswith("join"):
        raise source.error(
            "JOIN needs ON or USING; CROSS JOIN or a comma pairs all rows with all", node
        )
    return True
