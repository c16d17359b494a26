"""Keeping the rows of a plan: in this process, or with the workers that made them.

Rows of this process are put together into few large partitions. Where an executor's results are in
other processes, each stays where it is, in the form in which loops read it best, and only what was
measured of it comes here (`plait.io.held`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from plait.engine.driver import Kept
from plait.io.held import HeldRows, HeldSource, held_rows
from plait.io.kept import keep
from plait.io.memory import ArrowSource
from plait.planner import builder
from plait.planner.logical import LogicalPlan
from plait.planner.schema import Schema
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup


def kept_here(rows: list[pa.RecordBatch], schema: Schema, workers: int) -> LogicalPlan:
    """A plan that reads rows of this process."""
    partitions = keep(rows, schema, workers)
    return builder.scan(ArrowSource.of_partitions(partitions, schema, "persisted", workers))


def kept_there(result: Kept, schema: Schema, executor: Executor) -> LogicalPlan:
    """A plan that reads rows where they were made. Lets go of the result."""
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("keep", _Keep(schema), outputs=2))
    try:
        tasks = [graph.add_task(group, (handle,)) for handle in result.handles]
        run = executor.submit(graph, [Ref(t, part) for t in tasks for part in (0, 1)])
        run.wait()
    finally:
        executor.release(result.handles)
    rows, known = run.handles[::2], run.handles[1::2]
    found: list[HeldRows] = executor.gather(known)  # type: ignore[assignment]
    executor.release(known)
    return builder.scan(HeldSource(rows, found, schema, executor.release))


class _Keep:
    """A task: rows in the form to keep, and what there is to know of them."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __call__(self, rows: Iterable[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], HeldRows]:
        kept = keep([b for b in rows if b.num_rows], self.schema, 1)
        return kept, held_rows(kept)
