"""Columns that loops decode are those that pyarrow decodes, whoever wrote them and however."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait import config
from plait.engine.codegen.pages import routines
from plait.engine.page_loops import PageLoops
from plait.errors import ReadError
from plait.io.column_cache import cache
from plait.io.parquet import decode
from plait.io.parquet.footer import footer, forget
from plait.io.parquet.source import ParquetSource
from plait.io.reader import iterate_split
from plait.planner.source import Split

DECIMAL = pa.decimal128(9, 2)
WIDE_DECIMAL = pa.decimal128(18, 3)
TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int32(): st.integers(-(1 << 31), (1 << 31) - 1),
    pa.int64(): st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 3),
    pa.uint32(): st.integers(0, (1 << 32) - 1),
    pa.uint64(): st.integers(0, (1 << 64) - 1),
    pa.int16(): st.integers(-5, 5),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1)),
    pa.timestamp("us"): st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    pa.timestamp("ms"): st.integers(0, 1 << 40).map(lambda n: pa.scalar(n, pa.timestamp("ms"))),
    DECIMAL: st.integers(-(10**9) + 1, 10**9 - 1).map(lambda n: Decimal(n).scaleb(-2)),
    WIDE_DECIMAL: st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(n).scaleb(-3)),
    pa.string(): st.sampled_from(["", "a", "bc", "Zürich", "a longer text than eight"]),
    pa.binary(): st.binary(max_size=3),
}
CODECS = ["snappy", "none", "zstd", "gzip", "brotli", "lz4"]


@pytest.fixture(autouse=True)
def _loaded() -> None:
    for name in ("values_4_4", "values_4_8", "values_8_8", "strings"):
        routines(name).load()
    cache.shrink(0)


def whole(path: Path) -> tuple[ParquetSource, tuple[Split, ...]]:
    forget()
    source = ParquetSource(path)
    return source, source.splits(source.schema.names)


def read(path: Path, most: int, loops: bool, cache_bytes: int = 0) -> pa.Table:
    """All rows, in logical types."""
    source, splits = whole(path)
    names = source.schema.names
    batches = [
        batch
        for split in splits
        for batch in iterate_split(
            split, names, None, most, cache_bytes, loops=PageLoops() if loops else None
        )
    ]
    assert all(isinstance(b, pa.RecordBatch) and b.num_rows <= most for b in batches)
    for batch in batches:
        batch.validate(full=True)
    columns = [
        pa.chunked_array([b.column(i) for b in batches], batches[0].column(i).type).cast(
            source.schema[name].type
        )
        if batches
        else pa.chunked_array([], source.schema[name].type)
        for i, name in enumerate(names)
    ]
    return pa.table(columns, names=names)


def same(a: pa.Table, b: pa.Table) -> bool:
    return a.equals(b) or repr(a.to_pydict()) == repr(b.to_pydict())


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 60))
    columns, fields = [], []
    for i in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(list(TYPES)))
        nullable = draw(st.booleans())
        value = TYPES[dtype]
        if nullable:
            value = draw(st.sampled_from([value, st.none() | value, st.none()]))
        few = draw(st.booleans())
        values = draw(st.lists(value, min_size=min(rows, 3) if few else rows, max_size=rows))
        values = [values[j % len(values)] for j in range(rows)] if rows else []
        columns.append(pa.array(values, dtype))
        fields.append(pa.field(f"c{i}", dtype, nullable))
    return pa.table(columns, schema=pa.schema(fields))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    table=tables(),
    codec=st.sampled_from(CODECS),
    version=st.sampled_from(["1.0", "2.0"]),
    dictionary=st.booleans(),
    page_rows=st.sampled_from([1, 7, 1000]),
    group_rows=st.sampled_from([1, 5, 20, 1000]),
    most=st.sampled_from([3, 25, 4000]),
    as_integers=st.booleans(),
    cache_bytes=st.sampled_from([0, 1 << 20]),
)
def test_loops_decode_what_pyarrow_decodes(
    tmp_path_factory: pytest.TempPathFactory,
    table: pa.Table,
    codec: str,
    version: str,
    dictionary: bool,
    page_rows: int,
    group_rows: int,
    most: int,
    as_integers: bool,
    cache_bytes: int,
) -> None:
    path = tmp_path_factory.mktemp("decode") / "t.parquet"
    pq.write_table(
        table,
        path,
        compression=codec,
        data_page_version=version,
        use_dictionary=dictionary,
        max_rows_per_page=page_rows,
        row_group_size=group_rows,
        store_decimal_as_integer=as_integers,
        dictionary_pagesize_limit=64,
    )
    expected = read(path, 4000, loops=False)
    assert same(read(path, most, True, cache_bytes), expected)
    assert same(read(path, 4000, True, cache_bytes), expected)  # after the cache, if there is one
    with config.set({"compile.checked": True}):
        assert same(read(path, most, True), expected)


def large() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    rows = 30_000
    return {
        "few": rng.integers(0, 3, rows),
        "many": rng.integers(0, 1 << 60, rows),
        "rising": np.arange(rows),
        "runs": np.repeat(np.arange(rows // 1000), 1000),
        "one": np.full(rows, 5),
        "small": rng.integers(0, 70_000, rows).astype(np.int32),
        "real": rng.normal(size=rows),
        "text": [f"text {i % 11}" for i in range(rows)],
        "gaps": [None if i % 3 == 0 else i % 1000 for i in range(rows)],
        "texts": [None if i // 500 % 2 else f"t{i % 300}" for i in range(rows)],
        "nothing": pa.nulls(rows, pa.int64()),
        "free": [f"{'long ' * (i % 30)}{i}" for i in range(rows)],
        "free gaps": [None if i % 5 == 0 else f"{i}" for i in range(rows)],
        "free after few": ["few"] * 7000 + [f"Ünicode {i}" for i in range(7000, rows)],
    }


def as_written(writer: str, path: Path, codec: str) -> None:
    if writer == "duckdb":
        rows = pa.table(large())  # noqa: F841  (DuckDB finds it)
        codec = "uncompressed" if codec == "none" else codec
        duckdb.sql(f"copy rows to '{path}' (format parquet, codec '{codec}', row_group_size 5000)")
    elif writer == "polars":
        codec = "uncompressed" if codec == "none" else codec
        pl.DataFrame(pa.table(large())).write_parquet(path, compression=codec, row_group_size=5000)
    else:
        pa_codec = None if codec == "none" else codec
        pa.table(large()).to_pandas().to_parquet(path, compression=pa_codec, row_group_size=5000)


@pytest.mark.parametrize("writer", ["duckdb", "polars", "pandas"])
@pytest.mark.parametrize("codec", ["snappy", "zstd", "none"])
def test_files_of_other_writers(writer: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    as_written(writer, path, codec)
    assert same(read(path, 1 << 22, True), read(path, 1 << 22, False))
    assert same(read(path, 3000, True), read(path, 3000, False))


def test_row_groups_come_as_one_array(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(large()), path, row_group_size=5000)
    _, (split,) = whole(path)
    names = ["few", "many", "text", "gaps", "free", "free gaps"]
    (batch,) = iterate_split(split, names, None, 1 << 22, loops=PageLoops())
    assert batch.num_rows == 30_000
    pieces = list(iterate_split(split, names, None, 7000, loops=PageLoops()))
    assert [p.num_rows for p in pieces] == [5000] * 6


def test_codes_of_many_different_strings(tmp_path: Path) -> None:
    values = [f"{i * 37 % 10_000} of many" for i in range(200_000)]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"s": values}), path, row_group_size=50_000)
    source, splits = whole(path)
    assert len(splits) > 1
    assert "s" in footer(source.files[0]).coded
    found = [
        text
        for split in splits
        for batch in iterate_split(split, ["s"], None, 1 << 22, loops=PageLoops())
        for text in batch["s"].to_pylist()
    ]
    assert found == values


def test_codes_of_row_groups_of_which_only_some_share_a_dictionary(tmp_path: Path) -> None:
    first, other, third = range(3000), range(3000, 6000), range(2990, 3100)
    values = [f"t{numbers[i % len(numbers)]}" for numbers in (first, other, first, third)
              for i in range(20_000)]  # fmt: skip
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"s": values}), path, row_group_size=20_000)
    source, (split,) = whole(path)
    assert "s" in footer(source.files[0]).coded
    for most in (1 << 22, 20_000):
        found = [
            text
            for batch in iterate_split(split, ["s"], None, most, loops=PageLoops())
            for text in batch["s"].to_pylist()
        ]
        assert found == values


def test_loops_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(large()), path, row_group_size=5000)
    decoded = []
    plain = decode.DecodedColumn.decode

    def counted(column: decode.DecodedColumn, groups: tuple[int, ...]) -> pa.Array:
        made = plain(column, groups)
        decoded.append(groups)
        return made

    monkeypatch.setattr(decode.DecodedColumn, "decode", counted)
    read(path, 1 << 22, True)
    assert len(decoded) == 14


@pytest.mark.parametrize("codec", ["snappy", "none", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_damaged_pages_give_pyarrows_answer_or_error(
    codec: str, version: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.parquet"
    rows = {name: values[:6000] for name, values in large().items()}
    pq.write_table(
        pa.table(rows), path, row_group_size=3000, compression=codec, data_page_version=version
    )
    whole_text = path.read_bytes()
    end = len(whole_text) - 8 - int.from_bytes(whole_text[-8:-4], "little")
    rng = random.Random(f"{codec} {version}")
    for number in range(60):
        damaged = bytearray(whole_text)
        for _ in range(rng.choice([1, 1, 5])):
            damaged[rng.randrange(4, end)] = rng.randrange(256)
        other = tmp_path / f"{number}.parquet"
        other.write_bytes(damaged)
        found: list[pa.Table | None] = []
        for loops in (True, False):
            try:
                found.append(read(other, 4000, loops))
            except (ReadError, pa.ArrowInvalid, UnicodeDecodeError):
                found.append(None)
        # loops do not look at all that pyarrow looks at, but they do not invent rows
        if found[0] is not None and found[1] is not None:
            assert found[0].num_rows == found[1].num_rows == 6000
