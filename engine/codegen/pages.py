"""Pages of Parquet column chunks to columns, by compiled loops.

One module of routines; an argument in brackets is two, an address and how many elements are there.
`plain`, `page`, `codes` and `dictionary` are followed by SLACK bytes that may be read and written.
A status below zero is an error: the page is damaged, or written in a way that is not known here,
and whoever called reads it in another way.

    snappy([packed], [plain])                       plain bytes of packed ones
    texts(count, [plain], [ends], [data])           strings, each after its length, to Arrow's form;
                                                    `ends` is one more than strings
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

from plait.engine.codegen.compile import Effort, Function, checked, is_loaded, load, prototype
from plait.engine.codegen.emit import I8, I32, I64, POINTER
from plait.engine.codegen.routine import DAMAGED, Routine, Variable, by_bytes, load_at, read_varint
from plait.engine.codegen.runs import emit_runs
from plait.engine.codegen.snappy import emit_snappy

PAGE_FIELDS = 10
PLAIN, CODES, ENTRIES = range(3)
_WIDTHS = {1: I8, 4: I32, 8: I64}
_KINDS = ((4, 4), (8, 8), (4, 8))


def functions() -> dict[str, Function]:
    """The routines, compiled or from the cache."""
    return _functions(checked())


def loaded() -> bool:
    """Whether this process has the routines."""
    return is_loaded(_module(checked())[0], _effort(checked()))


@cache
def _functions(checked: bool) -> dict[str, Function]:
    text, arguments = _module(checked)
    signatures = {name: prototype(count) for name, count in arguments.items()}
    return load(text, signatures, _effort(checked)).functions


def _effort(checked: bool) -> Effort:
    return Effort.LEAST if checked else Effort.VECTORS


@cache
def _module(checked: bool) -> tuple[str, dict[str, int]]:
    """The code, and how many arguments each routine has."""
    module = ir.Module("pages")
    module.triple = ""
    snappy = emit_snappy(module)
    runs = emit_runs(module, checked)
    _emit_texts(module, checked)
    for stored, made in _KINDS:
        values = Routine(module, f"values_{stored}_{made}", 3, 8, checked)
        kinds = _WIDTHS[stored], _WIDTHS[made]
        entries = emit_runs(module, checked, f"entries_{stored}_{made}", kinds)
        _emit_values(values, snappy, runs, entries, stored, made)
    defined = (f for f in module.functions if not f.is_declaration)
    return str(module), {f.name: len(f.args) for f in defined}


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
        _move(f, by_bytes(b, data, done.get()), by_bytes(b, plain, at.get()), length)
        at.add(length)
        done.add(length)
        f.put(ends, b.add(i, I64(1)), b.trunc(done.get(), I32))
    b.ret(I32(0))


def _move(f: Routine, to: Any, source: Any, count: Any) -> None:
    """`count` bytes, exactly."""
    memcpy = f.function.module.globals["llvm.memcpy.p0.p0.i64"]
    f.b.call(memcpy, [to, source, count, ir.IntType(1)(0)])


# the arrays of `values`
_CHUNKS, _PAGES, _DICTIONARY, _PAGE, _CODES, _MADE, _VALID, _FOUND = range(8)


class _Page:
    """The page at hand, in the emitted code."""

    def __init__(self, f: Routine, number: Any) -> None:
        first = f.b.mul(number, I64(PAGE_FIELDS))
        fields = [f.element(_PAGES, f.b.add(first, I64(i)), I64) for i in range(PAGE_FIELDS)]
        chunk, self.start, self.stored, self.size, self.values, kind = fields[:6]
        self.levels, packed, self.first_entry, self.entries = fields[6:]
        pair = f.b.shl(chunk, I64(1))
        self.chunk = f.b.inttoptr(f.element(_CHUNKS, pair, I64), POINTER)
        self.chunk_bytes = f.element(_CHUNKS, f.b.add(pair, I64(1)), I64)
        none = f.b.icmp_signed("<", self.levels, I64(0))
        self.ahead = f.b.select(none, I64(0), self.levels)  # bytes that are not packed
        self.coded = f.b.icmp_signed("==", kind, I64(CODES))
        self.is_dictionary = f.b.icmp_signed("==", kind, I64(ENTRIES))
        self.packed = f.b.icmp_signed("!=", packed, I64(0))


def _emit_values(f: Routine, snappy: Any, runs: Any, entries: Any, stored: int, made: int) -> None:
    b = f.b
    _, first, end = f.numbers
    f.leave_if(b.icmp_signed(">", end, f.arrays[_MADE][1]), DAMAGED)
    count = b.udiv(f.arrays[_PAGES][1], I64(PAGE_FIELDS))
    row = f.variable(first)
    with f.each(count) as number:
        page = _Page(f, number)
        _check(f, page, row.get(), stored)
        with b.if_else(page.is_dictionary) as (is_dictionary, is_data):
            with is_dictionary:
                _unpack(f, page, snappy, f.arrays[_DICTIONARY][0])
                _measure(f, page, _WIDTHS[stored])
            with is_data:
                _unpack(f, page, snappy, f.arrays[_PAGE][0])
                _write_page(f, page, row.get(), runs, entries, stored, made)
                row.add(page.values)
    f.leave_if(b.icmp_signed("!=", row.get(), end), DAMAGED)
    b.ret(I32(0))


def _write_page(
    f: Routine, page: _Page, row: Any, runs: Any, entries: Any, stored: int, made: int
) -> None:
    """The values of a page that is unpacked."""
    b = f.b
    at = f.variable()
    known = _known(f, page, at, runs)
    with b.if_else(page.coded) as (codes, plain):
        with codes:
            whole = b.icmp_signed("==", known, page.values)
            with b.if_else(whole) as (all_known, some_missing):
                with all_known:
                    _write_entries(f, page, at, row, entries, stored, made)
                with some_missing:
                    _read_codes(f, page, at, known, runs)
                    _write_values(f, page, row, known, _Coded(f, page, stored, made))
        with plain:
            needed = b.add(at.get(), b.mul(known, I64(stored)))
            f.leave_if(b.icmp_signed(">", needed, page.size), DAMAGED)
            _write_values(f, page, row, known, _Plain(f, at.get(), stored, made))
    missing = b.sub(page.values, known)
    f.put(_FOUND, I64(0), b.add(f.element(_FOUND, I64(0), I64), missing))


def _measure(f: Routine, page: _Page, stored: Any) -> None:
    """The least and the greatest entry of a dictionary, as signed integers."""
    b = f.b
    least, greatest = (f.variable(f.element(_FOUND, I64(i), I64)) for i in (1, 2))
    with f.each(page.entries) as i:
        entry = f.element(_DICTIONARY, i, stored)
        entry = entry if stored == I64 else b.sext(entry, I64)
        for bound, sign in ((least, "<"), (greatest, ">")):
            so_far = bound.get()
            bound.set(b.select(b.icmp_signed(sign, entry, so_far), entry, so_far))
    f.put(_FOUND, I64(1), least.get())
    f.put(_FOUND, I64(2), greatest.get())


def _check(f: Routine, page: _Page, row: Any, stored: int) -> None:
    """Leaves if what is told of the page does not fit the arrays."""
    b = f.b
    numbers = (page.start, page.stored, page.size, page.values, page.first_entry, page.entries)
    for number in numbers:
        f.leave_if(b.icmp_signed("<", number, I64(0)), DAMAGED)
    width = I64(stored)
    dictionary = f.arrays[_DICTIONARY][1]
    needed_entries = b.select(page.is_dictionary, b.mul(page.entries, width), I64(0))
    dictionary_bytes = b.mul(dictionary, width)
    for needed, room in (
        (b.add(page.start, page.stored), page.chunk_bytes),
        (page.size, b.select(page.is_dictionary, dictionary_bytes, f.arrays[_PAGE][1])),
        (needed_entries, page.size),
        (b.add(page.first_entry, page.entries), dictionary),
        (b.mul(page.values, I64(2)), f.arrays[_CODES][1]),
        (b.add(row, page.values), f.numbers[2]),
        (page.ahead, page.stored),
        (page.ahead, page.size),
    ):
        f.leave_if(b.icmp_signed(">", needed, room), DAMAGED)


def _unpack(f: Routine, page: _Page, snappy: Any, target: Any) -> None:
    """The plain bytes of a page; levels that come ahead are never packed."""
    b = f.b
    source = by_bytes(b, page.chunk, page.start)
    _move(f, target, source, page.ahead)
    source, target = by_bytes(b, source, page.ahead), by_bytes(b, target, page.ahead)
    stored, size = b.sub(page.stored, page.ahead), b.sub(page.size, page.ahead)
    with b.if_else(page.packed) as (packed, plain):
        with packed:
            status = b.call(snappy, [source, stored, target, size])
            f.leave_if(b.icmp_signed("!=", status, I32(0)), status)
        with plain:
            f.leave_if(b.icmp_signed("!=", stored, size), DAMAGED)
            _move(f, target, source, size)


def _known(f: Routine, page: _Page, at: Variable, runs: Any) -> Any:
    """How many values of the page are not NULL; which, is among the codes if not all are."""
    b = f.b
    data, codes = f.arrays[_PAGE][0], f.arrays[_CODES]
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
                known.add(b.zext(f.element(_CODES, i, I32), I64))
    at.set(end)
    return known.get()


def _write_entries(
    f: Routine, page: _Page, at: Variable, row: Any, entries: Any, stored: int, made: int
) -> None:
    """The dictionary's entries of a page without NULLs."""
    b = f.b
    place = b.gep(f.arrays[_MADE][0], [row], source_etype=_WIDTHS[made])
    known = b.gep(f.arrays[_DICTIONARY][0], [page.first_entry], source_etype=_WIDTHS[stored])
    _call_runs(f, page, at, page.values, entries, [place, page.values, known, page.entries])


