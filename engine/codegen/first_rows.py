"""The first rows of each group, by a compiled loop.

    first(rows, most, [cells], [words], [best], [found])

A group has a cell, and for each cell there is room for `most` rows: their words in `best`, in
order, and their numbers in `found`, which begin as -1. A row is put among those of its cell if its
word is below one of theirs, behind those that are equal: rows come in order. Arguments in brackets
are two: an address, and how many elements are there.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.emit import I1, I32, I64
from plait.engine.codegen.routine import Routine
from plait.engine.codegen.routines import Array, Routines

_CELLS, _WORDS, _BEST, _FOUND = range(4)


def first_of_cells(cells: Array, count: int, words: Array, most: int) -> Array:
    """The numbers of the first rows of each cell by their words (uint64), in order of the rows.

    `cells` (int64) are below `count`.
    """
    best = pool.empty(count * most, np.uint64)
    found = pool.full(count * most, -1, np.int32)
    _ROUTINES.call("first", len(cells), most, cells, words, best, found)
    rows = found[found >= 0]
    rows.sort()
    return rows


def _emit(module: ir.Module, checked: bool) -> None:
    f = Routine(module, "first", 2, 4, checked)
    b, (rows, most) = f.b, f.numbers
    with f.each(rows) as row:
        first = b.mul(f.element(_CELLS, row, I64), most)
        last = b.sub(b.add(first, most), I64(1))
        word = f.element(_WORDS, row, I64)
        free = b.icmp_signed("<", f.element(_FOUND, last, I32), I32(0))
        better = f.variable(free, I1)
        with b.if_then(b.not_(free)):
            better.set(b.icmp_unsigned("<", word, f.element(_BEST, last, I64)))
        with b.if_then(better.get()):
            _enter(f, row, word, first, last)
    b.ret(I32(0))


def _enter(f: Routine, row: Any, word: Any, first: Any, last: Any) -> None:
    """Put a row before those of its cell that come behind it, which go one place on."""
    b = f.b
    at, more = f.variable(last), f.variable(b.icmp_signed(">", last, first), I1)
    with f.loop(more.get):
        here, ahead = at.get(), b.sub(at.get(), I64(1))
        known = f.element(_FOUND, ahead, I32)
        free = b.icmp_signed("<", known, I32(0))
        behind = b.or_(free, b.icmp_unsigned("<", word, f.element(_BEST, ahead, I64)))
        with b.if_then(behind):
            f.put(_BEST, here, f.element(_BEST, ahead, I64))
            f.put(_FOUND, here, known)
            at.set(ahead)
        more.set(b.and_(behind, b.icmp_signed(">", at.get(), first)))
    f.put(_BEST, at.get(), word)
    f.put(_FOUND, at.get(), b.trunc(row, I32))


_ROUTINES = Routines("first_rows", _emit, __name__)
