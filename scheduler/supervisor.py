"""Supervisor: the parent of a machine's workers, and of a local cluster's scheduler.

It runs nothing of the user's, has no threads and no loop, so it is never held up and may fork: the
libraries are imported once, here, and a worker is ready some milliseconds after it is wanted. Once
a second it tells the scheduler how its workers are; when one ends it says how, and which tasks were
running: each worker thread writes the number of its task into memory shared with this process,
which is still there when the worker is not. Then it starts another.

A worker beyond its memory is killed here, before the system picks a victim of its own. Children die
with the supervisor, and the supervisor ends when the pipe to its owner does, so nobody is left
behind, however the owner ends.
"""

from __future__ import annotations

import ctypes
import json
import logging
import mmap
import os
import select
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plait.scheduler import server, worker
from plait.scheduler.crash_slots import SLOTS, running_tasks
from plait.scheduler.host import process_memory
from plait.scheduler.net import comm
from plait.scheduler.net.address import Address, parse
from plait.scheduler.net.blocking import BlockingConnection
from plait.scheduler.net.control import Beat, Exited, Kill
from plait.scheduler.net.wire import CODEC
from plait.scheduler.plan import Plan
from plait.scheduler.scratch import remove_abandoned

_log = logging.getLogger(__name__)

_BEAT = 1.0
_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG
_KILL_AT = 0.95  # of a worker's memory
_HASTE = 5.0  # seconds: a worker that ends sooner did not start well
_PATIENCE = 5  # times in a row


@dataclass
class Child:
    """A worker's process."""

    pid: int
    name: str
    slots: mmap.mmap
    started: float
    memory: int = 0
    why: str = ""


