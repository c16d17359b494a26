"""Rows to parts, by compiled loops: hashes of integers, the part of each row, columns part by part.

One module of functions; the first argument is how many rows there are, arrays are two arguments
each: an address, and how many elements are there. In debug mode a function gives -1 instead of
leaving an array.

    hash_<kind>(rows, stride, [values], [valid], [hashes])   the finaliser of splitmix64; a constant
                                                    where not valid; no valid: all rows are
    hash_text(rows, [offsets], [data], [hashes])    of strings: their length, then eight bytes after
                                                    the other, with zeros behind the last
    look_up_<bytes>(rows, [codes], [valid], [entries], [hashes])    those of the entries of codes
    combine(rows, [hashes], [more])                 hashes of one more column into those so far
    parts(rows, parts, [hashes], [part_of])         the part that a hash belongs to
    count(rows, [part_of], [counts])                how many rows each part has
    places(rows, [part_of], [ends], [places])       row numbers part by part; `ends` begin as the
                                                    first place of each part
    scatter_<bytes>(rows, [values], [part_of], [ends], [out])   values part by part

Scattering reads a column once, from its beginning to its end, and writes as many streams as there
are parts (the partitioning of Manegold, Boncz and Kersten, "Optimizing Main-Memory Join on Modern
Hardware", TKDE 2002, in one pass).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ir
import numpy as np

from plait.engine import arrays as pool
from plait.engine.codegen.emit import I1, I8, I16, I32, I64, I128
from plait.engine.codegen.routine import Routine, eight_bytes
from plait.engine.codegen.routines import Array, Routines

LONG = 1 << 16
"""Rows from which on the loops pay, even if they have to be loaded."""

NULL = 0x6E756C6C6E756C6C
_KINDS = {
    "int8": (I8, True),
    "int16": (I16, True),
    "int32": (I32, True),
    "int64": (I64, True),
    "uint8": (I8, False),
    "uint16": (I16, False),
    "uint32": (I32, False),
}
_WIDTHS = {1: I8, 2: I16, 4: I32, 8: I64, 16: I128}

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Parts = np.ndarray[Any, np.dtype[np.int32]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


def hashes(values: Array, valid: np.ndarray[Any, np.dtype[np.bool_]] | None) -> Hashes:
    """A hash of each integer; of those that are not valid, the same one."""
    made = pool.empty(len(values), np.uint64)
    known = np.zeros(0, np.uint8) if valid is None else np.ascontiguousarray(valid).view(np.uint8)
    _ROUTINES.call(f"hash_{values.dtype.name}", len(values), values.strides[0], values, known, made)
    return made


def text_hashes(offsets: Counts, data: np.ndarray[Any, np.dtype[np.uint8]]) -> Hashes:
    """A hash of each string; `offsets` are one more than strings."""
    made = pool.empty(len(offsets) - 1, np.uint64)
    _ROUTINES.call("hash_text", len(made), offsets, data, made)
    return made


def hashes_of_entries(
    codes: Array, valid: np.ndarray[Any, np.dtype[np.bool_]] | None, entries: Hashes
) -> Hashes:
    """The hash of the entry of each code (signed integers); of those not valid, that of NULL."""
    made = pool.empty(len(codes), np.uint64)
    known = np.zeros(0, np.uint8) if valid is None else np.ascontiguousarray(valid).view(np.uint8)
    _ROUTINES.call(f"look_up_{codes.itemsize}", len(codes), codes, known, entries, made)
    return made


def combine(found: Hashes, more: Hashes) -> None:
    """Mix the hashes of one more column into `found`."""
    _ROUTINES.call("combine", len(found), found, more)


def parts_of(found: Hashes, parts: int) -> Parts:
    """The part of each hash."""
    made = pool.empty(len(found), np.int32)
    _ROUTINES.call("parts", len(found), parts, found, made)
    return made


def counts_of(part_of: Parts, parts: int) -> Counts:
    """How many rows each part has."""
    made = np.zeros(parts, np.int64)
    _ROUTINES.call("count", len(part_of), part_of, made)
    return made


def places(part_of: Parts, starts: Counts) -> Parts:
    """The numbers of the rows, part by part, in each as they came."""
    made = pool.empty(len(part_of), np.int32)
    _ROUTINES.call("places", len(part_of), part_of, starts.copy(), made)
    return made


def scattered(values: Array, part_of: Parts, starts: Counts) -> Array:
    """The values, part by part, in each as they came."""
    made = pool.empty(len(part_of), values.dtype)
    _ROUTINES.call(f"scatter_{values.itemsize}", len(part_of), values, part_of, starts.copy(), made)
    return made


def _emit(module: ir.Module, checked: bool) -> None:
    def function(name: str, numbers: int, arrays: int) -> _OverRows:
        return _OverRows(module, name, 1 + numbers, arrays, checked)

    for name, (kind, signed) in _KINDS.items():
        _hash(function(f"hash_{name}", 1, 3), kind, signed)
    _hash_text(function("hash_text", 0, 3))
    for width in (1, 2, 4, 8):
        _look_up(function(f"look_up_{width}", 0, 4), _WIDTHS[width])
    _combine(function("combine", 0, 2))
    _parts(function("parts", 1, 2))
    _count(function("count", 0, 2))
    _places(function("places", 0, 3))
    for width, kind in _WIDTHS.items():
        _scatter(function(f"scatter_{width}", 0, 4), kind)


_ROUTINES = Routines("scatter", _emit, __name__)


class _OverRows(Routine):
    """A routine whose first number tells how many rows there are."""

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """A loop over the numbers of the rows; the function ends after it."""
        with self.each(self.numbers[0]) as row:
            yield row
        self.b.ret(I32(0))

    def next_place(self, ends: int, part: Any) -> Any:
        """The next free place of a part."""
        at = self.element(ends, part, I64)
        self.put(ends, part, self.b.add(at, I64(1)))
        return at


def _mix(b: ir.IRBuilder, x: Any) -> Any:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = b.mul(b.xor(x, b.lshr(x, I64(shift))), I64(factor - (1 << 64)))
    return b.xor(x, b.lshr(x, I64(31)))


def _hash(f: _OverRows, kind: Any, signed: bool) -> None:
    b, (_, stride) = f.b, f.numbers
    every = b.icmp_unsigned("==", f.arrays[1][1], I64(0))
    with f.rows() as row:
        value = f.element(0, row, kind, stride)
        wide = value if kind == I64 else (b.sext if signed else b.zext)(value, I64)
        f.put(2, row, _mix(b, wide))
        with b.if_then(b.not_(every)):
            known = b.icmp_unsigned("!=", f.element(1, row, I8), I8(0))
            f.put(2, row, b.select(known, f.element(2, row, I64), I64(NULL)))


def _hash_text(f: _OverRows) -> None:
    b = f.b
    with f.rows() as row:
        start, stop = f.element(0, row, I64), f.element(0, b.add(row, I64(1)), I64)
        so_far, place = f.variable(_mix(b, b.sub(stop, start))), f.variable(start)
        with f.loop(lambda: b.icmp_signed("<", place.get(), stop)):
            word = eight_bytes(f, 1, place.get(), stop)
            so_far.set(_mix(b, b.add(b.mul(so_far.get(), I64(31)), word)))
            place.add(8)
        f.put(2, row, so_far.get())


def _look_up(f: _OverRows, kind: Any) -> None:
    b = f.b
    every = b.icmp_unsigned("==", f.arrays[1][1], I64(0))
    known = b.alloca(I1)
    with f.rows() as row:
        b.store(I1(1), known)
        with b.if_then(b.not_(every)):
            b.store(b.icmp_unsigned("!=", f.element(1, row, I8), I8(0)), known)
        code, there = f.element(0, row, kind), b.load(known, typ=I1)
        code = code if kind == I64 else b.sext(code, I64)
        found = f.element(2, b.select(there, code, I64(0)), I64)
        f.put(3, row, b.select(there, found, I64(NULL)))


def _combine(f: _OverRows) -> None:
    b = f.b
    with f.rows() as row:
        so_far, more = f.element(0, row, I64), f.element(1, row, I64)
        f.put(0, row, _mix(b, b.add(b.mul(so_far, I64(31)), more)))


def _parts(f: _OverRows) -> None:
    b, (_, parts) = f.b, f.numbers
    with f.rows() as row:
        upper = b.lshr(f.element(0, row, I64), I64(32))  # by how far a hash lies: no division
        f.put(1, row, b.trunc(b.lshr(b.mul(upper, parts), I64(32)), I32))


def _count(f: _OverRows) -> None:
    with f.rows() as row:
        f.next_place(1, f.b.zext(f.element(0, row, I32), I64))


def _places(f: _OverRows) -> None:
    b = f.b
    with f.rows() as row:
        at = f.next_place(1, b.zext(f.element(0, row, I32), I64))
        f.put(2, at, b.trunc(row, I32))


def _scatter(f: _OverRows, kind: Any) -> None:
    with f.rows() as row:
        value = f.element(0, row, kind)
        f.put(3, f.next_place(2, f.b.zext(f.element(1, row, I32), I64)), value)
