"""What a supervisor is to run, as it is told to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from plait.scheduler.worker_options import Options


@dataclass(frozen=True)
class Plan:
    """Workers, and a scheduler for them if they have none."""

    workers: int
    address: str = ""
    """URL of the scheduler; without it one is started."""
    name: str = "worker"
    """Of the supervisor, unique in the cluster; workers are called after it."""
    options: Options = field(default_factory=Options)
    paths: tuple[str, ...] = ()
    """Where modules are looked for, as where the cluster was made."""
    folder: str = ""
    dashboard: int | None = None
    """The port of the scheduler's dashboard, if it is started and is to have one."""

    def to_json(self) -> str:
        """As a line of text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        """The plan of such a line."""
        known = json.loads(text)
        options = known.pop("options")
        options["resources"] = tuple([(name, n) for name, n in options["resources"]])
        return Plan(**known, options=Options(**options))


def environment(threads: int, known: Mapping[str, str]) -> dict[str, str]:
    """The environment of workers; what is `known` stands.

    Libraries that bring threads are to know how many. Arrow's usual allocator keeps what another
    thread than the one that took it has freed, as results here mostly are: hundreds of megabytes.
    """
    pool = {"ARROW_DEFAULT_MEMORY_POOL": "jemalloc"} if sys.platform == "linux" else {}
    return {"OMP_NUM_THREADS": str(threads), **pool, **known}
