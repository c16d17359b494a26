"""Memory: what this process holds, and how much more it may.

The budget (`memory_limit`) has two halves. One is for results that wait between tasks: they are
counted here while they live (`Hold`), and what is given while that half is full goes to files. The
other is for running tasks, in equal shares. An operator may gather a quarter of its task's share
before it takes to files: work on rows takes a few times the room of the rows.

What is counted are bytes of columns, not what the allocators took from the system for them.
"""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.types as pat

from plait.io.reader import cached_bytes, shrink_cache
from plait.scheduler.context import current_context, when_short

_BROADCAST = 16  # with its index a table takes twice its rows' bytes, and there may be several
_CACHED = 4  # of the limit, what columns of files may take unless it is set
_GATHERED = 8  # a task may gather this part of what the executor gives it: a quarter of a half

# By the identity of the Hold. Single steps on a dict need no lock, which matters as a Hold may go
# when the garbage collector says so, in the midst of anything.
_held: dict[int, int] = {}


class Hold:
    """So many bytes count as held while this object lives. Copies count for themselves."""

    __slots__ = ("__weakref__",)

    def __init__(self, count: int = 0) -> None:
        _held[id(self)] = count

    @property
    def bytes(self) -> int:
        """How many."""
        return _held[id(self)]

    def set(self, count: int) -> None:
        """Hold this many from now on."""
        _held[id(self)] = count

    def __del__(self) -> None:
        _held.pop(id(self), None)

    def __reduce__(self) -> tuple[type[Hold], tuple[int]]:
        return Hold, (self.bytes,)


def held() -> int:
    """Bytes of all results that wait in this process."""
    return sum(list(_held.values()))


def results_are_full() -> bool:
    """Whether what running tasks give now is to go to files."""
    total = current_context().memory_total
    if total is None:
        return False
    free = result_bytes(total) - held()
    if cached_bytes() > free:
        shrink_cache(free)
    return free < 0


def _give_cache(count: int) -> int:
    """Let decoded columns go, so many bytes of them if there are."""
    before = cached_bytes()
    shrink_cache(max(0, before - count))
    return before - cached_bytes()


when_short(_give_cache)


def cache_bytes(wanted: int) -> int:
    """Bytes of decoded columns that may be kept, of so many at most."""
    total = current_context().memory_total
    if not wanted or total is None:
        return wanted
    return max(0, min(wanted, result_bytes(total) - held()))


def default_cache_bytes(limit: int) -> int:
    """Bytes of decoded columns that may be kept unless a setting says otherwise."""
    return limit // _CACHED


def gather_limit() -> float:
    """Bytes that one operator of the running task may gather; infinite without a limit."""
    share = current_context().memory_limit
    return math.inf if share is None else max(1, share // _GATHERED)


def result_bytes(limit: int) -> int:
    """Bytes of results that may wait in memory."""
    return limit // 2


def task_bytes(limit: int, workers: int) -> int:
    """Bytes to plan for one partition, so that with its siblings' unevenness it can be gathered."""
    return max(1, limit // workers // _GATHERED // 2)


def broadcast_bytes(limit: int) -> int:
    """Bytes of a join's side that all tasks may share as one table."""
    return limit // _BROADCAST


class Weight:
    """The bytes of batches that are gathered; a dictionary they share counts once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._dictionaries: set[int] = set()

    def add(self, batch: pa.RecordBatch) -> int:
        """The bytes with one more batch."""
        for column in batch.columns:
            if pat.is_dictionary(column.type):
                self.bytes += column.indices.nbytes
                buffer = column.dictionary.buffers()[-1]
                if buffer is None or buffer.address in self._dictionaries:
                    continue
                self._dictionaries.add(buffer.address)
                self.bytes += column.dictionary.nbytes
            else:
                self.bytes += column.nbytes
        return self.bytes
