"""Layout: how a loop finds a column's values in memory, and within which bounds they lie.

Loops are compiled for layouts, so a layout is coarse: its bounds are powers of two, a few bits
apart, and it says only whether NULLs may occur. `layout_of` gives the narrowest one of an array;
`join` the one that fits two arrays, so that the batches of a table soon share one loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.column_range import Range

_STEP = 4  # bits between two bounds


@dataclass(frozen=True)
class Layout:
    """`kind`: int (of `width` bytes, every `stride` bytes), wide (128-bit), float, bool (a bit a
    value), code (into a dictionary of strings). Bounds are of the integers, both ends included."""

    kind: str
    width: int
    stride: int
    low: int
    high: int
    nullable: bool

    def __str__(self) -> str:
        null = "?" if self.nullable else ""
        return f"{self.kind}{self.width}/{self.stride}[{self.low}:{self.high}]{null}"


def rounded(known: Range) -> Range:
    """A range with ends at powers of two that holds another."""
    low, high = known
    bits = max(low.bit_length() if low >= 0 else (-low - 1).bit_length(), high.bit_length(), 1)
    bits = -(-bits // _STEP) * _STEP
    if bits > 60:
        bits = 63 if bits <= 63 or max(-low - 1, high) < 1 << 63 else 127
    return (0 if low >= 0 else -(1 << bits)), (1 << bits) - 1


def layout_of(array: pa.Array, known: Range | None) -> Layout | None:
    """The layout of an array; None if loops cannot read its type."""
    t = array.type
    if pat.is_dictionary(t) and array.dictionary.null_count:
        return None  # a code that is there would stand for NULL
    return _layout(t, known, array.null_count > 0)


@lru_cache(maxsize=4096)
def _layout(t: pa.DataType, known: Range | None, nullable: bool) -> Layout | None:
    found = _of_type(t)
    if found is None:
        return None
    if found.kind in ("int", "wide") and known is not None:
        low, high = rounded(known)
        found = replace(found, low=max(low, found.low), high=min(high, found.high))
        if found.kind == "wide" and found.low >= -(1 << 63) and found.high < 1 << 63:
            found = replace(found, kind="int", width=8)
    return replace(found, nullable=nullable)


def _of_type(t: pa.DataType) -> Layout | None:
    if pat.is_boolean(t):
        return Layout("bool", 0, 0, 0, 1, False)
    if pat.is_dictionary(t):
        if not pat.is_string(t.value_type) or not pat.is_signed_integer(t.index_type):
            return None
        width = t.index_type.bit_width // 8
        return Layout("code", width, width, 0, (1 << (8 * width - 1)) - 1, False)
    if pat.is_decimal(t):
        most = rounded((-(10**t.precision) + 1, 10**t.precision - 1))
        if t.bit_width <= 64:
            return Layout("int", t.bit_width // 8, t.bit_width // 8, *most, False)
        if t.bit_width > 128:
            return None
        if t.precision <= 18:
            return Layout("int", 8, 16, *most, False)
        return Layout("wide", 16, 16, *most, False)
    if pat.is_floating(t):
        return None if t.bit_width == 16 else _float(t.bit_width // 8)
    if pat.is_integer(t):
        width = t.bit_width // 8
        if pat.is_signed_integer(t):
            return Layout(
                "int", width, width, -(1 << (8 * width - 1)), (1 << (8 * width - 1)) - 1, False
            )
        return None if width == 8 else Layout("int", width, width, 0, (1 << (8 * width)) - 1, False)
    if pat.is_date32(t):
        return Layout("int", 4, 4, -(1 << 31), (1 << 31) - 1, False)
    if pat.is_timestamp(t) or pat.is_duration(t) or pat.is_time64(t):
        return Layout("int", 8, 8, -(1 << 63), (1 << 63) - 1, False)
    return None


def _float(width: int) -> Layout:
    return Layout("float", width, width, 0, 0, False)


def join(a: Layout, b: Layout) -> Layout | None:
    """A layout that fits whatever fits one of two; None if they are stored differently."""
    if (a.kind, a.width, a.stride) != (b.kind, b.width, b.stride):
        return None
    return replace(
        a, low=min(a.low, b.low), high=max(a.high, b.high), nullable=a.nullable or b.nullable
    )
