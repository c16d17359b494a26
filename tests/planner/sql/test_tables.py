"""The tables and files that a text names."""

from __future__ import annotations

import pytest

from plait.planner.sql.parser import parse
from plait.planner.sql.tables import table_names


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from a, b join c on true", ["a", "b", "c"]),
        ("select (select max(x) from d) from a where y in (select z from b)", ["d", "a", "b"]),
        ("with c as (select * from a) select * from c, b", ["a", "b"]),
        ("with a as (select * from a) select * from a", ["a"]),
        ("with c as (select 1), d as (select * from c, e) select * from d", ["e"]),
        ("select * from (with c as (select * from x) select * from c) y, c", ["x", "c"]),
        ("select * from a union select * from b", ["a", "b"]),
        ("create view v as select * from a", ["a"]),
        ("copy a to 'x.csv'", ["a"]),
        ("describe a", ["a"]),
        ("explain select * from s.a", ["s.a"]),
        ("select 1; select * from a; select * from A", ["a", "A"]),
        ("drop table a", []),
    ],
)
def test_tables(sql: str, tables: list[str]) -> None:
    assert sorted(".".join(t) for t in table_names(parse(sql)).tables) == sorted(tables)


def test_files() -> None:
    found = table_names(
        parse(
            """select * from 'a/x.parquet', "y.csv.gz", "Quoted Table", s3,
               read_csv('z.txt', sep=';'), 's3://bucket/part-*.parquet' p"""
        )
    )
    assert [(f.path, dict(f.options), f.alias) for f in found.files] == [
        ("a/x.parquet", {}, "x"),
        ("y.csv.gz", {}, "y"),
        ("z.txt", {"format": "csv", "sep": ";"}, "read_csv"),
        ("s3://bucket/part-*.parquet", {}, "part-*"),
    ]
    assert ("Quoted Table",) in found.tables
