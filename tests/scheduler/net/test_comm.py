"""Real sockets: frames of any size, the handshake, TLS, strangers."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from plait.scheduler.errors import AuthenticationError
from plait.scheduler.net import auth
from plait.scheduler.net.address import Address
from plait.scheduler.net.blocking import BlockingConnection
from plait.scheduler.net.comm import Connection, Listener, connect
from plait.scheduler.net.protocol import Frame

SECONDS = 20.0


class Echo:
    """A server that sends every frame back."""

    def __init__(self, cert: str = "", key: str = "", ca: str = "") -> None:
        self.guests: list[Connection] = []
        self.listener = Listener("token", self.welcome, cert, key, ca)
        port = self.listener.listen_at("127.0.0.1", 0)
        self.address = Address("127.0.0.1", port, bool(cert), "token")

    def welcome(self, guest: Connection) -> None:
        self.guests.append(guest)

        def back(frames: list[Frame]) -> None:
            for frame in frames:
                guest.send(frame.header, frame.buffers)

        guest.receive = back
        guest.start()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def timed() -> None:
        await asyncio.wait_for(test(), SECONDS)

    asyncio.run(timed())


async def answers(guest: Connection, count: int) -> list[Frame]:
    frames: list[Frame] = []
    enough = asyncio.Event()

    def more(found: list[Frame]) -> None:
        frames.extend(found)
        if len(frames) >= count:
            enough.set()

    guest.receive = more
    guest.start()
    await enough.wait()
    return frames


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("server", "other"):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    return {path.name: str(path) for path in Path(folder).iterdir()}


def test_frames_come_back() -> None:
    async def test() -> None:
        guest = await connect(Echo().address, "client", "me")
        large = bytes(range(256)) * 500_000  # 128 MB: more than tornado takes by default
        sent = [(b"one", []), (b"", [b"", b"x" * 100_000]), (b"two", [large, b"end"])]
        for header, buffers in sent:
            guest.send(header, list(buffers))
        frames = await answers(guest, len(sent))
        assert [(f.header, list(map(bytes, f.buffers))) for f in frames] == sent
        guest.close()

    run(test)


def test_many_frames_are_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        guest = await connect(Echo().address, "client")
        writes: list[int] = []
        write = guest.stream.write
        monkeypatch.setattr(guest.stream, "write", lambda data: (writes.append(1), write(data))[1])
        for i in range(1000):
            guest.send(b"%d" % i)
        frames = await answers(guest, 1000)
        assert [frame.header for frame in frames] == [b"%d" % i for i in range(1000)]
        assert len(writes) == 1
        guest.close()

    run(test)


@pytest.mark.parametrize("ca", [False, True])
def test_tls(certificates: dict[str, str], ca: bool) -> None:
    async def test() -> None:
        authority = certificates["ca.pem"] if ca else ""
        server = Echo(certificates["server.pem"], certificates["server.key"], authority)
        own = {"cert": certificates["other.pem"], "key": certificates["other.key"]}
        with_ca = dataclasses.replace(server.address, ca=authority, **(own if ca else {}))
        guest = await connect(with_ca, "worker")
        guest.send(b"hello", [b"x" * 5_000_000])
        (frame,) = await answers(guest, 1)
        assert len(frame.buffers[0]) == 5_000_000
        guest.close()
        if ca:
            with pytest.raises(ConnectionError, match="cannot be reached"):
                await connect(server.address, "worker")

    run(test)


@pytest.mark.parametrize("secured", [False, True])
def test_tls_on_one_side_only(certificates: dict[str, str], secured: bool) -> None:
    """An error that says what to write instead, to who has a loop and to who has none."""
    said = "begins with tcp://" if secured else "begins with tls://"

    async def test() -> None:
        own = () if secured else (certificates["server.pem"], certificates["server.key"])
        address = dataclasses.replace(Echo(*own).address, tls=secured)
        with pytest.raises(ConnectionError, match=said):
            await connect(address, "client", seconds=0.3)
        blocking = functools.partial(BlockingConnection, address, "supervisor", "s", seconds=0.3)
        with pytest.raises(ConnectionError, match=said):
            await asyncio.get_running_loop().run_in_executor(None, blocking)

    run(test)


def test_a_certificate_put_in_between_is_noticed(certificates: dict[str, str]) -> None:
    """Same token, same place, another certificate than the server's."""

    async def test() -> None:
        server = Echo(certificates["server.pem"], certificates["server.key"])
        server.listener._fingerprint = "of the true server"
        with pytest.raises(AuthenticationError, match="another TLS certificate"):
            await connect(server.address, "client")

    run(test)


def test_a_wrong_token() -> None:
    async def test() -> None:
        address = dataclasses.replace(Echo().address, token="wrong")
        with pytest.raises(AuthenticationError, match="Refused by the other side: wrong token"):
            await connect(address, "client")

    run(test)


def test_nobody_there() -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = Address("127.0.0.1", taken.getsockname()[1], token="t")
            with pytest.raises(ConnectionError, match="cannot be reached"):
                await connect(address, "client")
            taken.listen()
            with pytest.raises(ConnectionError, match=r"did not answer within 0\.1 seconds"):
                await connect(address, "client", seconds=0.1)

    run(test)


HOSTILE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\xff" * 100,
    struct.pack("<IIQ", 2**32 - 1, 2**32 - 1, 2**64 - 1),
    b"\x80\x05\x95\x00",
    b"",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_first_bytes(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "SECONDS", 0.3)

    async def test() -> None:
        server = Echo()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.address.port)
        hello = await reader.readexactly(2)
        await reader.readexactly(auth.length(hello))
        writer.write(said)
        assert await reader.read() == b""  # closed, without a word
        assert server.guests == []
        guest = await connect(server.address, "client")  # and still there for others
        guest.close()

    run(test)


def test_hostile_bytes_after_the_handshake(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        server = Echo()
        guest = await connect(server.address, "client")
        gone = asyncio.Event()
        guest.closed = lambda connection: gone.set()
        guest.start()
        await guest.stream.write(b"\xff" * 64)
        await gone.wait()
        assert "was announced" in caplog.text

    run(test)


def test_an_open_door_needs_tls_and_a_token() -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="needs TLS"):
            Listener("token", lambda guest: None).listen_at("0.0.0.0", 0)
        with pytest.raises(ValueError, match="needs a token"):
            Listener("", lambda guest: None).listen_at("127.0.0.1", 0)

    run(test)