def _read_codes(f: Routine, page: _Page, at: Variable, known: Any, runs: Any) -> None:
    """The codes of the values that are not NULL, behind the room for levels."""
    b = f.b
    codes, room = f.arrays[_CODES]
    with b.if_then(b.icmp_signed(">", known, I64(0))):
        behind = b.gep(codes, [page.values], source_etype=I32)
        _call_runs(f, page, at, known, runs, [behind, b.sub(room, page.values)])


def _call_runs(
    f: Routine, page: _Page, at: Variable, count: Any, runs: Any, arrays: list[Any]
) -> None:
    """Calls a routine that reads codes, whose width comes before them."""
    b = f.b
    data = f.arrays[_PAGE][0]
    f.leave_if(b.icmp_signed(">=", at.get(), page.size), DAMAGED)
    bits = b.zext(load_at(b, data, at.get(), I8), I64)
    at.add(1)
    start, left = by_bytes(b, data, at.get()), b.sub(page.size, at.get())
    status = b.call(runs, [bits, count, start, left, *arrays])
    f.leave_if(b.icmp_signed("!=", status, I32(0)), status)


class _Coded:
    """Values that are told by codes."""

    def __init__(self, f: Routine, page: _Page, stored: int, made: int) -> None:
        self._f, self._page = f, page
        self.stored, self.made = _WIDTHS[stored], _WIDTHS[made]

    def value(self, i: Any) -> Any:
        f, b = self._f, self._f.b
        code = b.zext(f.element(_CODES, b.add(self._page.values, i), I32), I64)
        f.leave_if(b.icmp_unsigned(">=", code, self._page.entries), DAMAGED)
        return f.element(_DICTIONARY, b.add(self._page.first_entry, code), self.stored)


