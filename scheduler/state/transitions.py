"""How tasks change state. Every change of a row's state is in this file or in placement.

    RELEASED -> WAITING, READY   activate     a part is needed and absent
    WAITING  -> READY            finish       the last absent input is there
    READY    -> WAITING          lose         an input was lost
    READY    -> SENT             placement
    WAITING  -> SENT             placement    chained behind its inputs
    SENT     -> WAITING, READY   take_back    worker lost, given back, failed and to be retried
    SENT     -> MEMORY           finish
    MEMORY   -> RELEASED         let_go       no part is needed any more
    MEMORY   -> WAITING, READY   lose, activate   a needed part is absent: it runs again
    WAITING, READY, SENT -> RELEASED  let_go  nobody needs it any more
    any      -> ERRED            fail         its run has failed

Nothing recurses: a chain of a million tasks is let go, activated or forgotten with a stack. Nothing
scans: a task with 100 000 inputs is looked at once for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from plait.scheduler.state.messages import RunFailed
from plait.scheduler.state.numbers import PART_SHIFT
from plait.scheduler.state.outbox import Outbox
from plait.scheduler.state.placement import LARGE, Placement
from plait.scheduler.state.records import (
    ERRED,
    MEMORY,
    READY,
    RELEASED,
    SENT,
    WAITING,
    Run,
    Table,
    Worker,
)

_ACTIVE = (WAITING, READY, SENT)


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that must fail, and with what message; the run's number and keys are filled in."""

    run: Run
    message: RunFailed
    silent: bool = False


