"""Statistics of any plan, from those of its scans: rows, bytes, bounds and numbers of values.

    Estimator(measured).statistics(plan)    as plain values; `measured` facts win over estimates
    Estimator().rows(plan)                  rows alone
    Estimator().estimate(plan)              with profiles, for rules that go on computing

Each node is estimated once. Joins assume that the smaller domain is contained in the larger, and
that a domain known only as an upper bound (from a value range, from a number of rows) is no larger
than that of the other side: nearly every join is of a foreign key to its key. Keys of several
columns have at most as many values as their table has rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count

from plait.planner.expr import AggregateCall, Cast, Expr, Literal, conjunction, conjuncts
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
    Write,
)
from plait.planner.predicates import JoinKey, equi_keys, references
from plait.planner.schema import Field
from plait.planner.selectivity import (
    COLUMNS,
    UNKNOWN,
    Estimate,
    Profile,
    apply_filter,
    as_number,
    combine,
    guessed_domain,
    selectivity,
)
from plait.planner.source import Pushdown
from plait.planner.statistics import ColumnStatistics, Statistics

UNKNOWN_ROWS = 1_000_000.0  # of a table that tells nothing


def field_width(field: Field) -> float:
    """The bytes of a value of a column, from its type."""
    try:
        return float(max(1, field.type.bit_width // 8))
    except ValueError:
        return 20.0


class Estimator:
    """Estimates plans; keeps what it computed."""

    def __init__(self, measured: Mapping[LogicalPlan, Statistics] | None = None) -> None:
        self.measured = measured or {}
        self._known: dict[LogicalPlan, Estimate] = {}
        self._origins = count(1)

    def statistics(self, plan: LogicalPlan) -> Statistics:
        """Rows, bytes and columns of a plan's result."""
        e = self.estimate(plan)
        columns = {name: _statistics_of(p, e.rows) for name, p in e.columns.items()}
        return Statistics(e.rows, self.bytes(plan), columns, e.exact)

    def rows(self, plan: LogicalPlan) -> float:
        """The number of rows."""
        return self.estimate(plan).rows

    def bytes(self, plan: LogicalPlan) -> float:
        """The size of the result in memory."""
        measured = self.measured.get(plan)
        if measured is not None and measured.bytes is not None:
            return measured.bytes
        e = self.estimate(plan)
        width = 0.0
        for field in plan.schema:
            p = e.columns.get(field.name)
            width += field_width(field) if p is None else p.width
        return e.rows * max(width, 1.0)

    def estimate(self, plan: LogicalPlan) -> Estimate:
        """Rows and column profiles."""
        known = self._known.get(plan)
        if known is None:
            known = self._estimate(plan)
            if self.measured:
                known = self._with_facts(plan, known)
            self._known[plan] = known
        return known

    def _with_facts(self, plan: LogicalPlan, guess: Estimate) -> Estimate:
        facts = self.measured.get(plan)
        if facts is None:
            return guess
        rows = guess.rows if facts.rows is None else facts.rows
        columns = dict(guess.columns)
        for name, known in facts.columns.items():
            columns[name] = _profile(known, rows, columns.get(name, UNKNOWN))
        return Estimate(rows, columns, facts.rows is not None)

    # ------------------------------------------------------------------------------- the nodes

    def _estimate(self, plan: LogicalPlan) -> Estimate:
        match plan:
            case Scan():
                return self._scan(plan)
            case Values():
                return self._values(plan)
            case Filter(input=below, predicate=predicate):
                return apply_filter(self.estimate(below), predicate)
            case Project(input=below, columns=columns):
                e = self.estimate(below)
                return Estimate(e.rows, {n: e.profile(x) for n, x in columns}, e.exact)
            case Aggregate():
                return self._aggregate(plan)
            case Join():
                return self._join(plan)
            case Limit(input=below, count=most, offset=offset):
                e = self.estimate(below)
                rows = max(0.0, e.rows - offset)
                return Estimate(rows if most is None else min(rows, most), e.columns)
            case Sort(input=below, limit=most):
                e = self.estimate(below)
                return e if most is None else Estimate(min(e.rows, most), e.columns)
            case Distinct(input=below, on=on):
                e = self.estimate(below)
                keys = [e.columns.get(n, UNKNOWN) for n in on or below.schema.names]
                return Estimate(groups(e.rows, keys), e.columns)
            case Union(inputs=inputs):
                return self._union([self.estimate(i) for i in inputs])
            case Window(input=below, calls=calls):
                e = self.estimate(below)
                return Estimate(e.rows, {**e.columns, **{n: UNKNOWN for n, _ in calls}}, e.exact)
            case RowNumber(input=below, name=name):
                e = self.estimate(below)
                numbers = Profile(domain=e.rows, origin=(next(self._origins), e.rows), nulls=0.0)
                return Estimate(e.rows, {**e.columns, name: numbers}, e.exact)
            case Write():
                return Estimate(1.0)
        first = next((self.rows(child) for child in plan.children()), UNKNOWN_ROWS)
        return Estimate(first)

    def _scan(self, plan: Scan) -> Estimate:
        known = plan.source.statistics
        schema = plan.source.schema
        rows = known.rows
        if rows is None:
            # a size without a count: a text file
            width = sum(map(field_width, schema)) or 1.0
            rows = UNKNOWN_ROWS if known.bytes is None else max(1.0, known.bytes / width)
        origin = (next(self._origins), rows)
        columns = {}
        names = set(plan.schema.names)
        if plan.predicate is not None:
            names |= references(plan.predicate)
        for field in schema:
            if field.name in names:
                blank = Profile(width=field_width(field), origin=origin)
                p = _profile(known.column(field.name), rows, blank)
                if p.nulls == 0.0 and not known.exact:
                    p = replace(p, nulls=None)  # a guess is no proof that there is none
                columns[field.name] = p
        e = Estimate(rows, columns, known.exact)
        if plan.predicate is not None:
            # what the source does not do exactly is done, and counted, by a filter above
            done = [
                part
                for part in conjuncts(plan.predicate)
                if plan.source.pushdown(part) is Pushdown.EXACT
            ]
            if done:
                e = apply_filter(e, conjunction(done))
        return e

    def _values(self, plan: Values) -> Estimate:
        rows = float(len(plan.rows))
        origin = (next(self._origins), rows)
        columns = {}
        for i, field in enumerate(plan.fields):
            found = [row[i] for row in plan.rows]
            blank = Profile(width=field_width(field), origin=origin)
            if all(isinstance(e, Literal) for e in found):
                distinct = float(len(set(found)))
                blank = replace(blank, domain=distinct, sure=True)
            columns[field.name] = blank
        return Estimate(rows, columns, exact=True)

    def _aggregate(self, plan: Aggregate) -> Estimate:
        e = self.estimate(plan.input)
        keys = {name: e.profile(x) for name, x in plan.keys}
        rows = groups(e.rows, list(keys.values())) if keys else 1.0
        if len(keys) == 1:
            # grouped by it, a column is a key of the result
            ((name, p),) = keys.items()
            keys[name] = replace(p, domain=p.domain if p.domain is not None else rows)
        per_group = e.rows / max(rows, 1.0)
        columns = keys | {n: _aggregated(c, e, per_group) for n, c in plan.aggregates}
        return Estimate(rows, columns, exact=not keys)

    def _union(self, parts: list[Estimate]) -> Estimate:
        rows = sum(p.rows for p in parts)
        origin = (next(self._origins), rows)
        columns = {}
        for name in parts[0].columns:
            profiles = [p.columns.get(name, UNKNOWN) for p in parts]
            columns[name] = _union_profile(profiles, origin)
        return Estimate(rows, columns, all(p.exact for p in parts))

    def _join(self, plan: Join) -> Estimate:
        left, right = self.estimate(plan.left), self.estimate(plan.right)
        keys, residual = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
        keys = (*keys, *(JoinKey(a, b, False) for a, b in plan.in_keys))
        both = {**left.columns, **right.columns}
        if plan.kind in ("semi", "anti", "mark"):
            if plan.kind == "mark":
                mark = {plan.mark or "mark": Profile(domain=2.0, width=1.0)}
                return Estimate(left.rows, {**left.columns, **mark}, left.exact)
            part = semi_fraction(left, right, keys, residual)
            part = part if plan.kind == "semi" else max(1.0 - part, 0.1)
            return Estimate(left.rows * part, left.columns)
        rows = join_rows(left, right, keys, residual)
        if plan.kind in ("left", "single", "full"):
            both.update((n, replace(p, nulls=None)) for n, p in right.columns.items())
        if plan.kind in ("right", "full"):
            both.update((n, replace(p, nulls=None)) for n, p in left.columns.items())
        if plan.kind == "single":
            rows = left.rows
        elif plan.kind == "left":
            rows = max(rows, left.rows)
        elif plan.kind == "right":
            rows = max(rows, right.rows)
        elif plan.kind == "full":
            rows = max(rows, left.rows, right.rows)
        return Estimate(rows, both)


