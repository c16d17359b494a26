"""Join tables made by compiled loops: from key codes to the rows that have them.

A module of routines over a column of integers; `low` is taken from each value to get its
code, rows that are not valid are left out. They give 0, or what is told here.

    members(rows, low, [values], [valid], [bits])   the bit of each code, of words of 64; 1: a code
                                                    came twice
    ranks(rows, low, [values], [valid], [bits], [before], [first], [next])
                                                    as `chain`, but `first` is by the rank of a
                                                    code among those with a bit; before[word]: how
                                                    many have one in the words before
    chain(rows, low, [values], [valid], [first], [next])
                                                    first[code] is the first row that has a code,
                                                    next[row] the next one with the same code, or
                                                    -1; 1: a code came twice
    hash(rows, shift, mask, seen_shift, [values], [valid], [table], [next], [seen])
                                                    the same by open addressing: `table` has the
                                                    first row of each code; the bit of each hash
                                                    is set in `seen`, of words of 64
    find(rows, shift, mask, [values], [valid], [table], [keys], [found])
                                                    found[row] is the first row of such a table that
                                                    has the value; `keys` are its rows' values

Arguments in brackets are two: an address, and how many elements are there. `first` and `table`
begin as -1, `seen` as zeros, `found` as -1 too. Without elements in `valid` all rows are. Rows come
from the last to the first, as a chain grows at its head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I1, I8, I16, I32, I64
from plait.engine.codegen.routine import Routine
from plait.engine.codegen.routines import Array, Routines

_HASH = 0x9E3779B97F4A7C15 - (1 << 64)  # as in plait.engine.kernels.hash_table
_KINDS = {1: I8, 2: I16, 4: I32, 8: I64}
_VALUES, _VALID = range(2)


@dataclass(frozen=True)
class Column:
    """The integers that get an index: of `width` bytes, every `stride` bytes from an address on."""

    address: int
    width: int
    stride: int
    rows: int
    valid: Array | None  # a byte a row

    def call(self, name: str, *args: int | Array) -> int:
        """Call a routine over the column; AstrayError if it leaves an array."""
        numbers = [arg for arg in args if isinstance(arg, int)]
        valid: tuple[int | Array, ...] = (0, 0) if self.valid is None else (self.valid,)
        return _routines(self.width, self.stride).call(
            name, self.rows, *numbers, self.address, self.rows, *valid, *args[len(numbers) :]
        )


@cache
def _routines(width: int, stride: int) -> Routines:
    return Routines(f"index {width} {stride}", partial(_emit, width, stride), __name__)


def _emit(width: int, stride: int, module: ir.Module, checked: bool) -> None:
    def routine(name: str, numbers: int, arrays: int) -> _OverColumn:
        return _OverColumn(module, name, numbers, arrays, _KINDS[width], stride, checked)

    _members(routine("members", 1, 1))
    _ranks(routine("ranks", 1, 4))
    _chain(routine("chain", 1, 2))
    _hash(routine("hash", 3, 3))
    _find(routine("find", 2, 3))


class _OverColumn(Routine):
    """A routine of a column, some numbers and some arrays, with loops over rows."""

    def __init__(
        self,
        module: ir.Module,
        name: str,
        numbers: int,
        arrays: int,
        kind: Any,
        stride: int,
        checked: bool,
    ) -> None:
        super().__init__(module, name, 1 + numbers, 2 + arrays, checked)
        self.rows, *self.numbers = self.numbers
        self.kind, self.stride = kind, stride

    def each_code(self, body: Callable[[Any, Any, Any], None]) -> None:
        """A loop over the valid rows, backwards: the row, its value, where to go on."""
        b = self.b
        every = b.icmp_unsigned("==", self.arrays[_VALID][1], I64(0))
        left = self.variable(self.rows)
        head, inside, test, use, end = (
            self.function.append_basic_block(n) for n in ("head", "body", "test", "use", "end")
        )
        b.branch(head)
        b.position_at_end(head)
        count = left.get()
        b.cbranch(b.icmp_signed(">", count, I64(0)), inside, end)
        b.position_at_end(inside)
        at = b.sub(count, I64(1))
        left.set(at)
        b.cbranch(every, use, test)
        b.position_at_end(test)
        known = self.element(_VALID, at, I8)
        b.cbranch(b.icmp_unsigned("!=", known, I8(0)), use, head)
        b.position_at_end(use)
        body(at, self.value(at), head)
        b.branch(head)
        b.position_at_end(end)

    def value(self, row: Any) -> Any:
        """The integer of a row."""
        value = self.element(_VALUES, row, self.kind, I64(self.stride))
        return value if self.kind == I64 else self.b.sext(value, I64)


def _set_bit(f: Routine, bits: int, number: Any) -> Any:
    """Set a bit of an array; gives whether it was set."""
    b = f.b
    place = f.place(bits, b.lshr(number, I64(6)), I64)
    word, bit = b.load(place, typ=I64), b.shl(I64(1), b.and_(number, I64(63)))
    b.store(b.or_(word, bit), place)
    return b.icmp_unsigned("!=", b.and_(word, bit), I64(0))


def _members(f: _OverColumn) -> None:
    b, (low,) = f.b, f.numbers
    bits = 2
    twice = f.variable(0, I1)

    def row(_: Any, value: Any, __: Any) -> None:
        twice.set(b.or_(twice.get(), _set_bit(f, bits, b.sub(value, low))))

    f.each_code(row)
    b.ret(b.zext(twice.get(), I32))


def _ranks(f: _OverColumn) -> None:
    b, (low,) = f.b, f.numbers
    bits, before, first, following = 2, 3, 4, 5

    def row(at: Any, value: Any, _: Any) -> None:
        code = b.sub(value, low)
        word = b.lshr(code, I64(6))
        rank = rank_of(b, code, f.element(bits, word, I64), f.element(before, word, I32))
        place = f.place(first, rank, I32)
        f.put(following, at, b.load(place, typ=I32))
        b.store(b.trunc(at, I32), place)

    f.each_code(row)
    b.ret(I32(0))


def rank_of(b: ir.IRBuilder, code: Any, word: Any, before: Any) -> Any:
    """How many codes below one have a bit: those before its word, and in it (Jacobson,
    "Space-efficient Static Trees and Graphs", FOCS 1989)."""
    bit = b.shl(I64(1), b.and_(code, I64(63)))
    return b.add(b.sext(before, I64), b.ctpop(b.and_(word, b.sub(bit, I64(1)))))


def _chain(f: _OverColumn) -> None:
    b, (low,) = f.b, f.numbers
    first, following = 2, 3
    twice = f.variable(0, I1)

    def row(at: Any, value: Any, _: Any) -> None:
        place = f.place(first, b.sub(value, low), I32)
        known = b.load(place, typ=I32)
        f.put(following, at, known)
        b.store(b.trunc(at, I32), place)
        twice.set(b.or_(twice.get(), b.icmp_signed(">=", known, I32(0))))

    f.each_code(row)
    b.ret(b.zext(twice.get(), I32))


def _hash(f: _OverColumn) -> None:
    b, (shift, mask, seen_shift) = f.b, f.numbers
    table, following, seen = 2, 3, 4
    twice, slot = f.variable(0, I1), f.variable()

    def row(at: Any, value: Any, after: Any) -> None:
        names = ("probe", "compare", "other", "same", "put")
        probe, compare, other, same, put = (f.function.append_basic_block(n) for n in names)
        mixed = b.mul(value, I64(_HASH))
        _set_bit(f, seen, b.lshr(mixed, seen_shift))
        slot.set(b.lshr(mixed, shift))
        b.branch(probe)
        b.position_at_end(probe)
        here = slot.get()
        place = f.place(table, here, I32)
        known = b.load(place, typ=I32)
        b.cbranch(b.icmp_signed("<", known, I32(0)), put, compare)
        b.position_at_end(compare)
        equal = b.icmp_signed("==", f.value(b.sext(known, I64)), value)
        b.cbranch(equal, same, other)
        b.position_at_end(other)
        slot.set(b.and_(b.add(here, I64(1)), mask))
        b.branch(probe)
        b.position_at_end(same)
        twice.set(1)
        b.branch(put)
        b.position_at_end(put)
        f.put(following, at, known)
        b.store(b.trunc(at, I32), place)

    f.each_code(row)
    b.ret(b.zext(twice.get(), I32))


def _find(f: _OverColumn) -> None:
    b, (shift, mask) = f.b, f.numbers
    table, keys, found = 2, 3, 4
    slot = f.variable()

    def row(at: Any, value: Any, after: Any) -> None:
        names = ("probe", "compare", "other", "same")
        probe, compare, other, same = (f.function.append_basic_block(n) for n in names)
        slot.set(b.lshr(b.mul(value, I64(_HASH)), shift))
        b.branch(probe)
        b.position_at_end(probe)
        here = slot.get()
        known = f.element(table, here, I32)
        b.cbranch(b.icmp_signed("<", known, I32(0)), after, compare)
        b.position_at_end(compare)
        key = f.element(keys, b.sext(known, I64), I64)
        b.cbranch(b.icmp_signed("==", key, value), same, other)
        b.position_at_end(other)
        slot.set(b.and_(b.add(here, I64(1)), mask))
        b.branch(probe)
        b.position_at_end(same)
        f.put(found, at, known)

    f.each_code(row)
    b.ret(I32(0))
