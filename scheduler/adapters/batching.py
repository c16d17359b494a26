"""Which tasks go to a foreign cluster together, and what is to come out: pure, no clock, no lock.

    missing     task -> dependencies not done yet
    taken       task -> whether it is in a batch that was sent, or over
    over        task -> whether it is done or, among independent jobs, will never be
    alone       tasks that go without others, as their batch was lost
    ready       for each demand for resources, a heap of places in the schedule's sequence
    uses        slot -> consumers to come, plus one if it is wanted
    readers     slot -> places of its consumers, first to run first

A batch starts with the foremost ready task. After a task, everything that only waited for tasks of
the batch may follow in it, and so may other ready tasks; the foremost place wins, as if one worker
ran depth first from there. So chains are fused, siblings go together, and much of what is made is
used up in place.

How long tasks take is known from those of their group that are done. Of a group that has shown
nothing yet a single task is put into a batch, as its last. A batch takes `_LEAST` seconds or more:
more if there is so much to do that every slot gets several such. Where the guess was wrong, a
worker stops after a few times as long and gives the rest back.

What a batch makes for others it gives in *bundles*, the unit in which the cluster keeps and moves
data: parts with the same first consumer share one, so an exchange of many parts from many tasks is
a bundle for each reader and batch, and never more than a few for each slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import groupby, pairwise
from operator import itemgetter

from plait.scheduler.graph import Ref, TaskGraph
from plait.scheduler.order import make_schedule

_LEAST = 0.05  # seconds of work of a batch
_MOST = 0.25  # seconds a batch may take where there is plenty to do
_SHARES = 4  # batches for each slot, if there is plenty to do
_OVERHEAD = 20e-6  # seconds that running a task costs beside its function
_TASKS = 10_000  # of a batch

Resources = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch to send: its tasks in order, what it gives, bundle by bundle, and what it takes."""

    tasks: tuple[int, ...]
    bundles: tuple[tuple[Ref, ...], ...]
    resources: Resources
    seconds: float
    """How long it is meant to take at most."""


