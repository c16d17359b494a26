"""Repeated queries skip planning, and are never answered by what was planned for another."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait import runner, statements
from plait.engine import prepared
from plait.errors import ReadError, TableNotFoundError
from plait.plan_cache import PlanCache
from plait.session import default_session
from tests.assertions import assert_same_rows

TABLE = pa.table({"k": [1, 2, 1, 3], "x": [1.5, 2.5, 3.5, 4.5], "s": ["a", "b", "a", None]})
TEXT = "select k, sum(x) as x from t where k < 3 group by k order by k"
ANSWER = [(1, 5.0), (2, 2.5)]


class Planned:
    """How often texts were parsed, plans optimised and steps planned."""

    def __init__(self) -> None:
        self.parsed = self.optimized = self.steps = 0

    @property
    def all(self) -> tuple[int, int, int]:
        return self.parsed, self.optimized, self.steps


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Planned:
    found = Planned()

    def counted(module: Any, name: str, attribute: str) -> None:
        original = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            setattr(found, attribute, getattr(found, attribute) + 1)
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    counted(statements, "parse", "parsed")
    counted(runner, "optimize", "optimized")
    counted(prepared, "plan_step", "steps")
    return found


@pytest.fixture
def session() -> Iterator[plait.Session]:
    with plait.connect("threads", threads=2) as made:
        yield made


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in frame.to_arrow().to_pylist()]


def test_an_equal_text_is_planned_once(session: plait.Session, planned: Planned) -> None:
    session.register("t", TABLE)
    assert rows(session.sql(TEXT)) == ANSWER
    before = planned.all
    assert before == (1, 1, before[2])
    for _ in range(3):
        assert rows(session.sql(TEXT)) == ANSWER
        assert [tuple(r) for r in session.sql(TEXT).to_pandas().itertuples(index=False)] == ANSWER
    # to_pandas asks for the same columns
    assert planned.all == before


def test_equal_frames_are_planned_once(session: plait.Session, planned: Planned) -> None:
    frame = session.from_arrow(TABLE)

    def asked() -> Any:
        chosen = frame[frame.k < 3]
        return chosen.groupby("k").x.sum().compute().to_dict()

    assert asked() == dict(ANSWER)
    before = planned.all
    assert asked() == dict(ANSWER)
    assert planned.all == before
    assert frame[frame.k < 2].x.sum().compute() == 5.0
    assert planned.optimized == before[1] + 1


def test_equal_frames_of_a_file_opened_twice(tmp_path: Path, planned: Planned) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    for _ in range(2):
        assert plait.read_parquet(tmp_path / "t.parquet").x.sum().compute() == 12.0
    assert planned.optimized == 1


def test_a_hit_runs_the_same_fragments(session: plait.Session) -> None:
    session.register("t", TABLE)

    def root() -> object:
        found = session.runner._prepare(session.sql(TEXT)._frame.rows_only)
        (group, *_) = found.step(0, {}, 0).groups.values()
        return group.function.root

    assert root() is root()


def test_joins_of_several_steps(tpch_dir: Path, planned: Planned, session: plait.Session) -> None:
    text = """select o_orderpriority, count(*) as n, sum(l_quantity) as q from lineitem
        join orders on l_orderkey = o_orderkey join customer on o_custkey = c_custkey
        where c_mktsegment = 'BUILDING' group by 1 order by 1"""
    tables = {
        n: session.read_parquet(tpch_dir / f"{n}.parquet")
        for n in ("lineitem", "orders", "customer")
    }
    for name in tables:
        duckdb.sql(
            f"create or replace view {name} as from '{(tpch_dir / name).as_posix()}.parquet'"
        )
    expected = duckdb.sql(text).to_arrow_table()
    assert_same_rows(session.sql(text, tables).to_arrow(), expected, ordered=True)
    before = planned.all
    assert_same_rows(session.sql(text, tables).to_arrow(), expected, ordered=True)
    assert planned.all == before


def test_limits_in_waves(session: plait.Session, planned: Planned) -> None:
    frame = session.from_arrow(pa.table({"x": list(range(1000))}), npartitions=50)
    expected = list(range(300, 310))
    for _ in range(3):
        found = frame[frame.x >= 300].head(10)
        assert found["x"].tolist() == expected
    assert planned.optimized == 1


# ------------------------------------------------------------------------------- what names mean


def test_a_variable_bound_anew(session: plait.Session) -> None:
    t = TABLE
    assert rows(session.sql(TEXT)) == ANSWER
    t = TABLE.slice(0, 2)
    assert rows(session.sql(TEXT)) == [(1, 1.5), (2, 2.5)]
    t = session.from_arrow(TABLE.slice(2))
    assert rows(session.sql(TEXT)) == [(1, 3.5)]
    t = t[t.x > 100]
    assert rows(session.sql(TEXT)) == []
    del t


def test_other_callers_have_other_variables(session: plait.Session) -> None:
    def first() -> Any:
        t = TABLE  # noqa: F841
        return session.sql(TEXT)

    def second() -> Any:
        t = TABLE.slice(1)  # noqa: F841
        return session.sql(TEXT)

    assert rows(first()) == ANSWER
    assert rows(second()) == [(1, 3.5), (2, 2.5)]
    assert rows(first()) == ANSWER
    with pytest.raises(TableNotFoundError):
        session.sql(TEXT)


def test_a_pandas_frame_changed_in_place(session: plait.Session) -> None:
    t = pd.DataFrame({"k": [1, 2], "x": [1.0, 2.0]})
    assert rows(session.sql(TEXT)) == [(1, 1.0), (2, 2.0)]
    t.loc[0, "x"] = 7.0
    assert rows(session.sql(TEXT)) == [(1, 7.0), (2, 2.0)]
    t["k"] = 5
    assert rows(session.sql(TEXT)) == []


def test_arrow_variables_are_taken_in_once(session: plait.Session, planned: Planned) -> None:
    t = TABLE  # noqa: F841
    for _ in range(3):
        assert rows(session.sql(TEXT)) == ANSWER
    assert planned.all == (1, 1, planned.steps)


def test_tables_given(session: plait.Session) -> None:
    assert rows(session.sql(TEXT, {"t": TABLE})) == ANSWER
    assert rows(session.sql(TEXT, {"t": TABLE.slice(1)})) == [(1, 3.5), (2, 2.5)]
    assert rows(session.sql(TEXT, {"T": TABLE})) == ANSWER
    with pytest.raises(TableNotFoundError):
        session.sql(TEXT, {"u": TABLE})


def test_a_text_over_two_tables_in_turn(session: plait.Session, planned: Planned) -> None:
    frames = [session.from_arrow(TABLE), session.from_arrow(TABLE.slice(1))]
    for _ in range(3):
        assert rows(session.sql(TEXT, {"t": frames[0]})) == ANSWER
        assert rows(session.sql(TEXT, {"t": frames[1]})) == [(1, 3.5), (2, 2.5)]
    assert planned.optimized == 2


def test_the_catalog_changed(session: plait.Session) -> None:
    session.register("t", TABLE)
    session.register("u", TABLE.slice(1))
    session.sql("create view v as select * from t")
    text = TEXT.replace("from t", "from v")
    assert rows(session.sql(TEXT)) == rows(session.sql(text)) == ANSWER
    session.register("t", TABLE.slice(1))
    assert rows(session.sql(TEXT)) == [(1, 3.5), (2, 2.5)]
    assert rows(session.sql(text)) == ANSWER  # the view is of the table that was
    session.sql("create or replace view v as select * from u where k = 2")
    assert rows(session.sql(text)) == [(2, 2.5)]
    session.drop("t")
    with pytest.raises(TableNotFoundError):
        session.sql(TEXT)
    t = TABLE  # noqa: F841
    assert rows(session.sql(TEXT)) == ANSWER
    session.register("t", TABLE.slice(1))  # comes before variables
    assert rows(session.sql(TEXT)) == [(1, 3.5), (2, 2.5)]


def test_a_table_that_hides_a_file(session: plait.Session, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path)
    text = f'select count(*) from "{path}"'
    assert rows(session.sql(text)) == [(4,)]
    session.register(str(path), TABLE.slice(3))
    assert rows(session.sql(text)) == [(1,)]


def test_statements_are_carried_out_each_time(session: plait.Session, tmp_path: Path) -> None:
    session.register("t", TABLE)
    for number in range(2):
        text = f"copy (select * from t) to '{tmp_path}/out.csv'"
        session.sql(text).compute()
        assert (tmp_path / "out.csv").exists(), number
        (tmp_path / "out.csv").unlink()
        session.sql("create table made as select 1 as a; select * from made").compute()
        session.sql("drop table made")
        assert session.tables() == ["t"]
    assert rows(session.sql("show tables")) == [("t",)]
    session.register("u", TABLE)
    assert rows(session.sql("show tables")) == [("t",), ("u",)]


# --------------------------------------------------------------------------------- what is asked


def test_parameters(session: plait.Session, planned: Planned) -> None:
    text = "select ? as a, typeof(?) as b"
    asked = [[1, 1], [True, True], [1.0, 1.0], ["1", "1"], [None, None], [-0.0, 2]]
    for given in [*asked, *asked]:
        expected = duckdb.execute(text, given).fetchall()
        found = rows(session.sql(text, params=given))
        assert repr(found[0][0]) == repr(given[0])
        assert [r[1:] for r in found] == [r[1:] for r in expected]
    assert planned.parsed == len(asked)
    named = "select $a - $b as d"
    assert rows(session.sql(named, params={"a": 3, "b": 1})) == [(2,)]
    assert rows(session.sql(named, params={"b": 3, "a": 1})) == [(-2,)]
    assert rows(session.sql("select len($1) as n", params=[[1, 2]])) == [(2,)]
    assert rows(session.sql("select len($1) as n", params=[[1, 2, 3]])) == [(3,)]


def test_dialects(session: plait.Session) -> None:
    text = "select x[1] as a, x[0] as b from t"
    session.register("t", pa.table({"x": [[1, 2]]}))
    for _ in range(2):
        assert rows(session.sql(text)) == [(1, None)]
        assert rows(session.sql(text, dialect="spark")) == [(2, 1)]


def test_what_changes_by_itself(session: plait.Session) -> None:
    text = "select random() as r, uuid() as u, now() as n, epoch_us(now()) as e"
    first, second = rows(session.sql(text))[0], rows(session.sql(text))[0]
    for before, after in zip(first, second, strict=True):
        assert before != after
    frame = session.sql("select now() as n")  # a frame is a query each time that it is run
    assert rows(frame) != rows(frame)


def test_the_day_changes(session: plait.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from plait.engine.kernels import temporal

    session.register(
        "t", pa.table({"d": [datetime(2030, 1, 1).date(), datetime(2030, 1, 2).date()]})
    )
    for day in (1, 2):
        monkeypatch.setattr(
            temporal, "_utc", lambda day=day: datetime(2030, 1, day, 12, tzinfo=UTC)
        )
        found = rows(session.sql("select d from t where d = current_date"))
        assert found == [(datetime(2030, 1, day).date(),)]


def test_python_functions_are_called_each_time(session: plait.Session, planned: Planned) -> None:
    frame, seen = session.from_arrow(TABLE), []

    def function(rows: pd.DataFrame) -> pd.DataFrame:
        seen.append(len(rows))
        return rows.assign(x=rows.x + len(seen))

    for number in (1, 2):
        found = frame.map_partitions(function).compute()
        assert found.x.tolist() == [x + number for x in (1.5, 2.5, 3.5, 4.5)]
    assert planned.optimized == 2
    assert len(session.runner.plans) == 0


# ---------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_a_file_replaced(session: plait.Session, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    text = f"select sum(x) as x, count(*) as n from '{path}'"
    for numbers in ([1, 2, 3], [1, 2, 4], [1, 2, 3, 5]):
        frame = pd.DataFrame({"x": numbers})
        match kind:
            case "parquet":
                frame.to_parquet(path)
            case "csv":
                frame.to_csv(path, index=False)
            case _:
                frame.to_json(path, orient="records", lines=True)
        for _ in range(2):
            assert rows(session.sql(text)) == [(sum(numbers), len(numbers))]


def test_a_file_with_other_columns(session: plait.Session, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x\n1\n2\n")
    text = f"select * from '{path}'"
    assert rows(session.sql(text)) == [(1,), (2,)]
    path.write_text("x,y\n1,a\n")
    assert rows(session.sql(text)) == [(1, "a")]


def test_files_added(session: plait.Session, tmp_path: Path, planned: Planned) -> None:
    for number in range(3):
        pq.write_table(TABLE, tmp_path / f"{number}.parquet")
        for _ in range(2):
            found = rows(session.sql(f"select count(*), sum(x) from '{tmp_path}/*.parquet'"))
            assert found == [(4 * (number + 1), 12.0 * (number + 1))]
    assert planned.optimized == 3


def test_equal_files_read_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(TABLE, "t.parquet")
    Path("t.csv").write_text("a;b\n1,5;x\n")
    long, short = str(tmp_path / "t.parquet"), "t.parquet"
    for path in (long, short, long):
        found = plait.read_parquet(path, filename=True).drop_duplicates("filename").compute()
        assert found["filename"].tolist() == [path]
    with pytest.raises(ReadError):
        plait.read_csv("t.csv").compute()
    assert plait.read_csv("t.csv", sep=";").compute()["a"].tolist() == ["1,5"]
    assert plait.read_csv("t.csv", sep=";", decimal=",").compute()["a"].tolist() == [1.5]
    assert plait.read_csv("t.csv", sep=";", dtype=str).compute()["b"].tolist() == ["x"]


def test_settings_changed(tmp_path: Path) -> None:
    rows_a_group = 1000
    table = pa.table({"x": list(range(20 * rows_a_group))})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows_a_group)
    text = f"select x from '{tmp_path}/t.parquet' where x >= 0"

    def partitions() -> int:
        frame = plait.sql(text)
        assert len(frame.to_arrow()) == 20 * rows_a_group
        (group, *_) = (
            default_session().runner._prepare(frame._frame.rows_only).step(0, {}, 0).step.stages
        )
        return int(group.partitions)

    before = partitions()
    with plait.config.set({"partition.bytes": 8 * rows_a_group}):
        assert partitions() > before
    assert partitions() == before


def test_rules_left_out() -> None:
    text = "select k from t where k < 2"
    for disabled in ([], ["push_down_filter"]):
        with plait.Session(config={"optimizer.disabled": disabled}) as session:
            session.register("t", TABLE)
            assert rows(session.sql(text)) == [(1,), (1,)]


# --------------------------------------------------------------------------------------- bounds


def test_switched_off(planned: Planned) -> None:
    with plait.Session(config={"plan_cache.plans": 0}) as session:
        session.register("t", TABLE)
        for _ in range(3):
            assert rows(session.sql(TEXT)) == ANSWER
        assert planned.parsed == planned.optimized == 3
        assert len(session.texts) == len(session.runner.plans) == 0


def test_so_many_are_kept() -> None:
    with plait.Session(config={"plan_cache.plans": 3}) as session:
        session.register("t", TABLE)
        for number in range(10):
            found = rows(session.sql(f"select count(*) from t where k > {number % 5}"))
            assert found == [(sum(k > number % 5 for k in (1, 2, 1, 3)),)]
            assert len(session.texts) <= 3
            assert len(session.runner.plans) <= 3


def test_the_one_used_longest_ago_goes_first() -> None:
    kept: PlanCache[str, int] = PlanCache(lambda: 2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]
    kept.put("a", 4)
    assert kept.get("a") == 4
    assert len(kept) == 2
    kept.clear()
    assert kept.get("a") is None


class Thing:
    """Something to be tied to."""


def test_values_go_with_what_they_are_tied_to() -> None:
    kept: PlanCache[str, Thing] = PlanCache(lambda: 10)
    first, second, value = Thing(), Thing(), Thing()
    gone = weakref.ref(value)
    kept.put("both", value, [first, second])
    kept.put("one", Thing(), [second])
    del value
    assert kept.get("both") is gone()
    del first
    assert gone() is None
    assert kept.get("both") is None
    assert kept.get("one") is not None
    kept.put("one", Thing(), [])  # no longer tied
    del second
    assert kept.get("one") is not None


def test_a_chain_of_ties_goes_at_once() -> None:
    kept: PlanCache[int, Thing] = PlanCache(lambda: 1000)
    things = [Thing() for _ in range(200)]
    for number in range(199):
        kept.put(number, things[number + 1], [things[number]])
    first, last = things[0], weakref.ref(things[-1])
    del things
    assert len(kept) == 199
    del first
    assert len(kept) == 0
    assert last() is None


@pytest.mark.parametrize("how", ["variable", "registered", "frames", "pandas", "persisted"])
def test_no_table_is_kept_for_a_plan(how: str) -> None:
    with plait.connect("threads", threads=2) as session:
        gc.collect()
        before = pa.total_allocated_bytes()
        table = pa.table({"k": pa.array(range(200_000)), "x": pa.array(range(200_000))})
        assert pa.total_allocated_bytes() - before > 3_000_000
        text = "select k % 7 as k, sum(x) as x from t group by 1 order by 1"
        match how:
            case "variable":
                for _ in range(2):
                    session.execute(text, {"t": table})
            case "registered":
                session.register("t", table)
                for _ in range(2):
                    session.sql(text).to_arrow()
                session.drop("t")
            case "frames":
                frame = session.from_arrow(table)
                for _ in range(2):
                    frame.groupby("k").x.sum().compute()
                del frame
            case "pandas":
                frame = session.from_pandas(table.to_pandas())
                for _ in range(2):
                    session.sql(text, {"t": frame}).to_arrow()
                del frame
            case "persisted":
                frame = session.from_arrow(table).persist()
                for _ in range(2):
                    session.sql(text, {"t": frame}).to_arrow()
                del frame
        del table
        gc.collect()
        assert pa.total_allocated_bytes() - before < 1_000_000
        assert len(session.texts) == len(session.runner.plans) == 0


def test_results_outlive_their_tables(session: plait.Session) -> None:
    result = session.sql(TEXT, {"t": session.from_arrow(TABLE)})
    again = session.sql(TEXT, {"t": session.from_arrow(TABLE)})
    gc.collect()
    for _ in range(2):
        assert rows(result) == rows(again) == ANSWER


def test_many_threads_ask_the_same(session: plait.Session) -> None:
    session.register("t", TABLE)
    texts = [TEXT, "select count(*) from t", "select max(x) from t where k = 1"]
    expected = [ANSWER, [(4,)], [(3.5,)]]
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(10):
            which = (number + turn) % 3
            found = rows(session.sql(texts[which]))
            if found != expected[which]:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_plans_are_not_looked_up_by_a_hash_alone(session: plait.Session) -> None:
    # 1 and 1.0 and True have one hash
    frame = session.from_arrow(TABLE)
    found = [(frame.k + v).compute().tolist() for v in (1, 1.0, True)]
    assert [type(values[0]) for values in found] == [int, float, int]


def test_text_too_deep_to_look_through(session: plait.Session) -> None:
    text = "select " + " + ".join(["1"] * 3000) + " as n"
    for _ in range(2):
        assert rows(session.sql(text)) == [(3000,)]
