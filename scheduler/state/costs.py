"""How long things are thought to take: tasks, waiting for a worker, bringing inputs there."""

from __future__ import annotations

from plait.scheduler.state.records import FEW_INPUTS, Group, Table, Worker

TARGET = 0.010  # seconds of work sent ahead, per thread
UNKNOWN = TARGET / 2
OVERHEAD = 20e-6  # what a task costs a worker beside its own work

# To bring inputs from another worker.
_LATENCY = 0.5e-3
_BYTES_PER_SECOND = 500e6


def seconds_of(group: Group) -> float:
    """How long a task of the group is thought to keep a worker busy."""
    seconds = group.pace.seconds
    return UNKNOWN if seconds is None else max(seconds, OVERHEAD)


def wait(worker: Worker, queued: float, now: float) -> float:
    """Seconds until a worker is done with what it was sent, and `queued` seconds of work."""
    if worker.paused or not worker.accepts:
        return float("inf")
    load = max(worker.load, now - worker.last_done if worker.sent else 0.0)
    return (load + queued) / worker.threads


def transfer(table: Table, row: int, worker: Worker) -> float:
    """Seconds it takes a worker to get the inputs of a task."""
    total = 0
    for slot in table.inputs[row][:FEW_INPUTS]:
        if table.owner[slot] != worker.number:
            total += table.size[slot]
    return _LATENCY + total / _BYTES_PER_SECOND
