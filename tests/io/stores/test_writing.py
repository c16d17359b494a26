"""Writing to stores: what is there afterwards, read by the store's own driver, pandas and plait."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator

import fsspec
import pandas as pd
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import ReadError, WriteError
from plait.io.write import commit, journal
from plait.io.write.output_files import StoreOutput
from tests.io.servers.proxy import Proxy
from tests.io.servers.stores import Bucket
from tests.io.stores.conftest import Opened

HEAVY = pytest.mark.heavy
WRITABLE = ["memory", "moto", "gcs"]
WRITABLE_HEAVY = [pytest.param(name, marks=HEAVY) for name in ("seaweed", "azurite")]

FRAME = pd.DataFrame(
    {
        "a": range(300),
        "k": [f"text {i % 3}" for i in range(300)],
        "c": [None if i % 5 == 0 else i / 4 for i in range(300)],
    }
)


@pytest.fixture(params=[*WRITABLE, *WRITABLE_HEAVY])
def store(request: pytest.FixtureRequest, opened: Opened) -> Iterator[Bucket]:
    if request.param == "memory":
        yield Bucket("memory://plait-test", {}, 0)
        fsspec.filesystem("memory").store.clear()
    else:
        yield opened(request.param)


@pytest.fixture
def place() -> str:
    """A folder of the test's own."""
    return uuid.uuid4().hex


def frame(rows: pd.DataFrame = FRAME) -> plait.DataFrame:
    return plait.from_pandas(rows, npartitions=3)


def names(store: Bucket, place: str) -> list[str]:
    return [n.removeprefix(f"{place}/") for n in store.names() if n.startswith(place)]


def data(store: Bucket, name: str) -> bytes:
    store.fs.invalidate_cache()
    found: bytes = store.fs.cat_file(store.fs._strip_protocol(store.url(name)))
    return found


def back(url: str, store: Bucket) -> pd.DataFrame:
    read = plait.read_parquet(url, storage_options=store.options)
    return read.compute().sort_values("a", ignore_index=True)


def test_one_file_of_each_format(store: Bucket, place: str) -> None:
    options = {"storage_options": store.options}
    frame().to_parquet(store.url(f"{place}/x.parquet"), **options)
    frame().to_csv(store.url(f"{place}/x.csv.gz"), **options)
    frame().to_json(store.url(f"{place}/x.json"), **options)
    assert names(store, place) == ["x.csv.gz", "x.json", "x.parquet"]
    read = pd.read_parquet(io.BytesIO(data(store, f"{place}/x.parquet")))
    pd.testing.assert_frame_equal(read, FRAME)
    read = pd.read_csv(io.BytesIO(data(store, f"{place}/x.csv.gz")), compression="gzip")
    pd.testing.assert_frame_equal(read, FRAME)
    read = pd.read_json(io.BytesIO(data(store, f"{place}/x.json")), lines=True)
    pd.testing.assert_frame_equal(read, FRAME, check_dtype=False)
    with pytest.raises(WriteError, match="exists already"):
        frame().to_csv(store.url(f"{place}/x.csv.gz"), **options)
    frame(FRAME[:2]).to_csv(store.url(f"{place}/x.csv.gz"), mode="overwrite", **options)
    assert len(pd.read_csv(io.BytesIO(data(store, f"{place}/x.csv.gz")), compression="gzip")) == 2


def test_folders_and_modes(store: Bucket, place: str) -> None:
    options = {"storage_options": store.options}
    url = store.url(place)
    frame().to_parquet(url, **options)
    assert names(store, place) == [f"part-0000{i}.parquet" for i in range(3)]
    pd.testing.assert_frame_equal(back(url, store), FRAME)
    with pytest.raises(WriteError, match="exists already"):
        frame().to_parquet(url, **options)
    more = FRAME.assign(a=FRAME.a + 1000)
    frame(more).to_parquet(url, mode="append", **options)
    both = pd.concat([FRAME, more], ignore_index=True)
    pd.testing.assert_frame_equal(back(url, store), both)
    frame(more).to_parquet(url, mode="overwrite", **options)
    pd.testing.assert_frame_equal(back(url, store), more)
    assert len(names(store, place)) == 3


def test_over_what_the_plan_reads(store: Bucket, place: str) -> None:
    options = {"storage_options": store.options}
    url = store.url(place)
    frame().to_parquet(url, **options)
    for _ in range(2):
        read = plait.read_parquet(url, **options)
        read.assign(a=read.a + 1).to_parquet(url, mode="overwrite", **options)
    pd.testing.assert_frame_equal(back(url, store), FRAME.assign(a=FRAME.a + 2))
    read = plait.read_parquet(url, **options)
    read[read.a < 10].to_parquet(url, mode="append", **options)
    assert len(back(url, store)) == 308


def test_partitions(store: Bucket, place: str) -> None:
    options = {"storage_options": store.options}
    url = store.url(place)
    odd = FRAME.assign(k=[("a b", "x/y=%", None)[i % 3] for i in range(300)])
    frame(odd).to_parquet(url, partition_on="k", **options)
    pd.testing.assert_frame_equal(back(url, store)[["a", "k", "c"]], odd)
    frame(odd).to_parquet(url, partition_on="k", mode="overwrite", **options)
    pd.testing.assert_frame_equal(back(url, store)[["a", "k", "c"]], odd)


