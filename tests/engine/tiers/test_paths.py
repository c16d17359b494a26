"""The ways by which loops begin anew or give up, each met on purpose; answers by hand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import plait
from plait import config
from plait.engine.codegen.emit import NotCompiledError
from plait.engine.operators import group_table, key_ranges, loops, probing
from plait.engine.operators.group_table import GroupTable, TooManyGroupsError, groups_of
from plait.errors import PlaitError
from plait.planner.expr import AggregateCall, Column
from plait.planner.physical.operators import GroupRows, ReadStage
from plait.planner.schema import Schema
from plait.planner.types import normalize
from tests.differential.systems import CHECKED
from tests.differential.tables import Col
from tests.engine.tiers.pipelines import Pipeline, Table
from tests.engine.tiers.systems import VECTORISED, answer


def table(*arrays: dict[str, pa.Array]) -> Table:
    """A table of batches."""
    made = tuple(pa.RecordBatch.from_pydict(a) for a in arrays)
    schema = Schema.of([(f.name, normalize(f.type)) for f in made[0].schema])
    return Table(tuple(Col(f.name, "") for f in schema), schema, made)


def rows(sql: str, **tables: Table) -> list[tuple[Any, ...]]:
    """The rows that loops give, in some order."""
    with config.set({"threads": 1}):
        found = answer(Pipeline(sql, tables), CHECKED)
    assert isinstance(found, pa.Table), found
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How groups were found by the loops that ran to their end, in order."""
    seen: list[str] = []
    batch = GroupTable.batch

    def noting(self: GroupTable) -> pa.RecordBatch:
        seen.append(self.sink.mode)
        return batch(self)

    monkeypatch.setattr(GroupTable, "batch", noting)
    return seen


def ints(*values: Sequence[int | None]) -> Table:
    return table(*({"k": pa.array(v, pa.int64())} for v in values))


COUNT = "select k, count(*) n from t group by k"


def test_direct_tables_widen(modes: list[str]) -> None:
    found = rows(COUNT, t=ints([5, 6, None, 6], [-100, 5], [1000, None, -100]))
    assert set(found) == {(5, 2), (6, 2), (None, 2), (-100, 2), (1000, 1)}
    assert modes[0] == "direct"


@pytest.mark.parametrize(
    ("far", "mode"), [(1 << 40, "packed"), ((1 << 63) - 1, "words"), (-(1 << 63), "words")]
)
def test_keys_far_apart_in_a_later_batch(modes: list[str], far: int, mode: str) -> None:
    found = rows(COUNT, t=ints([5, 6, 6], [far, 5], [far]))
    assert set(found) == {(5, 2), (6, 2), (far, 2)}
    assert mode in modes


def test_packed_keys_of_two_columns(modes: list[str]) -> None:
    a = pa.array([0, 1 << 40, None, 0, None], pa.int64())
    b = pa.array([True, None, None, True, None])
    found = rows("select a, b, count(*) from t group by a, b", t=table({"a": a, "b": b}))
    assert set(found) == {(0, True, 2), (1 << 40, None, 1), (None, None, 2)}


def test_packed_keys_of_which_one_is_always_the_same(modes: list[str]) -> None:
    a, b = pa.array([7, 1 << 40, 7], pa.int64()), pa.array([3, 3, 3], pa.int64())
    for keys in ("a, b", "b, a"):
        found = rows(f"select {keys}, count(*) from t group by {keys}", t=table({"a": a, "b": b}))
        assert {tuple(sorted(row)) for row in found} == {(2, 3, 7), (1, 3, 1 << 40)}


def test_tables_grow(modes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_table, "_FIRST", 2)
    monkeypatch.setattr(key_ranges, "DIRECT_SLOTS", 4)
    keys = [n * 1_000_003 for n in range(500)]
    found = rows(COUNT, t=ints(keys, keys[::2]))
    assert set(found) == {(k, 2 if n % 2 == 0 else 1) for n, k in enumerate(keys)}


