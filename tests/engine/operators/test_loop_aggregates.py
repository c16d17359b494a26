"""Aggregates in compiled loops: equal to those of the vectorised tier, and to DuckDB's."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import plait
from plait import config
from plait.engine.operators import loops

ROWS = 3000
WORDS = np.array(["pear", "Apple", "fig", "apple", "zoo", "", "é"])

ANY_ORDER = (
    "stddev(x)",
    "stddev_pop(x)",
    "variance(y)",
    "var_pop(y)",
    "stddev(i)",
    "stddev(m)",
    "sem(y)",
    "skewness(y)",
    "kurtosis(y)",
    "kurtosis_pop(y)",
    "corr(y, x)",
    "covar_samp(i, y)",
    "covar_pop(y, x)",
    "regr_slope(y, x)",
    "regr_intercept(y, x)",
    "regr_r2(y, x)",
    "regr_avgx(y, x)",
    "regr_avgy(y, x)",
    "regr_sxx(y, x)",
    "regr_sxy(y, x)",
    "regr_count(y, x)",
    "min(s)",
    "max(s)",
    "min(upper(s))",
    "min(d)",
    "max(d)",
    "sum(d)",
    "min(x)",
    "max(t)",
    "bit_and(i)",
    "bit_or(i)",
    "bit_xor(i)",
    "product(y)",
    "bool_and(b)",
    "count_if(b)",
    "min(s) filter (where i > 0)",
    "stddev(x) filter (where b)",
    "bit_or(i) filter (where s = 'fig')",
)
IN_ORDER = (
    "first(i)",
    "last(i)",
    "first(s)",
    "last(s)",
    "first(d)",
    "last(d)",
    "first(b)",
    "last(x)",
    "first(t)",
    "any_value(i)",
    "any_value(s)",
    "any_value(d)",
    "any_value(x)",
    "first(s) filter (where b)",
    "last(i) filter (where i % 2 = 0)",
)


def make_rows(seed: int, rows: int = ROWS, groups: int = 40) -> pa.Table:
    rng = np.random.default_rng(seed)

    def some(values: Any, kind: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, kind, mask=rng.random(rows) < 0.15)

    wide = [Decimal(int(v)).scaleb(12) for v in rng.integers(-(10**9), 10**9, rows)]
    return pa.table(
        {
            "g": rng.integers(0, groups, rows),
            "x": some(rng.normal(1e6, 1, rows)),
            "y": some(rng.normal(1, 1, rows)),
            "i": some(rng.integers(-1000, 1000, rows), pa.int32()),
            "m": some([Decimal(int(v)) / 100 for v in rng.integers(0, 10**6, rows)]),
            "s": some(WORDS[rng.integers(0, len(WORDS), rows)]).dictionary_encode(),
            "d": some(wide, pa.decimal128(38, 2)),
            "b": some(rng.random(rows) < 0.5),
            "t": some(rng.integers(0, 10**9, rows), pa.timestamp("us")),
        }
    )


def answer(sql: str, rows: pa.Table, tier: str) -> list[tuple[Any, ...]]:
    compiled = config.set(compile__tier=tier, compile__checked=True)
    with compiled, plait.connect("inline") as session:
        made = session.sql(sql, {"rows": rows}).to_arrow()
    return ordered(made)


def ordered(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(c.to_pylist() for c in table.columns), strict=True), key=repr)


def judge(sql: str, rows: pa.Table) -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.register("rows", rows)
    return sorted(connection.execute(sql).fetchall(), key=repr)


def same(a: Any, b: Any, near: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=near, abs_tol=near)
    return bool(a == b)


def assert_same(
    made: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]], near: float = 1e-9
) -> None:
    assert len(made) == len(wanted)
    for left, right in zip(made, wanted, strict=True):
        assert all(map(same, left, right, [near] * len(left))), f"{left} is not {right}"


FAR = 1e-7  # DuckDB takes moments of large values about zero


@pytest.fixture
def looped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The grouped columns of the loops that ran to their end."""
    seen: list[str] = []
    batch: Callable[[Any], pa.RecordBatch] = loops.GroupTable.batch

    def noted(self: Any) -> pa.RecordBatch:
        made = batch(self)
        seen.extend(made.schema.names)
        return made

    monkeypatch.setattr(loops.GroupTable, "batch", noted)
    return seen


