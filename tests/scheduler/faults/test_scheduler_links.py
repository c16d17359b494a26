"""Connections to the scheduler that are cut or fall silent: of workers, supervisors and clients."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.context import current_context
from plait.scheduler.errors import SchedulerLostError
from plait.scheduler.graph import Ref
from plait.scheduler.net import comm
from plait.scheduler.net.address import parse
from tests.scheduler.faults import links
from tests.scheduler.faults.brief import brief_cluster
from tests.scheduler.faults.stage import (
    DEADLINE,
    alive,
    call,
    children_of,
    graph_of,
    results,
    until,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of one worker, which loses patience soon."""
    with brief_cluster(1) as address:
        yield address


def through(proxy: links.Proxy, address: str) -> str:
    """The address of a scheduler as seen from behind a proxy."""
    return replace(parse(address), port=proxy.port).url


def step(number: int) -> int:
    """A file that is to go with the worker, and some work."""
    context = current_context()
    assert context is not None
    (context.scratch / f"{number}").touch()
    time.sleep(0.02)
    return -number


@contextmanager
def far_worker(
    address: str, scratch: Path
) -> Iterator[tuple[links.Proxy, subprocess.Popen[bytes]]]:
    """A worker without a supervisor, and what is between it and the scheduler."""
    proxy = links.Proxy(parse(address).port)
    worker = links.start_worker(through(proxy, address), "far", str(scratch))
    try:
        yield proxy, worker
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.parametrize("how", ["cut", pytest.param("darken", marks=pytest.mark.heavy)])
def test_a_worker_that_loses_its_scheduler(address: str, how: str, tmp_path: Path) -> None:
    """Its work is done by others; it ends, and leaves nothing."""
    with ClusterExecutor(address) as executor, far_worker(address, tmp_path) as (proxy, worker):
        executor.wait_for_workers(2, DEADLINE)
        run = executor.submit(
            graph_of(step, *[(i,) for i in range(40)]), [Ref(i) for i in range(40)]
        )
        until(lambda: any(tmp_path.rglob("[0-9]*")))
        if how == "cut":
            proxy.cut(after=0)
        else:
            proxy.darken()
        run.wait(DEADLINE)
        assert run.result() == [-i for i in range(40)]
        assert worker.wait(DEADLINE) == 3
        assert list(tmp_path.iterdir()) == []
        until(lambda: len(executor.present.names) == 1)


def test_an_idle_client_whose_scheduler_vanishes(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comm, "SCHEDULER_SILENCE", 1.0)
    proxy = links.Proxy(parse(address).port)
    with ClusterExecutor(through(proxy, address)) as executor:
        assert call(executor, operator.add, 1, 2) == 3
        proxy.darken()
        until(lambda: executor.lost)
        with pytest.raises(SchedulerLostError, match="is gone"):
            executor.submit(graph_of(int, ()), [Ref(0)])


@pytest.mark.heavy
def test_a_supervisor_whose_scheduler_vanishes(tmp_path: Path) -> None:
    """A stopped scheduler says nothing, and closes nothing."""
    with brief_cluster(2, str(tmp_path)) as address, ClusterExecutor(address) as executor:
        executor.wait_for_workers(2, DEADLINE)
        supervisor = children_of(os.getpid())[-1]
        scheduler, *workers = children_of(supervisor)
        results(executor, step, *[(i,) for i in range(10)])
        os.kill(scheduler, signal.SIGSTOP)
        until(lambda: not any(map(alive, [supervisor, *workers])))
        until(lambda: list(tmp_path.iterdir()) == [])


def test_a_killed_scheduler_leaves_nothing(tmp_path: Path) -> None:
    with LocalCluster(2, scratch=str(tmp_path)) as cluster, cluster.executor() as executor:
        executor.wait_for_workers(2, DEADLINE)
        supervisor = children_of(os.getpid())[-1]
        processes = children_of(supervisor)
        results(executor, step, *[(i,) for i in range(10)])
        assert list(tmp_path.iterdir()) != []
        os.kill(processes[0], signal.SIGKILL)
        until(lambda: not any(map(alive, [supervisor, *processes])))
        assert list(tmp_path.iterdir()) == []


def test_a_killed_client_beside_another(address: str) -> None:
    """What it had asked for is not done any more; the other gets what it asked for."""
    code = """
import sys, time
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.graph import Ref
from tests.scheduler.faults.stage import graph_of
executor = ClusterExecutor(sys.argv[1])
calls = [(0.02,)] * 10_000
run = executor.submit(graph_of(time.sleep, *calls), [Ref(i) for i in range(len(calls))])
print(flush=True)
run.wait()
"""
    with (
        ClusterExecutor(address) as executor,
        subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE) as other,
    ):
        assert other.stdout is not None
        other.stdout.readline()
        until(lambda: executor.unfinished > 1000)
        run = executor.submit(
            graph_of(step, *[(i,) for i in range(30)]), [Ref(i) for i in range(30)]
        )
        other.kill()
        run.wait(DEADLINE)
        assert run.result() == [-i for i in range(30)]
        until(lambda: executor.unfinished == 0)
