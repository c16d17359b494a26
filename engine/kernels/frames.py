"""Window frames as places: for each row, the pieces [low, high) of its partition it looks at.

A frame is one piece, or with EXCLUDE up to three that follow each other. ROWS counts places, GROUPS
counts runs of peers, RANGE searches the order key for the key plus an offset (`ranges`). Pieces
never leave the partition, and empty ones have low = high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.engine.kernels.layout import Layout
from plait.engine.kernels.ranges import search
from plait.engine.kernels.views import Ints
from plait.errors import PlanError
from plait.planner.expr import Bound, Frame

UNBOUNDED = Frame("rows", Bound(None), Bound(None))


@dataclass(frozen=True)
class Piece:
    """For each place the places [low, high)."""

    low: Ints
    high: Ints

    @property
    def widths(self) -> Ints:
        return self.high - self.low


@dataclass(frozen=True)
class Pieces:
    """The pieces of a frame in order. `running`: one piece, from the partition's start on."""

    pieces: tuple[Piece, ...]
    running: bool = False

    @property
    def widths(self) -> Ints:
        """How many rows each frame has."""
        first, *others = (p.widths for p in self.pieces)
        return sum(others, first)


def is_whole(frame: Frame) -> bool:
    """Whether the frame is the whole partition for every row."""
    unbounded = frame.start.offset is None and frame.end.offset is None
    return unbounded and frame.exclude == "none"


def frame_pieces(layout: Layout, frame: Frame) -> Pieces:
    """The frame of each row."""
    match frame.unit:
        case "rows":
            low, high = _rows(layout, frame)
        case "range":
            low, high = _range(layout, frame)
        case "groups":
            low, high = _groups(layout, frame)
        case _:
            raise PlanError(f"A frame is in rows, range or groups, not {frame.unit}")
    high = np.maximum(low, high)
    whole = Piece(low, high)
    if frame.exclude == "none":
        return Pieces((whole,), running=frame.start.offset is None)
    return Pieces(_excluded(layout, whole, frame.exclude))


def _shift(layout: Layout, places: Ints, by: int) -> Ints:
    """Places moved, kept within the partition; large offsets must not overflow."""
    by = max(-layout.rows, min(layout.rows, by))
    moved: Ints = np.clip(places + by, layout.begin, layout.end)
    return moved


def _whole_number(bound: Bound, unit: str) -> int:
    value = bound.offset
    if isinstance(value, bool) or not isinstance(value, int):
        raise PlanError(f"A frame in {unit} counts in whole numbers, not {value!r}")
    return value


def _rows(layout: Layout, frame: Frame) -> tuple[Ints, Ints]:
    low, high = layout.begin, layout.end
    if frame.start.offset is not None:
        low = _shift(layout, layout.places, _whole_number(frame.start, "rows"))
    if frame.end.offset is not None:
        high = _shift(layout, layout.places, _whole_number(frame.end, "rows") + 1)
    return low, high


def _range(layout: Layout, frame: Frame) -> tuple[Ints, Ints]:
    low, high = layout.begin, layout.end
    if frame.start.offset is not None:
        low = layout.peer_begin if _is_zero(frame.start) else search(layout, frame.start, "start")
    if frame.end.offset is not None:
        high = layout.peer_end if _is_zero(frame.end) else search(layout, frame.end, "end")
    return low, high


def _is_zero(bound: Bound) -> bool:
    """Whether the bound is the current row; of other types than numbers it never is."""
    return isinstance(bound.offset, int) and bound.offset == 0


def _groups(layout: Layout, frame: Frame) -> tuple[Ints, Ints]:
    low, high = layout.begin, layout.end
    edges = np.append(layout.peer_starts, layout.rows)
    if frame.start.offset is not None:
        by = _whole_number(frame.start, "groups")
        low = np.clip(edges[_moved(layout, by)], layout.begin, layout.end)
    if frame.end.offset is not None:
        by = _whole_number(frame.end, "groups") + 1
        high = np.clip(edges[_moved(layout, by)], layout.begin, layout.end)
    return low, high


def _moved(layout: Layout, by: int) -> Ints:
    by = max(-layout.rows, min(layout.rows, by))
    moved: Ints = np.clip(layout.peers + by, 0, len(layout.peer_starts))
    return moved


def _excluded(layout: Layout, whole: Piece, exclude: str) -> tuple[Piece, ...]:
    low, high = whole.low, whole.high
    match exclude:
        case "current row":
            out_low, out_high = layout.places, layout.places + 1
        case "group" | "ties":
            out_low, out_high = layout.peer_begin, layout.peer_end
        case _:
            raise PlanError(f"EXCLUDE is CURRENT ROW, GROUP, TIES or NO OTHERS, not {exclude}")
    before = Piece(low, np.clip(out_low, low, high))
    after = Piece(np.clip(out_high, low, high), high)
    if exclude != "ties":
        return before, after
    inside = (layout.places >= low) & (layout.places < high)
    own = Piece(layout.places, layout.places + inside)
    return before, own, after
