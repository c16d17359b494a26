"""Finding bytes in long stretches of bytes: a compiled search by vector instructions.

Blocks of 64 places are tested at once for two bytes of the text wanted, those that are rare in the
data; the few places where both stand are compared byte by byte.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine.codegen.compile import Effort, load, prototype
from plait.engine.codegen.emit import I1, I8, I32, I64, POINTER

_BLOCK = 64
_SAMPLE = 1 << 16  # bytes that tell which are rare
_ROOM = 256  # bytes of data for each place that there is room for at first

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def occurrences(data: Bytes, wanted: bytes) -> Places:
    """All places at which the bytes occur, in order, overlapping ones too."""
    last = len(data) - len(wanted)
    if last < 0 or not wanted:
        return np.zeros(0, np.int64)
    counts = np.bincount(data[:_SAMPLE], minlength=256)
    rare = sorted(range(len(wanted)), key=lambda i: int(counts[wanted[i]]))
    text = np.frombuffer(wanted, np.uint8)
    find = load(_module(), {"find": prototype(9)}, Effort.PLAIN).functions["find"]
    found, count = np.empty(len(data) // _ROOM + _BLOCK, np.int64), np.zeros(1, np.int64)
    while True:
        find(
            data.ctypes.data,
            last + 1,
            text.ctypes.data,
            len(wanted),
            rare[0],
            rare[min(1, len(rare) - 1)],
            found.ctypes.data,
            len(found),
            count.ctypes.data,
        )
        if count[0] <= len(found):
            return found[: count[0]]
        found = np.empty(count[0], np.int64)


@cache
def _module() -> str:
    """find(data, places, wanted, size, first, second, found, room, count).

    `places` are tried from the beginning of the data on; `first` and `second` are the places in the
    text of its rare bytes. `found` gets as many as there is `room` for, `count` tells of all.
    """
    module = ir.Module("find")
    module.triple = ""
    kinds = [POINTER, I64, POINTER, I64, I64, I64, POINTER, I64, POINTER]
    function = ir.Function(module, ir.FunctionType(I32, kinds), "find")
    _Find(function).emit()
    return str(module)


class _Find:
    """The function while it is written."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.data, self.places, self.wanted, self.size = function.args[:4]
        self.first, self.second, self.found, self.room, self.count = function.args[4:]
        self.at, self.mask, self.byte = (self.b.alloca(I64) for _ in range(3))

    def emit(self) -> None:
        b = self.b
        head, more, block, hits, hit = map(self._block, ("head", "more", "block", "hits", "hit"))
        compare, following, match = map(self._block, ("compare", "next", "match"))
        keep, step, end = map(self._block, ("keep", "step", "end"))
        vector = ir.VectorType(I8, _BLOCK)
        b.store(I64(0), self.count)
        b.store(I64(0), self.at)
        rare = [self._byte(self.wanted, i) for i in (self.first, self.second)]
        everywhere = ir.VectorType(I32, _BLOCK)(None)
        wide = [
            b.shuffle_vector(b.insert_element(vector(None), r, I32(0)), vector(None), everywhere)
            for r in rare
        ]
        b.branch(head)

        b.position_at_end(head)
        at = b.load(self.at, typ=I64)
        left = b.sub(self.places, at)
        b.store(I64(1), self.mask)  # of a single place
        b.cbranch(b.icmp_signed(">", left, I64(0)), more, end)
        b.position_at_end(more)
        whole = b.icmp_signed(">=", left, I64(_BLOCK))
        b.cbranch(whole, block, hits)
        b.position_at_end(block)
        stretches = [self._place(self.data, b.add(at, i)) for i in (self.first, self.second)]
        equal = [
            b.icmp_unsigned("==", b.load(stretch, typ=vector, align=1), w)
            for stretch, w in zip(stretches, wide, strict=True)
        ]
        b.store(b.bitcast(b.and_(*equal), I64), self.mask)
        b.branch(hits)

        b.position_at_end(hits)
        mask = b.load(self.mask, typ=I64)
        b.cbranch(b.icmp_unsigned("==", mask, I64(0)), step, hit)
        b.position_at_end(hit)
        place = b.add(at, b.cttz(mask, I1(1)))
        b.store(b.and_(mask, b.sub(mask, I64(1))), self.mask)
        b.store(I64(0), self.byte)
        b.branch(compare)
        b.position_at_end(compare)
        i = b.load(self.byte, typ=I64)
        b.cbranch(b.icmp_signed("<", i, self.size), following, match)
        b.position_at_end(following)
        b.store(b.add(i, I64(1)), self.byte)
        here = self._byte(self.data, b.add(place, i))
        b.cbranch(b.icmp_unsigned("==", here, self._byte(self.wanted, i)), compare, hits)

        b.position_at_end(match)
        number = b.load(self.count, typ=I64)
        b.store(b.add(number, I64(1)), self.count)
        b.cbranch(b.icmp_signed("<", number, self.room), keep, hits)
        b.position_at_end(keep)
        b.store(place, b.gep(self.found, [number], source_etype=I64))
        b.branch(hits)

        b.position_at_end(step)
        b.store(b.add(at, b.select(whole, I64(_BLOCK), I64(1))), self.at)
        b.branch(head)
        b.position_at_end(end)
        b.ret(I32(0))

    def _block(self, name: str) -> Any:
        return self.function.append_basic_block(name)

    def _place(self, base: Any, index: Any) -> Any:
        return self.b.gep(base, [index], source_etype=I8)

    def _byte(self, base: Any, index: Any) -> Any:
        return self.b.load(self._place(base, index), typ=I8)
