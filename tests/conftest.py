"""Fixtures and options for every test; plait is imported only by those that make clusters."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings

from tests.tpch.data import tpch_folder

# One profile for everybody: a failure seen in CI is then seen at every desk. Examples are drawn
# from the test's own name, so runs repeat; the profile `search` looks further afield.
settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=50,
    deadline=None,  # shared machines are noisy
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# A shell lets what it starts in the background ignore Ctrl-C, and Python then leaves it at that;
# the tests of Ctrl-C, here and in processes of their own, are to mean the same everywhere.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code says now into the golden files; read the diff before committing",
    )


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten rather than compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh in-memory DuckDB: the oracle of SQL answers."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 2")
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def tpch_dir() -> Path:
    """A folder of the eight TPC-H tables as `<table>.parquet`, at scale factor 0.01."""
    return tpch_folder(0.01, "parquet")


@pytest.fixture(scope="session")
def tpch_csv_dir() -> Path:
    """A folder of the eight TPC-H tables as `<table>.csv` with headers, at scale factor 0.01."""
    return tpch_folder(0.01, "csv")


@pytest.fixture(scope="session")
def tpch_sf1_dir() -> Path:
    """The Parquet tables at scale factor 1 (350 MB): only for tests marked heavy."""
    return tpch_folder(1, "parquet")


@pytest.fixture(scope="session")
def tpch_sf1_csv_dir() -> Path:
    """The CSV tables at scale factor 1 (1.1 GB): only for tests marked heavy."""
    return tpch_folder(1, "csv")


@pytest.fixture(scope="session")
def cluster_executors() -> Iterator[Callable[[], Any]]:
    """Makes executors over a cluster of plait's own, of two processes."""
    from plait.scheduler.cluster import LocalCluster

    with LocalCluster(2) as cluster:
        yield cluster.executor


@pytest.fixture(scope="session")
def dask_executors() -> Iterator[Callable[[], Any]]:
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
def ray_executors() -> Iterator[Callable[[], Any]]:
    """Makes executors over a Ray cluster of two processes."""
    ray = pytest.importorskip("ray")
    from plait.scheduler.adapters.ray import RayExecutor

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield RayExecutor
    ray.shutdown()
