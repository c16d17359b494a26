"""What simulated tasks compute, what clients know of them, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from plait.scheduler.state.messages import GroupSpec, RunFailed

PRIME = (1 << 61) - 1
FETCH_TIMEOUT = 3.0


def value_of(salt: int, part: int, inputs: list[int]) -> int:
    """The result of a simulated task."""
    total = salt * 1_000_003 + part * 7_919 + 17
    for place, value in enumerate(inputs):
        total += (2 * place + 3) * value
    return total % PRIME


@dataclass
class Chaos:
    """What goes wrong, and how often; rates are per opportunity."""

    kills: int = 0
    freezes: int = 0
    cuts: int = 0
    retires: int = 0
    joins: int = 0
    clock_jumps: int = 0
    repeat: float = 0.0
    lose: float = 0.0
    flaky_fetch: float = 0.0
    damage: float = 0.0
    pressure: float = 0.0
    failing: float = 0.0
    poison: float = 0.0
    cancels: int = 0
    clients_gone: int = 0


@dataclass
class SimTask:
    """What the client knows of a task it submitted."""

    salt: int
    inputs: tuple[int, ...]
    group: GroupSpec
    fails: int = 0
    poison: bool = False


@dataclass(eq=False)
class SimRun:
    number: int
    tasks: list[int]
    want: tuple[int, ...]
    pending: set[int]
    sources: list[SimRun]
    """Runs whose results it takes."""
    shaky: bool = False
    """Some task of it will fail, or it takes what may be gone."""
    failed: RunFailed | None = None
    cancelled: bool = False

    def may_fail(self) -> bool:
        """Whether an error of another run, or a cancelled one, may be the reason."""
        return self.shaky or any(
            run.cancelled or run.failed is not None or run.may_fail() for run in self.sources
        )
