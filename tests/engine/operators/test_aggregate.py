"""Aggregates of random batches are DuckDB's."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.kernels.aggregate import AGGREGATES
from plait.engine.kernels.cast import cast
from plait.engine.operators.aggregate import aggregate
from plait.errors import NumericOverflowError, UnsupportedError
from plait.planner import builder
from plait.planner.expr import AggregateCall, Cast, Column, Expr, Literal, SortKey
from plait.planner.functions import registry
from plait.planner.types import normalize
from tests.assertions import assert_same_rows
from tests.engine.random_batches import KINDS, NUMBERS, ask_duckdb, batch_of, column, plain

Kinds = Sequence[tuple[str, str]]


def prepared(batch: pa.RecordBatch, call: AggregateCall) -> tuple[pa.RecordBatch, AggregateCall]:
    """The batch with the casts of a call's arguments worked out, as the planner does it."""
    args: list[Expr] = []
    for arg in call.args:
        if isinstance(arg, Cast):
            assert isinstance(arg.input, Column)
            name = f"{arg.input.name}:{arg.dtype}"
            if name not in batch.schema.names:
                source = batch.column(arg.input.name)
                batch = batch.append_column(name, cast(source, arg.dtype, False))
            args.append(Column(name, arg.dtype))
        else:
            args.append(arg)
    return batch, AggregateCall(
        call.function, tuple(args), call.dtype, call.distinct, call.filter, call.order_by
    )


def check(
    batch: pa.RecordBatch,
    kinds: Kinds,
    keys: Sequence[str],
    calls: Sequence[tuple[AggregateCall, str]],
    rel: float = 1e-9,
) -> None:
    """The calls give what DuckDB gives for their SQL, groups in order of first appearance."""
    ready = []
    wide = batch
    for i, (call, _) in enumerate(calls):
        wide, done = prepared(wide, call)
        ready.append((f"a{i}", done))
    actual = aggregate(wide, keys, ready)
    for (_, call), array in zip(ready, actual.columns[len(keys) :], strict=True):
        assert normalize(array.type) == call.dtype or pa.types.is_decimal(call.dtype)
    columns = [*keys, *(f"{sql} AS a{i}" for i, (_, sql) in enumerate(calls))]
    by = f"GROUP BY {', '.join(keys)} ORDER BY min(rn)" if keys else ""
    expected = ask_duckdb(f"SELECT {', '.join(columns)} FROM t {by}", t=plain(batch, kinds))
    assert_same_rows(
        pa.Table.from_batches([actual]), expected, ordered=True, rel=rel, absolute=1e-12
    )


def agg(name: str, *args: Expr, **options: object) -> AggregateCall:
    return builder.aggregate_call(name, args, **options)  # type: ignore[arg-type]


def keys_of(count: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(KINDS)), min_size=count, max_size=count)


@given(st.data())
@settings(max_examples=40)
def test_grouping_by_any_keys(data: st.DataObject) -> None:
    kinds = [(f"k{i}", k) for i, k in enumerate(data.draw(keys_of(data.draw(st.integers(0, 3)))))]
    names = [name for name, _ in kinds]
    kinds.append(("v", "small"))
    batch = data.draw(batch_of(kinds))
    v = column("v", "small")
    check(
        batch,
        kinds,
        names,
        [(agg("count"), "count(*)"), (agg("count", v), "count(v)"), (agg("sum", v), "sum(v)")],
    )


@given(st.data(), st.sampled_from(sorted(KINDS)))
@settings(max_examples=40)
def test_aggregates_of_any_type(data: st.DataObject, kind: str) -> None:
    kinds = [("k", "small"), ("v", kind), ("b", "bool")]
    batch = data.draw(batch_of(kinds))
    v = column("v", kind)
    calls = [(agg(name, v), _ordered_sql(name)) for name in ("min", "max", "first", "last")]
    calls += [(agg(name, v), _ordered_sql(name)) for name in ("any_value", "mode", "array_agg")]
    calls.append((agg("nunique", v), "count(DISTINCT v)"))
    calls.append((agg("count", v, filter=column("b", "bool")), "count(v) FILTER (b)"))
    calls.append((agg("max", v, filter=column("b", "bool")), "max(v) FILTER (b)"))
    by = column("k", "small")
    calls.append((agg("arg_min", by, v), "arg_min(k, v ORDER BY rn)"))
    calls.append((agg("arg_max", by, v), "arg_max(k, v ORDER BY rn)"))
    calls.append((agg("entropy", v), "entropy(v)"))
    calls.append((agg("median", v), "median(v)"))
    keys = data.draw(st.sampled_from([["k"], []]))
    check(_with_share(batch), kinds, keys, calls)
    disc = agg("quantile_disc", v, Column("q", pa.float64()))
    check(_with_share(batch), kinds, keys, [(disc, "quantile_disc(v, 0.3)")])


