"""Finding files, and reading ranges of bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait import config
from plait.errors import ReadError, UnsupportedError
from plait.io.filesystem import (
    Access,
    FileInfo,
    LocalRanges,
    coalesce,
    exists,
    expand,
    is_folder,
    open_ranges,
    read_all,
)
from plait.io.store.ranges import StoreRanges


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b.csv",
        "a.csv",
        "sub/c.csv",
        "sub/d.txt",
        ".hidden.csv",
        "_log/e.csv",
        "odd[1].csv",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(files: tuple[FileInfo, ...], root: Path) -> list[str]:
    return [os.path.relpath(f.path, root) for f in files]


def test_paths_folders_patterns_and_lists(tree: Path) -> None:
    assert names(expand(tree / "a.csv"), tree) == ["a.csv"]
    assert names(expand(f"file://{tree}/a.csv"), tree) == ["a.csv"]
    assert names(expand(tree, suffixes=(".csv",)), tree) == [
        "a.csv", "b.csv", "odd[1].csv", "sub/c.csv",
    ]  # fmt: skip
    assert names(expand(f"{tree}/[ab].csv"), tree) == ["a.csv", "b.csv"]
    assert names(expand(f"{tree}/**/*.csv"), tree) == [
        "_log/e.csv", "a.csv", "b.csv", "odd[1].csv", "sub/c.csv",
    ]  # fmt: skip
    assert names(expand(tree / "odd[1].csv"), tree) == ["odd[1].csv"]
    assert names(expand([tree / "b.csv", tree / "a.csv"]), tree) == ["b.csv", "a.csv"]
    (info,) = expand(tree / "a.csv")
    assert (info.size, info.name, info.local) == (5, "a.csv", True)
    assert info.identity == str((tree / "a.csv").stat().st_mtime_ns)


def test_relative_and_home_paths(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    (info,) = expand("sub/c.csv")
    assert info.path == str(tree / "sub" / "c.csv")
    assert info.shown == "sub/c.csv"
    monkeypatch.setenv("HOME", str(tree))
    assert expand("~/a.csv")[0].path == str(tree / "a.csv")


def test_missing_files_name_what_is_near(tree: Path) -> None:
    with pytest.raises(ReadError, match=r"No such file: .*aa\.csv.* Did you mean 'a\.csv'"):
        expand(tree / "aa.csv")
    with pytest.raises(ReadError, match=r"there is no folder '.*nowhere'"):
        expand(tree / "nowhere" / "a.csv")
    with pytest.raises(
        ReadError, match=r"No files match .*\.parquet.*The folder has: _log, a\.csv"
    ):
        expand(f"{tree}/*.parquet")
    with pytest.raises(ReadError, match=r"has no \.parquet files"):
        expand(tree, suffixes=(".parquet",))
    with pytest.raises(ReadError, match="list is empty"):
        expand([])


def test_existence(tree: Path) -> None:
    assert exists(tree)
    assert is_folder(tree)
    assert not is_folder(tree / "a.csv")
    assert not exists(tree / "zz")


def test_drivers_that_are_missing_are_named() -> None:
    with pytest.raises((ReadError, UnsupportedError), match="nonsense"):
        expand("nonsense://x/y")


# ---------------------------------------------------------------------------------- stores


@pytest.fixture
def store() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    for name in ("t/k=1/a.csv", "t/k=2/b.csv", "t/k=2/_tmp/c.csv", "u.csv"):
        fs.pipe_file(f"/bucket/{name}", name.encode() * 100)
    yield fs
    fs.rm("/bucket", recursive=True)


def test_stores(store: Any) -> None:
    def found(path: str) -> list[str]:
        return [f.path.removeprefix("memory://").lstrip("/") for f in expand(path)]

    assert found("memory://bucket/u.csv") == ["bucket/u.csv"]
    assert found("memory://bucket/t") == ["bucket/t/k=1/a.csv", "bucket/t/k=2/b.csv"]
    assert found("memory://bucket/t/k=*/*.csv") == ["bucket/t/k=1/a.csv", "bucket/t/k=2/b.csv"]
    assert found("memory://bucket/**/*.csv")[-1] == "bucket/u.csv"
    with pytest.raises(ReadError, match="No such file"):
        expand("memory://bucket/zz.csv")
    with pytest.raises(ReadError, match="No files match"):
        expand("memory://bucket/*.parquet")
    assert exists("memory://bucket/u.csv")
    assert is_folder("memory://bucket/t")


def test_options_are_never_shown() -> None:
    info = FileInfo("s3://b/x", 1, "e", access=Access.of({"secret": "hunter2"}))
    assert "hunter2" not in repr(info)
    assert info == FileInfo("s3://b/x", 1, "e")


# ---------------------------------------------------------------------------------- ranges

RANGES = st.lists(
    st.tuples(st.integers(0, 600), st.integers(0, 100)).map(lambda r: (r[0], r[0] + r[1])),
    max_size=10,
)


@given(RANGES, st.integers(0, 50), st.integers(1, 200))
def test_coalesced_ranges_cover_what_is_asked(
    ranges: list[tuple[int, int]], gap: int, cap: int
) -> None:
    merged = coalesce(ranges, gap, cap)
    for start, end in ranges:
        assert any(a <= start and end <= b for a, b in merged)
    assert all(b <= c for (_, b), (c, _) in pairwise(merged))
    wanted = {i for start, end in ranges for i in range(start, end)}
    got = {i for start, end in merged for i in range(start, end)}
    assert len(got - wanted) <= gap * len(merged) * len(ranges)


@given(ranges=RANGES)
def test_ranges_are_the_bytes_asked_for(ranges: list[tuple[int, int]]) -> None:
    content = bytes(i % 251 for i in range(700))
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/ranges/x.bin", content)
    (info,) = expand("memory://ranges/x.bin")
    found = StoreRanges(info).get_ranges(ranges)
    assert [bytes(part) for part in found] == [content[a:b] for a, b in ranges]


def test_local_ranges(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"0123456789")
    (info,) = expand(path)
    with open_ranges(info) as reader:
        assert reader.size == 10
        parts = reader.get_ranges([(2, 5), (0, 1), (9, 10), (4, 4)])
    assert [bytes(p) for p in parts] == [b"234", b"0", b"9", b""]  # views outlive the reader
    assert bytes(read_all(info)) == b"0123456789"
    (tmp_path / "empty").write_bytes(b"")
    assert bytes(read_all(expand(tmp_path / "empty")[0])) == b""


def test_changed_and_vanished_files(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"one")
    (info,) = expand(path)
    path.write_bytes(b"three")
    with pytest.raises(ReadError, match="has changed"):
        LocalRanges(info)
    path.unlink()
    with pytest.raises(ReadError, match="has gone"):
        open_ranges(info)


def test_files_replaced_in_a_store_are_noticed(store: Any) -> None:
    (info,) = expand("memory://bucket/u.csv")
    store.pipe_file("/bucket/u.csv", b"u.csv" * 100)
    with pytest.raises(ReadError, match="has changed"):
        StoreRanges(info).get_ranges([(0, 10)])
    store.rm_file("/bucket/u.csv")
    with pytest.raises(ReadError, match="has gone"):
        StoreRanges(info).get_ranges([(0, 10)])


def test_short_answers_of_a_store_are_noticed(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (info,) = expand("memory://bucket/u.csv")
    whole = type(store).cat_file
    monkeypatch.setattr(type(store), "cat_file", lambda *a, **k: whole(*a, **k)[:3])
    with (
        config.set({"requests.attempts": 2}),
        pytest.raises(ReadError, match=r"asked for bytes 0 to 500, got 3.*tried 2 times"),
    ):
        StoreRanges(info).get_ranges([(0, 10)])
