"""Just enough of Thrift's compact protocol to read page headers and to change a footer's schema.

`struct_at(data, at)` reads a struct: integers, booleans, texts and structs in it by their numbers.

`plain_decimals(footer)` takes the meaning "decimal" off columns stored as 32- or 64-bit integers.
pyarrow then reads the integers as they are, where it would widen each to 128 bits only for them to
be cut to 64 again. Nothing else of the footer changes, so offsets and statistics stay right.

FileMetaData {1: i32 version, 2: list<SchemaElement>, ...}
SchemaElement {1: type, 2: type_length, 3: repetition, 4: name, 5: num_children,
               6: converted_type, 7: scale, 8: precision, 9: field_id, 10: logicalType}
(parquet.thrift of the Apache Parquet format)
"""

from __future__ import annotations

from typing import Any, NamedTuple

_I32, _BINARY, _LIST, _SET, _MAP, _STRUCT = 5, 8, 9, 10, 11, 12
_STORED_INT32, _STORED_INT64 = 1, 2
_CONVERTED_DECIMAL = 5
_LOGICAL_DECIMAL = 5  # the field of the union LogicalType that is DecimalType
_DECIMAL_FIELDS = {6, 7, 8, 10}


class _Field(NamedTuple):
    id: int
    kind: int
    value: bytes


class _Reader:
    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def list_header(self) -> tuple[int, int]:
        """(number of elements, their kind)"""
        head = self.byte()
        size = head >> 4
        return (self.varint() if size == 15 else size), head & 0x0F

    def fields(self) -> list[_Field]:
        """The fields of a struct, values as raw bytes."""
        found: list[_Field] = []
        number = 0
        while True:
            head = self.byte()
            if not head:
                return found
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            start = self.at
            self.skip(kind)
            found.append(_Field(number, kind, bytes(self.data[start : self.at])))

    def skip(self, kind: int) -> None:
        if kind in (1, 2):  # a boolean is in its field's header
            return
        if kind == 3:
            self.at += 1
        elif kind in (4, 5, 6):
            self.varint()
        elif kind == 7:
            self.at += 8
        elif kind == _BINARY:
            length = self.varint()
            self.at += length
        elif kind in (_LIST, _SET):
            count, of = self.list_header()
            for _ in range(count):
                self._skip_element(of)
        elif kind == _MAP:
            count = self.varint()
            kinds = self.byte() if count else 0
            for _ in range(count):
                self._skip_element(kinds >> 4)
                self._skip_element(kinds & 0x0F)
        elif kind == _STRUCT:
            self.fields()
        else:
            raise ValueError(f"Thrift type {kind}")

    def _skip_element(self, kind: int) -> None:
        if kind in (1, 2):  # within a container a boolean takes a byte
            self.at += 1
        else:
            self.skip(kind)


def struct_at(data: bytes | memoryview, at: int) -> tuple[dict[int, Any], int]:
    """The fields of a struct by their numbers, and where it ends; None for lists and the like.

    Raises ValueError or IndexError where there is no struct.
    """
    found: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if not head:
            return found, at
        kind = head & 0x0F
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag_at(data, at)
        value: Any = None
        if kind in (1, 2):
            value = kind == 1
        elif kind in (4, _I32, 6):
            value, at = _zigzag_at(data, at)
        elif kind == _STRUCT:
            value, at = struct_at(data, at)
        else:
            reader = _Reader(data, at)
            reader.skip(kind)
            value = bytes(data[at : reader.at]) if kind == _BINARY else None
            at = reader.at
        found[number] = value


def _zigzag_at(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """A signed number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _struct(fields: list[_Field]) -> bytes:
    out = bytearray()
    last = 0
    for f in fields:
        delta = f.id - last
        if 0 < delta <= 15:
            out.append(delta << 4 | f.kind)
        else:
            out.append(f.kind)
            out += _varint((f.id << 1) ^ (f.id >> 63))
        out += f.value
        last = f.id
    out.append(0)
    return bytes(out)


def _is_narrow_decimal(fields: list[_Field]) -> bool:
    by_id = {f.id: f.value for f in fields}
    if 1 not in by_id or _Reader(by_id[1]).zigzag() not in (_STORED_INT32, _STORED_INT64):
        return False
    if 10 in by_id:
        return any(f.id == _LOGICAL_DECIMAL for f in _Reader(by_id[10]).fields())
    return 6 in by_id and _Reader(by_id[6]).zigzag() == _CONVERTED_DECIMAL


def plain_decimals(footer: bytes) -> bytes | None:
    """The footer with integer-stored decimals as plain integers; None if there are none.

    Raises ValueError or IndexError when the bytes are not a footer as expected.
    """
    reader = _Reader(footer)
    head = reader.byte()
    if head != (1 << 4 | _I32):  # field 1, the version
        raise ValueError("a footer starts with its version")
    reader.varint()
    if reader.byte() != (1 << 4 | _LIST):  # field 2, the schema
        raise ValueError("the schema comes second in a footer")
    start = reader.at
    count, kind = reader.list_header()
    if kind != _STRUCT:
        raise ValueError("a schema is a list of structs")
    before = footer[:start] + footer[start : reader.at]
    elements = []
    changed = False
    for _ in range(count):
        fields = reader.fields()
        if _is_narrow_decimal(fields):
            fields = [f for f in fields if f.id not in _DECIMAL_FIELDS]
            changed = True
        elements.append(_struct(fields))
    return before + b"".join(elements) + footer[reader.at :] if changed else None
