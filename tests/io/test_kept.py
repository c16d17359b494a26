"""Frames that are kept: the form in which rows lie, and that they are the same rows."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine import batches
from plait.io.kept import keep
from plait.io.memory import ArrowSource
from plait.planner import builder as b
from plait.planner.column_range import has_distinct_entries, range_of
from plait.planner.expr import Literal
from plait.planner.predicates import can_match
from plait.planner.schema import Field, Schema
from plait.planner.source import Pushdown
from tests.engine.random_batches import KINDS, batch_of, logical
from tests.io.reading import read_source


def schema_of(table: pa.Table) -> Schema:
    return Schema(tuple(Field(f.name, f.type) for f in table.schema))


def kept(table: pa.Table, workers: int = 2) -> list[pa.RecordBatch]:
    return keep(table.to_batches(), schema_of(table), workers)


def same(value: Any, other: Any) -> bool:
    both_nan = isinstance(value, float) and isinstance(other, float) and math.isnan(value)
    return (both_nan and math.isnan(other)) or (
        value == other and type(value) is type(other) and repr(value) == repr(other)
    )


NAMED = [(kind, kind) for kind in KINDS]
SCHEMA = Schema(tuple(Field(kind, logical(kind)) for kind in KINDS))


@settings(max_examples=40)
@given(st.lists(batch_of(NAMED), max_size=4), st.data())
def test_any_rows_come_back(rows: list[pa.RecordBatch], data: st.DataObject) -> None:
    """Slices, encodings that differ from batch to batch, no rows, nothing but NULL."""
    plain = [batches.to_logical(b, SCHEMA) for b in rows]
    mixed = [data.draw(st.sampled_from(pair)) for pair in zip(rows, plain, strict=True)]
    expected = pa.Table.from_batches(plain, SCHEMA.to_arrow()) if rows else None
    source = ArrowSource.of_partitions(keep(mixed, SCHEMA, 2), SCHEMA, "kept")
    assert not mixed
    found = read_source(source)  # shipped and read in several ways
    assert found.schema.equals(SCHEMA.to_arrow())
    assert found.num_rows == (0 if expected is None else expected.num_rows)
    for name in SCHEMA.names if expected is not None else ():
        assert expected is not None
        pairs = zip(found[name].to_pylist(), expected[name].to_pylist(), strict=True)
        assert all(same(a, b) for a, b in pairs), name


@settings(max_examples=40)
@given(batch_of(NAMED))
def test_ranges_hold_all_values_and_no_more(rows: pa.RecordBatch) -> None:
    plain = batches.to_logical(rows, SCHEMA)
    for batch in keep([rows], SCHEMA, 1):
        for f in batch.schema:
            values = [v for v in plain.column(f.name).to_pylist() if v is not None]
            known = range_of(f)
            match values:
                case [int() | Decimal(), *_] if f.name not in ("bool", "wide"):
                    scale = SCHEMA[f.name].type.scale if isinstance(values[0], Decimal) else 0
                    assert known == (int(min(values) * 10**scale), int(max(values) * 10**scale))
                case [dt.date(), *_] if f.name == "date":
                    epoch = dt.date(1970, 1, 1)
                    assert known == ((min(values) - epoch).days, (max(values) - epoch).days)
                case _ if f.name not in ("time", "timestamp"):
                    assert known is None
        assert [range_of(f) for f in batch.slice(1).schema] == [range_of(f) for f in batch.schema]


@pytest.mark.parametrize(("entries", "bits"), [(3, 8), (127, 8), (128, 16), (2000, 16)])
def test_texts_that_repeat_become_codes(entries: int, bits: int) -> None:
    rows = 1000 + 32 * entries
    shuffled = np.random.default_rng(entries).permutation(rows)
    texts = [f"text {i % entries}" for i in shuffled]
    plain = pa.array(texts)
    halves = [plain.slice(0, rows // 2), plain.slice(rows // 2).dictionary_encode()]
    schema = Schema((Field("s", pa.string()),))
    for given_ in ([plain], [plain.dictionary_encode()], halves):
        rows_ = [pa.RecordBatch.from_arrays([a], names=["s"]) for a in given_]
        (batch,) = keep(rows_, schema, 1)
        assert batch.column(0).type == pa.dictionary(f"int{bits}", pa.string())
        assert len(batch.column(0).dictionary) == entries
        assert batch.column(0).to_pylist() == texts


def test_texts_that_do_not_repeat_stay_texts() -> None:
    texts = pa.array([f"text {i}" for i in range(4000)])
    for array in (texts, texts.dictionary_encode()):
        (batch,) = kept(pa.table({"s": array.cast(pa.string())}))
        assert batch.column(0).type == pa.string()
    # what a filter left of a large dictionary
    coded = pa.DictionaryArray.from_arrays(pa.array([5, None, 5]), texts)
    rows = [pa.RecordBatch.from_arrays([coded], names=["s"])]
    (batch,) = keep(rows, Schema((Field("s", pa.string()),)), 1)
    assert batch.column(0).type == pa.string()
    assert batch.column(0).to_pylist() == ["text 5", None, "text 5"]


def test_dictionaries_that_are_not_clean_are_made_anew() -> None:
    entries = pa.array(["x", None, "x", "y"])
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3] * 100), entries)
    rows = [pa.RecordBatch.from_arrays([coded], names=["s"])]
    (batch,) = keep(rows, Schema((Field("s", pa.string()),)), 1)
    assert batch.column(0).to_pylist() == ["x", None, "x", "y"] * 100
    assert batch.column(0).dictionary.to_pylist() == ["x", "y"]


@pytest.mark.parametrize(
    ("rows", "workers", "partitions"),
    [(0, 4, 1), (10, 4, 1), (500_000, 4, 1), (600_000, 4, 2), (1_000_000, 2, 2), (3 << 19, 2, 3),
     (9 << 19, 2, 4), (9 << 19, 64, 18)],
)  # fmt: skip
def test_partitions_are_few_and_each_is_in_one_piece(
    rows: int, workers: int, partitions: int
) -> None:
    numbers = np.arange(rows, dtype=np.int32)
    cut = [pa.array(part) for part in np.array_split(numbers, 97)]
    found = kept(pa.table({"i": pa.chunked_array(cut, pa.int32())}), workers)
    assert len(found) == partitions
    assert max(b.num_rows for b in found) - min(b.num_rows for b in found) <= 1
    assert np.array_equal(np.concatenate([b.column(0).to_numpy() for b in found]), numbers)
    assert {range_of(b.schema.field("i")) for b in found} == {(0, rows - 1) if rows else None}


def test_rows_that_come_in_such_partitions_stay_where_they_are() -> None:
    sizes = [300_000, 0, 280_000]
    entries = pa.array(["x", "y"])
    rows = [
        pa.RecordBatch.from_arrays(
            [
                pa.array(np.arange(n)),
                pa.array([str(i) for i in range(n)], pa.string()),
                pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), entries),
            ],
            names=["i", "s", "d"],
        )
        for n in sizes
    ]
    schema = Schema.of([("i", pa.int64()), ("s", pa.string()), ("d", pa.string())])
    expected = [b for b in rows if b.num_rows]
    found = keep(rows, schema, 2)
    assert [b.num_rows for b in found] == [300_000, 280_000]
    for a, known in zip(found, expected, strict=True):
        for name in ("i", "s"):
            assert a.column(name).buffers()[-1].address == known.column(name).buffers()[-1].address
        assert a.column("d").equals(known.column("d"))
        assert has_distinct_entries(a.schema.field("d"))
    splits = ArrowSource.of_partitions(found, schema, "kept").splits(["i", "d"])
    assert [s.rows for s in splits] == [300_000, 280_000]
    (read,) = splits[1].held
    assert has_distinct_entries(read.schema.field("d"))
    # far from even: cut anew
    uneven = [
        pa.RecordBatch.from_arrays([pa.array(np.arange(n))], names=["i"]) for n in (10, 1 << 20)
    ]
    assert [b.num_rows for b in keep(uneven, Schema.of([("i", pa.int64())]), 2)] == [524_293] * 2


def test_wide_rows_make_more_partitions() -> None:
    texts = pa.array([str(i) * 400 for i in range(200_000)])
    found = kept(pa.table({"s": texts}), workers=1)
    assert len(found) == math.ceil(texts.nbytes / (256 << 20)) > 1


def test_scans_that_read_much_of_a_partition_have_several_splits() -> None:
    rows = 200_000
    columns = {"i": np.arange(rows), "s": [f"{i:060d}" for i in range(rows)]}
    table = pa.table(columns)
    (batch,) = kept(table, workers=2)
    source = ArrowSource.of_partitions([batch], schema_of(table), "kept", 2)
    assert [s.rows for s in source.splits(["i"])] == [rows]
    first, second = source.splits(["i", "s"])
    assert (first.start, first.rows, second.start, second.rows) == (0, 100_000, 100_000, 100_000)
    assert second.ranges["i"] == first.ranges["i"]  # those of the partition
    assert read_source(source).equals(table)
    small = ArrowSource.of_partitions([batch.slice(0, 100_000)], schema_of(table), "kept", 2)
    assert len(small.splits(["i", "s"])) == 1  # tasks of few rows cost more than they compute


def test_no_columns_and_shipping() -> None:
    (batch,) = keep([batches.without_columns(3), batches.without_columns(2)], Schema(()), 2)
    assert batch.num_rows == 5
    table = pa.table({"i": np.arange(1_200_000), "s": ["x", "y", None] * 400_000})
    source = ArrowSource.of_partitions(kept(table, 4), schema_of(table), "kept")
    assert source.schema["s"].nullable
    assert not source.schema["i"].nullable
    splits = source.splits(["s", "i"])
    assert len(splits) == 4
    shipped = pickle.dumps(splits[1])
    assert len(shipped) < 300_000 * 9 + 60_000
    assert pickle.loads(shipped) == splits[1]
    assert read_source(source).equals(table)


def test_pieces_are_skipped_by_their_own_bounds() -> None:
    day = dt.date(2026, 1, 1)
    parts = [
        pa.RecordBatch.from_pydict(
            {
                "i": pa.array([start, None, start + 9], pa.int64()),
                "d": pa.array([day + dt.timedelta(start)] * 3),
                "m": pa.array([Decimal(start), Decimal(start + 1), None], pa.decimal64(9, 2)),
                "f": [float(start), math.nan if start == 10 else 0.5, -1.0],
                "s": ["a", "b", None],
                "n": pa.array([None] * 3, pa.int64()),
            }
        )
        for start in (0, 10, 20)
    ]
    logical = {"m": pa.decimal128(9, 2)}
    schema = Schema(tuple(Field(f.name, logical.get(f.name, f.type)) for f in parts[0].schema))
    source = ArrowSource.of_partitions(parts, schema, "kept")
    scan = b.scan(source)

    def read(name: str, test: str, *values: Any) -> list[int]:
        """The first numbers of the pieces that are read."""
        constants = [Literal(v, schema[name].type) for v in values]
        predicate = b.call(test, b.column(scan, name), *constants)
        assert source.pushdown(predicate) is Pushdown.INEXACT
        splits = source.splits(schema.names)
        return [s.start // 3 * 10 for s in splits if can_match(predicate, s.ranges, s.rows)]

    assert read("i", "equal", 19) == [10]
    assert read("i", "greater", 9) == [10, 20]
    assert read("i", "in", 0, 25) == [0, 20]
    assert read("i", "is_null") == [0, 10, 20]
    assert read("d", "less", day + dt.timedelta(10)) == [0]
    assert read("m", "greater_equal", Decimal("11.00")) == [10, 20]
    assert read("f", "greater", 15.0) == [0, 10, 20]  # bounds do not tell of NaN, the greatest
    assert read("s", "equal", "c") == [0, 10, 20]
    assert read("n", "is_not_null") == []
