"""Correlated predicates taken out of a subquery, for its join with the query around it.

    SELECT ... FROM t WHERE t.k = outer.k AND t.x > 5
      ->  SELECT ..., t.k FROM t WHERE t.x > 5        to be joined on t.k = outer.k

A predicate rises through filters, projections and joins as it is. Through an aggregate, a DISTINCT,
a window or a LIMIT only an equality rises: its inner side becomes one more grouping (or partition)
key, for with the outer side fixed, there is one group in which the subquery would have worked.
These are the plans that decades of optimizers have made for the usual subqueries (Kim 1982, Dayal
1987). Where a predicate can't rise, `pull_up` gives None and `dependent_join` does it in general.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from plait.planner import types as t
from plait.planner.expr import (
    Call,
    Column,
    Expr,
    Literal,
    SortKey,
    WindowCall,
    conjunction,
    conjuncts,
    substitute,
)
from plait.planner.functions import registry
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Named,
    Project,
    Sort,
    Window,
)
from plait.planner.optimizer.outer_columns import FreshNames, outer_of, reads_outer
from plait.planner.optimizer.rewriting import all_columns, filtered
from plait.planner.predicates import references


@dataclass(frozen=True)
class Pulled:
    """A plan without the outer columns, and what was taken out of it.

    predicates   conditions over outer columns and columns of the plan
    deferred     output columns that read outer columns: to be computed after the join
    renamed      output columns that have another name in the plan
    empty        None, or the subquery gives one row always, also for outer rows without a match:
                 the values of its columns there (NULL for those that are not named)
    """

    plan: LogicalPlan
    predicates: tuple[Expr, ...] = ()
    deferred: Mapping[str, Expr] = field(default_factory=dict)
    empty: Mapping[str, Expr] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Expr:
        """An output column of the subquery, as an expression over the plan."""
        if name in self.deferred:
            return self.deferred[name]
        name = self.renamed.get(name, name)
        return Column(name, self.plan.schema[name].type)


def pull_up(plan: LogicalPlan, outer: frozenset[str], names: FreshNames) -> Pulled | None:
    """The plan without the outer columns named, or None where that is not so simple."""
    return _Puller(outer, names).pull(plan)


def over_no_rows(plan: Aggregate) -> dict[str, Expr]:
    """The aggregates that have another value than NULL over no rows."""
    return {
        name: Literal(0, call.dtype)
        for name, call in plan.aggregates
        if registry.aggregate(call.function).empty == "zero"
    }


@dataclass(frozen=True)
class _Puller:
    outer: frozenset[str]
    names: FreshNames

    def pull(self, plan: LogicalPlan) -> Pulled | None:
        if not reads_outer(plan, self.outer):
            return Pulled(plan)
        match plan:
            case Filter():
                return self._filter(plan)
            case Project():
                return self._project(plan)
            case Join():
                return self._join(plan)
            case Aggregate():
                return self._aggregate(plan)
            case Distinct():
                return self._distinct(plan)
            case Window():
                return self._window(plan)
            case Sort(limit=None):
                return self.pull(plan.input)  # the order of a subquery's rows means nothing
            case Sort() | Limit():
                return self._limit(plan)
        return None

    def _filter(self, plan: Filter) -> Pulled | None:
        below = self.pull(plan.input)
        if below is None or below.empty is not None:
            return None
        mine: list[Expr] = []
        risen = list(below.predicates)
        for part in conjuncts(substitute(plan.predicate, below.deferred)):
            (risen if reads_outer(part, self.outer) else mine).append(part)
        return replace(below, plan=filtered(below.plan, mine), predicates=tuple(risen))

    def _project(self, plan: Project) -> Pulled | None:
        below = self.pull(plan.input)
        if below is None:
            return None
        kept: list[Named] = []
        deferred: dict[str, Expr] = {}
        for name, e in plan.columns:
            e = substitute(e, below.deferred)
            # of a subquery that gives a row always, only plain columns can be computed before
            # it is known whether there is one
            late = reads_outer(e, self.outer)
            if late or (below.empty is not None and not isinstance(e, Column)):
                deferred[name] = e
            else:
                kept.append((name, e))
        needed = _references([*below.predicates, *deferred.values()])
        moved = self._passed(kept, deferred, needed, below.plan)
        empty = None
        if below.empty is not None:
            empty = {moved[n].name: e for n, e in below.empty.items() if n in moved}
            for name, e in kept:
                if isinstance(e, Column) and e.name in below.empty:
                    empty[name] = below.empty[e.name]
        return Pulled(
            Project(below.plan, tuple(kept), origin=plan.origin),
            tuple(substitute(p, moved) for p in below.predicates),
            {n: substitute(e, moved) for n, e in deferred.items()},
            empty,
        )

    def _passed(
        self, kept: list[Named], taken: Mapping[str, Expr], needed: set[str], below: LogicalPlan
    ) -> dict[str, Column]:
        """Add the needed columns of `below` to a projection; what each is called there."""
        have = {e.name: name for name, e in reversed(kept) if isinstance(e, Column)}
        used = {name for name, _ in kept} | set(taken)
        moved = {}
        for name in sorted(needed):
            dtype = below.schema[name].type
            if name not in have:
                have[name] = self.names.fresh(name) if name in used else name
                used.add(have[name])
                kept.append((have[name], Column(name, dtype)))
            moved[name] = Column(have[name], dtype)
        return moved

    def _join(self, plan: Join) -> Pulled | None:
        left = self.pull(plan.left)
        if left is None or left.empty is not None:
            return None
        if plan.kind not in ("inner", "cross"):
            return self._one_sided(plan, left)
        right = self.pull(plan.right)
        if right is None or right.empty is not None:
            return None
        right = self._apart(right, plan.right, left.plan)
        deferred = {**left.deferred, **right.deferred}
        mine: list[Expr] = []
        risen = [*left.predicates, *right.predicates]
        for part in conjuncts(plan.condition):
            part = substitute(part, deferred)
            (risen if reads_outer(part, self.outer) else mine).append(part)
        condition = conjunction(mine) if mine else None
        kind = "inner" if mine else "cross"
        joined = Join(left.plan, right.plan, kind, condition, origin=plan.origin)
        return Pulled(joined, tuple(risen), deferred)

    def _one_sided(self, plan: Join, left: Pulled) -> Pulled | None:
        """Joins that give every left row a fate of its own: what is left of them may rise."""
        if plan.kind not in ("left", "semi", "anti", "mark", "single"):
            return None
        own = [*conjuncts(plan.condition), *(e for pair in plan.in_keys for e in pair)]
        if reads_outer(plan.right, self.outer) or any(reads_outer(e, self.outer) for e in own):
            return None
        clash = set(left.plan.schema.names) & set(plan.right.schema.names)
        if clash or _references(own) & set(left.deferred):
            return None
        return replace(left, plan=replace(plan, left=left.plan))

    def _apart(self, pulled: Pulled, before: LogicalPlan, other: LogicalPlan) -> Pulled:
        """Rename columns that rose with predicates where the other side has their names."""
        clash = [
            f
            for f in pulled.plan.schema
            if f.name in other.schema and f.name not in before.schema.names
        ]
        if not clash:
            return pulled
        new = {f.name: Column(self.names.fresh(f.name), f.type) for f in clash}
        columns = tuple(
            (new[n].name if n in new else n, e) for n, e in all_columns(pulled.plan.schema)
        )
        return replace(
            pulled,
            plan=Project(pulled.plan, columns),
            predicates=tuple(substitute(p, new) for p in pulled.predicates),
            deferred={n: substitute(e, new) for n, e in pulled.deferred.items()},
        )

    # ------------------------------------------------------------------ what only keys rise from

    def _pinned(self, plan: LogicalPlan) -> tuple[Pulled, list[Column]] | None:
        """The input with its predicates as equalities of outer values and columns, and these."""
        below = self.pull(plan)
        if below is None or below.empty is not None or below.deferred:
            return None
        keys: dict[Expr, Column] = {}
        wanted = dict(all_columns(plan.schema))
        predicates: list[Expr] = []
        for p in below.predicates:
            if not references(p):
                predicates.append(p)  # of outer columns only
                continue
            sides = _equality(p)
            if sides is None:
                return None
            function, outside, inside = sides
            if inside not in keys:
                name = inside.name if isinstance(inside, Column) else self.names.fresh("key")
                keys[inside] = Column(name, inside.dtype)
                wanted.setdefault(name, inside)
            predicates.append(Call(function, (outside, keys[inside]), t.BOOL))
        inner = below.plan
        if set(wanted) != set(inner.schema.names):
            inner = Project(inner, tuple(wanted.items()))
        return Pulled(inner, tuple(predicates)), list(keys.values())

    def _aggregate(self, plan: Aggregate) -> Pulled | None:
        held = [e for _, e in (*plan.keys, *plan.aggregates)]
        if any(reads_outer(e, self.outer) for e in held):
            return None
        pinned = self._pinned(plan.input)
        if pinned is None:
            return None
        below, columns = pinned
        keys = list(plan.keys)
        used = set(plan.schema.names)
        moved = {}
        for column in columns:
            same = next((n for n, e in keys if e == column), None)
            if same is None:
                same = self.names.fresh(column.name) if column.name in used else column.name
                used.add(same)
                keys.append((same, column))
            moved[column.name] = Column(same, column.dtype)
        grouped = replace(plan, input=below.plan, keys=tuple(keys))
        predicates = tuple(substitute(p, moved) for p in below.predicates)
        empty = None if plan.keys else over_no_rows(plan)
        if not plan.keys and not keys:
            return None  # only outer values are compared: there is no key to group by
        return Pulled(grouped, predicates, {}, empty)

    def _distinct(self, plan: Distinct) -> Pulled | None:
        pinned = self._pinned(plan.input)
        if pinned is None:
            return None
        below, columns = pinned
        extra = [c.name for c in columns if c.name not in plan.input.schema]
        if plan.on is not None:
            on = (*plan.on, *(c.name for c in columns if c.name not in plan.on))
            return replace(below, plan=replace(plan, input=below.plan, on=on))
        names = (*plan.input.schema.names, *extra)
        schema = below.plan.schema
        kept = tuple((n, Column(n, schema[n].type)) for n in names)
        inner = below.plan if schema.names == names else Project(below.plan, kept)
        return replace(below, plan=replace(plan, input=inner))

    def _window(self, plan: Window) -> Pulled | None:
        if any(reads_outer(call, self.outer) for _, call in plan.calls):
            return None
        pinned = self._pinned(plan.input)
        if pinned is None:
            return None
        below, columns = pinned
        calls = tuple(
            (n, replace(c, partition_by=(*c.partition_by, *columns))) for n, c in plan.calls
        )
        return replace(below, plan=replace(plan, input=below.plan, calls=calls))

    def _limit(self, plan: Sort | Limit) -> Pulled | None:
        lowered = limit_below_project(plan)
        if lowered is not None:
            return self.pull(lowered)
        parts = limited(plan)
        if parts is None or any(reads_outer(k, self.outer) for k in parts.keys):
            return None
        pinned = self._pinned(parts.input)
        if pinned is None:
            return None
        below, columns = pinned
        if not columns:
            return None
        cut = parts.per_partition(below.plan, tuple(columns), self.names)
        return replace(below, plan=cut)


@dataclass(frozen=True)
class Limited:
    """ORDER BY with LIMIT, wherever the two stand."""

    input: LogicalPlan
    keys: tuple[SortKey, ...]
    count: int | None
    offset: int

    def per_partition(
        self, plan: LogicalPlan, partition: tuple[Expr, ...], names: FreshNames
    ) -> LogicalPlan:
        """The same rows of each partition of `plan`, by numbering them."""
        number = Column(names.fresh("row"), t.INT64)
        call = WindowCall("row_number", (), t.INT64, partition, self.keys)
        parts: list[Expr] = []
        if self.offset:
            parts.append(Call("greater", (number, Literal(self.offset, t.INT64)), t.BOOL))
        if self.count is not None:
            last = Literal(self.offset + self.count, t.INT64)
            parts.append(Call("less_equal", (number, last), t.BOOL))
        numbered = Window(plan, ((number.name, call),))
        return Project(filtered(numbered, parts), all_columns(plan.schema))


def limit_below_project(plan: LogicalPlan) -> LogicalPlan | None:
    """A LIMIT moved below a projection, nearer to its ORDER BY; None if there is no projection."""
    match plan:
        case Limit(input=Project() as project):
            return replace(project, input=replace(plan, input=project.input))
    return None


def limited(plan: LogicalPlan) -> Limited | None:
    """A LIMIT with the ORDER BY right below it, if it has one."""
    match plan:
        case Limit(input=Filter(input=Sort(limit=None) as below) as f, count=most, offset=offset):
            return Limited(replace(f, input=below.input), below.keys, most, offset)
        case Limit(from_end=True):
            return None
        case Limit(input=Sort(limit=None) as below, count=most, offset=offset):
            return Limited(below.input, below.keys, most, offset)
        case Limit(input=below, count=most, offset=offset):
            return Limited(below, (), most, offset)
        case Sort(input=below, keys=keys, limit=most):
            return Limited(below, keys, most, 0)
    return None


def _references(exprs: list[Expr]) -> set[str]:
    return {name for e in exprs for name in references(e)}


def _equality(p: Expr) -> tuple[str, Expr, Expr] | None:
    """(function, outer side, inner side) of an equality of the two."""
    match p:
        case Call("equal" | "is_not_distinct" as function, (a, b)):
            if not references(a) and not outer_of(b):
                return function, a, b
            if not references(b) and not outer_of(a):
                return function, b, a
    return None
