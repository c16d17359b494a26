"""The adaptive driver: run the stages that can run, measure, let the planner choose again.

Each step of the planner becomes one task graph. Results that later steps read stay where they are
and are referred to by handles. Steps that an earlier run took are run as one graph. A stage that
may stop early (LIMIT) runs its partitions in waves of growing size until it has rows enough.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from plait.engine.lower import Lowered, Produced, lower
from plait.engine.metrics import OperatorMetrics, total
from plait.engine.prepared import Prepared
from plait.planner.logical import LogicalPlan
from plait.planner.physical.planner import Finished, Step
from plait.planner.physical.stages import Stage
from plait.planner.statistics import Statistics
from plait.scheduler.events import Observer, followed
from plait.scheduler.executor import Executor, TaskMetrics
from plait.scheduler.graph import Handle, Ref, TaskGroup

_jobs = itertools.count(1)


@dataclass
class StageReport:
    """What a stage did: of all its tasks together."""

    stage: Stage
    tasks: int
    seconds: float
    rows: int
    bytes: int
    operators: Mapping[int, OperatorMetrics]
    spilled: int = 0  # bytes of what the tasks gave that went to files


@dataclass
class Report:
    """What running a plan took."""

    stages: list[StageReport] = field(default_factory=list)
    planning: float = 0.0
    running: float = 0.0


@dataclass(frozen=True)
class Kept:
    """A finished result that the executor keeps: a list of batches for each handle."""

    handles: tuple[Handle, ...]
    rows: int
    bytes: int


class Driver:
    """Runs one plan once on one executor."""

    def __init__(self, executor: Executor, observe: Observer | None = None) -> None:
        self.executor, self.observe = executor, observe
        self.report = Report()
        self._finished: dict[LogicalPlan, Finished] = {}
        self._produced: dict[int, Produced] = {}
        self._groups: dict[int, TaskGroup] = {}
        self._job = f"query {next(_jobs)}"

    def run(self, prepared: Prepared) -> Kept:
        """Run to the end; the caller releases the handles."""
        next_id = 0
        try:
            if (whole := prepared.whole) is not None:
                self._groups.update(whole.groups)
                return self._finish(prepared, whole.stages, whole.final)
            for number in itertools.count():
                started = time.perf_counter()
                planned = prepared.step(number, self._finished, next_id)
                self.report.planning += time.perf_counter() - started
                self._groups.update(planned.groups)
                if planned.step.final is not None:
                    return self._finish(prepared, planned.step.stages, planned.step.final)
                self._run_targets(planned.step)
                next_id = planned.next_id
        finally:
            self._release()
        raise AssertionError("there are endlessly many steps")

    def _run_targets(self, step: Step) -> None:
        stages = {s.id: s for s in step.stages}
        waves = {i: stages[i] for i in step.targets.values() if stages[i].stop_after is not None}
        together = [s for s in step.stages if s.id not in waves]
        keep = [i for i in step.targets.values() if i not in waves]
        for stage in waves.values():
            keep += [i for i in stage.inputs if i in stages and i not in keep]
        measured = self._run(together, keep) if together else {}
        for number, stage in waves.items():
            measured[number] = self._run_in_waves(stage)
        for plan, number in step.targets.items():
            rows, size = measured[number]
            partitions = self._produced[number].partitions
            known = Statistics(rows=rows, bytes=size, exact=True)
            schema = stages[number].root.schema
            self._finished[plan] = Finished(number, schema, partitions, known)

    def _finish(self, prepared: Prepared, stages: Sequence[Stage], final: int) -> Kept:
        measured = self._run(stages, [final], last=True)
        prepared.ended(measured)
        produced = self._produced.pop(final)
        handles = tuple(item for item in produced.all() if isinstance(item, Handle))
        rows, size = measured[final]
        return Kept(handles, rows, size)

    def _run(
        self, stages: Sequence[Stage], keep: Sequence[int], last: bool = False
    ) -> dict[int, tuple[int, int]]:
        """Run stages as one graph and keep the results of some; rows and bytes of each."""
        started = time.perf_counter()
        lowered = lower(stages, self._groups, self._produced)
        self.report.planning += time.perf_counter() - started
        wanted = {i: lowered.produced[i] for i in keep}
        refs = [item for p in wanted.values() for item in p.all()]
        lowered.graph.job = self._job, not last
        started = time.perf_counter()
        observe = self.observe if last else followed(self.observe)
        run = self.executor.submit(lowered.graph, [r for r in refs if isinstance(r, Ref)], observe)
        run.wait()
        self.report.running += time.perf_counter() - started
        handles = iter(run.handles)
        for number, produced in wanted.items():
            self._produced[number] = _with_handles(produced, handles)
        return self._measure(stages, lowered, run.metrics())

    def _measure(
        self, stages: Sequence[Stage], lowered: Lowered, metrics: Sequence[TaskMetrics]
    ) -> dict[int, tuple[int, int]]:
        by_group = itertools.groupby(sorted(metrics, key=lambda m: m.group), lambda m: m.group)
        measured: dict[int, tuple[int, int]] = {}
        reports: dict[int, StageReport] = {}
        for group, tasks_of_group in by_group:
            tasks = list(tasks_of_group)
            stage = stages[group]
            rows, size = sum(m.rows or 0 for m in tasks), sum(m.bytes or 0 for m in tasks)
            measured[stage.id] = rows, size
            operators = total(m.extra.get("operators", {}) for m in tasks)  # type: ignore[misc]
            seconds = sum(m.seconds for m in tasks)
            spilled = sum(m.extra.get("spilled", 0) for m in tasks)  # type: ignore[misc]
            reports[group] = StageReport(stage, len(tasks), seconds, rows, size, operators, spilled)
        self.report.stages += [reports[g] for g in sorted(reports)]
        assert len(lowered.group_stage) == len(stages)
        return measured

    def _run_in_waves(self, stage: Stage) -> tuple[int, int]:
        """Partitions 0, 1, 2, ... in waves of 1, workers, 2 x workers, ... until rows enough."""
        assert stage.stop_after is not None
        done: list[tuple[Ref | Handle, ...]] = []
        rows = size = start = 0
        width = 1
        while start < stage.partitions and rows < stage.stop_after:
            stop = min(stage.partitions, start + width)
            wave = replace(stage, first=start, partitions=stop - start)
            measured = self._run([wave], [stage.id])
            more_rows, more_size = measured[stage.id]
            rows, size = rows + more_rows, size + more_size
            done += self._produced.pop(stage.id).tasks
            start, width = stop, max(self.executor.workers, 2 * width)
        self._produced[stage.id] = Produced(tuple(done), split=False)
        return rows, size

    def _release(self) -> None:
        items = (item for p in self._produced.values() for item in p.all())
        self.executor.release([item for item in items if isinstance(item, Handle)])
        self._produced.clear()


def _with_handles(produced: Produced, handles: Iterator[Handle]) -> Produced:
    """The same, with every reference replaced by the next handle."""
    tasks = tuple(
        tuple(next(handles) if isinstance(item, Ref) else item for item in parts)
        for parts in produced.tasks
    )
    return replace(produced, tasks=tasks)


@contextmanager
def kept(executor: Executor, result: Kept) -> Iterator[list[list[pa.RecordBatch]]]:
    """The batches of a kept result, which is released afterwards."""
    try:
        yield executor.gather(result.handles)  # type: ignore[misc]
    finally:
        executor.release(result.handles)
