"""The 22 queries on a Dask and on a Ray cluster; the judge is DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import plait
from plait.scheduler.executor import Executor
from tests.assertions import assert_same_rows
from tests.tpch.data import TABLES, query
from tests.tpch.test_answers import NUMBERS, expected

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", params=["dask_executors", "ray_executors"])
def session(request: pytest.FixtureRequest, tpch_dir: Path) -> Iterator[plait.Session]:
    executors: Callable[[], Executor] = request.getfixturevalue(request.param)
    with plait.Session(executors()) as session:
        for table in TABLES:
            session.register(table, str(tpch_dir / f"{table}.parquet"))
        yield session


@pytest.mark.parametrize("number", NUMBERS)
def test_answers(number: int, session: plait.Session, tpch_dir: Path) -> None:
    assert_same_rows(session.execute(query(number)), expected(tpch_dir)[number])
