"""Workers that die, stop, hold the GIL, take too much memory, come and go while there is work."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import plait
from plait.scheduler import gather
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.errors import WorkerKilledError
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from tests.assertions import assert_same_rows
from tests.scheduler.faults.stage import (
    DEADLINE,
    alive,
    call,
    children_of,
    graph_of,
    results,
    until,
)

MEBI = 1 << 20


def pids_of(executor: ClusterExecutor) -> list[int]:
    """Of both workers."""
    calls = [(i,) for i in range(8)]
    while len(pids := set(results(executor, slow_pid, *calls))) < 2:
        pass  # each call has its deadline, the test another
    return sorted(pids)  # type: ignore[type-var, arg-type]


def slow_pid(_: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def die_once(flag: Path) -> None:
    """Kill the process that gets here first."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


# -------------------------------------------------------------------------------------- killed


def neighbours(row: int, *values: int, flag: Path | None = None) -> int:
    if flag is not None:
        die_once(flag)
    return row + sum(values)


def test_killed_while_workers_exchange(executor: ClusterExecutor, tmp_path: Path) -> None:
    """Tasks are at workers ahead of what others make for them."""
    width, rows = 12, 60
    want = [0] * width
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("cell", neighbours))
    fatal = graph.add_group(TaskGroup("fatal", partial(neighbours, flag=tmp_path / "died")))
    cells = [Ref(graph.add_task(group, (0,))) for _ in range(width)]
    for row in range(1, rows):
        cells = [
            Ref(
                graph.add_task(
                    fatal if row == 30 and i == 5 else group,
                    (row, cells[i - 1], cells[i], cells[(i + 1) % width]),
                )
            )
            for i in range(width)
        ]
        want = [row + want[i - 1] + want[i] + want[(i + 1) % width] for i in range(width)]
    (tmp_path / "died").touch()
    assert executor.submit(graph, cells).result() == want  # how long it takes is known now
    (tmp_path / "died").unlink()
    assert executor.submit(graph, cells).result() == want
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("after", [0.15, pytest.param(0.4, marks=pytest.mark.heavy)])
def test_killed_during_a_shuffle(
    cluster: LocalCluster, executor: ClusterExecutor, after: float
) -> None:
    random = np.random.default_rng(5)
    rows = 200_000
    table = pa.table({"k": random.integers(0, 90_000, rows), "x": random.integers(0, 1000, rows)})
    query = """
        select a.k, count(*) n, sum(a.x + b.x) s
        from t a join (select k, min(x) x from t group by k) b on a.k = b.k
        group by a.k"""
    with duckdb.connect() as database:
        database.register("t", table)
        wanted = database.sql(query).to_arrow_table()
    victim = pids_of(executor)[0]
    timer = threading.Timer(after, os.kill, (victim, signal.SIGKILL))
    with plait.connect(cluster) as session:
        timer.start()
        got = session.sql(query, {"t": table}).to_arrow()
    assert_same_rows(got, wanted)
    until(lambda: not alive(victim))


def test_killed_again_and_again(executor: ClusterExecutor, tmp_path: Path) -> None:
    """Three different tasks, each at another time, and what was there goes each time."""

    def work(number: int, *others: int) -> int:
        if number in (5, 20, 35):
            die_once(tmp_path / str(number))
        time.sleep(0.005)
        return number + sum(others)

    graph = TaskGraph()
    group = graph.add_group(TaskGroup("work", work))
    last = [Ref(graph.add_task(group, (i,))) for i in range(10)]
    for level in range(1, 4):
        last = [
            Ref(graph.add_task(group, (level * 10 + i, last[i], last[(i + 3) % 10])))
            for i in range(10)
        ]
    values = list(range(10))
    for level in range(1, 4):
        values = [level * 10 + i + values[i] + values[(i + 3) % 10] for i in range(10)]
    run = executor.submit(graph, last)
    run.wait(DEADLINE)
    assert run.result() == values


