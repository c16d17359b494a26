"""Conjuncts move towards the scans, each as far as it goes.

    below a projection       with its expressions filled in
    below a grouping         if it reads grouping keys only
    below a window           if it reads columns by which every call partitions
    below DISTINCT, UNION, ORDER BY
    into an inner join       to the side it reads, or into the condition if it reads both
    beside an outer join     to the preserved side; parts of its ON to the other side
    beside semi, anti, mark  to the left; parts of their condition to the right
    into a scan              as far as the source can use it (`TableSource.pushdown`)

A condition on the left key of a left, single, semi, anti or mark join is also put on the right key:
right rows with other keys match none of the remaining left rows. Nothing passes a LIMIT, and
volatile conditions stay where they were written. One walk from the root does it all: on the way
down each node is handed the conjuncts from above.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from plait.planner.expr import (
    Call,
    Column,
    Expr,
    Literal,
    conjunction,
    conjuncts,
    substitute,
)
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    LogicalPlan,
    Project,
    Scan,
    Sort,
    Union,
    Window,
)
from plait.planner.optimizer.fold_constants import is_volatile
from plait.planner.optimizer.rewriting import filtered
from plait.planner.optimizer.rule import Rule, RuleContext
from plait.planner.predicates import COMPARING, equi_key, references
from plait.planner.schema import Schema
from plait.planner.source import Pushdown

Parts = Sequence[Expr]


def rewrite(plan: LogicalPlan, context: RuleContext) -> LogicalPlan:
    return push(plan, ())


def push(plan: LogicalPlan, parts: Parts) -> LogicalPlan:
    """The rows of `plan` for which all parts hold."""
    match plan:
        case Filter():
            return _filter(plan, parts)
        case Scan():
            return _scan(plan, parts) if parts else plan
        case Project():
            return _project(plan, parts)
        case Aggregate():
            return _aggregate(plan, parts)
        case Join():
            return _join(plan, parts)
        case Sort(limit=None):
            return _below(plan, parts)
        case Distinct(on=None, keep="first" | "last"):
            return _below(plan, parts)
        case Distinct(on=tuple(on)):
            return _split(plan, parts, set(on))
        case Window():
            return _split(plan, parts, _partition_columns(plan))
        case Union():
            inputs = tuple(push(i, parts) for i in plan.inputs)
            same = all(a is b for a, b in zip(inputs, plan.inputs, strict=True))
            return plan if same else replace(plan, inputs=inputs)
    return filtered(_below(plan, ()), parts)


def _below(plan: LogicalPlan, parts: Parts) -> LogicalPlan:
    """The node over its input with the parts applied there."""
    after: LogicalPlan = plan.map_children(lambda child: push(child, parts))
    return after


def _split(plan: LogicalPlan, parts: Parts, passing: set[str]) -> LogicalPlan:
    """Parts that read only `passing` columns go below, the others stay above."""
    down = [p for p in parts if references(p) and references(p) <= passing]
    above = [p for p in parts if p not in down]
    return filtered(_below(plan, down), above)


def _partition_columns(plan: Window) -> set[str]:
    """The columns by which every call partitions."""
    common: set[str] | None = None
    for _, call in plan.calls:
        mine = {e.name for e in call.partition_by if isinstance(e, Column)}
        common = mine if common is None else common & mine
    return common or set()


def _filter(plan: Filter, parts: Parts) -> LogicalPlan:
    mine = conjuncts(plan.predicate)
    stay = [p for p in mine if is_volatile(p)]
    if stay:
        down = [*(p for p in mine if not is_volatile(p)), *parts]
        return filtered(push(plan.input, down), stay)
    after = push(plan.input, [*mine, *parts] if parts else mine)
    if not parts and isinstance(after, Filter) and after.input is plan.input:
        # nothing moved: keep the object
        return plan if set(conjuncts(after.predicate)) == set(mine) else after
    return after


def _scan(plan: Scan, parts: Parts) -> LogicalPlan:
    given = list(conjuncts(plan.predicate))
    above: list[Expr] = []
    new: list[Expr] = []
    for part in dict.fromkeys(parts):
        answer = plan.source.pushdown(part)
        if answer is not Pushdown.NONE and part not in given:
            new.append(part)
        if answer is not Pushdown.EXACT:
            above.append(part)
    if new:
        plan = replace(plan, predicate=conjunction([*given, *new]))
    return filtered(plan, above)


def _project(plan: Project, parts: Parts) -> LogicalPlan:
    if not parts:
        return _below(plan, ())
    inside = dict(plan.columns)
    down: list[Expr] = []
    above: list[Expr] = []
    for part in parts:
        if any(is_volatile(inside[n]) for n in references(part)):
            above.append(part)
        else:
            down.append(substitute(part, inside))
    return filtered(_below(plan, down), above)


def _aggregate(plan: Aggregate, parts: Parts) -> LogicalPlan:
    if not parts:
        return _below(plan, ())
    keys = dict(plan.keys)
    down: list[Expr] = []
    above: list[Expr] = []
    for part in parts:
        names = references(part)
        if names and all(n in keys and not is_volatile(keys[n]) for n in names):
            down.append(substitute(part, keys))
        else:
            above.append(part)
    return filtered(_below(plan, down), above)


# --------------------------------------------------------------------------------------- joins


def _join(plan: Join, parts: Parts) -> LogicalPlan:
    match plan.kind:
        case "inner" | "cross":
            return _inner(plan, parts)
        case "right":
            return _right(plan, parts)
        case "full":
            return filtered(_below(plan, ()), parts)
    return _left_like(plan, parts)


def _inner(plan: Join, parts: Parts) -> LogicalPlan:
    condition = conjuncts(plan.condition)
    left_schema, right_schema = plan.left.schema, plan.right.schema
    to_left: list[Expr] = []
    to_right: list[Expr] = []
    both: list[Expr] = []
    for part in (*condition, *parts):
        if is_volatile(part):
            both.append(part)
        elif _reads(part, left_schema):
            to_left.append(part)
        elif _reads(part, right_schema):
            to_right.append(part)
        else:
            both.append(part)
    left, right = push(plan.left, to_left), push(plan.right, to_right)
    return _with_sides(plan, left, right, both)


def _left_like(plan: Join, parts: Parts) -> LogicalPlan:
    """left, single, semi, anti, mark: what concerns the left side passes."""
    left_schema, right_schema = plan.left.schema, plan.right.schema
    to_left: list[Expr] = []
    to_right: list[Expr] = []
    stay: list[Expr] = []
    above: list[Expr] = []
    for part in parts:
        passes = _reads(part, left_schema) and not is_volatile(part)
        (to_left if passes else above).append(part)
    for part in conjuncts(plan.condition):
        if is_volatile(part):
            stay.append(part)
        elif _reads(part, right_schema):
            to_right.append(part)
        elif plan.kind == "semi" and _reads(part, left_schema):
            to_left.append(part)
        else:
            stay.append(part)
    to_right += _on_other_side(to_left, stay, left_schema, right_schema)
    left, right = push(plan.left, to_left), push(plan.right, to_right)
    return filtered(_with_sides(plan, left, right, stay), above)


def _right(plan: Join, parts: Parts) -> LogicalPlan:
    to_right = [p for p in parts if _reads(p, plan.right.schema) and not is_volatile(p)]
    above = [p for p in parts if p not in to_right]
    to_left: list[Expr] = []
    stay: list[Expr] = []
    for part in conjuncts(plan.condition):
        passes = _reads(part, plan.left.schema) and not is_volatile(part)
        (to_left if passes else stay).append(part)
    to_left += _on_other_side(to_right, stay, plan.right.schema, plan.left.schema)
    left, right = push(plan.left, to_left), push(plan.right, to_right)
    return filtered(_with_sides(plan, left, right, stay), above)


def _on_other_side(
    parts: Iterable[Expr], condition: Iterable[Expr], mine: Schema, other: Schema
) -> list[Expr]:
    """Conditions on one side's join keys, as conditions on the other side's.

    Comparisons only: a function may tell values apart that are equal, such as 0.0 and -0.0.
    """
    keys: dict[str, Expr] = {}
    for c in condition:
        key = equi_key(c, mine, other)
        if key is not None and isinstance(key.left, Column) and key.left.dtype == key.right.dtype:
            keys.setdefault(key.left.name, key.right)
    found: list[Expr] = []
    for part in parts if keys else ():
        match part:
            case Call(function, (Column(name), *values)) if (
                function in COMPARING and name in keys
            ) and all(isinstance(v, Literal) for v in values):
                found.append(replace(part, args=(keys[name], *values)))
    return found


def _reads(part: Expr, schema: Schema) -> bool:
    """Whether a condition reads this side only; a constant is taken to read every side."""
    return all(name in schema for name in references(part))


def _with_sides(
    plan: Join, left: LogicalPlan, right: LogicalPlan, condition: Sequence[Expr]
) -> LogicalPlan:
    whole = conjunction(condition) if condition else None
    kind = plan.kind
    if kind == "cross" and whole is not None:
        kind = "inner"
    elif kind == "inner" and whole is None:
        kind = "cross"
    if left is plan.left and right is plan.right and whole == plan.condition and kind == plan.kind:
        return plan
    return replace(plan, left=left, right=right, condition=whole, kind=kind)


PUSH_DOWN_FILTER = Rule("push_down_filter", rewrite)
