"""joblib on plait: `joblib.parallel_backend("plait")`, and with it scikit-learn's `n_jobs`.

joblib cuts work into batches of calls and hands each to a *backend*; ours hands it to a `Client`.
Batches grow until they take some milliseconds, as a batch costs us a tenth of one.

A Parallel inside of a Parallel runs on the same threads. joblib would wait for its batches by
looking again and again, which does nothing for a worker that waits for workers; nested backends
have joblib ask each future for its result instead, and that makes the call in the waiting thread
if no other has come to it. Inside tasks that run in other processes, calls are made one by one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from joblib.parallel import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase
from joblib.parallel import SequentialBackend as Sequential

from plait.client import Client
from plait.futures import Future
from plait.scheduler.local import InlineExecutor, ThreadExecutor

_lock = threading.Lock()
_shared: Client | None = None


class PlaitBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs joblib's batches by a `plait.Client`.

    Parameters
    ----------
    client : Client, optional
        By default one on the threads that plait's queries run on.
    """

    supports_inner_max_num_threads = False
    default_n_jobs = -1
    MIN_IDEAL_BATCH_DURATION = 0.01
    MAX_IDEAL_BATCH_DURATION = 0.2

    def __init__(
        self, client: Client | None = None, nesting_level: int | None = None, **options: Any
    ) -> None:
        super().__init__(nesting_level=nesting_level, **options)
        self.client = _default_client() if client is None else client
        self.local = isinstance(self.client.executor, ThreadExecutor | InlineExecutor)
        self.uses_threads = self.supports_sharedmem = self.local
        self.supports_retrieve_callback = not nesting_level
        self._futures: weakref.WeakSet[Future] = weakref.WeakSet()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches joblib should think of as running at a time."""
        workers = self.client.executor.workers
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return max(1, workers + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """Get ready for one Parallel; see joblib."""
        number = self.effective_n_jobs(n_jobs)
        if number == 1:
            raise FallbackToBackend(Sequential(nesting_level=self.nesting_level))
        self.parallel = parallel
        return number

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Any:
        """Start a batch; `callback` is called with its future."""
        future = self.client.submit(func)
        self._futures.add(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future) -> Any:
        """The results of a batch that is done."""
        return out.result()

    def retrieve_result(self, out: Future, timeout: float | None = None) -> Any:
        """The results of a batch, for nested Parallels: makes it here if need be."""
        return out.result(timeout)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """A batch failed: cancel those that have not started."""
        self.client.cancel(list(self._futures))

    def terminate(self) -> None:
        """A Parallel is over; the client goes on."""
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """What a Parallel inside of our calls runs on."""
        level = (self.nesting_level or 0) + 1
        if self.local:
            return PlaitBackend(self.client, nesting_level=level), None
        return Sequential(nesting_level=level), None


def _default_client() -> Client:
    global _shared
    with _lock:
        if _shared is None or _shared.closed:
            _shared = Client()
        return _shared
