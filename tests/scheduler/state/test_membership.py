"""Workers that die, fall silent, leave, or disagree with the scheduler."""

from __future__ import annotations

from plait.scheduler.state.membership import Limits
from plait.scheduler.state.messages import (
    Audit,
    Copied,
    Copy,
    Digest,
    Finished,
    GroupSpec,
    Inventory,
    Memory,
    Missing,
    PeersGone,
    Retire,
    Retract,
    Returned,
    RunFailed,
    Tick,
    WorkerGone,
)
from plait.scheduler.state.numbers import key_of
from tests.scheduler.state.stage import Stage


def test_only_what_ran_is_blamed_and_three_deaths_are_enough() -> None:
    stage = Stage((1, 1, 1, 1))
    poison, _other = stage.submit([(), ()], want=[0, 1], groups=(GroupSpec("bad", b"bad"),))
    for death in range(3):
        home = next(worker for worker, tasks in stage.given.items() if poison in tasks)
        stage.given.pop(home)
        stage.say(WorkerGone(home, (poison,), "signal 11"))
        assert len(stage.told(RunFailed)) == (death == 2)
    (failed,) = stage.told(RunFailed)
    assert (failed.fault, failed.task, failed.group) == ("killed", poison, "bad")
    assert "3 workers died" in failed.text
    assert "signal 11" in failed.text
    assert "Task 0 of group 'bad'" in failed.text


def test_queued_tasks_are_not_blamed() -> None:
    stage = Stage((1,))
    running, queued = stage.submit([(), ()], want=[0, 1])
    for number in range(1, 6):
        stage.given.clear()
        stage.join(number)
        stage.say(WorkerGone(number - 1, ()))
    assert not stage.told(RunFailed)
    stage.given[5].pop(running)
    stage.say(WorkerGone(5, (running,)))
    assert not stage.told(RunFailed)
    assert queued in stage.state.table.row_of


def test_if_nobody_saw_it_the_first_in_the_queue_is_blamed() -> None:
    stage = Stage((1,))
    first, _second = stage.submit([(), ()], want=[0, 1])
    for number in range(1, 4):
        stage.given.clear()
        stage.join(number)
        stage.say(WorkerGone(number - 1))
    assert stage.told(RunFailed)[0].task == first


def test_nobody_is_blamed_for_a_worker_that_was_told_to_stop() -> None:
    stage = Stage((1,))
    (task,) = stage.submit([()])
    for number in range(1, 6):
        stage.given.clear()
        stage.join(number)
        stage.say(WorkerGone(number - 1, (task,), expected=True))
    assert not stage.told(RunFailed)


def test_those_who_know_a_lost_worker_are_told() -> None:
    stage = Stage((1, 1))
    a, b, c = stage.submit([(), (), (0, 1)])
    where = {task: worker for worker in (0, 1) for task in stage.given[worker]}
    stage.done(where[a], a)
    stage.done(where[b], b)
    at = 0 if c in stage.given[0] else 1
    stage.given.pop(1 - at)
    stage.say(WorkerGone(1 - at, ()))
    assert stage.heard(at, PeersGone)[0].workers == (1 - at,)


def test_a_silent_worker_is_suspected_then_killed() -> None:
    stage = Stage((1,))
    (task,) = stage.submit([()])
    stage.tick(4.0)
    assert task in stage.given[0]
    stage.tick(2.0)
    assert not stage.given[0]
    stage.submit([()])
    assert not stage.given[0]
    stage.say(Memory(0, 1))  # it lives
    assert stage.given[0]
    stage.tick(29.0)
    assert not stage.stops
    stage.tick(2.0)
    assert [(stop.worker, stop.kill) for stop in stage.stops] == [(0, True)]


