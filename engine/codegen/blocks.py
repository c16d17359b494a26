"""Rows block by block: which of them pass, told without branches, before more is done with any.

A mask for all rows of a block is made with vector instructions; a join that few rows pass says of
each row by a bit whether it may. The processor thus need not guess what a row will do (Ross,
"Selection Conditions in Main Memory", TODS 2004). Where few rows are left, they lie far apart: what
their other columns have there is asked for at once, so that none is waited for by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.engine.codegen.emit import I1, I8, I32, I64
from plait.engine.codegen.fillers import SOURCE, Data, TableShape
from plait.engine.codegen.names import Bound
from plait.engine.codegen.probe import Probe
from plait.engine.codegen.scalar import emit
from plait.planner.expr import Column, Expr, columns_of
from plait.planner.physical.operators import Compute, HashJoin, PhysicalOp

if TYPE_CHECKING:
    from plait.engine.codegen.loop import LoopEmitter

_BLOCK = 1024  # rows
_FEW = 4  # less than one of so many


@dataclass
class Gate:
    """The first join of a loop, if it lets few rows pass, and the columns that tell: its keys, or
    one of them."""

    op: HashJoin
    shape: TableShape
    keys: list[Bound]


def gate_of(loop: LoopEmitter, operators: Sequence[PhysicalOp]) -> Gate | None:
    """The join that rows are tested for ahead; `operators` are those behind the first filter."""
    columns = loop.names.columns
    for op in operators:
        match op:
            case Compute():
                if op.predicate is not None:
                    return None
                if op.columns is not None:
                    picked = {n: e.name for n, e in op.columns if isinstance(e, Column)}
                    columns = {n: columns[of] for n, of in picked.items() if of in columns}
            case HashJoin():
                shape = loop.shapes[0]
                if not shape.sparse or op.kind not in ("inner", "semi") or op.in_probe:
                    return None
                names = op.probe_keys if shape.gate is None else (op.probe_keys[shape.gate],)
                keys = [columns[name] for name in names if name in columns]
                return Gate(op, shape, keys) if len(keys) == len(names) else None
            case _:
                return None
    return None


class Blocks:
    """A loop over blocks of rows, and in it one over those that pass conditions and a gate."""

    def __init__(self, loop: LoopEmitter, conditions: Sequence[Expr], gate: Gate | None) -> None:
        self.loop, self.e, self.conditions, self.gate = loop, loop.e, conditions, gate
        self.chosen = self.e.array(I32, _BLOCK)
        # the columns that conditions and gate do not read
        read = columns_of(conditions) | {b.name for b in (gate.keys if gate else ())}
        self._others = [b for b in loop.names.columns.values() if b.name not in read]

    def emit(self, each: Callable[[Any, Any, Any, Callable[[Any], Any]], None]) -> None:
        """`each` emits what is done with a row that passes. It is given the row's place among those
        of its block, where to go on, how many there are, and what tells which row has a place."""
        e, b = self.e, self.e.b
        mask = e.array(I8, _BLOCK) if self.conditions else None
        blocks = b.sdiv(b.add(e.rows, I64(_BLOCK - 1)), I64(_BLOCK))
        with e.counted(I64(0), blocks) as (block, _):
            start = b.mul(block, I64(_BLOCK))
            left = b.sub(e.rows, start)
            size = b.select(b.icmp_signed("<", left, I64(_BLOCK)), left, I64(_BLOCK))
            count: Any = None
            if mask is not None:
                self._fill(mask, start, size)
                count = self._passing(mask, size)
            if self.gate is not None:
                count = self._through(self.gate, start, size, count)
            self._fetch(start, size, count)

            def row_at(place: Any) -> Any:
                return b.add(start, self._chosen(place))

            with e.counted(I64(0), count) as (at, after):
                each(at, after, count, row_at)

    def _chosen(self, place: Any) -> Any:
        return self.e.b.zext(self.e.load_at(self.chosen, place, I32, _room), I64)

    def _choose(self, place: Any, row: Any, passes: Any) -> None:
        """Note a row, or leave its place to the next one."""
        e, b = self.e, self.e.b
        found = e.get(place, I64)
        e.store_at(self.chosen, found, b.trunc(row, I32), _room)
        b.store(b.add(found, b.zext(passes, I64)), place)

    def _fill(self, mask: Any, start: Any, size: Any) -> None:
        """A byte for each row: whether the conditions hold."""
        e, b, loop = self.e, self.e.b, self.loop
        # the last block has none for its last eight rows, if it has fewer
        last = b.and_(b.sub(size, I64(1)), I64(-8))
        for i in range(8):
            e.store_at(mask, b.add(last, I64(i)), I8(0), _room)
        with e.counted(I64(0), size) as (at, _):
            loop.rows[SOURCE] = b.add(start, at)
            truth = e.both(*(e.true(emit(e, p, loop.names)) for p in self.conditions))
            e.store_at(mask, at, b.zext(truth, I8), _room)
        self._forget()

    def _passing(self, mask: Any, size: Any) -> Any:
        """How many rows have their byte set; these are chosen, eight at a time."""
        e, b = self.e, self.e.b
        count = e.variable(I64, I64(0))
        b.store(I64(0), count)
        with e.counted(I64(0), b.lshr(b.add(size, I64(7)), I64(3))) as (eight, _):
            first = b.shl(eight, I64(3))
            word = b.load(b.gep(mask, [first], source_etype=I8), typ=I64, align=1)
            with b.if_then(b.icmp_unsigned("!=", word, I64(0))):
                for i in range(8):
                    self._choose(count, b.add(first, I64(i)), b.trunc(b.lshr(word, I64(8 * i)), I1))
        return e.get(count, I64)

    def _through(self, gate: Gate, start: Any, size: Any, candidates: Any) -> Any:
        """How many rows may have a match, of the block or of those chosen so far."""
        e, b, loop = self.e, self.e.b, self.loop
        count = e.variable(I64, I64(0))
        b.store(I64(0), count)
        with e.counted(I64(0), size if candidates is None else candidates) as (at, _):
            row = at if candidates is None else self._chosen(at)
            loop.rows[SOURCE] = b.add(start, row)
            self._choose(count, row, self._may_match(gate))
        self._forget()
        return e.get(count, I64)

    def _may_match(self, gate: Gate) -> Any:
        loop, shape = self.loop, gate.shape
        values = [loop.value_of(bound) for bound in gate.keys]
        if shape.gate is None:
            code, possible = loop.key_code(values, 0, shape)
        else:
            code, possible = loop.code_of_key(values[0], 0, shape.gate, shape)
            code = self.e.b.select(possible, code, I64(0))
        return Probe(loop, gate.op, 0, shape, code, possible, shape.gate is not None).may_match()

    def _fetch(self, start: Any, size: Any, count: Any) -> None:
        """Have the other columns fetched for the rows that are left, if these are few."""
        e, b = self.e, self.e.b
        few = b.icmp_signed("<", b.mul(count, I64(_FEW)), size)
        stored = [(c, c.layout.stride) for c in self._others if c.layout and c.layout.stride]
        with b.if_then(few), e.counted(I64(0), count) as (at, _):
            row = b.add(start, self._chosen(at))
            for column, stride in stored:
                e.prefetch(e.place(Data(SOURCE, column.name), b.mul(row, I64(stride)), I8))

    def _forget(self) -> None:
        """Values that were those of another loop's row."""
        for bound in self.loop.names.columns.values():
            bound.value = None


def _room() -> Any:
    return I64(_BLOCK)
