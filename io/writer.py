"""The engine's only door to writing: parts written into a staging folder, then committed.

    with staged(path, kind, options) as options:          # plait.io.staging
        written = [write_part(table, path, kind, options, number) for each task]
        commit(written)

A path is one file with the option `single_file` (then there is one part, number 0), else a folder
of `part-00000.parquet`, ... . Committing renames: a file that exists is replaced at once or not at
all, so is a folder.

`mode`: error (the path must not exist), overwrite, or append (further parts in a folder).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from plait.errors import PlanError, UnsupportedError, WriteError
from plait.io.access import Access
from plait.io.compression import compression_of
from plait.io.filesystem import exists as path_exists
from plait.io.filesystem import is_folder, is_local, open_filesystem, plain_path
from plait.io.write_formats import SUFFIXES, Encoder, encoder

Options = Mapping[str, Any] | Iterable[tuple[str, Any]]
StorageOptions = Mapping[str, Any] | Access | None

MODES = ("error", "overwrite", "append")
_ALIASES = {"gz": "gzip", "zst": "zstd"}
_SUFFIXES = {"gzip": ".gz", "bz2": ".bz2", "zstd": ".zst", "xz": ".xz"}


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
    mode: str = "error"
    storage_options: StorageOptions = None

    @staticmethod
    def of(temporary: str, rows: int, size: int, path: str, options: Options) -> WrittenFile:
        """The record of a part from the row of numbers that a task gave back."""
        given, target = dict(options), absolute(path)
        single = bool(given.get("single_file", False))
        final = target if single else f"{target}/{temporary.rsplit('/', 1)[1]}"
        mode, storage = given.get("mode", "error"), given.get("storage_options")
        return WrittenFile(temporary, final, rows, size, target, mode, storage)


class PartWriter:
    """One part being written; tables can be added until it is closed.

    The options are those that `staged` gave: checked, with the folder to write into.
    """

    def __init__(self, path: str, kind: str, options: Options, part_number: int) -> None:
        given = dict(options)
        self._target = absolute(path)
        self._mode = str(given.pop("mode", "error"))
        self._storage = given.pop("storage_options", None)
        single = bool(given.pop("single_file", False))
        if kind != "parquet" and single:
            given.setdefault("compression", compression_of(self._target))
        suffix = SUFFIXES[kind] + _compressed_suffix(kind, given.get("compression"))
        self._final = _final_name(self._target, suffix, single, part_number, self._mode)
        self._temporary = f"{given.pop('staging')}/{self._final.rsplit('/', 1)[1]}"
        self._rows = 0
        self._stream = self._open()
        self._encoder: Encoder = encoder(kind, self._stream, given)

    def _open(self) -> Any:
        try:
            if is_local(self._target):
                # makes no folder: once that is gone, the write was given up
                return open(self._temporary, "wb")
            fs, inner = open_filesystem(self._temporary, self._storage)
            fs.makedirs(inner.rsplit("/", 1)[0], exist_ok=True)
            return fs.open(inner, "wb")
        except OSError as error:
            raise WriteError(f"{self._target}: {error.strerror or error}") from error

    def write(self, table: pa.Table) -> None:
        """Adds rows."""
        try:
            self._encoder.write(table)
        except (OSError, pa.ArrowException) as error:
            raise WriteError(f"{self._target}: {error}") from error
        self._rows += table.num_rows

    def close(self) -> WrittenFile:
        """Finishes the part, which still has to be committed."""
        try:
            self._encoder.close()
            if not self._stream.closed:
                self._stream.close()
            size = _size(self._temporary, self._storage)
        except (OSError, pa.ArrowException) as error:
            self.abort()
            raise WriteError(f"{self._target}: {error}") from error
        return WrittenFile(
            self._temporary,
            self._final,
            self._rows,
            size,
            self._target,
            self._mode,
            self._storage,
        )

    def abort(self) -> None:
        """Leaves nothing behind."""
        if not self._stream.closed:
            # Closed all the same: who is collected unclosed would write to a closed stream. What
            # they complain of, a full disk say, is known: it is why the part is given up.
            with suppress(Exception):
                self._encoder.close()
            with suppress(OSError):
                self._stream.close()
        _remove(self._temporary, self._storage)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abort()


def check_target(path: str, kind: str, options: Options) -> dict[str, Any]:
    """The options as a dict, if they are known and the path may be written; raises if not."""
    given = dict(options)
    if given.get("compression") in _ALIASES:
        given["compression"] = _ALIASES[given["compression"]]
    if kind not in SUFFIXES:
        raise UnsupportedError(f"Unknown format {kind!r}; known: {', '.join(SUFFIXES)}")
    if kind != "parquet" and given.get("compression") not in (None, *_SUFFIXES):
        raise PlanError(
            f"compression is {', '.join(_SUFFIXES)} or None, not {given['compression']!r}"
        )
    mode = given.get("mode", "error")
    if mode not in MODES:
        raise PlanError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
    single = bool(given.get("single_file", False))
    if single and mode == "append":
        raise UnsupportedError("A single file cannot be appended to; write a folder of parts")
    target, storage = absolute(path), given.get("storage_options")
    if not path_exists(target, storage):
        return given
    folder = is_folder(target, storage)
    if mode == "error" and not (folder and _is_empty(target, storage)):
        raise WriteError(
            f"{target} exists already; pass mode='overwrite' to replace it"
            + (" or mode='append' to add to it" if folder else "")
            + " (in SQL: COPY ... (MODE overwrite))"
        )
    if folder == single:
        there = "a folder" if folder else "a file"
        raise WriteError(f"{target} is {there}; remove it first, or write to another path")
    return given


def write_part(
    table: pa.Table, path: str, kind: str, options: Options = (), part_number: int = 0
) -> WrittenFile:
    """Writes a table as one part of a result, under a temporary name."""
    with PartWriter(path, kind, options, part_number) as part:
        part.write(table)
        return part.close()


def commit(parts: Sequence[WrittenFile]) -> tuple[str, ...]:
    """Gives the parts of one result their names; returns these."""
    if not parts:
        return ()
    first = parts[0]
    try:
        if not is_local(first.target):
            _commit_remote(parts)
        elif first.final == first.target:
            _rename_all(parts)
        elif os.path.dirname(os.path.dirname(first.temporary)) == first.target:
            _rename_all(parts)  # staged inside of the folder they are added to
        else:
            _place_folder(parts)
    except OSError as error:
        raise WriteError(f"{first.target}: {error.strerror or error}") from error
    return tuple(part.final for part in parts)


def absolute(path: str) -> str:
    """The path as the files of one write all have it."""
    text = plain_path(path)
    return os.path.abspath(text) if is_local(text) else text.rstrip("/")


def _compressed_suffix(kind: str, compression: str | None) -> str:
    """What tells a reader that a text file is compressed; Parquet says it inside."""
    return "" if kind == "parquet" or compression is None else _SUFFIXES[compression]


def _final_name(target: str, suffix: str, single: bool, number: int, mode: str) -> str:
    if single:
        if number:
            raise WriteError(f"{target} is a single file, and part {number} came for it")
        return target
    # parts that are added must not take the name of one that is there
    unique = f"-{uuid.uuid4().hex[:12]}" if mode == "append" else ""
    return f"{target}/part-{number:05}{unique}{suffix}"


def _rename_all(parts: Sequence[WrittenFile]) -> None:
    done: list[str] = []
    try:
        for part in parts:
            if part.mode == "error" and os.path.exists(part.final):
                raise FileExistsError(17, "was made by somebody else meanwhile")
            os.replace(part.temporary, part.final)
            done.append(part.final)
    except OSError:
        if parts[0].final != parts[0].target:
            for final in done:
                os.remove(final)
        raise


def _place_folder(parts: Sequence[WrittenFile]) -> None:
    """Gives the folder of staged parts the name of the target, in place of what is there."""
    target, staging = parts[0].target, os.path.dirname(parts[0].temporary)
    if not os.path.isdir(target):
        os.rename(staging, target)
        return
    others = _foreign(target)
    if others:
        raise OSError(f"holds other things than data ({', '.join(others[:3])}); remove it first")
    old = f"{staging}.old"
    os.rename(target, old)
    try:
        os.rename(staging, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old)


def _foreign(folder: str) -> list[str]:
    """What is in a folder beside data files: overwriting is not to remove somebody's home."""
    suffixes = tuple({*SUFFIXES.values(), ".crc", ".jsonl", ".ndjson"})
    return [
        entry.name
        for entry in os.scandir(folder)
        if not entry.name.startswith(("_", "."))
        and not (entry.is_dir() and "=" in entry.name)
        and not entry.name.endswith(suffixes + tuple(_SUFFIXES.values()))
    ]


