"""Fuse: which operators of a stage become one loop, and which tier runs them.

A `Pipeline` is a chain of filters, projections and probes of join tables above some source, with
the grouping above it, if there is one. It begins as one loop. When the first rows are there, and
with them the layouts of their columns, whatever has no compiled form cuts it: an expression is
worked out ahead as one more column of the loop above, an operator is run by the vectorised tier
between two loops. So every pipeline runs, and as much of it as can be is compiled.

Few rows are not worth a loop: emitting and compiling take some milliseconds. Rows of join tables
that have an index for loops count as well: the vectorised tier would make one of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from plait.engine.codegen.aggregates import has_compiled_form
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.codegen.probe import KINDS
from plait.engine.operators.compute import compute
from plait.engine.operators.group_table import TooManyGroupsError
from plait.engine.operators.join import JoinTable, Prober
from plait.engine.operators.loops import GivenUpError, LoopPart, LoopRun, RestartError
from plait.engine.operators.probing import ProbeTable, probe_table
from plait.errors import PlaitError
from plait.planner.expr import Column, Expr, columns_of
from plait.planner.physical.operators import (
    ApplyFunction,
    Compute,
    GroupRows,
    HashJoin,
    PhysicalOp,
    ReadStage,
)
from plait.planner.risk import may_raise
from plait.planner.schema import Field, Schema

WORTHWHILE = 50_000  # rows of a task, from which on a loop pays even if it has to be compiled

Rows = Callable[[], Iterator[pa.RecordBatch]]


@dataclass
class Part:
    """A piece of a pipeline: a loop or, without one, an operator of the vectorised tier.

    `cut` replaces it by several, once it is known that it cannot be one loop.
    """

    loop: LoopPart | None = None
    operator: PhysicalOp | None = None
    cut: list[Part] | None = None
    reason: str = ""  # why it is no loop, or what it is cut by


@dataclass
class Pipeline:
    """Operators from the source upwards, then perhaps groups; shared by a stage's tasks."""

    source: PhysicalOp
    operators: list[PhysicalOp]
    groups: GroupRows | None
    gives: Schema
    part: Part
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def top(self) -> PhysicalOp:
        return self.groups if self.groups is not None else self.operators[-1]


def pipelines(root: PhysicalOp) -> dict[int, Pipeline]:
    """The pipelines of a stage, by the number of their topmost operator."""
    numbers = {id(op): number for number, op in enumerate(root.walk())}
    found: dict[int, Pipeline] = {}
    stack = [root]
    while stack:
        op = stack.pop()
        made = _pipeline(op)
        if made is None:
            stack.extend(op.children())
        else:
            found[numbers[id(op)]] = made
            stack.append(made.source)
    return found


def _pipeline(top: PhysicalOp) -> Pipeline | None:
    groups = top if isinstance(top, GroupRows) and _is_grouped_by_loops(top) else None
    if groups is not None and _runs_functions(groups):
        groups = None
    operators: list[PhysicalOp] = []
    op = top.input if isinstance(top, GroupRows) and groups is not None else top
    while _is_fused(op):
        operators.append(op)
        op = op.children()[0]
    if groups is None and all(map(_is_plain, operators)):
        return None
    operators = [piece for op in reversed(operators) for piece in _pieces(op)]
    part = Part(LoopPart(op.schema, operators, groups, top.schema))
    return Pipeline(op, operators, groups, top.schema, part)


def _runs_functions(op: PhysicalOp) -> bool:
    """Whether rows come from a user's function: it is called once, and loops may read twice."""
    return any(isinstance(below, ApplyFunction) for below in op.walk())


def _is_grouped_by_loops(op: GroupRows) -> bool:
    return all(has_compiled_form(call) for _, call in op.calls)


def _is_fused(op: PhysicalOp) -> bool:
    if isinstance(op, Compute):
        return True
    if not isinstance(op, HashJoin) or op.in_probe:
        return False
    if not isinstance(op.build, ReadStage) or op.build.how != "table":
        return False
    return op.kind in KINDS


