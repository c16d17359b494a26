"""The first rows of each group, by a compiled loop.

    first(rows, most, [cells], [words], [best], [found])

A group has a cell, and for each cell there is room for `most` rows: their words in `best`, in
order, and their numbers in `found`, which begin as -1. A row is put among those of its cell if its
word is below one of theirs, behind those that are equal: rows come in order. Arguments in brackets
are two: an address, and how many elements are there. In debug mode the function gives -1 instead of
leaving an array.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.compile import Effort, checked, load, prototype
from plait.engine.codegen.emit import I32, I64, POINTER, AstrayError, leave_outside

_ASTRAY = -1

Array = np.ndarray[Any, Any]


def first_of_cells(cells: Array, count: int, words: Array, most: int) -> Array:
    """The numbers of the first rows of each cell by their words (uint64), in order of the rows.

    `cells` (int64) are below `count`.
    """
    best = pool.empty(count * most, np.uint64)
    found = pool.full(count * most, -1, np.int32)
    arguments: list[int] = [len(cells), most]
    for array in (cells, words, best, found):
        arguments += [array.ctypes.data, array.size]
    effort = Effort.LEAST if checked() else Effort.PLAIN
    loop = load(_module(checked()), {"first": prototype(len(arguments))}, effort)
    if loop.functions["first"](*arguments) == _ASTRAY:
        raise AstrayError("first")
    rows = found[found >= 0]
    rows.sort()
    return rows


@cache
def _module(checked: bool) -> str:
    module = ir.Module("first")
    module.triple = ""
    kinds = [I64, I64, *(POINTER, I64) * 4]
    function = ir.Function(module, ir.FunctionType(I32, kinds), "first")
    rows, most, *rest = function.args
    cells, words, best, found = zip(rest[::2], rest[1::2], strict=True)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    names = ("head", "row", "compare", "enter", "before", "above", "move", "put", "next", "end")
    blocks = {name: function.append_basic_block(name) for name in names}

    def place(array: tuple[Any, Any], index: Any, kind: Any) -> Any:
        if checked:
            leave_outside(b, index, array[1], _ASTRAY)
        return b.gep(array[0], [index], source_etype=kind)

    def get(array: tuple[Any, Any], index: Any, kind: Any) -> Any:
        return b.load(place(array, index, kind), typ=kind)

    row, at = b.alloca(I64), b.alloca(I64)
    b.store(I64(0), row)
    b.branch(blocks["head"])

    b.position_at_end(blocks["head"])
    number = b.load(row, typ=I64)
    b.cbranch(b.icmp_signed("<", number, rows), blocks["row"], blocks["end"])
    b.position_at_end(blocks["row"])
    first = b.mul(get(cells, number, I64), most)
    word = get(words, number, I64)
    last = b.sub(b.add(first, most), I64(1))
    b.store(last, at)
    free = b.icmp_signed("<", get(found, last, I32), I32(0))
    b.cbranch(free, blocks["before"], blocks["compare"])
    b.position_at_end(blocks["compare"])
    below = b.icmp_unsigned("<", word, get(best, last, I64))
    b.cbranch(below, blocks["before"], blocks["next"])

    # those behind it go one place on
    b.position_at_end(blocks["before"])
    here = b.load(at, typ=I64)
    b.cbranch(b.icmp_signed(">", here, first), blocks["above"], blocks["put"])
    b.position_at_end(blocks["above"])
    known = get(found, b.sub(here, I64(1)), I32)
    b.cbranch(b.icmp_signed("<", known, I32(0)), blocks["move"], blocks["enter"])
    b.position_at_end(blocks["enter"])
    behind = b.icmp_unsigned("<", word, get(best, b.sub(here, I64(1)), I64))
    b.cbranch(behind, blocks["move"], blocks["put"])
    b.position_at_end(blocks["move"])
    ahead = b.sub(here, I64(1))
    b.store(get(best, ahead, I64), place(best, here, I64))
    b.store(known, place(found, here, I32))
    b.store(ahead, at)
    b.branch(blocks["before"])

    b.position_at_end(blocks["put"])
    b.store(word, place(best, here, I64))
    b.store(b.trunc(number, I32), place(found, here, I32))
    b.branch(blocks["next"])
    b.position_at_end(blocks["next"])
    b.store(b.add(number, I64(1)), row)
    b.branch(blocks["head"])
    b.position_at_end(blocks["end"])
    b.ret(I32(0))
    return str(module)
