"""Store: one opened file system of fsspec's, shared by all threads, with bounded patience.

fsspec keeps an instance for each thread; plait keeps one for each set of options, so that all
threads share its connections. Drivers whose calls are coroutines (s3, gcs, azure, http) run on
fsspec's event loop, the others (hdfs, webhdfs, memory) on threads; at most `requests.parallel`
requests are under way at once either way.

A request is tried `requests.attempts` times, with growing pauses, when the failure may pass: an
overloaded server, a cut body, a connection that stalls. What cannot pass (no such file, no
permission, no credentials) is reported at once. Some drivers also try again by themselves; where
they can be told how patient to be, `_patience` does so.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from plait import config
from plait.errors import ReadError, UnsupportedError
from plait.io.store.access import Access
from plait.io.store.errors import ShortAnswerError, may_pass, told
from plait.io.store.get import ENDS, GETS, Answer, Get, by_driver
from plait.io.store.native import get_of

T = TypeVar("T")

# which extra of plait brings the driver of a protocol
EXTRAS = {
    "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "az": "azure", "abfs": "azure",
    "abfss": "azure", "http": "http", "https": "http", "hdfs": "hdfs", "webhdfs": "hdfs",
}  # fmt: skip
_OBJECT_STORES = {"s3", "gs", "az"}
_SLOWEST = 256 << 10  # bytes a second; a request may take the timeout and its bytes at this rate

_lock = threading.Lock()
_stores: dict[tuple[int, str], Store] = {}


def family(protocol: str) -> str:
    """One name for the protocols of one kind of store."""
    extra = EXTRAS.get(protocol, protocol)
    return {"s3": "s3", "gcs": "gs", "azure": "az", "http": "http"}.get(extra, protocol)


def open_store(url: str, access: Access) -> tuple[Store, str]:
    """The store of a URL, and the path within it."""
    import fsspec  # slow to import, and local files do without

    protocol = url.split("://", 1)[0]
    whole, options = access.whole(url), access.options_for(url)
    try:
        kind = fsspec.get_filesystem_class(protocol)
        found = kind._get_kwargs_from_urls(whole)  # a host, an account
        inner = str(kind._strip_protocol(whole))
    except ImportError as error:
        raise _missing_driver(protocol, error) from error
    except ValueError as error:
        raise ReadError(access.hide(f"{url}: {error}", url)) from None
    settled = {**found, **_patience(family(protocol), options), **options}
    settled["skip_instance_cache"] = True  # ours is the cache
    # of settings too: a pool of connections that is to be larger is another one
    driver = config.get("requests.driver")
    key = (os.getpid(), f"{family(protocol)} {driver} {sorted(settled.items(), key=str)!r}")
    with _lock:
        known = _stores.get(key)
        if known is None:
            try:
                fs = kind(**settled)
            except ImportError as error:
                raise _missing_driver(protocol, error) from error
            except Exception as error:
                raise told(error, url, access) from None
            if hasattr(fs, "dircache"):
                # all threads share it, and two that forget a listing at once meet a KeyError
                fs.dircache.use_listings_cache = False
            known = _stores[key] = Store(fs, family(protocol))
    return known, inner


def _missing_driver(protocol: str, error: ImportError) -> UnsupportedError:
    extra = EXTRAS.get(protocol)
    hint = f": pip install 'plait[{extra}]'" if extra else f" ({error})"
    return UnsupportedError(f"{protocol}:// needs a package that is not installed{hint}")


def _patience(family: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by which a driver keeps to our settings; those the user gave win."""
    parallel, seconds = config.get("requests.parallel"), config.get("requests.timeout")
    if family == "s3":
        ours = {
            "max_pool_connections": parallel,
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "retries": {
                "total_max_attempts": 1
            },  # s3fs tries again; once more within each is too much
        }
        return {"config_kwargs": {**ours, **(options.get("config_kwargs") or {})}}
    if family == "az":
        return {"connection_timeout": seconds, "read_timeout": seconds}
    if family == "gs":
        return {"requests_timeout": seconds}
    return {}


