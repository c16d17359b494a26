from __future__ import annotations

import io
import sys
import types
from typing import Any

import pytest

from plait.scheduler.events import (
    GroupSummary,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from plait.scheduler.graph import Ref, TaskGraph, TaskGroup
from plait.scheduler.local import ThreadExecutor
from plait.scheduler.progress import (
    NotebookDisplay,
    ProgressObserver,
    TerminalDisplay,
    find_display,
)


class Recorder:
    """A display that remembers; an empty string stands for erased."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def show(self, line: str) -> None:
        self.lines.append(line)

    def erase(self) -> None:
        self.lines.append("")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def begin(run: str = "r", tasks: int = 4) -> RunStarted:
    return RunStarted(run, (GroupSummary("scan", "", tasks), GroupSummary("sum", "", 1)))


def test_nothing_is_shown_for_short_runs() -> None:
    display, clock = Recorder(), Clock()
    observe = ProgressObserver(display, clock=clock)
    observe(begin())
    clock.now += 0.9
    observe(TaskStarted("r", 0, 0, "w"))
    observe(TaskFinished("r", 0, 0, "w", 0.9, {}))
    observe(RunFinished("r", 0.9))
    assert display.lines == []


def test_bar_is_drawn_at_intervals_and_erased() -> None:
    display, clock = Recorder(), Clock()
    observe = ProgressObserver(display, clock=clock)
    observe(begin())
    for task in range(2):
        observe(TaskStarted("r", task, 0, "w"))
    clock.now += 62
    observe(TaskFinished("r", 0, 0, "w", 2.0, {}))
    observe(TaskFailed("r", 1, 0, "w", 2.0, ValueError(), retrying=True))
    clock.now += 0.2
    observe(TaskStarted("r", 1, 0, "w"))
    observe(RunCancelled("r", 62.3))
    assert display.lines == [
        "[####----------------]  20%  1/5  scan 1/4  1:02  ~4:08 left",
        "[####----------------]  20%  1/5  scan 1/4  1:02  ~4:08 left",
        "",
    ]


def test_runs_at_once_share_the_bar() -> None:
    display, clock = Recorder(), Clock()
    observe = ProgressObserver(display, clock=clock, delay=0)
    observe(begin("a"))
    observe(begin("b", 14))
    observe(TaskStarted("b", 3, 0, "w"))
    observe(RunFinished("a", 1.0))
    assert display.lines == ["[--------------------]   0%  0/20  scan 0/18  0:00"]
    observe(RunFinished("b", 1.0))
    assert display.lines[-1] == ""


def test_terminal() -> None:
    stream = Terminal()
    display = find_display(stream)
    assert isinstance(display, TerminalDisplay)
    display.show("x" * 1000)
    display.erase()
    first, last = stream.getvalue().split("\r")[1:]
    assert first.startswith("\x1b[Kxxx")
    assert len(first) < 1000
    assert last == "\x1b[K"


def test_no_terminal() -> None:
    assert find_display(io.StringIO()) is None


def test_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Output:
        def update(self, data: dict[str, str], raw: bool) -> None:
            shown.append(data["text/plain"])

    def display(data: dict[str, str], **options: Any) -> Output:
        shown.append(data["text/plain"])
        return Output()

    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module: Any = types.ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    found = find_display(io.StringIO())
    assert isinstance(found, NotebookDisplay)
    for line in ("one", "two"):
        found.show(line)
    found.erase()
    assert shown == ["one", "two", ""]


def test_with_an_executor() -> None:
    display = Recorder()
    graph = TaskGraph()
    group = graph.add_group(TaskGroup("work", int))
    refs = [Ref(graph.add_task(group, (i,))) for i in range(20)]
    with ThreadExecutor(2) as executor:
        observe = ProgressObserver(display, delay=0, interval=0)
        executor.submit(graph, refs, observe).result()
    assert "20/20" in display.lines[-2]
    assert display.lines[-1] == ""
