"""What networks and servers do wrong: tried again within bounds and right, or told."""

from __future__ import annotations

import io
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import ReadError
from plait.io.parquet import footer
from plait.io.store import ranges as store_ranges
from tests.io.servers.proxy import Proxy, proxied
from tests.io.servers.stores import Bucket, s3_options
from tests.io.stores.conftest import Opened

ROWS = 400_000


@pytest.fixture(scope="module")
def numbers() -> pa.Table:
    """Three columns of noise: chunks that do not compress, so that they are far apart."""
    random = np.random.default_rng(5)
    return pa.table({name: random.random(ROWS) for name in "abc"})


@pytest.fixture(scope="module")
def table(s3: Bucket, numbers: pa.Table) -> str:
    """Its name in the store: 9.6 MB in twenty row groups."""
    sink = io.BytesIO()
    pq.write_table(numbers, sink, row_group_size=ROWS // 20, use_dictionary=False)
    return s3.put(f"{uuid.uuid4().hex}/numbers.parquet", sink.getvalue()).removeprefix(s3.root)


@pytest.mark.parametrize("driver", ["auto", "fsspec"])
@pytest.mark.parametrize(
    "faults",
    [
        {"unavailable": 0.3},
        {"cut": 0.3},
        {"stall": 0.2, "lose": 3},
        {"unavailable": 0.1, "cut": 0.1, "latency": 0.01},
    ],
)
def test_faults_that_pass(
    s3: Bucket, faulty: Proxy, table: str, numbers: pa.Table, faults: dict[str, Any], driver: str
) -> None:
    bucket = s3.through(faulty.port)
    footer.forget()
    store_ranges.forget()
    patience = {"requests.timeout": 1, "requests.attempts": 6}
    with plait.config.set({**patience, "requests.driver": driver}):
        faulty.set(**faults)
        frame = plait.read_parquet(bucket.root + table, storage_options=bucket.options)
        found = frame[["a", "c"]].compute()
    pd.testing.assert_frame_equal(found, numbers.select(["a", "c"]).to_pandas())


@pytest.mark.parametrize("faults", [{"unavailable": 1.0}, {"stall": 1.0}, {"cut": 1.0}])
def test_faults_that_stay(s3: Bucket, faulty: Proxy, table: str, faults: dict[str, Any]) -> None:
    bucket = s3.through(faulty.port)
    footer.forget()
    store_ranges.forget()
    with plait.config.set({"requests.timeout": 0.5, "requests.attempts": 2}):
        faulty.set(**faults, only="GET")
        with pytest.raises(ReadError, match=r"numbers\.parquet: .*tried 2 times"):
            plait.read_parquet(bucket.root + table, storage_options=bucket.options)
    assert len(faulty.seen().requests) <= 1 + 2 * 6  # obstore once, s3fs five times by itself


def test_http_is_tried_again(opened: Opened) -> None:
    web = opened("http")
    web.put("faults.csv", b"a,b\n" + b"1,2\n" * 500_000)
    with (
        proxied(web.port) as proxy,
        plait.config.set({"requests.timeout": 1, "requests.attempts": 8}),
    ):
        proxy.set(unavailable=0.3, cut=0.2)
        frame = plait.read_csv(web.through(proxy.port).url("faults.csv"), blocksize=300_000)
        assert frame.b.sum().compute() == 1_000_000


def test_nobody_listens() -> None:
    with (
        plait.config.set({"requests.timeout": 0.5, "requests.attempts": 2}),
        pytest.raises(ReadError, match=r"x\.csv: .*tried 2 times"),
    ):
        plait.read_csv("http://127.0.0.1:9/x.csv")


def test_no_such_bucket(s3: Bucket) -> None:
    with pytest.raises(ReadError, match="there is no bucket 'plait-nowhere'"):
        plait.read_csv("s3://plait-nowhere/x.csv", storage_options=s3.options)
    with pytest.raises(ReadError, match="there is no bucket 'plait-nowhere'"):
        plait.read_csv("s3://plait-nowhere/*.csv", storage_options=s3.options)


@pytest.mark.heavy
def test_wrong_credentials(opened: Opened) -> None:
    bucket = opened("seaweed")
    url = bucket.put("secret/x.csv", b"a\n1\n")
    wrong = s3_options(bucket.port, "plaitkey", "not-the-secret")
    unknown = s3_options(bucket.port, "nobody", "not-the-secret")
    for options in (wrong, unknown):
        for path in (url, bucket.url("secret/*.csv")):
            with pytest.raises(ReadError, match="access denied") as raised:
                plait.read_csv(path, storage_options=options)
            assert "not-the-secret" not in str(raised.value)


def test_no_credentials(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    options = {"endpoint_url": s3.options["endpoint_url"]}
    with pytest.raises(ReadError, match="no usable credentials"):
        plait.read_csv(s3.url("x.csv"), storage_options=options)
