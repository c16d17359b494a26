"""Who gets what, and when: look-ahead, locality, chaining, bounds, fairness, stealing."""

from __future__ import annotations

from heapq import heappush

from plait.scheduler.state.messages import (
    Finished,
    GroupSpec,
    Memory,
    Release,
    Retract,
    Returned,
    RunFailed,
    RunTasks,
    Tick,
    WorkerGone,
)
from plait.scheduler.state.numbers import key_of
from plait.scheduler.state.records import MEMORY, ROW_BITS
from tests.scheduler.state.stage import Stage

SOURCE = GroupSpec("scan", b"scan", source=True)
WORK = GroupSpec("work", b"work")
GPU = GroupSpec("train", b"train", resources=(("GPU", 1.0),))


def test_an_unmeasured_function_goes_out_a_few_at_a_time() -> None:
    stage = Stage((1, 1))
    stage.submit([()] * 100, want=list(range(100)))
    assert [len(stage.given[worker]) for worker in (0, 1)] == [2, 2]


def test_short_tasks_go_out_in_batches_and_long_ones_do_not() -> None:
    stage = Stage((1,))
    tasks = stage.submit([()] * 1000, want=list(range(1000)))
    stage.done(0, tasks[0], seconds=1e-6)
    assert len(stage.given[0]) > 100
    long = Stage((1,))
    tasks = long.submit([()] * 1000, want=list(range(1000)))
    long.done(0, tasks[0], seconds=1.0)
    assert len(long.given[0]) == 2


