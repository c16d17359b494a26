"""Crash slots: which tasks were running when a process ended, however it ended.

A row of 64-bit numbers in memory that the worker shares with its supervisor: each thread writes its
task there before it runs it, and nothing after. A store into shared memory is there at once, so
even of a process that was killed the supervisor knows whom to ask, and of whom not to.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable

SLOTS = 512  # threads of a worker; those beyond cannot be told apart from idle ones
_NUMBERS = struct.Struct(f"<{SLOTS}q")


def writer(slots: mmap.mmap | None, thread: int) -> Callable[[int], None]:
    """What the thread with this number calls with the task it begins, and -1 when it ends."""
    if slots is None or thread >= SLOTS:
        return lambda task: None
    numbers = memoryview(slots).cast("q")

    def write(task: int) -> None:
        # one more, so that zeroes, as the memory begins, are no task
        numbers[thread] = task + 1

    return write


def running_tasks(slots: mmap.mmap) -> tuple[int, ...]:
    """The tasks that were running."""
    return tuple([number - 1 for number in _NUMBERS.unpack(slots[: _NUMBERS.size]) if number > 0])
