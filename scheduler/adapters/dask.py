"""Graphs on a dask.distributed cluster.

A batch is one Dask task whose result is a tuple, of the report and the bundles, and for each of
them there is one small task more that takes it out of the tuple: so each is data of its own, which
Dask moves, spills and recomputes as it does with any other. Dask keeps what its tasks came from, so
a worker that dies costs time; a task that keeps killing workers ends its run with Dask's
`KilledWorker`. Data that Dask holds on its scheduler is no more than the batches: the arguments of
tasks and their functions.

Plait has to be installed, in the same version, wherever Dask runs: on workers and the scheduler.
"""

from __future__ import annotations

import itertools
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from operator import itemgetter
from typing import Any, Generic, TypeVar

from dask._task_spec import Task, TaskRef
from distributed import Client, get_client, get_worker, rejoin, secede

from plait.scheduler.adapters.backend import Sent, Wishes
from plait.scheduler.adapters.batch import Batch, Bundle, Place, cancel_run, forget, run_batch
from plait.scheduler.adapters.batching import Resources
from plait.scheduler.adapters.foreign import ForeignExecutor
from plait.scheduler.adapters.parcel import Parcel
from plait.scheduler.context import current_flag
from plait.scheduler.errors import GraphError, SchedulerLostError

T = TypeVar("T")

# Of a Dask worker's memory, for tasks and their results; from there on Dask spills by itself.
_USABLE = 0.6
# Bytes above which what is sent once goes past the scheduler, straight to a worker: then it is lost
# with that worker, and the run with it. Below, Dask can make it again.
_SCATTERED = 8 << 20


class DaskExecutor(ForeignExecutor):
    """Runs graphs on a user's dask.distributed cluster.

    Parameters
    ----------
    cluster : str or distributed.Client
        The scheduler's address, as Dask writes it (`tcp://host:8786`), or a client. A client that
        was given stays open when the executor is closed.
    timeout : float
        Seconds to wait for an answer of the scheduler.

    Raises
    ------
    SchedulerLostError
        If no scheduler answers at the address, or plait is not installed over there.
    """

    def __init__(self, cluster: str | Client, *, timeout: float = 10.0) -> None:
        client = cluster if isinstance(cluster, Client) else _connected(cluster, timeout)
        if client is not cluster:
            try:
                _compare(client)
            except BaseException:
                client.close()
                raise
        else:
            _compare(client)
        super().__init__(_DaskBackend(client, own=client is not cluster))


