"""From calls to task graphs: what stands behind a `Client`.

Calls come one by one and executors take graphs. A call is sent at once, by the thread that makes
it, while the executor has nothing better to do; otherwise it is queued, and a thread of ours sends
whatever the queue holds as one graph. So a single call costs no change of threads, and a burst
becomes few graphs, the larger the faster it comes, without any timer.

    submit ──> _send ──────────────> executor.submit(graph, jobs=Batch)
         └──> queue ──> _work ──> _send      │ start, returned, kept, failed
              ^                              v
              └── a call whose inputs    Future.set_result ...
                  are there now

A call that needs another's result is put behind it in the same graph if both are sent together,
waits here if the other is still on its way, and takes the value, or the handle of a value that
stayed where it was made, if the other is done.

Tasks may submit and wait. A waiting task first sends what is queued, then lets the executor run
the awaited call in its own thread (`Run.help_with`), so workers that all wait do not deadlock.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from plait.futures import Away, Future
from plait.holes import Apply, Call, Hole, found, replaced
from plait.scheduler.context import current_flag
from plait.scheduler.errors import RunCancelledError
from plait.scheduler.executor import Executor, Run
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup
from plait.scheduler.time_limit import limited

Resources = tuple[tuple[str, float], ...]


class Job:
    """A call that is not done yet."""

    __slots__ = (
        "args",
        "batch",
        "function",
        "future",
        "inputs",
        "kwargs",
        "missing",
        "owner",
        "priority",
        "resources",
        "retries",
        "task",
        "time_limit",
    )

    def __init__(
        self,
        owner: Dispatcher,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        retries: int = 0,
        priority: int = 0,
        resources: Resources = (),
        time_limit: float | None = None,
    ) -> None:
        self.owner = owner
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.retries = retries
        self.priority = priority
        self.resources = resources
        self.time_limit = time_limit
        self.inputs: list[Future] = found((args, kwargs), _is_future)
        self.missing = 0
        self.batch: Batch | None = None
        self.task = -1
        self.future = Future()
        self.future._job = self


def _is_future(item: object) -> bool:
    return isinstance(item, Future)


class Batch:
    """The calls of one graph; the `Jobs` of its run."""

    def __init__(self, owner: Dispatcher) -> None:
        self.graph = TaskGraph()
        self.run: Run | None = None
        self.places: dict[Future, Ref] = {}
        self._owner = owner
        self._jobs: list[Job | None] = []
        self._calls: list[Call] = []
        self._groups: dict[tuple[int, int, Resources, float | None], int] = {}
        self._left = 0

    def add(self, job: Job) -> None:
        """Put a call into the graph; what it needs is done, or in the graph already."""
        refs: dict[Future, Hole] = {}
        values: list[Ref | Handle] = []

        def put(future: Future) -> object:
            if future not in refs:
                ref = self.places.get(future)
                away = future._away
                if ref is not None:
                    values.append(ref)
                elif away is not None and away.executor is self._owner.executor:
                    values.append(away.handle)
                else:
                    return future.result()
                refs[future] = Hole(len(values) - 1)
            return refs[future]

        args, kwargs = job.args, job.kwargs
        if job.inputs:
            args, kwargs = replaced((args, dict(kwargs)), _is_future, put)
        call = Call(args, kwargs, holes=bool(refs))
        job.task = self.graph.add_task(self._group(job), (call, values))
        job.batch = self
        self.places[job.future] = Ref(job.task)
        self._jobs.append(job)
        self._calls.append(call)
        self._left += 1

    def _group(self, job: Job) -> int:
        key = (id(job.function), job.retries, job.resources, job.time_limit)
        group = self._groups.get(key)
        if group is None:
            function = job.function
            name = getattr(function, "__name__", "") or type(function).__name__
            call = limited(Apply(function), job.time_limit)
            made = TaskGroup(name, call, retries=job.retries, resources=job.resources)
            group = self._groups[key] = self.graph.add_group(made)
        return group

    def send(self, executor: Executor, priority: int) -> None:
        """Submit the graph."""
        want = list(self.places.values())
        self.places.clear()  # it would keep the futures, and so what they hold
        run = executor.submit(self.graph, want, priority=priority, jobs=self)
        if self._left:
            self.run = run

    def take_back(self) -> list[Job]:
        """The calls again, of a graph that the executor did not take."""
        jobs = [job for job in self._jobs if job is not None]
        for job in jobs:
            job.batch, job.task = None, -1
        return jobs

    def start(self, task: int) -> bool:
        """See `Jobs`."""
        job = self._jobs[task]
        return job is not None and job.future.begin()

    def returned(self, task: int, value: object) -> None:
        """See `Jobs`."""
        job = self._ended(task)
        if job is not None and job.future.begin():
            job.future.set_result(value)
        self._owner.finished(job)

    def kept(self, task: int, handle: Handle) -> None:
        """See `Jobs`."""
        job = self._ended(task)
        if job is not None and job.future.begin():
            self._owner.keep(job.future, handle)
        else:
            self._owner.executor.release([handle])
        self._owner.finished(job)

    def failed(self, task: int, error: BaseException) -> None:
        """See `Jobs`."""
        job = self._ended(task)
        if job is not None:
            if isinstance(error, RunCancelledError):
                job.future.cancel()
            if job.future.begin():
                job.future.set_exception(error)
        self._owner.finished(job)

    def _ended(self, task: int) -> Job | None:
        job, self._jobs[task] = self._jobs[task], None
        # The graph lives until its last call is done; what this one took need not.
        self._calls[task].forget()
        self._left -= 1
        if not self._left:
            self.run = None  # which holds us
        if job is not None:
            job.future._job = None
        return job


class Dispatcher:
    """Sends calls to an executor."""

    def __init__(self, executor: Executor, close: Callable[[], None] | None) -> None:
        """`close` is called when all is done after `shutdown`."""
        self.executor = executor
        self.unfinished: dict[Future, None] = {}  # in the order in which they came
        self._close = close
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._sent = 0
        self._direct = 2 * executor.workers
        self.closing = False
        self._lock = threading.Lock()
        # Held while calls are on their way from the queue to the executor. Reentrant: an inline
        # executor makes them meanwhile, and they may submit.
        self._sending = threading.RLock()
        self._thread: threading.Thread | None = None
        self._away: weakref.WeakSet[Future] = weakref.WeakSet()
        # As executors of the standard library do: what was submitted is done before Python ends.
        # Registered after whatever closes the executor, so it comes before.
        atexit.register(self.shutdown, wait=True, cancel=False)

    def submit(self, jobs: list[Job]) -> None:
        """Have the calls made."""
        with self._lock:
            if self.closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.unfinished.update([(job.future, None) for job in jobs])
            # A task that submits may wait for it at once, and then needs to know the run.
            at_once = (
                self._sent < self._direct or current_flag() is not None
            ) and self._queue.empty()
            if at_once:
                self._sent += len(jobs)
            else:
                self._start_thread()
        if at_once:
            with self._sending:
                self._send(jobs, counted=True)
        else:
            for job in jobs:
                self._queue.put(job)

    def finished(self, job: Job | None) -> None:
        """A call that had been sent is over."""
        with self._lock:
            self._sent -= 1
        if job is not None:
            self._settled(job.future)

    def abandon(self, job: Job, future: Future) -> None:
        """A call was cancelled before it started."""
        batch = job.batch
        if batch is not None and batch.run is not None:
            # An executor whose workers are elsewhere learns it by this, others by `start`.
            self.executor.release([Handle(batch.run.handles[job.task].run, job.task)])
        self._settled(future)

    def keep(self, future: Future, handle: Handle) -> None:
        """A future's value stays where it is."""
        future._away = Away(self.executor, handle)
        self._away.add(future)
        future.set_result(future._away)

    def help(self, future: Future, timeout: float | None) -> None:
        """Inside a task that is to wait for the future: see that it gets done."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not future.done():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            self._flush()
            job = future._job
            if job is None:
                time.sleep(0)  # it is just being told
                continue
            awaited = next((one for one in job.inputs if not one.done()), None)
            if job.batch is None and awaited is not None and awaited._job is not None:
                awaited._job.owner.help(awaited, left)
            elif job.batch is None:
                time.sleep(0)  # its last input is just telling that it is there
            else:
                run = job.batch.run
                if run is not None:
                    run.help_with(job.task, left)
                return

    def shutdown(self, wait: bool, cancel: bool) -> None:
        """Take no more calls; close when those there are have been made."""
        with self._lock:
            self.closing = True
            self._start_thread()
        if cancel:
            self._cancel_waiting()
        self._queue.put(None)
        thread = self._thread
        if wait and thread is not None and thread is not threading.current_thread():
            thread.join()

    def _cancel_waiting(self) -> None:
        """Cancel what has not started; what idle workers are about to take has as good as."""
        futures = list(self.unfinished)
        idle = self.executor.workers - sum(map(Future.running, futures))
        for future in futures:
            job = future._job
            if idle > 0 and job is not None and job.batch is not None and not future.running():
                idle -= 1
            else:
                future.cancel()

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="plait-client", daemon=True)
            self._thread.start()

    def _settled(self, future: Future) -> None:
        self.unfinished.pop(future, None)
        if self.closing and not self.unfinished:
            self._queue.put(None)

    def _work(self) -> None:
        """What the thread does all its life."""
        going = True
        while going:
            going = self._step()
        self._bring_home()
        if self._close is not None:
            self._close()
        atexit.unregister(self.shutdown)

    def _step(self) -> bool:
        # A function of its own, so that nothing is held while the next call is waited for.
        first = self._queue.get()
        with self._sending:
            self._send([first, *self._queued()])
        return not (self.closing and not self.unfinished and self._queue.empty())

    def _flush(self) -> None:
        with self._sending:
            self._send(self._queued())

    def _queued(self) -> list[Job | None]:
        jobs: list[Job | None] = []
        try:
            while True:
                jobs.append(self._queue.get_nowait())
        except Empty:
            return jobs

    def _send(self, jobs: list[Job | None] | list[Job], counted: bool = False) -> None:
        """Make graphs of the calls that can be made, one for each priority."""
        batches: dict[int, Batch] = {}
        sent = 0
        for job in jobs:
            if job is None or job.future.done():
                continue
            batch = batches.get(job.priority)
            if batch is None:
                batch = batches[job.priority] = Batch(self)
            if self._ready(job, batch):
                try:
                    batch.add(job)
                except Exception as error:  # such as arguments that contain themselves
                    self._fail(job, error)
                else:
                    sent += 1
        with self._lock:
            self._sent += sent - (len(jobs) if counted else 0)
        for priority, batch in batches.items():
            if len(batch.graph):
                self._send_batch(batch, priority)

    def _send_batch(self, batch: Batch, priority: int) -> None:
        try:
            batch.send(self.executor, priority)
        except Exception as error:
            jobs = batch.take_back()
            with self._lock:
                self._sent -= len(jobs)
            if len(jobs) == 1:
                self._fail(jobs[0], error)
            else:
                # One that cannot be pickled must not take the others along.
                for job in jobs:
                    self._send([job])

    def _ready(self, job: Job, batch: Batch) -> bool:
        """Whether a call can be sent; if not, it comes again or has failed with an input."""
        waiting = []
        for one in job.inputs:
            if not one.done():
                if one not in batch.places:
                    waiting.append(one)
            elif one.cancelled():
                job.future.cancel()
                return False
            elif (error := one.exception()) is not None:
                self._fail(job, error)
                return False
        if waiting:
            job.missing = len(waiting)
            for one in waiting:
                one.add_done_callback(partial(self._input_done, job))
        return not waiting

    def _input_done(self, job: Job, _: object) -> None:
        with self._lock:
            job.missing -= 1
            if job.missing:
                return
            self._start_thread()
        self._queue.put(job)

    def _fail(self, job: Job, error: BaseException) -> None:
        future = job.future
        future._job = None
        if future.begin():
            future.set_exception(error)
        self._settled(future)

    def _bring_home(self) -> None:
        """Results of futures that somebody still holds must outlive the executor."""
        for future in list(self._away):
            away, future._away = future._away, None
            if away is not None:
                try:
                    future._result = away.value()
                except Exception as error:
                    future._result, future._exception = None, error
