"""What the scheduler knows: a table of tasks and their parts, and records of who takes part.

A task is a *row* of columns, one part of its results a *slot*; both numbers are given out again
when a task is forgotten. A task with three outputs has three slots in a row. With columns a graph
of a million tasks is some hundred megabytes, and next to nothing that the garbage collector would
have to walk. They are lists, which Python reads fastest, and costs no more where numbers are small
or shared; arrays where each entry would be an object of its own.

    state of a row
    RELEASED   not needed, or not yet: nothing of it is held
    WAITING    needed; some inputs are absent, each being computed
    READY      needed; all inputs are held; lies in a queue (see placement)
    SENT       a worker has it: all inputs held, or SENT themselves when it was (chained), or lost
               meanwhile and being computed again (the worker may have fetched before)
    MEMORY     all needed parts are held
    ERRED      its run has failed; it will not run

A part is *held* by one worker, its owner, or absent; copies that workers fetched are their own
affair, except that they are told when a large one is of no more use. A part is *needed* while it is
wanted by the client or used: `uses` counts the active tasks (WAITING, READY, SENT) that take it.
Part by part, so a task of which one part was freed too early runs again for that part while its
other parts stay where they are.

A row is kept while a kept row takes its parts: that is the lineage from which lost results are
computed again. It is forgotten when it is RELEASED or ERRED, not wanted, and read by no row.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop

from plait.scheduler.state.messages import PART_MASK, PART_SHIFT, Fault, GroupSpec

RELEASED, WAITING, READY, SENT, MEMORY, ERRED = range(6)
STATE_NAMES = ("released", "waiting", "ready", "sent", "memory", "erred")
_NO_TASK = 255  # the row is free

# Weight of the newest task in a function's mean duration.
_NEWEST = 0.1

# Entries of heaps of ready tasks: rank << ROW_BITS | row.
ROW_BITS = 32
ROW_MASK = (1 << ROW_BITS) - 1

# Where READY tasks lie that are in no worker's queue.
SHARED, SOURCES, SPECIAL = -1, -2, -3

FEW_INPUTS = 64  # as many are looked at where all might take long

POSITION_BITS = 26
_SEQUENCE_BITS = 27
_PRIORITY_LIMIT = 511

# Columns grow by at least this many rows or slots.
_GROW = 256

# Free numbers are sorted to find some in a row if there are at most so many times as many.
_SORTED = 8

# More consumers than this are kept in a set: taking one away must not mean looking through all.
_FEW = 24

Consumers = int | list[int] | set[int] | None


@dataclass(slots=True, eq=False)
class Group:
    """Tasks of one run with the same function."""

    run: Run
    number: int
    name: str
    function: bytes
    source: bool
    outputs: int
    retries: int
    needs: dict[str, float]
    """Worker resources that one task takes."""
    pace: Pace
    special: bool = False
    """Has several outputs, takes resources or brings data in."""


@dataclass(slots=True, eq=False)
class Pace:
    """How long tasks of a function take: moving averages, None before the first.

    A task is at *home* where what it takes lies: most of its inputs, or the data of a file that
    were read there before. Elsewhere it may take longer: files are decoded again, and what was
    made of an input beside it, such as a join's index, did not come along.
    """

    seconds: float | None = None
    away: float | None = None
    """Of tasks that were not at home."""
    at_home: bool = False
    """`seconds` is of tasks that were."""

    def ran(self, seconds: float, home: bool = True) -> None:
        """A task took so long."""
        if not home:
            self.away = _mean(self.away, seconds)
            if self.at_home:
                return
        elif not self.at_home:
            self.seconds, self.at_home = seconds, True
            return
        self.seconds = _mean(self.seconds, seconds)

    def lost(self, unknown: float) -> float:
        """Seconds that are lost by running a task away from home; `unknown` before any has."""
        if self.away is None:
            return unknown
        return max(0.0, self.away - (self.seconds or 0.0)) if self.at_home else self.away


def _mean(known: float | None, seconds: float) -> float:
    return seconds if known is None else known + (seconds - known) * _NEWEST


@dataclass(slots=True, eq=False)
class Run:
    """One submitted graph."""

    client: Client
    number: int
    rank: int
    """Rank of the task at place 0 of its order."""
    loading: bool
    """More tasks are to come; until then nothing is freed for want of consumers."""
    groups: list[Group] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Its tasks, as (first, count)."""
    live: int = 0
    """Rows in the table."""
    fault: Fault | None = None
    idle: list[int] = field(default_factory=list)
    """While loading: slots that nobody needs so far."""
    ready: int = 0
    sent: int = 0
    """Tasks that are READY, and that are SENT."""
    sources: dict[int, list[int]] = field(default_factory=dict)
    """Home -> heap of ready source tasks, `ready_sources` in all (sources)."""
    ready_sources: int = 0
    widest: int = 0
    """The largest window of those."""
    unconsumed: set[int] = field(default_factory=set)
    """Source tasks that were sent and whose results still wait for a consumer."""


