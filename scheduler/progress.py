"""A progress bar made of events.

    with ProgressObserver(display) as observe:
        executor.submit(graph, want, observe).wait()

Shown for what takes longer than a second, erased when it is over, never written where nobody
looks: to a terminal, or to a notebook's cell. One observer follows all runs of one job, one after
the other or at once, and shows them together.

    [#########-----------]  46%  1204/2600  scan 1200/2000, join 4/600  0:07  ~0:08 left
    1204/2600+  scan 1200/2000, join 4/600  0:07

The second line is that of a run after which others come, of which nobody knows yet how many tasks
they have: a percentage, or the time left, would be made up.

Events are counted only, which costs next to nothing; a thread of the bar's own draws, so that the
seconds go on when a single task takes long.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

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
    # stderr is None under pythonw and in some services; a dumb terminal cannot erase a line.
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    return TerminalDisplay(stream)


def bar(part: float) -> str:
    """A bar of which so much is done, with the percentage."""
    # rounded down: 100% is said when it is over
    filled, percent = int(part * _BAR), int(part * 100)
    return f"[{'#' * filled}{'-' * (_BAR - filled)}] {percent:3}%"


def clock_time(seconds: float) -> str:
    """Seconds as a clock shows them: 0:07, 12:30, 1:00:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Group:
    """How far the tasks of one name are."""

    __slots__ = ("active", "done", "total")

    def __init__(self) -> None:
        self.total = self.done = self.active = 0


class ProgressObserver:
    """An observer that shows how far the runs of one job are, while it is entered.

    Parameters
    ----------
    display : Display
        Where to show it.
    delay : float
        Seconds before anything is shown.
    interval : float
        Seconds between two drawings.
    clock : callable
        Seconds; for tests.
    """

    def __init__(
        self,
        display: Display,
        *,
        delay: float = 1.0,
        interval: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._display = display
        self._delay = delay
        self._interval = interval
        self._clock = clock
        # Events of one run come one at a time, those of several runs do not.
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._runs: dict[str, list[_Group]] = {}  # active run -> its groups
        self._names: dict[str, _Group] = {}
        self._started = clock()
        self._more = False
        # When the latest run began, and what was done by then: its speed is that of the rest.
        self._since = self._started, 0
        self._shown = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep_drawing, name="plait-progress", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._over.set()
            if self._shown:
                self._display.erase()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            if isinstance(event, RunStarted):
                self._begin(event)
            elif isinstance(event, RunFinished | RunCancelled):
                for group in self._runs.pop(event.run, ()):
                    group.active = 0
            elif event.run in self._runs:
                group = self._runs[event.run][event.group]
                group.active += 1 if isinstance(event, TaskStarted) else -1
                group.done += isinstance(event, TaskFinished)

    def _begin(self, event: RunStarted) -> None:
        self._more = event.more
        self._since = self._clock(), self._done()
        groups = []
        for summary in event.groups:
            group = self._names.setdefault(summary.name, _Group())
            group.total += summary.tasks
            groups.append(group)
        self._runs[event.run] = groups

    def _keep_drawing(self) -> None:
        pause = self._delay
        while not self._over.wait(pause):
            self.draw()
            pause = self._interval

    def draw(self) -> None:
        """Show how far it is now, unless it is over."""
        with self._lock:
            if not self._over.is_set():
                self._shown = True
                self._display.show(self._line(self._clock()))

    def _done(self) -> int:
        return sum([group.done for group in self._names.values()])

    def _line(self, now: float) -> str:
        done = self._done()
        total = sum([group.total for group in self._names.values()])
        groups = ", ".join(
            [f"{name} {g.done}/{g.total}" for name, g in self._names.items() if g.active]
        )
        text = f"{groups}  {clock_time(now - self._started)}"
        if self._more or not total:
            return f"{done}/{total}+  {text}"
        since, before = self._since
        # A guess from little is worse than none.
        if done > before and (done - before) > 0.02 * (total - before):
            left = (now - since) * (total - done) / (done - before)
            text += f"  ~{clock_time(left)} left"
        return f"{bar(done / total)}  {done}/{total}  {text}"
