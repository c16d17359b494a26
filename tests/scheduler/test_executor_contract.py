"""What every executor promises, run over all of them (see executors.py).

Tasks run in this process or in others, so what they did is seen in a file (`Log`). What only one
process can show, such as an object being freed, is asked of executors of this process (`local`).
Where a foreign cluster cannot do what plait's own executors do, the test says so (`foreign`).
"""

from __future__ import annotations

import gc
import operator
import pickle
import threading
import traceback
import weakref
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.scheduler.context import current_context
from plait.scheduler.errors import (
    ExecutorClosedError,
    GraphError,
    HandleError,
    OutputCountError,
    RunCancelledError,
)
from plait.scheduler.events import (
    Event,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from plait.scheduler.executor import Executor, Run
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup
from plait.scheduler.local import InlineExecutor, ThreadExecutor
from tests.scheduler.executors import FOREIGN, Log, made, remote


class Box:
    """A value that can be watched for being freed."""

    def __init__(self, value: int) -> None:
        self.value = value


def one_task(function: Callable[..., object], *args: object, **group: object) -> TaskGraph:
    graph = TaskGraph()
    graph.add_group(TaskGroup("only", function, **group))  # type: ignore[arg-type]
    graph.add_task(0, args)
    return graph


def test_is_an_executor_and_gives_runs(executor: Executor) -> None:
    run = executor.submit(one_task(int), [Ref(0)])
    assert isinstance(executor, Executor)
    assert isinstance(run, Run)
    assert executor.workers >= 1
    run.wait()


def test_nested_arguments(executor: Executor) -> None:
    graph = TaskGraph()
    make = graph.add_group(TaskGroup("make", int))
    show = graph.add_group(TaskGroup("show", lambda *args: args))
    one, two = Ref(graph.add_task(make, ("1",))), Ref(graph.add_task(make, ("2",)))
    shown = graph.add_task(show, (one, [two, (one, "x", [two])], {"not": one}, [0], ()))
    assert executor.submit(graph, [Ref(shown)]).result() == [
        (1, [2, (1, "x", [2])], {"not": one}, [0], ())
    ]


def test_wanted_parts_in_order_and_repeated(executor: Executor) -> None:
    graph = one_task(lambda: (1, 2, 3), outputs=3)
    run = executor.submit(graph, [Ref(0, 2), Ref(0), Ref(0, 2)])
    assert [handle.part for handle in run.handles] == [2, 0, 2]
    assert run.result() == [3, 1, 3]


def test_nothing_wanted(executor: Executor) -> None:
    assert executor.submit(one_task(int), []).result() == []


def test_only_needed_tasks_run(executor: Executor, log: Log) -> None:
    graph = TaskGraph()
    f = graph.add_group(TaskGroup("f", log.add))
    tasks = [graph.add_task(f, (i,)) for i in range(5)]
    executor.submit(graph, [Ref(tasks[3])]).wait()
    assert log.lines() == [3]


def test_wanting_what_is_not_there(executor: Executor) -> None:
    with pytest.raises(GraphError, match="names no task"):
        executor.submit(one_task(int), [Ref(7)])
    with pytest.raises(GraphError, match="names no part"):
        executor.submit(one_task(int), [Ref(0, 1)])


def test_shuffle(executor: Executor) -> None:
    graph = TaskGraph()
    split = graph.add_group(
        TaskGroup("split", lambda base: tuple(range(base, base + 20)), outputs=20)
    )
    join = graph.add_group(TaskGroup("join", lambda part, pieces: (part, sum(pieces))))
    splits = [graph.add_task(split, (100 * i,)) for i in range(10)]
    joins = [graph.add_task(join, (p, [Ref(task, p) for task in splits])) for p in range(20)]
    assert len(graph) == 30
    result = executor.submit(graph, [Ref(task) for task in joins]).result()
    assert result == [(p, 4500 + 10 * p) for p in range(20)]


def test_handles_across_graphs(executor: Executor) -> None:
    first = executor.submit(one_task(lambda: (10, 20), outputs=2), [Ref(0, 0), Ref(0, 1)])
    # Not waited for: using its handles does that.
    second = executor.submit(one_task(lambda pair: sum(pair), list(first.handles)), [Ref(0)])
    assert second.result() == [30]
    assert executor.gather(first.handles) == [10, 20]
    assert pickle.loads(pickle.dumps(first.handles)) == first.handles
    executor.release(first.handles[:1])
    assert executor.gather(first.handles[1:]) == [20]
    with pytest.raises(HandleError, match="No result is kept for Handle"):
        executor.gather(first.handles)
    executor.release(first.handles)
    executor.release(first.handles)
    with pytest.raises(HandleError):
        executor.submit(one_task(int, first.handles[1]), [Ref(0)])
    with pytest.raises(HandleError):
        executor.gather([Handle("elsewhere", 0)])


def test_result_releases(executor: Executor) -> None:
    run = executor.submit(one_task(int), [Ref(0)])
    assert run.result() == [0]
    with pytest.raises(HandleError):
        executor.gather(run.handles)


def fail(text: str) -> None:
    raise KeyError(text)


def test_error_keeps_type_traceback_and_gets_a_note(executor: Executor) -> None:
    graph = one_task(fail, "gone", note="Filter price > 10")
    run = executor.submit(graph, [Ref(0)])
    for _ in range(2):
        with pytest.raises(KeyError, match="gone") as caught:
            run.wait()
        assert caught.value.__notes__ == ["in task 0 of group 'only':\nFilter price > 10"]
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fail"
    with pytest.raises(KeyError):
        run.result()
    assert executor.submit(one_task(int), [Ref(0)]).result() == [0]


def test_error_stops_the_rest(executor: Executor, log: Log) -> None:
    graph = TaskGraph()
    bad = graph.add_group(TaskGroup("bad", fail))
    after = graph.add_group(TaskGroup("after", partial(log.add, 1)))
    graph.add_task(bad, ("x",))
    graph.add_task(after, (Ref(0),))
    with pytest.raises(KeyError):
        executor.submit(graph, [Ref(1)]).wait()
    assert log.lines() == []


def test_wrong_argument_count(executor: Executor) -> None:
    with pytest.raises(TypeError, match="argument") as caught:
        executor.submit(one_task(lambda: 1, 2, 3), [Ref(0)]).wait()
    assert "group 'only'" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("result", "said"), [((1, 2), "a tuple of 2"), ([1, 2, 3], "a list"), (None, "a NoneType")]
)
def test_wrong_output_count(executor: Executor, result: object, said: str) -> None:
    graph = one_task(lambda: result, outputs=3)
    with pytest.raises(OutputCountError, match=f"group 'only' returned {said}; with 3 outputs"):
        executor.submit(graph, [Ref(0)]).wait()


