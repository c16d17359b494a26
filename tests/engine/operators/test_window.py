"""Window functions over random batches are DuckDB's."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.operators.window import window
from plait.errors import ComputeError, PlanError, UnsupportedError
from plait.planner import builder
from plait.planner.expr import AggregateCall, Bound, Column, Expr, Frame, SortKey, WindowCall
from tests.assertions import assert_same_rows
from tests.engine.operators.test_aggregate import prepared
from tests.engine.random_batches import KINDS, ask_duckdb, batch_of, column, plain

Kinds = list[tuple[str, str]]
Case = tuple[WindowCall, str]

RN = SortKey(Column("rn", pa.int64()))
EXCLUDE = {
    "none": "",
    "current row": " EXCLUDE CURRENT ROW",
    "group": " EXCLUDE GROUP",
    "ties": " EXCLUDE TIES",
}


def over(name: str, *args: Expr, **options: Any) -> WindowCall:
    return builder.window_call(name, args, **options)


def check(batch: pa.RecordBatch, kinds: Kinds, cases: list[Case]) -> None:
    """The calls give DuckDB's answers, rows staying where they are."""
    wide, calls = batch, []
    for i, (call, _) in enumerate(cases):
        aggregate = AggregateCall(call.function, call.args, call.dtype)
        wide, done = prepared(wide, aggregate)
        changed = WindowCall(
            call.function,
            done.args,
            call.dtype,
            call.partition_by,
            call.order_by,
            call.frame,
            call.distinct,
            call.filter,
            call.ignore_nulls,
        )
        calls.append((f"w{i}", changed))
    result = window(wide, calls)
    assert repr(result.select(batch.schema.names).to_pylist()) == repr(batch.to_pylist())
    columns = ", ".join(f"{sql} AS w{i}" for i, (_, sql) in enumerate(cases))
    extra = {n: batch.column(n) for n in ("steps", "other") if n in batch.schema.names}
    table = plain(batch, kinds)
    for name, array in extra.items():
        table = table.append_column(name, array)
    expected = ask_duckdb(f"SELECT {columns} FROM t ORDER BY rn", t=table)
    actual = pa.Table.from_batches([result.select([n for n, _ in calls])])
    assert_same_rows(actual, expected, ordered=True, rel=1e-7, absolute=1e-9)


def numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("rn", pa.array(np.arange(batch.num_rows)))


@st.composite
def orders(draw: st.DrawFn, name: str, kind: str) -> tuple[SortKey, str]:
    down, first = draw(st.booleans()), draw(st.booleans())
    sql = f"{name} {'DESC' if down else 'ASC'} NULLS {'FIRST' if first else 'LAST'}"
    return SortKey(column(name, kind), down, first), sql


def bound_sql(bound: Bound, side: str, written: str | None = None) -> str:
    if bound.offset is None:
        return f"UNBOUNDED {side}"
    if bound.offset == 0:
        return "CURRENT ROW"
    text = written or str(abs(bound.offset))
    return f"{text} {'PRECEDING' if bound.offset < 0 else 'FOLLOWING'}"


def frame_sql(frame: Frame) -> str:
    start, end = bound_sql(frame.start, "PRECEDING"), bound_sql(frame.end, "FOLLOWING")
    return f"{frame.unit.upper()} BETWEEN {start} AND {end}{EXCLUDE[frame.exclude]}"


@st.composite
def frames(draw: st.DrawFn, units: tuple[str, ...] = ("rows", "range", "groups")) -> Frame:
    unit = draw(st.sampled_from(units))
    near = st.just(0) if unit == "range" else st.integers(-3, 3)
    start = draw(st.none() | near)
    least = -3 if start is None else start
    end = draw(st.none() | (st.just(0) if unit == "range" else st.integers(least, 3)))
    exclude = draw(st.sampled_from(["none", "none", *EXCLUDE]))
    return Frame(unit, Bound(start), Bound(end), exclude)


