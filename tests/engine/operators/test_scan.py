"""Scans in whole queries: columns from the cache, and the filter's columns before the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.engine import memory
from plait.engine.memory import Hold, cache_bytes, results_are_full
from plait.engine.operators.compute import row_test
from plait.io.column_cache import cache
from plait.planner.expr import Call, Column, Expr, Literal
from plait.planner.types import BOOL, INT64
from plait.scheduler.context import CancelFlag, Seat, take_seat
from plait.scheduler.scratch import ScratchFolder
from tests.assertions import assert_same_rows

ROWS = 200_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    random = np.random.default_rng(5)
    numbers = random.integers(-5, 1000, ROWS)
    table = pa.table(
        {
            "id": random.permutation(ROWS),
            "x": pa.array(numbers, mask=numbers % 7 == 0),
            "day": pa.array(np.sort(random.integers(0, 2000, ROWS)).astype(np.int32), pa.date32()),
            "word": pa.array([f"w{n}" if n % 5 else None for n in numbers % 40]),
            "price": pa.array(random.integers(-(10**6), 10**6, ROWS))
            .cast(pa.decimal128(19, 0))
            .cast(pa.decimal128(12, 0)),
        }
    )
    where = tmp_path / "t.parquet"
    pq.write_table(table, where, row_group_size=40_000)
    return where


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    cache.shrink(0)
    yield
    cache.shrink(0)


QUERIES = (
    "select * from t where id = 77",
    "select sum(price), count(word), min(day) from t where x is null",
    "select word, count(*) from t where x > 500 and word <> 'w3' group by word",
    "select count(price) from t where word like '%9' or x is null",
    "select id, price from t where x <> 0 and 10 // x > 1 and id < 50",
    "select sum(price) from t where x = 1 and x = 2",
    "select max(id) from t where not (x < 900) and word is not null",
    "select id, word from t where day = date '1971-03-01' and x > 100",
    "select count(*) from t a, t b where a.id = b.x and a.word = 'w1' and b.word = 'w2'",
    "select count(*) from t where null",
)


@pytest.mark.parametrize("room", ["0", "600kB", "auto"])
def test_answers_with_cache_and_without(path: Path, room: str) -> None:
    duck = duckdb.connect()
    duck.execute(f"create view t as from '{path}'")
    with plait.connect(threads=2, column_cache__bytes=room) as session:
        session.register("t", str(path))
        for text in QUERIES * 2:
            assert_same_rows(
                session.sql(text).to_arrow(), duck.sql(text).to_arrow_table(), names=False
            )
            assert cache.bytes <= {"0": 0, "600kB": 600_000, "auto": 1 << 30}[room]
    assert (cache.bytes > 0) == (room != "0")


def test_a_file_that_is_written_again(path: Path) -> None:
    with plait.connect(threads=2) as session:
        text = f"select sum(id), count(*) from '{path}'"
        for rows in (ROWS, 10, 11):
            pq.write_table(pa.table({"id": np.arange(rows)}), path)
            found = session.sql(text).to_arrow().to_pylist()
            assert [list(r.values()) for r in found] == [[rows * (rows - 1) // 2, rows]]
            assert session.sql(text).to_arrow().to_pylist() == found


def test_a_rare_value_costs_its_column_alone(path: Path) -> None:
    with plait.connect("inline") as session:
        session.sql(f"select word, price from '{path}' where id = 77").compute()
    kept = sorted((key.name, len(key.groups)) for key in cache._kept)
    # the predicate's column of five row groups in two stretches, the others where the row is
    assert [k for k in kept if k[0] == "id"] == [("id", 2), ("id", 3)]
    assert [name for name, _ in kept if name != "id"] == ["price", "word"]


def test_two_scans_of_one_plan_decode_once(path: Path) -> None:
    text = f"select sum(a.price) from '{path}' a, '{path}' b where a.id = b.id and b.price > 0"
    with plait.connect("inline") as session:
        misses = cache.misses
        session.sql(text).compute()
        kept = [(key.groups, key.name) for key in cache._kept]
    assert len(kept) == len(set(kept)) == 4  # two columns in two stretches
    assert cache.misses - misses == 4


# --------------------------------------------------------------------------------------- the test


def call(function: str, *args: Expr) -> Expr:
    return Call(function, args, BOOL)


X, Y = Column("x", INT64), Column("y", INT64)


def number(value: int) -> Expr:
    return Literal(value, INT64)


def test_what_may_raise_is_left_to_the_filter() -> None:
    divided = Call("floor_divide", (number(10), X), INT64)
    raising = call("greater", divided, number(1))
    assert row_test(raising) is None
    safe = call("greater", Y, number(3))
    test = row_test(call("and", safe, raising))
    assert test is not None
    assert test.columns == {"y"}
    assert test.passes(pa.record_batch({"y": pa.array([1, None, 4])}))
    assert not test.passes(pa.record_batch({"y": pa.array([1, None, 3])}))
    assert not test.passes(pa.record_batch({"y": pa.array([None, None], pa.int64())}))


def test_conditions_of_one_row_together() -> None:
    test = row_test(call("and", call("equal", X, number(1)), call("equal", Y, number(2))))
    assert test is not None
    apart = pa.record_batch({"x": pa.array([1, 0]), "y": pa.array([0, 2])})
    assert not test.passes(apart)
    assert test.passes(pa.record_batch({"x": pa.array([0, 1]), "y": pa.array([0, 2])}))


# ------------------------------------------------------------------------------------------- memory


def test_the_cache_gives_way_to_results(path: Path) -> None:
    with plait.connect("inline") as session:
        session.sql(f"select sum(id), sum(price) from '{path}'").compute()
    kept = cache.bytes
    assert kept > 3_000_000
    before = memory.held()
    seat = Seat("w", ScratchFolder(), 10_000_000, 2 * (before + 5_000_000))
    seat.run_flag = CancelFlag()
    previous = take_seat(seat)
    try:
        assert not results_are_full()
        assert cache.bytes == kept
        hold = Hold(4_000_000)
        assert cache_bytes(1 << 30) == 1_000_000
        assert not results_are_full()
        assert 0 < cache.bytes <= 1_000_000
        hold.set(6_000_000)
        assert results_are_full()
        assert cache.bytes == 0
        assert cache_bytes(1 << 30) == 0
    finally:
        take_seat(previous)
