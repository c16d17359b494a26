"""Aggregate functions: arguments, DISTINCT, ORDER BY, FILTER, WITHIN GROUP."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import AggregateCall, Column, Expr, Literal, SortKey, text
from plait.planner.functions import registry
from plait.planner.sql.binder import Binder, Clause, Handler, describe
from plait.planner.sql.functions import AGGREGATES, unlisted
from plait.planner.sql.scope import Scope
from plait.planner.subquery import SUBQUERIES, OuterColumn

INSIDE = Clause("an aggregate")


@dataclass(frozen=True)
class Parts:
    """An aggregate call taken apart: the nodes of its arguments and clauses."""

    name: str
    args: tuple[exp.Expr, ...]
    distinct: bool = False
    order: tuple[exp.Expr, ...] = ()
    filter: exp.Expr | None = None
    ignore_nulls: bool = False


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node is a call of an aggregate function."""
    if isinstance(node, exp.Filter | exp.WithinGroup | exp.IgnoreNulls):
        return is_aggregate(node.this)
    if type(node) in AGGREGATES:
        return True
    if not isinstance(node, exp.Func):
        return False
    name = unlisted(node)
    return name is not None and registry.is_aggregate(name)


def aggregate(b: Binder, node: exp.Expr) -> Expr:
    """An aggregate call, to be taken out of its expression by `lifting`."""
    parts = take_apart(b, node)
    args, keys, condition = bind_parts(b.inside(INSIDE), parts)
    with b.source.at(node):
        call = builder.aggregate_call(
            parts.name, args, distinct=parts.distinct, filter=condition, order_by=keys
        )
    if parts.ignore_nulls and call.function != "any_value":
        b.source.refuse(f"IGNORE NULLS in {call.function} without OVER", node)
    owner = _owner(b, call)
    if owner is not None:
        return _of_outer_query(b, owner, call, node)
    if b.clause is INSIDE:
        raise b.source.error("An aggregate cannot be inside another aggregate", node)
    if not b.clause.aggregates:
        reason = f"; {b.clause.reason}" if b.clause.reason else ""
        raise b.source.error(f"An aggregate is not allowed in {b.clause.name}{reason}", node)
    return call


def _owner(b: Binder, call: AggregateCall) -> Scope | None:
    """The outer query that an aggregate of nothing but its columns belongs to."""
    outer = {e.name for e in call.walk() if isinstance(e, OuterColumn)}
    if not outer or any(isinstance(e, Column) for e in call.walk()):
        return None
    scope = b.scope.parent
    while scope is not None and not outer & scope.plan_names():
        scope = scope.parent
    return scope


def _of_outer_query(b: Binder, owner: Scope, call: AggregateCall, node: exp.Expr) -> Expr:
    """The outer query computes it; here it is one of that query's columns."""
    if owner.aggregates is None:
        raise b.source.error(
            "This is an aggregate of the outer query, which allows none where the subquery stands",
            node,
        )
    names = owner.plan_names()

    def lower(e: Expr) -> Expr:
        if isinstance(e, SUBQUERIES):
            b.source.refuse("A subquery inside an aggregate of the outer query", node)
        if isinstance(e, OuterColumn) and e.name in names:
            return Column(e.name, e.dtype)
        return e

    mine: AggregateCall = call.transform_up(lower)
    name = owner.aggregates.get(mine)
    if name is None:
        name = b.context.names.fresh(text(mine))
        owner.aggregates[mine] = name
    return OuterColumn(name, mine.dtype)


def bind_parts(b: Binder, parts: Parts) -> tuple[list[Expr], list[SortKey], Expr | None]:
    """Arguments, ordering and filter of a call, bound."""
    args = b.bind_all(parts.args)
    keys = [sort_key(b, o) for o in parts.order]
    condition = None if parts.filter is None else b.boolean(parts.filter, "FILTER")
    return args, keys, condition


def sort_key(b: Binder, node: exp.Expr) -> SortKey:
    """One key of an ORDER BY inside a call or a window."""
    if not isinstance(node, exp.Ordered):
        return SortKey(b.bind(node))
    check_ordered(b, node)
    expr = b.bind(node.this)
    return SortKey(expr, bool(node.args.get("desc")), bool(node.args.get("nulls_first")))


def check_ordered(b: Binder, node: exp.Ordered) -> None:
    """Refuse what ORDER BY keys may have beside direction and place of NULLs."""
    b.source.check_args(node, ("this", "desc", "nulls_first"), "ORDER BY")


