"""One subquery expression at a time, joined to the plan whose rows it is computed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import (
    FALSE,
    TRUE,
    AggregateCall,
    Call,
    Case,
    Column,
    Expr,
    Literal,
    conjunction,
    substitute,
)
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    Sort,
    Values,
    Window,
)
from plait.planner.optimizer.dependent_join import dependent
from plait.planner.optimizer.outer_columns import (
    FreshNames,
    reads_outer,
    with_outer,
)
from plait.planner.optimizer.pull_up import Pulled, pull_up
from plait.planner.optimizer.rewriting import all_columns, has_subquery
from plait.planner.optimizer.simplify_expressions import simplify
from plait.planner.predicates import NEGATED
from plait.planner.subquery import Exists, InSubquery, Quantified, ScalarSubquery

Attached = tuple[LogicalPlan, Expr]


@dataclass
class SubqueryJoins:
    """Makes the joins; `names` gives out names for the columns that they add."""

    names: FreshNames

    def attach(self, base: LogicalPlan, e: Expr) -> Attached:
        """`e` over `base` with more columns, for the subqueries that it held."""
        if not has_subquery(e):
            return base, e

        def below(child: Expr) -> Expr:
            nonlocal base
            base, after = self.attach(base, child)
            return after

        e = e.map_children(below)
        match e:
            case ScalarSubquery():
                return self._scalar(base, e)
            case Exists():
                return self._mark(base, e)
            case InSubquery():
                return self._in_value(base, e)
            case Quantified():
                return self._quantified(base, e)
        return base, e

    def semi(
        self, base: LogicalPlan, e: Exists | InSubquery, *, negated: bool
    ) -> tuple[LogicalPlan, Expr | None]:
        """Only the rows of `base` for which a condition holds; or the condition is still to do."""
        if isinstance(e, Exists):
            return self._exists(base, e, negated)
        values = []
        for value in e.values:
            base, after = self.attach(base, value)
            values.append(after)
        if one_row_always(e.plan):
            base, same = self._in_value(base, replace(e, values=tuple(values)))
            return base, simplify(Call("not", (same,), t.BOOL)) if negated else same
        pulled = self._pull(base, _any_order(e.plan))
        condition = _condition(base, pulled)
        columns = [_filled(pulled.column(n), base) for n in e.plan.schema.names]
        if negated:
            if pulled.deferred:
                pulled = self._without_deferred(base, e.plan)
                condition = _condition(base, pulled)
                columns = [pulled.column(n) for n in e.plan.schema.names]
            keys = tuple(zip(values, columns, strict=True))
            return Join(base, pulled.plan, "anti", _or_none(condition), in_keys=keys), None
        same_parts = [_equal(v, c) for v, c in zip(values, columns, strict=True)]
        whole = conjunction([*same_parts, *condition])
        return Join(base, pulled.plan, "semi", whole), None

    def lateral(self, base: LogicalPlan, plan: LogicalPlan, *, outer: bool) -> LogicalPlan:
        """Every row of `base` with the rows that `plan` has for it; `outer`: or with NULLs."""
        kept = all_columns(base.schema)
        if one_row_always(plan):
            base, found = self._one_row(base, plan)
            return Project(base, (*kept, *found.items()))
        pulled = self._pull(base, plan)
        if outer and pulled.deferred:
            pulled = self._without_deferred(base, plan)
        condition = _condition(base, pulled)
        kind = "left" if outer else "inner" if condition else "cross"
        joined = Join(base, pulled.plan, kind, _or_none(condition))
        columns = tuple((n, _filled(pulled.column(n), base)) for n in plan.schema.names)
        return Project(joined, (*kept, *columns))

    # -------------------------------------------------------------------------------- the kinds

    def _exists(
        self, base: LogicalPlan, e: Exists, negated: bool
    ) -> tuple[LogicalPlan, Expr | None]:
        plan = _for_existence(e.plan)
        if one_row_always(plan):
            return base, FALSE if negated else None
        pulled = self._pull(base, plan)
        if pulled.empty is not None:
            return base, FALSE if negated else None
        condition = _condition(base, pulled)
        right = pulled.plan
        if not condition:
            right = Limit(right, 1)
        kind = "anti" if negated else "semi"
        return Join(base, right, kind, _or_none(condition)), None

    def _mark(self, base: LogicalPlan, e: Exists) -> Attached:
        plan = _for_existence(e.plan)
        if one_row_always(plan):
            return base, TRUE
        pulled = self._pull(base, plan)
        if pulled.empty is not None:
            return base, TRUE
        condition = _condition(base, pulled)
        right = pulled.plan if condition else Limit(pulled.plan, 1)
        mark = Column(self.names.fresh("exists"), t.BOOL)
        return Join(base, right, "mark", _or_none(condition), mark.name), mark

    def _in_value(self, base: LogicalPlan, e: InSubquery) -> Attached:
        """IN as a value in three-valued logic."""
        if one_row_always(e.plan):
            base, found = self._one_row(base, e.plan)
            same = [_equal(v, found[n]) for v, n in zip(e.values, found, strict=True)]
            return base, conjunction(same)
        pulled = self._pull(base, _any_order(e.plan))
        if pulled.deferred:
            pulled = self._without_deferred(base, e.plan)
        condition = _condition(base, pulled)
        columns = [pulled.column(n) for n in e.plan.schema.names]
        mark = Column(self.names.fresh("in"), t.BOOL)
        keys = tuple(zip(e.values, columns, strict=True))
        joined = Join(base, pulled.plan, "mark", _or_none(condition), mark.name, keys)
        return joined, mark

    def _scalar(self, base: LogicalPlan, e: ScalarSubquery) -> Attached:
        base, found = self._one_row(base, e.plan)
        (value,) = found.values()
        return base, value

    def _one_row(
        self, base: LogicalPlan, plan: LogicalPlan
    ) -> tuple[LogicalPlan, Mapping[str, Expr]]:
        """The columns of the one row of a subquery; NULL where it has none."""
        columns = plan.schema.names
        correlated = reads_outer(plan, frozenset(base.schema.names))
        always = one_row_always(plan)
        at_most = always or _one_row_at_most(plan)
        pulled = self._pull(base, plan)
        condition = _condition(base, pulled)
        if not correlated:
            kind = "cross" if always else "left" if at_most else "single"
        elif pulled.empty is None and always:
            # by the domain, which has all rows of `base`; or nothing but values is correlated
            kind = "inner" if condition else "cross"
        else:
            kind = "left" if pulled.empty is not None or at_most else "single"
        right = pulled.plan
        marker: Column | None = None
        if pulled.deferred and pulled.empty is None and kind in ("left", "single"):
            marker = Column(self.names.fresh("found"), t.BOOL)
            kept = tuple((f.name, Column(f.name, f.type)) for f in right.schema)
            right = Project(right, (*kept, (marker.name, TRUE)))
        joined = Join(base, right, kind, _or_none(condition))
        empty = {
            name: Call("coalesce", (Column(name, value.dtype), value), value.dtype)
            for name, value in (pulled.empty or {}).items()
        }
        values: dict[str, Expr] = {}
        for name in columns:
            value = _filled(substitute(pulled.column(name), empty), base)
            if marker is not None and name in pulled.deferred:
                value = Case(((marker, value),), Literal(None, value.dtype), value.dtype)
            values[name] = value
        return joined, values

    def _quantified(self, base: LogicalPlan, e: Quantified) -> Attached:
        """A comparison with all or any values, by their extremes and counts.

        ANY is true if it holds for the most favourable value; else unknown if a value (or the
        compared one) is NULL and there are values at all; else false. ALL is the dual.
        """
        if not e.every and e.op == "equal":
            return self._in_value(base, InSubquery((e.value,), e.plan))
        if e.every and e.op == "not_equal":
            base, found = self._in_value(base, InSubquery((e.value,), e.plan))
            return base, simplify(Call("not", (found,), t.BOOL))
        (column,) = e.plan.schema.fields
        value = Column(column.name, column.type)
        rows, known, low, high = (self.names.fresh(n) for n in ("rows", "known", "low", "high"))
        summary = Aggregate(
            e.plan,
            (),
            (
                (rows, AggregateCall("count", (), t.INT64)),
                (known, AggregateCall("count", (value,), t.INT64)),
                (low, AggregateCall("min", (value,), value.dtype)),
                (high, AggregateCall("max", (value,), value.dtype)),
            ),
        )
        base, found_row = self._one_row(base, summary)
        smallest, largest = found_row[low], found_row[high]
        decided = _decided(e, smallest, largest)
        none = Call("equal", (found_row[rows], Literal(0, t.INT64)), t.BOOL)
        unknown = Call(
            "or",
            (
                Call("is_null", (e.value,), t.BOOL),
                Call("less", (found_row[known], found_row[rows]), t.BOOL),
            ),
            t.BOOL,
        )
        yes, no = (FALSE, TRUE) if e.every else (TRUE, FALSE)
        return base, Case(
            ((none, no), (decided, yes), (unknown, Literal(None, t.BOOL))), no, t.BOOL
        )

    # ------------------------------------------------------------------------------------ parts

    def _pull(self, base: LogicalPlan, plan: LogicalPlan) -> Pulled:
        outer = frozenset(base.schema.names)
        if not reads_outer(plan, outer):
            return self._apart(base, Pulled(plan))
        pulled = pull_up(plan, outer, self.names) or dependent(base, plan, self.names)
        return self._apart(base, pulled)

    def _without_deferred(self, base: LogicalPlan, plan: LogicalPlan) -> Pulled:
        """By the domain, for joins that need the subquery's columns on its own side."""
        return self._apart(base, dependent(base, plan, self.names))

    def _apart(self, base: LogicalPlan, pulled: Pulled) -> Pulled:
        """Rename the subquery's columns that `base` has too."""
        clash = [f for f in pulled.plan.schema if f.name in base.schema]
        if not clash:
            return pulled
        new = {f.name: Column(self.names.fresh(f.name), f.type) for f in clash}
        columns = tuple(
            (new[f.name].name if f.name in new else f.name, Column(f.name, f.type))
            for f in pulled.plan.schema
        )
        empty = pulled.empty
        if empty is not None:
            empty = {(new[n].name if n in new else n): e for n, e in empty.items()}
        return Pulled(
            Project(pulled.plan, columns),
            tuple(substitute(p, new) for p in pulled.predicates),
            {n: substitute(e, new) for n, e in pulled.deferred.items()},
            empty,
            {n: c.name for n, c in new.items()},
        )


