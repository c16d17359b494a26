"""Sinks: what a loop does with the rows that reach its top.

`Rows` writes columns of them; `Groups` finds each row's group and adds the row to its aggregates.
Both keep what the caller sees in `state`, words that the caller fills before the loop and reads
after it, and both call its `grow` when they run out of room.

    word          Rows                       Groups
    0 count       rows written               groups found
    1 capacity    rows there is room for     groups there is room for
    2 grow        address of a function that makes room: gives 0, or the loop stops
    3 records     -                          where the groups' records are
    4 slots       -                          where the table of group numbers is
    5 shift       -                          64 - the binary logarithm of the slots
    6 mask        -                          slots - 1
    7 room        -                          how many words the records have (for checks)
    8 places      -                          how many slots there are
    9 at          -                          which row found no room
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import llvmlite.ir as ir
import pyarrow as pa
import pyarrow.types as pat

from plait.engine.codegen.accumulators import Accumulator, Accumulators, Row, update
from plait.engine.codegen.aggregates import Aggregate, plan_aggregate
from plait.engine.codegen.ahead import values_ahead, word_of_near_row
from plait.engine.codegen.emit import (
    BEYOND,
    DOUBLE,
    FLOAT,
    I8,
    I16,
    I32,
    I64,
    I128,
    POINTER,
    STOPPED,
    Length,
    NotCompiledError,
    Value,
    leave_outside,
)
from plait.engine.codegen.fillers import SOURCE, KeyCodes
from plait.engine.codegen.loop import LoopEmitter
from plait.engine.codegen.names import stored_bound
from plait.engine.codegen.scalar import emit
from plait.planner.expr import Expr
from plait.planner.physical.operators import GroupRows
from plait.planner.schema import Schema
from plait.planner.types import BOOL, is_decimal, is_float

COUNT, CAPACITY, GROW, RECORDS, SLOTS, SHIFT, MASK, ROOM, PLACES, AT = range(10)
STATE_WORDS = 10

_GROW = ir.FunctionType(I32, [])
_HASH = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX = 0xD6E8FEB86659FD93 - (1 << 64)


def _state(loop: LoopEmitter, word: int) -> Any:
    return loop.e.b.gep(loop.e.state, [I64(word)], source_etype=I64)


def _known(loop: LoopEmitter, word: int) -> Length:
    """The length of an array that the caller's state tells."""
    return lambda: loop.e.b.load(_state(loop, word), typ=I64)


def _make_room(loop: LoopEmitter) -> None:
    b = loop.e.b
    address = b.load(_state(loop, GROW), typ=I64)
    status = b.call(b.inttoptr(address, _GROW.as_pointer()), [])
    loop.e.leave_if(b.icmp_signed("!=", status, I32(0)), STOPPED)


# -------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Out:
    """A pointer filler: the values of output column `number`, or (`valid`) their validity."""

    number: int
    valid: bool = False


@dataclass(frozen=True)
class Written:
    """An output column: of which Arrow type its buffer is, and whether NULLs may be in it.

    `codes` tells of whose dictionary the integers are codes. A column that loops do not read is
    `taken` from the batch or from a join table, by the row numbers that are written.
    """

    name: str
    type: pa.DataType
    nullable: bool
    codes: Any = None
    taken: tuple[int, str] | None = None


