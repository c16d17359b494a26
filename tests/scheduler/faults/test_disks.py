"""Scratch folders that are full, or not as they were written; memory that tasks leave behind."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from plait.scheduler import store
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.errors import DiskFullError
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.net.serialize import Buffer
from plait.scheduler.worker import process_worker
from tests.scheduler.faults.stage import DEADLINE, call, graph_of, results, until

MEBI = 1 << 20
LIMIT = 500 * MEBI

left_behind: list[object] = []
"""In a worker: what its tasks have not let go of."""


@pytest.fixture(scope="module")
def roomy() -> Iterator[ClusterExecutor]:
    """A client of one worker without a limit."""
    with LocalCluster(1, memory_limit=None) as cluster, cluster.executor() as executor:
        yield executor


def no_disk() -> None:
    """From now on this process can write no more than so much into a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBI, MEBI))


def slow_disk(gate: Path) -> int:
    """Whatever this process writes from now on takes until there is a gate; and it has to write."""
    write = store.write_pieces

    def wait_and_write(path: Path, pieces: Sequence[Buffer]) -> None:
        (gate.parent / "begun").touch()
        until(gate.exists, 2 * DEADLINE)
        write(path, pieces)

    worker = process_worker()
    assert worker is not None
    store.write_pieces = wait_and_write
    worker.store.bound(MEBI)
    return os.getpid()


def little_memory(more: int | None) -> int:
    """This process may take so many bytes more; None: as many as it likes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = most if more is None else pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    return os.getpid()


def block(number: int) -> np.ndarray:
    return np.full(20 * MEBI // 8, number)


def test_a_slow_disk(roomy: ClusterExecutor, tmp_path: Path) -> None:
    """While a file is being written tasks run, and results are fetched, also that one."""
    gate = tmp_path / "gate"
    pid = call(roomy, slow_disk, gate)
    kept = roomy.submit(graph_of(np.ones, *[(MEBI // 4,)] * 4), [Ref(i) for i in range(4)])
    kept.wait(DEADLINE)
    until((tmp_path / "begun").exists)
    values = roomy.gather(kept.handles)
    assert [value.sum() for value in values] == [MEBI // 4] * 4  # type: ignore[attr-defined]
    assert call(roomy, os.getpid) == pid
    assert results(roomy, abs, *[(-i,) for i in range(100)]) == list(range(100))
    gate.touch()
    until(lambda: call(roomy, spilled) >= 4 * 2 * MEBI)  # type: ignore[operator]
    values = roomy.gather(kept.handles)
    assert [value.sum() for value in values] == [MEBI // 4] * 4  # type: ignore[attr-defined]


def spilled() -> int:
    worker = process_worker()
    assert worker is not None
    return worker.store.spilled


def test_memory_that_the_system_refuses(roomy: ClusterExecutor) -> None:
    """The task's error, and no more than that."""
    pid = call(roomy, little_memory, 100 * MEBI)
    for _ in range(3):
        with pytest.raises(MemoryError):
            call(roomy, np.ones, 1000 * MEBI)
    assert call(roomy, little_memory, None) == pid
    assert call(roomy, abs, -3) == 3


@pytest.mark.heavy
def test_a_full_disk(tmp_path: Path) -> None:
    """What fits in memory is right; what does not is an error that says where there was no room."""
    with (
        LocalCluster(1, memory_limit=LIMIT, scratch=str(tmp_path)) as cluster,
        cluster.executor() as executor,
    ):
        call(executor, no_disk)
        run = executor.submit(
            graph_of(block, *[(i,) for i in range(60)]), [Ref(i) for i in range(60)]
        )
        with pytest.raises(DiskFullError, match=f"full at {re.escape(str(tmp_path))}"):
            run.wait(DEADLINE)
        del run

        graph = TaskGraph()
        made = graph.add_group(TaskGroup("block", block))
        total = graph.add_group(TaskGroup("total", lambda values: int(values.sum())))
        blocks = [Ref(graph.add_task(made, (i,))) for i in range(60)]
        sums = [Ref(graph.add_task(total, (one,))) for one in blocks]
        run = executor.submit(graph, sums)
        run.wait(DEADLINE)
        assert run.result() == [i * 20 * MEBI // 8 for i in range(60)]


@pytest.mark.heavy
def test_changed_files(tmp_path: Path) -> None:
    """Each spilled result that was changed is made again, never read."""

    def spilled() -> list[Path]:
        return list(tmp_path.rglob("*.result"))

    with (
        LocalCluster(1, memory_limit=LIMIT, scratch=str(tmp_path)) as cluster,
        cluster.executor() as executor,
    ):
        kept = executor.submit(
            graph_of(block, *[(i,) for i in range(30)]), [Ref(i) for i in range(30)]
        )
        kept.wait(DEADLINE)
        until(spilled)
        for path in spilled():
            with open(path, "r+b") as file:
                file.seek(-1, os.SEEK_END)
                file.write(b"\xff")
        for number, handle in enumerate(kept.handles):
            assert (executor.gather([handle])[0] == number).all()  # type: ignore[attr-defined]


@pytest.mark.heavy
def test_a_leak() -> None:
    """A worker full of what it cannot let go of is replaced; nothing is lost or blamed."""

    def leak() -> int:
        left_behind.append(np.ones(430 * MEBI // 8))
        return os.getpid()

    with LocalCluster(1, memory_limit=LIMIT) as cluster, cluster.executor() as executor:
        first = call(executor, leak)
        until(lambda: executor.present.names and executor.present.names[0].endswith("-2"))
        pids = results(executor, lambda _: os.getpid(), *[(i,) for i in range(10)])
        assert first not in pids