def _is_plain(op: PhysicalOp) -> bool:
    """Whether an operator only picks columns."""
    if not isinstance(op, Compute) or op.predicate is not None:
        return False
    return op.columns is None or all(isinstance(e, Column) for _, e in op.columns)


def _pieces(op: PhysicalOp) -> list[PhysicalOp]:
    """A filter that also computes, as a filter and a projection."""
    if isinstance(op, Compute) and op.predicate is not None and op.columns is not None:
        below = Compute(op.input.schema, op.input, op.predicate)
        return [below, Compute(op.schema, below, None, op.columns)]
    return [op]


# ----------------------------------------------------------------------------------------- cutting


def _cut(part: Part, error: NotCompiledError) -> list[Part]:
    """The parts a loop falls into, since its operator `error.operator` has no compiled form."""
    loop = part.loop
    assert loop is not None
    operators, groups = loop.operators, loop.groups
    at = _origin(operators, error)
    if at >= len(operators) and groups is not None:
        below = replace_loop(loop, loop.schema, operators, None, _needed([], groups, loop.gives))
        return [*_filled(below), Part(operator=groups, reason=str(error))]
    at = min(at, len(operators) - 1)
    op = operators[at]
    before, after = operators[:at], operators[at + 1 :]
    if isinstance(op, Compute) and error.expr is not None and not may_raise(error.expr):
        ahead, changed = _ahead(op, error.expr)
        schema = op.input.schema if before else loop.schema
        need = _needed([changed, *after], groups, loop.gives)
        kept = need | columns_of(error.expr)
        plain = _with_column(schema, need, *ahead)
        below = replace_loop(loop, loop.schema, before, None, kept)
        above = LoopPart(plain.schema, [changed, *after], groups, loop.gives)
        return [*_filled(below), Part(operator=plain, reason=str(error)), Part(above)]
    need = _needed([op, *after], groups, loop.gives)
    below = replace_loop(loop, loop.schema, before, None, need)
    parts = [*_filled(below), Part(operator=op, reason=str(error))]
    if after or groups is not None:
        parts.append(Part(LoopPart(op.schema, after, groups, loop.gives)))
    return parts


def _origin(operators: Sequence[PhysicalOp], error: NotCompiledError) -> int:
    """The operator that has the expression: columns are emitted where they are first needed."""
    for at in range(min(error.operator, len(operators) - 1), -1, -1):
        op = operators[at]
        if isinstance(op, Compute) and error.expr is not None:
            exprs = [e for _, e in op.columns or ()] + [op.predicate]
            if any(error.expr == e for tree in exprs if tree is not None for e in tree.walk()):
                return at
    return error.operator


def _filled(loop: LoopPart) -> list[Part]:
    return [Part(loop)] if loop.operators else []


def replace_loop(
    loop: LoopPart,
    schema: Schema,
    operators: list[PhysicalOp],
    groups: GroupRows | None,
    need: frozenset[str],
) -> LoopPart:
    """A loop of some of the operators that gives what those above need."""
    top = operators[-1].schema if operators else schema
    gives = Schema(tuple(f for f in top if f.name in need))
    return LoopPart(schema, operators, groups, gives, dict(loop.layouts))


def _ahead(op: Compute, expr: Expr) -> tuple[tuple[str, Expr], Compute]:
    """A column for an expression, and the operator that reads it instead."""
    taken = set(op.input.schema.names)
    name = f"#ahead{len(taken)}"
    column = Column(name, expr.dtype)

    def swap(e: Any) -> Any:
        return column if e == expr else e

    schema = Schema((*op.input.schema, Field(name, expr.dtype)))
    changed = replace(
        op,
        input=Compute(schema, op.input),
        predicate=None if op.predicate is None else op.predicate.transform_up(swap),
        columns=None
        if op.columns is None
        else tuple((n, e.transform_up(swap)) for n, e in op.columns),
    )
    return (name, expr), changed


