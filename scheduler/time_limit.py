"""Calls that may take so long and no longer.

A thread of Python cannot be ended from outside. So the call is made on a thread of its own, and the
task's thread waits: when the time is over the task fails with `TaskTimeoutError`, and its worker
goes on with others. The call is told to stop, as in a cancelled run; if it does not look, it goes
on to its end, and nobody hears of what it gives. Its process is not killed, since other tasks
run and keep their results there.

The thread of the call takes the task's place in everything: its budget of memory, its scratch
folder, what it reports, and that it may wait for other tasks.
"""

from __future__ import annotations

import contextvars
import copy
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from plait.scheduler.context import Place, Seat, place_here, take_place
from plait.scheduler.errors import TaskTimeoutError

_LOOK = 0.1  # seconds between two looks whether the run was cancelled


class Limited:
    """A function whose calls fail with TaskTimeoutError after some seconds."""

    __slots__ = ("function", "seconds")

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self.function, self.seconds = function, seconds

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        attempt = _Attempt(self.function, args, kwargs)
        attempt.wait(self.seconds)
        return attempt.result()


def limited(function: Callable[..., Any], seconds: float | None) -> Callable[..., Any]:
    """The function within its time; itself if there is no limit."""
    return function if seconds is None else Limited(function, seconds)


def checked_limit(seconds: float | None) -> float | None:
    """A limit as a user gave it. ValueError unless it is more than nothing."""
    if seconds is not None and not seconds > 0:
        raise ValueError(f"time_limit is to be a number of seconds above 0, not {seconds}")
    return seconds


class _Attempt:
    """One call on its own thread."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._outer = place_here()
        self._place = _beside(self._outer)
        self._value: Any = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        surroundings = contextvars.copy_context()

        def call() -> None:
            take_place(self._place)
            try:
                self._value = surroundings.run(function, *args, **kwargs)
            except BaseException as error:
                self._error = error
            finally:
                self._done.set()

        threading.Thread(target=call, name="plait-limited", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Return when the call is done. TaskTimeoutError."""
        deadline = time.monotonic() + seconds
        theirs, ours = _flag(self._outer.seat), _flag(self._place.seat)
        try:
            while not self._done.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TaskTimeoutError(
                        f"The call was not done after its time_limit of {seconds:g} seconds; it "
                        "was told to stop and is not waited for"
                    )
                self._done.wait(min(left, _LOOK))
                if ours is not None and theirs is not None and theirs.is_set:
                    ours.is_set = True
        finally:
            if ours is not None and not self._done.is_set():
                ours.is_set = True

    def result(self) -> Any:
        """What the call gave or raised; its report becomes the task's."""
        seat = self._place.seat
        if seat is not None and self._outer.seat is not None:
            self._outer.seat.context = seat.context
        error, value = self._error, self._value
        self._error = self._value = None
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # it would be in a circle with this frame


def _beside(place: Place) -> Place:
    """The same place for another thread, with a flag of its own to be told to stop by."""
    seat = copy.copy(place.seat)
    if seat is not None:
        seat.context = None
        seat.run_flag = copy.copy(seat.run_flag)
    return Place(seat, place.home)


def _flag(seat: Seat | None) -> Any:
    return None if seat is None else seat.run_flag
