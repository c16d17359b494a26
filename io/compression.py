"""Whole files as streams of bytes: decompressed, and transcoded where that must be.

Compressed files, and text whose encoding does not keep newlines single bytes, can only be read
from the start.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from plait.errors import ReadError
from plait.io.files import Parts
from plait.io.filesystem import FileInfo, open_ranges, suffix_of

_FIRST, _PIECE = 512 << 10, 8 << 20

_BY_SUFFIX = {"gz": "gzip", "bz2": "bz2", "zst": "zstd", "xz": "xz"}
_KNOWN = {"gzip", "bz2", "zstd", "xz"}
_ALIASES = {"gz": "gzip", "zst": "zstd", "lzma": "xz"}


def compression_of(path: str, asked: str | None = "infer") -> str | None:
    """The compression of a file: as asked, or by its suffix for 'infer'."""
    if asked is None:
        return None
    if asked == "infer":
        return _BY_SUFFIX.get(suffix_of(path))
    name = _ALIASES.get(asked, asked)
    if name not in _KNOWN:
        raise ReadError(f"Unknown compression {asked!r}; known: {', '.join(sorted(_KNOWN))}")
    return name


def without_compression(path: str) -> str:
    """The path without a suffix of compression: `x.csv.gz` is a `x.csv`."""
    suffix = suffix_of(path)
    return path[: -len(suffix) - 1] if suffix in _BY_SUFFIX else path


def text_chunks(
    file: FileInfo, compression: str | None, wide: str | None, size: int
) -> Iterator[bytes]:
    """The file's decompressed bytes in chunks of about `size`.

    `wide` is an encoding in which newlines are not single bytes; such text is made UTF-8.
    """
    decoder = None if wide is None else codecs.getincrementaldecoder(wide)()
    try:
        with ExitStack() as opened:
            stream = _open_stream(file, compression, opened, size)
            done = False
            while not done:
                chunk = bytes(stream.read(size))
                done = not chunk
                if decoder is not None:
                    chunk = decoder.decode(chunk, done).encode()
                if chunk:
                    yield chunk
    except UnicodeDecodeError as error:
        raise ReadError(f"{file.shown} is not text in {wide}: {error}") from error
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
        what = f"as {compression}" if compression else ""
        raise ReadError(f"{file.shown} cannot be read {what}: {error}") from error


class RangeStream(io.RawIOBase):
    """A file in a store from its start: each piece is fetched while the one before is used.

    Pieces grow, so that looking at the beginning costs little.
    """

    def __init__(self, file: FileInfo, first: int) -> None:
        self._reader = open_ranges(file).reader
        self._piece, self._next = min(max(first, _FIRST), _PIECE), 0
        self._left = memoryview(b"")
        self._parts: Parts | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._advance()
        count = min(len(buffer), len(self._left))
        memoryview(buffer)[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _advance(self) -> None:
        start, end = self._next, min(self._next + self._piece, self._reader.size)
        if start == end:
            return
        parts = self._parts or self._reader.start([(start, end)])
        self._left = memoryview(parts.read(start, end))
        self._next, self._piece = end, min(self._piece * 2, _PIECE)
        if start and end < self._reader.size:  # whoever came for a second piece wants them all
            following = min(end + self._piece, self._reader.size)
            self._parts = self._reader.start([(end, following)])
        else:
            self._parts = None

    def close(self) -> None:
        self._reader.close()
        super().close()


def _open_stream(file: FileInfo, compression: str | None, opened: ExitStack, size: int) -> Any:
    """A readable stream of the file's decompressed bytes, closed by `opened`."""
    raw: Any
    if file.local:
        raw = opened.enter_context(open(file.path, "rb"))  # noqa: SIM115
    else:
        raw = opened.enter_context(RangeStream(file, size))
    match compression:
        case None:
            return raw
        case "gzip":
            return opened.enter_context(gzip.GzipFile(fileobj=raw))
        case "bz2":
            return opened.enter_context(bz2.BZ2File(raw))
        case "xz":
            return opened.enter_context(lzma.LZMAFile(raw))
    return opened.enter_context(pa.CompressedInputStream(pa.PythonFile(raw), compression))
