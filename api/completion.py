"""Futures as they are done: in a for loop, in an async for loop, one by `await`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from plait.futures import Future


class Completed:
    """Futures in the order in which they are done; each once, for `for` and for `async for`.

    Made by `Client.as_completed`.
    """

    def __init__(self, futures: Iterable[Future], timeout: float | None = None) -> None:
        self._futures = list(dict.fromkeys(futures))
        self._timeout = timeout

    def __iter__(self) -> Iterator[Future]:
        found = concurrent.futures.as_completed(self._futures, self._timeout)
        for future in found:
            assert isinstance(future, Future)
            yield future

    async def __aiter__(self) -> AsyncIterator[Future]:
        loop = asyncio.get_running_loop()
        done: asyncio.Queue[Future] = asyncio.Queue()
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        for future in self._futures:
            future.add_done_callback(partial(_into, loop, done))
        for _ in self._futures:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            yield await asyncio.wait_for(done.get(), left)


def _into(loop: asyncio.AbstractEventLoop, done: asyncio.Queue[Future], future: Any) -> None:
    # A loop that has ended wants to know nothing more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(done.put_nowait, future)


async def awaited(future: Future) -> Any:
    """The future's value. If the waiting asyncio task is cancelled, so is the call."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell(_: object) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, done)

    future.add_done_callback(tell)
    try:
        await done
    except asyncio.CancelledError:
        future.cancel()
        raise
    if future.cancelled():
        raise asyncio.CancelledError
    if future.away:
        # It comes over the network: the loop must not wait for that.
        return await loop.run_in_executor(None, future.result)
    return future.result()


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
