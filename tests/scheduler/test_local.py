"""What only the thread executor promises: bounds, threads, Ctrl-C, cancellation, forks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from plait.scheduler.context import current_context
from plait.scheduler.errors import ExecutorClosedError, RunCancelledError
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import InlineExecutor, ThreadExecutor


def one_task(function: Callable[..., object], *args: object) -> TaskGraph:
    graph = TaskGraph()
    graph.add_group(TaskGroup("only", function))
    graph.add_task(0, args)
    return graph


class Gauge:
    """Counts how many of something exist at a time, and the most there were."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._lock = threading.Lock()

    def add(self, change: int) -> None:
        with self._lock:
            self.now += change
            self.peak = max(self.peak, self.now)


class Chunk:
    """A result that a gauge counts while it is alive."""

    def __init__(self, gauge: Gauge) -> None:
        gauge.add(1)
        weakref.finalize(self, gauge.add, -1)


def fold_graph(gauge: Gauge, chunks: int) -> tuple[TaskGraph, Ref]:
    """A fast scan that feeds a slow running total."""

    def step(total: int, chunk: Chunk) -> int:
        time.sleep(0.001)
        return total + isinstance(chunk, Chunk)

    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", Chunk, source=True))
    fold = graph.add_group(TaskGroup("fold", step))
    sources = [Ref(graph.add_task(scan, (gauge,))) for _ in range(chunks)]
    total: object = 0
    for source in sources:
        total = Ref(graph.add_task(fold, (total, source)))
    assert isinstance(total, Ref)
    return graph, total


@pytest.mark.parametrize(("workers", "limit", "most"), [(1, None, 3), (4, None, 6), (4, 2, 2)])
def test_sources_are_bounded(workers: int, limit: int | None, most: int) -> None:
    gauge = Gauge()
    graph, total = fold_graph(gauge, 60)
    with ThreadExecutor(workers, source_limit=limit) as executor:
        run = executor.submit(graph, [total])
        assert run.result() == [60]
    # A worker may hold the chunk it just consumed for a moment while the next is made.
    assert gauge.peak <= most + workers
    assert run.state.peak_in_flight <= most


def test_a_sort_still_reads_in_parallel() -> None:
    """All inputs are needed at once, so the bound must neither deadlock nor serialise."""
    running = Gauge()
    together = threading.Barrier(3)

    def scan() -> int:
        running.add(1)
        together.wait(10)  # breaks unless three run at a time
        running.add(-1)
        return 1

    graph = TaskGraph()
    source = graph.add_group(TaskGroup("scan", scan, source=True))
    refs = [Ref(graph.add_task(source)) for _ in range(30)]
    top = graph.add_task(graph.add_group(TaskGroup("sort", sum)), (refs,))
    with ThreadExecutor(3, source_limit=1) as executor:
        assert executor.submit(graph, [Ref(top)]).result() == [30]


def test_sources_behind_sources_do_not_deadlock() -> None:
    """Scans that wait for scans (a filter made from the build side), with a limit of one."""
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", lambda *args: 1 + sum(args), source=True))
    add = graph.add_group(TaskGroup("add", lambda *args: sum(args)))
    build = [Ref(graph.add_task(scan)) for _ in range(5)]
    probe = [Ref(graph.add_task(scan, build)) for _ in range(5)]
    top = Ref(graph.add_task(add, build + probe))
    for workers in (1, 3):
        with ThreadExecutor(workers, source_limit=1) as executor:
            assert executor.submit(graph, [top]).result() == [5 + 5 * 6]


def test_wanted_sources_are_not_bounded() -> None:
    graph = TaskGraph()
    scan = graph.add_group(TaskGroup("scan", int, source=True))
    refs = [Ref(graph.add_task(scan, (i,))) for i in range(20)]
    with ThreadExecutor(2, source_limit=1) as executor:
        assert executor.submit(graph, refs).result() == list(range(20))


def test_all_workers_are_used() -> None:
    together = threading.Barrier(4)
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("meet", lambda: together.wait(10)))
    refs = [Ref(graph.add_task(group)) for _ in range(4)]
    with ThreadExecutor(4) as executor:
        assert sorted(executor.submit(graph, refs).result()) == [0, 1, 2, 3]  # type: ignore[type-var]


def test_threads_are_lazy_shared_and_end_with_the_executor() -> None:
    def names() -> set[str]:
        return {t.name for t in threading.enumerate() if t.name.startswith("plait-")}

    before = names()
    executor = ThreadExecutor(3)
    assert names() == before
    for _ in range(5):
        graph = TaskGraph()
        group = graph.add_group(TaskGroup("nap", time.sleep))
        refs = [Ref(graph.add_task(group, (0.001,))) for _ in range(20)]
        executor.submit(graph, refs).wait()
    assert 1 <= len(names() - before) <= 3
    executor.close()
    assert names() == before


def test_a_forgotten_executor_lets_its_threads_go() -> None:
    executor = ThreadExecutor(1)
    thread = executor.submit(one_task(threading.current_thread), [Ref(0)]).result()[0]
    assert isinstance(thread, threading.Thread)
    del executor
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_idle_threads_hold_nothing() -> None:
    class Box:
        pass

    boxes: list[weakref.ref[Box]] = []

    def make() -> Box:
        box = Box()
        boxes.append(weakref.ref(box))
        return box

    with ThreadExecutor(2) as executor:
        executor.submit(one_task(make), [Ref(0)]).result()
        deadline = time.monotonic() + 10
        while boxes[0]() is not None and time.monotonic() < deadline:
            time.sleep(0.001)
            gc.collect()
        assert boxes[0]() is None


