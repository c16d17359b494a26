"""Ready source tasks: how many may run, and which worker gets which.

Bounds. A run may have `_AHEAD` source results per thread that wait for consumers, beside those that
its graph lets wait anyway (`windows`), and none beyond one at a time while results fill more than
half of the cluster's memory. A run with nothing SENT may always start one: a bound must not become
a deadlock. The same holds for workers that are short of memory.

Homes. Workers keep what they decode of files. So a source task may tell by a number, its
*affinity*, what data it reads, and waits at the *home* of these. Homes are dealt out by submission:
of the tasks of a group each worker is home to its share, where it was before as far as that goes,
so work stays even however workers come and go. Another worker takes such a task only if it has
nothing at all, and waiting at home takes longer than what is lost by reading anew. That is
measured: how much longer tasks of the function take that are not at home (`Pace`). What was taken
has its home where it had it.

Each run has a heap of its ready sources for each home, and one for those without (`SHARED`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappush
from itertools import islice

from plait.scheduler.state.costs import seconds_of, transfer, wait
from plait.scheduler.state.records import (
    ROW_BITS,
    ROW_MASK,
    SHARED,
    SOURCES,
    Client,
    Run,
    Table,
    Worker,
)

_AHEAD = 2
_KNOWN = 100_000  # homes that are remembered
_READ = 0.05  # seconds that reading data anew is thought to take before it was measured

# Looking for something at home elsewhere: how many queues each time, else how often.
_FEW_QUEUES = 16
_LOOK_EVERY = 0.002


class Sources:
    """Queues of ready source tasks, and where their data was read last."""

    def __init__(self, table: Table, workers: Mapping[int, Worker]) -> None:
        self.table = table
        self.workers = workers
        self.threads = 0
        self.memory_limit = 0
        self.held_bytes = 0
        # affinity -> worker; ~worker while no task has run there. Those asked for last come last.
        self._homes: dict[int, int] = {}
        self._turn: deque[int] = deque()
        self._looked = 0.0

    # queues ---------------------------------------------------------------------------------------

    def enqueue(self, row: int) -> None:
        """A source task has become READY."""
        table = self.table
        run = table.group[row].run
        heap = run.sources.setdefault(self._home(row), [])
        heappush(heap, table.rank[row] << ROW_BITS | row)
        run.ready_sources += 1
        run.widest = max(run.widest, table.windows.get(row, 0))
        run.client.source_runs[run.number] = run

    def dequeue(self, row: int) -> None:
        """A READY source task leaves; its entry stays, stale."""
        run = self.table.group[row].run
        run.ready_sources -= 1
        if not run.ready_sources:
            run.sources.clear()
            run.widest = 0
            del run.client.source_runs[run.number]

    def next(self, client: Client, worker: Worker, now: float) -> int:
        """The entry of a source task that a worker may start now, -1 if there is none for it."""
        for run in client.source_runs.values():
            entry = self._next_of(run, worker, now)
            if entry >= 0 and self.may_start(run, entry & ROW_MASK):
                return entry
        return -1

    def may_start(self, run: Run, row: int) -> bool:
        """Whether the bounds of a run let one of its source tasks begin."""
        return self._has_room(run, self.table.windows.get(row, 0))

    def may_go_on(self, client: Client) -> bool:
        """Whether the bounds let some source task begin, for all that is known without looking."""
        return any(self._has_room(run, run.widest) for run in client.source_runs.values())

    def _has_room(self, run: Run, window: int) -> bool:
        if not run.sent:
            return True
        if self.memory_limit and self.held_bytes * 2 > self.memory_limit:
            return False
        return len(run.unconsumed) < max(window - 1, 0) + _AHEAD * self.threads

    def _next_of(self, run: Run, worker: Worker, now: float) -> int:
        top, heaps = self.table.top, run.sources
        best = top(heaps[SHARED], SOURCES) if SHARED in heaps else -1
        if worker.number in heaps:
            entry = top(heaps[worker.number], SOURCES)
            if entry >= 0 and (best < 0 or entry < best):
                best = entry
        if best < 0 and not worker.sent:
            best = self._from_elsewhere(run, worker, now)
        return best

    # homes ----------------------------------------------------------------------------------------

    def deal(self, rows: Iterable[int]) -> None:
        """See that the data which new tasks read have a home, and each worker its share of it."""
        affinity, group = self.table.affinity, self.table.group
        able = [worker for worker in self.workers.values() if worker.accepts]
        threads = sum([worker.threads for worker in able])
        by_group: dict[int, list[int]] = {}
        for row in rows:
            if row in affinity:
                by_group.setdefault(group[row].number, []).append(affinity[row])
        for numbers in by_group.values() if threads else ():
            share = {w.number: -(-len(numbers) * w.threads // threads) for w in able}
            homeless = []
            for number in numbers:
                known = self._homes.pop(number, None)
                home = SHARED if known is None else max(known, ~known)
                if share.get(home, 0):
                    share[home] -= 1
                    self._homes[number] = known  # type: ignore[assignment]
                else:
                    homeless.append(number)
            for number in homeless:
                self._homes[number] = ~self._next_home(share, able)
        for number in list(islice(self._homes, max(0, len(self._homes) - _KNOWN))):
            del self._homes[number]

    def _next_home(self, share: dict[int, int], able: Sequence[Worker]) -> int:
        """The worker whose turn it is, of those that have not got their share."""
        while True:
            if not self._turn:
                rounds = range(max([worker.threads for worker in able]))
                self._turn.extend([w.number for i in rounds for w in able if w.threads > i])
            number = self._turn.popleft()
            if share.get(number, 0):
                share[number] -= 1
                return number

    def ran(self, affinity: int, worker: int) -> bool:
        """A worker has read data; whether they had been read there before, at home."""
        known = self._homes.get(affinity)
        if known == ~worker:
            self._homes[affinity] = worker
        return known == worker

    def stay(self, worker: Worker, now: float) -> bool:
        """Whether nobody would take what a worker was sent, if it gave it back."""
        affinity, group = self.table.affinity, self.table.group
        waiting = wait(worker, 0.0, now)
        return all(
            row in affinity and waiting <= group[row].pace.lost(_READ) for row in worker.sent
        )

    def _home(self, row: int) -> int:
        """The worker whose queue a task should wait in, or SHARED."""
        known = self._homes.get(self.table.affinity.get(row, 0))
        if known is None:
            return SHARED
        worker = self.workers.get(max(known, ~known))
        return worker.number if worker is not None and worker.accepts else SHARED

    def _from_elsewhere(self, run: Run, thief: Worker, now: float) -> int:
        """A task that is at home at another worker, but had better run at this one; -1 if none."""
        if len(run.sources) > _FEW_QUEUES and now - self._looked < _LOOK_EVERY:
            return -1
        for number, heap in list(islice(run.sources.items(), _FEW_QUEUES)):
            entry = self.table.top(heap, SOURCES)
            if entry < 0:
                del run.sources[number]
            elif self._better_here(number, len(heap), entry & ROW_MASK, thief, now):
                return entry
        self._looked = now
        return -1

    def _better_here(self, number: int, queued: int, row: int, thief: Worker, now: float) -> bool:
        home = self.workers.get(number)
        if home is None:
            return True
        group = self.table.group[row]
        known = self._homes.get(self.table.affinity[row], ~number)
        lost = group.pace.lost(_READ) if known >= 0 else 0.0
        waiting = wait(home, queued * seconds_of(group), now)
        return waiting > transfer(self.table, row, thief) + lost
