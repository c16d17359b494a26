"""What every executor promises of runs with jobs, and of priorities."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.scheduler.errors import (
    ExecutorClosedError,
    GraphError,
    RunCancelledError,
    SerializationError,
)
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup
from plait.scheduler.local import InlineExecutor, ThreadExecutor
from tests.scheduler.executors import Log
from tests.scheduler.test_executor_contract import flaky


class Ledger:
    """Jobs that write down what they are told."""

    def __init__(self, unwanted: tuple[int, ...] = ()) -> None:
        self.unwanted = unwanted
        self.started: list[int] = []
        self.told: list[tuple[int, object]] = []
        self._more = threading.Condition()

    def start(self, task: int) -> bool:
        self.started.append(task)
        return task not in self.unwanted

    def returned(self, task: int, value: object) -> None:
        self._note(task, value)

    def kept(self, task: int, handle: Handle) -> None:
        self._note(task, handle)

    def failed(self, task: int, error: BaseException) -> None:
        self._note(task, error)

    def _note(self, task: int, outcome: object) -> None:
        with self._more:
            self.told.append((task, outcome))
            self._more.notify_all()

    def outcomes(self, executor: Executor, count: int) -> dict[int, object]:
        """Task to value or error, once so many have been told."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.told) >= count, 30)
        assert len({task for task, _ in self.told}) == len(self.told)
        return {
            task: executor.gather([outcome])[0] if isinstance(outcome, Handle) else outcome
            for task, outcome in self.told
        }


def calls(*jobs: tuple[object, ...], retries: int = 0) -> TaskGraph:
    """A task for each function and its arguments."""
    graph = TaskGraph()
    for function, *args in jobs:
        graph.add_task(graph.add_group(TaskGroup("f", function, retries=retries)), args)  # type: ignore[arg-type]
    return graph


def divide(a: int, b: int) -> int:
    return a // b


def test_an_error_ends_only_what_needs_it(executor: Executor) -> None:
    graph = calls((divide, 8, 2), (divide, 8, 0), (divide, Ref(0), 2), (divide, Ref(1), 2))
    graph.add_task(0, (Ref(3), Ref(0)))
    graph.add_task(0, (Ref(2), 1))
    ledger = Ledger()
    run = executor.submit(graph, [Ref(task) for task in (0, 1, 2, 4, 5)], jobs=ledger)
    run.wait(30)
    outcomes = ledger.outcomes(executor, 5)
    errors = {t: outcomes.pop(t) for t in (1, 4)}
    assert outcomes == {0: 4, 2: 2, 5: 2}
    assert [type(error) for error in errors.values()] == [ZeroDivisionError] * 2
    assert [note for note in errors[1].__notes__ if "'f'" in note]  # type: ignore[attr-defined]
    assert sorted(ledger.started) == [0, 1, 2, 5]


def test_jobs_are_told_while_others_run() -> None:
    with ThreadExecutor(2) as executor:
        release, ledger = threading.Event(), Ledger()
        run = executor.submit(calls((release.wait, 30), (int, "7")), [Ref(0), Ref(1)], jobs=ledger)
        assert ledger.outcomes(executor, 1) == {1: 7}
        release.set()
        run.wait(30)
        assert ledger.outcomes(executor, 2) == {0: True, 1: 7}


def test_unwanted_jobs_are_left_out(executor: Executor, log: Log) -> None:
    graph = calls((log.add, 0), (log.add, 1), (log.add, 2, Ref(1)))
    ledger = Ledger(unwanted=(1,))
    executor.submit(graph, [Ref(0), Ref(1), Ref(2)], jobs=ledger).wait(30)
    outcomes = ledger.outcomes(executor, 3)
    if type(executor).__name__ == "ClusterExecutor":
        # jobs are known to have begun when they are done
        assert isinstance(outcomes[1], RunCancelledError)
        return
    assert log.lines() == [0]
    assert [type(outcomes[task]) for task in range(3)] == [type(None), *[RunCancelledError] * 2]


def test_retries_of_jobs(executor: Executor, log: Log) -> None:
    ledger = Ledger()
    executor.submit(calls((flaky, log), retries=2), [Ref(0)], jobs=ledger).wait(30)
    assert ledger.outcomes(executor, 1) == {0: 3}
    log.path.unlink()
    ledger = Ledger()
    executor.submit(calls((flaky, log), retries=1), [Ref(0)], jobs=ledger).wait(30)
    assert str(ledger.outcomes(executor, 1)[0]) == "not yet"


def test_what_cannot_be_sent_fails_alone(executor: Executor) -> None:
    """Among executors of other processes; here everything can be sent."""
    lock, ledger = threading.Lock(), Ledger()
    graph = calls((divide, 6, 3), (type, lock), (threading.Lock,), (divide, 9, 3))
    executor.submit(graph, [Ref(task) for task in range(4)], jobs=ledger).wait(30)
    outcomes = ledger.outcomes(executor, 4)
    assert (outcomes[0], outcomes[3]) == (2, 3)
    if executor.shares_memory:
        assert outcomes[1] is type(lock)
    else:
        assert [type(outcomes[task]) for task in (1, 2)] == [SerializationError] * 2


def test_large_results_of_jobs(executor: Executor) -> None:
    ledger = Ledger()
    graph = calls((bytes, 1_000_000), (len, Ref(0)))
    executor.submit(graph, [Ref(0), Ref(1)], jobs=ledger).wait(30)
    outcomes = ledger.outcomes(executor, 2)
    assert (outcomes[0], outcomes[1]) == (bytes(1_000_000), 1_000_000)


