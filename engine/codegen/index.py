"""Join tables made by compiled loops: from key codes to the rows that have them.

A module of four functions over a column of integers; `low` is taken from each value to get its
code, rows that are not valid are left out. They give 0, or what is told here.

    members(values, valid, rows, low, [seen])       seen[code] = 1
    chain(values, valid, rows, low, [first], [next])
                                                    first[code] is the first row that has a code,
                                                    next[row] the next one with the same code, or
                                                    -1; 1: a code came twice
    hash(values, valid, rows, shift, mask, seen_shift, [table], [next], [seen])
                                                    the same by open addressing: `table` has the
                                                    first row of each code; seen[hash] = 1
    find(values, valid, rows, shift, mask, [table], [keys], [found])
                                                    found[row] is the first row of such a table that
                                                    has the value; `keys` are its rows' values

Arguments in brackets are two: an address, and how many elements are there. In debug mode a function
gives -1 instead of leaving an array. `first` and `table` begin as -1, `seen` as zeros. `found` as
-1s too. `valid` may be null. Rows come from the last to the first, as a chain grows at its head.
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
        _members(function("members", 1, 1)),
        _chain(function("chain", 1, 2)),
        _hash(function("hash", 3, 3)),
        _find(function("find", 2, 3)),
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

    def each_code(self, body: Callable[[Any, Any, Any], None]) -> None:
        """A loop over the valid rows, backwards: the row, its value, where to go on."""
        _, valid, rows = self.column
        b = self.b
        every = b.icmp_unsigned("==", b.ptrtoint(valid, I64), I64(0))
        left = b.alloca(I64)
        b.store(rows, left)
        head, inside, test, use, end = (
            self.function.append_basic_block(n) for n in ("head", "body", "test", "use", "end")
        )
        b.branch(head)
        b.position_at_end(head)
        count = b.load(left, typ=I64)
        b.cbranch(b.icmp_signed(">", count, I64(0)), inside, end)
        b.position_at_end(inside)
        at = b.sub(count, I64(1))
        b.store(at, left)
        b.cbranch(every, use, test)
        b.position_at_end(test)
        flag = b.load(b.gep(valid, [at], source_etype=I8), typ=I8)
        b.cbranch(b.icmp_unsigned("!=", flag, I8(0)), use, head)
        b.position_at_end(use)
        body(at, self.value(at), head)
        b.branch(head)
        b.position_at_end(end)

    def value(self, row: Any) -> Any:
        """The integer of a row."""
        b, values = self.b, self.column[0]
        place = b.gep(values, [b.mul(row, I64(self.stride))], source_etype=I8)
        value = b.load(place, typ=self.kind, align=1)
        return value if self.kind == I64 else b.sext(value, I64)

    def place(self, array: _Array, index: Any, kind: Any) -> Any:
        if self.checked:
            leave_outside(self.b, index, array.length, _ASTRAY)
        return self.b.gep(array.address, [index], source_etype=kind)


def _members(f: _Function) -> _Function:
    b, (low,), (seen,) = f.b, f.numbers, f.arrays
    f.each_code(lambda _, value, __: b.store(I8(1), f.place(seen, b.sub(value, low), I8)) and None)
    b.ret(I32(0))
    return f


def _chain(f: _Function) -> _Function:
    b, (low,), (first, following) = f.b, f.numbers, f.arrays
    twice = b.alloca(I1)
    b.store(I1(0), twice)

    def row(at: Any, value: Any, _: Any) -> None:
        place = f.place(first, b.sub(value, low), I32)
        known = b.load(place, typ=I32)
        b.store(known, f.place(following, at, I32))
        b.store(b.trunc(at, I32), place)
        again = b.icmp_signed(">=", known, I32(0))
        b.store(b.or_(b.load(twice, typ=I1), again), twice)

    f.each_code(row)
    b.ret(b.zext(b.load(twice, typ=I1), I32))
    return f


def _hash(f: _Function) -> _Function:
    b, (shift, mask, seen_shift), (table, following, seen) = f.b, f.numbers, f.arrays
    twice, slot = b.alloca(I1), b.alloca(I64)
    b.store(I1(0), twice)

    def row(at: Any, value: Any, after: Any) -> None:
        names = ("probe", "compare", "other", "same", "put")
        probe, compare, other, same, put = (f.function.append_basic_block(n) for n in names)
        mixed = b.mul(value, I64(_HASH))
        b.store(I8(1), f.place(seen, b.lshr(mixed, seen_shift), I8))
        b.store(b.lshr(mixed, shift), slot)
        b.branch(probe)
        b.position_at_end(probe)
        here = b.load(slot, typ=I64)
        place = f.place(table, here, I32)
        known = b.load(place, typ=I32)
        b.cbranch(b.icmp_signed("<", known, I32(0)), put, compare)
        b.position_at_end(compare)
        equal = b.icmp_signed("==", f.value(b.sext(known, I64)), value)
        b.cbranch(equal, same, other)
        b.position_at_end(other)
        b.store(b.and_(b.add(here, I64(1)), mask), slot)
        b.branch(probe)
        b.position_at_end(same)
        b.store(I1(1), twice)
        b.branch(put)
        b.position_at_end(put)
        b.store(known, f.place(following, at, I32))
        b.store(b.trunc(at, I32), place)

    f.each_code(row)
    b.ret(b.zext(b.load(twice, typ=I1), I32))
    return f


def _find(f: _Function) -> _Function:
    b, (shift, mask), (table, keys, found) = f.b, f.numbers, f.arrays
    slot = b.alloca(I64)

    def row(at: Any, value: Any, after: Any) -> None:
        names = ("probe", "compare", "other", "same")
        probe, compare, other, same = (f.function.append_basic_block(n) for n in names)
        b.store(b.lshr(b.mul(value, I64(_HASH)), shift), slot)
        b.branch(probe)
        b.position_at_end(probe)
        here = b.load(slot, typ=I64)
        known = b.load(f.place(table, here, I32), typ=I32)
        b.cbranch(b.icmp_signed("<", known, I32(0)), after, compare)
        b.position_at_end(compare)
        key = b.load(f.place(keys, b.sext(known, I64), I64), typ=I64)
        b.cbranch(b.icmp_signed("==", key, value), same, other)
        b.position_at_end(other)
        b.store(b.and_(b.add(here, I64(1)), mask), slot)
        b.branch(probe)
        b.position_at_end(same)
        b.store(known, f.place(found, at, I32))

    f.each_code(row)
    b.ret(I32(0))
    return f