def _commit_remote(parts: Sequence[WrittenFile]) -> None:
    """Stores have no rename of folders: what is replaced goes once the new parts are there."""
    first = parts[0]
    fs, target = open_filesystem(first.target, first.storage_options)
    before = set(fs.find(target)) if first.mode == "overwrite" and fs.isdir(target) else set()
    for part in parts:
        _, temporary = open_filesystem(part.temporary, part.storage_options)
        _, final = open_filesystem(part.final, part.storage_options)
        before -= {temporary, final}
        fs.mv(temporary, final)
    for stale in before:
        fs.rm_file(stale)


def _size(path: str, storage_options: StorageOptions) -> int:
    if is_local(path):
        return os.path.getsize(path)
    fs, inner = open_filesystem(path, storage_options)
    return int(fs.info(inner)["size"])


def _remove(path: str, storage_options: StorageOptions) -> None:
    if is_local(path):
        if os.path.exists(path):
            os.remove(path)
        return
    fs, inner = open_filesystem(path, storage_options)
    if fs.exists(inner):
        fs.rm_file(inner)


def _is_empty(folder: str, storage_options: StorageOptions) -> bool:
    """Whether a folder has nothing but parts that are being written."""
    if is_local(folder):
        return all(name.startswith(".") for name in os.listdir(folder))
    fs, inner = open_filesystem(folder, storage_options)
    return all(str(p).rsplit("/", 1)[-1].startswith(".") for p in fs.ls(inner, detail=False))