def _condition(base: LogicalPlan, pulled: Pulled) -> list[Expr]:
    """The join condition's parts: outer columns are the columns of `base` now."""
    return [_filled(p, base) for p in pulled.predicates]


def _filled(e: Expr, base: LogicalPlan) -> Expr:
    """The expression with the outer columns that `base` has as its columns."""
    mine = {f.name: Column(f.name, f.type) for f in base.schema}
    filled: Expr = with_outer(e, mine)
    return filled


def _or_none(parts: list[Expr]) -> Expr | None:
    return conjunction(parts) if parts else None


def _equal(a: Expr, b: Expr) -> Expr:
    return builder.call("equal", a, b)


def _decided(e: Quantified, smallest: Expr, largest: Expr) -> Expr:
    """Whether the value that decides is there: one that holds (ANY), one that does not (ALL)."""
    function = e.op
    if e.every:
        function = NEGATED[e.op]
    if function == "not_equal":
        return Call(
            "or",
            (
                builder.call("not_equal", e.value, smallest),
                builder.call("not_equal", e.value, largest),
            ),
            t.BOOL,
        )
    extreme = smallest if function in ("greater", "greater_equal") else largest
    return builder.call(function, e.value, extreme)


def _any_order(plan: LogicalPlan) -> LogicalPlan:
    """The plan without an ORDER BY on top."""
    while isinstance(plan, Sort) and plan.limit is None:
        plan = plan.input
    return plan


