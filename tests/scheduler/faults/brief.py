"""A cluster that loses patience sooner than others: bounds of tenths of seconds and of seconds.

It is a process like that of a `LocalCluster`, which sets the program's own limits to less.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from plait.scheduler import server, supervisor
from plait.scheduler.net import comm
from plait.scheduler.plan import Plan
from plait.scheduler.state.membership import Limits
from plait.scheduler.worker_options import Options

SUSPECT = 1.0
DEAD = 3.0
SILENCE = 2.0
"""Seconds until somebody gives the scheduler up, who says a word each tenth."""


@contextmanager
def brief_cluster(workers: int, scratch: str = "") -> Iterator[str]:
    """The address of a new one."""
    code = "from tests.scheduler.faults import brief; import sys; brief.main(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(workers), scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait()


def main(workers: str, scratch: str) -> None:
    """The life of its supervisor; the others are its children."""
    comm.SCHEDULER_SILENCE = SILENCE
    server._LOAD = 0.1
    settings = server.Settings(
        token=server.new_token(), limits=Limits(suspect_after=SUSPECT, dead_after=DEAD)
    )
    address = supervisor.start_scheduler(settings, [0])
    print(address.url, flush=True)
    plan = Plan(int(workers), "", f"brief-{os.getpid()}", Options(scratch=scratch or None))
    supervisor.Supervisor(plan, address).run(0)
