"""Committing: parts that lie staged get their names, all of them or none.

* A single file, and a new folder on a disk, are one rename. So is a folder on a disk that is
  overwritten (strictly two: out of the way, into its place).
* Files that come into a folder that stays (appending), and all folders in stores, which have no
  renames of folders, are moved one by one under a journal (`plait.io.write.journal`). In a store
  what is overwritten is removed after that, under the journal still.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from plait.errors import WriteError
from plait.io.files import in_parallel
from plait.io.write.journal import (
    committed,
    is_left,
    is_ours,
    journal,
    journal_path,
    left_journals,
    listed,
)
from plait.io.write.output_files import Output, StorageOptions, output_at, told

_DATA: tuple[str, ...] = (".parquet", ".csv", ".json", ".jsonl", ".ndjson", ".crc")
_DATA += (".gz", ".bz2", ".zst", ".xz")
_KNOWN = {"_SUCCESS", "_metadata", "_common_metadata", ".DS_Store"}


@dataclass(frozen=True)
class WrittenFile:
    """A part that is written but not committed yet.

    `target` is the path the user named, `final` what `temporary` will be called.
    """

    temporary: str
    final: str
    rows: int
    bytes: int
    target: str
    staging: str
    mode: str = "error"
    storage_options: StorageOptions = None


def commit(parts: Sequence[WrittenFile]) -> tuple[WrittenFile, ...]:
    """Give the parts of one result their names; those that have rows (one, if none has)."""
    if not parts:
        return ()
    parts = [p for p in parts if p.rows] or parts[:1]
    first = parts[0]
    out = output_at(first.target, first.storage_options)
    if first.final == first.target:
        _commit_file(out, first)
    elif out.local and os.path.dirname(first.staging) != first.target:
        with told(first.target):
            _place_folder(parts)
    else:  # staged inside of the folder that they are to be in
        _commit_together(out, parts)
    return tuple(parts)


def _commit_file(out: Output, part: WrittenFile) -> None:
    if part.mode == "error" and out.exists(part.final):
        raise WriteError(f"{part.final} cannot be written: somebody else has made it meanwhile")
    out.move(part.temporary, part.final, part.bytes)


def _place_folder(parts: Sequence[WrittenFile]) -> None:
    """Give the folder of staged parts the name of the target, in place of what is there."""
    target, staging = parts[0].target, parts[0].staging
    kept = {p.temporary for p in parts}
    for root, _folders, names in os.walk(staging, topdown=False):
        for name in names:
            if os.path.join(root, name) not in kept:
                os.remove(os.path.join(root, name))
        if not os.listdir(root):
            os.rmdir(root)
    if parts[0].mode != "overwrite" or not os.path.isdir(target):
        os.rename(staging, target)  # fails if somebody else has made it meanwhile
        return
    others = foreign(target, output_at(target).below(target))
    if others:
        what = f"it holds {', '.join(others[:3])}, which came meanwhile"
        raise WriteError(f"{target} cannot be written: {what}")
    old = f"{staging}.old"
    os.rename(target, old)
    try:
        os.rename(staging, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


def _commit_together(out: Output, parts: Sequence[WrittenFile]) -> None:
    target, staging, mode = parts[0].target, parts[0].staging, parts[0].mode
    finals = [p.final for p in parts]
    there = [] if mode == "append" else out.below(target)
    stale = [p for p in there if not p.startswith(staging + "/")] if mode == "overwrite" else []
    if mode == "error" and set(finals) & set(there):
        raise WriteError(f"{target} cannot be written: somebody else has written it meanwhile")
    mark = staging.rpartition("/")[2].strip(".").removesuffix(".tmp")
    note = journal_path(target, mark)
    fresh = f"{staging}/.journal"
    together = len(parts) > 1 or bool(stale)
    if together:
        out.write_whole(note, journal(finals, target), fresh)
    try:
        in_parallel(lambda p: out.move(p.temporary, p.final, p.bytes), parts)
        if stale:
            out.write_whole(note, journal(stale, target), fresh)  # here the new ones begin to be
    except BaseException:
        # what cannot be removed stays listed, and so is not there
        with suppress(WriteError):
            out.remove(finals)
            out.remove([note])
        raise
    if together:
        out.remove(stale)
        out.remove([note])


def committed_below(out: Output, folder: str) -> list[str]:
    """The files below a folder that are there, without those of writes under way."""

    def of_a_write(path: str) -> bool:
        return any(is_ours(part) for part in path[len(folder) + 1 :].split("/"))

    found = committed(partial(out.below, folder), out.read)
    return [p for p in found if not of_a_write(p)]


def clear_leftovers(out: Output, target: str, beside: Sequence[str]) -> None:
    """Remove what writes to the target have left whose process was killed.

    `beside` are the names next to a local target.
    """
    parent, _, name = target.rpartition("/")
    for left in beside:
        if is_left(left) and left.startswith(f".{name}."):
            if left.endswith(".old") and not os.path.lexists(target):
                os.rename(f"{parent}/{left}", target)  # killed between two renames
            else:
                shutil.rmtree(f"{parent}/{left}", ignore_errors=True)
    found = out.below(target)
    gone = {p for j in left_journals(found) for p in [*_read_listed(out, j), j]}
    for path in found:
        folders = path[len(target) + 1 :].split("/")[:-1]
        if any(map(is_left, folders)):
            gone.add(path)
    notes = left_journals(gone)
    out.remove(sorted(gone - set(notes)))
    out.remove(notes)
    if out.local and os.path.isdir(target):
        for entry in os.listdir(target):
            if is_left(entry):
                shutil.rmtree(f"{target}/{entry}", ignore_errors=True)


def _read_listed(out: Output, path: str) -> list[str]:
    try:
        return listed(path, out.read(path))
    except FileNotFoundError:
        return []


def foreign(folder: str, files: Sequence[str]) -> list[str]:
    """What is in a folder beside data: overwriting is not to remove somebody's home."""
    found: dict[str, Any] = {}
    for path in files:
        *folders, name = path[len(folder) + 1 :].split("/")
        if any(is_ours(part) for part in (*folders, name)):
            continue
        of_data = name in _KNOWN or (name.endswith(_DATA) and not name.startswith("_"))
        if name.startswith("."):
            of_data = name in _KNOWN or name.endswith(".crc")
        if not of_data or any("=" not in part for part in folders):
            found[folders[0] if folders else name] = None
    return sorted(found)
