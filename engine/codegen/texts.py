"""Texts gathered by row numbers, by compiled loops.

    measure(rows, [offsets], [numbers], [starts], [ends], [total])
                                    where each row's text starts among the data, where it ends in
                                    the result, how long that is; a number below zero: no text
    copy(rows, [starts], [ends], [data], [out])     the bytes; `out` has room for a few more

Rows may come from anywhere: what is far off is asked for some rows ahead, in two passes, since
where the bytes are must be known first. Short texts are copied as so many bytes that it takes one
instruction; those too many are overwritten by the next. Arguments in brackets are two: an address,
and how many elements are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.emit import I8, I32, I64, POINTER, leave_outside
from plait.engine.codegen.routine import ASTRAY, Routine, by_bytes, load_at, move
from plait.engine.codegen.routines import Array, Routines

_AHEAD = 32  # rows
_SHORT = 16  # bytes
_MOST = (1 << 31) - 1  # bytes of the texts of one array


def gathered_texts(offsets: Array, data: Array, numbers: Array) -> tuple[Array, Array] | None:
    """The offsets and bytes of the texts of some rows (int32; below zero: none); None if they are
    too many bytes for offsets of 32 bits."""
    rows = len(numbers)
    starts, ends = pool.empty(rows, np.int32), pool.empty(rows + 1, np.int32)
    ends[0] = 0
    total = np.zeros(1, np.int64)
    _ROUTINES.call("measure", rows, offsets, numbers, starts, ends, total)
    size = int(total[0])
    if size > _MOST:
        return None
    out = pool.empty(size + _SHORT, np.uint8)
    _ROUTINES.call("copy", rows, starts, ends, data, out)
    return ends, out[:size]


def copied_texts(starts: Array, ends: Array, data: Array) -> Array:
    """The bytes of texts that start at `starts` among others, and end at ends[1:] of the result
    (int32)."""
    out = pool.empty(int(ends[-1]) + _SHORT, np.uint8)
    _ROUTINES.call("copy", len(starts), starts, ends, data, out)
    return out[: int(ends[-1])]


def _emit(module: ir.Module, checked: bool) -> None:
    kind = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
    prefetch = ir.Function(module, kind, "llvm.prefetch.p0")
    _measure(Routine(module, "measure", 1, 5, checked), prefetch)
    _copy(Routine(module, "copy", 1, 4, checked), prefetch)


_ROUTINES = Routines("texts", _emit, __name__)


@contextmanager
def _rows(f: Routine) -> Iterator[tuple[Any, Any]]:
    """A loop over the rows: the number of each, and of one ahead of it."""
    b, count = f.b, f.numbers[0]
    last = b.sub(count, I64(1))
    with f.each(count) as at:
        further = b.add(at, I64(_AHEAD))
        yield at, b.select(b.icmp_signed("<", further, last), further, last)


def _ask(f: Routine, prefetch: Any, array: int, index: Any, kind: Any) -> None:
    """Have an element fetched."""
    place = f.b.gep(f.arrays[array][0], [index], source_etype=kind)
    f.b.call(prefetch, [place, I32(0), I32(3), I32(1)])


def _measure(f: Routine, prefetch: Any) -> None:
    b = f.b
    offsets, numbers, starts, ends, total = range(5)
    so_far = f.variable()
    with _rows(f) as (at, further):
        _ask(f, prefetch, offsets, f.signed(numbers, further), I32)
        number = f.signed(numbers, at)
        none = b.icmp_signed("<", number, I64(0))
        number = b.select(none, I64(0), number)
        start = f.signed(offsets, number)
        size = b.sub(f.signed(offsets, b.add(number, I64(1))), start)
        so_far.add(b.select(none, I64(0), size))
        f.put(starts, at, b.trunc(start, I32))
        f.put(ends, b.add(at, I64(1)), b.trunc(so_far.get(), I32))
    f.put(total, I64(0), so_far.get())
    b.ret(I32(0))


def _copy(f: Routine, prefetch: Any) -> None:
    b = f.b
    starts, ends, data, out = range(4)
    vector = ir.VectorType(I8, _SHORT)
    with _rows(f) as (at, further):
        _ask(f, prefetch, data, f.signed(starts, further), I8)
        start, begin = f.signed(starts, at), f.signed(ends, at)
        size = b.sub(f.signed(ends, b.add(at, I64(1))), begin)
        room = b.icmp_signed("<=", b.add(start, I64(_SHORT)), f.arrays[data][1])
        short = b.and_(room, b.icmp_signed("<=", size, I64(_SHORT)))
        target = by_bytes(b, f.arrays[out][0], begin)
        if f.checked:
            for array, end in ((data, b.add(start, size)), (out, b.add(begin, size))):
                leave_outside(b, end, b.add(f.arrays[array][1], I64(1)), ASTRAY)
        with b.if_else(short, likely=True) as (then, otherwise):
            with then:
                b.store(load_at(b, f.arrays[data][0], start, vector), target, align=1)
            with otherwise:
                move(f, target, by_bytes(b, f.arrays[data][0], start), size)
    b.ret(I32(0))
