"""Clusters: one that every test leaves whole, and one that a test may break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plait.scheduler.client import ClusterExecutor
from plait.scheduler.cluster import LocalCluster
from tests.scheduler.faults.stage import DEADLINE


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers; lost ones are replaced."""
    with LocalCluster(2) as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: LocalCluster) -> Iterator[ClusterExecutor]:
    """A client of the cluster, with all its workers there."""
    with cluster.executor() as executor:
        executor.wait_for_workers(2, DEADLINE)
        yield executor