@dataclass
class Rows:
    """Writes the columns of `schema`."""

    schema: Schema
    columns: list[Written] = field(default_factory=list)

    def begin(self, loop: LoopEmitter) -> None:
        self._count = loop.e.variable(I64, I64(0))

    def row(self, loop: LoopEmitter) -> None:
        e, b = loop.e, loop.e.b
        at = e.get(self._count, I64)
        capacity = b.load(_state(loop, CAPACITY), typ=I64)
        with b.if_then(b.icmp_signed(">=", at, capacity), likely=False):
            b.store(at, _state(loop, COUNT))
            _make_room(loop)
            b.store(I64(0), self._count)
        at = e.get(self._count, I64)
        for number, f in enumerate(self.schema):
            self.columns.append(self._write(loop, number, f.name, at))
        b.store(b.add(at, I64(1)), self._count)

    def end(self, loop: LoopEmitter) -> None:
        loop.e.b.store(loop.e.get(self._count, I64), _state(loop, COUNT))

    def _write(self, loop: LoopEmitter, number: int, name: str, at: Any) -> Written:
        e = loop.e
        bound = stored_bound(loop.names.columns[name])
        if bound.expr is None and bound.layout is None and bound.value is None:
            row = e.b.trunc(loop.rows[bound.of], I32)
            if bound.of in loop.found:
                row = e.b.select(loop.found[bound.of], row, I32(-1))
            e.store(Out(number), at, row)
            return Written(name, pa.int32(), bound.of in loop.found, None, (bound.of, bound.name))
        value = loop.value_of(bound)
        stored = _storage(value, bound.dtype)
        e.store(Out(number), at, _narrowed(loop, value, stored))
        if value.valid is not None:
            e.store(Out(number, True), at, e.b.zext(value.valid, I8))
        return Written(name, stored, value.valid is not None, value.codes)


def _storage(value: Value, t: pa.DataType) -> pa.DataType:
    """The Arrow type whose buffer the values are written into."""
    if value.codes is not None:
        kinds = pa.int8(), pa.int16(), pa.int32()
        return next(k for k in kinds if value.high < 1 << k.bit_width - 1)
    if is_decimal(t):
        return pa.decimal128(t.precision, t.scale) if value.is_wide else pa.decimal64(18, t.scale)
    return t


def _narrowed(loop: LoopEmitter, value: Value, t: pa.DataType) -> Any:
    b, word = loop.e.b, value.ir
    if t == BOOL:
        return b.zext(word, I8)
    if is_float(t):
        if t == pa.float32() and word.type == DOUBLE:
            return b.fptrunc(word, FLOAT)
        return b.fpext(word, DOUBLE) if t == pa.float64() and word.type == FLOAT else word
    kind = {8: I8, 16: I16, 32: I32, 64: I64, 128: I128}[t.bit_width]
    return word if word.type == kind else b.trunc(word, kind)


# ------------------------------------------------------------------------------------------ groups


@dataclass(frozen=True)
class KeyNumber:
    """A number filler: `low`, `width` or `stride` of a group key."""

    key: int
    what: str


@dataclass(frozen=True)
class GroupKey:
    """A key: `kind` int, bool, float or text; its logical type; the bounds that the code knows.

    `stored`: the column it is, if it is not computed. `codes`: whose dictionary it has codes of.
    """

    name: str
    kind: str
    dtype: pa.DataType
    nullable: bool
    low: int
    high: int
    stored: tuple[int, str] | None
    codes: Any


class Table(NamedTuple):
    """What is decided of the table of groups; see `Groups`."""

    mode: str
    large: bool


