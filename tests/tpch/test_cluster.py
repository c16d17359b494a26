"""The 22 queries on a cluster of plait's own; the judge is DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import plait
from plait.scheduler.executor import Executor
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query
from tests.tpch.test_answers import NUMBERS, expected

# a scan with a join and groups, and one with a large build side: the others take long together
QUICK = (3, 18)


@pytest.fixture(scope="module")
def session(cluster_executors: Callable[[], Executor], tpch_dir: Path) -> Iterator[plait.Session]:
    with plait.Session(cluster_executors()) as session:
        for table in TABLES:
            session.register(table, str(tpch_dir / f"{table}.parquet"))
        yield session


@pytest.mark.parametrize(
    "number",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.heavy) for n in NUMBERS],
)
def test_answers(number: int, session: plait.Session, tpch_dir: Path) -> None:
    assert_same_rows(session.execute(query(number)), expected(tpch_dir)[number])
