"""Connections between workers, and from workers to a client, that break or fall silent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from plait.scheduler import gather
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.net import comm
from tests.scheduler.faults import links
from tests.scheduler.faults.stage import DEADLINE, call, results, until

SIZE = 1_000_000


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterExecutor]:
    """A client of two workers behind proxies; nobody is patient."""
    monkeypatch.setattr(gather, "SILENCE", links.SILENCE)
    with LocalCluster(0) as cluster, cluster.executor() as executor:
        workers = [links.start_worker(cluster.address, f"lone{i}") for i in range(2)]
        try:
            executor.wait_for_workers(2, DEADLINE)
            yield executor
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def make(number: int, how: str, folder: Path) -> np.ndarray:
    """A large result, and trouble when it is fetched from each worker for the first time."""
    try:
        (folder / str(os.getpid())).touch(exist_ok=False)
    except FileExistsError:
        pass
    else:
        getattr(links.proxies[0], how)(after=SIZE)
    return np.full(SIZE, number)


def silent(number: int) -> np.ndarray:
    """A result that leaves no worker."""
    links.proxies[0].silence(after=0)
    return np.full(SIZE, number)


def both(left: np.ndarray, right: np.ndarray) -> int:
    return int(left.sum() + right.sum())


@pytest.mark.parametrize("how", ["cut", pytest.param("swallow", marks=pytest.mark.heavy)])
def test_to_a_client(executor: ClusterExecutor, how: str, tmp_path: Path) -> None:
    got = call(executor, make, 7, how, tmp_path)
    assert np.array_equal(got, np.full(SIZE, 7))  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["cut", pytest.param("swallow", marks=pytest.mark.heavy)])
def test_between_workers(executor: ClusterExecutor, how: str, tmp_path: Path) -> None:
    """Lost on the way is lost: it is made again, and no part of it is ever taken for all."""
    graph = TaskGraph()
    source = graph.add_group(TaskGroup("make", make))
    pair = graph.add_group(TaskGroup("pair", both))
    made = [Ref(graph.add_task(source, (i, how, tmp_path))) for i in range(8)]
    sums = [Ref(graph.add_task(pair, (made[i], made[-1 - i]))) for i in range(8)]
    run = executor.submit(graph, sums)
    run.wait(DEADLINE)
    assert run.result() == [7 * SIZE] * 8


@pytest.mark.heavy
def test_a_worker_that_a_client_cannot_reach(
    executor: ClusterExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comm, "connect", partial(comm.connect, seconds=links.SILENCE))
    with pytest.raises(ConnectionError, match="does not answer this client"):
        results(executor, silent, *[(i,) for i in range(8)])


def test_a_lone_worker_that_dies(executor: ClusterExecutor) -> None:
    """Nobody says how it ended, and nobody starts another."""
    pid = call(executor, os.getpid)
    os.kill(pid, signal.SIGKILL)  # type: ignore[arg-type]
    until(lambda: len(executor.present.numbers) == 1)
    assert call(executor, os.getpid) != pid
