"""Joins that build their left side because it is much smaller: unmatched rows come exactly once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.differential.systems import Way, check

SMALL = pa.table(
    {
        "k": pa.array([1, 1, 2, None, 40, 7], pa.int64()),
        "x": pa.array([3, None, 2, 1, 5, 50], pa.int64()),
        "s": pa.array(["a", "b", None, "a", "c", "b"]),
    }
)
LARGE = pa.table(
    {
        "k": pa.array([None if i % 7 == 0 else i % 11 for i in range(90)], pa.int64()),
        "y": pa.array([None if i % 5 == 0 else i for i in range(90)], pa.int64()),
        "s": pa.array(["abcd"[i % 4] for i in range(90)]),
    }
)
TABLES = {"a": SMALL, "b": LARGE, "none": SMALL.slice(0, 0), "nothing": LARGE.slice(0, 0)}
WAYS = (
    Way("1 partition", 1, shuffle=True),
    Way("7 partitions", 7, shuffle=True),
    Way("7 partitions, shared tables", 7),
)
CONDITIONS = [
    "l.k = r.k",
    "l.k is not distinct from r.k",
    "l.k = r.k and l.s = r.s",
    "l.k = r.k and l.x < r.y",
    "l.k = r.k and r.y % 2 = 0",
    "l.k = r.k and l.x > 2",
]


@pytest.mark.parametrize("on", CONDITIONS)
@pytest.mark.parametrize("tables", ["a l, b r", "none l, b r", "a l, nothing r"])
def test_left_semi_and_anti_joins(on: str, tables: str) -> None:
    left, right = tables.split(", ")
    for sql in (
        f"select r.y, l.x, l.s, r.k from {left} left join {right} on {on}",
        f"select r.y, l.x, l.s, r.k from {right} right join {left} on {on}",
        f"select l.x, count(r.y) from {left} left join {right} on {on} group by l.x",
        f"select * from {left} where exists (select 1 from {right} where {on})",
        f"select x from {left} where not exists (select 1 from {right} where {on})",
    ):
        check(sql, TABLES, names=False, ways=WAYS)


def test_in_and_not_in() -> None:
    for sql in (
        "select * from a where k in (select k from b)",
        "select * from a where k not in (select k from b)",
        "select * from a where k not in (select k from b where k is not null)",
        "select x, k in (select k from b) from a",
    ):
        check(sql, TABLES, names=False, ways=WAYS)
