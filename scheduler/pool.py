"""Worker threads and the runs they share.

Every run has its own heap of ready tasks, keyed by its static order; the pool serves them as one
heap, in which a run that arrives starts at the place where the others are now. Small runs are thus
not stuck behind big ones, and none starves. Runs of higher priority come before all others.

That one heap holds runs by the place of their next task. A run whose place changed is pushed again,
and what is out of date is dropped when it comes up, so that ten thousand runs of one task each, as
futures make them, cost no more than one run of ten thousand. As long as there is only one run
nobody looks at the heap.

A worker takes the lock once per task: to complete the last and take the next in one go. A ready
dependent usually has the smallest place, so a worker goes on along its own branch. Under the GIL
little is gained by finer locks, while waking a thread costs as much as several small tasks;
therefore

* at most one woken thread is on its way at a time; when it has taken a task and sees more, it
  wakes the next. Trivial tasks are then mostly run by whoever has the GIL, long ones reach all
  threads within microseconds;
* threads are started in the same manner, when there is work and nobody idle;
* each idle thread sleeps on a lock of its own.

A worker that waits for a run inside a task runs ready tasks of that run meanwhile, and only of
that run: anything else could keep it long after the run is done, and nest without end. No deadlock
follows: an unfinished run has a task that is ready, which the waiter takes, or one that runs on
some thread, which is not waiting or, by the same argument, not waiting for ever.

The threads know the pool, not the executor, so an executor that is forgotten can be collected and
its finalizer closes the pool. Active runs hold the executor.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from heapq import heapify, heappop, heappush

from plait.scheduler.context import Place, Seat, place_here, take_place, take_seat
from plait.scheduler.errors import ExecutorClosedError, RunCancelledError
from plait.scheduler.local_run import Kept, LocalRun
from plait.scheduler.scratch import ScratchFolder

_log = logging.getLogger(__name__)

# Python on Windows does not let Ctrl-C into a thread that waits for a lock; elsewhere it does. The
# waiter is woken by the run's end, so this costs no latency.
_LET_SIGNALS_IN = 0.2

_STEP_ASIDE = 0.00005

_pool_names = itertools.count(1)


class WorkerPool:
    """Threads that run the tasks of all active runs."""

    def __init__(self, workers: int, scratch: ScratchFolder, memory_limit: int | None) -> None:
        self.workers = workers
        self.scratch = scratch
        self.memory_total = memory_limit
        # Each task may use an equal share.
        self.memory_limit = None if memory_limit is None else max(1, memory_limit // workers)
        self.kept: dict[str, Kept] = {}
        self.runs: dict[LocalRun, int] = {}  # active run -> place at which it joined
        # By (-priority, place of the next task, number): up to date if the run says so too.
        self._heap: list[tuple[int, int, int, LocalRun]] = []
        self._pushes = itertools.count()
        self._reached: dict[int, int] = {}  # priority -> place of the task taken last
        self.closed = False
        self._process = os.getpid()
        self._name = f"plait-{next(_pool_names)}"
        # Reentrant: a finalizer that the garbage collector runs in here may cancel a run.
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        self._idle: list[threading.Lock] = []
        self._helpers: dict[LocalRun, list[threading.Lock]] = {}
        self._waking = False

    @property
    def usable(self) -> bool:
        """Whether its threads can exist: a forked child has none of them."""
        return self._process == os.getpid()

    def add(self, run: LocalRun) -> None:
        """Start a run."""
        with self._lock:
            if self.closed:
                raise ExecutorClosedError("This executor has been closed")
            if run.ended:
                return
            if run.state.remaining:
                self._join(run)
                self._wake()
                return
            dropped = self._end(run, None)
        run.announce()
        del dropped

    def cancel(self, run: LocalRun, error: BaseException | None = None) -> None:
        """End a run that has not ended yet, by default as cancelled."""
        with self._lock:
            if run.ended:
                return
            dropped = self._end(run, error or RunCancelledError(f"Run {run.name} was cancelled"))
        run.announce()
        del dropped

    def close(self, patience: float) -> None:
        """Cancel all runs and let the threads end; waits some seconds for tasks that run."""
        if not self.usable:
            # In a forked child there are no threads, and the lock may be held by one of them.
            self.closed = True
            return
        with self._lock:
            self.closed = True
            for sleeper in self._idle:
                sleeper.release()
            self._idle.clear()
        for run in list(self.runs):
            self.cancel(run, ExecutorClosedError("The executor was closed during this run"))
        self.kept.clear()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def await_run(self, run: LocalRun, timeout: float | None) -> None:
        """Return when the run is done or the time is over."""
        if not self.usable:
            raise ExecutorClosedError("This run belongs to the parent process")
        deadline = None if timeout is None else time.monotonic() + timeout
        if place_here().home is self:
            self._help(run, deadline)
        # A helper too: the run's end is announced a moment after it is decided.
        while not run.done.is_set():
            left = _LET_SIGNALS_IN if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return
            run.done.wait(min(left, _LET_SIGNALS_IN))

    def help_run(self, run: LocalRun, task: int, timeout: float | None) -> None:
        """Inside a task: run tasks of one run until a certain one is over."""
        if place_here().home is self:
            self._help(run, None if timeout is None else time.monotonic() + timeout, task)

    def _help(self, run: LocalRun, deadline: float | None, awaited: int = -1) -> None:
        """Run tasks of one run until it or one task of it is over, inside a task that waits."""
        sleeper = threading.Lock()
        sleeper.acquire()
        seat = self._new_seat(threading.current_thread().name)
        outer = take_seat(seat)
        try:
            self._help_until(run, deadline, awaited, sleeper, seat)
        finally:
            take_seat(outer)

    def _help_until(
        self,
        run: LocalRun,
        deadline: float | None,
        awaited: int,
        sleeper: threading.Lock,
        seat: Seat,
    ) -> None:
        over = run.state.over
        while not run.ended and (deadline is None or time.monotonic() < deadline):
            with self._lock:
                if awaited >= 0 and over[awaited]:
                    return
                task = self._take_of(run)
                sleeping = task < 0 and not run.ended
                if sleeping:
                    self._helpers.setdefault(run, []).append(sleeper)
            if task >= 0:
                self._run_task(run, task, seat)
            elif sleeping:
                left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
                sleeper.acquire(timeout=left)
                with self._lock:
                    self._forget_helper(run, sleeper)

    def _new_seat(self, worker: str) -> Seat:
        return Seat(worker, self.scratch, self.memory_limit, self.memory_total)

    def _forget_helper(self, run: LocalRun, sleeper: threading.Lock) -> None:
        helpers = self._helpers.get(run, [])
        if sleeper in helpers:
            helpers.remove(sleeper)
        elif not sleeper.locked():  # woken just after its time was over
            sleeper.acquire()
        if not helpers:
            self._helpers.pop(run, None)

    def _work(self, worker: str) -> None:
        """What a thread does all its life."""
        seat = self._new_seat(worker)
        take_place(Place(seat, self))
        sleeper = threading.Lock()
        sleeper.acquire()
        arriving = True
        while True:
            with self._lock:
                if arriving:
                    self._waking = False
                if self.closed:
                    return
                step = self._take()
                if step is None:
                    self._idle.append(sleeper)
            if step is None:
                sleeper.acquire()
                arriving = True
                continue
            arriving = False
            run, task = step
            del step
            self._run_on(run, task, seat)
            del run

    def _run_on(self, run: LocalRun, task: int, seat: Seat) -> None:
        """Run a task and what comes after it, until there is nothing to take."""
        acquire, release = self._lock.acquire, self._lock.release
        going = True
        while going:
            result, error = run.execute(task, seat)
            ran, done = run, task
            if not acquire(False):
                self._contend()
            try:
                dropped, ended = self._settle(run, task, result, error)
                step = self._take()
                if self._helpers:
                    self._wake_helper(run)
            finally:
                release()
            if step is None:
                going = False
            else:
                run, task = step
            if ran.jobs is not None:
                ran.tell(done, result, error)
            if ended:
                ran.announce()
            # Before the next task starts: what they hold may be large.
            del dropped, result, error, ran

    def _run_task(self, run: LocalRun, task: int, seat: Seat) -> None:
        result, error = run.execute(task, seat)
        with self._lock:
            dropped, ended = self._settle(run, task, result, error)
            if self._helpers:
                self._wake_helper(run)
            self._wake()
        if run.jobs is not None:
            run.tell(task, result, error)
        if ended:
            run.announce()
        del dropped, result

    def _contend(self) -> None:
        """Get the lock when somebody has it."""
        # Who queues for a lock becomes its owner while still waiting for the GIL, so that the
        # thread that has the GIL blocks on its next task, and from then on every task costs a
        # switch of threads. Stepping aside lets the present owner, who was interrupted, finish.
        for _ in range(100):
            time.sleep(_STEP_ASIDE)
            if self._lock.acquire(False):
                return
        self._lock.acquire()

    def _settle(
        self, run: LocalRun, task: int, result: object, error: BaseException | None
    ) -> tuple[list[object], bool]:
        """Under the lock: note how a task ended. Dropped values, and whether its run ended."""
        if run.ended:
            return [], False
        if error is None:
            dropped = run.state.complete(task, result)
        elif run.may_retry(task, error):
            run.state.restart(task)
            dropped = []
        elif run.jobs is not None:
            dropped = run.state.fail(task)
        else:
            return self._end(run, error), True
        if not run.state.remaining:
            return dropped + self._end(run, None), True
        if len(self.runs) > 1:
            self._place(run)
        return dropped, False

    def _end(self, run: LocalRun, error: BaseException | None) -> list[object]:
        """Under the lock: end a run, keep its results, wake those who help it."""
        dropped, kept = run.end(error)
        if kept:
            self.kept[run.name] = kept
        self.runs.pop(run, None)
        run.place = -1
        if not self.runs:
            self._heap.clear()
            self._reached.clear()
        for sleeper in self._helpers.pop(run, ()):
            sleeper.release()
        return dropped

    def _take(self) -> tuple[LocalRun, int] | None:
        """Under the lock: the task that should run next, of any run."""
        best = self._foremost()
        if best is None:
            return None
        task = best.state.start_next()
        if task < 0:
            return None
        if len(self.runs) > 1:
            self._reached[best.priority] = best.place
            self._place(best)
        if not self._waking and (self._idle or len(self._threads) < self.workers):
            self._wake()
        return best, task

    def _foremost(self) -> LocalRun | None:
        """Under the lock: the only run, or that with the foremost task that may start now."""
        if len(self.runs) < 2:
            return next(iter(self.runs), None)
        heap = self._heap
        while heap:
            _, place, _, run = heap[0]
            if run.place == place:
                return run
            heappop(heap)
        return None

    def _join(self, run: LocalRun) -> None:
        """Under the lock: let a run take part, from where those of its priority are now."""
        if len(self.runs) == 1:  # of which no places have been noted so far
            (only,) = self.runs
            self._reached = {only.priority: self.runs[only] + only.state.started}
            self.runs[run] = self._reached.get(run.priority, 0)
            self._place(only)
        else:
            self.runs[run] = self._reached.get(run.priority, 0)
        if len(self.runs) > 1:
            self._place(run)

    def _place(self, run: LocalRun) -> None:
        """Under the lock, if there are several runs: note where a run's next task stands now."""
        head = run.state.head()
        place = -1 if head < 0 else self.runs[run] + head
        if place == run.place:
            return
        run.place = place
        if len(self._heap) > 2 * len(self.runs) + 100:
            self._heap = [entry for entry in self._heap if entry[3].place == entry[1]]
            heapify(self._heap)
        if place >= 0:
            heappush(self._heap, (-run.priority, place, next(self._pushes), run))

    def _take_of(self, run: LocalRun) -> int:
        """Under the lock: the next task of one run, -1 if none may start."""
        if run.ended:
            return -1
        task = run.state.start_next()
        if task >= 0:
            if len(self.runs) > 1:
                self._place(run)
            self._wake_helper(run)
            self._wake()
        return task

    def _wake(self) -> None:
        """Under the lock: get one more thread going if there is work for it."""
        if self._waking:
            return
        run = self._foremost()
        if run is None or run.state.head() < 0:
            return
        if self._idle:
            self._waking = True
            self._idle.pop().release()
        elif len(self._threads) < self.workers:
            self._start_thread()

    def _wake_helper(self, run: LocalRun) -> None:
        helpers = self._helpers.get(run)
        if helpers and run.jobs is not None:
            # What some wait for may be over, and only they know for what.
            for sleeper in self._helpers.pop(run):
                sleeper.release()
        elif helpers and run.state.head() >= 0:
            helpers.pop().release()

    def _start_thread(self) -> None:
        worker = f"{self._name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=(worker,), name=worker, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads for us
            if not self._threads:
                raise
            _log.warning("Going on with %d of %d threads", len(self._threads), self.workers)
            self.workers = len(self._threads)
            return
        self._waking = True
        self._threads.append(thread)
