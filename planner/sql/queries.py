"""Queries: WITH, SELECT, VALUES, set operations, and ORDER BY and LIMIT on top of those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Column, Expr, Literal, SortKey
from plait.planner.functions.coercion import unify
from plait.planner.logical import LogicalPlan
from plait.planner.sql.aggregates import check_ordered
from plait.planner.sql.binder import (
    Binder,
    Bound,
    Clause,
    CommonTable,
    CommonTables,
    Context,
    Output,
)
from plait.planner.sql.limits import apply_limit
from plait.planner.sql.scope import Entry, Scope, Visible
from plait.planner.sql.select import SelectBinder

_ON_TOP = ("order", "limit", "offset")


def bind_query(
    context: Context, node: exp.Expr, parent: Scope | None, tables: CommonTables, root: bool
) -> Bound:
    """The plan of a query. With `root`, plan names are exactly the result's names."""
    with_ = node.args.get("with_")
    if with_ is not None:
        tables = _with(context, with_, parent, tables)
    match node:
        case exp.Select():
            return SelectBinder(context, node, parent, tables, root).bind()
        case exp.SetOperation():
            bound = _set_operation(context, node, parent, tables, root)
            return _on_top(context, node, bound, parent, tables)
        case exp.Subquery():
            handled = ("this", "with_", *_ON_TOP)
            context.source.check_args(node, handled, "parentheses around a query")
            bound = bind_query(context, node.this, parent, tables, root)
            return _on_top(context, node, bound, parent, tables)
        case exp.Values():
            bound = _values(context, node, parent, tables, root)
            return _on_top(context, node, bound, parent, tables)
    return context.source.refuse(f"{type(node).__name__.upper()} as a query", node)


def _with(
    context: Context, node: exp.With, parent: Scope | None, tables: CommonTables
) -> CommonTables:
    source = context.source
    source.check_args(node, ("expressions", "recursive"), "WITH")
    inner = tables.new_child()
    for cte in node.expressions:
        # whether a table is computed once or anew is the optimizer's business
        source.check_args(cte, ("this", "alias", "materialized"), "WITH")
        name = cte.alias
        folded = name.casefold()
        if folded in inner.maps[0]:
            raise source.error(f"WITH defines {name!r} twice", cte.args["alias"])
        if node.args.get("recursive") and _uses(cte.this, folded):
            source.refuse("WITH RECURSIVE", cte.args["alias"], word="recursive")
        # a table sees those before it, not itself
        seen: CommonTables = tables.new_child(dict(inner.maps[0]))
        inner[folded] = CommonTable(name, cte, parent, seen)
    return inner


def _uses(node: exp.Expr, folded: str) -> bool:
    return any(
        table.name.casefold() == folded and not table.db for table in node.find_all(exp.Table)
    )


# ------------------------------------------------------------------------------ set operations


def _set_operation(
    context: Context,
    node: exp.SetOperation,
    parent: Scope | None,
    tables: CommonTables,
    root: bool,
) -> Bound:
    # a long chain leans to the left: it is walked, not recursed into
    chain: list[exp.SetOperation] = [node]
    left = node.this
    while isinstance(left, exp.SetOperation) and not any(
        left.args.get(key) for key in ("with_", *_ON_TOP)
    ):
        chain.append(left)
        left = left.this
    bound = bind_query(context, left, parent, tables, root)
    for operation in reversed(chain):
        right = bind_query(context, operation.expression, parent, tables, root)
        bound = _combine(context, operation, bound, right)
    return bound


def _combine(context: Context, node: exp.SetOperation, left: Bound, right: Bound) -> Bound:
    handled = ("this", "expression", "distinct", "by_name", "with_", *_ON_TOP)
    name = type(node).__name__
    context.source.check_args(node, handled, name.upper())
    every = not node.args.get("distinct")
    if node.args.get("by_name"):
        if not isinstance(node, exp.Union):
            context.source.refuse(f"{name.upper()} BY NAME", node, word="by name")
        left, right = _by_name(context, left, right)
    if len(left.outputs) != len(right.outputs):
        raise context.source.error(
            f"{name.upper()} needs equally many columns on both sides, not "
            f"{len(left.outputs)} and {len(right.outputs)}",
            node.expression,
        )
    with context.source.at(node.expression):
        left, right = _comparable(left, right)
        if isinstance(node, exp.Union):
            plan = builder.union([left.plan, right.plan])
            plan = plan if every else builder.distinct(plan)
        else:
            plan = builder.set_operation(left.plan, right.plan, name.lower(), every=every)
    return _with_types(left, plan)


def _comparable(left: Bound, right: Bound) -> tuple[Bound, Bound]:
    """Strings beside something else make the column a string."""
    pairs = list(zip(left.outputs, right.outputs, strict=True))
    mixed = [t.is_string(a.column.dtype) != t.is_string(b.column.dtype) for a, b in pairs]
    known = [t.NULL not in (a.column.dtype, b.column.dtype) for a, b in pairs]
    to_string = [m and k for m, k in zip(mixed, known, strict=True)]
    if not any(to_string):
        return left, right
    sides = []
    for bound in (left, right):
        columns = [
            (o.column.name, builder.cast(o.column, t.STRING) if cast else o.column)
            for o, cast in zip(bound.outputs, to_string, strict=True)
        ]
        plan = builder.project(bound.plan, columns)
        sides.append(_with_types(Bound(plan, bound.outputs), plan))
    return sides[0], sides[1]


