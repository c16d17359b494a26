"""Prepared: an optimised plan, the steps that running it took, and their fragments.

Planning a step is pure: the same plan, settings and measurements give the same stages. What one run
planned is therefore kept for the next, step by step, with what the step was planned from; a run
that measures something else plans anew from there. Fragments are kept with their stages, and so
whatever hangs at their operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plait.engine.lower import task_group
from plait.planner.estimate import Estimator
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan
from plait.planner.physical.planner import Finished, Settings, Step, plan_step
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
