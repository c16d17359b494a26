"""Joins: batches of a probe side against a table of the build side.

A `JoinTable` holds the build rows and, made on first use, an index for each set of keys it is
asked for. All kinds come from one thing, the matching pairs (probe row, build row): by key codes,
or every pair when there are no keys; then the residual condition keeps those for which it is true.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.engine import batches
from plait.engine.codegen.radix import order_of_numbers
from plait.engine.kernels.evaluate import Evaluator
from plait.engine.kernels.hash_table import HashTable, Index, KeySet
from plait.engine.kernels.keys import Bools, KeyCoder
from plait.engine.operators.loop_index import LoopIndex, loop_index
from plait.errors import ScalarSubqueryError
from plait.planner.expr import Column, Expr, Literal
from plait.planner.physical.operators import HashJoin
from plait.planner.schema import Schema
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import is_decimal, is_float, is_integer, is_string, is_temporal

_MORE_THAN_ONE = "A scalar subquery gave more than one row; use an aggregate, LIMIT 1, or IN"
_CODED = 1 << 14
_PAIRS_AT_ONCE = 1 << 20  # pairs of a join without keys that are looked at together


class JoinTable:
    """The rows of a build side, with indexes over their keys. Shared by tasks, so locked."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._coders: dict[Any, tuple[KeyCoder, list[pa.Array]]] = {}
        self._indexes: dict[Any, tuple[KeyCoder, HashTable]] = {}
        self._loop_indexes: dict[Any, LoopIndex] = {}
        self._members: dict[Any, tuple[KeyCoder, KeySet]] = {}
        self._bounds: dict[str, ColumnStatistics | None] = {}
        self.probed: dict[int, Any] = {}  # for loops (`probing.py`), by the id of the operator
        self._lock = threading.Lock()

    def members(self, keys: Sequence[str], null_safe: Sequence[bool]) -> tuple[KeyCoder, KeySet]:
        """The set of keys in some columns: cheaper than an index, for those who ask no more."""
        name = (tuple(keys), tuple(null_safe))
        with self._lock:
            if name not in self._members:
                coder, columns = self._coder(keys, null_safe)
                self._members[name] = coder, KeySet(coder.codes(columns), coder.span)
            return self._members[name]

    def loop_index(
        self, keys: tuple[str, ...], null_safe: tuple[bool, ...], presence: bool
    ) -> LoopIndex:
        """The index that compiled loops probe, or of `presence` only the set of keys."""
        name = (keys, null_safe, presence)
        with self._lock:
            if name not in self._loop_indexes:
                self._loop_indexes[name] = loop_index(*self._coder(keys, null_safe), presence)
            return self._loop_indexes[name]

    @property
    def rows_indexed_for_loops(self) -> int:
        """Its rows, if there is an index that loops probe; else 0."""
        return self.batch.num_rows if self._loop_indexes else 0

    def bounds(self, key: str, dtype: pa.DataType) -> ColumnStatistics | None:
        """Between which values a column lies; None if it has none but NULLs."""
        with self._lock:
            if key not in self._bounds:
                self._bounds[key] = _bounds(batches.column(self.batch, key), dtype)
            return self._bounds[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"batch": self.batch}  # indexes are made again where they are used

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["batch"])  # type: ignore[misc]

    def index(self, keys: Sequence[str], null_safe: Sequence[bool]) -> tuple[KeyCoder, HashTable]:
        """The index over some columns."""
        name = (tuple(keys), tuple(null_safe))
        with self._lock:
            if name not in self._indexes:
                coder, columns = self._coder(keys, null_safe)
                self._indexes[name] = coder, HashTable(coder.codes(columns), coder.span)
            return self._indexes[name]

    def _coder(
        self, keys: Sequence[str], null_safe: Sequence[bool]
    ) -> tuple[KeyCoder, list[pa.Array]]:
        """What numbers the keys, the same for all indexes, and the keys. Under the lock."""
        name = (tuple(keys), tuple(null_safe))
        if name not in self._coders:
            columns = [batches.column(self.batch, k) for k in keys]
            self._coders[name] = KeyCoder(columns, null_safe), columns
        return self._coders[name]


def _bounds(column: pa.Array, dtype: pa.DataType) -> ColumnStatistics | None:
    if column.null_count == len(column):
        return None
    if not (is_integer(dtype) or is_decimal(dtype) or is_string(dtype) or is_temporal(dtype)):
        return ColumnStatistics()
    found = pc.min_max(batches.decode(column, dtype))
    try:
        return ColumnStatistics(found["min"].as_py(), found["max"].as_py())
    except (ValueError, OverflowError):  # a time that Python cannot say
        return ColumnStatistics()


