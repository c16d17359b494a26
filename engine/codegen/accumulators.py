"""Accumulators: what a loop keeps for a group, and how a row changes it.

An accumulator is a few 64-bit words of a group's record. Calls share them: avg(x), sum(x) and
count(x) need two. Each kind is a start and a function that emits one row's change (`KINDS`).

Variances are accumulated by Welford's method (Technometrics 4, 1962), higher and joint moments by
its extensions (Pebay 2008): one pass, and equal values have a variance of exactly zero. Values are
taken relative to the group's first, so that large ones with a small spread lose nothing. What is
not finite traps, since infinities spoil means on the way that they need not spoil in the end.

Strings are numbers in a dictionary over all batches (`fillers.KeyCodes`); they are compared by
their ranks, which the caller works out anew when entries come (`fillers.Ranks`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.engine.codegen.emit import (
    DOUBLE,
    FLOAT,
    I1,
    I32,
    I64,
    I128,
    INT64_HIGH,
    INT64_LOW,
    Emitter,
    Value,
)
from plait.engine.codegen.fillers import KeyCodes, Ranks
from plait.planner.expr import Expr
from plait.planner.types import BOOL

Words = tuple[int, ...]


@dataclass(frozen=True)
class Accumulator:
    """`first`: the number of its first word among the words of the aggregates; `text`: the number
    of the dictionary of its strings."""

    kind: str
    args: tuple[Expr, ...]
    filter: Expr | None
    first: int
    text: int | None = None

    @property
    def start(self) -> Words:
        """What its words are before the first row."""
        return KINDS[self.kind].start

    @property
    def words(self) -> int:
        return len(self.start)


@dataclass
class Accumulators:
    """The accumulators of some calls, each once; the dictionaries of their strings.

    `keys`: how many dictionaries stand before these.
    """

    keys: int = 0
    found: list[Accumulator] = field(default_factory=list)
    words: int = 0
    texts: list[Hashable] = field(default_factory=list)

    def add(
        self, kind: str, args: tuple[Expr, ...], where: Expr | None, codes: Hashable = None
    ) -> Accumulator:
        """`codes`: whose dictionary the values to keep are codes of, if they are strings."""
        for known in self.found:
            if (known.kind, known.args, known.filter) == (kind, args, where):
                return known
        text = None
        if codes is not None:
            if codes not in self.texts:
                self.texts.append(codes)
            text = self.keys + self.texts.index(codes)
        made = Accumulator(kind, args, where, self.words, text)
        self.found.append(made)
        self.words += made.words
        return made


@dataclass(frozen=True)
class Row:
    """A row that is added: the arguments' values, whether a filter admits it (None: yes), and
    where the words of the accumulator are."""

    e: Emitter
    values: Sequence[Value]
    mask: Any
    place: Callable[[int], Any]
    text: int | None

    @property
    def counts(self) -> Any:
        """Whether the row is admitted and no argument NULL; None: yes."""
        return self.e.both(self.mask, *(v.valid for v in self.values))

    def get(self, word: int, kind: Any = I64) -> Any:
        return self.e.b.load(self.place(word), typ=kind, align=8)

    def put(self, word: int, value: Any) -> None:
        self.e.b.store(value, self.place(word), align=8)

    def double(self, at: int = 0) -> Any:
        return _as_double(self.e, self.values[at])

    def word(self, at: int = 0) -> Any:
        """A value as an integer; of a string, its number among all that were met."""
        value, b = self.values[at], self.e.b
        if value.codes is not None:
            assert self.text is not None
            code = value.ir if value.valid is None else b.select(value.valid, value.ir, I64(0))
            return b.sext(self.e.load(KeyCodes(self.text, value.codes), code, I32), I64)
        if value.dtype == BOOL:
            return b.zext(value.ir, I64)
        if value.ir.type in (FLOAT, DOUBLE):
            return b.bitcast(_as_double(self.e, value), I64)
        return value.ir


@dataclass(frozen=True)
class Kind:
    """The words before the first row, and what emits a row's change."""

    start: Words
    row: Callable[[Row], None]


def update(acc: Accumulator, row: Row) -> None:
    """One more row."""
    KINDS[acc.kind].row(row)


def _as_double(e: Emitter, value: Value) -> Any:
    return e.b.fpext(value.ir, DOUBLE) if value.ir.type == FLOAT else value.ir


# ----------------------------------------------------------------------------- counts and sums

_NEVER_OVER = 1 << 31  # sums of 2^32 values up to this cannot pass one word


def _count(row: Row) -> None:
    counts, b = row.counts, row.e.b
    row.put(0, b.add(row.get(0), I64(1) if counts is None else b.zext(counts, I64)))


def _unless(row: Row, word: Any, neutral: Any) -> Any:
    """A word, or what changes nothing where the row does not count."""
    counts = row.counts
    return word if counts is None else row.e.b.select(counts, word, neutral)


