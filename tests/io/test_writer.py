"""Written files: read back by pandas, DuckDB and plait."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import PlanError, ReadError, UnsupportedError, WriteError
from plait.io.csv.source import CsvSource
from plait.io.parquet.source import ParquetSource
from plait.io.write.commit import WrittenFile
from plait.io.write.options import check_target
from plait.io.write.part import PartWriter
from plait.io.write.staging import staged
from plait.io.writer import commit, open_part, written_file
from tests.assertions import assert_same_rows
from tests.io.reading import read_source

TABLE = pa.table(
    {
        "i": [1, None, -3],
        "f": [1.0, 2.5, None],
        "s": ["plain", 'with "quotes", and\nnewline', None],
        "c": pa.array(["x", None, "x"]).dictionary_encode(),
        "b": [True, False, None],
        "d": [dt.date(2020, 2, 29), None, dt.date(1999, 1, 1)],
        "t": pa.array([dt.datetime(2020, 1, 1, 12), None, dt.datetime(2020, 1, 2)]),
        "m": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(10, 2)),
        "n": pa.array([Decimal("1.5"), None, Decimal("-2.5")], pa.decimal64(10, 1)),
    }
)
PLAIN = TABLE.set_column(3, "c", TABLE["c"].cast(pa.string()))


def write_part(table: pa.Table, path: str, kind: str, options: Any, number: int = 0) -> WrittenFile:
    with PartWriter(path, kind, options, number) as part:
        part.write(table)
        return part.close()


def write(path: str, kind: str, tables: Sequence[pa.Table], **given: Any) -> tuple[str, ...]:
    with staged(path, kind, given) as options:
        parts: list[WrittenFile] = []
        for i, table in enumerate(tables):
            with open_part(path, kind, options, i) as part:
                part.write(table.schema.empty_table())
                part.write(table)
                parts += part.close()
        return tuple(part.final for part in commit(parts))


def whole(path: Path, kind: str, **options: Any) -> Path:
    write(str(path), kind, [TABLE], single_file=True, **options)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path


def test_parquet(tmp_path: Path) -> None:
    path = whole(tmp_path / "x.parquet", "parquet")
    assert_same_rows(duckdb.sql(f"select * from '{path}'").to_arrow_table(), PLAIN, ordered=True)
    assert pq.read_table(path).schema.field("m").type == pa.decimal128(10, 2)
    assert pq.ParquetFile(path).metadata.row_group(0).column(7).physical_type == "INT64"
    assert_same_rows(read_source(ParquetSource(path)), PLAIN, ordered=True)


@pytest.mark.parametrize("options", [{}, {"sep": ";"}, {"na_rep": "NULL"}, {"header": False}])
def test_csv(tmp_path: Path, options: dict[str, Any]) -> None:
    path = whole(tmp_path / "x.csv", "csv", **options)
    reading = {"sep": options.get("sep", ","), "header": 0 if options.get("header", True) else None}
    found = pd.read_csv(path, **reading, names=TABLE.column_names, parse_dates=["t"])
    assert found["i"].tolist()[0::2] == [1, -3]
    assert found["s"].tolist()[:2] == TABLE["s"].to_pylist()[:2]
    assert found["s"].isna().tolist() == [False, False, True]
    assert found["t"][0] == pd.Timestamp("2020-01-01 12:00")
    assert found["f"][1] == 2.5
    assert found["m"].tolist()[0::2] == [1.5, -2.25]


def test_csv_text(tmp_path: Path) -> None:
    path = whole(tmp_path / "x.csv", "csv")
    assert path.read_text() == (
        "i,f,s,c,b,d,t,m,n\n"
        "1,1.0,plain,x,true,2020-02-29,2020-01-01 12:00:00,1.50,1.5\n"
        ',2.5,"with ""quotes"", and\nnewline",,false,,,,\n'
        "-3,,,x,,1999-01-01,2020-01-02 00:00:00,-2.25,-2.5\n"
    )


def test_json(tmp_path: Path) -> None:
    path = whole(tmp_path / "x.json", "json")
    found = duckdb.sql(f"select * from read_json('{path}', columns={{i:'int',f:'double',s:'text',"
                       "c:'text',b:'bool',d:'date',t:'timestamp',m:'decimal(10,2)',"
                       "n:'decimal(10,1)'})").to_arrow_table()  # fmt: skip
    assert_same_rows(found, PLAIN, ordered=True)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.text(max_size=8)), st.floats(), st.integers(-9, 9)),
        min_size=1,
        max_size=20,
    )
)
def test_text_formats_lose_nothing(folder: Path, rows: list[tuple[Any, ...]]) -> None:
    texts, floats, integers = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"s": pa.array(texts, pa.string()), "f": floats, "i": integers})
    options = {"single_file": True, "mode": "overwrite"}
    write(str(folder / "x.json"), "json", [table], **options)
    found = [json.loads(line) for line in (folder / "x.json").read_text().split("\n")[:-1]]
    assert [row["s"] for row in found] == texts
    assert [row["i"] for row in found] == integers
    assert [row["f"] for row in found] == [v if math.isfinite(v) else None for v in floats]
    write(str(folder / "x.csv"), "csv", [table], **options)
    types = {"s": "str", "f": "float64", "i": "int64"}
    back = read_source(CsvSource(folder / "x.csv", dtype=types, keep_default_na=False))
    # without NA texts, NULL and '' are the same text
    assert back["s"].to_pylist() == [text or "" for text in texts]
    assert repr(back["f"].to_pylist()) == repr(floats)
    assert back["i"].to_pylist() == integers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.csv.gz", {}), ("x.csv", {"compression": "gzip"}), ("x.json.zst", {}), ("x.csv.bz2", {})],
)
def test_compression(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    kind = "json" if "json" in name else "csv"
    path = whole(tmp_path / name, kind, **options)
    compression = options.get("compression", "infer")
    if kind == "csv":
        assert len(pd.read_csv(path, compression=compression)) == 3
    else:
        text = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd").read()
        assert len(text.splitlines()) == 3


# ---------------------------------------------------------------------------------- folders


def write_numbers(path: Path, numbers: range, **options: Any) -> tuple[str, ...]:
    return write(str(path), "parquet", [pa.table({"n": [n]}) for n in numbers], **options)


def numbers_in(path: Path) -> list[int]:
    return sorted(read_source(ParquetSource(path))["n"].to_pylist())


@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_seen_before_the_commit(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "out"
    if there:
        target.mkdir()
    with staged(str(target), "parquet", {}) as options:
        written = [
            write_part(pa.table({"n": [i]}), str(target), "parquet", options, i) for i in range(3)
        ]
        assert [w.rows for w in written] == [1, 1, 1]
        assert all(os.path.getsize(w.temporary) == w.bytes for w in written)
        with pytest.raises(ReadError):
            ParquetSource(target)
        names = [part.final for part in commit(written)]
    assert [os.path.basename(n) for n in names] == [f"part-0000{i}.parquet" for i in range(3)]
    assert sorted(os.listdir(target)) == [os.path.basename(n) for n in names]
    assert numbers_in(target) == [0, 1, 2]
    assert os.listdir(tmp_path) == ["out"]


def everything(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def give_up(target: str, kind: str, given: Mapping[str, Any]) -> None:
    with staged(target, kind, given) as options:
        write_part(TABLE, target, kind, options)
        raise KeyboardInterrupt


def test_giving_up_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "new" / "deep" / "out"
    for options in ({}, {"single_file": True}):
        with pytest.raises(KeyboardInterrupt):
            give_up(str(target), "csv", options)
        assert everything(tmp_path) == []
    write_numbers(target, range(2))
    before = everything(tmp_path)
    for mode in ("append", "overwrite"):
        with pytest.raises(KeyboardInterrupt):
            give_up(str(target), "parquet", {"mode": mode})
        assert everything(tmp_path) == before
        assert numbers_in(target) == [0, 1]


def test_a_task_that_is_late_leaves_nothing(tmp_path: Path) -> None:
    """It writes on after the write was given up, as a thread does that cannot be stopped."""
    target = tmp_path / "x.csv"
    with staged(str(target), "csv", {"single_file": True}) as options:
        late = PartWriter(str(target), "csv", options, 0)
        late.write(TABLE)
    late.write(TABLE)
    with pytest.raises(WriteError):
        late.close()
    with pytest.raises(WriteError):
        PartWriter(str(target), "csv", options, 0)
    assert everything(tmp_path) == []


def test_a_commit_that_fails_half_way_is_undone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_numbers(target, range(2))
    for mode in ("append", "overwrite"):
        with staged(str(target), "parquet", {"mode": mode}) as options:
            parts = [write_part(TABLE, str(target), "parquet", options, i) for i in range(3)]
            if mode == "append":
                os.remove(parts[2].temporary)
            else:
                shutil.rmtree(os.path.dirname(parts[0].temporary))
            with pytest.raises(WriteError, match="No such file"):
                commit(parts)
        assert os.listdir(tmp_path) == ["out"]
        assert numbers_in(target) == [0, 1]
        assert len(os.listdir(target)) == 2


def test_modes(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_numbers(target, range(2))
    with pytest.raises(WriteError, match="exists already; pass mode='overwrite'"):
        write_numbers(target, range(1))
    write_numbers(target, range(5, 7), mode="append")
    assert numbers_in(target) == [0, 1, 5, 6]
    write_numbers(target, range(9, 10), mode="overwrite")
    assert numbers_in(target) == [9]
    assert os.listdir(tmp_path) == ["out"]


def test_overwriting_spares_what_is_not_data(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(WriteError, match=r"thesis\.docx"):
        write_numbers(tmp_path, range(1), mode="overwrite")
    assert everything(tmp_path) == ["thesis.docx"]


def test_single_files(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    whole(path, "csv")
    with pytest.raises(WriteError, match="exists already"):
        whole(path, "csv")
    before = path.read_text()
    with staged(str(path), "csv", {"single_file": True, "mode": "overwrite"}) as options:
        written = write_part(TABLE.slice(0, 1), str(path), "csv", options)
        assert path.read_text() == before
        commit([written])
    assert path.read_text() != before
    with pytest.raises(WriteError, match="part 1 came"):
        write(str(tmp_path / "y.csv"), "csv", [TABLE, TABLE], single_file=True)
    with pytest.raises(WriteError, match="is a folder"):
        whole(tmp_path, "csv", mode="overwrite")
    with pytest.raises(WriteError, match="is a file"):
        write(str(path), "csv", [TABLE], mode="overwrite")
    assert everything(tmp_path) == ["x.csv"]


def test_record_of_a_part_from_its_numbers(tmp_path: Path) -> None:
    for chosen in ({}, {"mode": "append"}, {"mode": "overwrite"}, {"single_file": True}):
        target = str(tmp_path / ("x.csv" if chosen.get("single_file") else "out"))
        with staged(target, "csv", chosen) as options:
            written = write_part(TABLE, target, "csv", options)
            again = written_file(written.temporary, written.rows, written.bytes, target, options)
            assert again == written
            commit([again])
    assert everything(tmp_path) == ["out", "out/part-00000.csv", "x.csv"]


def test_parts_written_piece_by_piece(tmp_path: Path) -> None:
    target = str(tmp_path / "x")
    with (
        staged(target, "parquet", {"row_group_size": 100}) as options,
        PartWriter(target, "parquet", options, 0) as part,
    ):
        for start in range(0, 1000, 30):
            part.write(pa.table({"n": list(range(start, min(start + 30, 1000)))}))
        written = part.close()
        (path,) = [part.final for part in commit([written])]
    assert written.rows == 1000
    assert pq.ParquetFile(path).metadata.num_row_groups <= 12
    assert numbers_in(tmp_path / "x") == list(range(1000))


def test_failing_part_is_removed(tmp_path: Path) -> None:
    bad = pa.table({"x": pa.array([b"\xff"])})
    with pytest.raises(WriteError, match="Binary columns"):
        write(str(tmp_path / "out"), "csv", [bad])
    assert everything(tmp_path) == []


def test_result_without_rows(tmp_path: Path) -> None:
    for kind in ("parquet", "csv", "json"):
        path = tmp_path / f"x.{kind}"
        write(str(path), kind, [TABLE.slice(0, 0)], single_file=True)
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 0
    assert (tmp_path / "x.csv").read_text() == "i,f,s,c,b,d,t,m,n\n"


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        ("excel", {}, UnsupportedError, "Unknown format 'excel'"),
        ("csv", {"mode": "replace"}, PlanError, "mode is one of"),
        ("csv", {"colour": 1}, UnsupportedError, "no option 'colour'"),
        ("csv", {"compression": "rar"}, PlanError, "rar"),
        ("csv", {"sep": "||"}, PlanError, "sep"),
        ("csv", {"single_file": True, "mode": "append"}, UnsupportedError, "append"),
    ],
)
def test_impossible_options(
    tmp_path: Path, kind: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write(str(tmp_path / "x"), kind, [TABLE], **options)
    assert everything(tmp_path) == []


def test_check_before_anything_runs(tmp_path: Path) -> None:
    checked = check_target(str(tmp_path / "new"), "csv", [("mode", "error")])
    assert checked == {"mode": "error", "compression": None}
    (tmp_path / "x").mkdir()
    check_target(str(tmp_path / "x"), "csv", {})  # an empty folder is as good as none
    (tmp_path / "x" / "a.csv").write_text("a\n")
    with pytest.raises(WriteError):
        check_target(str(tmp_path / "x"), "csv", {})


@pytest.mark.parametrize("name", ["file/x.csv", "file/deep/out", "locked/x.csv", "locked/out"])
def test_unwritable_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir(mode=0o555)
    if name.startswith("locked") and os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(WriteError, match=r"cannot be written: .*(Not a directory|denied)"):
        write(str(tmp_path / name), "csv", [TABLE], single_file=name.endswith(".csv"))
    assert everything(tmp_path) == ["file", "locked"]


def test_to_a_store_of_fsspec() -> None:
    fs = fsspec.filesystem("memory")
    target = "memory://bucket/out"
    table = pa.table({"n": [1]})
    write(target, "parquet", [table, table])
    assert read_source(ParquetSource(target))["n"].to_pylist() == [1, 1]
    with pytest.raises(WriteError, match="exists already"):
        write(target, "parquet", [table])
    write(target, "parquet", [table], mode="overwrite")
    assert read_source(ParquetSource(target))["n"].to_pylist() == [1]
    with pytest.raises(KeyboardInterrupt):
        give_up(target, "parquet", {"mode": "append"})
    write("memory://bucket/x.csv", "csv", [table], single_file=True)
    assert [re.sub("-[0-9a-f]{12}", "", name) for name in fs.find("/bucket")] == [
        "/bucket/out/part-00000.parquet",
        "/bucket/x.csv",
    ]
    fs.rm("/bucket", recursive=True)
