"""CSV as it is written, character by character as pandas writes it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plait
from plait.errors import PlanError, WriteError
from plait.io.write.formats import CsvEncoder

FRAME = pd.DataFrame(
    {
        "a": [1.5, None, -2.25],
        "s": ["x,y", 'q"t', None],
        "n": [1, 2, 3],
        "t": pd.to_datetime(["2020-01-01 00:00:00", "2020-01-02 03:04:05", None]),
    },
    index=pd.Index([7, 8, 9], name="i"),
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sep": ";"},
        {"sep": "-", "index": False, "columns": ["t", "a"]},
        {"sep": "1"},
        {"na_rep": "NA"},
        {"float_format": "%.3f"},
        {"float_format": "{:.1f}"},
        {"date_format": "%d.%m.%Y"},
        {"quoting": csv.QUOTE_ALL},
        {"quoting": csv.QUOTE_NONNUMERIC},
        {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
        {"quotechar": "'"},
        {"decimal": ",", "sep": ";"},
        {"header": ["x", "y", "z", "w"]},
        {"header": False},
        {"columns": ["n", "a"]},
        {"index": False},
        {"index_label": "J"},
        {"lineterminator": "\r\n"},
        {"encoding": "utf-16"},
        {"columns": ["a"], "index": False},
    ],
)
def test_as_pandas(tmp_path: Path, options: dict[str, Any]) -> None:
    plait.from_pandas(FRAME).to_csv(tmp_path / "x.csv", **options)
    FRAME.to_csv(tmp_path / "y.csv", **options)
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


@pytest.mark.parametrize("columns", [["n"], ["n", "m"]])
def test_numbered_rows(tmp_path: Path, columns: list[str]) -> None:
    frame = pd.DataFrame({name: [1, 2, 3] for name in columns})
    for options in ({"index": True}, {"index_label": "row"}):
        lazy = plait.from_pandas(frame)
        lazy.to_csv(tmp_path / "x.csv", mode="w", **options)
        assert (tmp_path / "x.csv").read_text() == frame.to_csv(**options)
    plait.from_pandas(frame).to_csv(tmp_path / "bare.csv")
    assert (tmp_path / "bare.csv").read_text() == frame.to_csv(index=False)


def text(table: pa.Table, **options: Any) -> str:
    out = io.BytesIO()
    encoder = CsvEncoder(out, **options)
    encoder.write(table)
    encoder.close()
    return out.getvalue().decode()


@given(
    rows=st.lists(st.tuples(*[st.text("ab,;'\"\n\r\\ 1", max_size=5)] * 2), min_size=1, max_size=6),
    sep=st.sampled_from(",;1"),
    quotechar=st.sampled_from("\"'"),
    quoting=st.sampled_from(["minimal", "all", "nonnumeric"]),
    escaped=st.booleans(),
)
def test_python_reads_back_what_was_written(
    rows: list[tuple[str, ...]], sep: str, quotechar: str, quoting: str, escaped: bool
) -> None:
    names = ["x", f"y{sep}{quotechar}"]
    table = pa.table([pa.array(c, pa.string()) for c in zip(*rows, strict=True)], names=names)
    how: dict[str, Any] = {"quotechar": quotechar}
    if escaped:
        how |= {"escapechar": "\\", "doublequote": False}
    written = text(table, sep=sep, quoting=quoting, **how)
    found = list(csv.reader(io.StringIO(written, newline=""), delimiter=sep, **how))
    assert found == [names, *map(list, rows)]


def test_python_reads_back_what_is_not_quoted() -> None:
    values = ["a,b", 'a"b', "a\\b", "a\nb", "", "plain"]
    table = pa.table({"x": values, "y": values})
    how: dict[str, Any] = {"escapechar": "\\"}
    written = text(table, quoting="none", **how)
    reader = csv.reader(io.StringIO(written, newline=""), quoting=csv.QUOTE_NONE, **how)
    assert list(reader)[1:] == [[v, v] for v in values]
    with pytest.raises(WriteError, match="escapechar"):
        text(table, quoting="none")


def test_letters_that_an_encoding_lacks() -> None:
    assert text(pa.table({"x": ["a"]}), encoding="latin-1") == "x\na\n"
    with pytest.raises(WriteError, match=r"latin-1.*€"):
        text(pa.table({"x": ["5 €"]}), encoding="latin-1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "||"}, "sep is a single character"),
        ({"sep": '"'}, "sep cannot be"),
        ({"quotechar": ""}, "quotechar is a single character"),
        ({"quoting": 7}, "quoting is one of minimal"),
        ({"doublequote": False}, "needs an escapechar"),
        ({"lineterminator": ";"}, "lineterminator is"),
        ({"encoding": "utf-9"}, "no encoding"),
        ({"header": ["only one"]}, "1 names for 4 columns"),
        ({"force_quote": ["zzz"]}, "zzz"),
    ],
)
def test_impossible_styles(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plait.from_pandas(FRAME).to_csv(tmp_path / "x.csv", **options)
    assert not list(tmp_path.iterdir())