def _sum(row: Row) -> None:
    b, word = row.e.b, row.word()
    if word.type == I128:
        word = b.trunc(word, I64)
    word, value = _unless(row, word, I64(0)), row.values[0]
    if max(-value.low, value.high) <= _NEVER_OVER:
        row.put(0, b.add(row.get(0), word))
        return
    added = b.sadd_with_overflow(row.get(0), word)
    row.e.trap_if(b.extract_value(added, 1))
    row.put(0, b.extract_value(added, 0))


def _wide_sum(row: Row) -> None:
    b, word = row.e.b, row.word()
    if word.type != I128:
        word = b.sext(word, I128)
    row.put(0, b.add(row.get(0, I128), _unless(row, word, I128(0))))


def _float_sum(row: Row) -> None:
    word = _unless(row, row.double(), DOUBLE(0.0))
    row.put(0, row.e.b.fadd(row.get(0, DOUBLE), word))


def _float_product(row: Row) -> None:
    word = _unless(row, row.double(), DOUBLE(1.0))
    row.put(0, row.e.b.fmul(row.get(0, DOUBLE), word))


def _product(row: Row) -> None:
    multiplied = row.e.b.smul_with_overflow(row.get(0), _unless(row, row.word(), I64(1)))
    row.e.trap_if(row.e.b.extract_value(multiplied, 1))
    row.put(0, row.e.b.extract_value(multiplied, 0))


def _bits(operation: str, neutral: int) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        word = _unless(row, row.word(), I64(neutral))
        row.put(0, getattr(row.e.b, operation)(row.get(0), word))

    return change


# ------------------------------------------------------------------------------------- extremes


def _extreme(sign: str, kind: Any) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        b, word, now = row.e.b, row.word(), row.get(0, kind)
        if word.type != kind:
            word = b.sext(word, kind)
        better = row.e.both(row.counts, b.icmp_signed(sign, word, now))
        row.put(0, b.select(better, word, now))

    return change


def _float_extreme(sign: str) -> Callable[[Row], None]:
    """NaN is the greatest: it is never taken for the least, unless there is nothing else."""

    def change(row: Row) -> None:
        b, word, now = row.e.b, row.double(), row.get(0, DOUBLE)
        least = now if sign == "<" else word
        nan = b.fcmp_unordered("uno", least, least)
        better = b.or_(b.fcmp_ordered(sign, word, now), nan)
        row.put(0, b.select(row.e.both(row.counts, better), word, now))

    return change


def _text_extreme(sign: str) -> Callable[[Row], None]:
    """The number of the entry; -1 for none yet."""

    def change(row: Row) -> None:
        e, b = row.e, row.e.b
        word, now = row.word(), row.get(0)
        none = b.icmp_signed("<", now, I64(0))
        assert row.text is not None
        ranks = Ranks(row.text)
        rank, known = (e.load(ranks, at, I32) for at in (word, b.select(none, I64(0), now)))
        better = b.or_(none, b.icmp_signed(sign, rank, known))
        row.put(0, b.select(e.both(row.counts, better), word, now))

    return change


# ---------------------------------------------------------------------------------------- picks

NONE, NULL, SOME = 0, 1, 2  # the first word of a pick: no row yet, a row with NULL, or a value


def _pick(*, last: bool, with_nulls: bool, kind: Any) -> Callable[[Row], None]:
    """The value of the first or the last row, or of those that are not NULL."""

    def change(row: Row) -> None:
        b, (value,) = row.e.b, row.values
        counts = row.mask if with_nulls else row.counts
        if not last:
            counts = row.e.both(counts, b.icmp_signed("==", row.get(0), I64(NONE)))
        flag = I64(SOME)
        if with_nulls and value.valid is not None:
            flag = b.select(value.valid, flag, I64(NULL))
        word = row.word()
        if word.type != kind:
            word = b.sext(word, kind)
        with b.if_then(I1(1) if counts is None else counts):
            row.put(0, flag)
            row.put(1, word)

    return change


# -------------------------------------------------------------------------------------- moments


def _each_that_counts(change: Callable[[Row, list[Any]], None]) -> Callable[[Row], None]:
    """Change a record by finite doubles, on a branch of its own."""

    def branch(row: Row) -> None:
        e, b = row.e, row.e.b
        numbers = [row.double(at) for at in range(len(row.values))]
        counts = row.counts
        with b.if_then(I1(1) if counts is None else counts):
            for number in numbers:
                rest = b.fsub(number, number)  # NaN unless finite
                e.trap_if(b.fcmp_unordered("uno", rest, rest))
            change(row, numbers)

    return branch


def _more(row: Row, numbers: list[Any]) -> tuple[Any, Any, list[Any]]:
    """The number of rows before and with this one, as doubles, and the numbers relative to those
    of the first row. The words begin with n and a shift for each number."""
    b = row.e.b
    before = row.get(0, DOUBLE)
    now = b.fadd(before, DOUBLE(1.0))
    row.put(0, now)
    first = b.fcmp_ordered("==", before, DOUBLE(0.0))
    shifted = []
    for at, number in enumerate(numbers, 1):
        shift = b.select(first, number, row.get(at, DOUBLE))
        row.put(at, shift)
        shifted.append(b.fsub(number, shift))
    return before, now, shifted