class Supervisor:
    """Keeps `wanted` workers going until it is told to stop or its owner ends."""

    def __init__(self, plan: Plan, address: Address) -> None:
        self.plan, self.address = plan, address
        self.wanted = plan.workers
        self.children: dict[int, Child] = {}
        self.leaving: dict[int, Child] = {}
        self.stopping = False
        self._started = 0
        self._failures = 0
        self._connection: BlockingConnection | None = None
        self._silent = 0  # beats since the scheduler last said something

    def run(self, commands: int | None) -> None:
        """Until the end. `commands`: a pipe of lines, whose end is ours."""
        wake, tell = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(tell, False)
        before = signal.set_wakeup_fd(tell)
        handlers = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for number in (signal.SIGTERM, signal.SIGINT):
            handlers[number] = signal.signal(number, self._stop)
        self._inherited = [wake, tell, *([] if commands is None else [commands])]
        try:
            self._connection = BlockingConnection(self.address, "supervisor", self.plan.name)
            self._watch(wake, commands)
        finally:
            self._end()
            # for a caller that goes on: the command line called by a program
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(tell)

    def _watch(self, wake: int, commands: int | None) -> None:
        assert self._connection is not None
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._connection.fileno(), select.POLLIN)
        if commands is not None:
            poll.register(commands, select.POLLIN)
        beat = time.monotonic() + _BEAT
        pending = b""
        self._adjust()
        while not self.stopping:
            ready = dict(poll.poll(max(0.0, beat - time.monotonic()) * 1000))
            if wake in ready:
                os.read(wake, 4096)
            if commands is not None and commands in ready:
                data = os.read(commands, 1 << 16)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.wanted = int(json.loads(line)["workers"])
            if self._connection.fileno() in ready and not self._listen():
                _log.info("The scheduler at %s is gone", self.address.place)
                return
            self._reap()
            if time.monotonic() >= beat:
                beat = time.monotonic() + _BEAT
                # beats instead of seconds: who was stopped has missed the beats too
                self._silent += 1
                if self._silent * _BEAT > comm.SCHEDULER_SILENCE:
                    _log.warning("Nothing comes from the scheduler at %s", self.address.place)
                    return
                self._beat()
            self._adjust()

    def _listen(self) -> bool:
        """Do what the scheduler asks; whether it is still there."""
        assert self._connection is not None
        frames = self._connection.receive()
        self._silent = 0
        for frame in frames or ():
            for message in CODEC.decode(frame):
                if isinstance(message, Kill):
                    self._kill(message)
        return frames is not None

    def _kill(self, asked: Kill) -> None:
        for child in self.children.values():
            if child.name == asked.worker:
                child.why = asked.why
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    # -------------------------------------------------------------------------------------- workers

    def _adjust(self) -> None:
        """Have as many workers as are wanted."""
        while len(self.children) < self.wanted and not self.stopping:
            self._start()
        for pid in list(self.children)[self.wanted :]:
            # it takes its leave of the scheduler first, and then ends by itself
            self.leaving[pid] = self.children.pop(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _start(self) -> None:
        self._started += 1
        name = f"{self.plan.name}-{self._started}"
        slots = mmap.mmap(-1, 8 * SLOTS)
        connection = self._connection

        def work() -> None:
            if connection is not None:
                os.close(connection.fileno())
            worker.main(self.address, name, self.plan.options, slots)

        pid = fork(work, self._inherited)
        self.children[pid] = Child(pid, name, slots, time.monotonic())

    def _reap(self) -> None:
        """Report children that have ended."""
        while self.children or self.leaving:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            left = self.leaving.pop(pid, None)
            child = left or self.children.pop(pid, None)
            if child is None:
                self.stopping = True  # the scheduler of a local cluster
                continue
            self._tell(
                Exited(
                    child.name,
                    os.waitstatus_to_exitcode(status),
                    running_tasks(child.slots),
                    child.memory,
                    child.why,
                )
            )
            if left is None:
                self._judge(child)

    def _judge(self, child: Child) -> None:
        hasty = time.monotonic() - child.started < _HASTE and not running_tasks(child.slots)
        self._failures = self._failures + 1 if hasty else 0
        if self._failures >= _PATIENCE:
            _log.error("Workers end as soon as they start; no more are started")
            self.stopping = True

    def _beat(self) -> None:
        everyone = [*self.children.values(), *self.leaving.values()]
        states, cpu = [], []
        for child in everyone:
            state, child.memory, used = _look(child.pid)
            states.append(state)
            cpu.append(used)
            limit = self.plan.options.memory_limit
            if limit and child.memory > _KILL_AT * limit:
                used, most = child.memory >> 20, limit >> 20
                child.why = f"it used {used} MiB of the {most} MiB it may (memory_limit)"
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
        names, memory = [c.name for c in everyone], [c.memory for c in everyone]
        self._tell(Beat(tuple(names), tuple(states), tuple(memory), tuple(cpu)))

    def _tell(self, message: object) -> None:
        assert self._connection is not None
        header, _ = CODEC.encode([message])
        try:
            self._connection.send(header)
        except OSError:
            self.stopping = True

    def _end(self) -> None:
        """Nobody is left behind."""
        for pid in [*self.children, *self.leaving]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in [*self.children, *self.leaving]:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        # they were given no time to clean up
        remove_abandoned(Path(self.plan.options.scratch or tempfile.gettempdir()))
        if self._connection is not None:
            self._connection.close()


def fork(work: Callable[[], None], inherited: list[int]) -> int:
    """A child that does this and ends; it dies with us."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in inherited:
            os.close(number)
        _die_with(parent)
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        logging.getLogger(__name__).exception("A process of the cluster failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended just before
        os._exit(1)


def _look(pid: int) -> tuple[str, int, float]:
    """State of a process, its memory, the seconds of processors it has used.

    Nothing is known outside of Linux.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "", 0, 0.0
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return fields[0], process_memory(str(pid)), used


def main() -> None:
    """A local cluster: the plan comes as the first line of input, the address goes back."""
    logging.basicConfig(level=os.environ.get("PLAIT_LOG", "WARNING"))
    commands = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    ready = int(sys.argv[1])
    text = b""
    while not text.endswith(b"\n"):
        piece = os.read(commands, 1)
        if not piece:
            return
        text += piece
    plan = Plan.from_json(text.decode())
    sys.path[:0] = [path for path in plan.paths if path not in sys.path]
    if plan.folder:
        os.chdir(plan.folder)
    if plan.address:
        address = parse(plan.address)
    else:
        settings = server.Settings(token=server.new_token(), dashboard=plan.dashboard)
        address = start_scheduler(settings, [commands, ready])
    os.write(ready, (address.url + "\n").encode())
    os.close(ready)
    Supervisor(plan, address).run(commands)


def start_scheduler(settings: server.Settings, inherited: list[int]) -> Address:
    """Fork a scheduler; where it is. It closes the descriptors that are not for it."""
    told, tell = os.pipe()

    def serve() -> None:
        def listening(port: int, _: str) -> None:
            os.write(tell, struct.pack("<I", port))
            os.close(tell)

        server.serve(settings, listening)

    fork(serve, [*inherited, told])
    os.close(tell)
    data = os.read(told, 4)
    os.close(told)
    if len(data) < 4:
        raise RuntimeError("The scheduler did not start")
    return Address(settings.host, struct.unpack("<I", data)[0], token=settings.token)


if __name__ == "__main__":
    main()
