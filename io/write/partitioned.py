"""Rows to the folders of their partitions: `year=2024/country=at/part-00003.parquet`.

Rows are gathered until they are many, sorted by folder in one go, and added to one open file a
folder. Beyond a number of open files the one that was used longest ago is closed; later rows of its
folder come into a further file. Physical planning sends rows of one folder to one task where there
are many folders, so that this is rare.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.io.files import is_local
from plait.io.hive import NULL_PARTITION, folder_name
from plait.io.write.abortable import Abortable
from plait.io.write.commit import WrittenFile
from plait.io.write.output_files import absolute, told
from plait.io.write.part import Options, PartWriter
from plait.io.write.text_format import as_text

_ROWS, _BYTES = 1 << 19, 64 << 20  # gathered
_OPEN = 64


class FolderWriter(Abortable):
    """The rows of one task, written to the folders of their partitions.

    A task without rows writes none, but in the folder of NULLs: should no other have rows either,
    that keeps the columns.
    """

    def __init__(self, path: str, kind: str, options: Options, number: int) -> None:
        given = dict(options)
        self._path, self._kind, self._number = path, kind, number
        self._keys = list(given["partition_on"])
        self._keep = bool(given.get("keep_partition_columns"))
        self._given = given
        self._gathered: list[pa.Table] = []
        self._empty: pa.Table | None = None
        self._open: dict[str, PartWriter] = {}
        self._files: dict[str, int] = {}
        self._done: list[WrittenFile] = []

    def write(self, table: pa.Table) -> None:
        """Adds rows."""
        if not table.num_rows:
            self._empty = table
            return
        self._gathered.append(table)
        rows = sum(t.num_rows for t in self._gathered)
        if rows >= _ROWS or sum(t.nbytes for t in self._gathered) >= _BYTES:
            self._flush()

    def close(self) -> list[WrittenFile]:
        """Finishes the files, which still have to be committed."""
        self._flush()
        if not self._files and self._empty is not None:
            folder = "/".join(folder_name(key, NULL_PARTITION) for key in self._keys)
            self._part(folder).write(self._data(self._empty))
        for folder in list(self._open):
            self._close(folder)
        return self._done

    def abort(self) -> None:
        """Leaves nothing behind."""
        for part in self._open.values():
            part.abort()

    def _flush(self) -> None:
        if not self._gathered:
            return
        table = pa.concat_tables(self._gathered)
        self._gathered = []
        for folder, rows in by_folder(table, self._keys):
            self._part(folder).write(self._data(rows), flush=True)

    def _data(self, table: pa.Table) -> pa.Table:
        return table if self._keep else table.drop_columns(self._keys)

    def _part(self, folder: str) -> PartWriter:
        part = self._open.pop(folder, None)
        if part is None:
            if len(self._open) >= _OPEN:
                self._close(next(iter(self._open)))
            files = self._files[folder] = self._files.get(folder, 0) + 1
            number = f"{self._number}-{files}" if files > 1 else self._number
            self._make(folder)
            part = PartWriter(self._path, self._kind, self._given, number, folder)
        self._open[folder] = part  # the last one is the one used last
        return part

    def _close(self, folder: str) -> None:
        self._done.append(self._open.pop(folder).close())

    def _make(self, folder: str) -> None:
        target = absolute(self._path)
        if not is_local(target):
            return
        made = str(self._given["staging"])
        # one by one: the staging folder itself, once it is gone, is not to come back
        for name in folder.split("/"):
            made = f"{made}/{name}"
            with told(target), suppress(FileExistsError):
                os.mkdir(made)


def by_folder(table: pa.Table, keys: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each folder, in their order."""
    codes = np.zeros(table.num_rows, np.int64)
    names: list[str] = [""]
    for key in keys:
        column = table.column(key).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        texts = [*as_text(encoded.dictionary).to_pylist(), None]
        folders = [folder_name(key, NULL_PARTITION if t is None else t) for t in texts]
        missing = len(folders) - 1
        code = pc.fill_null(encoded.indices.cast(pa.int64()), missing).to_numpy()
        # values of one text, as 0.0 and -0.0 or the entries of a dictionary can be, share a folder
        same = {name: i for i, name in reversed(list(enumerate(folders)))}
        code = np.array([same[name] for name in folders])[code]
        used, codes = np.unique(codes * len(folders) + code, return_inverse=True)
        pairs = [divmod(int(u), len(folders)) for u in used]
        names = [f"{names[before]}/{folders[this]}".lstrip("/") for before, this in pairs]
    order = np.argsort(codes, kind="stable")
    rows = table.take(pa.array(order)) if len(names) > 1 else table
    ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for i, name in enumerate(names):
        yield name, rows.slice(ends[i], ends[i + 1] - ends[i])
