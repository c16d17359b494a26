"""Snappy's format unpacked by a compiled loop.

A packed text begins with its plain length and goes on with literals and copies of what was unpacked
before. Bytes are moved sixteen or eight at a time wherever that cannot leave the arrays, and what
is too much is written over by what follows: so the array for the plain text has `SLACK` bytes more.
Everything is checked against damaged texts.

https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from plait.engine.codegen.emit import I1, I8, I16, I32, I64, I128
from plait.engine.codegen.routine import (
    DAMAGED,
    Routine,
    Variable,
    by_bytes,
    load_at,
    move,
    read_varint,
)

SLACK = 64

# four times the bytes of a literal above one, and the tag of a copy of what a word lacks
_WORD_NEAR = ((8 - 1 - 4) << 2) + 1
_WORD_FAR = ((8 - 1 - 1) << 2) + 2


def emit_snappy(module: ir.Module, words: bool = False) -> Any:
    """Adds `snappy([packed], [plain])`: 0, or DAMAGED; the plain text's length is to be exact, and
    its array to go on for SLACK bytes. `words`: the texts are mostly words of eight bytes."""
    f = Routine(module, "snappy", 0, 2, checked=False)
    b = f.b
    (packed, size), (_, room) = f.arrays
    at, done = f.variable(), f.variable()
    f.leave_if(b.icmp_signed("!=", read_varint(f, packed, size, at), room), DAMAGED)
    with f.loop(lambda: b.icmp_signed("<", at.get(), size)):
        if words:
            _changed_words(f, at, done)
            f.leave_if(b.icmp_signed(">=", at.get(), size), _status(b, done, room))
        tag = b.zext(load_at(b, packed, at.get(), I8), I64)
        advanced = f.variable(0, I1)
        _pair(f, at, done, tag, advanced)
        with b.if_then(b.not_(advanced.get())):
            at.add(1)
            upper = b.lshr(tag, I64(2))
            literal = b.icmp_unsigned("==", b.and_(tag, I64(3)), I64(0))
            with b.if_else(literal) as (is_literal, is_copy):
                with is_literal:
                    _literal(f, at, done, upper)
                with is_copy:
                    _copy(f, at, done, tag, upper)
    b.ret(_status(b, done, room))
    return f.function


def _status(b: ir.IRBuilder, done: Variable, room: Any) -> Any:
    """At the end of the packed text: whether the plain one is whole."""
    return b.select(b.icmp_signed("==", done.get(), room), I32(0), I32(DAMAGED))


def _store(b: ir.IRBuilder, array: Any, at: Any, value: Any) -> None:
    b.store(value, b.gep(array, [at], source_etype=I8), align=1)


def _changed_words(f: Routine, at: Variable, done: Variable) -> None:
    """What dictionaries of words mostly consist of, each with one load: a literal of up to four
    bytes, those in which a word differs from an earlier one, and a copy of its others.

    The second tag tells in one byte or two how far back. Which comes next cannot be foreseen, so
    there is no branch for it. Nor are there any for the ends of the arrays: each takes at most
    eight bytes of either.
    """
    b = f.b
    (packed, size), (plain, room) = f.arrays
    left, to_make = b.sub(size, at.get()), b.sub(room, done.get())
    least = b.select(b.icmp_signed("<", left, to_make), left, to_make)
    most, number, going = b.ashr(least, I64(3)), f.variable(), f.variable(1, I1)
    with f.loop(lambda: b.and_(going.get(), b.icmp_signed("<", number.get(), most))):
        going.set(0)
        number.add(1)
        start = done.get()
        word = load_at(b, packed, at.get(), I64)
        with b.if_then(b.icmp_unsigned("==", b.and_(word, I64(0xF3)), I64(0))):
            tag = b.and_(word, I64(12))  # four times what the count is above one
            bits = b.shl(tag, I64(1))
            rest = b.lshr(b.lshr(word, I64(16)), bits)  # from the second tag on
            both, following = b.add(rest, tag), b.lshr(rest, I64(8))
            near = b.icmp_unsigned("==", b.and_(both, I64(0x1F)), I64(_WORD_NEAR))
            far = b.icmp_unsigned("==", b.and_(both, I64(0xFF)), I64(_WORD_FAR))
            one_byte = b.or_(b.shl(b.and_(rest, I64(0xE0)), I64(3)), b.and_(following, I64(0xFF)))
            distance = b.select(near, one_byte, b.and_(following, I64(0xFFFF)))
            origin = b.sub(start, distance)
            inside = b.and_(
                b.icmp_unsigned(">=", distance, I64(8)), b.icmp_signed(">=", origin, I64(0))
            )
            with b.if_then(b.and_(b.or_(near, far), inside)):
                # stored whole and loaded whole, so that it need not have left the store buffer
                earlier = load_at(b, plain, origin, I64)
                kept = b.shl(I64(-256), bits)
                changed = b.and_(b.lshr(word, I64(8)), b.not_(kept))
                _store(b, plain, start, b.or_(b.and_(earlier, kept), changed))
                behind = b.add(b.add(at.get(), b.lshr(tag, I64(2))), I64(3))
                at.set(b.add(behind, b.and_(rest, I64(3))))  # the kind is how long a copy is
                done.set(b.add(start, I64(8)))
                going.set(1)


def _pair(f: Routine, at: Variable, done: Variable, tag: Any, advanced: Variable) -> None:
    """At once, with one load, what dictionaries of numbers mostly consist of: a literal of up to
    four bytes, those in which a number differs from an earlier one, and a copy of the others."""
    b = f.b
    (packed, size), _ = f.arrays
    short = b.and_(
        b.icmp_unsigned("==", b.and_(tag, I64(0xF3)), I64(0)),
        b.icmp_signed("<=", b.add(at.get(), I64(8)), size),
    )
    with b.if_then(short):
        word = load_at(b, packed, at.get(), I64)
        count = b.add(b.lshr(tag, I64(2)), I64(1))
        rest = b.lshr(b.lshr(word, I64(8)), b.shl(count, I64(3)))  # from the second tag on
        second = b.and_(rest, I64(0xFF))
        kind, upper = b.and_(second, I64(3)), b.lshr(second, I64(2))
        far = b.icmp_unsigned("==", kind, I64(2))
        near = b.icmp_unsigned("==", kind, I64(1))
        following = b.lshr(rest, I64(8))
        with b.if_else(far) as (two_bytes, other):
            with two_bytes:
                distance = b.and_(following, I64(0xFFFF))
                length = b.add(upper, I64(1))
                _write_pair(f, at, done, word, count, distance, length, 4, advanced)
            with other, b.if_then(near):
                high = b.shl(b.lshr(second, I64(5)), I64(8))
                distance = b.or_(high, b.and_(following, I64(0xFF)))
                length = b.add(b.and_(upper, I64(7)), I64(4))
                _write_pair(f, at, done, word, count, distance, length, 3, advanced)


def _write_pair(
    f: Routine,
    at: Variable,
    done: Variable,
    word: Any,
    count: Any,
    distance: Any,
    length: Any,
    tags: int,
    advanced: Variable,
) -> None:
    """A literal that is in `word` and a copy, if that is short, far enough and in the text."""
    b = f.b
    plain, room = f.arrays[1]
    start = done.get()
    middle = b.add(start, count)
    stop = b.add(middle, length)
    fits = b.and_(
        b.and_(b.icmp_unsigned(">=", distance, I64(8)), b.icmp_unsigned("<=", distance, middle)),
        b.and_(b.icmp_unsigned("<=", length, I64(16)), b.icmp_signed("<=", stop, room)),
    )
    with b.if_then(fits):
        _store(b, plain, start, b.lshr(word, I64(8)))
        origin = b.sub(middle, distance)
        _store(b, plain, middle, load_at(b, plain, origin, I64))
        with b.if_then(b.icmp_unsigned(">", length, I64(8)), likely=False):
            eight = I64(8)
            _store(b, plain, b.add(middle, eight), load_at(b, plain, b.add(origin, eight), I64))
        at.set(b.add(b.add(at.get(), count), I64(tags)))
        done.set(stop)
        advanced.set(1)


def _literal(f: Routine, at: Variable, done: Variable, upper: Any) -> None:
    b = f.b
    (packed, size), (plain, room) = f.arrays
    length = f.variable(b.add(upper, I64(1)))
    with b.if_then(b.icmp_unsigned(">=", upper, I64(60)), likely=False):
        count = b.sub(upper, I64(59))  # bytes that tell the length
        f.leave_if(b.icmp_signed(">", b.add(at.get(), count), size), DAMAGED)
        length.set(0)
        with f.each(count) as byte:
            value = b.zext(load_at(b, packed, b.add(at.get(), byte), I8), I64)
            length.set(b.or_(length.get(), b.shl(value, b.mul(byte, I64(8)))))
        length.add(1)
        at.add(count)
    count, start, end = length.get(), at.get(), done.get()
    f.leave_if(b.icmp_signed(">", b.add(start, count), size), DAMAGED)
    f.leave_if(b.icmp_signed(">", b.add(end, count), room), DAMAGED)
    short = b.and_(
        b.icmp_signed("<=", count, I64(16)),
        b.icmp_signed("<=", b.add(start, I64(16)), size),
    )
    with b.if_else(short) as (at_once, long):
        with at_once:
            _store(b, plain, end, load_at(b, packed, start, I128))
        with long:
            move(f, by_bytes(b, plain, end), by_bytes(b, packed, start), count)
    at.add(count)
    done.add(count)


def _copy(f: Routine, at: Variable, done: Variable, tag: Any, upper: Any) -> None:
    b = f.b
    (packed, size), (_, room) = f.arrays
    length, distance = f.variable(), f.variable()
    near = b.icmp_unsigned("==", b.and_(tag, I64(3)), I64(1))
    with b.if_else(near) as (one_byte, more_bytes):
        with one_byte:
            f.leave_if(b.icmp_signed(">=", at.get(), size), DAMAGED)
            low = b.zext(load_at(b, packed, at.get(), I8), I64)
            distance.set(b.or_(b.shl(b.lshr(tag, I64(5)), I64(8)), low))
            length.set(b.add(b.and_(upper, I64(7)), I64(4)))
            at.add(1)
        with more_bytes:
            length.set(b.add(upper, I64(1)))
            two = b.icmp_unsigned("==", b.and_(tag, I64(3)), I64(2))
            # a branch each, which is foreseen: where to go on must not wait for what is loaded
            with b.if_else(two) as (is_two, is_four):
                for block, width, kind in ((is_two, 2, I16), (is_four, 4, I32)):
                    with block:
                        after = b.add(at.get(), I64(width))
                        f.leave_if(b.icmp_signed(">", after, size), DAMAGED)
                        distance.set(b.zext(load_at(b, packed, at.get(), kind), I64))
                        at.set(after)
    end = done.get()
    bad = b.or_(
        b.icmp_unsigned(">=", b.sub(distance.get(), I64(1)), end),  # none, or before the beginning
        b.icmp_signed(">", b.add(end, length.get()), room),
    )
    f.leave_if(bad, DAMAGED)
    stop = b.add(end, length.get())
    _repeat(f, done, distance, stop)
    done.set(stop)


def _repeat(f: Routine, done: Variable, distance: Variable, stop: Any) -> None:
    """Copies what lies `distance` before, which may overlap with what is written."""
    b = f.b
    plain = f.arrays[1][0]
    far = b.icmp_signed(">=", distance.get(), I64(8))
    with b.if_then(b.not_(far)):
        # what eight bytes repeat is right as far as they are apart, which then doubles
        more = lambda: b.and_(  # noqa: E731
            b.icmp_signed("<", distance.get(), I64(8)), b.icmp_signed("<", done.get(), stop)
        )
        origin = f.variable(b.sub(done.get(), distance.get()))
        with f.loop(more):
            _store(b, plain, done.get(), load_at(b, plain, origin.get(), I64))
            done.add(distance.get())
            distance.set(b.sub(done.get(), origin.get()))
    with f.loop(lambda: b.icmp_signed("<", done.get(), stop)):
        start = b.sub(done.get(), distance.get())
        _store(b, plain, done.get(), load_at(b, plain, start, I64))
        done.add(8)