def flaky(log: Log) -> int:
    log.add(1)
    attempts = len(log.lines())
    if attempts < 3:
        raise OSError("not yet")
    return attempts


def test_retries(executor: Executor, log: Log) -> None:
    assert executor.submit(one_task(flaky, log, retries=2), [Ref(0)]).result() == [3]
    log.path.unlink()
    with pytest.raises(OSError, match="not yet"):
        executor.submit(one_task(flaky, log, retries=1), [Ref(0)]).wait()
    assert len(log.lines()) == 2


def test_intermediate_results_are_freed(local: Executor) -> None:
    graph = TaskGraph()
    seen: list[weakref.ref[Box]] = []

    def make(value: int) -> Box:
        box = Box(value)
        seen.append(weakref.ref(box))
        return box

    def total(*boxes: Box) -> int:
        return sum([box.value for box in boxes])

    def count_alive(_: object) -> int:
        gc.collect()
        return sum([ref() is not None for ref in seen])

    source = graph.add_group(TaskGroup("make", make))
    add = graph.add_group(TaskGroup("total", total))
    alive = graph.add_group(TaskGroup("alive", count_alive))
    boxes = [Ref(graph.add_task(source, (i,))) for i in range(6)]
    summed = Ref(graph.add_task(add, tuple(boxes)))
    counted = Ref(graph.add_task(alive, (summed,)))
    run = local.submit(graph, [counted, boxes[5]])
    run.wait()
    left, kept = local.gather(run.handles)
    assert left == 1
    assert isinstance(kept, Box)
    assert kept.value == 5
    local.release(run.handles)
    del kept
    gc.collect()
    assert [ref() for ref in seen] == [None] * 6