class Store:
    """A file system, and how its calls are run."""

    def __init__(self, fs: Any, family: str) -> None:
        self.fs, self.family = fs, family
        self.asynchronous = bool(getattr(fs, "async_impl", False))
        self.get: Get = get_of(fs, family) or GETS.get(family, by_driver)
        self._parallel = config.get("requests.parallel")
        self._pool: ThreadPoolExecutor | None = None
        self._gate: asyncio.Semaphore | None = None
        if family == "webhdfs":
            _limit_session(fs)

    @property
    def flat(self) -> bool:
        """Whether it has no folders: listing all below a prefix is as cheap as one level."""
        return self.family in _OBJECT_STORES

    # ------------------------------------------------------------------------------- requests

    def submit(self, once: Callable[[], Any], size: int, shown: str, access: Access) -> Future[Any]:
        """Starts a request that gives about `size` bytes: a coroutine function, or a function.

        The future raises a ReadError that names what is `shown`.
        """
        bound = config.get("requests.timeout") + size / _SLOWEST
        attempts = config.get("requests.attempts")
        if self.asynchronous:
            tried = self._tried(once, bound, attempts, shown, access)
            return asyncio.run_coroutine_threadsafe(tried, self.fs.loop)
        with _lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._parallel, "plait-store")
        return self._pool.submit(_tried, once, attempts, shown, access)

    async def _tried(
        self,
        once: Callable[[], Awaitable[Any]],
        bound: float,
        attempts: int,
        shown: str,
        access: Access,
    ) -> Any:
        if self._gate is None:  # made where it is used: on the loop
            self._gate = asyncio.Semaphore(self._parallel)
        for attempt in range(attempts):
            try:
                async with self._gate:
                    return await asyncio.wait_for(once(), bound)
            except Exception as error:
                if attempt + 1 == attempts or not may_pass(error):
                    raise told(error, shown, access, attempt + 1) from None
            await asyncio.sleep(_pause(attempt))
        raise AssertionError("unreachable")

    def call(self, method: str, path: str, shown: str, access: Access, **options: Any) -> Any:
        """A call of the file system that reads names and sizes, never data."""
        self.fs.invalidate_cache()  # what was listed before says nothing of now
        if self.asynchronous:
            return self._listing(getattr(self.fs, f"_{method}"), path, shown, access, options)
        once = partial(getattr(self.fs, method), path, **options)
        return _tried(once, config.get("requests.attempts"), shown, access)

    def ending(self, path: str, count: int, shown: str, access: Access) -> Answer | None:
        """The last bytes of a file, with its size and identity; None if there is no asking so."""
        if self.family not in ENDS:
            return None

        async def once() -> Answer | None:
            try:
                answer = await self.get(self.fs, path, (-count, 0))
            except Exception as error:
                if may_pass(error):
                    raise
                return None  # a folder, an empty file, a mistake: asking after it will tell
            if answer.size is None or not answer.identity:
                return None
            if len(answer.data) != min(count, answer.size):
                raise ShortAnswerError(f"asked for {count} bytes, got {len(answer.data)}")
            return answer

        found: Answer | None = self.submit(once, count, shown, access).result()
        return found

    def _listing(
        self, method: Any, path: str, shown: str, access: Access, options: Mapping[str, Any]
    ) -> Any:
        # a listing of a million names takes its time: a page that stalls is the driver's to notice
        once = partial(method, path, **options)
        pages = 1 << 30 if "find" in method.__name__ else 1 << 20
        return self.submit(once, pages, shown, access).result()


def _tried(once: Callable[[], T], attempts: int, shown: str, access: Access) -> T:
    for attempt in range(attempts):
        try:
            return once()
        except Exception as error:
            if attempt + 1 == attempts or not may_pass(error):
                raise told(error, shown, access, attempt + 1) from None
        time.sleep(_pause(attempt))
    raise AssertionError("unreachable")


def _pause(attempt: int) -> float:
    """Seconds before the next try; by chance, so that many do not come back at once."""
    return float(min(0.2 * 2**attempt, 5.0) * random.uniform(0.5, 1.0))


def _limit_session(fs: Any) -> None:
    """WebHDFS asks through a session of `requests`, which by itself waits for ever."""
    session = fs.session
    session.request = partial(session.request, timeout=config.get("requests.timeout"))
