"""Numbers in runs, as Parquet stores codes and levels: bit-packed by eights, or one repeated.

https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
"""

from __future__ import annotations

from typing import Any, Protocol

import llvmlite.ir as ir

from plait.engine.codegen.emit import I1, I32, I64
from plait.engine.codegen.routine import DAMAGED, Routine, by_bytes, load_at, read_varint

_MOST_BITS = 32
_BY_EIGHTS = 28  # bits of which two numbers fit a word, wherever in a byte the first begins
_BYTES, _MADE, _DICTIONARY = range(3)


class _Sink(Protocol):
    """What is done with a number, which is i64."""

    def write(self, index: Any, code: Any) -> None: ...


class _Codes:
    """Numbers are written as they are, as 32 bits."""

    def __init__(self, f: Routine) -> None:
        self._f = f

    def write(self, index: Any, code: Any) -> None:
        self._f.put(_MADE, index, self._f.b.trunc(code, I32))


class _Entries:
    """Numbers are codes: what a dictionary has there is written, made wider if need be."""

    def __init__(self, f: Routine, stored: Any, made: Any) -> None:
        self._f, self._stored, self._made = f, stored, made

    def write(self, index: Any, code: Any) -> None:
        f, b = self._f, self._f.b
        f.leave_if(b.icmp_unsigned(">=", code, f.arrays[_DICTIONARY][1]), DAMAGED)
        entry = f.element(_DICTIONARY, code, self._stored)
        f.put(_MADE, index, entry if self._stored == self._made else b.sext(entry, self._made))


def emit_runs(
    module: ir.Module, checked: bool, name: str = "runs", entries: tuple[Any, Any] | None = None
) -> Any:
    """Adds `runs(bits, count, [bytes], [made])`, or, for kinds of `entries` (stored, made),
    `name(bits, count, [bytes], [made], [dictionary])`.

    They read `count` numbers of `bits` bits each, and give 0 or DAMAGED; `bytes` go on for eight
    bytes that may be read.
    """
    f = Routine(module, name, 2, 2 if entries is None else 3, checked)
    sink = _Codes(f) if entries is None else _Entries(f, *entries)
    b = f.b
    bits, count = f.numbers
    data, size = f.arrays[_BYTES]
    f.leave_if(b.icmp_unsigned(">", bits, I64(_MOST_BITS)), DAMAGED)
    mask = b.sub(b.shl(I64(1), bits), I64(1))
    width = b.lshr(b.add(bits, I64(7)), I64(3))
    done, at = f.variable(), f.variable()
    with b.if_then(b.icmp_signed("==", bits, I64(0))):  # there may be no run at all
        with f.each(count) as i:
            sink.write(i, I64(0))
        b.ret(I32(0))
    with f.loop(lambda: b.icmp_signed("<", done.get(), count)):
        head = read_varint(f, data, size, at)
        left, length = b.sub(count, done.get()), b.lshr(head, I64(1))
        is_packed = b.icmp_unsigned("!=", b.and_(head, I64(1)), I64(0))
        with b.if_else(is_packed) as (packed, repeated):
            with packed:
                values = b.shl(length, I64(3))
                some = b.select(b.icmp_signed("<", values, left), values, left)
                needed = b.lshr(b.add(b.mul(some, bits), I64(7)), I64(3))
                f.leave_if(b.icmp_signed(">", b.add(at.get(), needed), size), DAMAGED)
                _unpack(f, by_bytes(b, data, at.get()), some, done.get(), mask, sink)
                at.add(b.mul(length, bits))
                done.add(some)
            with repeated:
                some = b.select(b.icmp_signed("<", length, left), length, left)
                f.leave_if(b.icmp_signed(">", b.add(at.get(), width), size), DAMAGED)
                code, first = b.and_(load_at(b, data, at.get(), I64), mask), done.get()
                with f.each(some) as i:
                    sink.write(b.add(first, i), code)
                at.add(width)
                done.add(some)
    b.ret(I32(0))
    return f.function


def _unpack(f: Routine, start: Any, some: Any, first: Any, mask: Any, sink: _Sink) -> None:
    """Packed numbers. Entries, which are most of all, come by eights as wholes."""
    b, bits = f.b, f.numbers[0]
    eights = b.and_(I1(isinstance(sink, _Entries)), b.icmp_unsigned("<=", bits, I64(_BY_EIGHTS)))
    groups = b.select(eights, b.lshr(some, I64(3)), I64(0))
    if isinstance(sink, _Entries):
        _unpack_eights(f, start, groups, first, mask, sink)
    done = b.shl(groups, I64(3))
    with f.each(b.sub(some, done)) as i:
        at = b.add(done, i)
        bit = b.mul(at, bits)
        word = load_at(b, start, b.lshr(bit, I64(3)), I64)
        sink.write(b.add(first, at), b.and_(b.lshr(word, b.and_(bit, I64(7))), mask))


def _unpack_eights(f: Routine, start: Any, groups: Any, first: Any, mask: Any, sink: _Sink) -> None:
    b, bits = f.b, f.numbers[0]
    narrow = b.icmp_unsigned("<=", bits, I64(8))
    with b.if_else(narrow) as (eight, wider):
        with eight:
            _unpack_groups(f, start, groups, first, mask, 8, sink)
        with wider:
            medium = b.icmp_unsigned("<=", bits, I64(16))
            with b.if_else(medium) as (four, two):
                with four:
                    _unpack_groups(f, start, groups, first, mask, 4, sink)
                with two:
                    _unpack_groups(f, start, groups, first, mask, 2, sink)


def _unpack_groups(
    f: Routine, start: Any, groups: Any, first: Any, mask: Any, together: int, sink: _Sink
) -> None:
    """Groups of eight numbers, of which `together` are in each word that is loaded."""
    b, bits = f.b, f.numbers[0]
    shifts = [b.mul(bits, I64(i)) for i in range(together)]
    step = b.mul(bits, I64(together))
    bit = f.variable()
    with f.each(b.mul(groups, I64(8 // together))) as part:
        word = load_at(b, start, b.lshr(bit.get(), I64(3)), I64)
        word = b.lshr(word, b.and_(bit.get(), I64(7)))
        index = b.add(first, b.mul(part, I64(together)))
        for j in range(together):
            sink.write(b.add(index, I64(j)), b.and_(b.lshr(word, shifts[j]), mask))
        bit.add(step)