def seen(rows: pd.DataFrame) -> tuple[int, int]:
    return len(rows), int(rows.a.sum())


def rows(url: str, store: Bucket) -> tuple[int, int]:
    try:
        return seen(back(url, store))
    except ReadError:
        return 0, 0


class Killed(BaseException):
    """Stands for the end of the process: nothing is cleared away after it."""


@pytest.mark.parametrize(
    "store",
    ["memory", pytest.param("moto", marks=HEAVY), pytest.param("gcs", marks=HEAVY)],
    indirect=True,
)
@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_killed_while_committing(
    store: Bucket, place: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every call of a commit: readers see the old or the new, the next write clears away."""
    options = {"storage_options": store.options}
    more = FRAME.assign(a=FRAME.a + 1000)
    new = pd.concat([FRAME, more], ignore_index=True) if mode == "append" else more
    monkeypatch.setattr(commit, "in_parallel", lambda f, items: [f(item) for item in items])
    calls = last = 0
    while not last:
        url = store.url(f"{place}/{calls}")
        if mode != "error":
            frame().to_parquet(url, **options)
        with monkeypatch.context() as patch:
            left = calls

            def dying(name: str) -> None:
                method = getattr(StoreOutput, name)

                def call(*args: object) -> object:
                    nonlocal left
                    if left <= 0:
                        left = -1
                        raise Killed
                    if name != "remove_folder":
                        left -= 1
                    return method(*args)

                patch.setattr(StoreOutput, name, call)

            for name in ("move", "write_whole", "remove", "remove_folder"):
                dying(name)
            try:
                frame(more).to_parquet(url, mode=mode, **options)
                last = calls
            except Killed:
                pass
        before = rows(url, store)
        assert before in [(0, 0) if mode == "error" else seen(FRAME), seen(new)]
        # the same process would be alive: its marks are made to look like those of a dead one
        monkeypatch.setattr(journal, "_alive", lambda mark: False)
        if mode == "error" and before == seen(new):
            with pytest.raises(WriteError, match="exists already"):
                frame(more).to_parquet(url, **options)
        else:
            frame(more).to_parquet(url, mode=mode, **options)
            wanted = before[0] + 300 if mode == "append" else 300
            assert rows(url, store)[0] == wanted
            store.fs.invalidate_cache()
            whole = store.fs.find(store.fs._strip_protocol(url))
            each = [pq.read_table(io.BytesIO(store.fs.cat_file(f))).num_rows for f in whole]
            assert sum(each) == wanted  # to readers other than plait too
        monkeypatch.undo()
        monkeypatch.setattr(commit, "in_parallel", lambda f, items: [f(item) for item in items])
        calls += 1
    assert last >= {"error": 4, "append": 4, "overwrite": 6}[mode]


def test_what_cannot_be_written(store: Bucket, place: str, request: pytest.FixtureRequest) -> None:
    if any(name in request.node.name for name in ("memory", "seaweed")):
        pytest.skip("these make a bucket that is missing")
    url = store.root.rpartition("/")[0] + "/no-such-bucket-of-plait/x"
    with pytest.raises(WriteError, match="no-such-bucket-of-plait"):
        frame().to_parquet(url, storage_options=store.options)


def test_other_things_are_spared(store: Bucket, place: str) -> None:
    store.put(f"{place}/thesis.docx", b"years of work")
    with pytest.raises(WriteError, match=r"thesis\.docx"):
        frame().to_parquet(store.url(place), mode="overwrite", storage_options=store.options)
    assert names(store, place) == ["thesis.docx"]


def test_a_store_that_is_often_busy(s3: Bucket, faulty: Proxy, place: str) -> None:
    """A fifth of the requests fail: they are made again, and nothing is there twice."""
    store = s3.through(faulty.port)
    faulty.set(unavailable=0.2)
    frame().to_parquet(store.url(place), storage_options=store.options)
    frame().to_parquet(store.url(place), mode="append", storage_options=store.options)
    faulty.set()
    assert len(names(s3, place)) == 6
    assert seen(back(s3.url(place), s3)) == (600, 2 * int(FRAME.a.sum()))


def test_a_store_that_takes_nothing(s3: Bucket, faulty: Proxy, place: str) -> None:
    """What was there before stays; credentials are not told."""
    frame().to_parquet(s3.url(place), storage_options=s3.options)
    store = s3.through(faulty.port)
    faulty.set(unavailable=1.0, only="PUT")
    with plait.config.set({"requests.attempts": 2}), pytest.raises(WriteError) as caught:
        frame().to_parquet(store.url(place), mode="overwrite", storage_options=store.options)
    faulty.set()
    assert "plaitsecret" not in str(caught.value)
    assert place in str(caught.value)
    assert seen(back(s3.url(place), s3)) == seen(FRAME)
    assert len(names(s3, place)) == 3
