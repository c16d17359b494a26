"""The column cache: the same rows with it and without, room, changed files, threads."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ReadError
from plait.io.column_cache import ColumnCache, Key, cache
from plait.io.columns import Column, RowTest
from plait.io.parquet.source import ParquetSource, ParquetSplit
from plait.io.reader import cached_bytes, iterate_split, shrink_cache
from plait.planner.column_range import range_of
from plait.planner.source import Split

ROOM = 1 << 30


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    shrink_cache(0)
    yield
    shrink_cache(0)


def batches(
    split: Split, columns: Sequence[str], room: int = ROOM, test: RowTest | None = None
) -> list[pa.RecordBatch]:
    found = []
    for piece in iterate_split(split, columns, cache_bytes=room, test=test):
        assert isinstance(piece, pa.RecordBatch)
        found.append(piece)
    return found


def rows(source: ParquetSource, columns: Sequence[str], room: int = ROOM) -> list[dict[str, Any]]:
    return [
        row for s in source.splits(columns) for b in batches(s, columns, room) for row in _plain(b)
    ]


def _plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def whole(source: ParquetSource, groups: int) -> Split:
    """All row groups as one split."""
    first = source.splits(source.schema.names)[0]
    assert isinstance(first, ParquetSplit)
    return replace(first, row_groups=tuple(range(groups)))


def save(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def cached_names() -> set[str]:
    return {key.name for key in cache._kept}


# ------------------------------------------------------------------ the same with it and without

TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-128, 127),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.date32(): st.dates(),
    pa.timestamp("ms"): st.datetimes().map(lambda t: t.replace(microsecond=0)),
    pa.timestamp("us"): st.datetimes(),
    pa.decimal128(5, 2): st.decimals("-999.99", "999.99", places=2),
    pa.decimal128(18, 4): st.decimals(-(10**13), 10**13, places=4),
    pa.decimal128(25, 1): st.decimals(-(10**20), 10**20, places=1),
    pa.string(): st.sampled_from(["", "a", "bb", "ccc"]),
    pa.float64(): st.floats(allow_nan=False),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    count = draw(st.integers(0, 40))
    columns = {}
    for i, dtype in enumerate(draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=4))):
        values = st.none() | TYPES[dtype]
        column = draw(st.lists(values, min_size=count, max_size=count))
        columns[f"c{i}"] = pa.array(column, dtype)
    return pa.table(columns)


@settings(max_examples=60)
@given(
    tables(),
    st.integers(1, 50),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_same_rows_and_right_ranges(
    table: pa.Table, group: int, coded: bool, plain_decimals: bool, statistics: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        pq.write_table(
            table,
            path,
            row_group_size=group,
            use_dictionary=coded,
            store_decimal_as_integer=plain_decimals,
            write_statistics=statistics,
        )
        source = ParquetSource(path)
        names = source.schema.names
        expected = table.to_pylist()
        shrink_cache(0)
        assert rows(source, names, 0) == expected
        assert not cached_bytes()
        for some in (names[:1], names, names[::-1], names):
            assert rows(source, some) == [{n: r[n] for n in some} for r in expected]
        for split in source.splits(names):
            for batch in batches(split, names):
                for field, column in zip(batch.schema, batch.columns, strict=True):
                    assert range_of(field) == _range(column)


def _range(column: pa.Array) -> tuple[int, int] | None:
    """By way of Python's values."""
    found = [_stored(v, column.type) for v in column.to_pylist() if v is not None]
    if not found or any(n is None for n in found):
        return None
    return min(found), max(found)  # type: ignore[type-var]


