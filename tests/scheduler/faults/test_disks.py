"""Scratch folders that are full, or not as they were written; memory that tasks leave behind."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

import numpy as np
import pytest

from plait.scheduler.cluster import LocalCluster
from plait.scheduler.errors import DiskFullError
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from tests.scheduler.faults.stage import DEADLINE, call, graph_of, results, until

MEBI = 1 << 20
LIMIT = 500 * MEBI

left_behind: list[object] = []
"""In a worker: what its tasks have not let go of."""


def no_disk() -> None:
    """From now on this process can write no more than so much into a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBI, MEBI))


def block(number: int) -> np.ndarray:
    return np.full(20 * MEBI // 8, number)


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
