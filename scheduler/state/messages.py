"""What scheduler, workers and clients say to each other, as frozen values.

Both machines (`scheduler_state`, `worker_state`) take events and give commands; whatever goes over
a wire is one of the dataclasses below. Shells turn bytes into events and commands into bytes, and
add who spoke: a message from a worker carries the worker's number, which its shell knows from the
connection, not from the bytes.

    from      to         messages
    client    scheduler  ClientJoined Submit Release Cancel Unreachable ClientGone
    worker    scheduler  WorkerJoined Done Failed Missing Returned Copied Memory Digest Inventory
                         Waiting WorkerGone
    shell     scheduler  Retire Tick
    scheduler worker     Functions Peers PeersGone RunTasks Drop Discard Retract Copy Audit
    scheduler client     Peers PeersGone Finished Lost TasksDone Retrying RunFailed
    scheduler its shell  ToWorker ToClient (envelopes of the above), Stop

What a worker and its own shell say to each other is in `worker_messages`.

Numbers. Clients and workers get theirs from the scheduler's shell, never twice.

    task     client << 36 | counter; the client counts the tasks it submits, without gaps
    key      task << 16 | part: one output of one task
    attempt  0, 1, ... : which sending of a task to a worker. With each sending it grows, so a
             message about an older one can be told, and ignored or answered with Discard.
    rank     what runs first: smaller before larger, over all runs

Where there may be many, messages are columns: tuples of equal length instead of tuples of records.
Functions, arguments, reports and errors are opaque bytes to both machines.

Links keep order and lose nothing while they stand (TCP). Worker links may all the same say things
twice: every message between scheduler and worker may be repeated without harm, and what a lost one
left behind is found by Digest and cured by Audit and Inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plait.scheduler.state.numbers import CLIENT_SHIFT as CLIENT_SHIFT
from plait.scheduler.state.numbers import PART_MASK as PART_MASK
from plait.scheduler.state.numbers import PART_SHIFT as PART_SHIFT
from plait.scheduler.state.numbers import client_of as client_of
from plait.scheduler.state.numbers import first_task as first_task
from plait.scheduler.state.numbers import key_of as key_of
from plait.scheduler.state.numbers import task_of as task_of

# client -> scheduler ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A group of tasks of one run; see `TaskGroup`. `function` is sha256(...)[:16] of its bytes."""

    name: str
    function: bytes
    source: bool = False
    outputs: int = 1
    retries: int = 0
    resources: tuple[tuple[str, float], ...] = ()
    note: str = ""
    """The text of its plan, for a dashboard."""


@dataclass(frozen=True, slots=True)
class ClientJoined:
    client: int


@dataclass(frozen=True, slots=True)
class Submit:
    """Tasks to run, all of them needed: what the wanted parts do not need is not submitted.

    A large graph comes in several of these with the same `run`, all but the last with `more`;
    `groups` and `functions` are then added to those before, `want` comes with the last. `run` is
    the client's number of it, never used again.
    """

    client: int
    run: int
    groups: tuple[GroupSpec, ...]
    functions: tuple[tuple[bytes, bytes], ...]
    """(id, pickled function); a client sends each once."""
    first: int
    """Number of the first task; the others follow without gaps."""
    task_groups: tuple[int, ...]
    """Task -> group, counted over all groups of the run."""
    arguments: tuple[bytes, ...]
    inputs: tuple[tuple[int, ...], ...]
    """Task -> the distinct keys it takes: of tasks before it, or of this client's earlier runs."""
    positions: tuple[int, ...]
    """Task -> place in the run's order (`order.make_schedule`), each once in a run."""
    want: tuple[int, ...]
    """Keys to keep and to tell about, of this run or of an earlier one."""
    windows: tuple[int, ...] = ()
    """Task -> unconsumed sources the graph calls for (`order.source_windows`), 0 if no source."""
    affinities: tuple[int, ...] = ()
    """Task -> a number for the data that it reads, 0 for none; see `TaskGraph.add_task`."""
    priority: int = 0
    """Larger goes first, among the runs of one client."""
    more: bool = False
    job: tuple[str, bool] = ("", False)
    """For a dashboard: the client's name of what this is a step of, and whether others follow."""


