"""Where a task is sent whose inputs are still being made: behind them.

It goes where all that it misses is being made. If that is in several places it may go where most of
its inputs are, and fetches the others from workers that have not made them yet: so those who
exchange a little after each short step need not hear from the scheduler between any two. That is
for quick tasks only. Others are better placed when it is known what their inputs weigh, and would
take up room at a worker that waits for another one.
"""

from __future__ import annotations

from collections.abc import Mapping

from plait.scheduler.state.records import FEW_INPUTS, Group, Table, Worker

_QUICK = 0.005  # seconds
_UNSEEN = 64  # bytes that a part which is not made yet is taken for


def meeting(table: Table, workers: Mapping[int, Worker], row: int) -> int:
    """The worker where a task may be chained, all whose absent inputs are SENT; -1 if none."""
    owner, maker, where = table.owner, table.maker, table.where
    inputs = table.inputs[row]
    if len(inputs) == 1:
        return where[maker[inputs[0]]]
    only = -1
    for slot in inputs:
        if owner[slot] < 0:
            place = where[maker[slot]]
            if only < 0:
                only = place
            elif place != only:
                break
    else:
        return only
    group = table.group
    if len(inputs) > FEW_INPUTS or not _quick(group[row]):
        return -1
    there: dict[int, int] = {}
    for slot in inputs:
        place, weight = owner[slot], table.size[slot]
        if place < 0:
            source = maker[slot]
            if not _quick(group[source]):
                return -1
            place, weight = where[source], _UNSEEN
        there[place] = there.get(place, 0) + weight
    best = max(there, key=lambda number: (there[number], -workers[number].load))
    return best if workers[best].accepts else -1


def _quick(group: Group) -> bool:
    seconds = group.pace.seconds
    return seconds is not None and seconds < _QUICK
