"""How many different values a column has, guessed from its pieces.

A piece tells `d` different values among `n`. If every value of the column is equally likely in
every row, a column of D values shows d = D (1 - exp(-n / D)) of them: solved for D, that is the
guess for a column whose pieces look alike (a foreign key in random order). If the pieces have
bounds that hardly overlap (a sorted key), the numbers of the pieces add up instead. What lies
between is scaled by how much of the column's whole range one piece covers.

Equal values may stand together (the lines of an order), so that a piece shows few of many. A piece
taken from several places tells this by its `draws`: what repeats within one place is drawn once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Piece:
    """`distinct` different ones among `values` values, from `low` to `high` (None: unknown).

    `draws`: how many of the values were drawn independently of each other; all, if None.
    """

    distinct: int
    values: int
    low: Any = None
    high: Any = None
    draws: int | None = None


def estimate(pieces: Sequence[Piece], values: float, low: Any, high: Any) -> float | None:
    """Different values of a column with `values` values from `low` to `high`.

    `pieces` are a sample of its pieces; None if nothing can be said.
    """
    pieces = [p for p in pieces if p.values]
    if not pieces:
        return domain(low, high, values)
    seen = sum(p.values for p in pieces)
    shown = sum(p.distinct for p in pieces)
    # as many different ones as if no two pieces shared a value
    most = max(shown * values / seen, 1.0)
    alike = sum(population(p.distinct, p.draws or p.values) for p in pieces) / len(pieces)
    found = min(most, alike * _spread(pieces, low, high))
    found = max(found, max(p.distinct for p in pieces))
    limit = domain(low, high, values)
    return min(found, values if limit is None else limit)


def population(distinct: int, values: int) -> float:
    """How many values there are if `values` draws showed `distinct` different ones.

    >>> round(population(86740, 113743), -4)
    200000.0
    """
    if distinct >= values:
        return math.inf
    if distinct < 0.01 * values:
        return float(distinct)
    low, high = float(distinct), 2.0 * distinct
    while _shown(high, values) < distinct:
        low, high = high, 2 * high
        if high > 1e15:
            return math.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _shown(middle, values) < distinct else (low, middle)
    return high


def _shown(population: float, values: int) -> float:
    return -population * math.expm1(-values / population)


def domain(low: Any, high: Any, values: float) -> float | None:
    """The number of possible values of a type with steps (integers, dates, booleans)."""
    if isinstance(low, bool):
        return min(2.0, values)
    if isinstance(low, int) and isinstance(high, int):
        return min(float(high - low + 1), values)
    if type(low) is dt.date and type(high) is dt.date:
        return min(float((high - low).days + 1), values)
    return None


def _spread(pieces: Sequence[Piece], low: Any, high: Any) -> float:
    """How many times the range of a piece fits into the whole range."""
    whole = _distance(low, high)
    parts = [_distance(p.low, p.high) for p in pieces]
    known = [p for p in parts if p is not None]
    if whole is None or len(known) < len(parts):
        return 1.0
    mean = sum(known) / len(known)
    return max(1.0, whole / mean) if mean > 0 else math.inf


def _distance(low: Any, high: Any) -> float | None:
    match low, high:
        case (bool(), _):
            return None
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return float(high) - float(low)
        case (dt.datetime(), dt.datetime()) if (low.tzinfo is None) == (high.tzinfo is None):
            return (high - low).total_seconds()
        case (dt.date(), dt.date()) if type(low) is type(high):
            return float((high - low).days)
    return None
