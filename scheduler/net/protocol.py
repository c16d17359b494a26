"""Frames: how bytes on a connection are cut. Pure: bytes in, frames out.

    u32 length of the header | u32 number of buffers | u64 bytes of all buffers
    u64 length of each buffer
    header (msgpack)
    buffers, raw

A header is small and is read as msgpack (`net/codec.py` says what is in it); buffers are pickles,
which nothing looks at on the way. What a peer announces is held against the limits before any
memory is taken for it. Large buffers are read by the socket straight into their place (`space`,
`advance`); all else goes through `feed`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from plait.scheduler.errors import ProtocolError

Buffer = bytes | bytearray | memoryview

_PREFIX = struct.Struct("<IIQ")
_SMALL = 64 << 10  # buffers up to this size are joined with what is written before and after


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may announce."""

    header: int = 256 << 20
    buffers: int = 1 << 20
    bytes: int = 1 << 40


@dataclass(frozen=True, slots=True)
class Frame:
    """A header, as msgpack, and buffers."""

    header: bytes
    buffers: list[Buffer]


def encode(header: bytes, buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """A frame as pieces to be written one after the other; small ones are joined."""
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    lengths = [view.nbytes for view in views]
    head = b"".join(
        [
            _PREFIX.pack(len(header), len(views), sum(lengths)),
            struct.pack(f"<{len(lengths)}Q", *lengths),
            header,
        ]
    )
    if not views:
        return [head]
    pieces: list[Buffer] = []
    small: list[Buffer] = [head]
    for view in views:
        if view.nbytes <= _SMALL:
            small.append(view)
            continue
        pieces += [b"".join(small), view]
        small = []
    if small:
        pieces.append(b"".join(small))
    return pieces


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._pending = bytearray()  # of prefix, lengths and header, until they are complete
        self._head: tuple[int, int] | None = None  # length of the header, number of buffers
        self._total = 0
        self._header: bytes | None = None
        self._lengths: tuple[int, ...] = ()
        self._buffers: list[Buffer] = []
        self._filling: memoryview | None = None
        self._filled = 0

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._pending and self._head is None

    def feed(self, data: Buffer) -> list[Frame]:
        """The frames that these bytes complete. ProtocolError if they are no frames."""
        frames: list[Frame] = []
        self._pending += data
        view = memoryview(self._pending)
        place = 0
        while True:
            used, frame = self._step(view[place:])
            place += used
            if frame is not None:
                frames.append(frame)
            elif not used:
                break
        view.release()
        del self._pending[:place]
        return frames

    def space(self) -> memoryview | None:
        """The rest of a large buffer that is being read: bytes may go there, then `advance`."""
        if self._filling is None or self._pending:
            return None
        return self._filling[self._filled :]

    def advance(self, count: int) -> list[Frame]:
        """So many bytes were put into `space`; the frames that completes."""
        assert self._filling is not None
        self._filled += count
        return self.feed(b"")

    def _step(self, view: memoryview) -> tuple[int, Frame | None]:
        """Bytes used up, and a frame that is complete."""
        if self._head is None:
            return self._read_prefix(view), None
        if self._header is None:
            used = self._read_header(view)
            if not used:
                return 0, None
            return used, self._finished()
        used = self._fill(view)
        return used, self._finished()

    def _read_prefix(self, view: memoryview) -> int:
        if view.nbytes < _PREFIX.size:
            return 0
        header, count, total = _PREFIX.unpack_from(view)
        limits = self._limits
        if header > limits.header or count > limits.buffers or total > limits.bytes:
            raise ProtocolError(
                f"A frame of {header} + {total} bytes in {count} buffers was announced; at most "
                f"{limits.header} + {limits.bytes} bytes in {limits.buffers} buffers are taken"
            )
        self._head, self._total = (header, count), total
        return _PREFIX.size

    def _read_header(self, view: memoryview) -> int:
        assert self._head is not None
        header, count = self._head
        if view.nbytes < 8 * count + header:
            return 0
        self._lengths = struct.unpack_from(f"<{count}Q", view)
        if sum(self._lengths) != self._total:
            raise ProtocolError("The lengths of a frame's buffers do not add up")
        self._header = bytes(view[8 * count : 8 * count + header])
        self._buffers = []
        return 8 * count + header

    def _fill(self, view: memoryview) -> int:
        if self._filling is None:
            self._open_buffer()
        if self._filling is None:
            return 0
        count = min(view.nbytes, self._filling.nbytes - self._filled)
        self._filling[self._filled : self._filled + count] = view[:count]
        self._filled += count
        return count

    def _open_buffer(self) -> None:
        """Take memory for the next buffer, if there is one."""
        if len(self._buffers) < len(self._lengths):
            wanted = self._lengths[len(self._buffers)]
            try:
                self._buffers.append(bytearray(wanted))
            except MemoryError:
                raise ProtocolError(f"There is no memory for a buffer of {wanted} bytes") from None
            self._filling, self._filled = memoryview(self._buffers[-1]), 0

    def _finished(self) -> Frame | None:
        """The frame, once its last buffer is full."""
        while True:
            if self._filling is None:
                self._open_buffer()
            if self._filling is None:
                break
            if self._filled < self._filling.nbytes:
                return None
            self._filling = None
        assert self._header is not None
        frame = Frame(self._header, self._buffers)
        self._head = self._header = None
        return frame


def pack(header: object) -> bytes:
    """A header as msgpack."""
    packed: bytes = msgpack.packb(header, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:
    """A header from msgpack, lists as tuples. ProtocolError if it is none."""
    try:
        return msgpack.unpackb(data, use_list=False, raw=False, ext_hook=_no_extensions)
    except ProtocolError:
        raise
    except Exception as error:  # msgpack's errors have no common base below ValueError
        raise ProtocolError(f"A header is not msgpack: {error}") from error


def _no_extensions(code: int, data: bytes) -> object:
    raise ProtocolError(f"A header has a value of the unknown kind {code}")
