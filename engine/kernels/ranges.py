"""RANGE frames: where in its partition each row finds its order key plus an offset.

Keys and targets become integers in the order of the window (a descending order is the complement),
NULL lies beyond all of them on its side. One search over (partition, key) finds all rows' ends. A
row whose key is NULL sees its peers: nothing can be added to NULL.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.kernels.int128 import Int128, decimal_values
from plait.engine.kernels.layout import Layout
from plait.engine.kernels.ordinals import float_order
from plait.engine.kernels.views import Ints, stored, validity
from plait.errors import PlanError, UnsupportedError
from plait.planner.expr import Bound
from plait.planner.types import is_date, is_decimal, is_float, is_integer, is_timestamp

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_NANOS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY = 86_400_000_000_000  # nanoseconds


def search(layout: Layout, bound: Bound, side: str) -> Ints:
    """For each place, where its frame starts (or ends) by the offset of one bound."""
    if len(layout.order_by) != 1:
        raise PlanError("A RANGE frame with an offset needs exactly one ORDER BY key")
    (key,) = layout.order_by
    column = layout.sorted(key.expr)
    offset = bound.offset
    values, targets = _in_order(column, offset, key.descending, side)
    valid = validity(column)
    known = values if valid is None else values[valid]
    if not len(known):
        return layout.peer_begin if side == "start" else layout.peer_end
    ranks, wanted, span = _ranked(known, values, targets, side, len(layout.sizes))
    if valid is not None:
        ranks = np.where(valid, ranks, 0 if key.nulls_first else span - 1)
    found: Ints = np.searchsorted(layout.partition * span + ranks, layout.partition * span + wanted)
    if valid is None:
        return found
    return np.where(valid, found, layout.peer_begin if side == "start" else layout.peer_end)


def _ranked(
    known: Ints, values: Ints, targets: Ints, side: str, partitions: int
) -> tuple[Ints, Ints, int]:
    """Ranks of the keys from 1, the rank of the first key that is past each row's bound, and how
    many ranks there are, with one before and one after for NULL.

    The keys themselves serve when a partition's number fits before them.
    """
    low, high = int(known.min()), int(known.max())
    after = 0 if side == "start" else 1
    if (high - low + 3) * partitions < _MOST:
        least, most = (low, high + 1) if side == "start" else (low - 1, high)
        least, most = max(least, _LEAST), min(most, _MOST)
        wanted = np.clip(targets, least, most) - low + 1 + after
        return np.clip(values, low, high) - low + 1, wanted, high - low + 3
    distinct = np.unique(known)
    where = np.searchsorted(distinct, values) + 1
    if side == "start":
        return where, np.searchsorted(distinct, targets) + 1, len(distinct) + 2
    return where, np.searchsorted(distinct, targets, side="right") + 1, len(distinct) + 2


def _in_order(column: pa.Array, offset: Any, descending: bool, side: str) -> tuple[Ints, Ints]:
    """Keys, and keys plus the offset, as integers ascending in the window's order."""
    t = column.type
    if is_float(t):
        if not isinstance(offset, int | float | Decimal):
            raise _mismatch(t, offset)
        plain = stored(column).astype(np.float64)
        moved = plain - float(offset) if descending else plain + float(offset)
        values, targets = float_order(plain), float_order(moved)
    elif isinstance(offset, pa.MonthDayNano):
        values, targets = _add_interval(column, offset, descending, side)
    else:
        values, step = _scaled(column, offset)
        # a fraction of a unit: the next whole key inside the frame
        inward = math.ceil if (side == "start") else math.floor
        by = inward(step)
        targets = _add(values, -by if descending else by)
    return (~values, ~targets) if descending else (values, targets)


def _scaled(column: pa.Array, offset: Any) -> tuple[Ints, Fraction]:
    """Keys as integers, and the offset in their unit."""
    t = column.type
    if is_integer(t) and isinstance(offset, int | float | Decimal):
        values = stored(column)
        if values.dtype == np.uint64:
            raise UnsupportedError("A RANGE offset over UBIGINT: cast the key to BIGINT")
        return values.astype(np.int64), Fraction(offset)
    if is_decimal(t) and isinstance(offset, int | float | Decimal):
        exact = decimal_values(column)
        if isinstance(exact, Int128):
            raise UnsupportedError(f"A RANGE offset over {t}: cast the key to DECIMAL(18, s)")
        written = Fraction(str(offset)) if isinstance(offset, float) else Fraction(offset)
        return exact.astype(np.int64), written * 10**t.scale
    if is_date(t) and isinstance(offset, int):
        return stored(column).astype(np.int64), Fraction(offset)
    if isinstance(offset, dt.timedelta):
        per = _nanoseconds(t, offset)
        micros = offset // dt.timedelta(microseconds=1)
        return stored(column).astype(np.int64), Fraction(micros * 1000, per)
    raise _mismatch(t, offset)


def _nanoseconds(t: pa.DataType, offset: Any) -> int:
    """How long one unit of a key is."""
    if is_date(t):
        return _DAY
    if is_timestamp(t) or pat.is_time(t) or pat.is_duration(t):
        return _NANOS[t.unit]
    raise _mismatch(t, offset)


def _add(values: Ints, by: int) -> Ints:
    """The sums, stopping at the ends of 64 bits."""
    by = max(_LEAST, min(_MOST, by))
    with np.errstate(over="ignore"):
        sums = values + np.int64(by)
    if by > 0:
        return np.where(sums < values, _MOST, sums)
    return np.where(sums > values, _LEAST, sums)


def _add_interval(
    column: pa.Array, offset: pa.MonthDayNano, descending: bool, side: str
) -> tuple[Ints, Ints]:
    """Keys, and keys plus months, days and time, in the key's unit or, of dates, microseconds."""
    t = column.type
    per = _nanoseconds(t, offset)
    values = stored(column).astype(np.int64)
    if is_date(t):
        values, per = values * 86_400_000_000, _NANOS["us"]
    sign = -1 if descending else 1
    months, rest = sign * offset.months, offset.days * _DAY + offset.nanoseconds
    moved = values if not months else _add_months(values, months, _DAY // per)
    step = Fraction(rest, per)
    inward = math.ceil if side == "start" else math.floor
    return values, _add(moved, sign * inward(step))


def _add_months(values: Ints, months: int, per_day: int) -> Ints:
    """Times some months later, on the last day of a month that is too short."""
    days = values // per_day
    within = values - days * per_day
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    day = (dates - month.astype("datetime64[D]")).astype(np.int64)
    target = month + np.timedelta64(months, "M")
    length = ((target + np.timedelta64(1, "M")).astype("datetime64[D]") - target).astype(np.int64)
    first: Ints = target.astype("datetime64[D]").astype(np.int64)
    later: Ints = (first + np.minimum(day, length - 1)) * per_day + within
    return later


def _mismatch(t: pa.DataType, offset: Any) -> PlanError:
    return PlanError(f"{offset!r} cannot be added to a key of type {t} for a RANGE frame")
