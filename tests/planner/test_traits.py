"""Traits of trees: tables, Python, the clock; also within subqueries."""

from __future__ import annotations

import pyarrow as pa
import pytest

from plait.io.memory import ArrowSource
from plait.planner import builder as b
from plait.planner.catalog import MemoryCatalog
from plait.planner.sql.statements import bind_query_text
from plait.planner.traits import Traits, traits

T, U = (ArrowSource(pa.table({c: [1, 2]}), name=n) for c, n in (("a", "t"), ("b", "u")))
CATALOG = MemoryCatalog({"t": b.scan(T), "u": b.scan(U)})


@pytest.mark.parametrize(
    ("text", "sources", "clock"),
    [
        ("select 1", [], False),
        ("select a + 1 from t", [T], False),
        ("select * from t, u, t as v", [T, U, T], False),
        ("select a from t where a in (select b from u)", [T, U], False),
        ("select (select max(b) from u where b < a) from t", [T, U], False),
        ("select now()", [], True),
        ("select a from t where a = (select extract(day from current_date))", [T], True),
        ("select sum(case when now() > '2020-01-01' then a end) from t", [T], True),
        ("select random(), uuid() from t", [T], False),
    ],
)
def test_traits_of_queries(text: str, sources: list[ArrowSource], clock: bool) -> None:
    found = traits(bind_query_text(text, CATALOG))
    assert sorted(s.identity for s in found.sources) == sorted(s.identity for s in sources)
    assert (found.effects, found.clock) == (False, clock)


def test_python_and_files_are_effects() -> None:
    plan = b.scan(T)
    assert traits(plan) == Traits((T,))
    assert traits(b.map_partitions(plan, lambda f: f, plan.schema, key="f")).effects
    assert traits(b.write(plan, "folder", "parquet", {})).effects