def _with_column(schema: Schema, need: frozenset[str], name: str, expr: Expr) -> Compute:
    """The needed columns and one more."""
    kept = [f for f in schema if f.name in need]
    columns = tuple((f.name, Column(f.name, f.type)) for f in kept)
    given = Schema((*kept, Field(name, expr.dtype)))
    source = ReadStage(schema, (), "part")
    return Compute(given, source, None, (*columns, (name, expr)))


def _needed(above: Sequence[PhysicalOp], groups: GroupRows | None, gives: Schema) -> frozenset[str]:
    """The columns that operators and what is above them read."""
    need = frozenset(gives.names)
    if groups is not None:
        args = [e for _, c in groups.calls for e in (*c.args, c.filter) if e is not None]
        need = frozenset(groups.keys) | columns_of(args)
    for op in reversed(above):
        match op:
            case Compute():
                if op.columns is not None:
                    need = columns_of([e for _, e in op.columns])
                if op.predicate is not None:
                    need |= columns_of(op.predicate)
            case HashJoin():
                need |= frozenset(op.schema.names)
                if op.residual is not None:
                    need |= columns_of(op.residual)
                need = (need & frozenset(op.probe.schema.names)) | frozenset(op.probe_keys)
    return need


# ----------------------------------------------------------------------------------------- running


@dataclass
class Tables:
    """The join tables of a task, as the operators of a pipeline probe them."""

    tables: Mapping[int, JoinTable]  # by id of the HashJoin
    probers: dict[int, Prober] = field(default_factory=dict)

    def prober(self, op: HashJoin) -> Prober:
        """The vectorised prober; one for the task."""
        if id(op) not in self.probers:
            self.probers[id(op)] = Prober(op, self.tables[id(op)])
        return self.probers[id(op)]

    def probe_tables(self, loop: LoopPart) -> dict[int, ProbeTable]:
        """The tables that a loop probes, by number."""
        made = {}
        joins = [(i, op) for i, op in enumerate(loop.operators) if isinstance(op, HashJoin)]
        for number, (place, op) in enumerate(joins):
            try:
                table = probe_table(op, self.tables[id(op)])
            except NotCompiledError as error:
                error.operator = place
                raise
            made[number] = table
        return made


