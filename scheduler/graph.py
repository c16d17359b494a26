"""Task graphs: the only language of this room.

A graph is a list of tasks with dense integer ids. Tasks that run the same function form a *group*,
which holds the function once, so that it is pickled once however many tasks there are. A task has
one or several outputs, its *parts*; an argument `Ref(task, part)` stands for one of them. An
exchange of N tasks to M is N tasks with M outputs and M tasks that take one output of each: N + M
tasks, not N x M.

    groups          what runs, one entry per group
    task_groups     task -> group
    args            task -> arguments: literals, Ref, Handle, or lists and tuples of those
    dependencies    task -> the distinct tasks it needs
    inputs          task -> the distinct slots it needs
    first_slot      task -> its first slot

A *slot* is the number of one part in the whole graph: part p of task t has slot first_slot[t] + p.
Executors keep values and counts in flat lists by slot. Everything is a column, because a graph of
100 000 tasks is then a few lists instead of half a million objects, and goes over a wire as such.

Arguments may only refer to tasks added before, so a graph cannot have a cycle, and ids are a
topological order that others rely on. References are looked for once, here, in exact lists and
tuples only: subclasses (named tuples) and other containers are literals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from plait.scheduler.errors import GraphError, OutputCountError


@dataclass(frozen=True, slots=True)
class Ref:
    """One output of a task, inside its graph.

    >>> Ref(3)
    Ref(task=3, part=0)
    """

    task: int
    part: int = 0


_part = attrgetter("part")


@dataclass(frozen=True, slots=True)
class Handle:
    """A result kept by an executor after its run; may be an argument in a later graph."""

    run: str
    task: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks that run the same function.

    Parameters
    ----------
    name : str
        Short, for progress bars and messages: `scan`, `join 3`.
    function : callable
        Called with the task's arguments, references replaced by values. Picklable, if the graph
        is to leave the process.
    note : str
        Text of the plan behind the group; shown to people, never read.
    source : bool
        The tasks bring data in from storage. Executors bound how many such results lie
        unconsumed.
    outputs : int
        With more than one, the function returns a tuple of exactly that many parts.
    retries : int
        How many times a task of the group may fail with an exception and be run again.
    resources : tuple of (name, amount)
        What a worker must offer to run it; local executors ignore it.
    """

    name: str
    function: Callable[..., Any]
    note: str = ""
    source: bool = False
    outputs: int = 1
    retries: int = 0
    resources: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise GraphError(f"Group {self.name!r} needs at least one output, not {self.outputs}")
        if self.retries < 0:
            raise GraphError(f"Group {self.name!r} cannot have {self.retries} retries")


class Task(NamedTuple):
    """One task of a graph, for reading; the graph itself keeps columns."""

    id: int
    group: int
    args: tuple[object, ...]
    estimated_bytes: int