def _stored(value: Any, dtype: pa.DataType) -> int | None:
    match value:
        case int():
            return value
        case Decimal() if pa.types.is_decimal64(dtype):
            return int(value.scaleb(dtype.scale))
        case dt.datetime():
            micros = (value - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
            return micros // (1000 if dtype.unit == "ms" else 1)
        case dt.date():
            return (value - dt.date(1970, 1, 1)).days
    return None


def test_second_reading_hands_out_the_same_memory(tmp_path: Path) -> None:
    columns = {"n": np.arange(5000), "s": ["a", "b"] * 2500, "d": pa.array([Decimal("1.5")] * 5000)}
    path = save(tmp_path / "x.parquet", columns, row_group_size=2000)
    (split,) = ParquetSource(path).splits(["n", "s", "d"])
    first = batches(split, ["n", "s", "d"])
    again = batches(split, ["d", "n"])
    assert [b["n"].buffers()[1].address for b in again] == [
        b["n"].buffers()[1].address for b in first
    ]
    assert [b["d"].buffers()[1].address for b in again] == [
        b["d"].buffers()[1].address for b in first
    ]
    off = batches(split, ["n"], 0)
    assert off[0]["n"].buffers()[1].address != first[0]["n"].buffers()[1].address


def test_small_row_groups_are_found_again_by_scans_that_begin_elsewhere(tmp_path: Path) -> None:
    values = np.arange(100_000)
    path = save(tmp_path / "x.parquet", {"n": values}, row_group_size=1000)
    by_two = ParquetSource(path, split_rows=50_000).splits(["n"])
    assert [v for s in by_two for b in batches(s, ["n"]) for v in b["n"].to_pylist()] == list(
        values
    )
    misses = cache.misses
    by_five = ParquetSource(path, split_rows=20_000).splits(["n"])
    assert [v for s in by_five for b in batches(s, ["n"]) for v in b["n"].to_pylist()] == list(
        values
    )
    assert len(by_two) == 2
    assert len(by_five) > 2
    assert cache.misses - misses <= 2 * len(by_five)  # at the borders


def test_large_row_groups_come_in_pieces(tmp_path: Path) -> None:
    values = np.arange(1000)
    texts = [f"text {i % 7}" for i in values]
    path = save(tmp_path / "x.parquet", {"n": values, "s": texts}, row_group_size=1000)
    (split,) = ParquetSource(path).splits(["n", "s"])
    for names, most in ((["n"], 300), (["n", "s"], 128), (["s", "n"], 700)):
        pieces = list(iterate_split(split, names, None, most, ROOM))
        assert max(p.num_rows for p in pieces) <= most
        found = [row for p in pieces for row in p.to_pylist()]
        assert [row["n"] for row in found] == list(values)
        assert [row.get("s") for row in found] == (texts if "s" in names else [None] * 1000)


def test_a_scan_that_ends_early_keeps_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"n": np.arange(1000)}, row_group_size=1000)
    (split,) = ParquetSource(path).splits(["n"])
    pieces = iterate_split(split, ["n"], None, 100, ROOM)
    assert next(pieces).num_rows == 100
    del pieces
    assert not cached_bytes()


# ------------------------------------------------------------------------------------------- room


def test_the_oldest_leave_first() -> None:
    kept = ColumnCache()
    keys = [Key((f"f{i}", 1, "v"), (0,), "n", "int64") for i in range(4)]
    column = Column.of("n", pa.array(np.arange(1000)))
    for key in keys[:3]:
        kept.put(key, (column,), 27_500, ["n"])
    assert kept.bytes == 27_000
    assert kept.get(keys[0]) is not None
    kept.put(keys[3], (column,), 27_500, ["n"])
    assert [key in kept for key in keys] == [True, False, True, True]
    kept.put(keys[1], (column,), 8999, ["n"])  # larger than all there may be
    assert keys[1] not in kept
    kept.shrink(10_000)
    assert [key in kept for key in keys] == [False, False, False, True]
    kept.shrink(-1)
    assert kept.bytes == 0


def test_of_a_file_larger_than_the_cache_a_part_stays(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 2**60, 400_000)
    path = save(tmp_path / "x.parquet", {"a": values, "b": values}, row_group_size=40_000)
    source = ParquetSource(path, split_rows=40_000)
    room = 1_700_000  # five groups of the ten
    for _ in range(2):
        hits = cache.hits
        assert [r["a"] for r in rows(source, ["a"], room)] == list(values)
        assert cached_bytes() <= room
    assert cache.hits - hits == 5
    assert [r["b"] for r in rows(source, ["b"], room)] == list(values)
    assert cached_names() == {"b"}


def test_switched_off(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"n": np.arange(1000)})
    (split,) = ParquetSource(path).splits(["n"])
    for _ in range(2):
        batches(split, ["n"], 0)
    assert not cached_bytes()


# ----------------------------------------------------------------------------------- changed files


def test_a_replaced_file_is_another_one(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"n": [1, 2, 3]})
    old = ParquetSource(path)
    assert rows(old, ["n"]) == [{"n": 1}, {"n": 2}, {"n": 3}]
    size = path.stat().st_size
    save(path, {"n": [7, 8, 9]})
    os.utime(path, ns=(1, 1))
    assert path.stat().st_size == size
    assert rows(ParquetSource(path), ["n"]) == [{"n": 7}, {"n": 8}, {"n": 9}]
    with pytest.raises(ReadError, match="has changed"):
        rows(old, ["n"])
    path.unlink()
    with pytest.raises(ReadError, match=r"x\.parquet"):
        rows(old, ["n"])


