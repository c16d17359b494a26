"""Conditions that follow from others, written down so that they can be pushed to the scans.

    a.k = b.k AND a.k = 5                            ->  b.k = 5
    a.k = b.k AND b.k = a.j                          ->  a.k = a.j
    (n1 = 'F' AND n2 = 'G') OR (n1 = 'G' AND n2 = 'F')  ->  n1 IN ('F', 'G'), n2 IN ('F', 'G')

Within a block of inner joins every row of the result fulfils all conditions, so what holds for a
column holds for each column that equals it; and of an OR, each relation's share holds on its own
if every branch has one (TPC-H Q7, Q19). Only comparisons, IN and LIKE with constants are carried
over: values that are equal compare the same, but a function may tell 0.0 from -0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plait.planner import types as t
from plait.planner.expr import TRUE, Call, Column, Expr, Literal, chain, conjuncts, substitute
from plait.planner.logical import Filter, Join, LogicalPlan, Scan
from plait.planner.optimizer.join_blocks import (
    Block,
    Classes,
    collect,
    column_equality,
    with_relations,
)
from plait.planner.optimizer.rewriting import filtered
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.optimizer.simplify_expressions import simplify_predicate
from plait.planner.predicates import COMPARING, references


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    block = collect(plan)
    if block is None:
        after: LogicalPlan = plan.map_children(lambda child: rewrite(child, context))
        return after
    relations = {r: rewrite(r, context) for r in block.relations}
    if any(after is not before for before, after in relations.items()):
        plan = with_relations(plan, relations)
    new = _new_conditions(block)
    if not new:
        return plan
    outside = _seen_from_outside(plan, block)
    visible = [p for p in new if references(p) <= outside.keys()]
    return filtered(plan, [substitute(p, outside) for p in visible])


def _seen_from_outside(plan: LogicalPlan, block: Block) -> dict[str, Expr]:
    """What the relations' columns are called above the block."""
    back = {source.name: name for name, source in block.renamed.items()}
    found: dict[str, Expr] = {}
    for relation in block.relations:
        for f in relation.schema:
            name = back.get(f.name, f.name)
            if name in plan.schema and (f.name in back or f.name not in block.renamed):
                found[f.name] = Column(name, f.type)
    return found


def _new_conditions(block: Block) -> list[Expr]:
    known = set(block.conditions)
    local: list[Expr] = []
    for relation in block.relations:
        local += conditions_of(relation)
    known |= set(local)
    found: dict[Expr, None] = {}
    classes = Classes()
    for part in block.conditions:
        pair = column_equality(part)
        if pair is not None:
            classes.join(*pair)
    owner = block.owner()
    equal: dict[str, list[Expr]] = {}
    for members in classes.classes():
        for member in members:
            assert isinstance(member, Column)
            equal[member.name] = members
        for part in _equal_in_one_relation(members, owner):
            found[part] = None
    for part in (*block.conditions, *local):
        names = references(part)
        if len(names) == 1 and isinstance(part, Call) and part.function in COMPARING:
            found |= dict.fromkeys(_carried(part, equal))
        elif isinstance(part, Call) and part.function == "or" and len(names) > 1:
            found |= dict.fromkeys(_shares(part, block, owner))
    return [p for p in found if p not in known]


def conditions_of(relation: LogicalPlan) -> list[Expr]:
    """The conjuncts that are applied on top of a relation already."""
    match relation:
        case Filter(input=below, predicate=predicate):
            return [*conjuncts(predicate), *conditions_of(below)]
        case Scan(predicate=predicate):
            return list(conjuncts(predicate))
        case Join(left=left, kind="semi" | "anti"):
            return conditions_of(left)
    return []


def _equal_in_one_relation(members: list[Expr], owner: dict[str, int]) -> list[Expr]:
    """Two columns of one relation that equal the same column elsewhere."""
    first: dict[int, Column] = {}
    found: list[Expr] = []
    for member in members:
        assert isinstance(member, Column)
        mine = owner[member.name]
        if mine in first:
            found.append(Call("equal", (first[mine], member), t.BOOL))
        else:
            first[mine] = member
    return found


def _carried(part: Call, equal: dict[str, list[Expr]]) -> list[Expr]:
    """A condition on one column, for the columns that equal it."""
    column, *values = part.args
    if not isinstance(column, Column) or not all(isinstance(v, Literal) for v in values):
        return []
    others = equal.get(column.name, [])
    return [replace(part, args=(other, *values)) for other in others if other != column]


def _shares(part: Call, block: Block, owner: dict[str, int]) -> list[Expr]:
    """What an OR says of each single relation, if every branch says something of it."""
    branches = [conjuncts(b) for b in _branches(part)]
    shares: list[Expr] = []
    relations = sorted(block.relations_of(part, owner))
    if len(relations) < 2:
        return []
    for relation in relations:
        picked: list[list[Expr]] = []
        for branch in branches:
            mine = [c for c in branch if block.relations_of(c, owner) == {relation}]
            if not mine:
                break
            picked.append(mine)
        else:
            ands = [_nested("and", mine) for mine in picked]
            shares.append(simplify_predicate(_nested("or", ands)))
    return shares


def _branches(e: Expr) -> list[Expr]:
    if isinstance(e, Call) and e.function == "or":
        return [b for a in e.args for b in _branches(a)]
    return [e]


def _nested(function: str, parts: Sequence[Expr]) -> Expr:
    return chain(function, parts) or TRUE


INFER_PREDICATES = Rule("infer_predicates", rewrite)
