"""Stages to a task graph: one group a stage, one task a partition.

Inputs that were made by an earlier graph come as handles, the others as references.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plait.engine.fragment import Fragment, readers
from plait.io.reader import handle_of
from plait.planner.interpreter import deep_trees
from plait.planner.physical.operators import ReadStage, ScanSplits
from plait.planner.physical.stages import Stage
from plait.planner.source import Split
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup

Item = Ref | Handle


@dataclass(frozen=True)
class Produced:
    """What a stage gives: for each of its tasks, its parts."""

    tasks: tuple[tuple[Item, ...], ...]
    split: bool

    def part(self, number: int) -> list[Item]:
        """What partition `number` of a reader gets."""
        if self.split:
            return [parts[number] for parts in self.tasks]
        return list(self.tasks[number])

    @property
    def partitions(self) -> int:
        return len(self.tasks[0]) if self.split and self.tasks else len(self.tasks)

    def all(self) -> list[Item]:
        """Everything, in order."""
        return [item for parts in self.tasks for item in parts]


@dataclass(frozen=True)
class Lowered:
    """A task graph and where the stages' tasks are in it."""

    graph: TaskGraph
    produced: Mapping[int, Produced]
    group_stage: tuple[int, ...]


@deep_trees
def task_group(stage: Stage) -> TaskGroup:
    """The group of a stage's tasks: what they run."""
    return TaskGroup(
        f"{stage.id} {stage.root.label().split(' ')[0]}",
        Fragment(stage),
        note=str(stage),
        source=stage.source,
        outputs=stage.output.parts if stage.output.split else 1,
    )


@deep_trees
def lower(
    stages: Sequence[Stage], groups: Mapping[int, TaskGroup], earlier: Mapping[int, Produced]
) -> Lowered:
    """The task graph of some stages with their groups, given what earlier graphs produced."""
    graph = TaskGraph()
    produced: dict[int, Produced] = dict(earlier)
    for stage in stages:
        group = graph.add_group(groups[stage.id])
        reads = [op for _, op in readers(stage.root)]
        tasks = [
            graph.add_task(
                group,
                [partition, *_arguments(reads, partition, produced)],
                affinity=_affinity(reads, partition) if stage.source else 0,
            )
            for partition in range(stage.first, stage.first + stage.partitions)
        ]
        outputs = groups[stage.id].outputs
        refs = tuple(tuple(Ref(t, p) for p in range(outputs)) for t in tasks)
        produced[stage.id] = Produced(refs, stage.output.split)
    return Lowered(graph, produced, tuple(s.id for s in stages))


def _arguments(
    reads: Sequence[ScanSplits | ReadStage], partition: int, produced: Mapping[int, Produced]
) -> list[object]:
    return [
        tuple(map(_split, op.partitions[partition]))
        if isinstance(op, ScanSplits)
        else _inputs(op, partition, produced)
        for op in reads
    ]


def _affinity(reads: Sequence[ScanSplits | ReadStage], partition: int) -> int:
    """The number of the first data that a task reads."""
    for op in reads:
        if isinstance(op, ScanSplits) and op.partitions[partition]:
            return op.partitions[partition][0].affinity
    return 0


def _split(split: Split) -> object:
    """A split, with the handle of its rows if they are held by the executor."""
    handle = handle_of(split)
    return split if handle is None else (split, handle)


def _inputs(op: ReadStage, partition: int, produced: Mapping[int, Produced]) -> list[Item]:
    if op.how in ("all", "table"):
        return [item for s in op.stages for item in produced[s].all()]
    for s in op.stages:
        count = produced[s].partitions
        if partition < count:
            return produced[s].part(partition)
        partition -= count
    raise AssertionError(f"{op.label()} has no partition {partition}")
