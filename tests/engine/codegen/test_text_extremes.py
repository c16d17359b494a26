"""The least and greatest texts beside Python's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen.emit import AstrayError
from plait.engine.codegen.text_extremes import extreme_texts
from plait.engine.kernels.views import text_parts

TEXTS = st.lists(
    st.one_of(
        st.binary(max_size=3),
        st.sampled_from(
            [b"customer", b"customer\0", b"customer#1", b"customer#2\0", b"customer#2"]
        ),
        st.binary(min_size=7, max_size=20).map(lambda text: b"abcdefgh" + text),
        st.just("größer als andere".encode()),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(params=[True, False], ids=["checked", "plain"], autouse=True)
def checked(request: pytest.FixtureRequest) -> Iterator[None]:
    with config.set({"compile.checked": request.param}):
        yield


@given(TEXTS, st.sampled_from([pa.binary(), pa.large_binary(), pa.binary_view()]), st.booleans())
@settings(max_examples=100)
def test_the_first_of_all(texts: list[bytes], kind: pa.DataType, greatest: bool) -> None:
    array = pa.array([b"zz", *texts, b""], kind).slice(1, len(texts))
    offsets, data = text_parts(array)
    best = extreme_texts(offsets, data, len(texts), None, None, 1, greatest=greatest)
    assert best.tolist() == [texts.index(max(texts) if greatest else min(texts))]


@given(TEXTS, st.booleans())
@settings(max_examples=100)
def test_of_some_rows_in_groups(texts: list[bytes], greatest: bool) -> None:
    choose = np.random.default_rng(len(texts))
    offsets, data = text_parts(pa.array(texts, pa.binary()))
    places = np.flatnonzero(choose.random(len(texts)) < 0.7)
    if not len(places):
        return
    groups = choose.integers(0, 4, len(places))
    best = extreme_texts(offsets, data, len(places), places, groups, 5, greatest=greatest)
    for group in range(5):
        rows = np.flatnonzero(groups == group).tolist()
        pick = max if greatest else min
        expected = pick(rows, key=lambda row: texts[places[row]]) if rows else -1
        assert best[group] == expected


def test_texts_outside_are_noticed() -> None:
    offsets, data = text_parts(pa.array([b"one", b"two"]))
    with config.set({"compile.checked": True}), pytest.raises(AstrayError):
        extreme_texts(offsets, data, 3, None, None, 1, greatest=False)
