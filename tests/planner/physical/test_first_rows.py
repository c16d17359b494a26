"""Which filters above row_number() let rows go before the window."""

from __future__ import annotations

import pytest

from plait.planner import builder as b
from plait.planner.expr import SortKey
from plait.planner.logical import LogicalPlan
from plait.planner.physical.stages import text
from plait.planner.types import INT64
from tests.planner.physical.test_planner import stages, table


def numbered(limit: int, function: str = "row_number", op: str = "less_equal") -> LogicalPlan:
    t = table("t", 1e6, distinct=100)
    call = b.window_call(
        function, partition_by=[b.column(t, "t_k")], order_by=[SortKey(b.column(t, "t_v"), True)]
    )
    plan = b.window(t, [("n", call)])
    return b.filter(plan, b.call(op, b.column(plan, "n"), b.literal(limit, INT64)))


def test_rows_go_before_they_are_sent_away() -> None:
    assert text(stages(numbered(2))) == (
        "Stage 0 x3 -> keep  ~600 rows\n"
        "  FirstRows 2 of each [t_k] by t_v DESC\n"
        "    ScanSplits t [t_k, t_v] 3 splits\n"
        "Stage 1 x1 -> keep  ~300,000 rows\n"
        "  Compute where (n <= 2)\n"
        "    WindowRows row_number() OVER (PARTITION BY t_k ORDER BY t_v DESC) AS n\n"
        "      ReadStage 0 all"
    )


@pytest.mark.parametrize(
    ("op", "limit", "most"),
    [
        ("less_equal", 2, 2),
        ("less", 2, 1),
        ("equal", 3, 3),
        ("less_equal", 0, None),
        ("greater", 2, None),
        ("less_equal", 1000, None),
    ],
)
def test_how_many_are_wanted(op: str, limit: int, most: int | None) -> None:
    found = text(stages(numbered(limit, op=op)))
    assert ("FirstRows" in found) == (most is not None)
    if most is not None:
        assert f"FirstRows {most} of each [t_k] by t_v DESC" in found


def test_conditions_the_other_way_round() -> None:
    t = numbered(1).children()[0]
    seen = b.call("greater_equal", b.literal(4, INT64), b.column(t, "n"))
    assert "FirstRows 4 of" in text(stages(b.filter(t, seen)))
    both = b.call("and", seen, b.call("less", b.column(t, "n"), b.literal(3, INT64)))
    assert "FirstRows 2 of" in text(stages(b.filter(t, both)))


def test_a_window_that_others_read_keeps_its_rows() -> None:
    plan = numbered(2)
    assert "FirstRows" not in text(stages(b.union([plan, plan.children()[0]])))


def test_other_functions_need_all_rows() -> None:
    assert "FirstRows" not in text(stages(numbered(2, "rank")))
    assert "FirstRows" not in text(stages(numbered(2, "dense_rank")))
