"""A cluster without processes of its own: scheduler and workers on a thread of this one.

The same scheduler and workers as elsewhere, on one event loop, with the threads of the workers
beside it; they speak over loopback, so results go through bytes as they would between machines.
For tests and for looking at how a cluster does something: a task that crashes takes everything
with it, and Python's lock is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from concurrent.futures import Future

from plait.scheduler import server
from plait.scheduler.net.address import Address
from plait.scheduler.worker import Worker
from plait.scheduler.worker_options import Options

_log = logging.getLogger(__name__)

_STOP = 5.0


class InProcess:
    """Scheduler and workers, until it is closed.

    Parameters
    ----------
    count : int
        Workers to begin with.
    options : Options
        Of each worker; its memory limit is for the whole process.
    dashboard : int or None
        The port of the dashboard, if there is to be one.
    """

    def __init__(self, count: int, options: Options, dashboard: int | None) -> None:
        self._options, self._dashboard = options, dashboard
        self._workers: dict[asyncio.Task[None], Worker] = {}
        self._made = 0
        self._server: server.Server | None = None
        self._loop = asyncio.new_event_loop()
        listening: Future[Address] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(count, listening), name="plait-cluster", daemon=True
        )
        self._thread.start()
        self.where = listening.result()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return not self._thread.is_alive()

    def scale(self, count: int) -> None:
        """Have so many workers."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._adjust, count)

    def close(self) -> None:
        """End everything, and wait for it. Closing twice is no error."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop)
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP)

    def _run(self, count: int, listening: Future[Address]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve(count, listening))
            except BaseException as error:
                if listening.done():
                    _log.exception("The cluster of this process failed")
                else:
                    listening.set_exception(error)

    async def _serve(self, count: int, listening: Future[Address]) -> None:
        settings = server.Settings(token=server.new_token(), dashboard=self._dashboard)
        self._server = server.Server(settings)

        def begin(port: int, _: str) -> None:
            self._address = Address("127.0.0.1", port, token=settings.token)
            self._adjust(count)
            listening.set_result(self._address)

        await self._server.run(begin)
        if self._workers:
            await asyncio.wait(self._workers)

    def _adjust(self, count: int) -> None:
        """On the loop: start workers, or ask the newest to leave."""
        for worker in list(self._workers.values())[count:]:
            worker.leave()
        while len(self._workers) < count:
            self._made += 1
            worker = Worker(self._address, f"thread-{os.getpid()}-{self._made}", self._options)
            task = self._loop.create_task(worker.run())
            self._workers[task] = worker
            task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._workers.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A worker of this process failed", exc_info=task.exception())

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
