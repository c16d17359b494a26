"""What is Dask's own of the executor over it; what all executors promise is tested elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

distributed = pytest.importorskip("distributed")

from plait.scheduler.adapters.dask import DaskExecutor  # noqa: E402
from plait.scheduler.context import current_context  # noqa: E402
from plait.scheduler.errors import (  # noqa: E402
    GraphError,
    RunCancelledError,
    SchedulerLostError,
    SerializationError,
)
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup  # noqa: E402
from tests.scheduler.executors import Log  # noqa: E402


@pytest.fixture
def executor(dask_executors: Callable[[], DaskExecutor]) -> Iterator[DaskExecutor]:
    with dask_executors() as executor:
        yield executor


def chain(*functions: Callable[..., object], **group: Any) -> TaskGraph:
    """Each function is called with what the one before it returned."""
    graph = TaskGraph()
    args: tuple[object, ...] = ()
    for function in functions:
        number = graph.add_group(TaskGroup(function.__name__, function, **group))
        args = (Ref(graph.add_task(number, args)),)
    return graph


def keys(executor: DaskExecutor) -> list[str]:
    """The names of all that the cluster knows of plait, once it has settled."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found: list[str] = executor.backend.client.run_on_scheduler(known)  # type: ignore[attr-defined]
        if not found:
            return found
        time.sleep(0.05)
    return found


def known(dask_scheduler: Any) -> list[str]:
    return [str(key) for key in dask_scheduler.tasks if "plait" in str(key)]


def test_nothing_stays_in_the_cluster(executor: DaskExecutor) -> None:
    graph = chain(make_list, sum)
    run = executor.submit(graph, [Ref(0), Ref(1)])
    assert executor.gather(run.handles) == [[1, 2, 3], 6]
    executor.release(run.handles)
    with pytest.raises(ZeroDivisionError):
        executor.submit(chain(make_list, sum, divide_by_zero), [Ref(0), Ref(2)]).wait()
    assert keys(executor) == []


def make_list() -> list[int]:
    return [1, 2, 3]


def divide_by_zero(number: int) -> float:
    return number / 0


class Unreadable:
    """Pickled well, but not read again."""

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return refuse, ()


def refuse() -> object:
    raise ValueError("not here")


class Unsendable:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


def test_results_that_cannot_be_sent_or_read_are_errors(executor: DaskExecutor) -> None:
    with pytest.raises(SerializationError, match="not me") as caught:
        executor.submit(chain(Unsendable), [Ref(0)]).wait()
    assert caught.value.__notes__ == ["in task 0 of group 'Unsendable'"]
    graph = TaskGraph()
    made = [graph.add_task(graph.add_group(TaskGroup("made", Unreadable))) for _ in range(4)]
    use = graph.add_group(TaskGroup("use", make_str))
    # of four, some are used in another process than they were made in, whatever goes together
    run = executor.submit(graph, [Ref(task) for task in made])
    with pytest.raises(SerializationError, match="not here"):
        executor.gather(run.handles)
    later = TaskGraph()
    use = later.add_group(TaskGroup("use", make_str))
    with pytest.raises(SerializationError, match="not here"):
        executor.submit(later, [Ref(later.add_task(use, (run.handles[0],)))]).wait()
    assert executor.submit(chain(make_list), [Ref(0)]).result() == [[1, 2, 3]]


def make_str(value: object) -> str:
    return str(value)


def test_what_runs_is_told_of_a_cancel(executor: DaskExecutor, tmp_path: Path) -> None:
    graph = TaskGraph()
    graph.add_task(graph.add_group(TaskGroup("wait", until_cancelled)), (str(tmp_path),))
    run = executor.submit(graph, [Ref(0)])
    wait_for(tmp_path / "begun")
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.wait()
    wait_for(tmp_path / "told")


def until_cancelled(folder: str) -> None:
    (Path(folder) / "begun").touch()
    context = current_context()
    while not context.cancelled:
        time.sleep(0.01)
    (Path(folder) / "told").touch()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_resources_that_nobody_has(executor: DaskExecutor) -> None:
    graph = chain(make_list, resources=(("GPU", 1.0),))
    with pytest.raises(GraphError, match=r"offers \{'GPU': 1.0\}"):
        executor.submit(graph, [Ref(0)])


def test_large_arguments_and_functions_are_sent_once(executor: DaskExecutor) -> None:
    np = pytest.importorskip("numpy")
    for size in (300_000, 2_000_000):  # by way of the scheduler, and past it
        array = np.arange(size)
        graph = TaskGraph()
        add = graph.add_group(TaskGroup("add", lambda a, i, b=array: int(a[i] + b[i])))
        want = [Ref(graph.add_task(add, (array, i))) for i in range(50)]
        assert executor.submit(graph, want).result() == [2 * i for i in range(50)]


def test_a_batch_that_takes_too_long_gives_the_rest_back(executor: DaskExecutor, log: Log) -> None:
    """The first of a group is quick, the others are not; they are chained in pairs."""
    graph = TaskGraph()
    one, two = [graph.add_group(TaskGroup(name, slow)) for name in ("one", "two")]
    want = []
    for i in range(12):
        first = graph.add_task(one, (log, i, 0.0 if i < 3 else 0.15))
        want.append(Ref(graph.add_task(two, (log, Ref(first), 0.0))))
    run = executor.submit(graph, want)
    assert run.result() == list(range(12))
    assert sorted(log.lines()) == sorted([*range(12), *range(12)])


def slow(log: Log, number: int, seconds: float) -> int:
    time.sleep(seconds)
    log.add(number)
    return number


def test_no_scheduler_there() -> None:
    with pytest.raises(SchedulerLostError, match="No Dask scheduler answers"):
        DaskExecutor("tcp://127.0.0.1:1", timeout=0.5)


@pytest.mark.heavy
def test_workers_that_die() -> None:
    """One is killed in a task, once: the run goes on. A task that always kills ends its run."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        DaskExecutor(cluster.scheduler_address) as executor,
    ):
        graph = TaskGraph()
        die = graph.add_group(TaskGroup("die", die_once))
        kept = executor.submit(chain(make_list), [Ref(0)])
        marker = f"/tmp/plait-test-{os.getpid()}-{time.monotonic_ns()}"
        wanted = [Ref(graph.add_task(die, (marker, i, kept.handles[0]))) for i in range(20)]
        try:
            assert executor.submit(graph, wanted).result() == [6 + i for i in range(20)]
        finally:
            Path(marker).unlink(missing_ok=True)
        assert executor.gather(kept.handles) == [[1, 2, 3]]
        with pytest.raises(distributed.KilledWorker) as caught:
            executor.submit(chain(os.abort), [Ref(0)]).wait()
        assert "in task 0 of group 'abort'" in caught.value.__notes__[0]
        assert executor.submit(chain(make_list), [Ref(0)]).result() == [[1, 2, 3]]


def die_once(marker: str, number: int, numbers: list[int]) -> int:
    if number == 7 and not Path(marker).exists():
        Path(marker).touch()
        os.abort()
    return sum(numbers) + number


@pytest.mark.heavy
def test_a_scheduler_that_dies() -> None:
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        executor = DaskExecutor(client)
        run = executor.submit(chain(sleep_long), [Ref(0)])
        cluster.close()
        with pytest.raises(SchedulerLostError):
            run.wait(120)
        executor.close()


def sleep_long() -> None:
    time.sleep(60)


def test_unknown_handles_are_named(executor: DaskExecutor) -> None:
    with pytest.raises(KeyError, match="another executor"):
        executor.gather([Handle("elsewhere", 3)])
