from __future__ import annotations

from itertools import count

import pytest

from plait.scheduler.dashboard.spans import Lane, Timeline


def timeline(most: int = 100) -> Timeline:
    return Timeline(most, count(1).__next__)


def lane(number: int = 1) -> Lane:
    return Lane(number, 0, f"t{number}", 0)


def test_long_spans_stay_apart() -> None:
    line, one = timeline(), lane()
    line.add(one, "task", 1, 0, 10.0, 0.5)
    line.add(one, "task", 1, 0, 10.5, 0.25)
    spans, left_out = line.since(0, 10)
    assert [(s.start, s.seconds, s.count) for s in spans] == [(10.0, 0.5, 1), (10.5, 0.25, 1)]
    assert left_out == 0


def test_short_spans_become_one_of_fifty_milliseconds() -> None:
    line, one = timeline(), lane()
    for number in range(1000):  # a task a millisecond, for a second
        line.add(one, "task", 1, 0, number / 1000, 0.0009)
    spans, _ = line.since(0, 1000)
    assert sum(s.count for s in spans) == 1000
    assert 20 <= len(spans) <= 21
    assert all(s.seconds <= 0.05 + 1e-9 for s in spans)


def test_a_merged_span_bears_the_stage_of_its_longest_task() -> None:
    line, one = timeline(), lane()
    line.add(one, "task", 1, 0, 0.000, 0.001)
    line.add(one, "task", 1, 1, 0.001, 0.003)
    line.add(one, "task", 1, 2, 0.004, 0.002)
    ((span,), _) = line.since(0, 10)
    assert (span.stage, span.count) == (1, 3)
    assert span.seconds == pytest.approx(0.006)


@pytest.mark.parametrize(
    ("kind", "job", "start"),
    [("transfer", 1, 0.001), ("task", 2, 0.001), ("task", 1, 0.1)],
    ids=["another kind", "another query", "after a pause"],
)
def test_what_differs_stays_apart(kind: str, job: int, start: float) -> None:
    line, one = timeline(), lane()
    line.add(one, "task", 1, 0, 0.0, 0.001)
    line.add(one, kind, job, 0, start, 0.001)  # type: ignore[arg-type]
    assert len(line.since(0, 10)[0]) == 2


def test_lanes_do_not_mix() -> None:
    line, one, two = timeline(), lane(1), lane(2)
    line.add(one, "task", 1, 0, 0.0, 0.001)
    line.add(two, "task", 1, 0, 0.0, 0.001)
    line.add(one, "task", 1, 0, 0.001, 0.001)
    assert sorted((s.lane, s.count) for s in line.since(0, 10)[0]) == [(1, 2), (2, 1)]


def test_a_span_is_given_once_and_then_closed() -> None:
    line, one = timeline(), lane()
    line.add(one, "task", 1, 0, 0.0, 0.001)
    (first,), _ = line.since(0, 10)
    line.add(one, "task", 1, 0, 0.001, 0.001)
    (second,), _ = line.since(first.number, 10)
    assert (first.count, second.count) == (1, 1)
    assert line.since(second.number, 10) == ([], 0)


def test_an_outer_task_ends_after_the_ones_it_waited_for() -> None:
    line, one = timeline(), lane()
    line.add(one, "task", 1, 1, 0.001, 0.001)
    line.add(one, "task", 1, 0, 0.0, 0.003)
    ((span,), _) = line.since(0, 10)
    assert (span.start, span.count) == (0.0, 2)
    assert span.seconds == pytest.approx(0.003)


def test_only_the_newest_are_kept_and_given() -> None:
    line, one = timeline(most=10), lane()
    for number in range(20):
        line.add(one, "task", 1, 0, number, 0.5)
    spans, left_out = line.since(0, 4)
    assert [s.start for s in spans] == [16, 17, 18, 19]
    assert left_out == 6
