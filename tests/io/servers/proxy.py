"""A proxy that counts requests and does to them what networks do.

    python -m tests.io.servers.proxy HOST:PORT     prints its own port

It passes HTTP/1.1 on to one server. Commands come as lines of JSON on its standard input, each
answered by a line: what happened since the last command, as {"requests": [...], "bytes": N,
"at_once": N}. A command sets what happens from then on:

    latency     seconds before each answer
    unavailable share of requests answered with 503
    cut         share of bodies that end half-way
    stall       share of requests whose answer begins and then stands still
    only        the faults hit only requests that begin so ("GET /bucket/data")
    lose        requests that suffer: so many at most

Which requests suffer is drawn from a generator with a fixed seed: faults repeat.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

_BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Length: 113\r\nContent-Type: application/xml\r\n\r\n"
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate."
    b"</Message></Error>     "
)


@dataclass
class Faults:
    """What happens to requests."""

    latency: float = 0.0
    unavailable: float = 0.0
    cut: float = 0.0
    stall: float = 0.0
    only: str = ""
    lose: int = 1 << 60


@dataclass
class Seen:
    """What passed through."""

    requests: list[str] = field(default_factory=list)
    bytes: int = 0
    now: int = 0
    at_once: int = 0


class Relay:
    """The proxy itself."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.faults, self.seen = Faults(), Seen()
        self._chance = random.Random(11)

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        server: Any = None
        try:
            while True:
                head = await client.readuntil(b"\r\n\r\n")
                if server is None:
                    server = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
                if not await self._pass_on(head, client, back, server):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            back.close()
            if server is not None:
                server[1].close()

    async def _pass_on(
        self, head: bytes, client: asyncio.StreamReader, back: asyncio.StreamWriter, server: Any
    ) -> bool:
        reader, writer = server
        first = head.split(b"\r\n", 1)[0].decode("latin-1").rsplit(" ", 1)[0]
        self.seen.requests.append(first)
        self.seen.now += 1
        self.seen.at_once = max(self.seen.at_once, self.seen.now)
        try:
            body = bytearray()
            headers = _headers(head)
            if headers.get("expect", "").lower() == "100-continue":
                back.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                head = b"\r\n".join(
                    line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:")
                )
            async for piece in _body(client, headers, first):
                body += piece
            fault = self._fault(first)
            if self.faults.latency:
                await asyncio.sleep(self.faults.latency)
            if fault == "unavailable":
                back.write(_BUSY)
                await back.drain()
                return True
            writer.write(head + body)
            await writer.drain()
            return await self._answer(first, fault, reader, back)
        finally:
            self.seen.now -= 1

    async def _answer(
        self, first: str, fault: str, reader: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> bool:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 1"):
                break
        headers = _headers(head)
        length = int(headers.get("content-length", 0))
        back.write(head)
        if fault == "stall":
            await back.drain()
            await asyncio.sleep(3600)
        passed = 0
        status = head.split(b" ", 2)[1]
        async for piece in _body(reader, headers, first, answer=status):
            if fault == "cut" and passed + len(piece) >= length // 2:
                back.write(piece[: max(0, length // 2 - passed)])
                await back.drain()
                return False
            passed += len(piece)
            self.seen.bytes += len(piece)
            back.write(piece)
            await back.drain()
        await back.drain()
        return headers.get("connection", "").lower() != "close"

    def _fault(self, first: str) -> str:
        if not first.startswith(self.faults.only) or self.faults.lose <= 0:
            return ""
        drawn = self._chance.random()
        for name in ("unavailable", "cut", "stall"):
            share = getattr(self.faults, name)
            if drawn < share:
                self.faults.lose -= 1
                return name
            drawn -= share
        return ""


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines) if k}


async def _body(
    reader: asyncio.StreamReader, headers: dict[str, str], first: str, answer: bytes = b""
) -> Any:
    """The pieces of a body as they are on the wire, chunk marks included."""
    if answer and (first.startswith("HEAD") or answer in (b"204", b"304")):
        return
    if "chunked" in headers.get("transfer-encoding", ""):
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
            if not size:
                return
    left = int(headers.get("content-length", 0))
    if answer and not left and "content-length" not in headers:
        while piece := await reader.read(1 << 18):
            yield piece
        return
    while left:
        piece = await reader.read(min(left, 1 << 18))
        if not piece:
            raise ConnectionError("the server ended a body early")
        left -= len(piece)
        yield piece


async def _main(host: str, port: int) -> None:
    relay = Relay(host, port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        seen, relay.seen = relay.seen, Seen(now=relay.seen.now)
        relay.faults = Faults(**json.loads(line))
        told = {"requests": seen.requests, "bytes": seen.bytes, "at_once": seen.at_once}
        print(json.dumps(told), flush=True)


class Proxy:
    """A proxy as a test holds it."""

    def __init__(self, process: Popen[str], port: int) -> None:
        self._process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    def set(self, **faults: Any) -> Seen:
        """Sets what happens from now on (nothing bad, if nothing is named); what was seen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(faults) + "\n")
        self._process.stdin.flush()
        return Seen(**json.loads(self._process.stdout.readline()))

    def seen(self) -> Seen:
        """What passed since the last command."""
        return self.set()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy before a server of this machine."""
    command = [sys.executable, "-m", "tests.io.servers.proxy", f"127.0.0.1:{port}"]
    process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield Proxy(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    where, _, number = sys.argv[1].partition(":")
    asyncio.run(_main(where, int(number)))
