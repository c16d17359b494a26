"""Filters of dataframes still tell which pieces of a file cannot match."""

from __future__ import annotations

import pytest

from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import FALSE, Column, Expr
from plait.planner.predicates import can_match
from plait.planner.statistics import ColumnStatistics

X = Column("x", t.DOUBLE)
RANGES = {"x": ColumnStatistics(minimum=1.0, maximum=5.0, nulls=0)}


def no_nan() -> Expr:
    return builder.call("null_if_nan", X)


@pytest.mark.parametrize(
    ("function", "value", "possible"),
    [
        ("greater", 4.0, True),
        ("greater", 5.0, False),
        ("greater_equal", 5.0, True),
        ("less", 1.0, False),
        ("less", 2.0, True),
        ("equal", 6.0, False),
        ("equal", 3.0, True),
    ],
)
def test_values_without_nan_keep_to_their_bounds(
    function: str, value: float, possible: bool
) -> None:
    test = builder.call(function, no_nan(), builder.literal(value))
    assert can_match(test, RANGES) is possible
    assert can_match(builder.call("coalesce", test, FALSE), RANGES) is possible


def test_nan_may_be_missing_where_no_value_is_null() -> None:
    assert can_match(builder.call("is_null", no_nan()), RANGES)
    assert not can_match(builder.call("is_null", X), RANGES)
