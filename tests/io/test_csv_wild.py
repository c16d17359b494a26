"""CSV as it is found: random texts and options, cut at every possible byte, judged by pandas.

What pandas reads, plait reads to the same rows, or says in its own words what is wrong. Rows with
too few fields are refused here and padded there; an index that pandas makes up where rows are
longer than the header is refused too.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plait.errors import PlaitError, ReadError, UnsupportedError
from plait.io.csv.source import CsvSource
from plait.io.reader import read_split
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Any, **options: Any) -> pa.Table:
    source = CsvSource(path, **options)
    names = source.schema.names
    schema = source.schema.to_arrow()
    parts = [read_split(s, names).cast(schema) for s in source.splits(names)]
    return pa.concat_tables(parts) if parts else schema.empty_table()


OPTIONS = st.fixed_dictionaries(
    {"sep": st.sampled_from([",", ",", ";", "\t", " "])},
    optional={
        "quotechar": st.just("'"),
        "escapechar": st.just("\\"),
        "comment": st.just("#"),
        "header": st.sampled_from([None, 0]),
        "na_values": st.sampled_from([["x"], "7", {"a": ["x"]}]),
        "keep_default_na": st.just(False),
        "on_bad_lines": st.just("skip"),
        "nrows": st.integers(0, 3),
        "skipinitialspace": st.just(True),
        "skip_blank_lines": st.booleans(),
        "doublequote": st.just(False),
        "dtype": st.just(str),
        "encoding": st.sampled_from(["utf-8-sig", "latin-1", "cp1252", "utf-16"]),
    },
)
FIELDS = ["1", "25", "-3", "1.5", "", "x", "NA", "é#", "a b", "True", "2020-01-02", "NaN ", " 7"]


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    options = draw(OPTIONS)
    sep, quote = options["sep"], options.get("quotechar", '"')
    quoted = st.text(alphabet=f'a\n{sep}#{quote * 2}"', max_size=3).map(
        lambda text: quote + text.replace(quote, quote * 2) + quote
    )
    field = st.one_of(st.sampled_from(FIELDS), quoted)
    columns = draw(st.integers(1, 3))
    # what pandas makes of a return that ends a blank line depends on the line behind it
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    blanks = st.sampled_from(["", " ", "\t", "#"]) if newline != "\r" else st.just("#")
    rows = draw(st.lists(st.lists(field, min_size=columns, max_size=columns), max_size=4))
    lines = [sep.join("abc"[:columns]), *(sep.join(row) for row in rows)]
    if draw(st.integers(0, 3)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(blanks))
    text = newline.join(lines) + draw(st.sampled_from(["", newline]))
    return text.encode(options.get("encoding", "utf-8")), options


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wild")


def read_or_complain(path: Path, block: int | None, options: dict[str, Any]) -> pa.Table | str:
    try:
        return read(path, blocksize=block, **options)
    except PlaitError as error:
        return str(error)


@settings(max_examples=8)
@given(case=cases())
def test_agrees_with_pandas_at_every_cut(folder: Path, case: tuple[bytes, dict[str, Any]]) -> None:
    _agrees_at_every_cut(folder, *case)


@pytest.mark.heavy
@settings(max_examples=20)
@given(case=cases())
def test_many_agree_with_pandas_at_every_cut(
    folder: Path, case: tuple[bytes, dict[str, Any]]
) -> None:
    _agrees_at_every_cut(folder, *case)


def _agrees_at_every_cut(folder: Path, text: bytes, options: dict[str, Any]) -> None:
    path = write(folder / f"{abs(hash(text))}.csv", text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = pd.read_csv(path, **options)
        except (pd.errors.ParserError, pd.errors.EmptyDataError):
            expected = None
    assume(expected is None or isinstance(expected.index, pd.RangeIndex))
    for block in (None, *range(1, len(text) + 1)):
        found = read_or_complain(path, block, options)
        if isinstance(found, str):
            assert expected is None or "were expected" in found, found
            break
        assert expected is not None
        expected.columns = expected.columns.map(str)
        assert_same_rows(found, expected, ordered=True)
    path.unlink()


# ------------------------------------------------------------------------------- single cases


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a,b\r1,x\r\r2,y\r", {}),
        ('a,b\r1,"x\ry"\r2,"p\nq"\r', {}),
        ('"a\nb",c\r1,2\r3,4', {}),
        ("a\n1\n \n2\n\t\n", {}),
        ("a,b\n1,2\n \t\n3,4\n  ", {}),
        (" \t\na,b\n1,2\n", {}),
        ('a,b\n1,"\n \n"\n \n3,4\n', {}),
        ("a\tb\n\t\n1\t2\n \n", {"sep": "\t"}),
        ("a,b\n\n1,2\n", {"skip_blank_lines": False}),
        ("a,b\n1,2\n3,4\nTotal: 7\n", {"nrows": 2}),
        ('a,b\n1,"x\ny"\n3,4\n"never closed', {"nrows": 2}),
        ("a,b\n1,2\nx,y\n", {"nrows": 1, "comment": "#"}),
        ("a\n1\n2,3\n4\n5\n", {"nrows": 3, "on_bad_lines": "skip", "dtype": str}),
        ("a\n1\nNaN \n", {}),
        ("a\n1\nNAN\n", {}),
        ("x\n1\n", {"engine": "c", "low_memory": False, "memory_map": True}),
        ('"a# b",c # d\n1,2\n', {"comment": "#"}),
        ("a,b\nTRUE,1\n,2\n", {"comment": "#"}),
        ('a;b\n1;""\n2;""\n', {"sep": ";", "comment": "#", "keep_default_na": False}),
        ("a,b\n1,x\\\ny\n2,z\n", {"escapechar": "\\"}),
        ('ju"nk\n"x\ny",2\na,b\n1,2\n', {"skiprows": 2}),
    ],
)
def test_texts_read_as_pandas_reads_them(
    tmp_path: Path, text: str, options: dict[str, Any]
) -> None:
    path = write(tmp_path / "x.csv", text)
    expected = pd.read_csv(path, **options)
    for block in (None, 1, 3, 5):
        assert_same_rows(read(path, blocksize=block, **options), expected, ordered=True)


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "utf-32", "cp037", "utf-7", "koi8-r"])
def test_encodings_in_which_bytes_of_ascii_may_mean_else(tmp_path: Path, encoding: str) -> None:
    text = "a|b\n1|ab\n2|c d\n" if encoding == "cp037" else "a|b\n1|я\n2|ф\n"
    path = write(tmp_path / "x.csv", text.encode(encoding))
    expected = pd.read_csv(path, sep="|", encoding=encoding)
    assert_same_rows(read(path, sep="|", encoding=encoding, blocksize=4), expected, ordered=True)


@pytest.mark.parametrize(
    "options", [{"comment": "#"}, {"escapechar": "\\"}, {"thousands": "."}, {}], ids=str
)
def test_rows_longer_than_the_header_make_no_index(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write(tmp_path / "x.csv", "a,b\n1,2,3\n4,5,6\n")
    with pytest.raises(ReadError, match=r"x\.csv, line 2 has 3 fields where 2 were expected"):
        read(path, **options)


def test_bad_lines_that_are_all_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b\n1,2,\n4,5,\n")
    with pytest.raises(ReadError, match=r"all rows have more fields .* names="):
        CsvSource(path, on_bad_lines="skip")
    unclosed = write(tmp_path / "y.csv", 'a,b\n1,"2\n4,5\n')
    with pytest.raises(ReadError, match="line 2: a quoted field that begins here is never closed"):
        CsvSource(unclosed, on_bad_lines="skip")


def test_returns_alone_over_many_blocks(tmp_path: Path) -> None:
    lines = [f'{i},"x\r{i}"' if i % 7 == 0 else f"{i},y" for i in range(50_000)]
    path = write(tmp_path / "x.csv", "n,s\r" + "\r".join(lines))
    source = CsvSource(path, blocksize="64kB")
    assert len(source.splits(["n"])) > 5
    assert count_rows(source) == 50_000
    assert_same_rows(read_source(source), pd.read_csv(path), ordered=True)


def test_a_bad_value_after_returns_alone_is_located(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "n\r1\r2\rthree\r")
    with pytest.raises(ReadError, match=r"line 4, column 'n': 'three' .*dtype=\{'n': 'str'\}"):
        read(path, dtype={"n": "int64"})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("chunksize", "frames are lazy"),
        ("converters", "dtype="),
        ("skipfooter", "filter the last rows"),
        ("lineterminator", "found by itself"),
        ("encoding_errors", "latin-1"),
    ],
)
def test_options_that_are_not_there_say_what_is(tmp_path: Path, option: str, message: str) -> None:
    path = write(tmp_path / "x.csv", "a\n1\n")
    with pytest.raises(UnsupportedError, match=f"no option '{option}'; .*{message}"):
        CsvSource(path, **{option: 1})