@dataclass(slots=True)
class TaskGraph:
    """Tasks, their functions and what they take from each other.

    >>> graph = TaskGraph()
    >>> load = graph.add_group(TaskGroup("load", int))
    >>> total = graph.add_group(TaskGroup("total", sum))
    >>> parts = [Ref(graph.add_task(load, (text,))) for text in ("1", "2")]
    >>> graph.add_task(total, (parts,))
    2
    >>> graph.dependencies[2]
    (0, 1)
    """

    groups: list[TaskGroup] = field(default_factory=list)
    task_groups: list[int] = field(default_factory=list)
    args: list[tuple[object, ...]] = field(default_factory=list)
    estimated_bytes: list[int] = field(default_factory=list)
    dependencies: list[tuple[int, ...]] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    first_slot: list[int] = field(default_factory=list)
    slots: int = 0
    # Only tasks that have them: results of earlier runs, references inside containers, affinities.
    handles: dict[int, tuple[Handle, ...]] = field(default_factory=dict)
    nested: set[int] = field(default_factory=set)
    affinities: dict[int, int] = field(default_factory=dict)
    # For who watches: the submitter's name of what this is a step of, and whether others follow.
    job: tuple[str, bool] = ("", False)

    def __len__(self) -> int:
        return len(self.task_groups)

    def __iter__(self) -> Iterator[Task]:
        return (self.task(task) for task in range(len(self)))

    def task(self, task: int) -> Task:
        """The task with this id."""
        return Task(task, self.task_groups[task], self.args[task], self.estimated_bytes[task])

    def group_of(self, task: int) -> TaskGroup:
        """The group a task belongs to."""
        return self.groups[self.task_groups[task]]

    def add_group(self, group: TaskGroup) -> int:
        """Add a group; its number is what `add_task` wants."""
        self.groups.append(group)
        return len(self.groups) - 1

    def add_task(
        self,
        group: int,
        args: Sequence[object] = (),
        *,
        estimated_bytes: int = 0,
        affinity: int = 0,
    ) -> int:
        """Add a task and return its id.

        Parameters
        ----------
        group : int
            Number of a group of this graph.
        args : sequence
            Literals, `Ref` to tasks added before, `Handle` of kept results, or lists and tuples
            of these, nested at will.
        estimated_bytes : int
            What the result will weigh, if known; steers the order.
        affinity : int
            A number, below 2**63, for the data that a task of a source reads, 0 for none. A
            cluster prefers the worker that read the data with this number last, which may have
            kept them; other executors ignore it.
        """
        task = len(self.task_groups)
        if not 0 <= group < len(self.groups):
            raise GraphError(f"Task {task} names group {group}; there are {len(self.groups)}")
        found: list[Ref | Handle] = []
        nested = False
        for arg in args:
            if type(arg) is Ref or type(arg) is Handle:
                found.append(arg)
            elif type(arg) is list or type(arg) is tuple:
                before = len(found)
                _collect(arg, found)
                nested = nested or len(found) > before
        dependencies, inputs = self._checked(task, group, found) if found else ((), ())
        self.task_groups.append(group)
        self.args.append(tuple(args))
        self.estimated_bytes.append(estimated_bytes)
        self.dependencies.append(dependencies)
        self.inputs.append(inputs)
        self.first_slot.append(self.slots)
        self.slots += self.groups[group].outputs
        if nested:
            self.nested.add(task)
        if affinity:
            self.affinities[task] = affinity
        return task

    def slot(self, ref: Ref) -> int:
        """The number of one part in the whole graph; raises GraphError if there is none."""
        if not 0 <= ref.task < len(self):
            raise GraphError(f"{ref} names no task; the graph has {len(self)}")
        group = self.group_of(ref.task)
        if not 0 <= ref.part < group.outputs:
            raise GraphError(
                f"{ref} names no part; a task of group {group.name!r} has {group.outputs}"
            )
        return self.first_slot[ref.task] + ref.part

    def _checked(
        self, task: int, group: int, found: list[Ref | Handle]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The distinct tasks and slots that a new task needs; its handles are noted."""
        refs = [item for item in found if type(item) is Ref]
        dependencies = tuple(dict.fromkeys([ref.task for ref in refs]))
        if dependencies and max(dependencies) >= task:
            late = next(ref for ref in refs if ref.task >= task)
            raise GraphError(
                f"Task {task} of group {self.groups[group].name!r} refers to {late}, but only tasks"
                f" 0 to {task - 1} exist yet: add a task before the tasks that use it"
            )
        if self.slots == task and not any(map(_part, refs)) and min(dependencies, default=0) >= 0:
            # One output each so far: slots and tasks have the same numbers.
            inputs = dependencies
        else:
            inputs = tuple(dict.fromkeys([self.slot(ref) for ref in refs]))
        if len(refs) < len(found):
            handles = [item for item in found if type(item) is Handle]
            self.handles[task] = tuple(dict.fromkeys(handles))
        return dependencies, inputs


def _collect(container: Sequence[object], found: list[Ref | Handle]) -> None:
    for item in container:
        if type(item) is Ref or type(item) is Handle:
            found.append(item)
        elif type(item) is list or type(item) is tuple:
            _collect(item, found)


def substitute(
    arg: object,
    values: Sequence[object],
    first_slot: Sequence[int],
    handle_slots: Mapping[Handle, int],
) -> object:
    """An argument with every reference replaced by its value; containers are copied."""
    if type(arg) is Ref:
        return values[first_slot[arg.task] + arg.part]
    if type(arg) is list:
        return [substitute(item, values, first_slot, handle_slots) for item in arg]
    if type(arg) is tuple:
        return tuple([substitute(item, values, first_slot, handle_slots) for item in arg])
    if type(arg) is Handle:
        return values[handle_slots[arg]]
    return arg


def check_parts(result: object, outputs: int, group: str) -> None:
    """Raise OutputCountError unless a result is a tuple of so many parts."""
    if type(result) is tuple and len(result) == outputs:
        return
    what = f"a tuple of {len(result)}" if type(result) is tuple else f"a {type(result).__name__}"
    raise OutputCountError(
        f"The function of group {group!r} returned {what}; with {outputs} outputs it must return"
        f" a tuple of exactly {outputs} parts"
    )
