"""Join tables made by compiled loops: from key codes to the rows that have them.

A module of four functions over a column of integers; `low` is taken from each value to get its
code, rows that are not valid are left out. They give 0, or what is told here.

    unique(values, valid, rows, low, slots)         slots[code] = row; 1: a code came twice
    members(values, valid, rows, low, seen)         seen[code] = 1
    order(values, valid, rows, low, span, starts, order)
                                                    rows code by code: those of a code stand in
                                                    order[starts[code] : starts[code + 1]]
    number(values, valid, rows, shift, mask, table, keys, numbers)
                                                    numbers[row]: the number of its code among the
                                                    distinct ones, in order of appearance; keys:
                                                    their codes; by open addressing in `table`;
                                                    gives how many there are

`starts` has room for span + 2, and begins as zeros; `slots` and `table` as -1. `valid` may be null.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.compile import Compiled, Effort, load, prototype
from plait.engine.codegen.emit import I1, I8, I32, I64, POINTER

_HASH = 0x9E3779B97F4A7C15 - (1 << 64)  # as in plait.engine.kernels.hash_table


def index_functions(width: int, stride: int) -> Compiled:
    """The functions for integers of `width` bytes, every `stride` bytes."""
    text, arguments = _module(width, stride)
    signatures = {name: prototype(count) for name, count in arguments.items()}
    return load(text, signatures, Effort.PLAIN)


@cache
def _module(width: int, stride: int) -> tuple[str, dict[str, int]]:
    """The code, and how many arguments each function has."""
    module = ir.Module("index")
    module.triple = ""
    kind = {1: I8, 2: ir.IntType(16), 4: I32, 8: I64}[width]
    made = {
        "unique": _unique(module, kind, stride),
        "members": _members(module, kind, stride),
        "order": _order(module, kind, stride),
        "number": _number(module, kind, stride),
    }
    return str(module), made


class _Function:
    """A function under construction, with loops over rows."""

    def __init__(self, module: ir.Module, name: str, kinds: list[Any], kind: Any, stride: int):
        signature = ir.FunctionType(I32, kinds)
        self.function = ir.Function(module, signature, name)
        self.args = self.function.args
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.kind, self.stride = kind, stride

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
        values, valid, rows = self.args[:3]
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

    def place(self, array: Any, index: Any, kind: Any) -> Any:
        return self.b.gep(array, [index], source_etype=kind)


def _unique(module: ir.Module, kind: Any, stride: int) -> int:
    f = _Function(module, "unique", [POINTER, POINTER, I64, I64, POINTER], kind, stride)
    b, (_, _, _, low, slots) = f.b, f.args
    twice = b.alloca(I1)
    b.store(I1(0), twice)

    def row(at: Any, value: Any, _: Any) -> None:
        place = f.place(slots, b.sub(value, low), I32)
        taken = b.icmp_signed(">=", b.load(place, typ=I32), I32(0))
        b.store(b.or_(b.load(twice, typ=I1), taken), twice)
        b.store(b.trunc(at, I32), place)

    f.each_code(row)
    b.ret(b.zext(b.load(twice, typ=I1), I32))
    return len(f.args)


def _members(module: ir.Module, kind: Any, stride: int) -> int:
    f = _Function(module, "members", [POINTER, POINTER, I64, I64, POINTER], kind, stride)
    b, (_, _, _, low, seen) = f.b, f.args
    f.each_code(lambda _, value, __: b.store(I8(1), f.place(seen, b.sub(value, low), I8)) and None)
    b.ret(I32(0))
    return len(f.args)


def _order(module: ir.Module, kind: Any, stride: int) -> int:
    """A counting sort. Counts lie two places ahead: placing rows moves the starts into theirs."""
    kinds = [POINTER, POINTER, I64, I64, I64, POINTER, POINTER]
    f = _Function(module, "order", kinds, kind, stride)
    b, (_, _, _, low, span, starts, order) = f.b, f.args

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
    return len(f.args)


def _number(module: ir.Module, kind: Any, stride: int) -> int:
    kinds = [POINTER, POINTER, I64, I64, I64, POINTER, POINTER, POINTER]
    f = _Function(module, "number", kinds, kind, stride)
    b, (_, _, _, shift, mask, table, keys, numbers) = f.b, f.args
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
    return len(f.args)
