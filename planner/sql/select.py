"""One SELECT, in the order in which SQL gives its clauses meaning.

    FROM -> (SELECT list bound, so that aliases are known) -> WHERE -> GROUP BY -> HAVING
         -> WINDOW -> QUALIFY -> SELECT list -> DISTINCT -> ORDER BY -> LIMIT

Everything is bound over the columns of FROM first, aggregates and window calls inside their
expressions; then `lifting` takes these out, bottom up, and the plan nodes are stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner.expr import AggregateCall, Column, Expr, SortKey
from plait.planner.logical import LogicalPlan, Named
from plait.planner.sql.aggregates import check_ordered
from plait.planner.sql.binder import Binder, Bound, Clause, CommonTables, Context, Output
from plait.planner.sql.grouping import GroupBinder, GroupBy, aggregate
from plait.planner.sql.lifting import Grouping, Windows, has_aggregate, has_window
from plait.planner.sql.limits import apply_limit
from plait.planner.sql.relations import Tables
from plait.planner.sql.scope import Scope, Visible
from plait.planner.sql.stars import Item, expand

_HANDLED = (
    *("with_", "expressions", "distinct", "from_", "joins", "where", "group"),
    *("having", "qualify", "windows", "order", "limit", "offset"),
)

_ANYWHERE = Clause("SELECT", aggregates=True, windows=True)


@dataclass
class OrderKey:
    """A key of ORDER BY or DISTINCT ON: an output by its index, or an expression."""

    output: int | None
    expr: Expr | None
    descending: bool = False
    nulls_first: bool = False


@dataclass
class SelectBinder:
    """The state of binding one SELECT."""

    context: Context
    node: exp.Select
    parent: Scope | None
    tables: CommonTables
    root: bool
    plan: LogicalPlan = field(default_factory=builder.one_row)
    scope: Scope = field(default_factory=lambda: Scope(Visible()))
    items: list[Item] = field(default_factory=list)
    aliases: dict[str, Expr] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)

    def bind(self) -> Bound:
        """The plan of the whole SELECT."""
        self.context.source.check_args(self.node, _HANDLED, "SELECT")
        if not self.node.expressions:
            raise self.context.source.error("SELECT needs something to select", self.node)
        self._from()
        self._named_windows()
        collected: dict[AggregateCall, str] = {}
        self.scope.aggregates = collected
        self._select_list()
        self.scope.aggregates = None
        self._where()
        group = self._group_by()
        self.scope.aggregates = collected
        having = self._having(group)
        qualify = self._qualify()
        on = self._distinct_on()
        orders = self._order_keys()
        having, qualify = self._aggregate(group, having, qualify, [*on, *orders])
        self._window_calls(qualify, [*on, *orders])
        return self._finish(on, orders)

    def _binder(self, clause: Clause) -> Binder:
        return Binder(self.context, self.scope, self.tables, clause, self.windows)

    # ----------------------------------------------------------------------- binding clauses

    def _from(self) -> None:
        first = self.node.args.get("from_")
        visible = Visible()
        if first is not None:
            tables = Tables(self.context, self.parent, self.tables)
            found = tables.bind(first.this, self.node.args.get("joins") or ())
            self.plan, visible = found.plan, found.visible
        self.scope = Scope(visible, self.parent, aliases=self.aliases)

    def _named_windows(self) -> None:
        for window in self.node.args.get("windows") or ():
            name = window.this.name
            if name.casefold() in self.windows:
                raise self.context.source.error(f"There are two windows named {name!r}", window)
            self.windows[name.casefold()] = window

    def _select_list(self) -> None:
        for node in self.node.expressions:
            binder = self._binder(replace(_ANYWHERE, aliases=self.aliases))
            for item in expand(binder, node):
                self.items.append(item)
                if item.alias:
                    self.aliases.setdefault(item.name.casefold(), item.expr)

    def _plain_aliases(self) -> dict[str, Expr]:
        """The aliases of expressions that are known before grouping."""
        return {
            name: e
            for name, e in self.aliases.items()
            if not has_aggregate(e) and not has_window(e)
        }

    def _where(self) -> None:
        where = self.node.args.get("where")
        if where is None:
            return
        clause = Clause("WHERE", aliases=self._plain_aliases(), reason="use HAVING or QUALIFY")
        predicate = self._binder(clause).boolean(where.this, "WHERE")
        origin = self.context.source.origin(where.this, "where")
        self.plan = builder.filter(self.plan, predicate, origin=origin)

    def _group_by(self) -> GroupBy | None:
        group = self.node.args.get("group")
        if group is None:
            return None
        clause = Clause("GROUP BY", aliases=self._plain_aliases(), reason="group by what is inside")
        return GroupBinder(self._binder(clause), self.items, self._ordinal).bind(group)

    def _ordinal(self, node: exp.Literal, clause: str) -> int:
        text = str(node.this)
        if not text.isdigit():
            raise self.context.source.error(f"{clause} a constant has no effect", node)
        number = int(text)
        if not 1 <= number <= len(self.items):
            raise self.context.source.error(
                f"{clause} {number}: there are {len(self.items)} selected columns", node
            )
        return number - 1

    def _having(self, group: GroupBy | None) -> Expr | None:
        having = self.node.args.get("having")
        if having is None:
            return None
        known = {expr for _, expr in group.keys} if group is not None else set()
        clause = Clause(
            "HAVING",
            aggregates=True,
            aliases=self.aliases,
            grouped=known.__contains__,
            reason="use QUALIFY",
        )
        return self._binder(clause).boolean(having.this, "HAVING")

    def _qualify(self) -> Expr | None:
        qualify = self.node.args.get("qualify")
        if qualify is None:
            return None
        clause = Clause("QUALIFY", aggregates=True, windows=True, aliases=self.aliases)
        predicate = self._binder(clause).boolean(qualify.this, "QUALIFY")
        if not has_window(predicate) and not any(has_window(i.expr) for i in self.items):
            raise self.context.source.error(
                "QUALIFY filters by a window function, and there is none; use WHERE or HAVING",
                qualify,
            )
        return predicate

    def _distinct_on(self) -> list[OrderKey]:
        distinct = self.node.args.get("distinct")
        if distinct is not None:
            self.context.source.check_args(distinct, ("on",), "DISTINCT")
        if distinct is None or distinct.args.get("on") is None:
            return []
        on = distinct.args["on"]
        nodes = on.expressions if isinstance(on, exp.Tuple) else [on]
        return [self._order_key(node, "DISTINCT ON") for node in nodes]

    def _order_keys(self) -> list[OrderKey]:
        order = self.node.args.get("order")
        if order is None:
            return []
        self.context.source.check_args(order, ("expressions",), "ORDER BY")
        keys: list[OrderKey] = []
        for ordered in order.expressions:
            node = ordered
            desc = nulls = False
            if isinstance(ordered, exp.Ordered):
                check_ordered(self._binder(_ANYWHERE), ordered)
                node = ordered.this
                desc, nulls = (bool(ordered.args.get(k)) for k in ("desc", "nulls_first"))
            if _is_all(node):
                keys += [OrderKey(i, None, desc, nulls) for i in range(len(self.items))]
            else:
                key = self._order_key(node, "ORDER BY")
                keys.append(replace(key, descending=desc, nulls_first=nulls))
        return keys

    def _order_key(self, node: exp.Expr, clause: str) -> OrderKey:
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Literal):
            return OrderKey(self._ordinal(node, clause), None)
        if isinstance(node, exp.Column) and len(node.parts) == 1:
            folded = node.name.casefold()
            for index, item in enumerate(self.items):
                if item.alias and item.name.casefold() == folded:
                    return OrderKey(index, None)
            if len(self.scope.bare(node.name)) > 1:  # of several tables: the selected one is meant
                for index, item in enumerate(self.items):
                    if isinstance(item.node, exp.Column) and item.name.casefold() == folded:
                        return OrderKey(index, None)
        allowed = replace(_ANYWHERE, name=clause, aliases=self.aliases)
        expr = self._binder(allowed).bind(node)
        for index, item in enumerate(self.items):
            if item.expr == expr and not builder.is_volatile(expr):
                return OrderKey(index, None)
        return OrderKey(None, expr)

    # ------------------------------------------------------------------------ stacking nodes

    def _aggregate(
        self,
        group: GroupBy | None,
        having: Expr | None,
        qualify: Expr | None,
        orders: Sequence[OrderKey],
    ) -> tuple[Expr | None, Expr | None]:
        above = [i.expr for i in self.items]
        above += [e for e in (having, qualify, *(o.expr for o in orders)) if e is not None]
        grouped = group is not None or having is not None or bool(self.scope.aggregates)
        if not grouped and not any(has_aggregate(e) for e in above):
            return having, qualify
        group = group if group is not None else GroupBy(())
        grouping = Grouping(self.context, group.keys, self.scope)
        grouping.calls.update(self.scope.aggregates or {})
        for item in self.items:
            item.expr = grouping.lift(item.expr, item.node, item.name)
        if having is not None:
            having = grouping.lift(having, self.node.args["having"].this)
        if qualify is not None:
            qualify = grouping.lift(qualify, self.node.args["qualify"].this)
        for order in orders:
            if order.expr is not None:
                order.expr = grouping.lift(order.expr, self.node.args.get("order"))
        source = self.context.source
        origin = source.origin(self.node.args.get("group"), "group by")
        origin = origin or source.origin(self.items[0].node, "select")
        self.plan = aggregate(self.plan, group, grouping.calls, grouping.marks, origin)
        if having is not None:
            origin = source.origin(self.node.args["having"].this, "having")
            self.plan = builder.filter(self.plan, having, origin=origin)
        return having, qualify

    def _window_calls(self, qualify: Expr | None, orders: Sequence[OrderKey]) -> None:
        windows = Windows(self.context)
        for item in self.items:
            item.expr = windows.lift(item.expr, item.name)
        if qualify is not None:
            qualify = windows.lift(qualify)
        for order in orders:
            if order.expr is not None:
                order.expr = windows.lift(order.expr)
        source = self.context.source
        if windows.calls:
            node = next((n for n in self.node.expressions if n.find(exp.Window)), None)
            calls = [(name, call) for call, name in windows.calls.items()]
            self.plan = builder.window(self.plan, calls, origin=source.origin(node, "select"))
        if qualify is not None:
            origin = source.origin(self.node.args["qualify"].this, "qualify")
            self.plan = builder.filter(self.plan, qualify, origin=origin)

    def _finish(self, on: Sequence[OrderKey], orders: Sequence[OrderKey]) -> Bound:
        outputs = self._outputs()
        distinct = self.node.args.get("distinct")
        columns: list[Named] = [
            (o.column.name, i.expr) for o, i in zip(outputs, self.items, strict=True)
        ]
        hidden: list[Named] = []
        if distinct is not None and not on:
            # a key that is not selected comes from the first of the equal rows
            sort_keys = [self._key(o, outputs, hidden) for o in orders]
            self._project([*columns, *hidden])
            names = [o.column.name for o in outputs] if hidden else None
            self.plan = builder.distinct(self.plan, names, origin=self._origin("select distinct"))
        else:
            on_names = [self._key(o, outputs, hidden).expr for o in on]
            sort_keys = [self._key(o, outputs, hidden) for o in orders]
            self._project([*columns, *hidden])
            if on:
                self.plan = self._sorted(sort_keys)
                names = [e.name for e in on_names if isinstance(e, Column)]
                origin = self._origin("select distinct on")
                self.plan = builder.distinct(self.plan, names, origin=origin)
        self.plan = self._sorted(sort_keys)
        self.plan = apply_limit(self.context, self.node, self.plan)
        if hidden:
            self.plan = builder.select(self.plan, [o.column.name for o in outputs])
        return Bound(self.plan, tuple(outputs))

    def _origin(self, clause: str) -> str | None:
        return self.context.source.origin(self.node.expressions[0], clause)

    def _project(self, columns: Sequence[Named]) -> None:
        with self.context.source.at(self.node):
            self.plan = builder.project(self.plan, columns, origin=self._origin("select"))

    def _sorted(self, keys: Sequence[SortKey]) -> LogicalPlan:
        if not keys:
            return self.plan
        origin = self.context.source.origin(self.node.args["order"], "order by")
        return builder.sort(self.plan, keys, origin=origin)

    def _outputs(self) -> list[Output]:
        """The result columns; in the outermost query the plan's names are the SQL names."""
        names = unique_names([item.name for item in self.items])
        if self.root:
            return [
                Output(n, Column(n, i.expr.dtype)) for n, i in zip(names, self.items, strict=True)
            ]
        outputs, used = [], set()
        for name, item in zip(names, self.items, strict=True):
            if isinstance(item.expr, Column) and item.expr.name not in used:
                column = Column(item.expr.name, item.expr.dtype)
            else:
                column = Column(self.context.names.fresh(name), item.expr.dtype)
            used.add(column.name)
            outputs.append(Output(name, column))
        return outputs

    def _key(
        self,
        order: OrderKey,
        outputs: Sequence[Output],
        hidden: list[Named],
    ) -> SortKey:
        """A sort key over the projection; what it lacks becomes a hidden column."""
        if order.output is not None:
            column = outputs[order.output].column
        else:
            assert order.expr is not None
            expr = order.expr
            known = next((n for n, e in hidden if e == expr), None)
            name = known or self.context.names.fresh("#order")
            if known is None:
                hidden.append((name, expr))
            column = Column(name, expr.dtype)
        return SortKey(column, order.descending, order.nulls_first)


def unique_names(names: Sequence[str]) -> list[str]:
    """Result names as DuckDB tells them apart: a, a_1, a_2."""
    used: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 0
        while unique.casefold() in used:
            number += 1
            unique = f"{name}_{number}"
        used.add(unique.casefold())
        result.append(unique)
    return result


def _is_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Var) and node.name.upper() == "ALL"
