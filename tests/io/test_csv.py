"""CSV files: judged by pandas and DuckDB on the same files."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import lzma
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ColumnNotFoundError, PlanError, ReadError, UnsupportedError
from plait.io.csv.source import CsvSource
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Any, columns: Any = None, **options: Any) -> pa.Table:
    return read_source(CsvSource(path, **options), columns)


# ------------------------------------------------------------------ against pandas, at every cut

WORDS = st.text(alphabet='ab ,"\n;é', max_size=5)
VALUES = {
    "i": st.integers(-(2**63), 2**63 - 1).map(str),
    "f": st.floats(allow_nan=False).map(repr),
    "s": WORDS,
    "m": st.one_of(st.just(""), st.integers(-9, 9).map(str)),
}


@st.composite
def csv_texts(draw: st.DrawFn) -> bytes:
    rows = draw(st.lists(st.tuples(*VALUES.values()), min_size=1, max_size=12))
    out = StringIO(newline="")
    terminator = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(out, lineterminator=terminator, quoting=quoting)
    writer.writerow(VALUES)
    writer.writerows(rows)
    text = out.getvalue()
    return (text if draw(st.booleans()) else text.removesuffix(terminator)).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


TYPES = {"i": "int64", "f": "float64", "s": "str", "m": "Int64"}


@settings(max_examples=40)
@given(text=csv_texts(), pieces=st.integers(1, 15))
def test_agrees_with_pandas_however_the_file_is_cut(folder: Path, text: bytes, pieces: int) -> None:
    path = write(folder / f"{hash(text)}.csv", text)
    expected = pd.read_csv(path, dtype=TYPES)
    block = max(1, len(text) // pieces)
    assert_same_rows(read(path, dtype=TYPES, blocksize=block), expected, ordered=True)
    assert count_rows(CsvSource(path, dtype=TYPES, blocksize=block)) == len(expected)
    path.unlink()


def test_cut_at_every_byte(tmp_path: Path) -> None:
    text = 'a,b\n1,"x\ny"\n2,"p""q"\n\n3,plain\n4,"\n"\n5,"a,b"\n'
    path = write(tmp_path / "x.csv", text)
    expected = pd.read_csv(path)
    for block in range(1, len(text) + 1):
        assert_same_rows(read(path, blocksize=block), expected, ordered=True)


# ---------------------------------------------------------------------------------- inference


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["1", "2", ""], pa.int64()),
        (["1", "2.5"], pa.float64()),
        (["1", "1e3"], pa.float64()),
        (["nan", "inf", "2"], pa.float64()),
        (["True", "False", "TRUE"], pa.bool_()),
        (["true", "x"], pa.string()),
        (["2020-01-01", "2020-01-02"], pa.string()),
        (["007", "1"], pa.int64()),
        (["0x10", "1"], pa.string()),
        (["18446744073709551615"], pa.uint64()),
        (["NA", "null", "x"], pa.string()),
        (["12345678901234567890123", "1"], pa.string()),
    ],
)
def test_types_as_pandas_guesses_them(
    tmp_path: Path, column: list[str], expected: pa.DataType
) -> None:
    path = write(tmp_path / "x.csv", "x,y\n" + "".join(f"{v},1\n" for v in column))
    source = CsvSource(path)
    assert source.schema["x"].type == expected
    if expected != pa.string() or "12345678901234567890123" not in column:
        assert_same_rows(read_source(source), pd.read_csv(path), ordered=True)


def test_types_are_sampled_in_the_middle_and_at_the_end(tmp_path: Path) -> None:
    many = 400_000
    lines = [f"{i},{i}" for i in range(many)]
    lines[-3] = "1.5,7"
    lines[many // 2 :] = [line.replace(",", ",x") for line in lines[many // 2 :]]
    path = write(tmp_path / "x.csv", "a,b\n" + "\n".join(lines))
    assert CsvSource(path).schema.types == (pa.float64(), pa.string())


def test_value_that_breaks_the_guess_is_located(tmp_path: Path) -> None:
    lines = [f"{i},{i}" for i in range(400_000)]
    lines[110_000] = "1,oops"  # between two samples
    path = write(tmp_path / "x.csv", "a,b\n" + "\n".join(lines))
    source = CsvSource(path, blocksize="256kB")
    with pytest.raises(
        ReadError, match=r"x\.csv, line 110002, column 'b': 'oops' .*dtype=\{'b': 'str'"
    ):
        read_source(source)
    assert read_source(source, ["a"]).num_rows == 400_000  # nobody asked for b
    text = read(path, dtype={"b": "str"})["b"].to_pylist()
    assert text[110_000] == "oops"


def test_float_in_a_column_of_integers_suggests_float(tmp_path: Path) -> None:
    lines = ["1000000000"] * 400_000
    lines[115_000] = "2.5"  # between two samples
    path = write(tmp_path / "x.csv", "a\n" + "\n".join(lines))
    with pytest.raises(ReadError, match=r"line 115002, .*dtype=\{'a': 'float64'\}"):
        read(path)


def test_column_of_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b\n,1\n,2\n")
    assert_same_rows(read(path), pd.read_csv(path), ordered=True)


# ---------------------------------------------------------------------------------- options

TEXT = "a,b,c\n1,x,2.5\n2,y,\n3,NA,4.5\n"

OPTIONS: list[dict[str, Any]] = [
    {},
    {"header": None},
    {"header": 1},
    {"names": ["p", "q", "r"]},
    {"names": ["p", "q", "r"], "header": 0},
    {"skiprows": 1},
    {"skiprows": 1, "header": None},
    {"usecols": ["c", "a"]},
    {"usecols": [0, 2]},
    {"usecols": lambda name: name != "b"},
    {"dtype": {"a": "float64"}},
    {"dtype": str},
    {"na_values": ["x"]},
    {"na_values": "y", "keep_default_na": False},
    {"na_values": {"b": ["x"]}},
    {"na_filter": False, "dtype": str},
    {"nrows": 2},
    {"nrows": 0},
    {"on_bad_lines": "skip"},
    {"skipinitialspace": True},
    {"comment": "#"},
    {"doublequote": False},
    {"quoting": 3},
    {"true_values": ["x"], "false_values": ["y"]},
    {"encoding": "latin-1"},
    {"delimiter": ","},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda given: re.sub(" at 0x\\w+", "", str(given)))
def test_options_mean_what_pandas_means(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write(tmp_path / "x.csv", TEXT)
    expected = pd.read_csv(path, **options)
    expected.columns = expected.columns.map(str)
    assert_same_rows(read(path, **options), expected, ordered=True)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a;b\n1,5;x\n-2,25;y\n", {"sep": ";", "decimal": ","}),
        ("a;b\n1.000,5;x\n2.000.000;y\n", {"sep": ";", "decimal": ",", "thousands": "."}),
        ("a b\n1  2\n3 4\n", {"sep": r"\s+"}),
        ("a||b\n1||2\n3||x\n", {"sep": r"\|\|"}),
        ("a,b # names\n1,2\n# nothing\n3,4 # four\n", {"comment": "#"}),
        ("a,b\n1,2\n3,4,5\n6,7\n", {"on_bad_lines": "skip"}),
        ("a,b\n1,x\\,y\n2,z\n", {"escapechar": "\\"}),
        ("a,b\n1,'x,y'\n2,z\n", {"quotechar": "'"}),
        ("a, b\n1, 2\n", {"skipinitialspace": True}),
        ("x,x,\n1,2,3\n", {}),
        ("\ufeffa,b\n1,2\n", {}),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", {}),
        ("\n\na,b\n\n1,2\n\n", {}),
        ('"a\nb",c\n1,2\n', {}),
        ("a,b\n1,2", {}),
        ("a\n1\n\n2\n", {}),
        ('junk\nmore " junk\na,b\n1,2\n', {"skiprows": 2}),
        ("a,b\n+5,1\n6,2\n", {}),
    ],
)
def test_texts_read_as_pandas_reads_them(
    tmp_path: Path, text: str, options: dict[str, Any]
) -> None:
    path = write(tmp_path / "x.csv", text)
    expected = pd.read_csv(path, **options)
    assert_same_rows(read(path, **options), expected, ordered=True)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int32", pa.int32()),
        ("Int8", pa.int8()),
        (np.float32, pa.float32()),
        (np.dtype("int16"), pa.int16()),
        (pd.Int64Dtype(), pa.int64()),
        (float, pa.float64()),
        ("category", pa.string()),
        ("DECIMAL(10, 2)", pa.decimal128(10, 2)),
        ("decimal(30, 3)", pa.decimal128(30, 3)),
        (pa.decimal128(5, 1), pa.decimal128(5, 1)),
        ("BIGINT", pa.int64()),
        ("VARCHAR", pa.string()),
        (pa.string(), pa.string()),
    ],
)
def test_dtypes(tmp_path: Path, dtype: Any, expected: pa.DataType) -> None:
    path = write(tmp_path / "x.csv", "a\n1\n25\n\n-3\n")
    table = read(path, dtype={"a": dtype})
    assert table.schema.field("a").type == expected
    assert [None if v is None else Decimal(str(v)) for v in table["a"].to_pylist()] == [1, 25, -3]


def test_parse_dates(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "t,u,v\n2020-01-02 03:04:05,2020-01-02,31.12.2021 10:00\n,,\n")
    table = read(path, parse_dates=["t", "u"])
    assert_same_rows(table, pd.read_csv(path, parse_dates=["t", "u"]), ordered=True)
    table = read(path, parse_dates=["v"], date_format="%d.%m.%Y %H:%M")
    assert table["v"].to_pylist() == [dt.datetime(2021, 12, 31, 10), None]
    table = read(path, parse_dates=["v"], dayfirst=True)
    assert table["v"].to_pylist()[0] == dt.datetime(2021, 12, 31, 10)
    assert str(CsvSource(path, parse_dates=True).schema["t"].type) == "timestamp[us]"


def test_dates_of_american_format(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "t\n01/15/2015 07:05:39 PM\n02/01/2015 12:00:00 AM\n")
    expected = pd.read_csv(path, parse_dates=["t"])
    assert_same_rows(read(path, parse_dates=["t"]), expected, ordered=True)


def test_timestamps_with_zone(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "t\n2020-01-01T10:00:00+02:00\n2020-01-01T08:00:00Z\n")
    table = read(path, parse_dates=["t"])
    assert table.schema.field("t").type == pa.timestamp("us", tz="UTC")
    assert [t.hour for t in table["t"].to_pylist()] == [8, 8]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)],
)
def test_compressed_files(tmp_path: Path, suffix: str, compress: Any) -> None:
    text = "a,b\n" + "".join(f'{i},"x\n{i}"\n' for i in range(1000))
    path = write(tmp_path / f"x.csv.{suffix}", compress(text.encode()))
    source = CsvSource(path)
    assert len(source.splits(["a"])) == 1
    assert_same_rows(read_source(source), pd.read_csv(path), ordered=True)
    plain_name = write(tmp_path / "y.dat", compress(text.encode()))
    named = {"gz": "gzip"}.get(suffix, suffix)
    assert count_rows(CsvSource(plain_name, compression=named)) == 1000


def test_zstandard(tmp_path: Path) -> None:
    text = pa.py_buffer(b"a,b\n" + b"1,2\n" * 100)
    path = write(tmp_path / "x.csv.zst", pa.compress(text, codec="zstd", asbytes=True))
    assert count_rows(CsvSource(path)) == 100


@pytest.mark.parametrize(
    "encoding", ["utf-8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "name,n\nÄrger,1\nñandú,2\n" * 1
    path = write(tmp_path / "x.csv", text.encode(encoding))
    table = read(path, encoding=encoding)
    assert table.to_pydict() == {"name": ["Ärger", "ñandú"], "n": [1, 2]}


def test_wrong_encoding_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a\nx\nÄ\n".encode("latin-1"))
    with pytest.raises(ReadError, match=r"line 3.*encoding='latin-1'"):
        read(path)


# ---------------------------------------------------------------------------------- many files


def test_many_files_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "x,y\n1,p\n2,q\n")
    write(tmp_path / "b.csv", "y,x\nr,3.5\n")
    write(tmp_path / "c.csv", "")
    table = read(str(tmp_path / "*.csv"))
    assert table.to_pydict() == {"x": [1.0, 2.0, 3.5], "y": ["p", "q", "r"]}
    assert_same_rows(read(tmp_path), table, ordered=True)
    listed = read([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert listed["x"].to_pylist() == [3.5, 1.0, 2.0]


def test_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "x,y\n1,2\n")
    write(tmp_path / "b.csv", "x,z\n1,2\n")
    with pytest.raises(ReadError, match=r"b\.csv lacks column 'y'"):
        CsvSource(str(tmp_path / "*.csv"))


# ---------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("text", ["a,b\n1,2\n3\n4,5\n", "a,b\n1,2\n3,4,5\n4,5\n"])
@pytest.mark.parametrize("blocksize", [None, 4, "1MB"])
def test_ragged_rows_name_the_line(tmp_path: Path, text: str, blocksize: Any) -> None:
    path = write(tmp_path / "x.csv", text)
    with pytest.raises(ReadError, match=r"x\.csv, line 3 has . fields? where 2 were expected"):
        read(path, blocksize=blocksize)


def test_unclosed_quote(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'a,b\n1,2\n3,"x\n4,5\n')
    with pytest.raises(ReadError, match="line 3: a quoted field that begins here is never closed"):
        read(path)


def test_empty_and_header_only(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is empty"):
        CsvSource(write(tmp_path / "x.csv", ""))
    with pytest.raises(ReadError, match="is empty"):
        CsvSource(write(tmp_path / "y.csv", "\n\n"))
    source = CsvSource(write(tmp_path / "z.csv", "a,b"))
    assert source.schema.names == ("a", "b")
    assert read_source(source).num_rows == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"usecols": ["z"]}, ColumnNotFoundError, "usecols: No column named 'z'"),
        ({"dtype": {"z": int}}, ColumnNotFoundError, "dtype: No column named 'z'"),
        ({"parse_dates": ["z"]}, ColumnNotFoundError, "parse_dates"),
        ({"dtype": {"a": "integerr"}}, PlanError, "Unknown type 'integerr'"),
        ({"skipfooter": 3}, UnsupportedError, "skipfooter"),
        ({"blocksize": "lots"}, PlanError, "blocksize"),
        ({"encoding": "klingon"}, PlanError, "klingon"),
        ({"names": ["p"]}, ReadError, "1 names were given for 2 columns"),
        ({"skiprows": [1]}, UnsupportedError, "skiprows"),
        ({"parse_dates": ["b"]}, ReadError, "date_format"),
    ],
)
def test_impossible_options(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = write(tmp_path / "x.csv", "a,b\n1,x\n")
    with pytest.raises(error, match=message):
        CsvSource(path, **options)


def test_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a\n1\n")
    source = CsvSource(path)
    write(path, "a\n1\n2\n")
    with pytest.raises(ReadError, match="has changed"):
        read_source(source)


# ---------------------------------------------------------------------------------- the contract


def test_splits_and_statistics(tmp_path: Path) -> None:
    rows = 20_000
    lines = "".join(f"{i},{'red' if i % 3 else 'blue'},{i % 50}\n" for i in range(rows))
    path = write(tmp_path / "x.csv", "id,color,n\n" + lines)
    source = CsvSource(path, blocksize="32kB")
    splits = source.splits(["id", "color"])
    assert len(splits) > 5
    statistics = source.statistics
    assert not statistics.exact
    assert statistics.rows == pytest.approx(rows, rel=0.1)
    assert statistics.column("color").distinct == 2
    assert statistics.column("n").distinct == pytest.approx(50, rel=0.05)
    assert statistics.column("id").distinct == pytest.approx(rows, rel=0.3)
    assert count_rows(source) == rows
    assert source.identity == CsvSource(path, blocksize="32kB").identity
    assert source.identity != CsvSource(path, blocksize="1MB").identity  # plans know the cuts
    assert source.identity != CsvSource(path, dtype={"id": "float64"}).identity


def test_columns_in_the_order_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,c\n1,2,3\n")
    assert read(path, ["c", "a"]).to_pydict() == {"c": [3], "a": [1]}


def test_many_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.io.csv.source._SAMPLED_FILES", 8)
    for i in range(80):
        write(
            tmp_path / f"{i:03}.csv", f"n,s\n{i},x{i}\n{i}.5,y\n" if i == 0 else f"s,n\nx{i},{i}\n"
        )
    source = CsvSource(tmp_path)
    assert len(source.splits(["n"])) == 80
    assert source.schema["n"].type == pa.float64()
    expected = pd.concat([pd.read_csv(f)[["n", "s"]] for f in sorted(tmp_path.iterdir())])
    assert_same_rows(read_source(source), expected.reset_index(drop=True), ordered=True)


def test_through_a_store_of_fsspec() -> None:
    fs = fsspec.filesystem("memory")
    text = "a,b\n" + "".join(f'{i},"x\n{i}"\n' for i in range(1000))
    fs.pipe_file("/csv/plain.csv", text.encode())
    fs.pipe_file("/csv/packed.csv.gz", gzip.compress(text.encode()))
    for name in ("plain.csv", "packed.csv.gz", "*"):
        source = CsvSource(f"memory://csv/{name}", blocksize=997)
        times = 2 if name == "*" else 1
        assert sorted(read_source(source)["a"].to_pylist()) == sorted([*range(1000)] * times)
    fs.rm("/csv", recursive=True)