def test_close_and_cancel_tell_of_every_job() -> None:
    for end, error in (("close", ExecutorClosedError), ("cancel", RunCancelledError)):
        executor, ledger, begun = ThreadExecutor(1), Ledger(), threading.Event()
        release = threading.Event()

        def block(begun: threading.Event = begun, release: threading.Event = release) -> None:
            begun.set()
            release.wait(30)

        run = executor.submit(calls((block,), (int,)), [Ref(0), Ref(1)], jobs=ledger)
        assert begun.wait(30)
        if end == "cancel":
            run.cancel()
            release.set()
        else:
            threading.Timer(0.05, release.set).start()
            executor.close()
        outcomes = ledger.outcomes(executor, 2)
        assert [type(outcomes[task]) for task in (0, 1)] == [error, error]
        executor.close()


def test_jobs_have_one_output(executor: Executor) -> None:
    graph = TaskGraph()
    graph.add_task(graph.add_group(TaskGroup("pair", divmod, outputs=2)), (7, 2))
    with pytest.raises(GraphError, match="'pair' has 2"):
        executor.submit(graph, [Ref(0)], jobs=Ledger())


def test_a_task_helps_the_one_it_waits_for() -> None:
    """The only worker waits inside a task for a job that is behind another."""
    with ThreadExecutor(1) as executor:
        inner = Ledger()

        def outer() -> object:
            run = executor.submit(
                calls((divide, 6, 0), (divide, 6, 3)), [Ref(0), Ref(1)], jobs=inner
            )
            run.help_with(1, 30)
            return inner.outcomes(executor, 2)[1]

        assert executor.submit(calls((outer,)), [Ref(0)]).result() == [2]


def test_helping_from_outside_returns_at_once(executor: Executor) -> None:
    run = executor.submit(calls((int,)), [Ref(0)], jobs=Ledger())
    run.help_with(0)
    run.wait(30)


def test_higher_priority_starts_first() -> None:
    with ThreadExecutor(1) as executor:
        release, ran, ledger = threading.Event(), [], Ledger()
        executor.submit(calls((release.wait, 30)), [Ref(0)], jobs=ledger)
        for number, priority in enumerate([0, 5, -1, 0, 5]):
            graph = calls((ran.append, number), (ran.append, 10 + number))
            executor.submit(graph, [Ref(0), Ref(1)], priority=priority, jobs=Ledger())
        release.set()
        executor.submit(calls((int,)), [Ref(0)], priority=-9).wait(30)
    assert sorted(ran[:4]) == [1, 4, 11, 14]
    assert sorted(ran[4:8]) == [0, 3, 10, 13]
    assert ran[8:] == [2, 12]


def test_runs_of_one_priority_take_turns() -> None:
    """A small run that comes later is not stuck behind a big one."""
    with ThreadExecutor(1) as executor:
        release, ran = threading.Event(), []
        executor.submit(calls((release.wait, 30)), [Ref(0)], jobs=Ledger())
        big = calls(*[(ran.append, ("big", i)) for i in range(50)])
        small = calls(*[(ran.append, ("small", i)) for i in range(5)])
        runs = [
            executor.submit(graph, [Ref(task) for task in range(len(graph))], jobs=Ledger())
            for graph in (big, small)
        ]
        release.set()
        for run in runs:
            run.wait(30)
    assert max(place for place, (name, _) in enumerate(ran) if name == "small") < 12
    assert [i for name, i in ran if name == "big"] == list(range(50))


def test_ten_thousand_runs() -> None:
    with ThreadExecutor(2) as executor:
        release, ledger = threading.Event(), Ledger()
        blocked = [executor.submit(calls((release.wait, 30)), [Ref(0)]) for _ in range(2)]
        ledgers = [Ledger() for _ in range(10_000)]
        for number, one in enumerate(ledgers):
            executor.submit(calls((int, number)), [Ref(0)], jobs=one)
        release.set()
        for run in blocked:
            run.wait(30)
        executor.submit(calls((int,)), [Ref(0)], jobs=ledger, priority=-1).wait(60)
        assert [one.outcomes(executor, 1)[0] for one in ledgers] == list(range(10_000))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_jobs(data: st.DataObject) -> None:
    """Values and failures are those of evaluating the graph by hand."""
    graph, expected = TaskGraph(), []
    group = graph.add_group(TaskGroup("divide", divide))
    for task in range(data.draw(st.integers(1, 20))):
        refs = st.integers(0, task - 1).map(Ref) if task else st.nothing()
        args = [data.draw(st.one_of(st.integers(0, 3), refs)) for _ in range(2)]
        graph.add_task(group, args)
        plain = [expected[a.task] if isinstance(a, Ref) else a for a in args]
        ok = None not in plain and plain[1] != 0
        expected.append(plain[0] // plain[1] if ok else None)
    want = data.draw(st.lists(st.integers(0, len(graph) - 1), unique=True, min_size=1))
    for executor in _SHARED:
        ledger = Ledger()
        executor.submit(graph, [Ref(task) for task in want], jobs=ledger).wait(30)
        outcomes = ledger.outcomes(executor, len(want))
        assert {
            task: None if isinstance(value, ZeroDivisionError) else value
            for task, value in outcomes.items()
        } == {task: expected[task] for task in want}


_SHARED: list[Executor] = [InlineExecutor(), ThreadExecutor(1), ThreadExecutor(4)]
