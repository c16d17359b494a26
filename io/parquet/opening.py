"""Opening a file to decode row groups: local files through a memory map, others from ranges that
are fetched together and decoded as they land."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plait.errors import ReadError
from plait.io.files import Bytes, Parts, Range, RangeReader
from plait.io.filesystem import FileInfo, check_unchanged, open_ranges
from plait.io.parquet.ahead import Together, take
from plait.io.parquet.decode import chunk_range
from plait.io.parquet.footer import Footer
from plait.io.parquet.source import ParquetSplit

if TYPE_CHECKING:
    import pyarrow.parquet as pq

Missing = Mapping[int, Sequence[str]]  # columns by row group


class OpenFile:
    """A file whose columns can be decoded: its bytes, and pyarrow's way to read it."""

    def __init__(self, fetch: Callable[[int, int], Bytes], made: Callable[[], pq.ParquetFile]):
        self.fetch, self._made = fetch, made

    @cached_property
    def arrow(self) -> pq.ParquetFile:
        return self._made()


@contextmanager
def opened(
    split: ParquetSplit,
    known: Footer,
    columns: Sequence[str],
    missing: Missing,
    wanted: Callable[[range], Missing],
) -> Iterator[OpenFile | None]:
    """The file to decode row groups from; of a file in a store all are being fetched by then.

    `columns` are all of the scan, `missing` are those to decode of each row group (if there are
    none there is no need of the file), and `wanted` tells them of later row groups.
    """
    file = split.file
    if not any(missing.values()):
        check(file)
        yield None
        return
    settings: dict[str, Any] = {
        "metadata": known.reading,
        "read_dictionary": [name for name in columns if name in known.coded],
        "pre_buffer": False,
        "arrow_extensions_enabled": False,
    }

    def arrow(source: Any, **more: Any) -> pq.ParquetFile:
        import pyarrow.parquet as pq  # slow to import, and not every query reads Parquet

        return pq.ParquetFile(source, **settings, **more)

    check(file)
    with open_ranges(file) as reader, _errors(file):
        if file.local:
            parts: Parts = reader.start([])
            yield OpenFile(parts.read, lambda: arrow(file.path, memory_map=True))
            return
        parts = _fetch(reader, split, known, columns, missing, wanted)
        source = _SparseFile(file.size, parts)
        yield OpenFile(parts.read, lambda: arrow(pa.PythonFile(source, mode="r")))


def check(file: FileInfo) -> None:
    """Raise if a local file is no longer what it was; stores are asked with each request."""
    if not file.local:
        return
    try:
        status = os.stat(file.path)
    except OSError as error:
        raise ReadError(f"{file.shown}: {error.strerror or error}") from error
    check_unchanged(file, status.st_size, str(status.st_mtime_ns))


class _errors:  # noqa: N801  (used as a statement: `with _errors(file):`)
    """Turns what pyarrow raises while decoding into a ReadError that names the file."""

    def __init__(self, file: FileInfo) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, ReadError):
            raise ReadError(f"{self._file.shown}: {error}") from error


class _SparseFile:
    """A file of which some ranges are there or on their way; reading waits for them."""

    def __init__(self, size: int, parts: Parts) -> None:
        self._size, self._parts, self._position = size, parts, 0
        self.closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def close(self) -> None:
        self.closed = True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> Bytes:
        start = self._position
        self._position = self._size if size < 0 else min(start + size, self._size)
        return self._parts.read(start, self._position)


def _fetch(
    reader: RangeReader,
    split: ParquetSplit,
    known: Footer,
    columns: Sequence[str],
    missing: Missing,
    wanted: Callable[[range], Missing],
) -> Parts:
    """Fetches columns, but for those that were fetched ahead, and more ahead of these."""

    def chunks(found: Missing) -> dict[int, list[Range]]:
        return {g: _chunks(known, g, names) for g, names in found.items() if names}

    ranges = [r for some in chunks(missing).values() for r in some]
    ahead = take(
        split.file,
        columns,
        split.row_groups,
        lambda later: chunks(wanted(later)),
        len(known.rows),
    )
    # what is in the cache may have changed since a range was fetched ahead, or left out
    taken = {r: parts for some, parts in ahead for r in some}
    rest = reader.start([r for r in ranges if r not in taken])
    return Together((r, taken.get(r, rest)) for r in ranges)


def _chunks(known: Footer, group: int, columns: Sequence[str]) -> list[Range]:
    """Where the column chunks of a row group are."""
    return [
        chunk_range(known, group, leaf)
        for name in columns
        for leaf in range(known.leaves[name].first, known.leaves[name].last)
    ]
