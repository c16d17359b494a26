"""Every store gives the same answers: files, folders, patterns, hive partitions, all formats."""

from __future__ import annotations

import gzip
import io
import uuid

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import ReadError
from plait.io.filesystem import expand, open_ranges
from tests.io.servers.stores import Bucket
from tests.io.stores.conftest import Opened

HEAVY = pytest.mark.heavy
STORES = ["moto", "gcs", "http", "webhdfs"]
STORES_HEAVY = [pytest.param(name, marks=HEAVY) for name in ("seaweed", "azurite", "https")]
WRITABLE = ["moto", "gcs", *(pytest.param(n, marks=HEAVY) for n in ("seaweed", "azurite"))]

FRAME = pd.DataFrame(
    {
        "a": range(5000),
        "b": [f"text {i % 7}" for i in range(5000)],
        "c": [i / 4 for i in range(5000)],
    }
)


@pytest.fixture(params=[*STORES, *STORES_HEAVY])
def store(request: pytest.FixtureRequest, opened: Opened) -> Bucket:
    return opened(request.param)


@pytest.fixture
def place() -> str:
    """A folder of the test's own."""
    return uuid.uuid4().hex


def parquet(frame: pd.DataFrame, rows: int = 700) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame), sink, row_group_size=rows)
    return sink.getvalue()


