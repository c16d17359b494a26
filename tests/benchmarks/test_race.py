"""The harness of the races: fair turns, compared answers, and nobody takes the others down."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.compare import main as compare_main
from benchmarks.digest import LARGE, digest
from benchmarks.figures import Result, Results, table, write_json
from benchmarks.race import (
    Answer,
    Contestant,
    Settings,
    SkipJobError,
    answers,
    chosen,
    once,
    plait_settings,
    race,
)
from benchmarks.tpch import fold_dates
from tests.assertions import assert_same_rows


def open_right(settings: Settings) -> Answer:
    with Path(settings["log"]).open("a") as log:
        log.write("right ")
    return lambda job: pa.table({"a": [1, 2]})


def open_other(settings: Settings) -> Answer:
    def answer(job: str) -> pa.Table | Callable[[], pa.Table]:
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
            case "late":
                return lambda: pa.table({"a": [2, 1]})
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


def test_a_kept_session_serves_all_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"threads": 1, "log": str(log), "keep": True}
    results = race(["same", "late"], CONTESTANTS, settings, rounds=1, timeout=20)
    assert log.read_text().split() == ["right", "other"]
    assert [r["other"].status for r in results.values()] == ["ok", "ok"]


def test_digest_of_large_answers() -> None:
    count = LARGE + 1
    ids = np.arange(count, dtype=np.int64)
    tags = pa.array(["even", "odd"] * (count // 2 + 1))[:count]
    rows = pa.table({"id": ids, "tag": tags.dictionary_encode(), "value": np.sqrt(ids)})
    turned = pa.table(
        {"no": ids[::-1].astype(np.int32), "": tags.take(ids[::-1]), "root": np.sqrt(ids[::-1])}
    )
    assert digest(rows).num_rows == 4096
    assert_same_rows(digest(turned), digest(rows))

    swapped = np.sqrt(ids)
    swapped[[1000, 2000]] = swapped[[2000, 1000]]
    for wrong in (rows.set_column(2, "value", pa.array(swapped)), rows.slice(1)):
        with pytest.raises(AssertionError):
            assert_same_rows(digest(wrong), digest(rows))
    assert digest(rows.slice(2, 10)).num_rows == 10


def test_one_run_alone(tmp_path: Path) -> None:
    settings = {"threads": 1, "log": str(tmp_path / "log")}
    assert len(once("same", CONTESTANTS[0], settings).runs) == 1
    assert once("raise", CONTESTANTS[1], settings).status == "failed"
    found = dict(answers(["same", "raise"], CONTESTANTS[1], settings))
    assert found.keys() == {"same"}


def test_settings_of_plait_go_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_PARTITION__BYTES", "1")
    monkeypatch.setenv("PLAIT_COLUMN_CACHE__BYTES", "1")
    assert plait_settings(["partition.bytes=8MiB"], keep=True) == "partition.bytes=8MiB"
    assert os.environ["PLAIT_PARTITION__BYTES"] == "8MiB"
    assert os.environ["PLAIT_COLUMN_CACHE__BYTES"] == "1"
    assert plait_settings([]) == "column_cache.bytes=0"
    assert os.environ["PLAIT_COLUMN_CACHE__BYTES"] == "0"
    with pytest.raises(SystemExit, match="key=value"):
        plait_settings(["partition.bytes"])


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


def test_table_sets_us_beside_the_fastest_of_the_others() -> None:
    results = _results(q1=1.0, q2=4.0)
    results["q1"]["polars"] = Result(runs=[0.5])
    results["q2"]["polars"] = Result(runs=[2.0])
    lines = table(results, further={"scan": {"q2": 0.25}}).splitlines()
    assert lines[0].split() == ["plait", "duckdb", "polars", "/duckdb", "/polars", "/best", "scan"]
    assert lines[1].split()[4:] == ["1.00", "2.00", "2.00", "-"]
    assert lines[2].split()[4:] == ["4.00", "2.00", "4.00", "0.250"]
    assert lines[5].split() == ["geometric", "mean", "2.00", "2.00", "2.83"]
    assert lines[6].split() == ["worst", "4.00", "2.00", "4.00"]


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
