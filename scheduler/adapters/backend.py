"""What an adapter has to say of its cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from plait.scheduler.adapters.batch import Batch, Bundle
from plait.scheduler.adapters.batching import Resources
from plait.scheduler.adapters.parcel import Parcel


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch under way: the cluster's references to its report and its bundles."""

    report: Any
    bundles: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a batch is to be run, as far as the cluster can."""

    name: str
    resources: Resources
    priority: int


class Backend(Protocol):
    """What an adapter says of its cluster."""

    def workers(self) -> int:
        """How many tasks can run at a time, now."""
        ...

    def threads(self) -> int:
        """How many of them in one process."""
        ...

    def memory_limit(self) -> int | None:
        """Bytes of one process of the cluster."""
        ...

    def check(self, resources: Resources) -> None:
        """Raise GraphError if nothing in the cluster offers this."""
        ...

    def put(self, parcel: Parcel) -> Any:
        """Send a bundle of one; a reference to it."""
        ...

    def start(self, batch: Batch, inputs: Sequence[Any], wishes: Wishes) -> Sent:
        """Send a batch, with references to its input bundles."""
        ...

    def when_done(self, report: Any, call: Callable[[], None]) -> None:
        """Call back, on any thread, when the report is there or will never be."""
        ...

    def report(self, report: Any) -> bytes:
        """A report that is there; raises what went wrong in the cluster."""
        ...

    def fetch(self, references: Sequence[Any]) -> list[Bundle]:
        """Bundles, in order."""
        ...

    def cancel(self, run: str, reports: Sequence[Any]) -> None:
        """The run is over: what has not started is not to start, what runs is to be told."""
        ...

    def wait_inside(
        self, done: threading.Event, pending: Callable[[], list[Any]], until: float
    ) -> None:
        """In a task of this cluster: give its slot to others, until done or that monotonic time."""
        ...

    def close(self, executor: str) -> None:
        """Remove the executor's files in the cluster, and let go of it."""
        ...

    def inside(self) -> Callable[[str], object]:
        """A function by name that makes the executor again in a task of this cluster."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A bundle in the cluster, and how many parcels it has."""

    reference: Any
    size: int
