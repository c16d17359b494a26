"""Pages of Parquet column chunks to columns, by compiled loops.

Routines; an argument in brackets is two, an address and how many elements are there.
`plain`, `page`, `codes` and `dictionary` are followed by SLACK bytes that may be read and written.
A status below zero is an error: the page is damaged, or written in a way that is not known here,
and whoever called reads it in another way.

    snappy([packed], [plain])                       plain bytes of packed ones
    texts, strings(...)                             see `text_pages.py`
    values_<stored>_<made>(optional, first, end, [chunks], [pages], [dictionary], [page], [codes],
                           [made], [valid], [found])
                                                    all pages of some chunks, one after another, to
                                                    the rows from `first` to `end`; integers may
                                                    become wider

`chunks` has two numbers for each chunk, its address and its bytes. `pages` has PAGE_FIELDS for each
page: the number of its chunk, where it begins in that, its bytes there and unpacked, how many
values it has, what they are (PLAIN, CODES, or ENTRIES of the dictionary), the bytes of its levels
(-1: they are told in the page itself), whether it is packed, and which part of the dictionary is
its: the first entry, how many. `dictionary`, `page` and `codes` are room to work in, for one
dictionary, one page and twice its values; where codes are looked up in a dictionary that is there
already, no page has entries. `valid` is a bitmap that begins as ones. `found` are a number of NULLs
to be added to, and the least and the greatest entry so far.

Codes come in runs, bit-packed or of one value; so do the levels that tell NULLs from values
(https://parquet.apache.org/docs/file-format/data-pages/encodings/).
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I8, I32, I64
from plait.engine.codegen.page import (
    CODES_ROOM,
    DICTIONARY,
    FOUND,
    MADE,
    PAGE,
    Page,
    call_runs,
    emit_pages,
    known_values,
    read_codes,
    set_missing,
)
from plait.engine.codegen.routine import DAMAGED, Routine, Variable, load_at
from plait.engine.codegen.routines import Routines
from plait.engine.codegen.runs import emit_runs
from plait.engine.codegen.snappy import emit_snappy
from plait.engine.codegen.text_pages import emit_strings, emit_texts
from plait.io.reader import PageTable

_WIDTHS = {1: I8, 4: I32, 8: I64}
_KINDS = {f"values_{stored}_{made}": (stored, made) for stored, made in ((4, 4), (8, 8), (4, 8))}
_EMITTED_BY = (
    __name__,
    PageTable.__module__,  # what pages are told by is emitted too
    *(f"plait.engine.codegen.{name}" for name in ("page", "runs", "snappy", "text_pages")),
)


@cache
def routines(name: str) -> Routines:
    """The module of a routine: each is one of its own, made when the first column asks for it."""
    return Routines(name, partial(_emit, name), *_EMITTED_BY)


def _emit(name: str, module: ir.Module, checked: bool) -> None:
    if name == "snappy":
        emit_snappy(module)
    elif name == "texts":
        emit_texts(module, checked)
    elif name == "strings":
        emit_strings(module, checked)
    else:
        _emit_values(module, checked, name, *_KINDS[name])


def _emit_values(module: ir.Module, checked: bool, name: str, stored: int, made: int) -> None:
    snappy, runs = emit_snappy(module, words=stored == 8), emit_runs(module, checked)
    kinds = _WIDTHS[stored], _WIDTHS[made]
    entries = emit_runs(module, checked, f"entries_{stored}_{made}", kinds)
    f = Routine(module, name, 3, 8, checked)
    f.leave_if(f.b.icmp_signed(">", f.numbers[2], f.arrays[MADE][1]), DAMAGED)

    def write_page(page: Page, row: Any) -> Any:
        return _write_page(f, page, row, runs, entries, stored, made)

    emit_pages(f, snappy, stored, lambda page: _measure(f, page, kinds[0]), write_page)


def _write_page(
    f: Routine, page: Page, row: Any, runs: Any, entries: Any, stored: int, made: int
) -> Any:
    """The values of a page that is unpacked; gives how many are not NULL."""
    b = f.b
    at = f.variable()
    known = known_values(f, page, at, runs)
    with b.if_else(page.coded) as (codes, plain):
        with codes:
            whole = b.icmp_signed("==", known, page.values)
            with b.if_else(whole) as (all_known, some_missing):
                with all_known:
                    _write_entries(f, page, at, row, entries, stored, made)
                with some_missing:
                    read_codes(f, page, at, known, runs)
                    _write_values(f, page, row, known, _Coded(f, page, stored, made))
        with plain:
            needed = b.add(at.get(), b.mul(known, I64(stored)))
            f.leave_if(b.icmp_signed(">", needed, page.size), DAMAGED)
            _write_values(f, page, row, known, _Plain(f, at.get(), stored, made))
    return known


def _measure(f: Routine, page: Page, stored: Any) -> None:
    """The least and the greatest entry of a dictionary, as signed integers."""
    b = f.b
    least, greatest = (f.variable(f.element(FOUND, I64(i), I64)) for i in (1, 2))
    with f.each(page.entries) as i:
        entry = f.element(DICTIONARY, i, stored)
        entry = entry if stored == I64 else b.sext(entry, I64)
        for bound, sign in ((least, "<"), (greatest, ">")):
            so_far = bound.get()
            bound.set(b.select(b.icmp_signed(sign, entry, so_far), entry, so_far))
    f.put(FOUND, I64(1), least.get())
    f.put(FOUND, I64(2), greatest.get())


def _write_entries(
    f: Routine, page: Page, at: Variable, row: Any, entries: Any, stored: int, made: int
) -> None:
    """The dictionary's entries of a page without NULLs."""
    b = f.b
    place = b.gep(f.arrays[MADE][0], [row], source_etype=_WIDTHS[made])
    known = b.gep(f.arrays[DICTIONARY][0], [page.first_entry], source_etype=_WIDTHS[stored])
    call_runs(f, page, at, page.values, entries, [place, page.values, known, page.entries])


