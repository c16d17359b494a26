"""Prepared plans: what one run planned is used by the next, if it measures the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from plait.engine import prepared
from plait.engine.driver import Driver, kept
from plait.engine.prepared import Prepared
from plait.io.memory import ArrowSource
from plait.planner import builder as b
from plait.planner.logical import LogicalPlan
from plait.planner.optimizer.pipeline import optimize
from plait.planner.physical.planner import Settings
from plait.planner.statistics import Statistics
from plait.scheduler.local import InlineExecutor, ThreadExecutor

LEFT = ArrowSource(pa.table({"k": [i % 7 for i in range(100)], "v": list(range(100))}), splits=4)
RIGHT = ArrowSource(pa.table({"j": list(range(30_000)), "w": list(range(30_000))}), splits=3)


def joined(most: int, function: str = "less") -> LogicalPlan:
    left, right = b.scan(LEFT), b.scan(RIGHT)
    right = b.filter(right, b.call(function, b.column(right, "w"), b.literal(most)))
    condition = b.call("equal", b.column(left, "k"), b.column(right, "j"))
    return optimize(b.join(left, right, "inner", condition))


def count(plan: Prepared) -> int:
    with ThreadExecutor(2) as executor:
        result = Driver(executor).run(plan)
        with kept(executor, result) as parts:
            return sum(batch.num_rows for part in parts for batch in part)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    original = prepared.plan_step

    def plan_step(
        root: LogicalPlan, settings: Settings, finished: object, **more: object
    ) -> object:
        seen.append(len(finished))
        return original(root, settings, finished, **more)

    monkeypatch.setattr(prepared, "plan_step", plan_step)
    return seen


def test_every_step_is_planned_once(steps: list[int]) -> None:
    plan = Prepared(joined(3), Settings())
    expected = sum(i % 7 < 3 for i in range(100))
    assert [count(plan) for _ in range(3)] == [expected] * 3
    assert steps == [0, 1]  # the build side, then the rest


def test_other_measurements_are_planned_anew(steps: list[int]) -> None:
    plan = Prepared(joined(3), Settings())
    count(plan)
    first = plan.step(0, {}, 0)
    (target,) = first.step.targets
    measured = plan._steps[1].finished[target]
    again = plan.step(1, {target: measured}, first.next_id)
    assert again is plan._steps[1]
    other = {target: prepared.Finished(measured.stage, measured.schema, 1, measured.statistics)}
    assert plan.step(1, other, first.next_id) is not again
    assert steps == [0, 1, 1]
    count(plan)  # a run that came to its end is kept as a whole
    assert steps == [0, 1, 1]


def graphs(plan: Prepared, runs: int) -> list[int]:
    """How many task graphs each of some runs submits."""
    counts = []
    with InlineExecutor() as executor:
        for _ in range(runs):
            made = []
            submit = executor.submit

            def noted(*args: Any, **more: Any) -> Any:
                made.append(args)  # noqa: B023
                return submit(*args, **more)  # noqa: B023

            executor.submit = noted  # type: ignore[method-assign]
            executor.release(Driver(executor).run(plan).handles)
            del executor.submit
            counts.append(len(made))
    return counts


def test_later_runs_do_without_the_stops_between_steps() -> None:
    plan = Prepared(joined(3), Settings())
    assert graphs(plan, 3) == [2, 1, 1]
    assert plan.whole is not None
    assert len({stage.id for stage in plan.whole.stages}) == len(plan.whole.stages)
    assert count(plan) == sum(i % 7 < 3 for i in range(100))


def test_what_may_stop_early_keeps_its_steps() -> None:
    # beside a LIMIT that is met early there is nothing to know before it has run
    plan = Prepared(optimize(b.limit(b.scan(LEFT), 5, 0)), Settings())
    assert graphs(plan, 3) == [1 + 1] * 3
    assert plan.whole is None


def test_what_measures_something_else_goes_step_by_step_from_then_on() -> None:
    plan = Prepared(joined(3), Settings())
    count(plan)
    assert plan.whole is not None
    other = dict.fromkeys(plan.whole.measured, (0.0, 0.0))
    plan._whole = replace(plan.whole, measured=other)
    expected = sum(i % 7 < 3 for i in range(100))
    assert graphs(plan, 3) == [1, 2, 2]
    assert count(plan) == expected


def test_runs_at_the_same_time_make_no_whole_of_their_steps() -> None:
    plan = Prepared(joined(3), Settings())
    first = plan.step(0, {}, 0)
    (target,) = first.step.targets
    schema = first.step.stages[0].root.schema
    plan.step(1, {target: prepared.Finished(0, schema, 1, Statistics(rows=7))}, first.next_id)
    steps = plan._steps
    # the last is of a run that measured nothing
    plan._steps = (steps[1], replace(steps[0], step=steps[1].step))
    plan.ended({})
    assert plan.whole is None


def test_random_rows_are_counted_anew() -> None:
    source = ArrowSource(pa.table({"j": list(range(2000))}), splits=3)
    left, right = b.scan(LEFT), b.scan(source)
    right = b.filter(right, b.call("less", b.call("random"), b.literal(0.5)))
    condition = b.call("equal", b.column(left, "v"), b.column(right, "j"))
    plan = Prepared(optimize(b.join(left, right, "inner", condition)), Settings())
    found = {count(plan) for _ in range(8)}
    assert len(found) > 1
    assert all(0 < n < 100 for n in found)


def test_steps_are_the_same_on_every_executor() -> None:
    plan = Prepared(joined(5), Settings())
    expected = count(plan)
    with InlineExecutor() as executor:
        result = Driver(executor).run(plan)
        with kept(executor, result) as parts:
            assert sum(batch.num_rows for part in parts for batch in part) == expected
