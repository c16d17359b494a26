"""Results beyond 2**31 bytes, the boundary of many a length."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from plait.scheduler.cluster import LocalCluster
from plait.scheduler.graph import Ref
from plait.scheduler.host import process_memory
from tests.scheduler.faults.stage import DEADLINE, graph_of

SIZE = 2**31 + 9


def large() -> np.ndarray:
    values = np.zeros(SIZE, np.uint8)
    values[[0, 2**31 - 1, -1]] = 1, 2, 3
    return values


@pytest.mark.heavy
def test_a_result_of_two_gigabytes() -> None:
    """It comes whole, and who gets it needs little more than its size."""
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, process_memory())

    with LocalCluster(1, memory_limit=None) as cluster, cluster.executor() as executor:
        run = executor.submit(graph_of(large, ()), [Ref(0)])
        run.wait(DEADLINE)
        before = process_memory()
        threading.Thread(target=watch, daemon=True).start()
        try:
            values: np.ndarray = run.result()[0]  # type: ignore[assignment]
        finally:
            done.set()
    assert values.nbytes == SIZE
    assert values[[0, 2**31 - 1, -1]].tolist() == [1, 2, 3]
    assert most - before < 1.2 * SIZE
