"""Plain strings of Parquet to Arrow's form, by compiled loops.

    texts(count, [plain], [ends], [data])           strings, each after its length; `ends` is one
                                                    more than strings
    strings(optional, first, end, [chunks], [pages], [dictionary], [page], [codes], [ends], [valid],
            [found], [starts], [data])

`strings` is like `values` of `pages.py`: `dictionary` holds the bytes of a dictionary's page,
`starts` is room for where its strings begin. `ends[first]` is where `data` is to go on; rows
follow. TOO_SMALL tells that `data` has not enough bytes (SLACK more may be written): nothing is
lost by calling again with more.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I32, I64, I128
from plait.engine.codegen.page import (
    CODES_ROOM,
    DICTIONARY,
    MADE,
    PAGE,
    Page,
    emit_pages,
    known_values,
    read_codes,
    set_missing,
)
from plait.engine.codegen.routine import DAMAGED, Routine, Variable, by_bytes, load_at, move
from plait.engine.codegen.runs import emit_runs
from plait.engine.codegen.snappy import emit_snappy

TOO_SMALL = 1
_STARTS, _DATA = 8, 9
_LONG = 64  # bytes, from which on a call pays


def emit_texts(module: ir.Module, checked: bool) -> None:
    """Adds `texts`."""
    f = Routine(module, "texts", 1, 3, checked)
    b = f.b
    (count,), (plain, size), (data, room) = f.numbers, f.arrays[0], f.arrays[2]
    ends = 1
    at, done = f.variable(), f.variable()
    f.put(ends, I64(0), I32(0))
    with f.each(count) as i:
        length, start, stop = _next_string(f, plain, size, at.get())
        f.leave_if(b.icmp_signed(">", b.add(done.get(), length), room), DAMAGED)
        move(f, by_bytes(b, data, done.get()), by_bytes(b, plain, start), length)
        at.set(stop)
        done.add(length)
        f.put(ends, b.add(i, I64(1)), b.trunc(done.get(), I32))
    b.ret(I32(0))


def emit_strings(module: ir.Module, checked: bool) -> None:
    """Adds `strings`."""
    snappy, runs = emit_snappy(module), emit_runs(module, checked)
    f = Routine(module, "strings", 3, 10, checked)
    _, first, end = f.numbers
    f.leave_if(f.b.icmp_signed(">=", end, f.arrays[MADE][1]), DAMAGED)
    total = f.variable(f.b.sext(f.element(MADE, first, I32), I64))

    def write_page(page: Page, row: Any) -> Any:
        return _write_page(f, page, row, total, runs)

    emit_pages(f, snappy, 1, lambda page: _find_starts(f, page), write_page)


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


def _write_page(f: Routine, page: Page, row: Any, total: Variable, runs: Any) -> Any:
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
    return known


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
