"""An executor over somebody else's cluster: what Dask's and Ray's have in common.

A thread of the executor takes in the reports of all its runs, in the order in which they come.
Nothing is fetched but reports, and what `gather` asks for.
"""

from __future__ import annotations

import itertools
import queue
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from plait.scheduler.adapters.backend import Backend
from plait.scheduler.adapters.run import ForeignRun, Where
from plait.scheduler.context import current_flag
from plait.scheduler.errors import ExecutorClosedError, HandleError, RunCancelledError
from plait.scheduler.events import Observer
from plait.scheduler.executor import Jobs, check_jobs
from plait.scheduler.graph import Handle, Ref, TaskGraph

Message = tuple[ForeignRun, int] | None


class ForeignExecutor:
    """An `Executor` over a backend. `name` ties it to its files in the cluster."""

    shares_memory = False

    def __init__(self, backend: Backend, name: str | None = None) -> None:
        self.backend = backend
        self.name = name or secrets.token_hex(4)
        self.workers = max(1, backend.workers())
        self.threads = max(1, backend.threads())
        self.memory_limit = backend.memory_limit()
        self._run_names = map(f"{secrets.token_hex(4)}-{{}}".format, itertools.count(1))
        self._runs: dict[str, ForeignRun] = {}
        self._kept: dict[Handle, Where] = {}
        self._closed = False
        self._reports: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # The thread knows the queue only: a forgotten executor must not keep it.
        weakref.finalize(self, self._reports.put, None)

    def submit(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        observe: Observer | None = None,
        *,
        priority: int = 0,
        jobs: Jobs | None = None,
    ) -> ForeignRun:
        """See `Executor`."""
        self._check_open()
        if jobs is not None:
            check_jobs(graph, want)
        flag = current_flag()
        if flag is not None and flag.is_set:
            raise RunCancelledError("The run of the submitting task was cancelled")
        handles = list(dict.fromkeys(itertools.chain.from_iterable(graph.handles.values())))
        self.workers = max(1, self.backend.workers())
        earlier = dict(zip(handles, self._find(handles), strict=True))
        run = ForeignRun(next(self._run_names), self, graph, want, earlier, observe, priority, jobs)
        with self._lock:
            self._runs[run.name] = run
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_take_in, args=(self._reports,), name=f"plait-{self.name}", daemon=True
                )
                self._thread.start()
        try:
            run.start()
        except BaseException as error:
            run.end(error)
            raise
        return run

    def gather(self, handles: Sequence[Handle]) -> list[object]:
        """See `Executor`."""
        self._check_open()
        places = self._find(handles)
        bundles = list(dict.fromkeys([held for held, _ in places]))
        fetched = dict(
            zip(bundles, self.backend.fetch([held.reference for held in bundles]), strict=True)
        )
        return [fetched[held][index].value for held, index in places]

    def release(self, handles: Sequence[Handle]) -> None:
        """See `Executor`."""
        for handle in handles:
            self._kept.pop(handle, None)

    def close(self) -> None:
        """See `Executor`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for run in list(self._runs.values()):
            run.end(ExecutorClosedError("The executor was closed during this run"))
        self._kept.clear()
        self._reports.put(None)
        self.backend.close(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return self.backend.inside(), (self.name,)

    def watch(self, run: ForeignRun, number: int, report: Any) -> None:
        """For runs: have `take_in` called when a report is there."""
        reports = self._reports
        self.backend.when_done(report, lambda: reports.put((run, number)))

    def keep(self, kept: Mapping[Handle, Where]) -> None:
        """For runs: keep these results."""
        if not self._closed:
            self._kept.update(kept)

    def ended(self, run: ForeignRun, kept: Mapping[Handle, Where], reports: Sequence[Any]) -> None:
        """For runs: keep these results; these batches are not wanted any more."""
        self.keep(kept)
        self._runs.pop(run.name, None)
        if reports:
            self.backend.cancel(run.name, reports)

    def _find(self, handles: Sequence[Handle]) -> list[Where]:
        for name in dict.fromkeys([handle.run for handle in handles]):
            run = self._runs.get(name)
            if run is not None:
                run.wait()
        try:
            return [self._kept[handle] for handle in handles]
        except KeyError as error:
            raise HandleError(
                f"No result is kept for {error.args[0]}: it was released, its run failed, or it"
                " belongs to another executor"
            ) from None

    def _check_open(self) -> None:
        if self._closed:
            raise ExecutorClosedError("This executor has been closed")


def _take_in(reports: queue.SimpleQueue[Message]) -> None:
    """What the executor's thread does."""
    while (message := reports.get()) is not None:
        run, number = message
        del message
        try:
            run.take_in(number)
        except BaseException as error:
            # Whatever it is, the run must end, and the thread go on for other runs.
            run.end(error)
        del run
