"""GROUP BY: keys by expression, ordinal or alias, ALL, and GROUPING SETS, ROLLUP, CUBE.

Several grouping sets are a UNION ALL of one Aggregate for each set over the same input, with NULL
for the keys that a set leaves out. GROUPING(a, b) is a constant of each set: a bit for each key
that it leaves out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import expressions as exp

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import AggregateCall, Call, Column, Expr, Literal
from plait.planner.logical import LogicalPlan, Named
from plait.planner.sql.binder import Binder, Handler
from plait.planner.sql.lifting import has_aggregate, has_window
from plait.planner.sql.stars import Item

GROUPING = "grouping"  # stands in expressions until `lifting` takes it out

_MOST_SETS = 4096


@dataclass(frozen=True)
class GroupBy:
    """The keys, and the sets of them (by index) to group by; None is one set of all."""

    keys: tuple[Named, ...]
    sets: tuple[tuple[int, ...], ...] | None = None


@dataclass
class GroupBinder:
    """Binds one GROUP BY clause; `ordinal` finds a selected column by its number."""

    binder: Binder
    items: Sequence[Item]
    ordinal: Callable[[exp.Literal, str], int]
    keys: list[Named] = field(default_factory=list)

    def bind(self, group: exp.Group) -> GroupBy:
        """The keys and sets of the clause."""
        source = self.binder.source
        source.check_args(group, ("expressions", "all", "rollup", "cube"), "GROUP BY")
        if group.args.get("all"):
            for item in self.items:
                if not has_aggregate(item.expr) and not has_window(item.expr):
                    self._key(item.expr, item.name)
        sets: list[tuple[int, ...]] = [()]
        several = False
        for node in group.expressions:
            several = several or isinstance(node, exp.Rollup | exp.Cube | exp.GroupingSets)
            found = self._sets(node)
            sets = [(*a, *b) for a, b in itertools.product(sets, found)]
            if len(sets) > _MOST_SETS:
                source.refuse(f"More than {_MOST_SETS} grouping sets", node)
        if group.args.get("rollup"):  # GROUP BY a, b WITH ROLLUP
            sets, several = [sets[0][:n] for n in range(len(sets[0]), -1, -1)], True
        if group.args.get("cube"):
            source.refuse("WITH CUBE", group, "write CUBE (...)", word="cube")
        if not several:
            return GroupBy(tuple(self.keys))
        return GroupBy(tuple(self.keys), tuple(tuple(dict.fromkeys(s)) for s in sets))

    def _sets(self, node: exp.Expr) -> list[tuple[int, ...]]:
        match node:
            case exp.Rollup():
                parts = [self._flat(n) for n in node.expressions]
                ends = range(len(parts), -1, -1)
                return [tuple(itertools.chain(*parts[:end])) for end in ends]
            case exp.Cube():
                parts = [self._flat(n) for n in node.expressions]
                if 2 ** len(parts) > _MOST_SETS:
                    self.binder.source.refuse("A CUBE of so many keys", node)
                return [
                    tuple(itertools.chain(*chosen))
                    for size in range(len(parts), -1, -1)
                    for chosen in itertools.combinations(parts, size)
                ]
            case exp.GroupingSets():
                return [s for n in node.expressions for s in self._sets(n)]
        return [self._flat(node)]

    def _flat(self, node: exp.Expr) -> tuple[int, ...]:
        """The keys of one element; `(a, b)` is two."""
        if isinstance(node, exp.Tuple):
            return tuple(i for n in node.expressions for i in self._flat(n))
        if isinstance(node, exp.Paren):
            return self._flat(node.this)
        if isinstance(node, exp.Rollup | exp.Cube | exp.GroupingSets):
            self.binder.source.refuse("Grouping sets inside ROLLUP or CUBE", node)
        if isinstance(node, exp.Literal) and not node.is_string:
            item = self.items[self.ordinal(node, "GROUP BY")]
            if has_aggregate(item.expr) or has_window(item.expr):
                raise self.binder.source.error(
                    f"GROUP BY {node.name} is an aggregate or a window function", node
                )
            return (self._key(item.expr, item.name),)
        expr = self.binder.bind(node)
        name = node.name if isinstance(node, exp.Column) else ""
        return (self._key(expr, next((i.name for i in self.items if i.expr == expr), name)),)

    def _key(self, expr: Expr, name: str) -> int:
        for index, (_, known) in enumerate(self.keys):
            if known == expr:
                return index
        if not isinstance(expr, Column):
            name = self.binder.context.names.fresh(name, str(expr))
        self.keys.append((expr.name if isinstance(expr, Column) else name, expr))
        return len(self.keys) - 1


def aggregate(
    plan: LogicalPlan,
    group: GroupBy,
    calls: Mapping[AggregateCall, str],
    groupings: Mapping[Call, str],
    origin: str | None,
) -> LogicalPlan:
    """The Aggregate of a SELECT, or several of them for several grouping sets."""
    named = [(name, call) for call, name in calls.items()]
    if group.sets is None and not groupings:
        return builder.aggregate(plan, group.keys, named, origin=origin)
    sets = group.sets if group.sets is not None else (tuple(range(len(group.keys))),)
    exprs = [expr for _, expr in group.keys]
    branches = []
    for chosen in sets:
        keys = [group.keys[i] for i in chosen]
        grouped = builder.aggregate(plan, keys, named, origin=origin)
        columns: list[Named] = []
        for index, (name, expr) in enumerate(group.keys):
            here = Column(name, expr.dtype) if index in chosen else Literal(None, expr.dtype)
            columns.append((name, here))
        columns += [(name, Column(name, call.dtype)) for name, call in named]
        for mark, name in groupings.items():
            bits = [exprs.index(key) not in chosen for key in mark.args]
            value = sum(1 << i for i, left_out in enumerate(reversed(bits)) if left_out)
            columns.append((name, Literal(value, t.INT64)))
        branches.append(builder.project(grouped, columns, origin=origin))
    return builder.union(branches, origin=origin)


def grouping(b: Binder, node: exp.Grouping | exp.GroupingId) -> Expr:
    """GROUPING(a, b)."""
    if not b.clause.aggregates:
        raise b.source.error(f"GROUPING is not allowed in {b.clause.name}", node)
    return Call(GROUPING, tuple(b.bind_all(node.expressions)), t.INT64)


HANDLERS: dict[type[exp.Expr], Handler] = {exp.Grouping: grouping, exp.GroupingId: grouping}
