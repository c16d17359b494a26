"""The dashboard of real clusters."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import ConfigError, UnsupportedError
from plait.scheduler.cluster import LocalCluster
from plait.scheduler.dashboard.of_cluster import ClusterDashboard
from tests.assertions import assert_same_rows

ROWS = 400_000
DEADLINE = 20.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2, dashboard=True) as made:
        yield made


def news(url: str) -> Any:
    with urlopen(url.replace("/?", "/feed?since=0&"), timeout=10) as answer:
        return json.load(answer)


def seen(url: str, enough: Callable[[Any], bool]) -> Any:
    """The news, once there is enough of it."""
    deadline = time.monotonic() + DEADLINE
    while not enough(found := news(url)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_query_with_an_exchange(cluster: LocalCluster, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"k": [i * 7919 % 300_000 for i in range(ROWS)], "x": range(ROWS)})
    pq.write_table(table, path, row_group_size=ROWS // 8)
    query = f"select k, sum(x) s from '{path}' group by k"
    with plait.connect(cluster, partition__bytes=1 << 20) as session:
        assert session.dashboard() == cluster.dashboard_url
        found = session.execute(query)
    assert_same_rows(found, duckdb.sql(query).to_arrow_table())

    told = seen(
        cluster.dashboard_url,
        lambda it: (
            it["jobs"]
            and it["jobs"][-1]["state"] == "done"
            and {sample[0] for sample in it["samples"]} == {1, 2}
            and any(span[1] == "transfer" for span in it["spans"])
        ),
    )
    assert len(told["workers"]) == 2
    assert all(sample[2] > 1 << 20 for sample in told["samples"])
    workers = {lane: worker for lane, worker, _ in told["lanes"]}
    bars = [span for span in told["spans"] if span[1] == "task"]
    assert {workers[span[0]] for span in bars} == {1, 2}
    job = told["jobs"][-1]
    assert [progress[0] for progress in job["progress"]] == [stage[2] for stage in job["stages"]]
    plans = "\n".join(stage[1] for stage in job["stages"])
    assert "ScanSplits" in plans
    assert "hash" in plans
    assert job["progress"][-1][3] == found.num_rows
    # what ran lies between the beginning and the end of its query
    assert all(
        job["start"] - 0.1 <= span[4] and span[4] + span[5] <= job["end"] + 0.1 for span in bars
    )


def test_the_runs_of_a_query_are_one_job(cluster: LocalCluster, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(1000)}), path, row_group_size=100)
    before = len(news(cluster.dashboard_url)["jobs"])
    with plait.connect(cluster, partition__bytes=1) as session:
        # in waves of one, two and so many partitions, and then the first rows of those
        found = session.execute(f"select x from '{path}' limit 250")
    assert found.num_rows == 250
    told = seen(cluster.dashboard_url, lambda it: it["jobs"][-1]["state"] == "done")
    assert len(told["jobs"]) == before + 1
    tasks = [stage[2] for stage in told["jobs"][-1]["stages"]]
    assert len(tasks) == 2
    assert tasks[0] >= 3


def test_metrics(cluster: LocalCluster) -> None:
    with urlopen(cluster.dashboard_url.replace("/?", "/metrics?"), timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    assert "plait_workers 2" in lines


def test_only_with_the_token(cluster: LocalCluster) -> None:
    with pytest.raises(HTTPError, match="403"):
        urlopen(cluster.dashboard_url.partition("?")[0], timeout=10)


def test_a_failing_task_and_a_cancelled_run(cluster: LocalCluster) -> None:
    with plait.connect(cluster) as session, plait.Client(session) as client:
        with pytest.raises(ZeroDivisionError):
            client.submit(divmod, 1, 0).result(10)
        told = seen(cluster.dashboard_url, lambda it: it["jobs"][-1]["state"] == "failed")
    assert any("ZeroDivisionError" in line[-1] for line in told["log"])


def test_without_one() -> None:
    with LocalCluster(1) as cluster, plait.connect(cluster) as session:
        assert cluster.dashboard_url == ""
        with pytest.raises(UnsupportedError, match="dashboard=True"):
            session.dashboard()


def test_it_is_not_loaded_unless_wanted() -> None:
    code = (
        "import sys, plait.scheduler.server, plait.scheduler.worker, plait.scheduler.cluster\n"
        "print([m for m in sys.modules if 'dashboard' in m or m == 'tornado.web'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_others_can_reach_it_with_tls_only() -> None:
    with pytest.raises(ConfigError, match="needs TLS"):
        ClusterDashboard("0.0.0.0", 0)
