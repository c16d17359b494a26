"""Calls: a task's arguments as bytes, and back with values in place of references.

References become places in the task's list of inputs, which travels beside the bytes: its slots in
the order of `TaskGraph.inputs`, then its handles. Arguments that are just all inputs in their order
are no bytes at all. Else there are the literals, and numbers that say where inputs go among them;
lists and tuples of nothing but references, as a fan-in has, are lists of such numbers. References
anywhere else become `Place` objects.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plait.scheduler.errors import SerializationError
from plait.scheduler.graph import Handle, Ref, TaskGraph, check_parts
from plait.scheduler.net import serialize
from plait.scheduler.net.serialize import Buffer
from plait.scheduler.weight import PLAIN

_Places = Callable[[Ref | Handle], int]


@dataclass(frozen=True, slots=True)
class Place:
    """The value of this input goes here."""

    number: int


class PartsOf:
    """A function of a group with several outputs, which sees to it that it gives as many.

    Sent in its place: workers know functions, not groups.
    """

    def __init__(self, function: Callable[..., object], outputs: int, group: str) -> None:
        self.function, self.outputs, self.group = function, outputs, group

    def __call__(self, *args: object) -> object:
        result = self.function(*args)
        check_parts(result, self.outputs, self.group)
        return result


def encode_call(graph: TaskGraph, task: int) -> bytes:
    """A task's arguments as bytes. SerializationError if a literal cannot be pickled."""
    args, inputs = graph.args[task], graph.inputs[task]
    handles = graph.handles.get(task, ())
    nested = task in graph.nested
    if len(inputs) == len(args) and not nested and not handles:
        return b""  # as many different references as arguments
    if not inputs and not handles:
        return _dump(list(args), [], [])
    places = _places(graph, inputs, handles)
    literals: list[object] = []
    single: list[tuple[int, int]] = []
    several: list[tuple[int, bool, list[int]]] = []
    for position, arg in enumerate(args):
        kind = type(arg)
        literal: object = None
        if kind is Ref or kind is Handle:
            single.append((position, places(arg)))  # type: ignore[arg-type]
        elif not nested or (kind is not list and kind is not tuple):
            literal = arg
        elif all(type(item) is Ref for item in arg):  # type: ignore[attr-defined]
            several.append((position, kind is tuple, [places(ref) for ref in arg]))  # type: ignore[attr-defined]
        else:
            literal = _placed(arg, places)
        literals.append(literal)
    return _dump(literals, single, several)


def decode_call(data: Buffer, inputs: Sequence[object]) -> Sequence[object]:
    """The arguments. SerializationError if they cannot be read in this process."""
    if not len(data):
        return inputs
    # what is in one piece is read as it is
    pieces = serialize.split(data) if data[0] == 0 else (data,)
    args, single, several, placed = serialize.loads(pieces)
    if placed:
        args = [_filled(arg, inputs) for arg in args]
    for position, place in single:
        args[position] = inputs[place]
    for position, as_tuple, numbers in several:
        values = [inputs[place] for place in numbers]
        args[position] = tuple(values) if as_tuple else values
    return args  # type: ignore[no-any-return]


def _places(graph: TaskGraph, inputs: Sequence[int], handles: Sequence[Handle]) -> _Places:
    of_slot = {slot: place for place, slot in enumerate(inputs)}
    of_handle = {handle: len(inputs) + place for place, handle in enumerate(handles)}

    def place(arg: Ref | Handle) -> int:
        if type(arg) is Ref:
            return of_slot[graph.first_slot[arg.task] + arg.part]
        return of_handle[arg]  # type: ignore[index]

    return place


def _dump(literals: list[object], single: list[Any], several: list[Any]) -> bytes:
    if PLAIN.issuperset(map(type, literals)):
        return pickle.dumps((literals, single, several, False), 5)
    placed = any(type(arg) is list or type(arg) is tuple for arg in literals)
    try:
        return serialize.join(serialize.dumps((literals, single, several, placed)))
    except SerializationError as error:
        raise SerializationError(f"An argument of a task: {error}") from error


def _placed(arg: object, places: _Places) -> object:
    if type(arg) is Ref or type(arg) is Handle:
        return Place(places(arg))
    if type(arg) is list:
        return [_placed(item, places) for item in arg]
    if type(arg) is tuple:
        return tuple([_placed(item, places) for item in arg])
    return arg


def _filled(arg: Any, inputs: Sequence[object]) -> object:
    if type(arg) is Place:
        return inputs[arg.number]
    if type(arg) is list:
        return [_filled(item, inputs) for item in arg]
    if type(arg) is tuple:
        return tuple([_filled(item, inputs) for item in arg])
    return arg