class _Plain:
    """Values that stand in the page."""

    def __init__(self, f: Routine, at: Any, stored: int, made: int) -> None:
        self._f, self._at = f, at
        self.stored, self.made = _WIDTHS[stored], _WIDTHS[made]
        self._width = stored

    def value(self, i: Any) -> Any:
        b = self._f.b
        by = b.add(self._at, b.mul(i, I64(self._width)))
        return load_at(b, self._f.arrays[_PAGE][0], by, self.stored)


def _write_values(f: Routine, page: _Page, row: Any, known: Any, values: _Coded | _Plain) -> None:
    b = f.b

    def write(at: Any, value: Any) -> None:
        wide = value if values.stored == values.made else b.sext(value, values.made)
        f.put(_MADE, at, wide)

    whole = b.icmp_signed("==", known, page.values)
    with b.if_else(whole) as (all_known, some_missing):
        with all_known, f.each(page.values) as i:
            write(b.add(row, i), values.value(i))
        with some_missing:
            following = f.variable()
            with f.each(page.values) as i:
                at = b.add(row, i)
                there = b.icmp_unsigned("!=", f.element(_CODES, i, I32), I32(0))
                with b.if_else(there) as (known_value, missing):
                    with known_value:
                        write(at, values.value(following.get()))
                        following.add(1)
                    with missing:
                        f.put(_MADE, at, values.made(0))
                        byte = b.lshr(at, I64(3))
                        bit = b.shl(I8(1), b.trunc(b.and_(at, I64(7)), I8))
                        rest = b.and_(f.element(_VALID, byte, I8), b.not_(bit))
                        f.put(_VALID, byte, rest)
