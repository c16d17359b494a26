"""Bounds of join keys: what the rows of a scan must keep to, known once the join's table is there.

A task has the tables it probes before it reads a row. Where a join drops the probe's rows that
match nothing, a scan below need not read what lies apart from the table's least and greatest key:
of a large table in the order of some key only the row groups that a filtered dimension points to.
(Known as dynamic filters, or sideways information passing: Beeri and Ramakrishnan, 1987.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plait.engine.operators.join import JoinTable
from plait.planner.expr import Column
from plait.planner.physical.operators import Compute, HashJoin, PhysicalOp, ScanSplits
from plait.planner.statistics import ColumnStatistics

# kinds that give nothing for a probe row without a match
_DROPPING = ("inner", "semi", "right", "right_semi", "right_anti")
# kinds that give rows for each probe row by itself: what is dropped above them can be dropped below
_BY_ROW = ("inner", "left", "single", "semi", "anti", "mark")

Bounds = Mapping[str, ColumnStatistics]
Tables = Callable[[HashJoin], JoinTable | None]


def scan_bounds(root: PhysicalOp, tables: Tables) -> dict[int, Bounds | None]:
    """For scans by id, the bounds of their columns; None where no row can match.

    `tables` gives the table that a join probes, or None if it has none of that kind.
    """
    found: dict[int, Bounds | None] = {}
    stack: list[tuple[PhysicalOp, Bounds | None]] = [(root, {})]
    while stack:
        op, bounds = stack.pop()
        match op:
            case ScanSplits():
                found[id(op)] = bounds
            case Compute():
                stack.append((op.input, _below(op, bounds)))
            case HashJoin():
                kept = bounds if op.kind in _BY_ROW else {}
                table = tables(op) if op.kind in _DROPPING else None
                if table is not None:
                    kept = _joined(kept, _key_bounds(op, table))
                stack += [(op.probe, _of(op.probe, kept)), (op.build, {})]
            case _:
                stack += [(child, {}) for child in op.children()]
    return found


def _of(op: PhysicalOp, bounds: Bounds | None) -> Bounds | None:
    if bounds is None:
        return None
    return {name: b for name, b in bounds.items() if name in op.schema.names}


def _below(op: Compute, bounds: Bounds | None) -> Bounds | None:
    """Bounds of what a filter or projection gives as bounds of what it reads."""
    if bounds is None or op.columns is None:
        return bounds
    picked = {n: e.name for n, e in op.columns if isinstance(e, Column)}
    below: Bounds | None = {}
    for name, known in bounds.items():
        if name in picked:
            below = _joined(below, {picked[name]: known})
    return below


def _key_bounds(op: HashJoin, table: JoinTable) -> Bounds | None:
    if not table.batch.num_rows:
        return None
    bounds: dict[str, ColumnStatistics] = {}
    for probe, build, null_safe in zip(op.probe_keys, op.build_keys, op.null_safe, strict=True):
        dtype = op.build.schema[build].type
        if null_safe or dtype != op.probe.schema[probe].type:
            continue
        known = table.bounds(build, dtype)
        if known is None:
            return None  # all keys are NULL
        if known.minimum is not None:
            bounds[probe] = known
    return bounds


def _joined(a: Bounds | None, b: Bounds | None) -> Bounds | None:
    """What keeps to both."""
    if a is None or b is None:
        return None
    both = dict(a)
    for name, known in b.items():
        other = both.get(name)
        both[name] = known if other is None else _narrower(other, known)
    return both


def _narrower(a: ColumnStatistics, b: ColumnStatistics) -> ColumnStatistics:
    return ColumnStatistics(max(a.minimum, b.minimum), min(a.maximum, b.maximum))
