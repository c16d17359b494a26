"""What the scheduler does about single messages: late, doubled, failing, cancelled."""

from __future__ import annotations

import pytest

from plait.scheduler.state.messages import (
    Cancel,
    ClientGone,
    Done,
    Drop,
    Failed,
    Finished,
    GroupSpec,
    Lost,
    Missing,
    Release,
    Retrying,
    RunFailed,
    Submit,
    TasksDone,
    Unreachable,
    WorkerGone,
)
from plait.scheduler.state.numbers import first_task, key_of
from tests.scheduler.state.stage import Stage

RETRIED = GroupSpec("flaky", b"flaky", retries=2)
SPLIT = GroupSpec("split", b"split", outputs=3)
WORK = GroupSpec("work", b"work")


def test_a_run_from_beginning_to_end() -> None:
    stage = Stage((1, 1))
    a, b, c = stage.submit([(), (), (0, 1)])
    assert sorted([*stage.given[0], *stage.given[1]]) == [a, b]
    ran = stage.finish_all()
    assert {task for _, task in ran} == {a, b, c}
    (finished,) = stage.told(Finished)
    assert finished.keys == (key_of(c),)
    assert finished.owners == (ran[-1][0],)
    assert {task for message in stage.told(TasksDone) for task in message.tasks} == {a, b, c}
    assert sorted(stage.dropped(0) + stage.dropped(1)) == [key_of(a), key_of(b)]
    stage.say(Release(1, (key_of(c),)))
    assert key_of(c) in stage.dropped(finished.owners[0])
    assert len(stage.state.table) == 0
    assert not stage.state.clients[1].runs


def test_a_part_goes_with_its_last_consumer_not_with_its_siblings() -> None:
    stage = Stage((1,))
    first = first_task(1)
    split, x, y = stage.submit(
        [(), (-key_of(first, 0),), (-key_of(first, 1),)],
        want=[1, 2],
        groups=(SPLIT, WORK),
        which=[0, 1, 1],
    )
    stage.done(0, split, outputs=3)
    assert stage.dropped(0) == [key_of(split, 2)]
    stage.done(0, x)
    assert stage.dropped(0) == [key_of(split, 2), key_of(split, 0)]
    stage.done(0, y)
    assert stage.dropped(0)[-1] == key_of(split, 1)


def test_a_result_said_twice_is_not_dropped() -> None:
    stage = Stage((1,))
    (task,) = stage.submit([()])
    stage.done(0, task)
    stage.say(Done(0, (task,), (0,), ((10,),), (0.1,), (b"",)))
    assert not stage.dropped(0)
    assert not stage.discarded(0)
    assert len(stage.told(Finished)) == 1


def test_a_late_result_is_discarded() -> None:
    stage = Stage((1, 1))
    (task,) = stage.submit([()])
    home = 0 if stage.given[0] else 1
    stage.tick(4.9)
    stage.say(Missing(1 - home, (), (), (), ()))  # the other one is alive
    stage.tick(1.0)
    assert (task, 0) in stage.discarded(home)
    assert stage.given[1 - home] == {task: 1}
    stage.say(Done(home, (task,), (0,), ((10,),), (0.1,), (b"",)))
    assert stage.discarded(home).count((task, 0)) == 2
    assert not stage.told(Finished)
    stage.done(1 - home, task)
    assert stage.told(Finished)[0].owners == (1 - home,)


def test_a_late_result_does_not_count_for_the_next_attempt_at_the_same_worker() -> None:
    stage = Stage((1,))
    (task,) = stage.submit([()])
    stage.tick(6.0)  # silent: the task is taken back
    stage.say(Done(0, (task,), (0,), ((10,),), (0.1,), (b"",)))
    assert stage.given[0] == {task: 1}
    stage.say(Done(0, (task,), (0,), ((10,),), (0.1,), (b"",)))
    assert not stage.told(Finished)
    assert stage.given[0] == {task: 1}
    stage.done(0, task)
    assert stage.told(Finished)


def test_keys_missing_at_somebody_who_has_not_got_them_are_not_lost() -> None:
    stage = Stage((1, 1, 1))
    (task,) = stage.submit([()])
    home = next(worker for worker in range(3) if stage.given[worker])
    other, third = (worker for worker in range(3) if worker != home)
    stage.done(home, task)
    stage.say(Missing(other, (), (), (key_of(task),), (third,)))
    assert not stage.told(Lost)
    assert not stage.dropped(home)


def test_a_drop_does_not_mean_the_attempt_that_runs() -> None:
    stage = Stage((1,))
    first = first_task(1)
    split, x, y = stage.submit(
        [(), (-key_of(first, 0),), (-key_of(first, 1),)],
        want=[1, 2],
        groups=(SPLIT, WORK),
        which=[0, 1, 1],
    )
    stage.done(0, split, outputs=3)
    attempt = stage.given[0].pop(y)
    stage.say(Missing(0, (y,), (attempt,), (key_of(split, 1),), (0,)))
    assert stage.given[0][split] == 1
    before = len(stage.heard(0, Drop))
    stage.done(0, x)
    drops = stage.heard(0, Drop)[before:]
    assert [(drop.keys, drop.attempts) for drop in drops] == [((key_of(split, 0),), (0,))]


