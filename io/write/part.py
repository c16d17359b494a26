"""One file of a result, written under a temporary name."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa

from plait.errors import WriteError
from plait.io.write.abortable import Abortable
from plait.io.write.commit import WrittenFile
from plait.io.write.formats import SUFFIXES, Encoder, encoder
from plait.io.write.options import COMMON
from plait.io.write.output_files import absolute, output_at, told

Options = Mapping[str, Any] | Iterable[tuple[str, Any]]

_SUFFIXES = {"gzip": ".gz", "bz2": ".bz2", "zstd": ".zst", "xz": ".xz"}


class PartWriter(Abortable):
    """A file being written; tables can be added until it is closed.

    The options are those that `staged` gave: checked, with the folder to write into. `number` tells
    the parts of one result apart; `folder`, such as `year=2024`, is where in the result this one is
    to be (and is there already in the staging folder).
    """

    def __init__(
        self, path: str, kind: str, options: Options, number: int | str = 0, folder: str = ""
    ) -> None:
        given = dict(options)
        self._target, self._given = absolute(path), given
        self._staging = str(given["staging"])
        self._out = output_at(self._target, given.get("storage_options"))
        name = f"{folder}/{self._name(kind, number)}".lstrip("/")
        self._temporary = f"{self._staging}/{name}"
        self._final = self._target if given.get("single_file") else f"{self._target}/{name}"
        self.rows = 0
        self._stream = self._out.create(self._temporary)
        of_format = {k: v for k, v in given.items() if k not in (*COMMON, "staging")}
        try:
            self._encoder: Encoder = encoder(kind, self._stream, of_format)
        except BaseException:
            self._discard()
            raise

    def _name(self, kind: str, number: int | str) -> str:
        given = self._given
        if given.get("single_file"):
            if number:
                raise WriteError(f"{self._target} is a single file; part {number} came for it")
            return self._target.rpartition("/")[2]
        # a stranger must not have the name of one that is there, nor may what replaces it in a
        # store, where it comes before the other goes
        mode = given.get("mode", "error")
        unique = mode == "append" or (mode == "overwrite" and not self._out.local)
        pattern = given.get("filename_pattern")
        if pattern is None:
            first, _, rest = str(number).partition("-")
            name = f"part-{int(first):05}" + (f"-{rest}" if rest else "")
        else:
            name = pattern if "{i}" in pattern or "{uuid}" in pattern else pattern + "{i}"
            unique = unique and "{uuid}" not in name
            name = name.replace("{i}", str(number)).replace("{uuid}", str(uuid.uuid4()))
        if unique:
            name += f"-{uuid.uuid4().hex[:12]}"
        compression = given.get("compression") if kind != "parquet" else None
        return name + SUFFIXES[kind] + (_SUFFIXES[compression] if compression else "")

    def write(self, table: pa.Table, flush: bool = False) -> None:
        """Adds rows; with `flush` none are kept back, as is done to make larger row groups."""
        with told(self._target):
            try:
                self._encoder.write(table)
                if flush:
                    self._encoder.flush()
            except pa.ArrowException as error:
                raise WriteError(f"{self._target} cannot be written: {error}") from error
        self.rows += table.num_rows

    def close(self) -> WrittenFile:
        """Finishes the part, which still has to be committed."""
        try:
            with told(self._target):
                self._encoder.close()
                if not self._stream.closed:
                    self._stream.close()
            size = self._out.size(self._temporary)
        except pa.ArrowException as error:
            self.abort()
            raise WriteError(f"{self._target} cannot be written: {error}") from error
        except BaseException:
            self.abort()
            raise
        mode = self._given.get("mode", "error")
        storage = self._given.get("storage_options")
        return WrittenFile(
            self._temporary,
            self._final,
            self.rows,
            size,
            self._target,
            self._staging,
            mode,
            storage,
        )

    def abort(self) -> None:
        """Leaves nothing behind."""
        if not self._out.local:
            self._discard()
        # Closed all the same: who is collected unclosed would write to a closed stream. What they
        # complain of, a full disk say, is known: it is why the part is given up.
        with suppress(Exception):
            self._encoder.close()
        self._discard()

    def _discard(self) -> None:
        with suppress(Exception):
            getattr(self._stream, "discard", self._stream.close)()
        with suppress(WriteError):  # the staging folder goes, with all that is in it
            self._out.remove([self._temporary])


def written_file(temporary: str, rows: int, size: int, path: str, options: Options) -> WrittenFile:
    """The record of a part from the row of numbers that a task gave back."""
    given, target = dict(options), absolute(path)
    staging = str(given["staging"])
    final = target if given.get("single_file") else target + temporary[len(staging) :]
    mode, storage = given.get("mode", "error"), given.get("storage_options")
    return WrittenFile(temporary, final, rows, size, target, staging, mode, storage)