class _Coded:
    """Values that are told by codes."""

    def __init__(self, f: Routine, page: Page, stored: int, made: int) -> None:
        self._f, self._page = f, page
        self.stored, self.made = _WIDTHS[stored], _WIDTHS[made]

    def value(self, i: Any) -> Any:
        f, b = self._f, self._f.b
        code = b.zext(f.element(CODES_ROOM, b.add(self._page.values, i), I32), I64)
        f.leave_if(b.icmp_unsigned(">=", code, self._page.entries), DAMAGED)
        return f.element(DICTIONARY, b.add(self._page.first_entry, code), self.stored)


class _Plain:
    """Values that stand in the page."""

    def __init__(self, f: Routine, at: Any, stored: int, made: int) -> None:
        self._f, self._at = f, at
        self.stored, self.made = _WIDTHS[stored], _WIDTHS[made]
        self._width = stored

    def value(self, i: Any) -> Any:
        b = self._f.b
        by = b.add(self._at, b.mul(i, I64(self._width)))
        return load_at(b, self._f.arrays[PAGE][0], by, self.stored)


def _write_values(f: Routine, page: Page, row: Any, known: Any, values: _Coded | _Plain) -> None:
    b = f.b

    def write(at: Any, value: Any) -> None:
        wide = value if values.stored == values.made else b.sext(value, values.made)
        f.put(MADE, at, wide)

    whole = b.icmp_signed("==", known, page.values)
    with b.if_else(whole) as (all_known, some_missing):
        with all_known, f.each(page.values) as i:
            write(b.add(row, i), values.value(i))
        with some_missing:
            following = f.variable()
            with f.each(page.values) as i:
                at = b.add(row, i)
                there = b.icmp_unsigned("!=", f.element(CODES_ROOM, i, I32), I32(0))
                with b.if_else(there) as (known_value, missing):
                    with known_value:
                        write(at, values.value(following.get()))
                        following.add(1)
                    with missing:
                        f.put(MADE, at, values.made(0))
                        set_missing(f, at)
