"""Machine code on disk, so that a next process finds what was compiled.

A file begins with a hash of the rest: a damaged one is as good as none. Files are written under
another name and then renamed, so processes may share the folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from plait import config

_HASH_BYTES = 32
_MOST_FILES = 4096  # of some 5 kB each


def folder() -> Path | None:
    """Where files are kept; None if they are not."""
    setting = config.get("compile.cache")
    if setting is None:
        return None
    if setting != "auto":
        return Path(setting)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "plait" / "code"


def exists(name: str) -> bool:
    where = folder()
    return where is not None and (where / f"{name}.o").exists()


def read(name: str) -> bytes | None:
    """The code of that name; None if there is none, or not what was written."""
    where = folder()
    if where is None:
        return None
    try:
        content = (where / f"{name}.o").read_bytes()
    except OSError:
        return None
    code = content[_HASH_BYTES:]
    return code if hashlib.sha256(code).digest() == content[:_HASH_BYTES] else None


def write(name: str, code: bytes) -> None:
    """Keep code. A folder that cannot be written is no error: the code is there."""
    where = folder()
    if where is None:
        return
    temporary = None
    try:
        where.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=where, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, where / f"{name}.o")
        _make_room(where)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def remove(name: str) -> None:
    where = folder()
    if where is not None:
        try:
            (where / f"{name}.o").unlink(missing_ok=True)
        except OSError:
            return  # it is in nobody's way


def _make_room(where: Path) -> None:
    """Remove the oldest files of a folder that has too many."""
    if len(os.listdir(where)) <= _MOST_FILES:
        return
    ages = sorted((f.stat().st_mtime, f.name) for f in where.iterdir())
    for _, name in ages[: _MOST_FILES // 4]:
        (where / name).unlink(missing_ok=True)