def test_a_task_is_retried_and_then_fails_its_run() -> None:
    stage = Stage((1,))
    task, _ = stage.submit([(), (0,)], groups=(RETRIED, WORK), which=[0, 1])
    for attempt in range(3):
        assert stage.given[0][task] == attempt
        stage.say(Failed(0, task, attempt, "ValueError", "no", b"E", 0.1))
        assert len(stage.told(Retrying)) == min(2, attempt + 1)
    (failed,) = stage.told(RunFailed)
    assert (failed.fault, failed.task, failed.group) == ("task", task, "flaky")
    assert (failed.type_name, failed.text, failed.error) == ("ValueError", "no", b"E")
    assert len(stage.state.table) == 0


def test_what_cannot_go_better_is_not_retried() -> None:
    stage = Stage((1,))
    (task,) = stage.submit([()], groups=(RETRIED,))
    stage.say(Failed(0, task, 0, "TypeError", "cannot pickle", b"E", retryable=False))
    assert stage.told(RunFailed)[0].type_name == "TypeError"


def test_a_failed_run_takes_those_with_it_that_wait_for_it() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.submit([(-key_of(a),)])
    other = stage.submit([()])
    stage.say(Failed(0, a, 0, "ValueError", "no", b"E"))
    assert sorted([message.run for message in stage.told(RunFailed)]) == [0, 1]
    stage.finish_all()
    assert stage.told(Finished)[0].keys == (key_of(other[0]),)


def test_results_of_a_failed_run_are_unknown() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.say(Failed(0, a, 0, "ValueError", "no", b"E"))
    stage.submit([(-key_of(a),)])
    failed = stage.told(RunFailed)[-1]
    assert failed.fault == "unknown"
    assert f"task {a} is not kept" in failed.text


def test_cancel_is_silent_for_its_own_run_only() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[0, 1])
    stage.submit([(-key_of(a),)])
    stage.say(Cancel(1, 0))
    assert set(stage.discarded(0)) == {(a, 0), (b, 0)}
    (failed,) = stage.told(RunFailed)
    assert (failed.run, failed.fault) == (1, "cancelled")
    assert len(stage.state.table) == 0


def test_results_of_a_run_that_still_goes_on_are_inputs_of_the_next() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    (b,) = stage.submit([(-key_of(a),)])
    stage.say(Release(1, (key_of(a),)))
    assert [task for _, task in stage.finish_all()] == [a, b]
    assert stage.dropped(0) == [key_of(a)]


def test_released_results_are_made_again_while_somebody_remembers_how() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.submit([(-key_of(a),)])
    stage.finish_all()
    stage.say(Release(1, (key_of(a),)))
    assert stage.dropped(0) == [key_of(a)]
    stage.say(Submit(1, 9, (), (), first_task(1) + 2, (), (), (), (), (key_of(a),)))
    assert list(stage.given[0]) == [a]
    stage.finish_all()
    assert stage.told(Finished)[-1].keys == (key_of(a),)


def test_lost_results_are_computed_from_lineage() -> None:
    stage = Stage((1,))
    a, b, c = stage.submit([(), (0,), (1,)])
    stage.finish_all()
    stage.join(1)
    stage.say(WorkerGone(0, ()))
    assert stage.told(Lost)[0].keys == (key_of(c),)
    assert [task for _, task in stage.finish_all()] == [a, b, c]
    assert stage.told(Finished)[-1].owners == (1,)


def test_only_the_lost_part_of_a_task_is_made_again() -> None:
    stage = Stage((1, 1))
    first = first_task(1)
    split, *_ = stage.submit(
        [(), (-key_of(first, 0),), (-key_of(first, 1),)],
        want=[1, 2],
        groups=(SPLIT, WORK),
        which=[0, 1, 1],
    )
    home = next(worker for worker in (0, 1) if split in stage.given[worker])
    stage.done(home, split, outputs=3)
    stage.say(Missing(1 - home, (), (), (key_of(split, 1),), (home,)))
    assert key_of(split, 1) in stage.dropped(home)
    assert key_of(split, 0) not in stage.dropped(home)
    again = next(worker for worker in (0, 1) if split in stage.given[worker])
    stage.done(again, split, outputs=3)
    if again != home:
        assert key_of(split, 0) in stage.dropped(again)
    assert stage.state.table.owner[stage.state.table.slot(key_of(split, 0))] == home