def _moments(row: Row, numbers: list[Any]) -> None:
    """Words: n, shift, mean, m2."""
    b = row.e.b
    _, n, (x,) = _more(row, numbers)
    mean = row.get(2, DOUBLE)
    away = b.fsub(x, mean)
    mean = b.fadd(mean, b.fdiv(away, n))
    row.put(2, mean)
    row.put(3, b.fadd(row.get(3, DOUBLE), b.fmul(away, b.fsub(x, mean))))


def _shape(row: Row, numbers: list[Any]) -> None:
    """Words: n, shift, mean, m2, m3, m4."""
    b = row.e.b
    before, n, (x,) = _more(row, numbers)
    mean, m2, m3, m4 = (row.get(at, DOUBLE) for at in range(2, 6))

    def times(factor: Any, *others: Any) -> Any:
        for other in others:
            factor = b.fmul(factor, other)
        return factor

    away = b.fsub(x, mean)
    part = b.fdiv(away, n)
    square = b.fmul(part, part)
    term = times(away, part, before)
    row.put(2, b.fadd(mean, part))
    row.put(3, b.fadd(m2, term))
    third = times(term, part, b.fsub(n, DOUBLE(2.0)))
    row.put(4, b.fadd(m3, b.fsub(third, times(DOUBLE(3.0), part, m2))))
    by = b.fadd(b.fsub(b.fmul(n, n), b.fmul(n, DOUBLE(3.0))), DOUBLE(3.0))
    fourth = b.fadd(times(term, square, by), times(DOUBLE(6.0), square, m2))
    row.put(5, b.fadd(m4, b.fsub(fourth, times(DOUBLE(4.0), part, m3))))


def _pair(row: Row, numbers: list[Any]) -> None:
    """Words: n, shifts of y and x, means of y and x, m2 of y, m2 of x, c."""
    b = row.e.b
    _, n, (y, x) = _more(row, numbers)
    mean_y, mean_x, m2_y, m2_x, c = (row.get(at, DOUBLE) for at in range(3, 8))
    away_y, away_x = b.fsub(y, mean_y), b.fsub(x, mean_x)
    mean_y = b.fadd(mean_y, b.fdiv(away_y, n))
    mean_x = b.fadd(mean_x, b.fdiv(away_x, n))
    rest_x = b.fsub(x, mean_x)
    row.put(3, mean_y)
    row.put(4, mean_x)
    row.put(5, b.fadd(m2_y, b.fmul(away_y, b.fsub(y, mean_y))))
    row.put(6, b.fadd(m2_x, b.fmul(away_x, rest_x)))
    row.put(7, b.fadd(c, b.fmul(away_y, rest_x)))


# ---------------------------------------------------------------------------------------- kinds


def _float_word(value: float) -> int:
    return int(np.array([value]).view(np.int64)[0])


_PICKS = {
    "first_row": (False, True),
    "last_row": (True, True),
    "first_value": (False, False),
    "last_value": (True, False),
}

KINDS: dict[str, Kind] = {
    "count": Kind((0,), _count),
    "sum": Kind((0,), _sum),
    "wide_sum": Kind((0, 0), _wide_sum),
    "float_sum": Kind((0,), _float_sum),
    "product": Kind((1,), _product),
    "float_product": Kind((_float_word(1.0),), _float_product),
    "bit_and": Kind((-1,), _bits("and_", -1)),
    "bit_or": Kind((0,), _bits("or_", 0)),
    "bit_xor": Kind((0,), _bits("xor", 0)),
    "min": Kind((INT64_HIGH,), _extreme("<", I64)),
    "max": Kind((INT64_LOW,), _extreme(">", I64)),
    "wide_min": Kind((-1, INT64_HIGH), _extreme("<", I128)),
    "wide_max": Kind((0, INT64_LOW), _extreme(">", I128)),
    "float_min": Kind((_float_word(np.nan),), _float_extreme("<")),
    "float_max": Kind((_float_word(-np.inf),), _float_extreme(">")),
    "text_min": Kind((-1,), _text_extreme("<")),
    "text_max": Kind((-1,), _text_extreme(">")),
    "moments": Kind((0,) * 4, _each_that_counts(_moments)),
    "shape": Kind((0,) * 6, _each_that_counts(_shape)),
    "pair": Kind((0,) * 8, _each_that_counts(_pair)),
    **{
        name: Kind((NONE, 0), _pick(last=last, with_nulls=nulls, kind=I64))
        for name, (last, nulls) in _PICKS.items()
    },
    **{
        f"wide_{name}": Kind((NONE, 0, 0), _pick(last=last, with_nulls=nulls, kind=I128))
        for name, (last, nulls) in _PICKS.items()
    },
}


def starting_words(accumulators: Sequence[Accumulator]) -> list[int]:
    """The words of all accumulators before the first row."""
    return [word for acc in accumulators for word in acc.start]
