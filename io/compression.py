"""Whole files as streams of bytes: decompressed, and transcoded where that must be.

Compressed files, and text whose encoding does not keep newlines single bytes, can only be read
from the start.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from plait.errors import ReadError
from plait.io.filesystem import FileInfo, read_all, suffix_of

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
            stream = _open_stream(file, compression, opened)
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


def _open_stream(file: FileInfo, compression: str | None, opened: ExitStack) -> Any:
    """A readable stream of the file's decompressed bytes, closed by `opened`."""
    raw: Any
    if file.local:
        raw = opened.enter_context(open(file.path, "rb"))  # noqa: SIM115
    else:
        raw = pa.BufferReader(pa.py_buffer(read_all(file)))
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