# --------------------------------------------------------------------------------- arithmetic


def join_rows(
    left: Estimate, right: Estimate, keys: Iterable[JoinKey], residual: Expr | None
) -> float:
    """The rows of an inner join."""
    rows = left.rows * right.rows
    keys = tuple(keys)
    if keys:
        rows /= key_domain(left, right, keys)
    if residual is not None:
        both = Estimate(rows, {**left.columns, **right.columns})
        rows *= combine((str(p), selectivity(p, both)) for p in conjuncts(residual))
    return max(rows, min(1.0, left.rows, right.rows))


def semi_fraction(
    left: Estimate, right: Estimate, keys: Iterable[JoinKey], residual: Expr | None
) -> float:
    """The part of the left rows that have a match."""
    keys = tuple(keys)
    if not keys:
        return 1.0 if residual is None else COLUMNS
    part = min(1.0, right.rows / key_domain(left, right, keys))
    if residual is not None:
        part *= 0.7
    return max(part, 1e-6)


def key_domain(left: Estimate, right: Estimate, keys: Iterable[JoinKey]) -> float:
    """How many different values both sides' join keys are drawn from."""
    keys = tuple(keys)
    a = _composite([left.profile(k.left) for k in keys], left.rows)
    b = _composite([right.profile(k.right) for k in keys], right.rows)
    (a_domain, a_sure, a_unique), (b_domain, b_sure, b_unique) = a, b
    if a_sure == b_sure:
        domain = max(a_domain, b_domain) if a_sure else min(a_domain, b_domain)
    else:
        sure, unique, guess = (
            (a_domain, a_unique, b_domain) if a_sure else (b_domain, b_unique, a_domain)
        )
        domain = sure if unique or sure > guess else guess
    return max(1.0, domain)