@dataclass(slots=True, eq=False)
class Client:
    """Somebody who submits runs. The heaps belong to placement."""

    number: int
    runs: dict[int, Run] = field(default_factory=dict)
    shared: list[int] = field(default_factory=list)
    special: list[int] = field(default_factory=list)
    source_runs: dict[int, Run] = field(default_factory=dict)
    ready: int = 0
    clock: float = 0.0
    """Seconds of work it was given; the client with the least comes next."""
    peers: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Worker:
    """One connection of a worker."""

    number: int
    address: str
    threads: int
    memory_limit: int
    resources: dict[str, float]
    heard: float
    """When it said something, and when its process was seen to run."""
    seen: float
    free: dict[str, float] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    """Row of each task it has -> seconds it is thought to take."""
    held: dict[int, int] = field(default_factory=dict)
    """Slot of each part it owns -> its key."""
    load: float = 0.0
    """Estimated seconds of what is sent."""
    waiting: int = 0
    """Threads of it that were given up by tasks that wait; `threads` counts them."""
    sources: int = 0
    last_done: float = 0.0
    """When it last told of a task, or was given the first after it had none."""
    local: dict[int, list[int]] = field(default_factory=dict)
    """Client -> heap of ready tasks whose inputs are mostly here (placement)."""
    local_ready: int = 0
    followers: list[int] = field(default_factory=list)
    """Heap of waiting tasks that could be chained here once there is room."""
    functions: set[bytes] = field(default_factory=set)
    peers: set[int] = field(default_factory=set)
    paused: bool = False
    suspect: bool = False
    retiring: bool = False
    retire_by: float = 0.0
    copying: dict[int, int] = field(default_factory=dict)
    """While retiring: slot -> worker that is to have it."""
    stopped: bool = False
    retracting: float = -1.0
    """When Retract was sent, until the answer; -1 if none is due."""
    auditing: bool = False
    commands: int = 0
    digested: tuple[int, int] = (-1, -1)
    """What Digest said of `seen`, and our `commands` then: the same twice means a lost message."""

    @property
    def accepts(self) -> bool:
        """Whether it may be sent tasks at all."""
        return not (self.suspect or self.retiring or self.auditing or self.stopped)


# The group of free rows.
_NOBODY = Group(Run(Client(-1), -1, 0, False), 0, "", b"", False, 1, 0, {}, Pace())