def test_a_worker_is_refilled_when_half_is_left_not_after_each_task() -> None:
    stage = Stage((1,))
    tasks = stage.submit([()] * 2000, want=list(range(2000)))
    stage.done(0, tasks[0], seconds=1e-4)
    stage.done(0, tasks[1], seconds=1e-4)
    stage.done(0, tasks[2], seconds=1e-4)
    full = len(stage.given[0])
    messages = len(stage.to_worker[0])
    for task in list(stage.given[0])[: full // 3]:
        stage.done(0, task, seconds=1e-4)
    assert len(stage.to_worker[0]) == messages
    for task in list(stage.given[0])[: full // 3]:
        stage.done(0, task, seconds=1e-4)
    assert len(stage.to_worker[0]) > messages


def test_few_tasks_are_spread_over_the_workers() -> None:
    stage = Stage((1, 1, 1, 1))
    stage.submit([()] * 4, want=[0, 1, 2, 3])
    assert [len(stage.given[worker]) for worker in range(4)] == [1, 1, 1, 1]


def test_tasks_run_in_the_order_of_their_run_and_older_runs_first() -> None:
    stage = Stage((1,))
    first = stage.submit([()] * 4, want=[0, 1, 2, 3], positions=(3, 1, 2, 0))
    second = stage.submit([()] * 2, want=[0, 1])
    third = stage.submit([()] * 2, want=[0, 1], priority=1)
    ran = [task for _, task in stage.finish_all(seconds=1.0)]
    order = [*[first[i] for i in (3, 1)], *third, *[first[i] for i in (2, 0)], *second]
    assert ran == order  # two had been sent before the more urgent run came


def test_a_task_goes_where_most_of_its_inputs_are() -> None:
    stage = Stage((1, 1))
    a, b, c = stage.submit([(), (), (0, 1)])
    where = {task: worker for worker in (0, 1) for task in stage.given[worker]}
    assert where[a] != where[b]
    stage.done(where[a], a, size=10)
    stage.done(where[b], b, size=10_000_000)
    assert c in stage.given[where[b]]


def test_what_only_misses_tasks_of_one_worker_is_chained_behind_them() -> None:
    stage = Stage((1, 1))
    a, b, c = stage.submit([(), (0,), (1,)])
    worker = next(worker for worker in (0, 1) if a in stage.given[worker])
    assert b in stage.given[worker]
    stage.done(worker, a, seconds=1e-5)
    stage.done(worker, b, seconds=1e-5)
    stage.done(worker, c, seconds=1e-5)
    assert not stage.given[1 - worker]
    stage.submit([(), *[(place,) for place in range(50)]])
    # of known duration: the whole chain at once
    assert len(stage.given[0]) + len(stage.given[1]) == 51


def test_a_chain_is_taken_back_with_its_head() -> None:
    stage = Stage((1,))
    a, b, c = stage.submit([(), (0,), (1,)])
    assert list(stage.given[0]) == [a, b]
    stage.say(Returned(0, (a,), (0,)), Memory(0, 9, paused=True))
    assert (b, 0) in stage.discarded(0)
    del c


def test_what_could_once_be_chained_is_not_if_its_input_went_away() -> None:
    stage = Stage((4,))
    _, follower = stage.submit([(), (0,)], groups=(GPU, WORK), which=[0, 1])
    state = stage.state
    row = state.table.row_of[follower]
    # As if its input had been sent to worker 0, and taken back before there was room.
    state.table.lean[row] = 0
    heappush(state.workers[0].followers, state.table.rank[row] << ROW_BITS | row)
    state.placement.look_at(state.workers[0])
    state.placement.rich[0] = state.workers[0]
    stage.tick(0.1)
    assert not stage.given[0]


def quick_pair(seconds: float) -> tuple[Stage, int, int, int, int]:
    """Two workers; a task at each, what needs both, and the worker that has that, or -1."""
    stage = Stage((1, 1))
    for task in stage.submit([(), ()], want=[0, 1]):
        stage.done(0 if task in stage.given[0] else 1, task, seconds=seconds)
    a, b, c = stage.submit([(), (), (0, 1)])
    one = 0 if a in stage.given[0] else 1
    assert b in stage.given[1 - one]
    return stage, a, b, c, next((n for n in (0, 1) if c in stage.given[n]), -1)


def test_quick_tasks_are_chained_between_workers() -> None:
    stage, a, b, c, at = quick_pair(1e-5)
    assert at >= 0
    message = next(m for m in stage.heard(at, RunTasks) if c in m.tasks)
    own, other = (a, b) if a in stage.given[at] else (b, a)
    of = dict(zip(message.inputs[-1], message.owners[-1], strict=True))
    assert of == {key_of(own): at, key_of(other): ~(1 - at)}
    stage.done(1 - at, other)
    stage.done(at, own, c)
    assert not stage.discarded(0)
    assert not stage.discarded(1)
    assert stage.told(Finished)[-1].keys == (key_of(c),)


def test_others_wait_until_it_is_known_where_their_inputs_are() -> None:
    assert quick_pair(0.005)[-1] == -1


def test_who_ran_before_the_news_of_its_inputs_came_is_not_done_before() -> None:
    stage, a, b, c, at = quick_pair(1e-5)
    own, other = (a, b) if a in stage.given[at] else (b, a)
    stage.done(at, own, c)  # it got the other input from the other worker
    assert stage.told(Finished)[-1].keys != (key_of(c),)
    assert not stage.discarded(1 - at)
    stage.done(1 - at, other)
    assert stage.told(Finished)[-1].keys == (key_of(c),)
    assert stage.state.table.state[stage.state.table.row_of[c]] == MEMORY


def test_what_was_chained_to_a_lost_worker_is_taken_back() -> None:
    stage, a, b, c, at = quick_pair(1e-5)
    own, other = (a, b) if a in stage.given[at] else (b, a)
    stage.done(at, own, c)
    stage.say(WorkerGone(1 - at))
    assert (c, 0) in stage.discarded(at)
    assert {other, c} <= stage.given[at].keys()  # both anew: no input is elsewhere now
    stage.done(at, other, c)
    assert stage.told(Finished)[-1].keys == (key_of(c),)


def test_sources_wait_for_their_consumers() -> None:
    stage = Stage((1,))
    count = 50
    inputs: list[tuple[int, ...]] = [()] * count
    inputs += [(0, 1)] + [(count + place - 2, place) for place in range(2, count)]
    which = [0] * count + [1] * (count - 1)
    # The order would run all scans first, the totals last.
    stage.submit(inputs, groups=(SOURCE, WORK), which=which)
    most = 0
    for _ in range(400):
        if not stage.given[0]:
            break
        stage.done(0, next(iter(stage.given[0])), seconds=1e-5)
        run = next(iter(stage.state.clients[1].runs.values()))
        most = max(most, len(run.unconsumed))
    assert 1 <= most <= 3
    assert stage.told(RunFailed) == []
    assert not stage.given[0]


def test_a_graph_that_needs_more_sources_gets_them_one_at_a_time_or_by_its_windows() -> None:
    count = 20
    inputs = [*[()] * count, tuple(range(count))]
    which = [0] * count + [1]
    stage = Stage((1,))
    stage.submit(inputs, groups=(SOURCE, WORK), which=which)
    assert len(stage.finish_all(seconds=1e-5)) == count + 1
    wide = Stage((4,))
    windows = tuple([place + 1 for place in range(count)] + [0])
    wide.submit(inputs, groups=(SOURCE, WORK), which=which, windows=windows)
    assert len(wide.given[0]) == 5  # as many as threads, and one


def test_what_other_sources_read_does_not_hold_them_back() -> None:
    stage = Stage((1, 1))
    tables, probes = (0, 1, 2), range(3, 7)
    inputs: list[tuple[int, ...]] = [(), (), (), *[tables for _ in probes], tuple(probes)]
    tasks = stage.submit(inputs, groups=(SOURCE, SOURCE, WORK), which=[0] * 3 + [1] * 4 + [2])
    for task in tasks[:3]:
        for worker in (0, 1):
            if task in stage.given[worker]:
                stage.done(worker, task)
    assert sorted([*stage.given[0], *stage.given[1]]) == list(tasks[3:7])
    assert stage.given[0]
    assert stage.given[1]


def test_sources_wait_while_memory_is_short() -> None:
    stage = Stage(())
    stage.join(0, 4, memory_limit=1000)
    count = 12
    inputs = [*[()] * count, tuple(range(count))]
    windows = (count,) * count + (0,)
    tasks = stage.submit(inputs, groups=(SOURCE, WORK), which=[0] * count + [1], windows=windows)
    assert len(stage.given[0]) == 5
    stage.done(0, *tasks[:4], size=300)
    given = len(stage.given[0])
    assert given == 1
    assert len(stage.finish_all()) == count + 1 - 4


def test_resources_are_given_to_one_task_at_a_time() -> None:
    stage = Stage((4,))
    stage.join(7, 4, resources=(("GPU", 1.0),))
    stage.submit([()] * 3, want=[0, 1, 2], groups=(GPU,))
    assert not stage.given[0]
    for _ in range(3):
        assert len(stage.given[7]) == 1
        stage.done(7, next(iter(stage.given[7])))
    assert not stage.given[7]


def test_a_small_job_is_not_stuck_behind_a_big_one_of_another_client() -> None:
    stage = Stage((1,))
    stage.client(2)
    big = stage.submit([()] * 1000, want=list(range(1000)))
    small = stage.submit([()] * 5, want=list(range(5)), client=2)
    ran = [task for _, task in stage.finish_all(seconds=0.1)]
    last = max([ran.index(task) for task in small])
    assert last < 20
    assert len(ran) == len(big) + len(small)


def test_who_had_nothing_to_do_may_not_catch_up_for_it() -> None:
    stage = Stage((1,))
    stage.client(2)
    stage.submit([()] * 50, want=list(range(50)))
    for _ in range(40):
        stage.done(0, next(iter(stage.given[0])), seconds=1.0)
    late = set(stage.submit([()] * 50, want=list(range(50)), client=2))
    ran = [task for _, task in stage.finish_all(seconds=1.0)]
    begun = [task in late for task in ran[:14]]
    assert 4 <= sum(begun) <= 8


def test_an_idle_worker_steals_what_waits_elsewhere() -> None:
    stage = Stage((1, 1))
    root, *_ = stage.submit([(), *[(0,)] * 10], want=list(range(1, 11)))
    home = next(worker for worker in (0, 1) if root in stage.given[worker])
    stage.done(home, root, size=100, seconds=1.0)
    for task in list(stage.given[home])[:1]:
        stage.done(home, task, seconds=1.0)
    assert stage.given[1 - home]


def test_nothing_is_stolen_if_bringing_its_input_takes_longer() -> None:
    stage = Stage((1, 1))
    root, *rest = stage.submit([(), *[(0,)] * 4], want=[1, 2, 3, 4])
    home = next(worker for worker in (0, 1) if root in stage.given[worker])
    stage.done(home, root, size=10**11, seconds=0.01)
    assert not stage.given[1 - home]
    ran = stage.finish_all(seconds=0.01)
    assert sorted(task for worker, task in ran if worker == home) == rest


def test_what_took_much_longer_elsewhere_is_not_stolen_again() -> None:
    stage = Stage((1, 1))
    root = GroupSpec("root", b"root")

    def elsewhere(at_home: float, away: float) -> int:
        """How many of ten tasks that take one result ran where it was not."""
        first, *rest = stage.submit(
            [(), *[(0,)] * 10], want=list(range(1, 11)), groups=(root, WORK), which=[0, *[1] * 10]
        )
        home = next(worker for worker in (0, 1) if first in stage.given[worker])
        stage.done(home, first, seconds=0.01)
        count = 0
        while any(stage.given.values()):
            for worker in (0, 1):
                for task in list(stage.given[worker])[:1]:
                    stage.done(worker, task, seconds=at_home if worker == home else away)
                    count += worker != home
        stage.say(Release(1, tuple(map(key_of, rest))))
        return count

    assert elsewhere(0.01, 0.01) > 1
    assert elsewhere(0.01, 5.0) > 0
    assert elsewhere(0.01, 5.0) == 0


def test_idle_workers_have_queued_tasks_called_back() -> None:
    stage = Stage((1,))
    tasks = stage.submit([()] * 40, want=list(range(40)))
    stage.done(0, tasks[0], seconds=1e-6)
    assert len(stage.given[0]) == 39
    stage.join(1)
    assert not stage.given[1]
    stage.tick(0.5)
    (retract,) = stage.heard(0, Retract)
    assert retract.count == 19
    back = tasks[-retract.count :]
    for task in back:
        del stage.given[0][task]
    stage.say(Returned(0, tuple(back), (0,) * len(back)))
    assert stage.given[1]
    assert not set(stage.given[1]) & set(stage.given[0])


def test_who_was_given_work_after_a_pause_is_not_stuck() -> None:
    stage = Stage((1, 1))
    (first,) = stage.submit([()])
    stage.done(0 if stage.given[0] else 1, first, seconds=1e-6)
    stage.tick(1.0)
    stage.submit([(), *[(place,) for place in range(99)]])
    busy = 0 if stage.given[0] else 1
    assert len(stage.given[busy]) == 100
    stage.say(Tick(), after=0.006)  # not yet time for it to have said anything
    assert not stage.heard(busy, Retract)
    stage.tick(0.1)
    assert stage.heard(busy, Retract)


def test_a_paused_worker_gets_nothing_unless_all_are() -> None:
    stage = Stage((1, 1))
    stage.say(Memory(0, 900, paused=True))
    stage.submit([()] * 4, want=[0, 1, 2, 3])
    assert not stage.given[0]
    assert stage.given[1]
    stage.finish_all()
    stage.say(Memory(1, 900, paused=True))
    stage.submit([()] * 4, want=[0, 1, 2, 3])
    assert len(stage.given[0]) + len(stage.given[1]) == 1
    assert len(stage.finish_all()) == 4


def test_a_fan_in_of_many_is_linear() -> None:
    stage = Stage((1,))
    count = 3000
    tasks = stage.submit([*[()] * count, tuple(range(count))])
    ran = [task for _, task in stage.finish_all(seconds=1e-6)]
    assert ran[-1] == tasks[-1]
    assert stage.state.table.slot(key_of(tasks[0])) >= 0  # kept as lineage


def test_large_copies_are_dropped_when_nobody_needs_them() -> None:
    for size, dropped in ((1 << 20, True), (1000, False)):
        stage = Stage((1, 1))
        root = stage.submit([(), *[(0,)] * 10], want=list(range(1, 11)))[0]
        home = next(worker for worker in (0, 1) if root in stage.given[worker])
        stage.done(home, root, size=size, seconds=1.0)
        stage.finish_all(seconds=1.0)
        assert root not in stage.given[1 - home]
        assert key_of(root) in stage.dropped(home)
        assert (key_of(root) in stage.dropped(1 - home)) == dropped


def test_a_busy_worker_is_told_later_what_it_may_forget() -> None:
    stage = Stage((1,))
    a, b, c, d = stage.submit([(), (0,), (1,), ()], want=[2, 3])
    stage.done(0, a)
    stage.done(0, b)
    assert stage.given[0].keys() == {c, d}
    assert not stage.dropped(0)
    stage.tick(0.1)
    assert stage.dropped(0) == [key_of(a)]
    stage.done(0, c)
    assert stage.dropped(0) == [key_of(a)]
    stage.done(0, d)
    stage.tick(0.1)
    assert stage.dropped(0) == [key_of(a), key_of(b)]


def test_what_is_large_is_forgotten_at_once() -> None:
    stage = Stage((1,))
    a, b, c, d = stage.submit([(), (0,), (1,), ()], want=[2, 3])
    stage.done(0, a, size=2 << 20)
    stage.done(0, b)
    assert stage.given[0].keys() == {c, d}
    assert stage.dropped(0) == [key_of(a)]
