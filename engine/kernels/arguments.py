"""What an aggregate sees: the rows left by FILTER, DISTINCT and ORDER BY, and its arguments there.

`Source` holds a batch in groups and remembers: calls with equal FILTER, DISTINCT and ORDER BY share
their `Rows`, calls over the same column of the same rows share its `Argument` and thereby all that
was worked out of it (values without NULLs, counts, exact sums, sorted values).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from plait.engine import batches
from plait.engine.kernels.grouping import Groups, column_keys, group_keys
from plait.engine.kernels.int128 import Int128, decimal_values
from plait.engine.kernels.ordinals import Key
from plait.engine.kernels.segments import Floats, Segments
from plait.engine.kernels.sorting import order_of, ordinals, sort_words
from plait.engine.kernels.views import Bools, Ints, stored, take, validity
from plait.engine.kernels.words import words_of_keys
from plait.errors import PlanError, UnsupportedError
from plait.planner.expr import AggregateCall, Column, Expr, Literal, SortKey
from plait.planner.types import is_decimal


class Argument:
    """A column over some rows in groups. `present` is without the rows where it is NULL."""

    def __init__(self, array: pa.Array, segments: Segments) -> None:
        self.array = array
        self.all = segments

    @cached_property
    def valid(self) -> Bools | None:
        """Where it is not NULL; None for everywhere."""
        return validity(self.array)

    @cached_property
    def places(self) -> Ints | None:
        """The positions where it is not NULL; None for all."""
        return None if self.valid is None else np.flatnonzero(self.valid)

    @cached_property
    def present(self) -> Segments:
        """The groups of the rows where it is not NULL."""
        return self.all if self.places is None else self.all.select(self.places)

    def keep(self, values: Ints) -> Ints:
        """The values where the argument is not NULL."""
        return values if self.places is None else values[self.places]

    @cached_property
    def numbers(self) -> Ints | Int128:
        """Integers, scaled decimals, times as counts, booleans, floats; without NULLs."""
        if not is_decimal(self.array.type):
            return self.keep(stored(self.array))
        values = decimal_values(self.array)
        if isinstance(values, Int128):
            return Int128(self.keep(values.high), self.keep(values.low))
        return self.keep(values)

    @cached_property
    def doubles(self) -> Floats:
        """As doubles, without NULLs."""
        values: Any = self.numbers
        if isinstance(values, Int128):
            values = values.to_longdouble()
        if is_decimal(self.array.type) and self.array.type.scale:
            return np.asarray(values / 10.0**self.array.type.scale, np.float64)
        return np.asarray(values, np.float64)

    @cached_property
    def exact_sums(self) -> Int128:
        """The sum of each group, of numbers that are no floats."""
        return self.present.sum_ints(self.numbers)

    @cached_property
    def float_sums(self) -> Floats:
        """The sum of each group as a double."""
        return self.present.sum_floats(self.doubles)

    @cached_property
    def ordinals(self) -> Ints:
        """Integers in the order of the values, without NULLs."""
        return self.keep(ordinals(self.array))

    @cached_property
    def sorted_places(self) -> Ints:
        """Positions of the values that are not NULL, group by group and in order within each."""
        words = words_of_keys(
            [Key(self.present.codes, None, 0, self.present.count - 1), Key.of(self.ordinals, None)],
            False,
            False,
        )
        order = order_of(words, self.present.rows)
        return order if self.places is None else self.places[order]

    @cached_property
    def values(self) -> tuple[Groups, Ints, Ints]:
        """Different values of groups: their rows' numbers, group and how often they occur."""
        keys = [
            Key(self.present.codes, None, 0, self.present.count - 1),
            *(Key(self.keep(k.values), None, k.low, k.high) for k in column_keys(self.array)),
        ]
        pairs = group_keys(keys, self.present.rows)
        times = np.bincount(pairs.codes, minlength=pairs.count)
        return pairs, self.present.codes[pairs.first], times


