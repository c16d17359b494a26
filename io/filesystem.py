"""The front door of storage: paths to files, files to range readers.

Local paths are handled by the operating system (`plait.io.local_files`), everything with a `://` by
fsspec (`plait.io.store.driver` and its neighbours, which are loaded with the first URL). What
formats see of either is in `plait.io.files`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from plait.errors import ReadError
from plait.io.files import (
    Bytes,
    FileInfo,
    PathLike,
    RangeReader,
    check_unchanged,
    coalesce,
    has_magic,
    in_parallel,
    is_local,
    suffix_of,
)
from plait.io.local_files import LocalRanges, expand_local
from plait.io.store.access import Access, split_url

__all__ = [
    "Access",
    "FileInfo",
    "LocalRanges",
    "PathLike",
    "RangeReader",
    "check_unchanged",
    "coalesce",
    "exists",
    "expand",
    "has_magic",
    "in_parallel",
    "is_folder",
    "is_local",
    "open_filesystem",
    "open_ranges",
    "plain_path",
    "read_all",
    "suffix_of",
]

# with an event loop and its drivers; local files do without
_LISTING, _STORE = "plait.io.store.listing", "plait.io.store.driver"
_RANGES = "plait.io.store.ranges"

Options = Mapping[str, Any] | Access | None


def plain_path(path: PathLike) -> str:
    """The path as text: `file://` and `~` resolved."""
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.startswith("file://"):
        text = text[len("file://") :]
    return text if "://" in text else os.path.expanduser(text)


def expand(
    path: PathLike | Iterable[PathLike],
    storage_options: Options = None,
    suffixes: Sequence[str] = (),
    end: int = 0,
) -> tuple[FileInfo, ...]:
    """The files meant by a path, a folder, a pattern, or a list of these.

    Patterns and folders give their files sorted; a list keeps its order. A folder stands for the
    files below it (ending in one of `suffixes`, if given) whose path has no part that starts with
    `_` or `.`. `end`: how many of the last bytes of a file will be read first, so that they may
    come with its size.
    """
    access = Access.of(storage_options)
    if not isinstance(path, str | os.PathLike):
        paths = list(path)
        if not paths:
            raise ReadError("No paths were given: the list is empty")
        # in a store each is a request
        found = in_parallel(lambda p: expand(p, access, suffixes), paths)
        return tuple(f for files in found for f in files)
    text = plain_path(path)
    if is_local(text):
        return expand_local(text, suffixes)
    files: tuple[FileInfo, ...] = importlib.import_module(_LISTING).expand_url(
        text, access, suffixes, end
    )
    return files


def exists(path: PathLike, storage_options: Options = None) -> bool:
    """Whether there is a file or folder at the path."""
    text = plain_path(path)
    if is_local(text):
        return os.path.exists(text)
    return _what_is_at(text, storage_options) is not None


def is_folder(path: PathLike, storage_options: Options = None) -> bool:
    """Whether the path is a folder."""
    text = plain_path(path)
    if is_local(text):
        return os.path.isdir(text)
    return _what_is_at(text, storage_options) == "directory"


def _what_is_at(url: str, storage_options: Options) -> str | None:
    found: str | None = importlib.import_module(_LISTING).exists_at(url, Access.of(storage_options))
    return found


def open_filesystem(path: str, storage_options: Options = None) -> tuple[Any, str]:
    """fsspec's filesystem of a URL, and the path within it: for what ranges do not do."""
    plain, access = split_url(path, Access.of(storage_options))
    store, inner = importlib.import_module(_STORE).open_store(plain, access)
    return store.fs, inner


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
        if file.local:
            return _Closing(LocalRanges(file))
        return _Closing(importlib.import_module(_RANGES).StoreRanges(file))
    except FileNotFoundError:
        raise ReadError(f"{file.shown} has gone since it was opened") from None
    except OSError as error:
        raise ReadError(f"{file.shown}: {error.strerror or error}") from error


def read_all(file: FileInfo) -> Bytes:
    """All bytes of a file."""
    with open_ranges(file) as reader:
        return reader.get_ranges([(0, reader.size)])[0]
