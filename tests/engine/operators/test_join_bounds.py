"""Scans below joins read only what the keys of the other side point to; answers by DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from tests.assertions import assert_same_rows

GROUPS, ROWS = 20, 1 << 15


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows in the order of `day` and `code`; `x` is in no order."""
    path = tmp_path_factory.mktemp("facts") / "facts.parquet"
    random = np.random.default_rng(7)
    count = GROUPS * ROWS
    days = np.arange(count, dtype=np.int32) // 1000
    table = pa.table(
        {
            "day": pa.array(days, pa.date32(), mask=random.random(count) < 0.01),
            "code": pa.array([f"c{n:05}" for n in range(GROUPS)]).take(
                pa.array(np.arange(count) // ROWS)
            ),
            "price": pa.array(np.arange(count) // 7, pa.int64()).cast(pa.decimal128(19, 0)),
            "x": random.integers(0, 1000, count),
        }
    )
    pq.write_table(table, path, row_group_size=ROWS)
    return path


@pytest.fixture(scope="module")
def dims() -> pa.Table:
    days = np.array([100, 101, 130, 0, 655], np.int32)
    return pa.table(
        {
            "d": pa.array(days, pa.date32()),
            "name": ["a", "b", "b", "z", "z"],
            "code": ["c00003", "c00004", "c00004", "c00000", "c00019"],
            "low": pa.array([20_000, 20_001, 40_000, 5, 90_000]).cast(pa.decimal128(19, 0)),
        }
    )


def answers(sql: str, facts: Path, dims: pa.Table) -> tuple[pa.Table, pa.Table, int]:
    """plait's, DuckDB's, and how many rows of the facts were read."""
    with plait.connect("inline", **{"column_cache.bytes": 0}) as session:
        tables = {"facts": session.read_parquet(str(facts)), "dims": session.from_arrow(dims)}
        frame = session.sql(sql, tables)
        found, report = frame.to_arrow(), frame.explain(analyze=True)
    with duckdb.connect() as database:
        database.register("dims", dims)
        database.execute(f"create view facts as from '{facts}'")
        wanted = database.sql(sql).to_arrow_table()
    (line,) = [one for one in report.splitlines() if "ScanSplits facts" in one] or [""]
    return found, wanted, _rows(line)


def _rows(line: str) -> int:
    words = line.split()
    return int(words[words.index("rows") - 1].replace(",", "")) if "rows" in words else -1


JOIN = (
    "select name, count(*) n, sum(x) x from facts join dims on day = d where name <> 'z' group by 1"
)


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        (JOIN, 3),
        (
            "select name, x from facts f join dims d on f.code = d.code where name = 'b' and x < 9",
            2,
        ),
        (JOIN.replace("day = d", "price = low"), 6),
        (JOIN.replace("'z'", "'a'").replace("<>", "="), 1),
        # through a projection and another join
        (
            "select d.name, count(*) n from (select day as e, x, x + 1 y from facts where x > 5) f "
            "join dims d on e = d join dims g on g.code = d.code where d.name = 'a' group by 1",
            1,
        ),
        ("select count(*) n from facts where day in (select d from dims where name = 'b')", 2),
        # nothing can match
        (JOIN.replace("<> 'z'", "= 'nobody'"), 0),
    ],
)
def test_only_the_row_groups_that_keys_point_to(
    sql: str, most: int, facts: Path, dims: pa.Table
) -> None:
    found, wanted, rows = answers(sql, facts, dims)
    assert_same_rows(found, wanted)
    assert rows <= most * ROWS


@pytest.mark.parametrize(
    "sql",
    [
        JOIN.replace("join", "left join").replace("where name <> 'z'", ""),
        "select count(*) n from facts where day not in (select d from dims where name = 'b')",
        "select count(*) n, count(name) m from facts full join dims on day = d",
        "select name, count(x) n from dims left join facts on day = d and name = 'a' group by 1",
        "select count(*) n from facts join dims on day is not distinct from d",
        "select count(*) n, sum((select count(*) from dims where d = day)) s from facts",
        "select name, d from dims where d not in (select day from facts where day is not null)",
    ],
)
@pytest.mark.parametrize("dimension", ["as it is", "of NULLs", "empty"])
def test_what_must_not_be_left_out_is_not(
    sql: str, dimension: str, facts: Path, dims: pa.Table
) -> None:
    changed: dict[str, Any] = {"as it is": dims, "empty": dims.slice(0, 0)}
    nulls = pa.table({f.name: pa.nulls(3, f.type) for f in dims.schema})
    found, wanted, _ = answers(sql, facts, changed.get(dimension, nulls))
    assert_same_rows(found, wanted)
