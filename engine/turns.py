"""Whose turn it is: one task's Python runs at a time, while loops of others do.

Between loops a task makes many short calls of numpy and Arrow, each of which may let the GIL go and
then waits to have it again. Two tasks that are at that together hand it to and fro all the time,
and every hand-over takes longer than such a call. So a task that comes out of a loop waits until
the other one is in a loop; from then on they are apart by themselves. TPC-H in memory takes a tenth
less processor time on two threads than without.

Nobody waits for long. Who has the turn may be about something that takes its time: then a task goes
on without, to its end, as all did before.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType

_PATIENCE = 0.001  # seconds
_LONG = 1 << 14  # rows or values, from which on a compiled call is worth a hand-over

_OUTSIDE, _MINE, _GIVEN, _WITHOUT = range(4)

_turn = threading.Lock()
_has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


class _State(threading.local):
    now = _OUTSIDE
    depth = 0  # of tasks that run inside one another on this thread


_state = _State()


def _take() -> int:
    return _MINE if _turn.acquire(timeout=_PATIENCE) else _WITHOUT


class TakingTurns:
    """A task, while it runs: `with taking_turns:`."""

    def __enter__(self) -> None:
        _state.depth += 1
        if _state.depth == 1 and _has_gil:  # a task inside a task shares its turn
            _state.now = _take()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _state.depth -= 1
        if _state.depth:
            return
        if _state.now == _MINE:
            _turn.release()
        _state.now = _OUTSIDE


taking_turns = TakingTurns()


class OthersTurn:
    """What needs no GIL for a while, of so many rows: `with OthersTurn(rows):`."""

    __slots__ = ("_gives",)

    def __init__(self, rows: int = _LONG) -> None:
        self._gives = rows >= _LONG and _state.now == _MINE

    def __enter__(self) -> None:
        if self._gives:
            _state.now = _GIVEN
            _turn.release()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._gives:
            _state.now = _take()
