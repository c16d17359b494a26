"""Arrays over memory that is used again: never while anything still refers to it."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa

from plait.engine import arrays
from plait.scheduler.context import CancelFlag, Seat, take_seat
from plait.scheduler.scratch import ScratchFolder

LARGE = 1 << 21


def test_memory_is_used_again_when_nothing_refers_to_it() -> None:
    arrays.release()
    first = arrays.empty(LARGE, np.int32)
    place = first.ctypes.data
    del first
    assert arrays.empty(LARGE - 5, np.int32).ctypes.data == place


def test_not_while_a_view_or_an_arrow_array_is_there() -> None:
    arrays.release()
    first = arrays.full(LARGE, 7, np.int64)
    view = first[5:10].view(np.int64).reshape(1, 5)
    column = pa.Array.from_buffers(pa.int64(), LARGE, [None, pa.py_buffer(first)])
    del first
    other = arrays.full(LARGE, 1, np.int64)
    assert view.tolist() == [[7] * 5]
    del view
    third = arrays.full(LARGE, 2, np.int64)
    assert column[LARGE - 1].as_py() == 7
    assert other[0] == 1
    assert third[0] == 2


def test_copies_and_small_ones() -> None:
    some = np.arange(300_000)
    assert (arrays.copied(some) == some).all()
    assert arrays.full(3, -1, np.int32).tolist() == [-1, -1, -1]
    assert len(arrays.empty(0, np.int8)) == 0


def test_threads_get_different_memory() -> None:
    arrays.release()
    wrong = []

    def work(number: int) -> None:
        for _ in range(50):
            mine = arrays.full(LARGE // 4, number, np.int64)
            if not (mine == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_little_lies_free_under_a_small_limit() -> None:
    arrays.release()
    seat = Seat("test", ScratchFolder(), memory_total=arrays._PART << 20)
    seat.run_flag = CancelFlag()
    previous = take_seat(seat)
    try:
        first = arrays.empty(LARGE, np.int32)
        del first
        assert arrays._blocks.bytes == 0
    finally:
        take_seat(previous)
