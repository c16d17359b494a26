"""What a file is to the formats: a `FileInfo` for splits, a `RangeReader` to read from.

A `FileInfo` has a path, a size, and an `identity` (mtime or etag) that changes with its content, so
that a file rewritten between planning and reading is noticed. A `RangeReader` is the seam between
formats and storage: formats ask for byte ranges, many at once, and never see a file position.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from plait.errors import ReadError
from plait.io.store.access import Access

PathLike = str | os.PathLike[str]
Range = tuple[int, int]
Bytes = bytes | memoryview

_ROW = 64 << 10  # most rows of text are shorter

PARALLEL = 16  # threads for calls that mostly wait

_MAGIC = re.compile(r"[*?\[]")
_MAGIC_HTTP = re.compile(r"[*\[]")  # a `?` begins the query

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class FileInfo:
    """A file: where it is, how long it is, and what tells that it has not changed.

    `shown` is the path as the user wrote it, for messages and for `key=value` folders.
    """

    path: str
    size: int
    identity: str
    shown: str = field(default="", compare=False)
    access: Access = field(default=Access(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.shown:
            object.__setattr__(self, "shown", self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def local(self) -> bool:
        return is_local(self.path)


def is_local(path: str) -> bool:
    """Whether the path is on this machine's disks rather than a URL of fsspec's."""
    return "://" not in path


def has_magic(path: PathLike) -> bool:
    """Whether the path is a pattern: has one of `*?[`."""
    text = os.fspath(path)
    found = _MAGIC_HTTP if text.startswith(("http://", "https://")) else _MAGIC
    return found.search(text) is not None


def suffix_of(path: PathLike) -> str:
    """The lower-case last suffix of a path, without the dot."""
    return Path(os.fspath(path)).suffix.lower().lstrip(".")


def visible(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file of a folder is data: not hidden, of one of the suffixes (if any are given)."""
    if name.startswith((".", "_")):
        return False
    return not suffixes or name.lower().endswith(tuple(suffixes))


def hidden_folder(name: str) -> bool:
    """Whether what is in a folder of this name is no data; `_year=2024` is a partition."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def table_name(files: Sequence[FileInfo]) -> str:
    """What a table of files is called where it is told of."""
    first = files[0].name
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more"


def table_identity(kind: str, files: Iterable[FileInfo], *more: object) -> str:
    """Equal for two tables of files only if the same files are read in the same way.

    `more` is what else makes a table of files: types, partition columns, how files are cut.
    """
    listed = [f"{f.path} {f.size} {f.identity} {f.shown} {f.access.reference}" for f in files]
    text = "\n".join([*listed, *map(str, more)])
    return f"{kind}:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def check_unchanged(file: FileInfo, size: int, identity: str) -> None:
    """Raise if a file is no longer what it was when it was listed."""
    if size != file.size or (file.identity and identity != file.identity):
        raise changed(file)


def changed(file: FileInfo) -> ReadError:
    """The error for a file that is no longer what it was when it was listed."""
    return ReadError(f"{file.shown} has changed since it was opened; open it again")


class Parts(Protocol):
    """Ranges that are being fetched."""

    def read(self, start: int, end: int) -> Bytes:
        """Bytes within the ranges asked for, waiting until they have come."""


class RangeReader(Protocol):
    """A file as a source of byte ranges. Ranges are (start, end) with `end` exclusive."""

    @property
    def size(self) -> int: ...

    def get_ranges(self, ranges: Sequence[Range]) -> list[Bytes]:
        """The bytes of each range, each exactly as long as asked for."""

    def start(self, ranges: Sequence[Range]) -> Parts:
        """Begins to fetch ranges that are to be read soon, by the parts or by `get_ranges`.

        They are kept until the next call, or until the reader is closed.
        """

    def close(self) -> None: ...


def block(file: FileInfo, start: int, end: int) -> Range:
    """What a reader of the rows that begin in [start, end) will ask for, most of the time.

    The byte before tells whether a row begins at `start`; the last row goes on behind the end.
    """
    return max(start - 1, 0), min(end + _ROW, file.size)


def coalesce(ranges: Iterable[Range], gap: int = 1 << 20, cap: int = 16 << 20) -> list[Range]:
    """Sorted ranges with those at most `gap` bytes apart joined, up to `cap` bytes each.

    >>> coalesce([(0, 10), (12, 20), (100, 110)], gap=5)
    [(0, 20), (100, 110)]
    """
    merged: list[Range] = []
    for start, end in sorted(set(ranges)):
        if merged:
            first, last = merged[-1]
            if end <= last:
                continue
            if start <= last or (start - last <= gap and end - first <= cap):
                merged[-1] = (first, end)
                continue
        merged.append((start, end))
    return merged


def in_parallel(function: Callable[[T], R], items: Sequence[T], threads: int = PARALLEL) -> list[R]:
    """`function` of every item, in several threads; results in order, the first error raised."""
    if len(items) <= 1:
        return [function(item) for item in items]
    # a pool of its own: calls may nest, and a shared pool could then wait for itself
    with ThreadPoolExecutor(min(len(items), threads), "plait-io") as pool:
        return list(pool.map(function, items))