def test_missing_inputs_of_a_live_owner_are_made_again_and_dropped_there() -> None:
    stage = Stage((1, 1))
    a, b, c = stage.submit([(), (), (0, 1)])
    where = {task: worker for worker in (0, 1) for task in stage.given[worker]}
    stage.done(where[a], a)
    stage.done(where[b], b)
    at = 0 if c in stage.given[0] else 1
    far = a if where[a] != at else b
    attempt = stage.given[at].pop(c)
    stage.say(Missing(at, (c,), (attempt,), (key_of(far),), (1 - at,)))
    assert stage.dropped(1 - at) == [key_of(far)]
    stage.finish_all()
    assert stage.told(Finished)


def test_a_client_that_cannot_fetch_gets_it_made_again() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()])
    stage.done(0, a)
    stage.say(Unreachable(1, (key_of(a),), (5,)))
    assert len(stage.told(Finished)) == 2  # it had asked the wrong one
    stage.say(Unreachable(1, (key_of(a),), (0,)))
    assert stage.told(Lost)[0].keys == (key_of(a),)
    stage.finish_all()
    assert len(stage.told(Finished)) == 3


def test_a_failed_run_is_remembered_while_others_results_were_made_of_its_own() -> None:
    stage = Stage((1,))
    a, wrong = stage.submit([(), ()], want=[0, 1])
    stage.done(0, a)
    (b,) = stage.submit([(-key_of(a),)])
    stage.done(0, b)
    stage.say(Failed(0, wrong, 0, "ValueError", "no", b"E"))
    other = stage.submit([(), (), ()], want=[0, 1, 2])
    stage.finish_all()
    stage.join(1)
    stage.say(WorkerGone(0, ()))
    assert [task for _, task in stage.finish_all()] == other
    first, second = stage.told(RunFailed)
    assert (first.task, second.task, second.keys) == (wrong, a, (key_of(b),))


def test_a_graph_in_pieces_keeps_what_later_pieces_take() -> None:
    stage = Stage((1,))
    a, b = stage.submit([(), ()], want=[], more=True, run=0)
    stage.finish_all()
    assert not stage.dropped(0)
    (c,) = stage.submit([(-key_of(a),)], run=0, known=True)
    assert stage.dropped(0) == [key_of(b)]
    assert [task for _, task in stage.finish_all()] == [c]


def test_a_graph_in_pieces_keeps_what_earlier_pieces_have_used() -> None:
    stage = Stage((1,))
    a, _ = stage.submit([(), (0,)], more=True, run=0)
    stage.finish_all()
    assert not stage.dropped(0)
    (c,) = stage.submit([(-key_of(a),)], run=0, known=True)
    assert [task for _, task in stage.finish_all()] == [c]
    assert stage.dropped(0) == [key_of(a)]


def test_a_failed_run_ignores_its_later_pieces() -> None:
    stage = Stage((1,))
    (a,) = stage.submit([()], want=[], more=True, run=0)
    stage.say(Failed(0, a, 0, "ValueError", "no", b"E"))
    stage.submit([(-key_of(a),)], run=0, known=True)
    assert len(stage.told(RunFailed)) == 1
    assert len(stage.state.table) == 0
    assert not stage.state.clients[1].runs


def test_a_client_that_leaves_takes_everything_with_it() -> None:
    stage = Stage((1,))
    stage.submit([(), (0,)])
    stage.say(ClientGone(1))
    assert len(stage.state.table) == 0
    assert not stage.state.clients
    assert not stage.state.functions


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"task_groups": (3,)}, "names a group"),
        ({"positions": (1 << 26,)}, "Places in the order"),
        ({"arguments": ()}, "Columns of"),
        ({"functions": ()}, "was never sent"),
        ({"groups": (GroupSpec("x", b"work", outputs=0),)}, "must have 1 to"),
    ],
)
def test_submissions_that_contradict_themselves(changes: dict[str, object], text: str) -> None:
    stage = Stage((1,))
    columns: dict[str, object] = {
        "groups": (WORK,),
        "functions": ((b"work", b"F"),),
        "first": first_task(1),
        "task_groups": (0,),
        "arguments": (b"",),
        "inputs": ((),),
        "positions": (0,),
        "want": (),
    }
    stage.say(Submit(1, 0, **{**columns, **changes}))  # type: ignore[arg-type]
    (failed,) = stage.told(RunFailed)
    assert failed.fault == "invalid"
    assert text in failed.text
    assert not stage.state.clients[1].runs


def test_a_large_graph_is_forgotten_piece_by_piece() -> None:
    stage = Stage((1,))
    tasks = stage.submit([(), *[(place,) for place in range(6000)]])
    stage.finish_all(seconds=1e-6)
    stage.say(Release(1, (key_of(tasks[-1]),)))
    assert len(stage.state.table) == 1001
    assert stage.state.unfinished
    stage.tick(0.1)
    assert len(stage.state.table) == 0
    assert not stage.state.unfinished
