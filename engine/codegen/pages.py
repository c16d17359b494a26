"""Pages of Parquet column chunks to columns, by compiled loops.

Routines; an argument in brackets is two, an address and how many elements are there.
`plain`, `page`, `codes` and `dictionary` are followed by SLACK bytes that may be read and written.
A status below zero is an error: the page is damaged, or written in a way that is not known here,
and whoever called reads it in another way.

    snappy([packed], [plain])                       plain bytes of packed ones
    texts(count, [plain], [ends], [data])           strings, each after its length, to Arrow's form;
                                                    `ends` is one more than strings
    strings(optional, first, end, ...)              see `text_pages.py`
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

from functools import cache
from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.compile import (
    Effort,
    Function,
    checked,
    is_at_hand,
    load_routine,
    prototype,
    sources,
)
from plait.engine.codegen.emit import I8, I32, I64
from plait.engine.codegen.page import (
    CODES_ROOM,
    DICTIONARY,
    FOUND,
    MADE,
    PAGE,
    PAGE_FIELDS,
    PAGES,
    Page,
    call_runs,
    check,
    known_values,
    move,
    read_codes,
    set_missing,
    unpack,
)
from plait.engine.codegen.routine import DAMAGED, Routine, Variable, by_bytes, load_at
from plait.engine.codegen.runs import emit_runs
from plait.engine.codegen.snappy import emit_snappy
from plait.engine.codegen.text_pages import emit_strings

_WIDTHS = {1: I8, 4: I32, 8: I64}
_KINDS = {f"values_{stored}_{made}": (stored, made) for stored, made in ((4, 4), (8, 8), (4, 8))}
_ARGUMENTS = {"snappy": 4, "texts": 7, "strings": 23, **dict.fromkeys(_KINDS, 19)}
_EMITTED_BY = (
    __name__,
    *(
        f"plait.engine.codegen.{name}"
        for name in ("emit", "page", "routine", "runs", "snappy", "text_pages")
    ),
)


def function(name: str) -> Function:
    """A routine, compiled or from the cache: each kind is a module of its own, made when the first
    column asks for it."""
    return _function(name, checked())


def at_hand(name: str) -> bool:
    """Whether a routine needs no compiling any more, which takes a tenth of a second or two."""
    return is_at_hand(_key_name(name, checked()), sources(*_EMITTED_BY), _effort(checked()))


def _key_name(name: str, checked: bool) -> str:
    return f"{name} checked" if checked else name


def _effort(checked: bool) -> Effort:
    # less vector instructions than all of LLVM's passes would make, and faster for it
    return Effort.LEAST if checked else Effort.PLAIN


@cache
def _function(name: str, checked: bool) -> Function:
    signatures = {name: prototype(_ARGUMENTS[name])}
    emitted = load_routine(
        _key_name(name, checked),
        sources(*_EMITTED_BY),
        lambda: _text(name, checked),
        signatures,
        _effort(checked),
    )
    return emitted.functions[name]


def _text(name: str, checked: bool) -> str:
    module = ir.Module(name)
    module.triple = ""
    snappy = emit_snappy(module)
    if name == "texts":
        _emit_texts(module, checked)
    elif name == "strings":
        emit_strings(module, checked, snappy, emit_runs(module, checked))
    elif name in _KINDS:
        _emit_values(module, checked, snappy, name, *_KINDS[name])
    assert len(module.globals[name].args) == _ARGUMENTS[name]
    return str(module)


def _emit_texts(module: ir.Module, checked: bool) -> None:
    f = Routine(module, "texts", 1, 3, checked)
    b = f.b
    (count,), (plain, size) = f.numbers, f.arrays[0]
    ends, data, room = 1, f.arrays[2][0], f.arrays[2][1]
    at, done = f.variable(), f.variable()
    f.put(ends, I64(0), I32(0))
    with f.each(count) as i:
        f.leave_if(b.icmp_signed(">", b.add(at.get(), I64(4)), size), DAMAGED)
        length = b.zext(load_at(b, plain, at.get(), I32), I64)
        at.add(4)
        f.leave_if(b.icmp_signed(">", b.add(at.get(), length), size), DAMAGED)
        f.leave_if(b.icmp_signed(">", b.add(done.get(), length), room), DAMAGED)
        move(f, by_bytes(b, data, done.get()), by_bytes(b, plain, at.get()), length)
        at.add(length)
        done.add(length)
        f.put(ends, b.add(i, I64(1)), b.trunc(done.get(), I32))
    b.ret(I32(0))


def _emit_values(
    module: ir.Module, checked: bool, snappy: Any, name: str, stored: int, made: int
) -> None:
    runs = emit_runs(module, checked)
    kinds = _WIDTHS[stored], _WIDTHS[made]
    entries = emit_runs(module, checked, f"entries_{stored}_{made}", kinds)
    f = Routine(module, name, 3, 8, checked)
    b = f.b
    _, first, end = f.numbers
    f.leave_if(b.icmp_signed(">", end, f.arrays[MADE][1]), DAMAGED)
    count = b.udiv(f.arrays[PAGES][1], I64(PAGE_FIELDS))
    row = f.variable(first)
    with f.each(count) as number:
        page = Page(f, number)
        check(f, page, row.get(), stored)
        with b.if_else(page.is_dictionary) as (is_dictionary, is_data):
            with is_dictionary:
                unpack(f, page, snappy, f.arrays[DICTIONARY][0])
                _measure(f, page, _WIDTHS[stored])
            with is_data:
                unpack(f, page, snappy, f.arrays[PAGE][0])
                _write_page(f, page, row.get(), runs, entries, stored, made)
                row.add(page.values)
    f.leave_if(b.icmp_signed("!=", row.get(), end), DAMAGED)
    b.ret(I32(0))


def _write_page(
    f: Routine, page: Page, row: Any, runs: Any, entries: Any, stored: int, made: int
) -> None:
    """The values of a page that is unpacked."""
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
    missing = b.sub(page.values, known)
    f.put(FOUND, I64(0), b.add(f.element(FOUND, I64(0), I64), missing))


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
