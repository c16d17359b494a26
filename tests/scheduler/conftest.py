"""Executors as fixtures, and the clusters for them, one of each kind for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from plait.scheduler.executor import Executor
from tests.scheduler.executors import EXECUTORS, LOCAL, Log, made


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request, request.param) as executor:
        yield executor


@pytest.fixture(params=LOCAL)
def local(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with made(request, request.param) as executor:
        yield executor


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.fixture(scope="session")
def dask_executors() -> Iterator[Callable[[], Executor]]:
    """Makes executors over a Dask cluster of two processes."""
    pytest.importorskip("distributed")
    from distributed import Client, LocalCluster

    from plait.scheduler.adapters.dask import DaskExecutor

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield partial(DaskExecutor, client)


@pytest.fixture(scope="session")
def ray_executors() -> Iterator[Callable[[], Executor]]:
    """Makes executors over a Ray cluster of two processes."""
    ray = pytest.importorskip("ray")
    from plait.scheduler.adapters.ray import RayExecutor

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield RayExecutor
    ray.shutdown()
