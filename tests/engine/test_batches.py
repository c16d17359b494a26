"""Batches put together."""

from __future__ import annotations

import pyarrow as pa
import pytest

from plait.engine.batches import concat_arrays


@pytest.mark.parametrize("missing", ["b", None])
def test_dictionaries_that_differ(missing: str | None) -> None:
    """Also where NULL is an entry, which Arrow by itself refuses."""
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 20, pa.int8()), pa.array(["a", "b"]))
    entries = pa.array(["c", missing], pa.string())
    second = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), entries)
    found = concat_arrays([first, second], pa.string())
    assert found.to_pylist() == ["a", "b"] * 20 + [missing, None, "c", missing]
