"""Partial, merge and final give what the aggregates give over all rows at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine import batches
from plait.engine.kernels.evaluate import Evaluator
from plait.engine.operators.aggregate import aggregate
from plait.planner import builder
from plait.planner.expr import AggregateCall, Column, SortKey
from plait.planner.functions import registry
from plait.planner.physical.decompose import Decomposed, decompose
from plait.planner.schema import Schema
from tests.assertions import assert_same_rows
from tests.engine.random_batches import batch_of, column

Calls = list[tuple[str, AggregateCall]]

KINDS = [
    ("k", "coded"),
    ("f", "finite"),
    ("g", "finite"),
    ("i", "small"),
    ("u", "unsigned"),
    ("d", "decimal64"),
    ("w", "wide"),
    ("s", "coded"),
    ("b", "bool"),
    ("t", "timestamp"),
]
SPLIT = {
    "f": ("sum", "avg", "stddev", "stddev_pop", "variance", "var_pop", "sem", "pandas_sem",
          "skewness", "kurtosis", "kurtosis_pop", "product", "pandas_sum", "min"),
    "i": ("sum", "avg", "count", "size", "prod", "bit_and", "bit_or", "bit_xor", "max"),
    "u": ("sum", "avg", "max"),
    "d": ("sum", "avg", "min", "max"),
    "w": ("avg", "count", "min"),
    "s": ("min", "max", "first", "last", "any_value", "pandas_first", "pandas_last", "count"),
    "b": ("bool_and", "bool_or", "count_if", "first"),
    "t": ("min", "max", "last"),
}  # fmt: skip


def calls_to_split() -> Calls:
    kinds = dict(KINDS)
    found: Calls = [("rows", builder.aggregate_call("count"))]
    for name, functions in SPLIT.items():
        arg = column(name, kinds[name])
        found += [(f"{f}_{name}", builder.aggregate_call(f, [arg])) for f in functions]
    pair = [column("f", "finite"), column("g", "finite")]
    found += [(f, builder.aggregate_call(f, pair)) for f in ("corr", "covar_samp", "covar_pop")]
    found += [
        (f, builder.aggregate_call(f, [column("s", "coded"), column("i", "small")]))
        for f in ("arg_min", "arg_max")
    ]
    some = column("b", "bool")
    found += [
        (f"some_{f}", builder.aggregate_call(f, [column("f", "finite")], filter=some))
        for f in ("sum", "avg", "stddev", "count", "first", "last")
    ]
    return found


def in_parts(
    batch: pa.RecordBatch, keys: list[str], split: Decomposed, cuts: list[int]
) -> pa.RecordBatch:
    """The three steps, with the rows cut into pieces."""
    edges = [0, *sorted(cuts), batch.num_rows]
    pieces = [aggregate(batch.slice(a, b - a), keys, split.partial) for a, b in pairwise(edges)]
    fields = [(k, batch.schema.field(k).type) for k in keys]
    schema = Schema.of([*fields, *((n, c.dtype) for n, c in split.partial)])
    together = (
        batches.concat(pieces, schema)
        if keys
        else pa.Table.from_batches([batches.to_logical(p, schema) for p in pieces])
        .combine_chunks()
        .to_batches()[0]
    )
    merged = aggregate(together, keys, split.merge)
    evaluator = Evaluator(merged)
    columns = [*(merged.column(k) for k in keys), *(evaluator.array(e) for _, e in split.final)]
    return batches.make([*keys, *(n for n, _ in split.final)], columns, merged.num_rows)


@given(st.data())
@settings(max_examples=24)
def test_parts_agree_with_the_whole(data: st.DataObject) -> None:
    batch = data.draw(batch_of(KINDS))
    keys = data.draw(st.sampled_from([["k"], []]))
    cuts = data.draw(st.lists(st.integers(0, batch.num_rows), max_size=3))
    calls = calls_to_split()
    split = decompose(calls)
    assert split is not None
    assert [n for n, _ in split.final] == [n for n, _ in calls]
    assert [e.dtype for _, e in split.final] == [c.dtype for _, c in calls]
    schema = Schema.of([*((k, pa.string()) for k in keys), *((n, c.dtype) for n, c in calls)])
    whole, parts = aggregate(batch, keys, calls), in_parts(batch, keys, split, cuts)
    whole, parts = (pa.Table.from_batches([batches.to_logical(b, schema)]) for b in (whole, parts))
    assert_same_rows(parts, whole, ordered=True, rel=1e-9, absolute=1e-9)


def test_equal_pieces_are_computed_once() -> None:
    x = Column("x", pa.int64())
    names = ("sum", "avg", "count")
    split = decompose([(f, builder.aggregate_call(f, [x])) for f in names])
    assert split is not None
    # BIGINT raises where avg's sum may go on, so these two sums differ
    assert [str(c) for _, c in split.partial] == ["sum(x)", "sum(x)", "count(x)"]
    y = Column("x", pa.float64())
    split = decompose([(f, builder.aggregate_call(f, [y])) for f in (*names, "stddev", "var_pop")])
    assert split is not None
    assert [str(c) for _, c in split.partial] == ["sum(x)", "count(x)", "moments(x)"]
    assert [f"{e} AS {n}" for n, e in split.final] == [
        '"#part0" AS sum',
        'mean_of("#part0", "#part1") AS avg',
        '"#part1" AS count',
        'moments_stddev("#part2") AS stddev',
        'moments_var_pop("#part2") AS var_pop',
    ]


def test_states_hold_no_more_than_is_asked() -> None:
    x = Column("x", pa.float64())
    spread = decompose([("v", builder.aggregate_call("variance", [x]))])
    shape = decompose(
        [(f, builder.aggregate_call(f, [x])) for f in ("variance", "skewness", "kurtosis")]
    )
    assert spread is not None
    assert shape is not None
    assert [f.name for f in spread.partial[0][1].dtype] == ["n", "mean", "m2"]
    assert [f.name for f in shape.partial[0][1].dtype] == ["n", "mean", "m2", "m3", "m4"]
    assert len(shape.partial) == 1


def test_merging_loses_nothing_to_cancellation() -> None:
    values = 1e9 + np.arange(1000) % 7 * 1e-3
    batch = pa.record_batch({"f": values})
    calls = [("v", builder.aggregate_call("variance", [Column("f", pa.float64())]))]
    split = decompose(calls)
    assert split is not None
    got = in_parts(batch, [], split, [10, 300, 700])["v"][0].as_py()
    assert got == pytest.approx(float(np.var(values - 1e9, ddof=1)), rel=1e-6)


@pytest.mark.parametrize("name", ["median", "mode", "nunique", "array_agg", "string_agg"])
def test_what_needs_all_rows_is_not_split(name: str) -> None:
    x = Column("x", pa.string())
    assert not registry.aggregate(name).splits
    assert decompose([("a", builder.aggregate_call(name, [x]))]) is None


def test_distinct_and_order_are_not_split() -> None:
    x = Column("x", pa.int64())
    count = builder.aggregate_call("count", [x])
    assert decompose([("n", count)]) is not None
    distinct = builder.aggregate_call("count", [x], distinct=True)
    assert decompose([("n", count), ("d", distinct)]) is None
    ordered = builder.aggregate_call("first", [x], order_by=[SortKey(x)])
    assert decompose([("f", ordered)]) is None


def test_names_of_pieces_avoid_the_calls_names() -> None:
    x = Column("x", pa.int64())
    split = decompose([("#part0", builder.aggregate_call("sum", [x]))])
    assert split is not None
    assert split.partial[0][0] != "#part0"