@dataclass
class Groups:
    """One record for each group of equal keys, numbered by first appearance.

    `mode`: `none` without keys; `direct` where the keys side by side are few enough for a table
    indexed by them; `packed` where they fit one word, `words` where each has its own: both with
    open addressing (Knuth, The Art of Computer Programming vol. 3, 6.4). `large`: the table is
    more than the processor's caches hold, so it is asked for ahead.
    """

    op: GroupRows
    decide: Callable[[list[GroupKey]], Table] | None  # asked once, while the loop is emitted
    mode: str = ""
    large: bool = False
    keys: list[GroupKey] = field(default_factory=list)
    accumulators: Accumulators = field(default_factory=Accumulators)
    aggregates: list[Aggregate] = field(default_factory=list)

    @property
    def key_words(self) -> int:
        """How many words of a record its keys take; NULLs of `words` share one more."""
        if self.mode == "none":
            return 0
        if self.mode != "words":
            return 1
        return len(self.op.keys) + 1

    @property
    def words(self) -> int:
        return self.key_words + self.accumulators.words

    def begin(self, loop: LoopEmitter) -> None:
        e = loop.e
        self._state: dict[int, Any] = {}
        for word, kind in ((COUNT, I64), (CAPACITY, I64), (RECORDS, POINTER), (SLOTS, POINTER)):
            self._state[word] = e.variable(kind, kind(0) if kind == I64 else kind(None))
        for word in (SHIFT, MASK):
            self._state[word] = e.variable(I64, I64(0))
        self._reload(loop)

    def _reload(self, loop: LoopEmitter) -> None:
        b = loop.e.b
        for word, place in self._state.items():
            kind = POINTER if word in (RECORDS, SLOTS) else I64
            b.store(b.load(_state(loop, word), typ=kind), place)

    def _get(self, loop: LoopEmitter, word: int) -> Any:
        kind = POINTER if word in (RECORDS, SLOTS) else I64
        return loop.e.get(self._state[word], kind)

    def row(self, loop: LoopEmitter) -> None:
        e = loop.e
        if not self.op.keys:
            self.mode = "none"
            updates = self._plan(loop)
            record = self._record(loop, I64(0))
        else:
            words = self._key(loop)
            # arguments before the search: what they load is on its way meanwhile
            updates = self._plan(loop)
            if self.large:
                self._fetch_ahead(loop)
            record = self._find(loop, words)
        first = self.key_words
        for acc, values, mask in updates:

            def place(word: int, start: int = first + acc.first) -> Any:
                return e.b.gep(record, [I64(start + word)], source_etype=I64)

            update(acc, Row(e, values, mask, place, acc.text))

    def end(self, loop: LoopEmitter) -> None:
        loop.e.b.store(self._get(loop, COUNT), _state(loop, COUNT))

    # --------------------------------------------------------------------------------- arguments

    def _plan(self, loop: LoopEmitter) -> list[tuple[Accumulator, list[Value], Any]]:
        """Each accumulator with its arguments, and whether its filter admits the row."""
        known: dict[Expr, Value] = {}
        self.accumulators.keys = len(self.keys)

        def value_of(expr: Expr) -> Value:
            if expr not in known:
                known[expr] = emit(loop.e, expr, loop.names)
            return known[expr]

        for name, call in self.op.calls:
            made = plan_aggregate(name, call, value_of, self.accumulators)
            self.aggregates.append(made)
        return [
            (
                acc,
                [value_of(a) for a in acc.args],
                None if acc.filter is None else loop.e.true(value_of(acc.filter)),
            )
            for acc in self.accumulators.found
        ]

    # -------------------------------------------------------------------------------------- keys

    def _key(self, loop: LoopEmitter) -> list[Any]:
        """The words that tell the row's group."""
        values = [self._number(loop, i, name) for i, name in enumerate(self.op.keys)]
        assert self.decide is not None
        self.mode, self.large = self.decide(self.keys)
        return self._words(loop, values, sure=False)

    def _words(self, loop: LoopEmitter, values: list[Value], *, sure: bool) -> list[Any]:
        """Keys as words; the loop is left for one beyond the table, unless those are `sure`."""
        e, b = loop.e, loop.e.b
        fields, nulls = [], I64(0)
        for number, value in enumerate(values):
            if self.mode == "words":
                fields.append(
                    value.ir if value.valid is None else b.select(value.valid, value.ir, I64(0))
                )
                if value.valid is not None:
                    bit = b.select(value.valid, I64(0), I64(1 << number))
                    nulls = b.or_(nulls, bit)
                continue
            part = b.sub(value.ir, e.number(KeyNumber(number, "low")))
            if value.valid is not None:
                part = b.select(value.valid, part, I64(0))
            if not sure:
                width = e.number(KeyNumber(number, "width"))
                e.leave_if(b.icmp_unsigned(">=", part, width), BEYOND)
            if value.valid is not None and not sure:
                # 0 stands for NULL: `low` is one less than the least value
                null = b.and_(value.valid, b.icmp_signed("==", part, I64(0)))
                e.leave_if(null, BEYOND)
            fields.append(b.mul(part, e.number(KeyNumber(number, "stride"))))
        if self.mode == "words":
            return [*fields, nulls]
        total = fields[0]
        for part in fields[1:]:
            total = b.add(total, part)
        return [total]

    def _number(self, loop: LoopEmitter, number: int, name: str) -> Value:
        """A key as a 64-bit integer, and what has to be known to turn it back."""
        bound = stored_bound(loop.names.columns[name])
        value = loop.value_of(bound)
        kind, made = _as_word(loop, number, value)
        stored = (bound.of, bound.name) if bound.expr is None and bound.layout else None
        nullable = value.valid is not None
        self.keys.append(
            GroupKey(name, kind, value.dtype, nullable, value.low, value.high, stored, value.codes)
        )
        return made

    def _fetch_ahead(self, loop: LoopEmitter) -> None:
        """Ask for the memory that rows to come will need: the place in the table, the record."""
        e, b = loop.e, loop.e.b
        values = values_ahead(loop, self.op.keys)
        if values is None:
            return
        numbers = [_as_word(loop, number, value)[1] for number, value in enumerate(values)]
        words = self._words(loop, numbers, sure=True)
        slot = words[0] if self.mode == "direct" else self._hashed(loop, words)
        inside = b.icmp_unsigned("<", slot, b.load(_state(loop, PLACES), typ=I64))
        slot = b.select(inside, slot, I64(0))
        e.prefetch(b.gep(self._get(loop, SLOTS), [slot], source_etype=I32))
        group = self._slot(loop, word_of_near_row(loop, slot))
        group = b.select(b.icmp_signed("<", group, I64(0)), I64(0), group)
        e.prefetch(self._record(loop, group))

    def _hashed(self, loop: LoopEmitter, words: list[Any]) -> Any:
        """Where the search begins."""
        return loop.e.b.lshr(mixed(loop.e.b, words), self._get(loop, SHIFT))

    def _find(self, loop: LoopEmitter, words: list[Any]) -> Any:
        """The record of the row's group, made if the group is new."""
        e, b = loop.e, loop.e.b
        group = e.variable(I64, I64(0))
        search, new, room, done = (e.block(n) for n in ("search", "new", "room", "found"))
        slot = e.variable(I64, I64(0))
        b.branch(search)
        e.goto(search)
        if self.mode == "direct":
            b.store(words[0], slot)
            number = self._slot(loop, words[0])
            b.store(number, group)
            b.cbranch(b.icmp_signed("<", number, I64(0)), new, done)
        else:
            self._search(loop, words, slot, group, new, done)
        e.goto(new)
        count = self._get(loop, COUNT)
        make, ready = e.block("make"), e.block("ready")
        b.cbranch(b.icmp_signed("<", count, self._get(loop, CAPACITY)), ready, room)
        e.goto(room)
        b.store(count, _state(loop, COUNT))
        b.store(loop.rows[SOURCE], _state(loop, AT))
        _make_room(loop)
        self._reload(loop)
        b.branch(search)
        e.goto(ready)
        b.branch(make)
        e.goto(make)
        slots, at = self._get(loop, SLOTS), e.get(slot, I64)
        e.store_at(slots, at, b.trunc(count, I32), _known(loop, PLACES))
        b.store(count, group)
        record = self._record(loop, count)
        for number, word in enumerate(words):
            b.store(word, b.gep(record, [I64(number)], source_etype=I64), align=8)
        start = [w for acc in self.accumulators.found for w in acc.start]
        for number, value in enumerate(start, self.key_words):
            b.store(I64(value), b.gep(record, [I64(number)], source_etype=I64), align=8)
        b.store(b.add(count, I64(1)), self._state[COUNT])
        b.branch(done)
        e.goto(done)
        return self._record(loop, e.get(group, I64))

    def _record(self, loop: LoopEmitter, group: Any) -> Any:
        b = loop.e.b
        at = b.mul(group, I64(self.words))
        if self.words:
            loop.e.check(b.add(at, I64(self.words - 1)), _known(loop, ROOM))
        return b.gep(self._get(loop, RECORDS), [at], source_etype=I64)

    def _slot(self, loop: LoopEmitter, at: Any) -> Any:
        """The number of the group in a slot, or -1."""
        slots = self._get(loop, SLOTS)
        return loop.e.b.sext(loop.e.load_at(slots, at, I32, _known(loop, PLACES)), I64)

    def _search(
        self, loop: LoopEmitter, words: list[Any], slot: Any, group: Any, new: Any, done: Any
    ) -> None:
        e, b = loop.e, loop.e.b
        b.store(self._hashed(loop, words), slot)
        probe, compare, other = e.block("probe"), e.block("compare"), e.block("other")
        b.branch(probe)
        e.goto(probe)
        at = e.get(slot, I64)
        number = self._slot(loop, at)
        b.cbranch(b.icmp_signed("<", number, I64(0)), new, compare)
        e.goto(compare)
        record = self._record(loop, number)
        same = None
        for index, word in enumerate(words):
            known = b.load(b.gep(record, [I64(index)], source_etype=I64), typ=I64, align=8)
            same = e.both(same, b.icmp_signed("==", known, word))
        b.store(number, group)
        b.cbranch(same, done, other)
        e.goto(other)
        b.store(b.and_(b.add(at, I64(1)), self._get(loop, MASK)), slot)
        b.branch(probe)

    def emit_rehash(self, module: ir.Module, checked: bool) -> None:
        """A second function, `rehash(records, room, groups, slots, places, shift, mask)`: fills
        empty slots. `room` and `places` are for checks."""
        kind = ir.FunctionType(I32, [POINTER, I64, I64, POINTER, I64, I64, I64])
        function = ir.Function(module, kind, "rehash")
        records, room, groups, slots, places, shift, mask = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        names = ("head", "body", "probe", "taken", "free", "end")
        head, body, probe, taken, free, end = (function.append_basic_block(n) for n in names)
        number, slot = b.alloca(I64), b.alloca(I64)
        b.store(I64(0), number)
        b.branch(head)
        b.position_at_end(head)
        at = b.load(number, typ=I64)
        b.cbranch(b.icmp_signed("<", at, groups), body, end)
        b.position_at_end(body)
        first = b.mul(at, I64(self.words))
        if checked:
            leave_outside(b, b.add(first, I64(self.words - 1)), room)
        record = b.gep(records, [first], source_etype=I64)
        words = [
            b.load(b.gep(record, [I64(i)], source_etype=I64), typ=I64, align=8)
            for i in range(self.key_words)
        ]
        b.store(b.lshr(mixed(b, words), shift), slot)
        b.branch(probe)
        b.position_at_end(probe)
        here = b.load(slot, typ=I64)
        if checked:
            leave_outside(b, here, places)
        place = b.gep(slots, [here], source_etype=I32)
        b.cbranch(b.icmp_signed("<", b.load(place, typ=I32), I32(0)), free, taken)
        b.position_at_end(taken)
        b.store(b.and_(b.add(here, I64(1)), mask), slot)
        b.branch(probe)
        b.position_at_end(free)
        b.store(b.trunc(at, I32), place)
        b.store(b.add(at, I64(1)), number)
        b.branch(head)
        b.position_at_end(end)
        b.ret(I32(0))