@pytest.mark.parametrize("below", ["t", "(select * from t where v > 1)"])
@pytest.mark.parametrize("key", ["k", "s", "k, s", "k + 1"])
def test_tables_that_are_asked_for_ahead(
    modes: list[str], monkeypatch: pytest.MonkeyPatch, key: str, below: str
) -> None:
    """Any table, as if it were large: of more rows than the distance, with NULLs, and growing."""
    monkeypatch.setattr(loops, "_LARGE", 0)
    monkeypatch.setattr(group_table, "_FIRST", 2)
    numbers = [None if n % 13 == 0 else n * n % 97 for n in range(1500)]
    texts = [None if n % 11 == 0 else f"t{n % 40}" for n in range(1500)]
    given = {
        "k": pa.array(numbers, pa.int32()),
        "s": pa.array(texts).dictionary_encode(),
        "v": pa.array([n % 5 for n in range(1500)]),
    }
    found = rows(f"select {key}, sum(v) as v from {below} group by {key}", t=table(given, given))
    wanted: dict[Any, int] = {}
    for k, s, v in zip(numbers, texts, given["v"].to_pylist(), strict=True):
        if below == "t" or v > 1:
            made = {"k": (k,), "s": (s,), "k, s": (k, s), "k + 1": (None if k is None else k + 1,)}
            wanted[made[key]] = wanted.get(made[key], 0) + 2 * v
    assert {tuple(row[:-1]): row[-1] for row in found} == wanted
    assert len(found) == len(wanted)
    assert modes


@pytest.mark.parametrize("key", ["k", "sparse", "far", "s"])
@pytest.mark.parametrize(
    "sql",
    [
        "select t.{0}, v, w, x from t join b on t.{0} = b.{0}",
        "select t.{0}, v, w, x from t left join b on t.{0} = b.{0} where v > 1",
        "select {0}, v from t where {0} in (select {0} from b)",
        "select {0}, v from t where not exists (select 1 from b where b.{0} = t.{0} and w > v)",
        "select x, sum(v) as v from t join b on t.{0} = b.{0} group by x",
    ],
)
def test_join_tables_that_are_asked_for_ahead(
    monkeypatch: pytest.MonkeyPatch, key: str, sql: str
) -> None:
    """Any table, as if it were large: dense, ranked, hashed, of texts, and keys that come twice."""
    monkeypatch.setattr(probing, "LARGE", 0)
    random = np.random.default_rng(3)

    def side(count: int, distinct: int, **more: pa.Array) -> dict[str, pa.Array]:
        numbers = random.integers(0, distinct, count)
        nulls = random.random(count) < 0.1
        return {
            "k": pa.array(numbers, mask=nulls),
            "sparse": pa.array(numbers * 1009 - 70_000, mask=nulls),
            "far": pa.array(numbers * 1_000_003_000_007, mask=nulls),
            "s": pa.array([f"t{n}" for n in numbers], mask=nulls).dictionary_encode(),
            **more,
        }

    v = pa.array(random.integers(0, 5, 700))
    for distinct in (300, 9):
        w, x = pa.array(np.arange(60) % 4), pa.array([f"x{n % 7}" for n in range(60)])
        given = {"t": table(side(700, distinct, v=v)), "b": table(side(60, distinct, w=w, x=x))}
        text = sql.format(key)
        expected = answer(Pipeline(text, given), VECTORISED)
        assert isinstance(expected, pa.Table), expected
        wanted = sorted((tuple(row.values()) for row in expected.to_pylist()), key=repr)
        assert rows(text, **given) == wanted


