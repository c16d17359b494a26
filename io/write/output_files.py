"""Where files are written to: a local disk or a store, with the few calls that writers need.

    out = output_at(target, storage_options)
    with out.create(path) as stream: ...
    out.move(old, new, size)            # replaces what is there
    out.write_whole(path, data, fresh)  # a small file, there at once or not at all
    out.below(folder)                   # all files below it, hidden ones too

Paths are full: absolute, or URLs. Errors are WriteErrors that name the target; a full disk is told
with its folder.
"""

from __future__ import annotations

import errno
import importlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from plait.errors import ReadError, WriteError
from plait.io.files import in_parallel, is_local
from plait.io.filesystem import plain_path
from plait.io.store.access import Access, split_url

StorageOptions = Mapping[str, Any] | Access | None

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BLOCK = 8 << 20  # what a file in a store keeps in memory before it sends it


class Output(Protocol):
    """A place for files."""

    local: bool

    def create(self, path: str) -> Any:
        """A stream of a new file in a folder that is there (in a store it need not be)."""

    def size(self, path: str) -> int: ...

    def exists(self, path: str) -> bool: ...

    def move(self, old: str, new: str, size: int) -> None:
        """Gives a file of `size` bytes another name, in place of what had it."""

    def read(self, path: str) -> bytes:
        """A whole file; FileNotFoundError if there is none."""

    def write_whole(self, path: str, data: bytes, fresh: str) -> None:
        """A small file, there at once or not at all; it may first be called `fresh`."""

    def remove(self, paths: Sequence[str]) -> None:
        """Files go, if they are there."""

    def remove_folder(self, folder: str) -> None: ...

    def below(self, folder: str) -> list[str]:
        """The files below a folder, hidden ones too; none if there is no folder."""


def absolute(path: str) -> str:
    """The path as the files of one write all have it; links are followed, so that they stay."""
    text = plain_path(path)
    return os.path.realpath(text) if is_local(text) else text.rstrip("/")


def output_at(target: str, storage_options: StorageOptions = None) -> Output:
    """The place of a target."""
    if is_local(target):
        return LocalOutput(target)
    return StoreOutput(target, Access.of(storage_options))


@contextmanager
def told(target: str) -> Iterator[None]:
    """Errors of the operating system as WriteErrors that name the target."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {_reason(error, target)}") from error


def _reason(error: OSError, target: str) -> str:
    text = error.strerror or str(error)
    if error.errno not in _FULL or not is_local(target):
        return text
    folder = os.path.dirname(target)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    return (
        f"{text}: the disk of {folder} is full ({free >> 20:,} MB free now that what was written "
        "of it is removed); make room, or write to another disk"
    )


class LocalOutput:
    """Files on this machine's disks."""

    local = True

    def __init__(self, target: str) -> None:
        self._target = target

    def create(self, path: str) -> Any:
        # makes no folder: once that is gone, the write was given up
        with told(self._target):
            return open(path, "wb")

    def size(self, path: str) -> int:
        with told(self._target):
            return os.path.getsize(path)

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def move(self, old: str, new: str, size: int) -> None:
        with told(self._target):
            os.makedirs(os.path.dirname(new), exist_ok=True)
            os.replace(old, new)

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def write_whole(self, path: str, data: bytes, fresh: str) -> None:
        with told(self._target):
            with open(fresh, "wb") as file:
                file.write(data)
            os.replace(fresh, path)

    def remove(self, paths: Sequence[str]) -> None:
        with told(self._target):
            for path in paths:
                if os.path.lexists(path):
                    os.remove(path)

    def remove_folder(self, folder: str) -> None:
        if not os.path.isdir(folder):
            return
        gone = f"{folder}.gone"  # renamed first: a task that is late finds no folder to write into
        with told(self._target):
            os.rename(folder, gone)
            shutil.rmtree(gone)

    def below(self, folder: str) -> list[str]:
        return [os.path.join(root, n) for root, _, names in os.walk(folder) for n in names]


