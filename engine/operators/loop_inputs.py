"""What a compiled loop is given for a batch: the addresses and numbers that its fillers ask for.

Those of join tables, constants and build columns are found once a stage, those of the batch for
each batch. Answers for the entries of a dictionary are worked out by the vectorised tier, once for
each dictionary met.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping
from copy import copy
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import batches
from plait.engine.codegen.emit import Wide, words_of
from plait.engine.codegen.fillers import (
    SOURCE,
    Answers,
    AnswersKnown,
    Bits,
    Data,
    KeyAnswers,
    NullCode,
    Shift,
    TableArray,
    TableNumber,
)
from plait.engine.codegen.scalar import Constant, stored_integer
from plait.engine.kernels.evaluate import Evaluator
from plait.engine.kernels.views import stored, validity
from plait.engine.operators.probing import ProbeTable
from plait.planner.column_range import has_distinct_entries
from plait.planner.types import BOOL, is_decimal, is_float

Place = tuple[int, int, Any]
"""An address, how many elements may be read there, and what keeps it alive."""

_NOTHING = np.zeros(8, np.int64)
_ONES = np.full(1 << 16, 0xFF, np.uint8)


class LoopInputs:
    """Fills the arguments of one loop, batch by batch.

    Fillers it does not know are asked of `other`; those of the kinds `later` not before `again`.
    """

    def __init__(
        self,
        pointers: Mapping[Hashable, int],
        numbers: Mapping[Hashable, int],
        tables: Mapping[int, ProbeTable],
        other: Callable[[Hashable], Any],
        later: tuple[type, ...],
    ) -> None:
        self.tables, self._other = tables, other
        self._pointer_fillers, self._number_fillers = pointers, numbers
        size = max(1, len(pointers))
        self.pointers, self.lengths = np.zeros(size, np.int64), np.zeros(size, np.int64)
        places = list(itertools.accumulate(map(words_of, numbers), initial=0))
        self._number_places = dict(zip(numbers, places, strict=False))
        self.numbers = np.zeros(max(1, places[-1]), np.int64)
        self._answers: dict[Any, tuple[pa.Array, np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
        self._alive: dict[int, Any] = {}
        self._batch: pa.RecordBatch | None = None
        self._changing = [f for f in pointers if _of_batch(f)]
        self._changing_numbers = [f for f in numbers if _of_batch(f)]
        for filler in pointers:
            if not _of_batch(filler) and not isinstance(filler, later):
                self._point(filler)
        for filler in numbers:
            if not _of_batch(filler) and not isinstance(filler, later):
                self._count(filler)

    def without_tables(self) -> LoopInputs:
        """What was found so far, to be kept by a table: not to hold what holds it."""
        return self._copy({}, _unknown)

    def for_task(
        self, tables: Mapping[int, ProbeTable], other: Callable[[Hashable], Any]
    ) -> LoopInputs:
        """The same inputs for another task with the same tables."""
        return self._copy(tables, other)

    def _copy(
        self, tables: Mapping[int, ProbeTable], other: Callable[[Hashable], Any]
    ) -> LoopInputs:
        made = copy(self)
        made.tables, made._other = tables, other
        made.pointers, made.lengths = self.pointers.copy(), self.lengths.copy()
        made.numbers = self.numbers.copy()
        made._answers, made._alive = dict(self._answers), dict(self._alive)
        return made

    def take(self, batch: pa.RecordBatch) -> None:
        """Point to the columns of a batch."""
        self._batch = batch
        for filler in self._changing:
            self._point(filler)
        for filler in self._changing_numbers:
            self._count(filler)

    def again(self, kind: type) -> None:
        """Ask anew for what the caller itself provides."""
        for filler in self._pointer_fillers:
            if isinstance(filler, kind):
                self._point(filler)
        for filler in self._number_fillers:
            if isinstance(filler, kind):
                self._count(filler)

    def column(self, of: int, name: str) -> pa.Array:
        """A column of the batch, or of a join table."""
        if of == SOURCE:
            assert self._batch is not None
            return batches.column(self._batch, name)
        return batches.column(self.tables[of].batch, name)

    def has_distinct_entries(self, codes: Any) -> bool:
        """Whether the strings that codes of some origin stand for are known to differ."""
        if isinstance(codes, Answers):
            return True
        of, name = codes
        batch = self._batch if of == SOURCE else self.tables[of].batch
        assert batch is not None
        return has_distinct_entries(batch.schema.field(name))

    def _point(self, filler: Hashable) -> None:
        at = self._pointer_fillers[filler]
        self.pointers[at], self.lengths[at], self._alive[at] = self._place(filler)

    def _place(self, filler: Hashable) -> Place:
        match filler:
            case Data(of, name):
                return _data_place(self.column(of, name))
            case Bits(of, name):
                return _bits_place(self.column(of, name))
            case TableArray(join, what):
                return place_of(self.tables[join].arrays[what])
            case Answers():
                return place_of(self.answers(filler)[1])
            case AnswersKnown(asked):
                return place_of(self.answers(asked)[2])
            case KeyAnswers(join, key, of, name):
                dictionary = self.column(of, name).dictionary
                codes = self.tables[join].key_answers(key, dictionary)
                return place_of(codes if len(codes) else _NOTHING)
        return place_of(self._other(filler))

    def _count(self, filler: Hashable) -> None:
        at = self._number_places[filler]
        match filler:
            case Constant(literal):
                if is_float(literal.dtype):
                    self.numbers[at : at + 1].view(np.float64)[0] = float(literal.value)
                else:
                    self.numbers[at] = stored_integer(literal)
            case Wide(Constant(literal)):
                whole = stored_integer(literal)
                self.numbers[at] = _signed(whole & ((1 << 64) - 1))
                self.numbers[at + 1] = whole >> 64
            case Shift(what):
                column = self.column(what.of, what.name)
                has_bits = isinstance(what, Data) or column.null_count
                self.numbers[at] = column.offset % 8 if has_bits else 0
            case NullCode(of, name):
                self.numbers[at] = len(self.column(of, name).dictionary)
            case TableNumber(join, what, key):
                table = self.tables[join]
                if what in table.numbers:
                    self.numbers[at] = table.numbers[what]
                else:
                    self.numbers[at] = table.key_number(what, key)
            case _:
                self.numbers[at] = self._other(filler)

    def answers(
        self, asked: Answers
    ) -> tuple[pa.Array, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The answers of each entry and of NULL: as an array, as stored, and which are known."""
        dictionary = self.column(asked.of, asked.name).dictionary
        data = dictionary.buffers()[-1]
        address = 0 if data is None else data.address
        key = asked, address, len(dictionary), dictionary.offset, dictionary.null_count
        found = self._answers.get(key)
        if found is None:
            entries = pa.concat_arrays([dictionary, pa.nulls(1, dictionary.type)])
            rows = batches.make([asked.name], [entries], len(entries))
            array = batches.decode(Evaluator(rows).array(asked.expr), asked.expr.dtype)
            found = self._answers[key] = array, *_stored_answers(array)
            self._alive[len(self.pointers) + len(self._answers)] = dictionary
        return found


