"""Messages in frames: frozen dataclasses to msgpack and back, by their annotations.

A frame carries a list of messages: `[[number of the class, field, field, ...], ...]`. Columns are
tuples and go as they are. Bytes of some size leave the header and become a buffer of the frame; in
their place stands the buffer's number. What is read is checked against the annotations field by
field, so nothing else than what a message may hold ever gets further in.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any, Literal, Union

from plait.scheduler.errors import ProtocolError
from plait.scheduler.net.protocol import Buffer, Frame, pack, unpack

_LARGE = 16 << 10  # bytes from which a value leaves the header

Write = Callable[[Any, list[Buffer]], Any]
Read = Callable[[Any, Sequence[Buffer]], Any]

_SCALARS: dict[Any, frozenset[type]] = {
    int: frozenset({int}),
    float: frozenset({float, int}),
    str: frozenset({str}),
    bool: frozenset({bool}),
}

_BYTES = frozenset({bytes})
_TUPLES = frozenset({tuple})


class Codec:
    """Writes and reads the messages of some classes, which both sides list in the same order."""

    def __init__(self, classes: Iterable[type]) -> None:
        self._classes = list(classes)
        self._numbers = {kind: number for number, kind in enumerate(self._classes)}
        self._parts = [_record(kind) for kind in self._classes]

    def encode(self, messages: Iterable[object]) -> tuple[bytes, list[Buffer]]:
        """Header and buffers of a frame with these messages."""
        buffers: list[Buffer] = []
        rows = []
        for message in messages:
            number = self._numbers[type(message)]
            rows.append([number, *self._parts[number][0](message, buffers)])
        return pack(rows), buffers

    def decode(self, frame: Frame) -> list[Any]:
        """The messages of a frame. ProtocolError if they are none."""
        rows = unpack(frame.header)
        if type(rows) is not tuple:
            raise ProtocolError("A frame does not hold a list of messages")
        messages = []
        for row in rows:
            if type(row) is not tuple or not row or type(row[0]) is not int:
                raise ProtocolError("A frame holds something else than messages")
            number = row[0]
            if not 0 <= number < len(self._classes):
                raise ProtocolError(f"There is no message number {number}")
            try:
                messages.append(self._parts[number][1](row[1:], frame.buffers))
            except ProtocolError as error:
                raise ProtocolError(f"{self._classes[number].__name__}: {error}") from None
            except (ValueError, TypeError) as error:  # a message that checks itself
                raise ProtocolError(f"{self._classes[number].__name__}: {error}") from error
        return messages


def _record(kind: type) -> tuple[Write, Read]:
    """How a dataclass is written, as the list of its fields, and read."""
    hints = typing.get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    parts = [_part(hints[name]) for name in names]
    columns = [(name, write) for name, (write, _) in zip(names, parts, strict=True)]
    readers = [read for _, read in parts]

    def write(value: Any, buffers: list[Buffer]) -> list[Any]:
        return [
            getattr(value, name) if part is None else part(getattr(value, name), buffers)
            for name, part in columns
        ]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) is not tuple or len(value) != len(readers):
            raise ProtocolError(f"{kind.__name__} has {len(readers)} fields")
        return kind(*[part(item, buffers) for part, item in zip(readers, value, strict=True)])

    return write, read


def _part(hint: Any) -> tuple[Write | None, Read]:
    """How a value of an annotation is written, None for as it is, and read."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return None, _scalar(hint)
    if hint is bytes:
        return _write_bytes, _read_bytes
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _column(arguments[0])
    if origin is tuple:
        return _fixed([_part(argument) for argument in arguments])
    if origin in (Union, types.UnionType):
        return _optional(hint, [_part(a) for a in arguments if a is not type(None)])
    if origin in (dict, Mapping):
        return _mapping(_part(arguments[0]), _part(arguments[1]))
    if origin is Literal:
        return None, _choice(arguments)
    if hasattr(hint, "__dataclass_fields__"):
        return _record(hint)
    raise TypeError(f"Messages cannot hold {hint}")


def _choice(allowed: tuple[Any, ...]) -> Read:
    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if value not in allowed:
            raise ProtocolError(f"{value!r} is none of {', '.join(map(repr, allowed))}")
        return value

    return read