class Prober:
    """One HashJoin over one build table, fed batch by batch."""

    def __init__(self, op: HashJoin, table: JoinTable) -> None:
        self.op, self.table = op, table
        tracks = op.kind in ("full", "right", "right_semi", "right_anti")
        self._matched_build = np.zeros(table.batch.num_rows, bool) if tracks else None

    def probe(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The join's rows for a batch of the probe side."""
        match self.op.kind:
            case "inner":
                for probe, build in self._pairs(batch):
                    if len(probe):
                        yield self._joined(batch, probe, build)
            case "right":
                for probe, build in self._matching(batch):
                    yield self._joined(batch, probe, build)
            case "right_semi" | "right_anti":
                for _ in self._matching(batch):
                    pass  # build rows are marked on the way; `rest` gives them
            case "left" | "single" | "full":
                yield self._outer(batch)
            case "semi" | "anti" | "mark":
                yield self._marked(batch)

    def visit(self, batch: pa.RecordBatch, seen: Bools, unsure: Bools) -> Iterator[pa.RecordBatch]:
        """As `probe`, if the build side comes as several tables, of which this is one.

        Marks the probe rows that were `seen` to match, or may match (`unsure`); `settle` gives the
        rows that depend on it after the last table.
        """
        kind = self.op.kind
        if kind in ("semi", "anti", "mark"):
            has, unknown = self._fates(batch)
            seen |= has
            if unknown is not None:
                unsure |= unknown
            return
        for probe, build in self._pairs(batch):
            if not len(probe):
                continue
            if kind == "single" and (seen[probe].any() or len(np.unique(probe)) < len(probe)):
                raise ScalarSubqueryError(_MORE_THAN_ONE)
            seen[probe] = True
            if self._matched_build is not None:
                self._matched_build[build] = True
            if kind not in ("right_semi", "right_anti"):
                yield self._joined(batch, probe, build)

    def settle(self, batch: pa.RecordBatch, seen: Bools, unsure: Bools) -> Iterator[pa.RecordBatch]:
        """The rows that this join gives of a batch because of what all tables had."""
        if self.op.kind in ("semi", "anti", "mark"):
            yield self._settled(batch, seen, unsure & ~seen if self.op.in_probe else None)
        elif self.op.kind in ("left", "single", "full"):
            lonely = np.flatnonzero(~seen)
            if len(lonely):
                yield self._joined(batch, lonely, np.full(len(lonely), -1))

    def rest(self) -> Iterator[pa.RecordBatch]:
        """After the last batch: the build rows that this join gives for themselves."""
        if self._matched_build is None:
            return
        matched = self._matched_build
        build = np.flatnonzero(matched if self.op.kind == "right_semi" else ~matched)
        if len(build):
            nothing = batches.empty(self.op.probe.schema)
            yield self._joined(nothing, np.full(len(build), -1), build)

    # ------------------------------------------------------------------------------------ pairs

    def _pairs(self, batch: pa.RecordBatch) -> Iterator[tuple[Index, Index]]:
        op = self.op
        if not op.probe_keys:
            yield from self._every_pair(batch)
            return
        probe, build = self._keyed_pairs(batch, op.probe_keys, op.build_keys, op.null_safe)
        yield self._filtered(batch, probe, build)

    def _matching(self, batch: pa.RecordBatch) -> Iterator[tuple[Index, Index]]:
        """The pairs, if there are any; their build rows are noted."""
        assert self._matched_build is not None
        for probe, build in self._pairs(batch):
            if len(probe):
                self._matched_build[build] = True
                yield probe, build

    def _keyed_pairs(
        self,
        batch: pa.RecordBatch,
        probe_keys: Sequence[str],
        build_keys: Sequence[str],
        null_safe: Sequence[bool],
    ) -> tuple[Index, Index]:
        coder, table = self.table.index(build_keys, null_safe)
        codes = coder.codes([batches.column(batch, k) for k in probe_keys])
        return table.matches(codes)

    def _every_pair(self, batch: pa.RecordBatch) -> Iterator[tuple[Index, Index]]:
        many = self.table.batch.num_rows
        if not many:
            return
        if many == 1 and self._of_the_only_row is not None:
            probe = np.flatnonzero(_is_true(Evaluator(batch).array(self._of_the_only_row)))
            yield probe, np.zeros_like(probe)
            return
        step = max(1, _PAIRS_AT_ONCE // many)
        for start in range(0, batch.num_rows, step):
            rows = np.arange(start, min(start + step, batch.num_rows))
            probe = np.repeat(rows, many)
            build = np.tile(np.arange(many), len(rows))
            yield self._filtered(batch, probe, build)

    def _filtered(self, batch: pa.RecordBatch, probe: Index, build: Index) -> tuple[Index, Index]:
        """The pairs for which the residual condition is true."""
        if self.op.residual is None or not len(probe):
            return probe, build
        true = _is_true(self._residual(batch, probe, build))
        return probe[true], build[true]

    @cached_property
    def _of_the_only_row(self) -> Expr | None:
        """The residual condition if the build side is a single row: its values are constants."""
        condition, row = self.op.residual, self.table.batch
        if condition is None:
            return None
        own = set(self.op.probe.schema.names)
        others = {c for c in condition.walk() if isinstance(c, Column) and c.name not in own}
        if not all(map(_as_constant, (c.dtype for c in others))):
            return None
        constants = {
            c: Literal(batches.decode(_column(row, c.name), c.dtype)[0].as_py(), c.dtype)
            for c in others
        }
        found: Expr = condition.transform_up(lambda e: constants.get(e, e))
        return found

    def _residual(self, batch: pa.RecordBatch, probe: Index, build: Index) -> pa.Array:
        assert self.op.residual is not None
        pairs = self._columns_of_pairs(batch, probe, build)
        return Evaluator(pairs).array(self.op.residual)

    def _columns_of_pairs(
        self, batch: pa.RecordBatch, probe: Index, build: Index
    ) -> pa.RecordBatch:
        from_probe = _take(batch, batch.schema.names, probe)
        others = [n for n in self.table.batch.schema.names if n not in set(batch.schema.names)]
        from_build = _take(self.table.batch, others, build)
        names = [*batch.schema.names, *others]
        return batches.make(names, [*from_probe, *from_build], len(probe))

    # ------------------------------------------------------------------------------------ kinds

    def _all_pairs(self, batch: pa.RecordBatch) -> tuple[Index, Index]:
        found = list(self._pairs(batch))
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if len(found) == 1:
            return found[0]
        return np.concatenate([p for p, _ in found]), np.concatenate([b for _, b in found])

    def _outer(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        probe, build = self._all_pairs(batch)
        counts = np.bincount(probe, minlength=batch.num_rows)
        if self.op.kind == "single" and (counts > 1).any():
            raise ScalarSubqueryError(_MORE_THAN_ONE)
        if self._matched_build is not None:
            self._matched_build[build] = True
        lonely = np.flatnonzero(counts == 0)
        if len(lonely):
            # keep the order of the probe side: every row has its matches or one row of NULLs
            places = np.concatenate((probe, lonely))
            order = order_of_numbers(places)
            probe = places[order]
            build = np.concatenate((build, np.full(len(lonely), -1)))[order]
        return self._joined(batch, probe, build)

    def _marked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return self._settled(batch, *self._fates(batch))

    def _fates(self, batch: pa.RecordBatch) -> tuple[Bools, Bools | None]:
        """Which rows have a match, and of which nobody knows."""
        if self.op.in_probe:
            return self._in_matches(batch)
        return self._has_match(batch), None

    def _settled(self, batch: pa.RecordBatch, has: Bools, unknown: Bools | None) -> pa.RecordBatch:
        op = self.op
        if op.kind == "mark":
            assert op.mark is not None
            mark = pa.array(has, mask=unknown)
            columns = [mark if n == op.mark else _column(batch, n) for n in op.schema.names]
            return batches.make(op.schema.names, columns, batch.num_rows)
        keep = has if op.kind == "semi" else ~has
        if op.kind == "anti" and unknown is not None:
            keep &= ~unknown
        kept = batch.select(list(op.schema.names))
        return kept if keep.all() else batches.filter_rows(kept, pa.array(keep))

    def _has_match(self, batch: pa.RecordBatch) -> Bools:
        op = self.op
        if op.residual is None and op.probe_keys:
            coder, keys = self.table.members(op.build_keys, op.null_safe)
            codes = coder.codes([batches.column(batch, k) for k in op.probe_keys])
            return keys.contains(codes)
        has = np.zeros(batch.num_rows, bool)
        for probe, _ in self._pairs(batch):
            has[probe] = True
        return has

    # ---------------------------------------------------------------- IN, in three-valued logic

    def _in_matches(self, batch: pa.RecordBatch) -> tuple[Bools, Bools]:
        """For each probe row: whether a build row equals it, else whether one may (NULLs)."""
        op = self.op
        probe_keys, build_keys = (*op.probe_keys, *op.in_probe), (*op.build_keys, *op.in_build)
        safe = (*op.null_safe, *(False for _ in op.in_probe))
        probe, build = self._keyed_pairs(batch, probe_keys, build_keys, safe)
        probe, _ = self._filtered(batch, probe, build)
        has = np.zeros(batch.num_rows, bool)
        has[probe] = True
        unknown = np.zeros(batch.num_rows, bool)
        unsure_probe = _any_null(batch, op.in_probe) & ~has
        unsure_build = np.flatnonzero(_any_null(self.table.batch, op.in_build))
        if unsure_probe.any():
            self._mark_unknown(batch, np.flatnonzero(unsure_probe), None, unknown)
        if len(unsure_build):
            self._mark_unknown(batch, np.flatnonzero(~has), unsure_build, unknown)
        return has, unknown & ~has

    def _mark_unknown(
        self,
        batch: pa.RecordBatch,
        rows: Index,
        build_rows: Index | None,
        unknown: Bools,
    ) -> None:
        """Set `unknown` for those of `rows` that some build row neither equals nor differs from."""
        op = self.op
        some = batch.take(pa.array(rows)) if batch.num_columns else batch
        build = self.table
        if build_rows is not None:
            build = JoinTable(batches.take(self.table.batch, pa.array(build_rows)))
        if not op.probe_keys and op.residual is None and len(op.in_probe) == 1:
            if build.batch.num_rows:
                unknown[rows] = True  # NULL on one side of the only comparison
            return
        inner = Prober(op, build)
        for probe, found in inner._pairs(some):
            maybe = np.ones(len(probe), bool)
            for a, b in zip(op.in_probe, op.in_build, strict=True):
                left = _column(some, a).take(pa.array(probe))
                right = _column(build.batch, b).take(pa.array(found))
                equal = pc.equal(_plain(left), _plain(right))
                maybe &= np.asarray(pc.fill_null(equal, True).to_numpy(zero_copy_only=False))
            unknown[rows[probe[maybe]]] = True

    # ----------------------------------------------------------------------------------- output

    def _joined(self, batch: pa.RecordBatch, probe: Index, build: Index) -> pa.RecordBatch:
        names = self.op.schema.names
        from_probe = [n for n in names if n in set(batch.schema.names)]
        from_build = [n for n in names if n not in set(from_probe)]
        columns = dict(zip(from_probe, _take(batch, from_probe, probe), strict=True))
        taken = _take(self.table.batch, from_build, build)
        columns.update(zip(from_build, taken, strict=True))
        return batches.make(names, [columns[n] for n in names], len(probe))


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batches.column(batch, name)


def _is_true(mask: pa.Array) -> Bools:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))


def _as_constant(dtype: pa.DataType) -> bool:
    """Whether Python can say all values of a type, as times are not."""
    return is_integer(dtype) or is_float(dtype) or is_decimal(dtype) or is_string(dtype)


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _any_null(batch: pa.RecordBatch, names: Sequence[str]) -> Bools:
    result = np.zeros(batch.num_rows, bool)
    for name in names:
        result |= np.asarray(_column(batch, name).is_null().to_numpy(zero_copy_only=False))
    return result


def _take(batch: pa.RecordBatch, names: Sequence[str], rows: Index) -> list[pa.Array]:
    """Columns at row numbers; -1 gives NULL."""
    if not names:
        return []
    if len(rows) == batch.num_rows and len(rows) and _is_range(rows):
        return [_column(batch, n) for n in names]
    missing = rows < 0
    indices = pa.array(rows, mask=missing) if missing.any() else pa.array(rows)
    return [pc.take(_column(batch, n), indices, boundscheck=False) for n in names]


def _is_range(rows: Index) -> bool:
    return bool(rows[0] == 0 and rows[-1] == len(rows) - 1 and (np.diff(rows) == 1).all())


def join(
    op: HashJoin, probe: Iterator[pa.RecordBatch], table: JoinTable
) -> Iterator[pa.RecordBatch]:
    """All rows of the join."""
    prober = Prober(op, table)
    for batch in probe:
        yield from prober.probe(batch)
    yield from prober.rest()


def build(inputs: Sequence[pa.RecordBatch], schema: Schema) -> JoinTable:
    """A join table of all rows. Strings of small ones become codes, which loops can read."""
    rows = batches.concat(inputs, schema)
    if rows.num_rows <= _CODED:
        columns = [_coded(c) for c in rows.columns]
        rows = batches.make(rows.schema.names, columns, rows.num_rows)
    return JoinTable(rows)


def _coded(array: pa.Array) -> pa.Array:
    return array.dictionary_encode() if pa.types.is_string(array.type) else array