def _unknown(filler: Hashable) -> Any:
    raise AssertionError(filler)


def _of_batch(filler: Hashable) -> bool:
    """Whether a filler has another value for each batch."""
    match filler:
        case Data(of) | Bits(of) | Answers(of) | NullCode(of):
            return of == SOURCE
        case Shift(what):
            return what.of == SOURCE
        case AnswersKnown(answers):
            return answers.of == SOURCE
        case KeyAnswers(_, _, of):
            return of == SOURCE
    return False


def place_of(array: np.ndarray[Any, Any]) -> Place:
    """Where a numpy array is."""
    return array.ctypes.data, array.size, array


def _data_place(array: pa.Array) -> Place:
    source = array.indices if isinstance(array, pa.DictionaryArray) else array
    buffer = source.buffers()[1]
    if buffer is None or not len(source):
        return _NOTHING.ctypes.data, 1, _NOTHING
    if source.type == BOOL:
        return buffer.address + source.offset // 8, buffer.size - source.offset // 8, source
    width = source.type.bit_width // 8
    return buffer.address + source.offset * width, len(source), source


def _bits_place(array: pa.Array) -> Place:
    source = array.indices if isinstance(array, pa.DictionaryArray) else array
    if not source.null_count:
        needed = (len(source) >> 3) + 2
        ones = _ONES if needed <= len(_ONES) else np.full(needed, 0xFF, np.uint8)
        return place_of(ones)
    buffer = source.buffers()[0]
    return buffer.address + source.offset // 8, buffer.size - source.offset // 8, source


def _stored_answers(array: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    valid = validity(array)
    known = np.ones(len(array), np.uint8) if valid is None else valid.astype(np.uint8)
    if array.type == BOOL:
        return stored(array).astype(np.uint8), known
    if pa.types.is_string(array.type):
        return stored(array.dictionary_encode().indices).astype(np.int32), known
    if is_float(array.type):
        return np.ascontiguousarray(stored(array)), known
    if is_decimal(array.type) and array.type.bit_width > 64:
        array = array.cast(pa.decimal128(38, array.type.scale))
        words = np.frombuffer(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset)
        return np.ascontiguousarray(words[::2]), known
    return stored(array).astype(np.int64), known


def dictionary_of(codes: Any, inputs: LoopInputs) -> pa.Array:
    """The strings that codes of some origin stand for, in the batch at hand."""
    if isinstance(codes, Answers):
        return inputs.answers(codes)[0].dictionary_encode().dictionary
    assert isinstance(codes, tuple)
    return inputs.column(*codes).dictionary


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word
