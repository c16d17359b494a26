"""plait.Client: calls, futures, and how they end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import itertools
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

import plait
from plait.dispatch import Dispatcher
from plait.errors import ConfigError
from plait.scheduler.errors import ExecutorClosedError
from plait.scheduler.executor import Executor, Jobs, Run
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.local import InlineExecutor, ThreadExecutor


class AwayExecutor(ThreadExecutor):
    """Threads that keep every value, as an executor with its workers elsewhere does."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.values: dict[Handle, object] = {}
        self.refused: Callable[[TaskGraph], bool] = lambda graph: False

    def submit(  # type: ignore[override]
        self, graph: TaskGraph, want: Any, observe: Any = None, *, priority: int = 0, jobs: Any
    ) -> Run:
        if self.refused(graph):
            raise pickle.PicklingError("cannot pickle that")
        copy = TaskGraph()
        for group in graph.groups:
            copy.add_group(group)
        for task in graph:
            copy.add_task(task.group, [self._here(arg) for arg in task.args])
        return super().submit(copy, want, observe, priority=priority, jobs=Keeping(self, jobs))

    def _here(self, arg: object) -> object:
        if isinstance(arg, list):
            return [self.values[item] if isinstance(item, Handle) else item for item in arg]
        return arg

    def gather(self, handles: Any) -> list[object]:
        return [self.values[handle] for handle in handles]

    def release(self, handles: Any) -> None:
        for handle in handles:
            self.values.pop(handle, None)


_numbers = itertools.count()


class Keeping:
    """Tells of every value that it is kept."""

    def __init__(self, executor: AwayExecutor, jobs: Jobs) -> None:
        self.executor, self.jobs, self.name = executor, jobs, f"run {next(_numbers)}"
        self.start, self.failed = jobs.start, jobs.failed

    def returned(self, task: int, value: object) -> None:
        handle = Handle(self.name, task)
        self.executor.values[handle] = value
        self.jobs.kept(task, handle)


KINDS: dict[str, Callable[[], Executor]] = {
    "inline": InlineExecutor,
    "threads-1": partial(ThreadExecutor, 1),
    "threads-3": partial(ThreadExecutor, 3),
    "away": partial(AwayExecutor, 2),
}


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest) -> Iterator[plait.Client]:
    with KINDS[request.param]() as executor, plait.Client(executor) as client:
        yield client


@pytest.fixture
def threads() -> Iterator[plait.Client]:
    with plait.Client(max_workers=2) as client:
        yield client


def add(*values: int) -> int:
    return sum(values)


@dataclass
class Box:
    value: Any


def test_calls(client: plait.Client) -> None:
    assert client.submit(add, 1, 2).result() == 3
    assert client.submit(dict, a=1, self=2, fn=3).result() == {"a": 1, "self": 2, "fn": 3}
    assert client.submit(lambda *a, **k: (a, k), 5, x=6).result() == ((5,), {"x": 6})


def test_arguments_are_handed_over_as_they_are(threads: plait.Client) -> None:
    rows: list[Any] = [1]
    rows.append(rows)
    assert threads.submit(lambda value: value, rows).result() is rows


def test_futures_are_arguments(client: plait.Client) -> None:
    one, two = client.submit(add, 1), client.submit(add, 1, 1)
    three = client.submit(add, one, two)
    assert client.submit(add, three, three, one).result() == 7
    nested = client.submit(lambda v, *, k: (v, k), [one, {"t": (two, {three})}], k=Box([two]))
    assert nested.result() == ([1, {"t": (2, {3})}], Box([2]))


def test_futures_of_another_client_are_arguments(client: plait.Client) -> None:
    with plait.Client(max_workers=1) as other:
        slow = other.submit(lambda: time.sleep(0.02) or 4)
        assert client.submit(add, slow, 1).result() == 5


def test_long_chain_and_wide_fan_in(client: plait.Client) -> None:
    last = client.submit(add, 0)
    for _ in range(2000):
        last = client.submit(add, last, 1)
    assert last.result() == 2000
    leaves = [client.submit(add, i) for i in range(3000)]
    assert client.submit(sum, leaves).result() == 3000 * 2999 // 2


def test_errors(client: plait.Client) -> None:
    bad = client.submit(divmod, 1, 0)
    after = client.submit(add, client.submit(add, bad), 1)
    for future in (bad, after):
        assert isinstance(future.exception(), ZeroDivisionError)
        with pytest.raises(ZeroDivisionError) as caught:
            future.result()
        assert any("divmod" in note for note in caught.value.__notes__)
    assert client.submit(add, 1).result() == 1


