"""The harness of the races: fair turns, compared answers, and nobody takes the others down."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.compare import main as compare_main
from benchmarks.race import (
    Answer,
    Contestant,
    Result,
    Results,
    Settings,
    SkipJobError,
    chosen,
    race,
    table,
    write_json,
)
from benchmarks.tpch import fold_dates


def open_right(settings: Settings) -> Answer:
    with Path(settings["log"]).open("a") as log:
        log.write("right ")
    return lambda job: pa.table({"a": [1, 2]})


def open_other(settings: Settings) -> Answer:
    def answer(job: str) -> pa.Table:
        match job:
            case "skip":
                raise SkipJobError("not mine")
            case "raise":
                raise RuntimeError("broken")
            case "die":
                os._exit(3)
            case "hang":
                time.sleep(60)
            case "wrong":
                return pa.table({"a": [1, 3]})
        return pa.table({"name of its own": [2, 1]})

    with Path(settings["log"]).open("a") as log:
        log.write("other ")
    return answer


CONTESTANTS = [Contestant("plait", open_right), Contestant("other", open_other)]


def test_race(tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"threads": 1, "log": str(log)}
    jobs = ["same", "skip", "raise", "die", "wrong", "again"]
    results = race(jobs, CONTESTANTS, settings, rounds=2, timeout=20)

    assert [results[job]["plait"].status for job in jobs] == ["ok"] * 6
    assert [results[job]["other"].status for job in jobs] == [
        *("ok", "skipped", "failed", "failed", "wrong", "ok")
    ]
    assert len(results["same"]["other"].runs) == 2
    assert results["skip"]["other"].note == "not mine"
    assert results["raise"]["other"].note == "RuntimeError: broken"
    assert "code 3" in results["die"]["other"].note
    assert "1 of 2 rows differ" in results["wrong"]["other"].note
    assert results["wrong"]["other"].best is None
    # A fresh session each time, in turns.
    assert log.read_text().split()[:6] == ["right", "other"] * 3

    text = table(results)
    assert "wrong other: wrong: 1 of 2 rows differ" in text
    assert "jobs" in text


def test_timeout_is_a_result(tmp_path: Path) -> None:
    settings = {"threads": 1, "log": str(tmp_path / "log")}
    results = race(["hang", "same"], CONTESTANTS, settings, rounds=1, timeout=2)
    assert results["hang"]["other"].status == "timeout"
    assert results["same"]["other"].status == "ok"


def _results(**seconds: float) -> Results:
    return {
        job: {"plait": Result(runs=[s, s * 2]), "duckdb": Result(runs=[1.0])}
        for job, s in seconds.items()
    }


def test_table_counts_what_both_did() -> None:
    results = _results(q1=1.0, q2=2.0, q3=4.0)
    results["q3"]["duckdb"] = Result("failed", "no memory")
    lines = table(results).splitlines()
    assert lines[1].split() == ["q1", "1.000", "1.000", "1.00"]
    assert lines[3].split() == ["q3", "4.000", "failed", "-"]
    assert lines[4].split() == ["total", "7.000", "2.000", "1.50"]
    assert lines[5].split() == ["jobs", "3", "2"]


def test_unknown_contestants_are_refused() -> None:
    assert [c.name for c in chosen(CONTESTANTS, ["other"])] == ["other"]
    with pytest.raises(SystemExit, match="No contestant named nobody"):
        chosen(CONTESTANTS, ["nobody"])


@pytest.mark.parametrize(
    ("after", "code", "said"),
    [
        ({"q1": 1.09, "q2": 1.0}, 0, "1.09"),
        ({"q1": 1.2, "q2": 0.5}, 1, "q1 takes 1.20 times as long"),
        ({"q1": 1.0}, 1, "q2 is not done any more"),
        ({"q1": 1.0, "q2": 0.5, "q3": 9.0}, 0, "faster"),
    ],
)
def test_compare(
    after: dict[str, float],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = []
    for name, results in (("a", _results(q1=1.0, q2=1.0)), ("b", _results(**after))):
        files.append(str(tmp_path / f"{name}.json"))
        write_json(Path(files[-1]), "test", {"scale": 1, "paths": ["x"]}, results)
    assert json.loads(Path(files[0]).read_text())["settings"] == {"scale": 1}
    assert compare_main(files) == code
    assert said in capsys.readouterr().out


def test_compare_forgives_a_millisecond(tmp_path: Path) -> None:
    for name, seconds in (("a", 0.001), ("b", 0.0025)):
        write_json(tmp_path / f"{name}.json", "test", {}, _results(q1=seconds))
    assert compare_main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0


def test_dates_are_folded() -> None:
    assert fold_dates("x < date '1994-01-01' + interval '1' year") == "x < date '1995-01-01'"
    assert fold_dates("date '1993-10-01' + interval '3' month") == "date '1994-01-01'"
    assert fold_dates("date '1998-12-01' - interval '90' day") == "date '1998-09-02'"
    assert fold_dates("date '1995-03-15'") == "date '1995-03-15'"