@given(st.data())
@settings(max_examples=50)
def test_ranks(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    kinds = [("p", "coded"), ("o", kind), ("v", "string")]
    batch = numbered(data.draw(batch_of(kinds)))
    key, sql = data.draw(orders("o", kind))
    partition, by = data.draw(st.sampled_from([((), ""), ((column("p", "coded"),), "p")]))
    where = f"PARTITION BY {by} ORDER BY {sql}" if by else f"ORDER BY {sql}"
    cases = [
        (over(name, partition_by=partition, order_by=[key]), f"{name}() OVER ({where})")
        for name in ("rank", "dense_rank", "percent_rank", "cume_dist")
    ]
    numbers = over("row_number", partition_by=partition, order_by=[key, RN])
    cases.append((numbers, f"row_number() OVER ({where}, rn)"))
    check(batch, kinds, cases)


@given(st.data())
@settings(max_examples=40)
def test_rows_before_and_after(data: st.DataObject) -> None:
    kinds = [("p", "bool"), ("o", "small"), ("v", data.draw(st.sampled_from(sorted(KINDS))))]
    batch = numbered(data.draw(batch_of(kinds)))
    steps = st.sampled_from([None, 0, 1, 2, -1, 100])
    drawn = data.draw(st.lists(steps, min_size=batch.num_rows, max_size=batch.num_rows))
    batch = batch.append_column("steps", pa.array(drawn, pa.int64()))
    key, sql = data.draw(orders("o", "small"))
    options = {"partition_by": [column("p", "bool")], "order_by": [key, RN]}
    where = f"OVER (PARTITION BY p ORDER BY {sql}, rn)"
    v, by = column("v", kinds[2][1]), Column("steps", pa.int64())
    backwards = pa.array(np.arange(batch.num_rows)[::-1])
    batch = batch.append_column("other", backwards)
    rn, other = Column("rn", pa.int64()), Column("other", pa.int64())
    check(
        batch,
        kinds,
        [
            (over("lag", v, **options), f"lag(v) {where}"),
            (over("lead", v, ignore_nulls=True, **options), f"lead(v IGNORE NULLS) {where}"),
            (over("lag", v, ignore_nulls=True, **options), f"lag(v IGNORE NULLS) {where}"),
            (over("lead", v, by, **options), f"lead(v, steps) {where}"),
            (over("lag", rn, by, other, **options), f"lag(rn, steps, other) {where}"),
        ],
    )


@given(st.data())
@settings(max_examples=40)
def test_buckets(data: st.DataObject) -> None:
    kinds = [("p", "bool"), ("o", "small")]
    batch = numbered(data.draw(batch_of(kinds)))
    count = data.draw(st.sampled_from([1, 2, 3, 7, 100, None]))
    batch = batch.append_column("steps", pa.array([count] * batch.num_rows, pa.int64()))
    call = over(
        "ntile",
        Column("steps", pa.int64()),
        partition_by=[column("p", "bool")],
        order_by=[SortKey(column("o", "small")), RN],
    )
    sql = "ntile(steps) OVER (PARTITION BY p ORDER BY o NULLS LAST, rn)"
    check(batch, kinds, [(call, sql)])


@given(st.data())
@settings(max_examples=50)
def test_values_in_frames(data: st.DataObject) -> None:
    kinds = [("p", "coded"), ("o", "small"), ("v", data.draw(st.sampled_from(sorted(KINDS))))]
    batch = numbered(data.draw(batch_of(kinds)))
    key, sql = data.draw(orders("o", "small"))
    frame = data.draw(frames())
    tie, tie_sql = ([RN], ", rn") if frame.unit == "rows" else ([], "")
    options = {
        "partition_by": [column("p", "coded")],
        "order_by": [key, *tie],
        "frame": frame,
        "ignore_nulls": data.draw(st.booleans()),
    }
    where = f"OVER (PARTITION BY p ORDER BY {sql}{tie_sql} {frame_sql(frame)})"
    number = data.draw(st.sampled_from([1, 2, 3]))
    batch = batch.append_column("steps", pa.array([number] * batch.num_rows, pa.int64()))
    ignore = " IGNORE NULLS" if options["ignore_nulls"] else ""
    # among peers, which row comes first is open: look at the order key, equal for all of them
    v = column("v", kinds[2][1]) if tie else column("o", "small")
    check(
        batch,
        kinds,
        [
            (over("first_value", v, **options), f"first_value({v}{ignore}) {where}"),
            (over("last_value", v, **options), f"last_value({v}{ignore}) {where}"),
            (
                over("nth_value", v, Column("steps", pa.int64()), **options),
                f"nth_value({v}, steps{ignore}) {where}",
            ),
        ],
    )


NUMERIC = ("tiny", "int", "small", "finite", "decimal", "decimal64", "wide")
ANY = ("count", "min", "max")
NUMBER = ("sum", "avg", "stddev", "var_pop", "product")


@given(st.data())
@settings(max_examples=50)
def test_aggregates_of_frames(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*NUMERIC, *sorted(KINDS)]))
    kinds = [("p", "coded"), ("o", "small"), ("v", kind), ("b", "bool")]
    batch = numbered(data.draw(batch_of(kinds)))
    key, sql = data.draw(orders("o", "small"))
    frame = data.draw(frames())
    tie, tie_sql = ([RN], ", rn") if frame.unit == "rows" else ([], "")
    partition, by = data.draw(
        st.sampled_from([((), ""), ((column("p", "coded"),), "PARTITION BY p ")])
    )
    where = f"OVER ({by}ORDER BY {sql}{tie_sql} {frame_sql(frame)})"
    chosen = data.draw(st.booleans())
    some, some_sql = (column("b", "bool"), " FILTER (b)") if chosen else (None, "")
    options = {
        "partition_by": partition,
        "order_by": [key, *tie],
        "frame": frame,
        "filter": some,
    }
    v = column("v", kind)
    names = (*ANY, *NUMBER) if kind in NUMERIC else ANY
    if kind == "bool":
        names = (*ANY, "bool_and", "bool_or", "count_if")
    cases = [(over(n, v, **options), f"{n}(v){some_sql} {where}") for n in names]
    cases.append((over("count", **options), f"count(*){some_sql} {where}"))
    cases.append((over("median", v, **options), f"median(v){some_sql} {where}"))
    distinct = over("count", v, distinct=True, **options)
    cases.append((distinct, f"count(DISTINCT v){some_sql} {where}"))
    if kind in NUMERIC:
        cases.append(
            (over("sum", v, distinct=True, **options), f"sum(DISTINCT v){some_sql} {where}")
        )
    if tie and kind == "string":
        cases.append((over("string_agg", v, **options), f"string_agg(v){some_sql} {where}"))
    check(batch, kinds, cases)


