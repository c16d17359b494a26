"""Futures: results of calls that run somewhere, as `concurrent.futures` and asyncio know them.

A value may stay where it was made. Then the future holds an `Away`, which fetches it when somebody
asks; whoever only passes the future on to another call never moves it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future as StandardFuture
from concurrent.futures._base import CANCELLED, PENDING, RUNNING
from typing import Any, Protocol

from plait.scheduler.context import current_flag
from plait.scheduler.executor import Executor
from plait.scheduler.graph import Handle


class Sender(Protocol):
    """What a future needs of whoever sends its call."""

    def help(self, future: Future, timeout: float | None) -> None: ...
    def abandon(self, job: Any, future: Future) -> None: ...


class Future(StandardFuture[Any]):
    """The result of a call that runs somewhere: one of `concurrent.futures`, and awaitable.

    Made by `Client.submit`. May be an argument of further calls, which then wait for it. On a
    cluster its value stays there until `result()` asks for it, and is let go of when the future is.
    """

    def __init__(self) -> None:
        super().__init__()
        # The call, until it is done; its `owner` is the sender.
        self._job: Any = None
        self._away: Away | None = None

    def result(self, timeout: float | None = None) -> Any:
        """The value of the call; raises what it raised.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait.

        Raises
        ------
        TimeoutError
            If it is not done by then; it goes on.
        concurrent.futures.CancelledError
            If it was cancelled.
        """
        value = super().result(self._helped(timeout))
        return value.value() if type(value) is Away else value

    @property
    def away(self) -> bool:
        """Whether it is done and its value has not been brought here yet."""
        return type(self._result) is Away and not self._result.fetched

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call raised, None if it did not; parameters and errors as of `result`."""
        return super().exception(self._helped(timeout))

    def _helped(self, timeout: float | None) -> float | None:
        """Before waiting: inside a task, see that the call gets made. The time that is left."""
        job = self._job
        if job is None or current_flag() is None:
            return timeout
        started = time.monotonic()
        job.owner.help(self, timeout)
        return None if timeout is None else max(0.0, timeout - (time.monotonic() - started))

    def cancel(self) -> bool:
        """Give the call up if it has not started; whether it is given up now."""
        if not super().cancel():
            return False
        with self._condition:
            if self._state == CANCELLED:
                # At once, not when a worker comes across it: others may be waiting.
                self.set_running_or_notify_cancel()
                job, self._job = self._job, None
            else:
                job = None
        if job is not None:
            job.owner.abandon(job, self)
        return True

    def __await__(self) -> Any:
        # Loaded by those who await.
        from plait.completion import awaited

        return awaited(self).__await__()

    def __reduce__(self) -> Any:
        raise TypeError(
            "A Future cannot be pickled: it belongs to the Client that made it. Give it to"
            " client.submit as an argument, alone or in a list, tuple, set, dict or dataclass"
        )

    def begin(self) -> bool:
        """For batches: the call starts; False if nobody wants it any more."""
        with self._condition:
            if self._state == PENDING:
                self._state = RUNNING
            return self._state == RUNNING


class Away:
    """Stands for a result that an executor keeps, and lets go of it with its last holder."""

    __slots__ = ("_lock", "_value", "executor", "fetched", "handle")

    def __init__(self, executor: Executor, handle: Handle) -> None:
        self.executor = executor
        self.handle = handle
        self.fetched = False
        self._value: Any = None
        self._lock = threading.Lock()

    def value(self) -> Any:
        """The value, brought here at the first call."""
        with self._lock:
            if not self.fetched:
                self._value = self.executor.gather([self.handle])[0]
                self.fetched = True
        return self._value

    def __del__(self) -> None:
        self.executor.release([self.handle])
