"""Settings of the Python interpreter that hold while we are at work, and the user's own after it.

`deep_trees`: plans and expressions are trees that are walked by recursion, several Python frames
a level; Python's limit of 1000 frames is soon reached by text that a program wrote. Walking through
`hash` and `map` takes C stack too, about a kilobyte a level: the limit stays far below what the
8 MB of a thread hold.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from types import TracebackType
from typing import Generic, TypeVar

from plait.errors import PlanError

T = TypeVar("T", int, float)

_FRAMES = 20_000


class Meanwhile(ContextDecorator, Generic[T]):
    """Holds a setting while at least one thread is inside; a context manager and a decorator.

    Parameters
    ----------
    read, write : the two functions of `sys`
    better : the value to set, from the user's own
    """

    def __init__(
        self, read: Callable[[], T], write: Callable[[T], None], better: Callable[[T], T]
    ) -> None:
        self._read: Callable[[], T] = read
        self._write: Callable[[T], None] = write
        self._better: Callable[[T], T] = better
        self._lock = threading.Lock()
        self._inside = 0
        self._before: T = read()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = self._read()
                self._write(self._better(self._before))
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._write(self._before)


deep_trees = Meanwhile(
    sys.getrecursionlimit, sys.setrecursionlimit, lambda before: max(before, _FRAMES)
)


@contextmanager
def plannable() -> Iterator[None]:
    """Room for deep trees; PlanError where it is not enough."""
    with deep_trees:
        try:
            yield
        except RecursionError:
            raise PlanError(
                "This query is nested too deeply to be planned; compute a part of it first,"
                " with persist() or CREATE TABLE ... AS"
            ) from None
