"""Sorts, windows, duplicates and row numbers over partitions, against DuckDB and pandas.

Every question is asked of the same rows in one partition and in seven, with limits so low that
the seven exchange rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import plait
from plait.planner.physical.planner import Settings
from plait.runner import Runner
from tests.assertions import assert_same_rows

ROWS = 3000
Frame = Any


def _table(rows: int) -> pa.Table:
    random = np.random.default_rng(5)
    words = np.array([f"word {i % 41} {'x' * (i % 13)}" for i in range(rows)])
    return pa.table(
        {
            "id": np.arange(rows),
            "few": pa.array(random.integers(0, 5, rows), mask=random.random(rows) < 0.1),
            "many": random.integers(0, rows // 2, rows),
            "f": pa.array(random.standard_normal(rows).round(2), mask=random.random(rows) < 0.05),
            "s": pa.array(words, mask=random.random(rows) < 0.1),
            "coded": pa.array(words[random.permutation(rows) % 7]).dictionary_encode(),
            "dec": pa.array([Decimal(int(i) % 977) / 4 for i in random.integers(0, 9999, rows)]),
            "same": np.ones(rows, np.int64),
        }
    )


TABLE = _table(ROWS)


@pytest.fixture(params=[1, 7])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    known = Runner.settings.fget
    assert known is not None

    def low(runner: Runner) -> Settings:
        return replace(known(runner), workers=3, gather_rows=50, gather_groups=50)

    monkeypatch.setattr(Runner, "settings", property(low))
    return int(request.param)


def frame_of(table: pa.Table, pieces: int) -> Frame:
    return plait.from_arrow(table, npartitions=pieces)


ORDERS = [
    "many",
    "many desc",
    "few nulls first, f desc",
    "f desc nulls last",
    "f asc",
    "s desc nulls first, many",
    "coded desc, few nulls last",
    "dec, s nulls first",
    "same",
    "same desc, same",
    "few + many, -f",
]


@pytest.mark.parametrize("order", ORDERS)
def test_orders_are_duckdbs(order: str, pieces: int, duck: duckdb.DuckDBPyConnection) -> None:
    frame = frame_of(TABLE, pieces)
    asked = plait.sql(f"select * from frame order by {order}", {"frame": frame})
    assert ("CutRanges" in asked.explain("stages")) == (pieces > 1)
    duck.register("t", TABLE)
    # equal rows keep their order, which DuckDB does not promise: it is told the row's number
    known = duck.sql(f"select id from t order by {order}, id").to_arrow_table()
    assert asked.to_arrow()["id"].to_pylist() == known["id"].to_pylist()


@pytest.mark.parametrize(("count", "offset"), [(5, 0), (200, 30), (ROWS, 2900), (0, 10)])
def test_limits_of_an_order(
    count: int, offset: int, pieces: int, duck: duckdb.DuckDBPyConnection
) -> None:
    frame = frame_of(TABLE, pieces)
    sql = f"select id, f from t order by few, id desc limit {count} offset {offset}"
    duck.register("t", TABLE)
    assert_same_rows(plait.sql(sql, {"t": frame}).to_arrow(), duck.sql(sql).to_arrow_table())


def test_orders_of_no_rows(pieces: int) -> None:
    none = plait.sql("select * from t where many < 0 order by f", {"t": frame_of(TABLE, pieces)})
    assert none.to_arrow().num_rows == 0


WINDOWS = [
    "row_number() over (partition by few order by f, id)",
    "sum(dec) over (partition by many)",
    "avg(many) over (partition by coded, few order by id rows 3 preceding)",
    "lag(s, 2) over (partition by coded order by id)",
    "count(*) over ()",
    "row_number() over (order by many, id desc)",
    "sum(many) over (order by id)",
    "max(s) over (partition by few order by many range between 5 preceding and current row)",
    "count(distinct few) over (partition by coded)",
    "sum(many) filter (where few > 2) over (partition by s)",
    "first_value(id) over (partition by f order by id)",
    "rank() over (partition by [few, same] order by many)",
    "count(*) over (partition by to_days(30 * few::int) order by id)",
]


@pytest.mark.parametrize("call", WINDOWS)
def test_windows_are_duckdbs(call: str, pieces: int, duck: duckdb.DuckDBPyConnection) -> None:
    _check_windows([call], pieces, duck)


def test_windows_of_many_shapes_at_once(pieces: int, duck: duckdb.DuckDBPyConnection) -> None:
    _check_windows(WINDOWS, pieces, duck)


def _check_windows(calls: list[str], pieces: int, duck: duckdb.DuckDBPyConnection) -> None:
    frame = frame_of(TABLE, pieces)
    listed = ", ".join(f"{call} as w{i}" for i, call in enumerate(calls))
    mine = plait.sql(f"select *, {listed} from t", {"t": frame})
    duck.register("t", TABLE)
    theirs = duck.sql(f"select *, {listed} from t order by id").to_arrow_table()
    answer = mine.to_arrow()
    assert answer["id"].to_pylist() == list(range(ROWS))  # rows stay where they are
    assert_same_rows(answer, theirs)


def test_rows_after_a_window_go_on_in_partitions(
    pieces: int, duck: duckdb.DuckDBPyConnection
) -> None:
    sql = (
        "select coded, count(*) n, sum(rn) total from (select *, row_number() over "
        "(partition by many order by id) rn from t) where rn < 3 group by coded"
    )
    duck.register("t", TABLE)
    mine = plait.sql(sql, {"t": frame_of(TABLE, pieces)})
    assert_same_rows(mine.to_arrow(), duck.sql(sql).to_arrow_table())


@pytest.mark.parametrize(
    "columns", ["many", "s, few", "f", "coded", "*", "dec, few", "[few, same]"]
)
def test_distinct_is_duckdbs(columns: str, pieces: int, duck: duckdb.DuckDBPyConnection) -> None:
    sql = f"select distinct {columns} from t"
    duck.register("t", TABLE)
    mine = plait.sql(sql, {"t": frame_of(TABLE, pieces)}).to_arrow()
    assert_same_rows(mine, duck.sql(sql).to_arrow_table())


FRAMES: list[Callable[[Any], Any]] = [
    lambda f: f.drop_duplicates(["few", "s"]),
    lambda f: f.drop_duplicates("many", keep="last"),
    lambda f: f.drop_duplicates(["many"], keep=False),
    lambda f: f[["many", "few"]].drop_duplicates(),
    lambda f: f.assign(c=f.many.cumsum()),
    lambda f: f.assign(c=f.groupby("s").many.cumsum(), r=f.groupby("coded").many.rank()),
    lambda f: f.assign(m=f.groupby("many").id.transform("mean")),
    lambda f: f.assign(p=f.many.shift(1)),
    lambda f: f.sort_values("few"),
    lambda f: f.sort_values(["coded", "f"], ascending=[False, True]),
    lambda f: f.sort_values("same").tail(7),
    lambda f: f.reset_index().tail(10),
    lambda f: f.reset_index().head(10),
    lambda f: f[f.many > 100].drop_duplicates("few").sort_values("many", ascending=False),
]


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_frames_are_as_in_pandas(number: int, pieces: int) -> None:
    """Rows stand as in pandas, equal ones of a stable sort too."""
    columns = ["id", "few", "many", "f", "s", "coded", "same"]
    plain = TABLE.select(columns).to_pandas()
    plain["coded"] = plain["coded"].astype(str)
    mine = FRAMES[number](frame_of(pa.Table.from_pandas(plain, preserve_index=False), pieces))
    theirs = FRAMES[number](_Stable(plain))
    assert _values(mine.compute()) == _values(theirs)


class _Stable(pd.DataFrame):
    """A pandas frame whose sorts keep equal rows in order."""

    @property
    def _constructor(self) -> type[_Stable]:
        return _Stable

    def sort_values(self, *args: Any, **options: Any) -> Any:
        return super().sort_values(*args, kind="stable", **options)


def _values(frame: pd.DataFrame) -> list[list[object]]:
    rows = frame.astype(object).to_numpy().tolist()
    return [[None if v is None or v != v else _plain(v) for v in row] for row in rows]


def _plain(value: object) -> object:
    return round(float(value), 9) if isinstance(value, int | float) else value
