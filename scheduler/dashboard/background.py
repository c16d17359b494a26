"""A dashboard on a thread of its own, for executors of this process.

The URL is good as soon as this is made. The web server is loaded on the thread, so that whoever
asked for a dashboard does not wait for it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.place import Place
from plait.scheduler.dashboard.process import ProcessSampler

if TYPE_CHECKING:
    import asyncio

_PATIENCE = 5.0


class BackgroundDashboard:
    """Serves a feed at a place until it is closed.

    Parameters
    ----------
    feed : Feed
        What to show.
    place : Place
        Where.
    sampler : ProcessSampler
        Brings the feed up to date when somebody looks.
    """

    def __init__(self, feed: Feed, place: Place, sampler: ProcessSampler) -> None:
        self.feed, self.place, self._sampler = feed, place, sampler
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="plait-dashboard", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What to open in a browser; contains the token."""
        return self.place.url

    def close(self) -> None:
        """Let go of the port. Closing twice is no error."""
        with self._lock:
            self._closed = True
            if self._loop is not None and self._over is not None:
                self._loop.call_soon_threadsafe(self._over.set)
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)
        self.place.socket.close()

    def _run(self) -> None:
        # Here, because loading it takes longer than starting a session.
        import asyncio

        asyncio.run(self._serve())

    async def _serve(self) -> None:
        import asyncio

        from plait.scheduler.dashboard.app import serve

        over = asyncio.Event()
        with self._lock:
            if self._closed:
                return
            self._loop, self._over = asyncio.get_running_loop(), over
        server = serve(self.feed, self.place, self._sampler)
        await over.wait()
        with self._lock:
            self._loop = None
        server.stop()
        await server.close_all_connections()