# kind of key: offsets, each as we hold it and as SQL writes it
OFFSETS: dict[str, list[tuple[Any, str]]] = {
    "small": [(1, "1"), (2, "2")],
    "tiny": [(1, "1"), (200, "200")],
    "double": [(1, "1"), (0.5, "0.5")],
    "finite": [(1.75, "1.75")],
    "decimal": [(Decimal("0.05"), "0.05"), (1, "1")],
    "decimal64": [(Decimal("3.55"), "3.55")],
    "date": [
        (pa.MonthDayNano([0, 1, 0]), "INTERVAL 1 DAY"),
        (pa.MonthDayNano([651, 0, 0]), "INTERVAL 651 MONTH"),
    ],
    "timestamp": [
        (pa.MonthDayNano([0, 0, 2000]), "INTERVAL 2 MICROSECOND"),
        (pa.MonthDayNano([1, 1, 0]), "INTERVAL '1 month 1 day'"),
    ],
}


def negative(offset: Any) -> Any:
    if isinstance(offset, pa.MonthDayNano):
        return pa.MonthDayNano([-offset.months, -offset.days, -offset.nanoseconds])
    return -offset


@given(st.data())
@settings(max_examples=50)
def test_ranges_of_values(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(OFFSETS)))
    kinds = [("p", "bool"), ("o", kind)]
    batch = numbered(data.draw(batch_of(kinds)))
    key, sql = data.draw(orders("o", kind))
    before = data.draw(st.none() | st.sampled_from(OFFSETS[kind]))
    after = data.draw(st.none() | st.sampled_from(OFFSETS[kind]))
    start = Bound(None if before is None else negative(before[0]))
    end = Bound(None if after is None else after[0])
    words = "UNBOUNDED PRECEDING" if before is None else f"{before[1]} PRECEDING"
    words += " AND " + ("UNBOUNDED FOLLOWING" if after is None else f"{after[1]} FOLLOWING")
    where = f"OVER (PARTITION BY p ORDER BY {sql} RANGE BETWEEN {words})"
    options = {
        "partition_by": [column("p", "bool")],
        "order_by": [key],
        "frame": Frame("range", start, end),
    }
    o = column("o", kind)
    cases = [(over("count", **options), f"count(*) {where}")]
    cases += [(over(n, o, **options), f"{n}(o) {where}") for n in ("min", "max", "last_value")]
    check(batch, kinds, cases)


