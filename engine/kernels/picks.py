"""Aggregates that pick one row of each group: first, last, any_value, arg_min, arg_max, mode."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from plait.engine.kernels.arguments import Rows
from plait.engine.kernels.reductions import Aggregate, extreme_places
from plait.engine.kernels.segments import Segments
from plait.engine.kernels.views import Ints, take
from plait.planner.expr import AggregateCall


def _first_places(segments: Segments, places: Ints | None) -> Ints:
    at = segments.first if places is None else _at(places, segments.first)
    return np.where(segments.filled, at, -1)


def _last_places(segments: Segments, places: Ints | None) -> Ints:
    at = segments.last if places is None else _at(places, segments.last)
    return np.where(segments.filled, at, -1)


def _at(places: Ints, rows: Ints) -> Ints:
    return places[rows] if len(places) else rows


def first(rows: Rows, call: AggregateCall) -> pa.Array:
    """The first row's value, NULL or not."""
    return take(rows.argument(call.args[0]).array, _first_places(rows.segments, None))


def last(rows: Rows, call: AggregateCall) -> pa.Array:
    """The last row's value, NULL or not."""
    return take(rows.argument(call.args[0]).array, _last_places(rows.segments, None))


def first_present(rows: Rows, call: AggregateCall) -> pa.Array:
    """The first value that is not NULL."""
    argument = rows.argument(call.args[0])
    return take(argument.array, _first_places(argument.present, argument.places))


def last_present(rows: Rows, call: AggregateCall) -> pa.Array:
    """The last value that is not NULL."""
    argument = rows.argument(call.args[0])
    return take(argument.array, _last_places(argument.present, argument.places))


def _where_extreme(*, largest: bool, with_nulls: bool) -> Aggregate:
    def pick(rows: Rows, call: AggregateCall) -> pa.Array:
        value, by = call.args
        if with_nulls:
            ranked = rows.argument(by)
            return take(rows.argument(value).array, extreme_places(ranked, largest=largest))
        picked, ranked = rows.pair(value, by)
        return take(picked.array, extreme_places(ranked, largest=largest))

    return pick


def _extreme_by(*, largest: bool) -> Aggregate:
    def pick(rows: Rows, call: AggregateCall) -> pa.Array:
        _, ranked = rows.pair(*call.args)
        return take(ranked.array, extreme_places(ranked, largest=largest))

    return pick


def mode(rows: Rows, call: AggregateCall) -> pa.Array:
    """The most frequent value; of equally frequent ones the one met first."""
    argument = rows.argument(call.args[0])
    pairs, owner, times = argument.values
    by_group = Segments(owner, argument.present.count)
    most = by_group.largest(times)
    hits = np.flatnonzero(times == by_group.spread(most))
    chosen = np.full(argument.present.count, -1, np.int64)
    at = pairs.first[hits]
    chosen[owner[hits][::-1]] = (at if argument.places is None else argument.places[at])[::-1]
    return take(argument.array, chosen)


PICKS: dict[str, Aggregate] = {
    "first": first,
    "last": last,
    "any_value": first_present,
    "pandas_first": first_present,
    "pandas_last": last_present,
    "arg_min": _where_extreme(largest=False, with_nulls=False),
    "arg_max": _where_extreme(largest=True, with_nulls=False),
    "least_by": _extreme_by(largest=False),
    "greatest_by": _extreme_by(largest=True),
    "arg_min_null": _where_extreme(largest=False, with_nulls=True),
    "arg_max_null": _where_extreme(largest=True, with_nulls=True),
    "mode": mode,
}
