"""Window functions over frames: values at places of the frame, and aggregates of it.

What is common has a way of its own: counts and exact sums from running sums, extremes from a sparse
table of ranks, sums of floats and moments from blocks. Whatever else there is (median, string_agg,
DISTINCT, ...) is aggregated over the rows of each different frame, written out one after the
other in portions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine.kernels.aggregate import AGGREGATES, compute
from plait.engine.kernels.arguments import Argument, Source
from plait.engine.kernels.frames import Pieces, frame_pieces, is_whole
from plait.engine.kernels.grouping import column_keys, group_keys
from plait.engine.kernels.int128 import Int128
from plait.engine.kernels.layout import Layout
from plait.engine.kernels.moments import SINGLE, Moments, answer_array
from plait.engine.kernels.ordinals import Key
from plait.engine.kernels.ranking import integer_argument
from plait.engine.kernels.reductions import divide_exactly, exact_array
from plait.engine.kernels.segments import Segments
from plait.engine.kernels.sliding import PrefixSums, idempotent, lifted, running
from plait.engine.kernels.sorting import order_of
from plait.engine.kernels.views import Bools, Ints, from_stored, take, validity
from plait.engine.kernels.words import words_of_keys
from plait.errors import UnsupportedError
from plait.planner.expr import AggregateCall, Frame, WindowCall
from plait.planner.functions.internal import SHAPES
from plait.planner.types import is_decimal, is_float

_PORTION = 1 << 21  # rows of frames written out at once
_LIMIT = 1 << 33  # and altogether: beyond it, the time would be hours


@dataclass
class Framed:
    """One call over one layout: its frames and its argument by places."""

    layout: Layout
    call: WindowCall
    frames: Pieces

    @cached_property
    def argument(self) -> Argument:
        """The first argument by places; NULL counts as absent."""
        column = self.layout.sorted(self.call.args[0])
        return Argument(column, Segments(self.layout.partition, len(self.layout.sizes)))

    @cached_property
    def chosen(self) -> Bools | None:
        """The places of rows that FILTER leaves; of equal values in a running frame the first."""
        left = self.layout.where(self.call.filter)
        if not self.call.distinct:
            return left
        column = self.layout.sorted(self.call.args[0])
        rows = self.layout.places if left is None else np.flatnonzero(left)
        keys = [
            Key(self.layout.partition, None, 0, len(self.layout.sizes)),
            *column_keys(column),
        ]
        chosen = np.zeros(self.layout.rows, np.bool_)
        chosen[rows[group_keys([_rows_of(k, rows) for k in keys], len(rows)).first]] = True
        return chosen

    @cached_property
    def present(self) -> Bools | None:
        """The places of rows that count: left by FILTER, and the argument is not NULL."""
        valid = self.argument.valid if self.call.args else None
        if valid is None or self.chosen is None:
            return self.chosen if valid is None else valid
        return valid & self.chosen

    @cached_property
    def counts(self) -> Ints:
        """How many rows of each frame count."""
        if self.present is None:
            return self.frames.widths
        return self.sums(self.present.view(np.int8)).low.view(np.int64)

    def sums(self, values: Ints | Int128) -> Int128:
        """Exact sums over the frames."""
        prefix = PrefixSums(values)
        first, *others = (prefix.over(p.low, p.high) for p in self.frames.pieces)
        total = first
        for other in others:
            total = total.plus(other)
        return total

    def spread(self, values: Any, absent: Any) -> Any:
        """Values of present arguments by places, with `absent` where nothing counts."""
        places = self.argument.places
        if places is not None:
            everywhere = np.full(self.layout.rows, absent, values.dtype)
            everywhere[places] = values
            values = everywhere
        return values if self.chosen is None else np.where(self.chosen, values, absent)

    def numbers(self) -> Ints | Int128:
        """The argument's integers by places, 0 where nothing counts."""
        values = self.argument.numbers
        if isinstance(values, Int128):
            return Int128(self.spread(values.high, 0), self.spread(values.low, 0))
        spread: Ints = self.spread(values, 0)
        return spread

    def result(self, values: Ints, valid: Bools | None = None) -> pa.Array:
        """Values by places as the call's result."""
        return self.layout.restore(from_stored(values, self.call.dtype, valid))

    @cached_property
    def some(self) -> Bools:
        """Which frames have a row that counts."""
        return self.counts > 0


