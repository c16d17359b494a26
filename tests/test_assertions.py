"""assert_same_rows, above all the differences that it must not let pass."""

from __future__ import annotations

import datetime as dt
import math
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assertions import assert_same_rows

NAN = math.nan
D = Decimal


def table(**columns: object) -> pa.Table:
    return pa.table({name: _array(values) for name, values in columns.items()})


def _array(values: object) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, from_pandas=False)


SAME = {
    "no rows": (table(a=pa.array([], pa.int32())), table(a=pa.array([], pa.int64()))),
    "any order": (table(a=[1, 2, 2]), table(a=[2, 1, 2])),
    "int widths": (table(a=pa.array([1, None], pa.int8())), table(a=[1, None])),
    "int and uint": (table(a=pa.array([2**63], pa.uint64())), table(a=[D(2**63)])),
    "int and decimal": (table(a=[5]), table(a=pa.array([D(5)], pa.decimal128(38, 0)))),
    "decimal scales": (table(a=[D("1.50")]), table(a=[D("1.5")])),
    "hugeint as double": (table(a=pa.array([D(10**20)], pa.decimal128(38, 0))), table(a=[1e20])),
    "noise": (table(a=[0.1 + 0.2]), table(a=[0.3])),
    "nan is nan": (table(a=[NAN, 1.0]), table(a=[1.0, NAN])),
    "infinities": (table(a=[math.inf, -math.inf]), table(a=[-math.inf, math.inf])),
    "null is null": (table(a=[None, "x"]), table(a=["x", None])),
    "all null": (table(a=pa.nulls(2)), table(a=pa.array([None, None], pa.string()))),
    "string encodings": (
        table(a=pa.array(["x", "y"]).dictionary_encode()),
        table(a=pa.array(["y", "x"], pa.large_string())),
    ),
    "string view": (table(a=pa.array(["x", None], pa.string_view())), table(a=["x", None])),
    "timestamp units": (
        table(a=pa.array([1_000_000], pa.timestamp("us"))),
        table(a=pa.array([1], pa.timestamp("s"))),
    ),
    "date widths": (
        table(a=pa.array([dt.date(2020, 1, 2)], pa.date32())),
        table(a=pa.array([dt.date(2020, 1, 2)], pa.date64())),
    ),
    "lists": (table(a=[[1.0, None], None]), table(a=[None, [1.0 + 1e-13, None]])),
    "pandas": (
        table(a=[1, 2], b=["x", None]),
        pd.DataFrame({"b": ["x", None], "a": [1, 2]})[["a", "b"]],
    ),
    "pandas nan for null": (table(a=[1.0, None]), pd.DataFrame({"a": [1.0, NAN]})),
    "pandas nan for nan": (table(a=[1.0, NAN]), pd.DataFrame({"a": [1.0, NAN]})),
    "pandas date": (
        table(a=[dt.date(2020, 1, 1)]),
        pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}),
    ),
}

DIFFERENT = {
    "fewer rows": (table(a=[1, 2]), table(a=[1, 2, 2]), "2 rows, but 3 were expected"),
    "other counts": (table(a=[1, 1, 2]), table(a=[1, 2, 2]), "only in actual: 1 rows\n  .1."),
    "value": (table(a=[1, 2]), table(a=[1, 3]), "only in expected: 1 rows\n  .3."),
    "names": (table(a=[1]), table(b=[1]), "columns differ"),
    "column count": (table(a=[1]), table(a=[1], b=[1]), "columns differ"),
    "null and nan": (table(a=[None, 1.0]), table(a=[NAN, 1.0]), "1 of 2 rows differ"),
    "null and zero": (table(a=[None, 1]), table(a=[0, 1]), "1 of 2 rows differ"),
    "null and zero, float": (table(a=[None, 1.0]), table(a=[0.0, 1.0]), "1 of 2 rows differ"),
    "null and empty": (table(a=[None, "x"]), table(a=["", "x"]), "1 of 2 rows differ"),
    "nan and infinity": (table(a=[NAN]), table(a=[math.inf]), "1 of 1 rows differ"),
    "infinity signs": (table(a=[math.inf]), table(a=[-math.inf]), "1 of 1 rows differ"),
    "infinity and large": (table(a=[math.inf]), table(a=[1e308]), "1 of 1 rows differ"),
    "decimal cent": (table(a=[D("1.50")]), table(a=[D("1.51")]), "1 of 1 rows differ"),
    "large ints": (table(a=[2**60]), table(a=[2**60 + 1]), "1 of 1 rows differ"),
    "large decimals": (table(a=[D(10**30)]), table(a=[D(10**30 + 1)]), "1 of 1 rows differ"),
    "beyond noise": (table(a=[1.0]), table(a=[1.0 + 1e-8]), "1 of 1 rows differ"),
    "tiny": (table(a=[1e-300]), table(a=[2e-300]), "1 of 1 rows differ"),
    "sign of zero cents": (table(a=[0.01]), table(a=[-0.01]), "1 of 1 rows differ"),
    "string and int": (table(a=["1"]), table(a=[1]), "actual is string, expected is int64"),
    "bool and int": (table(a=[True]), table(a=[1]), "actual is bool"),
    "date and timestamp": (
        table(a=[dt.date(2020, 1, 1)]),
        table(a=[dt.datetime(2020, 1, 1)]),
        "actual is date32",
    ),
    "zones": (
        table(a=pa.array([0], pa.timestamp("us"))),
        table(a=pa.array([0], pa.timestamp("us", "UTC"))),
        "actual is timestamp",
    ),
    "trailing space": (table(a=["x "]), table(a=["x"]), "1 of 1 rows differ"),
    "swapped between columns": (
        table(a=[1, 2], b=[1.0, 2.0]),
        table(a=[1, 2], b=[2.0, 1.0]),
        "2 of 2 rows differ",
    ),
    "lists": (table(a=[[1, 2]]), table(a=[[2, 1]]), "1 of 1 rows differ"),
    "empty against a row": (table(a=pa.array([], pa.int64())), table(a=[1]), "0 rows, but 1"),
}


