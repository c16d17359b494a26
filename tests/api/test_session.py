"""SQL and frames together: names, statements, results, settings."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import (
    ConfigError,
    SqlError,
    SqlSyntaxError,
    TableNotFoundError,
    UnsupportedError,
)
from tests.assertions import assert_same_rows

DATA = pd.DataFrame({"k": ["a", "b", "a", None], "x": [1, 2, 3, 4], "y": [1.5, None, 2.5, 0.0]})


@pytest.fixture
def session() -> plait.Session:
    return plait.Session(config={"executor": "inline"})


def rows(frame: plait.DataFrame) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in frame.to_arrow().to_pylist()]


def test_frames_of_every_kind_are_tables(session: plait.Session) -> None:
    lazy = session.from_pandas(DATA)
    tables = {
        "lazy": lazy,
        "filtered": lazy[lazy.x > 1],
        "series": lazy.x,
        "pandas_": DATA,
        "arrow": pa.Table.from_pandas(DATA),
        "batch": pa.RecordBatch.from_pandas(DATA),
        "polars_": pl.from_pandas(DATA),
        "lazyframe": pl.from_pandas(DATA).lazy(),
    }
    for name, table in tables.items():
        count = 3 if name == "filtered" else 4
        (answer,) = rows(session.sql(f"select count(*), sum(x) from {name}", {name: table}))
        assert answer == (count, 9 if count == 3 else 10), name


def test_callers_variables_are_tables() -> None:
    trips = DATA  # noqa: F841
    again = plait.from_pandas(DATA)[lambda d: d.x > 2]  # noqa: F841
    assert rows(plait.sql("select sum(x) from trips")) == [(10,)]
    assert rows(plait.sql("select sum(x) from again")) == [(7,)]
    assert rows(plait.sql("select count(*) from trips join again using (x)")) == [(2,)]

    def inner() -> plait.DataFrame:
        return plait.sql("select max(x) from trips")

    assert rows(inner()) == [(4,)]


def test_given_tables_come_before_the_session_before_variables(session: plait.Session) -> None:
    t = pd.DataFrame({"x": ["variable"]})  # noqa: F841
    assert rows(session.sql("from t")) == [("variable",)]
    session.register("t", pd.DataFrame({"x": ["session"]}))
    assert rows(session.sql("from t")) == [("session",)]
    assert rows(session.sql("from t", {"t": pd.DataFrame({"x": ["given"]})})) == [("given",)]


def test_files_are_tables(session: plait.Session, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pandas(DATA), path)
    DATA.to_csv(tmp_path / "t.csv", index=False)
    session.register("t", path)
    expected = duckdb.sql("select k, x, y from DATA")
    for source in ("t", f"'{path}'", f"read_parquet('{path}')"):
        assert_same_rows(session.sql(f"select k, x, y from {source}").to_arrow(), expected)
    for source in (f"'{tmp_path}/t.csv'", f"read_csv('{tmp_path}/t.csv', delim = ',')"):
        assert_same_rows(session.sql(f"select k, x, y from {source}").to_arrow(), expected)
    with pytest.raises(UnsupportedError, match="read_csv"):
        session.sql(f"from '{tmp_path}/x.unknown/'")


def test_files_in_sql_are_read_as_duckdb_reads_them(session: plait.Session, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,yes,NA,2020-01-02\n2,no,,2021-02-03\n")
    (tmp_path / "t.json").write_text('{"d": "2020-01-02", "s": "x"}\n{"d": "2021-02-03"}\n')
    for source in ("'{}/t.csv'", "read_csv('{}/t.csv', nullstr = 'NA')", "'{}/t.json'"):
        sql = f"from {source.format(tmp_path)}"
        expected = duckdb.sql(sql).to_arrow_table()
        found = session.sql(sql).to_arrow()
        assert_same_rows(found, expected)
        assert [str(t) for t in found.schema.types] == [str(t) for t in expected.schema.types]


def test_sql_over_frames_over_sql_is_one_plan(session: plait.Session) -> None:
    step = session.sql("select k, x * 2 as z from t where x > 1", {"t": DATA})
    step["w"] = step.z + 1
    last = session.sql("select k, sum(w) as w from step group by k order by k")
    assert rows(last) == [("a", 7), ("b", 5), (None, 9)]
    assert str(last.plan).count("Scan") == 1


def test_result_of_sql_is_a_frame(session: plait.Session) -> None:
    frame = session.sql("select k, x from t order by x desc", {"t": DATA})
    expected = DATA.sort_values("x", ascending=False)[["k", "x"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame.compute(), expected)
    assert frame.x.sum().compute() == 10


def test_types_of_results(session: plait.Session) -> None:
    frame = session.sql(
        "select 1::tinyint i8, 2::bigint i64, 1.5::float f32, 2.5::double f64, true b, 'a' s, "
        "date '2020-01-02' d, timestamp '2020-01-02 03:04:05' t, 1.50::decimal(5,2) dec, "
        "time '01:02:03' tm, [1, 2] l, null::integer n"
    )
    types = frame.compute().dtypes.astype(str).to_dict()
    assert types == {
        "i8": "int8",
        "i64": "int64",
        "f32": "float32",
        "f64": "float64",
        "b": "bool",
        "s": "str",
        "d": "datetime64[s]",
        "t": "datetime64[us]",
        "dec": "object",
        "tm": "object",
        "l": "object",
        "n": "float64",
    }
    row = frame.compute().iloc[0]
    assert (row.d, str(row.dec)) == (pd.Timestamp("2020-01-02"), "1.50")


def test_views_and_tables(session: plait.Session) -> None:
    session.register("t", DATA)
    session.sql("create view big as select * from t where x > 2")
    session.sql("create table kept as select count(*) as n from big")
    assert sorted(session.tables()) == ["big", "kept", "t"]
    assert rows(session.sql("show tables")) == [("big",), ("kept",), ("t",)]
    session.register("t", DATA[:0])
    assert rows(session.sql("select n from kept")) == [(2,)]
    assert session.table("kept").n.compute().tolist() == [2]
    with pytest.raises(SqlError, match="OR REPLACE"):
        session.sql("create table kept as select 1")
    session.sql("create or replace table kept as select 1 as one")
    session.sql("create table if not exists kept as select 2 as two")
    assert rows(session.sql("from kept")) == [(1,)]
    session.sql("drop table kept")
    session.sql("drop table if exists kept")
    with pytest.raises(TableNotFoundError):
        session.sql("drop table kept")
    with pytest.raises(SqlError, match="DROP VIEW"):
        session.sql("drop table big")


def test_statements_that_tell(session: plait.Session, tmp_path: Path) -> None:
    session.register("t", DATA)
    described = rows(session.sql("describe t"))
    assert [row[:2] for row in described] == [("k", "VARCHAR"), ("x", "BIGINT"), ("y", "DOUBLE")]
    plan = "\n".join(str(row[0]) for row in rows(session.sql("explain select sum(x) from t")))
    assert "Aggregate" in plan
    assert "sum(x)" in plan
    ran = "\n".join(str(row[0]) for row in rows(session.sql("explain analyze select x from t")))
    assert "4 rows" in ran
    target = tmp_path / "out.parquet"
    (written,) = rows(session.sql(f"copy (select * from t where x > 1) to '{target}'"))
    assert written[1] == 3
    assert pq.read_table(target).num_rows == 3
    session.sql(f"copy t to '{tmp_path / 'out.csv'}' (format csv, delimiter ';')")
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "k;x;y"


def test_several_statements_see_each_other(session: plait.Session) -> None:
    frame = session.sql("create view v as select 1 as one; select one + 1 as two from v")
    assert rows(frame) == [(2,)]


def test_parameters(session: plait.Session) -> None:
    tables = {"t": DATA}
    assert rows(session.sql("select sum(x) from t where x > ?", tables, [2])) == [(7,)]
    assert rows(session.sql("select sum(x) from t where x > $n", tables, {"n": 3})) == [(4,)]


def test_mistakes_show_where(session: plait.Session) -> None:
    session.register("t", DATA)
    with pytest.raises(KeyError, match="'x'") as caught:
        session.sql("select k,\n xx from t")
    assert "^^" in str(caught.value)
    with pytest.raises(SqlSyntaxError, match=r"\^"):
        session.sql("select (1 from t")
    with pytest.raises(LookupError, match="'t'"):
        session.sql("select * from tt")
    with pytest.raises(SqlError, match="no statement"):
        session.sql("  -- nothing")
    with pytest.raises(TypeError, match="no table"):
        session.register("n", 42)
    with pytest.raises(SqlError, match="dialect"):
        session.sql("select 1", dialect="klingon")


def test_other_dialects(session: plait.Session) -> None:
    assert rows(session.sql("select `x` from t limit 1", {"t": DATA}, dialect="spark")) == [(1,)]


def test_connect() -> None:
    with plait.connect("inline") as session:
        assert rows(session.sql("select 42")) == [(42,)]
    with plait.connect("threads", threads=1, partition__bytes="1MiB") as session:
        assert session.executor.workers == 1
        assert session.config.get("partition.bytes") == 2**20
    for url in ("tcp://localhost:x", "tls://", "tcp://localhost?tokn=x"):
        with pytest.raises(ConfigError, match=r"address|host|port"):
            plait.connect(url)
    with pytest.raises(ConfigError, match="threads"):
        plait.connect("cloud")
    with pytest.raises(ConfigError, match="'threads'"):
        plait.connect("threads", thread=2)
    with pytest.raises(ConfigError, match="in a int"):
        plait.connect(8786)


def test_connect_to_clusters_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setattr("plait.foreign.find_spec", lambda name: None)
        for url, extra in (("dask://host:8786", "dask"), ("ray://auto", "ray")):
            with pytest.raises(UnsupportedError, match=rf"plait\[{extra}\]"):
                plait.connect(url)
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match="names no cluster"):
        plait.connect("dask://")


def test_readers_of_a_session(session: plait.Session, tmp_path: Path) -> None:
    DATA.to_parquet(tmp_path / "t.parquet", index=False)
    DATA.to_csv(tmp_path / "t.csv", index=False)
    DATA.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for frame in (
        session.read_parquet(tmp_path / "t.parquet"),
        session.read_csv(tmp_path / "t.csv"),
        session.read_json(tmp_path / "t.jsonl"),
        session.from_arrow(pa.Table.from_pandas(DATA)),
    ):
        pd.testing.assert_frame_equal(frame.compute(), DATA)
    chosen = session.read_parquet(tmp_path / "t.parquet", columns=["x"])
    assert chosen.columns.tolist() == ["x"]
    indexed = session.read_csv(tmp_path / "t.csv", index_col="x")
    pd.testing.assert_frame_equal(indexed.compute(), DATA.set_index("x")[["k", "y"]])


def test_writers(session: plait.Session, tmp_path: Path) -> None:
    frame = session.from_pandas(DATA, npartitions=2)
    frame.to_parquet(tmp_path / "one.parquet")
    frame.to_parquet(tmp_path / "many")
    frame.to_csv(tmp_path / "one.csv")
    frame.to_json(tmp_path / "one.jsonl")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), DATA)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "one.csv"), DATA)
    pd.testing.assert_frame_equal(pd.read_json(tmp_path / "one.jsonl", lines=True), DATA)
    back = session.read_parquet(tmp_path / "many").sort_values("x", ignore_index=True)
    pd.testing.assert_frame_equal(back.compute(), DATA)


def test_nan_of_files_is_missing(session: plait.Session, tmp_path: Path) -> None:
    values = pa.array([1.0, float("nan"), None, 4.0])
    pq.write_table(pa.table({"y": values}), tmp_path / "n.parquet")
    frame = session.read_parquet(tmp_path / "n.parquet")
    expected = pd.read_parquet(tmp_path / "n.parquet")
    assert frame.y.mean().compute() == expected.y.mean()
    assert frame.y.count().compute() == expected.y.count()
    assert (frame.y > 2).compute().tolist() == (expected.y > 2).tolist()
    assert frame.dropna().shape == (2, 1)
    # SQL keeps them apart
    (row,) = rows(session.sql(f"select count(y) from '{tmp_path}/n.parquet'"))
    assert row == (3,)


def test_persist_and_interchange(session: plait.Session) -> None:
    frame = session.from_pandas(DATA)
    kept = frame[frame.x > 1].persist()
    assert kept.x.sum().compute() == 9
    assert kept.index.compute().tolist() == [1, 2, 3]
    assert "Filter" not in str(kept.plan)
    assert pl.DataFrame(frame).shape == (4, 3)
    assert pa.table(frame).num_rows == 4


def test_progress_of_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def slow(rows: pd.DataFrame) -> pd.DataFrame:
        time.sleep(1.2)
        return rows

    monkeypatch.setenv("TERM", "xterm")
    shown = {}
    for setting, stream in [("auto", Terminal()), ("auto", io.StringIO()), ("off", Terminal()),
                            ("on", io.StringIO())]:  # fmt: skip
        monkeypatch.setattr(sys, "stderr", stream)
        with plait.connect("threads", threads=1) as session, plait.config.set(progress=setting):
            frame = session.from_pandas(pd.DataFrame({"n": [1]}))
            frame.map_partitions(slow).compute()
        shown[setting, stream.isatty()] = stream.getvalue()
    assert shown["auto", False] == shown["off", True] == ""
    for text in (shown["auto", True], shown["on", False]):
        assert "0:01" in text
        assert text.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    "query",
    [
        "select " + "(" * 300 + "x" + ")" * 300 + " as x from t",
        "select " + "abs(" * 200 + "x" + ")" * 200 + " as x from t",
        "select " + " + ".join(["x"] * 500) + " as x from t",
        "select x from (" * 500 + "select x from t" + ")" * 500,
        "select x from t where " + "(x > 0 or (x > 1 and " * 150 + "true" + "))" * 150,
    ],
    ids=["parentheses", "calls", "sums", "subqueries", "conditions"],
)
def test_text_that_a_program_wrote_may_be_deep(query: str) -> None:
    t = pa.table({"x": pa.array([1.5, 2.5])})
    expected = duckdb.query(query).to_arrow_table()
    assert_same_rows(plait.sql(query, tables={"t": t}).to_arrow(), expected)


def test_what_is_too_deep_is_said() -> None:
    frame = plait.from_arrow(pa.table({"x": [1]}))
    column = frame.x
    for _ in range(20_000):
        column = column + 1
    with pytest.raises(plait.PlaitError, match=r"too deeply.*persist"):
        column.compute()
