"""Connections: frames both ways over tornado's streams.

All of it runs on one loop's thread. What arrives is handed on at once, as many frames as there are;
what is to go out is gathered and written in one go when everything readable has been dealt with,
without any timer: a busy connection has large frames, an idle one has no delay.

A peer that dies closes its end, which is seen at once. One that falls silent (its machine lost its
power, a cable was cut, a process was stopped) shows only to who waits for it: `insist` closes a
connection on which an answer is due and nothing comes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer

from plait.scheduler.errors import AuthenticationError, ProtocolError
from plait.scheduler.net import auth, tls
from plait.scheduler.net.address import Address, is_loopback
from plait.scheduler.net.protocol import Buffer, Frame, FrameReader, encode

_log = logging.getLogger(__name__)

_READ = 256 << 10  # bytes read at a time between large buffers
_MUCH = 64 << 10  # bytes of a header whose messages are dealt with before more are read
_CHUNK = 16 << 20  # and within one: tornado takes no more than its max_buffer_size at once
_BUFFER = 1 << 62  # what waits to be written is bounded by those who write
_LOOKS = 5  # in a row without a byte, until a silent peer is given up
SCHEDULER_SILENCE = (
    30.0  # seconds without a word until the scheduler, which says one each, is given up
)
_STRANGERS = 32  # connections that may be in the handshake at a time


class Connection:
    """One authenticated stream.

    `receive` is called with the frames that came, `closed` once, when the stream is gone.
    """

    def __init__(self, stream: IOStream, role: str, name: str) -> None:
        self.stream, self.role, self.name = stream, role, name
        self.receive: Callable[[list[Frame]], None] = lambda frames: None
        self.closed: Callable[[Connection], None] = lambda connection: None
        self.gone = False
        self._reader = FrameReader()
        self._out: list[Buffer] = []
        self._loop = asyncio.get_running_loop()
        self._flushing = False
        self._task: asyncio.Task[None] | None = None
        self._unwritten = 0
        self._written = asyncio.Event()
        self._heard = False

    @property
    def peer_host(self) -> str:
        """The address at which the other side is seen."""
        try:
            return str(self.stream.socket.getpeername()[0])
        except OSError:
            return ""

    def start(self) -> None:
        """Begin to read."""
        self._task = self._loop.create_task(self._read())

    def send(self, header: bytes, buffers: list[Buffer] | tuple[Buffer, ...] = ()) -> None:
        """Write a frame at the end of this tick; nothing if the stream is gone."""
        if self.gone:
            return
        self._out += encode(header, buffers)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has been gathered."""
        self._flushing = False
        out, self._out = self._out, []
        if self.gone or not out:
            return
        try:
            small: list[Buffer] = []
            for piece in out:
                if len(piece) > _READ:
                    if small:
                        self._write(b"".join(small))
                        small = []
                    self._write(piece)
                else:
                    small.append(piece)
            if small:
                self._write(b"".join(small))
        except StreamClosedError:
            self._ended()

    async def settle(self, ahead: int) -> None:
        """Return when at most so many bytes wait to be written, or the stream is gone."""
        self.flush()
        while not self.gone and self._unwritten > ahead:
            self._written.clear()
            await self._written.wait()

    def insist(self, due: Callable[[], bool], seconds: float) -> None:
        """Close the stream when something is due and nothing has come for so long.

        Looks are counted instead of seconds: a process that was stopped, or a machine that slept,
        has missed the looks too, and blames nobody.
        """
        silent = 0

        def look() -> None:
            nonlocal silent
            if self.gone:
                return
            silent = silent + 1 if due() and not self._heard else 0
            self._heard = False
            if silent >= _LOOKS:
                who = self.name or self.peer_host
                _log.warning("Nothing came from %s for %g seconds; it is given up", who, seconds)
                self.close()
                return
            self._loop.call_later(seconds / _LOOKS, look)

        self._loop.call_later(seconds / _LOOKS, look)

    def close(self) -> None:
        """Close the stream; `closed` is told."""
        self.flush()
        self.stream.close()
        self._ended()

    def _write(self, data: Buffer) -> None:
        count = len(data)
        self._unwritten += count

        def written(future: asyncio.Future[None]) -> None:
            if not future.cancelled():
                future.exception()  # seen; it shows when reading
            self._unwritten -= count
            self._written.set()

        self.stream.write(memoryview(data)).add_done_callback(written)

    async def _read(self) -> None:
        reader, stream = self._reader, self.stream
        try:
            while True:
                space = reader.space()
                if space is not None and space.nbytes > _READ:
                    piece: Any = space[:_CHUNK]
                    count = await stream.read_into(piece, partial=True)
                    frames = reader.advance(count)
                else:
                    frames = reader.feed(await stream.read_bytes(_READ, partial=True))
                self._heard = True
                if frames:
                    self.receive(frames)
                    if any(len(frame.header) > _MUCH for frame in frames):
                        # one such at a time, though more may be here: nothing was awaited then
                        del frames
                        await asyncio.sleep(0)
        except StreamClosedError:
            pass
        except ProtocolError as error:
            _log.warning("Closing the connection to %s: %s", self.name or self.role, error)
        except Exception:
            _log.exception("Closing the connection to %s", self.name or self.role)
        finally:
            stream.close()
            self._ended()

    def _ended(self) -> None:
        if not self.gone:
            self.gone = True
            self._out.clear()
            self._written.set()
            self.closed(self)