def test_an_error_of_one_call_is_not_that_of_its_neighbours(client: plait.Client) -> None:
    futures = [client.submit(divmod, i, i % 3) for i in range(60)]
    for i, future in enumerate(futures):
        if i % 3:
            assert future.result() == divmod(i, i % 3)
        else:
            assert isinstance(future.exception(), ZeroDivisionError)


def test_retries(client: plait.Client) -> None:
    attempts: list[int] = []

    def flaky() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("not yet")
        return len(attempts)

    if isinstance(client._dispatcher.executor, AwayExecutor):
        attempts.append(1)
    assert client.submit(flaky, retries=2).result() == 3
    with pytest.raises(ValueError, match="retries cannot be -1"):
        client.submit(flaky, retries=-1)


def test_options_do_not_hide_the_functions_own(threads: plait.Client) -> None:
    def f(retries: int) -> int:
        return retries

    with pytest.raises(TypeError, match=r"functools\.partial"):
        threads.submit(f, retries=2)
    assert threads.submit(partial(f, 5)).result() == 5
    assert threads.submit(max, 3, 4, priority=2, resources={"GPU": 1}).result() == 4


def test_priorities() -> None:
    with plait.Client(max_workers=1) as client:
        release, ran = threading.Event(), []
        client.submit(release.wait, 30)
        for number, priority in enumerate([0, 1, -1, 1, 0]):
            client.submit(ran.append, number, priority=priority)
        last = client.submit(add, priority=-2)
        while client._dispatcher._queue.qsize():
            time.sleep(0.001)
        client.submit(add)
        release.set()
        last.result()
    assert ran == [1, 3, 0, 4, 2]


def test_map(client: plait.Client) -> None:
    assert list(client.map(pow, range(5), itertools.repeat(2))) == [0, 1, 4, 9, 16]
    assert list(client.map(pow, range(7), range(9), chunksize=3)) == [i**i for i in range(7)]
    assert list(client.map(add, [])) == []
    futures = [client.submit(add, i) for i in range(4)]
    assert list(client.map(add, futures, futures)) == [0, 2, 4, 6]
    assert list(client.map(add, range(2500))) == list(range(2500))
    with pytest.raises(ZeroDivisionError):
        list(client.map(divmod, [1, 2], [1, 0]))


def test_map_of_an_endless_iterable(client: plait.Client) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for i in itertools.count():
            taken.append(i)
            yield i

    results = client.map(add, numbers(), buffersize=4)
    assert [next(results) for _ in range(6)] == list(range(6))
    assert len(taken) <= 12
    results.close()  # type: ignore[attr-defined]


