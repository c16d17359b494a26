"""Stages as text: which exchanges, which side is built, what is decided from measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from plait.planner import builder as b
from plait.planner.estimate import Estimator
from plait.planner.expr import Expr, SortKey
from plait.planner.logical import LogicalPlan
from plait.planner.physical.operators import HashJoin, ReadStage, ScanSplits
from plait.planner.physical.planner import Finished, Settings, Step, plan_step
from plait.planner.physical.stages import Stage, text
from plait.planner.schema import Schema
from plait.planner.source import Pushdown, Split
from plait.planner.statistics import ColumnStatistics, Statistics
from plait.planner.types import INT64

SPAN = 10**8


@dataclass(frozen=True)
class FakeTable:
    """Some splits with ranges of `k`: split i holds span i ... span (i + 1) - 1."""

    name: str
    rows: float
    pieces: int = 3
    columns: tuple[str, ...] = ("k", "v")
    distinct: float | None = None
    identity: str = field(default="fake")
    span: int = SPAN

    @property
    def schema(self) -> Schema:
        return Schema.of((f"{self.name}_{c}", INT64) for c in self.columns)

    @property
    def statistics(self) -> Statistics:
        key = ColumnStatistics(0, self.span * self.pieces - 1, 0, self.distinct or self.rows)
        return Statistics(self.rows, self.rows * 16, {f"{self.name}_k": key}, exact=True)

    def pushdown(self, predicate: Expr) -> Pushdown:
        return Pushdown.INEXACT

    def splits(self, columns: Sequence[str]) -> tuple[Split, ...]:
        return tuple(
            Split(
                int(self.rows / self.pieces),
                None,
                {f"{self.name}_k": ColumnStatistics(self.span * i, self.span * (i + 1) - 1, 0)},
            )
            for i in range(self.pieces)
        )


def table(name: str, rows: float, pieces: int = 3, distinct: float | None = None) -> LogicalPlan:
    return b.scan(FakeTable(name, rows, pieces, distinct=distinct, identity=name), name=name)


def dense(name: str, rows: int) -> LogicalPlan:
    """A table whose keys number its rows."""
    return b.scan(FakeTable(name, rows, identity=name, span=rows // 3), name=name)


def joined(left: LogicalPlan, right: LogicalPlan, kind: str = "inner") -> LogicalPlan:
    keys = left.schema.names[0], right.schema.names[0]
    same = b.call("equal", b.column(left, keys[0]), b.column(right, keys[1]))
    return b.join(left, right, kind, same)


def stages(plan: LogicalPlan, **settings: int) -> tuple[Stage, ...]:
    return plan_step(plan, Settings(**settings), {}, adaptive=False).stages


def join_of(found: Sequence[Stage]) -> HashJoin:
    (join,) = (op for s in found for op in s.root.walk() if isinstance(op, HashJoin))
    return join


def grouped(plan: LogicalPlan) -> LogicalPlan:
    name, value = plan.schema.names
    keys = [(name, b.column(plan, name))]
    return b.aggregate(plan, keys, [("m", b.aggregate_call("avg", [b.column(plan, value)]))])


def test_small_groups_are_gathered_and_merged() -> None:
    assert text(stages(grouped(table("t", 1e6, distinct=10)))) == (
        "Stage 0 x3 -> keep\n"
        "  GroupRows partial by [t_k] sum(t_v) AS #part0, count(t_v) AS #part1\n"
        "    ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x1 -> keep  ~10 rows\n"
        '  Compute t_k, mean_of("#part0", "#part1") AS m\n'
        '    GroupRows merge by [t_k] sum("#part0") AS #part0, count_merge("#part1") AS #part1\n'
        "      ReadStage 0 all"
    )


def test_many_groups_are_merged_in_several_tasks() -> None:
    found = stages(grouped(table("t", 1e7, distinct=1e6)))
    assert str(found[0].output) == "hash(t_k) into 2"
    assert found[1].partitions == 2


def test_groups_as_many_as_rows_are_not_grouped_twice() -> None:
    found = stages(grouped(table("t", 1e7, distinct=1e7)))
    assert "GroupRows whole" in text(found)
    assert "partial" not in text(found)


def test_one_partition_needs_no_exchange() -> None:
    (stage,) = stages(grouped(table("t", 1e6, pieces=1)))
    assert "GroupRows whole" in str(stage)


def test_the_smaller_side_is_built_and_broadcast() -> None:
    for plan in (
        joined(table("big", 1e6), table("small", 100)),
        joined(table("small", 100), table("big", 1e6)),
    ):
        join = join_of(stages(plan))
        assert join.probe_keys == ("big_k",)
        assert isinstance(join.build, ReadStage)
        assert join.build.how == "table"


@pytest.mark.parametrize("kind", ["left", "semi", "anti", "single"])
def test_outer_side_streams_whatever_its_size(kind: str) -> None:
    join = join_of(stages(joined(table("small", 100), table("big", 1e6), kind)))
    assert join.probe_keys == ("small_k",)
    assert join.kind == kind


def test_right_join_is_a_left_join_from_the_other_side() -> None:
    join = join_of(stages(joined(table("a", 1e6), table("z", 1e3), "right")))
    assert (join.kind, join.probe_keys) == ("left", ("z_k",))


def test_a_large_build_side_is_shuffled() -> None:
    found = stages(joined(table("big", 1e7), table("large", 1e6)), broadcast_bytes=1000)
    join = join_of(found)
    assert isinstance(join.probe, ReadStage)
    assert (join.probe.how, join.build.how) == ("part", "part")  # type: ignore[attr-defined]
    assert {str(s.output) for s in found[:2]} == {"hash(big_k) into 3", "hash(large_k) into 3"}


@pytest.mark.parametrize(
    ("kind", "built"), [("left", "right"), ("semi", "right_semi"), ("anti", "right_anti")]
)
def test_a_small_left_side_is_built_where_the_right_one_is_too_large(kind: str, built: str) -> None:
    small, large = table("a", 1e3), table("z", 1e6)
    join = join_of(stages(joined(small, large, kind), broadcast_bytes=10_000))
    assert (join.kind, join.build_keys) == (built, ("a_k",))
    # a table that all tasks share cannot tell which of its rows nothing matched
    assert join_of(stages(joined(small, large, kind))).kind == kind
    alike = joined(table("b", 1e6), large, kind)
    assert join_of(stages(alike, broadcast_bytes=10_000)).kind == kind


def test_full_joins_bring_both_sides_together() -> None:
    join = join_of(stages(joined(table("a", 1e6), table("z", 1e3), "full")))
    assert isinstance(join.probe, ReadStage)
    assert join.probe.how == "part"


def test_splits_that_cannot_match_are_left_out() -> None:
    t = table("t", 300)
    over = b.call("greater", b.column(t, "t_k"), b.literal(SPAN + 1))
    scan = b.scan(t.source, name="t")  # type: ignore[attr-defined]
    (stage,) = stages(b.filter(replace(scan, predicate=over), over))
    (read,) = (op for op in stage.root.walk() if isinstance(op, ScanSplits))
    assert (len(read.partitions), read.pruned) == (2, 1)


def test_topn_sorts_each_partition_first() -> None:
    t = table("t", 1e6)
    ordered = b.sort(t, [SortKey(b.column(t, "t_v"), descending=True)])
    assert text(stages(replace(ordered, limit=5))).count("SortRows by [t_v DESC] first 5") == 2


def test_equal_subplans_run_once() -> None:
    g = grouped(table("t", 1e6, distinct=10))
    again = b.rename(g, ["x", "y"])
    plan = b.join(g, again, "inner", b.call("less", b.column(g, "m"), b.column(again, "y")))
    assert text(stages(plan)).count("ScanSplits") == 1


def equal_to(plan: LogicalPlan, number: int) -> LogicalPlan:
    column = b.column(plan, plan.schema.names[0])
    return b.filter(plan, b.call("equal", column, b.literal(number)))


def test_a_filter_that_leaves_few_rows_runs_once() -> None:
    """Also if its readers want other columns."""
    rows = equal_to(table("t", 1e6), 7)
    keys = b.project(rows, [("k", b.column(rows, "t_k"))])
    plan = joined(rows, grouped(b.project(keys, [(n, b.column(keys, "k")) for n in "xy"])))
    found = text(stages(plan))
    assert found.count("ScanSplits") == 1
    assert found.count("where") == 1


def test_a_filter_that_leaves_many_rows_is_done_again() -> None:
    rows = filtered(table("t", 1e6))
    assert text(stages(joined(rows, b.rename(rows, ["x", "y"])))).count("ScanSplits") == 2


def test_a_filter_within_what_runs_once_is_no_stage_of_its_own() -> None:
    g = grouped(equal_to(table("t", 1e6, distinct=10), 7))
    again = b.rename(g, ["x", "y"])
    plan = b.join(g, again, "inner", b.call("less", b.column(g, "m"), b.column(again, "y")))
    found = stages(plan)
    assert "GroupRows partial" in text(found[:1])
    assert text(found).count("ScanSplits") == 1


def run_step(step: Step, rows: float) -> dict[LogicalPlan, Finished]:
    by_id = {s.id: s for s in step.stages}
    return {
        plan: Finished(
            number,
            by_id[number].root.schema,
            by_id[number].partitions,
            Statistics(rows, rows * 16, exact=True),
        )
        for plan, number in step.targets.items()
    }


def filtered(plan: LogicalPlan) -> LogicalPlan:
    return b.filter(plan, b.call("less", b.column(plan, plan.schema.names[1]), b.literal(5)))


def test_the_build_side_runs_first_and_its_measure_decides() -> None:
    build = filtered(table("build", 1e6))
    plan = joined(table("probe", 1e8), build)
    settings = Settings(broadcast_bytes=1_000_000)
    first = plan_step(plan, settings, {})
    assert first.final is None
    assert list(first.targets) == [build]
    small = plan_step(plan, settings, run_step(first, 100), next_id=10)
    assert join_of(small.stages).build.how == "table"  # type: ignore[attr-defined]
    large = plan_step(plan, settings, run_step(first, 1e6), next_id=10)
    assert join_of(large.stages).build.how == "part"  # type: ignore[attr-defined]
    assert all(s.id >= 10 for s in large.stages)


def test_independent_build_sides_run_in_one_step_and_nested_ones_first() -> None:
    a, c = filtered(table("a", 1e6)), filtered(table("c", 1e6))
    inner = joined(filtered(table("x", 2e6)), a)
    plan = joined(joined(table("p", 1e8, distinct=1e6), inner), c)
    first = plan_step(plan, Settings(), {})
    assert set(first.targets) == {a, c}
    second = plan_step(plan, Settings(), run_step(first, 1e5), next_id=10)
    assert set(second.targets) == {inner}
    done = {**run_step(first, 1e5), **run_step(second, 1e5)}
    assert plan_step(plan, Settings(), done, next_id=20).final is not None


def test_a_small_table_is_built_if_its_keys_number_its_rows() -> None:
    few = filtered(table("few", 1e5))
    numbered = dense("numbered", 90_000)
    first = plan_step(joined(few, numbered), Settings(), {})
    assert first.final is not None  # nothing is to be measured
    assert join_of(first.stages).build_keys == ("numbered_k",)
    for other in (table("sparse", 9e4), dense("far", 900_000), filtered(dense("part", 270_000))):
        assert join_of(stages(joined(few, other))).build_keys == ("few_k",)


def test_limit_stops_early() -> None:
    plan = b.limit(table("t", 1e6), 5)
    first = plan_step(plan, Settings(), {})
    (stage,) = first.stages
    assert (stage.stop_after, first.final) == (5, None)
    assert Estimator().statistics(plan).rows == 5
