"""Batches put together."""

from __future__ import annotations

import pyarrow as pa
import pytest

from plait.engine import batches
from plait.engine.batches import concat_arrays, in_fewer
from plait.planner.schema import Schema


@pytest.mark.parametrize("missing", ["b", None])
def test_dictionaries_that_differ(missing: str | None) -> None:
    """Also where NULL is an entry, which Arrow by itself refuses."""
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 20, pa.int8()), pa.array(["a", "b"]))
    entries = pa.array(["c", missing], pa.string())
    second = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), entries)
    found = concat_arrays([first, second], pa.string())
    assert found.to_pylist() == ["a", "b"] * 20 + [missing, None, "c", missing]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1, 2, 3], [6]),
        ([0, 5, 0], [5]),
        ([], []),
        ([2, 9, 1, 1, 9], [2, 9, 2, 9]),
        ([4, 4, 4, 4], [12, 4]),
    ],
)
def test_small_batches_are_put_together(
    sizes: list[int], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_FEW", 5 if 5 not in sizes else 6)
    monkeypatch.setattr(batches, "_ENOUGH", 10)
    schema = Schema.of([("v", pa.int64())])
    rows = pa.array(range(sum(sizes)), pa.int64())
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    given = [
        pa.RecordBatch.from_arrays([rows.slice(start, size)], ["v"])
        for start, size in zip(starts, sizes, strict=True)
    ]
    found = list(in_fewer(iter(given), schema))
    assert [b.num_rows for b in found] == expected
    assert [v for b in found for v in b.column(0).to_pylist()] == rows.to_pylist()
