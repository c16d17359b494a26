"""What processes of a cluster say to each other beside the messages of the state machines.

supervisor -> scheduler      Beat, once a second; Exited, when a worker's process ended
scheduler -> supervisor      Kill
worker -> scheduler          Hello, the first message: where it listens, what it offers; Moved;
                             Leaving
scheduler -> worker          Welcome, its answer; Leave
scheduler -> client          Welcome; Workers, when one came or went
scheduler -> everybody       Load, once a second: who hears nothing for long gives it up
worker, client -> worker     Get: results by key
worker -> worker, client     Got: what of them is here, as buffers
"""

from __future__ import annotations

from dataclasses import dataclass

GONE, UNSENDABLE = -1, -2


@dataclass(frozen=True, slots=True)
class Beat:
    """The workers of a supervisor: state of the process (as in /proc), memory."""

    workers: tuple[str, ...]
    states: tuple[str, ...]
    memory: tuple[int, ...]
    cpu: tuple[float, ...] = ()
    """Seconds of processors they have used so far."""


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker's process ended; `code` is negative for a signal, `running` are its tasks then."""

    worker: str
    code: int
    running: tuple[int, ...]
    memory: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """End the process of a worker that no longer answers."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker introduces itself."""

    host: str
    """Where it listens; empty: at the address it came from."""
    port: int
    tls: bool
    threads: int
    memory_limit: int
    """Bytes; 0 if there is none."""
    resources: tuple[tuple[str, float], ...]
    pid: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """The number of a worker or client."""

    number: int
    watched: bool = False
    """Whether there is a dashboard: a worker is to tell what only that wants to know."""
    dashboard: str = ""
    """Its URL, for clients."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a worker fetched from others or wrote to its disk, for a dashboard.

    Times are of the worker's monotonic clock; `now` is when this was sent.
    """

    now: float
    kinds: tuple[str, ...]
    """transfer or spill"""
    starts: tuple[float, ...]
    seconds: tuple[float, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaving:
    """The worker was asked to end, and asks to be let go when nothing is lost by it."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is lost by it any more."""

    why: str


@dataclass(frozen=True, slots=True)
class Workers:
    """All workers there are now, as columns."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    threads: tuple[int, ...]
    memory_limits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the cluster is: tasks that wait or run."""

    unfinished: int


@dataclass(frozen=True, slots=True)
class Get:
    """Send these results. `request` comes back with the answer, which may come in pieces.

    Of those that are still to be made (`making`) the answer may take a while.
    """

    request: int
    keys: tuple[int, ...]
    making: bool = False


@dataclass(frozen=True, slots=True)
class Got:
    """Results: how many of the buffers each takes, in order; or GONE, or UNSENDABLE.

    What is UNSENDABLE has one buffer: an error (`net/serialize.py`) that says why.
    """

    request: int
    keys: tuple[int, ...]
    pieces: tuple[int, ...]
    buffers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """Further results of a request: small plain values, in one pickle."""

    request: int
    keys: tuple[int, ...]
    values: bytes


CONTROL: tuple[type, ...] = (
    *(Beat, Exited, Kill, Hello, Welcome, Moved, Leaving, Leave, Workers, Load),
    *(Get, Got, Values),
)
