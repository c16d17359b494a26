"""A cluster of real processes: what it does when things go wrong, and that nothing is left over.

Every wait has a deadline far above what it should take, so that a hang is a failure.
"""

from __future__ import annotations

import ctypes
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.errors import (
    AuthenticationError,
    RemoteError,
    SchedulerLostError,
    SerializationError,
    WorkerKilledError,
)
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup

DEADLINE = 30.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2) as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: LocalCluster) -> Iterator[ClusterExecutor]:
    with cluster.executor() as executor:
        executor.wait_for_workers(2, DEADLINE)
        yield executor


@pytest.fixture
def frail() -> Iterator[ClusterExecutor]:
    """A cluster that may be broken."""
    with LocalCluster(2) as cluster, cluster.executor() as executor:
        executor.wait_for_workers(2, DEADLINE)
        yield executor


def call(executor: ClusterExecutor, function: Callable[..., object], *args: object) -> object:
    """One task's result, within the deadline."""
    run = executor.submit(graph_of(function, args), [Ref(0)])
    run.wait(DEADLINE)
    return run.result()[0]


def graph_of(function: Callable[..., object], *calls: tuple[object, ...]) -> TaskGraph:
    graph = TaskGraph()
    graph.add_group(TaskGroup("work", function))
    for args in calls:
        graph.add_task(0, args)
    return graph


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -------------------------------------------------------------------------------------- results


def test_tasks_run_in_both_workers(executor: ClusterExecutor) -> None:
    def where(_: int) -> int:
        time.sleep(0.05)
        return os.getpid()

    graph = graph_of(where, *[(i,) for i in range(10)])
    pids = set(executor.submit(graph, [Ref(i) for i in range(10)]).result())
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_large_results_and_slices(executor: ClusterExecutor) -> None:
    table = pa.table({"n": np.arange(5_000_000)})
    graph = TaskGraph()
    make = graph.add_group(TaskGroup("make", lambda: table))
    cut = graph.add_group(TaskGroup("cut", lambda t, i: t.slice(i * 1000, 1000)))
    whole = Ref(graph.add_task(make))
    parts = [Ref(graph.add_task(cut, (whole, i))) for i in range(10)]
    *got, back = executor.submit(graph, [*parts, whole]).result()
    assert [part.column("n")[0].as_py() for part in got] == [1000 * i for i in range(10)]  # type: ignore[attr-defined]
    assert back == table


def test_what_cannot_be_sent(executor: ClusterExecutor) -> None:
    with pytest.raises(SerializationError, match="argument of a task"):
        executor.submit(graph_of(print, (threading.Lock(),)), [Ref(0)])
    with pytest.raises(SerializationError, match="function of group 'work'"):
        executor.submit(graph_of(threading.Lock().acquire, ()), [Ref(0)])
    with pytest.raises(SerializationError, match="A lock cannot be sent"):
        call(executor, threading.Lock)
    assert call(executor, operator.add, 1, 2) == 3


