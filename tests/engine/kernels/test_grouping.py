"""Group numbers, by every way of finding them, against numpy's and DuckDB's idea of equality."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.engine.kernels import grouping
from plait.engine.kernels.grouping import Groups, group
from tests.engine.random_batches import KINDS, ask_duckdb, batch_of, plain


def check_against_numpy(values: np.ndarray, groups: Groups) -> None:
    distinct, first = np.unique(values, return_index=True)
    assert groups.count == len(distinct)
    assert groups.first.tolist() == sorted(first.tolist())
    assert (values[groups.first][groups.codes] == values).all()
    # numbered by first appearance
    assert groups.codes[groups.first].tolist() == list(range(groups.count))


@pytest.mark.parametrize("distinct", [1, 7, 5_000, 40_000])
@pytest.mark.parametrize("spread", [1, 10**13 + 7])
def test_integers(distinct: int, spread: int) -> None:
    random = np.random.default_rng(distinct)
    values = (random.integers(0, distinct, 50_000) - distinct // 2) * spread
    for order in (values, np.sort(values), values[::-1].copy()):
        check_against_numpy(order, group([pa.array(order)]))


def test_random_64_bit_integers() -> None:
    random = np.random.default_rng(1)
    values = random.integers(-(2**63), 2**63 - 1, 30_000)
    values = values[random.integers(0, 30_000, 50_000)]
    check_against_numpy(values, group([pa.array(values)]))


def test_a_hash_collision_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).permutation(20_000) * (2**40 + 1)
    monkeypatch.setattr(grouping, "_MULTIPLIERS", (0,))  # all hashes are equal
    check_against_numpy(values, group([pa.array(values)]))


def test_keys_too_wide_for_one_number() -> None:
    random = np.random.default_rng(3)
    columns = [random.integers(0, 3, 5_000) * (2**62 - 1) - 2**61 for _ in range(4)]
    groups = group([pa.array(c) for c in columns])
    rows = np.stack(columns, axis=1)
    distinct = np.unique(rows, axis=0)
    assert groups.count == len(distinct)
    assert (rows[groups.first][groups.codes] == rows).all()


@given(st.data())
@settings(max_examples=80)
def test_groups_are_duckdbs(data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    kinds = [(f"k{i}", kind) for i, kind in enumerate(drawn)]
    batch = data.draw(batch_of(kinds))
    groups = group(batch.columns)
    names = ", ".join(name for name, _ in kinds)
    sql = f"SELECT min(rn) AS first FROM t GROUP BY {names} ORDER BY first"
    expected = ask_duckdb(sql, t=plain(batch, kinds))["first"].to_pylist()
    assert groups.first.tolist() == expected
    assert groups.codes[groups.first].tolist() == list(range(groups.count))


@pytest.mark.parametrize("wrong", [None, 0, 1, 2])
def test_keys_that_one_key_decides(wrong: int | None) -> None:
    random = np.random.default_rng(8)
    number = random.integers(0, 40_000, 60_000)
    columns = [number, number * 7919**3, number % 1000 * (2**40)]
    texts = np.array([f"name {i}" for i in range(40_000)])[number]
    missing = number % 3 == 0
    if wrong is not None:  # one row differs from its group
        columns[2] = columns[2].copy()
        at = int(np.flatnonzero(np.bincount(number)[number] > 1)[-1])
        if wrong == 0:
            columns[2][at] += 1
        elif wrong == 1:
            texts[at] = "another"
        else:
            missing[at] = ~missing[at]
    arrays = [pa.array(columns[0]), pa.array(columns[1]), pa.array(columns[2], mask=missing)]
    groups = group([pa.array(texts), *arrays])
    rows = list(zip(texts, *(a.to_pylist() for a in arrays), strict=True))
    assert groups.count == len(set(rows))
    numbers = {row: i for i, row in enumerate(dict.fromkeys(rows))}
    assert groups.codes.tolist() == [numbers[row] for row in rows]


def test_dictionaries_may_repeat_entries_and_hold_null() -> None:
    codes = pa.array([0, 1, 2, 3, None], pa.int8())
    array = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b", "a", None]))
    assert group([array]).codes.tolist() == [0, 1, 0, 2, 2]


def test_nested_keys() -> None:
    lists = pa.array([[1, 2], [], None, [1, 2], [1], [1, None], [], [1, None]])
    assert group([lists]).codes.tolist() == [0, 1, 2, 0, 3, 4, 1, 4]
    assert group([lists.slice(3)]).codes.tolist() == [0, 1, 2, 3, 2]
    structs = pa.array([{"x": 1}, {"x": None}, None, {"x": 1}, {"x": None}])
    assert group([structs]).codes.tolist() == [0, 1, 2, 0, 1]


def test_intervals_are_equal_when_their_days_are() -> None:
    month = pa.MonthDayNano([1, 0, 0])
    days = pa.MonthDayNano([0, 29, 86_400_000_000_000])
    array = pa.array([month, days, None], pa.month_day_nano_interval())
    assert group([array]).codes.tolist() == [0, 0, 1]


def test_null_columns() -> None:
    assert group([pa.nulls(3)]).codes.tolist() == [0, 0, 0]
    assert group([pa.nulls(0)]).count == 0
