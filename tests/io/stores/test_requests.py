"""How many requests reading and listing take, counted by a proxy."""

from __future__ import annotations

import io
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.io.filesystem import expand, open_ranges
from plait.io.parquet import footer
from plait.io.store import native
from plait.io.store import ranges as store_ranges
from tests.io.servers.proxy import Proxy, proxied
from tests.io.servers.stores import Bucket, put_many
from tests.io.stores.conftest import Opened


def test_a_small_file_is_one_request(s3: Bucket, faulty: Proxy) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": range(30_000)}), sink, row_group_size=1000)
    name = f"{uuid.uuid4().hex}/small.parquet"
    s3.put(name, sink.getvalue())
    bucket = s3.through(faulty.port)
    frame = plait.read_parquet(bucket.url(name), storage_options=bucket.options)
    assert frame.a.sum().compute() == sum(range(30_000))
    assert [r.split(" ")[0] for r in faulty.seen().requests] == ["GET"]


def test_a_file_of_a_few_megabytes_is_two_requests(s3: Bucket, faulty: Proxy) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": range(200_000)}), sink, compression="none", use_dictionary=False)
    name = f"{uuid.uuid4().hex}/medium.parquet"
    s3.put(name, sink.getvalue())
    bucket = s3.through(faulty.port)
    frame = plait.read_parquet(bucket.url(name), storage_options=bucket.options)
    assert frame.a.sum().compute() == sum(range(200_000))
    seen = faulty.seen()
    assert [r.split(" ")[0] for r in seen.requests] == ["GET", "GET"]
    assert seen.bytes <= len(sink.getvalue()) + 1000


def test_only_the_columns_asked_for_move(s3: Bucket, faulty: Proxy) -> None:
    rows = 1 << 18
    data = {f"c{i:02}": pa.array(range(i, rows + i)) for i in range(12)}
    sink = io.BytesIO()
    pq.write_table(pa.table(data), sink, use_dictionary=False, compression="none")
    name = f"{uuid.uuid4().hex}/wide.parquet"
    s3.put(name, sink.getvalue())
    bucket = s3.through(faulty.port)
    frame = plait.read_parquet(bucket.url(name), storage_options=bucket.options)
    faulty.seen()
    assert frame.c05.max().compute() == rows + 4
    seen = faulty.seen()
    assert len(seen.requests) <= 2
    assert seen.bytes < rows * 8 * 1.1


@pytest.mark.parametrize(
    ("name", "count"), [("moto", 480), pytest.param("seaweed", 10_000, marks=pytest.mark.heavy)]
)
def test_listing_many_partitions(opened: Opened, name: str, count: int) -> None:
    store = opened(name)
    with proxied(store.port) as proxy:
        _list_many_partitions(store, proxy, count)


def _list_many_partitions(store: Bucket, proxy: Proxy, count: int) -> None:
    root = uuid.uuid4().hex
    names = [
        f"{root}/year={2000 + i // 12 % 20}/month={i % 12 + 1}/part-{i // 240:02}.csv"
        for i in range(count)
    ]
    put_many(store, names, b"a\n1\n")
    bucket = store.through(proxy.port)
    for pattern in (root, f"{root}/year=*/month=*/*.csv"):
        files = expand(bucket.url(pattern), bucket.options)
        assert sorted(f.path for f in files) == sorted(bucket.url(n) for n in names)
        assert len(proxy.seen().requests) <= 25
    wanted = [n for n in names if "/year=2007/month=3/" in n]
    for pattern in ("year=2007/month=3", "year=2007/month=3/*.csv", "year=2007/month=3/part-*"):
        files = expand(bucket.url(f"{root}/{pattern}"), bucket.options)
        assert sorted(f.path for f in files) == sorted(bucket.url(n) for n in wanted)
        assert len(proxy.seen().requests) <= 3


@pytest.mark.heavy
def test_three_columns_of_lineitem(opened: Opened, tpch_sf1_dir: Path) -> None:
    bucket = opened("seaweed")
    path = tpch_sf1_dir / "lineitem.parquet"
    bucket.fs.put_file(str(path), "plait-test/lineitem.parquet")
    query = "select sum(l_quantity) as q, sum(l_extendedprice) as p, max(l_discount) as d from t"
    (expected,) = duckdb.sql(query.replace(" t", f" '{path}'")).fetchall()
    with proxied(bucket.port) as proxy:
        near = bucket.through(proxy.port)
        footer.forget()
        store_ranges.forget()
        t = plait.read_parquet(near.url("lineitem.parquet"), storage_options=near.options)
        found = plait.sql(query, tables={"t": t}).to_arrow()
        seen = proxy.seen()
    assert tuple(found.to_pylist()[0].values()) == expected
    assert len(seen.requests) <= 60
    assert seen.bytes <= 62e6
    assert seen.at_once > 4


@pytest.mark.parametrize("driver", ["auto", "fsspec"])
def test_obstore_and_s3fs_ask_alike(s3: Bucket, faulty: Proxy, driver: str) -> None:
    """Also for names that are left to s3fs."""
    data = bytes(i % 253 for i in range(2_000_000))
    bucket = s3.through(faulty.port)
    for name in ("plain.bin", "k=a b/é%41+.bin"):
        s3.put(f"alike/{name}", data)
        with plait.config.set({"requests.driver": driver}):
            (file,) = expand(bucket.url(f"alike/{name}"), bucket.options, end=1000)
            faulty.seen()
            with open_ranges(file) as reader:
                ranges = [(0, 700), (1_999_500, 2_000_000), (1_200_000, 1_900_000)]
                found = [bytes(part) for part in reader.get_ranges(ranges)]
        assert found == [data[start:end] for start, end in ranges]
        assert len(faulty.seen().requests) == 2  # the last bytes were there


@pytest.mark.parametrize(
    ("options", "mapped"),
    [
        ({"key": "k", "secret": "s"}, {"access_key_id": "k", "secret_access_key": "s"}),
        ({"anon": True, "client_kwargs": {"region_name": "eu-west-1"}},
         {"skip_signature": True, "region": "eu-west-1"}),
        ({}, None),  # credentials that s3fs finds, and refreshes
        ({"profile": "work"}, None),
        ({"key": "k", "secret": "s", "requester_pays": True}, None),
        ({"key": "k", "secret": "s", "client_kwargs": {"verify": False}}, None),
        ({"key": "k", "secret": "s", "config_kwargs": {"proxies": {}}}, None),
    ],
)  # fmt: skip
def test_options_that_obstore_understands(
    options: dict[str, Any], mapped: dict[str, Any] | None
) -> None:
    assert native.obstore_options(options) == mapped
