"""A progress bar fed by the executor's events: one line on stderr, for what takes over a second.

It is drawn when the setting `progress` is on, or auto and stderr is a terminal or a notebook, where
carriage returns work as well. Events come on the threads of the workers: counting is all that is
done there, and the line is drawn at most ten times a second.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from plait.config import Config
from plait.scheduler.events import (
    Event,
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
)

_PATIENCE = 1.0
_PAUSE = 0.1
_WIDTH = 24


class ProgressBar:
    """Counts tasks and draws how many are done."""

    def __init__(self, out: TextIO, clock: object = None) -> None:
        self._out = out
        self._clock = clock if callable(clock) else time.monotonic
        self._lock = threading.Lock()
        self._total = self._done = 0
        self._runs: dict[str, tuple[str, ...]] = {}
        self._started = self._drawn = 0.0
        self._name = ""
        self._shown = False

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            now = self._clock()
            match event:
                case RunStarted(run=run, groups=groups):
                    if not self._runs:
                        self._started, self._total, self._done = now, 0, 0
                    self._runs[run] = tuple(group.name for group in groups)
                    self._total += sum(group.tasks for group in groups)
                case TaskStarted(run=run, group=group):
                    self._name = self._runs.get(run, ())[group] if run in self._runs else ""
                case TaskFinished():
                    self._done += 1
                case RunFinished(run=run) | RunCancelled(run=run):
                    self._runs.pop(run, None)
                    if not self._runs:
                        self._clear()
                    return
            if now - self._started >= _PATIENCE and now - self._drawn >= _PAUSE:
                self._draw(now)

    def _draw(self, now: float) -> None:
        self._drawn, self._shown = now, True
        part = self._done / max(1, self._total)
        filled = int(part * _WIDTH)
        bar = "█" * filled + "·" * (_WIDTH - filled)
        seconds = now - self._started
        line = f"{bar} {self._done}/{self._total} tasks, {seconds:.0f} s  {self._name}"
        self._out.write("\r" + line[:78].ljust(78))
        self._out.flush()

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r" + " " * 78 + "\r")
            self._out.flush()
            self._shown = False


def observer(config: Config) -> Observer | None:
    """What the settings ask for: a bar on stderr, or nothing."""
    wanted = config.get("progress")
    if wanted == "off" or (wanted == "auto" and not _is_watched(sys.stderr)):
        return None
    return ProgressBar(sys.stderr)


def _is_watched(out: TextIO) -> bool:
    """Whether a person sees the output as it comes: a terminal or a notebook."""
    try:
        return out.isatty() or type(out).__module__.startswith("ipykernel")
    except (AttributeError, ValueError):
        return False
