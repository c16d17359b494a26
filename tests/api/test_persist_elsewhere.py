"""Persisted frames whose rows stay with an executor of other processes; answers by DuckDB."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import plait
from plait.scheduler.events import Observer
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.local import InlineExecutor
from plait.scheduler.local_run import LocalRun
from tests.assertions import assert_same_rows


class Elsewhere(InlineExecutor):
    """Runs tasks here, but hands out copies, as from another process; counts its results."""

    shares_memory = False  # type: ignore[misc]
    workers = 3
    gathered = 0
    submitting = False

    def submit(
        self, graph: TaskGraph, want: Sequence[Ref], observe: Observer | None = None, **more: Any
    ) -> LocalRun:
        self.submitting = True
        try:
            return super().submit(graph, want, observe, **more)
        finally:
            self.submitting = False

    def gather(self, handles: Sequence[Handle]) -> list[object]:
        values = super().gather(handles)
        if self.submitting:  # for the tasks
            return values
        self.gathered += sum(b.num_rows for v in values if isinstance(v, list) for b in v)
        return [pickle.loads(pickle.dumps(v)) for v in values]

    @property
    def held(self) -> int:
        return sum(map(len, self._kept().values()))


ROWS = 40_000


@pytest.fixture
def session() -> Iterator[plait.Session]:
    with plait.Session(Elsewhere()) as made:
        yield made


@pytest.fixture(scope="module")
def table() -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "k": random.integers(0, 50, ROWS),
            "day": pa.array(np.arange(ROWS, dtype=np.int32), pa.date32()),
            "word": pa.array([f"w{n % 7}" if n % 5 else None for n in range(ROWS)]),
            "price": pa.array(random.integers(0, 10**6, ROWS)).cast(pa.decimal128(19, 0)),
            "x": pa.array(random.random(ROWS), mask=random.random(ROWS) < 0.1),
        }
    )


QUERIES = [
    "select * from t where k > 3",
    "select word, count(*) n, sum(price) p, max(day) d from t group by word",
    "select count(*) n from t",
    "select count(distinct k) n from t where day < date '1990-01-01'",
    "select a.k, count(*) n from t a join t b on a.day = b.day group by a.k",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_answers(sql: str, session: plait.Session, table: pa.Table) -> None:
    kept = session.from_arrow(table).persist()
    with duckdb.connect() as database:
        database.register("t", table)
        wanted = database.sql(sql).to_arrow_table()
    assert_same_rows(session.sql(sql, {"t": kept}).to_arrow(), wanted)


def test_rows_stay_until_the_frame_goes(session: plait.Session, table: pa.Table) -> None:
    executor = session.executor
    assert isinstance(executor, Elsewhere)
    kept = session.sql("select * from t where k < 40", {"t": table}).persist()
    assert executor.gathered == 0
    held = executor.held
    assert held
    found = session.sql("select count(*) n, sum(k) k from t", {"t": kept}).to_arrow().to_pylist()
    wanted = [k for k in table["k"].to_pylist() if k < 40]
    assert found == [{"n": len(wanted), "k": sum(wanted)}]
    assert executor.held == held
    del kept
    gc.collect()
    assert executor.held == 0


def test_what_the_planner_knows(session: plait.Session, table: pa.Table) -> None:
    kept = session.from_arrow(table).persist()
    assert len(kept) == ROWS
    plan = kept[kept.day < np.datetime64("1970-01-05")].explain("stages")
    assert "skipped" in plan or "1 splits" in plan
    assert kept.k.min().compute() == 0


def test_an_empty_frame(session: plait.Session, table: pa.Table) -> None:
    kept = session.sql("select k, word from t where k > 1000", {"t": table}).persist()
    assert session.sql(
        "select count(*) n, max(word) w from t", {"t": kept}
    ).to_arrow().to_pylist() == [{"n": 0, "w": None}]
    assert kept.to_arrow().schema.names == ["k", "word"]