def _scalar(kind: Any) -> Read:
    allowed = _SCALARS[kind]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) not in allowed:
            raise ProtocolError(f"{type(value).__name__} in place of {kind.__name__}")
        return value

    return read


def _write_bytes(value: Any, buffers: list[Buffer]) -> Any:
    if len(value) < _LARGE:
        return value if type(value) is bytes else bytes(value)
    buffers.append(value)
    return len(buffers) - 1


def _read_bytes(value: Any, buffers: Sequence[Buffer]) -> Any:
    if type(value) is bytes:
        return value
    if type(value) is not int or not 0 <= value < len(buffers):
        raise ProtocolError(f"{type(value).__name__} in place of bytes")
    return buffers[value]


def _column(item: Any) -> tuple[Write | None, Read]:
    if item in _SCALARS:
        allowed = _SCALARS[item]

        def read_scalars(value: Any, buffers: Sequence[Buffer]) -> Any:
            if type(value) is not tuple or not allowed.issuperset(map(type, value)):
                raise ProtocolError(f"no column of {item.__name__}")
            return value

        return None, read_scalars
    if item is bytes:
        return _bytes_column()
    nested = typing.get_args(item)
    if len(nested) == 2 and nested[1] is Ellipsis and nested[0] in _SCALARS:
        return None, _columns_in_column(nested[0])
    write_item, read_item = _part(item)

    def write(value: Any, buffers: list[Buffer]) -> Any:
        assert write_item is not None
        return [write_item(one, buffers) for one in value]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) is not tuple:
            raise ProtocolError(f"{type(value).__name__} in place of a column")
        return tuple([read_item(one, buffers) for one in value])

    return (None if write_item is None else write), read


# Columns of bytes and of columns are looked at as a whole first, which C does; mostly that is all.


def _bytes_column() -> tuple[Write, Read]:
    def write(value: Any, buffers: list[Buffer]) -> Any:
        if max(map(len, value), default=0) < _LARGE and _BYTES.issuperset(map(type, value)):
            return value
        return [_write_bytes(one, buffers) for one in value]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) is not tuple:
            raise ProtocolError(f"{type(value).__name__} in place of a column")
        if _BYTES.issuperset(map(type, value)):
            return value
        return tuple([_read_bytes(one, buffers) for one in value])

    return write, read


def _columns_in_column(item: Any) -> Read:
    allowed = _SCALARS[item]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if (
            type(value) is not tuple
            or not _TUPLES.issuperset(map(type, value))
            or not allowed.issuperset(map(type, chain.from_iterable(value)))
        ):
            raise ProtocolError(f"no column of columns of {item.__name__}")
        return value

    return read


def _fixed(parts: list[tuple[Write | None, Read]]) -> tuple[Write | None, Read]:
    def write(value: Any, buffers: list[Buffer]) -> Any:
        return [
            one if part is None else part(one, buffers)
            for one, (part, _) in zip(value, parts, strict=True)
        ]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) is not tuple or len(value) != len(parts):
            raise ProtocolError(f"no {len(parts)} values")
        return tuple([part(one, buffers) for one, (_, part) in zip(value, parts, strict=True)])

    return (None if all(part is None for part, _ in parts) else write), read


def _optional(hint: Any, parts: list[tuple[Write | None, Read]]) -> tuple[Write | None, Read]:
    if len(parts) != 1 or type(None) not in typing.get_args(hint):
        raise TypeError(f"Messages cannot hold {hint}")
    ((write_item, read_item),) = parts

    def write(value: Any, buffers: list[Buffer]) -> Any:
        return value if value is None or write_item is None else write_item(value, buffers)

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        return None if value is None else read_item(value, buffers)

    return (None if write_item is None else write), read


def _mapping(
    key: tuple[Write | None, Read], item: tuple[Write | None, Read]
) -> tuple[Write | None, Read]:
    def write(value: Any, buffers: list[Buffer]) -> Any:
        return [
            [
                k if key[0] is None else key[0](k, buffers),
                v if item[0] is None else item[0](v, buffers),
            ]
            for k, v in value.items()
        ]

    def read(value: Any, buffers: Sequence[Buffer]) -> Any:
        if type(value) is not tuple or any(type(e) is not tuple or len(e) != 2 for e in value):
            raise ProtocolError("no mapping")
        return {key[1](k, buffers): item[1](v, buffers) for k, v in value}

    return write, read
