"""Searching long columns gives what Python's `in`, `startswith` and regular expressions give."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine.kernels.patterns import match_like
from plait.engine.kernels.search import find_in_order, pays

TEXTS = st.lists(st.none() | st.text("abñ", max_size=8), max_size=12)
PIECES = st.lists(st.text("abñ", min_size=1, max_size=3), min_size=1, max_size=3)


@given(
    texts=TEXTS, pieces=PIECES, at_start=st.booleans(), at_end=st.booleans(), cut=st.integers(0, 3)
)
def test_pieces_in_order(
    texts: list[str | None], pieces: list[str], at_start: bool, at_end: bool, cut: int
) -> None:
    if len(pieces) == 1 and at_start and at_end:
        at_end = False  # LIKE 'a' is an equality
    body = ".*".join(map(re.escape, pieces))
    pattern = re.compile(f"{'' if at_start else '.*'}{body}{'' if at_end else '.*'}", re.DOTALL)
    column = pa.array(texts, pa.string()).slice(cut)
    found = find_in_order(column, pieces, at_start=at_start, at_end=at_end).to_pylist()
    assert found == [None if t is None else bool(pattern.fullmatch(t)) for t in texts[cut:]]


@pytest.mark.parametrize(
    "pattern", ["%special%requests%", "%special%", "special%final%", "%special%final", "a%b%c"]
)
def test_like_over_a_long_column(pattern: str) -> None:
    words = [
        "special requests",
        "final",
        "requests special",
        "special",
        "a b c",
        "x specialfinal",
        "",
    ]
    texts = [f"{w} {i % 13} {words[i % 5]}" if i % 11 else None for i, w in enumerate(words * 2000)]
    column = pa.array(texts)
    assert pays(column, ["special"])
    assert not pays(column, ["special", ""])
    assert not pays(column.slice(0, 10), ["special"])
    expression = re.compile(pattern.replace("%", ".*"), re.DOTALL)
    expected = [None if t is None else bool(expression.fullmatch(t)) for t in texts]
    assert match_like(column, pattern).to_pylist() == expected
    assert match_like(column.slice(5, 9000), pattern).to_pylist() == expected[5:9005]
