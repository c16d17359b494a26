"""Who works, with how much memory and how many processors over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from plait.scheduler.dashboard.spans import Lane


class Sample(NamedTuple):
    """A worker at one moment: bytes of its process and of its results, bytes on disk, cores."""

    number: int
    worker: int
    at: float
    memory: int
    held: int
    spilled: int
    cpu: float

    def news(self) -> Sequence[object]:
        """As JSON."""
        return [
            self.worker,
            round(self.at, 3),
            self.memory,
            self.held,
            self.spilled,
            round(self.cpu, 3),
        ]


class Line(NamedTuple):
    """Something worth reading: a worker joined, a run failed."""

    number: int
    at: float
    level: str
    text: str

    def news(self) -> Sequence[object]:
        """As JSON."""
        return [round(self.at, 3), self.level, self.text]


@dataclass(slots=True)
class Worker:
    """A process that runs tasks. `left` is when it went, None while it is here."""

    id: int
    name: str
    threads: int
    memory_limit: int
    joined: float
    number: int
    left: float | None = None
    lanes: dict[str, Lane] = field(default_factory=dict)
    latest: Sample | None = None

    def news(self) -> dict[str, object]:
        """As JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "threads": self.threads,
            "limit": self.memory_limit,
            "joined": round(self.joined, 3),
            "left": None if self.left is None else round(self.left, 3),
        }
