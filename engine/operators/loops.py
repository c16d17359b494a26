"""Compiled loops over batches: emitting one for what a batch looks like, running it, its results.

A `LoopPart` is a chain of filters, projections and probes with a sink. It is shared by the tasks of
a stage: what one has learned of the columns' layouts serves all, so that they soon share one
function. A loop that gives up (`emit.py`: a trap) leaves its batch, or for groups all rows, to the
vectorised tier, which raises the right error or knows the answer.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from plait.engine import arrays, batches
from plait.engine.codegen.compile import Compiled, checked, load
from plait.engine.codegen.emit import (
    BEYOND,
    DONE,
    STOPPED,
    TRAPPED,
    AstrayError,
    NotCompiledError,
)
from plait.engine.codegen.fillers import SOURCE, KeyCodes, Ranks, TableShape
from plait.engine.codegen.layout import Layout, join, layout_of
from plait.engine.codegen.loop import LoopEmitter
from plait.engine.codegen.sinks import (
    AT,
    CAPACITY,
    COUNT,
    GROW,
    STATE_WORDS,
    GroupKey,
    Groups,
    KeyNumber,
    Out,
    Rows,
    Table,
    Written,
)
from plait.engine.kernels.gather import gathered
from plait.engine.kernels.views import from_stored
from plait.engine.operators import key_ranges
from plait.engine.operators.group_table import (
    PACKED,
    GroupTable,
    KeySpace,
    joined,
    key_space,
    place,
    slots_of,
    strides,
)
from plait.engine.operators.key_ranges import WIDE, Ranges
from plait.engine.operators.loop_inputs import LoopInputs, dictionary_of
from plait.engine.operators.probing import ProbeTable
from plait.engine.turns import OthersTurn
from plait.planner.column_range import range_of
from plait.planner.physical.operators import GroupRows, HashJoin, PhysicalOp
from plait.planner.schema import Schema

_GROW = ctypes.CFUNCTYPE(ctypes.c_int32)
_LARGE = 1 << 16  # groups that are more than the caches next to the processor hold
_MANY_ROWS = 1 << 16  # room for the rows of a join with several matches
_HASHED = ("packed", "words")  # kinds of tables that may be filled anew as they grow


class GivenUpError(Exception):
    """The loop cannot do these rows; the vectorised tier is to do them."""


@dataclass
class Emitted:
    """A loop as code: what it takes, what it gives."""

    text: str
    pointers: dict[Hashable, int]
    numbers: dict[Hashable, int]
    sink: Rows | Groups
    multiplies: bool
    shapes: list[TableShape]
    inputs: LoopInputs | None = None  # constants, for loops without join tables


Columns = dict[str, tuple[Layout | None, pa.DataType]]
Nulls = tuple[bool, bool]


@dataclass
class LoopPart:
    """Operators above a source of rows of `schema`, and the sink: groups, or rows of `gives`."""

    schema: Schema
    operators: list[PhysicalOp]
    groups: GroupRows | None
    gives: Schema
    layouts: dict[str, Layout | None] = field(default_factory=dict)
    packed: bool = True  # whether direct tables, and packed keys, sufficed so far
    direct: bool = True
    emitted: dict[Any, Emitted | NotCompiledError] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: tuple[tuple[pa.Schema, tuple[Nulls, ...], bool], Emitted] | None = None

    @property
    def joins(self) -> list[HashJoin]:
        return [op for op in self.operators if isinstance(op, HashJoin)]

    def emit(
        self, batch: pa.RecordBatch, tables: Mapping[int, ProbeTable], ranges: Ranges
    ) -> Emitted:
        """The loop for batches like this one; NotCompiledError if there is none."""
        looks = batch.schema, tuple(map(_nulls, batch.columns)), checked()
        last = self.last
        if last is not None and last[1].shapes == [t.shape for t in tables.values()]:
            schema, nulls, flag = last[0]
            same = nulls == looks[1] and flag == looks[2]
            if same and schema.equals(looks[0], check_metadata=True):
                return last[1]
        made = self._find(batch, tables, ranges)
        self.last = looks, made
        return made

    def _find(
        self, batch: pa.RecordBatch, tables: Mapping[int, ProbeTable], ranges: Ranges
    ) -> Emitted:
        with self.lock:
            columns = self._columns(batch)
            shapes = {number: table.shape for number, table in tables.items()}
            key = (
                tuple((n, layout) for n, (layout, _) in columns.items()),
                tuple(shapes.values()),
                self.direct,
                self.packed,
                checked(),
            )
            found = self.emitted.get(key)
            if found is None:
                try:
                    found = self._emit(columns, shapes, ranges)
                except NotCompiledError as error:
                    found = error.again()
                self.emitted[key] = found
        if isinstance(found, NotCompiledError):
            raise found.again()
        return found

    def _columns(self, batch: pa.RecordBatch) -> Columns:
        for f in batch.schema:
            found = layout_of(batches.column(batch, f.name), range_of(f))
            known = self.layouts.get(f.name, found)
            if found is not None and known is not None:
                found = join(found, known) or found
            self.layouts[f.name] = found
        types = {f.name: f.type for f in self.schema}
        return {n: (self.layouts[n], types[n]) for n in batch.schema.names if n in types}

    def _emit(self, columns: Columns, shapes: Mapping[int, TableShape], ranges: Ranges) -> Emitted:
        sink: Rows | Groups
        if self.groups is not None:
            sink = Groups(self.groups, lambda keys: self._table(keys, ranges))
        else:
            sink = Rows(self.gives)
        loop = LoopEmitter("loop", columns, shapes, checked())
        try:
            loop.run(self.operators, sink)
        except NotCompiledError as error:
            error.operator = loop.at
            raise
        if isinstance(sink, Groups):
            sink.decide = None  # it holds this run's rows, and what is emitted is kept for others
            if sink.mode in _HASHED:
                sink.emit_rehash(loop.e.module, checked())
        several = any(
            not shape.unique and op.kind not in ("semi", "anti", "mark")
            for op, shape in zip(self.joins, shapes.values(), strict=True)
        )
        return Emitted(
            str(loop.e.module),
            loop.e.pointer_fillers,
            loop.e.number_fillers,
            sink,
            several,
            list(shapes.values()),
        )

    def _table(self, keys: list[GroupKey], ranges: Ranges) -> Table:
        if not self.packed or any(k.kind == "float" for k in keys):
            return Table("words", True)
        slots = slots_of([ranges.space(k) for k in keys])
        if self.direct and slots <= ranges.most_slots():
            return Table("direct", slots >= _LARGE)
        return Table("packed" if slots < PACKED else "words", True)


def _nulls(column: pa.Array) -> Nulls:
    """Whether rows are NULL, and whether entries of the dictionary are."""
    coded = isinstance(column, pa.DictionaryArray)
    return column.null_count > 0, coded and column.dictionary.null_count > 0


class LoopRun:
    """One part in one task."""

    def __init__(
        self,
        part: LoopPart,
        tables: Mapping[int, ProbeTable],
        limit: float,
        expected: int | None = None,
    ) -> None:
        """`expected`: how many rows there will be, if that is known."""
        self.part, self.tables, self.limit, self.expected = part, tables, limit, expected
        self._added = 0  # rows of the batches before
        self.ranges = Ranges(tables)
        self.state = np.zeros(STATE_WORDS, np.int64)
        self.groups: GroupTable | None = None
        self._emitted: Emitted | None = None
        self._inputs: LoopInputs | None = None
        self._prepared: pa.RecordBatch | None = None
        self._compiled: Compiled | None = None
        self._buffers: dict[Out, np.ndarray[Any, Any]] = {}
        self._finished: list[pa.RecordBatch] = []
        self._error: BaseException | None = None
        self._fitted: tuple[pa.Schema, list[Any]] | None = None
        self._grow = _GROW(_weakly(self._make_room))

    # ------------------------------------------------------------------------------------- rows

    def rows(self, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        """The rows that the part gives of a batch; GivenUpError if the loop cannot do it."""
        self.prepare(batch)
        assert self._emitted is not None
        assert self._inputs is not None
        sink = self._emitted.sink
        assert isinstance(sink, Rows)
        many = self._emitted.multiplies
        capacity = max(batch.num_rows, _MANY_ROWS if many else 1)
        self._buffers = _buffers(sink.columns, capacity)
        self._inputs.again(Out)
        self.state[COUNT], self.state[CAPACITY] = 0, capacity
        self._finished = []
        self._call(batch.num_rows)
        return [*self._finished, self._written(int(self.state[COUNT]))]

    def _written(self, count: int) -> pa.RecordBatch:
        assert self._emitted is not None
        sink = self._emitted.sink
        assert isinstance(sink, Rows)
        columns = [self._output(i, w, count) for i, w in enumerate(sink.columns)]
        return batches.make([w.name for w in sink.columns], columns, count)

    def _output(self, number: int, column: Written, count: int) -> pa.Array:
        values = self._buffers[Out(number)][:count]
        if column.taken is not None:
            assert self._inputs is not None
            return gathered(self._inputs.column(*column.taken), values, column.nullable)
        valid = self._buffers[Out(number, True)][:count] if column.nullable else None
        if valid is not None:
            valid = None if valid.all() else valid.view(np.bool_)
        if not self._finished and count * 2 < len(self._buffers[Out(number)]):
            values = arrays.copied(values)  # not to keep what was not filled
        elif self._emitted is not None and self._emitted.multiplies:
            values = arrays.copied(values)  # the buffer is used again
        if column.codes is not None:
            assert self._inputs is not None
            dictionary = dictionary_of(column.codes, self._inputs)
            if valid is not None:
                values = np.where(valid, values, 0)
            codes = from_stored(values, column.type, valid)
            return pa.DictionaryArray.from_arrays(codes, dictionary, safe=False)
        if pa.types.is_decimal128(column.type):
            return _wide_decimal(values, column.type, valid)
        return from_stored(values, column.type, valid)

    # ----------------------------------------------------------------------------------- groups

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch's rows to the groups; GivenUpError if they cannot all be added."""
        self.prepare(batch)
        self._call(batch.num_rows)
        self._added += batch.num_rows

    def prepare(self, batch: pa.RecordBatch) -> None:
        """The loop for a batch, compiled, and its arguments."""
        if batch is self._prepared:
            return
        self._prepared = None
        self.ranges.take(batch)
        emitted = self.part.emit(batch, self.tables, self.ranges)
        if emitted is not self._emitted:
            if self.groups is not None and emitted.text != (self._emitted and self._emitted.text):
                raise RestartError
            self._compiled = load(emitted.text)
            self._emitted = emitted
            if isinstance(emitted.sink, Groups) and self.groups is None:
                self._begin_groups(emitted.sink)
            if isinstance(emitted.sink, Rows):
                self._buffers = _buffers(emitted.sink.columns, 1)
                self.state[GROW] = ctypes.cast(self._grow, ctypes.c_void_p).value or 0
            self._inputs = self._inputs_of(emitted)
            self._fitted = None  # the new inputs know nothing of the groups yet
        assert self._inputs is not None
        self._inputs.take(batch)
        if self.groups is not None:
            self._fit_groups(batch)
        self._prepared = batch

    def _inputs_of(self, emitted: Emitted) -> LoopInputs:
        """Tasks of a stage have the same tables, and what they ask of them is found once."""
        given = _weakly(self._given)
        first = next(iter(self.tables.values()), None)
        known: LoopInputs | None = emitted.inputs
        if first is not None:
            known = first.inputs.get(id(emitted), (None, None))[1]
        if known is not None:
            return known.for_task(self.tables, given)
        later = (Out, KeyNumber, KeyCodes, Ranks)
        made = LoopInputs(emitted.pointers, emitted.numbers, self.tables, given, later)
        if first is not None:
            first.inputs[id(emitted)] = emitted, made.without_tables()
        else:
            emitted.inputs = made.without_tables()
        return made

    def _begin_groups(self, sink: Groups) -> None:
        assert self._compiled is not None
        spaces = [self.ranges.space(k) for k in sink.keys]
        self._check_room(sink, spaces)  # the mode was chosen for what another task met
        hashed = sink.mode in _HASHED
        rehash = self._compiled.function("rehash", 7) if hashed else None
        assert self.ranges.batch is not None
        rows = self.ranges.batch.num_rows
        self.groups = GroupTable(sink, spaces, self.limit, rehash, rows)
        self.state = self.groups.state
        self.state[GROW] = ctypes.cast(self._grow, ctypes.c_void_p).value or 0

    def _fits(self, batch: pa.RecordBatch, sink: Groups) -> bool:
        """Whether the last batch had the same ranges and dictionaries."""
        assert self._inputs is not None
        places: list[Any] = [
            place(dictionary_of(codes, self._inputs)) for codes in sink.accumulators.texts
        ]
        for key in sink.keys:
            if key.kind == "text":
                places.append(place(dictionary_of(key.codes, self._inputs)))
            elif key.stored is not None and key.stored[0] == SOURCE:
                known = range_of(batch.schema.field(key.stored[1]))
                if known is None or known[1] - known[0] > WIDE * batch.num_rows:
                    places.append(None)
        now = batch.schema, places
        last, self._fitted = self._fitted, now
        if last is None or None in places or places != last[1]:
            return False
        return bool(last[0].equals(now[0], check_metadata=True))

    def _fit_groups(self, batch: pa.RecordBatch) -> None:
        """Number this batch's strings, and make the keys' spaces wide enough."""
        groups, inputs = self.groups, self._inputs
        assert groups is not None
        assert inputs is not None
        sink = groups.sink
        texts = sink.accumulators.texts
        if (sink.mode == "none" and not texts) or self._fits(batch, sink):
            return
        for codes, dictionary in zip(texts, groups.dictionaries[len(sink.keys) :], strict=True):
            dictionary.numbers(dictionary_of(codes, inputs), inputs.has_distinct_entries(codes))
        needed = []
        for number, key in enumerate(sink.keys):
            if key.kind == "text":
                dictionary = groups.dictionaries[number]
                distinct = inputs.has_distinct_entries(key.codes)
                dictionary.numbers(dictionary_of(key.codes, inputs), distinct)
                entries = len(dictionary.entries)
                needed.append(key_space(key, 0, (1 << entries.bit_length()) - 1))
            else:
                needed.append(self.ranges.space(key))
        if sink.mode not in ("none", "words"):
            self._widen(groups, needed)
        inputs.again(KeyCodes)
        inputs.again(Ranks)
        inputs.again(KeyNumber)

    def _widen(self, groups: GroupTable, needed: Sequence[KeySpace]) -> None:
        spaces = [joined(a, b) for a, b in zip(groups.spaces, needed, strict=True)]
        if groups.count:  # with room for what comes next, if there is that much
            keys = zip(groups.sink.keys, groups.spaces, spaces, strict=True)
            wider = [self.ranges.with_room(*key) for key in keys]
            below = key_ranges.MOST_SLOTS if groups.sink.mode == "direct" else PACKED
            spaces = wider if slots_of(wider) < below else spaces
        self._check_room(groups.sink, spaces)
        groups.widen(spaces)

    def _check_room(self, sink: Groups, spaces: Sequence[KeySpace]) -> None:
        """RestartError, and another mode from now on, if the keys need more than the mode has."""
        slots = slots_of(spaces)
        if sink.mode == "direct" and slots > key_ranges.MOST_SLOTS:
            self.part.direct, self.part.last = False, None
            raise RestartError
        if sink.mode in ("direct", "packed") and slots >= PACKED:
            self.part.packed, self.part.last = False, None
            raise RestartError

    # ----------------------------------------------------------------------------------- running

    def _given(self, filler: Hashable) -> Any:
        """What the part itself provides: output columns, key numbers."""
        match filler:
            case Out():
                return self._buffers[filler]
            case KeyNumber(key, what):
                assert self.groups is not None
                if what == "stride":
                    return strides(self.groups.spaces)[key]
                return getattr(self.groups.spaces[key], what)
            case KeyCodes(key, codes):
                assert self.groups is not None
                assert self._inputs is not None
                dictionary = dictionary_of(codes, self._inputs)
                numbers = self.groups.dictionaries[key].numbers(dictionary, False)  # known by now
                return numbers if len(numbers) else np.zeros(1, np.int32)
            case Ranks(key):
                assert self.groups is not None
                ranks = self.groups.dictionaries[key].ranks()
                return ranks if len(ranks) else np.zeros(1, np.int32)
        raise AssertionError(filler)

    def _call(self, rows: int) -> None:
        assert self._compiled is not None
        assert self._inputs is not None
        inputs = self._inputs
        with OthersTurn(rows):
            status = self._compiled.call(
                "loop",
                inputs.pointers.ctypes.data,
                inputs.lengths.ctypes.data,
                inputs.numbers.ctypes.data,
                rows,
                self.state.ctypes.data,
            )
        if status == DONE:
            return
        if status == STOPPED and self._error is not None:
            error, self._error = self._error, None
            raise error
        if status in (TRAPPED, BEYOND):
            raise GivenUpError
        raise AstrayError("loop")

    def _make_room(self) -> int:
        """Called by the loop when there is no room for one more row or group."""
        try:
            if self.groups is not None:
                seen = self._added + int(self.state[AT])
                self.groups.grow(seen, max(seen, self.expected or 0))
            else:
                self._finished.append(self._written(int(self.state[COUNT])))
        except BaseException as error:
            self._error = error
            return 1
        return 0


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, without holding its object: a run that held itself would keep its tables until
    the garbage collector comes by."""
    found = weakref.WeakMethod(method)

    def call(*args: Any) -> Any:
        alive = found()
        assert alive is not None
        return alive(*args)

    return call


class RestartError(Exception):
    """The groups so far were made by a loop that does not fit the rows to come: begin anew."""


def _buffers(columns: Sequence[Written], capacity: int) -> dict[Out, np.ndarray[Any, Any]]:
    made: dict[Out, np.ndarray[Any, Any]] = {}
    for number, column in enumerate(columns):
        made[Out(number)] = arrays.empty(capacity, _dtype(column.type))
        if column.nullable:
            made[Out(number, True)] = arrays.empty(capacity, np.uint8)
    return made


def _dtype(t: pa.DataType) -> Any:
    if pa.types.is_boolean(t):
        return np.dtype(np.uint8)
    if t.bit_width == 128:
        return np.dtype([("low", np.int64), ("high", np.int64)])
    number = pa.types.is_integer(t) or pa.types.is_floating(t)
    made: np.dtype[Any] = np.dtype(t.to_pandas_dtype() if number else f"int{t.bit_width}")
    return made


def _wide_decimal(
    values: np.ndarray[Any, Any], t: pa.DataType, valid: np.ndarray[Any, Any] | None
) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(values))
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(t, len(values), [bitmap, data])
