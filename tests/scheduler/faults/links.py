"""Connections that can be cut, or fall silent, at a chosen byte; a worker behind such ones.

Others reach this worker through a small proxy that lives in its own process, so that tasks which
run there set it: `cut`, `swallow` and `silence`, after so many bytes that it serves from then on.
A proxy before a scheduler is the test's own; `darken` is for those: a machine that has vanished.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from plait.scheduler import transfer, worker
from plait.scheduler.net import comm
from plait.scheduler.net.address import parse
from plait.scheduler.worker_options import Options

_PIECE = 1 << 16


class Proxy:
    """Passes bytes on between who connects here and a port of this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._left: int | None = None
        self._stays = False
        self._dark = False
        self._at_end: Callable[[socket.socket, socket.socket], None] = _end
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, after: int) -> None:
        """Close the connection that serves so many bytes more; then all is well again."""
        self._at_end, self._left = _end, after

    def swallow(self, after: int) -> None:
        """Nothing more comes over that connection, and nothing is said about it."""
        self._at_end, self._left = _silent, after

    def silence(self, after: int) -> None:
        """The same for all that come later."""
        self._at_end, self._left, self._stays = _silent, after, True

    def darken(self) -> None:
        """Nothing comes or goes any more, over any connection, nor is any seen to end."""
        self._dark = True

    def _accept(self) -> None:
        while True:
            guest, _ = self._listener.accept()
            host = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pass, args=(guest, host, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(host, guest, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if self._dark:
                    continue
                left = self._left
                if counted and left is not None and left <= len(data):
                    self._left = 0 if self._stays else None
                    sink.sendall(data[:left])
                    self._at_end(source, sink)
                    return
                if counted and left is not None:
                    self._left = left - len(data)
                sink.sendall(data)
        if not self._dark:
            _end(source, sink)


def _end(source: socket.socket, sink: socket.socket) -> None:
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _silent(source: socket.socket, sink: socket.socket) -> None:
    """The bytes are gone, the connection stays."""
    while source.recv(_PIECE):
        pass


proxies: list[Proxy] = []
"""Of this process: one, in a worker that was started here."""

SILENCE = 1.5
"""Seconds without a byte until such a worker gives up another, or its scheduler."""


def start_worker(address: str, name: str, scratch: str = "") -> subprocess.Popen[bytes]:
    """A worker without a supervisor, behind a proxy."""
    code = "from tests.scheduler.faults import links; import sys; links.main(*sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", code, address, name, scratch])


def main(address: str, name: str, scratch: str) -> None:
    """The life of such a worker."""
    transfer.SILENCE = comm.SCHEDULER_SILENCE = SILENCE
    listen = comm.Listener.listen_at

    def listen_behind(self: comm.Listener, host: str, port: int) -> int:
        proxies.append(Proxy(listen(self, host, port)))
        return proxies[0].port

    comm.Listener.listen_at = listen_behind  # type: ignore[method-assign]
    worker.main(parse(address), name, Options(scratch=scratch or None))
