"""Windows, duplicates and row numbers over several partitions: the rows stay where they are.

Only the columns that are looked at go to other tasks, by the hash of the keys, with each row's
place. What is found comes back by the place, and is put beside the row that stayed at home. So rows
keep their order, as dataframes want it, columns that no key or argument names are never moved, and
what follows runs on all partitions.

A window without PARTITION BY, or with keys that cannot be hashed, depends on all rows: one task
works it out, of the few columns it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from plait.planner.expr import AggregateCall, Column, Expr, WindowCall
from plait.planner.logical import Distinct, RowNumber, Window
from plait.planner.physical.first_rows import first_rows
from plait.planner.physical.operators import (
    DistinctRows,
    GroupRows,
    MarkRows,
    NumberRows,
    PhysicalOp,
    ReadStage,
    RestoreRows,
    WindowRows,
)
from plait.planner.physical.pieces import Piece, compute, fresh_name, keep, with_key_columns
from plait.planner.physical.stages import Output
from plait.planner.schema import Schema
from plait.planner.types import INT64, is_interval, is_nested

if TYPE_CHECKING:  # the planner calls these functions and passes itself
    from plait.planner.physical.planner import StagePlanner

# rows: the way away and home (0.1 s a million rows) takes longer than windows without order, so
# two workers gain memory by it but no time
TOO_MANY_FOR_ONE = 10_000_000

Calls = tuple[tuple[str, WindowCall], ...]


def lower_window(planner: StagePlanner, plan: Window) -> Piece:
    """Window functions as further columns."""
    child = planner.lower(plan.input, frozenset(plan.input.schema.names))
    exprs = [e for _, call in plan.calls for e in _inputs(call)]
    child, columns = with_key_columns(child, exprs)
    calls = tuple((name, _over_columns(call, columns)) for name, call in plan.calls)
    child = first_rows(planner, plan, child, calls[0][1])
    parts = planner.tasks_for(child)
    if parts == 1 or not _gains(planner, child, calls):
        child = planner.gather(child)
        return replace(child, op=WindowRows(_with_calls(child.op.schema, calls), child.op, calls))
    rows = planner.at_home(child)
    result = rows.op
    for keys, some in _rounds(calls):
        needed = list(dict.fromkeys(c.name for _, call in some for c in _columns(call)))
        away, place = _send_away(planner, rows, needed, keys, parts)
        windows = WindowRows(_with_calls(away.op.schema, some), away.op, some)
        found = compute(windows, keep(windows.schema, [place, *(name for name, _ in some)]))
        home = _bring_home(planner, replace(away, op=found), place, rows.partitions)
        result = RestoreRows(_with_calls(result.schema, some), result, home, place)
    names = [*child.op.schema.names, *(name for name, _ in calls)]
    return replace(rows, op=compute(result, keep(result.schema, names)))


def _gains(planner: StagePlanner, child: Piece, calls: Calls) -> bool:
    """Whether several tasks are worth the way away and home."""
    ordered = any(call.order_by for _, call in calls)
    too_large = planner.tasks_to_fit(child.rows, child.op.schema) > 1
    many = too_large or (child.rows or 0) > TOO_MANY_FOR_ONE
    return ordered or many or planner.settings.workers > 2


def lower_distinct(planner: StagePlanner, plan: Distinct) -> Piece:
    """One row for each value of some columns."""
    child = planner.lower(plan.input, frozenset(plan.input.schema.names))
    schema, on, how = child.op.schema, plan.on, plan.keep
    groups = planner.estimator.statistics(plan).rows
    reduces = groups is None or child.rows is None or groups < 0.6 * child.rows
    if child.partitions > 1 and reduces and how != "none":
        op: PhysicalOp = DistinctRows(schema, child.op, on, how)
        child = replace(child, op=op, rows=groups)
    names = list(schema.names if on is None else on)
    parts = planner.tasks_for(child) if names else 1
    if parts == 1:
        child = planner.gather(child)
        return replace(child, op=DistinctRows(schema, child.op, on, how))
    rows = planner.at_home(child)
    away, place = _send_away(planner, rows, names, names, parts)
    op = DistinctRows(away.op.schema, away.op, tuple(names), how)
    found = replace(away, op=compute(op, keep(op.schema, [place])))
    home = _bring_home(planner, found, place, rows.partitions)
    return replace(rows, op=RestoreRows(schema, rows.op, home, place))


def lower_row_number(planner: StagePlanner, plan: RowNumber) -> Piece:
    """Row numbers from 0: partitions are counted first, then each numbers its own rows."""
    child = planner.lower(plan.input, frozenset(plan.input.schema.names))
    child = planner.in_order(child, plan.input.schema)
    if planner.tasks_for(child) == 1:
        child = planner.gather(child)
        return replace(child, op=NumberRows(plan.schema, child.op, plan.name))
    rows = planner.at_home(child)
    counted = Schema.of([(plan.name, INT64)])
    count = ((plan.name, AggregateCall("count", (), INT64)),)
    op: PhysicalOp = GroupRows(counted, compute(rows.op, ()), (), count)
    counts = planner.gather(replace(rows, op=op, rows=None)).op
    return replace(rows, op=NumberRows(plan.schema, rows.op, plan.name, counts))


def _rounds(calls: Calls) -> list[tuple[tuple[str, ...], Calls]]:
    """Calls that share an exchange, with the keys that it hashes.

    Rows that are equal in some columns are so in any of these: a call whose keys contain those of
    another goes with it.
    """
    rounds: dict[tuple[str, ...], list[tuple[str, WindowCall]]] = {}
    for name, call in sorted(calls, key=lambda named: len(_hashed(named[1]))):
        own = _hashed(call)
        within = [keys for keys in rounds if keys and set(keys) <= set(own)]
        rounds.setdefault(max(within, key=len, default=own), []).append((name, call))
    return [(keys, tuple(some)) for keys, some in rounds.items()]


def _hashed(call: WindowCall) -> tuple[str, ...]:
    """Those of the partition's keys that an exchange can hash, in one order."""
    return tuple(
        sorted({c.name for c in call.partition_by if isinstance(c, Column) and can_hash(c)})
    )


