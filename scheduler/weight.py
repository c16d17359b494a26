"""What values weigh: bytes, and the buffers they stand in.

Slices of a table share its buffers, and so do the parts of a split; who adds up their sizes counts
memory several times. A weight therefore names the large buffers by their address, to be counted
once by whoever keeps several values, and beside them the bytes of the value alone. `size` is what
sending the value takes, so of a slice only the slice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

_DEEP = 6  # containers within containers that are looked into
_MANY = 10_000  # items of a container that are weighed one by one; the others count as much each
PLAIN = frozenset({int, float, bool, type(None), str, bytes, complex})


@dataclass(slots=True)
class Weight:
    """Of one value: its size alone, what is its own in memory, and its buffers."""

    size: int = 0
    own: int = 0
    buffers: dict[int, int] = field(default_factory=dict)
    """Address -> bytes."""


def weigh(value: object) -> Weight:
    """The weight of a value; a guess for what is neither data nor a plain container."""
    weight = Weight()
    _add(value, weight, _DEEP)
    return weight


def _add(value: Any, weight: Weight, depth: int) -> None:
    kind = type(value)
    if kind in PLAIN:
        _own(weight, sys.getsizeof(value))
        return
    module = kind.__module__
    if module.startswith("pyarrow.") and _add_arrow(value, weight):
        return
    if module == "numpy" and hasattr(value, "__array_interface__"):
        _add_array(value, weight)
    elif module.startswith("pandas.") and hasattr(value, "memory_usage"):
        used = value.memory_usage()
        _own(weight, int(used if isinstance(used, int) else used.sum()))
    elif isinstance(value, list | tuple | set | frozenset):
        _add_items(list(value), weight, depth)
    elif isinstance(value, dict):
        _add_items(list(value.values()), weight, depth)
        _own(weight, 50 * len(value))
    else:
        size = getattr(value, "nbytes", None)
        _own(weight, size if isinstance(size, int) else sys.getsizeof(value, 64))
        inner = getattr(value, "__dict__", None)
        if inner and depth:
            _add_items(list(inner.values()), weight, depth - 1)


def _own(weight: Weight, count: int) -> None:
    weight.size += count
    weight.own += count


def _add_items(items: list[Any], weight: Weight, depth: int) -> None:
    _own(weight, 64 + 8 * len(items))
    if not depth:
        return
    for item in items[:_MANY]:
        _add(item, weight, depth - 1)
    if len(items) > _MANY:
        _own(weight, weight.own * (len(items) - _MANY) // _MANY)


def _add_arrow(value: Any, weight: Weight) -> bool:
    if hasattr(value, "columns") and hasattr(value, "schema"):  # a batch or a table
        columns = value.columns
    elif hasattr(value, "buffers") or hasattr(value, "chunks"):
        columns = [value]
    else:
        return False
    weight.size += 256
    for column in columns:
        for chunk in column.chunks if hasattr(column, "chunks") else [column]:
            weight.size += chunk.nbytes
            _add_buffers(chunk, weight)
    return True


def _add_buffers(array: Any, weight: Weight) -> None:
    for buffer in array.buffers():
        if buffer is not None:
            weight.buffers[buffer.address] = buffer.size
    if hasattr(array, "dictionary"):
        weight.size += array.dictionary.nbytes
        _add_buffers(array.dictionary, weight)


def _add_array(value: Any, weight: Weight) -> None:
    weight.size += value.nbytes
    base = value
    while hasattr(base, "__array_interface__") and getattr(base, "base", None) is not None:
        if not hasattr(base.base, "__array_interface__"):
            break
        base = base.base
    weight.buffers[base.__array_interface__["data"][0]] = base.nbytes
