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
from plait.planner.predicates import JoinKey, equi_keys
from plait.planner.schema import Field
from plait.planner.selectivity import (
    COLUMNS,
    UNKNOWN,
    Estimate,
    Lookup,
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


def fixed_width(field: Field) -> float | None:
    """The bytes of a value of a column, if its type tells."""
    try:
        return float(max(1, field.type.bit_width // 8))
    except ValueError:
        return None


def field_width(field: Field) -> float:
    """The bytes of a value of a column, guessed for text."""
    return fixed_width(field) or 20.0


class Estimator:
    """Estimates plans; keeps what it computed."""

    def __init__(self, measured: Mapping[LogicalPlan, Statistics] | None = None) -> None:
        self.measured = measured or {}
        self._known: dict[LogicalPlan, Estimate] = {}
        self._origins = count(1)

    def statistics(self, plan: LogicalPlan) -> Statistics:
        """Rows, bytes and columns of a plan's result."""
        e = self.estimate(plan)
        columns = {name: _statistics_of(e.column(name), e.rows) for name in plan.schema.names}
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
            fixed = fixed_width(field)
            width += e.column(field.name).width if fixed is None else fixed
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
        own = {
            name: _profile(known, rows, guess.column(name)) for name, known in facts.columns.items()
        }
        return Estimate(rows, own, (guess.find,), facts.rows is not None)

    # ------------------------------------------------------------------------------- the nodes

    def _estimate(self, plan: LogicalPlan) -> Estimate:
        match plan:
            case Scan():
                return self._scan(plan)
            case Values():
                return self._values(plan)
            case Filter(input=below, predicate=predicate):
                return apply_filter(self.estimate(below), predicate)
            case Project(input=below):
                return self._project(plan, self.estimate(below))
            case Aggregate():
                return self._aggregate(plan)
            case Join():
                return self._join(plan)
            case Limit(input=below, count=most, offset=offset):
                e = self.estimate(below)
                rows = max(0.0, e.rows - offset)
                rows = rows if most is None else min(rows, most)
                return Estimate(rows, {}, (e.find,))
            case Sort(input=below, limit=most):
                e = self.estimate(below)
                return e if most is None else Estimate(min(e.rows, most), {}, (e.find,))
            case Distinct(input=below, on=on):
                e = self.estimate(below)
                keys = [e.column(n) for n in on or below.schema.names]
                return Estimate(groups(e.rows, keys), {}, (e.find,))
            case Union(inputs=inputs):
                return self._union([self.estimate(i) for i in inputs])
            case Window(input=below):
                e = self.estimate(below)
                return Estimate(e.rows, {}, (e.find,), e.exact)
            case RowNumber(input=below, name=name):
                e = self.estimate(below)
                numbers = Profile(domain=e.rows, origin=(next(self._origins), e.rows), nulls=0.0)
                return Estimate(e.rows, {name: numbers}, (e.find,), e.exact)
            case Write():
                return Estimate(1.0)
        return Estimate(next((self.rows(child) for child in plan.children()), UNKNOWN_ROWS))

    def _scan(self, plan: Scan) -> Estimate:
        known = plan.source.statistics
        schema = plan.source.schema
        rows = known.rows
        if rows is None:
            # a size without a count: a text file
            width = sum(map(field_width, schema)) or 1.0
            rows = UNKNOWN_ROWS if known.bytes is None else max(1.0, known.bytes / width)
        origin = (next(self._origins), rows)

        def find(name: str) -> Profile | None:
            if name not in schema:
                return None
            blank = Profile(width=field_width(schema[name]), origin=origin)
            p = _profile(known.column(name), rows, blank)
            # a guess is no proof that there is no NULL
            return p if known.exact or p.nulls != 0.0 else replace(p, nulls=None)

        e = Estimate(rows, {}, (find,), known.exact)
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

    def _project(self, plan: Project, below: Estimate) -> Estimate:
        columns = dict(plan.columns)

        def find(name: str) -> Profile | None:
            e = columns.get(name)
            return None if e is None else below.profile(e)

        return Estimate(below.rows, {}, (find,), below.exact)

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
        calls = dict(plan.aggregates)

        def find(name: str) -> Profile | None:
            call = calls.get(name)
            return None if call is None else _aggregated(call, e, per_group)

        return Estimate(rows, keys, (find,), exact=not plan.keys)

    def _union(self, parts: list[Estimate]) -> Estimate:
        rows = sum(p.rows for p in parts)
        origin = (next(self._origins), rows)

        def find(name: str) -> Profile | None:
            profiles = [p.find(name) for p in parts]
            known = [p for p in profiles if p is not None]
            return _union_profile(known, origin) if len(known) == len(profiles) else None

        return Estimate(rows, {}, (find,), all(p.exact for p in parts))

    def _join(self, plan: Join) -> Estimate:
        left, right = self.estimate(plan.left), self.estimate(plan.right)
        keys, residual = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
        keys = (*keys, *(JoinKey(a, b, False) for a, b in plan.in_keys))
        if plan.kind in ("semi", "anti", "mark"):
            if plan.kind == "mark":
                mark = {plan.mark or "mark": Profile(domain=2.0, width=1.0)}
                return Estimate(left.rows, mark, (left.find,), left.exact)
            part = semi_fraction(left, right, keys, residual)
            part = part if plan.kind == "semi" else max(1.0 - part, 0.1)
            return Estimate(left.rows * part, {}, (left.find,))
        rows = join_rows(left, right, keys, residual)
        if plan.kind == "single":
            rows = left.rows
        elif plan.kind == "left":
            rows = max(rows, left.rows)
        elif plan.kind == "right":
            rows = max(rows, right.rows)
        elif plan.kind == "full":
            rows = max(rows, left.rows, right.rows)
        of_left = _nullable(left.find) if plan.kind in ("right", "full") else left.find
        of_right = _nullable(right.find) if plan.kind in ("left", "single", "full") else right.find
        return Estimate(rows, {}, (of_left, of_right))


def _nullable(find: Lookup) -> Lookup:
    """The same columns, padded with NULLs."""

    def padded(name: str) -> Profile | None:
        p = find(name)
        return None if p is None else replace(p, nulls=None)

    return padded


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
        both = Estimate(rows, {}, (left.find, right.find))
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
    if not (a_sure or b_sure) and (
        _computed(left, [k.left for k in keys]) or _computed(right, [k.right for k in keys])
    ):
        domain = max(a_domain, b_domain)
    elif a_sure == b_sure:
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
    sure = sure and len(by_origin) == 1
    for (_, table_rows), domain in by_origin.items():
        sure = sure and domain <= table_rows
        total *= min(domain, max(1.0, table_rows))
    return total, sure, unique


def _computed(of: Estimate, keys: list[Expr]) -> bool:
    """Whether a key is computed, and so nobody's foreign key."""
    return any(of.profile(k).domain is None for k in keys)


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
        return replace(p, sure=False, nulls=None)  # NULL over nothing, by its FILTER too
    if call.function == "count":
        return Profile(nulls=0.0, likely=(per_group, math.sqrt(per_group)))
    if call.function in ("sum", "avg") and call.args:
        p = of.profile(_without_casts(call.args[0]))
        low, high = as_number(p.minimum), as_number(p.maximum)
        if low is not None and high is not None:
            if call.function == "avg":
                return Profile(likely=((low + high) / 2, (high - low) / 4))
            # as many terms as rows come into a group, give or take its root, evenly distributed
            mean = (low + high) / 2
            spread = math.sqrt(max(per_group, 1.0) * ((high - low) ** 2 / 12 + mean**2))
            return Profile(likely=(mean * per_group, spread))
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