def _composite(profiles: list[Profile], rows: float) -> tuple[float, bool, bool]:
    """Domain of several columns together; whether it was counted; whether it is a key."""
    by_origin: dict[tuple[int, float], float] = {}
    sure, unique = True, False
    for p in profiles:
        domain = p.domain
        if domain is None:  # a text column as key: taken for a key of its table
            domain = min(p.origin[1], max(rows, 1.0)) if p.origin[0] == 0 else p.origin[1]
        sure = sure and p.sure
        unique = unique or p.unique
        by_origin[p.origin] = by_origin.get(p.origin, 1.0) * max(1.0, domain)
    total = 1.0
    for (_, table_rows), domain in by_origin.items():
        if domain > table_rows:
            sure = False
        total *= min(domain, max(1.0, table_rows))
    return total, sure, unique


def groups(rows: float, keys: list[Profile]) -> float:
    """How many groups rows fall into."""
    by_origin: dict[tuple[int, float], float] = {}
    for p in keys:
        domain = p.domain
        if domain is None:
            domain = min(p.origin[1], max(rows, 1.0)) ** 0.6
        by_origin[p.origin] = by_origin.get(p.origin, 1.0) * max(1.0, domain)
    total = 1.0
    for (_, table_rows), domain in by_origin.items():
        total *= min(domain, max(1.0, table_rows))
    # drawing `rows` values out of `total`: not every one comes up
    if total > rows / 20:
        total *= 1.0 - math.exp(-rows / max(total, 1.0))
    return max(min(total, rows), min(1.0, rows))


def _aggregated(call: AggregateCall, of: Estimate, per_group: float) -> Profile:
    """The profile of an aggregate over groups of so many rows."""
    if call.function in ("min", "max", "first", "last", "any_value") and call.args:
        p = of.profile(call.args[0])
        return replace(p, sure=False)
    if call.function == "count":
        return Profile(nulls=0.0, likely=(0.0, 2.0 * per_group + 4 * math.sqrt(per_group)))
    if call.function in ("sum", "avg") and call.args:
        p = of.profile(_without_casts(call.args[0]))
        low, high = as_number(p.minimum), as_number(p.maximum)
        if low is not None and high is not None:
            if call.function == "avg":
                return Profile(likely=(low, high))
            middle, spread = (low + high) / 2 * per_group, (high - low) / 2
            spread = 4 * (spread + abs(low + high) / 2) * math.sqrt(max(per_group, 1.0)) / 1.7
            return Profile(likely=(middle - spread, middle + spread))
    return UNKNOWN


def _without_casts(e: Expr) -> Expr:
    while isinstance(e, Cast):
        e = e.input
    return e


def _profile(known: ColumnStatistics, rows: float, blank: Profile) -> Profile:
    """A profile from a source's statistics."""
    low, high = known.minimum, known.maximum
    sure = known.distinct is not None
    domain = known.distinct
    if domain is None:
        domain = guessed_domain(low, high, rows)
        if domain is None and rows <= 100:
            domain = rows
    return Profile(
        low if low is not None else blank.minimum,
        high if high is not None else blank.maximum,
        domain if domain is not None else blank.domain,
        sure,
        None if known.nulls is None else min(1.0, known.nulls / max(rows, 1.0)),
        blank.width if known.width is None else known.width,
        blank.origin,
        blank.likely,
    )


def _union_profile(profiles: list[Profile], origin: tuple[int, float]) -> Profile:
    domains = [p.domain for p in profiles]
    domain = None if None in domains else sum(d for d in domains if d is not None)
    low, high = None, None
    try:
        if all(p.minimum is not None for p in profiles):
            low = min(p.minimum for p in profiles)
        if all(p.maximum is not None for p in profiles):
            high = max(p.maximum for p in profiles)
    except TypeError:  # bounds of different kinds
        low = high = None
    width = max(p.width for p in profiles)
    return Profile(low, high, domain, False, None, width, origin)


def _statistics_of(p: Profile, rows: float) -> ColumnStatistics:
    distinct = None if p.domain is None else min(p.domain, rows)
    nulls = None if p.nulls is None else p.nulls * rows
    return ColumnStatistics(p.minimum, p.maximum, nulls, distinct, p.width)
