"""The order of inner joins, by estimated cost; the smaller input goes to the right, to be built.

A block of inner and cross joins (`join_blocks`) is taken apart and put together again as the tree
that `join_graph` finds cheapest. Conditions that are not equalities of two sides go to the first
join that has all their columns; cross joins remain only between what no condition connects. Outer,
semi, anti, mark and single joins are relations of a block like any other, their inputs ordered on
their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plait.planner import types as t
from plait.planner.expr import Call, Column, Expr, conjunction
from plait.planner.logical import Join, LogicalPlan, Project
from plait.planner.optimizer.join_blocks import Block, Classes, collect
from plait.planner.optimizer.join_graph import Graph, Link, Member, Residual, Tree
from plait.planner.optimizer.rewriting import filtered, keep_schema
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.predicates import references
from plait.planner.selectivity import Estimate, Lookup, Profile, selectivity


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    block = collect(plan)
    if block is None:
        after: LogicalPlan = plan.map_children(lambda child: rewrite(child, context))
        return after
    relations = tuple(rewrite(r, context) for r in block.relations)
    ordered = _Ordering(replace(block, relations=relations), context).plan()
    if block.renamed:
        named = ((f.name, block.renamed.get(f.name, Column(f.name, f.type))) for f in plan.schema)
        return Project(ordered, tuple(named))
    ordered = keep_schema(ordered, plan.schema)
    return plan if ordered == plan else ordered


class _Ordering:
    def __init__(self, block: Block, context: RuleContext) -> None:
        self.relations = list(block.relations)
        owner = block.owner()
        links: list[Link] = []
        late: list[tuple[Expr, int]] = []
        classes = Classes()
        for part in block.conditions:
            bits = _bits(owner[name] for name in references(part))
            if bits.bit_count() < 2:
                # of one relation, or none: pushed down already, if push_down_filter ran
                i = max(0, bits.bit_length() - 1)
                self.relations[i] = filtered(self.relations[i], [part])
                continue
            sides = _sides(part, owner)
            if sides is None:
                late.append((part, bits))
            elif isinstance(part, Call) and part.function == "equal":
                classes.join(sides[0].expr, sides[1].expr)
            else:
                links.append(Link(sides, bits, null_safe=True))
        links += self._links(classes, owner)
        estimates = [context.estimator.estimate(r) for r in self.relations]
        whole = Estimate(1.0, {}, tuple(map(_remaining, estimates)))
        residuals = [Residual(e, bits, selectivity(e, whole)) for e, bits in late]
        self.graph = Graph(estimates, links, residuals)

    def _links(self, classes: Classes, owner: dict[str, int]) -> list[Link]:
        links = []
        for exprs in classes.classes():
            members = []
            taken: dict[int, Expr] = {}
            for e in exprs:
                i = owner[next(iter(references(e)))]
                if i not in taken:
                    taken[i] = e
                    members.append(Member(i, e))
                    continue
                # two of one relation are equal by way of another
                same = Call("equal", (taken[i], e), t.BOOL)
                self.relations[i] = filtered(self.relations[i], [same])
            if len(members) > 1:
                # by name, so that a second run finds the same
                members.sort(key=lambda m: str(m.expr))
                links.append(Link(tuple(members), _bits(m.relation for m in members)))
        return links

    def plan(self) -> LogicalPlan:
        return self._built(self.graph.best_tree())

    def _built(self, tree: Tree) -> LogicalPlan:
        if tree.relation is not None:
            return self.relations[tree.relation]
        assert tree.left is not None
        assert tree.right is not None
        left, right = self._built(tree.left), self._built(tree.right)
        parts: list[Expr] = []
        for link, a, b in self.graph.equalities(tree.left.bits, tree.right.bits):
            function = "is_not_distinct" if link.null_safe else "equal"
            parts.append(Call(function, (a.expr, b.expr), t.BOOL))
        parts.sort(key=str)
        for r in self.graph.residuals:
            inside = r.bits & ~tree.bits == 0
            if inside and r.bits & tree.left.bits and r.bits & tree.right.bits:
                parts.append(r.expr)
        if not parts:
            return Join(left, right, "cross")
        return Join(left, right, "inner", conjunction(parts))


def _remaining(of: Estimate) -> Lookup:
    """Columns with no more values than rows are left: conditions over several come last."""

    def find(name: str) -> Profile | None:
        p = of.find(name)
        if p is None or p.domain is None:
            return p
        return replace(p, domain=max(1.0, min(p.domain, of.rows)))

    return find


def _bits(numbers: Iterable[int]) -> int:
    found = 0
    for i in numbers:
        found |= 1 << i
    return found


def _sides(part: Expr, owner: dict[str, int]) -> tuple[Member, Member] | None:
    """An equality of expressions over one relation each."""
    match part:
        case Call("equal" | "is_not_distinct", (a, b)) if a.dtype == b.dtype:
            mine = {owner[n] for n in references(a)}
            other = {owner[n] for n in references(b)}
            if len(mine) == len(other) == 1 and mine != other:
                return Member(mine.pop(), a), Member(other.pop(), b)
    return None


ORDER_JOINS = Rule("order_joins", rewrite)
