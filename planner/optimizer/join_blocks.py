"""Inner joins next to each other as one block: relations, and conditions over them.

    Filter c AND d                        relations: a, b, x
      Join inner on a.k = b.k      ->     conditions: c, d, a.k = b.k, ...
        Join cross
          a
          Project (columns picked)        seen through
            x
        b

The order in which a block was written means nothing. Equalities of plain columns make classes of
columns that are equal in every row of the block's result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from plait.planner.expr import Call, Column, Expr, conjuncts, substitute
from plait.planner.logical import Filter, Join, LogicalPlan, Project
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rewriting import is_rename
from plait.planner.predicates import references


@dataclass(frozen=True)
class Block:
    """Relations joined by inner joins alone, and the conjuncts over them."""

    relations: tuple[LogicalPlan, ...]
    conditions: tuple[Expr, ...]
    # output columns that a projection on the way renamed
    renamed: Mapping[str, Column]

    def owner(self) -> dict[str, int]:
        """Each column's relation, by its number."""
        return {name: i for i, r in enumerate(self.relations) for name in r.schema.names}

    def relations_of(self, e: Expr, owner: Mapping[str, int]) -> frozenset[int]:
        """The relations that an expression reads."""
        return frozenset(owner[name] for name in references(e))


def is_block(plan: LogicalPlan) -> bool:
    """Whether a block starts here: an inner join, perhaps under filters and picked columns."""
    match plan:
        case Join(kind="inner" | "cross", condition=condition):
            return condition is None or not is_volatile(condition)
        case Filter(input=below, predicate=predicate):
            return not is_volatile(predicate) and is_block(below)
        case Project(input=below, columns=columns):
            return is_rename(columns) and is_block(below)
    return False


def collect(plan: LogicalPlan) -> Block | None:
    """The block that starts at `plan`; None if there is none.

    Where two relations call columns alike (a table used twice, one of them under a projection that
    hides the name) those of the later one get names of their own.
    """
    if not is_block(plan):
        return None
    relations: list[LogicalPlan] = []
    conditions: list[Expr] = []
    renamed = _collect(plan, relations, conditions)
    return Block(tuple(relations), tuple(dict.fromkeys(conditions)), renamed)


def _collect(
    plan: LogicalPlan, relations: list[LogicalPlan], conditions: list[Expr]
) -> dict[str, Column]:
    """Adds to both lists; gives the columns of `plan` that the relations call otherwise."""
    match plan:
        case Join(left=left, right=right, condition=condition) if is_block(plan):
            renamed = _collect(left, relations, conditions)
            renamed |= _collect(right, relations, conditions)
            conditions += _translated(conjuncts(condition), renamed)
            return renamed
        case Filter(input=below, predicate=predicate) if is_block(plan):
            renamed = _collect(below, relations, conditions)
            conditions += _translated(conjuncts(predicate), renamed)
            return renamed
        case Project(input=below, columns=columns) if is_block(plan):
            inner = _collect(below, relations, conditions)
            found: dict[str, Column] = {}
            for name, e in columns:
                assert isinstance(e, Column)
                source = inner.get(e.name, e)
                if source.name != name:
                    found[name] = source
            return found
    relation, renamed = _told_apart(plan, {n for r in relations for n in r.schema.names})
    relations.append(relation)
    return renamed


def _told_apart(plan: LogicalPlan, used: set[str]) -> tuple[LogicalPlan, dict[str, Column]]:
    """The plan with new names for columns that are called as one of `used`."""
    if used.isdisjoint(plan.schema.names):
        return plan, {}
    taken = used | set(plan.schema.names)
    renamed: dict[str, Column] = {}
    for f in plan.schema:
        if f.name in used:
            fresh = next(n for i in count(2) if (n := f"{f.name}~{i}") not in taken)
            taken.add(fresh)
            renamed[f.name] = Column(fresh, f.type)
    columns = tuple(
        (renamed[f.name].name if f.name in renamed else f.name, Column(f.name, f.type))
        for f in plan.schema
    )
    return Project(plan, columns), renamed


def with_relations(plan: LogicalPlan, new: Mapping[LogicalPlan, LogicalPlan]) -> LogicalPlan:
    """A block with some of its relations replaced.

    Only relations are: the same plan may stand deeper, within one.
    """
    if not is_block(plan):
        return new.get(plan, plan)
    after: LogicalPlan = plan.map_children(lambda child: with_relations(child, new))
    return after


def _translated(parts: Iterable[Expr], renamed: Mapping[str, Column]) -> list[Expr]:
    if not renamed:
        return list(parts)
    return [substitute(p, renamed) for p in parts]


class Classes:
    """Expressions that equalities make equal, as disjoint sets."""

    def __init__(self) -> None:
        self._parent: dict[Expr, Expr] = {}

    def find(self, e: Expr) -> Expr:
        """The representative of an expression's class; the expression itself if it has none."""
        parent = self._parent.get(e, e)
        if parent is e:
            return e
        root = self.find(parent)
        self._parent[e] = root
        return root

    def join(self, a: Expr, b: Expr) -> None:
        """Note that two expressions are equal."""
        x, y = self.find(a), self.find(b)
        self._parent.setdefault(a, x)
        self._parent.setdefault(b, y)
        if x is not y:
            self._parent[y] = x

    def classes(self) -> list[list[Expr]]:
        """All classes, their members in the order in which they were met."""
        found: dict[Expr, list[Expr]] = {}
        for e in self._parent:
            found.setdefault(self.find(e), []).append(e)
        return list(found.values())


def column_equality(e: Expr) -> tuple[Column, Column] | None:
    """The two columns that a conjunct says are equal."""
    match e:
        case Call("equal", (Column() as a, Column() as b)) if a.dtype == b.dtype and a != b:
            return a, b
    return None
