"""Snappy by a compiled loop: what the library packs comes back, and nothing damaged does harm."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.codegen.routines import Routines
from plait.engine.codegen.snappy import SLACK, emit_snappy
from plait.engine.page_loops import PageLoops

SNAPPY = pa.Codec("snappy")
OF_WORDS = Routines(
    "snappy of words",
    lambda module, _: emit_snappy(module, words=True),
    "plait.engine.codegen.snappy",
)


def unpacked(packed: bytes, size: int) -> bytes | None:
    """By both routines, which must agree."""
    source = np.frombuffer(packed, np.uint8)
    found = PageLoops().unpacked(source, size)
    plain = None if found is None else found.tobytes()
    words = np.empty(size + SLACK, np.uint8)[:size]
    status = OF_WORDS.call("snappy", source, words)
    assert (words.tobytes() if status == 0 else None) == plain
    return plain


def pack(plain: bytes) -> bytes:
    return bytes(SNAPPY.compress(plain, asbytes=True))


def library(packed: bytes, size: int) -> bytes | None:
    try:
        return bytes(SNAPPY.decompress(packed, size, asbytes=True))
    except (pa.ArrowException, OSError):
        return None


@given(
    pieces=st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 300)), max_size=20)
)
def test_what_was_packed_comes_back(pieces: list[tuple[bytes, int]]) -> None:
    plain = b"".join(text * times for text, times in pieces)
    assert unpacked(pack(plain), len(plain)) == plain


@given(
    words=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**33), max_size=30),
    steps=st.lists(st.integers(-3, 3), max_size=200),
)
def test_words(words: list[int], steps: list[int]) -> None:
    some = [words[i % len(words)] + step for i, step in enumerate(steps)] if words else steps
    plain = b"".join((w & (2**64 - 1)).to_bytes(8, "little") for w in some)
    assert unpacked(pack(plain), len(plain)) == plain


@pytest.mark.parametrize(
    "period", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 64, 2047, 2048, 70000]
)
def test_periods(period: int) -> None:
    text = np.random.default_rng(period).integers(0, 256, period).astype(np.uint8).tobytes()
    plain = (text * (200_000 // period + 2))[:200_000]
    packed = pack(plain)
    assert unpacked(packed, len(plain)) == plain


@pytest.mark.parametrize(
    "size", [0, 1, 59, 60, 61, 62, 255, 256, 257, 65535, 65536, 65537, 300_000]
)
def test_literals_of_all_lengths(size: int) -> None:
    plain = np.random.default_rng(size).integers(0, 256, size).astype(np.uint8).tobytes()
    assert unpacked(pack(plain), size) == plain


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x05\x00a\x03\x01\x00\x00\x00" + b"", None),  # too short by three
        (b"\x05\x00a\x0f\x01\x00\x00\x00", b"aaaaa"),  # a copy whose distance has four bytes
        (b"\x05\x00a\x0e\x01\x00", b"aaaaa"),  # two bytes
        (b"\x05\x00a\x01\x01", b"aaaaa"),  # one
        (b"\x05\x00a\x01\x02", None),  # from before the beginning
        (b"\x05\x00a\x01\x00", None),  # from nowhere
        (b"\x05\xf0\x04hello", b"hello"),  # a literal whose length has one byte
        (b"\x05\xfc\x04\x00\x00\x00hello", b"hello"),  # four
        (b"\x05\xfc\xff\xff\xff\xffhello", None),
        (b"\x05\xf0", None),
        (b"\x05\x10hell", None),
        (b"\x06\x10hello", None),  # less than was promised
        (b"\x04\x10hello", None),
        (b"\xff\xff\xff\xff\xff\xff", None),
        (b"", None),
    ],
)
def test_by_hand(packed: bytes, plain: bytes | None) -> None:
    assert unpacked(packed, 5) == plain


@pytest.mark.parametrize("seed", range(40))
def test_damaged_texts_do_no_harm(seed: int) -> None:
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randint(1, 12)) for _ in range(30)]
    plain = b"".join(rng.choice(words) for _ in range(400))
    if seed % 2:
        plain = np.cumsum(rng.choices([1, 7, 300, 70_000], k=500)).tobytes()
    packed = bytearray(pack(plain))
    for _ in range(50):
        damaged = bytearray(packed)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        cut = (
            bytes(damaged[: rng.randint(0, len(damaged))]) if rng.random() < 0.3 else bytes(damaged)
        )
        assert unpacked(cut, len(plain)) == library(cut, len(plain))
