"""Rows that are told block by block whether they pass: filters and joins of which few do."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import plait
from plait import config
from plait.engine.codegen.loop import LoopEmitter
from plait.engine.operators import loops
from tests.assertions import assert_same_rows

SIZES = [1, 7, 8, 9, 1023, 1024, 1025, 3 * 1024 + 5]


def rows(count: int, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    missing = rng.random(count) < 0.1
    return pa.table(
        {
            "k": pa.array(rng.integers(-500, 500, count), mask=missing),
            "j": rng.integers(0, 40_000, count),
            "v": np.arange(count),
            "x": rng.normal(size=count),
        }
    )


def few(keys: int, seed: int = 2) -> pa.Table:
    """Keys of which most rows have none, some of them twice or NULL."""
    rng = np.random.default_rng(seed)
    k = rng.choice(np.arange(-480, 480), keys)
    j = rng.integers(0, 40_000, keys)
    return pa.table({"k": pa.array(k, mask=rng.random(keys) < 0.1), "j": j, "w": np.arange(keys)})


@pytest.fixture(params=[False, True], ids=["plain", "checked"], autouse=True)
def _compiled(request: pytest.FixtureRequest) -> Any:
    with config.set({"compile.tier": "compiled", "compile.checked": request.param}):
        yield


def same(query: str, **tables: pa.Table) -> None:
    found = plait.sql(query, tables=tables).to_arrow()
    with duckdb.connect() as duck:
        for name, table in tables.items():
            duck.register(name, table)
        expected = duck.sql(query).to_arrow_table()
    assert_same_rows(found, expected)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("condition", ["x > 3", "x > 1", "x < 9", "x > 9", "k > 0 AND x < 0.5"])
def test_filters(count: int, condition: str) -> None:
    same(f"SELECT v, j FROM t WHERE {condition}", t=rows(count))


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("keys", [1, 5, 100])
def test_few_rows_find_a_match(count: int, keys: int) -> None:
    t, d = rows(count), few(keys)
    same("SELECT v, w FROM t JOIN d ON t.k = d.k", t=t, d=d)
    same("SELECT v, w FROM t JOIN d ON t.k = d.k WHERE x > 0", t=t, d=d)
    same("SELECT v FROM t WHERE k IN (SELECT k FROM d)", t=t, d=d)
    same("SELECT sum(v), count(*) FROM t SEMI JOIN d ON t.k = d.k", t=t, d=d)


@pytest.mark.parametrize("keys", [1, 60, 400])
def test_several_keys(keys: int) -> None:
    t, d = rows(20_000), few(keys)
    # what is there is found as well
    some = t.slice(5, keys).select(["k", "j"]).append_column("w", pa.array(np.arange(keys)))
    d = pa.concat_tables([d, some.cast(d.schema)])
    same("SELECT v, w FROM t JOIN d ON t.k = d.k AND t.j = d.j", t=t, d=d)
    same("SELECT v, w FROM t JOIN d ON t.k = d.k AND t.j = d.j WHERE t.x < 1", t=t, d=d)
    same("SELECT v FROM t SEMI JOIN d ON t.j = d.j AND t.k = d.k", t=t, d=d)


def test_keys_far_apart() -> None:
    wide = np.arange(3000) * (1 << 40)
    t = pa.table({"k": np.tile(wide, 3), "v": np.arange(9000)})
    d = pa.table({"k": wide[::97], "w": np.arange(len(wide[::97]))})
    same("SELECT v, w FROM t JOIN d USING (k)", t=t, d=d)


def test_gates_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    gates: list[list[str]] = []
    in_blocks = LoopEmitter._in_blocks

    def noted(loop: LoopEmitter, conditions: Any, gate: Any, *rest: Any) -> None:
        gates.append([bound.name for bound in gate.keys])
        in_blocks(loop, conditions, gate, *rest)

    monkeypatch.setattr(loops.LoopEmitter, "_in_blocks", noted)
    t, d = rows(20_000), few(50)
    same("SELECT v, w FROM t JOIN d ON t.k = d.k", t=t, d=d)
    assert gates == [["k"]]
    gates.clear()
    wide = d.set_column(1, "j", pa.array(np.arange(50) * (1 << 25)))
    same("SELECT v, w FROM t JOIN d ON t.k = d.k AND t.j = d.j", t=t, d=wide)
    assert gates == [["k"]]  # one key of the two