def _rows_of(key: Key, rows: Ints) -> Key:
    valid = None if key.valid is None else key.valid[rows]
    return Key(key.values[rows], valid, key.low, key.high)


# ---------------------------------------------------------------------------- sums and averages


def _count(at: Framed) -> pa.Array:
    return at.result(at.counts)


def _size(at: Framed) -> pa.Array:
    return at.result(at.frames.widths if at.chosen is None else at.sums(at.chosen).low)


def _count_if(at: Framed) -> pa.Array:
    return at.layout.restore(exact_array(at.sums(at.numbers()), at.call, at.some))


def _sum(at: Framed) -> pa.Array:
    valid = None if at.call.function == "pandas_sum" else at.some
    if is_float(at.call.dtype):
        return at.result(_float_sums(at), valid)
    return at.layout.restore(exact_array(at.sums(at.numbers()), at.call, valid))


def _mean(at: Framed) -> pa.Array | None:
    t = at.argument.array.type
    if not is_float(at.call.dtype):
        return None  # means of times
    counts = np.maximum(at.counts, 1)
    if is_float(t):
        return at.result(_float_sums(at) / counts, at.some)
    scale = t.scale if is_decimal(t) else 0
    return at.result(divide_exactly(at.sums(at.numbers()), counts, scale), at.some)


def _float_sums(at: Framed) -> Ints:
    values = at.spread(at.argument.doubles, 0.0)
    layout, pieces = at.layout, at.frames.pieces
    with np.errstate(over="ignore", invalid="ignore"):
        if at.frames.running and layout.rows:
            sums = running(np.add, values, layout.begin, layout.starts, layout.sizes)
            (piece,) = pieces
            return np.where(piece.widths > 0, sums[np.maximum(piece.high - 1, 0)], 0.0)
        total = np.zeros(layout.rows)
        for piece in pieces:
            (part,) = lifted(_add, (values,), piece.low, piece.high, (0.0,))
            total = total + part
        return total


def _add(a: tuple[Ints, ...], b: tuple[Ints, ...]) -> tuple[Ints, ...]:
    return (a[0] + b[0],)


def _product(at: Framed) -> pa.Array:
    values = at.spread(at.argument.doubles, 1.0)
    result = np.ones(at.layout.rows)
    with np.errstate(over="ignore", invalid="ignore"):
        for piece in at.frames.pieces:
            (part,) = lifted(_multiply, (values,), piece.low, piece.high, (1.0,))
            result = result * part
    return at.result(result, at.some)


def _multiply(a: tuple[Ints, ...], b: tuple[Ints, ...]) -> tuple[Ints, ...]:
    return (a[0] * b[0],)


# ------------------------------------------------------------------------------------- extremes


def _extreme(largest: bool) -> Callable[[Framed], pa.Array]:
    def pick(at: Framed) -> pa.Array:
        """The place whose rank is first among the frame's; equal values have different ranks."""
        layout = at.layout
        rows = layout.rows
        ordinals = at.spread(at.argument.ordinals.astype(np.int64), 0)
        order = order_of(words_of_keys([Key.of(ordinals, None)], largest, False), rows)
        ranks = np.empty(rows, np.int64)
        ranks[order] = np.arange(rows)
        if at.present is not None:
            ranks[~at.present] = rows
        best = np.full(rows, rows, np.int64)
        if at.frames.running and rows:
            (piece,) = at.frames.pieces
            least = running(np.minimum, ranks, layout.begin, layout.starts, layout.sizes)
            best = np.where(piece.widths > 0, least[np.maximum(piece.high - 1, 0)], rows)
        for piece in () if at.frames.running else at.frames.pieces:
            best = np.minimum(best, idempotent(np.minimum, ranks, piece.low, piece.high, rows))
        none = best == rows
        return layout.pick(at.call.args[0], np.where(none, -1, order[np.where(none, 0, best)]))

    return pick