def test_a_silent_worker_whose_process_runs_is_busy() -> None:
    stage = Stage((1,), Limits(busy_after=100.0))
    (task,) = stage.submit([()])

    def pass_seconds(count: int) -> None:
        for _ in range(count // 2):
            stage.tick(2.0)
            stage.say(Tick((0, 7)))

    pass_seconds(94)
    assert task in stage.given[0]
    assert not stage.stops
    pass_seconds(12)
    assert not stage.given[0]
    assert [(stop.worker, stop.kill) for stop in stage.stops] == [(0, True)]


def test_a_clock_that_jumps_makes_nobody_look_dead() -> None:
    stage = Stage((1,))
    stage.submit([()])
    for jump in (3600.0, -7200.0, 1e9):
        stage.tick(0.1)
        stage.now += jump
        stage.tick(0.1)
    assert stage.given[0]
    assert not stage.stops


def test_tasks_that_no_worker_can_run_fail_with_a_reason() -> None:
    stage = Stage((1,), Limits(unplaceable_after=10.0))
    group = GroupSpec("train", b"train", resources=(("GPU", 2.0),))
    stage.submit([()], groups=(group,))
    stage.join(1, resources=(("GPU", 1.0),))
    for _ in range(9):
        stage.tick(1.0)
        stage.say(Memory(0, 1), Memory(1, 1))
    assert not stage.told(RunFailed)
    stage.tick(2.0)
    (failed,) = stage.told(RunFailed)
    assert failed.fault == "nowhere"
    assert "they need GPU: 2" in failed.text
    assert "GPU: 1" in failed.text


def test_a_worker_that_could_comes_in_time() -> None:
    stage = Stage((1,), Limits(unplaceable_after=10.0))
    group = GroupSpec("train", b"train", resources=(("GPU", 1.0),))
    stage.submit([()], groups=(group,))
    stage.tick(8.0)
    stage.join(1, resources=(("GPU", 1.0),))
    stage.finish_all()
    assert stage.told(Finished)


def test_without_workers_runs_fail_in_the_end() -> None:
    stage = Stage((), Limits(unplaceable_after=10.0))
    stage.submit([()])
    stage.tick(12.0)
    assert "no worker for 10 s" in stage.told(RunFailed)[0].text
    patient = Stage((), Limits(unplaceable_after=None))
    patient.submit([()])
    patient.tick(100.0)
    assert not patient.told(RunFailed)


def test_a_retiring_worker_hands_its_results_over() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.done(0, a)
    stage.join(1)
    stage.say(Retire(0))
    stage.tick(0.1)
    (copy,) = stage.heard(1, Copy)
    assert (copy.keys, copy.owners) == ((key_of(a),), (0,))
    assert not stage.stops
    stage.say(Copied(1, copy.keys))
    assert stage.told(Finished)[-1].owners == (1,)
    assert stage.dropped(0) == [key_of(a)]
    assert [(stop.worker, stop.kill) for stop in stage.stops] == [(0, False)]


def test_a_retiring_worker_gives_back_what_it_has_not_begun() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[0, 1])
    stage.join(1)
    stage.say(Retire(0))
    assert stage.heard(0, Retract)
    del stage.given[0][b]
    stage.say(Returned(0, (b,), (0,)))
    assert list(stage.given[1]) == [b]
    stage.submit([()] * 5, want=[0])
    assert list(stage.given[0]) == [a]


def test_retiring_ends_even_if_results_cannot_be_copied() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.done(0, a)
    stage.say(Retire(0))
    for _ in range(31):
        stage.tick(1.0)
        stage.say(Memory(0, 1))
    assert stage.stops[0].worker == 0
    stage.say(WorkerGone(0, expected=True))
    stage.join(1)
    assert list(stage.given[1]) == [a]


def test_a_copy_that_came_too_late_is_dropped() -> None:
    stage = Stage((1, 1))
    (a,) = stage.submit([()])
    home = 0 if stage.given[0] else 1
    stage.done(home, a)
    stage.say(Copied(1 - home, (key_of(a), key_of(a + 5))))
    assert stage.dropped(1 - home) == [key_of(a), key_of(a + 5)]
    assert not stage.dropped(home)


def digest(stage: Stage, seen: int, tasks: list[int], keys: list[int]) -> Digest:
    task_xor = key_xor = 0
    for task in tasks:
        task_xor ^= task
    for key in keys:
        key_xor ^= key
    return Digest(0, seen, (len(tasks), task_xor), (len(keys), key_xor))


def test_a_digest_that_agrees_is_no_news() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[0, 1])
    stage.done(0, a)
    stage.say(digest(stage, 1, [b], [key_of(a)]))
    assert not stage.heard(0, Audit)


def test_a_lost_result_message_is_found() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[0, 1])
    stage.say(digest(stage, 1, [b], [key_of(a)]))
    assert stage.heard(0, Audit)
    stage.say(Inventory(0, (b,), (0,), (key_of(a),), (0,)))
    assert stage.dropped(0) == [key_of(a)]
    assert stage.given[0] == {b: 0, a: 1}


def test_a_lost_command_is_found_when_nothing_moves_any_more() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[0, 1])
    stage.say(digest(stage, 0, [], []))
    assert not stage.heard(0, Audit)  # it may be on its way
    stage.say(digest(stage, 0, [], []))
    assert stage.heard(0, Audit)
    stage.say(Inventory(0, (), (), (), ()))
    assert stage.given[0] == {a: 1, b: 1}


def test_a_lost_audit_is_sent_again() -> None:
    stage = Stage((1,))
    stage.submit([()])
    for _ in range(6):
        stage.say(digest(stage, 0, [], []))
    assert len(stage.heard(0, Audit)) > 1


def test_no_tasks_are_sent_during_an_audit() -> None:
    stage = Stage((1,))
    stage.say(digest(stage, 0, [3], []))
    assert stage.heard(0, Audit)
    stage.submit([()])
    assert not stage.given[0]
    stage.say(Inventory(0, (3,), (7,), (), ()))
    assert (3, 7) in stage.discarded(0)
    assert stage.given[0]


def test_results_that_a_worker_has_lost_are_made_again() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.done(0, a)
    stage.say(digest(stage, 1, [], []))
    stage.say(Inventory(0, (), (), (), ()))
    assert stage.given[0] == {a: 1}


def test_two_workers_that_cannot_reach_each_other_are_named() -> None:
    stage = Stage((1, 1), Limits(fetch_limit=1))
    a, b, c = stage.submit([(), (), (0, 1)])
    where = {task: worker for worker in (0, 1) for task in stage.given[worker]}
    stage.done(where[a], a)
    stage.done(where[b], b)
    at = 0 if c in stage.given[0] else 1
    far = a if where[a] != at else b
    stage.say(Missing(at, (c,), (0,), (key_of(far),), (1 - at,)))
    (failed,) = stage.told(RunFailed)
    assert failed.fault == "nowhere"
    assert "tcp://w0" in failed.text
    assert "tcp://w1" in failed.text
