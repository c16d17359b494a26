"""Whole queries when next to nothing fits into memory; the judge is DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from tests.assertions import assert_same_rows

ROWS = 20_000
QUERIES = {
    "groups": "select k, count(*), sum(v), min(s) from t group by k",
    "strings": "select s, count(distinct k) from t group by s",
    "median": "select k % 7, median(v) from t group by all",
    "distinct": "select distinct k, s from t",
    "sort": "select * from t order by s desc nulls last, v, k",
    "first": "select * from t order by v, k, s limit 1000",
    "window": "select *, row_number() over (partition by s order by v, k) as number, "
    "sum(v) over (partition by k % 10) as total from t",
    "join": "select t.k, u.s, count(*) from t join u on t.k = u.k group by all",
    "full": "select t.k as a, u.k as b, count(*) from t full join u on t.k = u.k + 100 "
    "group by all",
    "skew": "select one, count(*), max(u.v) from (select *, 1 as one from t where k < 300) l join "
    "(select *, 1 as one from u where k < 300) u using (one) group by one",
    "keyless": "select count(*) from t join u on t.v < u.k where t.k < 200 and u.v < 100",
    "semi": "select * from t where k in (select k from u where v > 5000)",
    "not in": "select * from t where k not in (select k + 300 from u)",
    "not in nulls": "select count(*) from t where k not in (select nullif(k, 7) from u)",
    "any": "select k, k in (select nullif(v, 3) from u) as has from t",
    "union": "select k from t union select v from u",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(5)
    for name in ("t", "u"):
        keys = random.integers(0, 3000, ROWS)
        table = pa.table(
            {
                "k": pa.array(keys, mask=keys % 97 == 0),
                "v": random.integers(0, 10_000, ROWS),
                "s": pa.array([f"text {i % 1500}" for i in random.integers(0, 9999, ROWS)]),
            }
        )
        pq.write_table(table, path / f"{name}.parquet", row_group_size=4000)
    return path


@pytest.fixture(scope="module")
def tight(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[plait.Session]:
    spill = tmp_path_factory.mktemp("spill")
    with plait.connect(
        threads=2, memory_limit="200kB", spill_directory=str(spill), partition__bytes="100kB"
    ) as session:
        for name in ("t", "u"):
            session.register(name, str(folder / f"{name}.parquet"))
        yield session
    assert list(spill.iterdir()) == []


@pytest.mark.parametrize("name", QUERIES)
def test_answers(name: str, tight: plait.Session, folder: Path) -> None:
    with duckdb.connect() as connection:
        for table in ("t", "u"):
            connection.execute(f"create view {table} as from '{folder}/{table}.parquet'")
        expected = connection.sql(QUERIES[name]).to_arrow_table()
    answer = tight.execute(QUERIES[name])
    assert_same_rows(answer, expected, ordered=name in ("sort", "first"))


def test_dropped_duplicates_keep_their_order(tight: plait.Session, folder: Path) -> None:
    pandas = pq.read_table(folder / "t.parquet").to_pandas()
    expected = pandas.drop_duplicates("s")["v"].tolist()
    frame = tight.read_parquet(str(folder / "t.parquet")).drop_duplicates("s")
    assert frame.compute()["v"].tolist() == expected
