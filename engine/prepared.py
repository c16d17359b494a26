"""Prepared: an optimised plan, the steps that running it took, and their fragments.

Planning a step is pure: the same plan, settings and measurements give the same stages. What one run
planned is therefore kept for the next, step by step, with what the step was planned from; a run
that measures something else plans anew from there. Fragments are kept with their stages, and so
whatever hangs at their operators.

Once a run has come to its end, the steps are also kept as one (`Whole`): a later run can do without
the stops between them, at which workers wait for the last task and the driver for its news. What is
measured only chooses between ways to the same rows, so a whole that measures something else is
right too; but no further one is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plait.engine.lower import task_group
from plait.planner.estimate import Estimator
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan
from plait.planner.physical.planner import Finished, Settings, Step, plan_step
from plait.planner.physical.stages import Stage
from plait.scheduler.graph import TaskGroup


@dataclass(frozen=True)
class PlannedStep:
    """A step, what it was planned from, and the group of tasks of each of its stages."""

    finished: Mapping[LogicalPlan, Finished]
    first_id: int
    step: Step
    groups: Mapping[int, TaskGroup]

    @property
    def next_id(self) -> int:
        """The number that the next step's stages begin with."""
        return max([self.first_id, *(stage.id + 1 for stage in self.step.stages)])


@dataclass(frozen=True)
class Whole:
    """All stages of a run, inputs first, and the rows and bytes that choices were made by."""

    stages: tuple[Stage, ...]
    groups: Mapping[int, TaskGroup]
    final: int
    measured: Mapping[int, tuple[float | None, float | None]]


class Prepared:
    """A plan that can be run any number of times, also at the same time.

    `estimator` may bring what the optimizer estimated; it is needed for the first step only.
    """

    def __init__(
        self, plan: LogicalPlan, settings: Settings, estimator: Estimator | None = None
    ) -> None:
        self.plan, self.settings = plan, settings
        self._estimator = estimator
        self._steps: tuple[PlannedStep, ...] = ()
        self._whole: Whole | None = None
        self._varies = False  # between runs, as with random numbers: each is to choose for itself

    @property
    def whole(self) -> Whole | None:
        """The steps of an earlier run as one; None if there was none, or they need their stops."""
        return self._whole

    def ended(self, measured: Mapping[int, tuple[int, int]]) -> None:
        """A run has come to its end; what it measured last, by stage."""
        whole = self._whole
        if whole is None:
            self._whole = None if self._varies else _whole(self._steps)
        elif not whole.measured.items() <= measured.items():
            self._whole, self._varies = None, True

    def step(
        self, number: int, finished: Mapping[LogicalPlan, Finished], first_id: int
    ) -> PlannedStep:
        """What to do after `number` steps, given what they measured."""
        steps = self._steps
        if number < len(steps):
            known = steps[number]
            if known.first_id == first_id and known.finished == finished:
                return known
        planned = self._planned(dict(finished), first_id)
        # of two runs at once the last one's plans are kept: steps say what they were planned from
        self._steps = (*self._steps[:number], planned)
        self._estimator = None
        return planned

    @deep_trees
    def _planned(self, finished: dict[LogicalPlan, Finished], first_id: int) -> PlannedStep:
        step = plan_step(
            self.plan, self.settings, finished, next_id=first_id, estimator=self._estimator
        )
        groups = {stage.id: task_group(stage) for stage in step.stages}
        return PlannedStep(finished, first_id, step, groups)


def _whole(steps: Sequence[PlannedStep]) -> Whole | None:
    last = steps[-1]
    stages = {stage.id: stage for known in steps for stage in known.step.stages}
    final = last.step.final
    if any(not known.finished.items() <= last.finished.items() for known in steps):
        return None  # of several runs at the same time
    if final is None or any(stage.stop_after is not None for stage in stages.values()):
        return None  # a stage that stops early decides while it runs how much of it is run
    needed: set[int] = set()
    waiting = [final]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += stages[number].inputs
    return Whole(
        tuple([stage for number, stage in stages.items() if number in needed]),
        {number: group for known in steps for number, group in known.groups.items()},
        final,
        {
            done.stage: (done.statistics.rows, done.statistics.bytes)
            for done in last.finished.values()
            if done.stage in needed
        },
    )
