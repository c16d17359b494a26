"""The driver: early stops, equal sub-plans once, results released, errors with their place."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.engine.operators import join
from plait.errors import ConversionError
from plait.io.memory import ArrowSource
from plait.io.parquet.source import ParquetSource
from plait.planner import builder as b
from plait.planner.expr import Expr
from plait.planner.schema import Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import Statistics
from plait.runner import Runner
from plait.scheduler.events import Event, TaskFinished
from plait.scheduler.graph import TaskGraph
from plait.scheduler.local import InlineExecutor, ThreadExecutor


class Counted:
    """A table that remembers which of its splits were asked for."""

    def __init__(self, table: pa.Table, pieces: int) -> None:
        self.inner = ArrowSource(table, splits=pieces)
        self.name, self.identity = "counted", self.inner.identity

    @property
    def schema(self) -> Schema:
        return self.inner.schema

    @property
    def statistics(self) -> Statistics:
        return self.inner.statistics

    def pushdown(self, predicate: Expr) -> Pushdown:
        return Pushdown.NONE

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        return self.inner.splits(columns)


@pytest.fixture(params=["inline", "threads"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    executor = InlineExecutor() if request.param == "inline" else ThreadExecutor(2)
    with executor:
        yield Runner(executor)


TABLE = pa.table({"k": [i % 7 for i in range(1000)], "v": list(range(1000))})


def test_scans_of_files_tell_what_they_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=100)
    source = ParquetSource(tmp_path / "t.parquet", split_rows=100)
    graphs: list[TaskGraph] = []
    with InlineExecutor() as executor:
        submit = executor.submit

        def noted(graph: TaskGraph, *args: Any, **more: Any) -> Any:
            graphs.append(graph)
            return submit(graph, *args, **more)

        monkeypatch.setattr(executor, "submit", noted)
        for source_of in (source, Counted(TABLE, 10)):
            Runner(executor).execute(b.distinct(b.scan(source_of)))
    files, memory = graphs
    scans = [task.id for task in files if files.group_of(task.id).source]
    assert len(scans) > 1
    assert files.affinities == dict(
        zip(scans, [split.affinity for split in source.splits(["k", "v"])], strict=True)
    )
    assert memory.affinities == {}


def test_limit_reads_few_partitions(runner: Runner) -> None:
    scan = b.scan(Counted(TABLE, 100))
    events: list[Event] = []
    runner.observe = events.append
    table = runner.execute(b.limit(scan, 5, 7))
    assert table["v"].to_pylist() == list(range(7, 12))
    reads = [e for e in events if isinstance(e, TaskFinished)]
    assert len(reads) < 10  # of 100


def test_limit_of_a_selective_filter_reads_on_until_it_has_enough(runner: Runner) -> None:
    scan = b.scan(Counted(TABLE, 100))
    late = b.filter(scan, b.call("greater_equal", b.column(scan, "v"), b.literal(990)))
    assert runner.execute(b.limit(late, 3))["v"].to_pylist() == [990, 991, 992]
    assert runner.execute(b.limit(late, 50)).num_rows == 10


def test_tail_keeps_order(runner: Runner) -> None:
    scan = b.scan(Counted(TABLE, 10))
    assert runner.execute(b.limit(scan, 3, from_end=True))["v"].to_pylist() == [997, 998, 999]


def test_row_order_is_kept_over_partitions(runner: Runner) -> None:
    scan = b.scan(Counted(TABLE, 13))
    odd = b.filter(scan, b.call("equal", b.column(scan, "k"), b.literal(3)))
    expected = [v for v in range(1000) if v % 7 == 3]
    assert runner.execute(odd)["v"].to_pylist() == expected


def test_nothing_is_left_behind(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[object]] = []
    original = join.JoinTable.__init__

    def noted(self: join.JoinTable, batch: pa.RecordBatch) -> None:
        original(self, batch)
        made.append(weakref.ref(self))

    monkeypatch.setattr(join.JoinTable, "__init__", noted)
    left, right = b.scan(Counted(TABLE, 5)), b.rename(b.scan(Counted(TABLE, 5)), ["a", "b"])
    same = b.call("equal", b.column(left, "v"), b.column(right, "b"))
    assert runner.execute(b.join(left, right, "inner", same)).num_rows == 1000
    gc.collect()
    assert made
    assert all(ref() is None for ref in made)


def test_an_error_tells_the_plan_step_and_the_next_query_runs(runner: Runner) -> None:
    words = pa.table({"s": ["1", "x", "3"]})
    scan = b.scan(Counted(words, 3))
    wrong = b.project(scan, [("n", b.cast(b.column(scan, "s"), pa.int64()))])
    with pytest.raises(ConversionError, match="'x'") as caught:
        runner.execute(wrong)
    assert "Compute CAST(s AS BIGINT)" in "".join(caught.value.__notes__)
    assert runner.execute(scan).num_rows == 3


def test_row_groups_without_matches_are_not_read(tmp_path: Path, runner: Runner) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=100)
    scan = b.scan(ParquetSource(path))
    some = b.filter(scan, b.call("less", b.column(scan, "v"), b.literal(150)))
    assert runner.execute(some).num_rows == 150
    text = runner.explain(some, analyze=True)
    assert "150 rows" in text


@pytest.mark.parametrize("level", ["logical", "optimized", "stages", "tasks"])
def test_every_level_has_a_text(level: str) -> None:
    frame = plait.from_arrow(TABLE)
    grouped = plait.sql("select k, sum(v) as s from frame group by k order by k", {"frame": frame})
    text = grouped.explain(level)
    assert {"logical": "Aggregate", "optimized": "Scan", "stages": "Stage 0", "tasks": "1 tasks"}[
        level
    ] in text


def test_drawing_is_svg(tmp_path: Path) -> None:
    frame = plait.from_arrow(TABLE)
    path = tmp_path / "plan.svg"
    frame[frame.v > 3].visualize(str(path))
    assert path.read_text().startswith("<svg")
    with pytest.raises(ValueError, match=r"\.svg"):
        frame.visualize(str(tmp_path / "plan.png"))


def test_a_sub_plan_read_in_two_places_has_the_columns_of_both(runner: Runner) -> None:
    """One place needs k of it, the other v; both are build sides, which are kept between steps."""
    part = b.filter(
        (small := b.scan(Counted(TABLE, 4))),
        b.call("less", b.column(small, "v"), b.literal(20)),
    )
    keys, values = b.select(part, ["k"]), b.select(part, ["v"])
    both = b.join(b.rename(b.distinct(keys), ["dk"]), b.rename(values, ["dv"]), "cross")
    big = b.scan(Counted(TABLE, 4))
    same = b.call("equal", b.column(big, "v"), b.column(both, "dv"))
    table = runner.execute(b.join(big, both, "inner", same))
    assert sorted(zip(*(table[n].to_pylist() for n in ("v", "dv", "dk")), strict=True)) == [
        (v, v, k) for v in range(20) for k in range(7)
    ]
