"""Fragment: the picklable body of one stage; one fragment over one partition is one task.

Called with the partition's number and, for each operator that reads something, what it reads.
Returns the task's parts: one list of batches, for a split output one for each partition of the next
stage, for `table` the join table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from plait import config
from plait.engine.exchange.outputs import Cut, Outputs
from plait.engine.exchange.partition import partition_by_hash
from plait.engine.exchange.places import send_home
from plait.engine.fuse import Pipeline, pipelines
from plait.engine.memory import results_are_full
from plait.engine.operators.run import Runner, TaskInputs
from plait.engine.space import Space
from plait.engine.switching import brisk_switching
from plait.engine.turns import taking_turns
from plait.io.reader import with_rows
from plait.planner.expr import Expr
from plait.planner.interpreter import deep_trees
from plait.planner.physical.operators import CutRanges, PhysicalOp, ReadStage, ScanSplits
from plait.planner.physical.stages import Stage
from plait.planner.source import Split
from plait.planner.tree import interner
from plait.scheduler.context import current_context

_SMALL = 256  # what is less than this part of what a task may gather stays in memory


def readers(root: PhysicalOp) -> list[tuple[int, ScanSplits | ReadStage]]:
    """The operators that take something from outside, with their numbers."""
    numbered = enumerate(root.walk())
    return [(i, op) for i, op in numbered if isinstance(op, ScanSplits | ReadStage)]


class Fragment:
    """The work of a stage on one partition."""

    def __init__(self, stage: Stage) -> None:
        one = interner()  # expressions are looked up by every batch

        # splits travel with the tasks, one by one, not with every copy of the fragment
        def strip(op: PhysicalOp) -> PhysicalOp:
            op = op.map_nodes_of(Expr, one)
            return replace(op, partitions=()) if isinstance(op, ScanSplits) else op

        self.root: PhysicalOp = stage.root.transform_up(strip)
        self.output, self.tier = stage.output, stage.tier
        self._readers = readers(self.root)
        self._pipelines: dict[int, Pipeline] | None = None

    @property
    def pipelines(self) -> dict[int, Pipeline]:
        """The operators that may run as loops; shared by the tasks of a process."""
        if self._pipelines is None:
            self._pipelines = pipelines(self.root)
        return self._pipelines

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pipelines": None}

    def __call__(self, partition: int, *given: Any) -> Any:
        inputs = TaskInputs(partition)
        for (number, op), value in zip(self._readers, given, strict=True):
            if isinstance(op, ScanSplits):
                inputs.splits[number] = tuple(map(_split, value))
            elif op.how == "table":
                inputs.parts[number] = value[0]
            else:
                inputs.parts[number] = value
        started = time.perf_counter()
        tier = self.tier or config.get("compile.tier")
        runner = Runner(self.root, inputs, self.pipelines if tier != "vectorised" else {}, tier)
        with brisk_switching, deep_trees, taking_turns:
            result = self._run(runner)
        current_context().report(
            operators=inputs.meter.operators,
            span=(started, time.perf_counter(), os.getpid()),
        )
        return result

    def _run(self, runner: Runner) -> Any:
        context = current_context()
        if self.output.kind == "table":
            table = runner.table()
            context.report(rows=table.batch.num_rows, bytes=table.batch.nbytes)
            return table
        rows, schema = runner.batches(), self.root.schema
        split: Cut = self._split
        if isinstance(self.root, CutRanges):
            rows, split = runner.ranges(self.output.parts)
            schema = self.root.input.schema
        space = Space()
        outputs = Outputs(
            schema,
            self.root.schema,
            self.output.parts if self.output.split else 1,
            split if self.output.split else None,
            lambda count: count > space.limit / _SMALL and results_are_full(),
            space,
        )
        count = size = 0
        for batch in rows:
            count, size = count + batch.num_rows, size + batch.nbytes
            outputs.add(batch)
            del batch
        parts = outputs.finish()
        context.report(rows=count, bytes=size, spilled=space.metrics.spilled)
        # a task with a single output gives the part itself, not a tuple of one
        return tuple(parts) if self.output.parts > 1 else parts[0]

    def _split(self, rows: pa.RecordBatch) -> Sequence[pa.RecordBatch]:
        output = self.output
        if output.kind == "home":
            (place,) = output.keys
            return send_home(rows, place, output.parts)
        return partition_by_hash(rows, output.keys, output.parts)


def _split(given: Any) -> Split:
    """A split; of one that is held the rows were given too."""
    return given if isinstance(given, Split) else with_rows(*given)
