"""The least or greatest text of each group, by a compiled loop.

    extremes_<bytes>(rows, greatest, [offsets], [data], [places], [groups], [words], [best])

Row i is text `places[i]` and belongs to `groups[i]`; without places they are all texts in turn,
without groups there is one. `best` is the first row of each group whose text is the least, and -1
before there is one; `words` are the first eight bytes of its text as a number that orders texts, so
that few texts are compared to their end. For the greatest, `greatest` is -1, which turns the order
round. Arguments in brackets are two: an address, and how many elements are there.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine.codegen.emit import I1, I32, I64
from plait.engine.codegen.routine import Routine, eight_bytes
from plait.engine.codegen.routines import Array, Routines

_OFFSETS, _DATA, _PLACES, _GROUPS, _WORDS, _BEST = range(6)
_NONE = np.zeros(0, np.int64)


def extreme_texts(
    offsets: Array,
    data: Array,
    rows: int,
    places: Array | None,
    groups: Array | None,
    count: int,
    *,
    greatest: bool,
) -> Array:
    """For each of `count` groups the first of its rows with the least (greatest) text; -1: none.

    `offsets` (of 32 or 64 bits) say where texts begin and end among `data` (bytes), `places`
    (int64) which text each row is, `groups` (int64) which group it belongs to.
    """
    best, words = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    places = _NONE if places is None else places
    groups = _NONE if groups is None else groups
    turn = -1 if greatest else 0
    name = f"extremes_{offsets.itemsize}"
    _ROUTINES.call(name, rows, turn, offsets, data, places, groups, words, best)
    return best


def _emit(module: ir.Module, checked: bool) -> None:
    swap = ir.Function(module, ir.FunctionType(I64, [I64]), "llvm.bswap.i64")
    for size, kind in ((4, I32), (8, I64)):
        _extremes(Routine(module, f"extremes_{size}", 2, 6, checked), kind, swap)


def _extremes(f: Routine, kind: Any, swap: Any) -> None:
    b, (rows, turn) = f.b, f.numbers
    all_texts = b.icmp_unsigned("==", f.arrays[_PLACES][1], I64(0))
    one_group = b.icmp_unsigned("==", f.arrays[_GROUPS][1], I64(0))
    place, group, better = f.variable(), f.variable(), f.variable(0, I1)

    def word_at(start: Any, stop: Any) -> Any:
        some = b.icmp_signed("<", start, stop)
        word = b.select(some, eight_bytes(f, _DATA, start, stop), I64(0))
        return b.xor(b.call(swap, [word]), turn)

    def ends_of(text: Any) -> tuple[Any, Any]:
        start, stop = (f.element(_OFFSETS, at, kind) for at in (text, b.add(text, I64(1))))
        return (start, stop) if kind == I64 else (b.zext(start, I64), b.zext(stop, I64))

    with f.each(rows) as row:
        place.set(row)
        with b.if_then(b.not_(all_texts)):
            place.set(f.element(_PLACES, row, I64))
        with b.if_then(b.not_(one_group)):
            group.set(f.element(_GROUPS, row, I64))
        start, stop = ends_of(place.get())
        word = word_at(start, stop)
        known = f.element(_BEST, group.get(), I64)
        than = f.element(_WORDS, group.get(), I64)
        better.set(b.icmp_unsigned("<", word, than))
        with b.if_then(b.icmp_signed("<", known, I64(0))):
            better.set(I1(1))
        alike = b.and_(b.icmp_signed(">=", known, I64(0)), b.icmp_unsigned("==", word, than))
        with b.if_then(alike):
            other = f.variable(known)
            with b.if_then(b.not_(all_texts)):
                other.set(f.element(_PLACES, known, I64))
            better.set(_comes_first(f, turn, (start, stop), ends_of(other.get()), word_at))
        with b.if_then(better.get(), likely=False):
            f.put(_BEST, group.get(), row)
            f.put(_WORDS, group.get(), word)
    b.ret(I32(0))


def _comes_first(
    f: Routine, turn: Any, one: tuple[Any, Any], other: tuple[Any, Any], word_at: Any
) -> Any:
    """Whether a text whose first eight bytes are those of another comes before it."""
    b = f.b
    size, size_of_other = b.sub(one[1], one[0]), b.sub(other[1], other[0])
    shorter = b.select(b.icmp_signed("<", size, size_of_other), size, size_of_other)
    at, going = f.variable(8), f.variable(1, I1)
    # a text that goes on comes after one that has ended
    first = f.variable(b.icmp_signed("<", b.xor(size, turn), b.xor(size_of_other, turn)), I1)
    with f.loop(lambda: b.and_(going.get(), b.icmp_signed("<", at.get(), shorter))):
        mine = word_at(b.add(one[0], at.get()), one[1])
        its = word_at(b.add(other[0], at.get()), other[1])
        with b.if_then(b.icmp_unsigned("!=", mine, its)):
            first.set(b.icmp_unsigned("<", mine, its))
            going.set(I1(0))
        at.add(8)
    return first.get()


_ROUTINES = Routines("text extremes", _emit, __name__)