@dataclass(frozen=True, slots=True)
class Release:
    """Keys that the client no longer wants. Unknown ones are ignored."""

    client: int
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a run and keep nothing of it. Runs that wait for its results fail."""

    client: int
    run: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The client could not fetch wanted keys from the workers it was told."""

    client: int
    keys: tuple[int, ...]
    owners: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClientGone:
    """The client left, or was away too long: its runs are cancelled, its keys released."""

    client: int


# worker -> scheduler ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker is connected and empty."""

    worker: int
    address: str
    threads: int
    memory_limit: int = 0
    """Bytes; 0 if there is none."""
    resources: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A worker's connection ended, for whatever reason; it will not come back.

    `running` names the tasks that ran when it died (its supervisor read them from the crash slot):
    only they are blamed. None: nobody knows.
    """

    worker: int
    running: tuple[int, ...] | None = None
    reason: str = "connection lost"
    expected: bool = False  # it was told to stop: nobody is blamed


@dataclass(frozen=True, slots=True)
class Done:
    """Tasks that have run; all their parts are stored at the worker."""

    worker: int
    tasks: tuple[int, ...]
    attempts: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    """Task -> bytes of each part."""
    seconds: tuple[float, ...]
    reports: tuple[bytes, ...]
    """Task -> what it reported of itself; passed on to the client."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A task raised."""

    worker: int
    task: int
    attempt: int
    type_name: str
    text: str
    error: bytes
    seconds: float = 0.0
    retryable: bool = True  # False for what cannot go better next time: an unpicklable result, say


@dataclass(frozen=True, slots=True)
class Missing:
    """Keys that could not be fetched; the tasks that need them are given back.

    `owners` are the workers that were asked. `tasks` may be empty: a stored result was damaged.
    """

    worker: int
    tasks: tuple[int, ...]
    attempts: tuple[int, ...]
    keys: tuple[int, ...]
    owners: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """Tasks given back before they began: asked for by Retract, or for want of memory."""

    worker: int
    tasks: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Copied:
    """What Copy asked for is stored here now."""

    worker: int
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Sent every second: the worker is alive, and how full it is. Bytes."""

    worker: int
    used: int
    held: int = 0
    spilled: int = 0
    paused: bool = False
    """Takes no new tasks at present."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What the worker has, in four numbers: after `seen` messages it must agree with ours.

    `seen` counts the messages from the scheduler of the kinds RunTasks, Drop, Discard and Copy
    since the worker joined or was last audited. `tasks` and `keys` are (count, xor of the numbers).
    """

    worker: int
    seen: int
    tasks: tuple[int, int]
    keys: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The answer to Audit: all that the worker has. It counts `seen` from 0 again."""

    worker: int
    tasks: tuple[int, ...]
    attempts: tuple[int, ...]
    keys: tuple[int, ...]
    key_attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many running tasks wait for tasks that they submitted themselves.

    Each has given up its thread: the worker runs as many more. Its own shell says it first.
    """

    worker: int
    count: int


# shell -> scheduler -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retire:
    """Let a worker go: no new tasks, its results are copied elsewhere; ends with Stop."""

    worker: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, about 0.1 s. `running`: workers seen to run, whether they speak or not."""

    running: tuple[int, ...] = ()


