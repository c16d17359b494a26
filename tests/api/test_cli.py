"""The command line: what it prints, and what it leaves unimported."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import plait
from plait import cli, textual


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sql", "select 42 as answer, 'x' as name, null as nothing"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["answer", "name", "nothing"]
    assert lines[2].split() == ["42", "x", "NULL"]
    assert lines[3] == "(1 row)"


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    query = (
        "select 1 as a, 'x,y|z' as b, 1.50::decimal(5,2) as c, date '2020-01-02' as d, null as e"
    )
    cli.main(["sql", query, "--format", "csv"])
    assert capsys.readouterr().out == 'a,b,c,d,e\n1,"x,y|z",1.50,2020-01-02,\n'
    cli.main(["sql", query, "--format", "json"])
    row = {"a": 1, "b": "x,y|z", "c": 1.5, "d": "2020-01-02", "e": None}
    assert json.loads(capsys.readouterr().out) == row
    cli.main(["sql", query, "--format", "markdown"])
    assert capsys.readouterr().out.splitlines()[2] == "| 1 | x,y\\|z | 1.50 | 2020-01-02 | NULL |"


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1, 2, 3]}), data)
    script = tmp_path / "q.sql"
    script.write_text(f"create view t as select * from '{data}';\nselect sum(x) as s from t;")
    assert cli.main(["sql", "-f", str(script), "-o", str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").read_text() == "s\n6\n"
    cli.main(["sql", f"from '{data}'", "-o", str(tmp_path / "out.parquet")])
    assert pq.read_table(tmp_path / "out.parquet").column("x").to_pylist() == [1, 2, 3]
    assert capsys.readouterr().out == ""


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("select 7 as seven"))
    assert cli.main(["sql", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "seven\n7\n"


def test_mistakes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["sql", "select y from (select 1 as x)"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "plait: No column named 'y'" in shown.err
    assert "^" in shown.err
    assert cli.main(["sql", "-f", str(tmp_path / "none.sql")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert cli.main(["sql", "select 1", "-f", "x.sql"]) == 1
    with pytest.raises(SystemExit):
        cli.main(["sq"])
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == f"plait {plait.__version__}"


def test_long_results_are_cut() -> None:
    out = io.StringIO()
    textual.write_table(pa.table({"x": range(1000)}), out, 10)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2 + 11 + 1
    assert lines[-1] == "(1,000 rows)"
    assert lines[-2].strip() == "999"
    assert "…" in lines[7]


def test_a_small_query_imports_little() -> None:
    code = (
        "import sys; from plait.cli import main; main(['sql', 'select 42 as x']); "
        "print(*sorted(m for m in sys.modules if m in "
        "('pandas', 'tornado', 'fsspec', 'distributed', 'asyncio', 'sqlglot.optimizer.optimizer', "
        "'yaml', 'pyarrow.parquet', 'pyarrow.dataset', 'pyarrow.acero')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plait", "sql", "select 1 as one", "--format", "csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "one\n1\n"


def test_a_file_without_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sql", "select * from trips.csv"]) == 1
    assert "FROM 'trips.csv'" in capsys.readouterr().err