def test_the_type_that_is_asked_for_counts(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", {"n": pa.array([1, None], pa.int32())})
    narrow = ParquetSource(tmp_path / "a.parquet")
    assert batches(narrow.splits(["n"])[0], ["n"])[0].schema.field("n").type == pa.int32()
    save(tmp_path / "b.parquet", {"n": pa.array([2**40], pa.int64())})
    both = ParquetSource(tmp_path)
    for _ in range(2):
        assert rows(both, ["n"]) == [{"n": 1}, {"n": None}, {"n": 2**40}]
        found = [b for s in both.splits(["n"]) for b in batches(s, ["n"])]
        assert {str(b.schema.field("n").type) for b in found} == {"int64"}


# ----------------------------------------------------------------------------- threads, processes


def test_many_threads_and_little_room(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 2**60, 200_000)
    path = save(tmp_path / "x.parquet", {"a": values, "b": -values}, row_group_size=10_000)
    source = ParquetSource(path, split_rows=20_000)

    def work(seed: int) -> bool:
        random = np.random.default_rng(seed)
        good = True
        for _ in range(12):
            names = [["a"], ["b"], ["b", "a"]][random.integers(3)]
            splits = source.splits(names)
            at = int(random.integers(len(splits)))
            start = sum(s.rows or 0 for s in splits[:at])
            for batch in batches(splits[at], names, 600_000):
                part = values[start : start + batch.num_rows]
                start += batch.num_rows
                for n in names:
                    good &= np.array_equal(batch[n].to_numpy(), part if n == "a" else -part)
        return good

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(6)))
    assert cached_bytes() <= 600_000


def test_a_split_in_another_process(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"n": [1, 2, 3]})
    (split,) = ParquetSource(path).splits(["n"])
    batches(split, ["n"])
    (tmp_path / "split").write_bytes(pickle.dumps(split))
    script = (
        "import pickle, sys; from plait.io.reader import iterate_split as i\n"
        "s = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print([p['n'].to_pylist() for _ in range(2) for p in i(s, ['n'], cache_bytes=10**9)])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "split")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[1, 2, 3], [1, 2, 3]]"


# ------------------------------------------------------------------------------------ filters first


def test_where_no_row_passes_the_rest_is_not_decoded(tmp_path: Path) -> None:
    columns = {"k": np.tile(np.arange(100), 40), "v": np.arange(4000), "w": ["x"] * 4000}
    path = save(tmp_path / "x.parquet", columns, row_group_size=1000)
    (split,) = ParquetSource(path).splits(["k", "v", "w"])
    seen = []

    def passes(batch: pa.RecordBatch) -> bool:
        assert batch.schema.names == ["k"]
        seen.append(batch.num_rows)
        return False

    assert batches(split, ["v", "k", "w"], ROOM, RowTest(frozenset({"k"}), passes)) == []
    assert sum(seen) == 4000
    assert cached_names() == {"k"}


def test_where_rows_pass_all_comes_and_the_test_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plait.io.parquet.footer._STRETCHES", 1000)  # three row groups in each
    count = 20 * 40_000
    path = save(
        tmp_path / "x.parquet",
        {"k": np.arange(count), "v": -np.arange(count)},
        row_group_size=40_000,
    )
    split = whole(ParquetSource(path), 20)
    tried = []

    def passes(batch: pa.RecordBatch) -> bool:
        tried.append(batch["k"][0].as_py() // 40_000)
        return True

    for room in (0, ROOM):
        tried.clear()
        found = batches(split, ["k", "v"], room, RowTest(frozenset({"k"}), passes))
        assert np.array_equal(np.concatenate([b["v"].to_numpy() for b in found]), -np.arange(count))
        assert tried == [0, 12]
    tried.clear()
    batches(split, ["k", "v"], ROOM, RowTest(frozenset({"k"}), passes))
    assert tried == []  # nothing to decode, nothing to spare


def test_some_groups_pass(tmp_path: Path) -> None:
    groups = np.repeat(np.arange(10), 40_000)
    path = save(
        tmp_path / "x.parquet", {"k": groups, "v": np.arange(400_000)}, row_group_size=40_000
    )
    split = whole(ParquetSource(path), 10)

    def passes(batch: pa.RecordBatch) -> bool:
        return 8 in batch["k"].to_pylist()[:1]

    found = batches(split, ["k", "v"], 0, RowTest(frozenset({"k"}), passes))
    assert 320_000 in found[0]["v"].to_numpy()
    assert sum(b.num_rows for b in found) <= 80_000


# ------------------------------------------------------------------------------------------ stores


def test_of_a_file_in_a_store_only_what_is_missing_is_fetched() -> None:
    store = fsspec.filesystem("memory")
    count = 12 * 40_000
    numbers = np.random.default_rng(3).integers(0, 2**60, count)
    columns = {"a": numbers, "b": -numbers, "c": numbers // 3}
    with store.open("/column-cache/x.parquet", "wb") as sink:
        pq.write_table(pa.table(columns), sink, row_group_size=40_000)
    try:
        source = ParquetSource("memory://column-cache/x.parquet", split_rows=40_000)
        assert source.files[0].identity
        for room in (1_000_000, ROOM):  # a part of one column, then all
            for names in (["a"], ["b", "a"], ["c", "b"], ["a", "c", "b"]):
                found = [b for s in source.splits(names) for b in batches(s, names, room)]
                for name in names:
                    read = np.concatenate([b[name].to_numpy() for b in found])
                    assert np.array_equal(read, columns[name])
        misses = cache.misses
        assert len(rows(source, ["c", "a"])) == count
        assert cache.misses == misses
    finally:
        store.rm("/column-cache", recursive=True)
