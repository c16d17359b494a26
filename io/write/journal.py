"""Journals: several files that come (and go) together.

Renames happen one at a time, and a process can be killed between any two. So a commit of several
files first writes a journal into their folder, `_plait-<mark>.json`, with the one rule that **what
a journal lists is not there**: readers of plait pass over it. While new files come in, it lists
these; once all are there it is replaced, in one step, by one that lists the files they stand for;
when those are gone, it goes too. A reader sees all of the old or all of the new, and who writes
next removes what a killed process has left listed.

A mark tells who writes: a random part, the machine, the process. By it a later write can see that
a process is no longer alive, and clear away what it left. What comes from another machine is left
alone (only `mode="overwrite"` removes it): it may still be at work.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cache

_PREFIX = "_plait-"
_MARK = re.compile(r"[0-9a-f]{12}-([0-9a-f]{8})-([0-9]+)")
_JOURNAL = re.compile(rf"{_PREFIX}({_MARK.pattern})\.json")
_STAGED = re.compile(rf"\.(?:.*\.)?({_MARK.pattern})\.tmp(?:\.gone|\.old)?")


def new_mark() -> str:
    """A mark of this process, another one each time."""
    return f"{uuid.uuid4().hex[:12]}-{_machine()}-{os.getpid()}"


def staging_name(mark: str, name: str = "") -> str:
    """The hidden folder in which the files of a write lie, beside `name` or within it."""
    return f".{name}.{mark}.tmp" if name else f".{mark}.tmp"


def is_left(name: str) -> bool:
    """Whether this is a staging folder of a process that is no longer alive."""
    found = _STAGED.fullmatch(name)
    return found is not None and not _alive(found[1])


def is_ours(name: str) -> bool:
    """Whether a file or folder is one that a write puts beside data."""
    return _JOURNAL.fullmatch(name) is not None or _STAGED.fullmatch(name) is not None


def journal_path(folder: str, mark: str) -> str:
    """Where a write's journal is."""
    return f"{folder}/{_PREFIX}{mark}.json"


def journal(paths: Iterable[str], folder: str) -> bytes:
    """A journal in `folder` that lists files below it."""
    return json.dumps({"not there": [p[len(folder) + 1 :] for p in paths]}).encode()


def listed(path: str, data: bytes) -> list[str]:
    """The files that a journal lists."""
    folder = path.rpartition("/")[0]
    return [f"{folder}/{name}" for name in json.loads(data)["not there"]]


def journals(paths: Iterable[str]) -> list[str]:
    """Those that are journals."""
    return [p for p in paths if _JOURNAL.fullmatch(p.rpartition("/")[2])]


def left_journals(paths: Iterable[str]) -> list[str]:
    """The journals of processes that are no longer alive."""
    found = ((p, _JOURNAL.fullmatch(p.rpartition("/")[2])) for p in paths)
    return [p for p, match in found if match is not None and not _alive(match[1])]


def committed(list_files: Callable[[], Sequence[str]], read: Callable[[str], bytes]) -> list[str]:
    """The files that are there, of those that a folder lists.

    `read` raises FileNotFoundError for a journal that went meanwhile: then the files that it stood
    for may have come after the listing, which is made again.
    """
    while True:
        paths = list_files()
        try:
            hidden = {gone for p in journals(paths) for gone in listed(p, read(p))}
        except FileNotFoundError:
            continue
        return [p for p in paths if p not in hidden]


def _alive(mark: str) -> bool:
    """Whether the process of a mark may still be at work."""
    found = _MARK.fullmatch(mark)
    if found is None or found[1] != _machine():
        return True
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@cache
def _machine() -> str:
    """Tells machines apart, and containers of one machine: each numbers its processes anew."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    text = f"{socket.gethostname()} {uuid.getnode()} {space}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]
