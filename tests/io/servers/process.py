"""Servers as processes of their own: started on free ports of this machine, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


def free_ports(count: int, second: int = 0) -> list[int]:
    """Ports that nobody listens on now; with `second`, nor on those so many above them."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 30000)
        wanted = {port, port + second}
        if port not in found and not any(answers(p) for p in wanted):
            found.append(port)
    return found


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Waits for something to come true; a TimeoutError that names it if it does not."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} was not ready after {seconds} seconds")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on a port, ended (with all that it started) at the end of the block."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # a group of its own, so that its children end with it
        )
        try:
            wait_until(
                lambda: answers(port) or server.poll() is not None, f"{command[0]} on port {port}"
            )
            if server.poll() is not None:
                text = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} ended with {server.returncode}:\n{text}")
            yield server
        finally:
            end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    """Ends a server's group, with force if it takes long."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, wanted)
        try:
            server.wait(2)  # nobody needs what it would still write
        except subprocess.TimeoutExpired:
            continue
        return
