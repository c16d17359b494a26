"""One loop over the rows of a batch: filters, projections, probes of join tables, one sink.

`Loop` describes it: the physical operators from the source upwards, the layouts of the columns it
reads, the shapes of the join tables, and the sink. `emit_loop` turns it into LLVM code in one pass
over the operators; rows that fail a condition go on with the next, a join with several matches
opens an inner loop, and everything above it stands inside.

What the loop gets is written down as fillers (`emit.py`); their classes are here, in `scalar.py`
and `sinks.py`, and `plait.engine.operators.loop_inputs` knows where each is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

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
from plait.engine.codegen.layout import Layout
from plait.engine.codegen.scalar import Scope, emit, is_stored_integer
from plait.planner.expr import Column, Expr, columns_of, conjuncts, substitute
from plait.planner.physical.operators import Compute, HashJoin, PhysicalOp
from plait.planner.risk import may_raise
from plait.planner.types import BOOL, STRING, is_decimal, is_float

SOURCE = -1  # where a column comes from: the batch, or a join by its number

_INTS = {1: I8, 2: I16, 4: I32, 8: I64, 16: I128}


# ---------------------------------------------------------------------------------------- fillers


@dataclass(frozen=True)
class Data:
    """The values of a column of the batch, or of a join table."""

    of: int
    name: str


@dataclass(frozen=True)
class Bits:
    """The validity bitmap of such a column, from the byte on in which it begins."""

    of: int
    name: str


@dataclass(frozen=True)
class Shift:
    """At which bit of the first byte of `what` a bitmap begins."""

    what: Data | Bits


@dataclass(frozen=True)
class Answers:
    """An expression's value for each entry of a column's dictionary, and last for NULL."""

    of: int
    name: str
    expr: Expr


@dataclass(frozen=True)
class AnswersKnown:
    """Whether each of these is not NULL, a byte each."""

    answers: Answers


@dataclass(frozen=True)
class NullCode:
    """How many entries the dictionary of a column has."""

    of: int
    name: str


@dataclass(frozen=True)
class TableArray:
    """An array of a join's table; see `plait.engine.operators.probing`."""

    join: int
    what: str


@dataclass(frozen=True)
class TableNumber:
    """A number of a join's table; `key` tells of which of its keys."""

    join: int
    what: str
    key: int = 0


@dataclass(frozen=True)
class KeyAnswers:
    """For each entry of a dictionary, the code that a join table's key has for it, or -1."""

    join: int
    key: int
    of: int
    name: str


@dataclass(frozen=True)
class TableShape:
    """What the code that probes a join table depends on.

    `lookup`: set (presence only), dense, hashed, or empty. `keys`: int or text, and whether NULLs
    match. `columns`: the layouts of the build columns that loops can read.
    """

    lookup: str
    unique: bool
    identity: bool
    keys: tuple[tuple[str, bool], ...]
    columns: tuple[tuple[str, Layout | None], ...]


# ------------------------------------------------------------------------------------- the inside


@dataclass
class Bound:
    """A column by name: where it is stored, or how it is computed; its value once it was needed."""

    of: int
    name: str
    layout: Layout | None
    dtype: pa.DataType
    expr: Expr | None = None
    scope: Names | None = None
    value: Value | None = None


def stored_bound(bound: Bound) -> Bound:
    """The column that a plain renaming stands for."""
    while isinstance(bound.expr, Column) and bound.scope is not None:
        bound = bound.scope.columns[bound.expr.name]
    return bound


@dataclass
class Names(Scope):
    """The columns that expressions see at some operator."""

    emitter: LoopEmitter
    columns: dict[str, Bound] = field(default_factory=dict)

    def column(self, name: str) -> Value:
        return self.emitter.value_of(self.columns[name])

    def lookup(self, expr: Expr) -> Value | None:
        scope = self
        while True:
            used = columns_of(expr)
            if len(used) != 1:
                return None
            (name,) = used
            bound = scope.columns[name]
            if bound.expr is None or bound.scope is None:
                break
            expr, scope = substitute(expr, {name: bound.expr}), bound.scope
        if bound.layout is None or bound.layout.kind != "code":
            return None
        return self.emitter.answer(bound, name, expr)


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

    def run(self, operators: list[PhysicalOp], sink: Sink) -> None:
        """The whole function."""
        sink.begin(self)
        with self.e.counted(I64(0), self.e.rows) as (row, after):
            self.rows[SOURCE] = row
            self.next = after
            self._step(operators, sink)
        sink.end(self)
        self.e.finish()

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
        layout, e = bound.layout, self.e
        if layout is None:
            raise NotCompiledError(f"{bound.name} is of a type that loops do not read")
        row = self.rows[bound.of]
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
            parts = conjuncts(op.predicate)
            safe = [p for p in parts if not may_raise(p)]
            risky = [p for p in parts if may_raise(p)]
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
        if op.in_probe or not op.probe_keys or op.kind not in _KINDS:
            raise NotCompiledError(f"{op.label()} has no compiled form")
        code, possible = self._key_code(op, number, shape)
        probe = _Probe(self, op, number, shape, code, possible)
        probe.emit(go_on)

    def _key_code(self, op: HashJoin, number: int, shape: TableShape) -> tuple[Any, Any]:
        """The code of the row's keys, and whether the table can have it."""
        e = self.e
        total: Any = None
        possible: Any = None
        for key, (name, (kind, null_safe)) in enumerate(
            zip(op.probe_keys, shape.keys, strict=True)
        ):
            bound = self.names.columns[name]
            value = self.value_of(bound)
            if kind == "text":
                code, inside = self._text_code(value, number, key)
            else:
                code, inside = self._int_code(value, number, key)
            if null_safe and value.valid is not None:
                null = e.number(TableNumber(number, "null_code", key))
                code = e.b.select(value.valid, code, null)
                inside = e.b.or_(inside, e.b.not_(value.valid))
            else:
                inside = e.both(inside, value.valid)
            possible = e.both(possible, inside)
            if total is None:
                total = code
            else:
                span = e.number(TableNumber(number, "span", key))
                total = e.b.add(e.b.mul(total, span), code)
        return e.b.select(possible, total, I64(0)), possible

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


