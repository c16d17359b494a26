"""State of one run in this process: what waits, what is ready, what is held.

No locks, threads, clocks or events in here; executors call it under their lock. Everything is a
flat list by task or by slot (see graph).

    missing     task -> how many tasks it still waits for
    ready       heap of places in the schedule's sequence; each task there has missing == 0
    sources     the same for ready source tasks, which may have to wait (below)
    uses        slot -> consumers to come, plus one if it is wanted
    values      slot -> value, from the task's end until uses is 0
    unconsumed  source task -> its slots that still wait for a consumer
    over        task -> 1 once it is done, or has failed, or needs one that has

Invariants: a needed task is exactly one of waiting, ready, running, over; `remaining` counts those
not over; a value is held only while uses > 0.

In a run of independent jobs (see executor) wanted values are not held, only told, a task's failure
ends just what needs it, and there is no back-pressure.

Back-pressure. A source task holds memory from its start until its last output is consumed. At most
`source_limit` of them do so at a time, and no more than the graph needs once their results have
`source_bytes`; more only if the graph itself cannot do with less (see `source_windows` in order),
or if nothing else is running that could free one: a bound must never become a deadlock.

Values dropped here are returned to the caller, to let go of them outside its lock: freeing may
take long and may run anybody's finalizers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from plait.scheduler.context import TaskContext
from plait.scheduler.executor import TaskMetrics
from plait.scheduler.graph import Handle, Ref, TaskGraph, substitute
from plait.scheduler.order import make_schedule, source_windows


class RunState:
    """What an executor must know of a run to go on with it."""

    def __init__(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        earlier: Mapping[Handle, object],
        source_limit: int,
        source_bytes: float = math.inf,
        *,
        independent: bool = False,
    ) -> None:
        """Plan the run; `earlier` holds the values of all handles in the graph's arguments."""
        self.independent = independent
        self.graph = graph
        self.args = graph.args
        self.task_groups = graph.task_groups
        self.first_slot = graph.first_slot
        self.want = [graph.slot(ref) for ref in want]
        schedule = make_schedule(graph, [ref.task for ref in want])
        self.sequence = schedule.sequence
        self.position = schedule.position
        self.dependents = schedule.dependents
        self.remaining = len(self.sequence)
        self.running = 0
        self.missing = list(map(len, graph.dependencies))
        self.inputs: Sequence[tuple[int, ...]] = graph.inputs
        self.values: list[object] = [None] * graph.slots
        self.handle_slots: dict[Handle, int] = {}
        self._add_handles(earlier)
        self.uses = self._count_uses()
        self.over = bytearray(len(graph))
        self.functions = [group.function for group in graph.groups]
        self.outputs = [group.outputs for group in graph.groups]
        self.seconds = [-1.0] * len(graph)
        self.reports: dict[int, TaskContext] = {}
        self.attempts: dict[int, int] = {}
        self.source_limit = source_limit
        self.source_bytes = source_bytes
        self.bytes_in_flight = 0
        self.unconsumed: dict[int, int] = {}
        self.source_of_slot: dict[int, int] = {}
        self.in_flight = 0
        self.peak_in_flight = 0
        kept = {ref.task for ref in want}
        self.windows = (
            source_windows(graph, schedule, kept)
            if not independent and any(g.source for g in graph.groups)
            else {}
        )
        self._watch_sources()
        ready = [place for place, task in enumerate(self.sequence) if not self.missing[task]]
        windows = self.windows
        self.sources = [place for place in ready if self.sequence[place] in windows]
        self.ready = [p for p in ready if self.sequence[p] not in windows] if windows else ready
        heapify(self.ready)
        heapify(self.sources)

    def _add_handles(self, earlier: Mapping[Handle, object]) -> None:
        """Give each earlier result a slot of its own behind those of the graph."""
        if not self.graph.handles:
            return
        inputs = list(self.graph.inputs)
        for task, handles in self.graph.handles.items():
            if self.position[task] < 0:
                continue
            for handle in handles:
                if handle not in self.handle_slots:
                    self.handle_slots[handle] = len(self.values)
                    self.values.append(earlier[handle])
            inputs[task] += tuple([self.handle_slots[handle] for handle in handles])
        self.inputs = inputs

    def _count_uses(self) -> list[int]:
        if len(self.values) == len(self.graph):  # slots are tasks
            uses = list(map(len, self.dependents))
        else:
            uses = [0] * len(self.values)
            for task in self.sequence:
                for slot in self.inputs[task]:
                    uses[slot] += 1
        if not self.independent:
            for slot in set(self.want):
                uses[slot] += 1
        return uses

    def _watch_sources(self) -> None:
        wanted = set(self.want)
        for task in self.windows:
            first = self.graph.first_slot[task]
            slots = range(first, first + self.graph.group_of(task).outputs)
            waiting = [slot for slot in slots if self.uses[slot] and slot not in wanted]
            # What is wanted stays anyway: bounding it would only bound the run.
            if waiting:
                self.unconsumed[task] = len(waiting)
                self.source_of_slot.update(dict.fromkeys(waiting, task))

    def head(self) -> int:
        """Place of the task that would start next, -1 if none may start now."""
        sources = self.sources
        if sources and (not self.ready or sources[0] < self.ready[0]) and self._source_may_start():
            return sources[0]
        return self.ready[0] if self.ready else -1

    def start_next(self) -> int:
        """Take the next task to run, -1 if none may start now."""
        ready, sources = self.ready, self.sources
        if sources and (not ready or sources[0] < ready[0]) and self._source_may_start():
            task = self.sequence[heappop(sources)]
            if task in self.unconsumed:
                self.in_flight += 1
                self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        elif ready:
            task = self.sequence[heappop(ready)]
        else:
            return -1
        self.running += 1
        return task

    def _source_may_start(self) -> bool:
        task = self.sequence[self.sources[0]]
        if task not in self.unconsumed:
            return True
        spare = self.source_limit - 1 if self.bytes_in_flight < self.source_bytes else 0
        return self.in_flight < self.windows[task] + spare or not (self.running or self.ready)

    def arguments(self, task: int) -> Sequence[object]:
        """The arguments of a task that runs, with values in place of references."""
        values, first_slot, graph = self.values, self.first_slot, self.graph
        if task in graph.nested or task in graph.handles:
            slots = self.handle_slots
            return [substitute(arg, values, first_slot, slots) for arg in graph.args[task]]
        return [
            values[first_slot[arg.task] + arg.part] if type(arg) is Ref else arg
            for arg in graph.args[task]
        ]

    def complete(self, task: int, result: object) -> list[object]:
        """Store a result, ready what waited for it; returns the values nobody needs any more.

        `result` of a task with several outputs is a sequence of exactly that many parts.
        """
        self.running -= 1
        self.remaining -= 1
        self.over[task] = 1
        uses, values = self.uses, self.values
        if task in self.unconsumed:
            self.bytes_in_flight += self._bytes(task)
        dropped: list[object] = []
        slot = self.first_slot[task]
        outputs = self.outputs[self.task_groups[task]]
        if outputs == 1:
            if uses[slot]:
                values[slot] = result
        else:
            for part, value in enumerate(result, slot):  # type: ignore[arg-type, var-annotated]
                if uses[part]:
                    values[part] = value
        self._consume(task, dropped)
        missing = self.missing
        for dependent in self.dependents[task]:
            left = missing[dependent] = missing[dependent] - 1
            if not left:
                self._make_ready(dependent)
        return dropped

    def fail(self, task: int) -> list[object]:
        """Among independent jobs: one failed for good; so is over what needs it.

        Returns the values nobody needs any more.
        """
        self.running -= 1
        dropped: list[object] = []
        for item in self.needing(task):
            if not self.over[item]:
                self.over[item] = 1
                self.remaining -= 1
                self._consume(item, dropped)
        return dropped

    def needing(self, task: int) -> list[int]:
        """A task and all that need it, directly or through others."""
        found = {task: None}
        reached = [task]
        for item in reached:
            fresh = [one for one in self.dependents[item] if one not in found]
            found.update(dict.fromkeys(fresh))
            reached += fresh
        return reached

    def _consume(self, task: int, dropped: list[object]) -> None:
        """A task needs its inputs no more: add to `dropped` what nobody else needs either."""
        uses, values = self.uses, self.values
        for slot in self.inputs[task]:
            left = uses[slot] = uses[slot] - 1
            if not left:
                dropped.append(values[slot])
                values[slot] = None
                if self.source_of_slot:
                    self._consumed(slot)

    def _consumed(self, slot: int) -> None:
        source = self.source_of_slot.get(slot, -1)
        if source < 0:
            return
        self.unconsumed[source] -= 1
        if not self.unconsumed[source]:
            self.in_flight -= 1
            self.bytes_in_flight -= self._bytes(source)

    def _bytes(self, task: int) -> int:
        """Of the result of a finished task, if it told."""
        report = self.reports.get(task)
        return 0 if report is None else report.bytes or 0

    def _make_ready(self, task: int) -> None:
        heap = self.sources if task in self.windows else self.ready
        heappush(heap, self.position[task])

    def attempts_left(self, task: int) -> bool:
        """Whether a task that just failed may run again."""
        return self.attempts.get(task, 0) < self.graph.group_of(task).retries

    @property
    def started(self) -> int:
        """How many tasks have been started, so about how far along the sequence it is."""
        return len(self.sequence) - self.remaining + self.running

    def restart(self, task: int) -> None:
        """Put a task that failed back among the ready ones."""
        self.attempts[task] = self.attempts.get(task, 0) + 1
        self.running -= 1
        if task in self.unconsumed:
            self.in_flight -= 1
        self._make_ready(task)

    def wanted(self) -> list[object]:
        """The values asked for, in that order, once `remaining` is 0."""
        return [self.values[slot] for slot in self.want]

    def drop(self) -> list[object]:
        """Forget all values and all work to come; returns the values."""
        values = self.values
        # New lists, not cleared ones: a task may just be reading the old.
        self.values = [None] * len(values)
        self.ready, self.sources = [], []
        return values

    def metrics(self) -> list[TaskMetrics]:
        """Measurements of the tasks that have finished."""
        return [
            self._measured(task, seconds)
            for task, seconds in enumerate(self.seconds)
            if seconds >= 0
        ]

    def _measured(self, task: int, seconds: float) -> TaskMetrics:
        group = self.task_groups[task]
        report = self.reports.get(task)
        if report is None:
            return TaskMetrics(task, group, seconds)
        return TaskMetrics(task, group, seconds, report.rows, report.bytes, report.extra or {})