def can_hash(column: Expr) -> bool:
    """Whether equal values of a column have equal hashes."""
    return not (is_nested(column.dtype) or is_interval(column.dtype))


def _send_away(
    planner: StagePlanner, rows: Piece, names: Sequence[str], keys: Sequence[str], parts: int
) -> tuple[Piece, str]:
    """Some columns with the rows' places, rows with equal keys together; the places' name."""
    schema = rows.op.schema
    place = fresh_name(set(schema.names))
    narrow = compute(rows.op, keep(schema, names))
    marked = Schema.of([*((f.name, f.type) for f in narrow.schema), (place, INT64)])
    moved = replace(rows, op=MarkRows(marked, narrow, place))
    return planner.shuffle(moved, tuple(keys), parts if keys else 1), place


def _bring_home(planner: StagePlanner, found: Piece, place: str, partitions: int) -> ReadStage:
    """What was found, in the partitions that the rows came from."""
    stage = planner.cut(found, Output("home", (place,), partitions))
    return ReadStage(found.op.schema, (stage,), "part")


def _with_calls(schema: Schema, calls: Calls) -> Schema:
    fields = [(f.name, f.type) for f in schema]
    return Schema.of([*fields, *((name, call.dtype) for name, call in calls)])


def _inputs(call: WindowCall) -> tuple[Expr, ...]:
    keys = (*call.partition_by, *(k.expr for k in call.order_by))
    return (*call.args, *keys, *(() if call.filter is None else (call.filter,)))


def _columns(call: WindowCall) -> list[Column]:
    return [e for e in _inputs(call) if isinstance(e, Column)]


def _over_columns(call: WindowCall, columns: dict[Expr, Column]) -> WindowCall:
    return replace(
        call,
        args=tuple(columns[a] for a in call.args),
        partition_by=tuple(columns[e] for e in call.partition_by),
        order_by=tuple(replace(k, expr=columns[k.expr]) for k in call.order_by),
        filter=None if call.filter is None else columns[call.filter],
    )
