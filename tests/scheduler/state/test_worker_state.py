"""What a worker does about single messages."""

from __future__ import annotations

from typing import Any

from plait.scheduler.state.check import check_worker
from plait.scheduler.state.messages import (
    Audit,
    Copied,
    Copy,
    Digest,
    Discard,
    Done,
    Drop,
    Failed,
    Inventory,
    Memory,
    Missing,
    PeersGone,
    Retract,
    Returned,
    RunTasks,
    Tick,
)
from plait.scheduler.state.numbers import key_of
from plait.scheduler.state.worker_messages import (
    Awaited,
    Delete,
    Fetch,
    Fetched,
    KeysLost,
    MemoryUsed,
    NotFetched,
    Raised,
    Ran,
    Serve,
    Start,
    ToScheduler,
    WorkerEvent,
)
from plait.scheduler.state.worker_state import WorkerState

ME = 7


class Bench:
    """One worker, number 7; keeps what it commanded last."""

    def __init__(self, threads: int = 1, **more: Any) -> None:
        self.state = WorkerState(ME, threads, **more)
        self.now = 0.0
        self.last: list[Any] = []

    def do(self, event: WorkerEvent, after: float = 1e-5) -> list[Any]:
        self.now += after
        commands = self.state.handle(event, self.now)
        check_worker(self.state)
        self.last = [c.message if isinstance(c, ToScheduler) else c for c in commands]
        return self.last

    def run(self, *tasks: tuple[int, tuple[tuple[int, int], ...]], attempt: int = 0) -> list[Any]:
        """Send tasks, each with (key, owner) of its inputs."""
        count = len(tasks)
        return self.do(
            RunTasks(
                ((b"f", 1),),
                tuple([task for task, _ in tasks]),
                (attempt,) * count,
                tuple([task for task, _ in tasks]),
                (0,) * count,
                (b"",) * count,
                tuple([tuple([key for key, _ in inputs]) for _, inputs in tasks]),
                tuple([tuple([owner for _, owner in inputs]) for _, inputs in tasks]),
                tuple([(10,) * len(inputs) for _, inputs in tasks]),
            )
        )

    def ran(self, task: int, attempt: int = 0, seconds: float = 1e-6) -> list[Any]:
        return self.do(Ran(task, attempt, (10,), seconds))

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.last if isinstance(command, kind)]


def starts(commands: list[Any]) -> list[int]:
    return [command.task for command in commands if isinstance(command, Start)]


def test_tasks_start_by_rank_as_threads_are_free() -> None:
    bench = Bench(threads=2)
    assert starts(bench.run((5, ()), (3, ()), (4, ()))) == [3, 4]
    assert starts(bench.ran(3)) == [5]


def test_a_chained_task_starts_when_its_input_is_made_here() -> None:
    bench = Bench()
    assert starts(bench.run((1, ()), (2, ((key_of(1), ME),)))) == [1]
    assert starts(bench.ran(1)) == [2]


def test_a_key_is_fetched_once_in_one_batch_a_peer() -> None:
    bench = Bench()
    x, y, z = key_of(100), key_of(101), key_of(102)
    bench.run((1, ((x, 2), (y, 2))), (2, ((x, 2), (z, 3))))
    assert [(f.peer, sorted(f.keys)) for f in bench.of(Fetch)] == [(2, [x, y]), (3, [z])]
    bench.run((3, ((key_of(103), 2), (x, 2))))
    assert not bench.of(Fetch)  # one question at a time
    assert starts(bench.do(Fetched(2, (x, y), (10, 10)))) == [1]
    assert [(f.peer, f.keys) for f in bench.of(Fetch)] == [(2, (key_of(103),))]


def test_what_cannot_be_fetched_is_missing_with_all_who_need_it() -> None:
    bench = Bench()
    x = key_of(100)
    bench.run((1, ((x, 2),)), (2, ((x, 2),)), (3, ()))
    bench.do(NotFetched(2, (x,)))
    (missing,) = bench.of(Missing)
    assert (sorted(missing.tasks), missing.keys, missing.owners) == ([1, 2], (x,), (2,))
    assert list(bench.state.tasks) == [3]


def test_a_lost_peer_answers_nothing_any_more() -> None:
    bench = Bench()
    x, y = key_of(100), key_of(101)
    bench.run((1, ((x, 2),)), (2, ((y, 3),)))
    bench.do(PeersGone((2,)))
    assert bench.of(Missing)[0].tasks == (1,)
    bench.do(NotFetched(2, (x,)))
    assert not bench.last
    # Should it come after all, it is not kept.
    assert bench.do(Fetched(2, (x,), (10,))) == [Delete((x,))]


def test_an_input_that_should_be_here_and_is_not_is_missing() -> None:
    bench = Bench()
    bench.run((1, ((key_of(100), ME),)))
    assert bench.of(Missing)[0].owners == (ME,)


