"""Source tasks whose data somebody may have kept: where they go, and when they go elsewhere."""

from __future__ import annotations

from collections import Counter

from plait.scheduler.state.messages import GroupSpec, Memory, Release, Retract, WorkerGone
from plait.scheduler.state.numbers import key_of
from tests.scheduler.state.stage import Stage

SCAN = GroupSpec("scan", b"scan", source=True)
OTHER = GroupSpec("other", b"other", source=True)


def scan(stage: Stage, *data: int, group: GroupSpec = SCAN) -> list[int]:
    """Submit scans of some data; the tasks."""
    count = len(data)
    return stage.submit([()] * count, want=list(range(count)), groups=(group,), affinities=data)


def finish(stage: Stage, tasks: list[int], seconds: float = 0.001) -> dict[int, int]:
    """Run tasks to the end and release them; task -> worker."""
    ran = {task: worker for worker, task in stage.finish_all(seconds)}
    stage.say(Release(1, tuple(map(key_of, tasks))))
    return ran


def read_by(
    stage: Stage, *data: int, seconds: float = 0.001, group: GroupSpec = SCAN
) -> dict[int, int]:
    """Scan some data; data -> worker."""
    tasks = scan(stage, *data, group=group)
    ran = finish(stage, tasks, seconds)
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
    few = [next(d for d, w in first.items() if w == worker) for worker in (0, 1, 2)]
    assert read_by(stage, *few, group=OTHER) == {data: first[data] for data in few}


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


def test_a_new_worker_becomes_home_to_its_share_and_the_others_keep_the_rest() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 13))
    stage.join(2)
    second = read_by(stage, *range(1, 13))
    assert Counter(second.values()) == {0: 4, 1: 4, 2: 4}
    assert all(second[data] in (worker, 2) for data, worker in first.items())
    assert read_by(stage, *range(1, 13)) == second


def test_of_what_one_worker_read_others_get_their_share() -> None:
    stage = Stage((1, 1))
    first = read_by(stage, *range(1, 9))
    ours = [data for data, worker in first.items() if worker == 0]
    second = read_by(stage, *ours)
    assert Counter(second.values()) == {0: 2, 1: 2}
    assert read_by(stage, *ours) == second


def taken(stage: Stage, group: GroupSpec = SCAN) -> int:
    """How many of eight tasks a worker runs beyond its share while the other does nothing."""
    tasks = scan(stage, *range(1, 9), group=group)
    count = 0
    while stage.given[1]:
        stage.done(1, next(iter(stage.given[1])), seconds=0.01)
        count += 1
    finish(stage, tasks)
    return count - 4


def test_an_idle_worker_takes_what_would_wait_for_longer_than_it_is_to_read() -> None:
    stage = Stage((1, 1))
    read_by(stage, *range(1, 9), seconds=0.011)
    read_by(stage, *range(1, 9), seconds=0.01)
    assert taken(stage) > 0
    # it is at home where it was
    again = read_by(stage, *range(1, 9), seconds=0.01)
    assert Counter(again.values()) == {0: 4, 1: 4}


def test_what_is_longer_to_read_than_to_wait_for_stays() -> None:
    stage = Stage((1, 1))
    read_by(stage, *range(1, 9), seconds=1.0)
    read_by(stage, *range(1, 9), seconds=0.01)
    assert taken(stage) == 0


def test_before_it_was_measured_reading_is_thought_to_take_some_time() -> None:
    stage = Stage((1, 1))
    read_by(stage, *range(1, 9), seconds=0.01)
    assert taken(stage, group=OTHER) == 0


def test_what_nobody_would_take_is_not_called_back() -> None:
    def called_back(wait: float) -> bool:
        stage = Stage((1, 1))
        read_by(stage, 1, 2, seconds=1.0)
        read_by(stage, 1, 2, seconds=0.01)
        read_by(stage, 3, 4, seconds=0.01)
        tasks = scan(stage, 1, 2, 3, 4)
        stage.done(1, *stage.given[1])
        stage.tick(wait)
        retracted = bool(stage.heard(0, Retract))
        finish(stage, tasks)
        return retracted

    assert not called_back(0.5)
    assert called_back(2.0)


def test_a_home_that_takes_nothing_is_not_waited_for() -> None:
    stage = Stage((1, 1))
    read_by(stage, *range(1, 9))
    stage.say(Memory(0, 900, paused=True))
    assert set(read_by(stage, *range(1, 9)).values()) == {1}
