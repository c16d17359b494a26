"""persist(): what is kept hands back the same rows, types and labels as what it was made of."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import plait
from tests.assertions import assert_same_rows

D = Decimal
TABLE = pa.table(
    {
        "i": pa.array([1, None, -3, 4] * 300, pa.int32()),
        "u": pa.array([0, 1, None, 2**64 - 1] * 300, pa.uint64()),
        "f": [1.5, None, float("nan"), -0.0] * 300,
        "b": [True, None, False, True] * 300,
        "few": ["x", None, "", "yy"] * 300,
        "many": [str(n) for n in range(1200)],
        "never": pa.nulls(1200, pa.string()),
        "bytes": [b"\0", None, b"", b"ab"] * 300,
        "price": pa.array([D("1.50"), None, D("-99.99"), D("0.00")] * 300, pa.decimal128(15, 2)),
        "huge": pa.array([D(10) ** 30, None, D(-1), D(0)] * 300, pa.decimal128(36, 2)),
        "day": [dt.date(2020, 1, 1), None, dt.date(1969, 12, 31), dt.date(1, 1, 1)] * 300,
        "t": pa.array([1, None, -1, 0] * 300, pa.timestamp("ns")),
        "zoned": pa.array([1, None, -1, 0] * 300, pa.timestamp("us", tz="Europe/Berlin")),
        "clock": [dt.time(1, 2, 3), None, dt.time(0), dt.time(23, 59)] * 300,
        "long": pa.array([1, None, -1, 0] * 300, pa.duration("us")),
        "list": [[1, None], None, [], [3]] * 300,
        "pair": [{"a": "x"}, None, {"a": None}, {"a": "y"}] * 300,
    }
)


@pytest.fixture(params=["arrow", "chunks", "parquet"])
def frame(request: pytest.FixtureRequest, tmp_path: Path) -> plait.DataFrame:
    match request.param:
        case "arrow":
            return plait.from_arrow(TABLE)
        case "chunks":
            return plait.from_arrow(pa.Table.from_batches(TABLE.to_batches(100)), npartitions=5)
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=500)
    return plait.read_parquet(str(path))


@pytest.mark.parametrize("rows", ["all", "some", "none"])
def test_arrow_and_pandas_are_as_without(frame: plait.DataFrame, rows: str) -> None:
    match rows:
        case "some":
            frame = frame[frame.i > 0]
        case "none":
            frame = frame[frame.i > 1000]
    kept = frame.persist()
    before, after = frame.to_arrow(), kept.to_arrow()
    assert after.schema.equals(before.schema, check_metadata=True)
    for name in before.column_names:
        assert repr(after[name].to_pylist()) == repr(before[name].to_pylist()), name
    pd.testing.assert_frame_equal(kept.compute(), frame.compute())
    again = kept.persist()
    assert repr(again.to_arrow().to_pylist()) == repr(before.to_pylist())
    assert pa.table(kept).schema.equals(before.schema)


def test_an_index_and_labels_stay() -> None:
    data = pd.DataFrame(
        {"v": [3.0, None, 1.0], ("a", 1): ["x", None, "x"]},
        index=pd.Index([dt.datetime(2020, 1, d) for d in (3, 1, 2)], name="when"),
    )
    kept = plait.from_pandas(data).persist()
    pd.testing.assert_frame_equal(kept.compute(), data, check_dtype=False)
    categories = pd.DataFrame({"c": pd.Categorical(["u", "v", "u", None], categories=["v", "u"])})
    frame = plait.from_pandas(categories)
    pd.testing.assert_frame_equal(frame.persist().compute(), frame.compute())
    pd.testing.assert_series_equal(kept.v.persist().compute(), data.v)


def test_order_stays_over_partitions() -> None:
    rows = 300_000
    numbers = np.random.default_rng(5).permutation(rows)
    kept = plait.from_pandas(pd.DataFrame({"n": numbers, "s": np.where(numbers % 3, "a", "b")}))
    kept = kept[kept.n % 2 == 0].persist()
    found = kept.compute()
    expected = numbers[numbers % 2 == 0]
    assert found.n.tolist() == expected.tolist()
    assert found.s.tolist() == np.where(expected % 3, "a", "b").tolist()
    assert found.index.tolist() == np.flatnonzero(numbers % 2 == 0).tolist()
    assert kept.s.str.upper().value_counts().compute().to_dict() == {
        "A": int((expected % 3 != 0).sum()),
        "B": int((expected % 3 == 0).sum()),
    }


def test_a_table_made_by_sql_is_kept_alike() -> None:
    with plait.connect() as session:
        session.sql("create table t as select 'x' || (i % 2) as s, i from range(5000) r(i)")
        session.sql("create table u as select * from t where i < 0")
        assert session.sql("select s, sum(i) as n from t group by s order by s").to_arrow() \
            .to_pylist() == [{"s": "x0", "n": sum(range(0, 5000, 2))},
                             {"s": "x1", "n": sum(range(1, 5000, 2))}]  # fmt: skip
        assert session.sql("select count(*) as n, max(s) as s from u").to_arrow().to_pylist() == [
            {"n": 0, "s": None}
        ]


QUERIES = [
    "select coalesce(s, 'new') as x, count(*) as n from t group by x",
    "select i, case when i % 3 = 0 then s when i % 3 = 1 then 'other' else r end as x from t",
    "select i, if(i % 2 = 0, s, r) as x, nullif(s, 'v1') as y from t",
    "select s from t union all select r from t union all select 'more'",
    "select s, r from t where i < 400 union select r, s from t where i > 3000",
    "select i % 7 as k, min(s) as a, max(s) as b, count(distinct s) as c, min(r) as d"
    " from t group by k",
    "select i, lag(s, 1, 'none') over (partition by i % 5 order by i) as x,"
    " first_value(s) over (partition by i % 5 order by i) as y,"
    " max(s) over (order by i rows 3 preceding) as z from t",
    "select t.i, u.k from t join u on t.s = u.s where t.i < 1000",
    "select t.i, u.k from t left join u on t.r = u.s and t.s < u.s where t.i < 300",
    "select s, count(*) as n from t where r in (select s from u where k < 9) group by s",
    "select count(*) as n from t where s not in (select s from u where s is not null)",
    "select i, s || r as x, upper(s) as y, length(s) as z, s like '%1%' as w from t",
    "select i, greatest(s, r) as x, least(s, 'v5') as y, s = r as z, s < r as w from t",
    "select distinct on (s) s, i from t order by s, i",
    "select i, try_cast(substr(s, 2) as integer) as x from t",
    "select s, string_agg(r, ',' order by i) as x from t where i < 500 group by s",
    "select s, mode(r) as m, arg_max(s, i) as a from (select * from t where i < 900) group by s",
]


@pytest.mark.parametrize("entries", [126, 127, 128])
@pytest.mark.parametrize("nulls", [False, True], ids=["", "nulls"])
def test_narrow_codes_overflow_nowhere(
    entries: int, nulls: bool, duck: duckdb.DuckDBPyConnection
) -> None:
    """As many different texts as one byte has codes for, and one less and one more."""
    rows = 4000
    codes = np.random.default_rng(entries).permutation(rows) % entries
    missing = (codes == 0) & nulls
    table = pa.table(
        {
            "i": np.arange(rows),
            "s": pa.array([f"v{c}" for c in codes], mask=missing),
            "r": [f"v{(7 * c) % 50 + 100}" for c in codes],
        }
    )
    texts = [*(f"v{c}" for c in range(60, 160)), *([None] if nulls else [])]
    other = pa.table({"s": texts * 9, "k": [n % 20 for n in range(9 * len(texts))]})
    duck.register("t", table)
    duck.register("u", other)
    frames = {"t": plait.from_arrow(table).persist(), "u": plait.from_arrow(other).persist()}
    for sql in QUERIES:
        found = plait.sql(sql, frames).to_arrow()
        assert_same_rows(found, duck.sql(sql).to_arrow_table())


@pytest.mark.parametrize("tier", ["compiled", "vectorised"])
def test_groups_by_texts_of_frames_with_dictionaries_of_their_own(
    duck: duckdb.DuckDBPyConnection, tier: str
) -> None:
    """Codes are taken for texts where a dictionary is known to repeat none."""
    random = np.random.default_rng(7)
    made = {}
    for name, low in (("a", 0), ("b", 300)):
        texts = np.array([f"t{i}" for i in random.permutation(np.arange(low, low + 600))])
        keys = pa.array(texts[random.integers(0, 600, 20_000)])
        keys = pc.if_else(pa.array(random.random(20_000) < 0.01), None, keys)
        made[name] = pa.table({"k": keys, "v": random.integers(0, 9, 20_000)})
        duck.register(name, made[name])
    kept = {name: plait.from_arrow(table).persist() for name, table in made.items()}
    both = "(select * from a union all select * from b)"
    text = f"select k, sum(v) as s, min(k) as m from {both} group by k"
    with plait.config.set({"compile.tier": tier}):
        assert_same_rows(plait.sql(text, tables=kept).persist().to_arrow(), duck.sql(text))
