"""A connection without a loop, for a process that may not have threads: the supervisor's."""

from __future__ import annotations

import socket
import ssl

from plait.scheduler.errors import AuthenticationError
from plait.scheduler.net import auth, tls
from plait.scheduler.net.address import Address
from plait.scheduler.net.protocol import Frame, FrameReader, encode


class BlockingConnection:
    """One authenticated stream; whoever has it looks by itself whether something came."""

    def __init__(self, address: Address, role: str, name: str, seconds: float = 5.0) -> None:
        try:
            raw = socket.create_connection((address.host, address.port), seconds)
        except OSError as error:
            raise ConnectionError(f"{address.place} cannot be reached: {error}") from error
        try:
            seen = ""
            if address.tls:
                wrapped: ssl.SSLSocket = tls.client_context(address).wrap_socket(raw)
                seen = tls.fingerprint(wrapped.getpeercert(True) or b"")
                raw = wrapped
            handshake = auth.ClientHandshake(address.token, role, name, seen)
            raw.sendall(handshake.answer(_frame(raw)))
            handshake.finish(_frame(raw))
        except AuthenticationError as error:
            raw.close()
            raise AuthenticationError(f"{address.place}: {error}") from None
        except OSError as error:
            raw.close()
            hint = tls.one_sided(address, error)
            raise ConnectionError(f"{address.place} cannot be reached: {error}{hint}") from error
        self._socket = raw
        self._reader = FrameReader()

    def fileno(self) -> int:
        """For select and poll."""
        return self._socket.fileno()

    def send(self, header: bytes) -> None:
        """Write a frame; OSError if the other side is gone or does not read."""
        self._socket.sendall(b"".join(encode(header)))

    def receive(self) -> list[Frame] | None:
        """The frames that have come, when there is something to read; None at the end."""
        try:
            data = self._socket.recv(1 << 16)
            return self._reader.feed(data) if data else None
        except (ssl.SSLWantReadError, InterruptedError):
            return []
        except OSError:  # which a frame that is none counts as
            return None

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _frame(raw: socket.socket) -> bytes:
    return _exactly(raw, auth.length(_exactly(raw, auth.PREFIX)))


def _exactly(raw: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = raw.recv(count - len(data))
        if not more:
            raise ConnectionError("the connection was closed")
        data += more
    return data
