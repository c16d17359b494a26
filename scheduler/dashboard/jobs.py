"""Queries and how far they are.

A *job* is what a user asked for at once: one run, or several that follow each other, as when a plan
is chosen in steps. Its *stages* are the groups of its runs, by name: waves of one stage add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from plait.scheduler.events import GroupSummary

JobState = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Stage:
    """Tasks of one name: how many there are, are done, and what they measured.

    `note` is the text of the plan behind it. Its first line is of the stage as a whole, the
    following ones are operators: `operator_rows` counts the rows of those, from 0.
    """

    name: str
    note: str
    tasks: int = 0
    done: int = 0
    failed: int = 0
    active: int = 0
    rows: int = 0
    bytes: int = 0
    spilled: int = 0
    seconds: float = 0.0
    operator_rows: dict[int, int] = field(default_factory=dict)

    def progress(self) -> list[object]:
        """What changes while it runs."""
        return [
            self.done,
            self.failed,
            self.active,
            self.rows,
            self.bytes,
            self.spilled,
            round(self.seconds, 6),
            self.operator_rows,
        ]


@dataclass(slots=True)
class Job:
    """A query. `changed` and `described` number the latest news of it, and of its stages' text."""

    id: int
    start: float
    state: JobState = "running"
    end: float | None = None
    error: str = ""
    more: bool = False
    changed: int = 0
    described: int = 0
    stages: list[Stage] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)

    def add_groups(self, groups: Sequence[GroupSummary]) -> list[int]:
        """Add a run's groups; group number -> number of the stage."""
        known = {stage.name: number for number, stage in enumerate(self.stages)}
        numbers = []
        for group in groups:
            number = known.get(group.name)
            if number is None:
                number = known[group.name] = len(self.stages)
                self.stages.append(Stage(group.name, group.note))
            self.stages[number].tasks += group.tasks
            numbers.append(number)
        return numbers

    def finish(self, state: JobState, at: float, error: str = "") -> None:
        """End it."""
        self.state, self.end, self.error = state, at, error

    def news(self, since: int) -> Mapping[str, object]:
        """As JSON; texts only for who does not have them yet."""
        told: dict[str, object] = {
            "id": self.id,
            "state": self.state,
            "start": round(self.start, 6),
            "end": None if self.end is None else round(self.end, 6),
            "error": self.error,
            "more": self.more,
            "progress": [stage.progress() for stage in self.stages],
        }
        if self.described > since:
            told["stages"] = [[stage.name, stage.note, stage.tasks] for stage in self.stages]
        return told
