"""The first rows of each group: a filter on row_number() lets most rows go before they move.

A row that has as many rows of its group before it in its own partition cannot be among the first in
the end. Without it the rows after it may get other numbers, but none that the filter lets through:
those before it are all still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from plait.planner.expr import Call, Column, Expr, Literal, WindowCall, conjuncts
from plait.planner.logical import Aggregate, Filter, Window
from plait.planner.physical.operators import FirstRows
from plait.planner.physical.pieces import Piece
from plait.planner.types import is_integer

if TYPE_CHECKING:  # the planner calls these functions and passes itself
    from plait.planner.physical.planner import StagePlanner

MOST = 100  # of a group: a new one is put among them one by one
_REDUCES = 0.6  # of the rows left at most
_MIRRORED = {"greater_equal": "less_equal", "greater": "less", "equal": "equal"}


def rows_wanted(plan: Filter) -> int | None:
    """How many rows of each group a filter above row_number() lets through; None: who knows."""
    below = plan.input
    if not isinstance(below, Window) or len(below.calls) != 1:
        return None
    ((name, call),) = below.calls
    if call.function != "row_number" or not call.partition_by:
        return None
    found = [_at_most(part, name) for part in conjuncts(plan.predicate)]
    most = min((n for n in found if n is not None), default=None)
    return most if most is not None and 1 <= most <= MOST else None


def _at_most(part: Expr, name: str) -> int | None:
    """The greatest number for which a condition on a column may hold."""
    match part:
        case Call(function="less_equal" | "less" | "equal", args=(Column(name=found), Literal())):
            function, (_, limit) = part.function, part.args
        case Call(function="greater_equal" | "greater" | "equal", args=(Literal(), Column())):
            function, (limit, column) = _MIRRORED[part.function], part.args
            assert isinstance(column, Column)
            found = column.name
        case _:
            return None
    assert isinstance(limit, Literal)
    if found != name or limit.value is None or not is_integer(limit.dtype):
        return None
    return int(limit.value) - (function == "less")


def first_rows(planner: StagePlanner, plan: Window, child: Piece, call: WindowCall) -> Piece:
    """The rows that may be among those wanted; all, if that does not let many go."""
    most = planner.wanted.get(plan)
    if most is None or child.rows is None:
        return child
    keys = tuple((f"k{i}", e) for i, e in enumerate(_keys(plan)))
    groups = planner.estimator.statistics(Aggregate(plan.input, keys, ())).rows
    if groups is None:
        return child
    left = groups * most * child.partitions
    if left > _REDUCES * child.rows:
        return child
    op = FirstRows(child.op.schema, child.op, call.partition_by, call.order_by, most)
    return replace(child, op=op, rows=left, source=False)


def _keys(plan: Window) -> Sequence[Expr]:
    return plan.calls[0][1].partition_by