def test_many_rows_and_partitions() -> None:
    random = np.random.default_rng(5)
    rows = 30_000
    table = {
        "p": pa.array(np.where(random.random(rows) < 0.3, -1, random.integers(0, 9000, rows))),
        "o": pa.array(random.integers(0, 1000, rows)),
        "x": pa.array(random.integers(-(2**40), 2**40, rows), mask=random.random(rows) < 0.1),
        "f": pa.array(random.standard_normal(rows)),
        "rn": pa.array(np.arange(rows)),
    }
    batch = pa.record_batch(table)
    partition = [Column("p", pa.int64())]
    order = [SortKey(Column("o", pa.int64())), RN]
    x, f = Column("x", pa.int64()), Column("f", pa.float64())
    pairs = [("sum", x), ("sum", f), ("min", x), ("max", f), ("avg", x), ("stddev", f)]
    calls, sql = [], []
    for start, end in ((None, 0), (-3, 3), (0, None), (-1000, -1)):
        frame = Frame("rows", Bound(start), Bound(end))
        for name, arg in pairs:
            options = {"partition_by": partition, "order_by": order, "frame": frame}
            calls.append((f"w{len(calls)}", over(name, arg, **options)))
            sql.append(f"{name}({arg}) OVER (PARTITION BY p ORDER BY o, rn {frame_sql(frame)})")
    actual = window(batch, calls).select([n for n, _ in calls])
    columns = ", ".join(f"{s} AS w{i}" for i, s in enumerate(sql))
    expected = ask_duckdb(f"SELECT {columns} FROM t ORDER BY rn", t=pa.table(table))
    assert_same_rows(pa.Table.from_batches([actual]), expected, ordered=True, absolute=1e-9)


def test_sums_of_floats_are_not_differences() -> None:
    batch = pa.record_batch({"x": [1e300, 1.0, 2.0, float("nan"), 3.0, 4.0], "rn": list(range(6))})
    frame = Frame("rows", Bound(-1), Bound(0))
    call = over("sum", Column("x", pa.float64()), order_by=[RN], frame=frame)
    got = window(batch, [("s", call)])["s"].to_pylist()
    assert got[0] == 1e300
    assert got[2] == 3.0
    assert got[5] == 7.0


def test_rows_without_columns() -> None:
    batch = pa.record_batch({"x": [1, 2, 3]}).select([])
    got = window(batch, [("n", over("row_number")), ("c", over("count"))])
    assert got.to_pylist() == [{"n": i, "c": 3} for i in (1, 2, 3)]
    assert window(batch.slice(0, 0), [("n", over("row_number"))]).num_rows == 0


def test_order_within_whole_partitions() -> None:
    batch = pa.record_batch({"s": ["b", "a", "c"], "o": [2, 1, 3]})
    frame = Frame("rows", Bound(None), Bound(None))
    order = [SortKey(Column("o", pa.int64()), descending=True)]
    call = over("string_agg", Column("s", pa.string()), order_by=order, frame=frame)
    assert window(batch, [("x", call)])["x"].to_pylist() == ["c,b,a"] * 3


def test_running_means_of_times() -> None:
    times = [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 6)]
    batch = pa.record_batch({"t": pa.array(times, pa.timestamp("us")), "rn": [0, 1, 2]})
    call = over("avg", column("t", "timestamp"), order_by=[RN])
    got = window(batch, [("m", call)])["m"].to_pylist()
    assert got == [times[0], dt.datetime(2020, 1, 1, 12), dt.datetime(2020, 1, 3)]


def test_mistakes_are_named() -> None:
    batch = pa.record_batch({"x": [1, 2], "zero": [0, 0]})
    zero = Column("zero", pa.int64())
    with pytest.raises(ComputeError, match="ntile"):
        window(batch, [("n", over("ntile", zero))])
    two = [SortKey(Column("x", pa.int64())), SortKey(zero)]
    frame = Frame("range", Bound(-1), Bound(0))
    with pytest.raises(PlanError, match="exactly one ORDER BY"):
        window(batch, [("n", over("count", order_by=two, frame=frame))])
    half = Frame("rows", Bound(-0.5), Bound(0))
    with pytest.raises(PlanError, match="whole numbers"):
        window(batch, [("n", over("count", order_by=two, frame=half))])
    for name, options, word in (
        ("rank", {"filter": Column("b", pa.bool_())}, "FILTER"),
        ("first_value", {"distinct": True}, "DISTINCT"),
        ("sum", {"ignore_nulls": True}, "IGNORE NULLS"),
    ):
        call = WindowCall(name, (zero,), pa.int64(), **options)
        with pytest.raises(UnsupportedError, match=word):
            window(batch, [("n", call)])
    with pytest.raises(UnsupportedError, match="no window function 'fill'"):
        window(batch, [("n", WindowCall("fill", (zero,), pa.int64()))])