def test_what_is_dropped_stays_while_a_task_here_uses_it() -> None:
    bench = Bench()
    bench.run((1, ()))
    bench.ran(1)
    x = key_of(1)
    bench.run((2, ((x, ME),)), (3, ((x, ME),)))
    assert not bench.do(Drop((x,), (0,)))
    assert x not in bench.state.shelf.held
    assert starts(bench.ran(2)) == [3]
    assert not bench.of(Delete)
    bench.ran(3)
    for _ in range(70):
        bench.do(Tick(), after=0.1)
        if bench.of(Delete):
            break
    assert bench.of(Delete) == [Delete((x,))]


def test_an_old_drop_does_not_touch_a_newer_attempt() -> None:
    bench = Bench()
    bench.run((1, ()), attempt=3)
    bench.ran(1, attempt=3)
    assert not bench.do(Drop((key_of(1),), (2,)))
    assert not bench.do(Discard((1,), (2,)))
    assert bench.do(Drop((key_of(1),), (3,))) == [Delete((key_of(1),))]


def test_the_results_of_a_discarded_task_fall() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()))
    bench.do(Discard((1, 2), (0, 0)))
    assert bench.ran(1) == [Delete((key_of(1),))]
    assert not bench.state.tasks
    bench.do(Tick())
    assert not bench.of(Done)


def test_a_task_that_comes_again_replaces_the_older_attempt() -> None:
    bench = Bench(threads=2)
    bench.run((1, ()))
    assert starts(bench.run((1, ()), attempt=1)) == [1]
    assert bench.ran(1, attempt=0) == [Delete((key_of(1),))]
    bench.ran(1, attempt=1)
    assert bench.of(Done)[0].attempts == (1,)
    assert not bench.run((1, ()), attempt=1)  # said twice
    assert not bench.state.tasks


def test_copies_stay_for_the_next_tasks_up_to_a_bound() -> None:
    bench = Bench(copy_bytes=25)
    keys = [key_of(100 + i) for i in range(4)]
    for task, key in enumerate(keys):
        bench.run((task, ((key, 2),)))
        bench.do(Fetched(2, (key,), (10,)))
        bench.ran(task)
    assert bench.state.shelf.copies == set(keys[2:])
    assert starts(bench.run((9, ((keys[3], 2),)))) == [9]
    assert not bench.of(Fetch)


def test_idle_copies_go_when_they_are_dropped_and_used_ones_stay() -> None:
    bench = Bench()
    used, idle = key_of(100), key_of(101)
    bench.run((1, ((idle, 2),)), (2, ((used, 2),)))
    bench.do(Fetched(2, (used, idle), (10, 10)))
    bench.ran(1)
    bench.do(Drop((used, idle), (0, 0)))
    assert bench.state.shelf.copies == {used}
    assert [message.keys for message in bench.of(Delete)] == [(idle,)]


def test_copies_of_parts_go_with_the_task_that_took_them() -> None:
    bench = Bench()
    whole, part = key_of(100), key_of(101, 3)
    bench.run((1, ((whole, 2), (part, 2))))
    bench.do(Fetched(2, (whole, part), (10, 10)))
    assert Delete((part,)) in bench.ran(1)
    assert bench.state.shelf.copies == {whole}


def test_results_are_reported_in_batches() -> None:
    bench = Bench()
    bench.run(*[(task, ()) for task in range(200)])
    reports = []
    for task in range(200):
        bench.ran(task)
        reports += [len(done.tasks) for done in bench.of(Done)]
    assert reports == [64, 64, 64, 8]


def test_results_do_not_wait_for_a_long_task() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()), (3, ()))
    bench.ran(1)
    assert not bench.of(Done)
    assert bench.state.flush_due is not None
    bench.do(Tick(), after=0.003)
    assert bench.of(Done)[0].tasks == (1,)
    assert bench.state.flush_due is None
    bench.ran(2, seconds=0.5)
    assert bench.of(Done)


def test_failures_are_told_at_once() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()))
    bench.do(Raised(1, 0, "ValueError", "no", b"E", 0.1))
    (failed,) = bench.of(Failed)
    assert (failed.task, failed.type_name, failed.error) == (1, "ValueError", b"E")
    assert starts(bench.last) == [2]


def test_a_retract_takes_the_last_and_never_what_runs() -> None:
    bench = Bench()
    bench.run(*[(task, ()) for task in range(5)])
    bench.do(Retract(2))
    assert bench.of(Returned)[0].tasks == (4, 3)
    bench.do(Retract(9))
    assert bench.of(Returned)[0].tasks == (2, 1)
    bench.do(Retract(9))
    assert bench.of(Returned)[0].tasks == ()


def test_a_full_worker_gives_back_what_it_has_not_begun() -> None:
    bench = Bench(threads=2)
    bench.run(*[(task, ()) for task in range(5)])
    bench.do(MemoryUsed(850, 1000))
    assert sorted(bench.of(Returned)[0].tasks) == [2, 3, 4]
    (memory,) = bench.of(Memory)
    assert memory.paused
    bench.run((9, ()), (10, ()))
    bench.ran(0)
    assert not starts(bench.last)
    assert starts(bench.ran(1)) == [9]  # one at a time
    bench.do(MemoryUsed(770, 1000))
    assert bench.of(Memory)[0].paused
    bench.do(MemoryUsed(700, 1000))
    assert not bench.of(Memory)[0].paused
    assert starts(bench.last) == [] or starts(bench.last) == [10]


