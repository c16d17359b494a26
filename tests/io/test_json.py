"""JSON files: judged by Python's json and by DuckDB."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ColumnNotFoundError, PlanError, ReadError
from plait.io.formats import open_path
from plait.io.json.source import JsonSource
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source


def lines(path: Path, rows: list[Any], **options: Any) -> Path:
    path.write_text("\n".join(json.dumps(row, **options) for row in rows))
    return path


ROWS = st.lists(
    st.fixed_dictionaries(
        {"i": st.integers(-(2**63), 2**63 - 1)},
        optional={
            "s": st.one_of(st.none(), st.text(max_size=5)),
            "f": st.floats(allow_nan=False, allow_infinity=False),
            "l": st.lists(st.integers(0, 9), max_size=3),
            "n": st.fixed_dictionaries({"x": st.booleans()}),
        },
    ),
    min_size=1,
    max_size=15,
)
FIRST = {"i": 0, "s": "x", "f": 1.5, "l": [1], "n": {"x": True}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@settings(max_examples=60)
@given(rows=ROWS, pieces=st.integers(1, 10), ascii_only=st.booleans())
def test_agrees_with_python_however_the_file_is_cut(
    folder: Path, rows: list[Any], pieces: int, ascii_only: bool
) -> None:
    path = lines(folder / "x.jsonl", [FIRST, *rows], ensure_ascii=ascii_only)
    source = JsonSource(path, blocksize=max(1, path.stat().st_size // pieces))
    table = read_source(source)
    for name in FIRST:
        assert table[name].to_pylist() == [row.get(name) for row in [FIRST, *rows]]
    assert count_rows(source) == len(rows) + 1


def test_arrays_compressed_files_and_folders(tmp_path: Path) -> None:
    rows = [{"a": i, "s": f"x\n{i}"} for i in range(50)]
    array = tmp_path / "a.json"
    array.write_text(json.dumps(rows, indent=2))
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    for path in (array, packed):
        source = JsonSource(path)
        assert len(source.splits(["a"])) == 1
        assert read_source(source).to_pylist() == rows
    assert count_rows(JsonSource(tmp_path)) == 100


def test_files_agree_on_wider_types(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [{"v": 1, "o": {"p": 1}}, {"v": None}])
    lines(tmp_path / "b.jsonl", [{"v": 2.5, "w": None, "o": {"q": "x"}}])
    (tmp_path / "c.jsonl").write_text("")
    source = JsonSource(str(tmp_path / "*.jsonl"))
    assert str(source.schema) == "v: double, o: struct<p: int64, q: string>, w: string"
    assert read_source(source).to_pydict() == {
        "v": [1.0, None, 2.5],
        "o": [{"p": 1, "q": None}, None, {"p": None, "q": "x"}],
        "w": [None, None, None],
    }
    lines(tmp_path / "d.jsonl", [{"v": "text"}])
    with pytest.raises(ReadError, match=r"'v' is double .* and string in .*d\.jsonl"):
        JsonSource(str(tmp_path / "*.jsonl"))


def test_dates_are_text_unless_asked(tmp_path: Path) -> None:
    rows = [{"d": "2020-01-31", "t": "2020-01-31 10:00:00", "s": "x"}, {"d": None, "t": None}]
    path = lines(tmp_path / "x.jsonl", rows)
    assert read_source(JsonSource(path)).to_pylist() == [rows[0], {**rows[1], "s": None}]
    sql = open_path(path)
    assert sql.schema.types == (pa.date32(), pa.timestamp("us"), pa.string())
    expected = duckdb.sql(f"select * from '{path}'").to_arrow_table()
    assert_same_rows(read_source(sql), expected, ordered=True)


def test_dtype(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", [{"a": 1, "d": "2020-01-31"}])
    table = read_source(JsonSource(path, dtype={"a": "float64", "d": "DATE"}))
    assert table.to_pylist() == [{"a": 1.0, "d": dt.date(2020, 1, 31)}]
    with pytest.raises(ColumnNotFoundError, match="dtype: No column named 'z'"):
        JsonSource(path, dtype={"z": "int64"})


@pytest.mark.parametrize("blocksize", [None, 1 << 20])
def test_mistakes_name_the_line(tmp_path: Path, blocksize: int | None) -> None:
    rows: list[Any] = [{"a": i, "pad": "x" * 50} for i in range(60_000)]
    rows[40_000]["a"] = "text"
    path = lines(tmp_path / "x.jsonl", rows)
    with pytest.raises(ReadError, match=r"x\.jsonl, line 40001: Column\(/a\) changed"):
        read_source(JsonSource(path, blocksize=blocksize))
    assert count_rows(JsonSource(path)) == 60_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("{}\n{}\n", "no objects with keys"),
        ("[1, 2]", "something else than objects"),
        ("[{", "x.json"),
        ('{"a": 1}\n{"a": \n', "line 2"),
        ("5\n6\n", "Lines of JSON objects are expected"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=message):
        JsonSource(path)


def test_statistics_and_blocksize(tmp_path: Path) -> None:
    rows = [{"a": i, "s": "xy"[i % 2]} for i in range(50_000)]
    source = JsonSource(lines(tmp_path / "x.jsonl", rows), blocksize="100kB")
    assert len(source.splits(["a"])) > 5
    assert source.statistics.rows == pytest.approx(50_000, rel=0.1)
    assert source.statistics.column("s").distinct == 2
    with pytest.raises(PlanError, match="blocksize"):
        JsonSource(tmp_path / "x.jsonl", blocksize="big")


def test_nan_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"f": 1.5}\n{"f": NaN}\n')
    assert read_source(JsonSource(path))["f"].to_pylist() == [1.5, None]
