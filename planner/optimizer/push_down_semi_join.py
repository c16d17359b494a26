"""Semi joins where they reduce most: below joins, below aggregates, and in front of hash tables.

    Join semi (x)                     onto the relation of a block that it filters, where that cuts
      Join a, b, c                    down what is joined                            (TPC-H Q18)

    Join inner                        an aggregate's input is first cut down to the groups that
      a (few rows)                    another relation asks for             (TPC-H Q2, Q17, Q20)
      Aggregate by k over b

    Join semi, anti, mark, left       the right side, of which a hash table is built, is first cut
      a (few rows)                    down to the keys that the left side has       (Q4, Q21, Q22)
      b (many rows)

All three hold whatever the data: a row that is left out has keys that no row of the other side has.
The reducing side appears once more in the plan, so it must give the same rows each time
(`is_repeatable`) and be cheap to read again, or be shared: equal sub-plans that join or aggregate
run once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.planner import types as t
from plait.planner.cost import OUTPUT, PROBE, group_cost, semi_join_cost
from plait.planner.estimate import Estimator, semi_fraction
from plait.planner.expr import Call, Column, Expr, conjunction, conjuncts, substitute
from plait.planner.logical import (
    Aggregate,
    Filter,
    Join,
    LogicalPlan,
    Project,
    Scan,
    Sort,
    Values,
)
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.join_blocks import (
    Block,
    Classes,
    collect,
    column_equality,
    with_relations,
)
from plait.planner.optimizer.outer_columns import FreshNames
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.predicates import JoinKey, equi_keys, references
from plait.planner.selectivity import Estimate

WORTH = 0.7  # of the cost without; estimates are not better than that
AGAIN = 0.5  # of a scanned row, read a second time
_MERGED = 0.6  # groups a row, from which on tasks do not group before rows are exchanged
REDUCED = ("semi", "anti", "mark", "left", "single")

_SAFE = frozenset(("count", "sum", "avg", "min", "max", "count_if", "bool_and", "bool_or"))

Keys = Sequence[tuple[Expr, Expr]]  # (over the plan to reduce, over the reducing plan)


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    if not any(isinstance(node, Join) for node in plan.walk()):
        return plan
    return _Placing(context.estimator, FreshNames(plan)).place(plan)


def is_repeatable(plan: LogicalPlan) -> bool:
    """Whether a plan gives the same rows each time it is run."""
    for node in plan.walk():
        match node:
            case Scan() | Filter() | Project() | Join() | Values():
                repeatable = True  # but for what is volatile in their expressions
            case Aggregate(aggregates=calls):
                repeatable = all(call.function in _SAFE for _, call in calls)
            case _:
                repeatable = False
        if not repeatable or any(is_volatile(e) for e in node.expressions()):
            return False
    return True


@dataclass(frozen=True)
class _Placing:
    estimator: Estimator
    names: FreshNames

    def place(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan from here down."""
        if isinstance(plan, Join) and plan.kind in ("semi", "anti"):
            sunk = self._sink(plan)
            if sunk is not plan:
                return self.place(sunk)
        block = collect(plan)
        if block is not None:
            return self._block(plan, block)
        plan = plan.map_children(self.place)
        if isinstance(plan, Join) and plan.kind in REDUCED:
            return self._reduce_right(plan)
        return plan

    def _block(self, plan: LogicalPlan, block: Block) -> LogicalPlan:
        reduced = self._reduce_aggregates(block)
        placed = {r: self.place(reduced.get(r, r)) for r in block.relations}
        return with_relations(plan, placed)

    # --------------------------------------------------------------------------- below the joins

    def _sink(self, plan: Join) -> LogicalPlan:
        """A semi or anti join moved to the one relation of its left side that it reads."""
        block = collect(plan.left)
        if block is None:
            return plan
        read = {name for name in _read_by(plan) if name in plan.left.schema}
        inside = {n: block.renamed.get(n, Column(n, plan.left.schema[n].type)) for n in read}
        owners = {block.owner()[c.name] for c in inside.values()}
        if len(owners) != 1:
            return plan
        relation = block.relations[owners.pop()]
        if set(plan.right.schema.names) & set(relation.schema.names):
            return plan
        rows = self.estimator.rows(relation)
        result = self.estimator.rows(plan.left)
        kept = self.estimator.rows(plan) / max(result, 1.0)
        joining = rows * PROBE + 2 * result * OUTPUT
        if rows * PROBE + kept * joining > WORTH * (joining + result * PROBE):
            return plan
        filtered = replace(
            plan,
            left=relation,
            condition=None if plan.condition is None else substitute(plan.condition, inside),
            in_keys=tuple((substitute(a, inside), b) for a, b in plan.in_keys),
        )
        return with_relations(plan.left, {relation: filtered})

    # ------------------------------------------------------------------------ below an aggregate

    def _reduce_aggregates(self, block: Block) -> dict[LogicalPlan, LogicalPlan]:
        """The grouped relations of a block with their inputs reduced, where it pays."""
        grouped = {r: g for r in block.relations if (g := _grouping(r)) is not None}
        if not grouped:
            return {}
        classes = Classes()
        for part in block.conditions:
            pair = column_equality(part)
            if pair is not None:
                classes.join(*pair)
        members = classes.classes()
        found: dict[LogicalPlan, LogicalPlan] = {}
        for relation, keys in grouped.items():
            best: tuple[float, LogicalPlan, Keys] | None = None
            for other in block.relations:
                pairs = _pairs(keys, other, members) if other not in grouped else []
                if pairs and is_repeatable(other):
                    gain = self._gain(relation, other, pairs)
                    if gain is not None and (best is None or gain < best[0]):
                        best = (gain, other, pairs)
            if best is not None:
                found[relation] = self._reduced(relation, best[1], best[2])
        return found

    def _gain(self, relation: LogicalPlan, other: LogicalPlan, pairs: Keys) -> float | None:
        """The cost with a reduced input as part of that without it; None if it does not pay."""
        source = _aggregate_of(relation)
        if source is None or _is_reduced(source.input, other):
            return None
        rows, few = self.estimator.rows(source.input), self.estimator.rows(other)
        keys = dict(source.keys)
        inside = [(substitute(a, _down_to(relation, source)), b) for a, b in pairs]
        below = [(substitute(a, keys), b) for a, b in inside]
        kept = self._fraction(
            self.estimator.estimate(source.input), self.estimator.estimate(other), below
        )
        groups = self.estimator.rows(source)
        before = group_cost(rows, groups)
        after = semi_join_cost(rows, few) + group_cost(rows * kept, groups * kept)
        if groups > _MERGED * rows:  # all rows are written, to come together by their keys
            before, after = before + rows * OUTPUT, after + rows * kept * OUTPUT
        after += self._again(other)
        return after / before if after < WORTH * before else None

    def _fraction(self, left: Estimate, right: Estimate, keys: Keys) -> float:
        return semi_fraction(left, right, [JoinKey(a, b, False) for a, b in keys], None)

    def _again(self, plan: LogicalPlan) -> float:
        """What it costs to have a plan's rows a second time."""
        if any(isinstance(node, Join | Aggregate) for node in plan.walk()):
            return self.estimator.rows(plan) * OUTPUT  # run once and kept
        scans = [node for node in plan.walk() if isinstance(node, Scan)]
        return AGAIN * sum(self.estimator.rows(scan) for scan in scans)

    def _reduced(self, plan: LogicalPlan, by: LogicalPlan, keys: Keys) -> LogicalPlan:
        """`plan` without rows whose keys `by` does not have; below its aggregate if it has one."""
        match plan:
            case Filter(input=below) | Sort(input=below) if _aggregate_of(plan) is not None:
                return replace(plan, input=self._reduced(below, by, keys))
            case Project(input=below, columns=columns):
                inside = dict(columns)
                moved = [(substitute(a, inside), b) for a, b in keys]
                return replace(plan, input=self._reduced(below, by, moved))
            case Aggregate(input=below, keys=grouped) if grouped:
                own = dict(grouped)
                moved = [(substitute(a, own), b) for a, b in keys if references(a) <= own.keys()]
                if moved:
                    return replace(plan, input=self._reduced(below, by, moved))
        named = [(Column(self.names.fresh("key"), b.dtype), b) for _, b in keys]
        right = Project(by, tuple((c.name, b) for c, b in named))
        same = [Call("equal", (a, c), t.BOOL) for (a, _), (c, _) in zip(keys, named, strict=True)]
        return Join(plan, right, "semi", conjunction(same))

    # ---------------------------------------------------------------------- before a hash table

    def _reduce_right(self, plan: Join) -> Join:
        """A join with its right side cut down to the keys of the left."""
        pairs, _ = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
        keys = [(k.right, k.left) for k in pairs if not k.null_safe]
        if not keys or plan.in_keys or not is_repeatable(plan.left):
            return plan
        left, right = self.estimator.estimate(plan.left), self.estimator.estimate(plan.right)
        kept = self._fraction(right, left, keys)
        before = semi_join_cost(left.rows, right.rows)
        after = semi_join_cost(right.rows, left.rows) + self._again(plan.left)
        after += semi_join_cost(left.rows, right.rows * kept)
        grouping = _aggregate_of(plan.right)
        if grouping is not None and grouping.keys:
            rows = self.estimator.rows(grouping.input)
            before += group_cost(rows, right.rows)
            after += rows * PROBE + group_cost(rows * kept, right.rows * kept)
        if after > WORTH * before:
            return plan
        return replace(plan, right=self._reduced(plan.right, plan.left, keys))