def _for_existence(plan: LogicalPlan) -> LogicalPlan:
    """A plan that has a row exactly when `plan` has one."""
    match plan:
        case Sort(input=below, limit=n) if n is None or n > 0:
            return _for_existence(below)
        case Limit(input=below, count=n, offset=0) if n is None or n > 0:
            return _for_existence(below)
        case Distinct(input=below, keep="first" | "last"):
            return _for_existence(below)
        case Project(input=below) | Window(input=below):
            return _for_existence(below)
        case Aggregate(input=below, keys=keys) if keys:
            return _for_existence(below)
    return plan


def one_row_always(plan: LogicalPlan) -> bool:
    """Whether a plan gives exactly one row whatever the data."""
    match plan:
        case Aggregate(keys=()):
            return True
        case Values(rows=rows):
            return len(rows) == 1
        case Project(input=below) | Sort(input=below, limit=None) | Window(input=below):
            return one_row_always(below)
        case Limit(input=below, count=n, offset=0):
            return (n is None or n > 0) and one_row_always(below)
        case Join(left=left, right=right, kind="cross"):
            return one_row_always(left) and one_row_always(right)
    return False


def _one_row_at_most(plan: LogicalPlan) -> bool:
    match plan:
        case Limit(count=int(n)) | Sort(limit=int(n)):
            return n <= 1
        case Project(input=below) | Filter(input=below) | Sort(input=below):
            return _one_row_at_most(below)
    return one_row_always(plan)