# -------------------------------------------------------------------------------------- moments


def _moments(name: str) -> Callable[[Framed], pa.Array]:
    fields = 5 if name in SHAPES else 3

    def merge_frames(at: Framed) -> pa.Array:
        rows = at.layout.rows
        values = at.spread(at.argument.doubles, 0.0)
        here = np.ones(rows) if at.present is None else at.present.astype(np.float64)
        state = (here, values, *(np.zeros(rows) for _ in range(2, fields)))
        total = tuple(np.zeros(rows) for _ in state)
        with np.errstate(all="ignore"):
            for piece in at.frames.pieces:
                part = lifted(_merge, state, piece.low, piece.high, (0.0,) * fields)
                total = _merge(total, part)
        higher = total[3:] or (total[2], total[2])  # not looked at
        return at.layout.restore(answer_array(lambda: SINGLE[name](Moments(*total[:3], *higher))))

    return merge_frames


def _merge(a: tuple[Ints, ...], b: tuple[Ints, ...]) -> tuple[Ints, ...]:
    """Two states as one (Pebay 2008); a state without rows leaves the other as it is."""
    (na, mean_a, a2, *higher_a), (nb, mean_b, b2, *higher_b) = a, b
    n = na + nb
    d = np.where((na == 0) | (nb == 0), 0.0, mean_b - mean_a)
    share_b = nb / np.maximum(n, 1.0)
    share_a = na / np.maximum(n, 1.0)
    mean = np.where(na == 0, mean_b, mean_a + d * share_b)
    apart = d * d * na * share_b
    m2 = a2 + b2 + apart
    if not higher_a:
        return n, mean, m2
    (a3, a4), (b3, b4) = higher_a, higher_b
    m3 = a3 + b3 + apart * d * (share_a - share_b) + 3 * d * (share_a * b2 - share_b * a2)
    m4 = (
        a4
        + b4
        + apart * d * d * (share_a * share_a - share_a * share_b + share_b * share_b)
        + 6 * d * d * (share_a * share_a * b2 + share_b * share_b * a2)
        + 4 * d * (share_a * b3 - share_b * a3)
    )
    return n, mean, m2, m3, m4


# --------------------------------------------------------------------------- values of the frame


def _nth(at: Framed, number: Ints) -> pa.Array:
    """The value of the frame's row of a number from 0, or from -1 downwards from its end."""
    frames, present = at.frames.pieces, None
    if at.call.ignore_nulls:
        valid = validity(at.layout.sorted(at.call.args[0]))
        present = None if valid is None else np.flatnonzero(valid)
    edges = [
        (p.low, p.high)
        if present is None
        else (np.searchsorted(present, p.low), np.searchsorted(present, p.high))
        for p in frames
    ]
    width = sum((high - low for low, high in edges), np.zeros(at.layout.rows, np.int64))
    left = np.where(number < 0, width + number, number)
    found = np.full(at.layout.rows, -1, np.int64)
    missing = left < 0
    for low, high in edges:
        here = ~missing & (left >= 0) & (left < high - low)
        found = np.where(here, low + left, found)
        left = np.where(here, -1, left - (high - low))
    if present is not None:
        found = np.where(found < 0, -1, np.append(present, 0)[found])
    return at.layout.pick(at.call.args[0], found)


def _first_value(at: Framed) -> pa.Array:
    return _nth(at, np.zeros(at.layout.rows, np.int64))


def _last_value(at: Framed) -> pa.Array:
    return _nth(at, np.full(at.layout.rows, -1, np.int64))


def _nth_value(at: Framed) -> pa.Array:
    number, valid = integer_argument(at.layout, at.call, 1)
    beyond = at.layout.rows  # past the end of any frame
    usable = number >= 1 if valid is None else (number >= 1) & valid
    return _nth(at, np.where(usable, np.minimum(number, beyond + 1) - 1, beyond))


# --------------------------------------------------------------------------------- all the others


