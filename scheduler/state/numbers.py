"""The numbers of tasks and keys, which clients give out without asking anybody.

task     client << 36 | counter
key      task << 16 | part
"""

from __future__ import annotations

CLIENT_SHIFT = 36
PART_SHIFT = 16
PART_MASK = (1 << PART_SHIFT) - 1


def first_task(client: int) -> int:
    """The number of a client's first task."""
    return client << CLIENT_SHIFT


def client_of(task: int) -> int:
    """The client that numbered a task."""
    return task >> CLIENT_SHIFT


def key_of(task: int, part: int = 0) -> int:
    """The key of one output.

    >>> key_of(3, 2) >> PART_SHIFT, key_of(3, 2) & PART_MASK
    (3, 2)
    """
    return task << PART_SHIFT | part


def task_of(key: int) -> int:
    """The task that makes a key."""
    return key >> PART_SHIFT