class Batching:
    """The part of a graph that `want` needs, and how far it is."""

    def __init__(self, graph: TaskGraph, want: Sequence[Ref]) -> None:
        self.graph = graph
        self.wanted = frozenset([graph.slot(ref) for ref in want])
        schedule = make_schedule(graph, [ref.task for ref in want])
        self.sequence, self.position = schedule.sequence, schedule.position
        self.dependents = schedule.dependents
        self.remaining = len(self.sequence)
        self.missing = list(map(len, graph.dependencies))
        self.taken = bytearray(len(graph))
        self.over = bytearray(len(graph))
        self.alone: set[int] = set()
        self.readers: list[list[int]] = [[] for _ in range(graph.slots)]
        for place, task in enumerate(self.sequence):
            for slot in graph.inputs[task]:
                self.readers[slot].append(place)
        self.uses = list(map(len, self.readers))
        for slot in self.wanted:
            self.uses[slot] += 1
        self._ready: dict[Resources, list[int]] = {}
        self._ready_of = [0] * len(graph.groups)
        self._seconds = [0.0] * len(graph.groups)
        self._done_of = [0] * len(graph.groups)
        for place, task in enumerate(self.sequence):
            if not self.missing[task]:
                self._ready_heap(task).append(place)
                self._ready_of[graph.task_groups[task]] += 1
        for heap in self._ready.values():
            heapify(heap)

    def take(self, slots: int) -> Draft | None:
        """The next batch for a cluster of so many slots; None while nothing can start."""
        heads = [heap for heap in self._ready.values() if heap]
        if not heads:
            return None
        heap = min(heads, key=lambda heap: heap[0])
        resources = self.graph.group_of(self.sequence[heap[0]]).resources
        budget = min(_MOST, max(_LEAST, self._ready_seconds() / (_SHARES * slots)))
        tasks = self._fill(heap, resources, budget)
        return Draft(tasks, self._bundles(tasks, max(4, 2 * slots)), resources, budget)

    def finish(self, task: int, seconds: float) -> list[int]:
        """A task is done: those that waited get ready. The slots nobody needs any more."""
        group = self.graph.task_groups[task]
        self._seconds[group] += seconds
        self._done_of[group] += 1
        dropped = self._end(task)
        for dependent in self.dependents[task]:
            left = self.missing[dependent] = self.missing[dependent] - 1
            if not left and not self.taken[dependent]:
                self._make_ready(dependent)
        return dropped

    def fail(self, task: int) -> tuple[list[int], list[int]]:
        """Among independent jobs: the tasks that are over with this one, and slots to drop."""
        failed: list[int] = []
        dropped: list[int] = []
        stack = [task]
        while stack:
            item = stack.pop()
            if self.over[item]:
                continue
            self.taken[item] = 1
            failed.append(item)
            dropped += self._end(item)
            stack += self.dependents[item]
        return failed, dropped

    def handed_over(self, task: int) -> list[int]:
        """Among independent jobs: a wanted task's result was told of. The slots to drop."""
        slot = self.graph.first_slot[task]
        self.uses[slot] -= 1
        return [] if self.uses[slot] else [slot]

    def give_back(self, tasks: Iterable[int]) -> None:
        """Tasks of a batch were not started, after those that were have been finished."""
        for task in tasks:
            if not self.over[task]:
                self.taken[task] = 0
                if not self.missing[task]:
                    self._make_ready(task)

    def cost(self, group: int) -> float | None:
        """Seconds that a task of the group takes; None before one is done."""
        done = self._done_of[group]
        return self._seconds[group] / done + _OVERHEAD if done else None

    def _end(self, task: int) -> list[int]:
        self.over[task] = 1
        self.remaining -= 1
        dropped: list[int] = []
        for slot in self.graph.inputs[task]:
            left = self.uses[slot] = self.uses[slot] - 1
            if not left:
                dropped.append(slot)
        return dropped

    def _fill(self, heap: list[int], resources: Resources, budget: float) -> tuple[int, ...]:
        graph, seconds = self.graph, 0.0
        tasks: list[int] = []
        inside: list[int] = []  # places of tasks that wait for tasks of this batch alone
        waits: dict[int, int] = {}
        while (heap or inside) and seconds < budget and len(tasks) < _TASKS:
            if inside and (not heap or inside[0] < heap[0]):
                task = self.sequence[heappop(inside)]
            else:
                task = self.sequence[heap[0]]
                if tasks and task in self.alone:
                    break
                heappop(heap)
                self._ready_of[graph.task_groups[task]] -= 1
            self.taken[task] = 1
            tasks.append(task)
            if task in self.alone:
                break
            cost = self.cost(graph.task_groups[task])
            seconds += budget if cost is None else cost
            for dependent in self.dependents[task]:
                left = waits[dependent] = waits.get(dependent, self.missing[dependent]) - 1
                if not left and graph.group_of(dependent).resources == resources:
                    heappush(inside, self.position[dependent])
        return tuple(tasks)

    def _bundles(self, tasks: Sequence[int], most: int) -> tuple[tuple[Ref, ...], ...]:
        """What others need of a batch: by who needs it first, and what is wanted by its part."""
        inside = set(tasks)
        found: list[tuple[tuple[int, int, int], Ref]] = []
        for task in tasks:
            outputs = self.graph.group_of(task).outputs
            first = self.graph.first_slot[task]
            for part, slot in enumerate(range(first, first + outputs)):
                if slot in self.wanted:  # later graphs read part by part
                    found.append(((1, part, task if outputs == 1 else 0), Ref(task, part)))
                    continue
                outside = (p for p in self.readers[slot] if self.sequence[p] not in inside)
                reader = next(outside, -1)
                if reader >= 0:
                    found.append(((0, reader, 0), Ref(task, part)))
        found.sort(key=itemgetter(0))
        bundles = [tuple([ref for _, ref in same]) for _, same in groupby(found, itemgetter(0))]
        if len(bundles) <= most:
            return tuple(bundles)
        cuts = [len(bundles) * i // most for i in range(most + 1)]
        return tuple(
            [tuple([ref for bundle in bundles[a:b] for ref in bundle]) for a, b in pairwise(cuts)]
        )

    def _ready_seconds(self) -> float:
        costs = [(count, self.cost(group)) for group, count in enumerate(self._ready_of) if count]
        return sum([count * (_LEAST if cost is None else cost) for count, cost in costs])

    def _ready_heap(self, task: int) -> list[int]:
        return self._ready.setdefault(self.graph.group_of(task).resources, [])

    def _make_ready(self, task: int) -> None:
        heappush(self._ready_heap(task), self.position[task])
        self._ready_of[self.graph.task_groups[task]] += 1
