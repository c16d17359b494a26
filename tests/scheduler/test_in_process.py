"""Clusters on the threads of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import duckdb
import pandas as pd
import pytest

import plait
from plait.scheduler.cluster import LocalCluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2, processes=False) as made:
        yield made


def test_a_query_with_an_exchange(cluster: LocalCluster) -> None:
    t = pd.DataFrame({"k": [i * 7919 % 50_000 for i in range(100_000)], "x": range(100_000)})
    query = "select k, sum(x) s from t group by k order by k"
    expected = duckdb.sql(query).df()
    with plait.connect(cluster) as session:
        found = session.sql(query, {"t": plait.from_pandas(t, npartitions=4)}).compute()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_calls_and_their_errors(cluster: LocalCluster) -> None:
    with plait.connect(cluster) as session, plait.Client(session) as client:
        assert client.submit(divmod, 7, 2).result(10) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            client.submit(divmod, 7, 0).result(10)


def test_workers_come_and_go(cluster: LocalCluster) -> None:
    assert cluster.workers == 2
    with plait.connect(cluster) as session:
        kept = session.sql("select range i from range(1000)").persist()
        cluster.scale(3)
        assert cluster.workers == 3
        cluster.scale(1)
        assert cluster.workers == 1
        assert len(kept) == 1000  # what was kept by those that left
        cluster.scale(2)


def test_its_dashboard() -> None:
    with (
        LocalCluster(1, processes=False, dashboard=True) as cluster,
        urlopen(cluster.dashboard_url.replace("/?", "/metrics?"), timeout=10) as answer,
    ):
        assert b"plait_workers 1" in answer.read()


def test_nothing_is_left_of_it() -> None:
    before = set(threading.enumerate())
    cluster = LocalCluster(3, processes=False)
    cluster.close()
    cluster.close()
    with pytest.raises(RuntimeError, match="has ended"):
        cluster.scale(1, wait=False)
    deadline = time.monotonic() + 10
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
