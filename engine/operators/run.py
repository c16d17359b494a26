"""Physical operators over one partition: the one place that walks a stage's tree.

`run` turns an operator into an iterator of batches. Scans, filters, projections and join probes
pass batches on one by one; grouping, sorting, distinct and windows first gather their input, and
work on it in pieces, through files, if it is more than their space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.exchange.outputs import Cut, Part, rows_of
from plait.engine.exchange.places import mark, restore
from plait.engine.exchange.ranges import cut_ranges, range_bounds, sample
from plait.engine.fuse import Pipeline, PipelineRun
from plait.engine.kernels.evaluate import Evaluator
from plait.engine.memory import cache_bytes, gather_limit
from plait.engine.metrics import Meter
from plait.engine.operators.aggregate import aggregate
from plait.engine.operators.buckets import Gathered, in_buckets
from plait.engine.operators.compute import compute, row_test
from plait.engine.operators.distinct import distinct
from plait.engine.operators.first_rows import first_rows
from plait.engine.operators.function import apply_function
from plait.engine.operators.join import JoinTable, build, join
from plait.engine.operators.join_bounds import Bounds, scan_bounds
from plait.engine.operators.large_join import join_in_buckets
from plait.engine.operators.large_sort import in_buckets_in_order, sort_rows
from plait.engine.operators.top import FEW
from plait.engine.operators.window import common_keys, window
from plait.engine.operators.write import commit_files, write_files
from plait.engine.page_loops import PageLoops
from plait.engine.space import Space
from plait.io.reader import BATCH_ROWS, iterate_split
from plait.planner.physical.operators import (
    ApplyFunction,
    BuildTable,
    CommitFiles,
    Compute,
    CutRanges,
    DistinctRows,
    FirstRows,
    GroupRows,
    HashJoin,
    LimitRows,
    MarkRows,
    NumberRows,
    PhysicalOp,
    RangeBounds,
    ReadStage,
    ReadValues,
    RestoreRows,
    SampleRows,
    ScanSplits,
    SortRows,
    WindowRows,
    WriteFiles,
)
from plait.planner.source import Split
from plait.scheduler.context import current_context

_LOOP_INDEX = 10_000  # rows of a join table that loops will most likely probe
_LOOP_ROWS = 1 << 22
_WORTHWHILE = 0.3  # groups a row, above which grouping batch by batch does not pay


@dataclass
class TaskInputs:
    """What a task was given: splits and parts, by the number of the operator that reads them."""

    partition: int
    splits: dict[int, tuple[Split, ...]] = field(default_factory=dict)
    parts: dict[int, Sequence[Part] | JoinTable] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)


class Runner:
    """Runs the operators of one stage over one partition."""

    def __init__(
        self,
        root: PhysicalOp,
        inputs: TaskInputs,
        pipelines: Mapping[int, Pipeline],
        tier: str,
    ) -> None:
        self.inputs = inputs
        self._pipelines, self._tier = pipelines, tier
        self._loops_read: set[int] = set()  # the scans below pipelines and top-n
        self._numbers = {id(op): number for number, op in enumerate(root.walk())}
        self.root = root
        self._tests = {
            id(op.input): row_test(op.predicate)
            for op in root.walk()
            if isinstance(op, Compute)
            and isinstance(op.input, ScanSplits)
            and op.predicate is not None
        }

    @cached_property
    def _bounds(self) -> dict[int, Bounds | None]:
        return scan_bounds(self.root, self._table_of)

    def _table_of(self, op: HashJoin) -> JoinTable | None:
        if not isinstance(op.build, ReadStage) or op.build.how != "table":
            return None
        table = self.inputs.parts[self._numbers[id(op.build)]]
        assert isinstance(table, JoinTable)
        return table

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches of the root."""
        return self._run(self.root)

    def table(self) -> JoinTable:
        """The join table of a BuildTable root."""
        assert isinstance(self.root, BuildTable)
        rows = list(self._run(self.root.input))
        made = build(rows, self.root.schema)
        if self.root.keys:  # here, once, not in every probe
            self._index(made, self.root)
        return made

    def _index(self, made: JoinTable, root: BuildTable) -> None:
        """Make the index that most likely will be asked for."""
        tier = self._tier
        many = tier == "compiled" or made.batch.num_rows >= _LOOP_INDEX
        if tier != "vectorised" and many:
            with suppress(NotCompiledError):
                made.loop_index(root.keys, root.null_safe, root.presence)
                return
        make = made.members if root.presence else made.index
        make(root.keys, root.null_safe)

    def ranges(self, parts: int) -> tuple[Iterator[pa.RecordBatch], Cut]:
        """The rows of a CutRanges root, and how to cut them."""
        op = self.root
        assert isinstance(op, CutRanges)
        bounds = self._gathered(op.bounds)
        return self._run(op.input), lambda rows: cut_ranges(
            rows, op.keys, bounds, op.schema.names, parts
        )

    def _gathered(self, op: PhysicalOp) -> pa.RecordBatch:
        return batches.concat(list(self._run(op)), op.schema)

    def _run(self, op: PhysicalOp) -> Iterator[pa.RecordBatch]:
        number = self._numbers[id(op)]
        return self.inputs.meter.follow(number, self._operator(op, number))

    def _pipeline(self, pipeline: Pipeline, number: int) -> Iterator[pa.RecordBatch]:
        tables = {}
        for op in pipeline.operators:
            if isinstance(op, HashJoin):
                table = self._table_of(op)
                assert table is not None
                tables[id(op)] = table
        source = pipeline.source
        if isinstance(source, ScanSplits):
            self._loops_read.add(id(source))

        def rows() -> Iterator[pa.RecordBatch]:
            given = self._run(source)
            few = isinstance(source, ReadStage)  # as each task of a stage gave a little
            return batches.in_fewer(given, source.schema) if few else given

        return PipelineRun(
            pipeline,
            rows,
            tables,
            self._tier,
            self._expected(source),
            gather_limit(),
            lambda op, rows: self._groups(op, rows, number),
            self.inputs.meter.operator(number).note_tier,
        ).batches()

    def _expected(self, source: PhysicalOp) -> int | None:
        """How many rows a source will give this task, if that is known."""
        number = self._numbers[id(source)]
        if isinstance(source, ScanSplits):
            counts = [s.rows for s in self.inputs.splits[number]]
            return sum(c for c in counts if c is not None) if None not in counts else None
        if isinstance(source, ReadStage):
            parts = self.inputs.parts[number]
            return None if isinstance(parts, JoinTable) else sum(map(rows_of, parts))
        return None

    def _groups(
        self, op: GroupRows, rows: Iterator[pa.RecordBatch], number: int
    ) -> Iterator[pa.RecordBatch]:
        if op.phase == "partial":
            return _partial_groups(op, rows, gather_limit())
        return in_buckets(
            rows,
            op.input.schema,
            op.keys,
            lambda b: aggregate(b, op.keys, op.calls),
            self._space(number),
        )

    def _operator(self, op: PhysicalOp, number: int) -> Iterator[pa.RecordBatch]:
        pipeline = self._pipelines.get(number)
        if pipeline is not None:
            return self._pipeline(pipeline, number)
        match op:
            case ScanSplits():
                return self._scan(op, self.inputs.splits[number])
            case ReadStage():
                parts = self.inputs.parts[number]
                assert not isinstance(parts, JoinTable)
                return chain.from_iterable(parts)
            case ReadValues():
                return iter([_values(op)])
            case Compute():
                made = (compute(op, b) for b in self._run(op.input))
                return (b for b in made if b is not None)
            case HashJoin():
                return self._join(op, number)
            case FirstRows():
                return first_rows(op, self._run(op.input), gather_limit())
            case MarkRows():
                return mark(self._run(op.input), self.inputs.partition, op.place)
            case LimitRows():
                return _limit(op, self._run(op.input))
            case ApplyFunction():
                return apply_function(op, self._run(op.input))
            case WriteFiles():
                return write_files(op, self._run(op.input), self.inputs.partition)
            case CommitFiles():
                return commit_files(op, self._run(op.input))
            case GroupRows():
                return self._groups(op, self._run(op.input), number)
            case SortRows():
                if op.limit is not None and op.limit <= FEW:
                    self._loops_read.add(id(op.input))  # most rows are passed over, as in loops
                rows = self._run(op.input)
                return sort_rows(rows, op.schema, op.keys, op.limit, self._space(number))
            case DistinctRows():
                names = list(op.schema.names if op.on is None else op.on)
                return self._in_order(op, number, names, lambda b: distinct(b, names, op.keep))
            case WindowRows():
                keys = common_keys(op.calls)
                return self._in_order(op, number, keys, lambda b: window(b, op.calls))
            case NumberRows():
                return self._number(op)
            case RestoreRows():
                return self._restore(op)
        return self._whole(op)

    def _whole(self, op: PhysicalOp) -> Iterator[pa.RecordBatch]:
        """Operators that need all rows of their input; lazy, so that time is counted rightly."""
        rows = self._gathered(op.children()[0])
        match op:
            case SampleRows():
                yield sample(rows, op.weight)
            case RangeBounds():
                yield range_bounds(rows, op.keys, op.weight, op.parts)
            case _:
                raise NotImplementedError(type(op).__name__)

    def _number(self, op: NumberRows) -> Iterator[pa.RecordBatch]:
        start = 0
        if op.counts is not None:
            counts = self._gathered(op.counts).column(0).to_numpy()
            start = int(counts[: self.inputs.partition].sum())
        for batch in self._run(op.input):
            numbers = pa.array(np.arange(start, start + batch.num_rows))
            start += batch.num_rows
            names = [*batch.schema.names, op.name]
            yield batches.make(names, [*batch.columns, numbers], batch.num_rows)

    def _restore(self, op: RestoreRows) -> Iterator[pa.RecordBatch]:
        yield from restore(self._run(op.input), self._gathered(op.found), op.place)

    def _scan(self, op: ScanSplits, splits: Sequence[Split]) -> Iterator[pa.RecordBatch]:
        context, test = current_context(), self._tests.get(id(op))
        bounds = self._bounds[id(op)]
        if bounds is None:
            return  # a join above has nothing to match
        # a loop keeps nothing between rows, so its batches need not fit the processor's cache
        most = _LOOP_ROWS if id(op) in self._loops_read else BATCH_ROWS
        loops = None if self._tier == "vectorised" else PageLoops()
        for split in splits:
            room = cache_bytes(op.cache_bytes)
            names = op.schema.names
            for piece in iterate_split(
                split, names, op.predicate, most, room, test, bounds, op.cached, loops
            ):
                context.check_cancelled()
                known = isinstance(piece, pa.RecordBatch)
                yield piece if known else batches.from_table(piece, op.schema)

    def _in_order(
        self,
        op: DistinctRows | WindowRows,
        number: int,
        keys: Sequence[str],
        work: Callable[[pa.RecordBatch], pa.RecordBatch],
    ) -> Iterator[pa.RecordBatch]:
        rows, space = self._run(op.input), self._space(number)
        return in_buckets_in_order(rows, op.input.schema, op.schema, keys, work, space)

    def _space(self, number: int) -> Space:
        return Space(self.inputs.meter.operator(number))

    def _join(self, op: HashJoin, number: int) -> Iterator[pa.RecordBatch]:
        table = self._table_of(op)
        if table is not None:
            return join(op, self._run(op.probe), table)
        return join_in_buckets(op, self._run(op.probe), self._run(op.build), self._space(number))


