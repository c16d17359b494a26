"""Arrow data in memory as a table."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from plait.errors import PlanError, TypeMismatchError
from plait.io.memory import ArrowSource, MemorySplit
from plait.io.reader import iterate_split, read_split
from plait.planner.column_range import Range, range_of
from tests.io.reading import count_rows, decode, read_source

TABLE = pa.table({"a": [1, 2, None], "s": ["x", None, "y"]})


class Exporter:
    """Something of another library that exports an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return TABLE.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_batches(2),
        TABLE.to_reader(),
        TABLE.to_pydict(),
        Exporter(),
        pl.DataFrame(TABLE.to_pydict()),
        duckdb.from_arrow(TABLE),
    ],
    ids=lambda data: type(data).__name__,
)
def test_whatever_exports_arrow(data: Any) -> None:
    source = ArrowSource(data)
    assert str(source.schema) == "a: int64, s: string"
    assert read_source(source).to_pydict() == TABLE.to_pydict()
    assert count_rows(source) == 3


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeMismatchError, match="int is no Arrow data"):
        ArrowSource(5)
    with pytest.raises(PlanError, match="two columns named 'a'"):
        ArrowSource(pa.table([[1], [2]], names=["a", "a"]))


@pytest.mark.parametrize(
    ("array", "logical"),
    [
        (pa.array(["a", None], pa.large_string()), pa.string()),
        (pa.array(["a", None], pa.string_view()), pa.string()),
        (pa.array(["a", None, "a"]).dictionary_encode(), pa.string()),
        (pa.array([5, None, 5]).dictionary_encode(), pa.int64()),
        (pa.array([b"ab"], pa.binary(2)), pa.binary()),
        (pa.array([1.5], pa.float16()), pa.float32()),
        (pa.array([dt.date(2020, 1, 2)], pa.date64()), pa.timestamp("ms")),
        (pa.array([dt.time(1, 2)], pa.time32("s")), pa.time64("us")),
        (pa.array([Decimal("1.5")], pa.decimal256(10, 2)), pa.decimal128(10, 2)),
        (pa.array([Decimal("1.5")], pa.decimal64(10, 2)), pa.decimal128(10, 2)),
        (pa.array([Decimal("1.5")], pa.decimal32(5, 2)), pa.decimal128(5, 2)),
        (pa.array([[1]], pa.large_list(pa.int64())), pa.list_(pa.int64())),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), pa.list_(pa.int64())),
        (pa.array([[1]], pa.list_view(pa.int64())), pa.list_(pa.int64())),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["p", "q"]), pa.string()),
        (pa.array([{"a": "x"}], pa.struct([("a", pa.large_string())])),
         pa.struct([("a", pa.string())])),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16))),
         pa.binary()),
    ],
    ids=lambda v: str(v.type) if isinstance(v, pa.Array) else str(v),
)  # fmt: skip
def test_types_become_logical(array: pa.Array, logical: pa.DataType) -> None:
    source = ArrowSource(pa.table({"x": array}))
    assert source.schema["x"].type == logical
    expected = [v.encode() if isinstance(v, str) and logical == pa.binary() else v
                for v in array.to_pylist()]  # fmt: skip
    found = read_source(source)["x"].to_pylist()
    if isinstance(array, pa.ExtensionArray):
        expected = array.storage.to_pylist()
    elif logical == pa.timestamp("ms"):
        expected = [dt.datetime(2020, 1, 2)]
    assert found == expected


def test_dictionary_with_repeated_and_null_entries_is_cleaned() -> None:
    codes = pa.array([0, 1, 2, 3], pa.int8())
    coded = pa.DictionaryArray.from_arrays(codes, pa.array(["x", None, "x", "y"]))
    source = ArrowSource(pa.table({"s": coded}))
    table = read_source(source)  # checks that entries are distinct
    assert table["s"].to_pylist() == ["x", None, "x", "y"]
    assert source.schema["s"].nullable


@pytest.mark.parametrize("times", [1, 50_000])
def test_chunks_of_differing_dictionaries_get_one(times: int) -> None:
    column = pa.chunked_array([pa.array(["a", "b"] * times).dictionary_encode(),
                               pa.array(["c", "a"] * times).dictionary_encode()])  # fmt: skip
    (split,) = ArrowSource(pa.table({"s": column}), splits=1).splits(["s"])
    table = read_split(split, ["s"])
    assert table["s"].to_pylist() == ["a", "b"] * times + ["c", "a"] * times
    assert table["s"].num_chunks == (1 if times == 1 else 2)
    first = table["s"].chunk(0).dictionary
    assert all(chunk.dictionary.equals(first) for chunk in table["s"].chunks)


