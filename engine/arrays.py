"""Large arrays whose memory is used again.

Memory that is fresh from the system costs more to touch for the first time than a loop takes to
fill it. What an array of `empty` and its kin held goes to a free list when nothing refers to it any
more, and to the next one that asks for about as much. The list is bounded; Arrow arrays over such
memory hold it like any other.
"""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np

from plait.scheduler.context import current_context

Array = np.ndarray[Any, Any]

_LARGE = 1 << 20  # bytes, from which on it matters
_STEPS = 8  # sizes between two powers of two
_MOST = 256 << 20  # bytes that lie free,
_PART = 32  # and at most this part of the memory limit


class _Blocks:
    """Free blocks by size. Without a lock: blocks come back whenever the collector finds them, and
    appending to and popping from a deque are atomic."""

    def __init__(self) -> None:
        self.free: dict[int, deque[memoryview]] = {}
        self.bytes = 0  # about: two threads may count at once
        self.most = _MOST

    def take(self, size: int) -> memoryview:
        found = self.free.get(size)
        if found:
            with suppress(IndexError):  # another thread was faster
                block = found.pop()
                self.bytes -= size
                return block
        return np.empty(size, np.uint8).data

    def give(self, block: memoryview) -> None:
        if self.bytes + block.nbytes <= self.most:
            self.bytes += block.nbytes
            self.free.setdefault(block.nbytes, deque()).append(block)


_blocks = _Blocks()


def empty(count: int, dtype: Any) -> Array:
    """An array of `count` elements; they may be anything."""
    kind = np.dtype(dtype)
    size = count * kind.itemsize
    if size < _LARGE:
        return np.empty(count, kind)
    total = current_context().memory_total
    _blocks.most = _MOST if total is None else min(_MOST, total // _PART)
    step = 1 << max(0, size.bit_length() - 1) >> (_STEPS.bit_length() - 1)
    block = _blocks.take(-(-size // step) * step)
    # the memory is not an array's own, so all views of this one refer to this one
    array: Array = np.frombuffer(block, kind, count)
    weakref.finalize(array, _blocks.give, block).atexit = False
    return array


def full(count: int, value: int, dtype: Any) -> Array:
    """An array of one value."""
    made = empty(count, dtype)
    made.fill(value)
    return made


def copied(array: Array) -> Array:
    """A copy of an array of one dimension."""
    made = empty(len(array), array.dtype)
    np.copyto(made, array)
    return made


def release() -> None:
    """Give all free blocks back to the system."""
    for blocks in list(_blocks.free.values()):
        blocks.clear()
    _blocks.bytes = 0
