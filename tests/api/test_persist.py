"""persist(): what is kept hands back the same rows, types and labels as what it was made of."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait

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
