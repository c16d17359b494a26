"""A page of a Parquet column chunk in emitted code: what is told of it, its bytes, its levels.

What the routines of `pages.py` and `text_pages.py` have in common; their first arrays are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plait.engine.codegen.emit import I8, I32, I64, POINTER
from plait.engine.codegen.routine import (
    DAMAGED,
    Routine,
    Variable,
    by_bytes,
    load_at,
    move,
    read_varint,
)
from plait.io.reader import CODES, ENTRIES, PAGE_FIELDS

# the arrays of the routines that read pages
CHUNKS, PAGES, DICTIONARY, PAGE, CODES_ROOM, MADE, VALID, FOUND = range(8)


class Page:
    """The page at hand, in the emitted code."""

    def __init__(self, f: Routine, number: Any) -> None:
        first = f.b.mul(number, I64(len(PAGE_FIELDS)))
        told = {
            name: f.element(PAGES, f.b.add(first, I64(i)), I64)
            for i, name in enumerate(PAGE_FIELDS)
        }
        self.start, self.stored, self.size = told["start"], told["stored"], told["size"]
        self.values, self.levels = told["values"], told["levels"]
        self.first_entry, self.entries = told["first_entry"], told["entries"]
        pair = f.b.shl(told["chunk"], I64(1))
        self.chunk = f.b.inttoptr(f.element(CHUNKS, pair, I64), POINTER)
        self.chunk_bytes = f.element(CHUNKS, f.b.add(pair, I64(1)), I64)
        none = f.b.icmp_signed("<", self.levels, I64(0))
        self.ahead = f.b.select(none, I64(0), self.levels)  # bytes that are not packed
        self.coded = f.b.icmp_signed("==", told["kind"], I64(CODES))
        self.is_dictionary = f.b.icmp_signed("==", told["kind"], I64(ENTRIES))
        self.packed = f.b.icmp_signed("!=", told["packed"], I64(0))


def emit_pages(
    f: Routine,
    snappy: Any,
    stored: int,
    read_dictionary: Callable[[Page], None],
    write_page: Callable[[Page, Any], Any],
) -> None:
    """All that a routine does with its pages. Dictionaries and pages of rows, whose values have
    `stored` bytes, are given unpacked, the latter with their first row: `write_page` gives how many
    of their values are not NULL."""
    b = f.b
    _, first, end = f.numbers
    row = f.variable(first)
    with f.each(b.udiv(f.arrays[PAGES][1], I64(len(PAGE_FIELDS)))) as number:
        page = Page(f, number)
        check(f, page, row.get(), stored)
        with b.if_else(page.is_dictionary) as (is_dictionary, is_data):
            with is_dictionary:
                unpack(f, page, snappy, f.arrays[DICTIONARY][0])
                read_dictionary(page)
            with is_data:
                unpack(f, page, snappy, f.arrays[PAGE][0])
                missing = b.sub(page.values, write_page(page, row.get()))
                f.put(FOUND, I64(0), b.add(f.element(FOUND, I64(0), I64), missing))
                row.add(page.values)
    f.leave_if(b.icmp_signed("!=", row.get(), end), DAMAGED)
    b.ret(I32(0))


def check(f: Routine, page: Page, row: Any, stored: int) -> None:
    """Leaves if what is told of the page does not fit the arrays."""
    b = f.b
    numbers = (page.start, page.stored, page.size, page.values, page.first_entry, page.entries)
    for number in numbers:
        f.leave_if(b.icmp_signed("<", number, I64(0)), DAMAGED)
    width = I64(stored)
    dictionary = f.arrays[DICTIONARY][1]
    needed_entries = b.select(page.is_dictionary, b.mul(page.entries, width), I64(0))
    dictionary_bytes = b.mul(dictionary, width)
    for needed, room in (
        (b.add(page.start, page.stored), page.chunk_bytes),
        (page.size, b.select(page.is_dictionary, dictionary_bytes, f.arrays[PAGE][1])),
        (needed_entries, page.size),
        (b.add(page.first_entry, page.entries), dictionary),
        (b.mul(page.values, I64(2)), f.arrays[CODES_ROOM][1]),
        (b.add(row, page.values), f.numbers[2]),
        (page.ahead, page.stored),
        (page.ahead, page.size),
    ):
        f.leave_if(b.icmp_signed(">", needed, room), DAMAGED)


def unpack(f: Routine, page: Page, snappy: Any, target: Any) -> None:
    """The plain bytes of a page; levels that come ahead are never packed."""
    b = f.b
    source = by_bytes(b, page.chunk, page.start)
    move(f, target, source, page.ahead)
    source, target = by_bytes(b, source, page.ahead), by_bytes(b, target, page.ahead)
    stored, size = b.sub(page.stored, page.ahead), b.sub(page.size, page.ahead)
    with b.if_else(page.packed) as (packed, plain):
        with packed:
            status = b.call(snappy, [source, stored, target, size])
            f.leave_if(b.icmp_signed("!=", status, I32(0)), status)
        with plain:
            f.leave_if(b.icmp_signed("!=", stored, size), DAMAGED)
            move(f, target, source, size)


def known_values(f: Routine, page: Page, at: Variable, runs: Any) -> Any:
    """How many values of the page are not NULL; which, is among the codes if not all are."""
    b = f.b
    data, codes = f.arrays[PAGE][0], f.arrays[CODES_ROOM]
    known, length = f.variable(page.values), f.variable(page.ahead)
    optional = b.icmp_signed("!=", f.numbers[0], I64(0))
    with b.if_then(b.and_(optional, b.icmp_signed("<", page.levels, I64(0)))):
        f.leave_if(b.icmp_signed("<", page.size, I64(4)), DAMAGED)
        length.set(b.zext(load_at(b, data, I64(0), I32), I64))
        at.set(4)
    end = b.add(at.get(), length.get())
    f.leave_if(b.icmp_signed(">", end, page.size), DAMAGED)
    with b.if_then(b.and_(optional, b.icmp_signed(">", page.values, I64(0)))):
        ahead = f.variable(at.get())
        head = read_varint(f, data, end, ahead)
        all_there = b.and_(
            b.icmp_unsigned(">=", head, b.shl(page.values, I64(1))),  # one run, of ones
            b.icmp_unsigned("==", b.and_(head, I64(1)), I64(0)),
        )
        one = b.icmp_unsigned("==", load_at(b, data, ahead.get(), I8), I8(1))
        with b.if_then(b.not_(b.and_(all_there, one))):
            start = by_bytes(b, data, at.get())
            status = b.call(runs, [I64(1), page.values, start, length.get(), *codes])
            f.leave_if(b.icmp_signed("!=", status, I32(0)), status)
            known.set(0)
            with f.each(page.values) as i:
                known.add(b.zext(f.element(CODES_ROOM, i, I32), I64))
    at.set(end)
    return known.get()


def read_codes(f: Routine, page: Page, at: Variable, known: Any, runs: Any) -> None:
    """The codes of the values that are not NULL, behind the room for levels."""
    b = f.b
    codes, room = f.arrays[CODES_ROOM]
    with b.if_then(b.icmp_signed(">", known, I64(0))):
        behind = b.gep(codes, [page.values], source_etype=I32)
        call_runs(f, page, at, known, runs, [behind, b.sub(room, page.values)])


def call_runs(
    f: Routine, page: Page, at: Variable, count: Any, runs: Any, arrays: list[Any]
) -> None:
    """Calls a routine that reads codes, whose width comes before them."""
    b = f.b
    data = f.arrays[PAGE][0]
    f.leave_if(b.icmp_signed(">=", at.get(), page.size), DAMAGED)
    bits = b.zext(load_at(b, data, at.get(), I8), I64)
    at.add(1)
    start, left = by_bytes(b, data, at.get()), b.sub(page.size, at.get())
    status = b.call(runs, [bits, count, start, left, *arrays])
    f.leave_if(b.icmp_signed("!=", status, I32(0)), status)


def set_missing(f: Routine, row: Any) -> None:
    """Takes a row's bit off the bitmap."""
    b = f.b
    byte = b.lshr(row, I64(3))
    bit = b.shl(I8(1), b.trunc(b.and_(row, I64(7)), I8))
    f.put(VALID, byte, b.and_(f.element(VALID, byte, I8), b.not_(bit)))
