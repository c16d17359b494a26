"""Lengths, cases and parts of texts: what Arrow gives, with every address checked."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait import config
from plait.engine.kernels import ascii_texts
from plait.engine.kernels.ascii_texts import length, lower, sliced, upper

ASCII = st.text(st.characters(max_codepoint=127), max_size=8) | st.text("aZ", max_size=3)
COLUMNS = st.lists(ASCII | st.none(), max_size=9) | st.lists(ASCII | st.just("é"), max_size=3)
PLACES = st.integers(-4, 9) | st.sampled_from([-(2**31), 2**31 - 1])


@pytest.fixture(autouse=True)
def few_rows_too(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ascii_texts, "MANY", 0)
    with config.set({"compile.checked": True}):
        yield


def column_of(texts: list[str | None]) -> pa.Array:
    """The texts in the midst of others."""
    return pa.array(["ab", *texts, "yz"]).slice(1, len(texts))


@given(COLUMNS)
def test_lengths_and_cases(texts: list[str | None]) -> None:
    column = column_of(texts)
    for ours, arrows in [
        (length, pc.utf8_length),
        (lower, pc.utf8_lower),
        (upper, pc.utf8_upper),
    ]:
        found = ours(column)
        found.validate(full=True)
        assert found.equals(arrows(column))


@given(COLUMNS, PLACES, PLACES | st.none(), st.integers(1, 12))
def test_parts(texts: list[str | None], start: int, stop: int | None, repeated: int) -> None:
    column = column_of(texts * repeated)
    found = sliced(column, start, stop)
    found.validate(full=True)
    if pa.types.is_dictionary(found.type):
        assert found.dictionary.null_count == 0
        assert len(found.dictionary.unique()) == len(found.dictionary)
        found = found.dictionary_decode()
    assert found.equals(pc.utf8_slice_codeunits(column, start, stop))


def test_short_parts_that_repeat_come_as_codes() -> None:
    found = sliced(column_of(["13-1", "25-2", None, "1", "13-3"] * 20), 0, 2)
    assert pa.types.is_dictionary(found.type)
    assert set(found.dictionary.to_pylist()) >= {"13", "25", "1"}
    assert found.to_pylist() == ["13", "25", None, "1", "13"] * 20


def test_parts_that_differ_stay_texts() -> None:
    texts = [f"{number:02}" for number in range(60)]
    assert sliced(column_of(texts), 0, 2).type == pa.string()
