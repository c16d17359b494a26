"""Files on this machine's disks: found by the operating system, read through a memory map."""

from __future__ import annotations

import glob as local_glob
import mmap
import os
from collections.abc import Sequence

from plait.errors import ReadError, nearest_names
from plait.io.files import (
    Bytes,
    FileInfo,
    Range,
    check_unchanged,
    has_magic,
    hidden_folder,
    visible,
)
from plait.io.write.journal import committed


def expand_local(text: str, suffixes: Sequence[str]) -> tuple[FileInfo, ...]:
    """The files meant by a local path, folder or pattern."""
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


def _walk(folder: str, suffixes: Sequence[str]) -> list[str]:
    def walked() -> list[str]:
        found = []
        for root, folders, files in os.walk(folder, followlinks=True):
            folders[:] = [f for f in folders if not hidden_folder(f)]
            found += [os.path.join(root, name) for name in files]
        return found

    return [p for p in committed(walked, _read) if visible(os.path.basename(p), suffixes)]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


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

    def get_ranges(self, ranges: Sequence[Range]) -> list[Bytes]:
        return [self._view[start:end] for start, end in ranges]

    def start(self, ranges: Sequence[Range]) -> LocalRanges:
        return self  # a memory map has all of it

    def read(self, start: int, end: int) -> Bytes:
        return self._view[start:end]

    def close(self) -> None:
        self._view = memoryview(b"")  # views given out keep the map open
