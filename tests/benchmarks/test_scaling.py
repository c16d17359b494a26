"""The table of growing cost."""

from __future__ import annotations

from benchmarks.figures import Result, Results
from benchmarks.scaling import Setup, steps

SETUPS = [Setup(0.1, 2), Setup(1, 2), Setup(10, 2)]


def _results() -> Results:
    seconds = {"q1": [1.0, 4.0, 40.0], "q2": [1.0, 16.0, None]}
    return {
        job: {
            setup.of("plait"): Result(runs=[value]) if value else Result("failed")
            for setup, value in zip(SETUPS, values, strict=True)
        }
        for job, values in seconds.items()
    }


def test_growth_is_counted_over_what_both_sizes_did() -> None:
    lines = [line.split() for line in steps(_results(), ["plait"], SETUPS, False).splitlines()]
    assert lines[0] == ["plait", "0.1/2", "plait", "1/2", "x", "plait", "10/2", "x"]
    assert lines[1] == ["q1", "1.000", "4.000", "4.00", "40.000", "10.00"]
    assert lines[2] == ["q2", "1.000", "16.000", "16.00", "-", "-"]
    assert lines[3] == ["total", "2.000", "20.000", "10.00", "40.000", "10.00"]
    assert lines[4] == ["mean", "8.00", "10.00"]


def test_threads_are_counted_by_what_they_save() -> None:
    setups = [Setup(1, 1), Setup(1, 2)]
    results = {"q1": {s.of("duckdb"): Result(runs=[2.0 / s.threads]) for s in setups}}
    lines = [line.split() for line in steps(results, ["duckdb"], setups, True).splitlines()]
    assert lines[1] == ["q1", "2.000", "1.000", "2.00"]