class _DaskBackend:
    """See `Backend`."""

    def __init__(self, client: Client, own: bool) -> None:
        self.client, self._own = client, own
        self._numbers = itertools.count()

    def workers(self) -> int:
        return sum(self.client.nthreads().values())

    def threads(self) -> int:
        return max(self.client.nthreads().values(), default=1)

    def memory_limit(self) -> int | None:
        limits = [worker["memory_limit"] for worker in self._known_workers()]
        return int(_USABLE * min(limits)) if limits and all(limits) else None

    def check(self, resources: Resources) -> None:
        if not resources:
            return
        offers = [worker["resources"] for worker in self._known_workers()]
        if not any(all(o.get(name, 0) >= amount for name, amount in resources) for o in offers):
            raise GraphError(
                f"No worker of the Dask cluster offers {dict(resources)}: start some with"
                f" `dask worker --resources`. There are {offers}"
            )

    def put(self, parcel: Parcel) -> Any:
        if parcel.nbytes > _SCATTERED:
            (reference,) = self.client.scatter([(parcel,)], hash=False)
            return reference
        key = ("plait constant", secrets.token_hex(8))
        (reference,) = self.client.get(
            {key: Task(key, _alone, _Sealed(key, parcel))}, [key], sync=False
        )
        return reference

    def start(self, batch: Batch, inputs: Sequence[Any], wishes: Wishes) -> Sent:
        number = next(self._numbers)
        of = f"{batch.executor}-{batch.run}"
        key = (f"plait {wishes.name}-{of}", number)
        report = (f"plait report-{of}", number)
        bundles = [(f"plait part-{of}", number, i) for i in range(len(batch.bundles))]
        graph: dict[Any, Any] = {
            key: Task(key, _call, _Sealed(key, batch), *[TaskRef(item.key) for item in inputs])
        }
        for place, taken in enumerate([report, *bundles]):
            graph[taken] = Task(taken, itemgetter(place), TaskRef(key))
        futures = self.client.get(
            graph,
            [report, *bundles],
            sync=False,
            resources=dict(wishes.resources) or None,
            priority=wishes.priority,
        )
        return Sent(futures[0], tuple(futures[1:]))

    def when_done(self, report: Any, call: Callable[[], None]) -> None:
        report.add_done_callback(lambda _: call())

    def report(self, report: Any) -> bytes:
        if report.status in ("cancelled", "lost"):
            raise self._lost()
        return report.result()  # type: ignore[no-any-return]

    def fetch(self, references: Sequence[Any]) -> list[Bundle]:
        if any(reference.status in ("cancelled", "lost") for reference in references):
            raise self._lost()
        with _resting() if current_flag() is not None else nullcontext():
            return self.client.gather(list(references))  # type: ignore[no-any-return]

    def cancel(self, run: str, reports: Sequence[Any]) -> None:
        # On a thread of its own: a worker that does not answer must not hold up who cancels.
        threading.Thread(target=self._cancel, args=(run, reports), daemon=True).start()

    def wait_inside(
        self, done: threading.Event, pending: Callable[[], list[Any]], until: float
    ) -> None:
        with _resting():
            done.wait(min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))

    def close(self, executor: str) -> None:
        if self.client.status == "running":
            self.client.run(forget, executor, on_error="ignore")
        if self._own:
            self.client.close()

    def inside(self) -> Callable[[str], ForeignExecutor]:
        return _inside

    def _cancel(self, run: str, reports: Sequence[Any]) -> None:
        if self.client.status == "running":
            self.client.cancel(list(reports))
            self.client.run(cancel_run, run, on_error="ignore")

    def _known_workers(self) -> list[dict[str, Any]]:
        return list(self.client.scheduler_info(n_workers=-1)["workers"].values())

    def _lost(self) -> SchedulerLostError:
        if self.client.status != "running":
            return SchedulerLostError("The connection to the Dask scheduler is gone")
        return SchedulerLostError(
            "Dask dropped tasks of this run: somebody cancelled them, or a worker died that held"
            " the only copy of something that was sent to it"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Sealed(Generic[T]):
    """Something that Dask does not look into: to name a task it hashes all that it is made of."""

    key: tuple[str, int | str]
    content: T

    def __dask_tokenize__(self) -> tuple[str, int | str]:
        return self.key


def _call(sealed: _Sealed[Batch], *bundles: Bundle) -> tuple[Any, ...]:
    """The Dask task of a batch."""
    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    share = int(_USABLE * limit / worker.state.nthreads) if limit else None
    name = f"{worker.address} {threading.current_thread().name}"
    return run_batch(sealed.content, bundles, Place(name, worker.local_directory, share))


@contextmanager
def _resting() -> Iterator[None]:
    """Let the worker of this task run another one: what is waited for may be in its queue."""
    secede()
    try:
        yield
    finally:
        rejoin()


def _alone(sealed: _Sealed[Parcel]) -> Bundle:
    return (sealed.content,)


_lock = threading.Lock()
_inner: dict[str, ForeignExecutor] = {}


def _inside(name: str) -> ForeignExecutor:
    """The executor, in a task of its own cluster: the worker's client is used."""
    with _lock:
        if name not in _inner:
            _inner[name] = ForeignExecutor(_DaskBackend(get_client(), own=False), name)
        return _inner[name]


def _connected(address: str, timeout: float) -> Client:
    try:
        return Client(address, timeout=timeout, set_as_default=False)
    except OSError as error:
        raise SchedulerLostError(
            f"No Dask scheduler answers at {address!r} within {timeout:g} seconds: {error}"
        ) from error


def _environment() -> tuple[str, str]:
    return version("plait"), ".".join(platform.python_version_tuple()[:2])


def _compare(client: Client) -> None:
    """Raise unless plait is everywhere as it is here."""
    here = _environment()
    try:
        there = {"the scheduler": client.run_on_scheduler(_environment), **client.run(_environment)}
    except ModuleNotFoundError as error:
        raise SchedulerLostError(
            f"The Dask cluster cannot run plait's tasks: {error}. Install plait {here[0]} on its"
            " scheduler and on all its workers"
        ) from error
    for where, found in there.items():
        if found != here:
            raise SchedulerLostError(
                f"{where} of the Dask cluster has plait {found[0]} on Python {found[1]}, but here"
                f" is plait {here[0]} on Python {here[1]}: they must be the same"
            )
