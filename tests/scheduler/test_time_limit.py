"""Calls with a time limit, on all executors."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import plait
from plait.scheduler.context import current_context
from plait.scheduler.errors import TaskTimeoutError
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import ThreadExecutor
from plait.scheduler.time_limit import Limited
from tests.scheduler.executors import EXECUTORS, made

LONG = 30.0  # seconds, which nobody waits for


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request, request.param) as executor:
        yield executor


def until_told(path: Path) -> None:
    deadline = time.monotonic() + LONG
    while not current_context().cancelled and time.monotonic() < deadline:
        time.sleep(0.005)
    path.write_text("was told" if time.monotonic() < deadline else "was not")


def deaf(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


def second_time(path: Path) -> str:
    if path.exists():
        return "quick"
    path.touch()
    time.sleep(1.0)
    return "slow"


def wrong(number: int) -> None:
    raise KeyError(number)


def appears(path: Path) -> bool:
    deadline = time.monotonic() + LONG
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.exists()


def test_a_call_that_takes_too_long_fails_and_is_told_to_stop(
    executor: Executor, tmp_path: Path
) -> None:
    with plait.Client(executor) as client:
        future = client.submit(until_told, tmp_path / "log", time_limit=0.2)
        with pytest.raises(TaskTimeoutError, match=r"time_limit of 0\.2 seconds"):
            future.result(LONG)
    assert appears(tmp_path / "log")


def test_a_call_that_does_not_stop_is_not_waited_for(executor: Executor, tmp_path: Path) -> None:
    with plait.Client(executor) as client:
        count = executor.workers + 1
        futures = [
            client.submit(deaf, tmp_path / "go", time_limit=0.1 + i / 1000) for i in range(count)
        ]
        assert client.submit(abs, -3).result(LONG) == 3
        for future in futures:
            assert isinstance(future.exception(LONG), TaskTimeoutError)
        (tmp_path / "go").touch()


def test_calls_within_their_time_are_as_without(executor: Executor) -> None:
    with plait.Client(executor) as client:
        assert list(client.map(pow, range(4), [2] * 4, time_limit=LONG)) == [0, 1, 4, 9]
        error = client.submit(wrong, 7, time_limit=LONG).exception(LONG)
        assert isinstance(error, KeyError)
        assert "in wrong" in "".join(traceback.format_exception(error))


def test_each_attempt_has_its_own_time(executor: Executor, tmp_path: Path) -> None:
    with plait.Client(executor) as client:
        path = tmp_path / "tried"
        assert client.submit(second_time, path, retries=1, time_limit=0.3).result(LONG) == "quick"


@pytest.mark.parametrize("name", ["inline", "threads-1", "threads-4", "cluster"])
def test_limited_calls_may_wait_for_others(name: str, request: pytest.FixtureRequest) -> None:
    with made(request, name) as executor:
        client = plait.Client(executor)
        graph = TaskGraph()
        outer = graph.add_group(TaskGroup("outer", Limited(_waiting, LONG)))
        refs = [Ref(graph.add_task(outer, (executor, i))) for i in range(5)]
        assert executor.submit(graph, refs).result() == [0, 2, 4, 6, 8]
        client.shutdown()


def _waiting(executor: Executor, number: int) -> object:
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("double", Limited(_double, LONG)))
    return executor.submit(graph, [Ref(graph.add_task(group, (number,)))]).result()[0]


def _double(number: int) -> int:
    return 2 * number


def _reporting(number: int) -> int:
    current_context().report(rows=number)
    return number


def test_reports_are_the_tasks() -> None:
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("report", Limited(_reporting, LONG)))
    refs = [Ref(graph.add_task(group, (i,))) for i in range(1, 4)]
    with ThreadExecutor(2) as executor:
        run = executor.submit(graph, refs)
        run.wait()
        assert [metrics.rows for metrics in run.metrics()] == [1, 2, 3]


def test_delayed_calls() -> None:
    slow = plait.delayed(time.sleep, time_limit=0.05)
    with pytest.raises(TaskTimeoutError):
        slow(0.5).compute()
    assert plait.delayed(abs, time_limit=LONG)(-2).compute() == 2


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_limits_that_are_none(limit: float) -> None:
    with pytest.raises(ValueError, match="time_limit is to be a number of seconds above 0"):
        plait.delayed(abs, time_limit=limit)
    with (
        plait.Client("inline") as client,
        pytest.raises(ValueError, match="time_limit is to be"),
    ):
        client.submit(abs, 1, time_limit=limit)
