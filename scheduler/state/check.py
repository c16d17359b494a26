"""What must be true between any two events. Simulations assert it after each one.

Nothing here is fast: every count that the machines keep is counted anew.
"""

from __future__ import annotations

from collections import Counter

from plait.scheduler.state.records import (
    ERRED,
    MEMORY,
    READY,
    RELEASED,
    SENT,
    STATE_NAMES,
    WAITING,
    Table,
    Worker,
)
from plait.scheduler.state.scheduler_state import SchedulerState
from plait.scheduler.state.worker_state import WorkerState

_ACTIVE = (WAITING, READY, SENT)


def check_scheduler(state: SchedulerState) -> None:
    """Raise AssertionError, naming the task, if an invariant of the scheduler is broken."""
    table = state.table
    uses: Counter[int] = Counter()
    readers: dict[int, set[int]] = {}
    for row in table.row_of.values():
        for slot in table.inputs[row]:
            readers.setdefault(slot, set()).add(row)
            if table.state[row] in _ACTIVE:
                uses[slot] += 1
    for task, row in table.row_of.items():
        assert table.task[row] == task
        _check_row(state, row, uses, readers)
    for worker in state.workers.values():
        _check_worker(table, worker)
    _check_totals(state)


def _check_row(
    state: SchedulerState, row: int, uses: Counter[int], readers: dict[int, set[int]]
) -> None:
    table = state.table
    now = table.state[row]
    run = table.group[row].run
    what = f"task {table.task[row]}, {STATE_NAMES[now]}"
    held = 0
    for slot in table.slots(row):
        assert table.maker[slot] == row, f"{what}: maker of {slot}"
        assert table.uses[slot] == uses[slot], f"{what}: uses of {slot}"
        assert set(table.reading(slot)) == readers.get(slot, set()), f"{what}: readers of {slot}"
        owner = table.owner[slot]
        if owner >= 0:
            held += 1
            assert slot in state.workers[owner].held, f"{what}: owner of {slot}"
            needed = table.uses[slot] or table.wanted[slot] or run.loading
            assert needed, f"{what}: {slot} is held for nobody"
    assert table.parts_held[row] == held, f"{what}: parts held"
    absent = [slot for slot in table.inputs[row] if table.owner[slot] < 0]
    if now in _ACTIVE:
        assert table.missing[row] == len(absent), f"{what}: missing"
        for slot in absent:
            maker = table.maker[slot]
            assert table.state[maker] in _ACTIVE, f"{what}: nobody makes input {table.key(slot)}"
    else:
        assert (now == MEMORY) == bool(held), f"{what}: {held} parts held"
        assert now == ERRED or not table.needed(row), f"{what}: needed"
    assert (now == ERRED) == (run.fault is not None), f"{what}: run's fault is {run.fault}"
    if now == READY:
        assert not absent, f"{what}: inputs absent"
        assert table.where[row] < 0 or table.where[row] in state.workers, f"{what}: queue"
    elif now == SENT:
        assert row in state.workers[table.where[row]].sent, f"{what}: worker"
    else:
        assert table.where[row] == -1, f"{what}: where"
    if now == WAITING:
        assert absent, f"{what}: nothing absent"
        sent = [slot for slot in absent if table.state[table.maker[slot]] == SENT]
        assert 0 <= table.coming[row] <= len(sent), f"{what}: coming"
    if now in (RELEASED, ERRED):
        assert not any(table.wanted[slot] for slot in table.slots(row)), f"{what}: wanted"


def _check_worker(table: Table, worker: Worker) -> None:
    what = f"worker {worker.number}"
    for row in worker.sent:
        assert table.state[row] == SENT, what
        assert table.where[row] == worker.number, what
    for slot, key in worker.held.items():
        assert table.owner[slot] == worker.number, what
        assert table.key(slot) == key, what
    assert abs(sum(worker.sent.values()) - worker.load) < 1e-6, f"{what}: load"
    for name, amount in worker.resources.items():
        taken = sum([table.group[row].needs.get(name, 0.0) for row in worker.sent])
        assert abs(worker.free[name] + taken - amount) < 1e-9, f"{what}: {name}"
        assert worker.free[name] > -1e-9, f"{what}: {name} given twice"
    sources = [row for row in worker.sent if table.group[row].source]
    assert len(sources) == worker.sources, f"{what}: sources"


def _check_totals(state: SchedulerState) -> None:
    table, placement = state.table, state.placement
    states = Counter([table.state[row] for row in table.row_of.values()])
    assert placement.sent == states[SENT]
    assert placement.ready == states[READY]
    queued = Counter(
        [table.where[row] for row in table.row_of.values() if table.state[row] == READY]
    )
    for worker in state.workers.values():
        assert worker.local_ready == queued[worker.number], f"worker {worker.number}: local"
        if worker.local_ready:
            assert worker.number in placement.rich, f"worker {worker.number}: not rich"
    assert placement.ready_in == {place: queued[place] for place in placement.ready_in}
    for row in (*placement.stolen, *placement.early):
        assert table.state[row] == SENT, f"task {table.task[row]} is stolen or early, and not sent"
    for row in placement.early:
        assert table.missing[row], f"task {table.task[row]} is early, and misses nothing"
    held = [slot for worker in state.workers.values() for slot in worker.held]
    assert placement.sources.held_bytes == sum([table.size[slot] for slot in held])
    assert placement.sources.threads == sum([w.threads for w in state.workers.values()])
    rows = Counter([id(table.group[row].run) for row in table.row_of.values()])
    for client in state.clients.values():
        assert client.ready == sum([run.ready for run in client.runs.values()])
        assert (client.number in placement.active) == (client.ready > 0)
        for run in client.runs.values():
            assert run.live == rows[id(run)], f"run {run.number}: live"
            assert run.live or run.loading, f"run {run.number}: empty, but kept"
            for row in run.unconsumed:
                assert table.group[row].run is run, f"run {run.number}: unconsumed"
                assert table.state[row] in (*_ACTIVE, MEMORY), f"run {run.number}: unconsumed"


def check_worker(state: WorkerState) -> None:
    """Raise AssertionError if an invariant of a worker is broken."""
    shelf = state.shelf
    users: dict[int, set[int]] = {}
    for item in state.tasks.values():
        for key in item.inputs:
            users.setdefault(key, set()).add(item.task)
        what = f"worker {state.worker}: task {item.task}"
        if item.running:
            assert (item.task, item.attempt) in state.running, what
        else:
            absent = [key for key in item.inputs if key not in shelf]
            assert item.missing == len(absent), f"{what}: missing"
    assert users == shelf.users
    assert len(state.running) <= state.threads
    assert not shelf.copies & set(shelf.held)
    assert shelf.idle.keys() == {key for key in shelf.copies if key not in users}
    assert not [key for key in state.fetches.peer_of if key in shelf], "fetching what is here"
    held_bytes = sum([shelf.size(key) for key in shelf.held])
    assert held_bytes == shelf.held_bytes
