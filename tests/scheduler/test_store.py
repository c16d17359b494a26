"""Results are kept once, go to files and come back as they were, or are known to be gone."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from plait.scheduler import store as module
from plait.scheduler.scratch import ScratchFolder
from plait.scheduler.store import GoneError, Store
from plait.scheduler.weight import weigh

MEBI = 1 << 20


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[ScratchFolder]:
    folder = ScratchFolder(str(tmp_path))
    yield folder
    folder.remove()


def table(seed: int) -> pa.Table:
    return pa.table({"n": np.arange(seed, seed + MEBI // 8), "s": ["text"] * (MEBI // 8)})


def test_keeps_and_drops(scratch: ScratchFolder) -> None:
    store = Store(scratch)
    store.put(1, "one")
    store.put(2, [1, 2])
    assert (store.get(1), store.get(2), len(store)) == ("one", [1, 2], 2)
    store.put(1, None)
    assert store.get(1) is None
    store.drop([1, 2, 3])
    assert store.bytes == 0
    for ask in (store.get, store.packed):
        with pytest.raises(GoneError):
            ask(1)


def test_parts_of_a_table_are_kept_each_by_itself(scratch: ScratchFolder) -> None:
    whole = pa.table({"n": np.arange(MEBI)})
    step = MEBI // 8
    store = Store(scratch)
    sizes = store.put_parts(range(8), [whole.slice(i * step, step) for i in range(8)])
    assert all(MEBI <= size < MEBI + 1000 for size in sizes)
    assert 8 * MEBI <= store.bytes < 8 * MEBI + 16_000
    store.drop(range(4))
    assert store.bytes < 4 * MEBI + 8_000
    assert [store.get(key) for key in range(4, 8)] == [
        whole.slice(i * step, step) for i in range(4, 8)
    ]


def test_parts_that_share_a_dictionary_stay_slices(scratch: ScratchFolder) -> None:
    entries = pa.array([f"a rather long entry of a dictionary, number {i}" for i in range(50_000)])
    codes = pa.array(np.arange(50_000, dtype=np.int32))
    whole = pa.table({"s": pa.DictionaryArray.from_arrays(codes, entries)})
    store = Store(scratch)
    store.put_parts(range(10), [whole.slice(i * 5000, 5000) for i in range(10)])
    assert store.bytes < 2 * entries.nbytes
    assert store.get(3) == whole.slice(15_000, 5000)


def test_small_plain_values_go_together(scratch: ScratchFolder) -> None:
    store, other = Store(scratch), Store(scratch)
    values: dict[int, object] = {1: 5, 2: "text", 3: None}
    for key, value in values.items():
        store.put(key, value)
    store.put(4, [1])
    found = store.plain([1, 2, 3, 4, 5])
    assert found == values
    other.put_plain(found, found.values())
    assert [other.get(key) for key in (1, 2, 3)] == [5, "text", None]


def test_slices_count_once(scratch: ScratchFolder) -> None:
    whole = pa.table({"n": np.arange(MEBI)})
    store = Store(scratch)
    sizes = [store.put(i, whole.slice(i * 1000, 1000)) for i in range(10)]
    assert all(8000 <= size < 9000 for size in sizes)
    assert store.bytes == 8 * MEBI
    store.drop(range(9))
    assert store.bytes == 8 * MEBI
    store.drop([9])
    assert store.bytes == 0
    array = np.zeros(MEBI)
    store.put(1, array)
    store.put(2, [array[5:], array[:7]])
    assert 8 * MEBI <= store.bytes < 8 * MEBI + 1000


def test_goes_to_files_and_comes_back(scratch: ScratchFolder) -> None:
    store = Store(scratch, limit=4 * MEBI)
    expected: dict[int, object] = {i: table(i) for i in range(6)}
    expected[6] = {"pickled": ["x" * 1000 for _ in range(2000)]}
    expected[7] = [table(7).to_batches()[0], np.arange(MEBI)]
    for key, value in expected.items():
        store.put(key, value)
        assert store.settle(10)
        assert store.bytes <= 4 * MEBI
    assert store.spilled > 6 * MEBI
    for _ in range(2):
        for key in range(7):
            assert store.get(key) == expected[key]
            assert store.settle(10)
            assert store.bytes <= 4 * MEBI
    batch, numbers = store.get(7)  # type: ignore[misc]
    assert batch.equals(table(7).to_batches()[0])
    assert (numbers == np.arange(MEBI)).all()
    for key in expected:
        assert module.serialize.loads(store.packed(key)) is not None
    store.clear()
    assert (store.bytes, store.spilled) == (0, 0)
    assert list(scratch.path.glob("*.result")) == []


def test_what_comes_packed_is_unpacked_once(scratch: ScratchFolder) -> None:
    store = Store(scratch)
    packed = module.serialize.dumps(table(3))
    store.put_packed(1, packed)
    assert store.packed(1) is packed
    first = store.get(1)
    assert first == table(3)
    assert store.get(1) is first


@pytest.mark.parametrize("place", [0, 9, 64, -1])
def test_a_changed_file_is_a_lost_result(scratch: ScratchFolder, place: int) -> None:
    store = Store(scratch, limit=0)
    store.put(1, table(1))
    assert store.settle(10)
    (file,) = scratch.path.glob("*.result")
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    with pytest.raises(GoneError, match="lost"):
        store.get(1)
    assert 1 not in store


def test_a_cut_file_is_a_lost_result(scratch: ScratchFolder) -> None:
    store = Store(scratch, limit=0)
    store.put(1, table(1))
    assert store.settle(10)
    (file,) = scratch.path.glob("*.result")
    os.truncate(file, 1000)
    with pytest.raises(GoneError):
        store.packed(1)


def test_a_full_disk(scratch: ScratchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, pieces: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store(scratch, limit=0)
    monkeypatch.setattr(module, "write_pieces", full)
    store.put(1, table(1))
    assert store.settle(10)
    assert store.disk_full
    assert store.get(1) == table(1)
    assert store.spilled == 0


def test_what_cannot_be_pickled_stays(scratch: ScratchFolder) -> None:
    store = Store(scratch, limit=0)
    value = [threading.Lock(), "x" * MEBI]
    store.put(1, value)
    assert store.settle(10)
    assert store.get(1) is value
    assert not store.disk_full


def test_many_threads(scratch: ScratchFolder) -> None:
    store = Store(scratch, limit=2 * MEBI)
    wrong: list[int] = []

    def work(thread: int) -> None:
        for i in range(30):
            key = 100 * thread + i
            store.put(key, np.full(MEBI // 16, key))
            for back in (key, 100 * thread + i // 2):
                if (store.get(back) != back).any():  # type: ignore[attr-defined]
                    wrong.append(back)
            if i % 3 == 0:
                store.drop([key])
                store.put(key, np.full(MEBI // 16, key))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.settle(10)
    assert store.bytes <= 2 * MEBI
    store.clear()
    assert store.bytes == 0


def test_weights() -> None:
    batch = pa.record_batch({"n": np.arange(1000)})
    assert weigh(batch).size == 8000 + 256
    assert list(weigh([batch, batch.slice(5)]).buffers.values()) == [8000]
    coded = pa.array(["a" * 1000, "b"] * 500).dictionary_encode()
    assert weigh(coded).size >= 4000 + 1001
    assert weigh(np.zeros(10)[2:]).size == 64
    assert weigh(list(range(100_000))).size > 2_000_000
