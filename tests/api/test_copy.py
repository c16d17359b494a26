"""COPY ... TO: the files that DuckDB writes for the same statement."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import plait
from plait.errors import PlaitError, PlanError, UnsupportedError, WriteError

QUERY = (
    "select 1 as a, 'x,\"y' as b, null as c, date '2020-01-02' as d, "
    "timestamp '2020-01-02 03:04:05' as t, 1.5::double as f, 1.50::decimal(5,2) as m, true as z "
    "union all select 2, 'plain', 'é', null, null, null, -2.25, false"
)


@pytest.fixture
def session() -> plait.Session:
    return plait.Session(config={"threads": 2})


def written(session: plait.Session, folder: Path, name: str, options: str) -> tuple[str, str]:
    for number, run in enumerate((session.sql, duckdb.sql)):
        (folder / str(number)).mkdir(exist_ok=True)
        run(f"copy ({QUERY}) to '{folder / str(number) / name}' {options}")
    return (folder / "0" / name).read_text(), (folder / "1" / name).read_text()


@pytest.mark.parametrize(
    "options",
    [
        "",
        "(header)",
        "(header false)",
        "(format csv, delimiter '|', quote '''')",
        "(delim '\\t')",
        "(sep ';')",
        "(force_quote *)",
        "(force_quote (A, m))",
        "(nullstr 'N')",
        "(null 'N')",
        "(dateformat '%d/%m/%Y')",
        "(timestampformat '%H o''clock')",
        "(dateformat '%d', timestampformat '%Y')",
        "(escape '\\')",
        "(format csv, header true, preserve_order true, use_tmp_file true)",
    ],
)
def test_csv_as_duckdb(session: plait.Session, tmp_path: Path, options: str) -> None:
    ours, theirs = written(session, tmp_path, "x.csv", options)
    assert ours == theirs


@pytest.mark.parametrize("options", ["", "(array true)", "(format json, dateformat '%d.%m.')"])
def test_json_as_duckdb(session: plait.Session, tmp_path: Path, options: str) -> None:
    ours, theirs = written(session, tmp_path, "x.json", options)
    if "array" in options:
        assert json.loads(ours) == json.loads(theirs)
    else:
        assert [json.loads(x) for x in ours.splitlines()] == [
            json.loads(x) for x in theirs.splitlines()
        ]


def test_parquet_options(session: plait.Session, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    session.sql(
        f"copy (select range as n from range(5000)) to '{path}' (format parquet, "
        "compression zstd, compression_level 5, row_group_size 2048, kv_metadata {by: 'me'})"
    )
    meta = pq.ParquetFile(path).metadata
    assert [meta.row_group(i).num_rows for i in range(3)] == [2048, 2048, 904]
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert meta.metadata[b"by"] == b"me"
    assert duckdb.sql(f"select sum(n) from '{path}'").fetchall() == [(12497500,)]


@pytest.mark.parametrize("compression", ["snappy", "gzip", "lz4", "lz4_raw", "brotli", "none"])
def test_parquet_codecs(session: plait.Session, tmp_path: Path, compression: str) -> None:
    path = tmp_path / "x.parquet"
    session.sql(f"copy (select 7 as n) to '{path}' (compression {compression})")
    assert duckdb.sql(f"from '{path}'").fetchall() == [(7,)]


@pytest.mark.parametrize("format_", ["parquet", "csv", "json"])
@pytest.mark.parametrize("keep", [False, True])
def test_partitions(session: plait.Session, tmp_path: Path, format_: str, keep: bool) -> None:
    rows = 'select range % 3 as k, range % 2 = 0 as "o d", range as n from range(1000)'
    more = ", write_partition_columns" if keep else ""
    options = f'(format {format_}, partition_by (K, "o d"){more})'
    for number, run in enumerate((session.sql, duckdb.sql)):
        run(f"copy ({rows}) to '{tmp_path / str(number)}' {options}")
    folders = [
        {str(p.parent.relative_to(tmp_path / n)) for p in (tmp_path / n).rglob(f"*.{format_}")}
        for n in "01"
    ]
    assert (
        folders[0]
        == folders[1]
        == {f"k={k}/o%20d={o}" for k in range(3) for o in ("true", "false")}
    )
    answer = duckdb.sql(f"select k, sum(n) from ({rows}) group by k order by k").fetchall()
    files = f"'{tmp_path}/0/**/*.{format_}'"
    query = f"select k, sum(n) from read_{format_}({files}{{}}) group by k order by k"
    assert duckdb.sql(query.format(", hive_partitioning=true")).fetchall() == answer
    assert session.execute(query.format("")).to_pylist() == [
        {"k": k, "sum(n)": total} for k, total in answer
    ]


def test_modes(session: plait.Session, tmp_path: Path) -> None:
    def copy(n: int, options: str = "") -> None:
        more = f", {options}" if options else ""
        session.sql(
            f"copy (select {n} as n) to '{tmp_path}/out' (per_thread_output{more}, format csv)"
        )

    def rows() -> list[int]:
        found = duckdb.sql(f"select n from '{tmp_path}/out/*.csv' order by n").fetchall()
        return [row[0] for row in found]

    copy(1)
    with pytest.raises(WriteError, match="OVERWRITE, APPEND"):
        copy(2)
    copy(2, "append")
    assert rows() == [1, 2]
    copy(3, "overwrite true")
    assert rows() == [3]
    with pytest.raises(UnsupportedError, match="OVERWRITE or APPEND"):
        copy(3, "overwrite_or_ignore")
    with pytest.raises(PlanError, match="one of"):
        copy(3, "overwrite, append")
    single = f"copy (select 5 as n) to '{tmp_path}/x.csv'"
    session.sql(single)
    with pytest.raises(WriteError, match="OVERWRITE"):
        session.sql(single)
    session.sql(f"{single} (overwrite_or_ignore)")
    with pytest.raises(UnsupportedError, match="PER_THREAD_OUTPUT"):
        session.sql(f"{single} (append)")


def test_file_names(session: plait.Session, tmp_path: Path) -> None:
    for number, (pattern, wanted) in enumerate(
        [("day_{i}", r"day_0\.csv"), ("day", r"day0\.csv"), ("{uuid}", r"[0-9a-f-]{36}\.csv")]
    ):
        folder = tmp_path / str(number)
        session.sql(
            f"copy (select 1 as n) to '{folder}' "
            f"(format csv, per_thread_output, filename_pattern '{pattern}')"
        )
        (name,) = os.listdir(folder)
        assert re.fullmatch(wanted, name)


def test_columns_of_a_table(session: plait.Session, tmp_path: Path) -> None:
    session.sql("create table t as select 1 as a, 2 as b, 3 as c")
    session.sql(f"copy t (c, A) to '{tmp_path}/x.csv'")
    assert (tmp_path / "x.csv").read_text() == "c,a\n3,1\n"
    with pytest.raises(PlanError, match="zzz"):
        session.sql(f"copy t (zzz) to '{tmp_path}/y.csv'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("(colour 1)", "no option 'colour'"),
        ("(partition_by (zzz))", "zzz"),
        ("(partition_by (a, A))", "twice"),
        ("(partition_by (a, b))", "WRITE_PARTITION_COLUMNS"),
        ("(format excel)", "parquet, csv and json"),
        ("(compression 'rar')", "rar"),
        ("(format parquet, row_group_size 0)", "row_group_size"),
        ("(header, header)", "twice"),
        ("(filename_pattern 'x')", "single file"),
        ("(per_thread_output, filename_pattern '../x')", "without folders"),
        ("(per_thread_output, filename_pattern '_x')", "pass over"),
        ("(write_partition_columns)", "partition_on"),
    ],
)
def test_mistakes(session: plait.Session, tmp_path: Path, options: str, message: str) -> None:
    with pytest.raises(PlaitError, match=message):
        session.sql(f"copy (select 1 as a, 2 as b) to '{tmp_path}/x.csv' {options}")
    assert not list(tmp_path.iterdir())
