"""LocalCluster: a scheduler and workers on this machine.

One process is started, the supervisor; it forks the scheduler and the workers, so libraries are
imported once and a worker is ready some milliseconds after it is wanted. All of them end with the
cluster, or with this process, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from plait.config import parse_bytes
from plait.scheduler.client import ClusterExecutor
from plait.scheduler.host import available_cpus, available_memory
from plait.scheduler.net.address import Address, parse
from plait.scheduler.plan import Plan, environment
from plait.scheduler.worker_options import Options

if TYPE_CHECKING:
    from plait.scheduler.in_process import InProcess

_log = logging.getLogger(__name__)

_START = 30.0
_STOP = 5.0
_USABLE = 0.7  # of the machine's memory, for all workers together
_ADAPT = 1.0  # seconds between two looks
_IDLE = 5.0  # seconds without work until workers go


class LocalCluster:
    """A scheduler and workers on this machine.

    Parameters
    ----------
    n_workers : int, optional
        Worker processes; by default as many as there are processors, with one thread each.
    threads : int
        Threads of each worker.
    memory_limit : int, str or None
        Bytes each worker may use, also as "2GB"; "auto" shares out seven tenths of the machine's.
    scratch : str, optional
        Where workers make their folders for spilled results.
    resources : dict, optional
        What each worker offers, such as `{"GPU": 1}`.
    dashboard : bool or int
        Whether there is a dashboard, or its port; its address is `dashboard_url`.
    processes : bool
        False has scheduler and workers as threads of this process: ready at once, for tests; a
        task that crashes takes everything with it.

    Examples
    --------
    >>> import plait
    >>> with plait.LocalCluster(2) as cluster, plait.connect(cluster.address) as session:
    ...     session.sql("select 42 as answer").compute()
       answer
    0      42
    """

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        threads: int = 1,
        memory_limit: int | str | None = "auto",
        scratch: str | None = None,
        resources: dict[str, float] | None = None,
        dashboard: bool | int = False,
        processes: bool = True,
    ) -> None:
        if processes and not hasattr(os, "fork"):
            raise NotImplementedError(
                "A LocalCluster forks its processes, which this system cannot; use "
                "LocalCluster(processes=False) or plait.connect('threads')"
            )
        count = max(1, available_cpus() // threads) if n_workers is None else n_workers
        if count < 0 or threads < 1:
            raise ValueError(f"A cluster of {count} workers with {threads} threads cannot be")
        options = Options(
            threads,
            _limit(memory_limit, max(1, count) if processes else 1),
            scratch,
            tuple(sorted((resources or {}).items())),
        )
        self._lock = threading.Lock()
        self._wanted = count
        self._adapting: threading.Event | None = None
        self._monitor_client: ClusterExecutor | None = None
        port = 0 if dashboard is True else None if dashboard is False else dashboard
        self._home: _Processes | InProcess
        if processes:
            self._home = _Processes(count, options, port)
        else:
            from plait.scheduler.in_process import InProcess  # all of a worker: most have no need

            self._home = InProcess(count, options, port)
        self._where = self._home.where
        # also at the end of the interpreter, and when the cluster is forgotten
        self._finalizer = weakref.finalize(self, self._home.close)
        try:
            self._monitor.wait_for_workers(count, _START)
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """What `plait.connect` takes, token included."""
        return self._where.url

    @property
    def dashboard_url(self) -> str:
        """What to open in a browser, token included; empty without a dashboard."""
        return self._monitor.dashboard_url

    @property
    def workers(self) -> int:
        """How many workers are there now."""
        return len(self._monitor.present.numbers)

    def executor(self) -> ClusterExecutor:
        """A new client of the cluster; to be closed by itself. The cluster lives as long as it."""
        made = ClusterExecutor(self._where)
        made.cluster = self
        return made

    def scale(self, n_workers: int, *, wait: bool = True) -> None:
        """Have so many workers. Those that go leave their results to others first."""
        if n_workers < 0:
            raise ValueError(f"A cluster cannot have {n_workers} workers")
        self._stop_adapting()
        self._scale(n_workers)
        if not wait:
            return
        deadline = time.monotonic() + _START
        while self.workers != n_workers:
            self._monitor.check_open()
            if time.monotonic() > deadline:
                raise TimeoutError(f"There are {self.workers} workers, not {n_workers}")
            time.sleep(0.01)

    def adapt(self, minimum: int, maximum: int) -> None:
        """Have as many workers as there is work for, between two bounds, until `scale` is called.

        New ones come as soon as tasks wait; they go after some seconds without work.
        """
        if not 0 <= minimum <= maximum or not maximum:
            raise ValueError(f"Between {minimum} and {maximum} workers cannot be")
        self._stop_adapting()
        self._adapting = threading.Event()
        threading.Thread(
            target=self._adapt,
            args=(minimum, maximum, self._adapting),
            name="plait-adapt",
            daemon=True,
        ).start()

    def close(self) -> None:
        """End all processes. Closing twice is no error."""
        self._stop_adapting()
        if self._monitor_client is not None:
            self._monitor_client.close()
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<plait.LocalCluster at {self._where.place}>"

    @property
    def _monitor(self) -> ClusterExecutor:
        """A client of our own, to see who is there."""
        with self._lock:
            if self._monitor_client is None:
                self._monitor_client = ClusterExecutor(self._where)
            return self._monitor_client

    def _scale(self, count: int) -> None:
        with self._lock:
            if self._home.ended:
                raise RuntimeError("This cluster has ended")
            self._wanted = count
            self._home.scale(count)

    def _stop_adapting(self) -> None:
        if self._adapting is not None:
            self._adapting.set()
            self._adapting = None

    def _adapt(self, minimum: int, maximum: int, stop: threading.Event) -> None:
        idle_since = time.monotonic()
        while not stop.is_set():
            monitor = self._monitor
            if monitor.lost is not None:
                return
            now = time.monotonic()
            unfinished = monitor.unfinished
            wanted = max(minimum, min(maximum, self._wanted))
            if unfinished:
                idle_since = now
                wanted = max(wanted, min(maximum, unfinished))
            elif now - idle_since >= _IDLE:
                wanted = minimum
            if wanted != self._wanted:
                self._scale(wanted)
            stop.wait(_ADAPT / 4)


def _limit(limit: int | str | None, workers: int) -> int | None:
    if limit != "auto":
        return None if limit is None else parse_bytes(limit)
    try:
        return int(_USABLE * available_memory()) // workers
    except OSError:
        return None


class _Processes:
    """The supervisor's process, which forks the scheduler and the workers."""

    def __init__(self, count: int, options: Options, dashboard: int | None) -> None:
        paths = tuple(map(str, sys.path))
        name = f"local-{os.getpid()}"
        plan = Plan(count, "", name, options, paths, os.getcwd(), dashboard)
        self._process, self.where = _started(plan, options.threads)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def scale(self, count: int) -> None:
        """Have so many workers."""
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps({"workers": count}) + "\n").encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """End all processes."""
        _stopped(self._process)


def _started(plan: Plan, threads: int) -> tuple[subprocess.Popen[bytes], Address]:
    """The supervisor's process, and where its scheduler is."""
    ready, tell = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "plait.scheduler.supervisor", str(tell)],
            stdin=subprocess.PIPE,
            pass_fds=[tell],
            # Ctrl-C is for us: we cancel what runs, the cluster stays
            start_new_session=True,
            env=environment(threads, os.environ),
        )
    finally:
        os.close(tell)
    assert process.stdin is not None
    process.stdin.write((plan.to_json() + "\n").encode())
    process.stdin.flush()
    with os.fdopen(ready, encoding="utf-8") as lines:
        url = lines.readline().strip()
    if not url:
        process.wait()
        raise RuntimeError("The processes of the cluster did not start; what they said is above")
    return process, parse(url)


def _stopped(process: subprocess.Popen[bytes]) -> None:
    pipe: IO[bytes] | None = process.stdin
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        _log.warning("The cluster's supervisor did not end and is killed")
        process.kill()
        process.wait()