@pytest.mark.parametrize("case", SAME)
def test_same(case: str) -> None:
    actual, expected = SAME[case]
    assert_same_rows(actual, expected)
    assert_same_rows(expected, actual)


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str) -> None:
    actual, expected, message = DIFFERENT[case]
    with pytest.raises(AssertionError, match=message):
        assert_same_rows(actual, expected)
    with pytest.raises(AssertionError):
        assert_same_rows(expected, actual)


def test_order_counts_only_when_asked() -> None:
    assert_same_rows(table(a=[1, 2]), table(a=[2, 1]))
    with pytest.raises(AssertionError, match=r"row 0\n  actual:   \(1\)\n  expected: \(2\)"):
        assert_same_rows(table(a=[1, 2]), table(a=[2, 1]), ordered=True)
    with pytest.raises(AssertionError, match=r"row 1\n  actual:   \(no such row\)"):
        assert_same_rows(table(a=[1]), table(a=[1, 2]), ordered=True)


def test_tolerances_can_be_set() -> None:
    assert_same_rows(table(a=[1.0]), table(a=[1.001]), rel=1e-2)
    assert_same_rows(table(a=[0.0]), table(a=[1e-17]), absolute=1e-15)
    with pytest.raises(AssertionError):
        assert_same_rows(table(a=[0.0]), table(a=[1e-17]))


def test_names_can_be_left_out_and_repeat() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert_same_rows(twice, table(x=[1], y=[2]), names=False)
    with pytest.raises(AssertionError):
        assert_same_rows(twice, table(x=[2], y=[1]), names=False)


def test_anything_that_exports_arrow() -> None:
    batches = table(a=[1, 2]).to_reader()
    assert_same_rows(batches, table(a=[2, 1]))


def test_message_is_short() -> None:
    with pytest.raises(AssertionError) as failure:
        assert_same_rows(table(a=list(range(1000))), table(a=list(range(500, 1500))))
    assert str(failure.value).count("\n") < 15


numbers = st.sampled_from([None, NAN, math.inf, 0.0, 1.0, 1 / 3, 1e9 / 7, -2.5, 1e-9])


@given(
    rows=st.lists(st.tuples(st.sampled_from("xy"), numbers, numbers), max_size=30),
    seed=st.integers(0, 1000),
)
def test_noise_and_order_never_matter(rows: list[tuple[object, ...]], seed: int) -> None:
    chance = random.Random(seed)

    def noisy(value: object) -> object:
        if not isinstance(value, float):
            return value
        return value * (1 + chance.uniform(-3e-10, 3e-10))

    shuffled = [tuple(noisy(v) for v in row) for row in rows]
    chance.shuffle(shuffled)
    assert_same_rows(_rows(shuffled), _rows(rows))


@given(
    rows=st.lists(st.tuples(st.sampled_from("xy"), numbers, numbers), min_size=1, max_size=30),
    at=st.integers(0, 29),
)
def test_one_changed_value_always_matters(rows: list[tuple[object, ...]], at: int) -> None:
    at %= len(rows)
    changed = [*rows[:at], (rows[at][0], 12345.0, rows[at][2]), *rows[at + 1 :]]
    with pytest.raises(AssertionError):
        assert_same_rows(_rows(changed), _rows(rows))


def _rows(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = [pa.string(), pa.float64(), pa.float64()]
    arrays = [pa.array(list(c), t, from_pandas=False) for c, t in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=["k", "a", "b"])


def test_many_rows() -> None:
    generator = np.random.default_rng(0)
    n = 200_000
    columns = {"k": generator.integers(0, 1000, n), "v": generator.normal(size=n)}
    order = generator.permutation(n)
    shuffled = {name: values[order] for name, values in columns.items()}
    assert_same_rows(pa.table(shuffled), pa.table(columns))
