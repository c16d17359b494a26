"""Profiles of columns, and what part of the rows passes a predicate.

A `Profile` is what the estimator carries of a column through a plan. Its `domain` is the number of
different values the column has *where it comes from*, before any filter: joins compare domains, and
a domain cut down by a filter elsewhere would make every join look like one that loses nothing.

Guesses where nothing is known are of the size that DuckDB and textbooks use; conjuncts on one
column narrow its range one after the other, those on several columns are multiplied with growing
roots, since columns are seldom as independent as a product would have it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from plait.planner import types as t
from plait.planner.expr import Call, Cast, Column, Expr, Literal, conjuncts
from plait.planner.predicates import MIRRORED, keeps_values, references

EQUAL = 0.05  # col = constant, number of values unknown
RANGE = 0.3  # col < constant, bounds unknown
COLUMNS = 0.5  # one column < another
LIKE = 0.05
OTHER = 0.3  # any other condition
LEAST = 1e-6


@dataclass(frozen=True)
class Profile:
    """What is known or guessed of one column.

    minimum, maximum   bounds, as in ColumnStatistics
    domain     number of different values at its origin; None if unknown
    sure       the domain was counted; else it is an upper bound (from rows or the value range)
    nulls      part of the rows that is NULL; None if unknown
    width      average bytes of a value
    origin     the table or grouping it comes from, and how many rows that has
    likely     guessed mean and standard deviation, of computed columns without bounds
    """

    minimum: Any = None
    maximum: Any = None
    domain: float | None = None
    sure: bool = False
    nulls: float | None = None
    width: float = 8.0
    origin: tuple[int, float] = (0, 1e12)
    likely: tuple[float, float] | None = None

    @property
    def unique(self) -> bool:
        """Whether nearly every row of its origin has a value of its own."""
        return self.domain is not None and self.domain >= 0.9 * self.origin[1]


UNKNOWN = Profile()

# functions that (nearly) keep different values different
_ONE_TO_ONE = frozenset(("add", "subtract", "multiply", "negate", "upper", "lower", "trim"))

# parts of a date or time: their first and last value
_PARTS = {
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "quarter": (1, 4),
    "week": (1, 53),
    "dayofweek": (0, 6),
    "isodow": (1, 7),
    "dayofyear": (1, 366),
}


Lookup = Callable[[str], Profile | None]


@dataclass(frozen=True)
class Estimate:
    """Rows and column profiles of a plan's result.

    Profiles are looked up when they are asked for: sources may have to work for their statistics,
    and most columns of a plan matter to no estimate.
    """

    rows: float
    own: dict[str, Profile] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    exact: bool = False

    def column(self, name: str) -> Profile:
        """The profile of a column."""
        return self.find(name) or UNKNOWN

    def find(self, name: str) -> Profile | None:
        """The profile of a column, None if there is no such column."""
        known = self.own.get(name)
        if known is not None:
            return known
        for lookup in self.lookups:
            found = lookup(name)
            if found is not None:
                self.own[name] = found
                return found
        return None

    def profile(self, expr: Expr) -> Profile:
        """The profile of an expression over these columns."""
        match expr:
            case Column(name):
                return self.column(name)
            case Literal(value):
                return Profile(
                    value, value, 1.0, sure=True, nulls=0.0 if value is not None else 1.0
                )
            case Cast(x, dtype, try_):
                below = self.profile(x)
                if try_:
                    return replace(below, minimum=None, maximum=None, sure=False, nulls=None)
                if keeps_values(x.dtype, dtype):
                    return below
                return replace(below, minimum=None, maximum=None, sure=False)
            case Call("year", (x,)):
                below = self.profile(x)
                low, high = (getattr(v, "year", None) for v in (below.minimum, below.maximum))
                domain = None if low is None or high is None else high - low + 1.0
                return Profile(low, high, domain, nulls=below.nulls)
            case Call(part, (x,)) if part in _PARTS:
                low, high = _PARTS[part]
                return Profile(low, high, high - low + 1.0, nulls=self.profile(x).nulls)
            case Call(function, args) if function in _ONE_TO_ONE:
                varying = [a for a in args if references(a)]
                if len(varying) == 1:  # beside constants
                    below = self.profile(varying[0])
                    width = type_width(expr)
                    return Profile(domain=below.domain, width=width, origin=below.origin)
        if expr.dtype == t.BOOL:
            return Profile(domain=2.0, width=1.0)
        names = references(expr)
        if not names:
            return Profile(domain=1.0)
        # a function of columns has no more values than they have together, often far fewer
        domain, origin, width = 1.0, (0, 1e12), type_width(expr)
        for name in names:
            below = self.column(name)
            if below.domain is None:
                return Profile(width=width)
            domain, origin = domain * below.domain, below.origin
        keeps = isinstance(expr, Call) and expr.function in _ONE_TO_ONE
        if domain > 100 and not keeps:
            return Profile(width=width, origin=origin)
        return Profile(domain=min(domain, origin[1]), width=width, origin=origin)


def type_width(expr: Expr) -> float:
    """The bytes of a value of the expression's type."""
    try:
        return float(max(1, expr.dtype.bit_width // 8))
    except ValueError:
        return 20.0


def as_number(value: Any) -> float | None:
    """A value's place on a line, for interpolation; None for what has none."""
    match value:
        case bool() | None:
            return None
        case int() | float() | Decimal():
            number = float(value)
            return number if number == number else None
        case dt.datetime():
            whole = value.toordinal() * 86400.0
            return whole + value.hour * 3600 + value.minute * 60 + value.second
        case dt.date():
            return value.toordinal() * 86400.0
        case dt.timedelta():
            return value.total_seconds()
    return None


def guessed_domain(low: Any, high: Any, rows: float) -> float | None:
    """At most how many values lie within bounds; None when they can't be counted."""
    if low is None or high is None:
        return None
    if low == high:
        return 1.0
    match low, high:
        case bool(), bool():
            return 2.0
        case int(), int():
            return min(rows, high - low + 1.0)
        case dt.datetime(), dt.datetime():
            return min(rows, max(1.0, (high - low).total_seconds()))
        case dt.date(), dt.date():
            return min(rows, (high - low).days + 1.0)
        case Decimal(), Decimal():
            exponent = min(int(low.as_tuple().exponent), int(high.as_tuple().exponent), 0)
            return min(rows, float(high - low) * 10.0**-exponent + 1.0)
    return None


def apply_filter(estimate: Estimate, predicate: Expr) -> Estimate:
    """The estimate of the rows that pass a conjunction."""
    state = Estimate(estimate.rows, {}, (estimate.find,))
    parts = []
    for part in conjuncts(predicate):
        s = selectivity(part, state)
        parts.append((_column_of(part), s))
        _narrow(state, part, s)
    rows = max(estimate.rows * combine(parts), min(1.0, estimate.rows))
    return replace(state, rows=rows)


def _column_of(part: Expr) -> str:
    """What groups conjuncts: those on the same single column narrow each other exactly."""
    names = references(part)
    return next(iter(names)) if len(names) == 1 else str(part)


def combine(parts: Iterable[tuple[str, float]]) -> float:
    """The selectivity of a conjunction: each further column counts a little less."""
    by_column: dict[str, float] = {}
    for column, s in parts:
        by_column[column] = by_column.get(column, 1.0) * s
    result, exponent = 1.0, 1.0
    for s in sorted(by_column.values()):
        result *= max(s, LEAST) ** exponent
        exponent = max(0.4, exponent - 0.15)
    return result


def _narrow(state: Estimate, part: Expr, s: float) -> None:
    """Note in the profiles what a conjunct that holds tells of its column."""
    match part:
        case Call(op, (Literal() as value, x)) if op in MIRRORED and not isinstance(x, Literal):
            _narrow(state, Call(MIRRORED[op], (x, value), t.BOOL), s)
        case Call(op, (Column(name), Literal(value))) if op in MIRRORED and value is not None:
            old = state.column(name)
            fewer = None if old.domain is None else max(1.0, old.domain * s)
            match op:
                case "equal" | "is_not_distinct":
                    new = replace(old, minimum=value, maximum=value, domain=1.0, nulls=0.0)
                case "less" | "less_equal" if _below(value, old.maximum):
                    new = replace(old, maximum=value, domain=fewer, nulls=0.0)
                case "greater" | "greater_equal" if old.minimum is None or _below(
                    old.minimum, value
                ):
                    new = replace(old, minimum=value, domain=fewer, nulls=0.0)
                case "is_distinct":
                    return
                case _:
                    new = replace(old, nulls=0.0)
            state.own[name] = new
        case Call("in", (Column(name), *values)):
            old = state.column(name)
            most = float(len(values))
            domain = most if old.domain is None else min(old.domain, most)
            state.own[name] = replace(old, domain=domain, nulls=0.0)
        case Call("is_not_null", (Column(name),)):
            state.own[name] = replace(state.column(name), nulls=0.0)


def _below(a: Any, b: Any) -> bool:
    if b is None:
        return True
    try:
        return bool(a < b)
    except TypeError:
        return False


def selectivity(e: Expr, of: Estimate) -> float:
    """The part of the rows for which a boolean expression is true."""
    match e:
        case Literal(value):
            return 1.0 if value is True else 0.0
        case Call("and", _):
            return combine((_column_of(p), selectivity(p, of)) for p in conjuncts(e))
        case Call("or", args):
            miss = 1.0
            for a in args:
                miss *= 1.0 - selectivity(a, of)
            return 1.0 - miss
        case Call("not", (x,)):
            return max(LEAST, 1.0 - selectivity(x, of))
        case Call("coalesce", (x, *_)):
            return selectivity(x, of)
        case Call("is_null" | "is_not_null" as function, (x,)):
            nulls = of.profile(x).nulls
            part = 0.05 if nulls is None else nulls
            return part if function == "is_null" else 1.0 - part
        case Call("in", (x, *values)):
            return min(1.0, sum(_equal(x, v, of) for v in values))
        case Call("equal" | "is_not_distinct", (a, b)):
            return _equal(a, b, of)
        case Call("not_equal" | "is_distinct", (a, b)):
            return 1.0 - _equal(a, b, of)
        case Call("less" | "less_equal" | "greater" | "greater_equal" as function, (a, b)):
            return _range(function, a, b, of)
        case Call("like" | "ilike" | "starts_with" | "ends_with" | "contains", _):
            return LIKE
        case Column():
            return 0.5
    return OTHER


def _equal(a: Expr, b: Expr, of: Estimate) -> float:
    if isinstance(a, Literal):
        a, b = b, a
    x = of.profile(a)
    if isinstance(b, Literal):
        if b.value is None or _outside(b.value, x):
            return 0.0
        if x.domain is not None:
            return 1.0 / max(1.0, x.domain)
        return min(EQUAL if x.origin[1] > 100 else 2.0 / max(2.0, x.origin[1]), 0.5)
    y = of.profile(b)
    known = [p.domain for p in (x, y) if p.domain is not None]
    return 1.0 / max(1.0, *known) if known else 0.1


def _outside(value: Any, p: Profile) -> bool:
    below = p.minimum is not None and _below(value, p.minimum)
    return below or (p.maximum is not None and _below(p.maximum, value))


def _range(function: str, a: Expr, b: Expr, of: Estimate) -> float:
    if isinstance(a, Literal):
        function, a, b = MIRRORED[function], b, a
    if not isinstance(b, Literal):
        return COLUMNS
    x = of.profile(a)
    low, high, at = as_number(x.minimum), as_number(x.maximum), as_number(b.value)
    if (low is None or high is None) and x.likely is not None and at is not None:
        return _tail(function, *x.likely, at)
    if low is None or high is None or at is None:
        return RANGE
    if x.domain is not None and isinstance(x.minimum, int | dt.date) and high > low:
        # whole values: `<= 5` has one value more than `< 5`
        step = 86400.0 if isinstance(x.minimum, dt.date) else 1.0
        if function in ("less_equal", "greater"):
            at += step
        high += step
    if high <= low:
        return 1.0 if _holds(function, low, at) else 0.0
    below = min(1.0, max(0.0, (at - low) / (high - low)))
    part = below if function in ("less", "less_equal") else 1.0 - below
    return min(1.0, max(part, 1e-5))


def _tail(function: str, mean: float, deviation: float, at: float) -> float:
    """The part of normally distributed values on one side of a constant."""
    below = 0.5 * (1.0 + math.erf((at - mean) / max(deviation, 1e-9) / math.sqrt(2.0)))
    return max(below if function in ("less", "less_equal") else 1.0 - below, 1e-4)


def _holds(function: str, value: float, at: float) -> bool:
    return value <= at if function in ("less", "less_equal") else value >= at