def _read_by(plan: Join) -> set[str]:
    found = {n for part in conjuncts(plan.condition) for n in references(part)}
    return found | {n for pair in plan.in_keys for e in pair for n in references(e)}


def _aggregate_of(plan: LogicalPlan) -> Aggregate | None:
    """The grouping whose rows a plan gives: filtered, sorted, with columns computed at most."""
    while isinstance(plan, Filter | Project) or (isinstance(plan, Sort) and plan.limit is None):
        plan = plan.input
    return plan if isinstance(plan, Aggregate) and plan.keys else None


def _is_reduced(plan: LogicalPlan, by: LogicalPlan) -> bool:
    """Whether a plan has only rows that another asks for already."""
    joins = (node for node in plan.walk() if isinstance(node, Join) and node.kind == "semi")
    return any(isinstance(j.right, Project) and j.right.input == by for j in joins)


def _grouping(relation: LogicalPlan) -> dict[str, Column] | None:
    """The columns of a grouped relation that are grouping keys, by name."""
    source = _aggregate_of(relation)
    if source is None:
        return None
    down = _down_to(relation, source)
    keys = {n for n, _ in source.keys}
    found = {}
    for f in relation.schema:
        e = down.get(f.name)
        if isinstance(e, Column) and e.name in keys:
            found[f.name] = Column(f.name, f.type)
    return found or None


def _down_to(relation: LogicalPlan, source: Aggregate) -> dict[str, Expr]:
    """The relation's columns as expressions over the aggregate's."""
    layers = []
    node: LogicalPlan = relation
    while node is not source:
        assert isinstance(node, Filter | Project | Sort)
        if isinstance(node, Project):
            layers.append(node)
        node = node.input
    found: dict[str, Expr] = {f.name: Column(f.name, f.type) for f in source.schema}
    for layer in reversed(layers):
        found = {n: substitute(e, found) for n, e in layer.columns}
    return found


def _pairs(
    keys: dict[str, Column], other: LogicalPlan, members: list[list[Expr]]
) -> list[tuple[Expr, Expr]]:
    """The grouping keys that equal a column of the other relation."""
    found: list[tuple[Expr, Expr]] = []
    for group in members:
        mine = [e for e in group if isinstance(e, Column) and e.name in keys]
        theirs = [e for e in group if isinstance(e, Column) and e.name in other.schema]
        if mine and theirs:
            found.append((mine[0], theirs[0]))
    return found


PUSH_DOWN_SEMI_JOIN = Rule("push_down_semi_join", rewrite)
