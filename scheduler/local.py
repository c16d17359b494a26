"""Executors of this process: one by one in the calling thread, or on threads.

Both share how a run is prepared, executed and ended (`local_run`, `local_state`); they differ in
who calls the tasks. `InlineExecutor` runs everything inside `submit`: breakpoints, profilers and
`pdb.post_mortem` work as in any plain program. `ThreadExecutor` keeps daemon threads, started when
there is something to do, shared by its successive and concurrent runs (`pool`).
"""

from __future__ import annotations

import itertools
import math
import secrets
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from plait.scheduler.context import Seat, current_flag, take_seat
from plait.scheduler.errors import (
    ExecutorClosedError,
    HandleError,
    RunCancelledError,
)
from plait.scheduler.events import Observer
from plait.scheduler.executor import Jobs, check_jobs
from plait.scheduler.graph import Handle, Ref, TaskGraph
from plait.scheduler.host import available_cpus
from plait.scheduler.local_run import Kept, LocalRun
from plait.scheduler.local_state import RunState
from plait.scheduler.pool import WorkerPool
from plait.scheduler.scratch import ScratchFolder

# How long close() waits for tasks that are still running.
_PATIENCE = 5.0


class _LocalExecutor:
    """What both executors have: kept results, scratch, preparing a run."""

    workers: int
    shares_memory = True

    @property
    def threads(self) -> int:
        """See `Executor`."""
        return self.workers

    def __init__(self, source_limit: int, memory_limit: int | None, scratch: str | None) -> None:
        self._source_limit = source_limit
        self.memory_limit = memory_limit
        self._scratch = ScratchFolder(scratch)
        # Run ids must differ between executors: a handle given to the wrong one is to be noticed.
        self._names = map(f"{secrets.token_hex(4)}-{{}}".format, itertools.count(1))
        self._unfinished: weakref.WeakValueDictionary[str, LocalRun] = weakref.WeakValueDictionary()

    def submit(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None = None,
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> LocalRun:
        """See `Executor`."""
        run = self._prepare(graph, want, observe, priority, jobs)
        run.start()
        self._begin(run)
        return run

    def _begin(self, run: LocalRun) -> None:
        """Start the tasks of a run."""
        raise NotImplementedError

    def gather(self, handles: Sequence[Handle]) -> list[object]:
        """See `Executor`."""
        self._check_open()
        self._await_runs(handles)
        kept = self._kept()
        try:
            return [kept[handle.run][handle.task, handle.part] for handle in handles]
        except KeyError:
            raise HandleError(_not_kept(handles, kept)) from None

    def release(self, handles: Sequence[Handle]) -> None:
        """See `Executor`."""
        # One atomic step each and no lock: finalizers may call this at any point.
        kept = self._kept()
        for handle in handles:
            of_run = kept.get(handle.run, {})
            of_run.pop((handle.task, handle.part), None)
            if not of_run:
                kept.pop(handle.run, None)

    def spilled_bytes(self) -> int:
        """Bytes of files that its tasks have in the scratch folder now."""
        return self._scratch.size()

    def close(self) -> None:
        """See `Executor`."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def await_run(self, run: LocalRun, timeout: float | None) -> None:
        """For runs: return when the run is done or the time is over."""
        raise NotImplementedError

    def help_run(self, run: LocalRun, task: int, timeout: float | None) -> None:
        """For runs: see `Run.help_with`."""
        raise NotImplementedError

    def cancel_run(self, run: LocalRun) -> None:
        """For runs: end a run as cancelled."""
        raise NotImplementedError

    def _kept(self) -> dict[str, Kept]:
        raise NotImplementedError

    def _check_open(self) -> None:
        raise NotImplementedError

    def _prepare(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None,
        priority: int,
        jobs: Jobs | None,
    ) -> LocalRun:
        self._check_open()
        if jobs is not None:
            check_jobs(graph, want)
        flag = current_flag()
        if flag is not None and flag.is_set:
            raise RunCancelledError("The run of the submitting task was cancelled")
        handles = list(dict.fromkeys(itertools.chain.from_iterable(graph.handles.values())))
        earlier = dict(zip(handles, self.gather(handles), strict=True)) if handles else {}
        # an eighth of the limit: the rest is for tasks and for what is to wait
        most = math.inf if self.memory_limit is None else self.memory_limit / 8
        state = RunState(
            graph, want, earlier, self._source_limit, most, independent=jobs is not None
        )
        run = LocalRun(next(self._names), self, state, want, observe, priority=priority, jobs=jobs)
        self._unfinished[run.name] = run
        return run

    def _await_runs(self, handles: Sequence[Handle]) -> None:
        for name in dict.fromkeys([handle.run for handle in handles]):
            run = self._unfinished.get(name)
            if run is not None:
                run.wait()
                self._unfinished.pop(name, None)


def _not_kept(handles: Sequence[Handle], kept: dict[str, Kept]) -> str:
    missing = next(h for h in handles if (h.task, h.part) not in kept.get(h.run, {}))
    return (
        f"No result is kept for {missing}: it was released, its run failed, or it belongs to"
        " another executor"
    )


class InlineExecutor(_LocalExecutor):
    """Runs tasks one by one in the calling thread, inside `submit`.

    A task's error is kept for `wait`; anything that is no `Exception`, such as Ctrl-C or leaving
    the debugger, goes straight through.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes a task and the results that are kept may use, for tasks that ask their context.
    scratch : str, optional
        Where the folder for spill files is made; the system's temporary folder by default.
    """

    workers = 1

    def __init__(self, *, memory_limit: int | None = None, scratch: str | None = None) -> None:
        super().__init__(1, memory_limit, scratch)
        self._results: dict[str, Kept] = {}
        self._closed = False

    def _begin(self, run: LocalRun) -> None:
        # The run has ended when this returns.
        seat = Seat("inline", self._scratch, self.memory_limit, self.memory_limit)
        outer = take_seat(seat)
        try:
            self._run_all(run, seat)
        except BaseException:
            run.cancel()
            raise
        finally:
            take_seat(outer)

    def close(self) -> None:
        """See `Executor`."""
        self._closed = True
        self._results.clear()
        self._scratch.remove()

    def await_run(self, run: LocalRun, timeout: float | None) -> None:
        """For runs. Only a task or an observer can wait for a run that has not ended."""
        raise RuntimeError(f"Run {run.name} waits for itself: it runs in this very thread")

    def help_run(self, run: LocalRun, task: int, timeout: float | None) -> None:
        """For runs: every task that could be helped has ended."""

    def cancel_run(self, run: LocalRun) -> None:
        """For runs: end a run as cancelled."""
        self._end(run, RunCancelledError(f"Run {run.name} was cancelled"))

    def _run_all(self, run: LocalRun, seat: Seat) -> None:
        while not run.ended and run.state.remaining:
            task = run.state.start_next()
            result, error = run.execute(task, seat)
            if run.ended:
                return
            if error is None:
                run.state.complete(task, result)
            elif run.may_retry(task, error):
                run.state.restart(task)
            elif not isinstance(error, Exception):
                raise error
            elif run.jobs is not None:
                run.state.fail(task)
            else:
                self._end(run, error)
            if run.jobs is not None:
                run.tell(task, result, error)
            del result
        self._end(run, None)

    def _end(self, run: LocalRun, error: BaseException | None) -> None:
        if run.ended:
            return
        if error is None and self._closed:
            error = ExecutorClosedError("The executor was closed during this run")
        _, kept = run.end(error)
        if kept:
            self._results[run.name] = kept
        run.announce()

    def _kept(self) -> dict[str, Kept]:
        return self._results

    def _check_open(self) -> None:
        if self._closed:
            raise ExecutorClosedError("This executor has been closed")


class ThreadExecutor(_LocalExecutor):
    """Runs tasks on threads of this process.

    Parameters
    ----------
    workers : int, optional
        Threads; by default as many as there are processors for us.
    source_limit : int, optional
        How many results of source tasks may lie unconsumed, or be in the making, per run; by
        default two more than workers. A graph that needs more at a time gets more.
    memory_limit : int, optional
        Bytes all tasks and their results may use; each task's context names an equal share.
    scratch : str, optional
        Where the folder for spill files is made; the system's temporary folder by default.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        source_limit: int | None = None,
        memory_limit: int | None = None,
        scratch: str | None = None,
    ) -> None:
        self.workers = available_cpus() if workers is None else workers
        if self.workers < 1:
            raise ValueError(f"An executor needs at least one worker, not {self.workers}")
        limit = self.workers + 2 if source_limit is None else source_limit
        super().__init__(limit, memory_limit, scratch)
        self._pool = self._new_pool()

    def submit(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None = None,
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> LocalRun:
        """See `Executor`."""
        if not self._pool.usable and not self._pool.closed:
            # After a fork. Results kept by the parent went with its memory, so they are here too.
            kept = self._pool.kept
            self._pool = self._new_pool()
            self._pool.kept.update(kept)
        return super().submit(graph, want, observe, priority=priority, jobs=jobs)

    def _begin(self, run: LocalRun) -> None:
        self._pool.add(run)

    def close(self) -> None:
        """See `Executor`. Waits a few seconds for tasks that are running."""
        self._pool.close(_PATIENCE)
        self._scratch.remove()

    def await_run(self, run: LocalRun, timeout: float | None) -> None:
        """For runs: return when the run is done or the time is over."""
        self._pool.await_run(run, timeout)

    def help_run(self, run: LocalRun, task: int, timeout: float | None) -> None:
        """For runs: see `Run.help_with`."""
        self._pool.help_run(run, task, timeout)

    def cancel_run(self, run: LocalRun) -> None:
        """For runs: end a run as cancelled."""
        self._pool.cancel(run)

    def _new_pool(self) -> WorkerPool:
        pool = WorkerPool(self.workers, self._scratch, self.memory_limit)
        # A forgotten executor must not keep its threads.
        weakref.finalize(self, pool.close, 0.0)
        return pool

    def _kept(self) -> dict[str, Kept]:
        return self._pool.kept

    def _check_open(self) -> None:
        if self._pool.closed:
            raise ExecutorClosedError("This executor has been closed")
