"""The dashboard of a cluster, on the event loop of its scheduler."""

from __future__ import annotations

import os
import socket

from plait.scheduler.dashboard.app import serve
from plait.scheduler.dashboard.feed import Feed
from plait.scheduler.dashboard.place import Place
from plait.scheduler.dashboard.watch import ClusterWatch
from plait.scheduler.net.tls import server_context

_EVERYWHERE = ("", "0.0.0.0", "::")


class ClusterDashboard:
    """Serves what a `ClusterWatch` tells, until it is closed.

    Parameters
    ----------
    host, port
        Where to listen; port 0 is any that is free.
    tls_cert, tls_key : str
        As the scheduler's own; needed if other machines can reach the host.
    """

    def __init__(
        self, host: str, port: int, tls_cert: str = "", tls_key: str = "", tls_ca: str = ""
    ) -> None:
        tls = server_context(tls_cert, tls_key, tls_ca) if tls_cert else None
        name = socket.gethostname()
        shown = name if host in _EVERYWHERE else host
        self.place = Place(host, port, tls=tls, names=(name,), shown=shown)
        self.url = self.place.url
        self.watch = ClusterWatch(Feed(f"cluster · scheduler {os.getpid()}"))
        self._server = serve(self.watch.feed, self.place, self.watch.drain)

    def close(self) -> None:
        """Let go of the port."""
        self._server.stop()
        self.place.socket.close()
