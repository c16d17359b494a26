"""Subquery expressions become joins; afterwards no plan stands inside an expression.

    WHERE EXISTS (...), x IN (...)          semi join
    WHERE NOT EXISTS (...)                  anti join
    WHERE x NOT IN (...)                    anti join with `in_keys`: NULL is unknown
    either of them anywhere else            mark join, and its column in the expression
    a scalar subquery                       single join (raises on a second row); left join if it
                                            can't give more than one row, cross join if it always
                                            gives exactly one
    x < ANY (...), x >= ALL (...)           scalar subqueries of min, max and counts
    a join whose right side reads its left  inner or left join (LATERAL)

Innermost subqueries go first. What one reads from queries further out stays an outer column, to be
resolved when that level's turn comes. How the correlation is taken out of the subquery's plan:
`pull_up` for the usual forms, `dependent_join` for all others. The count bug (in Kim's plans the
count of nothing was NULL, not 0) is met by `Pulled.empty`.
"""

from __future__ import annotations

from dataclasses import replace

from plait.errors import PlanError
from plait.planner import types as t
from plait.planner.expr import Call, Column, Expr, Literal, conjunction, conjuncts, substitute
from plait.planner.logical import (
    Aggregate,
    Filter,
    Join,
    LogicalPlan,
    Project,
    Sort,
    Union,
    Values,
    Window,
)
from plait.planner.optimizer.outer_columns import FreshNames, outer_columns, outer_of, reads_outer
from plait.planner.optimizer.rewriting import all_columns, filtered, has_subquery, keep_schema
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.subquery_joins import SubqueryJoins
from plait.planner.predicates import references
from plait.planner.subquery import SUBQUERIES, Exists, InSubquery, OuterColumn


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    correlated = bool(outer_columns(plan))
    if not correlated and not any(
        has_subquery(e) for node in plan.walk() for e in node.expressions()
    ):
        return plan
    after = _Decorrelation(FreshNames(plan)).plan(plan)
    left_over = outer_columns(after)
    if left_over:
        names = ", ".join(sorted(o.name for o in left_over))
        raise PlanError(f"No query around the subquery has the columns {names}")
    return after


