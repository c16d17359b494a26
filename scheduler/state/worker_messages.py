"""What a worker's machine (`worker_state`) and its shell say to each other, as values.

shell     worker     Ran Raised Fetched NotFetched Awaited KeysLost MemoryUsed Waiting Tick, and
                     what the scheduler sent
worker    its shell  Start Fetch Serve Delete ToScheduler (envelope)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from plait.scheduler.state.messages import FromWorker, Tick, Waiting, WorkerMessage

# Ran and Start are made for each task by itself: named tuples, which take a third of the time.


class Ran(NamedTuple):
    """A started task has its results, and the shell has stored them under the task's keys.

    If it is not wanted any more, Delete follows for what is not kept.
    """

    task: int
    attempt: int
    sizes: tuple[int, ...]
    seconds: float
    report: bytes = b""


@dataclass(frozen=True, slots=True)
class Raised:
    """A started task raised."""

    task: int
    attempt: int
    type_name: str
    text: str
    error: bytes
    seconds: float
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Fetched:
    """Keys that a Fetch brought, stored by the shell. One Fetch may be answered in pieces."""

    peer: int
    keys: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NotFetched:
    """Keys that a Fetch did not bring: the peer has them not, or could not be reached."""

    peer: int
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Awaited:
    """Others ask for keys that are to be made here; Serve is to follow for each."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeysLost:
    """Stored values that turned out unreadable (a damaged spill file, say).

    If a started task could not get its inputs for that reason, it is named: it does not run.
    """

    keys: tuple[int, ...]
    task: int = -1
    attempt: int = -1


@dataclass(frozen=True, slots=True)
class MemoryUsed:
    """Memory in use, of how much (0: no limit); `stuck`: too full to run anything, for seconds."""

    used: int
    limit: int
    spilled: int = 0
    stuck: bool = False


class Start(NamedTuple):
    """Run a task now. All its inputs are in the store."""

    task: int
    attempt: int
    function: bytes
    arguments: bytes
    inputs: tuple[int, ...]
    outputs: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask a peer for keys. Of those that it has there is one at a time for each peer; those that
    it is `making` may take a while."""

    peer: int
    keys: tuple[int, ...]
    making: bool = False


@dataclass(frozen=True, slots=True)
class Serve:
    """Give keys to those who wait for them: they are here now, or will not come."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Values that the store may forget."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ToScheduler:
    message: FromWorker


WorkerEvent = (
    WorkerMessage
    | Ran
    | Raised
    | Fetched
    | NotFetched
    | Awaited
    | KeysLost
    | MemoryUsed
    | Waiting
    | Tick
)
WorkerCommand = Start | Fetch | Serve | Delete | ToScheduler
