"""Reports of tasks: what everybody may read, and what only the client does."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.scheduler.context import CancelFlag, TaskContext
from plait.scheduler.reports import Head, dump_report, load_report, read_head
from plait.scheduler.scratch import ScratchFolder

COUNTS = st.integers(0, 2**62)


@dataclass
class Measured:
    rows: int


def context(rows: int | None, size: int | None, **extra: object) -> TaskContext:
    made = TaskContext(ScratchFolder(), CancelFlag())
    made.report(rows=rows, bytes=size, **extra)
    return made


@given(
    st.none() | COUNTS,
    st.none() | COUNTS,
    COUNTS,
    st.dictionaries(st.integers(0, 2**16 - 1), COUNTS, max_size=5),
    st.floats(allow_nan=False),
)
def test_round_trip(
    rows: int | None, size: int | None, spilled: int, operators: dict[int, int], end: float
) -> None:
    measured = {number: Measured(count) for number, count in operators.items()}
    data = dump_report(context(rows, size, spilled=spilled, operators=measured), end, 3)
    assert read_head(data) == Head(end, 3, rows or 0, size or 0, spilled, operators)
    assert load_report(data) == (rows, size, {"spilled": spilled, "operators": measured})


def test_what_cannot_be_sent_is_left_out() -> None:
    data = dump_report(context(1, None, lock=threading.Lock(), operators="none", n=2), 0.5, 0)
    assert load_report(data) == (1, None, {"operators": "none", "n": 2})
    assert read_head(data) == Head(0.5, 0, 1, 0, 0, {})


def test_a_task_that_reported_nothing() -> None:
    data = dump_report(None, 7.0, 1)
    assert load_report(data) == (None, None, {})
    assert read_head(data) == Head(7.0, 1, 0, 0, 0, {})
    assert load_report(b"") == (None, None, {})
    assert read_head(b"") is None


@given(st.binary(max_size=80))
def test_anything_else_is_no_report(data: bytes) -> None:
    head = read_head(data)
    assert head is None or isinstance(head, Head)


def test_the_head_is_read_without_unpickling(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dump_report(context(5, 6, a=1), 1.0, 2)
    monkeypatch.setattr(pickle, "loads", pytest.fail)
    found = read_head(data)
    assert found is not None
    assert found.rows == 5