@pytest.mark.heavy
def test_a_task_that_takes_too_much_memory() -> None:
    """Run again, in case it was not its fault; then an error says what it took."""

    def take() -> int:
        taken = np.ones(400 * MEBI // 8)
        time.sleep(60)
        return len(taken)

    with LocalCluster(1, memory_limit=400 * MEBI) as cluster, cluster.executor() as executor:
        with pytest.raises(WorkerKilledError, match=r"used \d+ MiB of the 400 MiB it may"):
            call(executor, take)
        assert call(executor, int, "3") == 3


# -------------------------------------------------------------------------------------- stopped


@pytest.mark.heavy
def test_a_stopped_worker(cluster: LocalCluster, executor: ClusterExecutor) -> None:
    """Its tasks run elsewhere, its results too if wanted; when it goes on its own come too late."""
    pids = pids_of(executor)
    graph = graph_of(slow_pid, *[(i,) for i in range(40)])
    os.kill(pids[0], signal.SIGSTOP)
    try:
        began = time.monotonic()
        run = executor.submit(graph, [Ref(i) for i in range(40)])
        run.wait(DEADLINE)
        assert set(run.result()) == {pids[1]}
        assert time.monotonic() - began < 15
    finally:
        os.kill(pids[0], signal.SIGCONT)
    until(lambda: pids[0] in results(executor, slow_pid, *[(i,) for i in range(20)]))


@pytest.mark.heavy
def test_results_in_a_stopped_worker(
    executor: ClusterExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "SILENCE", 2.0)
    pids = pids_of(executor)
    run = executor.submit(
        graph_of(slow_pid, *[(i,) for i in range(20)]), [Ref(i) for i in range(20)]
    )
    run.wait(DEADLINE)
    os.kill(pids[0], signal.SIGSTOP)
    try:
        assert set(executor.gather(run.handles)) <= set(pids)
    finally:
        os.kill(pids[0], signal.SIGCONT)


@pytest.mark.heavy
def test_the_gil_held_for_long_is_no_death(executor: ClusterExecutor) -> None:
    def hold() -> int:
        ctypes.PyDLL(None).sleep(7)  # a PyDLL keeps the GIL, a CDLL would not
        return os.getpid()

    pids = set(pids_of(executor))
    assert call(executor, hold) in pids
    assert set(pids_of(executor)) == pids


# ------------------------------------------------------------------------------------ coming, going


def test_coming_and_going_during_a_run(tmp_path: Path) -> None:
    def step(number: int, *before: int) -> int:
        time.sleep(0.01)
        return number + sum(before)

    graph = TaskGraph()
    group = graph.add_group(TaskGroup("step", step))
    last = [Ref(graph.add_task(group, (i,))) for i in range(30)]
    for _ in range(3):
        last = [Ref(graph.add_task(group, (1, last[i], last[i - 1]))) for i in range(30)]
    values = list(range(30))
    for _ in range(3):
        values = [1 + values[i] + values[i - 1] for i in range(30)]
    with LocalCluster(1) as cluster, cluster.executor() as executor:
        run = executor.submit(graph, last)
        for count in (3, 1, 2):
            cluster.scale(count)
        run.wait(DEADLINE)
        assert run.result() == values


def test_nothing_grows_with_clusters() -> None:
    def used() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def once() -> None:
        with LocalCluster(0) as cluster, cluster.executor():
            pass

    once()
    before = used()
    for _ in range(3):
        once()
    until(lambda: used() <= before)


def test_nothing_grows_with_clients(cluster: LocalCluster, executor: ClusterExecutor) -> None:
    workers = pids_of(executor)
    supervisor = int(Path(f"/proc/{workers[0]}/stat").read_text().rpartition(")")[2].split()[1])
    pids = [os.getpid(), *children_of(supervisor)]

    def used() -> list[int]:
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

    def once() -> None:
        with cluster.executor() as client:
            assert results(client, int, *[(str(i),) for i in range(10)]) == list(range(10))

    once()
    before = used()
    for _ in range(20):
        once()
    until(lambda: all(now <= then for now, then in zip(used(), before, strict=True)))


def test_a_task_that_does_not_listen(executor: ClusterExecutor) -> None:
    """A cancelled task that goes on keeps its thread, and nothing else."""
    run = executor.submit(graph_of(time.sleep, (60.0,)), [Ref(0)])
    time.sleep(0.1)
    run.cancel()
    fine = executor.submit(graph_of(abs, *[(-i,) for i in range(20)]), [Ref(i) for i in range(20)])
    fine.wait(DEADLINE)
    assert fine.result() == list(range(20))
