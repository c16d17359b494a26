"""Physical operators: what one task does with one partition, as descriptions.

Frozen, printable, comparable, picklable; `plait.engine.operators` runs them. Everything from a
ScanSplits or ReadStage up to the root of a stage is one chain that batches stream through, until
an operator that needs all its input (aggregate, sort, distinct, window) gathers them.

A row's *place* is the number of its partition and its own number in it, as one integer: places of
later rows are greater, and a place tells an exchange where a row came from.

Expressions in GroupRows, SortRows, WindowRows and the keys of HashJoin are plain columns: a
Compute below works them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plait.planner.expr import AggregateCall, Expr, SortKey, WindowCall
from plait.planner.logical import Named
from plait.planner.schema import Schema
from plait.planner.source import Split
from plait.planner.tree import Tree


class PhysicalOp(Tree):
    """The base of all physical operators. `schema` is what the operator gives."""

    schema: Schema

    def label(self) -> str:
        """This operator as one line of text."""
        raise NotImplementedError(type(self).__name__)


PhysicalOp._family = PhysicalOp


def _listed(items: Any) -> str:
    return ", ".join(map(str, items))


@dataclass(frozen=True, eq=False, repr=False)
class ScanSplits(PhysicalOp):
    """Partition i reads `partitions[i]`, a tuple of splits; `predicate` may skip pieces of them.

    What is decoded may be kept for other scans, within `cache_bytes` of all such columns; `cached`
    are the columns that may be, None all.
    """

    schema: Schema
    partitions: tuple[tuple[Split, ...], ...] = field(compare=False)
    name: str
    predicate: Expr | None = None
    pruned: int = 0  # splits left out because their ranges cannot match
    cache_bytes: int = 0
    cached: frozenset[str] | None = None

    def label(self) -> str:
        splits = sum(map(len, self.partitions))
        skipped = f", {self.pruned} skipped" if self.pruned else ""
        where = f" where {self.predicate}" if self.predicate is not None else ""
        return (
            f"ScanSplits {self.name} [{_listed(self.schema.names)}] {splits} splits{skipped}{where}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class ReadStage(PhysicalOp):
    """The output of other stages. `how`:

    part      partition i gets part i of every task of the stage if its output is split, or of
              its task i alone if that stage keeps its partitions; several stages follow each other
    all       every partition gets everything, in order
    table     every partition gets the one join table that a BuildTable stage made
    """

    schema: Schema
    stages: tuple[int, ...]
    how: str

    def label(self) -> str:
        return f"ReadStage {_listed(self.stages)} {self.how}"


@dataclass(frozen=True, eq=False, repr=False)
class ReadValues(PhysicalOp):
    """Constant rows."""

    schema: Schema
    rows: tuple[tuple[Expr, ...], ...]

    def label(self) -> str:
        return f"ReadValues {len(self.rows)} rows"


@dataclass(frozen=True, eq=False, repr=False)
class Compute(PhysicalOp):
    """Filter, then compute columns (None keeps them all)."""

    schema: Schema
    input: PhysicalOp
    predicate: Expr | None = None
    columns: tuple[Named, ...] | None = None

    def label(self) -> str:
        where = f" where {self.predicate}" if self.predicate is not None else ""
        if self.columns is None:
            return f"Compute{where}"
        columns = _listed(e if str(e) == n else f"{e} AS {n}" for n, e in self.columns)
        return f"Compute {columns}{where}"


@dataclass(frozen=True, eq=False, repr=False)
class BuildTable(PhysicalOp):
    """A join table over `keys` of all input rows: the sink of a broadcast build stage.

    `presence`: only whether a key is there will be asked, not which rows have it.
    """

    schema: Schema
    input: PhysicalOp
    keys: tuple[str, ...]
    null_safe: tuple[bool, ...]
    presence: bool = False

    def label(self) -> str:
        return f"BuildTable on [{_listed(self.keys)}]{' presence' if self.presence else ''}"


@dataclass(frozen=True, eq=False, repr=False)
class HashJoin(PhysicalOp):
    """Batches of `probe` against a table of `build`; without keys, every pair is looked at.

    `kind` is told from the probe's side: inner, left (unmatched probe rows too), full (unmatched
    build rows too, only in one partition or a co-partitioned join), right (as full without
    unmatched probe rows), semi, anti, mark, single; right_semi and right_anti (build rows with and
    without a match, partitioned as for full). `residual` is tested on pairs. `in_probe` and
    `in_build` are the three-valued keys of IN.
    """

    schema: Schema
    probe: PhysicalOp
    build: PhysicalOp
    kind: str
    probe_keys: tuple[str, ...]
    build_keys: tuple[str, ...]
    null_safe: tuple[bool, ...]
    residual: Expr | None = None
    mark: str | None = None
    in_probe: tuple[str, ...] = ()
    in_build: tuple[str, ...] = ()

    def label(self) -> str:
        on = [f"{a} = {b}" for a, b in zip(self.probe_keys, self.build_keys, strict=True)]
        on += [f"{a} IN-= {b}" for a, b in zip(self.in_probe, self.in_build, strict=True)]
        if self.residual is not None:
            on.append(str(self.residual))
        return f"HashJoin {self.kind} on {' AND '.join(on) or 'nothing'}"


@dataclass(frozen=True, eq=False, repr=False)
class GroupRows(PhysicalOp):
    """Aggregates of groups; `phase` is whole, partial or merge and only tells the reader."""

    schema: Schema
    input: PhysicalOp
    keys: tuple[str, ...]
    calls: tuple[tuple[str, AggregateCall], ...]
    phase: str = "whole"

    def label(self) -> str:
        calls = _listed(f"{c} AS {n}" for n, c in self.calls)
        return f"GroupRows {self.phase} by [{_listed(self.keys)}] {calls}".rstrip()


@dataclass(frozen=True, eq=False, repr=False)
class SortRows(PhysicalOp):
    """All rows in order, or the first `limit` of them."""

    schema: Schema
    input: PhysicalOp
    keys: tuple[SortKey, ...]
    limit: int | None = None

    def label(self) -> str:
        first = "" if self.limit is None else f" first {self.limit}"
        return f"SortRows by [{_listed(self.keys)}]{first}"


@dataclass(frozen=True, eq=False, repr=False)
class LimitRows(PhysicalOp):
    """Some rows from the start or the end; stops its input once it has them."""

    schema: Schema
    input: PhysicalOp
    count: int | None
    offset: int = 0
    from_end: bool = False

    def label(self) -> str:
        count = "all" if self.count is None else str(self.count)
        end = " from the end" if self.from_end else ""
        return f"LimitRows {count} offset {self.offset}{end}"


@dataclass(frozen=True, eq=False, repr=False)
class DistinctRows(PhysicalOp):
    """One row for each value of `on`."""

    schema: Schema
    input: PhysicalOp
    on: tuple[str, ...] | None
    keep: str

    def label(self) -> str:
        on = "all columns" if self.on is None else f"[{_listed(self.on)}]"
        return f"DistinctRows on {on} keep={self.keep}"


@dataclass(frozen=True, eq=False, repr=False)
class WindowRows(PhysicalOp):
    """Window functions as further columns, rows in input order."""

    schema: Schema
    input: PhysicalOp
    calls: tuple[tuple[str, WindowCall], ...]

    def label(self) -> str:
        return f"WindowRows {_listed(f'{c} AS {n}' for n, c in self.calls)}"


@dataclass(frozen=True, eq=False, repr=False)
class NumberRows(PhysicalOp):
    """Row numbers as a last column, from 0, or on from the partitions before.

    `counts` has a row for each partition: how many rows it has.
    """

    schema: Schema
    input: PhysicalOp
    name: str
    counts: PhysicalOp | None = None

    def label(self) -> str:
        return f"NumberRows AS {self.name}"


@dataclass(frozen=True, eq=False, repr=False)
class FirstRows(PhysicalOp):
    """At least the first `most` rows of each group of the partition, in the order of all rows."""

    schema: Schema
    input: PhysicalOp
    partition_by: tuple[Expr, ...]
    order_by: tuple[SortKey, ...]
    most: int

    def label(self) -> str:
        by = f" by {_listed(self.order_by)}" if self.order_by else ""
        return f"FirstRows {self.most} of each [{_listed(self.partition_by)}]{by}"


@dataclass(frozen=True, eq=False, repr=False)
class MarkRows(PhysicalOp):
    """The rows' places as a last column."""

    schema: Schema
    input: PhysicalOp
    place: str

    def label(self) -> str:
        return f"MarkRows AS {self.place}"


