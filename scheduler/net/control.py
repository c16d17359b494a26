"""What processes of a cluster say to each other beside the messages of the state machines.

supervisor -> scheduler      Beat, once a second; Exited, when a worker's process ended
worker -> scheduler          Hello, the first message: where it listens, what it offers
scheduler -> worker          Welcome, its answer
scheduler -> client          Welcome; Workers, when one came or went; Load, now and then
client -> scheduler          Retire
worker, client -> worker     Fetch: results by key
worker -> worker, client     Fetched: what of them is here, as buffers
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """The workers of a supervisor: state of the process (as in /proc), memory."""

    workers: tuple[str, ...]
    states: tuple[str, ...]
    memory: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker's process ended; `code` is negative for a signal, `running` are its tasks then."""

    worker: str
    code: int
    running: tuple[int, ...]
    memory: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker introduces itself."""

    host: str
    port: int
    threads: int
    memory_limit: int | None
    resources: tuple[tuple[str, float], ...]
    pid: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """The number of a worker or client, and the token among workers."""

    number: int
    token: str


@dataclass(frozen=True, slots=True)
class Workers:
    """All workers there are now, as columns."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    threads: tuple[int, ...]
    memory_limits: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the cluster is: tasks that wait or run, and those that ran since the last time."""

    unfinished: int
    finished: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Let these workers go when nothing is lost by it."""

    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Send these results. `request` comes back with the answer."""

    request: int
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Results: `pieces` says how many buffers each takes; -1: gone, -2: an error, told in one."""

    request: int
    keys: tuple[int, ...]
    pieces: tuple[int, ...]
    buffers: tuple[bytes, ...]


CONTROL: tuple[type, ...] = (
    *(Beat, Exited, Hello, Welcome, Workers, Load, Retire, Fetch, Fetched),
)
