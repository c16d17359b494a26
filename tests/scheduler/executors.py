"""Executors to test: add a new one to EXECUTORS, and all suites run over it.

Those of this process are made at once, those on clusters by a fixture of the session
(tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from plait.scheduler.executor import Executor
from plait.scheduler.local import InlineExecutor, ThreadExecutor

LOCAL: dict[str, Callable[[], Executor]] = {
    "inline": InlineExecutor,
    "threads-1": partial(ThreadExecutor, 1),
    "threads-4": partial(ThreadExecutor, 4),
}

# On clusters, each a fixture of the session that makes executors.
FOREIGN = {"dask": "dask_executors", "ray": "ray_executors"}
CLUSTERS = {"cluster": "cluster_executors", **FOREIGN}

EXECUTORS = [
    *LOCAL,
    "cluster",
    "dask",
    pytest.param("ray", marks=pytest.mark.heavy),  # a Ray cluster takes twenty seconds to start
]


def made(request: pytest.FixtureRequest, name: str) -> Executor:
    make: Callable[[], Executor] = LOCAL.get(name) or request.getfixturevalue(CLUSTERS[name])
    return make()


def foreign(executor: Executor) -> bool:
    """Whether the tasks go to a cluster that is not plait's."""
    return type(executor).__name__ in ("DaskExecutor", "RayExecutor")


def remote(executor: Executor) -> bool:
    """Whether the tasks run in other processes."""
    return foreign(executor) or type(executor).__name__ == "ClusterExecutor"


class Log:
    """What tasks did, in the order in which they did it, whatever their process."""

    def __init__(self, path: Path) -> None:
        self.path = path / "log"

    def add(self, number: int, *_: object) -> None:
        """A line more; short enough to be written in one piece."""
        with self.path.open("a") as file:
            file.write(f"{number}\n")

    def lines(self) -> list[int]:
        """All lines so far."""
        return list(map(int, self.path.read_text().split())) if self.path.exists() else []
