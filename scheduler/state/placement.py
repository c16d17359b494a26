"""Which worker gets which task, and when.

Ready tasks wait here, not at the workers: a worker is sent some 10 ms of estimated work ahead, so
that it never waits for us, and little has to be called back when things turn out differently. It
is *hungry* when less than half of that is left, and is then filled up: work goes out in batches.
How long a task takes is the moving average of its function; until the first has been measured, a
worker gets two for each thread.

    local      client, worker -> heap: most bytes of the inputs are at that worker
    shared     client -> heap: no inputs
    sources    source tasks, bounded in number; where their data was read before (`sources`)
    special    client -> heap: tasks that take resources; sent only when the resources are free
    followers  worker -> heap of WAITING tasks that may be *chained*: everything they still miss
               is SENT, so they can be sent behind it; where, says `chaining`

Heaps hold `rank << 32 | row`. Entries are never searched for: one is stale, and thrown away at the
top, unless the row still is that task and READY in this queue (`where`).

Order. Among clients the one that was given the least work; within a client by rank. A worker's own
queue and the shared one are merged by rank. A hungry worker for which nothing is left *steals* from
others' local queues if bringing the inputs takes less time than waiting there. What was sent but
has not begun is called back (Retract) when a worker is idle and another has more than it can run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from plait.scheduler.state.chaining import meeting
from plait.scheduler.state.costs import OVERHEAD, TARGET, UNKNOWN, seconds_of, transfer, wait
from plait.scheduler.state.messages import Retract
from plait.scheduler.state.outbox import Outbox
from plait.scheduler.state.records import (
    FEW_INPUTS,
    READY,
    ROW_BITS,
    ROW_MASK,
    SENT,
    SHARED,
    SOURCES,
    SPECIAL,
    WAITING,
    Client,
    Group,
    Run,
    Table,
    Worker,
)
from plait.scheduler.state.sources import Sources

MOST_SENT = 512
_FOLLOW = 0.75 * TARGET  # seconds of work that a worker has left when it gets more followers
LARGE = 256 << 10  # bytes of a part of which copies are not left to themselves

# Looking for something to steal: how many queues each time, else how often.
_FEW_QUEUES = 16
_STEAL_EVERY = 0.002

# Calling tasks back: not more often than, and only from workers that have had no success for.
_REBALANCE_EVERY = 0.005
_STUCK = 0.020


class Placement:
    """Queues of ready tasks, and what workers have been given."""

    def __init__(
        self,
        table: Table,
        workers: Mapping[int, Worker],
        out: Outbox,
    ) -> None:
        self.table = table
        self.workers = workers
        self.out = out
        self.hungry: dict[int, Worker] = {}
        # Workers of which something changed since the last dispatch.
        self.changed: dict[int, Worker] = {}
        # Workers with something that only concerns them: local tasks or followers.
        self.rich: dict[int, Worker] = {}
        self.active: dict[int, Client] = {}
        self.sources = Sources(table, workers)
        # SENT tasks that another worker took from the queue of where their inputs are.
        self.stolen: set[int] = set()
        # SENT tasks that have run, of which an input is not reported yet -> bytes of their parts.
        self.early: dict[int, tuple[int, ...]] = {}
        self.any_large = False
        """Whether there ever was a part of which copies are not left to themselves."""
        self.ready = 0
        self.ready_in = {SHARED: 0, SOURCES: 0, SPECIAL: 0}
        self._now = 0.0
        self._rebalanced = 0.0
        self._stole = 0.0

    # queues ---------------------------------------------------------------------------------------

    def enqueue(self, row: int) -> None:
        """A task has become READY (its state says so already)."""
        table = self.table
        group = table.group[row]
        client = group.run.client
        entry = table.rank[row] << ROW_BITS | row
        if group.needs:
            place = SPECIAL
            heappush(client.special, entry)
        elif group.source:
            place = SOURCES
            self.sources.enqueue(row)
        else:
            place = self._preferred(row)
            if place < 0:
                heappush(client.shared, entry)
            else:
                worker = self.workers[place]
                heap = worker.local.get(client.number)
                if heap is None:
                    heap = worker.local[client.number] = []
                heappush(heap, entry)
                worker.local_ready += 1
                self.rich[place] = self.changed[place] = worker
        table.where[row] = place
        if place < 0:
            self.ready_in[place] += 1
        self.ready += 1
        group.run.ready += 1
        client.ready += 1
        if client.ready == 1:
            # Who had nothing to do may not catch up for it.
            if self.active:
                least = min([other.clock for other in self.active.values()])
                client.clock = max(client.clock, least)
            self.active[client.number] = client

    def dequeue(self, row: int) -> None:
        """A READY task leaves its queue; the entry stays there, stale."""
        table = self.table
        place = table.where[row]
        table.where[row] = -1
        if place < 0:
            self.ready_in[place] -= 1
            if place == SOURCES:
                self.sources.dequeue(row)
        else:
            worker = self.workers[place]
            worker.local_ready -= 1
            if not worker.local_ready and not worker.followers:
                self.rich.pop(place, None)
        run = table.group[row].run
        client = run.client
        self.ready -= 1
        run.ready -= 1
        client.ready -= 1
        if not client.ready:
            del self.active[client.number]

    def _preferred(self, row: int) -> int:
        """The worker that has most bytes of a ready task's inputs, or SHARED."""
        table = self.table
        inputs = table.inputs[row]
        if not inputs:
            return SHARED
        owners = table.owner
        best = owners[inputs[0]]
        if len(inputs) > 1:
            there: dict[int, int] = {}
            for slot in inputs[:FEW_INPUTS]:
                owner = owners[slot]
                there[owner] = there.get(owner, 0) + table.size[slot] + 1
            best = max(there, key=there.__getitem__)
        return best if self.workers[best].accepts else SHARED

    def _next_special(self, client: Client, worker: Worker) -> int:
        """The entry of a task whose resources this worker has free, -1 if none."""
        kept: list[int] = []
        found = -1
        while (entry := self.table.top(client.special, SPECIAL)) >= 0:
            group = self.table.group[entry & ROW_MASK]
            if fits(group, worker.free) and (
                not group.source or self.sources.may_start(group.run, entry & ROW_MASK)
            ):
                found = entry
                break
            kept.append(heappop(client.special))
            if len(kept) == FEW_INPUTS:
                break
        for entry in kept:
            heappush(client.special, entry)
        return found

    def _next_follower(self, worker: Worker) -> int:
        """The entry of a task that may be chained here, -1 if none."""
        table = self.table
        heap = worker.followers
        while heap:
            entry = heap[0]
            row = entry & ROW_MASK
            if (
                table.state[row] == WAITING
                and table.rank[row] == entry >> ROW_BITS
                and table.lean[row] == worker.number
                and table.coming[row] == table.missing[row]
            ):
                return entry
            heappop(heap)
        return -1

    def _next(self, worker: Worker) -> int:
        """The entry this worker should get next, -1 if there is none for it."""
        best = self._next_follower(worker) if worker.followers else -1
        if not self.active:
            return best
        clients: Iterable[Client] = self.active.values()
        if len(self.active) > 1:
            clients = sorted(clients, key=_clock)
        for client in clients:
            found = self._next_of(client, worker)
            if found >= 0:
                if best < 0 or found < best:
                    best = found
                break
        return best

    def _next_of(self, client: Client, worker: Worker) -> int:
        best = -1
        heap = worker.local.get(client.number)
        if heap:
            best = self.table.top(heap, worker.number)
        if client.shared:
            entry = self.table.top(client.shared, SHARED)
            if entry >= 0 and (best < 0 or entry < best):
                best = entry
        if client.source_runs and worker.sources <= worker.threads:
            entry = self.sources.next(client, worker, self._now)
            if entry >= 0 and (best < 0 or entry < best):
                best = entry
        if client.special and worker.resources:
            entry = self._next_special(client, worker)
            if entry >= 0 and (best < 0 or entry < best):
                best = entry
        return best

    # sending --------------------------------------------------------------------------------------

    def send(self, row: int, worker: Worker) -> None:
        """READY, or WAITING and chained, to SENT."""
        table = self.table
        state = table.state
        if state[row] == READY:
            self.dequeue(row)
        number = worker.number
        state[row] = SENT
        table.where[row] = number
        table.attempt[row] += 1
        group = table.group[row]
        run = group.run
        seconds = group.pace.seconds
        estimate = UNKNOWN if seconds is None else seconds if seconds > OVERHEAD else OVERHEAD
        if not worker.sent:
            worker.last_done = self._now  # who had nothing to do is not stuck
        worker.sent[row] = estimate
        worker.load += estimate
        run.sent += 1
        run.client.clock += estimate
        if group.needs:
            for name, amount in group.needs.items():
                worker.free[name] -= amount
        self.out.run(worker, row)
        if self.any_large and table.inputs[row]:
            self._note_copies(row, number)
        if group.source:
            worker.sources += 1
            if self._is_bounded(row):
                run.unconsumed.add(row)
        first = table.first_slot[row]
        if group.outputs == 1:
            if table.consumers[first] is not None:
                self._comes(first)
            return
        for slot in range(first, first + group.outputs):
            if table.consumers[slot] is not None and table.owner[slot] < 0:
                self._comes(slot)

    def _is_bounded(self, row: int) -> bool:
        """Whether what a source task gives takes memory until somebody has consumed it.

        What is wanted stays anyway: bounding it would only bound the run. The same holds for what
        other sources read, as those that probe a table do: holding them back would keep it longer.
        """
        table = self.table
        slots = table.slots(row)
        used = any(table.uses[slot] for slot in slots)
        if not used or any(table.wanted[slot] for slot in slots):
            return False
        readers = (reader for slot in slots for reader in table.reading(slot))
        return not table.group[next(iter(readers))].source

    def _note_copies(self, row: int, worker: int) -> None:
        """A worker will fetch those inputs of a task that it does not have."""
        owner, size, copied = self.table.owner, self.table.size, self.table.copied
        for slot in self.table.inputs[row][:FEW_INPUTS]:
            if size[slot] >= LARGE and 0 <= owner[slot] != worker:
                copied.setdefault(slot, set()).add(worker)

    def _comes(self, slot: int) -> None:
        """An absent part will be made now: its consumers may perhaps be sent behind it."""
        table = self.table
        state, coming, missing = table.state, table.coming, table.missing
        for reader in table.reading(slot):
            if state[reader] == WAITING:
                count = coming[reader] = coming[reader] + 1
                if count == missing[reader]:
                    self.may_follow(reader)

    def may_follow(self, row: int) -> None:
        """All that a task misses is SENT: it could be chained, if there is a place for it."""
        table = self.table
        group = table.group[row]
        if group.needs or group.source:
            return
        number = meeting(table, self.workers, row)
        if number >= 0:
            table.lean[row] = number
            worker = self.workers[number]
            heappush(worker.followers, table.rank[row] << ROW_BITS | row)
            self.rich[number] = self.changed[number] = worker

    def learned(self) -> None:
        """It is known now how long tasks of a function take: that tells who has enough to do, and
        more may perhaps be chained.
        """
        table = self.table
        for worker in self.workers.values():
            for row, thought in worker.sent.items():
                seconds = table.group[row].pace.seconds
                if thought == UNKNOWN and seconds is not None:
                    worker.sent[row] = max(seconds, OVERHEAD)
                    worker.load += worker.sent[row] - thought
                    self.changed[worker.number] = worker
                for slot in table.slots(row):
                    for reader in table.reading(slot):
                        if (
                            table.state[reader] == WAITING
                            and table.coming[reader] == table.missing[reader]
                        ):
                            self.may_follow(reader)

    def leave(self, row: int) -> Worker:
        """A SENT task is no longer with its worker; the caller sets its new state."""
        table = self.table
        worker = self.workers[table.where[row]]
        table.where[row] = -1
        group = table.group[row]
        worker.load -= worker.sent.pop(row)
        self.stolen.discard(row)
        self.early.pop(row, None)
        if not worker.sent:
            self.idles(worker)
        group.run.sent -= 1
        if group.needs:
            for name, amount in group.needs.items():
                worker.free[name] += amount
        if group.source:
            worker.sources -= 1
        self.changed[worker.number] = worker
        return worker

    def idles(self, worker: Worker) -> None:
        """A worker has nothing any more."""
        worker.load = 0.0
        worker.followers.clear()
        if not worker.local_ready:
            self.rich.pop(worker.number, None)

    @property
    def sent(self) -> int:
        """How many tasks are with workers."""
        return sum([len(worker.sent) for worker in self.workers.values()])

    def _idle(self) -> bool:
        return not any(worker.sent for worker in self.workers.values())

    def look_at(self, worker: Worker) -> None:
        """Something about a worker has changed that decides what it may be sent."""
        self.changed[worker.number] = worker

    def _look_at(self, worker: Worker) -> bool:
        """Note whether a worker is hungry."""
        count = len(worker.sent)
        if (
            (
                count <= worker.threads
                or (count <= MOST_SENT // 2 and worker.load < TARGET / 2 * worker.threads)
            )
            and not worker.paused
            and worker.accepts
        ):
            self.hungry[worker.number] = worker
            return True
        self.hungry.pop(worker.number, None)
        return False

    def _fill(self, worker: Worker, most: int) -> None:
        target = TARGET * worker.threads
        sent = worker.sent
        while len(sent) <= worker.threads or (len(sent) < MOST_SENT and worker.load < target):
            # What can only run here is no matter of sharing.
            entry = self._next(worker) if most > 0 else self._next_follower(worker)
            if entry < 0:
                break
            row = entry & ROW_MASK
            most -= self.table.state[row] == READY
            self.send(row, worker)
        self._look_at(worker)

    def dispatch(self, now: float) -> None:
        """Fill hungry workers as far as there is work for them."""
        self._now = now
        hungry, rich = self.hungry, self.rich
        self._fill_changed()
        if hungry and self._common():
            waiting = sum(self.ready_in.values())
            share = -(-waiting // len(hungry))
            for worker in list(hungry.values()):
                if not self._common():
                    break
                self._fill(worker, max(worker.threads, share))
            self._fill_changed()
        if hungry and rich and self.ready:
            self._steal(now)
        if self.ready and self._idle():
            self._force()
        if hungry and not self.ready and now - self._rebalanced >= _REBALANCE_EVERY:
            self._rebalanced = now
            self._call_back(now)

    def _fill_changed(self) -> None:
        """Fill workers of which something changed; what one gets may be followed at another.

        Followers go out before a worker is hungry: they are often all that it can do next. When
        one gets some, so do others: who exchange results must be equally far, or each has to wait
        for the other.
        """
        changed, self.changed = self.changed, {}
        due = False
        for worker in changed.values():
            due = self._look_at(worker) or (worker.load < _FOLLOW * worker.threads) or due
        if due and len(self.rich) <= _FEW_QUEUES:
            changed.update(self.rich)
        while changed:
            for number, worker in changed.items():
                if number in self.rich:
                    if number in self.hungry:
                        self._fill(worker, MOST_SENT)
                    elif due and worker.followers and worker.accepts and not worker.paused:
                        self._fill(worker, 0)
            changed, self.changed = self.changed, {}

    def _common(self) -> bool:
        """Whether there are tasks that some hungry worker may take now, wherever it is."""
        ready_in = self.ready_in
        if ready_in[SHARED]:
            return True
        if ready_in[SPECIAL] and any(worker.resources for worker in self.hungry.values()):
            return True
        return bool(ready_in[SOURCES]) and any(
            self.sources.may_go_on(client) for client in self.active.values()
        )

    def _force(self) -> None:
        """Nothing runs anywhere, though something could: memory bounds must not stop us."""
        able = [worker for worker in self.workers.values() if worker.accepts]
        for worker in sorted(able, key=lambda worker: self.table.bytes_of(worker.held)):
            self._fill(worker, 1)
            if worker.sent:
                return
            # What lies in another worker's queue may be all there is.
            for victim in list(self.rich.values()):
                if (entry := self._top_of(victim)) >= 0:
                    self.send(entry & ROW_MASK, worker)
                    return

    # questions of membership ----------------------------------------------------------------------

    def abandon(self, worker: Worker) -> None:
        """A worker is leaving for good: what lies in its queue goes elsewhere."""
        for heap in worker.local.values():
            while (entry := self.table.top(heap, worker.number)) >= 0:
                row = entry & ROW_MASK
                self.dequeue(row)
                self.enqueue(row)
                heappop(heap)
        worker.local.clear()
        for known in (self.rich, self.hungry, self.changed):
            known.pop(worker.number, None)

    def special_groups(self) -> list[Group]:
        """The groups of ready tasks that take resources."""
        found: dict[tuple[int, int, int], Group] = {}
        if self.ready_in[SPECIAL]:
            for client in self.active.values():
                for entry in client.special:
                    row = entry & ROW_MASK
                    if self.table.state[row] == READY and self.table.where[row] == SPECIAL:
                        group = self.table.group[row]
                        found[client.number, group.run.number, group.number] = group
        return list(found.values())

    def waiting_runs(self) -> list[Run]:
        """Runs that have ready tasks."""
        runs = [run for client in self.active.values() for run in client.runs.values()]
        return [run for run in runs if run.ready]

    # stealing -------------------------------------------------------------------------------------

    def _top_of(self, victim: Worker) -> int:
        tops = [self.table.top(heap, victim.number) for heap in victim.local.values()]
        return min([entry for entry in tops if entry >= 0], default=-1)

    def _steal(self, now: float) -> None:
        """Let hungry workers take from others' queues where that is faster than waiting there."""
        if len(self.rich) > _FEW_QUEUES and now - self._stole < _STEAL_EVERY:
            return
        victims = [worker for worker in self.rich.values() if worker.local_ready]
        stole = False
        for thief in sorted(self.hungry.values(), key=_sent):
            if not victims:
                break
            for victim in list(victims):
                if victim is thief:
                    continue
                ready = victim.local_ready
                if not self._take(thief, victim, now):
                    victims.remove(victim)
                stole = stole or victim.local_ready < ready
                if thief.number not in self.hungry:
                    break
        if not stole:
            self._stole = now  # nothing was worth it; not again for each event

    def _take(self, thief: Worker, victim: Worker, now: float) -> bool:
        """Move some tasks; False if the victim has none, or none that is worth moving."""
        target = TARGET * thief.threads
        most = victim.local_ready // 2 + 1
        while most and victim.local_ready:
            if len(thief.sent) > thief.threads and thief.load >= target / 2:
                break
            entry = self._top_of(victim)
            row = entry & ROW_MASK
            if entry < 0 or not self._better_at(thief, victim, row, now):
                return False
            self.send(row, thief)
            self.stolen.add(row)
            most -= 1
        self._look_at(thief)
        return victim.local_ready > 0

    def _better_at(self, thief: Worker, victim: Worker, row: int, now: float) -> bool:
        """Whether a task costs less elsewhere than waiting for the last one of its queue."""
        group = self.table.group[row]
        waiting = wait(victim, victim.local_ready * seconds_of(group), now)
        return waiting > transfer(self.table, row, thief) + group.pace.lost(0.0)

    def _call_back(self, now: float) -> None:
        """Ask workers that have more than they can run for some of it, if others are idle."""
        idle = sum([worker.threads for worker in self.hungry.values() if not worker.sent])
        if not idle:
            return
        for worker in self.workers.values():
            spare = len(worker.sent) - worker.threads
            if spare <= 0 or worker.retracting >= 0 or not worker.accepts:
                continue
            if max(worker.load / worker.threads, now - worker.last_done) < _STUCK:
                continue
            if self.sources.stay(worker, now):
                continue
            worker.retracting = now
            count = min((spare + 1) // 2, MOST_SENT)
            self.out.tell(worker, Retract(count))
            idle -= count
            if idle <= 0:
                return


def fits(group: Group, offered: Mapping[str, float]) -> bool:
    """Whether the resources that a task takes are on offer."""
    return all(offered.get(name, 0.0) >= amount for name, amount in group.needs.items())


def _clock(client: Client) -> float:
    return client.clock


def _sent(worker: Worker) -> int:
    return len(worker.sent)
