"""Code that looks a row up in a join table, and goes on for each kind of join.

Table layouts and hashing are those of `plait.engine.kernels.hash_table`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.engine.codegen.ahead import word_of_near_row
from plait.engine.codegen.emit import I1, I8, I32, I64, NotCompiledError, Value
from plait.engine.codegen.fillers import SOURCE, Data, TableArray, TableNumber, TableShape
from plait.engine.codegen.index import rank_of
from plait.engine.codegen.names import Bound, Names
from plait.engine.codegen.scalar import emit
from plait.planner.expr import columns_of
from plait.planner.physical.operators import HashJoin
from plait.planner.types import BOOL

if TYPE_CHECKING:
    from plait.engine.codegen.loop import LoopEmitter

KINDS = ("inner", "left", "semi", "anti", "mark", "single")
"""The joins that loops probe: those that give no rows of their build side in the end."""

_WORD = I64(6)  # by which a code is shifted to the number of the word that has its bit
_HASH = 0x9E3779B97F4A7C15  # as in plait.engine.kernels.hash_table


@dataclass
class Probe:
    """The code that looks one row up in a join table."""

    loop: LoopEmitter
    op: HashJoin
    number: int
    shape: TableShape
    code: Any
    possible: Any
    of_one_key: bool = False  # the code is that of the key `shape.gate` alone

    def emit(self, go_on: Callable[[], None]) -> None:
        kind = self.op.kind
        if kind in ("semi", "anti", "mark"):
            self._presence(go_on)
        elif kind in ("left", "single"):
            self._outer(go_on)
        else:
            self._inner(go_on)

    # ---------------------------------------------------------------------------- finding a key

    def may_match(self) -> Any:
        """Whether the table may have the key, without a branch: if not, it has not."""
        if self.of_one_key:
            return self._has_bit("gate", self.code)
        match self.shape.lookup:
            case "set" | "ranked":
                return self._has_bit("bits", self.code)
            case "hashed":
                return self._has_bit("seen", self._hash_of("seen_shift"))
        return self.loop.e.b.icmp_signed(">=", self.first_row(), I64(0))

    def _hash_of(self, shift: str) -> Any:
        b = self.loop.e.b
        return b.lshr(b.mul(self.code, I64(_HASH - (1 << 64))), self._number(shift))

    def fetch_ahead(self, code: Any) -> None:
        """Ask for what rows to come need: the place of a key in the table, by the code of the row
        far ahead; then the columns of the row it leads to."""
        e, b = self.loop.e, self.loop.e.b
        match self.shape.lookup:
            case "set":
                self._ask("bits", b.lshr(code, _WORD), I64)
            case "ranked":
                self._ask("bits", b.lshr(code, _WORD), I64)
                self._ask("before", b.lshr(code, _WORD), I32)
                row = b.sext(
                    self._array("first", self._rank(word_of_near_row(self.loop, code)), I32), I64
                )
                self._ask_for_columns(row)
            case "dense":
                self._ask("first", code, I32)
                near = word_of_near_row(self.loop, code)
                self._ask_for_columns(b.sext(self._array("first", near, I32), I64))
            case "hashed":
                mixed = b.mul(code, I64(_HASH - (1 << 64)))
                self._ask("seen", b.lshr(b.lshr(mixed, self._number("seen_shift")), _WORD), I64)
                slot = b.lshr(mixed, self._number("shift"))
                self._ask("table", slot, I32)
                near = word_of_near_row(self.loop, slot)
                row = b.sext(self._array("table", near, I32), I64)
                e.prefetch(e.place(TableArray(self.number, "keys"), row, I64))
                self._ask_for_columns(row)

    def _ask_for_columns(self, row: Any) -> None:
        """Have the row's columns fetched, wherever -1 leads."""
        if self.op.kind in ("semi", "anti", "mark") and self.op.residual is None:
            return
        for name, layout in self.shape.columns:
            if layout is not None and layout.stride and name in self.op.schema.names:
                place = self.loop.e.b.mul(row, I64(layout.stride))
                self.loop.e.prefetch(self.loop.e.place(Data(self.number, name), place, I8))

    def _ask(self, what: str, index: Any, kind: Any) -> None:
        self.loop.e.prefetch(self.loop.e.place(TableArray(self.number, what), index, kind))

    def _number(self, what: str) -> Any:
        return self.loop.e.number(TableNumber(self.number, what))

    def _array(self, what: str, index: Any, kind: Any) -> Any:
        return self.loop.e.load(TableArray(self.number, what), index, kind)

    def first_row(self) -> Any:
        """The first row of the key in the table, or -1."""
        e, b = self.loop.e, self.loop.e.b
        if self.shape.lookup == "empty":
            return I64(-1)
        if self.shape.lookup == "one":
            return I64(0)
        if self.shape.lookup == "dense":
            row = b.sext(self._array("first", self.code, I32), I64)
            return b.select(self.possible, row, I64(-1))
        if self.shape.lookup == "ranked":
            return self._ranked_row()
        # open addressing; most keys that are not there stop at one bit of `seen`
        result = e.variable(I64, I64(-1))
        b.store(I64(-1), result)
        end, look = e.block("end"), e.block("look")
        b.cbranch(self.may_match(), look, end)
        e.goto(look)
        mask = self._number("mask")
        slot = e.variable(I64, I64(0))
        b.store(self._hash_of("shift"), slot)
        probe, other, hit = e.block("probe"), e.block("other"), e.block("hit")
        b.branch(probe)
        e.goto(probe)
        at = e.get(slot, I64)
        row = b.sext(self._array("table", at, I32), I64)
        compare = e.block("compare")
        b.cbranch(b.icmp_signed("<", row, I64(0)), end, compare)
        e.goto(compare)
        key = self._array("keys", row, I64)
        b.cbranch(b.icmp_signed("==", key, self.code), hit, other)
        e.goto(other)
        b.store(b.and_(b.add(at, I64(1)), mask), slot)
        b.branch(probe)
        e.goto(hit)
        b.store(row, result)
        b.branch(end)
        e.goto(end)
        return e.get(result, I64)

    def _ranked_row(self) -> Any:
        e, b = self.loop.e, self.loop.e.b
        result = e.variable(I64, I64(-1))
        b.store(I64(-1), result)
        look, end = e.block("look"), e.block("end")
        b.cbranch(self.may_match(), look, end)
        e.goto(look)
        b.store(b.sext(self._array("first", self._rank(self.code), I32), I64), result)
        b.branch(end)
        e.goto(end)
        return e.get(result, I64)

    def _has_bit(self, bits: str, number: Any) -> Any:
        """Whether a possible key has a bit."""
        b = self.loop.e.b
        word = self._array(bits, b.lshr(number, _WORD), I64)
        bit = b.trunc(b.lshr(word, b.and_(number, I64(63))), I1)
        return b.and_(bit, self.possible)

    def _rank(self, code: Any) -> Any:
        b = self.loop.e.b
        word = b.lshr(code, _WORD)
        return rank_of(b, code, self._array("bits", word, I64), self._array("before", word, I32))

    def _present(self) -> Any:
        """Whether the table has the key."""
        if self.shape.lookup == "set":
            return self._has_bit("bits", self.code)
        return self.loop.e.b.icmp_signed(">=", self.first_row(), I64(0))

    def _next(self, row: Any) -> Any:
        """The next row with the same key, or -1."""
        return self.loop.e.b.sext(self._array("next", row, I32), I64)

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
        first = self.first_row()
        some, end = e.block("some"), e.block("known")
        b.cbranch(b.icmp_signed(">=", first, I64(0)), some, end)
        e.goto(some)
        self._names(build=True)
        if self.shape.unique:
            loop.rows[self.number] = first
            b.store(e.true(emit(e, self.op.residual, loop.names)), found)
        else:
            with e.chained(first, self._next) as (row, after):
                loop.rows[self.number] = row
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
        first = self.first_row()
        e.skip_unless(e.b.icmp_signed(">=", first, I64(0)), loop.next)
        if self.shape.unique:
            self._match(first, go_on)
            return
        outer = loop.next
        with e.chained(first, self._next) as (row, after):
            loop.next = after
            self._match(row, go_on)
        loop.next = outer

    def _match(self, row: Any, go_on: Callable[[], None]) -> None:
        loop, e, op = self.loop, self.loop.e, self.op
        loop.rows[self.number] = row
        self._names(build=True)
        if op.residual is not None:
            truth = e.true(emit(e, op.residual, loop.names))
            e.skip_unless(truth, loop.next)
        go_on()

    def _outer(self, go_on: Callable[[], None]) -> None:
        """A row without a match goes on with NULLs, for which row 0 stands, never looked at."""
        loop, e, b, op = self.loop, self.loop.e, self.loop.e.b, self.op
        if op.kind == "single" and not self.shape.unique:
            raise NotCompiledError("more than one row is an error the vectorised tier knows")
        first = self.first_row()
        found = b.icmp_signed(">=", first, I64(0))
        safe = b.select(found, first, I64(0))
        if self.shape.unique:
            self._outer_row(safe, found, go_on)
            return
        if op.residual is not None:
            raise NotCompiledError("an outer join with a residual condition and several matches")

        def follow(row: Any) -> Any:
            return b.select(found, self._next(row), I64(-1))

        outer = loop.next
        with e.chained(safe, follow) as (row, after):
            loop.next = after
            self._outer_row(row, found, go_on)
        loop.next = outer

    def _outer_row(self, row: Any, found: Any, go_on: Callable[[], None]) -> None:
        loop, e, b, op = self.loop, self.loop.e, self.loop.e.b, self.op
        loop.rows[self.number], loop.found[self.number] = row, found
        self._names(build=True)
        if op.residual is not None:
            found = b.and_(found, e.true(emit(e, op.residual, loop.names)))
            loop.found[self.number] = found
            self._names(build=True)  # the columns as they are seen with this answer
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
