"""What ran is known of a process however it ended."""

from __future__ import annotations

import mmap
import os
import signal

import pytest

from plait.scheduler.crash_slots import SLOTS, running_tasks, writer


def test_write_and_read() -> None:
    slots = mmap.mmap(-1, 8 * SLOTS)
    assert running_tasks(slots) == ()
    first, last = writer(slots, 0), writer(slots, SLOTS - 1)
    first(0)
    last(5 << 36)
    assert running_tasks(slots) == (0, 5 << 36)
    first(-1)
    assert running_tasks(slots) == (5 << 36,)
    writer(slots, SLOTS)(7)
    writer(None, 0)(7)
    assert running_tasks(slots) == (5 << 36,)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_survives_a_kill() -> None:
    slots = mmap.mmap(-1, 8 * SLOTS)
    pid = os.fork()
    if not pid:
        writer(slots, 3)(42)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert running_tasks(slots) == (42,)
