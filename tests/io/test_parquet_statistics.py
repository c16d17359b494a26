"""What Parquet footers tell: bounds that are true, pruning that loses no row, good guesses."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.io.parquet.read import prune
from plait.io.parquet.source import ParquetSource, ParquetSplit
from plait.io.reader import read_split
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.statistics import ColumnStatistics
from plait.planner.types import BOOL, DATE, DOUBLE, INT64, STRING
from tests.io.reading import read_source


def call(function: str, name: str, dtype: pa.DataType, *values: Any) -> Expr:
    return Call(function, (Column(name, dtype), *(Literal(v, dtype) for v in values)), BOOL)


def save(path: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> Path:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, path, **options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("statistics")


# ------------------------------------------------------------------------ statistics, pruning

NUMBERS = st.one_of(st.none(), st.integers(-5, 5))
FLOATS = st.one_of(st.none(), st.sampled_from([-1.5, 0.0, 2.0, math.nan, math.inf]))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "ab", "b", "é"]))
DAYS = st.one_of(st.none(), st.dates(dt.date(2020, 1, 1), dt.date(2020, 1, 6)))
COLUMNS = {"i": (INT64, NUMBERS), "f": (DOUBLE, FLOATS), "s": (STRING, TEXTS), "d": (DATE, DAYS)}
COMPARISONS = {
    "equal": "=", "not_equal": "<>", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip


@st.composite
def predicates(draw: st.DrawFn, depth: int = 2) -> Expr:
    kind = draw(st.sampled_from(["compare", "in", "null", "and", "or", "not"]))
    if depth and kind in ("and", "or"):
        parts = (draw(predicates(depth - 1)), draw(predicates(depth - 1)))
        return Call(kind, parts, BOOL)
    if depth and kind == "not":
        return Call("not", (draw(predicates(depth - 1)),), BOOL)
    name = draw(st.sampled_from(list(COLUMNS)))
    dtype, values = COLUMNS[name]
    if kind == "null":
        return call(draw(st.sampled_from(["is_null", "is_not_null"])), name, dtype)
    if kind == "in":
        return call("in", name, dtype, *draw(st.lists(values, min_size=1, max_size=3)))
    return call(draw(st.sampled_from(list(COMPARISONS))), name, dtype, draw(values))


def to_sql(e: Expr) -> str:
    match e:
        case Column(name):
            return name
        case Literal(None):
            return "NULL"
        case Literal(float(value)):
            return f"'{value}'::double"
        case Literal(value):
            return f"DATE '{value}'" if isinstance(value, dt.date) else repr(value)
        case Call("in", (x, *values)):
            return f"({to_sql(x)} IN ({', '.join(map(to_sql, values))}))"
        case Call("is_null" | "is_not_null" as function, (x,)):
            return f"({to_sql(x)} {function.replace('_', ' ').upper()})"
        case Call("not", (x,)):
            return f"(NOT {to_sql(x)})"
        case Call(function, (a, b)):
            return f"({to_sql(a)} {COMPARISONS.get(function, function)} {to_sql(b)})"
    raise AssertionError(e)


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(*(values for _, values in COLUMNS.values())), min_size=1, max_size=12),
    row_group=st.integers(1, 4),
    predicate=predicates(),
)
def test_pruning_keeps_every_row_that_matches(
    folder: Path, rows: list[tuple[Any, ...]], row_group: int, predicate: Expr
) -> None:
    columns = zip(*rows, strict=True)
    types = [dtype for dtype, _ in COLUMNS.values()]
    arrays = [pa.array(c, t) for c, t in zip(columns, types, strict=True)]
    stored = pa.table([*arrays, pa.array(range(len(rows)))], names=[*COLUMNS, "row"])
    path = folder / "pruned.parquet"
    pq.write_table(stored, path, row_group_size=row_group)
    matching = duckdb.sql(f"select row from stored where {to_sql(predicate)}").fetchall()
    source = ParquetSource(path)
    kept = read_source(source, ["row"], predicate)["row"].to_pylist()
    assert {row for (row,) in matching} <= set(kept)
    assert set(kept) <= set(range(len(rows)))


def test_pruning_leaves_out_what_cannot_match(tmp_path: Path) -> None:
    columns = {"i": list(range(100)), "s": ["x"] * 100}
    path = save(tmp_path / "x.parquet", columns, row_group_size=10)
    source = ParquetSource(path, split_rows=30)
    kept = read_source(source, ["i"], call("greater_equal", "i", INT64, 95))
    assert kept["i"].to_pylist() == list(range(90, 100))
    splits = [s for s in source.splits(["i"]) if isinstance(s, ParquetSplit)]
    bounds = {"i": ColumnStatistics(minimum=35, maximum=41)}
    assert [g for s in splits for g in prune(s, None, bounds)] == [3, 4]
    assert [g for s in splits for g in prune(s, call("equal", "s", STRING, "y"))] == []


def test_bounds_are_true(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    rows = 5000
    table = pa.table(
        {
            "i": pa.array(random.integers(-1000, 1000, rows), pa.int64()),
            "u": pa.array(random.integers(0, 2**63, rows).astype(np.uint64) * 2, pa.uint64()),
            "f": random.normal(size=rows),
            "s": [chr(97 + i % 26) * (i % 90) for i in range(rows)],
            "d": pa.array(random.integers(0, 20000, rows).astype(np.int32), pa.date32()),
            "t": pa.array(random.integers(0, 2**60, rows), pa.timestamp("ns")),
            "z": pa.array(random.integers(0, 2**50, rows), pa.timestamp("us", tz="Asia/Tokyo")),
            "m": pa.array([Decimal(int(v)) / 100 for v in random.integers(-9999, 9999, rows)]),
            "b": random.integers(0, 2, rows).astype(bool),
            "n": pa.array([None if v % 3 else int(v) for v in random.integers(0, 9, rows)]),
        }
    )
    source = ParquetSource(save(tmp_path / "x.parquet", table, row_group_size=700))
    for name in table.column_names:
        splits = source.splits([name])
        parts = [(read_split(s, [name])[name], s.ranges[name]) for s in splits]
        parts.append((table[name], source.statistics.column(name)))
        for column, known in parts:
            values = column.drop_null()
            if pa.types.is_timestamp(values.type):
                values = values.cast(pa.timestamp("us", tz=values.type.tz), safe=False)
            present = values.to_pylist()
            assert known.minimum <= min(present), name
            assert known.maximum >= max(present), name
            assert known.nulls == column.null_count, name
    assert source.statistics.rows == rows
    assert source.statistics.exact


def test_distinct_values_are_guessed_well(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows = 200_000
    columns = {
        "sorted_key": np.arange(rows) // 4,
        "foreign_key": random.integers(0, 30_000, rows),
        "few": random.integers(0, 7, rows),
        "word": random.choice([f"word{i}" for i in range(150)], rows),
        "unique": random.permutation(rows) * 3,
        "day": pa.array((np.arange(rows) // 90).astype(np.int32), pa.date32()),
    }
    path = save(tmp_path / "x.parquet", columns, row_group_size=20_000)
    statistics = ParquetSource(path).statistics
    for name, values in columns.items():
        exact = pc.count_distinct(pa.array(values)).as_py()
        assert statistics.column(name).distinct == pytest.approx(exact, rel=0.15), name


def test_columns_without_nulls_are_declared_so(tmp_path: Path) -> None:
    path = save(tmp_path / "x.parquet", {"full": [1, 2], "holes": [1, None]})
    schema = ParquetSource(path).schema
    assert not schema["full"].nullable
    assert schema["holes"].nullable
