"""Rows to parts: few of them by the vectorised tier, many by compiled loops, the same way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen import scatter
from plait.engine.exchange.partition import partition_by_hash
from plait.engine.kernels.hashing import hash_columns

COLUMNS: dict[str, pa.Array] = {
    **{
        f"{kind}": pa.array([0, 1, 2, None, 127, 3, 1], kind)
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())
    },
    **{
        f"{kind}": pa.array([0, 1, None, (1 << kind.bit_width) - 1, 7, 7, 1], kind)
        for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    },
    "negative": pa.array([-1, -(1 << 63), (1 << 63) - 1, 0, -5, -5, 4]),
    "float": pa.array([0.0, -0.0, float("nan"), None, 1e300, -1.5, 0.0]),
    "date": pa.array([date(2020, 1, 1), None, date(1, 1, 1), None, None, None, date(9999, 1, 1)]),
    "flag": pa.array([True, False, None, True, True, False, False]),
    "small": pa.array([Decimal("1.50"), None, *[Decimal("-0.01")] * 5], pa.decimal64(9, 2)),
    "wide": pa.array([Decimal("1.50"), None, *[Decimal(10**30)] * 5], pa.decimal128(38, 2)),
    "text": pa.array(["", "a", None, "a text of some words", "8 bytes.", "é", "16 bytes in all."]),
    "bytes": pa.array([b"\0", b"\0\0", b"", None, b"12345678\0", b"\xff" * 7, b"12345678"]),
    "codes": pa.array(["x", "y", None, "x", "z", "z", "y"]).dictionary_encode(),
    "list": pa.array([[1], [], None, [1, 2], [3], [4], [None]]),
    "number": pa.array(range(7)),
}
KEYS = [name for name in COLUMNS if name != "list"]


@pytest.fixture(params=["plain", "checked"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loops for any number of rows, in debug mode too."""
    with config.set({"compile.checked": request.param == "checked"}):
        monkeypatch.setattr(scatter, "LONG", 0)
        yield


def rows_of(start: int, count: int, names: list[str]) -> pa.RecordBatch:
    """Rows that begin somewhere in the columns' buffers."""
    columns = [pa.concat_arrays([COLUMNS[name]] * 4).slice(start, count) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=names)


@pytest.mark.parametrize("name", KEYS)
def test_hashes_are_those_of_the_vectorised_tier(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = rows_of(3, 17, [name, "number"]).columns
    expected = hash_columns(columns)
    monkeypatch.setattr(scatter, "LONG", 0)
    assert hash_columns(columns).tolist() == expected.tolist()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("parts", [2, 300])
def test_each_row_is_in_the_part_of_its_key(key: str, parts: int) -> None:
    batch = rows_of(2, 20, list(COLUMNS))
    part_of = (hash_columns([batch.column(key)]) >> np.uint64(32)).astype(object) * parts >> 32
    made = partition_by_hash(batch, [key], parts)
    assert len(made) == parts
    for part, rows in enumerate(made):
        mask = pa.array([p == part for p in part_of], pa.bool_())
        assert str(rows.to_pylist()) == str(batch.filter(mask).to_pylist())


@pytest.mark.usefixtures("compiled")
@given(
    st.lists(st.integers(0, 4)),
    st.sampled_from(["int8", "int16", "float", "int64", "wide"]),
)
def test_columns_stand_part_by_part(parts: list[int], name: str) -> None:
    part_of = np.array(parts, np.int32)
    column = COLUMNS[name].drop_null()
    column = column.take(pa.array(np.arange(len(parts)) % len(column)))
    order = np.argsort(part_of, kind="stable")
    sizes = scatter.counts_of(part_of, 5)
    assert sizes.tolist() == np.bincount(part_of, minlength=5).tolist()
    starts = np.cumsum(sizes) - sizes
    assert scatter.places(part_of, starts).tolist() == order.tolist()
    width = column.type.byte_width
    bytes_of = np.frombuffer(column.buffers()[1], f"V{width}", len(column))
    assert scatter.scattered(bytes_of, part_of, starts).tolist() == bytes_of[order].tolist()


def test_what_lies_outside_is_not_written() -> None:
    with config.set({"compile.checked": True}), pytest.raises(Exception, match="scatter_4"):
        scatter.scattered(np.zeros(3, np.int32), np.array([0, 0, 9], np.int32), np.zeros(2, int))
