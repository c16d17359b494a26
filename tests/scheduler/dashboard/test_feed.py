"""The record, told by hand and read as a page would: every figure is worked out here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.events import GroupSummary

SCAN = GroupSummary("scan", "Stage 0\n  Filter\n    Scan", 4)
JOIN = GroupSummary("join", "Stage 1\n  Join", 2)


def news(feed: Feed, since: int = 0, now: float = 100.0) -> Any:
    """As the page gets it."""
    return json.loads(json.dumps(feed.news(since, now)))


@pytest.fixture
def feed() -> Feed:
    made = Feed("test")
    made.worker_joined(1, "a", 2, 0.0, memory_limit=1000)
    return made


def done(feed: Feed, run: str, task: int, group: int, start: float, **measured: Any) -> None:
    feed.task_done(run, 1, "t1", task, group, start, 0.5, **measured)


def test_an_empty_feed() -> None:
    told = news(Feed("nothing"))
    assert told["title"] == "nothing"
    assert told["now"] == 100.0
    for name in ("spans", "active", "jobs", "workers", "lanes", "samples", "log"):
        assert told[name] == []


def test_progress_adds_up_by_stage(feed: Feed) -> None:
    feed.run_started("r", [SCAN, JOIN], 1.0)
    done(feed, "r", 0, 0, 1.0, rows=10, bytes=100, operator_rows={0: 10, 1: 25})
    done(feed, "r", 1, 0, 2.0, rows=5, bytes=60, spilled=7, operator_rows={0: 5, 1: 30})
    done(feed, "r", 4, 1, 3.0, rows=2)
    (job,) = news(feed)["jobs"]
    assert job["state"] == "running"
    assert job["start"] == 1.0
    assert job["stages"] == [["scan", SCAN.note, 4], ["join", JOIN.note, 2]]
    # done, failed, active, rows, bytes, spilled, seconds, rows of operators
    assert job["progress"] == [
        [2, 0, 0, 15, 160, 7, 1.0, {"0": 15, "1": 55}],
        [1, 0, 0, 2, 0, 0, 0.5, {}],
    ]


def test_spans_name_lane_kind_query_and_stage(feed: Feed) -> None:
    feed.run_started("r", [SCAN, JOIN], 1.0)
    done(feed, "r", 0, 0, 1.0)
    feed.transfer(1, "t1", 1.5, 0.25, 4096)
    feed.task_done("r", 1, "t2", 4, 1, 2.0, 0.5)
    feed.spill(1, "disk", 2.5, 0.125, 10)
    told = news(feed)
    assert [lane[1:] for lane in told["lanes"]] == [[1, "t1"], [1, "t2"], [1, "disk"]]
    (t1, t2, disk) = [lane[0] for lane in told["lanes"]]
    assert sorted(told["spans"], key=lambda span: span[4]) == [
        [t1, "task", 1, 0, 1.0, 0.5, 1],
        [t1, "transfer", -1, -1, 1.5, 0.25, 1],
        [t2, "task", 1, 1, 2.0, 0.5, 1],
        [disk, "spill", -1, -1, 2.5, 0.125, 1],
    ]


def test_only_news_come_again(feed: Feed) -> None:
    feed.run_started("r", [SCAN], 1.0)
    done(feed, "r", 0, 0, 1.0)
    first = news(feed)
    again = news(feed, first["number"])
    for name in ("spans", "jobs", "workers", "lanes", "samples", "log"):
        assert again[name] == []
    done(feed, "r", 1, 0, 2.0)
    third = news(feed, again["number"])
    (job,) = third["jobs"]
    assert "stages" not in job  # their text was told
    assert job["progress"][0][0] == 2
    assert len(third["spans"]) == 1
    assert third["lanes"] == []


def test_running_tasks_are_told_until_they_end(feed: Feed) -> None:
    feed.run_started("r", [SCAN], 1.0)
    feed.task_started("r", 1, "t1", 0, 0, 1.25)
    told = news(feed)
    ((lane, job, stage, start),) = told["active"]
    assert told["lanes"] == [[lane, 1, "t1"]]
    assert (job, stage, start) == (1, 0, 1.25)
    assert told["jobs"][0]["progress"][0][2] == 1
    done(feed, "r", 0, 0, 1.25)
    after = news(feed, told["number"])
    assert after["active"] == []
    assert after["jobs"][0]["progress"][0][:3] == [1, 0, 0]


def test_runs_of_a_job_are_one_query_until_the_last(feed: Feed) -> None:
    feed.run_started("r1", [SCAN], 1.0, job="q", more=True)
    feed.run_ended("r1", 2.0)
    assert news(feed)["jobs"][0]["state"] == "running"
    feed.run_started("r2", [SCAN, JOIN], 2.5, job="q")
    feed.run_ended("r2", 4.0)
    (job,) = news(feed)["jobs"]
    assert (job["state"], job["start"], job["end"]) == ("done", 1.0, 4.0)
    # the second wave of scans counts with the first
    assert [stage[0::2] for stage in job["stages"]] == [["scan", 8], ["join", 2]]
    feed.run_started("r3", [SCAN], 5.0, job="q")
    assert [told["id"] for told in news(feed)["jobs"]] == [1, 2]


def test_a_job_may_be_said_to_be_over(feed: Feed) -> None:
    feed.run_started("r", [SCAN], 1.0, job="q", more=True)
    feed.run_ended("r", 2.0)
    feed.job_ended("q", 3.0)
    feed.job_ended("q", 4.0)
    feed.job_ended("never heard of", 4.0)
    (job,) = news(feed)["jobs"]
    assert (job["state"], job["end"]) == ("done", 3.0)


def test_failures_are_counted_drawn_and_logged(feed: Feed) -> None:
    feed.run_started("r", [SCAN], 1.0)
    feed.task_started("r", 1, "t1", 0, 0, 1.0)
    feed.task_failed("r", 1, "t1", 0, 0, 1.0, 0.5, "ValueError: a", retrying=True)
    feed.task_failed("r", 1, "t1", 0, 0, 2.0, 0.5, "ValueError: b")
    feed.run_ended("r", 3.0, "failed", "ValueError: b")
    told = news(feed)
    (job,) = told["jobs"]
    assert (job["state"], job["error"]) == ("failed", "ValueError: b")
    assert job["progress"][0][:3] == [0, 2, 0]
    assert [span[1] for span in told["spans"]] == ["failed", "failed"]
    assert [line[1:] for line in told["log"]] == [
        ["warning", "A task of 'scan' failed, which will run again: ValueError: a"],
        ["error", "A task of 'scan' failed: ValueError: b"],
        ["error", "Query 1 failed: ValueError: b"],
    ]
    assert told["tasks"] == {"done": 0, "failed": 2}


def test_a_cancelled_run_leaves_nothing_running(feed: Feed) -> None:
    feed.run_started("r", [SCAN], 1.0)
    feed.task_started("r", 1, "t1", 0, 0, 1.0)
    feed.run_ended("r", 2.0, "cancelled")
    done(feed, "r", 0, 0, 1.0)  # it could not be stopped, and comes late
    told = news(feed)
    assert told["active"] == []
    assert told["jobs"][0]["state"] == "cancelled"
    assert told["jobs"][0]["progress"][0][:3] == [0, 0, 0]
    assert feed.running() == 0


def test_workers_come_go_and_are_measured(feed: Feed) -> None:
    feed.worker_joined(2, "b", 1, 1.0)
    feed.worker_sample(1, 1.5, 500, held=300, spilled=70, cpu=1.5)
    feed.worker_left(2, 2.0, "connection lost")
    feed.worker_sample(2, 2.5, 1)
    feed.worker_sample(3, 2.5, 1)
    told = news(feed)
    assert told["samples"] == [[1, 1.5, 500, 300, 70, 1.5], [2, 2.5, 1, 0, 0, 0.0]]
    assert [worker["left"] for worker in told["workers"]] == [None, 2.0]
    assert told["workers"][0]["limit"] == 1000
    assert told["log"] == [[2.0, "warning", "Worker b left: connection lost"]]
    assert [worker.name for worker in feed.workers()] == ["a"]


def test_the_unknown_is_ignored(feed: Feed) -> None:
    feed.task_started("gone", 1, "t1", 0, 0, 1.0)
    done(feed, "gone", 0, 0, 1.0)
    feed.transfer(77, "t1", 1.0, 1.0)
    feed.worker_left(77, 1.0)
    feed.run_ended("gone", 1.0)
    told = news(feed)
    assert told["jobs"] == told["spans"] == told["active"] == []


def test_everything_is_bounded(feed: Feed) -> None:
    for number in range(30_000):
        feed.run_started(f"r{number}", [SCAN], number)
        done(feed, f"r{number}", 0, 0, number)
        feed.worker_sample(1, number, number)
        feed.log(number, "line")
        feed.run_ended(f"r{number}", number + 1.0)
    for number in range(2, 500):
        feed.worker_joined(number, "w", 1, 0.0)
        feed.worker_left(number, 1.0, expected=True)
    told = news(feed)
    assert [job["id"] for job in told["jobs"]] == list(range(29_981, 30_001))
    assert len(told["spans"]) == 5000
    assert told["spans"][-1][4] == 29_999
    assert told["left_out"] == 15_000
    assert len(told["samples"]) == 20_000
    assert len(told["log"]) == 200
    assert len(told["workers"]) == 51
    assert told["tasks"]["done"] == 30_000


def test_many_running_queries_are_told_by_the_newest(feed: Feed) -> None:
    for number in range(100):
        feed.run_started(f"r{number}", [SCAN], number)
    assert [job["id"] for job in news(feed)["jobs"]] == list(range(61, 101))
    assert feed.running() == 100


def test_a_number_of_another_feed_asks_for_everything(feed: Feed) -> None:
    assert len(news(feed, 10**9)["workers"]) == 1
    assert feed.epoch != Feed().epoch
