"""What planning found out, kept for the next equal query, without keeping anybody's data.

Tables in memory are part of a plan, and may be most of the memory there is. So what is kept is
made of *copies* of them (`Copies`): other objects over the same data, which only the cache has.
When the user's last reference to one of the originals goes, everything made of its copy goes too,
at that moment. Files are not held by plans, only their footers are.
"""

from __future__ import annotations

import copy
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from plait import config
from plait.io.held import HeldSource
from plait.io.memory import ArrowSource
from plait.planner.logical import LogicalPlan, Scan
from plait.planner.traits import traits
from plait.planner.tree import Node

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
InMemory = ArrowSource | HeldSource


def configured() -> int:
    """How many plans the settings of the process allow to keep."""
    return int(config.get("plan_cache.plans"))


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    number: int
    ties: tuple[weakref.ref[object], ...]


class PlanCache(Generic[K, V]):
    """The values last used, by key; one goes when one of the objects it is tied to goes.

    Neither key nor value may refer to what it is tied to.
    """

    def __init__(self, capacity: Callable[[], int] = configured) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: dict[K, _Entry[V]] = {}  # the one used last comes last
        self._keys: dict[int, K] = {}
        self._numbers = itertools.count()
        self._gone: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value of a key; None if there is none."""
        with self._lock:
            found = self._entries.pop(key, None)
            if found is not None:
                # under the key that was kept: the one asked for may hold what the value is tied to
                self._entries[self._keys[found.number]] = found
        self._sweep()
        return None if found is None else found.value

    def put(self, key: K, value: V, ties: Iterable[object] = ()) -> None:
        """Keep a value as long as all of `ties` live."""
        capacity, number = self._capacity(), next(self._numbers)
        cache, dropped = weakref.ref(self), []

        def gone(_: object) -> None:
            # called by the garbage collector in the midst of anything, so without waiting
            found = cache()
            if found is not None:
                found._gone.append(number)
                found._sweep()

        entry = _Entry(value, number, tuple(weakref.ref(tie, gone) for tie in ties))
        with self._lock:
            dropped.append(self._remove(key))
            if capacity > 0:
                self._entries[key], self._keys[number] = entry, key
            while len(self._entries) > capacity:
                dropped.append(self._remove(next(iter(self._entries))))
        # outside of the lock: letting go of values may let go of what others are tied to
        dropped.clear()
        self._sweep()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            dropped = self._entries, self._keys
            self._entries, self._keys = {}, {}
        del dropped
        self._sweep()

    def _remove(self, key: K) -> object:
        """Under the lock: what is no longer kept."""
        found = self._entries.pop(key, None)
        return None if found is None else (found, self._keys.pop(found.number))

    def _sweep(self) -> None:
        """Remove what was tied to something that is gone. Who has the lock sweeps after it."""
        while self._gone and self._lock.acquire(blocking=False):
            dropped: object = None
            try:
                if self._gone:
                    number = self._gone.popleft()
                    if number in self._keys:
                        dropped = self._remove(self._keys[number])
            finally:
                self._lock.release()
            del dropped


def keepable(plan: LogicalPlan) -> bool:
    """Whether a plan says all that matters of it, and holds nothing alive but tables."""
    try:
        return not traits(plan).effects
    except RecursionError:  # conditions of thousands of parts, as programs write them
        return False


class Copies:
    """Plans over copies of the tables in memory; each table is copied once."""

    def __init__(self) -> None:
        self.originals: list[InMemory] = []
        self._copies: dict[int, InMemory] = {}

    def of(self, plan: LogicalPlan) -> LogicalPlan:
        """The same plan; it has nothing of `originals`."""
        swapped: LogicalPlan = self._swap(plan)
        return swapped

    def _swap(self, node: Any) -> Any:
        if not any(isinstance(source, InMemory) for source in traits(node).sources):
            return node
        node = node.map_nodes_of(Node, self._swap)
        if isinstance(node, Scan) and isinstance(node.source, InMemory):
            node = replace(node, source=self._copy(node.source))
        return node

    def _copy(self, source: InMemory) -> InMemory:
        if id(source) not in self._copies:
            # of a copy that another cache made, the user's own: it may be there for longer
            known = _ORIGINALS.get(source)
            original = (None if known is None else known()) or source
            self.originals.append(original)
            made = self._copies[id(source)] = copy.copy(source)
            _ORIGINALS[made] = weakref.ref(original)
        return self._copies[id(source)]


_ORIGINALS: weakref.WeakKeyDictionary[InMemory, weakref.ref[InMemory]] = weakref.WeakKeyDictionary()
