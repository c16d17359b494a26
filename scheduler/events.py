"""What happens during a run, as frozen values.

An executor hands them to the run's observer: a progress bar, a dashboard, a test. Of one run they
come one at a time and in order (a task's finish before the start of a task that needs it), but on
whichever thread they happened, so an observer has to be quick and must not wait for the run.

    RunStarted  (TaskStarted (TaskFinished | TaskFailed))*  (RunFinished | RunCancelled)

A task that failed and is retried starts again. After the last event of a run nothing follows, even
if tasks that could not be stopped are still running. Without an observer no event is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One group of a run: its name, the plan's note, and how many of its tasks will run."""

    name: str
    note: str
    tasks: int


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins. `groups` is indexed by the group numbers of the later events.

    `more`: further runs of the same job are to follow, not known yet (see `followed`).
    """

    run: str
    groups: tuple[GroupSummary, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A worker begins a task."""

    run: str
    task: int
    group: int
    worker: str


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task has its result. `metrics` is what the task reported of itself."""

    run: str
    task: int
    group: int
    worker: str
    seconds: float
    metrics: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A task raised. If `retrying`, it will start again; otherwise the run fails."""

    run: str
    task: int
    group: int
    worker: str
    seconds: float
    error: BaseException
    retrying: bool


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run ended: with its results, or with the error that stopped it."""

    run: str
    seconds: float
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """A run was cancelled."""

    run: str
    seconds: float


Event = RunStarted | TaskStarted | TaskFinished | TaskFailed | RunFinished | RunCancelled
Observer = Callable[[Event], None]


def followed(observe: Observer | None) -> Observer | None:
    """The observer as one for a run that will be followed by others of the same job."""
    if observe is None:
        return None

    def told(event: Event) -> None:
        observe(replace(event, more=True) if isinstance(event, RunStarted) else event)

    return told
