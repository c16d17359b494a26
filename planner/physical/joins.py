"""Joins to hash joins: which side is built, and whether it is broadcast or both are shuffled.

The probe side streams through its stage; the build side is a stage of its own: the smaller one, or
a small table whose keys number its rows. A build side in the broadcast limit is made into one table
that all probe tasks share. Larger ones, and full joins, bring both sides together by the hash of
the keys, one table a partition.

Left, semi and anti joins probe with their left side, so that each row's fate is known at once.
Where their right side is too large to broadcast and the left one much smaller, the left one is
built: each table belongs to one task, which knows in the end what rows of it nothing matched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plait.planner.estimate import field_width
from plait.planner.expr import Column, Expr, columns_of
from plait.planner.logical import Join, LogicalPlan, Project, Scan
from plait.planner.physical.most_rows import most_rows
from plait.planner.physical.operators import BuildTable, HashJoin, PhysicalOp, ReadStage
from plait.planner.physical.pieces import Piece, with_key_columns
from plait.planner.physical.stages import Output
from plait.planner.predicates import equi_keys
from plait.planner.schema import Schema
from plait.planner.types import is_integer

if TYPE_CHECKING:  # the planner calls lower_join and passes itself
    from plait.planner.physical.planner import StagePlanner

SMALL_BUILD = 20_000  # rows: not worth a step of its own to be measured
MUCH_SMALLER = 0.5
WORTH_ADDRESSING = 4  # times the rows of the smaller side that a side with dense keys may have
MOST_PLACES = 4  # of dense keys, for each of them
ADDRESSED_BYTES = 16 << 20
# as seen from the side that streams, when the left side is built
_MIRRORED = {"left": "right", "semi": "right_semi", "anti": "right_anti"}
_BUILD_ROWS = ("full", *_MIRRORED.values())  # that give rows of their build side in the end


@dataclass(frozen=True)
class _Sides:
    """A join as seen from the side that streams."""

    probe: LogicalPlan
    build: LogicalPlan
    kind: str
    probe_keys: tuple[Expr, ...]
    build_keys: tuple[Expr, ...]
    null_safe: tuple[bool, ...]
    residual: Expr | None
    in_probe: tuple[Expr, ...]
    in_build: tuple[Expr, ...]


def lower_join(planner: StagePlanner, plan: Join, need: frozenset[str]) -> Piece:
    """A join as a HashJoin over its probe side's partitions."""
    sides = _choose_sides(planner, plan, need)
    residual = frozenset() if sides.residual is None else columns_of(sides.residual)
    probe_need = (need | residual | columns_of([*sides.probe_keys, *sides.in_probe])) & set(
        sides.probe.schema.names
    )
    build_need = (need | residual | columns_of([*sides.build_keys, *sides.in_build])) & set(
        sides.build.schema.names
    )
    build = _lower_build(planner, sides.build, build_need)
    broadcast = _broadcast(planner, sides)
    build, build_columns = with_key_columns(build, [*sides.build_keys, *sides.in_build])
    build_keys = tuple(build_columns[e].name for e in sides.build_keys)
    if broadcast:
        build_op = _broadcast_build(planner, sides, build, build_keys)
    probe = planner.lower(sides.probe, probe_need)
    probe, probe_columns = with_key_columns(probe, [*sides.probe_keys, *sides.in_probe])
    probe_keys = tuple(probe_columns[e].name for e in sides.probe_keys)
    if not broadcast:
        probe, build_op = _co_partition(planner, probe, build, probe_keys, build_keys)
    schema = _output_schema(plan, need, probe.op.schema, build.op.schema, sides)
    op = HashJoin(
        schema,
        probe.op,
        build_op,
        sides.kind,
        probe_keys,
        build_keys,
        sides.null_safe,
        sides.residual,
        plan.mark,
        tuple(probe_columns[e].name for e in sides.in_probe),
        tuple(build_columns[e].name for e in sides.in_build),
    )
    return replace(probe, op=op)


def _choose_sides(planner: StagePlanner, plan: Join, need: frozenset[str]) -> _Sides:
    if plan.kind == "right":
        plan = replace(plan, left=plan.right, right=plan.left, kind="left")
    pairs, residual = equi_keys(plan.condition, plan.left.schema, plan.right.schema)
    left_keys = tuple(a for a, _, _ in pairs)
    right_keys = tuple(b for _, b, _ in pairs)
    safe = tuple(s for _, _, s in pairs)
    kind = "inner" if plan.kind == "cross" else plan.kind
    left, right = _weight(planner, plan.left), _weight(planner, plan.right)
    swap = kind in ("inner", "full") and left < right
    if kind == "inner" and pairs:
        larger, keys = (plan.right, right_keys) if swap else (plan.left, left_keys)
        if max(left, right) <= WORTH_ADDRESSING * min(left, right):
            swap ^= _is_addressed(planner, larger, keys, need)
    if kind in _MIRRORED and pairs and not plan.in_keys and left < MUCH_SMALLER * right:
        swap = not _fits_broadcast(planner, plan.right)
    if swap:
        kind = _MIRRORED.get(kind, kind)
        return _Sides(plan.right, plan.left, kind, right_keys, left_keys, safe, residual, (), ())
    in_left = tuple(a for a, _ in plan.in_keys)
    in_right = tuple(b for _, b in plan.in_keys)
    return _Sides(
        plan.left, plan.right, kind, left_keys, right_keys, safe, residual, in_left, in_right
    )