def test_unused_parts_are_not_kept(local: Executor) -> None:
    seen: list[weakref.ref[Box]] = []

    def split() -> tuple[Box, Box]:
        pair = Box(1), Box(2)
        seen.extend([weakref.ref(box) for box in pair])
        return pair

    run = local.submit(one_task(split, outputs=2), [Ref(0, 1)])
    run.wait()
    gc.collect()
    assert [ref() is None for ref in seen] == [True, False]


def test_no_results_are_kept_of_a_failed_run(local: Executor) -> None:
    seen: list[weakref.ref[Box]] = []

    def make() -> Box:
        box = Box(1)
        seen.append(weakref.ref(box))
        return box

    graph = TaskGraph()
    made = graph.add_task(graph.add_group(TaskGroup("make", make)))
    bad = graph.add_task(graph.add_group(TaskGroup("bad", lambda _: 1 // 0)), (Ref(made),))
    run = local.submit(graph, [Ref(made), Ref(bad)])
    with pytest.raises(ZeroDivisionError):
        run.wait()
    del run
    gc.collect()
    assert [ref() for ref in seen] == [None]


def test_long_chain(executor: Executor) -> None:
    graph = TaskGraph()
    step = graph.add_group(TaskGroup("step", lambda x: x + 1))
    last = graph.add_task(step, (0,))
    for _ in range(9_999):
        last = graph.add_task(step, (Ref(last),))
    assert executor.submit(graph, [Ref(last)]).result() == [10_000]


def test_wide_fan_in(executor: Executor) -> None:
    graph = TaskGraph()
    leaf = graph.add_group(TaskGroup("leaf", int))
    gather = graph.add_group(TaskGroup("gather", sum))
    count = 3_000 if remote(executor) else 30_000
    leaves = [Ref(graph.add_task(leaf, (i,))) for i in range(count)]
    top = graph.add_task(gather, (leaves,))
    assert executor.submit(graph, [Ref(top)]).result() == [count * (count - 1) // 2]


def test_nested_submit(executor: Executor) -> None:
    """Every worker waits inside a task, two levels deep."""

    def outer(depth: int, value: int) -> int:
        if depth == 0:
            return value
        graph = TaskGraph()
        group = graph.add_group(TaskGroup("outer", outer))
        refs = [Ref(graph.add_task(group, (depth - 1, value + i))) for i in range(3)]
        return sum(executor.submit(graph, refs).result())  # type: ignore[arg-type]

    graph = TaskGraph()
    group = graph.add_group(TaskGroup("outer", outer))
    refs = [Ref(graph.add_task(group, (2, 10 * i))) for i in range(8)]
    assert executor.submit(graph, refs).result() == [9 * 10 * i + 18 for i in range(8)]


def test_nested_error_reaches_the_outer_waiter(executor: Executor) -> None:
    def outer() -> list[object]:
        return executor.submit(one_task(fail, "inner"), [Ref(0)]).result()

    with pytest.raises(KeyError, match="inner") as caught:
        executor.submit(one_task(outer), [Ref(0)]).wait()
    assert len(caught.value.__notes__) == 2


def test_context(executor: Executor) -> None:
    def work() -> bool:
        context = current_context()
        (context.scratch / "spill").write_text("x")
        context.check_cancelled()
        context.report(rows=3, bytes=10)
        context.report(rows=4, method="hash")
        return current_context() is context

    run = executor.submit(one_task(work), [Ref(0)])
    run.wait()
    assert executor.gather(run.handles) == [True]
    (metrics,) = run.metrics()
    assert (metrics.task, metrics.group, metrics.rows, metrics.bytes) == (0, 0, 7, 10)
    assert metrics.extra == {"method": "hash"}
    assert metrics.seconds >= 0
    again = executor.submit(one_task(int), [Ref(0)])
    again.wait()
    assert again.metrics()[0].rows is None


def test_scratch_is_removed_on_close(executor: Executor) -> None:
    folder = executor.submit(one_task(lambda: current_context().scratch), [Ref(0)]).result()[0]
    assert folder.is_dir()  # type: ignore[attr-defined]
    executor.close()
    if type(executor).__name__ == "ClusterExecutor":
        return  # the folder goes with its worker, which stays; see test_cluster
    assert not folder.exists()  # type: ignore[attr-defined]


def test_events_of_a_good_run(executor: Executor) -> None:
    graph = TaskGraph()
    first = graph.add_group(TaskGroup("first", int, note="Scan t"))
    second = graph.add_group(TaskGroup("second", abs))
    graph.add_group(TaskGroup("unused", int))
    graph.add_task(first, ("-5",))
    graph.add_task(second, (Ref(0),))
    graph.add_task(first, ("not needed",))
    events: list[Event] = []
    executor.submit(graph, [Ref(1)], events.append).wait()
    assert [type(event) for event in events] == [
        *[RunStarted, TaskStarted, TaskFinished, TaskStarted, TaskFinished, RunFinished]
    ]
    started = events[0]
    assert isinstance(started, RunStarted)
    assert [(g.name, g.note, g.tasks) for g in started.groups] == [
        *[("first", "Scan t", 1), ("second", "", 1), ("unused", "", 0)]
    ]
    assert len({event.run for event in events}) == 1


def test_events_of_a_bad_run(executor: Executor) -> None:
    events: list[Event] = []
    with pytest.raises(KeyError):
        executor.submit(one_task(fail, "x", retries=1), [Ref(0)], events.append).wait()
    kinds = [TaskStarted, TaskFailed] * 2
    assert [type(event) for event in events] == [RunStarted, *kinds, RunFinished]
    assert [event.retrying for event in events if isinstance(event, TaskFailed)] == [True, False]
    assert isinstance(events[-1], RunFinished)
    assert isinstance(events[-1].error, KeyError)


def test_a_failing_observer_does_not_break_the_run(
    executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    def observe(event: Event) -> None:
        raise RuntimeError("observer")

    assert executor.submit(one_task(int), [Ref(0)], observe).result() == [0]
    assert caplog.text.count("RuntimeError: observer") == 1


def test_cancel_from_the_observer(executor: Executor, log: Log) -> None:
    runs: list[Run] = []
    ready = threading.Event()
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("f", log.add))
    last: object = None
    for i in range(100):
        last = Ref(graph.add_task(group, (i, last)))
    events: list[Event] = []

    def cancel_at_tenth(event: Event) -> None:
        events.append(event)
        if isinstance(event, TaskFinished) and event.task == 9:
            current_run().cancel()

    def current_run() -> Run:
        ready.wait(10)
        return runs[0]

    if isinstance(executor, InlineExecutor):
        pytest.skip("submit returns when the run is over: nobody has the run to cancel")
    assert isinstance(last, Ref)
    runs.append(executor.submit(graph, [last], cancel_at_tenth))
    ready.set()
    with pytest.raises(RunCancelledError):
        runs[0].wait()
    # Of a cluster events come batch by batch: the rest of the tenth task's batch ran too.
    assert log.lines()[:10] == list(range(10))
    assert len(log.lines()) == 10 or remote(executor)
    assert isinstance(events[-1], RunCancelled)
    assert [e.task for e in events if isinstance(e, TaskFinished)] == list(range(10))
    runs[0].cancel()


def test_cancel_after_the_end_changes_nothing(executor: Executor) -> None:
    run = executor.submit(one_task(int), [Ref(0)])
    run.wait()
    run.cancel()
    assert run.result() == [0]


def test_closed_executor(executor: Executor) -> None:
    run = executor.submit(one_task(int), [Ref(0)])
    run.wait()
    executor.close()
    executor.close()
    run.wait()
    with pytest.raises(ExecutorClosedError):
        executor.submit(one_task(int), [Ref(0)])
    with pytest.raises(ExecutorClosedError):
        executor.gather(run.handles)
    executor.release(run.handles)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[TaskGraph, list[Ref], list[object]]:
    """A random graph, wanted parts, and what direct evaluation says they are."""
    graph = TaskGraph()
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    for number, outputs in enumerate(counts):
        source = draw(st.booleans())
        function = partial(mix, outputs, number)
        graph.add_group(TaskGroup(f"g{number}", function, source=source, outputs=outputs))
    values: dict[Ref, object] = {}
    for _ in range(draw(st.integers(1, 25))):
        known = st.sampled_from(sorted(values, key=lambda ref: (ref.task, ref.part)))
        leaf = st.one_of(st.integers(0, 9), known) if values else st.integers(0, 9)
        args = draw(st.lists(st.one_of(leaf, st.lists(leaf, max_size=4)), max_size=3))
        group = draw(st.integers(0, len(counts) - 1))
        task = graph.add_task(group, args)
        plain = [
            [values.get(a, a) if isinstance(a, Ref) else a for a in arg]
            if isinstance(arg, list)
            else values.get(arg, arg)
            if isinstance(arg, Ref)
            else arg
            for arg in args
        ]
        result = mix(counts[group], group, *plain)
        parts = result if isinstance(result, tuple) else (result,)
        values.update({Ref(task, part): value for part, value in enumerate(parts)})
    want = draw(st.lists(st.sampled_from(list(values)), max_size=5))
    return graph, want, [values[ref] for ref in want]


def mix(outputs: int, number: int, *args: object) -> object:
    total = number
    for arg in args:
        total = (31 * total + (mix(1, 7, *arg) if isinstance(arg, list) else arg)) % 1_000_003  # type: ignore[operator]
    return total if outputs == 1 else tuple([total + i for i in range(outputs)])


# Shared by all examples on purpose: runs of one executor must not disturb each other.
_SHARED: list[Executor] = [InlineExecutor(), ThreadExecutor(1), ThreadExecutor(4, source_limit=1)]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_random_graphs(case: tuple[TaskGraph, list[Ref], list[object]]) -> None:
    graph, want, expected = case
    for executor in _SHARED:
        assert executor.submit(graph, want).result() == expected


@pytest.mark.heavy
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graphs())
@pytest.mark.parametrize("name", FOREIGN)
def test_random_graphs_on_clusters(
    request: pytest.FixtureRequest, name: str, case: tuple[TaskGraph, list[Ref], list[object]]
) -> None:
    graph, want, expected = case
    with made(request, name) as executor:
        assert executor.submit(graph, want).result() == expected


def test_many_clients(executor: Executor) -> None:
    """Runs submitted by several threads at once do not mix."""
    results: dict[int, list[object]] = {}

    def client(number: int) -> None:
        graph = TaskGraph()
        group = graph.add_group(TaskGroup("add", operator.add))
        refs = [Ref(graph.add_task(group, (number * 1000, i))) for i in range(50)]
        results[number] = executor.submit(graph, refs).result()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [n * 1000 + i for i in range(50)] for n in range(6)}