def test_wrong_arguments_of_map(threads: plait.Client) -> None:
    for wrong in ({"chunksize": 0}, {"buffersize": 0}):
        with pytest.raises(ValueError, match="size must be"):
            threads.map(add, [1], **wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'chunks'"):
        threads.map(add, [1], chunks=2)


def test_gather_and_scatter(client: plait.Client) -> None:
    data = client.scatter([[1, 2], [3]])
    sums = [client.submit(sum, part) for part in data]
    assert client.gather({"a": sums, "b": Box(sums[0])}) == {"a": [3, 3], "b": Box(3)}
    assert client.gather(client.scatter({"x": 1})) == {"x": 1}
    assert client.gather(client.scatter("text")) == "text"
    bad = client.submit(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        client.gather([*sums, bad])
    assert client.gather([*sums, bad], errors="skip") == [3, 3]
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        client.gather(sums, errors="ignore")


def test_cancel() -> None:
    with plait.Client(max_workers=1) as client:
        release, begun, ran = threading.Event(), threading.Event(), []

        def block() -> None:
            begun.set()
            release.wait(30)

        running = client.submit(block)
        assert begun.wait(30)
        futures = [client.submit(ran.append, i) for i in range(20)]
        after = client.submit(add, futures[3])
        client.cancel([futures[3], {"more": futures[5:]}])
        assert not running.cancel()
        assert futures[3].cancel()
        assert {futures[3], *futures[5:]} <= set(
            concurrent.futures.wait(futures, 0, concurrent.futures.FIRST_COMPLETED).done
        )
        release.set()
        client.gather(futures, errors="skip")
        with pytest.raises(concurrent.futures.CancelledError):
            after.result(30)
        assert ran == [0, 1, 2, 4]


def test_timeouts(threads: plait.Client) -> None:
    release = threading.Event()
    future = threads.submit(release.wait, 30)
    with pytest.raises(TimeoutError):
        future.result(0.01)
    with pytest.raises(TimeoutError):
        list(threads.as_completed([future], timeout=0.01))
    with pytest.raises(TimeoutError):
        list(threads.map(lambda _: release.wait(30), [1], timeout=0.01))
    release.set()
    assert future.result(30) is True


def test_as_completed(threads: plait.Client) -> None:
    gates = [threading.Event() for _ in range(2)]
    futures = [threads.submit(gate.wait, 30) for gate in gates]
    gates[1].set()
    order = []
    for future in threads.as_completed([*futures, futures[1]]):
        order.append(futures.index(future))
        gates[0].set()
    assert order == [1, 0]


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_submit_and_wait(workers: int) -> None:
    with plait.Client(max_workers=workers) as client:

        def tree(depth: int) -> int:
            if not depth:
                return 1
            parts = [client.submit(tree, depth - 1) for _ in range(3)]
            joined = client.submit(add, *parts)
            return joined.result(30) + sum(client.map(add, parts))  # type: ignore[no-any-return]

        assert client.submit(tree, 4).result(60) == 6**4


def test_a_task_waits_for_a_call_that_is_queued() -> None:
    with plait.Client(max_workers=1) as client:
        later: list[Any] = []
        ready = threading.Event()
        first = client.submit(lambda: ready.wait(30) and later[-1].result(30))
        later += [client.submit(add, i) for i in range(30)]
        ready.set()
        assert first.result(30) == 29


def test_many_threads_submit(threads: plait.Client) -> None:
    found: dict[int, list[int]] = {}

    def one(number: int) -> None:
        futures = [threads.submit(add, number, i) for i in range(200)]
        found[number] = [future.result(30) for future in futures]

    workers = [threading.Thread(target=one, args=(n,)) for n in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert found == {n: [n + i for i in range(200)] for n in range(5)}


def test_shutdown() -> None:
    client = plait.Client(max_workers=1)
    futures = [client.submit(time.sleep, 0.001) for _ in range(20)]
    client.shutdown()
    assert all(future.done() and not future.cancelled() for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        client.submit(add)
    client.shutdown()


def test_shutdown_without_waiting() -> None:
    client = plait.Client(max_workers=1)
    gate = threading.Event()
    first = client.submit(gate.wait, 30)
    second = client.submit(add, first, 1)
    client.shutdown(wait=False)
    gate.set()
    assert second.result(30) == 2


def test_a_forgotten_client_does_what_it_was_asked_for() -> None:
    gate = threading.Event()
    client = plait.Client(max_workers=1)
    future = client.submit(gate.wait, 30)
    dispatcher = weakref.ref(client._dispatcher)
    del client
    gc.collect()
    gate.set()
    assert future.result(30) is True
    del future
    deadline = time.monotonic() + 30
    while dispatcher() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
        gc.collect()
    assert dispatcher() is None


def test_arguments_and_results_are_let_go_of(client: plait.Client) -> None:
    box = Box(1)
    seen = weakref.ref(box)
    future = client.submit(lambda b: Box(b.value), box)
    result = weakref.ref(future.result())
    del box, future
    gc.collect()
    deadline = time.monotonic() + 30
    while (seen() or result()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen() is None
    assert result() is None


def test_values_stay_where_they_are_until_asked_for() -> None:
    executor = AwayExecutor(2)
    client = plait.Client(executor)
    one = client.submit(add, 1)
    two = client.submit(add, one, 1)
    concurrent.futures.wait([one, two])
    assert sorted(executor.values.values()) == [1, 2]  # type: ignore[type-var]
    assert one.away
    assert one.result() == 1
    assert not one.away
    del one
    gc.collect()
    assert list(executor.values.values()) == [2]
    client.shutdown()
    executor.values.clear()
    assert two.result() == 2


def test_a_graph_that_is_refused_fails_only_its_bad_calls() -> None:
    with AwayExecutor(2) as executor, plait.Client(executor) as client:
        executor.refused = lambda graph: any(task.args[0].args == (13,) for task in graph)  # type: ignore[attr-defined]
        results = client.map(add, range(20))
        assert [next(results) for _ in range(13)] == list(range(13))
        with pytest.raises(pickle.PicklingError):
            next(results)
        assert client.submit(add, 14).result(30) == 14


def test_an_executor_that_was_closed() -> None:
    executor = ThreadExecutor(1)
    client = plait.Client(executor)
    executor.close()
    with pytest.raises(ExecutorClosedError):
        client.submit(add).result(30)
    client.shutdown()


def test_where_to_run() -> None:
    with plait.Client("inline") as client:
        here = client.submit(threading.get_ident).result()
        assert here == threading.get_ident()
        assert repr(client) == "<plait.Client on InlineExecutor of 1 workers>"
    with plait.connect("threads", threads=1) as session:
        with plait.Client(session) as client:
            assert client.submit(add, 1).result() == 1
        assert session.sql("select 1 as one").compute().one.tolist() == [1]
    with plait.Client() as client:
        assert client.submit(add, 1).result() == 1
    assert plait.delayed(add)(1).compute() == 1
    with pytest.raises(ValueError, match="greater than 0"):
        plait.Client(max_workers=0)
    with pytest.raises(ConfigError, match="max_workers"):
        plait.Client("inline", max_workers=2)
    with ThreadExecutor(1) as executor, pytest.raises(ConfigError, match="comes late"):
        plait.Client(executor, threads=1)


def test_await(client: plait.Client) -> None:
    async def main() -> None:
        assert await client.submit(add, 1, 2) == 3
        assert await asyncio.gather(*[client.submit(add, i) for i in range(3)]) == [0, 1, 2]
        with pytest.raises(ZeroDivisionError):
            await client.submit(divmod, 1, 0)
        found = [
            f.result() async for f in client.as_completed(client.submit(add, i) for i in (1, 2))
        ]
        assert sorted(found) == [1, 2]
        async with plait.Client(max_workers=1) as other:
            assert await other.submit(add, 4) == 4
        assert await asyncio.get_running_loop().run_in_executor(client, add, 5) == 5

    asyncio.run(main())


def test_cancelling_who_awaits_cancels_the_call() -> None:
    async def main() -> None:
        with plait.Client(max_workers=1) as client:
            gate, ran = threading.Event(), []
            blocking = client.submit(gate.wait, 30)
            queued = client.submit(ran.append, 1)

            async def waiter() -> None:
                await queued

            task = asyncio.create_task(waiter())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert queued.cancelled()
            slow = aiter(client.as_completed([blocking], timeout=0.01))
            with pytest.raises(TimeoutError):
                await anext(slow)
            gate.set()
            assert await blocking is True
            assert ran == []

    asyncio.run(main())


def test_pickling_is_refused_in_words(threads: plait.Client) -> None:
    with pytest.raises(TypeError, match="belongs to the Client"):
        pickle.dumps(threads.submit(add))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(threads)


def run_script(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_python_ends_after_the_calls() -> None:
    script = """
import plait, time
client = plait.Client({})
client.submit(lambda: time.sleep(.2) or print("apple"))
"""
    assert run_script(script.format("max_workers=3")) == "apple\n"
    assert run_script(script.format("")) == "apple\n"


def test_no_calls_after_the_end() -> None:
    script = """
import atexit
@atexit.register
def late():
    try:
        client.submit(print, "no")
    except RuntimeError as error:
        print(error)
import plait
client = plait.Client(max_workers=2)
client.submit(print, "yes")
"""
    assert run_script(script) == "yes\ncannot schedule new futures after shutdown\n"


def test_bursts_become_few_graphs() -> None:
    class Counting(ThreadExecutor):
        graphs = 0

        def submit(self, graph: TaskGraph, want: Any, *rest: Any, **options: Any) -> Any:
            self.graphs += 1
            return super().submit(graph, want, *rest, **options)

    with Counting(1) as executor, plait.Client(executor) as client:
        gate = threading.Event()
        blocked = [client.submit(gate.wait, 30) for _ in range(2)]
        with client._dispatcher._sending:  # the sender cannot go on meanwhile
            futures = [client.submit(add, i) for i in range(1000)]
        gate.set()
        assert [future.result(30) for future in futures] == list(range(1000))
        assert executor.graphs <= len(blocked) + 3


def test_dispatcher_sends_want_of_every_call() -> None:
    """The refs that a batch asks for are its calls, in order."""
    wanted: list[list[Ref]] = []

    class Watching(InlineExecutor):
        def submit(self, graph: TaskGraph, want: Any, *rest: Any, **options: Any) -> Any:
            wanted.append(list(want))
            return super().submit(graph, want, *rest, **options)

    executor = Watching()
    client = plait.Client(executor)
    assert isinstance(client._dispatcher, Dispatcher)
    assert list(client.map(add, range(3))) == [0, 1, 2]
    assert wanted == [[Ref(0), Ref(1), Ref(2)]]
