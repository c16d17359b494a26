"""Hashes of strings: equal for every layout of a value, different for different values."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.kernels.hashing import hash_columns

WORDS = ["", "a", None, "abcdefgh", "abcdefghi", "é" * 9, "a\0", "a", "abcdefg\0"]


@pytest.mark.parametrize(
    "layout", [pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()], ids=str
)
def test_every_layout_of_a_string_has_its_hash(layout: pa.DataType) -> None:
    plain = pa.array(WORDS)
    assert (hash_columns([plain]) == hash_columns([plain.cast(layout)])).all()


def test_dictionaries_and_slices_have_the_hashes_of_their_strings() -> None:
    expected = hash_columns([pa.array(WORDS)]).tolist()
    assert hash_columns([pa.array(["before", *WORDS])[1:]]).tolist() == expected
    assert hash_columns([pa.array(WORDS).dictionary_encode()]).tolist() == expected
    codes = pa.array([0, 1, 2, 3, 4, 5, 6, 1, 7])
    null_inside = pa.DictionaryArray.from_arrays(codes, pa.array([*WORDS[:7], WORDS[8]]))
    assert hash_columns([null_inside]).tolist() == expected


@given(st.lists(st.text(max_size=20), unique=True, max_size=50))
def test_different_strings_have_different_hashes(words: list[str]) -> None:
    hashes = hash_columns([pa.array(words, pa.string())]).tolist()
    assert len(set(hashes)) == len(words)
    assert [hash_columns([pa.array([w])])[0] for w in words] == hashes
