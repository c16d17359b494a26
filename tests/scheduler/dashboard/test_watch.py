"""What a cluster's scheduler hears and says, as a dashboard shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.watch import ClusterWatch
from plait.scheduler.net.control import Beat, Hello, Moved
from plait.scheduler.reports import dump_report
from plait.scheduler.state import messages as m

FIRST = m.first_task(1)
HELLO = Hello("", 1, False, 2, 1000, (), 5)
GROUPS = (m.GroupSpec("scan", b"f" * 16, note="Scan t"), m.GroupSpec("sum", b"g" * 16))


def submit(
    tasks: int = 3, more: bool = False, run: int = 0, first: int = FIRST, **of_job: Any
) -> m.Submit:
    return m.Submit(
        *(1, run, GROUPS, (), first, (0,) * (tasks - 1) + (1,), (b"",) * tasks),
        *(((),) * tasks, tuple(range(tasks)), () if more else (m.key_of(first + tasks - 1),)),
        more=more,
        **of_job,
    )


def done(tasks: range, end: float = 100.0, thread: int = 1) -> m.TasksDone:
    count = len(tasks)
    return m.TasksDone(
        *(0, tuple(FIRST + task for task in tasks), (1,) * count, (0.5,) * count),
        tuple(dump_report(None, end + task, thread) for task in tasks),
    )


def told(story: Callable[[ClusterWatch], None]) -> dict[str, Any]:
    """What a page gets to see after a story."""

    async def tell() -> dict[str, Any]:
        watch = ClusterWatch(Feed())
        watch.joined(1, "w-1", HELLO)
        story(watch)
        watch.drain()
        return watch.feed.news(0, 0.0)

    return asyncio.run(tell())


def test_a_run_from_beginning_to_end() -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit())
        watch.said(1, done(range(3)))
        watch.said(1, m.Finished((m.key_of(FIRST + 2),), (1,), (8,)))

    news = told(story)
    (job,) = news["jobs"]
    assert job["state"] == "done"
    assert job["stages"] == [["scan", "Scan t", 2], ["sum", "", 1]]
    assert [progress[0] for progress in job["progress"]] == [2, 1]
    assert news["lanes"] == [[1, 1, "1"]]
    # by the worker's clock one second apart, and so here
    starts = [span[4] for span in news["spans"]]
    assert [round(start - starts[0], 3) for start in starts] == [0.0, 1.0, 2.0]


def test_results_before_the_news_of_tasks_do_not_end_it() -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit())
        watch.said(1, m.Finished((m.key_of(FIRST + 2),), (1,), (8,)))
        watch.said(1, done(range(2)))

    (job,) = told(story)["jobs"]
    assert job["state"] == "running"


def test_a_graph_in_pieces() -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit(more=True))
        rest = m.Submit(
            *(1, 0, (), (), FIRST + 3, (1,), (b"",), ((),), (3,), (m.key_of(FIRST + 3),))
        )
        watch.heard(rest)

    (job,) = told(story)["jobs"]
    assert [stage[2] for stage in job["stages"]] == [2, 2]


def two_steps(watch: ClusterWatch) -> None:
    """Two runs of one query; that the first is done is told when the second has begun."""
    watch.heard(submit(job=("query 1", True)))
    watch.said(1, m.Finished((m.key_of(FIRST + 2),), (1,), (8,)))
    watch.heard(submit(run=1, first=FIRST + 3, job=("query 1", False)))
    watch.said(1, done(range(3)))


def test_the_steps_of_a_query_are_one_job() -> None:
    def story(watch: ClusterWatch) -> None:
        two_steps(watch)
        watch.said(1, replace(done(range(3, 6)), run=1))
        watch.said(1, m.Finished((m.key_of(FIRST + 5),), (1,), (8,)))

    (job,) = told(two_steps)["jobs"]
    assert job["state"] == "running"
    (job,) = told(story)["jobs"]
    assert job["state"] == "done"
    assert job["stages"] == [["scan", "Scan t", 4], ["sum", "", 2]]
    assert [progress[0] for progress in job["progress"]] == [4, 2]


def test_a_job_whose_client_leaves_between_two_steps_has_ended() -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit(job=("query 1", True)))
        watch.said(1, done(range(3)))
        watch.said(1, m.Finished((m.key_of(FIRST + 2),), (1,), (8,)))
        watch.drain()
        assert watch.feed.news(0, 0.0)["jobs"][0]["state"] == "running"  # type: ignore[index]
        watch.heard(m.ClientGone(1))

    (job,) = told(story)["jobs"]
    assert job["state"] == "done"


def test_a_job_of_which_nothing_more_comes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit(job=("query 1", True)))
        watch.said(1, done(range(3)))
        watch.said(1, m.Finished((m.key_of(FIRST + 2),), (1,), (8,)))
        watch.drain()
        later = time.monotonic() + 31.0
        monkeypatch.setattr(time, "monotonic", lambda: later)
        watch.heard(m.Memory(1, 100, 1000, 0, False))

    (job,) = told(story)["jobs"]
    assert job["state"] == "done"


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (m.RunFailed(0, "task", "bad", FIRST, "scan", "ValueError", b"", 1, 0.1), "failed"),
        (m.RunFailed(0, "cancelled", "its input was"), "cancelled"),
        (m.Cancel(1, 0), "cancelled"),
        (m.ClientGone(1), "cancelled"),
    ],
    ids=lambda end: type(end).__name__ if not isinstance(end, str) else end,
)
def test_other_ends(end: Any, state: str) -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(submit())
        if isinstance(end, m.RunFailed):
            watch.said(1, end)
        else:
            watch.heard(end)
        watch.said(1, done(range(3)))  # late

    (job,) = told(story)["jobs"]
    assert job["state"] == state
    if state == "failed":
        assert job["error"] == "ValueError: bad"


def test_workers() -> None:
    def story(watch: ClusterWatch) -> None:
        watch.heard(m.Memory(1, 500, 200, 100))
        watch.moved(1, Moved(50.0, ("transfer", "spill"), (48.0, 49.0), (0.5, 0.25), (10, 20)))
        watch.left(1, "killed", expected=False)
        watch.heard(m.Memory(1, 501))

    news = told(story)
    assert [sample[2:] for sample in news["samples"]] == [[500, 200, 100, 0.0]]
    assert [span[1] for span in news["spans"]] == ["transfer", "spill"]
    assert round(news["spans"][1][4] - news["spans"][0][4], 3) == 1.0
    assert news["log"][0][1:] == ["warning", "Worker w-1 left: killed"]


def test_processors_are_between_two_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10, 1000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))

    async def tell() -> dict[str, Any]:
        watch = ClusterWatch(Feed())
        queue = watch._queue
        watch._timer = asyncio.get_running_loop().call_later(9.0, print)
        watch.joined(1, "w-1", HELLO)
        watch.beat(Beat(("w-1",), ("S",), (1,), (3.0,)))
        watch.beat(Beat(("w-1",), ("S",), (1,), (3.5,)))
        watch.heard(m.Memory(1, 500))
        assert len(queue) == 4
        watch.drain()
        return watch.feed.news(0, 0.0)

    (sample,) = asyncio.run(tell())["samples"]
    assert sample[5] == 0.5


def test_much_is_taken_in_slices() -> None:
    """The scheduler's loop is not held up by what it told of many tasks."""
    count = 20_000

    async def tell() -> int:
        watch = ClusterWatch(Feed())
        watch.joined(1, "w-1", HELLO)
        watch.heard(submit(count))
        watch.said(1, done(range(count)))
        turns = 0
        while watch.feed.totals.tasks["done"] < count:
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(tell()) > 10
