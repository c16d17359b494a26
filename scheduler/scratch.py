"""Scratch: an executor's folder for temporary files, gone when the executor is.

The folder is made when first asked for and removed by `remove`, by the garbage collector or at
interpreter exit; a task that outlives its executor gets no other. A process that is killed removes
nothing, so each folder holds a locked file; the system lets go of the lock with the process, and
whoever makes a folder next removes those beside it that nobody holds. Locks rather than process
numbers, which are used again and mean nothing to a container that shares the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import threading
import weakref
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX = "plait-"
_LOCK = "owner.lock"
_GONE = "-gone"


class ScratchFolder:
    """A temporary folder that is made when first asked for."""

    def __init__(self, parent: str | None = None) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._removed = False
        self._lock = threading.Lock()
        self._finalizer: weakref.finalize[..., ScratchFolder] | None = None

    @property
    def path(self) -> Path:
        """The folder, which exists. OSError if it cannot be made, or was removed."""
        with self._lock:
            if self._removed:
                raise FileNotFoundError(
                    errno.ENOENT, "The folder for temporary files went with its executor"
                )
            if self._path is None:
                parent = Path(self._parent or tempfile.gettempdir())
                parent.mkdir(parents=True, exist_ok=True)
                remove_abandoned(parent)
                self._path, lock = _make(parent)
                # Also runs at interpreter exit, so that no executor leaves its files behind.
                self._finalizer = weakref.finalize(self, _remove, self._path, lock, os.getpid())
            return self._path

    def size(self) -> int:
        """Bytes of the files in it now; it is not made for that."""
        with self._lock:
            return 0 if self._path is None else _size(self._path)

    def remove(self) -> None:
        """Delete the folder and all in it, for good: who still runs finds none."""
        with self._lock:
            self._removed = True
            if self._finalizer is not None:
                self._finalizer()
            self._path = self._finalizer = None


def _size(folder: Path) -> int:
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            # Others delete what they no longer need at any time.
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(inner, name)).st_size
    return total


def remove_abandoned(parent: Path) -> list[Path]:
    """Delete the folders whose owners are gone; returns them."""
    if sys.platform == "win32":  # no such locks; its users have a disk clean-up
        return []
    removed = []
    for folder in parent.glob(f"{_PREFIX}*"):
        lock = _lock(folder / _LOCK, os.O_RDWR)
        # of one whose owner ended while it removed it the lock may be what went first
        half = folder.name.endswith(_GONE) and not (folder / _LOCK).exists()
        if lock is not None or half:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        if lock is not None:
            os.close(lock)
    return removed


def _make(parent: Path) -> tuple[Path, int | None]:
    """A new folder and its lock."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        if sys.platform == "win32":
            return path, None
        lock = _lock(path / _LOCK, os.O_RDWR | os.O_CREAT)
        if lock is not None:
            with contextlib.suppress(OSError):
                if os.stat(path / _LOCK).st_ino == os.fstat(lock).st_ino:
                    return path, lock
            os.close(lock)  # another process took it for abandoned before it was locked


def _lock(path: Path, flags: int) -> int | None:
    """The locked file; None if it is not ours to lock, or there is none."""
    try:
        file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file


def _remove(folder: Path, lock: int | None, owner: int) -> None:
    # A forked child inherits the finalizer, not the folder.
    if os.getpid() == owner:
        away = folder.with_name(folder.name + _GONE)
        with contextlib.suppress(OSError):
            folder = folder.rename(away)  # a thread that still writes finds no folder to write to
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
