"""Finding bytes in long stretches of bytes: a compiled search by vector instructions.

    find(places, first, second, [data], [wanted], [found], [count])

Blocks of 64 places are tested at once for two bytes of the text wanted, those that are rare in the
data; the few places where both stand are compared byte by byte. `places` are tried from the
beginning of the data on; `first` and `second` are where the rare bytes stand in the text. `found`
gets as many places as there is room for, `count` tells of all. Arguments in brackets are two: an
address, and how many elements are there.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine.codegen.emit import I1, I8, I32, I64
from plait.engine.codegen.routine import Routine, by_bytes, load_at
from plait.engine.codegen.routines import Routines

_BLOCK = 64
_SAMPLE = 1 << 16  # bytes that tell which are rare
_ROOM = 256  # bytes of data for each place that there is room for at first
_DATA, _WANTED, _FOUND, _COUNT = range(4)

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def occurrences(data: Bytes, wanted: bytes) -> Places:
    """All places at which the bytes occur, in order, overlapping ones too."""
    places = len(data) - len(wanted) + 1
    if places <= 0 or not wanted:
        return np.zeros(0, np.int64)
    counts = np.bincount(data[:_SAMPLE], minlength=256)
    rare = sorted(range(len(wanted)), key=lambda i: int(counts[wanted[i]]))
    first, second = rare[0], rare[min(1, len(rare) - 1)]
    text = np.frombuffer(wanted, np.uint8)
    found, count = np.empty(len(data) // _ROOM + _BLOCK, np.int64), np.zeros(1, np.int64)
    while True:
        _ROUTINES.call("find", places, first, second, data, text, found, count)
        if count[0] <= len(found):
            return found[: count[0]]
        found = np.empty(count[0], np.int64)


def _emit(module: ir.Module, checked: bool) -> None:
    f = Routine(module, "find", 3, 4, checked)
    b, (places, *rare) = f.b, f.numbers
    f.put(_COUNT, I64(0), I64(0))
    vector, everywhere = ir.VectorType(I8, _BLOCK), ir.VectorType(I32, _BLOCK)(None)
    wanted = [
        b.shuffle_vector(
            b.insert_element(vector(None), f.element(_WANTED, i, I8), I32(0)),
            vector(None),
            everywhere,
        )
        for i in rare
    ]
    at = f.variable()
    with f.loop(lambda: b.icmp_signed("<", at.get(), places)):
        start = at.get()
        whole = b.icmp_signed(">=", b.sub(places, start), I64(_BLOCK))
        mask = f.variable(1)  # of a single place
        with b.if_then(whole, likely=True):
            equal = [
                b.icmp_unsigned(
                    "==", load_at(b, by_bytes(b, f.arrays[_DATA][0], start), i, vector), w
                )
                for i, w in zip(rare, wanted, strict=True)
            ]
            mask.set(b.bitcast(b.and_(*equal), I64))
        with f.loop(lambda: b.icmp_unsigned("!=", mask.get(), I64(0))):
            _compare(f, b.add(start, b.cttz(mask.get(), I1(1))))
            mask.set(b.and_(mask.get(), b.sub(mask.get(), I64(1))))
        at.add(b.select(whole, I64(_BLOCK), I64(1)))
    b.ret(I32(0))


def _compare(f: Routine, place: Any) -> None:
    """Note a place if all bytes of the text stand there."""
    b = f.b
    byte, same = f.variable(), f.variable(1, I1)
    size = f.arrays[_WANTED][1]
    with f.loop(lambda: b.and_(same.get(), b.icmp_signed("<", byte.get(), size))):
        i = byte.get()
        here = f.element(_DATA, b.add(place, i), I8)
        same.set(b.icmp_unsigned("==", here, f.element(_WANTED, i, I8)))
        byte.add(1)
    with b.if_then(same.get()):
        number = f.element(_COUNT, I64(0), I64)
        f.put(_COUNT, I64(0), b.add(number, I64(1)))
        with b.if_then(b.icmp_signed("<", number, f.arrays[_FOUND][1])):
            f.put(_FOUND, number, place)


_ROUTINES = Routines("find", _emit, __name__)