def _is_addressed(
    planner: StagePlanner, plan: LogicalPlan, keys: tuple[Expr, ...], need: frozenset[str]
) -> bool:
    """Whether a side is a small table and its key nearly its rows' numbers: its index is little
    work, its rows are there, and those of the other side need not be written and read again."""
    key = keys[0]
    if len(keys) > 1 or not isinstance(key, Column) or not is_integer(key.dtype):
        return False
    below = plan
    while isinstance(below, Project):
        below = below.input
    known = planner.estimator.estimate(plan)
    if not isinstance(below, Scan) or not known.exact:
        return False
    width = sum(field_width(f) for f in plan.schema if f.name in need or f.name == key.name)
    found = known.column(key.name)
    if known.rows * width > ADDRESSED_BYTES or not found.unique:
        return False
    low, high = found.minimum, found.maximum
    return low is not None and high is not None and high - low < MOST_PLACES * known.rows


def _weight(planner: StagePlanner, plan: LogicalPlan) -> float:
    """How costly a side is to build: its rows."""
    rows = planner.estimator.statistics(plan).rows
    return 1e9 if rows is None else rows


def _broadcast(planner: StagePlanner, sides: _Sides) -> bool:
    if sides.kind in _BUILD_ROWS:
        return False
    if not sides.probe_keys or sides.in_probe:
        return True  # however large: every pair, or NULLs anywhere in the build side, must be seen
    return _fits_broadcast(planner, sides.build)


def _fits_broadcast(planner: StagePlanner, build: LogicalPlan) -> bool:
    size = planner.estimator.statistics(build).bytes
    return size is None or size <= planner.settings.broadcast_bytes


def _lower_build(planner: StagePlanner, plan: LogicalPlan, need: frozenset[str]) -> Piece:
    """The build side; as a stage that is run and measured first, unless that would tell nothing."""
    before = len(planner.pending)
    piece = planner.lower(plan, planner.columns_to_keep(plan, need))
    if not planner.adaptive or not _worth_measuring(planner, plan):
        return piece
    kept = planner.keep(piece, plan)
    planner.measure(plan, planner.shared_stages[plan], before)
    return kept


def _worth_measuring(planner: StagePlanner, plan: LogicalPlan) -> bool:
    """Whether the rows are not known, and may be many."""
    estimator = planner.estimator
    return not estimator.estimate(plan).exact and most_rows(plan, estimator) > SMALL_BUILD


def _broadcast_build(
    planner: StagePlanner, sides: _Sides, build: Piece, keys: tuple[str, ...]
) -> PhysicalOp:
    schema = build.op.schema
    source = planner.gather(build, sides.build).op
    if not _fits_broadcast(planner, sides.build) and isinstance(source, ReadStage):
        # every task reads all of it, and makes tables of as much as fits
        return replace(source, how="all")
    asks_presence = sides.kind in ("semi", "anti", "mark")
    presence = asks_presence and sides.residual is None and not sides.in_build
    table = BuildTable(schema, source, keys, sides.null_safe, presence)
    piece = replace(build, op=table, partitions=1)
    return ReadStage(schema, (planner.cut(piece, Output("table")),), "table")


def _co_partition(
    planner: StagePlanner,
    probe: Piece,
    build: Piece,
    probe_keys: tuple[str, ...],
    build_keys: tuple[str, ...],
) -> tuple[Piece, PhysicalOp]:
    if not probe_keys or (probe.partitions == 1 and build.partitions == 1):
        return planner.gather(probe), planner.gather(build).op
    parts = max(
        planner.settings.workers,
        min(64, max(probe.partitions, build.partitions)),
        planner.tasks_to_fit(build.rows, build.op.schema),
    )
    moved = planner.shuffle(build, build_keys, parts)
    return planner.shuffle(probe, probe_keys, parts), moved.op


def _output_schema(
    plan: Join, need: frozenset[str], probe: Schema, build: Schema, sides: _Sides
) -> Schema:
    """The needed columns of the join, in the plan's order."""
    fields = [f for f in plan.schema if f.name in need]
    available = {*probe.names, *build.names, plan.mark}
    assert all(f.name in available for f in fields), (fields, sides)
    return Schema(tuple(fields))
