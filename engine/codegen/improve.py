"""A thread that makes better code of what is used much, while nobody waits for code.

It lives as long as there is something to do. What it has not begun when the process ends is left
to the next process.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from typing import Protocol

_log = logging.getLogger(__name__)

_QUIET = 0.25  # seconds since somebody waited for code: the next would wait for LLVM


class Improvable(Protocol):
    def improve(self) -> None: ...


class _Improver:
    def __init__(self) -> None:
        self.asked = 0.0  # when somebody waited for code
        self._ending = threading.Event()
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Improvable] = deque()
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """In a child of fork() there is no such thread; what it had to do is done by the parent."""
        self._renew()

    def add(self, module: Improvable) -> None:
        with self._lock:
            if self._ending.is_set():
                return
            self._waiting.append(module)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="plait-compiler", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        while True:
            self._wait()
            with self._lock:
                if not self._waiting or self._ending.is_set():
                    self._thread = None
                    return
                module = self._waiting.popleft()
            try:
                module.improve()
            except Exception:
                _log.warning("Code could not be optimised; it stays as it is", exc_info=True)

    def _wait(self) -> None:
        while (left := self.asked + _QUIET - time.monotonic()) > 0:
            if self._ending.wait(left):
                return

    def finish(self) -> None:
        """Return when all is done that was asked for."""
        while (thread := self._thread) is not None:
            thread.join()

    def end(self) -> None:
        """The process ends: LLVM must not be at work then."""
        self._ending.set()
        self.finish()


_improver = _Improver()
atexit.register(_improver.end)
os.register_at_fork(after_in_child=_improver.after_fork)


def improve_soon(module: Improvable) -> None:
    """Let a module become better when nobody waits for code."""
    _improver.add(module)


def keep_quiet() -> None:
    """Somebody waits for code now."""
    _improver.asked = time.monotonic()


def finish() -> None:
    """Return when there is nothing left to improve."""
    _improver.finish()
