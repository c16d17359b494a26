"""Scalar functions in compiled loops: equal to the vectorised tier's and to DuckDB's."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import plait
from plait import config
from plait.engine.operators import loops

CALLS = (
    *(
        f"{part}({column})"
        for part in ("year", "quarter", "month", "day", "dayofweek", "isodow", "dayofyear")
        for column in ("t", "d")
    ),
    *(f"{part}({column})" for part in ("hour", "minute", "second") for column in ("t", "d")),
    *(
        f"date_trunc('{part}', t)"
        for part in ("second", "minute", "hour", "day", "week", "month", "year")
    ),
    "greatest(i, j)",
    "least(i, j, 3)",
    "greatest(x, y)",
    "least(y, x)",
    "floor(x)",
    "ceil(x)",
    "trunc(x)",
    "sqrt(abs(x))",
    "case when sqrt(y) >= 0 then 1 else 2 end",
)


def make_rows(count: int = 2000) -> pa.Table:
    rng = np.random.default_rng(9)

    def some(values: Any, kind: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, kind, mask=rng.random(count) < 0.1)

    days = np.concatenate([rng.integers(-700_000, 400_000, count - 800), np.arange(-400, 400)])
    micros = days * 86_400_000_000 + rng.integers(0, 86_400_000_000, count)
    floats = np.array([0.0, -0.0, np.inf, -np.inf, 1.5, -1.5, 2.5, 1e300])
    return pa.table(
        {
            "n": np.arange(count),
            "d": pa.array(days.astype(np.int32), pa.date32()),
            "t": some(micros, pa.timestamp("us")),
            "i": some(rng.integers(-9, 9, count)),
            "j": some(rng.integers(-9, 9, count)),
            "x": some(rng.choice(floats, count)),
            "y": some(rng.normal(0, 9, count)),
        }
    )


@pytest.mark.parametrize("call", CALLS)
def test_a_loop_gives_what_the_kernels_and_duckdb_give(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ran = make_rows(), []
    run = loops.LoopRun.rows

    def noted(self: Any, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        made = run(self, batch)
        ran.extend(self.part.operators)
        return made

    monkeypatch.setattr(loops.LoopRun, "rows", noted)
    sql = f"select n, {call} as v from rows where n >= 3"
    answers = []
    for tier in ("compiled", "vectorised"):
        with config.set(compile__tier=tier, compile__checked=True):
            made = plait.sql(sql, {"rows": rows}).to_arrow().sort_by("n")
        answers.append(repr(made.column("v").to_pylist()))
    assert ran
    connection = duckdb.connect()
    connection.register("rows", rows)
    wanted = connection.sql(f"{sql} order by n").to_arrow_table().column("v")
    assert answers[0] == answers[1]
    assert made.column("v").cast(wanted.type).equals(wanted) or answers[0] == repr(
        wanted.to_pylist()
    )
