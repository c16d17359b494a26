"""Only the columns that somebody reads: scans, projections, aggregates, window calls.

A set of needed columns goes down from the root. What a node computes and nobody needs is not
computed; a scan is told its columns (`()` where only the number of rows matters). Nodes that give
rows on, such as filters and joins, may keep a column that only they read: the physical planner
drops it when it is done. Where columns count by position (UNION, DISTINCT, functions over whole
frames, the root) exactly the wanted ones are left.

A left join of which no column is needed, and whose right side has at most one match, goes
altogether. Equal sub-plans that join or aggregate, or leave few rows of a table, are given the
union of what their copies need, so that they stay equal, and are run once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from plait.planner.estimate import Estimator
from plait.planner.expr import Column, Expr
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    MapPartitions,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
    Write,
)
from plait.planner.optimizer.rewriting import keep_schema
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.share_subplans import shared_filters
from plait.planner.optimizer.unique import unique_on
from plait.planner.predicates import equi_keys, references
from plait.planner.schema import Schema

Need = frozenset[str]


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    everything = frozenset(plan.schema.names)
    shared: dict[LogicalPlan, Need] = {}
    repeated = _repeated(plan, context.estimator)
    if repeated:
        # twice: the first time only to see what the copies need
        shared = {p: frozenset() for p in repeated}
        for _ in repeated:  # a copy within a copy learns its needs one round later
            before = dict(shared)
            _Pruning(shared).prune(plan, everything)
            if shared == before:
                break
    return keep_schema(_Pruning(shared).prune(plan, everything), plan.schema)


def _repeated(plan: LogicalPlan, estimator: Estimator) -> list[LogicalPlan]:
    """Sub-plans that occur more than once and that are worth running only once."""
    counts = Counter(plan.walk())
    if len(counts) == sum(counts.values()):
        return []
    found = [p for p, n in counts.items() if n > 1 and isinstance(p, Join | Aggregate | Distinct)]
    return [*found, *shared_filters(plan, estimator)]


def _of(exprs: object) -> Need:
    found: Need = frozenset()
    return found.union(*(references(e) for e in exprs))  # type: ignore[attr-defined]


class _Pruning:
    def __init__(self, shared: dict[LogicalPlan, Need]) -> None:
        self.shared = shared
        self.done: dict[tuple[LogicalPlan, Need], LogicalPlan] = {}

    def prune(self, plan: LogicalPlan, need: Need) -> LogicalPlan:
        """The plan with at least the needed columns, in their order."""
        if plan not in self.shared:
            return self._prune(plan, need)
        need = self.shared[plan] = self.shared[plan] | need
        if (plan, need) not in self.done:
            self.done[plan, need] = self._prune(plan, need)
        return self.done[plan, need]

    def _prune(self, plan: LogicalPlan, need: Need) -> LogicalPlan:
        match plan:
            case Scan():
                return _scan(plan, need)
            case Values():
                return _values(plan, need)
            case Project():
                return self._project(plan, need)
            case Filter(predicate=predicate):
                return self._over(plan, need | references(predicate))
            case Aggregate():
                return self._aggregate(plan, need)
            case Join():
                return self._join(plan, need)
            case Window():
                return self._window(plan, need)
            case Sort(keys=keys):
                return self._over(plan, need | _of(keys))
            case Limit():
                return self._over(plan, need)
            case RowNumber(input=below, name=name):
                if name not in need:
                    return self.prune(below, need)
                numbered = _hiding(self.prune(below, need - {name}), {name}, need)
                return plan if numbered is below else replace(plan, input=numbered)
            case Distinct(on=tuple(on)):
                return self._over(plan, need | set(on))
            case Union():
                return self._union(plan, need)
        # DISTINCT over all columns, functions, files: every column counts
        assert isinstance(plan, Distinct | MapPartitions | Write)
        exact: LogicalPlan = plan.map_children(lambda child: self._exactly(child, child.schema))
        return exact

    def _over(self, plan: LogicalPlan, need: Need) -> LogicalPlan:
        after: LogicalPlan = plan.map_children(lambda child: self.prune(child, need))
        return after

    def _exactly(self, plan: LogicalPlan, schema: Schema) -> LogicalPlan:
        """The plan with these columns of it and no others."""
        return keep_schema(self.prune(plan, frozenset(schema.names)), schema)

    def _project(self, plan: Project, need: Need) -> LogicalPlan:
        kept = tuple((n, e) for n, e in plan.columns if n in need)
        below = self.prune(plan.input, _of(e for _, e in kept))
        if all(isinstance(e, Column) and e.name == n for n, e in kept):
            return below  # picks columns only, which every reader does for itself
        if below is plan.input and len(kept) == len(plan.columns):
            return plan
        return replace(plan, input=below, columns=kept)

    def _aggregate(self, plan: Aggregate, need: Need) -> LogicalPlan:
        kept = tuple((n, call) for n, call in plan.aggregates if n in need)
        if not plan.keys and not kept:
            return Values((), ((),))  # one row always
        below = self.prune(plan.input, _of(e for _, e in (*plan.keys, *kept)))
        if below is plan.input and len(kept) == len(plan.aggregates):
            return plan
        return replace(plan, input=below, aggregates=kept)

    def _window(self, plan: Window, need: Need) -> LogicalPlan:
        kept = tuple((n, call) for n, call in plan.calls if n in need)
        passing = need - {n for n, _ in plan.calls}
        if not kept:
            return self.prune(plan.input, passing)
        read = passing | _of(call for _, call in kept)
        below = _hiding(self.prune(plan.input, read), {n for n, _ in kept}, read)
        if below is plan.input and len(kept) == len(plan.calls):
            return plan
        return replace(plan, input=below, calls=kept)

    def _join(self, plan: Join, need: Need) -> LogicalPlan:
        if plan.mark is not None and plan.mark not in need:
            return self.prune(plan.left, need)  # every left row once, whatever matches
        unread = not any(name in plan.right.schema for name in need)
        if plan.kind == "left" and unread and _matches_at_most_once(plan):
            return self.prune(plan.left, need)
        condition: tuple[Expr, ...] = () if plan.condition is None else (plan.condition,)
        read = need | _of((*condition, *(e for pair in plan.in_keys for e in pair)))
        left = self.prune(plan.left, read & set(plan.left.schema.names))
        right = self.prune(plan.right, read & set(plan.right.schema.names))
        right = _hiding(right, left.schema.names, read & set(plan.right.schema.names))
        left = _hiding(left, right.schema.names, read & set(plan.left.schema.names))
        if left is plan.left and right is plan.right:
            return plan
        return replace(plan, left=left, right=right)

    def _union(self, plan: Union, need: Need) -> LogicalPlan:
        schema = plan.schema
        wanted = tuple(f for f in schema if f.name in need)
        if not wanted:  # only the number of rows matters: one column stands for it
            wanted = (min(schema, key=_width),) if len(schema) else ()
        kept = Schema(wanted)
        inputs = tuple(self._exactly(i, kept) for i in plan.inputs)
        if all(a is b for a, b in zip(inputs, plan.inputs, strict=True)):
            return plan
        return replace(plan, inputs=inputs)


def _hiding(plan: LogicalPlan, names: Iterable[str], need: Need) -> LogicalPlan:
    """The plan; only its needed columns if others, kept unasked, have one of these names.

    A dataframe may use one table on both sides of a join, and so its column names.
    """
    if set(plan.schema.names).isdisjoint(names):
        return plan
    return Project(
        plan, tuple((f.name, Column(f.name, f.type)) for f in plan.schema if f.name in need)
    )


def _scan(plan: Scan, need: Need) -> LogicalPlan:
    columns = tuple(n for n in plan.schema.names if n in need)
    if columns == plan.schema.names:
        return plan
    return replace(plan, columns=columns)


def _values(plan: Values, need: Need) -> LogicalPlan:
    kept = [i for i, f in enumerate(plan.fields) if f.name in need]
    if len(kept) == len(plan.fields):
        return plan
    fields = tuple(plan.fields[i] for i in kept)
    return replace(plan, fields=fields, rows=tuple(tuple(r[i] for i in kept) for r in plan.rows))


def _width(field: object) -> int:
    try:
        return int(field.type.bit_width)  # type: ignore[attr-defined]
    except ValueError:
        return 1000


def _matches_at_most_once(plan: Join) -> bool:
    keys, _ = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
    return unique_on(plan.right, {k.right.name for k in keys if isinstance(k.right, Column)})


PRUNE_COLUMNS = Rule("prune_columns", rewrite)
