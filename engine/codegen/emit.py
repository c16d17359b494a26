"""Emitter: a loop function under construction, and the values in it.

The function is `status loop(pointers, lengths, numbers, rows, state)`. What `pointers`, `lengths`
and `numbers` hold is written down while code is emitted, as *fillers*: each says what the caller
has to put there for a batch. All are loaded once, before the first row.

What cannot go on (an overflow, a zero divisor, a value beyond the bounds the code was made for)
sets a flag, and the function goes on to its end without harm: the caller then discards what the
loop gave and lets the vectorised tier do the rows, which raises the right error or knows the
answer.

Values may be anything where they are not valid; so nothing is declared not to overflow, divisors
are made safe, and addresses are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import llvmlite.ir as ir
import pyarrow as pa

from plait.planner.types import BOOL

I1, I8, I16, I32, I64, I128 = (ir.IntType(n) for n in (1, 8, 16, 32, 64, 128))
FLOAT, DOUBLE, POINTER = ir.FloatType(), ir.DoubleType(), ir.PointerType()

# llvmlite fills its table of characters when it first writes a text, and a second thread that then
# comes along finds it half full (KeyError). Here only one thread comes along.
str(ir.Constant(ir.ArrayType(I8, 1), bytearray(1)))

DONE, TRAPPED, BEYOND, STOPPED, ASTRAY = 0, 1, 2, 3, 4
"""What a loop returns: all rows were done; `trapped`: see above; a group key was beyond the range
of its table; the caller's `grow` failed; an address was out of bounds (debug mode only)."""

Length = Callable[[], Any]
"""Emits how many elements an array has; asked for where it is checked, in debug mode."""

INT64_LOW, INT64_HIGH = -(1 << 63), (1 << 63) - 1


class AstrayError(AssertionError):
    """A loop that checks its addresses met one out of bounds (debug mode only)."""

    def __init__(self, function: str) -> None:
        super().__init__(f"a compiled loop went out of bounds (in {function!r})")


class NotCompiledError(Exception):
    """An expression or operator that has no compiled form; the vectorised tier takes it.

    `expr` is the expression, if it is one; `operator` the number of the operator in its chain.
    """

    def __init__(self, message: str, expr: Any = None) -> None:
        super().__init__(message)
        self.expr = expr
        self.operator = -1

    def again(self) -> NotCompiledError:
        """The same to be raised once more: an error that was raised holds what its frames hold."""
        made = NotCompiledError(str(self), self.expr)
        made.operator = self.operator
        return made


@dataclass(frozen=True)
class Value:
    """A value in the loop. `valid` None: never NULL. Integers lie within `low` and `high`.

    Booleans are i1, integers, decimals and times i64 or i128, floats float or double. `codes` tells
    whose dictionary the value is a code of.
    """

    ir: Any
    dtype: pa.DataType
    valid: Any = None
    low: int = 0
    high: int = 0
    codes: Hashable = None

    @property
    def is_wide(self) -> bool:
        return bool(self.ir.type == I128)