class Table:
    """Columns by row and by slot."""

    def __init__(self) -> None:
        self.row_of: dict[int, int] = {}
        self.task: list[int] = []
        self.state: list[int] = []
        self.group: list[Group] = []
        self.inputs: list[tuple[int, ...]] = []
        self.arguments: list[bytes] = []
        self.first_slot: list[int] = []
        self.rank = array("q")
        # Absent inputs, for WAITING, READY and SENT.
        self.missing: list[int] = []
        self.attempt: list[int] = []
        # The worker of a SENT task; of a READY one the worker in whose queue it lies; -1.
        self.where: list[int] = []
        # How many of the absent inputs of a WAITING task are SENT (or more: it is a lower bound,
        # kept without ever looking at all inputs); the worker among whose followers it lies then.
        self.coming: list[int] = []
        self.lean: list[int] = []
        self.parts_held: list[int] = []
        self.windows: dict[int, int] = {}
        self.affinity: dict[int, int] = {}
        self.failures: dict[int, int] = {}
        self.crashes: dict[int, int] = {}
        self.fetch_failures: dict[int, int] = {}
        # Slot of a large part -> workers, not its owner, that may have fetched it.
        self.copied: dict[int, set[int]] = {}
        self.maker: list[int] = []
        self.owner: list[int] = []
        self.uses: list[int] = []
        self.size = array("q")
        self.wanted: list[int] = []
        self.consumers: list[Consumers] = []
        self._free_rows: list[int] = []
        self._free_slots: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.row_of)

    def key(self, slot: int) -> int:
        """The key of a slot."""
        row = self.maker[slot]
        return self.task[row] << PART_SHIFT | (slot - self.first_slot[row])

    def slot(self, key: int) -> int:
        """The slot of a key, -1 if there is none."""
        row = self.row_of.get(key >> PART_SHIFT, -1)
        if row < 0:
            return -1
        part = key & PART_MASK
        if not part:
            return self.first_slot[row]  # the same object, not one more number
        return self.first_slot[row] + part if part < self.group[row].outputs else -1

    def slots(self, row: int) -> range:
        """The slots of a row."""
        first = self.first_slot[row]
        return range(first, first + self.group[row].outputs)

    def add(
        self, task: int, group: Group, arguments: bytes, inputs: tuple[int, ...], rank: int
    ) -> int:
        """A new row, RELEASED; `inputs` are slots."""
        first = self._take_slots(group.outputs)
        if not self._free_rows:
            self._grow_rows()
        row = self._free_rows.pop()
        self.task[row] = task
        self.state[row] = RELEASED
        self.group[row] = group
        self.inputs[row] = inputs
        self.arguments[row] = arguments
        self.first_slot[row] = first
        self.rank[row] = rank
        self.attempt[row] = -1
        self.row_of[task] = row
        if group.outputs == 1:
            self.maker[first] = row
        else:
            for slot in range(first, first + group.outputs):
                self.maker[slot] = row
        for slot in inputs:
            self.add_consumer(slot, row)
        group.run.live += 1
        return row

    def add_block(
        self, first: int, groups: list[Group], arguments: Sequence[bytes], ranks: Iterable[int]
    ) -> list[int]:
        """New rows of one slot each, one after the other, all at once.

        They are WAITING; their inputs are for the caller to set. None of them if there is no place
        for so many in a row.
        """
        count = len(groups)
        if len(self._free_rows) < count:
            self._grow_rows(count)
        if len(self._free_slots.get(1, ())) < count:
            self._grow_slots(1, count)
        slots = self._free_slots[1]
        row, slot = _in_a_row(self._free_rows, count), _in_a_row(slots, count)
        if row < 0 or slot < 0:
            return []
        del self._free_rows[-count:], slots[-count:]
        # one object for each number, wherever it stands
        end = row + count
        rows, tasks = list(range(row, end)), list(range(first, first + count))
        of_tasks = rows if slot == row else list(range(slot, slot + count))
        self.task[row:end] = tasks
        self.state[row:end] = [WAITING] * count
        self.group[row:end] = groups
        self.arguments[row:end] = arguments
        self.first_slot[row:end] = of_tasks
        self.rank[row:end] = array("q", ranks)
        self.attempt[row:end] = [-1] * count
        self.row_of.update(zip(tasks, rows, strict=True))
        self.maker[slot : slot + count] = rows
        groups[0].run.live += count
        return rows

    def top(self, heap: list[int], place: int) -> int:
        """The first entry of a heap that is READY and lies in this queue, -1 if there is none."""
        state, rank, where = self.state, self.rank, self.where
        while heap:
            entry = heap[0]
            row = entry & ROW_MASK
            if state[row] == READY and where[row] == place and rank[row] == entry >> ROW_BITS:
                return entry
            heappop(heap)
        return -1

    def add_consumer(self, slot: int, row: int) -> None:
        """A row takes a slot."""
        known = self.consumers[slot]
        if known is None:
            self.consumers[slot] = row
        elif type(known) is int:
            self.consumers[slot] = [known, row]
        elif type(known) is list:
            known.append(row)
            if len(known) > _FEW:
                self.consumers[slot] = set(known)
        else:
            known.add(row)  # type: ignore[union-attr]

    def _take_slots(self, count: int) -> int:
        free = self._free_slots.get(count)
        if not free:
            free = self._grow_slots(count)
        return free.pop()

    def _grow_rows(self, least: int = _GROW) -> None:
        """More rows, in all columns at once."""
        first = len(self.group)
        count = max(least, _GROW)
        zeros, none = [0] * count, [-1] * count
        for column in (*(self.task, self.first_slot, self.missing, self.coming, self.parts_held),):
            column.extend(zeros)
        for column in (self.attempt, self.where, self.lean):
            column.extend(none)
        self.rank.frombytes(bytes(count * self.rank.itemsize))
        self.state.extend([_NO_TASK] * count)
        self.group.extend([_NOBODY] * count)
        self.inputs.extend([()] * count)
        self.arguments.extend([b""] * count)
        self._free_rows.extend(range(first + count - 1, first - 1, -1))

    def _grow_slots(self, width: int, least: int = _GROW) -> list[int]:
        """More runs of so many slots; returns where they begin."""
        first = len(self.consumers)
        runs = max(1, max(least, _GROW) // width)
        count = runs * width
        for column in (self.uses, self.wanted):
            column.extend([0] * count)
        for column in (self.maker, self.owner):
            column.extend([-1] * count)
        self.size.frombytes(bytes(count * self.size.itemsize))
        self.consumers.extend([None] * count)
        free = self._free_slots.setdefault(width, [])
        free.extend(range(first + count - width, first - 1, -width))
        return free

    def forget(self, loose: list[int], most: int) -> list[Run]:
        """Forget up to `most` of these rows, and of those that may be forgotten then as well.

        Rows are taken off the list; those on which something depends are kept. Returns runs that
        have no rows any more.
        """
        state, groups, inputs, consumers = self.state, self.group, self.inputs, self.consumers
        task, maker, first_slot, wanted = self.task, self.maker, self.first_slot, self.wanted
        row_of, free_rows = self.row_of, self._free_rows
        notes = (self.windows, self.affinity, self.failures, self.crashes, self.fetch_failures)
        ended = []
        while loose and most > 0:
            row = loose.pop()
            now = state[row]
            if now != RELEASED and now != ERRED:
                continue
            group, first = groups[row], first_slot[row]
            run = group.run
            if run.loading or wanted[first] or consumers[first] is not None:
                continue
            if group.outputs > 1 and self._is_kept(row):
                continue
            most -= 1
            for slot in inputs[row]:
                if type(consumers[slot]) is int:
                    consumers[slot] = None
                else:
                    self._remove_consumer(slot, row)
                if consumers[slot] is None:
                    loose.append(maker[slot])
            del row_of[task[row]]
            self._free_slots.setdefault(group.outputs, []).append(first)
            free_rows.append(row)
            state[row] = _NO_TASK
            groups[row] = _NOBODY
            inputs[row] = ()
            self.arguments[row] = b""
            for few in notes:
                if few:
                    few.pop(row, None)
            run.live -= 1
            if not run.live:
                ended.append(run)
        return ended

    def _is_kept(self, row: int) -> bool:
        return self.read(row) or any(self.wanted[slot] for slot in self.slots(row))

    def _remove_consumer(self, slot: int, row: int) -> None:
        known = self.consumers[slot]
        if type(known) is list:
            known.remove(row)
            if len(known) == 1:
                self.consumers[slot] = known[0]
        elif type(known) is set:
            known.discard(row)
            if not known:
                self.consumers[slot] = None

    def bytes_of(self, slots: Iterable[int]) -> int:
        """What parts weigh together."""
        return sum([self.size[slot] for slot in slots])

    def reading(self, slot: int) -> Iterable[int]:
        """The rows that take a slot."""
        known = self.consumers[slot]
        if known is None:
            return ()
        return (known,) if type(known) is int else known  # type: ignore[return-value]

    def held_attempt(self, row: int) -> int:
        """The last attempt that can have made parts that are held."""
        attempt = self.attempt[row]
        return attempt - 1 if self.state[row] == SENT else attempt

    def needed(self, row: int) -> bool:
        """Whether some part is needed and absent."""
        first = self.first_slot[row]
        for slot in range(first, first + self.group[row].outputs):
            if self.owner[slot] < 0 and (self.uses[slot] or self.wanted[slot]):
                return True
        return False

    def read(self, row: int) -> bool:
        """Whether any row takes something of this one."""
        first = self.first_slot[row]
        outputs = self.group[row].outputs
        if outputs == 1:
            return self.consumers[first] is not None
        return self.consumers[first : first + outputs].count(None) < outputs


def _in_a_row(free: list[int], count: int) -> int:
    """The first of the last numbers of a list if they follow one another, falling; else -1.

    Numbers come back in any order; a list that is not much too long is sorted for it.
    """
    first = free[-1]
    if free[-count:] == list(range(first + count - 1, first - 1, -1)):
        return first
    if len(free) > _SORTED * count:
        return -1
    free.sort(reverse=True)
    first = free[-1]
    return first if free[-count:] == list(range(first + count - 1, first - 1, -1)) else -1


def first_rank(priority: int, sequence: int) -> int:
    """The rank of a run's first task: higher priority before lower, then older before younger."""
    clamped = max(-_PRIORITY_LIMIT, min(_PRIORITY_LIMIT, priority))
    above = (_PRIORITY_LIMIT - clamped) << (_SEQUENCE_BITS + POSITION_BITS)
    return above | (sequence % (1 << _SEQUENCE_BITS)) << POSITION_BITS


def make_group(run: Run, spec: GroupSpec, pace: Pace) -> Group:
    """The record of a submitted group."""
    return Group(
        run,
        len(run.groups),
        spec.name,
        spec.function,
        spec.source,
        spec.outputs,
        spec.retries,
        dict(spec.resources),
        pace,
        special=spec.outputs > 1 or spec.source or bool(spec.resources),
    )
