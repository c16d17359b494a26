"""One text for all plans that do the same in the same way, whatever their columns are called.

    same_plan(sql_frame.optimized, dataframe.optimized)

Column names, the order of conjuncts, which side of an equality stands left, and where projections
stand are of no account: a column is written as what it is computed from, down to the scan it comes
from. The order of joins counts, and the order of the result's columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count

import pyarrow as pa

from plait.planner.expr import Call, Column, Expr, conjuncts
from plait.planner.expr import text as expression_text
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
)
from plait.planner.predicates import MIRRORED, references

Meanings = dict[str, str]  # what each column of a plan is, as text


def canonical(plan: LogicalPlan) -> str:
    """The text, with the meaning of the result's columns in order."""
    text, meanings = canonical_parts(plan)
    return f"{text} -> [{', '.join(meanings[n] for n in plan.schema.names)}]"


def same_plan(a: LogicalPlan, b: LogicalPlan) -> bool:
    """Whether two plans do the same in the same way."""
    return canonical(a) == canonical(b)


def canonical_parts(plan: LogicalPlan) -> tuple[str, Meanings]:
    """The text of a plan, and what each of its columns is."""
    return _Writer().write(plan)


class _Writer:
    def __init__(self) -> None:
        self._numbers = count(1)

    def write(self, plan: LogicalPlan) -> tuple[str, Meanings]:
        match plan:
            case Scan():
                return self._scan(plan)
            case Filter():
                return self._filter(plan)
            case Project(input=below, columns=columns):
                text, names = self.write(below)
                return text, {n: _text(e, names) for n, e in columns}
            case Aggregate(input=below):
                text, names = self.write(below)
                keys = {n: _text(e, names) for n, e in plan.keys}
                aggregates = {n: _text(e, names) for n, e in plan.aggregates}
                mine = next(self._numbers)
                listed = f"[{_sorted(keys.values())}] [{_sorted(aggregates.values())}]"
                found = {n: f"g{mine}({e})" for n, e in (*keys.items(), *aggregates.items())}
                return f"group {mine} {listed} ({text})", found
            case Join():
                return self._join(plan)
            case Window(input=below, calls=calls):
                text, names = self.write(below)
                added = {n: _text(c, names) for n, c in calls}
                mine = next(self._numbers)
                found = names | {n: f"w{mine}({e})" for n, e in added.items()}
                return f"window {mine} [{_sorted(added.values())}] ({text})", found
            case Sort(input=below, keys=keys_, limit=most):
                text, names = self.write(below)
                by = ", ".join(_text(k, names) for k in keys_)
                return f"sort [{by}] {most} ({text})", names
            case Union(inputs=inputs):
                return self._union(plan, inputs)
            case Distinct(input=below, on=on, keep=keep):
                text, names = self.write(below)
                over = on if on is not None else below.schema.names
                return f"distinct [{_sorted(names[n] for n in over)}] {keep} ({text})", names
            case RowNumber(input=below, name=name):
                text, names = self.write(below)
                return f"numbers ({text})", names | {name: f"n{next(self._numbers)}"}
        return self._other(plan)

    def _scan(self, plan: Scan) -> tuple[str, Meanings]:
        mine = next(self._numbers)
        names = {n: f"{mine}.{n}" for n in plan.source.schema.names}
        where = _conditions(conjuncts(plan.predicate), names)
        table = plan.identity or plan.source.identity or plan.name
        text = f"scan {mine} {table} where {where}"
        return text, {n: names[n] for n in plan.schema.names}

    def _filter(self, plan: Filter) -> tuple[str, Meanings]:
        # a filter above a projection is the same as one below
        parts: list[str] = []
        below: LogicalPlan = plan
        layers: list[LogicalPlan] = []
        while isinstance(below, Filter | Project):
            layers.append(below)
            below = below.input
        text, names = self.write(below)
        for layer in reversed(layers):
            if isinstance(layer, Project):
                names = {n: _text(e, names) for n, e in layer.columns}
            elif isinstance(layer, Filter):
                parts += [_text(p, names) for p in conjuncts(layer.predicate)]
        return f"filter [{_sorted(set(parts))}] ({text})", names

    def _join(self, plan: Join) -> tuple[str, Meanings]:
        left, names = self.write(plan.left)
        right, other = self.write(plan.right)
        both = names | other
        on = _conditions(conjuncts(plan.condition), both)
        keys = [f"{_text(a, names)} in {_text(b, other)}" for a, b in plan.in_keys]
        if plan.kind in ("semi", "anti", "mark"):
            both = names
        if plan.mark is not None:
            both = both | {plan.mark: f"m{next(self._numbers)}"}
        return f"{plan.kind} on {on} {_sorted(keys)} ({left}) ({right})", both

    def _union(self, plan: LogicalPlan, inputs: tuple[LogicalPlan, ...]) -> tuple[str, Meanings]:
        texts = []
        for branch in inputs:
            text, names = self.write(branch)
            texts.append(f"{text} -> [{', '.join(names[n] for n in plan.schema.names)}]")
        mine = next(self._numbers)
        found = {n: f"u{mine}.{i}" for i, n in enumerate(plan.schema.names)}
        return f"union {mine} ({'; '.join(texts)})", found

    def _other(self, plan: LogicalPlan) -> tuple[str, Meanings]:
        """Values, limits, functions, files: as they describe themselves."""
        mine = next(self._numbers)
        inside = [self.write(child) for child in plan.children()]
        texts = "; ".join(
            f"{text} -> [{', '.join(names[n] for n in child.schema.names)}]"
            for (text, names), child in zip(inside, plan.children(), strict=True)
        )
        if len(inside) == 1 and plan.schema.names == plan.children()[0].schema.names:
            return f"{plan.label()} ({texts})", inside[0][1]
        label = f"values {plan.rows}" if isinstance(plan, Values) else plan.label()
        found = {n: f"x{mine}.{i}" for i, n in enumerate(plan.schema.names)}
        return f"{label} ({texts})", found


@dataclass(frozen=True, eq=False, repr=False)
class _Meaning(Expr):
    """What a column is, written as it is: quoting it again would tell where it was projected."""

    meaning: str
    dtype: pa.DataType


@expression_text.register
def _(expr: _Meaning) -> str:
    return expr.meaning


def _sorted(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))


def _conditions(parts: Iterable[Expr], names: Mapping[str, str]) -> str:
    return f"[{_sorted({_text(p, names) for p in parts})}]"


def _text(e: Expr, names: Mapping[str, str]) -> str:
    """An expression over what the columns mean, with symmetric calls in one order."""
    if any(n not in names for n in references(e)):
        raise KeyError(f"{e} reads columns that its input does not have")

    def swap(x: Expr) -> Expr:
        match x:
            case Column(name, dtype):
                return _Meaning(names[name], dtype)
            case Call(function, (a, b)) if function in MIRRORED and str(a) > str(b):
                return replace(x, function=MIRRORED[function], args=(b, a))
            case Call("and" | "or" as function, _):
                parts = sorted(_flat(function, x), key=str)
                return Call(function, tuple(parts), x.dtype)
        return x

    return str(e.transform_up(swap))


def _flat(function: str, e: Expr) -> list[Expr]:
    if isinstance(e, Call) and e.function == function:
        return [part for a in e.args for part in _flat(function, a)]
    return [e]
