"""One loop over the rows of a batch: filters, projections, probes of join tables, one sink.

`LoopEmitter` is given the layouts of the columns it reads and the shapes of the join tables; its
`run` turns the physical operators from the source upwards, and the sink, into LLVM code in one pass
over them. Rows that fail a condition go on with the next, a join with several matches opens an
inner loop, and everything above it stands inside.

What the loop gets is written down as fillers (`emit.py`); their classes are in `fillers.py`,
`scalar.py` and `sinks.py`, and `plait.engine.operators.loop_inputs` knows where each is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa

from plait.engine.codegen.ahead import values_ahead
from plait.engine.codegen.blocks import Blocks, Gate, gate_of
from plait.engine.codegen.emit import (
    DOUBLE,
    FLOAT,
    I1,
    I8,
    I16,
    I32,
    I64,
    I128,
    Emitter,
    NotCompiledError,
    Value,
)
from plait.engine.codegen.fillers import (
    SOURCE,
    Answers,
    AnswersKnown,
    Bits,
    Data,
    KeyAnswers,
    NullCode,
    Shift,
    TableNumber,
    TableShape,
)
from plait.engine.codegen.layout import Layout
from plait.engine.codegen.names import Bound, Names
from plait.engine.codegen.probe import KINDS, Probe
from plait.engine.codegen.scalar import emit, is_stored_integer
from plait.planner.expr import Column, Expr, conjunction, conjuncts, substitute
from plait.planner.physical.operators import Compute, HashJoin, PhysicalOp
from plait.planner.risk import may_raise
from plait.planner.types import BOOL, STRING, is_decimal, is_float

_INTS = {1: I8, 2: I16, 4: I32, 8: I64, 16: I128}


class Sink(Protocol):
    """What becomes of the rows that reach the top."""

    def begin(self, loop: LoopEmitter) -> None: ...

    def row(self, loop: LoopEmitter) -> None: ...

    def end(self, loop: LoopEmitter) -> None: ...


class LoopEmitter:
    """Emits one loop; sinks (`sinks.py`) are called for each row that reaches the top."""

    def __init__(
        self,
        name: str,
        schema: Mapping[str, tuple[Layout | None, pa.DataType]],
        shapes: Mapping[int, TableShape],
        checked: bool = False,
    ) -> None:
        self.e = Emitter(name, checked)
        self.shapes = shapes
        self.rows: dict[int, Any] = {}  # by source: the number of its current row
        self.found: dict[int, Any] = {}  # of left joins: whether the row has a match
        self.names = Names(self)
        for column, (layout, dtype) in schema.items():
            self.names.columns[column] = Bound(SOURCE, column, layout, dtype)
        self.joins = 0
        self.at = 0  # which operator is being emitted
        self.next: Any = None  # the block that goes on with the next row
        self.position: Any = None  # counts the rows that are looked at, not always from 0
        self.row_ahead: Callable[[int], Any]  # the row some positions further on, or the last one

    def run(self, operators: list[PhysicalOp], sink: Sink) -> None:
        """The whole function."""
        sink.begin(self)
        first = operators[0] if operators else None
        safe, risky = _told_apart(first.predicate) if isinstance(first, Compute) else ([], [])
        if isinstance(first, Compute) and safe:
            rest = replace(first, predicate=conjunction(risky) if risky else None)
            operators = [rest, *operators[1:]]
        gate = gate_of(self, operators)
        if safe or gate is not None:
            self._in_blocks(safe, gate, operators, sink)
        else:
            with self.e.counted(I64(0), self.e.rows) as (row, after):
                self.position, self.row_ahead = row, lambda n: self._further(row, n, self.e.rows)
                self._row(row, after, operators, sink)
        sink.end(self)
        self.e.finish()

    def _row(self, row: Any, after: Any, operators: list[PhysicalOp], sink: Sink) -> None:
        self.rows[SOURCE] = row
        self.next = after
        self._step(operators, sink)

    def _in_blocks(
        self, conditions: list[Expr], gate: Gate | None, operators: list[PhysicalOp], sink: Sink
    ) -> None:
        """Rows block by block: of each those that pass."""

        def each(place: Any, after: Any, count: Any, row_at: Callable[[Any], Any]) -> None:
            self.position = place
            self.row_ahead = lambda n: row_at(self._further(place, n, count))
            self._row(row_at(place), after, operators, sink)

        Blocks(self, conditions, gate).emit(each)

    def _further(self, at: Any, count: int, end: Any) -> Any:
        b = self.e.b
        last = b.sub(end, I64(1))
        further = b.add(at, I64(count))
        return b.select(b.icmp_signed("<", further, last), further, last)

    def _step(self, operators: list[PhysicalOp], sink: Sink) -> None:
        if not operators:
            sink.row(self)
            return
        first, *rest = operators

        def go_on() -> None:
            self.at += 1
            self._step(rest, sink)

        match first:
            case Compute():
                self._compute(first)
                go_on()
            case HashJoin():
                self._join(first, go_on)
            case _:
                raise NotCompiledError(f"{first.label()} has no compiled form")

    # -------------------------------------------------------------------------------- columns

    def value_of(self, bound: Bound) -> Value:
        if bound.value is None:
            if bound.expr is not None:
                assert bound.scope is not None
                bound.value = emit(self.e, bound.expr, bound.scope)
            else:
                bound.value = self._stored(bound)
        return bound.value

    def _stored(self, bound: Bound) -> Value:
        return self.stored_at(bound, self.rows[bound.of])

    def stored_at(self, bound: Bound, row: Any) -> Value:
        """The value of a column in some row of the table it comes from."""
        layout, e = bound.layout, self.e
        if layout is None:
            raise NotCompiledError(f"{bound.name} is of a type that loops do not read")
        data = Data(bound.of, bound.name)
        valid = None
        if layout.nullable:
            bits = Bits(bound.of, bound.name)
            valid = e.bit(bits, Shift(bits), row)
        valid = e.both(valid, self.found.get(bound.of))
        match layout.kind:
            case "bool":
                return Value(e.bit(data, Shift(data), row), bound.dtype, valid, 0, 1)
            case "float":
                kind = FLOAT if layout.width == 4 else DOUBLE
                number = e.load(data, row, kind)
                if bound.dtype == pa.float64() and kind == FLOAT:
                    number = e.b.fpext(number, DOUBLE)
                return Value(number, bound.dtype, valid)
        number = e.load(data, row, _INTS[layout.width], layout.stride)
        if layout.width < 8:
            unsigned = layout.low >= 0 and layout.kind == "int"
            number = (e.b.zext if unsigned else e.b.sext)(number, I64)
        codes = (bound.of, bound.name) if layout.kind == "code" else None
        return Value(number, bound.dtype, valid, layout.low, layout.high, codes)

    def answer(self, bound: Bound, name: str, expr: Expr) -> Value:
        """The value of an expression of one dictionary column, by its code."""
        e = self.e
        code = self.value_of(bound)
        if code.codes is None:
            raise NotCompiledError("codes of codes")
        of, column = bound.of, bound.name
        at = code.ir
        if code.valid is not None:
            at = e.b.select(code.valid, at, e.number(NullCode(of, column)))
        answers = Answers(of, column, renamed(expr, name, column))
        known = e.load(AnswersKnown(answers), at, I8)
        valid = e.b.icmp_unsigned("!=", known, I8(0))
        t = expr.dtype
        if t == BOOL:
            truth = e.b.icmp_unsigned("!=", e.load(answers, at, I8), I8(0))
            return Value(truth, t, valid, 0, 1)
        if is_float(t):
            kind = FLOAT if t == pa.float32() else DOUBLE
            return Value(e.load(answers, at, kind), t, valid)
        if pa.types.is_string(t):
            number = e.b.sext(e.load(answers, at, I32), I64)
            return Value(number, t, valid, 0, (1 << 31) - 1, answers)
        if not is_stored_integer(t) or (is_decimal(t) and t.precision > 18):
            raise NotCompiledError(f"{expr} has no compiled form")
        low, high = -(1 << 63), (1 << 63) - 1
        return Value(e.load(answers, at, I64), t, valid, low, high)

    def _compute(self, op: Compute) -> None:
        if op.predicate is not None:
            safe, risky = _told_apart(op.predicate)
            # few branches: a wrong guess of the processor costs more than a comparison
            for some in [safe[i : i + 4] for i in range(0, len(safe), 4)] + [[p] for p in risky]:
                truth = [self.e.true(emit(self.e, p, self.names)) for p in some]
                self.e.skip_unless(self.e.both(*truth), self.next)
        if op.columns is not None:
            scope = self.names
            self.names = Names(self)
            for name, expr in op.columns:
                if isinstance(expr, Column):
                    self.names.columns[name] = scope.columns[expr.name]
                else:
                    made = Bound(SOURCE, name, None, expr.dtype, expr, scope)
                    self.names.columns[name] = made

    # ---------------------------------------------------------------------------------- joins

    def _join(self, op: HashJoin, go_on: Callable[[], None]) -> None:
        number = self.joins
        self.joins += 1
        shape = self.shapes[number]
        if op.in_probe or op.kind not in KINDS:
            raise NotCompiledError(f"{op.label()} has no compiled form")
        values = [self.value_of(self.names.columns[name]) for name in op.probe_keys]
        code, possible = self.key_code(values, number, shape)
        probe = Probe(self, op, number, shape, code, possible)
        ahead = values_ahead(self, op.probe_keys) if shape.large and values else None
        if ahead is not None:
            probe.fetch_ahead(self.key_code(ahead, number, shape)[0])
        probe.emit(go_on)

    def key_code(self, values: Sequence[Value], number: int, shape: TableShape) -> tuple[Any, Any]:
        """The code of keys, and whether the table can have it."""
        e = self.e
        if not values:
            return I64(0), I1(1)
        total: Any = None
        possible: Any = None
        for key, value in enumerate(values):
            code, inside = self.code_of_key(value, number, key, shape)
            possible = e.both(possible, inside)
            if total is None:
                total = code
            else:
                span = e.number(TableNumber(number, "span", key))
                total = e.b.add(e.b.mul(total, span), code)
        return e.b.select(possible, total, I64(0)), possible

    def code_of_key(
        self, value: Value, number: int, key: int, shape: TableShape
    ) -> tuple[Any, Any]:
        """The code of one of the keys, and whether the table can have it."""
        e = self.e
        kind, null_safe = shape.keys[key]
        code, inside = (self._text_code if kind == "text" else self._int_code)(value, number, key)
        if null_safe and value.valid is not None:
            null = e.number(TableNumber(number, "null_code", key))
            code = e.b.select(value.valid, code, null)
            return code, e.b.or_(inside, e.b.not_(value.valid))
        return code, e.both(inside, value.valid)

    def _int_code(self, value: Value, number: int, key: int) -> tuple[Any, Any]:
        e = self.e
        if value.codes is not None or is_float(value.dtype):
            raise NotCompiledError("a key of another kind than the table's")
        word = value.ir
        if value.dtype == BOOL:
            word = e.b.zext(word, I64)
        low = e.number(TableNumber(number, "low", key))
        high = e.number(TableNumber(number, "high", key))
        if value.is_wide:
            at_least = e.b.icmp_signed(">=", word, e.b.sext(low, I128))
            at_most = e.b.icmp_signed("<=", word, e.b.sext(high, I128))
            word = e.b.trunc(word, I64)
        else:
            at_least = e.b.icmp_signed(">=", word, low)
            at_most = e.b.icmp_signed("<=", word, high)
        return e.b.sub(word, low), e.b.and_(at_least, at_most)

    def _text_code(self, value: Value, number: int, key: int) -> tuple[Any, Any]:
        e = self.e
        if not isinstance(value.codes, tuple):
            raise NotCompiledError("a text key that is computed")
        of, name = value.codes
        at = value.ir
        if value.valid is not None:
            at = e.b.select(value.valid, at, I64(0))
        code = e.load(KeyAnswers(number, key, of, name), at, I64)
        return code, e.b.icmp_signed(">=", code, I64(0))


def _told_apart(predicate: Expr | None) -> tuple[list[Expr], list[Expr]]:
    """The conjuncts that cannot raise, and those that may."""
    parts = conjuncts(predicate)
    return [p for p in parts if not may_raise(p)], [p for p in parts if may_raise(p)]


def renamed(expr: Expr, name: str, column: str) -> Expr:
    """The expression over the stored column instead of the one that has its name here."""
    if name == column:
        return expr
    changed: Expr = substitute(expr, {name: Column(column, STRING)})
    return changed
