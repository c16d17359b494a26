"""A routine under construction: a compiled function of numbers and arrays that is no query's loop.

An array is two arguments, an address and how many elements are there. Variables are places in the
frame that LLVM keeps in registers. In debug mode a routine returns -1 instead of leaving an array;
it returns -2 where bytes are not what they should be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I8, I32, I64, POINTER, leave_outside

ASTRAY, DAMAGED = -1, -2


class Variable:
    """A place in the frame."""

    def __init__(self, routine: Routine, kind: Any, value: Any) -> None:
        self._b, self._kind = routine.b, kind
        with routine.b.goto_entry_block():
            self._place = routine.b.alloca(kind)
        self.set(value)

    def get(self) -> Any:
        return self._b.load(self._place, typ=self._kind)

    def set(self, value: Any) -> None:
        self._b.store(self._kind(value) if isinstance(value, int) else value, self._place)

    def add(self, value: Any) -> None:
        value = self._kind(value) if isinstance(value, int) else value
        self.set(self._b.add(self.get(), value))


class Routine:
    """A function of some numbers, then some arrays; with loops, variables and checked elements."""

    def __init__(
        self, module: ir.Module, name: str, numbers: int, arrays: int, checked: bool
    ) -> None:
        kinds = [*(I64,) * numbers, *(POINTER, I64) * arrays]
        self.function = ir.Function(module, ir.FunctionType(I32, kinds), name)
        self.numbers, rest = self.function.args[:numbers], self.function.args[numbers:]
        self.arrays = list(zip(rest[::2], rest[1::2], strict=True))
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.checked = checked

    def variable(self, value: Any = 0, kind: Any = I64) -> Variable:
        return Variable(self, kind, value)

    @contextmanager
    def loop(self, more: Callable[[], Any]) -> Iterator[None]:
        """What is done as long as there is more."""
        b = self.b
        head, body, end = map(self.function.append_basic_block, ("head", "body", "end"))
        b.branch(head)
        b.position_at_end(head)
        b.cbranch(more(), body, end)
        b.position_at_end(body)
        yield
        b.branch(head)
        b.position_at_end(end)

    @contextmanager
    def each(self, count: Any) -> Iterator[Any]:
        """A loop over the numbers from 0 up to `count`."""
        number = self.variable()
        with self.loop(lambda: self.b.icmp_signed("<", number.get(), count)):
            at = number.get()
            yield at
            number.set(self.b.add(at, I64(1)))

    def leave_if(self, condition: Any, status: Any) -> None:
        """Return a status in the rare case that a condition holds."""
        with self.b.if_then(condition, likely=False):
            self.b.ret(I32(status) if isinstance(status, int) else status)

    def place(self, array: int, index: Any, kind: Any, stride: Any = None) -> Any:
        """Where an element is; of arrays with gaps, every `stride` bytes."""
        address, length = self.arrays[array]
        if self.checked:
            leave_outside(self.b, index, length, ASTRAY)
        if stride is None:
            return self.b.gep(address, [index], source_etype=kind)
        return self.b.gep(address, [self.b.mul(index, stride)], source_etype=I8)

    def element(self, array: int, index: Any, kind: Any, stride: Any = None) -> Any:
        return self.b.load(self.place(array, index, kind, stride), typ=kind, align=1)

    def signed(self, array: int, index: Any, kind: Any = I32) -> Any:
        """An element, made wider."""
        return self.b.sext(self.element(array, index, kind), I64)

    def put(self, array: int, index: Any, value: Any) -> None:
        self.b.store(value, self.place(array, index, value.type), align=1)


def by_bytes(b: ir.IRBuilder, address: Any, by: Any) -> Any:
    """An address some bytes further on."""
    return b.gep(address, [by], source_etype=I8)


def load_at(b: ir.IRBuilder, address: Any, by: Any, kind: Any) -> Any:
    """What lies some bytes behind an address, at whatever boundary."""
    return b.load(by_bytes(b, address, by), typ=kind, align=1)


def move(f: Routine, target: Any, source: Any, count: Any) -> None:
    """`count` bytes, exactly."""
    module, flag = f.function.module, ir.IntType(1)
    name = "llvm.memcpy.p0.p0.i64"
    kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, flag])
    memcpy = module.globals.get(name) or ir.Function(module, kind, name)
    f.b.call(memcpy, [target, source, count, flag(0)])


def eight_bytes(f: Routine, array: int, at: Any, stop: Any) -> Any:
    """Bytes from a place on, the first the lowest; zeros from `stop` on, which is further on, and
    where there may be nothing to read."""
    b = f.b
    address, length = f.arrays[array]
    found = f.variable()
    readable = b.icmp_signed("<=", b.add(at, I64(8)), length)
    with b.if_else(readable) as (whole, piecemeal):
        with whole:
            word = b.load(b.gep(address, [at], source_etype=I8), typ=I64, align=1)
            after = b.sub(b.add(at, I64(8)), stop)
            after = b.select(b.icmp_signed(">", after, I64(0)), after, I64(0))
            bits = b.mul(after, I64(8))
            found.set(b.lshr(b.shl(word, bits), bits))
        with piecemeal:
            byte = f.variable(at)
            with f.loop(lambda: b.icmp_signed("<", byte.get(), stop)):
                here = byte.get()
                value = b.zext(f.element(array, here, I8), I64)
                bits = b.mul(b.sub(here, at), I64(8))
                found.set(b.or_(found.get(), b.shl(value, bits)))
                byte.add(1)
    return found.get()


def read_varint(f: Routine, data: Any, size: Any, at: Variable) -> Any:
    """A number whose bytes have seven bits each, of at most 32."""
    b = f.b
    found, shift, more = f.variable(), f.variable(), f.variable(1)
    with f.loop(lambda: b.icmp_signed("!=", more.get(), I64(0))):
        f.leave_if(b.icmp_signed(">=", at.get(), size), DAMAGED)
        f.leave_if(b.icmp_signed(">", shift.get(), I64(28)), DAMAGED)
        byte = b.zext(load_at(b, data, at.get(), I8), I64)
        found.set(b.or_(found.get(), b.shl(b.and_(byte, I64(127)), shift.get())))
        more.set(b.and_(byte, I64(128)))
        shift.add(7)
        at.add(1)
    return found.get()