def _with_share(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("q", pa.array(np.full(batch.num_rows, 0.3)))


def _ordered_sql(name: str) -> str:
    return f"{name}(v ORDER BY rn)" if name not in ("min", "max") else f"{name}(v)"


@given(st.data(), st.sampled_from(NUMBERS))
@settings(max_examples=40)
def test_aggregates_of_numbers(data: st.DataObject, kind: str) -> None:
    kinds = [("k", "coded"), ("v", kind), ("w", "finite")]
    batch = data.draw(batch_of(kinds))
    v, w = column("v", kind), column("w", "finite")
    names = ["avg", "stddev", "stddev_pop", "variance", "var_pop", "sem", "product"]
    calls = [(agg(name, v), f"{name}(v)") for name in names]
    if kind != "big":  # the sum of some is beyond BIGINT, of others not
        calls.append((agg("sum", v), "sum(v)"))
    if kind in ("tiny", "int", "big", "small"):
        calls += [(agg(name, v), f"{name}(v)") for name in ("bit_and", "bit_or", "bit_xor")]
    calls += [(agg(name, v, w), f"{name}(v, w)") for name in ("covar_samp", "covar_pop")]
    calls.append((agg("sum", w, distinct=True), "sum(DISTINCT w)"))
    calls.append((agg("avg", v, distinct=True), "avg(DISTINCT v)"))
    share = Column("q", pa.float64())
    keys = data.draw(st.sampled_from([["k"], []]))
    check(_with_share(batch), kinds, keys, calls, rel=1e-7)
    if kind != "wide":
        quantiles = [(agg("quantile_cont", v, share), "quantile_cont(v, 0.3)")]
        check(_with_share(batch), kinds, keys, quantiles)


@given(st.data())
@settings(max_examples=30)
def test_shape_of_distributions(data: st.DataObject) -> None:
    kinds = [("k", "bool"), ("v", "finite"), ("w", "int")]
    batch = data.draw(batch_of(kinds))
    v, w = column("v", "finite"), column("w", "int")
    calls = [(agg(n, v), f"{n}(v)") for n in ("skewness", "kurtosis", "kurtosis_pop")]
    calls.append((agg("corr", v, w), "corr(v, w)"))
    check(batch, kinds, ["k"], calls, rel=1e-6)


@given(st.data())
@settings(max_examples=30)
def test_truth(data: st.DataObject) -> None:
    kinds = [("k", "date"), ("v", "bool")]
    batch = data.draw(batch_of(kinds))
    v = column("v", "bool")
    names = ("bool_and", "bool_or", "count_if")
    check(batch, kinds, ["k"], [(agg(n, v), f"{n}(v)") for n in names])


@given(st.data(), st.sampled_from(sorted(KINDS)))
@settings(max_examples=40)
def test_collecting_in_order(data: st.DataObject, kind: str) -> None:
    kinds = [("k", "small"), ("s", "string"), ("o", kind), ("b", "bool")]
    batch = data.draw(batch_of(kinds))
    batch = batch.append_column("comma", pa.array([";"] * batch.num_rows, pa.string()))
    s, comma = column("s", "string"), Column("comma", pa.string())
    down, first = data.draw(st.booleans()), data.draw(st.booleans())
    rows = Column("rn", pa.int64())
    order = (SortKey(column("o", kind), down, first), SortKey(rows))
    batch = batch.append_column("rn", pa.array(np.arange(batch.num_rows)))
    sql = f"ORDER BY o {'DESC' if down else 'ASC'} NULLS {'FIRST' if first else 'LAST'}, rn"
    b = column("b", "bool")
    check(
        batch,
        kinds,
        ["k"],
        [
            (agg("string_agg", s, comma, order_by=order), f"string_agg(s, ';' {sql})"),
            (agg("array_agg", s, order_by=order), f"list(s {sql})"),
            (agg("first", s, order_by=order, filter=b), f"first(s {sql}) FILTER (b)"),
            (agg("last", s, order_by=order), f"last(s {sql})"),
            (agg("string_agg", s), "string_agg(s ORDER BY rn)"),
        ],
    )
    own = SortKey(s, down, first)
    text = f"ORDER BY s {'DESC' if down else 'ASC'} NULLS {'FIRST' if first else 'LAST'}"
    distinct = agg("array_agg", s, order_by=(own,), distinct=True)
    check(batch, kinds, ["k"], [(distinct, f"list(DISTINCT s {text})")])


def test_every_registered_aggregate_has_a_kernel() -> None:
    assert set(registry.AGGREGATES) <= set(AGGREGATES)


def test_nothing_over_no_rows_without_keys() -> None:
    empty = pa.record_batch({"x": pa.array([], pa.int64())})
    x = Column("x", pa.int64())
    calls = [("n", agg("count")), ("s", agg("sum", x)), ("p", agg("pandas_sum", x))]
    assert aggregate(empty, [], calls).to_pylist() == [{"n": 0, "s": None, "p": 0}]
    assert aggregate(empty, ["x"], calls).num_rows == 0


def test_columns_of_nulls_only() -> None:
    batch = pa.record_batch({"x": pa.nulls(2)})
    x = Column("x", pa.null())
    names = {"sum": pa.int64(), "avg": pa.float64(), "min": pa.null(), "count": pa.int64()}
    calls = [(name, AggregateCall(name, (x,), dtype)) for name, dtype in names.items()]
    expected = {"sum": None, "avg": None, "min": None, "count": 0}
    assert aggregate(batch, [], calls).to_pylist() == [expected]


def test_rows_without_columns_are_counted() -> None:
    batch = pa.record_batch({"x": [1, 2, 3]}).select([])
    assert aggregate(batch, [], [("n", agg("count"))]).to_pylist() == [{"n": 3}]


def test_sums_that_do_not_fit_raise() -> None:
    batch = pa.record_batch({"x": pa.array([2**63 - 1, 1])})
    x = Column("x", pa.int64())
    with pytest.raises(NumericOverflowError, match="hugeint"):
        aggregate(batch, [], [("s", agg("sum", x))])
    wide = AggregateCall("sum", (x,), pa.decimal128(38, 0))
    assert aggregate(batch, [], [("s", wide)])["s"].to_pylist() == [Decimal(2**63)]


def test_decimal_sums_are_exact_to_38_digits() -> None:
    most = Decimal(10**38 - 1)
    batch = pa.record_batch({"x": pa.array([most, most.copy_negate(), most], pa.decimal128(38, 0))})
    x = Column("x", pa.decimal128(38, 0))
    assert aggregate(batch, [], [("s", agg("sum", x))])["s"].to_pylist() == [most]
    twice = pa.record_batch({"x": pa.array([most, most], pa.decimal128(38, 0))})
    with pytest.raises(NumericOverflowError):
        aggregate(twice, [], [("s", agg("sum", x))])


def test_product_of_integers() -> None:
    batch = pa.record_batch({"k": [1, 1, 2, 3], "x": pa.array([2**40, 2**22, None, -3])})
    x = Column("x", pa.int64())
    got = aggregate(batch, ["k"], [("p", agg("prod", x))])["p"].to_pylist()
    assert got == [2**62, 1, -3]
    large = pa.record_batch({"x": pa.array([2**40, 2**40])})
    with pytest.raises(NumericOverflowError):
        aggregate(large, [], [("p", agg("prod", x))])


def test_separators_must_be_constant() -> None:
    batch = pa.record_batch({"s": ["a", "b"], "by": [",", ";"]})
    call = agg("string_agg", Column("s", pa.string()), Column("by", pa.string()))
    with pytest.raises(UnsupportedError, match="constant"):
        aggregate(batch, [], [("x", call)])


def test_several_quantiles_at_once() -> None:
    batch = pa.record_batch({"k": [1, 1, 2, 1], "x": pa.array([1, 5, None, 2])})
    shares = Literal((0.3, 0.5), pa.list_(pa.float64()))
    call = agg("quantile_cont", Column("x", pa.int64()), shares)
    got = aggregate(batch, ["k"], [("q", call)])["q"].to_pylist()
    assert got == [pytest.approx([1.6, 2.0]), None]


def test_means_of_times_round_as_duckdb() -> None:
    for values in ([0, 1], [0, 1, 1], [0, -1, -1], [0, 0, 0, 3], [-2, -1], [2**50, 2**50 + 1]):
        batch = pa.record_batch({"t": pa.array(values, pa.timestamp("us"))})
        check(batch, [("t", "timestamp")], [], [(agg("avg", column("t", "timestamp")), "avg(t)")])


def test_many_groups_agree_with_few(duck: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(7)
    rows = 20_000
    values = random.integers(-(2**40), 2**40, rows)
    table = pa.table(
        {
            "few": random.integers(0, 5, rows),
            "many": random.integers(0, 3000, rows) * 1_000_003**2,
            "x": pa.array(values, mask=random.random(rows) < 0.1),
            "f": random.random(rows),
        }
    )
    duck.register("t", table)
    x, f = Column("x", pa.int64()), Column("f", pa.float64())
    calls = [
        *((n, agg(n, x)) for n in ("sum", "min", "max", "avg", "bit_xor", "count", "nunique")),
        *((f"{n}_f", agg(n, f)) for n in ("sum", "min", "max", "stddev", "median")),
    ]
    sql = (
        "sum(x), min(x), max(x), avg(x), bit_xor(x), count(x), count(DISTINCT x), "
        "sum(f), min(f), max(f), stddev(f), median(f)"
    )
    for key in ("few", "many"):
        actual = aggregate(table.to_batches()[0], [key], calls)
        expected = duck.sql(f"SELECT {key}, {sql} FROM t GROUP BY {key}").to_arrow_table()
        assert_same_rows(pa.Table.from_batches([actual]), expected, names=False)