@pytest.mark.parametrize("call", ANY_ORDER)
@pytest.mark.parametrize("keys", ["", "g"])
def test_a_loop_gives_what_the_kernels_and_duckdb_give(
    call: str, keys: str, looped: list[str]
) -> None:
    rows = make_rows(1)
    sql = f"select {keys or 1} as k, {call} as v from rows" + (f" group by {keys}" if keys else "")
    made = answer(sql, rows, "compiled")
    assert looped
    assert_same(made, answer(sql, rows, "vectorised"))
    assert_same(made, judge(sql, rows), FAR)


@pytest.mark.parametrize("call", IN_ORDER)
def test_rows_are_picked_in_order(call: str, looped: list[str]) -> None:
    rows = make_rows(2)
    sql = f"select g, {call} as v from rows group by g"
    made = answer(sql, rows, "compiled")
    assert looped
    assert_same(made, answer(sql, rows, "vectorised"))
    assert_same(made, judge(sql, rows), FAR)


def test_parts_are_merged(looped: list[str]) -> None:
    rows = make_rows(3)
    columns = ", ".join(f"{call} as c{i}" for i, call in enumerate((*ANY_ORDER, *IN_ORDER)))
    sql = f"select g, {columns} from rows group by g"
    parts = {"a": rows.slice(0, 1000), "b": rows.slice(1000, 900), "c": rows.slice(1900)}
    together = " union all ".join(f"select * from {name}" for name in parts)
    parted = f"with rows as ({together}) {sql}"
    with config.set(compile__tier="compiled"), plait.connect("inline") as session:
        made = ordered(session.sql(parted, parts).to_arrow())
    assert looped
    assert_same(made, answer(sql, rows, "vectorised"))
    assert_same(made, judge(sql, rows), FAR)


def test_equal_and_far_values_keep_an_exact_variance() -> None:
    rows = pa.table({"x": [0.1] * 7 + [1e15, 1e15 + 1, 1e15 + 2], "g": [0] * 7 + [1] * 3})
    sql = "select g, var_pop(x) v, variance(x) w from rows group by g"
    assert answer(sql, rows, "compiled") == [(0, 0.0, 0.0), (1, 2 / 3, 1.0)]


def test_infinities_are_left_to_the_kernels() -> None:
    rows = pa.table({"x": [math.inf, 1.0, 2.0], "y": [1.0, 2.0, 3.0]})
    sql = "select regr_avgx(y, x) v from rows"
    assert answer(sql, rows, "compiled") == [(math.inf,)]


def test_no_values_give_what_no_values_give() -> None:
    rows = make_rows(4, 50).filter(pc.field("g") < 0)
    rows = pa.concat_tables([rows, make_rows(4, 10).set_column(0, "g", pa.array([7] * 10))])
    calls = [c for c in (*ANY_ORDER, *IN_ORDER) if "filter" not in c]
    columns = ", ".join(f"{c} filter (where i > 100000) as c{i}" for i, c in enumerate(calls))
    sql = f"select g, {columns} from rows group by g"
    assert_same(answer(sql, rows, "compiled"), judge(sql, rows), FAR)


def test_pandas_picks_and_products() -> None:
    rows = make_rows(5, 400, 6).select(["g", "i", "y", "s"]).to_pandas()
    rows["s"] = rows["s"].astype("str")
    rows["p"] = np.arange(len(rows)) % 3 - 1
    how = {"i": "first", "y": "last", "p": "prod", "s": "max"}
    wanted = rows.groupby("g").agg(how)
    with config.set(compile__tier="compiled", compile__checked=True):
        made = plait.from_pandas(rows).groupby("g").agg(how).compute()
    for name in how:
        assert made[name].tolist() == wanted[name].tolist(), name