class Rows:
    """Some rows of a batch in groups: `index` are their numbers, in order (None: all)."""

    def __init__(self, batch: pa.RecordBatch, segments: Segments, index: Ints | None) -> None:
        self.batch = batch
        self.segments = segments
        self.index = index
        self._arguments: dict[str, Argument] = {}

    def array(self, expr: Expr) -> pa.Array:
        """A column over these rows."""
        if not isinstance(expr, Column):
            raise PlanError(f"An operator takes columns, and {expr} is none: compute it before")
        column = batches.column(self.batch, expr.name)
        return column if self.index is None else take(column, self.index)

    def argument(self, expr: Expr) -> Argument:
        """A column over these rows, shared by all who ask."""
        known = self._arguments.get(str(expr))
        if known is None:
            known = self._arguments[str(expr)] = Argument(self.array(expr), self.segments)
        return known

    def pair(self, first: Expr, second: Expr) -> tuple[Argument, Argument]:
        """Two columns over those of the rows where neither is NULL."""
        a, b = self.argument(first), self.argument(second)
        if a.valid is None and b.valid is None:
            return a, b
        both = b.valid if a.valid is None else a.valid if b.valid is None else a.valid & b.valid
        assert both is not None
        places = np.flatnonzero(both)
        segments = self.segments.select(places)
        return Argument(take(a.array, places), segments), Argument(take(b.array, places), segments)

    def constant(self, call: AggregateCall, place: int) -> Any:
        """The value of an argument that must be the same in all rows; None when there are none."""
        expr = call.args[place]
        if isinstance(expr, Literal):
            return expr.value
        column = self.array(expr)
        if not len(column):
            return None
        value = column[0].as_py()
        words = sort_words(column)
        same = all(bool((w.read(None) == w.read(None)[0]).all()) for w in words if w.bits)
        if not same:
            raise UnsupportedError(
                f"Argument {place + 1} of {call.function} must be a constant: {call}"
            )
        return value


class Source:
    """A batch whose rows, all or those of `index`, are in groups."""

    def __init__(
        self, batch: pa.RecordBatch, segments: Segments, index: Ints | None = None
    ) -> None:
        self.batch = batch
        self.whole = Rows(batch, segments, index)
        self._known: dict[Any, Rows] = {(None, None, ()): self.whole}

    def rows(self, call: AggregateCall) -> Rows:
        """The rows a call sees, in the order in which it sees them."""
        different = call.args if call.distinct else None
        return self._rows(call.filter, different, call.order_by)

    def _rows(
        self,
        predicate: Expr | None,
        different: tuple[Expr, ...] | None,
        order_by: tuple[SortKey, ...],
    ) -> Rows:
        what = (predicate, different, order_by)
        known = self._known.get(what)
        if known is not None:
            return known
        if order_by:
            before = self._rows(predicate, None, ())
            words = [
                w
                for key in order_by
                for w in sort_words(before.array(key.expr), key.descending, key.nulls_first)
            ]
            chosen = order_of(words, before.segments.rows)
            rows = self._narrow(before, chosen)
            if different:
                rows = self._narrow(rows, _first_of_each(rows, different))
        elif different is not None:
            before = self._rows(predicate, None, ())
            rows = self._narrow(before, _first_of_each(before, different))
        else:
            assert predicate is not None
            rows = self._narrow(self.whole, _where(self.whole.array(predicate)))
        self._known[what] = rows
        return rows

    def _narrow(self, before: Rows, chosen: Ints) -> Rows:
        index = chosen if before.index is None else before.index[chosen]
        return Rows(self.batch, before.segments.select(chosen), index)


def _where(condition: pa.Array) -> Ints:
    if pat.is_null(condition.type):
        return np.zeros(0, np.int64)
    true, valid = stored(condition), validity(condition)
    return np.flatnonzero(true if valid is None else true & valid)


def _first_of_each(rows: Rows, exprs: Sequence[Expr]) -> Ints:
    segments = rows.segments
    keys = [Key(segments.codes, None, 0, max(segments.count - 1, 0))]
    for expr in exprs:
        keys += column_keys(rows.array(expr))
    return group_keys(keys, segments.rows).first