class PipelineRun:
    """A pipeline in one task."""

    def __init__(
        self,
        pipeline: Pipeline,
        rows: Rows,
        tables: Mapping[int, JoinTable],
        tier: str,
        expected: int | None,
        limit: float,
        group: Callable[[GroupRows, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        note: Callable[[str], None],
    ) -> None:
        self.pipeline, self.source, self.tier = pipeline, rows, tier
        self.tables, self.expected, self.limit = Tables(tables), expected, limit
        self.group, self.note = group, note

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What the pipeline gives."""
        yield from self._run(self.pipeline.part, self.source)

    def _run(self, part: Part, rows: Rows) -> Iterator[pa.RecordBatch]:
        if part.cut is not None:
            self.note(f"cut: {part.reason}")
            for piece in part.cut[:-1]:
                rows = self._rows_of(piece, rows)
            yield from self._run(part.cut[-1], rows)
        elif part.loop is None:
            yield from self._vectorised([part.operator], None, rows())
        elif part.loop.groups is not None:
            yield from self._grouped(part, part.loop, rows)
        else:
            yield from self._looped(part, part.loop, rows)

    def _rows_of(self, part: Part, rows: Rows) -> Rows:
        return lambda: self._run(part, rows)

    def _refuse(self, part: Part, error: NotCompiledError) -> None:
        with self.pipeline.lock:
            if part.cut is None and part.loop is not None:
                pieces = _cut(part, error)
                part.reason, part.cut = str(error), pieces

    # ------------------------------------------------------------------------------------- rows

    def _looped(self, part: Part, loop: LoopPart, rows: Rows) -> Iterator[pa.RecordBatch]:
        given = rows()
        first = next((b for b in given if b.num_rows), None)
        if first is None:
            return
        run = None
        if self._is_worthwhile(loop, first):
            try:
                run = LoopRun(loop, self.tables.probe_tables(loop), self.limit)
                run.prepare(first)
            except NotCompiledError as error:
                self._refuse(part, error)
                yield from self._run(part, lambda: chain([first], given))
                return
            except PlaitError:
                self.note(_GAVE_UP)
                run = None
        else:
            self.note(_FEW_ROWS)
        for batch in chain([first], given):
            if batch.num_rows:
                yield from (b for b in self._rows(run, loop, batch) if b.num_rows)

    def _rows(
        self, run: LoopRun | None, loop: LoopPart, batch: pa.RecordBatch
    ) -> Iterator[pa.RecordBatch]:
        """What a loop gives of a batch; the vectorised tier does what it cannot."""
        if run is not None:
            # if something is wrong, the vectorised tier says what
            with suppress(GivenUpError, NotCompiledError, PlaitError):
                made = run.rows(batch)
                self.note("compiled")
                return iter(made)
            self.note(_GAVE_UP)
        return self._vectorised(loop.operators, loop.gives, iter([batch]))

    def _is_worthwhile(self, loop: LoopPart, first: pa.RecordBatch) -> bool:
        if self.tier != "auto":
            return self.tier == "compiled"
        rows: int = max(first.num_rows, self.expected or 0)
        for op in loop.joins:
            rows += self.tables.tables[id(op)].rows_indexed_for_loops
        return rows >= WORTHWHILE

    def _vectorised(
        self,
        operators: Sequence[PhysicalOp | None],
        gives: Schema | None,
        rows: Iterator[pa.RecordBatch],
    ) -> Iterator[pa.RecordBatch]:
        for op in operators:
            match op:
                case Compute():
                    rows = _computed(op, rows)
                case HashJoin():
                    rows = _probed(self.tables.prober(op), rows)
                case GroupRows():
                    rows = self.group(op, rows)
        if gives is None:
            return rows
        names = list(gives.names)
        return (b.select(names) if b.schema.names != names else b for b in rows)

    # ----------------------------------------------------------------------------------- groups

    def _grouped(self, part: Part, loop: LoopPart, rows: Rows) -> Iterator[pa.RecordBatch]:
        assert loop.groups is not None
        for _ in range(_RESTARTS):
            given = rows()
            first = next((b for b in given if b.num_rows), None)
            if first is None or not self._is_worthwhile(loop, first):
                if first is not None:
                    self.note(_FEW_ROWS)
                found = iter(()) if first is None else chain([first], given)
                yield from self.group(loop.groups, self._vectorised(loop.operators, None, found))
                return
            left = rows
            try:
                tables = self.tables.probe_tables(loop)
                run = LoopRun(loop, tables, self.limit, self.expected)
                left = _continued(first, given, rows)
                run.prepare(first)
                left = rows
                made = self._groups(run, chain([first], given))
                self.note("compiled")
                yield made
                return
            except NotCompiledError as error:
                self._refuse(part, error)
                yield from self._run(part, left)
                return
            except RestartError:
                continue
            except (GivenUpError, TooManyGroupsError, PlaitError):
                break
        self.note(_GAVE_UP)
        yield from self.group(loop.groups, self._vectorised(loop.operators, None, rows()))

    def _groups(self, run: LoopRun, rows: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
        for batch in rows:
            if batch.num_rows:
                run.add(batch)
        assert run.groups is not None
        return run.groups.batch()


_FEW_ROWS = f"vectorised: fewer than {WORTHWHILE:,} rows"
_GAVE_UP = "vectorised: the loop gave up"
_RESTARTS = 8  # layouts only become wider, so a few are enough


def _continued(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch], rows: Rows) -> Rows:
    """Rows of which the first are here already; asked for once more, all are read again."""
    begun = [chain([first], rest)]
    return lambda: begun.pop() if begun else rows()


def _computed(op: Compute, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        made = compute(op, batch)
        if made is not None:
            yield made


def _probed(prober: Prober, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        yield from prober.probe(batch)
