"""Operators with next to no space give the rows that they give with all the space there is."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.engine import batches
from plait.engine.operators.aggregate import aggregate
from plait.engine.operators.buckets import in_buckets
from plait.engine.operators.distinct import distinct
from plait.engine.operators.join import JoinTable, join
from plait.engine.operators.large_join import join_in_buckets
from plait.engine.operators.large_sort import in_buckets_in_order, sort_rows
from plait.engine.operators.sort import sort
from plait.engine.operators.window import window
from plait.engine.space import Space
from plait.planner.expr import AggregateCall, Call, Column, SortKey, WindowCall
from plait.planner.physical.operators import HashJoin, ReadStage
from plait.planner.schema import Schema
from plait.planner.types import BOOL, INT64, STRING

LEFT = Schema.of([("k", INT64), ("s", STRING), ("n", INT64)])
RIGHT = Schema.of([("r", INT64), ("t", STRING), ("m", INT64)])
KEYS = st.one_of(st.none(), st.integers(0, 8))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "some longer text"]))
LIMITS = st.sampled_from([1, 100, 400, 3000])


@st.composite
def tables(draw: st.DrawFn, schema: Schema) -> list[pa.RecordBatch]:
    """Some batches; their last column numbers the rows."""
    rows = draw(st.lists(st.tuples(KEYS, TEXTS), max_size=40))
    encoded = draw(st.booleans())
    texts = pa.array([s for _, s in rows], pa.string())
    columns = [
        pa.array([k for k, _ in rows], pa.int64()),
        texts.dictionary_encode() if encoded else texts,
        pa.array(range(len(rows)), pa.int64()),
    ]
    whole = batches.make(schema.names, columns, len(rows))
    step = draw(st.integers(1, 12))
    return [whole.slice(i, step) for i in range(0, len(rows), step)]


def rows_of(found: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> list[tuple[object, ...]]:
    """All rows, in order."""
    return [tuple(row.values()) for batch in found for row in batch.to_pylist()]


def as_set(rows: list[tuple[object, ...]]) -> list[str]:
    """In any order."""
    return sorted(map(repr, rows))


def whole(rows: list[pa.RecordBatch], schema: Schema) -> pa.RecordBatch:
    return batches.concat(rows, schema)


CALLS = (
    ("count", AggregateCall("count", (), INT64)),
    ("sum", AggregateCall("sum", (Column("n", INT64),), INT64)),
    ("first", AggregateCall("first", (Column("n", INT64),), INT64)),
)


@given(tables(LEFT), LIMITS, st.sampled_from([["k"], ["s"], ["k", "s"]]))
def test_groups(rows: list[pa.RecordBatch], limit: int, keys: list[str]) -> None:
    def work(batch: pa.RecordBatch) -> pa.RecordBatch:
        return aggregate(batch, keys, CALLS)

    found = in_buckets(iter(rows), LEFT, keys, work, Space(limit=limit))
    assert as_set(rows_of(found)) == as_set(rows_of([work(whole(rows, LEFT))]))


@given(tables(LEFT), LIMITS, st.sampled_from(["first", "last", "none"]))
def test_distinct_keeps_the_order(rows: list[pa.RecordBatch], limit: int, keep: str) -> None:
    def work(batch: pa.RecordBatch) -> pa.RecordBatch:
        return distinct(batch, ["k", "s"], keep)

    found = in_buckets_in_order(iter(rows), LEFT, LEFT, ["k", "s"], work, Space(limit=limit))
    assert rows_of(found) == rows_of([work(whole(rows, LEFT))])


ORDER = (SortKey(Column("n", INT64)),)
WINDOWS = (
    ("row", WindowCall("row_number", (), INT64, (Column("k", INT64),), ORDER)),
    ("before", WindowCall("lag", (Column("n", INT64),), INT64, (Column("k", INT64),), ORDER)),
)


@given(tables(LEFT), LIMITS)
def test_windows_keep_the_order(rows: list[pa.RecordBatch], limit: int) -> None:
    def work(batch: pa.RecordBatch) -> pa.RecordBatch:
        return window(batch, WINDOWS)

    gives = Schema.of([*((f.name, f.type) for f in LEFT), ("row", INT64), ("before", INT64)])
    found = in_buckets_in_order(iter(rows), LEFT, gives, ["k"], work, Space(limit=limit))
    assert rows_of(found) == rows_of([work(whole(rows, LEFT))])


@given(
    tables(LEFT),
    LIMITS,
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 1, 5, 30]),
)
def test_sort(
    rows: list[pa.RecordBatch], limit: int, down: bool, nulls_first: bool, first: int | None
) -> None:
    keys = [SortKey(Column("k", INT64), down, nulls_first), SortKey(Column("s", STRING), not down)]
    found = sort_rows(iter(rows), LEFT, keys, first, Space(limit=limit))
    assert rows_of(found) == rows_of([sort(whole(rows, LEFT), keys, first)])


@pytest.mark.parametrize("kind", ["inner", "left", "full", "right", "semi", "anti", "mark"])
@given(tables(LEFT), tables(RIGHT), LIMITS, st.booleans())
def test_joins_in_passes(
    kind: str,
    left: list[pa.RecordBatch],
    right: list[pa.RecordBatch],
    limit: int,
    unsure: bool,
) -> None:
    """Without keys; `unsure` ones ask IN, with NULLs on both sides."""
    fields = [(f.name, f.type) for f in LEFT]
    match kind:
        case "semi" | "anti":
            schema = LEFT
        case "mark":
            schema = Schema.of([*fields, ("mark", BOOL)])
        case _:
            schema = Schema.of([*fields, *((f.name, f.type) for f in RIGHT)])
    asks = unsure and kind in ("semi", "anti", "mark")
    less = Call("less", (Column("n", INT64), Column("m", INT64)), BOOL)
    op = HashJoin(
        schema,
        ReadStage(LEFT, (0,), "part"),
        ReadStage(RIGHT, (1,), "all"),
        kind,
        (),
        (),
        (),
        None if asks else less,
        "mark" if kind == "mark" else None,
        ("k",) if asks else (),
        ("r",) if asks else (),
    )
    found = join_in_buckets(op, iter(left), iter(right), Space(limit=limit))
    expected = join(op, iter(left), JoinTable(whole(right, RIGHT)))
    assert as_set(rows_of(found)) == as_set(rows_of(expected))


def test_a_join_of_one_key_that_is_more_than_fits() -> None:
    left = [pa.record_batch({"k": [7] * 30, "s": ["x"] * 30, "n": range(30)}) for _ in range(3)]
    right = [pa.record_batch({"r": [7] * 30, "t": ["x"] * 30, "m": range(30)}) for _ in range(3)]
    schema = Schema.of([(f.name, f.type) for f in (*LEFT, *RIGHT)])
    sides = (ReadStage(LEFT, (0,), "part"), ReadStage(RIGHT, (1,), "part"))
    op = HashJoin(schema, *sides, "full", ("k",), ("r",), (False,))
    found = join_in_buckets(op, iter(left), iter(right), Space(limit=100))
    assert sum(b.num_rows for b in found) == 90 * 90


KINDS = ["inner", "left", "full", "right", "semi", "anti", "right_semi", "right_anti"]


@pytest.mark.parametrize("kind", KINDS)
@given(tables(LEFT), tables(RIGHT), LIMITS, st.booleans(), st.booleans())
def test_joins(
    kind: str,
    left: list[pa.RecordBatch],
    right: list[pa.RecordBatch],
    limit: int,
    null_safe: bool,
    both: bool,
) -> None:
    match kind:
        case "semi" | "anti":
            schema = LEFT
        case "right_semi" | "right_anti":
            schema = RIGHT
        case _:
            schema = Schema.of([(f.name, f.type) for f in (*LEFT, *RIGHT)])
    keys = (("k", "s"), ("r", "t")) if both else (("k",), ("r",))
    sides = (ReadStage(LEFT, (0,), "part"), ReadStage(RIGHT, (1,), "part"))
    safe = (null_safe,) * len(keys[0])
    op = HashJoin(schema, *sides, kind, keys[0], keys[1], safe)
    found = join_in_buckets(op, iter(left), iter(right), Space(limit=limit))
    expected = join(op, iter(left), JoinTable(whole(right, RIGHT)))
    assert as_set(rows_of(found)) == as_set(rows_of(expected))


def test_one_key_that_is_more_than_fits() -> None:
    rows = [pa.record_batch({"k": [7] * 50, "s": ["x"] * 50, "n": range(50)}) for _ in range(20)]

    def work(batch: pa.RecordBatch) -> pa.RecordBatch:
        return aggregate(batch, ["k"], CALLS)

    found = in_buckets(iter(rows), LEFT, ["k"], work, Space(limit=100))
    assert rows_of(found) == [(7, 1000, 20 * 1225, 0)]