class Emitter:
    """Builds one loop function; `checked` adds bounds checks to every access."""

    def __init__(self, name: str, checked: bool) -> None:
        self.module = ir.Module(name)
        self.module.triple = ""
        kind = ir.FunctionType(I32, [POINTER, POINTER, POINTER, I64, POINTER])
        self.function = ir.Function(self.module, kind, "loop")
        self.pointers_in, self.lengths_in, self.numbers_in, self.rows, self.state = (
            self.function.args
        )
        self.checked = checked
        self.entry = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.start = self.function.append_basic_block("start")
        self.b = ir.IRBuilder(self.start)
        self.pointer_fillers: dict[Hashable, int] = {}
        self.number_fillers: dict[Hashable, int] = {}
        self._pointers: dict[Hashable, Any] = {}
        self._lengths: dict[Hashable, Any] = {}
        self._numbers: dict[tuple[Hashable, Any], Any] = {}
        self.flag = self.variable(I1, I1(0))

    # ---------------------------------------------------------------------------- what is given

    def pointer(self, filler: Hashable) -> Any:
        """An address the caller gives."""
        if filler not in self._pointers:
            at = self.pointer_fillers.setdefault(filler, len(self.pointer_fillers))
            place = self.entry.gep(self.pointers_in, [I64(at)], source_etype=POINTER)
            self._pointers[filler] = self.entry.load(place, typ=POINTER)
        return self._pointers[filler]

    def number(self, filler: Hashable, kind: Any = I64) -> Any:
        """A number the caller gives; of 128 bits, in two words."""
        key = filler, kind
        if key not in self._numbers:
            at = self.number_fillers.get(filler)
            if at is None:
                at = self.number_fillers[filler] = sum(map(words_of, self.number_fillers))
            place = self.entry.gep(self.numbers_in, [I64(at)], source_etype=I64)
            self._numbers[key] = self.entry.load(place, typ=kind, align=8)
        return self._numbers[key]

    # --------------------------------------------------------------------------------- memory

    def load(self, filler: Hashable, index: Any, kind: Any, stride: int | None = None) -> Any:
        """The element of an array that the caller gives."""
        place = self.place(filler, index, kind, stride)
        self.check(index, lambda: self._length(filler))
        return self.b.load(place, typ=kind, align=_align(kind))

    def place(self, filler: Hashable, index: Any, kind: Any, stride: int | None = None) -> Any:
        """Where an element would be, if there is one."""
        return self._place(self.pointer(filler), index, kind, stride)

    def load_at(self, base: Any, index: Any, kind: Any, length: Length) -> Any:
        """The element of another array, of which the code knows the length."""
        self.check(index, length)
        return self.b.load(self._place(base, index, kind), typ=kind, align=_align(kind))

    def store(self, filler: Hashable, index: Any, value: Any) -> None:
        base = self.pointer(filler)
        self.store_at(base, index, value, lambda: self._length(filler))

    def store_at(self, base: Any, index: Any, value: Any, length: Length) -> None:
        kind = value.type
        self.check(index, length)
        self.b.store(value, self._place(base, index, kind), align=_align(kind))

    def _place(self, base: Any, index: Any, kind: Any, stride: int | None = None) -> Any:
        size = _size(kind)
        if stride is None or stride == size:
            return self.b.gep(base, [index], source_etype=kind)
        return self.b.gep(base, [self.b.mul(index, I64(stride))], source_etype=I8)

    def check(self, index: Any, length: Length) -> None:
        """In debug mode, leave unless an array has such an element."""
        if self.checked:
            leave_outside(self.b, index, length())

    def _length(self, filler: Hashable) -> Any:
        if filler not in self._lengths:
            at = I64(self.pointer_fillers[filler])
            place = self.entry.gep(self.lengths_in, [at], source_etype=I64)
            self._lengths[filler] = self.entry.load(place, typ=I64)
        return self._lengths[filler]

    def bit(self, filler: Hashable, shift: Hashable, index: Any) -> Any:
        """A bit of a bitmap that begins `shift` bits after its address."""
        at = self.b.add(index, self.number(shift))
        byte = self.load(filler, self.b.lshr(at, I64(3)), I8)
        place = self.b.trunc(self.b.and_(at, I64(7)), I8)
        return self.b.trunc(self.b.lshr(byte, place), I1)

    # ---------------------------------------------------------------------------------- control

    def variable(self, kind: Any, value: Any) -> Any:
        """A place in the frame, which LLVM keeps in a register."""
        place = self.entry.alloca(kind)
        self.entry.store(value, place)
        return place

    def array(self, kind: Any, size: int) -> Any:
        """Some elements in the frame."""
        return self.entry.alloca(kind, size=I64(size))

    def zeros(self, size: int) -> Any:
        """Some words in the frame."""
        made = self.array(I64, size)
        for at in range(size):
            self.entry.store(I64(0), self.entry.gep(made, [I64(at)], source_etype=I64))
        return made

    def prefetch(self, place: Any) -> None:
        """Have the processor fetch memory that will be read soon; any address will do."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        name = "llvm.prefetch.p0"
        known = self.module.globals.get(name)
        self.b.call(known or ir.Function(self.module, kind, name), [place, I32(0), I32(3), I32(1)])

    def get(self, place: Any, kind: Any) -> Any:
        return self.b.load(place, typ=kind)

    def block(self, name: str) -> Any:
        return self.function.append_basic_block(name)

    def goto(self, block: Any) -> None:
        self.b.position_at_end(block)

    def skip_unless(self, condition: Any, target: Any) -> None:
        """Go on with what follows if a condition holds, else at `target`."""
        on = self.block("on")
        self.b.cbranch(condition, on, target)
        self.goto(on)

    def leave_if(self, condition: Any, status: int) -> None:
        with self.b.if_then(condition, likely=False):
            self.b.ret(I32(status))

    def trap_if(self, condition: Any, valid: Any = None) -> None:
        """Give the rows up if a condition holds for a valid value."""
        if valid is not None:
            condition = self.b.and_(condition, valid)
        self.b.store(self.b.or_(self.get(self.flag, I1), condition), self.flag)

    def finish(self) -> None:
        """Return; the entry goes to the start."""
        self.b.ret(self.b.zext(self.get(self.flag, I1), I32))
        self.entry.branch(self.start)

    @contextmanager
    def counted(self, start: Any, stop: Any) -> Any:
        """A loop over numbers; gives the number and the block that goes on with the next."""
        number = self.variable(I64, I64(0))
        self.b.store(start, number)
        head, body, after, end = (self.block(n) for n in ("head", "body", "next", "end"))
        self.b.branch(head)
        self.goto(head)
        at = self.get(number, I64)
        self.b.cbranch(self.b.icmp_signed("<", at, stop), body, end)
        self.goto(body)
        yield at, after
        self.b.branch(after)
        self.goto(after)
        self.b.store(self.b.add(self.get(number, I64), I64(1)), number)
        self.b.branch(head)
        self.goto(end)

    @contextmanager
    def chained(self, first: Any, follow: Callable[[Any], Any]) -> Any:
        """A loop over numbers that lead to each other, until -1; gives the number and the block
        that goes on with the next. It begins with the first, whatever that is."""
        number = self.variable(I64, I64(0))
        self.b.store(first, number)
        body, after, end = (self.block(n) for n in ("link", "next", "end"))
        self.b.branch(body)
        self.goto(body)
        at = self.get(number, I64)
        yield at, after
        self.b.branch(after)
        self.goto(after)
        found = follow(self.get(number, I64))
        self.b.store(found, number)
        self.b.cbranch(self.b.icmp_signed(">=", found, I64(0)), body, end)
        self.goto(end)

    # ------------------------------------------------------------------------------ small things

    def both(self, *parts: Any) -> Any:
        """The conjunction of conditions, of which None is always true."""
        result = None
        for part in parts:
            if part is not None:
                result = part if result is None else self.b.and_(result, part)
        return result

    def true(self, value: Value) -> Any:
        """Whether a boolean is true, NULL counting as false."""
        assert value.dtype == BOOL
        return self.both(value.ir, value.valid)

    def valid(self, value: Value) -> Any:
        return I1(1) if value.valid is None else value.valid

    def widened(self, value: Value) -> Value:
        return value if value.is_wide else replace(value, ir=self.b.sext(value.ir, I128))


@dataclass(frozen=True)
class Wide:
    """A number of two words among the numbers."""

    of: Hashable


def words_of(filler: Hashable) -> int:
    return 2 if isinstance(filler, Wide) else 1


def leave_outside(b: ir.IRBuilder, index: Any, length: Any, status: int = ASTRAY) -> None:
    """Return `status` unless an array of some length has such an element."""
    with b.if_then(b.icmp_unsigned(">=", index, length), likely=False):
        b.ret(I32(status))


def _size(kind: Any) -> int:
    if isinstance(kind, ir.IntType):
        return max(1, int(kind.width) // 8)
    return 4 if kind == FLOAT else 8


def _align(kind: Any) -> int:
    """Arrow's 128-bit values need not lie at multiples of 16."""
    return min(8, _size(kind))
