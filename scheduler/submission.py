"""A graph as messages: what a client sends to run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from plait.scheduler.calls import PartsOf, encode_call
from plait.scheduler.errors import SerializationError
from plait.scheduler.graph import Handle, Ref, TaskGraph, TaskGroup
from plait.scheduler.net.serialize import Broken, dump_function, dumps, join
from plait.scheduler.observing import annotate
from plait.scheduler.order import make_schedule, source_windows
from plait.scheduler.state import messages as m

_CHUNK = 8 << 20  # bytes of arguments in one message
_ROWS = 20_000  # tasks in one message


class Submission:
    """A graph on its way to the scheduler: the tasks that are needed, in the graph's order.

    What cannot be pickled is an error here and now; if `single`, it is the error of its task, and
    the others go on.
    """

    def __init__(
        self,
        graph: TaskGraph,
        want: Sequence[Ref],
        earlier: Mapping[Handle, int],
        *,
        single: bool = False,
    ) -> None:
        for ref in want:
            graph.slot(ref)
        self.graph, self.want, self.earlier = graph, want, earlier
        schedule = make_schedule(graph, [ref.task for ref in want])
        self.sequence = sorted(schedule.sequence)
        self._position = schedule.position
        kept = {ref.task for ref in want}
        sources = any(group.source for group in graph.groups)
        self._windows = source_windows(graph, schedule, kept) if sources else {}
        used = dict.fromkeys([graph.task_groups[task] for task in self.sequence])
        self._groups = {group: number for number, group in enumerate(used)}
        self._single = single
        self._functions = {group: self._function(graph.groups[group]) for group in used}
        self._calls = [self._call(task) for task in self.sequence]
        self._places = self._key_places()

    def _key_places(self) -> list[int]:
        """Slot -> its key, counted from that of the first task."""
        places = [-1] * self.graph.slots
        for row, task in enumerate(self.sequence):
            slot = self.graph.first_slot[task]
            for part in range(self.graph.group_of(task).outputs):
                places[slot + part] = m.key_of(row, part)
        return places

    def keys(self, first: int) -> list[int]:
        """The wanted keys, for tasks numbered from `first`."""
        base = m.key_of(first)
        return [base + self._places[self.graph.slot(ref)] for ref in self.want]

    def messages(
        self, client: int, run: int, first: int, known: set[bytes], priority: int
    ) -> Iterator[m.Submit]:
        """What to send; `known` are functions that were sent before, and is added to."""
        groups = tuple([self._spec(group) for group in self._groups])
        functions = []
        for identity, data in self._functions.values():
            if identity not in known:
                known.add(identity)
                functions.append((identity, data))
        task_groups, base = self.graph.task_groups, m.key_of(first)
        affinities = self.graph.affinities
        start = 0
        while True:
            stop = self._chunk(start)
            last = stop == len(self.sequence)
            tasks = self.sequence[start:stop]
            yield m.Submit(
                client,
                run,
                groups if not start else (),
                tuple(functions) if not start else (),
                first + start,
                tuple([self._groups[task_groups[task]] for task in tasks]),
                tuple(self._calls[start:stop]),
                tuple([self._inputs(task, base) for task in tasks]),
                tuple([self._position[task] for task in tasks]),
                tuple(dict.fromkeys(self.keys(first))) if last else (),
                tuple([self._windows.get(task, 0) for task in tasks]) if self._windows else (),
                tuple([affinities.get(task, 0) for task in tasks]) if affinities else (),
                priority=priority,
                more=not last,
                job=self.graph.job,
            )
            if last:
                self._calls, self._position = [], []
                return
            start = stop

    def single_messages(
        self, client: int, run: int, first: int, known: set[bytes], priority: int
    ) -> Iterator[m.Submit]:
        """A run for each task, numbered from `run`; all results are wanted."""
        base = m.key_of(first)
        for row, task in enumerate(self.sequence):
            group = self.graph.task_groups[task]
            identity, data = self._functions[group]
            functions = () if identity in known else ((identity, data),)
            known.add(identity)
            yield m.Submit(
                client,
                run + row,
                (self._spec(group),),
                functions,
                first + row,
                (0,),
                (self._calls[row],),
                (self._inputs(task, base),),
                (0,),
                (m.key_of(first + row),),
                priority=priority,
            )
        self._calls, self._position = [], []

    def _chunk(self, start: int) -> int:
        """Where the message ends that begins at this row."""
        size = 0
        stop = start
        while stop < len(self._calls) and size < _CHUNK and stop - start < _ROWS:
            size += len(self._calls[stop])
            stop += 1
        return stop

    def _call(self, task: int) -> bytes:
        try:
            return encode_call(self.graph, task)
        except SerializationError as error:
            if self._single:
                return join(dumps(Broken(str(error))))
            annotate(error, task, self.graph.group_of(task).name, "")
            raise

    def _function(self, group: TaskGroup) -> tuple[bytes, bytes]:
        function = group.function
        try:
            if group.outputs > 1:
                return dump_function(PartsOf(function, group.outputs, group.name))
            return dump_function(function)
        except SerializationError as error:
            text = f"The function of group {group.name!r}: {error}"
            if self._single:
                return dump_function(Broken(text))
            raise SerializationError(text) from error

    def _inputs(self, task: int, base: int) -> tuple[int, ...]:
        """The keys of a task's inputs, in the order of its call's places."""
        places = self._places
        keys = [base + places[slot] for slot in self.graph.inputs[task]]
        if task in self.graph.handles:
            keys += [self.earlier[handle] for handle in self.graph.handles[task]]
        return tuple(keys)

    def _spec(self, group: int) -> m.GroupSpec:
        found = self.graph.groups[group]
        return m.GroupSpec(
            *(found.name, self._functions[group][0], found.source, found.outputs),
            *(found.retries, tuple([(name, float(n)) for name, n in found.resources])),
            note=found.note,
        )
