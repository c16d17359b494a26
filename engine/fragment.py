"""Fragment: the picklable body of one stage; one fragment over one partition is one task.

Called with the partition's number and, for each operator that reads something, what it reads.
Returns the task's parts: one list of batches, for a split output one for each partition of the next
stage, for `table` the join table.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import pyarrow as pa

from plait.engine import batches
from plait.engine.exchange.partition import partition_by_hash
from plait.engine.exchange.places import send_home
from plait.engine.operators.run import Runner, TaskInputs
from plait.engine.switching import brisk_switching
from plait.planner.expr import Expr
from plait.planner.physical.operators import PhysicalOp, ReadStage, ScanSplits
from plait.planner.physical.stages import Stage
from plait.planner.tree import interner
from plait.scheduler.context import current_context


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
        self.output = stage.output

    def __call__(self, partition: int, *given: Any) -> Any:
        inputs = TaskInputs(partition)
        for (number, op), value in zip(readers(self.root), given, strict=True):
            if isinstance(op, ScanSplits):
                inputs.splits[number] = value
            elif op.how == "table":
                inputs.parts[number] = value[0]
            else:
                inputs.parts[number] = value
        started = time.perf_counter()
        runner = Runner(self.root, inputs)
        with brisk_switching:
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
        if self.output.kind == "range":
            parts = runner.ranges(self.output.parts)
            context.report(rows=sum(p.num_rows for p in parts), bytes=batches.size(parts))
            return tuple([p] for p in parts)
        rows = list(runner.batches())
        context.report(rows=sum(b.num_rows for b in rows), bytes=batches.size(rows))
        if self.output.kind == "keep":
            return rows
        parts = self._split(batches.concat(rows, self.root.schema))
        # a task with a single output gives the part itself, not a tuple of one
        return tuple([p] for p in parts) if self.output.parts > 1 else parts

    def _split(self, rows: pa.RecordBatch) -> list[pa.RecordBatch]:
        output = self.output
        if output.kind == "home":
            (place,) = output.keys
            return send_home(rows, place, output.parts)
        return partition_by_hash(rows, output.keys, output.parts)