def _written_out(at: Framed) -> pa.Array:
    """Any aggregate, over the rows of every different frame."""
    pieces = at.frames.pieces
    edges = np.stack([edge for p in pieces for edge in (p.low, p.high)], axis=1)
    frames, frame_of = np.unique(edges, axis=0, return_inverse=True)
    frame_of = frame_of.reshape(-1)
    widths = (frames[:, 1::2] - frames[:, ::2]).sum(axis=1)
    total = int(widths.sum())
    if total > _LIMIT:
        raise UnsupportedError(
            f"{at.call.function} over frames of {total} rows in all would take hours; use a "
            "smaller frame, or sum, count, avg, min, max, stddev, first_value or last_value"
        )
    portion = np.cumsum(widths) // _PORTION
    cuts = [0, *(np.flatnonzero(np.diff(portion)) + 1).tolist(), len(frames)]
    results = [_frames_written_out(at, frames[a:b]) for a, b in pairwise(cuts) if b > a]
    if not results:
        return compute(Source(at.layout.batch, Segments(at.layout.places, 0)), _plain_call(at.call))
    return at.layout.restore(take(pa.concat_arrays(_one_type(results)), frame_of))


def _frames_written_out(at: Framed, frames: Ints) -> pa.Array:
    low, high = frames[:, ::2].ravel(), frames[:, 1::2].ravel()
    widths = high - low
    ends = np.cumsum(widths)
    total = int(ends[-1]) if len(ends) else 0
    places = np.arange(total) - np.repeat(ends - widths - low, widths)
    owner = np.repeat(np.repeat(np.arange(len(frames)), frames.shape[1] // 2), widths)
    index = at.layout.order[places]
    source = Source(at.layout.batch, Segments(owner, len(frames)), index)
    return compute(source, _plain_call(at.call))


def _one_type(arrays: list[pa.Array]) -> list[pa.Array]:
    if pa.types.is_dictionary(arrays[0].type):
        return [a.cast(a.type.value_type) for a in arrays]
    return arrays


def _plain_call(call: WindowCall) -> AggregateCall:
    return AggregateCall(call.function, call.args, call.dtype, call.distinct, call.filter)


def _whole_partitions(layout: Layout, call: WindowCall) -> pa.Array:
    """Any aggregate of whole partitions: grouped once, and given to each row."""
    groups = layout.groups
    if layout.order_by:  # string_agg and its kind see the rows in the window's order
        source = Source(layout.batch, Segments(layout.partition, groups.count), layout.order)
    else:
        source = Source(layout.batch, Segments.of(groups))
    return take(compute(source, _plain_call(call)), groups.codes)


Function = Callable[[Framed], "pa.Array | None"]

FRAMED: dict[str, Function] = {
    "count": _count,
    "size": _size,
    "count_if": _count_if,
    "sum": _sum,
    "pandas_sum": _sum,
    "avg": _mean,
    "product": _product,
    "min": _extreme(largest=False),
    "max": _extreme(largest=True),
    "bool_and": _extreme(largest=False),
    "bool_or": _extreme(largest=True),
    **{name: _moments(name) for name in SINGLE},
}
_DIFFERENT = ("nunique", "approx_count_distinct")
VALUES: dict[str, Callable[[Framed], pa.Array]] = {
    "first_value": _first_value,
    "last_value": _last_value,
    "nth_value": _nth_value,
}


def over_frames(layout: Layout, call: WindowCall, frames: dict[Frame, Pieces]) -> pa.Array:
    """An aggregate or a value of each row's frame; `frames` remembers those of the layout."""
    known = call.function in AGGREGATES
    if known and is_whole(call.frame):
        return _whole_partitions(layout, call)
    if not known and call.function not in VALUES:
        raise UnsupportedError(f"The engine has no window function {call.function!r}: {call}")
    pieces = frames.get(call.frame)
    if pieces is None:
        pieces = frames[call.frame] = frame_pieces(layout, call.frame)
    at = Framed(layout, call, pieces)
    if call.function in VALUES:
        return VALUES[call.function](at)
    if call.function in _DIFFERENT and pieces.running:
        at = Framed(layout, replace(call, function="count", distinct=True), pieces)
    if at.call.function in FRAMED and (pieces.running or not at.call.distinct):
        result = FRAMED[at.call.function](at)
        if result is not None:
            return result
    return _written_out(at)
