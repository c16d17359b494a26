"""Executors of this process, told to a feed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from plait.scheduler.context import current_context
from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.observer import both, watched
from plait.scheduler.events import Event, RunStarted
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import InlineExecutor, ThreadExecutor


class Measured:
    def __init__(self, rows: int) -> None:
        self.rows = rows


def _load(number: int) -> int:
    current_context().report(
        rows=10, bytes=80, spilled=number, operators={0: Measured(10), 2: Measured(number)}
    )
    return number


def _fail() -> None:
    raise ValueError("as it should\nbe")


def graph(tasks: int = 4) -> tuple[TaskGraph, Ref]:
    made = TaskGraph()
    load = made.add_group(TaskGroup("load", _load, note="Stage 0\n  Load"))
    total = made.add_group(TaskGroup("total", sum))
    parts = [Ref(made.add_task(load, (number,))) for number in range(tasks)]
    return made, Ref(made.add_task(total, (parts,)))


def told(feed: Feed) -> Any:
    return feed.news(0, time.monotonic())


@pytest.mark.parametrize("executor", [InlineExecutor, lambda: ThreadExecutor(3)])
def test_a_run_is_recorded(executor: Any) -> None:
    feed = Feed()
    feed.worker_joined(0, "here", 3, time.monotonic())
    running: Executor
    before = time.monotonic()
    with executor() as running, watched(feed) as observe:
        made, wanted = graph()
        assert running.submit(made, [wanted], observe).result() == [6]
    (job,) = told(feed)["jobs"]
    assert job["state"] == "done"
    assert before <= job["start"] <= job["end"] <= time.monotonic()
    assert job["stages"] == [["load", "Stage 0\n  Load", 4], ["total", "", 1]]
    load, total = job["progress"]
    assert load[:6] == [4, 0, 0, 40, 320, 6]
    assert load[7] == {0: 40, 2: 6}
    assert total[:6] == [1, 0, 0, 0, 0, 0]
    spans = told(feed)["spans"]
    assert sum(span[6] for span in spans) == 5
    assert told(feed)["active"] == []


def test_a_failure_is_recorded() -> None:
    feed = Feed()
    feed.worker_joined(0, "here", 1, time.monotonic())
    made = TaskGraph()
    task = Ref(made.add_task(made.add_group(TaskGroup("bad", _fail, retries=1))))
    with ThreadExecutor(1) as executor, watched(feed) as observe:
        run = executor.submit(made, [task], observe)
        with pytest.raises(ValueError, match="as it should"):
            run.wait()
    (job,) = told(feed)["jobs"]
    assert (job["state"], job["error"]) == ("failed", "ValueError: as it should")
    assert job["progress"][0][:3] == [0, 2, 0]
    assert feed.totals.tasks == {"done": 0, "failed": 2}


def test_a_query_that_stops_between_runs_is_over() -> None:
    feed = Feed()
    with watched(feed, clock=lambda: 5.0) as observe:
        observe(RunStarted("r", (), more=True))
        assert feed.running() == 1
    assert feed.running() == 0
    assert told(feed)["jobs"][0]["end"] == 5.0


def test_two_queries_are_two_jobs() -> None:
    feed = Feed()
    with watched(feed) as first, watched(feed) as second:
        first(RunStarted("a", ()))
        second(RunStarted("b", ()))
        first(RunStarted("c", ()))
    assert [job["id"] for job in told(feed)["jobs"]] == [1, 2]


def test_both_are_told() -> None:
    heard: list[tuple[str, Event]] = []
    event = RunStarted("r", ())

    def second(event: Event) -> None:
        heard.append(("second", event))

    assert both(None, second) is second
    both(lambda event: heard.append(("first", event)), second)(event)
    assert heard == [("first", event), ("second", event)]
