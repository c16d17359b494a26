"""Messages come back equal; anything else is a named error."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.errors import ProtocolError
from plait.scheduler.net.codec import Codec
from plait.scheduler.net.control import CONTROL
from plait.scheduler.net.protocol import Frame, FrameReader, encode, pack


@dataclass(frozen=True)
class Inner:
    name: str
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Everything:
    number: int
    data: bytes
    many: tuple[bytes, ...]
    nested: tuple[tuple[int, ...], ...]
    pair: tuple[int, str]
    inner: tuple[Inner, ...]
    perhaps: Inner | None
    named: dict[str, float]


CLASSES: tuple[type, ...] = (*CONTROL, Inner, Everything)
CODEC = Codec(CLASSES)

integers = st.integers(-(2**63), 2**63 - 1)
blobs = st.binary(max_size=50) | st.integers(0, 255).map(lambda b: bytes([b]) * 40_000)


def made(kind: type) -> st.SearchStrategy[Any]:
    """Any message of a class."""
    st.register_type_strategy(int, integers)
    st.register_type_strategy(float, st.floats(allow_nan=False))
    st.register_type_strategy(bytes, blobs)
    hints = get_type_hints(kind)
    return st.builds(kind, **{f.name: st.from_type(hints[f.name]) for f in fields(kind)})


def sent(messages: list[Any]) -> list[Any]:
    stream = b"".join(map(bytes, encode(*CODEC.encode(messages))))
    (frame,) = FrameReader().feed(stream)
    return CODEC.decode(frame)


@given(st.lists(st.sampled_from(CLASSES).flatmap(made), max_size=4))
def test_round_trip(messages: list[Any]) -> None:
    assert sent(messages) == messages


def test_large_bytes_are_buffers() -> None:
    message = Everything(1, bytes(50_000), (b"x", bytes(20_000)), (), (1, ""), (), None, {})
    header, buffers = CODEC.encode([message])
    assert len(header) < 100
    assert [len(buffer) for buffer in buffers] == [50_000, 20_000]


def number(kind: type) -> int:
    return CLASSES.index(kind)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (5, "does not hold a list"),
        ([5], "something else"),
        ([[999]], "no message number 999"),
        ([[number(Inner)]], "Inner: Inner has 2 fields"),
        ([[number(Inner), 5, []]], "Inner: int in place of str"),
        ([[number(Inner), "x", [1, "y"]]], "Inner: no column of float"),
        ([[number(Inner), True, []]], "Inner: bool in place of str"),
        ([[number(Everything), 1, 7, [], [], [1, ""], [], None, []]], "int in place of bytes"),
    ],
)
def test_what_is_no_message(row: object, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        CODEC.decode(Frame(pack(row), []))


@given(st.binary(max_size=60))
def test_any_bytes_are_messages_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        CODEC.decode(Frame(data, []))
