"""A progress bar made of events.

Shown for what takes longer than a second, erased when it is over, never written where nobody
looks: to a terminal, or to a notebook's cell. One observer may follow several runs, one after the
other or at once; the bar shows them together.

    [#########-----------]  46%  1204/2600  scan 1200/2000, join 4/600  0:07  ~0:08 left

It redraws on events only, at most ten times a second, so it costs a clock reading per task.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from plait.scheduler.events import (
    Event,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
)

_BAR = 20
_CLEAR = "\r\x1b[K"


class Display(Protocol):
    """Where a line of progress is shown."""

    def show(self, line: str) -> None:
        """Replace what was shown before."""
        ...

    def erase(self) -> None:
        """Leave no trace."""
        ...


class TerminalDisplay:
    """The last line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, line: str) -> None:
        """See `Display`."""
        # One column is left free: some terminals wrap when the last is written.
        width = shutil.get_terminal_size().columns - 1
        self._write(_CLEAR + line[:width])

    def erase(self) -> None:
        """See `Display`."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class NotebookDisplay:
    """An output of the running cell, updated in place."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._output: Any = None

    def show(self, line: str) -> None:
        """See `Display`."""
        data = {"text/plain": line}
        if self._output is None:
            self._output = self._display(data, raw=True, display_id=True)
        else:
            self._output.update(data, raw=True)

    def erase(self) -> None:
        """See `Display`."""
        if self._output is not None:
            self._output.update({"text/plain": ""}, raw=True)
            self._output = None


def find_display(stream: TextIO | None = None) -> Display | None:
    """The notebook if we are in one, else the terminal, else None."""
    stream = sys.stderr if stream is None else stream
    # Looked up, not imported: who runs in a kernel has IPython loaded.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return NotebookDisplay(sys.modules["IPython.display"].display)
    # stderr is None under pythonw and in some services.
    return TerminalDisplay(stream) if stream is not None and stream.isatty() else None


class _Group:
    """How far the tasks of one name are."""

    __slots__ = ("active", "done", "total")

    def __init__(self) -> None:
        self.total = self.done = self.active = 0


class ProgressObserver:
    """An observer that shows how far runs are.

    Parameters
    ----------
    display : Display, optional
        Where to show it; by default the notebook or the terminal, or nowhere.
    delay : float
        Seconds before anything is shown.
    interval : float
        Least seconds between two drawings.
    clock : callable
        Seconds; for tests.
    """

    def __init__(
        self,
        display: Display | None = None,
        *,
        delay: float = 1.0,
        interval: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._display = find_display() if display is None else display
        self._delay = delay
        self._interval = interval
        self._clock = clock
        # Events of one run come one at a time, those of several runs do not.
        self._lock = threading.Lock()
        self._groups: dict[str, list[_Group]] = {}  # active run -> its groups
        self._names: dict[str, _Group] = {}
        self._started = 0.0
        self._next_draw = 0.0
        self._shown = False

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._display is None:
            return
        with self._lock:
            if isinstance(event, RunStarted):
                self._begin(event)
            elif isinstance(event, RunFinished | RunCancelled):
                self._end(event.run)
            elif event.run in self._groups:
                group = self._groups[event.run][event.group]
                group.active += 1 if isinstance(event, TaskStarted) else -1
                group.done += isinstance(event, TaskFinished)
                self._draw_if_due()

    def _begin(self, event: RunStarted) -> None:
        if not self._groups:
            self._started = self._clock()
            self._next_draw = self._started + self._delay
            self._names.clear()
        groups = []
        for summary in event.groups:
            group = self._names.setdefault(summary.name, _Group())
            group.total += summary.tasks
            groups.append(group)
        self._groups[event.run] = groups

    def _end(self, run: str) -> None:
        self._groups.pop(run, None)
        if not self._groups and self._shown and self._display is not None:
            self._display.erase()
            self._shown = False

    def _draw_if_due(self) -> None:
        now = self._clock()
        if now < self._next_draw or self._display is None:
            return
        self._next_draw = now + self._interval
        self._shown = True
        self._display.show(self.line(now - self._started))

    def line(self, seconds: float) -> str:
        """The text of the bar after so many seconds."""
        done = sum([group.done for group in self._names.values()])
        total = sum([group.total for group in self._names.values()])
        part = done / total if total else 0.0
        filled = int(part * _BAR)
        groups = ", ".join(
            [f"{name} {g.done}/{g.total}" for name, g in self._names.items() if g.active]
        )
        # A guess from little is worse than none.
        left = f"  ~{_clock_time(seconds / part - seconds)} left" if part > 0.02 else ""
        return (
            f"[{'#' * filled}{'-' * (_BAR - filled)}] {part:4.0%}  {done}/{total}  {groups}"
            f"  {_clock_time(seconds)}{left}"
        )


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
