"""Debug mode: a table of the wrong size is an error that says so, never a write elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plait import config
from plait.engine.codegen.index import Column
from plait.engine.codegen.sinks import CAPACITY, MASK, ROOM, SHIFT
from plait.engine.operators import group_table, key_ranges, loop_index
from plait.engine.operators.group_table import GroupTable
from tests.differential.systems import CHECKED
from tests.engine.tiers.pipelines import Pipeline
from tests.engine.tiers.systems import answer
from tests.engine.tiers.test_paths import ints

OUTSIDE = "a compiled loop went out of bounds"
KEYS = [n * 1_000_003 for n in range(500)]
COUNT = "select k, count(*) n from t group by k"
JOIN = "select l.k from l join r on l.k = r.k"


@pytest.fixture(autouse=True)
def debug() -> Iterator[None]:
    with config.set(CHECKED):
        yield


def count(values: list[int]) -> Any:
    return answer(Pipeline(COUNT, {"t": ints(values)}), CHECKED)


def join(left: list[int], right: list[int]) -> Any:
    return answer(Pipeline(JOIN, {"l": ints(left), "r": ints(right)}), CHECKED)


def publishing(change: Callable[[GroupTable], None]) -> Callable[[GroupTable], None]:
    """`_publish` that tells something wrong of the table."""
    publish = GroupTable._publish

    def wrong(self: GroupTable) -> None:
        publish(self)
        change(self)

    return wrong


def more_records(table: GroupTable) -> None:
    table.state[CAPACITY] *= 2


def no_records(table: GroupTable) -> None:
    table.state[ROOM] = 0


def more_slots(table: GroupTable) -> None:
    table.state[SHIFT] -= 1
    table.state[MASK] = 2 * table.state[MASK] + 1


def test_fewer_records_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_table, "_FIRST", 2)
    monkeypatch.setattr(GroupTable, "_publish", publishing(more_records))
    with pytest.raises(AssertionError, match=OUTSIDE):
        count(list(range(50)))


def test_no_record_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GroupTable, "_publish", publishing(no_records))
    with pytest.raises(AssertionError, match=OUTSIDE):
        answer(Pipeline("select sum(k) from t", {"t": ints([1, 2])}), CHECKED)


def test_fewer_slots_than_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(self: GroupTable) -> Any:
        return np.full(3, -1, np.int32)

    monkeypatch.setattr(GroupTable, "_new_slots", short)
    with pytest.raises(AssertionError, match=OUTSIDE):
        count(list(range(50)))


@pytest.mark.parametrize("first", [2, 1 << 12])  # with one slot too far when filled, or when asked
def test_fewer_slots_than_hashes(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(group_table, "_FIRST", first)
    monkeypatch.setattr(key_ranges, "DIRECT_SLOTS", 4)
    monkeypatch.setattr(key_ranges, "MOST_SLOTS", 4)
    monkeypatch.setattr(GroupTable, "_publish", publishing(more_slots))
    with pytest.raises(AssertionError, match=OUTSIDE):
        count(KEYS)


def test_rehash_beyond_the_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_table, "_FIRST", 2)
    monkeypatch.setattr(key_ranges, "DIRECT_SLOTS", 4)
    monkeypatch.setattr(key_ranges, "MOST_SLOTS", 4)
    fill = GroupTable._fill_slots

    def wrongly(self: GroupTable) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(GroupTable, "_publish", publishing(more_slots))
            fill(self)

    monkeypatch.setattr(GroupTable, "_fill_slots", wrongly)
    with pytest.raises(AssertionError, match="'rehash'"):
        count(KEYS)


@pytest.mark.parametrize(
    ("values", "function"),
    [
        ([5, 9], "chain"),
        ([5, 5, 9], "chain"),
        ([5, 5, 9, 9000], "ranks"),
        ([5, 9000], "ranks"),
        (KEYS, "hash"),
    ],
)
def test_join_tables_that_are_too_small(
    monkeypatch: pytest.MonkeyPatch, values: list[int], function: str
) -> None:
    monkeypatch.setattr(loop_index, "_SLOTS_FOR_ALL", 64)
    monkeypatch.setattr(loop_index, "_BITS_FOR_ALL", 1 << 14)
    call = Column.call

    def short(self: Column, name: str, *args: Any) -> int:
        if name == function:
            args = tuple(a[:1] if isinstance(a, np.ndarray) else a for a in args)
        return call(self, name, *args)

    assert isinstance(join([5] * 1000, values), pa.Table)
    monkeypatch.setattr(Column, "call", short)
    with pytest.raises(AssertionError, match=f"{OUTSIDE} .in '{function}'"):
        join([5] * 1000, values)


def test_a_set_of_keys_that_is_too_small() -> None:
    values = np.array([3, 8], np.int64)
    column = Column(values.ctypes.data, 8, 8, 2, None)
    bits = np.zeros(2, np.uint64)
    assert column.call("members", -60, bits) == 0
    assert bits.tolist() == [1 << 63, 1 << 4]
    assert column.call("members", -60, bits) == 1
    with pytest.raises(AssertionError, match=OUTSIDE):
        column.call("members", -60, bits[:1])
    with pytest.raises(AssertionError, match=OUTSIDE):
        column.call("members", 4, bits)
