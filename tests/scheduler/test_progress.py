from __future__ import annotations

import io
import sys
import threading
import types
from typing import Any

import pytest

from plait.scheduler.events import (
    Event,
    GroupSummary,
    Observer,
    RunCancelled,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
    followed,
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


def begin(run: str = "r", tasks: int = 4, more: bool = False) -> RunStarted:
    return RunStarted(run, (GroupSummary("scan", "", tasks), GroupSummary("sum", "", 1)), more)


def work(observe: Observer, run: str, tasks: int, group: int = 0) -> None:
    """Tell of tasks that start and finish."""
    for task in range(tasks):
        observe(TaskStarted(run, task, group, "w"))
        observe(TaskFinished(run, task, group, "w", 1.0, {}))


def test_nothing_is_shown_for_short_jobs() -> None:
    display = Recorder()
    with ProgressObserver(display) as observe:
        observe(begin())
        work(observe, "r", 4)
        observe(RunFinished("r", 0.9))
    assert display.lines == []


def test_nothing_is_drawn_after_the_end() -> None:
    display = Recorder()
    with ProgressObserver(display, delay=1e6) as observe:
        observe.draw()
    observe.draw()
    assert display.lines == ["0/0+    0:00", ""]


def test_share_and_time_left() -> None:
    display, clock = Recorder(), Clock()
    observe = ProgressObserver(display, clock=clock)
    observe(begin())
    observe.draw()
    for task in range(2):
        observe(TaskStarted("r", task, 0, "w"))
    clock.now += 62
    observe(TaskFinished("r", 0, 0, "w", 2.0, {}))
    observe(TaskFailed("r", 1, 0, "w", 2.0, ValueError(), retrying=True))
    observe(TaskStarted("r", 1, 0, "w"))
    observe.draw()
    assert display.lines == [
        "[--------------------]   0%  0/5    0:00",
        "[####----------------]  20%  1/5  scan 1/4  1:02  ~4:08 left",
    ]


def test_all_is_done_only_at_the_end() -> None:
    display = Recorder()
    observe = ProgressObserver(display, clock=Clock())
    observe(begin(tasks=999))
    work(observe, "r", 999)
    observe.draw()
    assert display.lines == ["[###################-]  99%  999/1000    0:00  ~0:00 left"]


def test_runs_at_once_share_the_bar() -> None:
    display = Recorder()
    observe = ProgressObserver(display, clock=Clock())
    observe(begin("a"))
    observe(begin("b", 14))
    observe(TaskStarted("b", 3, 0, "w"))
    observe.draw()
    observe(RunCancelled("b", 1.0))
    observe.draw()
    assert display.lines == [
        "[--------------------]   0%  0/20  scan 0/18  0:00",
        "[--------------------]   0%  0/20    0:00",
    ]


def test_nothing_is_promised_while_more_is_to_come() -> None:
    """A job of two runs: what the second has to do is not known during the first."""
    display, clock = Recorder(), Clock()
    observe = ProgressObserver(display, clock=clock)
    observe(begin("a", 10, more=True))
    work(observe, "a", 9)
    clock.now += 30
    observe.draw()
    work(observe, "a", 1)
    work(observe, "a", 1, group=1)
    observe(RunFinished("a", 30.0))
    observe.draw()
    observe(begin("b", 10))
    work(observe, "b", 5)
    clock.now += 10
    observe.draw()
    assert display.lines == [
        "9/11+    0:30",
        "11/11+    0:30",
        # 5 of the run's tasks in 10 seconds, so 12 for the other 6
        "[##############------]  72%  16/22    0:40  ~0:12 left",
    ]


def test_runs_that_are_followed_say_so() -> None:
    seen: list[Event] = []
    observe = followed(seen.append)
    assert observe is not None
    observe(begin())
    observe(RunFinished("r", 1.0))
    assert seen == [begin(more=True), RunFinished("r", 1.0)]
    assert followed(None) is None


def test_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    display = find_display(stream)
    assert isinstance(display, TerminalDisplay)
    display.show("x" * 1000)
    display.erase()
    first, last = stream.getvalue().split("\r")[1:]
    assert first.startswith("\x1b[Kxxx")
    assert len(first) < 1000
    assert last == "\x1b[K"


def test_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_display(io.StringIO()) is None
    monkeypatch.setenv("TERM", "dumb")
    assert find_display(Terminal()) is None


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
    drawn = threading.Event()

    class Signalling(Recorder):
        def show(self, line: str) -> None:
            display.show(line)
            drawn.set()

        def erase(self) -> None:
            display.erase()

    graph = TaskGraph()
    group = graph.add_group(TaskGroup("work", lambda _: drawn.wait(60)))
    refs = [Ref(graph.add_task(group, (i,))) for i in range(20)]
    with (
        ThreadExecutor(2) as executor,
        ProgressObserver(Signalling(), delay=0.01, interval=0.01) as observe,
    ):
        executor.submit(graph, refs, observe).result()
        observe.draw()
    assert display.lines[0] == "[--------------------]   0%  0/20  work 0/20  0:00"
    assert "20/20" in display.lines[-2]
    assert display.lines[-1] == ""
