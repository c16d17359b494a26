"""plait.Client: single calls on plait's executors, as `concurrent.futures` has them (PEP 3148).

    with plait.Client() as client:
        parts = [client.submit(load, path) for path in paths]     run at once, side by side
        total = client.submit(sum, parts)                         when they are done
        total.result()

The skin of `plait.dispatch`: what is asked of a call, in many forms, and how results come back.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import Executor as StandardExecutor
from types import TracebackType
from typing import Any, Self

from plait.completion import Completed
from plait.dispatch import Dispatcher, Job, Resources
from plait.errors import ConfigError, UnsupportedError
from plait.futures import Future
from plait.holes import found, replaced
from plait.scheduler.executor import Executor
from plait.scheduler.time_limit import checked_limit
from plait.session import Session, connect, default_session

_OURS = ("retries", "priority", "resources", "time_limit")


class Client(StandardExecutor):
    """Runs single calls, and gives a future for each.

    A `concurrent.futures.Executor`: whatever takes one takes a Client, and its futures work with
    `concurrent.futures.wait`, `as_completed` and `asyncio`. Beyond that, futures may be arguments
    of further calls, alone or nested in lists, tuples, sets, dicts and dataclasses.

    Parameters
    ----------
    address : str, Session or executor, optional
        Where to run: what `plait.connect` takes, such as "threads", "inline", "dask://host:8786"
        or a client of Dask; or a session or executor, which stays open when the client is shut
        down. By default the threads that plait's queries run on too.
    max_workers : int, optional
        Threads of the client's own.
    **config
        Settings of the connection; see `plait.connect`.

    Examples
    --------
    >>> import plait
    >>> with plait.Client(max_workers=2) as client:
    ...     squares = client.map(pow, range(4), [2] * 4)
    ...     total = client.submit(sum, list(squares))
    ...     total.result()
    14
    """

    def __init__(
        self,
        address: Any = None,
        *,
        max_workers: int | None = None,
        **config: Any,
    ) -> None:
        if max_workers is not None:
            if max_workers <= 0:
                raise ValueError("max_workers must be greater than 0")
            if address not in (None, "threads"):
                raise ConfigError(
                    "max_workers sets the number of threads of this process; the workers of"
                    f" {address!r} are set where they are started"
                )
            config["threads"] = max_workers
        executor, close = _executor(address, config)
        self._dispatcher = Dispatcher(executor, close)
        # Of a client that is forgotten, what it was asked for is still done.
        weakref.finalize(self, self._dispatcher.shutdown, False, False).atexit = False

    @property
    def executor(self) -> Executor:
        """What the calls run on."""
        return self._dispatcher.executor

    @property
    def closed(self) -> bool:
        """Whether it takes no more calls."""
        return self._dispatcher.closing

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Have `fn(*args, **kwargs)` called.

        Parameters
        ----------
        fn : callable
        *args, **kwargs
            Futures among them, also nested, are replaced by their values; the call then waits for
            them, and if one fails or is cancelled, so is it.
        retries : int, optional
            How many times the call may raise and be made again.
        priority : int, optional
            Calls with a higher one start first; 0 by default.
        resources : mapping, optional
            What a worker must offer, such as `{"GPU": 1}`; threads of this process offer
            everything.
        time_limit : float, optional
            Seconds after its start, each time it is made, until the call fails with
            `TaskTimeoutError`. It is then told to stop and not waited for.

        Returns
        -------
        Future

        Raises
        ------
        RuntimeError
            After `shutdown`.
        TypeError
            If `fn` has itself a parameter named like one of ours: give that by `functools.partial`.

        Examples
        --------
        >>> import plait
        >>> with plait.Client(max_workers=2) as client:
        ...     half = client.submit(divmod, 85, 2, retries=1)
        ...     client.submit(sum, [half, [1]][0]).result()
        43
        """
        options = _options(fn, kwargs) if not kwargs.keys().isdisjoint(_OURS) else {}
        job = Job(self._dispatcher, fn, args, kwargs, **options)
        future = job.future
        self._dispatcher.submit([job])
        return future

    def map(  # type: ignore[override]
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Call `fn` with one item of each iterable, side by side; the results in order.

        Parameters
        ----------
        fn : callable
        *iterables
            Read to the end at once, unless there is a `buffersize`.
        timeout : float, optional
            Seconds from now after which waiting for a result raises TimeoutError.
        chunksize : int
            How many calls go together as one task: for calls that take microseconds.
        buffersize : int, optional
            At most so many tasks are on their way while results are not taken, so that the
            iterables may be endless.
        **options
            `retries`, `priority`, `resources`, `time_limit` (of a task): see `submit`.

        Returns
        -------
        iterator
            Of values. The first call that failed ends it with its error, and what has not started
            then does not start; nor does it if the iterator is closed.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        wrong = [name for name in options if name not in _OURS]
        if wrong:
            raise TypeError(f"map() got an unexpected keyword argument {wrong[0]!r}")
        made = _made(options)
        deadline = None if timeout is None else time.monotonic() + timeout
        items: Iterator[tuple[Any, ...]] = zip(*iterables, strict=False)
        if chunksize > 1:
            chunks = iter(lambda: list(itertools.islice(items, chunksize)), [])
            calls = (Job(self._dispatcher, _call_each, (fn, c), {}, **made) for c in chunks)
        else:
            calls = (Job(self._dispatcher, fn, item, {}, **made) for item in items)
        # In pieces, each one graph: the first calls run while the others are read.
        waiting: deque[Future] = deque()
        more = functools.partial(self._submit_some, calls, waiting)
        if buffersize is None:
            while more(1000):
                pass
        else:
            more(buffersize)
        results = _in_order(waiting, deadline, None if buffersize is None else more)
        return itertools.chain.from_iterable(results) if chunksize > 1 else results

    def _submit_some(self, calls: Iterator[Job], into: deque[Future], count: int) -> bool:
        jobs = list(itertools.islice(calls, count))
        into.extend([job.future for job in jobs])
        if jobs:
            self._dispatcher.submit(jobs)
        return bool(jobs)

    def gather(self, futures: Any, errors: str = "raise") -> Any:
        """The values of futures, which may be nested in containers.

        Parameters
        ----------
        futures
            A future, or lists, tuples, sets, dicts and dataclasses with futures in them.
        errors : "raise" or "skip"
            With "skip", failed and cancelled futures are left out of a list.

        Examples
        --------
        >>> import plait
        >>> with plait.Client(max_workers=1) as client:
        ...     client.gather({"a": client.submit(abs, -1), "b": [client.submit(len, "xy"), 3]})
        {'a': 1, 'b': [2, 3]}
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors is to be 'raise' or 'skip', not {errors!r}")
        if errors == "skip" and isinstance(futures, list | tuple):
            futures = [one for one in futures if not _is_future(one) or _succeeded(one)]
        for one in found(futures, _is_future):
            one.result()
        return replaced(futures, _is_future, Future.result)

    def scatter(self, data: Any) -> Any:
        """Put data where the calls will run, once, for calls that share them.

        Parameters
        ----------
        data
            A list gives a list of futures, one for each item; a dict a dict; anything else a
            future.
        """
        if type(data) is list:
            return [self.submit(_itself, item) for item in data]
        if type(data) is dict:
            return {key: self.submit(_itself, item) for key, item in data.items()}
        return self.submit(_itself, data)

    def cancel(self, futures: Any) -> None:
        """Cancel futures, nested at will, that have not started."""
        for future in found(futures, _is_future):
            future.cancel()

    def as_completed(self, futures: Iterable[Future], timeout: float | None = None) -> Completed:
        """The futures in the order in which they are done, for `for` and `async for`.

        Raises TimeoutError if they are not all done `timeout` seconds after the loop began.
        """
        return Completed(futures, timeout)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and let go of the workers when those there are have been made.

        Parameters
        ----------
        wait : bool
            Return when all is done.
        cancel_futures : bool
            Cancel what has not started.
        """
        self._dispatcher.shutdown(wait, cancel_futures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.shutdown)

    def __repr__(self) -> str:
        executor = self._dispatcher.executor
        return f"<plait.Client on {type(executor).__name__} of {executor.workers} workers>"

    def __reduce__(self) -> Any:
        raise TypeError("A Client cannot be pickled; make one where it is needed")


def _executor(address: Any, config: dict[str, Any]) -> tuple[Executor, Callable[[], None] | None]:
    """What to run on, and how to let go of it, if that is ours to do."""
    if address is None and not config:
        return default_session().executor, None
    if not isinstance(address, Session | Executor):
        session = connect("threads" if address is None else address, **config)
        return session.executor, session.close
    if config:
        raise ConfigError(f"{address!r} has its settings already; {', '.join(config)} comes late")
    return (address.executor if isinstance(address, Session) else address), None


def _options(fn: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take our own options out of a call's keyword arguments."""
    try:
        parameters: Mapping[str, Any] = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # of functions written in C
        parameters = {}
    options = {name: kwargs.pop(name) for name in _OURS if name in kwargs}
    for name in options:
        if name in parameters:
            raise TypeError(
                f"submit() takes {name!r} for itself, and {getattr(fn, '__name__', fn)!r} has such"
                f" a parameter too: give it by functools.partial(function, {name}=...)"
            )
    return _made(options)


def _made(options: dict[str, Any]) -> dict[str, Any]:
    """Options as a call holds them."""
    resources: Mapping[str, float] | None = options.get("resources")
    if resources is not None:
        wanted: Resources = tuple([(name, float(n)) for name, n in sorted(resources.items())])
        options["resources"] = wanted
    if options.get("retries", 0) < 0:
        raise ValueError(f"retries cannot be {options['retries']}")
    checked_limit(options.get("time_limit"))
    return options


def _in_order(
    waiting: deque[Future], deadline: float | None, more: Callable[[int], bool] | None
) -> Iterator[Any]:
    # Not a generator itself: `map` submits before its iterator is first asked.
    def results() -> Iterator[Any]:
        try:
            while waiting:
                # Out of the queue, and of our variables, before its value is handed over.
                yield _taken(waiting, deadline)
                if more is not None:
                    more(1)
        finally:
            for future in waiting:
                future.cancel()

    return results()


def _taken(waiting: deque[Future], deadline: float | None) -> Any:
    future = waiting.popleft()
    try:
        left = None if deadline is None else deadline - time.monotonic()
        return future.result(left)
    finally:
        future.cancel()
        del future  # a failed one would be in a circle with its error


def _call_each(fn: Callable[..., Any], chunk: list[tuple[Any, ...]]) -> list[Any]:
    return [fn(*args) for args in chunk]


def _itself(value: Any) -> Any:
    return value


def _is_future(item: object) -> bool:
    return isinstance(item, Future)


def _succeeded(future: Future) -> bool:
    try:
        return future.exception() is None
    except CancelledError:
        return False


def register_joblib(default: bool = False) -> None:
    """Let joblib, and so scikit-learn, run on plait: as the backend named "plait".

    Parameters
    ----------
    default : bool
        Use it also where no backend is named.

    Raises
    ------
    UnsupportedError
        Without joblib.

    Examples
    --------
    >>> import joblib, plait
    >>> plait.register_joblib()
    >>> with joblib.parallel_backend("plait"):
    ...     joblib.Parallel()(joblib.delayed(abs)(-i) for i in range(4))
    [0, 1, 2, 3]

    With a client of your own: `joblib.parallel_backend("plait", client=client)`.
    """
    try:
        import joblib

        from plait.joblib_backend import PlaitBackend
    except ImportError as error:
        raise UnsupportedError("register_joblib needs joblib: pip install joblib") from error
    joblib.register_parallel_backend("plait", PlaitBackend, make_default=default)
