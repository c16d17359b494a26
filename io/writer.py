"""The engine's only door to writing: parts written into a staging folder, then committed.

    with staged(path, kind, options) as options:          # plait.io.write.staging
        for each task:
            with open_part(path, kind, options, number) as part:
                part.write(table); written += part.close()
        commit(written)

A path is one file with the option `single_file` (then there is one part, number 0), else a folder
of `part-00000.parquet`, ..., with `partition_on` in folders of their partitions. Committing gives
all of them their names or none; see `plait.io.write.commit`.

`mode`: error (the path must not exist), overwrite, or append (further parts in a folder).
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa

from plait.io.write.commit import WrittenFile, commit
from plait.io.write.part import Options, PartWriter, written_file
from plait.io.write.partitioned import FolderWriter

__all__ = ["TaskWriter", "WrittenFile", "commit", "open_part", "written_file"]


class TaskWriter(Protocol):
    """Takes the rows of one task; a context manager that leaves nothing behind after an error."""

    def write(self, table: pa.Table) -> None: ...

    def close(self) -> list[WrittenFile]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class _OneFile(PartWriter):
    def close(self) -> list[WrittenFile]:  # type: ignore[override]
        return [super().close()]


def open_part(path: str, kind: str, options: Options, number: int) -> TaskWriter:
    """The writer of a task's rows, by options that `staged` gave."""
    if dict(options).get("partition_on"):
        return FolderWriter(path, kind, options, number)
    return _OneFile(path, kind, options, number)
