"""ClusterExecutor: the executor protocol over a network.

A thread of its own has the loop: the connection to the scheduler, and those to workers from which
results are gathered. `submit` makes the whole graph into one message on the caller's thread;
nothing is asked back, since the client numbers its tasks itself. From then on the scheduler tells
what is done, and the loop's thread tells observers and wakes waiters.

Results stay on the workers. A handle stands for a key, `gather` fetches from whoever has it, and if
that worker has just died waits until the result has been made again elsewhere.

In a task the executor can be used like anywhere else, the task's own cluster included: pickled it
is no more than the cluster's address, and comes to life over the worker's credentials. While a task
waits, its worker runs others in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from plait.scheduler.client_jobs import JobsRun, check_jobs
from plait.scheduler.client_run import ClusterRun
from plait.scheduler.context import current_flag
from plait.scheduler.errors import (
    ExecutorClosedError,
    HandleError,
    RunCancelledError,
    SchedulerLostError,
    SerializationError,
)
from plait.scheduler.events import Observer
from plait.scheduler.executor import Jobs
from plait.scheduler.gather import Gatherer, unpacked
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.net import comm
from plait.scheduler.net.address import Address, parse
from plait.scheduler.net.comm import Connection
from plait.scheduler.net.control import Load, Welcome, Workers
from plait.scheduler.net.protocol import Frame
from plait.scheduler.net.wire import CODEC
from plait.scheduler.state import messages as m
from plait.scheduler.submission import Submission
from plait.scheduler.worker import current_worker, process_worker

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_JOIN = 10.0
_CLOSE = 5.0
_LOOK = 0.1  # seconds between two looks whether the task around us has been cancelled


class ClusterExecutor:
    """Runs tasks on the workers of a scheduler.

    Parameters
    ----------
    address : str
        `tcp://host:port?token=...`, `tls://...`; see `docs/cluster.md`.
    on_close : callable, optional
        Called when the executor has been closed: whoever started the cluster may end it then.

    Raises
    ------
    ConnectionError
        The scheduler cannot be reached.
    AuthenticationError
        It does not accept the token, or speaks another version.
    """

    def __init__(
        self, address: str | Address, *, on_close: Callable[[], None] | None = None
    ) -> None:
        self.address = parse(address) if isinstance(address, str) else address
        self._on_close = on_close
        self._name = secrets.token_hex(4)
        self._counts = itertools.count(1)
        self._lock = threading.Lock()
        self._next_task = 0
        self._next_run = 1
        self._sent_functions: set[bytes] = set()
        self.closed = False
        self.lost: SchedulerLostError | None = None
        self.present = Workers((), (), (), ())
        self.unfinished = 0
        self._presence = threading.Condition()
        self._runs: dict[int, ClusterRun | JobsRun] = {}
        self._by_name: weakref.WeakValueDictionary[str, ClusterRun | JobsRun]
        self._by_name = weakref.WeakValueDictionary()
        self._kept: dict[Handle, int] = {}  # handle -> key
        self._run_of: dict[int, ClusterRun | JobsRun] = {}  # key that is still to come -> its run
        self._loop = asyncio.new_event_loop()
        self._connection: Connection | None = None
        self._outbox: list[object] = []
        self._arrived: list[tuple[JobsRun, int, int]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.number = -1
        self.dashboard_url = ""  # of the cluster, if it has one
        self.cluster: object = None  # what is to live as long as this does
        self._thread = threading.Thread(target=self._serve, name="plait-client", daemon=True)
        self._thread.start()
        self.gatherer = Gatherer(self.address, self._send)
        try:
            self._call(self._join())
        except BaseException:
            self._stop_loop()
            raise
        self._next_task = m.first_task(self.number)
        self.gatherer.client = self.number

    def __reduce__(self) -> tuple[Callable[[str], ClusterExecutor], tuple[str]]:
        return executor_here, (self.address.place,)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.workers} threads"
        return f"<ClusterExecutor at {self.address.place}, {state}>"

    # ------------------------------------------------------------------------------- the protocol

    @property
    def workers(self) -> int:
        """See `Executor`: threads of all workers there are now."""
        return max(1, sum(self.present.threads))

    @property
    def threads(self) -> int:
        """See `Executor`."""
        return max(self.present.threads, default=1)

    @property
    def shares_memory(self) -> bool:
        """See `Executor`: results are with the workers."""
        return False

    @property
    def memory_limit(self) -> int | None:
        """See `Executor`: of the smallest worker."""
        limits = [limit for limit in self.present.memory_limits if limit]
        return min(limits, default=None)

    def submit(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None = None,
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> ClusterRun | JobsRun:
        """See `Executor`."""
        self.check_open()
        flag = current_flag()
        if flag is not None and flag.is_set:
            raise RunCancelledError("The run of the submitting task was cancelled")
        name = f"{self._name}-{next(self._counts)}"
        run: ClusterRun | JobsRun
        if jobs is None:
            submission = Submission(graph, want, self._keys_of(graph))
            run = ClusterRun(self, name, submission, observe)
        else:
            submission = Submission(graph, want, self._keys_of(graph), single=True)
            check_jobs(graph, want)
            run = JobsRun(self, name, submission, jobs, observe)
        run.start()
        with self._lock:
            # in one go: the scheduler sees tasks in the order of their numbers
            tasks = len(submission.sequence)
            runs = 1 if jobs is None else tasks
            run.number_tasks(self._next_task, self._next_run)
            self._next_task += tasks
            self._next_run += runs
            if run.wanted:
                self._kept.update(zip(run.handles, run.wanted, strict=True))
                self._run_of.update(dict.fromkeys(run.wanted, run))
                self._runs.update(dict.fromkeys(range(run.number, run.number + runs), run))
                self._by_name[name] = run
                self._call_soon(self._submit, run, priority)
        if not run.wanted:
            run.finish(None)
        return run

    def gather(self, handles: Sequence[Handle]) -> list[object]:
        """See `Executor`."""
        self.check_open()
        for name in dict.fromkeys([handle.run for handle in handles]):
            run = self._by_name.get(name)
            if run is not None and not run.done.is_set():
                run.wait()
        keys = [self._key(handle) for handle in handles]
        found = self._call(self.gatherer.values(keys), waiting=True)
        # on the thread of who wants them
        values = {key: unpacked(packed) for key, packed in found.items()}
        return [values[key] for key in keys]

    def release(self, handles: Sequence[Handle]) -> None:
        """See `Executor`."""
        # single steps on a dict and no lock: finalizers may call this at any point
        keys = [self._kept.pop(handle, None) for handle in handles]
        unused = [key for key in keys if key is not None]
        if unused:
            self._call_soon(self._release, unused)

    def close(self) -> None:
        """See `Executor`."""
        if self.closed:
            return
        self.closed = True
        for run in dict.fromkeys(self._runs.values()):
            run.finish(ExecutorClosedError("The executor was closed during this run"))
        self._kept.clear()
        self._stop_loop()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------- for its runs

    def await_run(self, run: ClusterRun | JobsRun, timeout: float | None) -> None:
        """Return when the run is done or the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with _other_tasks_meanwhile():
            flag = current_flag()
            while not run.done.is_set():
                left = _LOOK if deadline is None else min(_LOOK, deadline - time.monotonic())
                if left <= 0:
                    return
                run.done.wait(left)
                if flag is not None and flag.is_set:
                    run.cancel()

    def forget(self, run: ClusterRun) -> None:
        """A run has ended without results: its handles stand for nothing."""
        self._runs.pop(run.number, None)
        for handle, key in zip(run.handles, run.wanted, strict=True):
            self._kept.pop(handle, None)
            self._run_of.pop(key, None)

    def collect(self, run: JobsRun, task: int, key: int) -> None:
        """On the loop: fetch a job's value with those that come in the same turn."""
        if not self._arrived:
            self._loop.call_soon(lambda: self._background(self._collect()))
        self._arrived.append((run, task, key))

    def cancel_jobs(self, run: JobsRun, rows: Sequence[int]) -> None:
        """Tell the scheduler that some jobs are not wanted any more."""
        for row in rows:
            self._runs.pop(run.number + row, None)
            self._kept.pop(Handle(run.name, run.submission.sequence[row]), None)
            self._run_of.pop(m.key_of(run.first + row), None)
            self._call_soon(self._cancel, run.number + row)

    def cancel_run(self, run: ClusterRun) -> None:
        """Tell the scheduler that a run is not wanted any more."""
        if run.number in self._runs:
            self._call_soon(self._cancel, run.number)

    def worker_name(self, number: int) -> str:
        """The name of a worker, for events."""
        with contextlib.suppress(ValueError):
            return self.present.names[self.present.numbers.index(number)]
        return f"worker {number}"

    def check_open(self) -> None:
        """Raise if this executor can do nothing any more."""
        if self.closed:
            raise ExecutorClosedError("This executor has been closed")
        if self.lost is not None:
            raise SchedulerLostError(*self.lost.args)

    def wait_for_workers(self, count: int, timeout: float | None = None) -> None:
        """Return when so many workers are there. TimeoutError."""
        with self._presence:
            ready = self._presence.wait_for(
                lambda: len(self.present.numbers) >= count or self.lost is not None, timeout
            )
        self.check_open()
        if not ready:
            there = len(self.present.numbers)
            raise TimeoutError(f"{there} of {count} workers are there after {timeout:g} seconds")

    def _key(self, handle: Handle) -> int:
        try:
            return self._kept[handle]
        except KeyError:
            raise HandleError(
                f"No result is kept for {handle}: it was released, its run failed, or it belongs "
                "to another executor"
            ) from None

    def _keys_of(self, graph: TaskGraph) -> dict[Handle, int]:
        handles = dict.fromkeys(itertools.chain.from_iterable(graph.handles.values()))
        return {handle: self._key(handle) for handle in handles}

    # ------------------------------------------------------------------------------------ the loop

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, _T], waiting: bool = False) -> _T:
        """Run something on the loop and wait for it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            with _other_tasks_meanwhile() if waiting else contextlib.nullcontext():
                return future.result()
        except BaseException:
            future.cancel()
            raise

    def _call_soon(self, function: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(function, *args)

    def _stop_loop(self) -> None:
        async def stop() -> None:
            self.gatherer.close()
            if self._connection is not None:
                self._connection.closed = lambda _: None
                self._connection.close()
            asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)

        if threading.current_thread() is self._thread:
            self._loop.create_task(stop())
            return
        with contextlib.suppress(RuntimeError, TimeoutError):
            asyncio.run_coroutine_threadsafe(stop(), self._loop)
        self._thread.join(_CLOSE)

    async def _join(self) -> None:
        connection = await comm.connect(self.address, "client", self._name)
        welcomed: asyncio.Future[int] = self._loop.create_future()

        def receive(frames: list[Frame]) -> None:
            for frame in frames:
                for message in CODEC.decode(frame):
                    if isinstance(message, Welcome):
                        self.dashboard_url = message.dashboard
                        welcomed.set_result(message.number)
                    else:
                        self._hear(message)

        def closed(_: Connection) -> None:
            if not welcomed.done():
                welcomed.set_exception(ConnectionError("The scheduler did not take this client"))
            self._scheduler_lost()

        connection.receive, connection.closed = receive, closed
        connection.start()
        connection.insist(lambda: True, comm.SCHEDULER_SILENCE)
        self._connection = connection
        self.number = await asyncio.wait_for(welcomed, _JOIN)

    def _send(self, message: object) -> None:
        """On the loop: a message for the scheduler, at the end of this turn."""
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(message)

    def _flush(self) -> None:
        out, self._outbox = self._outbox, []
        if out and self._connection is not None:
            self._connection.send(*CODEC.encode(out))
            self._connection.flush()

    def _submit(self, run: ClusterRun | JobsRun, priority: int) -> None:
        for message in run.messages(self.number, self._sent_functions, priority):
            self._send(message)
            if isinstance(message, m.Submit) and message.more:
                self._flush()  # the scheduler begins with it while we make the next

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel(self, number: int) -> None:
        self._send(m.Cancel(self.number, number))

    def _release(self, keys: Sequence[int]) -> None:
        for key in keys:
            run = self._run_of.pop(key, None)
            if isinstance(run, JobsRun):
                run.released(key)
        self.gatherer.forget(keys)
        self._send(m.Release(self.number, tuple(keys)))

    def _hear(self, message: object) -> None:
        match message:
            case m.TasksDone(run):
                if run in self._runs:
                    self._runs[run].tasks_done(message)
            case m.Retrying(run):
                if run in self._runs:
                    self._runs[run].retrying(message)
            case m.Finished(keys, owners, sizes):
                self.gatherer.found(keys, owners)
                self._finished(keys, sizes)
            case m.RunFailed(run, keys=keys):
                self.gatherer.failed(keys, message)
                for key in keys:
                    self._run_of.pop(key, None)
                failed = self._runs.pop(run, None)
                if failed is not None:
                    failed.failed(message)
            case m.Lost(keys):
                self.gatherer.lost(keys)
            case m.Peers(workers, addresses):
                self.gatherer.learn(workers, addresses)
            case m.PeersGone(workers):
                self.gatherer.workers_gone(workers)
            case Workers():
                with self._presence:
                    self.present = message
                    self._presence.notify_all()
            case Load(unfinished):
                self.unfinished = unfinished
            case _:
                _log.warning("The scheduler sent a %s, which is not for clients", message)

    def _finished(self, keys: Sequence[int], sizes: Sequence[int]) -> None:
        for key, size in zip(keys, sizes, strict=True):
            run = self._run_of.pop(key, None)
            if isinstance(run, JobsRun):
                self._runs.pop(run.run_of(key), None)
                run.key_ready(key, size)
            elif run is not None and run.key_ready(key):
                self._runs.pop(run.number, None)
                run.finish(None)

    async def _collect(self) -> None:
        """Fetch the small values of jobs that have come since, and hand them over."""
        arrived, self._arrived = [a for a in self._arrived if a[0].awaits(a[1])], []
        keys = [key for _, _, key in arrived]
        try:
            found = await self.gatherer.values(keys)
        except HandleError:
            found = {}
        for run, task, key in arrived:
            try:
                packed = found.get(key) or (await self.gatherer.values([key]))[key]
                run.tell_value(task, unpacked(packed))
            except (HandleError, SerializationError, SchedulerLostError) as error:
                run.tell_failed(task, error)
            self._kept.pop(Handle(run.name, task), None)
        self._release(keys)

    def _scheduler_lost(self) -> None:
        if self.closed or self.lost is not None:
            return
        self.lost = SchedulerLostError(
            f"The scheduler at {self.address.place} is gone, and with it what ran and was kept "
            "there. Connect again, to this or another one"
        )
        self.gatherer.scheduler_lost(self.lost)
        for run in dict.fromkeys(self._runs.values()):
            run.finish(SchedulerLostError(f"{self.lost}: {run.progress}"))
        with self._presence:
            self._presence.notify_all()


@contextlib.contextmanager
def _other_tasks_meanwhile() -> Any:
    """While a task waits, its worker runs others in its place."""
    worker = current_worker()
    if worker is None:
        yield
        return
    worker.seat_given_up()
    try:
        yield
    finally:
        worker.seat_taken_again()


_here: dict[str, ClusterExecutor] = {}
_here_lock = threading.Lock()


def executor_here(place: str) -> ClusterExecutor:
    """The executor of a cluster within one of its workers, shared by the tasks of the process."""
    worker = process_worker()
    if worker is None or worker.address.place != place:
        raise ConnectionError(
            f"An executor of the cluster at {place} can be used in the process that made it, and "
            "in tasks of that cluster"
        )
    with _here_lock:
        known = _here.get(place)
        if known is None or known.closed or known.lost is not None:
            known = _here[place] = ClusterExecutor(worker.address)
        return known
