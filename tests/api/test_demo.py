"""The demo's analysis and what it prints."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from plait.demo import check_same, progress_line, run_demo, tip_table
from plait.errors import ComputeError
from tests.assertions import assert_same_rows


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_demo_gives_the_answer(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    out, err = io.StringIO(), io.StringIO()
    tips = run_demo(tmp_path, 0.005, out=out, err=err)
    expected = duck.sql(
        f"""
        select isodow(tpep_pickup_datetime) - 1 as day, hour(tpep_pickup_datetime) as hour,
               avg(tip_amount / fare_amount) as tip_fraction
        from read_csv('{tmp_path}/*.csv') where fare_amount > 0 group by all order by day, hour
        """
    )
    assert_same_rows(tips, expected, ordered=True)
    said = out.getvalue()
    assert "trips in 12 CSV files" in said
    assert "Both languages gave the same rows." in said
    assert said.count("million rows/s") == 2
    assert "generated 12 files" in err.getvalue()

    again = io.StringIO()
    run_demo(tmp_path, 0.005, out=io.StringIO(), err=again)
    assert "generated" not in again.getvalue()


def _tips() -> pd.DataFrame:
    return pd.DataFrame({"day": [0, 0, 1], "hour": [3, 4, 4], "tip_fraction": [0.1, 0.2, 0.4]})


def test_table_has_a_line_an_hour() -> None:
    assert tip_table(_tips()).splitlines() == [
        "hour     Mon   Tue   mean",
        "   3    10.0     -   10.0  " + "█" * 8,
        "   4    20.0  40.0   30.0  " + "█" * 24,
    ]
    assert tip_table(_tips(), plain=True).splitlines()[1].endswith("  " + "#" * 8)


def test_bars_have_eighths() -> None:
    tips = pd.DataFrame({"day": [0, 0], "hour": [0, 1], "tip_fraction": [1.0, 1 / 192]})
    assert tip_table(tips).splitlines()[2].endswith(" ▏")


def test_differences_are_not_accepted() -> None:
    check_same(_tips(), _tips())
    other = _tips()
    other.loc[2, "tip_fraction"] = np.nextafter(0.4, 1)
    with pytest.raises(ComputeError, match="1 rows differ"):
        check_same(_tips(), other)
    with pytest.raises(ComputeError, match=r"3 rows of .* SQL 2 rows"):
        check_same(_tips(), _tips()[:2])
    with pytest.raises(ComputeError, match=r"SQL 3 rows of .'day', 'hour', 'tip'."):
        check_same(_tips(), _tips().rename(columns={"tip_fraction": "tip"}))


def test_progress_of_generating() -> None:
    assert progress_line(0, 4, 0.0) == "generating trips [--------------------]   0%"
    assert progress_line(1, 4, 20.0) == "generating trips [#####---------------]  25%  ~1:00 left"


def test_progress_is_drawn_over_itself_and_removed(tmp_path: Path) -> None:
    err = Terminal()
    run_demo(tmp_path, 0.001, out=io.StringIO(), err=err)
    *drawn, last = err.getvalue().split("\r\x1b[K")
    assert any(line.startswith("generating trips [") for line in drawn)
    assert last.startswith("generated 12 files")