# --------------------------------------------------------------------------------------- connecting


async def connect(address: Address, role: str, name: str = "", seconds: float = 5.0) -> Connection:
    """A connection in a role. ConnectionError, AuthenticationError; both say where."""
    try:
        return await asyncio.wait_for(_connect(address, role, name), seconds)
    except TimeoutError:
        raise ConnectionError(
            f"{address.place} did not answer within {seconds:g} seconds{tls.one_sided(address)}"
        ) from None
    except StreamClosedError as error:
        why = error.real_error or "the connection was closed"
        if error.real_error is None or isinstance(error.real_error, ssl.SSLError):
            why = f"{why}{tls.one_sided(address, error.real_error)}"
        raise ConnectionError(f"{address.place} cannot be reached: {why}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, AuthenticationError):
            raise AuthenticationError(f"{address.place}: {error}") from None
        hint = tls.one_sided(address, error) if isinstance(error, ssl.SSLError) else ""
        raise ConnectionError(f"{address.place} cannot be reached: {error}{hint}") from error


async def _connect(address: Address, role: str, name: str) -> Connection:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, target = found[0]
    context = tls.client_context(address) if address.tls else None
    stream = _stream(socket.socket(family, kind, protocol), context)
    seen = ""
    try:
        await stream.connect(target)  # and TLS's handshake, if so
        if isinstance(stream, SSLIOStream):
            seen = tls.fingerprint(stream.socket.getpeercert(True) or b"")
        handshake = auth.ClientHandshake(address.token, role, name, seen)
        await stream.write(handshake.answer(await _frame(stream)))
        handshake.finish(await _frame(stream))
    except BaseException:
        stream.close()
        raise
    return Connection(stream, role, name)


def _stream(raw: socket.socket, context: ssl.SSLContext | None) -> IOStream:
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        return IOStream(raw, max_buffer_size=_BUFFER, read_chunk_size=_READ)
    return SSLIOStream(raw, ssl_options=context, max_buffer_size=_BUFFER, read_chunk_size=_READ)


async def _frame(stream: IOStream) -> bytes:
    """A frame of the handshake."""
    length = auth.length(await stream.read_bytes(auth.PREFIX))
    return await stream.read_bytes(length)


# ---------------------------------------------------------------------------------------- listening


class Listener(TCPServer):
    """Takes connections, lets in who knows the token, and hands them to `welcome`."""

    def __init__(
        self,
        token: str,
        welcome: Callable[[Connection], Awaitable[None] | None],
        cert: str = "",
        key: str = "",
        ca: str = "",
    ) -> None:
        self.tls = bool(cert)
        self._fingerprint = tls.fingerprint_of_file(cert) if cert else ""
        context: ssl.SSLContext | None = tls.server_context(cert, key, ca) if cert else None
        super().__init__(context, max_buffer_size=_BUFFER, read_chunk_size=_READ)
        self._token, self._welcome = token, welcome
        self._strangers = 0

    def listen_at(self, host: str, port: int) -> int:
        """Listen; the port. ValueError where others could listen in."""
        if not self.tls and not is_loopback(host):
            raise ValueError(
                f"{host!r} can be reached from other machines: that needs TLS. Give a certificate "
                "(--tls-cert, --tls-key), or listen at 127.0.0.1"
            )
        if not self._token:
            raise ValueError("A server needs a token, so that only those who know it can connect")
        sockets = bind_sockets(port, host)
        self.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])

    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        """For tornado: a stranger."""
        if self._strangers >= _STRANGERS:
            stream.close()
            return
        self._strangers += 1
        try:
            role, name = await asyncio.wait_for(self._shake_hands(stream), auth.SECONDS)
        except (AuthenticationError, StreamClosedError, TimeoutError) as error:
            _log.info("Nobody was let in from %s: %s", address, error)
            stream.close()
            return
        finally:
            self._strangers -= 1
        result = self._welcome(Connection(stream, role, name))
        if result is not None:
            await result

    async def _shake_hands(self, stream: IOStream) -> tuple[str, str]:
        handshake = auth.ServerHandshake(self._token, self._fingerprint)
        await stream.write(handshake.hello())
        try:
            reply, role, name = handshake.answer(await _frame(stream))
        except auth.Refused as refused:
            await stream.write(refused.reply)
            raise
        stream.set_nodelay(True)
        await stream.write(reply)
        return role, name
