"""A stage being grown, and the small steps of growing it: computed columns, key columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.planner.expr import Column, Expr
from plait.planner.logical import Named
from plait.planner.physical.operators import Compute, PhysicalOp, ScanSplits
from plait.planner.schema import Schema


@dataclass(frozen=True)
class Piece:
    """A stage being grown."""

    op: PhysicalOp
    partitions: int
    source: bool = False
    rows: float | None = None


def keep(schema: Schema, names: Sequence[str] | frozenset[str]) -> tuple[Named, ...]:
    """Plain columns; in the order of `names`, or in the schema's if `names` is a set."""
    ordered = [n for n in schema.names if n in names] if isinstance(names, frozenset) else names
    return tuple((n, Column(n, schema[n].type)) for n in ordered)


def compute(op: PhysicalOp, columns: tuple[Named, ...]) -> PhysicalOp:
    """Compute over `op`; one with it if that only filters and picks, none if nothing changes."""
    schema = Schema.of((n, e.dtype) for n, e in columns)
    if all(isinstance(e, Column) and e.name == n for n, e in columns):
        if schema.names == op.schema.names:
            return op
        if isinstance(op, Compute) and op.columns is not None:
            chosen = dict(op.columns)
            return Compute(
                schema, op.input, op.predicate, tuple((n, chosen[n]) for n, _ in columns)
            )
    if isinstance(op, Compute) and _only_picks(op):
        return Compute(schema, op.input, op.predicate, columns)
    return Compute(schema, op, None, columns)


def _only_picks(op: Compute) -> bool:
    """Whether every column is one of the input under its own name."""
    return op.columns is None or all(isinstance(e, Column) and e.name == n for n, e in op.columns)


def is_plain_scan(op: PhysicalOp) -> bool:
    """Whether it only reads stored columns, so that it may be done again."""
    if isinstance(op, Compute):
        return op.predicate is None and _only_picks(op) and is_plain_scan(op.input)
    return isinstance(op, ScanSplits)


def with_key_columns(piece: Piece, exprs: Sequence[Expr]) -> tuple[Piece, dict[Expr, Column]]:
    """The piece with every expression available as a column; the columns by expression."""
    found: dict[Expr, Column] = {}
    added: list[Named] = []
    taken = set(piece.op.schema.names)
    for e in exprs:
        if isinstance(e, Column):
            found[e] = e
        elif e not in found:
            name = fresh_name(taken)
            found[e] = Column(name, e.dtype)
            added.append((name, e))
    if not added:
        return piece, found
    every = keep(piece.op.schema, piece.op.schema.names)
    return replace(piece, op=compute(piece.op, (*every, *added))), found


def fresh_name(taken: set[str]) -> str:
    number = 0
    while f"#{number}" in taken:
        number += 1
    taken.add(f"#{number}")
    return f"#{number}"
