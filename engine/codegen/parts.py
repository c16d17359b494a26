"""Parts of texts and letters of the other case, by compiled loops, where bytes are characters.

    parts(rows, [offsets], [bounds], [starts], [ends])
                                    where the part of each text starts, where it ends in the result
    numbers(rows, [starts], [ends], [data], [numbers], [used])
                                    each part of at most two bytes as a number; which occur
    renumber(rows, [numbers], [others])     what stands for each of the numbers instead
    lower, upper(bytes, [data], [out])

Arguments in brackets are an address and how many elements are there.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.emit import I8, I32, I64
from plait.engine.codegen.routine import Routine
from plait.engine.codegen.routines import Array, Routines

FEW = 2  # bytes of a part that is a number
KINDS = 257  # of one place in it: a byte, or none

_LONG = 1 << 30  # bytes: longer than any text
_NO_BYTES = np.zeros(1, np.uint8)
_OTHER_CASE = ord("a") ^ ord("A")


def parts(offsets: Array, start: int, stop: int | None) -> tuple[Array, Array]:
    """Where the parts that Python would slice start, and their offsets in the result (int32)."""
    rows = len(offsets) - 1
    starts, ends = pool.empty(rows, np.int32), pool.empty(rows + 1, np.int32)
    ends[0] = 0
    places = [max(-_LONG, min(_LONG, at)) for at in (start, _LONG if stop is None else stop)]
    _ROUTINES.call("parts", rows, offsets, np.array(places, np.int32), starts, ends)
    return starts, ends


def numbers(starts: Array, ends: Array, data: Array) -> tuple[Array, Array]:
    """Parts of at most FEW bytes as numbers of KINDS for each place, and which numbers occur."""
    found = pool.empty(len(starts), np.int32)
    used = np.zeros(KINDS**FEW, np.bool_)
    given = data if len(data) else _NO_BYTES
    _ROUTINES.call("numbers", len(starts), starts, ends, given, found, used)
    return found, used


def renumber(found: Array, others: Array) -> None:
    """Replace each of some numbers by another one (all int32)."""
    _ROUTINES.call("renumber", len(found), found, others)


def lower(data: Array) -> Array:
    """Bytes with capitals made small."""
    return _in_case("lower", data)


def upper(data: Array) -> Array:
    """Bytes with small letters made capitals."""
    return _in_case("upper", data)


def _in_case(name: str, data: Array) -> Array:
    out = pool.empty(len(data), np.uint8)
    _CASES.call(name, len(data), data, out)
    return out


def _emit(module: ir.Module, checked: bool) -> None:
    _parts(Routine(module, "parts", 1, 4, checked))
    _numbers(Routine(module, "numbers", 1, 5, checked))
    _renumber(Routine(module, "renumber", 1, 2, checked))


def _emit_cases(module: ir.Module, checked: bool) -> None:
    _case(Routine(module, "lower", 1, 2, checked), "A", "Z")
    _case(Routine(module, "upper", 1, 2, checked), "a", "z")


_ROUTINES = Routines("parts", _emit, __name__)
_CASES = Routines("cases", _emit_cases, __name__)


def _parts(f: Routine) -> None:
    b, (rows,) = f.b, f.numbers
    offsets, bounds, starts, ends = range(4)
    first_at, last_at = f.signed(bounds, I64(0)), f.signed(bounds, I64(1))
    total = f.variable()

    def place(at: Any, size: Any) -> Any:
        behind = b.add(size, at)
        ahead = b.select(b.icmp_signed("<", at, size), at, size)
        behind = b.select(b.icmp_signed("<", behind, I64(0)), I64(0), behind)
        return b.select(b.icmp_signed("<", at, I64(0)), behind, ahead)

    with f.each(rows) as at:
        begin, after = f.signed(offsets, at), b.add(at, I64(1))
        size = b.sub(f.signed(offsets, after), begin)
        first, last = place(first_at, size), place(last_at, size)
        left = b.sub(last, first)
        total.add(b.select(b.icmp_signed("<", left, I64(0)), I64(0), left))
        f.put(starts, at, b.trunc(b.add(begin, first), I32))
        f.put(ends, after, b.trunc(total.get(), I32))
    b.ret(I32(0))


def _numbers(f: Routine) -> None:
    b, (rows,) = f.b, f.numbers
    starts, ends, data, out, used = range(5)
    with f.each(rows) as at:
        start = f.signed(starts, at)
        size = b.sub(f.signed(ends, b.add(at, I64(1))), f.signed(ends, at))
        number: Any = I64(0)
        for n in range(FEW):
            there = b.icmp_signed("<", I64(n), size)
            index = b.select(there, b.add(start, I64(n)), I64(0))
            byte = b.zext(f.element(data, index, I8), I64)
            kind = b.select(there, b.add(byte, I64(1)), I64(0))
            number = b.add(b.mul(number, I64(KINDS)), kind)
        f.put(out, at, b.trunc(number, I32))
        f.put(used, number, I8(1))
    b.ret(I32(0))


def _renumber(f: Routine) -> None:
    found, others = range(2)
    with f.each(f.numbers[0]) as at:
        f.put(found, at, f.element(others, f.signed(found, at), I32))
    f.b.ret(I32(0))


def _case(f: Routine, low: str, high: str) -> None:
    b = f.b
    data, out = range(2)
    with f.each(f.numbers[0]) as at:
        byte = f.element(data, at, I8)
        within = b.icmp_unsigned("<=", b.sub(byte, I8(ord(low))), I8(ord(high) - ord(low)))
        f.put(out, at, b.xor(byte, b.select(within, I8(_OTHER_CASE), I8(0))))
    b.ret(I32(0))