def _as_word(loop: LoopEmitter, number: int, value: Value) -> tuple[str, Value]:
    """The kind of a key, and its value as a 64-bit integer that tells it from others."""
    e, b = loop.e, loop.e.b
    kind, word = "int", value.ir
    if value.codes is not None:
        kind = "text"
        at = value.ir if value.valid is None else b.select(value.valid, value.ir, I64(0))
        word = b.sext(e.load(KeyCodes(number, value.codes), at, I32), I64)
    elif value.dtype == BOOL:
        kind, word = "bool", b.zext(value.ir, I64)
    elif is_float(value.dtype):
        kind = "float"
        wide = b.fpext(word, DOUBLE) if word.type == FLOAT else word
        plain = b.fadd(wide, DOUBLE(0.0))  # -0.0 becomes 0.0
        nan = b.fcmp_unordered("uno", plain, plain)
        word = b.bitcast(b.select(nan, DOUBLE(float("nan")), plain), I64)
    elif value.is_wide:
        raise NotCompiledError("keys of 128 bits")
    return kind, replace(value, ir=word)


def mixed(b: ir.IRBuilder, words: list[Any]) -> Any:
    """A hash of some words, best in its upper bits."""
    total = None
    for word in words:
        total = word if total is None else b.xor(total, word)
        total = b.mul(total, I64(_HASH))
        total = b.xor(total, b.lshr(total, I64(32)))
    return b.mul(total, I64(_MIX))


def is_groupable(t: pa.DataType) -> bool:
    """Whether a key of a type that is no string may be grouped by in a loop."""
    return bool(t == BOOL or is_float(t) or is_decimal(t) or pat.is_primitive(t))
