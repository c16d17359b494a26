"""Radix sort beside numpy's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen import radix
from plait.engine.codegen.emit import AstrayError


@pytest.fixture(params=[True, False], ids=["checked", "plain"], autouse=True)
def checked(request: pytest.FixtureRequest) -> Iterator[None]:
    with config.set({"compile.checked": request.param}):
        yield


def random_keys(rows: int, bits: int, different: int) -> radix.Words:
    random = np.random.default_rng(rows * 64 + bits)
    some = random.integers(0, 1 << bits, different, dtype=np.uint64, endpoint=bits == 64)
    return some[random.integers(0, different, rows)]


@pytest.mark.parametrize("bits", [1, 8, 10, 11, 20, 21, 33, 50])
@pytest.mark.parametrize("rows", [2, 100, 2048, 2049, 5000])
def test_keys_and_rows_in_order(rows: int, bits: int) -> None:
    keys = random_keys(rows, bits, rows // 2)
    row_bits = (rows - 1).bit_length()
    words = radix.sorted_words(keys.copy(), bits, row_bits)
    order = np.argsort(keys, kind="stable")
    assert radix.rows_of(words, row_bits).tolist() == order.tolist()
    assert (words >> np.uint64(row_bits)).tolist() == keys[order].tolist()


def test_keys_that_fill_their_words() -> None:
    keys = np.array([(1 << 52) - 1, 0, 1 << 51] * 1000, np.uint64)
    words = radix.sorted_words(keys, 52, 12)
    assert (
        words.tolist()
        == np.sort((keys << np.uint64(12)) | np.arange(3000, dtype=np.uint64)).tolist()
    )


def test_digits_that_are_the_same_everywhere() -> None:
    keys = np.arange(4000, dtype=np.uint64)[::-1] % np.uint64(7) + np.uint64(5 << 30)
    words = radix.sorted_words(keys, 33, 12)
    assert radix.rows_of(words, 12).tolist() == np.argsort(keys, kind="stable").tolist()


@given(st.lists(st.integers(0, (1 << 62)), min_size=0, max_size=50), st.integers(0, 200))
@settings(max_examples=50)
def test_order_of_numbers(some: list[int], times: int) -> None:
    numbers = np.array(some * times, np.int64)
    expected = np.argsort(numbers, kind="stable").tolist()
    assert radix.order_of_numbers(numbers).tolist() == expected
    assert (
        radix.order_of_numbers(numbers >> 40).tolist()
        == np.argsort(numbers >> 40, kind="stable").tolist()
    )


def test_places_outside_are_noticed() -> None:
    with config.set({"compile.checked": True}), pytest.raises(AstrayError):
        radix._ROUTINES.call("rows", 10, 4, np.zeros(10, np.uint64), np.zeros(9, np.int64))
