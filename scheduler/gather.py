"""Gathering: results from the workers that have them, to a client.

Lives on the client's loop. Knows of each wanted key where it is, that it is not there (yet, or any
more), or that it never will be. Who asks for keys that are being made again waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from plait.scheduler.errors import HandleError
from plait.scheduler.net import comm, serialize
from plait.scheduler.net.address import Address
from plait.scheduler.net.comm import Connection
from plait.scheduler.net.control import Get, Got, Values
from plait.scheduler.net.protocol import Frame
from plait.scheduler.net.serialize import Packed
from plait.scheduler.net.wire import CODEC
from plait.scheduler.state import messages as m
from plait.scheduler.transfer import SILENCE, peer_address, results_of

_TRIES = 3  # in a row at one worker, which the scheduler still hears


class Plain(NamedTuple):
    """A value that needs no unpacking."""

    value: object


Found = Packed | Plain


def unpacked(found: Found) -> object:
    """The value. SerializationError if this process cannot make it."""
    return found.value if type(found) is Plain else serialize.loads(found)  # type: ignore[arg-type]


@dataclass
class _Request:
    """Keys asked of one worker."""

    worker: int
    waiting: set[int]
    found: dict[int, Found] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    answered: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Gatherer:
    """Fetches results by key."""

    def __init__(self, scheduler: Address, send: Callable[[object], None]) -> None:
        self._scheduler, self._send = scheduler, send
        self._owners: dict[int, int] = {}
        self._errors: dict[int, Exception] = {}
        self._addresses: dict[int, Address] = {}
        self._connections: dict[int, asyncio.Task[Connection]] = {}
        self._unanswered: dict[int, int] = {}  # worker -> requests in a row
        self._requests: dict[int, _Request] = {}
        self._count = 0
        self._news = asyncio.Event()
        self._ended: Exception | None = None
        self.client = -1

    # ------------------------------------------------------------------------- what is where

    def found(self, keys: Sequence[int], owners: Sequence[int]) -> None:
        """Results are there."""
        self._owners.update(zip(keys, owners, strict=True))
        for key in keys:
            self._errors.pop(key, None)
        self._tell()

    def lost(self, keys: Sequence[int]) -> None:
        """Results are not there any more, and are being made again."""
        for key in keys:
            self._owners.pop(key, None)

    def failed(self, keys: Sequence[int], why: m.RunFailed) -> None:
        """Results will not come."""
        for key in keys:
            self._owners.pop(key, None)
            self._errors[key] = HandleError(
                f"A result was lost and cannot be made again: {why.text}"
            )
        self._tell()

    def forget(self, keys: Sequence[int]) -> None:
        """Results that nobody wants any more."""
        for key in keys:
            self._owners.pop(key, None)
            self._errors.pop(key, None)

    def learn(self, workers: Sequence[int], addresses: Sequence[str]) -> None:
        """Where workers are."""
        for worker, place in zip(workers, addresses, strict=True):
            self._addresses[worker] = peer_address(self._scheduler, place)

    def workers_gone(self, workers: Sequence[int]) -> None:
        """Workers that will not answer any more."""
        for worker in workers:
            self._addresses.pop(worker, None)
            self._unanswered.pop(worker, None)
            connection = self._connections.pop(worker, None)
            if connection is not None and connection.done() and not connection.exception():
                connection.result().close()
            self._give_up(worker)

    def scheduler_lost(self, error: Exception) -> None:
        """Nobody will tell us anything any more."""
        self._ended = error
        self._tell()

    def close(self) -> None:
        """End all connections."""
        self.workers_gone(list(self._connections))

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # ------------------------------------------------------------------------------ fetching

    async def values(self, keys: Sequence[int]) -> dict[int, Found]:
        """Results as buffers. HandleError for what will not come."""
        found: dict[int, Found] = {}
        wanted = dict.fromkeys(keys)
        while True:
            missing = [key for key in wanted if key not in found]
            if not missing:
                return found
            for key in missing:
                if key in self._errors:
                    raise self._errors[key]
            if self._ended is not None:
                raise self._ended
            by_owner: dict[int, list[int]] = {}
            for key in missing:
                if key in self._owners:
                    by_owner.setdefault(self._owners[key], []).append(key)
            if not by_owner:
                await self._news.wait()
                continue
            answers = await asyncio.gather(*[self._ask(o, k) for o, k in by_owner.items()])
            for request in answers:
                found.update(request.found)
                self._judge(request)
                gone = [*request.gone, *request.waiting]
                if gone:
                    self.lost(gone)
                    owners = (request.worker,) * len(gone)
                    self._send(m.Unreachable(self.client, tuple(gone), owners))

    def _judge(self, request: _Request) -> None:
        """Results that are made again are no help while we cannot reach who makes them."""
        worker = request.worker
        address = self._addresses.get(worker)
        if request.answered or address is None:
            self._unanswered.pop(worker, None)
            return
        count = self._unanswered[worker] = self._unanswered.get(worker, 0) + 1
        if count >= _TRIES:
            del self._unanswered[worker]
            raise ConnectionError(
                f"The worker at {address.place} does not answer this client, though the scheduler "
                "hears from it: look at the network, or a firewall, between the two"
            )

    async def _ask(self, worker: int, keys: Sequence[int]) -> _Request:
        request = _Request(worker, set(keys))
        try:
            connection = await self._connection(worker)
        except (ConnectionError, PermissionError):
            self._connections.pop(worker, None)
            return request
        self._count += 1
        number = self._count
        self._requests[number] = request
        connection.send(*CODEC.encode([Get(number, tuple(keys))]))
        if connection.gone:
            self._give_up(worker)
        try:
            await request.ended.wait()
        finally:
            self._requests.pop(number, None)
        return request

    def _connection(self, worker: int) -> asyncio.Task[Connection]:
        known = self._connections.get(worker)
        if known is None:
            loop = asyncio.get_running_loop()
            known = self._connections[worker] = loop.create_task(self._connect(worker))
        return known

    async def _connect(self, worker: int) -> Connection:
        address = self._addresses.get(worker)
        if address is None:
            raise ConnectionError(f"Worker {worker} is gone")
        connection = await comm.connect(address, "client")

        def receive(frames: list[Frame]) -> None:
            for frame in frames:
                for message in CODEC.decode(frame):
                    if isinstance(message, Got):
                        self._got(message)
                    elif isinstance(message, Values):
                        self._got_values(message)

        def closed(_: Connection) -> None:
            self._connections.pop(worker, None)
            self._give_up(worker)

        connection.receive, connection.closed = receive, closed
        connection.start()
        connection.insist(
            lambda: any(request.worker == worker for request in self._requests.values()), SILENCE
        )
        return connection

    def _got(self, got: Got) -> None:
        request = self._requests.get(got.request)
        if request is None:
            return
        request.answered = True
        for key, packed in results_of(got):
            request.waiting.discard(key)
            if packed is None:
                request.gone.append(key)
            else:
                request.found[key] = packed
        if not request.waiting:
            request.ended.set()

    def _got_values(self, got: Values) -> None:
        request = self._requests.get(got.request)
        if request is None:
            return
        request.answered = True
        request.waiting.difference_update(got.keys)
        request.found.update(
            zip(got.keys, map(Plain, serialize.load_plain(got.values)), strict=True)
        )
        if not request.waiting:
            request.ended.set()

    def _give_up(self, worker: int) -> None:
        for request in self._requests.values():
            if request.worker == worker:
                request.ended.set()