class _Decorrelation:
    def __init__(self, names: FreshNames) -> None:
        self.names = names
        self.joins = SubqueryJoins(names)

    def plan(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan without subquery expressions; its free outer columns stay."""
        plan = plan.map_children(self.plan)
        if isinstance(plan, Join) and reads_outer(plan.right, frozenset(plan.left.schema.names)):
            return self._lateral(plan)
        if not any(has_subquery(e) for e in plan.expressions()):
            return plan
        plan = plan.map_expressions(self._inner_first)
        match plan:
            case Filter():
                return self._filter(plan)
            case Project() | Aggregate():
                return self._computed(plan)
            case Window() | Sort():
                return keep_schema(self._computed(plan), plan.schema)
            case Join():
                return self._join(plan)
            case Values():
                return self._values(plan)
        raise PlanError(f"A subquery cannot stand here: {plan.label()}")

    def _inner_first(self, e: Expr) -> Expr:
        """Rid the plans of an expression's subqueries of their own subqueries."""
        if not has_subquery(e):
            return e
        e = e.map_children(self._inner_first)
        return e.map_nodes_of(LogicalPlan, self.plan) if isinstance(e, SUBQUERIES) else e

    def _filter(self, plan: Filter) -> LogicalPlan:
        parts = conjuncts(plan.predicate)
        # the cheap conditions first: they make the domain of the others smaller
        base = filtered(plan.input, [p for p in parts if not has_subquery(p)])
        late: list[Expr] = []
        for part in parts:
            if not has_subquery(part):
                continue
            match part:
                case Exists() | InSubquery():
                    base, rest = self.joins.semi(base, part, negated=False)
                case Call("not", (Exists() | InSubquery() as inner,)):
                    base, rest = self.joins.semi(base, inner, negated=True)
                case _:
                    base, rest = self.joins.attach(base, part)
            if rest is not None:
                late.append(rest)
        return keep_schema(filtered(base, late), plan.schema)

    def _computed(self, plan: Project | Aggregate | Window | Sort) -> LogicalPlan:
        """Join what the node's expressions need to its input."""
        base = plan.input

        def attach(e: Expr) -> Expr:
            nonlocal base
            base, after = self.joins.attach(base, e)
            return after

        after = plan.map_expressions(attach)
        return replace(after, input=base)  # type: ignore[no-any-return]

    def _values(self, plan: Values) -> LogicalPlan:
        names = plan.schema.names
        rows: list[LogicalPlan] = [
            self.plan(Project(Values((), ((),)), tuple(zip(names, row, strict=True))))
            for row in plan.rows
        ]
        return rows[0] if len(rows) == 1 else Union(tuple(rows))

    def _lateral(self, plan: Join) -> LogicalPlan:
        """A join whose right side is another for each left row.

        The condition of a left join belongs to the right side then, and may hold subqueries there.
        """
        left, right = plan.left, plan.right
        if plan.condition is None:
            return self.joins.lateral(left, right, outer=plan.kind == "left")
        if plan.kind != "left":
            pairs = self.joins.lateral(left, right, outer=False)
            return self.plan(Filter(pairs, plan.condition, origin=plan.origin))
        mine = {f.name: OuterColumn(f.name, f.type) for f in left.schema}
        matching = self.plan(Filter(right, substitute(plan.condition, mine)))
        return self.joins.lateral(left, matching, outer=True)

    # ----------------------------------------------------------------------- in join conditions

    def _join(self, plan: Join) -> LogicalPlan:
        if plan.kind in ("inner", "cross"):
            apart = Join(plan.left, plan.right, "cross", origin=plan.origin)
            return self._filter(Filter(apart, plan.condition or conjunction(())))
        left, right = plan.left, plan.right
        parts = list(conjuncts(plan.condition))
        for i, part in enumerate(parts):
            if not has_subquery(part):
                continue
            reads = _free_names(part)
            if not any(n in right.schema for n in reads):
                left, parts[i] = self.joins.attach(left, part)
            elif not any(n in left.schema for n in reads):
                right, parts[i] = self.joins.attach(right, part)
            else:
                return self._matched_first(plan)
        joined = replace(plan, left=left, right=right, condition=conjunction(parts))
        return keep_schema(joined, plan.schema)

    def _matched_first(self, plan: Join) -> LogicalPlan:
        """A subquery in the ON of an outer join that reads both sides.

        The pairs that match are found by a filter over all pairs of distinct left rows with right
        rows, and then joined to the left rows by equality.
        """
        left, right, kind = plan.left, plan.right, plan.kind
        if kind == "right":
            swapped = replace(plan, left=right, right=left, kind="left")
            return keep_schema(self._join(swapped), plan.schema)
        if kind == "full":
            return self._full(plan)
        pairs, copies = self._pairs(plan)
        if kind in ("left", "single"):
            joined: LogicalPlan = replace(plan, right=pairs, condition=copies)
            return keep_schema(joined, plan.schema)
        return replace(plan, right=pairs, condition=copies)

    def _pairs(self, plan: Join) -> tuple[LogicalPlan, Expr]:
        """The matching pairs, left columns renamed, and that they equal the left columns."""
        left, right = plan.left, plan.right
        distinct = Aggregate(left, all_columns(left.schema), ())
        cross = Join(distinct, right, "cross")
        assert plan.condition is not None
        found = self._filter(Filter(cross, plan.condition))
        renamed = [(self.names.fresh(n), e) for n, e in all_columns(left.schema)]
        pairs = Project(found, (*renamed, *all_columns(right.schema)))
        copies = conjunction(
            Call("is_not_distinct", (e, Column(name, e.dtype)), t.BOOL) for name, e in renamed
        )
        return pairs, copies

    def _full(self, plan: Join) -> LogicalPlan:
        """Left rows with their matches, then the right rows that no left row matches."""
        first = self._matched_first(replace(plan, kind="left"))
        swapped = replace(plan, left=plan.right, right=plan.left, kind="anti", in_keys=())
        alone = self._matched_first(swapped)
        padded = tuple(
            (f.name, e if f.name in plan.right.schema else Literal(None, f.type))
            for f, (_, e) in zip(plan.schema, all_columns(plan.schema), strict=True)
        )
        return Union((first, Project(alone, padded)))


def _free_names(part: Expr) -> set[str]:
    """The columns of this level that a condition reads, inside its subqueries too."""
    return {o.name for o in outer_of(part)} | references(part)


DECORRELATE = Rule("decorrelate", rewrite, required=True)