def _partial_groups(
    op: GroupRows, rows: Iterator[pa.RecordBatch], limit: float
) -> Iterator[pa.RecordBatch]:
    """Groups of each batch while that makes far fewer rows of it, else of as many as
    may be gathered.

    The merge after the exchange brings equal keys together, so they may come more than once.
    """
    for batch in rows:
        grouped = aggregate(batch, op.keys, op.calls)
        yield grouped
        if grouped.num_rows > _WORTHWHILE * batch.num_rows:
            break
    more = True
    while more:
        gathered = Gathered(rows, limit)
        more = not gathered.all
        some = gathered.taken(op.input.schema)
        if some.num_rows:
            yield aggregate(some, op.keys, op.calls)


def _values(op: ReadValues) -> pa.RecordBatch:
    rows = batches.without_columns(1)
    evaluator = Evaluator(rows)
    columns = []
    for i, f in enumerate(op.schema):
        values = [batches.decode(evaluator.array(row[i]), f.type) for row in op.rows]
        columns.append(pa.concat_arrays(values) if values else pa.array([], f.type))
    return batches.make(op.schema.names, columns, len(op.rows))


def _limit(op: LimitRows, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if op.from_end:
        whole = batches.concat(list(rows), op.schema)
        stop = max(0, whole.num_rows - op.offset)
        start = 0 if op.count is None else max(0, stop - op.count)
        yield whole.slice(start, stop - start)
        return
    skip, left = op.offset, op.count
    while left is None or left > 0:
        batch = next(rows, None)
        if batch is None:
            return
        kept = batch.slice(skip, left) if left is not None else batch.slice(skip)
        skip = max(0, skip - batch.num_rows)
        if left is not None:
            left -= kept.num_rows
        if kept.num_rows:
            yield kept
