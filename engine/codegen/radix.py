"""Sorting of 64-bit words by compiled loops: digit by digit, the lowest first.

A word is a key above the number of its row, so that the order of the words tells the order of the
rows, and rows with equal keys stay as they stood.

One module of functions; the first argument is how many words there are, arrays are two arguments
each: an address, and how many elements are there. In debug mode a function gives -1 instead of
leaving an array.

    pack(words, row_bits, [keys], [out])     each key with its row's number below it
    count_<n>(words, low, width, [values], [counts])    how often each of n digits of `width` bits,
                                    from bit `low` on, has each value, digit after digit
    move(words, low, width, [values], [places], [out])  the words in the order of the digit at bit
                                    `low`; `places` begin as the first place of each value
    rows(words, row_bits, [values], [out])   the rows' numbers

The straight radix sort of Knuth, "The Art of Computer Programming", vol. 3, 5.2.5, with all digits
counted in one pass. It takes 5 to 15 ns a word, a tenth of what numpy's sort takes where that has
no vector instructions.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays
from plait.engine.codegen.emit import I32, I64
from plait.engine.codegen.routine import Routine
from plait.engine.codegen.routines import Routines

Words = np.ndarray[Any, np.dtype[np.uint64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]

_FEW = 1 << 11  # words that numpy sorts as fast
_WIDEST = 10  # bits of a digit: so many places to write to are still at hand for the processor
_MOST_DIGITS = -(-64 // _WIDEST)


def sorted_words(keys: Words, bits: int, row_bits: int) -> Words:
    """The keys, of so many bits, above the numbers of their rows, in order."""
    if len(keys) < _FEW:
        words = (keys << np.uint64(row_bits)) | np.arange(len(keys), dtype=np.uint64)
        return sort(words, bits, row_bits)
    words = arrays.empty(len(keys), np.uint64)
    _ROUTINES.call("pack", len(keys), row_bits, keys, words)
    return sort(words, bits, row_bits)


def rows_of(words: Words, row_bits: int) -> Rows:
    """The rows' numbers of words."""
    if len(words) < _FEW:
        return (words & np.uint64((1 << row_bits) - 1)).view(np.int64)
    made = arrays.empty(len(words), np.int64)
    _ROUTINES.call("rows", len(words), row_bits, words, made)
    return made


def order_of_numbers(numbers: np.ndarray[Any, Any]) -> Rows:
    """The rows in the order of integers that are not negative; equal ones as they stood."""
    bits = int(numbers.max(initial=0)).bit_length()
    row_bits = max(1, (len(numbers) - 1).bit_length())
    if len(numbers) < _FEW or bits + row_bits > 64:
        return np.argsort(numbers, kind="stable")
    return rows_of(sorted_words(numbers.astype(np.uint64, copy=False), bits, row_bits), row_bits)


def sort(words: Words, bits: int, row_bits: int) -> Words:
    """Words of keys of so many bits above row numbers that ascend, in order.

    The array that is given is used on the way.
    """
    if len(words) < _FEW:
        words.sort()
        return words
    digits = max(1, -(-bits // _WIDEST))
    width = -(-bits // digits)
    counts = np.zeros((digits, 1 << width), np.int64)
    _ROUTINES.call(f"count_{digits}", len(words), row_bits, width, words, counts.reshape(-1))
    room = arrays.empty(len(words), np.uint64)
    for digit, found in enumerate(counts):
        if found.max() == len(words):
            continue
        places = np.cumsum(found) - found
        _ROUTINES.call("move", len(words), row_bits + digit * width, width, words, places, room)
        words, room = room, words
    return words


def _emit(module: ir.Module, checked: bool) -> None:
    _pack(Routine(module, "pack", 2, 2, checked))
    for digits in range(1, _MOST_DIGITS + 1):
        _count(Routine(module, f"count_{digits}", 3, 2, checked), digits)
    _move(Routine(module, "move", 3, 3, checked))
    _rows(Routine(module, "rows", 2, 2, checked))


_ROUTINES = Routines("radix", _emit, __name__)


def _pack(f: Routine) -> None:
    b, (words, row_bits) = f.b, f.numbers
    with f.each(words) as row:
        f.put(1, row, b.or_(b.shl(f.element(0, row, I64), row_bits), row))
    b.ret(I32(0))


def _count(f: Routine, digits: int) -> None:
    b, (words, low, width) = f.b, f.numbers
    values = b.shl(I64(1), width)
    mask = b.sub(values, I64(1))
    with f.each(words) as at:
        word = b.lshr(f.element(0, at, I64), low)
        for digit in range(digits):
            place = b.add(b.mul(values, I64(digit)), b.and_(word, mask))
            f.put(1, place, b.add(f.element(1, place, I64), I64(1)))
            if digit + 1 < digits:
                word = b.lshr(word, width)
    b.ret(I32(0))


def _move(f: Routine) -> None:
    b, (words, low, width) = f.b, f.numbers
    mask = b.sub(b.shl(I64(1), width), I64(1))
    with f.each(words) as at:
        word = f.element(0, at, I64)
        digit = b.and_(b.lshr(word, low), mask)
        to = f.element(1, digit, I64)
        f.put(2, to, word)
        f.put(1, digit, b.add(to, I64(1)))
    b.ret(I32(0))


def _rows(f: Routine) -> None:
    b, (words, row_bits) = f.b, f.numbers
    mask = b.sub(b.shl(I64(1), row_bits), I64(1))
    with f.each(words) as at:
        f.put(1, at, b.and_(f.element(0, at, I64), mask))
    b.ret(I32(0))
