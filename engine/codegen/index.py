"""Join tables made by compiled loops: from key codes to the rows that have them.

A module of four functions over a column of integers; `low` is taken from each value to get its
code, rows that are not valid are left out. They give 0, or what is told here.

    unique(values, valid, rows, low, [slots])       slots[code] = row; 1: a code came twice
    members(values, valid, rows, low, [seen])       seen[code] = 1
    order(values, valid, rows, low, span, [starts], [order])
                                                    rows code by code: those of a code stand in
                                                    order[starts[code] : starts[code + 1]]
    number(values, valid, rows, shift, mask, [table], [keys], [numbers])
                                                    numbers[row]: the number of its code among the
                                                    distinct ones, in order of appearance; keys:
                                                    their codes; by open addressing in `table`;
                                                    gives how many there are

Arguments in brackets are two: an address, and how many elements are there. In debug mode a function
gives -1 instead of leaving an array. `starts` has room for span + 2, and begins as zeros; `slots`
and `table` as -1. `valid` may be null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine.codegen.compile import Effort, checked, load, prototype
from plait.engine.codegen.emit import I1, I8, I32, I64, POINTER, AstrayError, leave_outside

_ASTRAY = -1
_HASH = 0x9E3779B97F4A7C15 - (1 << 64)  # as in plait.engine.kernels.hash_table


@dataclass(frozen=True)
class Column:
    """The integers that get an index: of `width` bytes, every `stride` bytes from an address on."""

    address: int
    width: int
    stride: int
    rows: int
    valid: np.ndarray[Any, Any] | None  # a byte a row

    def call(self, name: str, *args: int | np.ndarray[Any, Any]) -> int:
        """Call a function over the column; AstrayError if it leaves an array."""
        text, arguments = _module(self.width, self.stride, checked())
        signatures = {name: prototype(count) for name, count in arguments.items()}
        compiled = load(text, signatures, Effort.LEAST if checked() else Effort.PLAIN)
        words = [self.address, 0 if self.valid is None else self.valid.ctypes.data, self.rows]
        for arg in args:
            words += [arg.ctypes.data, arg.size] if isinstance(arg, np.ndarray) else [arg]
        found = compiled.functions[name](*words)
        if found == _ASTRAY:
            raise AstrayError(name)
        return found


@cache
def _module(width: int, stride: int, checked: bool) -> tuple[str, dict[str, int]]:
    """The code, and how many arguments each function has."""
    module = ir.Module("index")
    module.triple = ""
    kind = {1: I8, 2: ir.IntType(16), 4: I32, 8: I64}[width]

    def function(name: str, numbers: int, arrays: int) -> _Function:
        return _Function(module, name, numbers, arrays, kind, stride, checked)

    made = [
        _unique(function("unique", 1, 1)),
        _members(function("members", 1, 1)),
        _order(function("order", 2, 2)),
        _number(function("number", 2, 3)),
    ]
    return str(module), {f.function.name: len(f.function.args) for f in made}


@dataclass(frozen=True)
class _Array:
    """An array that is an argument: its address, and how many elements it has."""

    address: Any
    length: Any


class _Function:
    """A function of a column, some numbers and some arrays under construction, with loops over
    rows."""

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
        kinds = [POINTER, POINTER, I64, *(I64,) * numbers, *(POINTER, I64) * arrays]
        self.function = ir.Function(module, ir.FunctionType(I32, kinds), name)
        self.column, rest = self.function.args[:3], self.function.args[3:]
        self.numbers, rest = rest[:numbers], rest[numbers:]
        self.arrays = [_Array(*pair) for pair in zip(rest[::2], rest[1::2], strict=True)]
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.kind, self.stride, self.checked = kind, stride, checked

    def each(self, count: Any, body: Callable[[Any, Any], None]) -> None:
        """A loop over numbers below `count`; `body` gets the number and where to go on."""
        b = self.b
        place = b.alloca(I64)
        b.store(I64(0), place)
        head, inside, after, end = (
            self.function.append_basic_block(n) for n in ("head", "body", "next", "end")
        )
        b.branch(head)
        b.position_at_end(head)
        at = b.load(place, typ=I64)
        b.cbranch(b.icmp_signed("<", at, count), inside, end)
        b.position_at_end(inside)
        body(at, after)
        b.branch(after)
        b.position_at_end(after)
        b.store(b.add(b.load(place, typ=I64), I64(1)), place)
        b.branch(head)
        b.position_at_end(end)

    def each_code(self, body: Callable[[Any, Any, Any], None]) -> None:
        """A loop over the valid rows: the row, its value, where to go on."""
        values, valid, rows = self.column
        b = self.b
        every = b.icmp_unsigned("==", b.ptrtoint(valid, I64), I64(0))

        def row(at: Any, after: Any) -> None:
            test, use = (self.function.append_basic_block(n) for n in ("test", "use"))
            b.cbranch(every, use, test)
            b.position_at_end(test)
            flag = b.load(b.gep(valid, [at], source_etype=I8), typ=I8)
            b.cbranch(b.icmp_unsigned("!=", flag, I8(0)), use, after)
            b.position_at_end(use)
            place = b.gep(values, [b.mul(at, I64(self.stride))], source_etype=I8)
            value = b.load(place, typ=self.kind, align=1)
            body(at, value if self.kind == I64 else b.sext(value, I64), after)

        self.each(rows, row)

    def place(self, array: _Array, index: Any, kind: Any) -> Any:
        if self.checked:
            leave_outside(self.b, index, array.length, _ASTRAY)
        return self.b.gep(array.address, [index], source_etype=kind)


def _unique(f: _Function) -> _Function:
    b, (low,), (slots,) = f.b, f.numbers, f.arrays
    twice = b.alloca(I1)
    b.store(I1(0), twice)

    def row(at: Any, value: Any, _: Any) -> None:
        place = f.place(slots, b.sub(value, low), I32)
        taken = b.icmp_signed(">=", b.load(place, typ=I32), I32(0))
        b.store(b.or_(b.load(twice, typ=I1), taken), twice)
        b.store(b.trunc(at, I32), place)

    f.each_code(row)
    b.ret(b.zext(b.load(twice, typ=I1), I32))
    return f


def _members(f: _Function) -> _Function:
    b, (low,), (seen,) = f.b, f.numbers, f.arrays
    f.each_code(lambda _, value, __: b.store(I8(1), f.place(seen, b.sub(value, low), I8)) and None)
    b.ret(I32(0))
    return f


def _order(f: _Function) -> _Function:
    """A counting sort. Counts lie two places ahead: placing rows moves the starts into theirs."""
    b, (low, span), (starts, order) = f.b, f.numbers, f.arrays

    def count(_: Any, value: Any, __: Any) -> None:
        place = f.place(starts, b.add(b.sub(value, low), I64(2)), I32)
        b.store(b.add(b.load(place, typ=I32), I32(1)), place)

    def add_up(at: Any, _: Any) -> None:
        here = f.place(starts, b.add(at, I64(1)), I32)
        place = f.place(starts, b.add(at, I64(2)), I32)
        b.store(b.add(b.load(place, typ=I32), b.load(here, typ=I32)), place)

    def put(at: Any, value: Any, _: Any) -> None:
        place = f.place(starts, b.add(b.sub(value, low), I64(1)), I32)
        to = b.load(place, typ=I32)
        b.store(b.trunc(at, I32), f.place(order, b.sext(to, I64), I32))
        b.store(b.add(to, I32(1)), place)

    f.each_code(count)
    f.each(span, add_up)
    f.each_code(put)
    b.ret(I32(0))
    return f


def _number(f: _Function) -> _Function:
    b, (shift, mask), (table, keys, numbers) = f.b, f.numbers, f.arrays
    count, slot = b.alloca(I64), b.alloca(I64)
    b.store(I64(0), count)

    def row(at: Any, value: Any, after: Any) -> None:
        names = ("probe", "compare", "other", "free", "done")
        probe, compare, other, free, done = (f.function.append_basic_block(n) for n in names)
        b.store(b.lshr(b.mul(value, I64(_HASH)), shift), slot)
        b.branch(probe)
        b.position_at_end(probe)
        here = b.load(slot, typ=I64)
        place = f.place(table, here, I32)
        found = b.load(place, typ=I32)
        out = f.place(numbers, at, I32)
        b.cbranch(b.icmp_signed("<", found, I32(0)), free, compare)
        b.position_at_end(compare)
        b.store(found, out)
        key = b.load(f.place(keys, b.sext(found, I64), I64), typ=I64)
        b.cbranch(b.icmp_signed("==", key, value), done, other)
        b.position_at_end(other)
        b.store(b.and_(b.add(here, I64(1)), mask), slot)
        b.branch(probe)
        b.position_at_end(free)
        number = b.load(count, typ=I64)
        b.store(b.trunc(number, I32), place)
        b.store(b.trunc(number, I32), out)
        b.store(value, f.place(keys, number, I64))
        b.store(b.add(number, I64(1)), count)
        b.branch(done)
        b.position_at_end(done)

    f.each_code(row)
    b.ret(b.trunc(b.load(count, typ=I64), I32))
    return f