class StoreOutput:
    """Files behind a URL of fsspec's."""

    local = False

    def __init__(self, target: str, access: Access) -> None:
        self._target, self._access = split_url(target, access)
        opener: Any = importlib.import_module("plait.io.store.driver")
        self._errors: Any = importlib.import_module("plait.io.store.errors")
        with self._told():
            self._store, inner = opener.open_store(self._target, self._access)
            self._inner = str(inner).rstrip("/")

    def create(self, path: str) -> Any:
        inner = self._name(path)
        with self._told():
            if not self._store.flat:
                self._store.fs.makedirs(inner.rpartition("/")[0], exist_ok=True)
            return StoreStream(self._store.fs.open(inner, "wb", block_size=_BLOCK), self._told)

    def size(self, path: str) -> int:
        with self._told():
            return int(self._call("info", self._name(path))["size"])

    def exists(self, path: str) -> bool:
        with self._told():
            try:
                self._call("info", self._name(path))
            except self._errors.NotThereError:
                return False
            return True

    def move(self, old: str, new: str, size: int) -> None:
        source, fresh = self._name(old), self._name(new)
        with self._told():
            if not self._store.flat:
                self._store.fs.makedirs(fresh.rpartition("/")[0], exist_ok=True)
                self._store.fs.mv(source, fresh)
                return
            self._send("cp_file", size, source, fresh)
            self._call("rm_file", source)

    def read(self, path: str) -> bytes:
        try:
            return bytes(self._call("cat_file", self._name(path)))
        except self._errors.NotThereError as error:
            raise FileNotFoundError(str(error)) from None

    def write_whole(self, path: str, data: bytes, fresh: str) -> None:
        with self._told():
            self._send("pipe_file", len(data), self._name(path), data)

    def remove(self, paths: Sequence[str]) -> None:
        def one(path: str) -> None:
            with self._told():
                try:
                    self._call("rm_file", self._name(path))
                except self._errors.NotThereError:
                    return

        in_parallel(one, paths)

    def remove_folder(self, folder: str) -> None:
        self.remove(self.below(folder))
        if not self._store.flat:
            with self._told():
                inner = self._name(folder)
                if self._store.fs.exists(inner):
                    self._store.fs.rm(inner, recursive=True)

    def below(self, folder: str) -> list[str]:
        inner = self._name(folder)
        with self._told():
            try:
                found = self._call("find", inner)
            except self._errors.NotThereError:
                return []
        prefix = inner.strip("/")
        names = (str(name).strip("/") for name in found)
        return [folder + n[len(prefix) :] for n in names if n.startswith(prefix + "/")]

    def _name(self, path: str) -> str:
        """A URL below (or beside) the target as the driver calls it."""
        if path == self._target or path.startswith(self._target + "/"):
            return self._inner + path[len(self._target) :]
        parent = self._target.rpartition("/")[0]
        return self._inner.rpartition("/")[0] + path[len(parent) :]

    def _send(self, method: str, size: int, *args: Any) -> None:
        """A call that takes as long as bytes take that are moved."""
        made = getattr(self._store.fs, f"_{method}" if self._store.asynchronous else method)
        once = partial(made, *args)
        self._store.submit(once, size, self._target, self._access).result()

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._store.call(method, path, self._target, self._access, **options)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of drivers as WriteErrors, without the secrets in their texts."""
        try:
            yield
        except (WriteError, self._errors.NotThereError):
            raise
        except ReadError as error:
            raise WriteError(f"Cannot be written: {error}") from None
        except Exception as error:
            known = self._errors.told(error, self._target, self._access)
            raise WriteError(f"Cannot be written: {known}") from None


class StoreStream:
    """A new file in a store, its errors told as ours."""

    def __init__(self, stream: Any, told: Callable[[], Any]) -> None:
        self._stream, self._told, self._given_up = stream, told, False

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)

    def write(self, data: Any) -> int:
        if self._given_up:
            return len(data)
        with self._told():
            return int(self._stream.write(data))

    def flush(self) -> None:
        """Nothing: a part is sent when it is large enough, or with the end."""

    def tell(self) -> int:
        return int(self._stream.tell())

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        if not self._given_up:
            with self._told():
                self._stream.close()

    def discard(self) -> None:
        """Gives the file up; what was sent of it goes."""
        self._given_up = True
        getattr(self._stream, "discard", self._stream.close)()
        if hasattr(self._stream, "buffer"):  # of fsspec: it would send the rest when collected
            self._stream.closed = True
