"""Transfer: results between workers, and from workers to clients, directly.

Both sides of it: `fetch` asks a peer for keys, `welcome` serves whoever asks us. What we are still
making is given when the state says so (`serve`). Numbers and short
strings are answered together in one pickle. Of other results a frame takes as many as are small,
large ones have frames of their own, so that neither side holds more than one of them on its way;
they are made into bytes on a thread of its own, unless they are small: the loop stays free.

A key that is not here, or cannot be pickled, is an answer like any other. The first is told to the
state, which finds the result elsewhere; the second is kept as an error, which the task that takes
it as an input will raise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from plait.scheduler.errors import SerializationError
from plait.scheduler.net import comm, serialize
from plait.scheduler.net.address import Address, parse
from plait.scheduler.net.comm import Connection
from plait.scheduler.net.control import GONE, UNSENDABLE, Get, Got, Values
from plait.scheduler.net.protocol import Buffer, Frame
from plait.scheduler.net.serialize import Packed
from plait.scheduler.net.wire import CODEC
from plait.scheduler.state import worker_messages as m
from plait.scheduler.store import PLAIN_SIZE, GoneError, Store

_log = logging.getLogger(__name__)

Moved = Callable[[str, float, int], None]

_INLINE = 64 << 10  # bytes of a value that the loop's thread pickles itself
_FRAME = 4 << 20  # bytes of results that one frame takes before it is sent
SILENCE = 10.0  # seconds without a byte until a peer that owes us something is given up
_AHEAD = 64 << 20  # bytes that wait to be written before the next is made


class Transfer:
    """The connections to other workers, and those of others to us."""

    def __init__(
        self, scheduler: Address, store: Store, handle: Callable[[m.WorkerEvent], None]
    ) -> None:
        self._scheduler, self._store, self._handle = scheduler, store, handle
        self._addresses: dict[int, Address] = {}
        self._peers: dict[int, asyncio.Task[Connection]] = {}
        self._asked: dict[int, tuple[int, set[int]]] = {}  # request -> peer, keys to come
        self._requests = 0
        # told of what was fetched ("transfer", when it was asked for, bytes), if somebody watches
        self.moved: Moved | None = None
        self._begun: dict[int, float] = {}  # request -> when, if somebody watches
        self._guests: set[Connection] = set()
        self._awaiting: dict[int, list[tuple[Connection, int]]] = {}  # key -> guest and request
        self._pool = ThreadPoolExecutor(1, "plait-send")
        self._tasks: set[asyncio.Task[None]] = set()

    def learn(self, workers: Sequence[int], addresses: Sequence[str]) -> None:
        """Where others are. The token is the cluster's."""
        for worker, place in zip(workers, addresses, strict=True):
            self._addresses[worker] = peer_address(self._scheduler, place)

    def forget(self, workers: Sequence[int]) -> None:
        """Others that are gone."""
        for worker in workers:
            self._addresses.pop(worker, None)
            connection = self._peers.pop(worker, None)
            if connection is not None:
                connection.add_done_callback(_closed)

    def close(self) -> None:
        """End all connections."""
        self.forget(list(self._peers))
        for guest in list(self._guests):
            guest.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # --------------------------------------------------------------------------------------- asking

    def fetch(self, peer: int, keys: Sequence[int], making: bool) -> None:
        """Ask a worker for results; they go to the store, and the state is told."""
        self._spawn(self._fetch(peer, keys, making))

    async def _fetch(self, peer: int, keys: Sequence[int], making: bool) -> None:
        try:
            connection = await self._connection(peer)
        except (ConnectionError, PermissionError) as error:
            _log.info("Worker %d cannot be asked: %s", peer, error)
            self._peers.pop(peer, None)
            self._handle(m.NotFetched(peer, tuple(keys)))
            return
        self._requests += 1
        self._asked[self._requests] = peer, set(keys)
        if self.moved is not None:
            self._begun[self._requests] = time.monotonic()
        connection.send(*CODEC.encode([Get(self._requests, tuple(keys), making)]))
        if connection.gone:
            self._gone(peer)

    def _connection(self, peer: int) -> asyncio.Task[Connection]:
        known = self._peers.get(peer)
        if known is None or (known.done() and not known.cancelled() and known.exception()):
            known = self._peers[peer] = asyncio.get_running_loop().create_task(self._connect(peer))
        return known

    async def _connect(self, peer: int) -> Connection:
        address = self._addresses.get(peer)
        if address is None:
            raise ConnectionError(f"Nobody said where worker {peer} is")
        connection = await comm.connect(address, "worker")

        def receive(frames: list[Frame]) -> None:
            for frame in frames:
                for message in CODEC.decode(frame):
                    if isinstance(message, Got):
                        self._got(message)
                    elif isinstance(message, Values):
                        self._got_values(message)

        connection.receive = receive
        connection.closed = lambda _: self._gone(peer)
        connection.start()
        connection.insist(lambda: any(asked == peer for asked, _ in self._asked.values()), SILENCE)
        return connection

    def _gone(self, peer: int) -> None:
        self._peers.pop(peer, None)
        lost: list[int] = []
        for request, (asked, keys) in list(self._asked.items()):
            if asked == peer:
                lost += keys
                del self._asked[request]
                self._begun.pop(request, None)
        if lost:
            self._handle(m.NotFetched(peer, tuple(lost)))

    def _got(self, got: Got) -> None:
        asked = self._asked.get(got.request)
        if asked is None:
            return
        peer, waiting = asked
        here: list[int] = []
        sizes: list[int] = []
        missing: list[int] = []
        for key, packed in results_of(got):
            waiting.discard(key)
            if packed is None:
                missing.append(key)
                continue
            here.append(key)
            sizes.append(serialize.size(packed))
            self._store.put_packed(key, packed)
        self._came(got.request, sum(sizes), not waiting)
        self._tell(peer, here, sizes, missing)

    def _got_values(self, got: Values) -> None:
        asked = self._asked.get(got.request)
        if asked is None:
            return
        peer, waiting = asked
        waiting.difference_update(got.keys)
        self._store.put_plain(got.keys, serialize.load_plain(got.values))
        self._came(got.request, PLAIN_SIZE * len(got.keys), not waiting)
        self._tell(peer, got.keys, (PLAIN_SIZE,) * len(got.keys), ())

    def _came(self, request: int, size: int, whole: bool) -> None:
        """An answer, of which this was all or a piece."""
        if whole:
            del self._asked[request]
        begun = self._begun.pop(request, None)
        if begun is not None and self.moved is not None:
            self.moved("transfer", begun, size)
            if not whole:
                self._begun[request] = time.monotonic()

    def _tell(
        self, peer: int, here: Sequence[int], sizes: Sequence[int], missing: Sequence[int]
    ) -> None:
        if here:
            self._handle(m.Fetched(peer, tuple(here), tuple(sizes)))
        if missing:
            self._handle(m.NotFetched(peer, tuple(missing)))

    # -------------------------------------------------------------------------------------- serving

    def welcome(self, guest: Connection) -> None:
        """Somebody who may ask for results."""
        if guest.role not in ("worker", "client"):
            guest.close()
            return
        self._guests.add(guest)

        def receive(frames: list[Frame]) -> None:
            for frame in frames:
                for message in CODEC.decode(frame):
                    if isinstance(message, Get):
                        self._asked_for(guest, message)

        guest.receive = receive
        guest.closed = self._guests.discard
        guest.start()

    def _asked_for(self, guest: Connection, get: Get) -> None:
        if not get.making:
            self._serve(guest, get)
            return
        for key in get.keys:
            self._awaiting.setdefault(key, []).append((guest, get.request))
        self._handle(m.Awaited(get.keys))

    def serve(self, keys: Sequence[int]) -> None:
        """What others wait for is here now, or will not come."""
        answers: dict[tuple[Connection, int], list[int]] = {}
        for key in keys:
            for waiting in self._awaiting.pop(key, ()):
                answers.setdefault(waiting, []).append(key)
        for (guest, request), found in answers.items():
            self._serve(guest, Get(request, tuple(found)))

    def _serve(self, guest: Connection, get: Get) -> None:
        plain = self._store.plain(get.keys)
        if plain:
            values = serialize.dump_plain(plain.values())
            guest.send(*CODEC.encode([Values(get.request, tuple(plain), values)]))
        rest = get.keys if not plain else tuple([key for key in get.keys if key not in plain])
        if all(self._store.size(key) < _INLINE for key in rest):
            if rest:
                guest.send(*CODEC.encode([_answer(get.request, rest, map(self._made, rest))]))
        else:
            self._spawn(self._serve_large(guest, get.request, rest))

    async def _serve_large(self, guest: Connection, request: int, wanted: Sequence[int]) -> None:
        loop = asyncio.get_running_loop()
        for keys in self._in_frames(wanted):
            if guest.gone:
                return
            made = await loop.run_in_executor(self._pool, self._all_made, keys)
            guest.send(*CODEC.encode([_answer(request, keys, made)]))
            await guest.settle(_AHEAD)

    def _in_frames(self, wanted: Sequence[int]) -> Iterator[list[int]]:
        """The keys, as many at a time as one frame takes."""
        keys: list[int] = []
        weight = 0
        for key in wanted:
            keys.append(key)
            weight += self._store.size(key)
            if weight >= _FRAME:
                yield keys
                keys, weight = [], 0
        if keys:
            yield keys

    def _all_made(self, keys: Sequence[int]) -> list[tuple[int, Packed]]:
        return [self._made(key) for key in keys]

    def _made(self, key: int) -> tuple[int, Packed]:
        """A result as buffers, with what stands for their number."""
        try:
            packed = self._store.packed(key)
        except GoneError:
            return GONE, []
        except SerializationError as error:
            return UNSENDABLE, [serialize.join(serialize.dumps(serialize.Broken(str(error))))]
        return len(packed), packed

    def _spawn(self, work: object) -> None:
        task = asyncio.get_running_loop().create_task(work)  # type: ignore[var-annotated, arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A transfer failed", exc_info=task.exception())


def _answer(request: int, keys: Sequence[int], made: object) -> Got:
    pieces: list[int] = []
    buffers: list[Buffer] = []
    for count, packed in made:  # type: ignore[attr-defined]
        pieces.append(count)
        buffers += packed
    return Got(request, tuple(keys), tuple(pieces), tuple(buffers))  # type: ignore[arg-type]


def results_of(got: Got) -> list[tuple[int, Packed | None]]:
    """The results of an answer by key; None for those that are gone."""
    results: list[tuple[int, Packed | None]] = []
    place = 0
    for key, count in zip(got.keys, got.pieces, strict=True):
        if count == GONE:
            results.append((key, None))
            continue
        taken = 1 if count == UNSENDABLE else count
        results.append((key, list(got.buffers[place : place + taken])))
        place += taken
    return results


def peer_address(scheduler: Address, place: str) -> Address:
    """The address of a worker, with the means by which its scheduler was reached."""
    where = parse(place)
    return replace(scheduler, host=where.host, port=where.port, tls=where.tls)


def _closed(task: asyncio.Task[Connection]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
