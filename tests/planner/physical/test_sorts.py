"""Stages of large sorts as text."""

from __future__ import annotations

from plait.planner import builder as b
from plait.planner.expr import SortKey
from plait.planner.physical.stages import text
from tests.planner.physical.test_planner import stages, table


def test_a_large_sort_is_cut_into_ranges_by_samples() -> None:
    t = table("t", 1e7)
    found = stages(b.sort(t, [SortKey(b.column(t, "t_v"), descending=True)]), workers=4)
    assert text(found) == (
        "Stage 0 x3 -> keep  ~10,000,000 rows\n"
        "  ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x3 -> keep\n"
        "  SampleRows\n"
        "    MarkRows AS #0\n"
        "      Compute t_v\n"
        "        ReadStage 0 part\n"
        "Stage 2 x1 -> keep\n"
        '  RangeBounds by [t_v DESC, "#0"] for 10\n'
        "    ReadStage 1 all\n"
        "Stage 3 x3 -> range into 10  ~10,000,000 rows\n"
        '  CutRanges by [t_v DESC, "#0"]\n'
        "    MarkRows AS #0\n"
        "      ReadStage 0 part\n"
        "    ReadStage 2 all\n"
        "Stage 4 x10 -> keep  ~10,000,000 rows\n"
        "  SortRows by [t_v DESC]\n"
        "    ReadStage 3 part"
    )
