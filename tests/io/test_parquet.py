"""Parquet files: judged by pyarrow's and DuckDB's reading of the same files."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ReadError
from plait.io.parquet.footer import footer
from plait.io.parquet.source import ParquetSource
from plait.io.reader import iterate_split, read_split
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.schema import Schema
from plait.planner.source import Pushdown
from plait.planner.types import BOOL, INT64, STRING
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source


def call(function: str, name: str, dtype: pa.DataType, *values: Any) -> Expr:
    return Call(function, (Column(name, dtype), *(Literal(v, dtype) for v in values)), BOOL)


def save(path: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> Path:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


# ------------------------------------------------------------------ every type, every encoding

DAY = dt.date(2020, 2, 29)
MOMENT = dt.datetime(2020, 2, 29, 12, 30, 15, 123456)

EVERY_TYPE: dict[str, pa.Array] = {
    "i8": pa.array([1, None, -128], pa.int8()),
    "i64": pa.array([2**63 - 1, None, -(2**63)], pa.int64()),
    "u32": pa.array([2**32 - 1, None, 0], pa.uint32()),
    "u64": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "f32": pa.array([1.5, None, math.inf], pa.float32()),
    "f64": pa.array([math.nan, None, -0.0], pa.float64()),
    "bool": pa.array([True, None, False]),
    "text": pa.array(["é", None, ""]),
    "large": pa.array(["a", None, "b"], pa.large_string()),
    "view": pa.array(["a", None, "longer than twelve letters"], pa.string_view()),
    "coded": pa.array(["x", None, "x"]).dictionary_encode(),
    "coded_numbers": pa.array([7, None, 7]).dictionary_encode(),
    "binary": pa.array([b"\xff", None, b""]),
    "fixed": pa.array([b"abcd", None, b"efgh"], pa.binary(4)),
    "date": pa.array([DAY, None, dt.date(1, 1, 1)]),
    "date64": pa.array([DAY, None, DAY], pa.date64()),
    "seconds": pa.array([MOMENT, None, MOMENT], pa.timestamp("s")),
    "micros": pa.array([MOMENT, None, MOMENT], pa.timestamp("us")),
    "nanos": pa.array([MOMENT, None, MOMENT], pa.timestamp("ns")),
    "zoned": pa.array([MOMENT, None, MOMENT], pa.timestamp("us", tz="Europe/Vienna")),
    "time32": pa.array([dt.time(1, 2, 3), None, dt.time(0)], pa.time32("ms")),
    "time64": pa.array([dt.time(1, 2, 3, 4), None, dt.time(0)], pa.time64("us")),
    "duration": pa.array([dt.timedelta(1), None, dt.timedelta(-1)], pa.duration("us")),
    "d5": pa.array([Decimal("-123.45"), None, Decimal("999.99")], pa.decimal128(5, 2)),
    "d18": pa.array([Decimal(-(10**18) + 1), None, Decimal(10**18 - 1)], pa.decimal128(18, 0)),
    "d38": pa.array([Decimal(10**37), None, Decimal(-1)], pa.decimal128(38, 0)),
    "list": pa.array([[1, None], None, []]),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.array([None, None, None], pa.null()),
}


def as_logical(array: pa.Array, wanted: pa.DataType) -> list[Any]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(wanted).to_pylist()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"store_schema": False},
        {"store_decimal_as_integer": True},
        {"data_page_version": "2.0", "compression": "zstd"},
        {"row_group_size": 1},
        {"write_statistics": False},
    ],
    ids=str,
)
def test_every_type_comes_back(tmp_path: Path, options: dict[str, Any]) -> None:
    path = save(tmp_path / "x.parquet", EVERY_TYPE, **options)
    source = ParquetSource(path)
    table = read_source(source)
    for name, array in EVERY_TYPE.items():
        wanted = source.schema[name].type
        if options.get("store_schema") is False and name == "duration":
            assert table[name].to_pylist() == array.cast(pa.int64()).to_pylist()
            continue
        assert repr(table[name].to_pylist()) == repr(as_logical(array, wanted)), name


def test_columns_one_by_one_and_reversed(tmp_path: Path) -> None:
    source = ParquetSource(save(tmp_path / "x.parquet", EVERY_TYPE, row_group_size=2))
    whole = read_source(source)
    for name in source.schema.names:
        alone = read_source(source, [name])[name]
        assert repr(alone.to_pylist()) == repr(whole[name].to_pylist())
    assert read_source(source, source.schema.names[::-1]).num_columns == len(EVERY_TYPE)
    assert count_rows(source) == 3


def test_dotted_names_beside_structs(tmp_path: Path) -> None:
    columns = {"a": pa.array([{"b": 1}, {"b": 2}]), "a.b": [3, 4], "a.c": ["x", "y"]}
    source = ParquetSource(save(tmp_path / "x.parquet", columns))
    assert read_source(source, ["a"]).to_pydict() == {"a": [{"b": 1}, {"b": 2}]}
    assert read_source(source, ["a.b"]).to_pydict() == {"a.b": [3, 4]}
    assert read_source(source).to_pydict()["a.c"] == ["x", "y"]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.sampled_from(["a", "b", "", "long" * 9])),
            st.one_of(st.none(), st.decimals(-(10**13) + 1, 10**13 - 1, places=2)),
        ),
        max_size=60,
    ),
    st.integers(1, 20),
    st.booleans(),
)
def test_round_trip(
    folder: Path, rows: list[tuple[Any, ...]], row_group: int, dictionary: bool
) -> None:
    schema = pa.schema([("i", INT64), ("s", STRING), ("d", pa.decimal128(15, 2))])
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)
    path = folder / "x.parquet"
    pq.write_table(table, path, row_group_size=row_group, use_dictionary=dictionary)
    assert read_source(ParquetSource(path)).to_pydict() == table.to_pydict()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parquet")


# ------------------------------------------------------------------------------ encodings


def test_repeating_strings_come_as_codes(tmp_path: Path) -> None:
    many = 20_000
    columns = {
        "few": [("red", "green", None)[i % 3] for i in range(many)],
        "unique": [f"name {i}" for i in range(many)],
        "price": pa.array([Decimal(i) / 100 for i in range(many)], pa.decimal128(12, 2)),
        "huge": pa.array([Decimal(i) for i in range(many)], pa.decimal128(20, 0)),
    }
    source = ParquetSource(save(tmp_path / "x.parquet", columns, row_group_size=6000))
    (split, *_) = source.splits(source.schema.names)
    table = read_split(split, source.schema.names)
    assert table.schema.field("few").type == pa.dictionary(pa.int32(), pa.string())
    assert table.schema.field("unique").type == pa.string()
    assert table.schema.field("price").type == pa.decimal64(12, 2)
    assert table.schema.field("huge").type == pa.decimal128(20, 0)
    assert [str(t) for t in source.schema.types] == [
        "string", "string", "decimal128(12, 2)", "decimal128(20, 0)",
    ]  # fmt: skip
    dictionaries = {str(c.dictionary) for c in table["few"].chunks}
    assert len(dictionaries) == 1
    assert_same_rows(read_source(source), pa.table(columns), ordered=True)


def test_views_are_read_as_plain_strings(tmp_path: Path) -> None:
    texts = [f"text number {i}" for i in range(5000)]
    path = save(tmp_path / "x.parquet", {"v": pa.array(texts, pa.string_view())})
    source = ParquetSource(path)
    assert read_split(source.splits(["v"])[0], ["v"]).schema.field("v").type == pa.string()
    assert read_source(source)["v"].to_pylist() == texts


# ------------------------------------------------------------------------------ many files


def test_files_by_name_with_widening(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", {"i": pa.array([1], pa.int32()), "only_a": ["x"]})
    save(tmp_path / "b.parquet", {"only_b": [2.5], "i": pa.array([2**40], pa.int64())})
    save(tmp_path / "c.parquet", {"i": pa.nulls(1)})
    source = ParquetSource(tmp_path)
    assert str(source.schema) == "i: int64, only_a: string, only_b: double"
    assert read_source(source).to_pydict() == {
        "i": [1, 2**40, None],
        "only_a": ["x", None, None],
        "only_b": [None, 2.5, None],
    }
    expected = duckdb.sql(
        f"select * from read_parquet('{tmp_path}/*.parquet', union_by_name=true)"
    ).to_arrow_table()
    assert_same_rows(read_source(source), expected, ordered=True)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.parquet", {"i": [1]})
    save(tmp_path / "b.parquet", {"i": ["x"]})
    with pytest.raises(ReadError, match=r"'i' is int64 in .*a\.parquet and string in .*b\.parquet"):
        ParquetSource(tmp_path)


HIVE = [
    ("year=2023/country=a%20b", [1, 2]),
    ("year=2024/country=__HIVE_DEFAULT_PARTITION__", [3]),
    ("year=2024/country=c", [4, 5]),
]


def hive(folder: Path) -> Path:
    for place, values in HIVE:
        save(folder / place / "p.parquet", {"v": values, "year": pa.array([0] * len(values))})
    (folder / "_metadata").write_text("not a data file")
    return folder


def test_hive_partitions(tmp_path: Path) -> None:
    source = ParquetSource(hive(tmp_path))
    assert str(source.schema) == "v: int64 not null, year: int64 not null, country: string"
    table = read_source(source)
    assert table.to_pydict() == {
        "v": [1, 2, 3, 4, 5],
        "year": [2023, 2023, 2024, 2024, 2024],
        "country": ["a b", "a b", None, "c", "c"],
    }
    expected = duckdb.sql(
        f"select * from read_parquet('{tmp_path}/**/*.parquet', hive_partitioning=true)"
    ).to_arrow_table()
    assert_same_rows(table, expected)
    assert source.statistics.column("year").distinct == 2
    assert source.statistics.column("country").nulls == 1
    typed = ParquetSource(tmp_path, hive_types={"year": STRING})
    assert read_source(typed, ["year"])["year"].to_pylist() == ["2023"] * 2 + ["2024"] * 3
    ignored = ParquetSource(tmp_path, hive_partitioning=False)
    assert read_source(ignored)["year"].to_pylist() == [0] * 5


def test_hive_predicates_are_exact(tmp_path: Path) -> None:
    source = ParquetSource(hive(tmp_path))
    year = call("equal", "year", INT64, 2024)
    assert source.pushdown(year) is Pushdown.EXACT
    assert source.pushdown(call("is_null", "country", STRING)) is Pushdown.EXACT
    assert source.pushdown(call("in", "country", STRING, "c", "d")) is Pushdown.EXACT
    assert source.pushdown(call("greater", "v", INT64, 3)) is Pushdown.INEXACT
    assert source.pushdown(call("like", "country", STRING, "c%")) is Pushdown.INEXACT
    assert source.pushdown(Call("upper", (Column("country", STRING),), STRING)) is Pushdown.NONE
    cases = [
        (year, [3, 4, 5]),
        (call("not_equal", "country", STRING, "c"), [1, 2]),
        (call("is_null", "country", STRING), [3]),
        (Call("not", (call("in", "country", STRING, "c"),), BOOL), [1, 2]),
        (Call("and", (year, call("is_not_null", "country", STRING)), BOOL), [4, 5]),
        (Call("or", (call("less", "year", INT64, 2024), call("is_null", "country", STRING)), BOOL),
         [1, 2, 3]),
        (call("in", "country", STRING, None, "c"), [4, 5]),
        (Call("not", (call("in", "country", STRING, None, "c"),), BOOL), []),
    ]  # fmt: skip
    for predicate, expected in cases:
        assert source.pushdown(predicate) is Pushdown.EXACT, predicate
        assert read_source(source, ["v"], predicate)["v"].to_pylist() == expected, predicate


def test_partition_keys_must_agree(tmp_path: Path) -> None:
    save(tmp_path / "a=1" / "x.parquet", {"v": [1]})
    save(tmp_path / "b=1" / "x.parquet", {"v": [1]})
    with pytest.raises(ReadError, match="Partition folders differ"):
        ParquetSource(tmp_path)


# ------------------------------------------------------------------------------ splits


def test_splits_aim_at_a_size(tmp_path: Path) -> None:
    rows = 400_000
    path = save(tmp_path / "x.parquet", {"i": np.arange(rows), "j": np.arange(rows)},
                row_group_size=10_000)  # fmt: skip
    source = ParquetSource(path)
    assert 4 <= len(source.splits(["i", "j"])) <= 8
    small = ParquetSource(path, split_bytes=1 << 20)
    assert len(small.splits(["i", "j"])) > len(small.splits(["i"])) > 2
    assert len(ParquetSource(path, split_rows=10_000).splits(["i"])) == 40
    for split in small.splits(["i"]):
        assert split.bytes == 8 * split.rows
    groups = [g for s in small.splits(["i"]) for g in s.row_groups]
    assert groups == list(range(40))


def test_splits_are_small_to_ship(tmp_path: Path) -> None:
    columns = {f"column_{i}": np.arange(1000) for i in range(50)}
    source = ParquetSource(save(tmp_path / "x.parquet", columns, row_group_size=100))
    (split, *_) = source.splits(["column_1"])
    assert len(pickle.dumps(split)) < 6000
    assert pickle.loads(pickle.dumps(split)) == split


def test_file_without_rows(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", pa.table({"a": pa.array([], INT64)}))
    source = ParquetSource(path)
    assert source.statistics.rows == 0
    assert read_source(source).num_rows == 0
    assert count_rows(source) == 0


def test_iterating_is_in_pieces(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"i": np.arange(1000)}, row_group_size=400)
    source = ParquetSource(path, split_rows=1000)
    (split,) = source.splits(["i"])
    pieces = list(iterate_split(split, ["i"], None, 300))
    assert max(p.num_rows for p in pieces) <= 300
    assert [v for p in pieces for v in p["i"].to_pylist()] == list(range(1000))


# ------------------------------------------------------------------------------ identity, faults


def test_identity_follows_the_content(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"a": [1]})
    before = ParquetSource(path).identity
    assert ParquetSource(path).identity == before
    assert footer(ParquetSource(path).files[0]) is footer(ParquetSource(path).files[0])
    save(path, {"a": [1, 2]})
    assert ParquetSource(path).identity != before


def test_changed_file_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"a": [1]})
    source = ParquetSource(path)
    save(path, {"a": [1, 2, 3]})
    with pytest.raises(ReadError, match="has changed"):
        read_source(source)
    path.unlink()
    with pytest.raises(ReadError, match="No such file"):
        read_source(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"PK\x03\x04 something else", "is not a Parquet file"),
     (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "damaged"),
     (b"PAR1garbage!\x04\0\0\0PAR1", "cannot be read")],
)  # fmt: skip
def test_what_is_no_parquet_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message):
        ParquetSource(path)


def test_damaged_page_names_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"a": np.arange(10_000)}, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:64] = b"\xff" * 60
    path.write_bytes(data)
    with pytest.raises(ReadError, match=r"x\.parquet"):
        read_source(ParquetSource(path))


def test_through_a_store_of_fsspec() -> None:
    fs = fsspec.filesystem("memory")
    columns = {"a": list(range(100)), "s": ["x", "y"] * 50, "l": [[1], [2, 3]] * 50}
    for year in (2023, 2024):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, row_group_size=30)
        fs.pipe_file(f"/bucket/t/year={year}/p.parquet", sink.getvalue().to_pybytes())
    source = ParquetSource("memory://bucket/t/year=*/*.parquet")
    assert isinstance(source.schema, Schema)
    table = read_source(source)
    assert table["a"].to_pylist() == list(range(100)) * 2
    assert table["l"].to_pylist() == columns["l"] * 2
    assert table["year"].to_pylist() == [2023] * 100 + [2024] * 100
    kept = read_source(source, ["a"], call("equal", "year", INT64, 2024))
    assert kept.num_rows == 100
    fs.rm("/bucket", recursive=True)


def test_affinity_tells_row_groups_and_versions_of_a_file(tmp_path: Path) -> None:
    path = save(tmp_path / "t.parquet", {"x": range(10), "y": range(10)}, row_group_size=5)

    def numbers() -> list[int]:
        source = ParquetSource(path, split_rows=5)
        return [split.affinity for split in source.splits(["x"])]

    first = numbers()
    assert len(set(first)) == 2
    assert min(first) > 0
    assert max(first) < 2**63
    assert numbers() == first
    save(path, {"x": range(1, 11), "z": range(10)}, row_group_size=5)
    assert not set(first) & set(numbers())
