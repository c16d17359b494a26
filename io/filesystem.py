"""Finding files and reading ranges of their bytes; the only module that talks to fsspec.

Local paths are handled by the operating system directly, everything with a `://` by fsspec. A
`FileInfo` is a file as a split carries it: its path, size, and an `identity` (mtime or etag) that
changes with its content, so that a file rewritten between planning and reading is noticed.

On object stores a wildcard in a folder name would be one listing per folder: the literal prefix
is listed flat instead and the pattern is matched here.

`RangeReader` is the seam between formats and storage: formats ask for byte ranges, many at once,
and never see a file position. Locally the ranges are views of a memory map.
"""

from __future__ import annotations

import datetime as dt
import glob as local_glob
import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from plait.errors import ReadError, UnsupportedError, nearest_names

PathLike = str | os.PathLike[str]

_MAGIC = re.compile(r"[*?\[]")
_PARALLEL = 16  # requests in flight to a store

# which extra of plait brings the driver of a protocol
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class FileInfo:
    """A file: where it is, how long it is, and what tells that it has not changed.

    `shown` is the path as the user wrote it, for messages and for `key=value` folders.
    `options` are fsspec's storage options; they may hold secrets and are never shown.
    """

    path: str
    size: int
    identity: str
    shown: str = field(default="", compare=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

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


# ---------------------------------------------------------------------------------- finding


def is_local(path: str) -> bool:
    """Whether the path is on this machine's disks rather than a URL of fsspec's."""
    return "://" not in path


def plain_path(path: PathLike) -> str:
    """The path as text: `file://` and `~` resolved."""
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.startswith("file://"):
        text = text[len("file://") :]
    return text if "://" in text else os.path.expanduser(text)


def has_magic(path: PathLike) -> bool:
    """Whether the path is a pattern: has one of `*?[`."""
    return _MAGIC.search(os.fspath(path)) is not None


def expand(
    path: PathLike | Iterable[PathLike],
    storage_options: Mapping[str, Any] | None = None,
    suffixes: Sequence[str] = (),
) -> tuple[FileInfo, ...]:
    """The files meant by a path, a folder, a pattern, or a list of these.

    Patterns and folders give their files sorted; a list keeps its order. A folder stands for the
    files below it (ending in one of `suffixes`, if given) whose path has no part that starts with
    `_` or `.`.
    """
    options = dict(storage_options or {})
    if not isinstance(path, str | os.PathLike):
        paths = list(path)
        if not paths:
            raise ReadError("No paths were given: the list is empty")
        return tuple(f for p in paths for f in expand(p, options, suffixes))
    text = plain_path(path)
    if is_local(text):
        return _expand_local(text, suffixes)
    return _expand_remote(text, options, suffixes)


def exists(path: PathLike, storage_options: Mapping[str, Any] | None = None) -> bool:
    """Whether there is a file or folder at the path."""
    text = plain_path(path)
    if is_local(text):
        return os.path.exists(text)
    fs, inner = open_filesystem(text, storage_options)
    return bool(fs.exists(inner))


def is_folder(path: PathLike, storage_options: Mapping[str, Any] | None = None) -> bool:
    """Whether the path is a folder."""
    text = plain_path(path)
    if is_local(text):
        return os.path.isdir(text)
    fs, inner = open_filesystem(text, storage_options)
    return bool(fs.isdir(inner))


def open_filesystem(path: str, storage_options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """fsspec's filesystem of a URL, and the path within it."""
    import fsspec  # slow to import, and local files do without

    protocol = path.split("://", 1)[0]
    try:
        fs, inner = fsspec.core.url_to_fs(path, **dict(storage_options or {}))
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        hint = f": pip install 'plait[{extra}]'" if extra else f" ({error})"
        raise UnsupportedError(
            f"Reading {protocol}:// needs a package that is not installed{hint}"
        ) from error
    except ValueError as error:
        raise ReadError(f"{path}: {error}") from error
    return fs, str(inner)


def _expand_local(text: str, suffixes: Sequence[str]) -> tuple[FileInfo, ...]:
    if os.path.isdir(text):
        found = sorted(_walk(text, suffixes))
        if not found:
            wanted = f" {' or '.join(suffixes)}" if suffixes else ""
            raise ReadError(f"The folder {text!r} has no{wanted} files")
        return tuple(map(local_file, found))
    if has_magic(text) and not os.path.exists(text):
        found = sorted(p for p in local_glob.glob(text, recursive=True) if os.path.isfile(p))
        if not found:
            raise ReadError(f"No files match {text!r}{_near_pattern(text)}")
        return tuple(map(local_file, found))
    return (local_file(text),)


def local_file(path: str) -> FileInfo:
    """The FileInfo of a local file; a ReadError with near names if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise ReadError(f"No such file: {path!r}{_near_files(path)}") from None
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}") from error
    return FileInfo(os.path.abspath(path), status.st_size, str(status.st_mtime_ns), path)


def _walk(folder: str, suffixes: Sequence[str]) -> Iterator[str]:
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [f for f in folders if not f.startswith((".", "_"))]
        for name in files:
            if _visible(name, suffixes):
                yield os.path.join(root, name)


def _visible(name: str, suffixes: Sequence[str]) -> bool:
    if name.startswith((".", "_")):
        return False
    return not suffixes or name.lower().endswith(tuple(suffixes))


def _near_files(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f" (there is no folder {folder!r})"
    close = nearest_names(name, os.listdir(folder))
    return f". Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _near_pattern(pattern: str) -> str:
    """What the folder of a pattern without matches holds instead."""
    folder = os.path.dirname(pattern)
    if has_magic(folder):
        return ""
    folder = folder or "."
    if not os.path.isdir(folder):
        return f" (there is no folder {folder!r})"
    names = sorted(n for n in os.listdir(folder) if not n.startswith("."))
    if not names:
        return " (the folder is empty)"
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f". The folder has: {shown}"


def _expand_remote(
    text: str, options: Mapping[str, Any], suffixes: Sequence[str]
) -> tuple[FileInfo, ...]:
    fs, inner = open_filesystem(text, options)
    prefix = text[: len(text) - len(inner)] if text.endswith(inner) else ""
    protocol = prefix or text.split("://", 1)[0] + "://"

    def info(entry: Mapping[str, Any]) -> FileInfo:
        name = str(entry["name"])
        url = name if "://" in name else protocol + name
        return FileInfo(url, int(entry.get("size") or 0), _identity(entry), url, options)

    if not has_magic(inner):
        try:
            entry = fs.info(inner)
        except FileNotFoundError:
            raise ReadError(f"No such file: {text!r}") from None
        if entry["type"] == "file":
            return (info(entry),)
        found = _find(fs, inner)
        found = [e for e in found if _visible_below(inner, str(e["name"]), suffixes)]
        if not found:
            raise ReadError(f"The folder {text!r} has no files")
    else:
        literal = inner[: _MAGIC.search(inner).start()].rpartition("/")[0]  # type: ignore[union-attr]
        from fsspec.utils import glob_translate

        matches = re.compile(glob_translate(inner)).match
        found = [e for e in _find(fs, literal) if matches(str(e["name"]))]
        if not found:
            raise ReadError(f"No files match {text!r}")
    return tuple(info(e) for e in sorted(found, key=lambda e: str(e["name"])))


def _find(fs: Any, prefix: str) -> list[Mapping[str, Any]]:
    return [e for e in fs.find(prefix, detail=True).values() if e.get("type") == "file"]


def _visible_below(folder: str, name: str, suffixes: Sequence[str]) -> bool:
    parts = name[len(folder) :].strip("/").split("/")
    return _visible(parts[-1], suffixes) and not any(p.startswith((".", "_")) for p in parts[:-1])


def _identity(entry: Mapping[str, Any]) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "last_modified", "created", "updated"):
        value = entry.get(key)
        if value is not None:
            return value.isoformat() if isinstance(value, dt.datetime) else str(value)
    return ""


# ---------------------------------------------------------------------------------- reading


class RangeReader(Protocol):
    """A file as a source of byte ranges. Ranges are (start, end) with `end` exclusive."""

    @property
    def size(self) -> int: ...

    def get_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | memoryview]:
        """The bytes of each range, each exactly as long as asked for."""

    def close(self) -> None: ...


class LocalRanges:
    """Ranges of a local file, as views of a memory map (which lives as long as its views)."""

    def __init__(self, file: FileInfo) -> None:
        with open(file.path, "rb") as handle:
            status = os.fstat(handle.fileno())
            self.size = status.st_size
            check_unchanged(file, status.st_size, str(status.st_mtime_ns))
            if self.size:
                mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
                self._view = memoryview(mapped)
            else:
                self._view = memoryview(b"")

    def get_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | memoryview]:
        return [self._view[start:end] for start, end in ranges]

    def close(self) -> None:
        self._view = memoryview(b"")  # views given out keep the map open


class StoreRanges:
    """Ranges of a file in a store that fsspec knows, fetched together, near ones as one."""

    def __init__(self, file: FileInfo) -> None:
        self._file = file
        self._fs, self._path = open_filesystem(file.path, file.options)
        self.size = file.size

    def get_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes | memoryview]:
        wanted = coalesce(ranges)
        parts = self._fetch(wanted)
        for (start, end), part in zip(wanted, parts, strict=True):
            if len(part) != end - start:
                raise ReadError(
                    f"{self._file.shown}: asked for bytes {start} to {end}, got {len(part)} bytes; "
                    "has the file changed while it was read?"
                )
        starts = [start for start, _ in wanted]
        found: list[bytes | memoryview] = []
        for start, end in ranges:
            i = _last_not_after(starts, start)
            view = memoryview(parts[i])
            found.append(view[start - starts[i] : end - starts[i]])
        return found

    def _fetch(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        starts, ends = [a for a, _ in ranges], [b for _, b in ranges]
        if getattr(self._fs, "async_impl", False):
            paths = [self._path] * len(starts)
            return list(self._fs.cat_ranges(paths, starts, ends, on_error="raise"))

        def one(bounds: tuple[int, int]) -> bytes:
            # by keyword: the second position means other things in some filesystems
            return bytes(self._fs.cat_file(self._path, start=bounds[0], end=bounds[1]))

        return in_parallel(one, list(zip(starts, ends, strict=True)))

    def close(self) -> None:
        """Nothing is held open."""


def _last_not_after(starts: Sequence[int], position: int) -> int:
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= position:
            low = middle
        else:
            high = middle
    return low


def coalesce(
    ranges: Iterable[tuple[int, int]], gap: int = 1 << 20, cap: int = 16 << 20
) -> list[tuple[int, int]]:
    """Sorted ranges with those at most `gap` bytes apart joined, up to `cap` bytes each.

    >>> coalesce([(0, 10), (12, 20), (100, 110)], gap=5)
    [(0, 20), (100, 110)]
    """
    merged: list[tuple[int, int]] = []
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


def check_unchanged(file: FileInfo, size: int, identity: str) -> None:
    """Raise if a file is no longer what it was when it was listed."""
    if size != file.size or (file.identity and identity != file.identity):
        raise ReadError(f"{file.shown} has changed since it was opened; open it again")


class _Closing:
    """A range reader as a context manager."""

    def __init__(self, reader: RangeReader) -> None:
        self.reader = reader

    def __enter__(self) -> RangeReader:
        return self.reader

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.reader.close()


def open_ranges(file: FileInfo) -> _Closing:
    """A file's RangeReader, in a `with` statement."""
    try:
        return _Closing(LocalRanges(file) if file.local else StoreRanges(file))
    except FileNotFoundError:
        raise ReadError(f"{file.shown} has gone since it was opened") from None
    except OSError as error:
        raise ReadError(f"{file.shown}: {error.strerror or error}") from error


def read_all(file: FileInfo) -> bytes | memoryview:
    """All bytes of a file."""
    with open_ranges(file) as reader:
        return reader.get_ranges([(0, reader.size)])[0]


# --------------------------------------------------------------------------------- in parallel


def in_parallel(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`function` of every item, in several threads; results in order, the first error raised."""
    if len(items) <= 1:
        return [function(item) for item in items]
    # a pool of its own: calls may nest, and a shared pool could then wait for itself
    with ThreadPoolExecutor(min(len(items), _PARALLEL), "plait-io") as pool:
        return list(pool.map(function, items))


def suffix_of(path: PathLike) -> str:
    """The lower-case last suffix of a path, without the dot."""
    return Path(os.fspath(path)).suffix.lower().lstrip(".")