def renamed(expr: Expr, name: str, column: str) -> Expr:
    """The expression over the stored column instead of the one that has its name here."""
    if name == column:
        return expr
    changed: Expr = substitute(expr, {name: Column(column, STRING)})
    return changed


_KINDS = ("inner", "left", "semi", "anti", "mark", "single", "right", "full")
_KINDS += ("right_semi", "right_anti")
_TRACKING = ("right", "full", "right_semi", "right_anti")
_HASH = 0x9E3779B97F4A7C15  # as in plait.engine.kernels.hash_table


@dataclass
class _Probe:
    """The code that looks one row up in a join table."""

    loop: LoopEmitter
    op: HashJoin
    number: int
    shape: TableShape
    code: Any
    possible: Any

    def emit(self, go_on: Callable[[], None]) -> None:
        kind = self.op.kind
        if kind in ("semi", "anti", "mark"):
            self._presence(go_on)
        elif kind in ("left", "single", "full"):
            self._outer(go_on)
        else:
            self._inner(go_on)

    # ---------------------------------------------------------------------------- finding a key

    def _array(self, what: str, index: Any, kind: Any) -> Any:
        return self.loop.e.load(TableArray(self.number, what), index, kind)

    def key_number(self) -> Any:
        """The number of the key in the table, or -1."""
        e, b = self.loop.e, self.loop.e.b
        if self.shape.lookup == "empty":
            return I64(-1)
        if self.shape.lookup == "dense":
            number = b.sext(self._array("numbers", self.code, I32), I64)
            return b.select(self.possible, number, I64(-1))
        # open addressing; most keys that are not there stop at one byte of `seen`
        result = e.variable(I64, I64(-1))
        b.store(I64(-1), result)
        mixed = b.mul(self.code, I64(_HASH - (1 << 64)))
        end, look = e.block("end"), e.block("look")
        seen_at = b.lshr(mixed, e.number(TableNumber(self.number, "seen_shift")))
        seen = b.icmp_unsigned("!=", self._array("seen", seen_at, I8), I8(0))
        b.cbranch(b.and_(seen, self.possible), look, end)
        e.goto(look)
        mask = e.number(TableNumber(self.number, "mask"))
        slot = e.variable(I64, I64(0))
        b.store(b.lshr(mixed, e.number(TableNumber(self.number, "shift"))), slot)
        probe, other, hit = e.block("probe"), e.block("other"), e.block("hit")
        b.branch(probe)
        e.goto(probe)
        at = e.get(slot, I64)
        number = b.sext(self._array("table", at, I32), I64)
        compare = e.block("compare")
        b.cbranch(b.icmp_signed("<", number, I64(0)), end, compare)
        e.goto(compare)
        key = self._array("keys", number, I64)
        b.cbranch(b.icmp_signed("==", key, self.code), hit, other)
        e.goto(other)
        b.store(b.and_(b.add(at, I64(1)), mask), slot)
        b.branch(probe)
        e.goto(hit)
        b.store(number, result)
        b.branch(end)
        e.goto(end)
        return e.get(result, I64)

    def _present(self) -> Any:
        """Whether the table has the key."""
        b = self.loop.e.b
        if self.shape.lookup == "set":
            seen = b.icmp_unsigned("!=", self._array("members", self.code, I8), I8(0))
            return b.and_(seen, self.possible)
        return b.icmp_signed(">=", self.key_number(), I64(0))

    def _matches(self, number: Any) -> tuple[Any, Any]:
        """From where to where the rows of a key that is there stand in `order`."""
        b = self.loop.e.b
        start = self._array("starts", number, I64)
        return start, self._array("starts", b.add(number, I64(1)), I64)

    def _row(self, number: Any) -> Any:
        """The row of a key, if no key has two."""
        return number if self.shape.identity else self._array("rows", number, I64)

    # -------------------------------------------------------------------------------- the kinds

    def _presence(self, go_on: Callable[[], None]) -> None:
        loop, e, op = self.loop, self.loop.e, self.op
        present = self._present() if op.residual is None else self._any_match()
        if op.kind == "mark":
            assert op.mark is not None
            self._names(build=False)
            made = Bound(SOURCE, op.mark, None, BOOL, value=Value(present, BOOL, None, 0, 1))
            loop.names.columns[op.mark] = made
            go_on()
            return
        wanted = present if op.kind == "semi" else e.b.not_(present)
        e.skip_unless(wanted, loop.next)
        self._names(build=False)
        go_on()

    def _any_match(self) -> Any:
        """Whether some build row of the key satisfies the residual condition."""
        loop, e, b = self.loop, self.loop.e, self.loop.e.b
        assert self.op.residual is not None
        outer = loop.names
        for name in columns_of(self.op.residual):
            if name in outer.columns:
                outer.column(name)  # before the inner loop, where all that follows can see it
        found = e.variable(I1, I1(0))
        b.store(I1(0), found)
        number = self.key_number()
        some, end = e.block("some"), e.block("known")
        b.cbranch(b.icmp_signed(">=", number, I64(0)), some, end)
        e.goto(some)
        self._names(build=True)
        if self.shape.unique:
            loop.rows[self.number] = self._row(number)
            b.store(e.true(emit(e, self.op.residual, loop.names)), found)
        else:
            start, stop = self._matches(number)
            with e.counted(start, stop) as (place, after):
                loop.rows[self.number] = self._array("order", place, I64)
                truth = e.true(emit(e, self.op.residual, loop.names))
                b.store(truth, found)
                b.cbranch(truth, end, after)
                e.goto(e.block("unreached"))
        b.branch(end)
        e.goto(end)
        loop.names = outer
        return e.get(found, I1)

    def _inner(self, go_on: Callable[[], None]) -> None:
        loop, e = self.loop, self.loop.e
        number = self.key_number()
        e.skip_unless(e.b.icmp_signed(">=", number, I64(0)), loop.next)
        self._each_match(number, go_on)

    def _each_match(self, number: Any, go_on: Callable[[], None]) -> None:
        loop, e = self.loop, self.loop.e
        if self.shape.unique:
            self._match(self._row(number), go_on)
            return
        start, stop = self._matches(number)
        outer = loop.next
        with e.counted(start, stop) as (place, after):
            loop.next = after
            self._match(self._array("order", place, I64), go_on)
        loop.next = outer

    def _match(self, row: Any, go_on: Callable[[], None]) -> None:
        loop, e, op = self.loop, self.loop.e, self.op
        loop.rows[self.number] = row
        self._names(build=True)
        if op.residual is not None:
            truth = e.true(emit(e, op.residual, loop.names))
            e.skip_unless(truth, loop.next)
        if op.kind in _TRACKING:
            e.store(TableArray(self.number, "matched"), row, I8(1))
        if op.kind not in ("right_semi", "right_anti"):
            go_on()

    def _outer(self, go_on: Callable[[], None]) -> None:
        """A row without a match goes on with NULLs, for which row 0 stands, never looked at."""
        loop, e, b, op = self.loop, self.loop.e, self.loop.e.b, self.op
        if op.kind == "single" and not self.shape.unique:
            raise NotCompiledError("more than one row is an error the vectorised tier knows")
        number = self.key_number()
        found = b.icmp_signed(">=", number, I64(0))
        if self.shape.unique:
            safe = b.select(found, number, I64(0))
            row = I64(0) if self.shape.lookup == "empty" else self._row(safe)
            self._outer_row(row, found, go_on)
            return
        if op.residual is not None:
            raise NotCompiledError("an outer join with a residual condition and several matches")
        safe = b.select(found, number, I64(0))
        start, stop = self._matches(safe)
        stop = b.select(found, stop, b.add(start, I64(1)))
        outer = loop.next
        with e.counted(start, stop) as (place, after):
            loop.next = after
            self._outer_row(self._array("order", place, I64), found, go_on)
        loop.next = outer

    def _outer_row(self, row: Any, found: Any, go_on: Callable[[], None]) -> None:
        loop, e, b, op = self.loop, self.loop.e, self.loop.e.b, self.op
        loop.rows[self.number], loop.found[self.number] = row, found
        self._names(build=True)
        if op.residual is not None:
            found = b.and_(found, e.true(emit(e, op.residual, loop.names)))
            loop.found[self.number] = found
            self._names(build=True)  # the columns as they are seen with this answer
        if op.kind == "full":
            place = b.select(found, row, e.number(TableNumber(self.number, "spare")))
            e.store(TableArray(self.number, "matched"), place, I8(1))
        go_on()

    def _names(self, build: bool) -> None:
        """What is seen above the join: the probe's columns and, of pairs, the build side's."""
        loop = self.loop
        seen = Names(loop, dict(loop.names.columns))
        if build:
            types = {f.name: f.type for f in self.op.build.schema}
            for name, layout in self.shape.columns:
                if name not in self.op.probe.schema.names:
                    seen.columns[name] = Bound(self.number, name, layout, types[name])
        loop.names = seen