@dataclass(frozen=True, eq=False, repr=False)
class RestoreRows(PhysicalOp):
    """The rows of `input` whose places `found` has, in order, with the other columns of `found`."""

    schema: Schema
    input: PhysicalOp
    found: PhysicalOp
    place: str

    def label(self) -> str:
        return f"RestoreRows by {self.place}"


@dataclass(frozen=True, eq=False, repr=False)
class SampleRows(PhysicalOp):
    """A few of a partition's rows, all over it; `weight` tells how many each stands for."""

    schema: Schema
    input: PhysicalOp
    weight: str

    def label(self) -> str:
        return "SampleRows"


@dataclass(frozen=True, eq=False, repr=False)
class RangeBounds(PhysicalOp):
    """At most `parts` - 1 rows that cut the sampled rows into ranges of about equally many."""

    schema: Schema
    input: PhysicalOp
    keys: tuple[SortKey, ...]
    weight: str
    parts: int

    def label(self) -> str:
        return f"RangeBounds by [{_listed(self.keys)}] for {self.parts}"


@dataclass(frozen=True, eq=False, repr=False)
class CutRanges(PhysicalOp):
    """The rows between bounds, range by range: the root of a stage whose output is ranges."""

    schema: Schema
    input: PhysicalOp
    keys: tuple[SortKey, ...]
    bounds: PhysicalOp

    def label(self) -> str:
        return f"CutRanges by [{_listed(self.keys)}]"


@dataclass(frozen=True, eq=False, repr=False)
class ApplyFunction(PhysicalOp):
    """A Python function over pandas frames: each input batch, or (`whole`) all rows at once."""

    schema: Schema
    input: PhysicalOp
    function: Callable[[Any], Any] = field(compare=False)
    key: str
    whole: bool

    def label(self) -> str:
        return f"ApplyFunction {self.key}"


@dataclass(frozen=True, eq=False, repr=False)
class WriteFiles(PhysicalOp):
    """The partition's rows to one file; gives a row of path, rows, bytes."""

    schema: Schema
    input: PhysicalOp
    path: str
    format: str
    options: tuple[tuple[str, Any], ...]

    def label(self) -> str:
        return f"WriteFiles {self.format} {self.path}"


@dataclass(frozen=True, eq=False, repr=False)
class CommitFiles(PhysicalOp):
    """Makes the files of all WriteFiles tasks visible at once."""

    schema: Schema
    input: PhysicalOp
    path: str
    format: str
    options: tuple[tuple[str, Any], ...]

    def label(self) -> str:
        return f"CommitFiles {self.path}"
