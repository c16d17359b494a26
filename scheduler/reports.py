"""What a task reports of itself, as bytes that travel with its result.

A head of fixed form, which anybody may read, the scheduler's dashboard for one; then the operators
of its plan with their rows; then the rest as a pickle, which only the client reads.

    end thread operators rows bytes spilled     <dHHqqq   (rows, bytes: -1 if not reported)
    number rows                                 <Hq       for each operator
    pickle of a dict

`end` is when the task ended by its worker's monotonic clock. A task that reported nothing has no
bytes at all, unless somebody watches.
"""

from __future__ import annotations

import contextlib
import pickle
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from plait.scheduler.context import TaskContext
from plait.scheduler.net.protocol import Buffer

_HEAD = struct.Struct("<dHHqqq")
_OPERATOR = struct.Struct("<Hq")
_MOST = 1 << 16


class Head(NamedTuple):
    """The part that everybody may read."""

    end: float
    thread: int
    rows: int
    bytes: int
    spilled: int
    operator_rows: Mapping[int, int]


def dump_report(context: TaskContext | None, end: float, thread: int) -> bytes:
    """A report as bytes; without what cannot be sent."""
    if context is None:
        return _HEAD.pack(end, thread, 0, -1, -1, 0)
    extra = context.extra or {}
    # of what fragments of plans report this room knows only the shape
    measured: Any = extra.get("operators")
    found = measured.items() if isinstance(measured, Mapping) else ()
    operators = [(n, o.rows) for n, o in found if hasattr(o, "rows") and 0 <= n < _MOST]
    spilled = extra.get("spilled", 0)
    head = _HEAD.pack(
        end,
        thread,
        len(operators),
        -1 if context.rows is None else context.rows,
        -1 if context.bytes is None else context.bytes,
        spilled if isinstance(spilled, int) else 0,
    )
    return b"".join([head, *(_OPERATOR.pack(*o) for o in operators), _pickled(extra)])


def _pickled(extra: Mapping[str, object]) -> bytes:
    if not extra:
        return b""
    try:
        return pickle.dumps(extra, 5)
    except Exception:
        kept = {}
        for name, value in extra.items():
            with contextlib.suppress(Exception):
                pickle.dumps(value, 5)
                kept[name] = value
        return pickle.dumps(kept, 5)


def read_head(data: Buffer) -> Head | None:
    """The head of a report; None if it is none."""
    if len(data) < _HEAD.size:
        return None
    end, thread, count, rows, size, spilled = _HEAD.unpack_from(data)
    if len(data) < _HEAD.size + count * _OPERATOR.size:
        return None
    places = range(_HEAD.size, _HEAD.size + count * _OPERATOR.size, _OPERATOR.size)
    operators = dict(_OPERATOR.unpack_from(data, place) for place in places)
    return Head(end, thread, max(rows, 0), max(size, 0), spilled, operators)


def load_report(data: Buffer) -> tuple[int | None, int | None, dict[str, object]]:
    """Rows, bytes and the rest; nothing if it cannot be read here."""
    if len(data) < _HEAD.size:
        return None, None, {}
    _, _, count, rows, size, _ = _HEAD.unpack_from(data)
    extra: dict[str, object] = {}
    rest = memoryview(data)[_HEAD.size + count * _OPERATOR.size :]
    if len(rest):
        # reports are for show: one that cannot be read must not end a run
        with contextlib.suppress(Exception):
            extra = pickle.loads(rest)
    return (None if rows < 0 else rows), (None if size < 0 else size), extra