# scheduler -> worker ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunTasks:
    """Tasks to run when their inputs are there, smaller ranks first.

    `groups` holds (function, outputs) once for each kind of task in this message.
    """

    groups: tuple[tuple[bytes, int], ...]
    tasks: tuple[int, ...]
    attempts: tuple[int, ...]
    ranks: tuple[int, ...]
    task_groups: tuple[int, ...]
    arguments: tuple[bytes, ...]
    inputs: tuple[tuple[int, ...], ...]
    """Task -> the keys it takes, in the order of Submit."""
    owners: tuple[tuple[int, ...], ...]
    """Task -> for each input the worker that has it, or ~worker for one that is making it; the
    receiver itself for what it has or makes."""
    sizes: tuple[tuple[int, ...], ...]
    """Task -> bytes of each input, 0 if not yet known."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Stored keys that are no longer needed, if made by this attempt or an earlier one.

    What tasks of the worker still use stays as a copy until they are done.
    """

    keys: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget tasks sent in these attempts or earlier: take them out of the queue, let the results
    of running ones fall, delete what exactly this attempt has stored. Parts that an earlier attempt
    stored at the same worker may still be needed; Drop is for them.
    """

    tasks: tuple[int, ...]
    attempts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Retract:
    """Give back up to `count` tasks that have not begun, largest ranks first."""

    count: int


@dataclass(frozen=True, slots=True)
class Functions:
    """Functions that tasks sent later will run; each comes once."""

    ids: tuple[bytes, ...]
    functions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Peers:
    """Where workers can be reached; comes before they are first named to the receiver."""

    workers: tuple[int, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeersGone:
    """Workers that are gone: what is being fetched from them will not come."""

    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """Fetch these keys and store them as one's own; answered with Copied or Missing."""

    keys: tuple[int, ...]
    attempts: tuple[int, ...]
    owners: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """Answer with an Inventory."""


# scheduler -> client ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finished:
    """Wanted keys that are there now, and which workers have them."""

    keys: tuple[int, ...]
    owners: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """Wanted keys that were there and are being computed again; Finished or RunFailed follows."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TasksDone:
    """Tasks of a run that have their results."""

    run: int
    tasks: tuple[int, ...]
    workers: tuple[int, ...]
    seconds: tuple[float, ...]
    reports: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Retrying:
    """A task raised and will be run again."""

    run: int
    task: int
    worker: int
    seconds: float
    type_name: str
    text: str
    error: bytes


# Why a run failed:
#   task       the task raised; type_name, text and error are the exception's
#   killed     workers died whenever they ran the task
#   nowhere    no worker can run the task
#   unknown    the run names results that are not kept (any more)
#   cancelled  a run whose results it needs was cancelled
#   invalid    a submission that contradicts itself
Fault = Literal["task", "killed", "nowhere", "unknown", "cancelled", "invalid"]


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run will not end well; nothing of it is kept. It is told once for a run."""

    run: int
    fault: Fault
    text: str
    task: int = -1
    group: str = ""
    type_name: str = ""
    error: bytes = b""
    worker: int = -1
    seconds: float = 0.0
    keys: tuple[int, ...] = ()
    """Wanted keys that will not come (or are not there any more)."""


# commands of the scheduler to its shell -----------------------------------------------------------

WorkerMessage = RunTasks | Drop | Discard | Retract | Functions | Peers | PeersGone | Copy | Audit
ClientMessage = Peers | PeersGone | Finished | Lost | TasksDone | Retrying | RunFailed


@dataclass(frozen=True, slots=True)
class ToWorker:
    worker: int
    message: WorkerMessage


@dataclass(frozen=True, slots=True)
class ToClient:
    client: int
    message: ClientMessage


@dataclass(frozen=True, slots=True)
class Stop:
    """End a worker: it has retired, or (`kill`) it is stuck. WorkerGone is to follow."""

    worker: int
    kill: bool
    reason: str


FromClient = ClientJoined | Submit | Release | Cancel | Unreachable | ClientGone
FromWorker = (
    WorkerJoined
    | Done
    | Failed
    | Missing
    | Returned
    | Copied
    | Memory
    | Digest
    | Inventory
    | Waiting
    | WorkerGone
)
SchedulerEvent = FromClient | FromWorker | Retire | Tick
SchedulerCommand = ToWorker | ToClient | Stop
