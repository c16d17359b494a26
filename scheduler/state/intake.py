"""Submissions: columns of a message become rows, and what is wanted becomes needed.

A graph may come in several messages, so that taking in a million tasks does not hold up everybody
else; its first tasks run while the last ones are on their way. Until the last has come, results
that nobody needs so far are kept (`Run.idle`): their consumers may be still to come.
"""

from __future__ import annotations

from plait.scheduler.state.messages import PART_MASK, PART_SHIFT, GroupSpec, RunFailed, Submit
from plait.scheduler.state.records import (
    ERRED,
    MEMORY,
    POSITION_BITS,
    RELEASED,
    Client,
    Pace,
    Run,
    Table,
    first_rank,
    make_group,
)
from plait.scheduler.state.transitions import Failure, Transitions

_PACES = 10_000
_BLOCK = 16  # tasks from which a message is taken in by columns

# Said in place of a fault.
_ONE_BY_ONE = RunFailed(-1, "invalid", "")


class Intake:
    """Takes submissions in."""

    def __init__(self, table: Table, moves: Transitions, functions: dict[bytes, bytes]) -> None:
        self.table = table
        self.moves = moves
        self.functions = functions
        self._function_users: dict[bytes, set[int]] = {}
        self._paces: dict[tuple[str, bytes], Pace] = {}
        self._sequence = 0

    def submit(self, client: Client, event: Submit) -> None:
        """Add tasks of a run, and start what can be started."""
        run = client.runs.get(event.run)
        if run is None:
            rank = first_rank(event.priority, self._sequence)
            self._sequence += 1
            run = Run(client, event.run, rank, loading=True)
            client.runs[event.run] = run
        elif not run.loading:
            return  # said twice
        for name, function in event.functions:
            self.functions.setdefault(name, function)
            self._function_users.setdefault(name, set()).add(client.number)
        if run.fault is None:
            fault = self._problem(run, event) or self._take_in(run, event)
            if fault is not None:
                self.moves.fail(Failure(run, fault))
        if not event.more:
            self._loaded(run)

    def forget_client(self, client: Client) -> None:
        """Functions that only this client could name are not kept."""
        for name, users in list(self._function_users.items()):
            users.discard(client.number)
            if not users:
                del self._function_users[name]
                self.functions.pop(name, None)

    def rows(self, run: Run) -> list[int]:
        """The rows that a run still has."""
        tasks = [task for first, count in run.ranges for task in range(first, first + count)]
        return [self.table.row_of[task] for task in tasks if task in self.table.row_of]

    def _problem(self, run: Run, event: Submit) -> RunFailed | None:
        """What contradicts itself in a submission."""
        count = len(event.task_groups)
        columns = (
            *(event.arguments, event.inputs, event.positions),
            *(event.windows or event.inputs, event.affinities or event.inputs),
        )
        groups = len(run.groups) + len(event.groups)
        text = ""
        if any(len(column) != count for column in columns):
            text = f"Columns of {[count, *map(len, columns)]} entries; all must have as many"
        elif count and not 0 <= min(event.task_groups) <= max(event.task_groups) < groups:
            text = f"A task names a group beyond the {groups} of its run"
        elif count and not 0 <= min(event.positions) <= max(event.positions) < 1 << POSITION_BITS:
            text = f"Places in the order must be from 0 to {(1 << POSITION_BITS) - 1}"
        elif any(not 1 <= spec.outputs <= PART_MASK for spec in event.groups):
            text = f"A group must have 1 to {PART_MASK} outputs"
        elif event.first in self.table.row_of:
            text = f"Task {event.first} has been submitted before"
        else:
            unknown = [spec for spec in event.groups if spec.function not in self.functions]
            if unknown:
                text = f"The function of group {unknown[0].name!r} was never sent"
        return RunFailed(run.number, "invalid", text) if text else None

    def _take_in(self, run: Run, event: Submit) -> RunFailed | None:
        table = self.table
        run.groups.extend([make_group(run, spec, self._pace(spec)) for spec in event.groups])
        count = len(event.task_groups)
        run.ranges.append((event.first, count))
        fault = self._block(run, event) if count >= _BLOCK else _ONE_BY_ONE
        if fault is _ONE_BY_ONE:
            fault = self._one_by_one(run, event)
        if fault is not None:
            return fault
        for key in event.want:
            slot = table.slot(key)
            if slot < 0:
                return self._unknown(run, "", -1, key)
            fault = self._want(run, slot)
            if fault is not None:
                return fault
        self.moves.settle()
        return None

    def _block(self, run: Run, event: Submit) -> RunFailed | None:
        """Take in many tasks with one output each, in columns."""
        table = self.table
        groups = [run.groups[number] for number in event.task_groups]
        if any(group.outputs > 1 for group in run.groups):
            return _ONE_BY_ONE
        first, rank = event.first, run.rank
        ranks = [rank + position for position in event.positions]
        rows = table.add_block(first, groups, event.arguments, ranks)
        if not rows:
            return _ONE_BY_ONE
        self._note(rows, event)
        consumers, uses, add_consumer = table.consumers, table.uses, table.add_consumer
        inputs, missing, coming = table.inputs, table.missing, table.coming
        ready: list[int] = []
        own, shift = first << PART_SHIFT, rows[0] - first
        first_slot = table.first_slot
        for row, keys in zip(rows, event.inputs, strict=True):
            if not keys:
                ready.append(row)
            elif min(keys) >= own:
                # All are of this message: none is there yet, and none with a worker.
                slots = []
                for key in keys:
                    maker = (key >> PART_SHIFT) + shift
                    if key & PART_MASK or maker >= row:
                        return self._unknown(run, table.group[row].name, table.task[row], key)
                    slots.append(first_slot[maker])
                for slot in slots:
                    uses[slot] += 1
                    if consumers[slot] is None:
                        consumers[slot] = row
                    else:
                        add_consumer(slot, row)
                inputs[row] = tuple(slots)
                missing[row] = len(slots)
                coming[row] = 0
            else:
                found = [table.slot(key) for key in keys]
                if min(found) < 0:
                    key = keys[found.index(-1)]
                    return self._unknown(run, table.group[row].name, table.task[row], key)
                inputs[row] = tuple(found)
                for slot in found:
                    add_consumer(slot, row)
                table.state[row] = RELEASED
                self.moves.activate((row,))
        self.moves.activate_free(ready)
        return None

    def _one_by_one(self, run: Run, event: Submit) -> RunFailed | None:
        table = self.table
        groups, rank = run.groups, run.rank
        row_of, first_slot, add = table.row_of, table.first_slot, table.add
        rows: list[int] = []
        task = event.first
        for group, arguments, keys, position in zip(
            event.task_groups, event.arguments, event.inputs, event.positions, strict=True
        ):
            slots: tuple[int, ...] = ()
            if keys:
                found = []
                for key in keys:
                    row = row_of.get(key >> PART_SHIFT, -1)
                    part = key & PART_MASK
                    if row < 0 or part >= table.group[row].outputs:
                        return self._unknown(run, groups[group].name, task, key)
                    # Mostly the same object as in the column, not one more number.
                    found.append(first_slot[row] + part if part else first_slot[row])
                slots = tuple(found)
            rows.append(add(task, groups[group], arguments, slots, rank + position))
            task += 1
        self._note(rows, event)
        # In the order of the ids: what a task takes is active before it.
        rows.reverse()
        self.moves.activate(rows)
        return None

    def _note(self, rows: list[int], event: Submit) -> None:
        """Keep what only some tasks have."""
        windows, affinity = self.table.windows, self.table.affinity
        for row, window in zip(rows, event.windows, strict=False):
            if window:
                windows[row] = window
        for row, number in zip(rows, event.affinities, strict=False):
            if number:
                affinity[row] = number
        if event.affinities:
            self.moves.placement.sources.deal(rows)

    def _want(self, run: Run, slot: int) -> RunFailed | None:
        table = self.table
        row = table.maker[slot]
        if table.state[row] == ERRED:
            return self._unknown(run, table.group[row].name, table.task[row], table.key(slot))
        table.wanted[slot] = 1
        table.group[row].run.unconsumed.discard(row)
        if table.owner[slot] >= 0:
            self.moves.out.finished(
                run.client, table.key(slot), table.owner[slot], table.size[slot]
            )
        elif table.state[row] in (RELEASED, MEMORY):
            self.moves.activate((row,))
        return None

    def _loaded(self, run: Run) -> None:
        run.loading = False
        if run.fault is None:
            idle, run.idle = run.idle, []
            for slot in idle:
                self.moves.free_if_idle(slot)
        else:
            self.moves.loose.extend(self.rows(run))
        if not run.live:
            run.client.runs.pop(run.number, None)

    def _unknown(self, run: Run, group: str, task: int, key: int) -> RunFailed:
        text = f"Result {key & PART_MASK} of task {key >> PART_SHIFT} is not kept (any more)" + (
            f"; task {task} of group {group!r} takes it" if task >= 0 else ""
        )
        return RunFailed(run.number, "unknown", text, task, group)

    def _pace(self, spec: GroupSpec) -> Pace:
        """What is known of a function's duration, from this and earlier runs."""
        name = (spec.name, spec.function)
        pace = self._paces.pop(name, None) or Pace()
        self._paces[name] = pace
        if len(self._paces) > _PACES:
            del self._paces[next(iter(self._paces))]
        return pace
