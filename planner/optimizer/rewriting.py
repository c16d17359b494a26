"""Ways through a plan that several rules share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from plait.planner.expr import Call, Column, Expr, chain, conjunction, conjuncts
from plait.planner.logical import (
    Filter,
    LogicalPlan,
    Named,
    Project,
    Scan,
    Values,
)
from plait.planner.schema import Schema
from plait.planner.subquery import SUBQUERIES


def map_all_expressions(plan: LogicalPlan, function: Callable[[Expr], Expr]) -> LogicalPlan:
    """The plan with `function` applied to every expression its nodes hold, leaves first.

    Constant rows (Values) are left out: they hold nothing to improve, and may be many.
    """
    plan = plan.map_children(lambda child: map_all_expressions(child, function))
    return plan if isinstance(plan, Values) else plan.map_expressions(function)


def balanced(plan: LogicalPlan) -> LogicalPlan:
    """The plan with its long chains of AND and OR as balanced trees, found without recursion."""
    plan = plan.map_children(balanced)
    return plan.map_expressions(_balanced)  # type: ignore[no-any-return]


def _balanced(e: Expr) -> Expr:
    if isinstance(e, Call) and e.function in ("and", "or"):
        parts: list[Expr] = []
        stack: list[Expr] = [e]
        while stack:
            part = stack.pop()
            if isinstance(part, Call) and part.function == e.function:
                stack.extend(reversed(part.args))
            else:
                parts.append(_balanced(part))
        return chain(e.function, parts) or e
    if isinstance(e, SUBQUERIES):
        e = e.map_nodes_of(LogicalPlan, balanced)
    return e.map_children(_balanced)  # type: ignore[no-any-return]


def has_subquery(expr: Expr) -> bool:
    """Whether an expression holds a plan, at any depth."""
    known = expr.__dict__.get("_has_subquery")
    if known is None:
        known = isinstance(expr, SUBQUERIES) or any(has_subquery(c) for c in expr.children())
        object.__setattr__(expr, "_has_subquery", known)
    return bool(known)


def all_columns(schema: Schema) -> tuple[Named, ...]:
    """Every column of a schema as itself, for a Project."""
    return tuple((f.name, Column(f.name, f.type)) for f in schema)


def keep_schema(plan: LogicalPlan, schema: Schema) -> LogicalPlan:
    """The plan with exactly these columns, in this order; the same object where it has them."""
    if plan.schema.names == schema.names:
        return plan
    return Project(plan, all_columns(schema))


def filtered(plan: LogicalPlan, parts: Sequence[Expr]) -> LogicalPlan:
    """The plan with a Filter of these conjuncts, merged into a Filter that is there already."""
    from_here = list(dict.fromkeys(parts))
    if not from_here:
        return plan
    if isinstance(plan, Filter):
        have = conjuncts(plan.predicate)
        new = [p for p in from_here if p not in have]
        return replace(plan, predicate=conjunction([*have, *new])) if new else plan
    return Filter(plan, conjunction(from_here))


def no_rows(schema: Schema) -> Values:
    """An empty relation with these columns."""
    return Values(schema.fields, ())


def is_empty(plan: LogicalPlan) -> bool:
    """Whether a plan is known to give no row."""
    return isinstance(plan, Values) and not plan.rows


def is_rename(columns: tuple[Named, ...]) -> bool:
    """Whether a projection only picks, orders and renames columns."""
    return all(isinstance(e, Column) for _, e in columns)


def is_whole_scan(plan: LogicalPlan) -> bool:
    """Whether nothing is computed: a scan, perhaps with columns renamed."""
    while isinstance(plan, Project) and is_rename(plan.columns):
        plan = plan.input
    return isinstance(plan, Scan)