def test_parquet(store: Bucket, place: str) -> None:
    url = store.put(f"{place}/all.parquet", parquet(FRAME))
    found = plait.read_parquet(url, storage_options=store.options)
    pd.testing.assert_frame_equal(found.compute(), FRAME)
    pd.testing.assert_frame_equal(
        found[found.a > 4321][["c"]].compute().reset_index(drop=True),
        FRAME[FRAME.a > 4321][["c"]].reset_index(drop=True),
    )


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_the_end_of_a_file_comes_with_its_size(store: Bucket, place: str, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    url = store.put(f"{place}/numbers.bin", data)
    (asked,) = expand(url, store.options)
    (file,) = expand(url, store.options, end=1000)
    assert (file.path, file.size, file.identity) == (asked.path, size, asked.identity)
    with open_ranges(file) as reader:
        ranges = [(0, size), (size // 2, size), (size // 3, size // 2)]
        assert [bytes(found) for found in reader.get_ranges(ranges)] == [
            data[a:b] for a, b in ranges
        ]
    with pytest.raises(ReadError, match="No such file"):
        expand(store.url(f"{place}/none.bin"), store.options, end=1000)


def test_hive_partitions(store: Bucket, place: str) -> None:
    for year in (2023, 2024):
        for odd in ("a b", "é%41+"):
            part = FRAME.assign(a=FRAME.a + year)[:100]
            store.put(f"{place}/year={year}/k={odd}/p.parquet", parquet(part))
    store.put(f"{place}/_log/x.parquet", b"nothing")
    root = store.url(place)
    expected = {2023: (FRAME.a[:100] + 2023).sum() * 2, 2024: (FRAME.a[:100] + 2024).sum() * 2}
    for path in (root, f"{root}/year=*/*/*.parquet", f"{root}/year=*/**/*.parquet"):
        if store.root.startswith("http") and "**" in path:
            continue  # fsspec follows links for ever on pages that name their parents
        frame = plait.read_parquet(path, storage_options=store.options)
        assert frame.groupby("year").a.sum().compute().to_dict() == expected, path
    one = plait.read_parquet(f"{root}/year=2024", storage_options=store.options)
    assert one.a.sum().compute() == expected[2024]


def test_names_of_partitions_are_decoded(store: Bucket, place: str) -> None:
    if store.root.startswith(("gs://", "webhdfs")):
        pytest.skip("these drivers do not escape a % in names")
    store.put(f"{place}/k=a b/p.parquet", parquet(FRAME[:3]))
    frame = plait.read_parquet(store.url(f"{place}/k=*/*.parquet"), storage_options=store.options)
    assert frame.k.unique().compute().tolist() == ["a b"]


def test_csv_and_json(store: Bucket, place: str) -> None:
    text = FRAME.assign(b=FRAME.b.where(FRAME.a % 3 > 0, 'quoted,"x"\n')).to_csv(index=False)
    expected = pd.read_csv(io.StringIO(text))
    url = store.put(f"{place}/plain.csv", text.encode())
    packed = store.put(f"{place}/packed.csv.gz", gzip.compress(text.encode()))
    for path in (url, packed):
        found = plait.read_csv(path, blocksize=10_000, storage_options=store.options).compute()
        pd.testing.assert_frame_equal(found, expected)
    lines = FRAME.to_json(orient="records", lines=True)
    url = store.put(f"{place}/lines.jsonl", lines.encode())
    found = plait.read_json(url, storage_options=store.options).compute()
    pd.testing.assert_frame_equal(found, FRAME, check_dtype=False)


def test_sql_over_patterns(store: Bucket, place: str) -> None:
    for i in range(3):
        store.put(f"{place}/part-{i}.csv", f"n,m\n{i},{i * 10}\n".encode())
    store.put(f"{place}/other-1.csv", b"n,m\n100,100\n")
    with plait.config.set({"storage": {store.root: dict(store.options)}}):
        found = plait.sql(f"select sum(n) as n, sum(m) as m from '{store.url(place)}/part-*.csv'")
        assert found.compute().to_dict("records") == [{"n": 3, "m": 30}]


def test_what_is_not_there(store: Bucket, place: str) -> None:
    with pytest.raises(ReadError, match=rf"No such file: '{store.root}/{place}/none\.csv'"):
        plait.read_csv(store.url(f"{place}/none.csv"), storage_options=store.options)
    store.put(f"{place}/there.csv", b"a\n1\n")
    with pytest.raises(ReadError, match="No files match"):
        plait.read_csv(store.url(f"{place}/*.parquet"), storage_options=store.options)


def test_replaced_files_are_noticed(store: Bucket, place: str) -> None:
    # as long as before, so that only its identity tells
    url = store.put(f"{place}/x.csv", b"a,b\n" + b"1,2\n" * 300_000)
    frame = plait.read_csv(url, storage_options=store.options)
    again = plait.read_csv(url, storage_options=store.options)
    assert again.a.sum().compute() == 300_000
    store.put(f"{place}/x.csv", b"a,b\n" + b"3,2\n" * 300_000)
    with pytest.raises(ReadError, match=r"x\.csv has changed since it was opened"):
        frame.a.sum().compute()


@pytest.mark.parametrize("name", WRITABLE)
def test_writing(name: str, opened: Opened, place: str) -> None:
    bucket = opened(name)
    options = bucket.options
    frame = plait.from_pandas(FRAME, npartitions=3)
    frame.to_parquet(bucket.url(f"{place}/folder"), storage_options=options)
    frame.to_csv(bucket.url(f"{place}/one.csv"), storage_options=options)
    written = [n.removeprefix(f"{place}/") for n in bucket.names() if n.startswith(place)]
    assert all(not n.rpartition("/")[2].startswith(".") for n in written)  # nothing half-way
    back = plait.read_parquet(bucket.url(f"{place}/folder"), storage_options=options)
    pd.testing.assert_frame_equal(back.sort_values("a").compute().reset_index(drop=True), FRAME)
    csv = plait.read_csv(bucket.url(f"{place}/one.csv"), storage_options=options)
    pd.testing.assert_frame_equal(csv.sort_values("a").compute().reset_index(drop=True), FRAME)
    with pytest.raises(OSError, match="exists already"):
        frame.to_parquet(bucket.url(f"{place}/folder"), storage_options=options)
    frame.head(10)
    plait.from_pandas(FRAME[:10]).to_parquet(
        bucket.url(f"{place}/folder"), mode="overwrite", storage_options=options
    )
    assert len(plait.read_parquet(bucket.url(f"{place}/folder"), storage_options=options)) == 10