class Transitions:
    """The moves of tasks between states, keeping every count exact."""

    def __init__(
        self,
        table: Table,
        workers: Mapping[int, Worker],
        placement: Placement,
        out: Outbox,
    ) -> None:
        self.table = table
        self.workers = workers
        self.placement = placement
        self.out = out
        # Rows that may be forgotten, and runs that have to fail; see `settle`.
        self.loose: list[int] = []
        self.failures: list[Failure] = []
        # Tasks that have run, with the bytes of their parts, while `finish_all` goes through them.
        self._due: list[tuple[int, tuple[int, ...]]] = []

    # becoming needed ------------------------------------------------------------------------------

    def activate(self, rows: Iterable[int]) -> None:
        """Start computing rows of which a part is needed and absent, and what they need."""
        table = self.table
        state, owner, uses, maker = table.state, table.owner, table.uses, table.maker
        stack = list(rows)
        while stack:
            row = stack.pop()
            if state[row] != RELEASED and state[row] != MEMORY:
                continue
            state[row] = WAITING
            missing = coming = 0
            for slot in table.inputs[row]:
                uses[slot] += 1
                if owner[slot] >= 0:
                    continue
                missing += 1
                source = maker[slot]
                now = state[source]
                if now in (RELEASED, MEMORY):
                    stack.append(source)
                elif now == SENT:
                    coming += 1
                elif now == ERRED:
                    self._inherit(row, source)
            table.missing[row] = missing
            table.coming[row] = coming
            if not missing:
                state[row] = READY
                self.placement.enqueue(row)
            elif coming == missing:
                self.placement.may_follow(row)

    def activate_free(self, rows: Sequence[int]) -> None:
        """Start computing new rows without inputs."""
        table, enqueue = self.table, self.placement.enqueue
        state = table.state
        for row in rows:
            table.missing[row] = 0
            state[row] = READY
            enqueue(row)

    def _inherit(self, row: int, source: int) -> None:
        group, cause = self.table.group[row], self.table.group[source]
        fault = cause.run.fault or "unknown"
        text = f"It needs a result of {cause.name!r}, whose run has failed or was cancelled"
        self.failures.append(
            Failure(group.run, RunFailed(0, fault, text, self.table.task[source], cause.name))
        )

    # getting results ------------------------------------------------------------------------------

    def finish(self, row: int, sizes: tuple[int, ...]) -> None:
        """SENT to MEMORY: the worker has stored all parts. What is not needed is dropped there."""
        table, placement = self.table, self.placement
        state, owner = table.state, table.owner
        worker = placement.leave(row)
        number = worker.number
        run = table.group[row].run
        state[row] = MEMORY
        slot = table.first_slot[row]
        for size in sizes:
            wanted = table.wanted[slot]
            if owner[slot] >= 0:
                # Made again for the sake of another part. A second copy is of no use.
                if owner[slot] != number:
                    self.out.drop(worker, table.key(slot), table.attempt[row])
            elif table.uses[slot] or wanted or run.loading:
                key = self.hold(slot, worker, size)
                if wanted:
                    self.out.finished(run.client, key, number, size)
                elif not table.uses[slot]:
                    run.idle.append(slot)
                if table.consumers[slot] is not None:
                    for reader in table.reading(slot):
                        self._arrived(reader)
            else:
                self.out.drop(worker, table.key(slot), table.attempt[row])
            slot += 1
        inputs = table.inputs[row]
        if inputs:
            self.let_go(inputs)
        if not table.parts_held[row]:
            self._release(row)

    def _is_early(self, row: int) -> bool:
        table = self.table
        return any(
            table.owner[slot] < 0 and table.state[table.maker[slot]] == SENT
            for slot in table.inputs[row]
        )

    def finish_all(self, done: Iterable[tuple[int, tuple[int, ...]]]) -> None:
        """`finish` for many tasks: the same, in one piece where there is one part.

        A task may have got an input from a worker from which we have not heard yet that it made it.
        That news is on its way: until then the task stays SENT.
        """
        table, placement, out = self.table, self.placement, self.out
        state, group, where, first_slot = table.state, table.group, table.where, table.first_slot
        owner, uses, wanted, consumers = table.owner, table.uses, table.wanted, table.consumers
        missing, coming, inputs = table.missing, table.coming, table.inputs
        early, due = placement.early, self._due
        enqueue = placement.enqueue
        number = -1
        touched: dict[int, Worker] = {}
        due.extend(done)
        for row, weights in due:  # which grows meanwhile
            if state[row] != SENT:
                continue  # what came before it made it superfluous
            if where[row] != number:
                number = where[row]
                worker = touched[number] = self.workers[number]
                sent, held = worker.sent, worker.held
            if missing[row] and self._is_early(row):
                early[row] = weights
                continue
            kind = group[row]
            run = kind.run
            slot = first_slot[row]
            if kind.special or run.loading or not (uses[slot] or wanted[slot]):
                self.finish(row, weights)
                continue
            where[row] = -1
            worker.load -= sent.pop(row)
            run.sent -= 1
            state[row] = MEMORY
            (size,) = weights
            key = table.task[row] << PART_SHIFT
            owner[slot] = number
            table.size[slot] = size
            if size >= LARGE:
                placement.any_large = True
            table.parts_held[row] = 1
            held[slot] = key
            placement.sources.held_bytes += size
            if wanted[slot]:
                out.finished(run.client, key, number, size)
            readers = consumers[slot]
            if readers is not None:
                for reader in (readers,) if type(readers) is int else table.reading(slot):
                    now = state[reader]
                    if now == WAITING:
                        left = missing[reader] = missing[reader] - 1
                        if not left:
                            state[reader] = READY
                            enqueue(reader)
                        elif coming[reader]:
                            coming[reader] -= 1
                    elif now == SENT:
                        left = missing[reader] = missing[reader] - 1
                        if not left and reader in early:
                            due.append((reader, early.pop(reader)))
            taken = inputs[row]
            if taken:
                self.let_go(taken)
        due.clear()
        for worker in touched.values():
            if not worker.sent:
                placement.idles(worker)
            placement.look_at(worker)

    def _arrived(self, reader: int) -> None:
        """One input of a task is there now."""
        table = self.table
        now = table.state[reader]
        if now == WAITING:
            table.missing[reader] -= 1
            if not table.missing[reader]:
                table.state[reader] = READY
                self.placement.enqueue(reader)
            elif table.coming[reader]:
                table.coming[reader] -= 1
        elif now == SENT:
            table.missing[reader] -= 1
            early = self.placement.early
            if not table.missing[reader] and reader in early:
                self._due.append((reader, early.pop(reader)))

    def hold(self, slot: int, worker: Worker, size: int) -> int:
        """A worker becomes the owner of a part; returns its key."""
        table = self.table
        row = table.maker[slot]
        key = table.task[row] << PART_SHIFT | (slot - table.first_slot[row])
        table.owner[slot] = worker.number
        table.size[slot] = size
        if size >= LARGE:
            self.placement.any_large = True
        table.parts_held[row] += 1
        worker.held[slot] = key
        self.placement.sources.held_bytes += size
        return key

    def unhold(self, slot: int, *, drop: bool = True) -> None:
        """A part has no owner any more; if it may still be there, it is to be dropped."""
        table = self.table
        worker = self.workers[table.owner[slot]]
        table.owner[slot] = -1
        row = table.maker[slot]
        table.parts_held[row] -= 1
        key = worker.held.pop(slot)
        self.placement.sources.held_bytes -= table.size[slot]
        if drop:
            self.out.drop(worker, key, table.held_attempt(row))

    def _drop_copies(self, slot: int) -> None:
        """Nobody needs a part any more: nor those who may have fetched it."""
        table = self.table
        row = table.maker[slot]
        for number in table.copied.pop(slot):
            if number in self.workers and number != table.owner[slot]:
                self.out.drop(self.workers[number], table.key(slot), table.held_attempt(row))

    # no longer being needed -----------------------------------------------------------------------

    def let_go(self, slots: Iterable[int]) -> None:
        """Each part has one use less: free what nobody needs, cancel what only served that."""
        table = self.table
        uses, wanted, owner, maker, group = (
            *(table.uses, table.wanted, table.owner, table.maker, table.group),
        )
        copied = table.copied
        stack: list[int] = []
        for slot in slots:
            left = uses[slot] = uses[slot] - 1
            if left or wanted[slot]:
                continue
            row = maker[slot]
            kind = group[row]
            if owner[slot] < 0 or kind.special or kind.run.loading or table.state[row] != MEMORY:
                stack.append(slot)
                continue
            # mostly: the only part of a task is there, and was needed by this one last
            if slot in copied:
                self._drop_copies(slot)
            holder = self.workers[owner[slot]]
            owner[slot] = -1
            table.parts_held[row] = 0
            self.placement.sources.held_bytes -= table.size[slot]
            self.out.forget(holder, holder.held.pop(slot), table.attempt[row], table.size[slot])
            table.state[row] = RELEASED
            if table.consumers[slot] is None:
                self.loose.append(row)
        while stack:
            for slot in self._free(stack.pop()):
                uses[slot] -= 1
                if not uses[slot] and not wanted[slot]:
                    stack.append(slot)

    def unwant(self, slot: int) -> None:
        """The client does not want a part any more."""
        table = self.table
        if table.wanted[slot]:
            table.wanted[slot] = 0
            self.free_if_idle(slot)

    def free_if_idle(self, slot: int) -> None:
        """Free a part if nobody needs it."""
        table = self.table
        if not table.uses[slot] and not table.wanted[slot]:
            inputs = self._free(slot)
            if inputs:
                self.let_go(inputs)

    def _free(self, slot: int) -> tuple[int, ...]:
        """A part is not needed; returns the parts its task needs no longer, if it is cancelled."""
        table = self.table
        row = table.maker[slot]
        run = table.group[row].run
        if run.loading:
            run.idle.append(slot)
            return ()
        state = table.state[row]
        if slot in table.copied:
            self._drop_copies(slot)
        if table.owner[slot] >= 0:
            self.unhold(slot)
            if state == MEMORY and not table.parts_held[row]:
                self._release(row)
        elif state in _ACTIVE:
            if not table.needed(row):
                self._cancel(row, state)
                if table.parts_held[row]:
                    table.state[row] = MEMORY
                else:
                    self._release(row)
                return table.inputs[row]
        else:
            self.loose.append(row)
        return ()

    def _cancel(self, row: int, state: int) -> None:
        """Take an active task out of queue or worker; the caller sets its new state."""
        if state == READY:
            self.placement.dequeue(row)
        elif state == SENT:
            worker = self.placement.leave(row)
            self.out.discard(worker, self.table.task[row], self.table.attempt[row])

    def _release(self, row: int) -> None:
        table = self.table
        table.state[row] = RELEASED
        table.group[row].run.unconsumed.discard(row)
        # what is read is forgotten after its readers
        if not table.read(row):
            self.loose.append(row)

    # losing ---------------------------------------------------------------------------------------

    def take_back(self, row: int, *, tell: bool) -> None:
        """SENT to WAITING or READY, and with it what was chained behind it."""
        table = self.table
        state = table.state
        stack = [(row, tell)]
        while stack:
            row, tell = stack.pop()
            if state[row] != SENT:
                continue
            worker = self.placement.leave(row)
            if tell:
                self.out.discard(worker, table.task[row], table.attempt[row])
            table.group[row].run.unconsumed.discard(row)
            if table.missing[row]:
                state[row] = WAITING
                table.coming[row] = 0
            else:
                state[row] = READY
                self.placement.enqueue(row)
            for slot in table.slots(row):
                if table.owner[slot] >= 0:
                    continue
                for reader in table.reading(slot):
                    if state[reader] == SENT:
                        stack.append((reader, True))
                    elif state[reader] == WAITING and table.coming[reader]:
                        table.coming[reader] -= 1

    def lose(self, slots: Iterable[int], *, drop: bool) -> None:
        """Held parts are gone, or (`drop`) cannot be reached: compute them again if needed."""
        table = self.table
        state = table.state
        makers: dict[int, None] = {}
        for slot in slots:
            row = table.maker[slot]
            self.unhold(slot, drop=drop)
            makers[row] = None
            for reader in table.reading(slot):
                if state[reader] == READY:
                    self.placement.dequeue(reader)
                    state[reader] = WAITING
                    table.coming[reader] = 0
                    table.missing[reader] = 1
                elif state[reader] == WAITING or state[reader] == SENT:
                    table.missing[reader] += 1
            if table.wanted[slot]:
                self.out.lost(table.group[row].run.client, table.key(slot))
        again = []
        for row in makers:
            if state[row] == MEMORY:
                if table.needed(row):
                    again.append(row)
                elif not table.parts_held[row]:
                    self._release(row)
        self.activate(again)

    # failing --------------------------------------------------------------------------------------

    def fail(self, failure: Failure) -> None:
        """End a run with an error, and every run that waits for its results."""
        self.failures.append(failure)
        self.settle()

    def settle(self) -> None:
        """Carry out the failures noted on the way."""
        while self.failures:
            failure = self.failures.pop()
            if failure.run.fault is None:
                self._fail_run(failure)

    def _fail_run(self, failure: Failure) -> None:
        table = self.table
        run, message = failure.run, failure.message
        run.fault = message.fault
        keys: list[int] = []
        unused: list[int] = []
        for first, count in run.ranges:
            for task in range(first, first + count):
                row = table.row_of.get(task, -1)
                if row < 0:
                    continue
                state = table.state[row]
                if state in _ACTIVE:
                    self._cancel(row, state)
                    unused.extend(table.inputs[row])
                table.state[row] = ERRED
                self.loose.append(row)
                for slot in table.slots(row):
                    self._void(slot, run, keys)
        run.unconsumed.clear()
        run.idle.clear()
        self.let_go(unused)
        if not failure.silent:
            told = RunFailed(
                run.number,
                message.fault,
                message.text,
                message.task,
                message.group,
                message.type_name,
                message.error,
                message.worker,
                message.seconds,
                tuple(keys),
            )
            self.out.failed(run.client, told)

    def _void(self, slot: int, run: Run, keys: list[int]) -> None:
        """A part of a failed run is not kept, whoever needs it."""
        table = self.table
        row = table.maker[slot]
        if table.owner[slot] >= 0:
            self.unhold(slot)
        if table.wanted[slot]:
            table.wanted[slot] = 0
            keys.append(table.key(slot))
        for reader in table.reading(slot):
            if table.group[reader].run is not run and table.state[reader] in _ACTIVE:
                self._inherit(reader, row)

    # forgetting -----------------------------------------------------------------------------------

    def forget(self, most: int) -> None:
        """Forget up to `most` rows that nothing depends on any more."""
        for run in self.table.forget(self.loose, most):
            run.client.runs.pop(run.number, None)
