"""Texts gathered by row numbers, by compiled loops.

    measure(rows, [offsets], [numbers], [starts], [ends], [total])
                                    where each row's text starts among the data, where it ends in
                                    the result, how long that is; a number below zero: no text
    copy(rows, [starts], [ends], [data], [out])     the bytes; `out` has room for a few more

Rows may come from anywhere: what is far off is asked for some rows ahead, in two passes, since
where the bytes are must be known first. Short texts are copied as so many bytes that it takes one
instruction; those too many are overwritten by the next. Arguments in brackets are two: an address,
and how many elements are there. In debug mode a function gives -1 instead of leaving an array.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.compile import Effort, checked, load, prototype
from plait.engine.codegen.emit import I1, I8, I32, I64, POINTER, AstrayError, leave_outside

_ASTRAY = -1
_AHEAD = 32  # rows
_SHORT = 16  # bytes
_MOST = (1 << 31) - 1  # bytes of the texts of one array

Array = np.ndarray[Any, Any]


def gathered_texts(offsets: Array, data: Array, numbers: Array) -> tuple[Array, Array] | None:
    """The offsets and bytes of the texts of some rows (int32; below zero: none); None if they are
    too many bytes for offsets of 32 bits."""
    rows = len(numbers)
    starts, ends = pool.empty(rows, np.int32), pool.empty(rows + 1, np.int32)
    ends[0] = 0
    total = np.zeros(1, np.int64)
    _call("measure", rows, offsets, numbers, starts, ends, total)
    size = int(total[0])
    if size > _MOST:
        return None
    out = pool.empty(size + _SHORT, np.uint8)
    _call("copy", rows, starts, ends, data, out)
    return ends, out[:size]


def copied_texts(starts: Array, ends: Array, data: Array) -> Array:
    """The bytes of texts that start at `starts` among others, and end at ends[1:] of the result
    (int32)."""
    out = pool.empty(int(ends[-1]) + _SHORT, np.uint8)
    _call("copy", len(starts), starts, ends, data, out)
    return out[: int(ends[-1])]


def _call(name: str, rows: int, *arrays: Array) -> None:
    call(_MODULES[name], name, Effort.PLAIN, rows, *arrays)


def call(
    module: Callable[[bool], str], name: str, effort: Effort, rows: int, *arrays: Array
) -> None:
    """Run a function over rows and arrays."""
    words = [rows]
    for array in arrays:
        words += [array.ctypes.data, array.size]
    text = module(checked())
    effort = Effort.LEAST if checked() else effort
    if load(text, {name: prototype(len(words))}, effort).functions[name](*words) == _ASTRAY:
        raise AstrayError(name)


class RowFunction:
    """A function over rows under construction."""

    def __init__(self, name: str, arrays: int, checked: bool) -> None:
        self.module = ir.Module(name)
        self.module.triple = ""
        kinds = [I64, *(POINTER, I64) * arrays]
        self.function = ir.Function(self.module, ir.FunctionType(I32, kinds), name)
        self.count, rest = self.function.args[0], self.function.args[1:]
        self.arrays = list(zip(rest[::2], rest[1::2], strict=True))
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.checked = checked
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        self._prefetch = ir.Function(self.module, kind, "llvm.prefetch.p0")

    def rows(self, body: Callable[[Any, Any], None]) -> None:
        """A loop over the rows: the number of each, and of one ahead of it."""
        b = self.b
        number = b.alloca(I64)
        b.store(I64(0), number)
        last = b.sub(self.count, I64(1))
        head, inside, end = map(self.function.append_basic_block, ("head", "row", "end"))
        b.branch(head)
        b.position_at_end(head)
        at = b.load(number, typ=I64)
        b.cbranch(b.icmp_signed("<", at, self.count), inside, end)
        b.position_at_end(inside)
        further = b.add(at, I64(_AHEAD))
        body(at, b.select(b.icmp_signed("<", further, last), further, last))
        b.store(b.add(at, I64(1)), number)
        b.branch(head)
        b.position_at_end(end)

    def place(self, array: int, index: Any, kind: Any) -> Any:
        address, length = self.arrays[array]
        if self.checked:
            leave_outside(self.b, index, length, _ASTRAY)
        return self.b.gep(address, [index], source_etype=kind)

    def get(self, array: int, index: Any) -> Any:
        """An element of 32 bits."""
        value = self.b.load(self.place(array, index, I32), typ=I32, align=4)
        return self.b.sext(value, I64)

    def ask(self, array: int, index: Any, kind: Any) -> None:
        """Have an element fetched."""
        place = self.b.gep(self.arrays[array][0], [index], source_etype=kind)
        self.b.call(self._prefetch, [place, I32(0), I32(3), I32(1)])


@cache
def _measure(checked: bool) -> str:
    f = RowFunction("measure", 5, checked)
    b = f.b
    offsets, numbers, starts, ends, total = range(5)
    sum_ = b.alloca(I64)
    b.store(I64(0), sum_)

    def row(at: Any, further: Any) -> None:
        f.ask(offsets, f.get(numbers, further), I32)
        number = f.get(numbers, at)
        none = b.icmp_signed("<", number, I64(0))
        number = b.select(none, I64(0), number)
        start = f.get(offsets, number)
        size = b.sub(f.get(offsets, b.add(number, I64(1))), start)
        b.store(b.add(b.load(sum_, typ=I64), b.select(none, I64(0), size)), sum_)
        b.store(b.trunc(start, I32), f.place(starts, at, I32))
        b.store(b.trunc(b.load(sum_, typ=I64), I32), f.place(ends, b.add(at, I64(1)), I32))

    f.rows(row)
    b.store(b.load(sum_, typ=I64), f.place(total, I64(0), I64))
    b.ret(I32(0))
    return str(f.module)


@cache
def _copy(checked: bool) -> str:
    f = RowFunction("copy", 4, checked)
    b = f.b
    starts, ends, data, out = range(4)
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I1])
    copy = ir.Function(f.module, kind, "llvm.memcpy.p0.p0.i64")
    vector = ir.VectorType(I8, _SHORT)

    def row(at: Any, further: Any) -> None:
        f.ask(data, f.get(starts, further), I8)
        start, begin = f.get(starts, at), f.get(ends, at)
        size = b.sub(f.get(ends, b.add(at, I64(1))), begin)
        room = b.icmp_signed("<=", b.add(start, I64(_SHORT)), f.arrays[data][1])
        short = b.and_(room, b.icmp_signed("<=", size, I64(_SHORT)))
        source = b.gep(f.arrays[data][0], [start], source_etype=I8)
        target = b.gep(f.arrays[out][0], [begin], source_etype=I8)
        if checked:
            for array, end in ((data, b.add(start, size)), (out, b.add(begin, size))):
                leave_outside(b, end, b.add(f.arrays[array][1], I64(1)), _ASTRAY)
        with b.if_else(short, likely=True) as (then, otherwise):
            with then:
                b.store(b.load(source, typ=vector, align=1), target, align=1)
            with otherwise:
                b.call(copy, [target, source, size, I1(0)])

    f.rows(row)
    b.ret(I32(0))
    return str(f.module)


_MODULES = {"measure": _measure, "copy": _copy}