def test_a_nearly_full_worker_does_not_fetch_while_it_can_run() -> None:
    bench = Bench()
    bench.do(MemoryUsed(720, 1000))
    bench.run((1, ()), (2, ((key_of(100), 2), (key_of(101), 2))))
    assert not bench.of(Fetch)
    bench.ran(1)
    assert [len(f.keys) for f in bench.of(Fetch)] == [1]


def test_damaged_results_are_missing() -> None:
    bench = Bench(threads=2)
    bench.run((1, ()))
    bench.ran(1)
    x = key_of(1)
    bench.run((2, ((x, ME),)))
    bench.do(KeysLost((x,), 2, 0))
    (missing,) = bench.of(Missing)
    assert (missing.tasks, missing.keys, missing.owners) == ((2,), (x,), (ME,))
    assert not bench.state.running
    assert not bench.state.shelf.held


def test_a_copy_becomes_its_own() -> None:
    bench = Bench()
    x, y = key_of(100), key_of(101)
    bench.run((1, ((x, 2),)))
    bench.do(Fetched(2, (x,), (10,)))
    bench.do(Copy((x, y), (4, 5), (2, 2), (10, 10)))
    assert [m.keys for m in bench.of(Copied)] == [(x,)]
    bench.do(Fetched(2, (y,), (10,)))
    assert [m.keys for m in bench.of(Copied)] == [(y,)]
    assert bench.state.shelf.held == {x: 4, y: 5}
    bench.do(Copy((key_of(9),), (0,), (3,), (10,)))
    bench.do(NotFetched(3, (key_of(9),)))
    assert bench.of(Missing)[0].tasks == ()


def test_a_digest_says_what_is_there() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()))
    bench.ran(1)
    for _ in range(60):
        bench.do(Tick(), after=0.1)
        if bench.of(Digest):
            break
    (digest,) = bench.of(Digest)
    assert digest == Digest(ME, 1, (1, 2), (1, key_of(1)))
    bench.do(Audit())
    (inventory,) = bench.of(Inventory)
    assert inventory == Inventory(ME, (2,), (0,), (key_of(1),), (0,))


def test_a_peer_is_asked_at_once_for_what_it_is_still_making() -> None:
    bench = Bench()
    bench.run((1, ((key_of(50), 3),)))
    assert bench.last == [Fetch(3, (key_of(50),))]
    bench.run((2, ((key_of(60), ~3), (key_of(50), 3))), (3, ((key_of(60), ~3), (key_of(61), ~4))))
    assert bench.last == [
        Fetch(3, (key_of(60),), making=True),
        Fetch(4, (key_of(61),), making=True),
    ]
    bench.do(Fetched(3, (key_of(60),), (10,)))
    assert not bench.of(Start)
    bench.do(Fetched(3, (key_of(50),), (10,)))
    assert [start.task for start in bench.of(Start)] == [1]
    bench.do(NotFetched(4, (key_of(61),)))
    (missing,) = bench.of(Missing)
    assert missing.tasks == (3,)


def test_what_is_made_elsewhere_now_is_asked_for_there() -> None:
    bench = Bench()
    bench.run((1, ((key_of(50), ~3),)))
    bench.do(Discard((1,), (0,)))
    bench.run((1, ((key_of(50), 4),)), attempt=1)
    assert bench.last == [Fetch(4, (key_of(50),))]
    assert bench.do(NotFetched(3, (key_of(50),))) == []  # from there nothing is expected any more
    bench.do(Fetched(4, (key_of(50),), (10,)))
    assert bench.of(Start)


def test_who_waits_for_keys_gets_them_with_the_next_report() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()), (3, ()))
    assert not bench.do(Awaited((key_of(1), key_of(2), key_of(9))))
    assert not bench.of(Serve)
    assert bench.do(Ran(1, 0, (10,), 1e-6)) == [Start(2, 0, b"f", b"", (), 1)]
    bench.ran(2, seconds=0.01)
    assert bench.of(Serve) == [Serve((key_of(1), key_of(2)))]
    assert bench.of(Done)[0].tasks == (1, 2)
    assert bench.do(Awaited((key_of(2),))) == [Serve((key_of(2),))]


def test_who_waits_for_what_will_not_come_is_told() -> None:
    bench = Bench()
    bench.run((1, ()), (2, ()), (3, ()))
    bench.do(Awaited((key_of(1), key_of(3), key_of(9))))
    bench.do(Discard((3,), (0,)))
    assert bench.of(Serve) == [Serve((key_of(3),))]
    bench.do(Raised(1, 0, "ValueError", "no", b"", 0.0))
    assert bench.of(Serve) == [Serve((key_of(1),))]
    # what nobody said a word of may be on its way here, but not for ever
    for _ in range(3):
        assert not [c for c in bench.do(Tick(), after=0.5) if isinstance(c, Serve)]
    bench.do(Tick(), after=0.6)
    assert bench.of(Serve) == [Serve((key_of(9),))]
