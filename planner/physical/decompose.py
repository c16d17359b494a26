"""Aggregates in three steps, so that partitions are aggregated apart: partial, merge, final.

`partial` runs over each partition, `merge` over the partial columns of all partitions grouped again
by the same keys, `final` makes the columns that were asked for. Equal pieces are computed once:
sum(x), avg(x) and count(x) share theirs. Calls that must see all rows of a group in one place
(DISTINCT, ORDER BY, median, ...) cannot be split; then nothing is.

`first` and `last` split because partitions are in row order and partial rows keep that order; a
part without rows must not count, since its NULL is no row's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from plait.planner.expr import AggregateCall, Call, Column, Expr
from plait.planner.functions.internal import PAIR, PAIRS, SHAPE, SHAPES, SPREAD, SPREADS
from plait.planner.types import BOOL, DOUBLE, INT64, decimal, is_decimal, is_float, is_integer

Calls = tuple[tuple[str, AggregateCall], ...]

# merged by the very same function
_SAME = (
    "sum",
    "pandas_sum",
    "product",
    "prod",
    "min",
    "max",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "any_value",
    "pandas_first",
    "pandas_last",
    "count_merge",
    "moments_merge",
    "comoments_merge",
)
_COUNTS = ("count", "size")
_ENDS = ("first", "last")
_PICKED_BY = {"arg_min": "least_by", "arg_max": "greatest_by"}


@dataclass(frozen=True)
class Decomposed:
    """The three steps; `final` gives exactly the original names and types."""

    partial: Calls
    merge: Calls
    final: tuple[tuple[str, Expr], ...]


@dataclass
class _Pieces:
    """Partial calls with the calls that merge them, each once."""

    taken: set[str]
    partial: dict[AggregateCall, str] = field(default_factory=dict)
    merge: dict[str, AggregateCall] = field(default_factory=dict)

    def add(
        self,
        call: AggregateCall,
        merged_by: str,
        *,
        known_by: AggregateCall | None = None,
        ranked_by: AggregateCall | None = None,
    ) -> Column:
        """The merged column of a partial call.

        Parts count where `known_by` is true; `ranked_by` is a second argument of the merge.
        """
        part = self._part(call)
        flag = None if known_by is None else self._part(known_by)
        args = (part,) if ranked_by is None else (part, self._part(ranked_by))
        self.merge[part.name] = AggregateCall(merged_by, args, call.dtype, filter=flag)
        return part

    def _part(self, call: AggregateCall) -> Column:
        name = self.partial.get(call)
        if name is None:
            name = f"#part{len(self.partial)}"
            while name in self.taken:
                name += "_"
            self.partial[call] = name
        return Column(name, call.dtype)


def decompose(calls: Sequence[tuple[str, AggregateCall]]) -> Decomposed | None:
    """The three steps of some aggregates, or None when one of them cannot be split."""
    pieces = _Pieces({name for name, _ in calls})
    shapes = {_inputs(c) for _, c in calls if c.function in SHAPES}
    final: list[tuple[str, Expr]] = []
    for name, call in calls:
        if call.distinct or call.order_by:
            return None
        expr = _split(call, pieces, shapes)
        if expr is None:
            return None
        final.append((name, expr))
    partial = tuple((name, call) for call, name in pieces.partial.items())
    return Decomposed(partial, tuple(pieces.merge.items()), tuple(final))


def _inputs(call: AggregateCall) -> tuple[object, ...]:
    return call.args, call.filter


def _split(call: AggregateCall, pieces: _Pieces, shapes: set[tuple[object, ...]]) -> Expr | None:
    """The final expression of one call, its pieces added; None if it cannot be split."""
    function = call.function
    if function in _SAME:
        return pieces.add(call, function)
    if function in _ENDS:
        return pieces.add(
            call, function, known_by=replace(call, function="any_row", args=(), dtype=BOOL)
        )
    if function in _COUNTS:
        return pieces.add(call, "count_merge")
    if function in _PICKED_BY:
        by = replace(call, function=_PICKED_BY[function], dtype=call.args[1].dtype)
        return pieces.add(call, function, ranked_by=by)
    if function == "count_if":
        return pieces.add(call, "sum")
    if function == "avg":
        return _split_mean(call, pieces)
    if function in SPREADS or function in SHAPES:
        state = SHAPE if _inputs(call) in shapes else SPREAD
        part = replace(call, function="moments", dtype=state)
        merged = pieces.add(part, "moments_merge")
        return Call(f"moments_{function}", (merged,), DOUBLE)
    if function in PAIRS:
        part = replace(call, function="comoments", dtype=PAIR)
        merged = pieces.add(part, "comoments_merge")
        return Call(f"comoments_{function}", (merged,), DOUBLE)
    return None


def _split_mean(call: AggregateCall, pieces: _Pieces) -> Expr | None:
    total = _exact_sum(call.args[0].dtype)
    if total is None or call.dtype != DOUBLE:
        return None
    sums = pieces.add(replace(call, function="sum", dtype=total), "sum")
    counts = pieces.add(replace(call, function="count", dtype=INT64), "count_merge")
    return Call("mean_of", (sums, counts), DOUBLE)


def _exact_sum(t: pa.DataType) -> pa.DataType | None:
    """A type that holds any sum of values of type `t`."""
    if is_float(t):
        return DOUBLE
    if is_decimal(t):
        return decimal(38, t.scale)
    return decimal(38, 0) if is_integer(t) else None
