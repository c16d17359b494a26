"""Pages of strings to Arrow's form, by a compiled loop.

    strings(optional, first, end, [chunks], [pages], [dictionary], [page], [codes], [ends], [valid],
            [found], [starts], [data])

is like `values` of `pages.py`: `dictionary` holds the bytes of a dictionary's page, `starts` is
room for where its strings begin. `ends[first]` is where `data` is to go on; rows follow. TOO_SMALL
tells that `data` has not enough bytes (SLACK more may be written): nothing is lost by calling again
with more.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I32, I64, I128
from plait.engine.codegen.page import (
    CODES_ROOM,
    DICTIONARY,
    FOUND,
    MADE,
    PAGE,
    PAGE_FIELDS,
    PAGES,
    Page,
    check,
    known_values,
    move,
    read_codes,
    set_missing,
    unpack,
)
from plait.engine.codegen.routine import DAMAGED, Routine, Variable, by_bytes, load_at

TOO_SMALL = 1
_STARTS, _DATA = 8, 9
_LONG = 64  # bytes, from which on a call pays


def emit_strings(module: ir.Module, checked: bool, snappy: Any, runs: Any) -> None:
    """Adds `strings`."""
    f = Routine(module, "strings", 3, 10, checked)
    b = f.b
    _, first, end = f.numbers
    f.leave_if(b.icmp_signed(">=", end, f.arrays[MADE][1]), DAMAGED)
    count = b.udiv(f.arrays[PAGES][1], I64(PAGE_FIELDS))
    row = f.variable(first)
    total = f.variable(b.sext(f.element(MADE, first, I32), I64))
    with f.each(count) as number:
        page = Page(f, number)
        check(f, page, row.get(), 1)
        with b.if_else(page.is_dictionary) as (is_dictionary, is_data):
            with is_dictionary:
                unpack(f, page, snappy, f.arrays[DICTIONARY][0])
                _find_starts(f, page)
            with is_data:
                unpack(f, page, snappy, f.arrays[PAGE][0])
                _write_page(f, page, row.get(), total, runs)
                row.add(page.values)
    f.leave_if(b.icmp_signed("!=", row.get(), end), DAMAGED)
    b.ret(I32(0))


def _find_starts(f: Routine, page: Page) -> None:
    """Where the strings of a dictionary begin; each stands behind its length."""
    b = f.b
    f.leave_if(b.icmp_signed(">", page.entries, f.arrays[_STARTS][1]), DAMAGED)
    at = f.variable()
    with f.each(page.entries) as i:
        _, start, stop = _next_string(f, f.arrays[DICTIONARY][0], page.size, at.get())
        f.put(_STARTS, i, b.trunc(start, I32))
        at.set(stop)


def _next_string(f: Routine, source: Any, size: Any, at: Any) -> tuple[Any, Any, Any]:
    """The length of the string at a place, where it begins and where it ends."""
    b = f.b
    start = b.add(at, I64(4))
    f.leave_if(b.icmp_signed(">", start, size), DAMAGED)
    length = b.zext(load_at(b, source, at, I32), I64)
    stop = b.add(start, length)
    f.leave_if(b.icmp_signed(">", stop, size), DAMAGED)
    return length, start, stop


def _write_page(f: Routine, page: Page, row: Any, total: Variable, runs: Any) -> None:
    b = f.b
    at = f.variable()
    known = known_values(f, page, at, runs)
    with b.if_then(page.coded):
        read_codes(f, page, at, known, runs)
    whole = b.icmp_signed("==", known, page.values)
    code = f.variable(page.values)  # codes stand behind the room for levels
    with f.each(page.values) as i:
        level = f.element(CODES_ROOM, i, I32)
        there = b.or_(whole, b.icmp_unsigned("!=", level, I32(0)))
        with b.if_else(there) as (is_known, is_missing):
            with is_known, b.if_else(page.coded) as (coded, plain):
                with coded:
                    entry = b.zext(f.element(CODES_ROOM, code.get(), I32), I64)
                    code.add(1)
                    f.leave_if(b.icmp_unsigned(">=", entry, page.entries), DAMAGED)
                    source = f.arrays[DICTIONARY][0]
                    start = b.zext(f.element(_STARTS, entry, I32), I64)
                    length = b.zext(load_at(b, source, b.sub(start, I64(4)), I32), I64)
                    _append(f, by_bytes(b, source, start), length, total)
                with plain:
                    source = f.arrays[PAGE][0]
                    length, start, stop = _next_string(f, source, page.size, at.get())
                    _append(f, by_bytes(b, source, start), length, total)
                    at.set(stop)
            with is_missing:
                set_missing(f, b.add(row, i))
        f.put(MADE, b.add(b.add(row, i), I64(1)), b.trunc(total.get(), I32))
    missing = b.sub(page.values, known)
    f.put(FOUND, I64(0), b.add(f.element(FOUND, I64(0), I64), missing))


def _append(f: Routine, source: Any, length: Any, total: Variable) -> None:
    """A string to the data; the bytes that sixteen at a time are too many are written over."""
    b = f.b
    data, room = f.arrays[_DATA]
    start = total.get()
    stop = b.add(start, length)
    f.leave_if(b.icmp_signed(">", stop, room), TOO_SMALL)
    target = by_bytes(b, data, start)
    long = b.icmp_unsigned(">", length, I64(_LONG))
    with b.if_else(long) as (by_call, by_words):
        with by_call:
            move(f, target, source, length)
        with by_words:
            done = f.variable()
            with f.loop(lambda: b.icmp_signed("<", done.get(), length)):
                word = load_at(b, source, done.get(), I128)
                b.store(word, by_bytes(b, target, done.get()), align=1)
                done.add(16)
    total.set(stop)