def test_cancel_drops_queued_tasks_and_tells_running_ones() -> None:
    started, stopped = threading.Event(), threading.Event()
    ran: list[int] = []

    def long() -> None:
        started.set()
        try:
            while True:
                current_context().check_cancelled()
                time.sleep(0.001)
        finally:
            stopped.set()

    graph = TaskGraph()
    first = Ref(graph.add_task(graph.add_group(TaskGroup("long", long))))
    after = graph.add_group(TaskGroup("after", lambda _: ran.append(1)))
    refs = [Ref(graph.add_task(after, (first,))) for _ in range(10)]
    with ThreadExecutor(2) as executor:
        run = executor.submit(graph, refs)
        assert started.wait(10)
        with pytest.raises(TimeoutError):
            run.wait(0.01)
        run.cancel()
        with pytest.raises(RunCancelledError):
            run.wait()
        assert stopped.wait(10)
        assert ran == []
        assert executor.submit(one_task(int), [Ref(0)]).result() == [0]


def test_cancelling_the_outer_run_cancels_the_inner() -> None:
    inside, stopped = threading.Event(), threading.Event()

    def inner() -> None:
        inside.set()
        try:
            while True:
                current_context().check_cancelled()
                time.sleep(0.001)
        finally:
            stopped.set()

    with ThreadExecutor(2) as executor:
        outer = executor.submit(
            one_task(lambda: executor.submit(one_task(inner), [Ref(0)]).result()), [Ref(0)]
        )
        assert inside.wait(10)
        outer.cancel()
        assert stopped.wait(10)


def test_an_error_reaches_the_waiter_while_others_run() -> None:
    release = threading.Event()

    def bad() -> None:
        raise ValueError("first")

    graph = TaskGraph()
    slow = Ref(graph.add_task(graph.add_group(TaskGroup("slow", lambda: release.wait(10)))))
    fails = Ref(graph.add_task(graph.add_group(TaskGroup("bad", bad))))
    with ThreadExecutor(2) as executor:
        with pytest.raises(ValueError, match="first"):
            executor.submit(graph, [slow, fails]).wait(10)
        release.set()


def test_waiting_on_a_closed_executor_raises() -> None:
    release, started = threading.Event(), threading.Event()

    def long() -> None:
        started.set()
        release.wait(10)

    executor = ThreadExecutor(1)
    run = executor.submit(one_task(long), [Ref(0)])
    assert started.wait(10)
    errors: list[BaseException] = []

    def waiter() -> None:
        try:
            run.wait()
        except ExecutorClosedError as error:
            errors.append(error)
            release.set()

    thread = threading.Thread(target=waiter)
    thread.start()
    executor.close()
    thread.join(10)
    assert len(errors) == 1


def test_a_later_run_is_not_stuck_behind_an_earlier_one() -> None:
    order: list[str] = []
    gate = threading.Event()
    big = TaskGraph()
    first = Ref(big.add_task(big.add_group(TaskGroup("gate", lambda: gate.wait(10)))))
    group = big.add_group(TaskGroup("big", lambda _: order.append("big")))
    refs = [Ref(big.add_task(group, (first,))) for _ in range(100)]
    with ThreadExecutor(1) as executor:
        run = executor.submit(big, refs)
        small = executor.submit(one_task(order.append, "small"), [Ref(0)])
        gate.set()
        small.wait()
        run.wait()
    assert order.index("small") < 10


def test_memory_limit_is_shared_out() -> None:
    graph = one_task(lambda: current_context().memory_limit)
    with ThreadExecutor(4, memory_limit=1000) as threads, InlineExecutor(memory_limit=7) as inline:
        assert threads.submit(graph, [Ref(0)]).result() == [250]
        assert inline.submit(graph, [Ref(0)]).result() == [7]


def test_no_workers() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        ThreadExecutor(0)


CTRL_C = """
import os, signal, threading, time
from plait.scheduler.events import RunCancelled
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import InlineExecutor, ThreadExecutor

def interrupt():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)

for executor in (ThreadExecutor(2), InlineExecutor()):
    graph = TaskGraph()
    nap = graph.add_group(TaskGroup("nap", time.sleep))
    naps = [Ref(graph.add_task(nap, (0.02,))) for _ in range(2000)]
    events = []
    threading.Thread(target=interrupt).start()
    try:
        executor.submit(graph, naps, events.append).wait()
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted", isinstance(events[-1], RunCancelled))
    small = TaskGraph()
    small.add_task(small.add_group(TaskGroup("five", lambda: 5)))
    print(executor.submit(small, [Ref(0)]).result())
    print(len(executor._kept()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently")
def test_ctrl_c_cancels_and_the_executor_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n")[:-1] == ["interrupted True", "[5]", "0"] * 2, done.stderr


FORK = """
import os, sys
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import ThreadExecutor

graph = TaskGraph()
graph.add_task(graph.add_group(TaskGroup("five", lambda: 5)))
executor = ThreadExecutor(2)
run = executor.submit(graph, [Ref(0)])
run.wait()
scratch = executor._scratch.path
child = os.fork()
ok = executor.submit(graph, [Ref(0)]).result() == [5] and executor.gather(run.handles) == [5]
if child == 0:
    sys.exit(3 if ok else 4)  # with finalizers: they must leave the parent's things alone
print(ok, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), scratch.is_dir())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_works_in_a_forked_child() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "True 3 True", done.stderr