def _with_types(bound: Bound, plan: LogicalPlan) -> Bound:
    outputs = [
        Output(o.name, Column(field.name, field.type))
        for o, field in zip(bound.outputs, plan.schema, strict=True)
    ]
    return Bound(plan, tuple(outputs))


def _by_name(context: Context, left: Bound, right: Bound) -> tuple[Bound, Bound]:
    """Both sides with the columns of either, missing ones NULL."""
    mine = {o.name.casefold(): o for o in left.outputs}
    theirs = {o.name.casefold(): o for o in right.outputs}
    outputs = [*left.outputs, *(o for key, o in theirs.items() if key not in mine)]
    sides = []
    for bound, have in ((left, mine), (right, theirs)):
        columns: list[tuple[str, Expr]] = []
        for output in outputs:
            found = have.get(output.name.casefold())
            expr: Expr = Literal(None, t.NULL) if found is None else found.column
            columns.append((output.column.name, expr))
        plan = builder.project(bound.plan, columns)
        sides.append(_with_types(Bound(plan, tuple(outputs)), plan))
    return sides[0], sides[1]


# --------------------------------------------------------------------------- VALUES, ORDER BY


def _values(
    context: Context, node: exp.Values, parent: Scope | None, tables: CommonTables, root: bool
) -> Bound:
    handled = ("expressions", "alias", "with_", *_ON_TOP)
    context.source.check_args(node, handled, "VALUES")
    binder = Binder(context, Scope(Visible(), parent), tables, Clause("VALUES"))
    rows = []
    for row in node.expressions:
        parts = row.expressions if isinstance(row, exp.Tuple) else [row]
        rows.append(binder.bind_all(parts))
        if len(parts) != len(rows[0]):
            raise context.source.error(
                f"This row of VALUES has {len(parts)} values, the first has {len(rows[0])}", row
            )
    shown = [f"col{i}" for i in range(len(rows[0]))]
    names = shown if root else [context.names.fresh(n) for n in shown]
    with context.source.at(node):
        types = [unify([row[i] for row in rows], "VALUES") for i in range(len(rows[0]))]
        rows = [[builder.coerce(e, ty) for e, ty in zip(r, types, strict=True)] for r in rows]
        plan = builder.values(names, rows, origin=context.source.origin(node, "values"))
    outputs = [Output(n, Column(f.name, f.type)) for n, f in zip(shown, plan.schema, strict=True)]
    return Bound(plan, tuple(outputs))


def _on_top(
    context: Context,
    node: exp.Expr,
    bound: Bound,
    parent: Scope | None,
    tables: CommonTables,
) -> Bound:
    """ORDER BY, LIMIT and OFFSET of a query whose columns have only their result names."""
    plan = bound.plan
    hidden: list[tuple[str, Expr]] = []
    order = node.args.get("order")
    if order is not None:
        context.source.check_args(order, ("expressions",), "ORDER BY")
        entries = tuple(Entry(o.name, o.column) for o in bound.outputs)
        binder = Binder(context, Scope(Visible((), entries), parent), tables, Clause("ORDER BY"))
        names = _branch_names(node)
        keys: list[SortKey] = []
        for ordered in order.expressions:
            keys += _sort_keys(binder, ordered, bound.outputs, names, hidden)
        if hidden:
            plan = builder.with_columns(plan, hidden)
        plan = builder.sort(plan, keys, origin=context.source.origin(order, "order by"))
    plan = apply_limit(context, node, plan)
    if hidden:
        plan = builder.select(plan, [o.column.name for o in bound.outputs])
    return replace(bound, plan=plan)


def _branch_names(node: exp.Expr) -> list[dict[str, int]]:
    """Aliases of the further branches of a set operation, which ORDER BY may use too."""
    found = []
    while isinstance(node, exp.SetOperation):
        right = node.expression
        if isinstance(right, exp.Select):
            found.append(
                {
                    e.alias.casefold(): i
                    for i, e in enumerate(right.expressions)
                    if isinstance(e, exp.Alias)
                }
            )
        node = node.this
    return found


def _sort_keys(
    binder: Binder,
    ordered: exp.Expr,
    outputs: Sequence[Output],
    branches: Sequence[dict[str, int]],
    hidden: list[tuple[str, Expr]],
) -> list[SortKey]:
    node, desc, nulls = ordered, False, False
    if isinstance(ordered, exp.Ordered):
        check_ordered(binder, ordered)
        node = ordered.this
        desc, nulls = (bool(ordered.args.get(key)) for key in ("desc", "nulls_first"))
    if isinstance(node, exp.Var) and node.name.upper() == "ALL":
        return [SortKey(o.column, desc, nulls) for o in outputs]
    if isinstance(node, exp.Literal):
        text = str(node.this)
        if not text.isdigit():
            raise binder.source.error("ORDER BY a constant has no effect", node)
        if not 1 <= int(text) <= len(outputs):
            raise binder.source.error(f"ORDER BY {text}: there are {len(outputs)} columns", node)
        return [SortKey(outputs[int(text) - 1].column, desc, nulls)]
    if isinstance(node, exp.Column) and len(node.parts) == 1 and not binder.scope.bare(node.name):
        for names in branches:
            index = names.get(node.name.casefold())
            if index is not None:
                return [SortKey(outputs[index].column, desc, nulls)]
    expr = binder.bind(node)
    if isinstance(expr, Column):
        return [SortKey(expr, desc, nulls)]
    name = binder.context.names.fresh("#order")
    hidden.append((name, expr))
    return [SortKey(Column(name, expr.dtype), desc, nulls)]
