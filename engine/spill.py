"""Spill files: batches on disk until they are read again.

A `SpillFile` is a row of segments, each an Arrow IPC stream (LZ4) of one batch of some megabytes,
so that reading is lazy. `SpilledRows` are some segments of a file, in order: a sequence of batches
like any other. A file is deleted when nothing refers to it any more. Another process may be on
another machine, so what is pickled are the segments themselves (`SentSegments`), as they are in the
file: compressed, and read one by one all the same.

Every segment has a checksum: a file that is gone, cut or changed raises `SpillError`. A full disk
raises `SpillDiskFull`.
"""

from __future__ import annotations

import errno
import itertools
import os
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, overload

import pyarrow as pa
import pyarrow.types as pat

from plait.engine import batches
from plait.errors import SpillDiskFull, SpillError

_SEGMENT = 16 << 20  # bytes of a batch that are written, and read again, as one
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a batch is in a file. `bytes` are those of the batch in memory."""

    start: int
    length: int
    checksum: int
    rows: int
    bytes: int


class SpillFile:
    """A file that batches are appended to. One thread writes; any may read what was written."""

    def __init__(self, folder: Path, count: Callable[[int], None] = lambda _: None) -> None:
        self.path = folder / f"{os.getpid()}-{next(_names)}.arrows"
        self.size = 0
        self._count = count  # is told the bytes of each segment that was written
        try:
            self._file: int | None = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise failure(self.path.parent, error) from error
        finalizer = weakref.finalize(self, _discard, self.path, self._file)
        finalizer.atexit = False  # then the whole folder goes

    def write(self, batch: pa.RecordBatch) -> list[Segment]:
        """Append the rows of a batch; where they are. SpillDiskFull, SpillError."""
        batch = _plain(batch)
        count = max(1, -(-batch.nbytes // _SEGMENT))
        step = max(1, -(-batch.num_rows // count))
        pieces = (batch.slice(start, step) for start in range(0, batch.num_rows, step))
        return [self._append(piece) for piece in pieces]

    def _append(self, batch: pa.RecordBatch) -> Segment:
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        data = memoryview(sink.getvalue())
        assert self._file is not None, "this copy of the file only reads"
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            raise failure(self.path.parent, error) from error
        segment = Segment(self.size, len(data), zlib.crc32(data), batch.num_rows, batch.nbytes)
        self.size += len(data)
        self._count(len(data))
        return segment

    def read(self, segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
        """The batches of some segments, one by one. SpillError if they are not as written."""
        for segment in segments:
            yield _decoded(self.segment_bytes(segment))

    def segment_bytes(self, segment: Segment) -> bytes:
        """A segment as it is in the file. SpillError if it is not as it was written."""
        try:
            file = os.open(self.path, os.O_RDONLY)
            try:
                data = os.pread(file, segment.length, segment.start)
            finally:
                os.close(file)
        except OSError as error:
            raise SpillError(
                f"Spilled rows cannot be read again from {self.path}: {error.strerror}. "
                "Nobody else may touch the folder while a query runs"
            ) from error
        if len(data) < segment.length or zlib.crc32(data) != segment.checksum:
            raise SpillError(
                f"Spilled rows in {self.path} are not what was written (at byte {segment.start}, "
                f"{len(data)} of {segment.length} bytes): the file was changed, or the disk fails"
            )
        return data

    def __reduce__(self) -> NoReturn:
        raise TypeError("A spill file stays where it is; its SpilledRows can be sent")


class SentSegments:
    """Segments that came from another process: the bytes by where they were in their file."""

    def __init__(self, data: Mapping[int, Any]) -> None:
        self.data = data

    def read(self, segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
        """The batches of some segments, one by one."""
        for segment in segments:
            yield _decoded(self.data[segment.start])

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrow's buffers leave a pickle where the pickler takes them out of band
        return SentSegments, ({s: pa.py_buffer(d) for s, d in self.data.items()},)


class SpilledRows(Sequence[pa.RecordBatch]):
    """Some batches of a file, which are read each time they are asked for."""

    def __init__(self, file: SpillFile | SentSegments, segments: Sequence[Segment]) -> None:
        self.file, self.segments = file, tuple(segments)

    @property
    def rows(self) -> int:
        """Rows of all batches."""
        return sum(s.rows for s in self.segments)

    @property
    def bytes(self) -> int:
        """Bytes of all batches, in memory."""
        return sum(s.bytes for s in self.segments)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.file.read(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    @overload
    def __getitem__(self, index: int) -> pa.RecordBatch: ...
    @overload
    def __getitem__(self, index: slice) -> SpilledRows: ...
    def __getitem__(self, index: int | slice) -> pa.RecordBatch | SpilledRows:
        if isinstance(index, slice):
            return SpilledRows(self.file, self.segments[index])
        return next(self.file.read([self.segments[index]]))

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self.file, SpillFile):
            sent = SentSegments({s.start: self.file.segment_bytes(s) for s in self.segments})
        else:
            sent = SentSegments({s.start: self.file.data[s.start] for s in self.segments})
        return SpilledRows, (sent, self.segments)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without dictionaries that are larger than what they save."""

    def plain(column: pa.Array) -> pa.Array:
        large = pat.is_dictionary(column.type) and 2 * len(column.dictionary) > len(column)
        return column.dictionary_decode() if large else column

    return batches.make(batch.schema.names, [plain(c) for c in batch.columns], batch.num_rows)


def _decoded(data: Any) -> pa.RecordBatch:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch()


def failure(folder: Path | str, error: OSError) -> SpillError:
    """What to raise when a folder for spill files cannot be written."""
    if error.errno in _FULL:
        return SpillDiskFull(
            f"The disk is full: rows that do not fit into memory cannot be written to {folder} "
            f"({error.strerror}). Set `spill_directory` to a folder with more room, or raise "
            "`memory_limit` so that less is written: plait.config.set(spill_directory=..., "
            "memory_limit=...)"
        )
    return SpillError(
        f"Rows that do not fit into memory cannot be written to {folder}: {error.strerror}. "
        "Set `spill_directory` to a folder that can be written"
    )


def _discard(path: Path, file: int) -> None:
    os.close(file)
    path.unlink(missing_ok=True)