@pytest.mark.parametrize(
    ("groups", "seen", "rows"), [(1, 50, 1000), (1000, 700, 9000), (10**6, 500, 10**5)]
)
def test_groups_of_rows_to_come(groups: int, seen: int, rows: int) -> None:
    numbers = np.random.default_rng(groups).integers(0, groups, rows)
    expected = groups_of(rows, len(np.unique(numbers[:seen])), seen)
    assert 0.7 * expected <= len(np.unique(numbers)) <= 1.3 * expected
    assert groups_of(rows, seen, seen) == rows  # no two rows were of one group
    assert groups_of(rows, 3, rows) == 3


def test_more_groups_than_there_is_room_for(
    modes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise TooManyGroupsError

    monkeypatch.setattr(group_table, "_FIRST", 2)
    monkeypatch.setattr(GroupTable, "grow", full)
    found = rows(COUNT, t=ints(list(range(50)), [7]))
    assert set(found) == {(n, 1 + (n == 7)) for n in range(50)}
    assert not modes


def test_dictionaries_over_batches(modes: list[str]) -> None:
    def coded(codes: list[int | None], entries: list[str]) -> dict[str, pa.Array]:
        indices = pa.array(codes, pa.int8())
        return {"k": pa.DictionaryArray.from_arrays(indices, pa.array(entries))}

    batches = (
        coded([0, 1, None, 1], ["a", "b"]),
        coded([1, 0, 2], ["a", "c", ""]),  # other codes for the same
        coded([0, 1, 1], ["b", "b"]),  # an entry twice
        coded([0], [*map(str, range(100))]),
    )
    found = rows("select k, count(*) n from t where k is not null group by k", t=table(*batches))
    assert set(found) == {("", 1), ("0", 1), ("a", 2), ("b", 5), ("c", 1)}


def test_a_later_dictionary_with_null_among_its_entries(modes: list[str]) -> None:
    """Nothing else tells such a batch from those before it."""

    def coded(entries: list[str | None]) -> dict[str, pa.Array]:
        indices = pa.array([0, 1, 1], pa.int8())
        return {"k": pa.DictionaryArray.from_arrays(indices, pa.array(entries, pa.string()))}

    t = table(coded(["a", "b"]), coded(["a", None]))
    assert set(rows(COUNT, t=t)) == {("a", 2), ("b", 2), (None, 2)}
    assert rows("select count(k), max(k) from t", t=t) == [(4, "b")]


@pytest.mark.parametrize(
    "sql",
    [
        "select k + 1 as x from t",
        "select 10 // (k - 1) as x from t",
        "select k * k as x from t where k > 2",
        "select sum(k + 1) as x from t",
        "select k % (k - 1), count(*) as x from t group by 1",
        "select -k as x from t",
        "select abs(k) as x from t",
    ],
)
@pytest.mark.parametrize("last", [(1 << 63) - 1, -(1 << 63)])
def test_traps_raise_what_the_other_tier_raises(sql: str, last: int) -> None:
    case = Pipeline(sql, {"t": ints([1, 2, 3], [4, None, last])})
    compiled, vectorised = answer(case, CHECKED), answer(case, VECTORISED)
    if isinstance(vectorised, PlaitError):
        assert (type(compiled), str(compiled)) == (type(vectorised), str(vectorised))
    else:
        assert isinstance(compiled, pa.Table)
        assert compiled.equals(vectorised)


def test_no_trap_for_rows_that_are_not_there() -> None:
    """What is wrong only under NULL, or in a branch that is not taken, raises nothing."""
    t = ints([0, 1, None, (1 << 63) - 1])
    assert rows("select 10 // k as x from t where k > 0 and k < 5", t=t) == [(10,)]
    sql = "select case when k = 0 then -1 when k > 5 then -2 else 10 // k end as x from t"
    found = rows(f"{sql} where k is not null", t=t)
    assert set(found) == {(-2,), (-1,), (10,)}


def test_joins_with_an_empty_side() -> None:
    left, right = ints([1, 2]), ints([])
    assert rows("select l.k from l join r on l.k = r.k", l=left, r=right) == []
    found = rows("select l.k, r.k as o from l left join r on l.k = r.k", l=left, r=right)
    assert found == [(1, None), (2, None)]
    assert rows("select l.k from l anti join r on l.k = r.k", l=left, r=right) == [(1,), (2,)]
    assert rows("select r.k from l right join r on l.k = r.k", l=right, r=left) == [(1,), (2,)]


def test_dates_beyond_the_timestamps() -> None:
    t = table({"d": pa.array([0, (1 << 31) - 1], pa.int32()).cast(pa.date32())})
    case = Pipeline("select d::timestamp as x from t", {"t": t})
    found = [answer(case, settings) for settings in (CHECKED, VECTORISED)]
    assert all(isinstance(f, PlaitError) for f in found), found
    assert str(found[0]) == str(found[1])


def test_a_function_below_groups_is_called_once() -> None:
    calls: list[int] = []

    def doubled(rows: pd.DataFrame) -> pd.DataFrame:
        calls.append(len(rows))
        return rows.assign(v=rows.v * 2)

    table = pa.table({"k": [1, 2, 1] * 1000, "v": range(3000)})
    with config.set({"compile.tier": "compiled"}), plait.connect("inline") as session:
        frame = session.from_arrow(table).map_partitions(doubled)
        sums = session.sql("SELECT k, sum(v) AS v FROM t GROUP BY k ORDER BY k", {"t": frame})
        found = sums.to_arrow().to_pydict()
    assert sum(calls) == 3000
    wanted = {1: 0, 2: 0}
    for k, v in zip(table["k"].to_pylist(), range(3000), strict=True):
        wanted[k] += 2 * v
    assert found == {"k": list(wanted), "v": list(wanted.values())}


def test_a_run_is_gone_with_its_last_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[weakref.ref[Any]] = []
    begin = loops.LoopRun.__init__

    def noted(self: Any, *args: Any) -> None:
        runs.append(weakref.ref(self))
        begin(self, *args)

    monkeypatch.setattr(loops.LoopRun, "__init__", noted)
    gc.collect()
    gc.disable()
    try:
        given = table({"k": pa.array([1, 2, 1])})
        assert rows("SELECT k, count(*) FROM t GROUP BY k", t=given) == [(1, 2), (2, 1)]
        assert rows("SELECT k + 1 FROM t WHERE k > 1", t=given) == [(3,)]
        assert len(runs) >= 2
        assert [r() for r in runs] == [None] * len(runs)
    finally:
        gc.enable()


def test_what_has_no_loop_holds_no_rows() -> None:
    """That there is none is kept with the plan: it must not hold the frames that found it out."""
    schema = Schema.of([("k", pa.string())])
    calls = (("x", AggregateCall("max", (Column("k", pa.string()),), pa.string())),)
    groups = GroupRows(schema, ReadStage(schema, (), "part"), (), calls)
    part = loops.LoopPart(schema, [], groups, schema)
    batch = pa.RecordBatch.from_pydict({"k": pa.array(["a"])})
    run = loops.LoopRun(part, {}, 1e9)
    gone = weakref.ref(run)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(NotCompiledError) as caught:
            run.prepare(batch)
        del caught, run
        assert gone() is None
    finally:
        gc.enable()


def test_the_same_loop_made_again_by_another_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks share what they emit: a loop of equal text may come between two equal batches."""
    add = loops.LoopRun.add

    def forgetful(self: loops.LoopRun, batch: pa.RecordBatch) -> None:
        self.part.emitted.clear()
        self.part.last = None
        add(self, batch)

    monkeypatch.setattr(loops.LoopRun, "add", forgetful)
    coded = pa.array(["a", "b", None, "b"]).dictionary_encode()
    batch = {"k": coded, "v": pa.array([1, 2, 3, 4])}
    found = rows("SELECT k, max(k), sum(v) FROM t GROUP BY k", t=table(batch, batch, batch))
    assert set(found) == {("a", "a", 3), ("b", "b", 18), (None, None, 9)}
