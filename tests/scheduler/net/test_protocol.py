"""Frames survive any cut of the stream; what is no frame is told before memory is taken."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.errors import ProtocolError
from plait.scheduler.net.protocol import FrameReader, Limits, encode, pack, unpack

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=10,
)
frames = st.tuples(plain, st.lists(st.binary(max_size=300) | st.just(bytes(70_000)), max_size=4))


@given(st.lists(frames, max_size=4), st.data())
def test_round_trip_in_any_pieces(
    sent: list[tuple[object, list[bytes]]], data: st.DataObject
) -> None:
    stream = b"".join(
        [bytes(piece) for header, buffers in sent for piece in encode(pack(header), buffers)]
    )
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10).map(sorted))
    reader = FrameReader()
    got = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        piece = stream[start:stop]
        while piece:
            space = reader.space()
            if space is not None and data.draw(st.booleans()):
                count = min(space.nbytes, len(piece))
                space[:count] = piece[:count]
                got += reader.advance(count)
                piece = piece[count:]
            else:
                got += reader.feed(piece)
                piece = b""
    assert [(unpack(f.header), [bytes(b) for b in f.buffers]) for f in got] == sent
    assert reader.idle


def test_large_buffers_are_not_copied_by_the_writer() -> None:
    large = bytearray(1 << 20)
    pieces = encode(b"x", [b"small", large, b"small"])
    assert len(pieces) == 3
    assert isinstance(pieces[1], memoryview)
    assert pieces[1].obj is large


@pytest.mark.parametrize(
    "prefix",
    [
        struct.pack("<IIQ", 2**32 - 1, 0, 0),
        struct.pack("<IIQ", 1, 2**32 - 1, 0),
        struct.pack("<IIQ", 1, 1, 2**63),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_too_large_is_refused(prefix: bytes) -> None:
    with pytest.raises(ProtocolError, match="announced"):
        FrameReader(Limits(header=1 << 16)).feed(prefix)


def test_lengths_must_add_up() -> None:
    with pytest.raises(ProtocolError, match="add up"):
        FrameReader().feed(struct.pack("<IIQQ", 0, 1, 5, 6))


@given(st.binary())
def test_any_bytes_are_a_header_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        unpack(data)


@pytest.mark.parametrize("header", [b"\xc7\x01\x05x", b"\x91" * 5000])
def test_extensions_and_bombs_are_no_headers(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpack(header)
