"""DISTINCT aggregates beside ordinary ones: equal to DuckDB's, in both tiers, in 1 and 3 parts."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import plait
from plait import config

QUERIES = (
    "select g, count(distinct x) d, sum(y) s, count(*) n, avg(y) a from rows group by g",
    "select count(distinct x) d, sum(y) s, count(*) n, min(w), max(w) from rows",
    "select g, w, count(distinct x) d, sum(distinct x) e, avg(distinct x) f, count(y) from rows "
    "group by g, w",
    "select g, count(distinct w) d, stddev(y), corr(y, x), max(x) from rows group by g",
    "select g, count(distinct x) d, count(x) c, sum(x) s from rows group by g having count(*) > 9",
    "select count(distinct x) d, count(*) filter (where y > 0) c from rows where g > 100",
    "select g, count(distinct x) filter (where y > 0) d, count(*) n from rows group by g",
    "select g, count(distinct x) d, count(distinct w) e, count(*) n from rows group by g",
    "select g, count(distinct f) d, sum(y) n from rows group by g",
    "select g % 3 k, count(distinct x + 1) d, count(distinct x + 1) + sum(y) n from rows "
    "group by k",
    "select g, count(distinct g) d, sum(y) n from rows group by g",
)


def make_rows(count: int = 3000) -> pa.Table:
    rng = np.random.default_rng(5)

    def some(values: Any) -> pa.Array:
        return pa.array(values, mask=rng.random(count) < 0.1)

    words = np.array(["pear", "apple", "fig", "", "é"])
    return pa.table(
        {
            "g": some(rng.integers(0, 20, count)),
            "x": some(rng.integers(0, 40, count)),
            "y": some(rng.integers(-9, 9, count)),
            "w": some(words[rng.integers(0, 5, count)]).dictionary_encode(),
            "f": some(rng.choice([0.0, -0.0, 1.5, math.nan, math.inf], count)),
        }
    )


def ordered(table: pa.Table) -> list[tuple[Any, ...]]:
    def shown(value: Any) -> Any:
        return float(f"{value:.9g}") if isinstance(value, float) else value

    columns = [c.to_pylist() for c in table.columns]
    return sorted((tuple(map(shown, row)) for row in zip(*columns, strict=True)), key=repr)


@pytest.mark.parametrize("sql", QUERIES)
@pytest.mark.parametrize("tier", ["compiled", "vectorised"])
def test_distinct_beside_others(sql: str, tier: str) -> None:
    rows = make_rows()
    connection = duckdb.connect()
    connection.register("rows", rows)
    wanted = ordered(connection.sql(sql).to_arrow_table())
    thirds = {"a": rows.slice(0, 1000), "b": rows.slice(1000, 900), "c": rows.slice(1900)}
    together = " union all ".join(f"select * from {name}" for name in thirds)
    tiers = config.set(compile__tier=tier, compile__checked=True)
    with tiers, plait.connect("inline") as session:
        assert ordered(session.sql(sql, {"rows": rows}).to_arrow()) == wanted
        parted = session.sql(f"with rows as ({together}) {sql}", thirds)
        assert ordered(parted.to_arrow()) == wanted