def test_scans_of_large_chunks_copy_nothing() -> None:
    chunks = [pa.array(np.arange(n)) for n in (50_000, 70_000)]
    addresses = {c.buffers()[1].address for c in chunks}
    source = ArrowSource(pa.table({"i": pa.chunked_array(chunks)}), splits=3)
    found = [p.column("i") for s in source.splits(["i"]) for p in iterate_split(s, ["i"])]
    assert {p.buffers()[1].address for p in found} == addresses
    assert pa.concat_arrays(found).to_pylist() == [*range(50_000), *range(70_000)]
    small = pa.chunked_array([pa.array([i]) for i in range(1000)])
    (split,) = ArrowSource(pa.table({"i": small})).splits(["i"])
    assert [p.num_rows for p in iterate_split(split, ["i"])] == [1000]


def test_ranges_that_statistics_found_come_with_the_batches() -> None:
    day = dt.date(1970, 1, 10)
    table = pa.table({"i": [3, None, -5], "d": [day, day, None], "s": ["x", "y", "z"]})
    source = ArrowSource(table)

    def ranges() -> list[Range | None]:
        (split,) = source.splits(["i", "d", "s"])
        (batch,) = iterate_split(split, ["i", "d", "s"])
        return [range_of(f) for f in batch.schema]

    assert ranges() == [None, None, None]  # looking would cost a pass
    assert source.statistics.column("d").maximum == day
    assert ranges() == [None, (9, 9), None]
    assert source.statistics.column("i").minimum == -5
    assert source.statistics.column("s").minimum is None
    assert ranges() == [(-5, 3), (9, 9), None]


def test_a_column_is_measured_once() -> None:
    source = ArrowSource(TABLE)
    assert source.statistics.column("a") is source.statistics.column("a")


def test_splits_cover_the_table_and_ship_only_their_rows() -> None:
    rows = 300_000
    source = ArrowSource(pa.table({"i": np.arange(rows), "f": np.ones(rows)}))
    splits = source.splits(["i"])
    assert len(splits) > 1
    assert sum(s.rows or 0 for s in splits) == rows
    one = next(s for s in splits if isinstance(s, MemorySplit))
    shipped = pickle.dumps(one)
    assert len(shipped) < 8 * sum(b.num_rows for b in one.held) + 2000
    assert read_split(pickle.loads(shipped), ["i"])["i"].to_pylist()[:2] == [0, 1]
    assert len(ArrowSource(TABLE, splits=2).splits(["a"])) == 2
    assert len(ArrowSource(TABLE, splits=7).splits(["a"])) == 3
    assert pickle.loads(shipped) == one
    assert read_source(source)["i"].to_pylist() == list(range(rows))


def test_no_rows_and_no_columns() -> None:
    empty = ArrowSource(TABLE.slice(0, 0))
    assert read_source(empty).num_rows == 0
    assert count_rows(empty) == 0
    (split,) = ArrowSource(TABLE).splits([])
    assert read_split(pickle.loads(pickle.dumps(split)), []).num_rows == 3
    assert [t.num_rows for t in iterate_split(split, [], None, 2)] == [2, 1]


def test_statistics() -> None:
    moment = dt.datetime(2020, 1, 1, 0, 0, 0, 1)
    source = ArrowSource(
        pa.table(
            {
                "i": [3, None, -5],
                "f": [1.5, math.nan, 2.0],
                "g": [1.5, None, 2.0],
                "s": ["a", "a", "b"],
                "d": [dt.date(2020, 1, 1), None, dt.date(2019, 1, 1)],
                "n": pa.array([1577836800000001500, None, 1577836800000001500], pa.timestamp("ns")),
                "m": [Decimal("1.5"), None, Decimal("-2.5")],
            }
        )
    )
    known = source.statistics
    assert known.rows == 3
    assert known.exact
    assert (known.column("i").minimum, known.column("i").maximum) == (-5, 3)
    assert known.column("i").nulls == 1
    assert (known.column("f").minimum, known.column("f").maximum) == (None, None)
    assert (known.column("g").minimum, known.column("g").maximum) == (1.5, 2.0)
    assert known.column("s").distinct == 2
    assert known.column("d").minimum == dt.date(2019, 1, 1)
    assert known.column("n").minimum == moment
    assert known.column("n").maximum == moment + dt.timedelta(microseconds=1)
    assert known.column("m").maximum == Decimal("1.5")
    assert known.column("missing").minimum is None
    far = ArrowSource(pa.table({"t": pa.array([1 << 50], pa.timestamp("s"))})).statistics
    assert far.column("t").minimum is None  # a year that Python has not
    assert not source.schema["s"].nullable


def test_identity_is_never_shared() -> None:
    first, second = ArrowSource(TABLE), ArrowSource(TABLE)
    assert first.identity != second.identity
    assert first.name == "arrow"


def test_decode_helper_notices_wrong_types() -> None:
    source = ArrowSource(TABLE)
    with pytest.raises(AssertionError):
        decode(source, TABLE.set_column(0, "a", pa.array([1.0, 2.0, None])))
