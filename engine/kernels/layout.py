"""The rows of a window: partition by partition, in order, with what each row must know of both.

Everything is in *places*: positions of rows in this order. Results are brought back to the input's
order by `restore` (values computed place by place) or `pick` (places of rows whose value it is).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.kernels.grouping import Groups, group, single_group
from plait.engine.kernels.ordinals import Key
from plait.engine.kernels.sorting import changes, order_of, sort_words
from plait.engine.kernels.views import Bools, Ints, from_stored, is_stored, stored, take, validity
from plait.engine.kernels.words import Word, words_of_keys
from plait.errors import PlanError
from plait.planner.expr import Column, Expr, SortKey


def column_of(batch: pa.RecordBatch, expr: Expr) -> pa.Array:
    """The column an operator's expression names; the planner computes all others before."""
    if not isinstance(expr, Column):
        raise PlanError(f"An operator takes columns, and {expr} is none: compute it before")
    return batches.column(batch, expr.name)


class Layout:
    """A batch's rows by partition and order."""

    def __init__(
        self,
        batch: pa.RecordBatch,
        partition_by: Sequence[Expr],
        order_by: Sequence[SortKey],
    ) -> None:
        self.batch = batch
        self.rows = batch.num_rows
        self.order_by = tuple(order_by)
        self._partition_by = tuple(partition_by)
        self._sorted: dict[str, pa.Array] = {}

    @cached_property
    def groups(self) -> Groups:
        """The partitions, by rows in input order."""
        keys = [column_of(self.batch, e) for e in self._partition_by]
        return group(keys) if keys else single_group(self.rows)

    @cached_property
    def _words(self) -> list[Word]:
        """What the rows are ordered by: the partition's number, then the sort keys."""
        groups = self.groups
        words = words_of_keys([Key(groups.codes, None, 0, max(groups.count - 1, 0))], False, False)
        for key in self.order_by:
            column = column_of(self.batch, key.expr)
            words += sort_words(column, key.descending, key.nulls_first)
        return words

    @cached_property
    def order(self) -> Ints:
        """The input row at each place."""
        return order_of(self._words, self.rows)

    @cached_property
    def in_order(self) -> bool:
        """Whether the input stands in this order already."""
        return bool((self.order[1:] > self.order[:-1]).all())

    @cached_property
    def places(self) -> Ints:
        """0, 1, 2, ..."""
        return np.arange(self.rows)

    @cached_property
    def partition(self) -> Ints:
        """The partition's number at each place, ascending."""
        return np.repeat(np.arange(self.groups.count), self.sizes)

    @cached_property
    def sizes(self) -> Ints:
        """How many rows each partition has."""
        return np.bincount(self.groups.codes, minlength=self.groups.count)

    @cached_property
    def starts(self) -> Ints:
        """The first place of each partition."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def begin(self) -> Ints:
        """At each place, the first place of its partition."""
        return self.starts[self.partition]

    @cached_property
    def end(self) -> Ints:
        """At each place, the place after its partition."""
        return (self.starts + self.sizes)[self.partition]

    # --------------------------------------------------------------------------------------- peers

    @cached_property
    def _new_peers(self) -> Bools:
        """The places where a run of rows that are equal in the order begins."""
        return changes(self._words, self.order)

    @cached_property
    def peer_starts(self) -> Ints:
        """The first place of each run of peers."""
        return np.flatnonzero(self._new_peers)

    @cached_property
    def peers(self) -> Ints:
        """At each place, the number of its run of peers."""
        return np.cumsum(self._new_peers) - 1

    @cached_property
    def peer_begin(self) -> Ints:
        """At each place, the first place of its peers."""
        return self.peer_starts[self.peers]

    @cached_property
    def peer_end(self) -> Ints:
        """At each place, the place after its peers."""
        return np.append(self.peer_starts[1:], self.rows)[self.peers]

    # ------------------------------------------------------------------------------------- columns

    def sorted(self, expr: Expr) -> pa.Array:
        """A column by places."""
        known = self._sorted.get(str(expr))
        if known is None:
            column = column_of(self.batch, expr)
            known = column if self.in_order else take(column, self.order)
            self._sorted[str(expr)] = known
        return known

    def where(self, expr: Expr | None) -> Bools | None:
        """The places where a condition is true; None for everywhere."""
        if expr is None:
            return None
        condition = self.sorted(expr)
        if pa.types.is_null(condition.type):
            return np.zeros(self.rows, np.bool_)
        valid = validity(condition)
        return stored(condition) if valid is None else stored(condition) & valid

    def restore(self, array: pa.Array) -> pa.Array:
        """Values by places, in input order."""
        if self.in_order:
            return array
        if is_stored(array.type):
            valid = validity(array)
            return from_stored(
                self._scattered(stored(array)),
                array.type,
                None if valid is None else self._scattered(valid),
            )
        place_of = np.empty(self.rows, np.int64)
        place_of[self.order] = self.places
        return take(array, place_of)

    def _scattered(self, values: Ints) -> Ints:
        result = np.empty_like(values)
        result[self.order] = values
        return result

    def pick(self, expr: Expr, places: Ints) -> pa.Array:
        """In input order, the value of a column at a place for each place; -1 gives NULL."""
        if not self.rows:
            return column_of(self.batch, expr)
        rows = np.where(places < 0, -1, self.order[places])
        if not self.in_order:
            rows = self._scattered(rows)
        return take(column_of(self.batch, expr), rows)
