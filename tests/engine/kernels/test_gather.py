"""Texts by row number: what Arrow takes, with every address checked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen import texts
from plait.engine.kernels import gather
from plait.engine.kernels.gather import gathered

TEXTS = st.lists(st.text("aé", max_size=24) | st.text("bc", max_size=3), min_size=1, max_size=9)


@pytest.fixture(autouse=True)
def few_rows_too(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gather, "MANY", 1)
    with config.set({"compile.checked": True}):
        yield


@given(TEXTS, st.data(), st.sampled_from([pa.string(), pa.binary()]), st.booleans())
def test_rows_are_those_that_arrow_takes(
    values: list[str], data: st.DataObject, kind: pa.DataType, missing: bool
) -> None:
    column = pa.array(["before", *values, "after"]).cast(kind)[1:-1]
    numbers = st.integers(-1 if missing else 0, len(values) - 1)
    rows = data.draw(st.lists(numbers, max_size=80))
    found = gathered(column, np.array(rows, np.int32), missing)
    found.validate(full=True)
    assert found.equals(column.take(pa.array([None if r < 0 else r for r in rows], pa.int32())))


def test_other_columns_too() -> None:
    rows = np.array([2, -1, 0], np.int32)
    for column in (
        pa.array(["a", None, "c"]),
        pa.array([1, 2, 3]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
    ):
        values = column.to_pylist()
        assert gathered(column, rows, True).to_pylist() == [values[2], None, values[0]]
    nothing = pa.array([], pa.string())
    assert gathered(nothing, np.array([-1, -1], np.int32), True).to_pylist() == [None, None]


def test_more_bytes_than_one_array_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MOST", 5)
    rows = np.array([0, 0], np.int32)
    assert gathered(pa.array(["abc"]), rows, False).to_pylist() == ["abc", "abc"]
