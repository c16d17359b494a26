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

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.compile import Effort
from plait.engine.codegen.emit import I8, I32, I64
from plait.engine.codegen.texts import Array, RowFunction, call

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
    call(_parts, "parts", Effort.PLAIN, rows, offsets, np.array(places, np.int32), starts, ends)
    return starts, ends


def numbers(starts: Array, ends: Array, data: Array) -> tuple[Array, Array]:
    """Parts of at most FEW bytes as numbers of KINDS for each place, and which numbers occur."""
    found = pool.empty(len(starts), np.int32)
    used = np.zeros(KINDS**FEW, np.bool_)
    given = data if len(data) else _NO_BYTES
    call(_numbers, "numbers", Effort.PLAIN, len(starts), starts, ends, given, found, used)
    return found, used


def renumber(found: Array, others: Array) -> None:
    """Replace each of some numbers by another one (all int32)."""
    call(_renumber, "renumber", Effort.PLAIN, len(found), found, others)


def lower(data: Array) -> Array:
    """Bytes with capitals made small."""
    return _in_case(_lower, "lower", data)


def upper(data: Array) -> Array:
    """Bytes with small letters made capitals."""
    return _in_case(_upper, "upper", data)


def _in_case(module: Callable[[bool], str], name: str, data: Array) -> Array:
    out = pool.empty(len(data), np.uint8)
    call(module, name, Effort.VECTORS, len(data), data, out)
    return out


@cache
def _parts(checked: bool) -> str:
    f = RowFunction("parts", 4, checked)
    b = f.b
    offsets, bounds, starts, ends = range(4)
    first_at, last_at = f.get(bounds, I64(0)), f.get(bounds, I64(1))
    total = b.alloca(I64)
    b.store(I64(0), total)

    def place(at: Any, size: Any) -> Any:
        behind = b.add(size, at)
        ahead = b.select(b.icmp_signed("<", at, size), at, size)
        behind = b.select(b.icmp_signed("<", behind, I64(0)), I64(0), behind)
        return b.select(b.icmp_signed("<", at, I64(0)), behind, ahead)

    def row(at: Any, _: Any) -> None:
        begin, after = f.get(offsets, at), b.add(at, I64(1))
        size = b.sub(f.get(offsets, after), begin)
        first, last = place(first_at, size), place(last_at, size)
        left = b.sub(last, first)
        left = b.select(b.icmp_signed("<", left, I64(0)), I64(0), left)
        end = b.add(b.load(total, typ=I64), left)
        b.store(end, total)
        b.store(b.trunc(b.add(begin, first), I32), f.place(starts, at, I32))
        b.store(b.trunc(end, I32), f.place(ends, after, I32))

    f.rows(row)
    b.ret(I32(0))
    return str(f.module)


@cache
def _numbers(checked: bool) -> str:
    f = RowFunction("numbers", 5, checked)
    b = f.b
    starts, ends, data, out, used = range(5)

    def row(at: Any, _: Any) -> None:
        start = f.get(starts, at)
        size = b.sub(f.get(ends, b.add(at, I64(1))), f.get(ends, at))
        number: Any = I64(0)
        for n in range(FEW):
            there = b.icmp_signed("<", I64(n), size)
            index = b.select(there, b.add(start, I64(n)), I64(0))
            byte = b.zext(b.load(f.place(data, index, I8), typ=I8), I64)
            kind = b.select(there, b.add(byte, I64(1)), I64(0))
            number = b.add(b.mul(number, I64(KINDS)), kind)
        b.store(b.trunc(number, I32), f.place(out, at, I32))
        b.store(I8(1), f.place(used, number, I8))

    f.rows(row)
    b.ret(I32(0))
    return str(f.module)


@cache
def _renumber(checked: bool) -> str:
    f = RowFunction("renumber", 2, checked)
    b = f.b
    found, others = range(2)

    def row(at: Any, _: Any) -> None:
        other = f.get(others, f.get(found, at))
        b.store(b.trunc(other, I32), f.place(found, at, I32))

    f.rows(row)
    b.ret(I32(0))
    return str(f.module)


def _case(name: str, low: str, high: str, checked: bool) -> str:
    f = RowFunction(name, 2, checked)
    b = f.b
    data, out = range(2)

    def row(at: Any, _: Any) -> None:
        byte = b.load(f.place(data, at, I8), typ=I8)
        within = b.icmp_unsigned("<=", b.sub(byte, I8(ord(low))), I8(ord(high) - ord(low)))
        changed = b.xor(byte, b.select(within, I8(_OTHER_CASE), I8(0)))
        b.store(changed, f.place(out, at, I8))

    f.rows(row)
    b.ret(I32(0))
    return str(f.module)


_lower = cache(partial(_case, "lower", "A", "Z"))
_upper = cache(partial(_case, "upper", "a", "z"))
