"""Stages of windows, duplicates and row numbers over many rows, as text."""

from __future__ import annotations

from plait.planner import builder as b
from plait.planner.expr import SortKey, WindowCall
from plait.planner.logical import LogicalPlan
from plait.planner.physical.stages import text
from tests.planner.physical.test_planner import stages, table


def windowed(plan: LogicalPlan, *calls: WindowCall) -> LogicalPlan:
    return b.window(plan, [(f"w{i}", call) for i, call in enumerate(calls)])


def test_windows_with_the_same_keys_or_more_share_an_exchange_and_rows_stay_at_home() -> None:
    t = table("t", 1e6)
    k, v = b.column(t, "t_k"), b.column(t, "t_v")
    plan = windowed(
        t,
        b.window_call("sum", [v], partition_by=[k]),
        b.window_call("row_number", partition_by=[v, k]),
        b.window_call("row_number"),
    )
    assert text(stages(plan, workers=4)) == (
        "Stage 0 x3 -> keep  ~1,000,000 rows\n"
        "  ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x3 -> keep  ~1,000,000 rows\n"
        "  MarkRows AS #0\n"
        "    Compute \n"
        "      ReadStage 0 part\n"
        "Stage 2 x1 -> home(#0) into 3  ~1,000,000 rows\n"
        "  WindowRows row_number() OVER () AS w2\n"
        "    ReadStage 1 all\n"
        "Stage 3 x3 -> hash(t_k) into 4  ~1,000,000 rows\n"
        "  MarkRows AS #0\n"
        "    Compute t_v, t_k\n"
        "      ReadStage 0 part\n"
        "Stage 4 x4 -> home(#0) into 3  ~1,000,000 rows\n"
        '  Compute "#0" AS #0, w0, w1\n'
        "    WindowRows sum(t_v) OVER (PARTITION BY t_k) AS w0, "
        "row_number() OVER (PARTITION BY t_v, t_k) AS w1\n"
        "      ReadStage 3 part\n"
        "Stage 5 x3 -> keep  ~1,000,000 rows\n"
        "  Compute t_k, t_v, w0, w1, w2\n"
        "    RestoreRows by #0\n"
        "      RestoreRows by #0\n"
        "        ReadStage 0 part\n"
        "        ReadStage 2 part\n"
        "      ReadStage 4 part"
    )
    # two workers would gain no time by it
    assert [s.partitions for s in stages(plan)] == [3, 1]


def test_small_sorts_windows_and_duplicates_are_gathered() -> None:
    t = table("t", 1e4)
    k = b.column(t, "t_k")
    for plan in (
        b.sort(t, [SortKey(k)]),
        windowed(t, b.window_call("row_number", partition_by=[k])),
        b.row_number(t, "n"),
        b.distinct(t, ["t_k"]),
    ):
        assert [s.partitions for s in stages(plan)] == [3, 1]


def test_row_numbers_count_partitions_first() -> None:
    assert text(stages(b.row_number(table("t", 1e6), "n"))) == (
        "Stage 0 x3 -> keep  ~1,000,000 rows\n"
        "  ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x3 -> keep\n"
        "  GroupRows whole by [] count(*) AS n\n"
        "    Compute \n"
        "      ReadStage 0 part\n"
        "Stage 2 x3 -> keep  ~1,000,000 rows\n"
        "  NumberRows AS n\n"
        "    ReadStage 0 part\n"
        "    ReadStage 1 all"
    )


def test_duplicates_are_looked_for_by_keys_and_places() -> None:
    plan = b.distinct(table("t", 1e6, distinct=1e6), ["t_k"])
    assert text(stages(plan)) == (
        "Stage 0 x3 -> keep  ~1,000,000 rows\n"
        "  ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x3 -> hash(t_k) into 2  ~1,000,000 rows\n"
        "  MarkRows AS #0\n"
        "    Compute t_k\n"
        "      ReadStage 0 part\n"
        "Stage 2 x2 -> home(#0) into 3  ~1,000,000 rows\n"
        '  Compute "#0" AS #0\n'
        "    DistinctRows on [t_k] keep=first\n"
        "      ReadStage 1 part\n"
        "Stage 3 x3 -> keep  ~632,121 rows\n"
        "  RestoreRows by #0\n"
        "    ReadStage 0 part\n"
        "    ReadStage 2 part"
    )
