"""CSV files named in SQL: judged by DuckDB's guesses on the same files."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from plait.errors import ReadError
from plait.io.csv.source import CsvSource
from plait.io.formats import open_csv_as_sql, open_path
from plait.planner.types import sql_name
from tests.assertions import assert_same_rows
from tests.io.reading import count_rows, read_source


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_sql_guesses_dates_as_duckdb(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv",
        "d,t,c,s,n,b\n2020-01-31,2020-01-31 10:00:00,10:11:12,NA,1,true\n"
        "2021-02-28,2021-02-28 11:22:33.5,23:00:00,,2,false\n",
    )
    source = open_path(path)
    expected = duckdb.sql(f"select * from '{path}'").to_arrow_table()
    types = ["date32[day]", "timestamp[us]", "time64[us]", "string", "int64", "bool"]
    assert [str(t) for t in source.schema.types] == types
    assert_same_rows(read_source(source), expected, ordered=True)


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_sql_finds_the_separator(tmp_path: Path, sep: str) -> None:
    text = f"a{sep}b{sep}c\n" + "".join(f"{i}{sep}x y{sep}{i}.5\n" for i in range(30))
    source = open_path(write(tmp_path / "x.csv", text))
    assert source.schema.names == ("a", "b", "c")
    assert count_rows(source) == 30


@pytest.mark.parametrize(
    "values",
    [
        ["yes", "no"], ["t", "F"], ["Y", "N"], ["1", "0"], ["+5", "6"], ["-0", "1"], ["007", "08"],
        ["007.5", "1"], ["1e5", "2"], [" 5", "6 "], ["1.", ".5"], ["nan", "-inf"], ["1_000", "2"],
        ["18446744073709551615", "1"], ["99999999999999999999999", "1"], ["NULL", "1"],
        ["2020/01/02", "2021/03/04"], ["01/02/2020", "13/02/2020"], ["12/31/2020", "01/02/2020"],
        ["01.02.2020", "03.04.2020"], ["2020-1-5", "2020-01-06"], ["1/2/2020", "3/4/2020"],
        ["2020-02-30", "2020-01-01"], ["31-02-2020", "01-01-2020"], ["12:30", "13:45:59.25"],
        ["25:00", "13:45"], ["2020-01-05 10:00", "2020-01-06"], ["31/12/2020 10:00", "01/02/2020"],
        ["2020/01/02 10:00:00", "2020/1/2 1:02:03"], ["15-01-2015 07:05:39", "16-01-2015 00:00:00"],
        ["01/15/2015 07:05:39 PM", "02/01/2015 12:00:00 AM"],
        ["15/01/2015 07:05:39 PM", "02/01/2015 12:00:00 AM"],
        ["12/31/2020 10:00:00", "01/02/2020 11:00:00"],
    ],
    ids=str,
)  # fmt: skip
def test_sql_guesses_as_duckdb_guesses(tmp_path: Path, values: list[str]) -> None:
    path = write(tmp_path / "x.csv", "a;b\n" + "".join(f"{v};1\n" for v in values))
    relation = duckdb.sql(f"select a from '{path}'")
    source = open_path(path)
    assert sql_name(source.schema["a"].type) == str(relation.types[0])
    assert_same_rows(read_source(source, ["a"]), relation.to_arrow_table(), ordered=True)


def test_date_that_breaks_the_guessed_format(tmp_path: Path) -> None:
    lines = ["01.02.2020,some words to fill the line"] * 200_000
    lines[50_000] = "2020,x"
    path = write(tmp_path / "x.csv", "d,s\n" + "\n".join(lines))
    with pytest.raises(ReadError, match=r"line 50002, column 'd': '2020' is not a value of date"):
        read_source(open_path(path), ["d"])


@pytest.mark.parametrize(
    "text",
    [
        "a,b\nc,d\n", "1,x\n2,y\n", "n,x\n2,y\n", "1,2\n3,4\n", "x,1\nx,2\n", ",\n1,2\n",
        "a,\n1,2\n",
        "2020-01-01,5\n2020-01-02,6\n", "a,a\n1,2\n", "id\n1\n", "1\n2\n", "1,2\nx,y\n",
        "true,1\nfalse,2\n", "1.5,x\n2,y\n", "5,x\n2.5,y\n", "a,b\n", "a,b", "1,2\n",
        "col,,c\n1,2,3\n", "2020,2021\nx,y\n", "name,2020\na,1\n", "01.02.2020,x\n02.02.2020,y\n",
    ],
)  # fmt: skip
def test_sql_tells_headers_as_duckdb_does(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "x.csv", text)
    relation = duckdb.sql(f"from '{path}'")
    source = open_path(path)
    assert list(source.schema.names) == relation.columns
    assert_same_rows(read_source(source), relation.to_arrow_table(), ordered=True)


def test_nan_is_missing_to_pandas_and_a_number_to_sql(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "f\n1.5\nnan\nNaN\n")
    source = CsvSource(path)
    assert not source.may_hold_nan
    assert read_source(source)["f"].to_pylist() == [1.5, None, None]
    sql = open_csv_as_sql(path)
    assert sql.may_hold_nan
    assert_same_rows(read_source(sql), duckdb.sql(f"from '{path}'").to_arrow_table(), ordered=True)
