"""Source tasks whose data somebody may have kept: where they go, and when they go elsewhere."""

from __future__ import annotations

from plait.scheduler.state.messages import GroupSpec, Memory, Release, WorkerGone
from plait.scheduler.state.numbers import key_of
from tests.scheduler.state.stage import Stage

SCAN = GroupSpec("scan", b"scan", source=True)
OTHER = GroupSpec("other", b"other", source=True)


def read_by(
    stage: Stage, *data: int, seconds: float = 0.001, group: GroupSpec = SCAN
) -> dict[int, int]:
    """Submit scans of some data, run them to the end and release them; data -> worker."""
    count = len(data)
    tasks = stage.submit([()] * count, want=list(range(count)), groups=(group,), affinities=data)
    ran = {task: worker for worker, task in stage.finish_all(seconds)}
    stage.say(Release(1, tuple(map(key_of, tasks))))
    return {number: ran[task] for number, task in zip(data, tasks, strict=True)}


def test_data_that_nobody_has_read_are_dealt_out_in_turn() -> None:
    found = read_by(Stage((1, 1)), *range(1, 9))
    assert list(found.values()).count(0) == 4
    found = read_by(Stage((2, 1)), *range(1, 10))
    assert list(found.values()).count(0) == 6


def test_data_are_read_again_where_they_were_read_last() -> None:
    stage = Stage((1, 1, 1))
    first = read_by(stage, *range(1, 21), seconds=0.05)
    assert set(first.values()) == {0, 1, 2}
    assert read_by(stage, *range(20, 0, -1)) == first
    assert read_by(stage, 3, 9, 11, group=OTHER) == {data: first[data] for data in (3, 9, 11)}


def test_scans_that_take_results_go_where_their_data_are() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 9))
    table, *scans = stage.submit(
        [(), *[(0,)] * 8],
        want=list(range(9)),
        groups=(GroupSpec("table", b"table"), SCAN),
        which=[0, *[1] * 8],
        affinities=tuple(range(9)),
    )
    ran = {task: worker for worker, task in stage.finish_all()}
    del ran[table]
    assert ran == {task: first[data] for task, data in zip(scans, range(1, 9), strict=True)}


def test_what_a_lost_worker_had_read_is_read_by_others() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 9))
    stage.say(WorkerGone(0))
    assert set(read_by(stage, *range(1, 9)).values()) == {1}
    stage.join(2)
    assert [*read_by(stage, 9, 10).values()].count(2) == 1
    assert 0 in first.values()


def test_an_idle_worker_takes_what_would_wait_for_longer_than_it_is_to_read() -> None:
    stage = Stage((1, 1))
    # Reading costs 10 ms beside the second that a task takes.
    first = read_by(stage, *range(1, 9), seconds=1.01)
    read_by(stage, *range(1, 9), seconds=1.0)
    ours = [data for data, worker in first.items() if worker == 0]
    again = read_by(stage, *ours, seconds=1.0)
    assert 1 in again.values()
    # and that is where it is from then on
    assert read_by(stage, *again, seconds=1.0) == again


def test_what_is_longer_to_read_than_to_wait_for_stays() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 9), seconds=1.0)
    read_by(stage, *range(1, 9), seconds=0.01)
    ours = [data for data, worker in first.items() if worker == 0]
    assert set(read_by(stage, *ours, seconds=0.01).values()) == {0}


def test_before_it_was_measured_reading_is_thought_to_take_some_time() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 9))
    ours = [data for data, worker in first.items() if worker == 0]
    assert set(read_by(stage, *ours, group=OTHER).values()) == {0}


def test_a_home_that_takes_nothing_is_not_waited_for() -> None:
    stage = Stage((1, 1))
    read_by(stage, *range(1, 9))
    stage.say(Memory(0, 900, paused=True))
    assert set(read_by(stage, *range(1, 9)).values()) == {1}