class Unreadable:
    """Pickled as a call that fails."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


def test_what_cannot_be_read(executor: ClusterExecutor) -> None:
    with pytest.raises(SerializationError, match="ValueError: invalid literal"):
        call(executor, type, Unreadable())
    with pytest.raises(SerializationError, match="ValueError: invalid literal"):
        call(executor, Unreadable)
    assert call(executor, operator.add, 1, 2) == 3


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_errors_that_cannot_be_made_again(executor: ClusterExecutor) -> None:
    def odd() -> None:
        raise OddError(1, 2)

    def huge() -> None:
        raise ValueError("x" * 50_000_000)

    with pytest.raises(RemoteError, match="OddError: 1 and 2"):
        call(executor, odd)
    with pytest.raises(RemoteError, match="ValueError: xxx"):
        call(executor, huge)
    assert call(executor, operator.add, 1, 2) == 3


def test_an_unsendable_result_is_fine_where_it_is(executor: ClusterExecutor) -> None:
    graph = TaskGraph()
    made = Ref(graph.add_task(graph.add_group(TaskGroup("make", threading.Lock))))
    used = graph.add_group(TaskGroup("use", lambda lock: lock.locked()))
    assert executor.submit(graph, [Ref(graph.add_task(used, (made,)))]).result() == [False]


# -------------------------------------------------------------------------------------- failures


def test_a_killed_worker_is_replaced(frail: ClusterExecutor, tmp_path: Path) -> None:
    def work(i: int) -> int:
        if i == 3 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return i * i

    graph = graph_of(work, *[(i,) for i in range(40)])
    run = frail.submit(graph, [Ref(i) for i in range(40)])
    run.wait(DEADLINE)
    assert run.result() == [i * i for i in range(40)]
    frail.wait_for_workers(2, DEADLINE)


def test_results_lost_with_a_worker_are_made_again(frail: ClusterExecutor) -> None:
    def make(i: int) -> tuple[int, int]:
        time.sleep(0.02)
        return i, os.getpid()

    graph = graph_of(make, *[(i,) for i in range(8)])
    run = frail.submit(graph, [Ref(i) for i in range(8)])
    run.wait(DEADLINE)
    pids = {pid for _, pid in frail.gather(run.handles)}  # type: ignore[misc]
    assert len(pids) == 2
    os.kill(min(pids), signal.SIGKILL)
    again = frail.gather(run.handles)
    assert [i for i, _ in again] == list(range(8))  # type: ignore[misc]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda: os.kill(os.getpid(), signal.SIGKILL), id="kill"),
        pytest.param(lambda: os._exit(3), id="exit"),
        pytest.param(os.abort, id="abort"),
        pytest.param(lambda: ctypes.string_at(0), id="segfault"),
    ],
)
def test_a_task_that_kills_its_workers(
    frail: ClusterExecutor, end: Callable[[], object], tmp_path: Path
) -> None:
    graph = TaskGraph()
    bad = graph.add_group(TaskGroup("bad", end))
    good = graph.add_group(TaskGroup("good", operator.neg))
    graph.add_task(bad)
    others = [Ref(graph.add_task(good, (i,))) for i in range(100)]
    run = frail.submit(graph, [Ref(0)])
    fine = frail.submit(graph, others)
    with pytest.raises(WorkerKilledError, match="bad"):
        run.wait(DEADLINE)
    fine.wait(DEADLINE)
    assert fine.result() == [-i for i in range(100)]


def test_sys_exit_is_an_error_like_any_other(executor: ClusterExecutor) -> None:
    with pytest.raises(SystemExit):
        call(executor, sys.exit, 3)
    assert call(executor, operator.add, 1, 2) == 3


def test_a_dead_scheduler(frail: ClusterExecutor) -> None:
    run = frail.submit(graph_of(time.sleep, (60,)), [Ref(0)])
    pids = children_of(children_of(os.getpid())[-1])
    os.kill(pids[0], signal.SIGKILL)  # the scheduler is forked first
    with pytest.raises(SchedulerLostError, match="0 of 1 tasks were done"):
        run.wait(DEADLINE)
    with pytest.raises(SchedulerLostError):
        frail.submit(graph_of(int, ()), [Ref(0)])
    until(lambda: not any(map(alive, pids)))


def test_ctrl_c_cancels(executor: ClusterExecutor) -> None:
    run = executor.submit(graph_of(time.sleep, (60,)), [Ref(0)])
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run.wait(DEADLINE)


def test_a_wrong_token(cluster: LocalCluster) -> None:
    with pytest.raises(AuthenticationError, match="wrong token"):
        ClusterExecutor(cluster.address.partition("?")[0] + "?token=guess")


def test_a_dead_client(tmp_path: Path) -> None:
    """Killed without warning: no process and no file is left."""
    code = f"""
import os, time
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.context import current_context
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
def work():
    (current_context().scratch / "file").write_text("x")
    return os.getpid(), os.getppid()
cluster = LocalCluster(2, scratch={str(tmp_path)!r})
executor = cluster.executor()
graph = TaskGraph()
graph.add_group(TaskGroup("work", work))
graph.add_task(0)
print(*executor.submit(graph, [Ref(0)]).result()[0], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = list(map(int, process.stdout.readline().split()))
        process.kill()
    until(lambda: not any(map(alive, pids)))


# ------------------------------------------------------------------------------------ coming, going


def test_scale() -> None:
    with LocalCluster(1) as cluster, cluster.executor() as executor:
        executor.wait_for_workers(1, DEADLINE)
        kept = executor.submit(
            graph_of(operator.neg, *[(i,) for i in range(20)]), [Ref(i) for i in range(20)]
        )
        kept.wait(DEADLINE)
        for count in (3, 1, 2):
            cluster.scale(count)
            assert cluster.workers == count
            assert executor.gather(kept.handles) == [-i for i in range(20)]
            assert call(executor, operator.add, 1, 2) == 3


def test_adapt() -> None:
    with LocalCluster(1) as cluster, cluster.executor() as executor:
        cluster.adapt(1, 3)
        graph = graph_of(time.sleep, *[(0.1,) for _ in range(60)])
        run = executor.submit(graph, [Ref(i) for i in range(60)])
        until(lambda: cluster.workers == 3)
        run.wait(DEADLINE)


def test_close_leaves_nothing(tmp_path: Path) -> None:
    before = set(children_of(os.getpid()))
    threads = threading.active_count()
    cluster = LocalCluster(2, scratch=str(tmp_path))
    (supervisor,) = set(children_of(os.getpid())) - before
    pids = children_of(supervisor)
    assert len(pids) == 3
    cluster.close()
    cluster.close()
    until(lambda: not any(map(alive, [supervisor, *pids])))
    assert set(children_of(os.getpid())) <= before
    until(lambda: threading.active_count() <= threads)
    assert list(tmp_path.iterdir()) == []


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, oldest first."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return list(map(int, text.split()))