def take_apart(b: Binder, node: exp.Expr) -> Parts:
    """The parts of an aggregate call, wherever sqlglot has put them."""
    match node:
        case exp.Filter():
            condition = node.expression
            condition = condition.this if isinstance(condition, exp.Where) else condition
            return replace(take_apart(b, node.this), filter=condition)
        case exp.IgnoreNulls():
            return replace(take_apart(b, node.this), ignore_nulls=True)
        case exp.RespectNulls():
            return take_apart(b, node.this)
        case exp.WithinGroup():
            return _within_group(b, node)
    return _call_parts(b, node)


def _call_parts(b: Binder, node: exp.Expr) -> Parts:
    signature = AGGREGATES.get(type(node))
    if signature is None:
        name = unlisted(node) if isinstance(node, exp.Func) else None
        if name is None:
            b.source.refuse(describe(node), node)
        nodes = list(node.expressions) if isinstance(node, exp.Anonymous) else [node.this]
        return _unwrap(b, Parts(name, tuple(n for n in nodes if n is not None)))
    if node.args.get("count") is not None:
        b.source.refuse(
            f"{signature.name} of several values", node.args["count"], "use list(x ORDER BY y)[1:n]"
        )
    b.source.check_args(node, {*signature.keys, *signature.mute}, describe(node))
    nodes = [node.args[key] for key in signature.keys if node.args.get(key) is not None]
    if isinstance(node, exp.Count) and nodes and isinstance(nodes[0], exp.Star):
        b.source.check_args(nodes[0], (), "count(*)")
        nodes = []
    return _unwrap(b, Parts(signature.name, tuple(nodes)))


def _unwrap(b: Binder, parts: Parts) -> Parts:
    """DISTINCT and ORDER BY are wrapped around an argument, mostly the first or the last."""
    args: list[exp.Expr] = []
    for given in parts.args:
        arg = given
        while isinstance(arg, exp.Distinct | exp.Order | exp.IgnoreNulls | exp.RespectNulls):
            if isinstance(arg, exp.Order):
                parts = replace(parts, order=tuple(arg.expressions))
                arg = arg.this
            elif isinstance(arg, exp.Distinct):
                b.source.check_args(arg, ("expressions",), "DISTINCT")
                if len(arg.expressions) != 1:
                    b.source.refuse("DISTINCT over several arguments", arg)
                parts = replace(parts, distinct=True)
                arg = arg.expressions[0]
            else:
                parts = replace(parts, ignore_nulls=isinstance(arg, exp.IgnoreNulls))
                arg = arg.this
        if isinstance(arg, exp.Limit | exp.HavingMax):
            b.source.refuse(f"{describe(arg)} inside {parts.name}", arg)
        args.append(arg)
    return replace(parts, args=tuple(args))


def _within_group(b: Binder, node: exp.WithinGroup) -> Parts:
    """percentile_cont(0.5) WITHIN GROUP (ORDER BY x) is quantile_cont(x, 0.5)."""
    parts = _call_parts(b, node.this)
    order = node.expression
    keys = order.expressions if isinstance(order, exp.Order) else []
    if len(keys) != 1 or not isinstance(keys[0], exp.Ordered):
        b.source.refuse("WITHIN GROUP with several keys", node)
    key = keys[0]
    check_ordered(b, key)
    if parts.name == "mode" and not parts.args:
        return replace(parts, args=(key.this,))
    if parts.name not in ("quantile_cont", "quantile_disc") or len(parts.args) != 1:
        if parts.name in ("string_agg", "array_agg"):
            return replace(parts, order=(key,))
        b.source.refuse(f"WITHIN GROUP after {parts.name}", node)
    if key.args.get("desc"):
        if parts.name != "quantile_cont":
            b.source.refuse("WITHIN GROUP (ORDER BY ... DESC)", node, "order ascending")
        one = exp.Literal.number(1)  # the middle of what is sorted the other way round
        return replace(parts, args=(key.this, exp.Sub(this=one, expression=parts.args[0])))
    return replace(parts, args=(key.this, parts.args[0]))


def constant_int(expr: Expr) -> int | None:
    """The value of a constant integer expression; None if it is none."""
    if isinstance(expr, Literal) and isinstance(expr.value, int) and t.is_integer(expr.dtype):
        return expr.value
    return None


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Filter: aggregate,
    exp.WithinGroup: aggregate,
    exp.IgnoreNulls: aggregate,
    exp.RespectNulls: aggregate,
}
